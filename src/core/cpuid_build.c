/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUID tells a guest, computed once: the host's answers, less what the VM's CPU model does
 * not have and what libv3 does not virtualize; the guest's own topology.
 */
#include "core/nodes.h"
#include "core/vm.h"

#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"

#define MAX_BASIC V3_CPUID_LEAF_XSAVE
#define MAX_EXT V3_CPUID_LEAF_SIZES
#define HV_SIGNATURE_EBX 0x7662696cu	/* "libv" */
#define HV_SIGNATURE_ECX 0x4d4d5633u	/* "3VMM" */
#define HV_SIGNATURE_EDX 0x65726f63u	/* "core" */

/*
 * Fields of EAX of a cache's subleaf: type (0: no more), level, sharing CPUs - 1; Intel: cores - 1.
 */
#define CACHE_TYPE_MASK 0x1fu
#define CACHE_LEVEL(eax) ((eax) >> 5 & 7)
#define CACHE_SHARING_SHIFT 14
#define CACHE_SHARING_MASK 0xfffu
#define CACHE_CORES_SHIFT 26
#define MAX_CACHES 8u

static struct v3_cpuid *entry_add(struct v3_vm *vm, uint32_t leaf, uint32_t subleaf,
				  bool has_subleaf)
{
	struct v3_cpuid_entry *entry;

	if (vm->num_cpuid == V3_MAX_CPUID)
		return NULL;
	entry = &vm->cpuid[vm->num_cpuid++];
	*entry = (struct v3_cpuid_entry){ .leaf = leaf, .subleaf = subleaf,
					  .has_subleaf = has_subleaf };
	return &entry->regs;
}

/*
 * Adds what the host says, and gives it for editing. There is always room: a test checks
 * V3_MAX_CPUID.
 */
static struct v3_cpuid *host_add(struct v3_vm *vm, uint32_t leaf, uint32_t subleaf,
				 bool has_subleaf)
{
	struct v3_cpuid *regs = entry_add(vm, leaf, subleaf, has_subleaf);
	struct v3_cpuid_regs host;

	if (!regs)
		return NULL;
	v3_x86_cpuid(leaf, subleaf, &host);
	*regs = (struct v3_cpuid){ host.eax, host.ebx, host.ecx, host.edx };
	return regs;
}

static uint32_t feature_word(const struct v3_vm *vm, enum v3_cpu_word word)
{
	return vm->cpu.features.word[word];
}

/*
 * vCPUs of a package: all of them. On several nodes each has its own, as no package and no cache may
 * span nodes, and indices of vCPUs do not tell where they are.
 */
static unsigned int package_size(const struct v3_vm *vm)
{
	return v3_vm_num_nodes(vm) > 1 ? 1 : vm->num_vcpus;
}

/* APIC IDs are the vCPUs' indices: bits that they take in a package. */
static unsigned int apic_id_bits(const struct v3_vm *vm)
{
	unsigned int bits = 0;

	while ((1u << bits) < package_size(vm))
		bits++;
	return bits;
}

static bool is_intel(const struct v3_vm *vm)
{
	return vm->cpuid[0].regs.ebx == V3_CPUID_INTEL_EBX;
}

static void features_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_FEATURES, 0, false);
	const uint32_t by_devices = V3_CPUID_1_ECX_X2APIC | V3_CPUID_1_ECX_TSC_DEADLINE;
	uint32_t count = package_size(vm);

	/* What needs devices is added by their hooks. */
	regs->ecx = feature_word(vm, V3_CPU_1_ECX) & ~by_devices;
	regs->edx = feature_word(vm, V3_CPU_1_EDX) & ~V3_CPUID_1_EDX_APIC;
	if (package_size(vm) == 1)
		regs->edx &= ~V3_CPUID_1_EDX_HTT;
	/* Intel: how many APIC IDs there may be; AMD: how many cores (SDM 2A CPUID, APM3 E.3.2). */
	if (is_intel(vm))
		count = 1u << apic_id_bits(vm);
	/* The initial APIC ID is filled in per vCPU. */
	regs->ebx = (regs->ebx & 0xff00) | count << V3_CPUID_1_EBX_COUNT_SHIFT;
	vm->cpuid[vm->num_cpuid - 1].dynamic = true;
}

static void ext_features_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = entry_add(vm, V3_CPUID_LEAF_EXT_FEATURES, 0, true);

	regs->ebx = feature_word(vm, V3_CPU_7_EBX);
	regs->ecx = feature_word(vm, V3_CPU_7_ECX);
	regs->edx = feature_word(vm, V3_CPU_7_EDX);
}

/*
 * Leaf 0xD: the sizes in EBX of subleaves 0 and 1 follow XCR0, so they are dynamic (SDM 1 13.2).
 * Only components that XCR0 may have get a subleaf.
 */
static void xsave_add(struct v3_vm *vm)
{
	uint64_t xcr0 = vm->cpu.xcr0;
	struct v3_cpuid *regs;
	unsigned int i, first;

	if (!xcr0)
		return;
	first = vm->num_cpuid;
	regs = entry_add(vm, V3_CPUID_LEAF_XSAVE, 0, true);
	regs->eax = (uint32_t)xcr0;
	regs->edx = (uint32_t)(xcr0 >> 32);
	vm->cpuid[first].dynamic = true;
	regs = entry_add(vm, V3_CPUID_LEAF_XSAVE, 1, true);
	regs->eax = feature_word(vm, V3_CPU_D1_EAX);
	vm->cpuid[first + 1].dynamic = true;
	for (i = 2; i < 63; i++)
		if (xcr0 >> i & 1)
			host_add(vm, V3_CPUID_LEAF_XSAVE, i, true);
	vm->cpuid[first].regs.ecx = v3_cpuid_xsave_size(vm, xcr0);
}

/*
 * Leaves 0xB and 0x1F: one thread a core, cores in packages (SDM 2A CPUID). EDX is per vCPU.
 */
static void topology_add(struct v3_vm *vm, uint32_t leaf)
{
	unsigned int level;

	for (level = 0; level < 3; level++) {
		struct v3_cpuid *regs = entry_add(vm, leaf, level, true);

		if (level < 2)
			*regs = (struct v3_cpuid){ level ? apic_id_bits(vm) : 0,
						   level ? package_size(vm) : 1,
						   level | (level + 1) << 8, 0 };
		else
			regs->ecx = level;
		vm->cpuid[vm->num_cpuid - 1].dynamic = true;
	}
}

/*
 * The host's caches: leaf 4 of Intel's CPUs, 0x8000001D of AMD's, which agree in the fields that
 * matter here. Caches of a core belong to one vCPU; more do not share one than on the host, or than
 * there are. On several nodes it is not told who shares one.
 */
static void caches_add(struct v3_vm *vm, uint32_t leaf, bool cores)
{
	uint32_t ids = 1u << apic_id_bits(vm), sharing;
	unsigned int i;

	for (i = 0; i < MAX_CACHES; i++) {
		struct v3_cpuid *regs = host_add(vm, leaf, i, true);

		if (!(regs->eax & CACHE_TYPE_MASK) ||
		    (v3_vm_num_nodes(vm) > 1 && CACHE_LEVEL(regs->eax) >= 3)) {
			vm->num_cpuid--;
			return;
		}
		sharing = (regs->eax >> CACHE_SHARING_SHIFT & CACHE_SHARING_MASK) + 1;
		if (CACHE_LEVEL(regs->eax) < 3)
			sharing = 1;
		else if (sharing > ids)
			sharing = ids;
		regs->eax = (regs->eax & ((1u << CACHE_SHARING_SHIFT) - 1)) |
			    (sharing - 1) << CACHE_SHARING_SHIFT;
		if (cores)
			regs->eax |= (ids - 1) << CACHE_CORES_SHIFT;
	}
}

/*
 * Intel: the crystal's frequency, here the APIC timer's, and the TSC's ratio to it (SDM 3B
 * 18.18.3).
 */
static void tsc_add(struct v3_vm *vm)
{
	*entry_add(vm, V3_CPUID_LEAF_TSC, 0, false) = (struct v3_cpuid){
		V3_CPU_APIC_KHZ, (uint32_t)vm->tsc_khz, V3_CPU_APIC_KHZ * 1000, 0 };
}

static void basic_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_VENDOR, 0, false);
	uint32_t max = regs->eax;

	regs->eax = max > MAX_BASIC ? MAX_BASIC : max;
	features_add(vm);
	if (max >= V3_CPUID_LEAF_CACHE)
		host_add(vm, V3_CPUID_LEAF_CACHE, 0, false);
	if (max >= V3_CPUID_LEAF_CACHE_PARAMS)
		caches_add(vm, V3_CPUID_LEAF_CACHE_PARAMS, true);
	if (max >= V3_CPUID_LEAF_THERMAL)
		entry_add(vm, V3_CPUID_LEAF_THERMAL, 0, false)->eax =
			feature_word(vm, V3_CPU_6_EAX);
	if (max >= V3_CPUID_LEAF_EXT_FEATURES)
		ext_features_add(vm);
	if (max >= V3_CPUID_LEAF_TOPOLOGY)
		topology_add(vm, V3_CPUID_LEAF_TOPOLOGY);
	if (max >= V3_CPUID_LEAF_XSAVE)
		xsave_add(vm);
	if (max >= V3_CPUID_LEAF_TSC && is_intel(vm)) {
		tsc_add(vm);
		vm->cpuid[0].regs.eax = V3_CPUID_LEAF_TSC;
	}
	if (max >= V3_CPUID_LEAF_TOPOLOGY_V2) {
		topology_add(vm, V3_CPUID_LEAF_TOPOLOGY_V2);
		vm->cpuid[0].regs.eax = V3_CPUID_LEAF_TOPOLOGY_V2;
	}
}

/* The signature; frequencies of TSC and APIC timer, where other hypervisors have them. */
static void hypervisor_add(struct v3_vm *vm)
{
	if (!(feature_word(vm, V3_CPU_1_ECX) & V3_CPUID_1_ECX_HYPERVISOR))
		return;
	*entry_add(vm, V3_CPUID_LEAF_HYPERVISOR, 0, false) = (struct v3_cpuid){
		V3_CPUID_LEAF_HV_TIMING, HV_SIGNATURE_EBX, HV_SIGNATURE_ECX, HV_SIGNATURE_EDX };
	*entry_add(vm, V3_CPUID_LEAF_HV_TIMING, 0, false) = (struct v3_cpuid){
		(uint32_t)vm->tsc_khz, V3_CPU_APIC_KHZ, 0, 0 };
}

static void sizes_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_SIZES, 0, false);
	uint32_t pa = regs->eax & V3_CPUID_80000008_EAX_PA_MASK;

	/* Nested tables have four levels: 48 bits at the most; linear addresses likewise. */
	if (pa > 48)
		pa = 48;
	regs->eax = pa | 48u << V3_CPUID_80000008_EAX_VA_SHIFT;
	regs->ebx = feature_word(vm, V3_CPU_EXT8_EBX);
	/* AMD: cores - 1, and the bits of an APIC ID that tell cores apart (APM3 E.4.7). */
	regs->ecx = is_intel(vm) ? 0
				 : (package_size(vm) - 1) |
					   apic_id_bits(vm) << V3_CPUID_80000008_ECX_ID_SIZE_SHIFT;
	regs->edx = 0;
}

/* What TOPOEXT promises: caches, and where each vCPU is (APM3 E.4.15, E.4.16). */
static void topoext_add(struct v3_vm *vm, uint32_t max)
{
	if (max < V3_CPUID_LEAF_AMD_TOPOLOGY ||
	    !(feature_word(vm, V3_CPU_EXT1_ECX) & V3_CPUID_80000001_ECX_TOPOEXT))
		return;
	if (max >= V3_CPUID_LEAF_TLB_1G)
		host_add(vm, V3_CPUID_LEAF_TLB_1G, 0, false);
	caches_add(vm, V3_CPUID_LEAF_AMD_CACHE, false);
	entry_add(vm, V3_CPUID_LEAF_AMD_TOPOLOGY, 0, false);
	vm->cpuid[vm->num_cpuid - 1].dynamic = true;
}

static void extended_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_EXT_MAX, 0, false), *first = regs;
	uint32_t max = regs->eax, leaf;

	regs->eax = max > MAX_EXT ? MAX_EXT : max;
	regs = host_add(vm, V3_CPUID_LEAF_EXT1, 0, false);
	regs->ecx = feature_word(vm, V3_CPU_EXT1_ECX);
	regs->edx = feature_word(vm, V3_CPU_EXT1_EDX);
	if (package_size(vm) == 1 || is_intel(vm))
		regs->ecx &= ~V3_CPUID_80000001_ECX_CMP_LEGACY;
	for (leaf = V3_CPUID_LEAF_BRAND_FIRST; leaf <= max && leaf <= V3_CPUID_LEAF_L2_L3; leaf++)
		regs = host_add(vm, leaf, 0, false);
	/* AMD's L3: some take its presence for a promise of who shares it. */
	if (leaf > V3_CPUID_LEAF_L2_L3 && v3_vm_num_nodes(vm) > 1)
		regs->edx = 0;
	if (max >= V3_CPUID_LEAF_APM)
		entry_add(vm, V3_CPUID_LEAF_APM, 0, false)->edx = feature_word(vm, V3_CPU_EXT7_EDX);
	if (max >= V3_CPUID_LEAF_SIZES)
		sizes_add(vm);
	topoext_add(vm, max);
	if (vm->cpuid[vm->num_cpuid - 1].leaf == V3_CPUID_LEAF_AMD_TOPOLOGY)
		first->eax = V3_CPUID_LEAF_AMD_TOPOLOGY;
}

/* CR4 bits that go with a feature. */
static uint64_t cr4_mask(const struct v3_vm *vm)
{
	static const struct {
		uint8_t word;
		uint32_t bit;
		uint64_t cr4;
	} bits[] = {
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_VME, V3_CR4_VME | V3_CR4_PVI },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_TSC, V3_CR4_TSD },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_DE, V3_CR4_DE },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_PSE, V3_CR4_PSE },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_PAE, V3_CR4_PAE },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_MCE, V3_CR4_MCE },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_PGE, V3_CR4_PGE },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_FXSR, V3_CR4_OSFXSR },
		{ V3_CPU_1_EDX, V3_CPUID_1_EDX_SSE, V3_CR4_OSXMMEXCPT },
		{ V3_CPU_1_ECX, V3_CPUID_1_ECX_PCID, V3_CR4_PCIDE },
		{ V3_CPU_1_ECX, V3_CPUID_1_ECX_XSAVE, V3_CR4_OSXSAVE },
		{ V3_CPU_7_EBX, V3_CPUID_7_EBX_FSGSBASE, V3_CR4_FSGSBASE },
		{ V3_CPU_7_EBX, V3_CPUID_7_EBX_SMEP, V3_CR4_SMEP },
		{ V3_CPU_7_EBX, V3_CPUID_7_EBX_SMAP, V3_CR4_SMAP },
		{ V3_CPU_7_ECX, V3_CPUID_7_ECX_UMIP, V3_CR4_UMIP },
	};
	uint64_t mask = V3_CR4_PCE;
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (feature_word(vm, (enum v3_cpu_word)bits[i].word) & bits[i].bit)
			mask |= bits[i].cr4;
	return mask;
}

/* LMSLE, FFXSR, TCE and the like go with features that no guest sees. */
static uint64_t efer_mask(const struct v3_vm *vm)
{
	uint32_t features = feature_word(vm, V3_CPU_EXT1_EDX);
	uint64_t mask = 0;

	if (features & V3_CPUID_80000001_EDX_SYSCALL)
		mask |= V3_EFER_SCE;
	if (features & V3_CPUID_80000001_EDX_LM)
		mask |= V3_EFER_LME;
	if (features & V3_CPUID_80000001_EDX_NX)
		mask |= V3_EFER_NXE;
	return mask;
}

static void cpuid_build(struct v3_vm *vm)
{
	basic_add(vm);
	hypervisor_add(vm);
	extended_add(vm);
	vm->phys_bits = v3_cpuid_phys_bits(vm);
}

/* The message for a model of which the host lacks something. */
static enum v3_status lacking(const struct v3_vm *vm, enum v3_cpu_model model,
			      const struct v3_cpu_features *missing)
{
	char names[160];

	v3_cpu_names(missing, names, sizeof(names));
	v3_host_log(vm->host, V3_LOG_ERROR, "v3: %s: this host cannot give the CPU model %s, it lacks %s",
		    vm->name, v3_cpu_model_name(model), names);
	return V3_ERR_NOTSUP;
}

static enum v3_status refused(const struct v3_vm *vm, const struct v3_cpu_part *part,
			      enum v3_cpu_error error)
{
	int len = 0;

	/* The text is the caller's, who may not be trusted: no control characters in the log. */
	while (len < 64 && (size_t)len < part->len && part->text[len] >= 0x20 &&
	       part->text[len] < 0x7f)
		len++;
	v3_host_log(vm->host, V3_LOG_ERROR, "v3: %s: cpu: '%.*s' %s", vm->name, len, part->text,
		    v3_cpu_error_text(error));
	return V3_ERR_INVALID;
}

enum v3_status v3_vm_cpu_create(struct v3_vm *vm, const struct v3_vm_config *config)
{
	struct v3_cpu_features host, missing;
	struct v3_cpu_spec spec;
	struct v3_cpu_part part;
	enum v3_cpu_error error = v3_cpu_parse(config->cpu ? config->cpu : "host", &spec, &part);
	unsigned int i;

	if (error != V3_CPU_OK)
		return refused(vm, &part, error);
	v3_cpu_host_features(v3_x86_cpuid, vm->host->caps.xcr0, &host);
	for (i = 0; i < V3_CPU_WORDS; i++)
		host.word[i] &= ~vm->host->no_features.word[i];
	if (!v3_cpu_guest_features(&host, &spec, &vm->cpu.features, &vm->cpu.hidden, &missing))
		return lacking(vm, spec.model, &missing);
	for (i = 0; i < V3_CPU_WORDS; i++)
		vm->cpu.hides |= spec.hide.word[i] != 0;
	vm->cpu.ignore_msrs = config->flags & V3_VM_IGNORE_UNKNOWN_MSRS;
	vm->cpu.xcr0 = v3_cpu_xcr0(&vm->cpu.features);
	vm->cpu.cr4_mask = cr4_mask(vm);
	vm->cpu.efer_mask = efer_mask(vm);
	cpuid_build(vm);
	return V3_OK;
}
