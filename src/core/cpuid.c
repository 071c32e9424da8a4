/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUID tells a guest: computed once from the host's CPUID, filtered by what libv3 virtualizes.
 * Lists are of what is let through: a feature nobody has thought about stays hidden.
 */
#include "core/vm.h"

#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"

#define ALLOW_1_ECX \
	(V3_CPUID_1_ECX_SSE3 | V3_CPUID_1_ECX_PCLMULQDQ | V3_CPUID_1_ECX_SSSE3 | \
	 V3_CPUID_1_ECX_FMA | V3_CPUID_1_ECX_CX16 | V3_CPUID_1_ECX_PCID | V3_CPUID_1_ECX_SSE41 | \
	 V3_CPUID_1_ECX_SSE42 | V3_CPUID_1_ECX_MOVBE | V3_CPUID_1_ECX_POPCNT | \
	 V3_CPUID_1_ECX_AES | V3_CPUID_1_ECX_XSAVE | V3_CPUID_1_ECX_AVX | V3_CPUID_1_ECX_F16C | \
	 V3_CPUID_1_ECX_RDRAND)
#define ALLOW_1_EDX \
	(V3_CPUID_1_EDX_FPU | V3_CPUID_1_EDX_VME | V3_CPUID_1_EDX_DE | V3_CPUID_1_EDX_PSE | \
	 V3_CPUID_1_EDX_TSC | V3_CPUID_1_EDX_MSR | V3_CPUID_1_EDX_PAE | V3_CPUID_1_EDX_MCE | \
	 V3_CPUID_1_EDX_CX8 | V3_CPUID_1_EDX_SEP | V3_CPUID_1_EDX_MTRR | V3_CPUID_1_EDX_PGE | \
	 V3_CPUID_1_EDX_MCA | V3_CPUID_1_EDX_CMOV | V3_CPUID_1_EDX_PAT | V3_CPUID_1_EDX_PSE36 | \
	 V3_CPUID_1_EDX_CLFLUSH | V3_CPUID_1_EDX_MMX | V3_CPUID_1_EDX_FXSR | \
	 V3_CPUID_1_EDX_SSE | V3_CPUID_1_EDX_SSE2)
#define ALLOW_7_EBX \
	(V3_CPUID_7_EBX_FSGSBASE | V3_CPUID_7_EBX_BMI1 | V3_CPUID_7_EBX_AVX2 | \
	 V3_CPUID_7_EBX_SMEP | V3_CPUID_7_EBX_BMI2 | V3_CPUID_7_EBX_ERMS | \
	 V3_CPUID_7_EBX_INVPCID | V3_CPUID_7_EBX_AVX512F | V3_CPUID_7_EBX_AVX512DQ | \
	 V3_CPUID_7_EBX_RDSEED | V3_CPUID_7_EBX_ADX | V3_CPUID_7_EBX_SMAP | \
	 V3_CPUID_7_EBX_AVX512IFMA | V3_CPUID_7_EBX_CLFLUSHOPT | V3_CPUID_7_EBX_CLWB | \
	 V3_CPUID_7_EBX_AVX512CD | V3_CPUID_7_EBX_SHA | V3_CPUID_7_EBX_AVX512BW | \
	 V3_CPUID_7_EBX_AVX512VL)
#define ALLOW_7_ECX \
	(V3_CPUID_7_ECX_AVX512VBMI | V3_CPUID_7_ECX_UMIP | V3_CPUID_7_ECX_AVX512VBMI2 | \
	 V3_CPUID_7_ECX_GFNI | V3_CPUID_7_ECX_VAES | V3_CPUID_7_ECX_VPCLMULQDQ | \
	 V3_CPUID_7_ECX_AVX512VNNI | V3_CPUID_7_ECX_AVX512BITALG | \
	 V3_CPUID_7_ECX_AVX512VPOPCNTDQ | V3_CPUID_7_ECX_RDPID)
#define ALLOW_7_EDX V3_CPUID_7_EDX_FSRM
#define ALLOW_EXT1_ECX \
	(V3_CPUID_80000001_ECX_LAHF | V3_CPUID_80000001_ECX_ABM | V3_CPUID_80000001_ECX_SSE4A | \
	 V3_CPUID_80000001_ECX_MISALIGNSSE | V3_CPUID_80000001_ECX_3DNOWPREFETCH | \
	 V3_CPUID_80000001_ECX_XOP | V3_CPUID_80000001_ECX_FMA4 | V3_CPUID_80000001_ECX_TBM)
#define ALLOW_EXT1_EDX \
	(ALLOW_1_EDX_IN_EXT1 | V3_CPUID_80000001_EDX_SYSCALL | V3_CPUID_80000001_EDX_NX | \
	 V3_CPUID_80000001_EDX_MMXEXT | V3_CPUID_80000001_EDX_PAGE1GB | \
	 V3_CPUID_80000001_EDX_RDTSCP | V3_CPUID_80000001_EDX_LM)
#define ALLOW_1_EDX_IN_EXT1 (ALLOW_1_EDX & V3_CPUID_80000001_EDX_LEAF1_MASK)
#define ALLOW_SIZES_EBX (V3_CPUID_80000008_EBX_CLZERO | V3_CPUID_80000008_EBX_XSAVEERPTR | \
			 V3_CPUID_80000008_EBX_WBNOINVD)

/* What depends on AVX state being enabled in XCR0. */
#define AVX_1_ECX (V3_CPUID_1_ECX_AVX | V3_CPUID_1_ECX_FMA | V3_CPUID_1_ECX_F16C)
#define AVX512_7_EBX \
	(V3_CPUID_7_EBX_AVX512F | V3_CPUID_7_EBX_AVX512DQ | V3_CPUID_7_EBX_AVX512IFMA | \
	 V3_CPUID_7_EBX_AVX512CD | V3_CPUID_7_EBX_AVX512BW | V3_CPUID_7_EBX_AVX512VL)
#define AVX512_7_ECX \
	(V3_CPUID_7_ECX_AVX512VBMI | V3_CPUID_7_ECX_AVX512VBMI2 | V3_CPUID_7_ECX_AVX512VNNI | \
	 V3_CPUID_7_ECX_AVX512BITALG | V3_CPUID_7_ECX_AVX512VPOPCNTDQ)

#define MAX_BASIC V3_CPUID_LEAF_XSAVE
#define MAX_EXT V3_CPUID_LEAF_SIZES
#define HV_SIGNATURE_EBX 0x7662696cu	/* "libv" */
#define HV_SIGNATURE_ECX 0x4d4d5633u	/* "3VMM" */
#define HV_SIGNATURE_EDX 0x65726f63u	/* "core" */

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

/* Adds what the host says, and gives it for editing. There is always room: V3_MAX_CPUID is checked by a test. */
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

static void features_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_FEATURES, 0, false);
	uint64_t xcr0 = vm->host->caps.xcr0;

	regs->ecx &= ALLOW_1_ECX;
	regs->ecx |= V3_CPUID_1_ECX_HYPERVISOR;
	if (!xcr0)
		regs->ecx &= ~(V3_CPUID_1_ECX_XSAVE | AVX_1_ECX);
	if (!(xcr0 & V3_XCR0_AVX))
		regs->ecx &= ~AVX_1_ECX;
	regs->edx &= ALLOW_1_EDX;
	/* Logical processors and the initial APIC ID are filled in per vCPU. */
	regs->ebx = (regs->ebx & 0xff00) | vm->num_vcpus << V3_CPUID_1_EBX_COUNT_SHIFT;
	if (vm->num_vcpus > 1)
		regs->edx |= V3_CPUID_1_EDX_HTT;
	vm->cpuid[vm->num_cpuid - 1].dynamic = true;
}

static void ext_features_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_EXT_FEATURES, 0, true);
	uint64_t xcr0 = vm->host->caps.xcr0;

	regs->eax = 0;
	regs->ebx &= ALLOW_7_EBX;
	regs->ecx &= ALLOW_7_ECX;
	regs->edx &= ALLOW_7_EDX;
	if (!(xcr0 & V3_XCR0_AVX)) {
		regs->ebx &= ~V3_CPUID_7_EBX_AVX2;
		regs->ecx &= ~(V3_CPUID_7_ECX_VAES | V3_CPUID_7_ECX_VPCLMULQDQ);
	}
	if ((xcr0 & V3_XCR0_AVX512) != V3_XCR0_AVX512) {
		regs->ebx &= ~AVX512_7_EBX;
		regs->ecx &= ~AVX512_7_ECX;
	}
}

/* Leaf 0xD: the sizes in EBX of subleaves 0 and 1 follow XCR0, so they are dynamic (SDM 1 13.2). */
static void xsave_add(struct v3_vm *vm)
{
	uint64_t xcr0 = vm->host->caps.xcr0;
	struct v3_cpuid *regs;
	unsigned int i;

	if (!xcr0)
		return;
	regs = host_add(vm, V3_CPUID_LEAF_XSAVE, 0, true);
	regs->eax = (uint32_t)xcr0;
	regs->edx = (uint32_t)(xcr0 >> 32);
	regs->ecx = vm->host->caps.xsave_size;
	vm->cpuid[vm->num_cpuid - 1].dynamic = true;
	regs = host_add(vm, V3_CPUID_LEAF_XSAVE, 1, true);
	regs->eax &= V3_CPUID_D1_EAX_XSAVEOPT | V3_CPUID_D1_EAX_XSAVEC | V3_CPUID_D1_EAX_XGETBV1;
	regs->ebx = regs->ecx = regs->edx = 0;
	vm->cpuid[vm->num_cpuid - 1].dynamic = true;
	for (i = 2; i < 63; i++)
		if (xcr0 >> i & 1)
			host_add(vm, V3_CPUID_LEAF_XSAVE, i, true);
}

/* Leaf 0xB: one thread a core, all cores in one package (SDM 2A CPUID). EDX is per vCPU. */
static void topology_add(struct v3_vm *vm)
{
	unsigned int shift = 0, level;

	while ((1u << shift) < vm->num_vcpus)
		shift++;
	for (level = 0; level < 3; level++) {
		struct v3_cpuid *regs = entry_add(vm, V3_CPUID_LEAF_TOPOLOGY, level, true);

		if (level < 2)
			*regs = (struct v3_cpuid){ level ? shift : 0, level ? vm->num_vcpus : 1,
						   level | (level + 1) << 8, 0 };
		else
			regs->ecx = level;
		vm->cpuid[vm->num_cpuid - 1].dynamic = true;
	}
}

static void basic_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_VENDOR, 0, false);
	uint32_t max = regs->eax;

	regs->eax = max > MAX_BASIC ? MAX_BASIC : max;
	features_add(vm);
	if (max >= V3_CPUID_LEAF_CACHE)
		host_add(vm, V3_CPUID_LEAF_CACHE, 0, false);
	regs = entry_add(vm, V3_CPUID_LEAF_THERMAL, 0, false);
	regs->eax = V3_CPUID_6_EAX_ARAT;	/* the LAPIC timer never stops */
	if (max >= V3_CPUID_LEAF_EXT_FEATURES)
		ext_features_add(vm);
	if (max >= V3_CPUID_LEAF_TOPOLOGY)
		topology_add(vm);
	if (max >= V3_CPUID_LEAF_XSAVE)
		xsave_add(vm);
}

static void hypervisor_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = entry_add(vm, V3_CPUID_LEAF_HYPERVISOR, 0, false);

	*regs = (struct v3_cpuid){ V3_CPUID_LEAF_HYPERVISOR + 1, HV_SIGNATURE_EBX,
				   HV_SIGNATURE_ECX, HV_SIGNATURE_EDX };
	entry_add(vm, V3_CPUID_LEAF_HYPERVISOR + 1, 0, false);
}

static void sizes_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_SIZES, 0, false);
	uint32_t pa = regs->eax & V3_CPUID_80000008_EAX_PA_MASK;

	/* Nested tables have four levels: 48 bits at the most; linear addresses likewise. */
	if (pa > 48)
		pa = 48;
	regs->eax = pa | 48u << V3_CPUID_80000008_EAX_VA_SHIFT;
	regs->ebx &= ALLOW_SIZES_EBX;
	regs->ecx = vm->num_vcpus - 1;
	regs->edx = 0;
}

static void extended_add(struct v3_vm *vm)
{
	struct v3_cpuid *regs = host_add(vm, V3_CPUID_LEAF_EXT_MAX, 0, false);
	uint32_t max = regs->eax > MAX_EXT ? MAX_EXT : regs->eax, leaf;

	regs->eax = max;
	regs = host_add(vm, V3_CPUID_LEAF_EXT1, 0, false);
	regs->ecx &= ALLOW_EXT1_ECX;
	regs->edx &= ALLOW_EXT1_EDX;
	if (!(vm->host->caps.xcr0 & V3_XCR0_AVX))
		regs->ecx &= ~(V3_CPUID_80000001_ECX_XOP | V3_CPUID_80000001_ECX_FMA4);
	if (vm->num_vcpus > 1)
		regs->ecx |= V3_CPUID_80000001_ECX_CMP_LEGACY;
	for (leaf = V3_CPUID_LEAF_BRAND_FIRST; leaf <= max && leaf <= V3_CPUID_LEAF_L2_L3; leaf++)
		host_add(vm, leaf, 0, false);
	if (max >= V3_CPUID_LEAF_APM) {
		regs = host_add(vm, V3_CPUID_LEAF_APM, 0, false);
		*regs = (struct v3_cpuid){
			.edx = regs->edx & V3_CPUID_80000007_EDX_INVARIANT_TSC };
	}
	if (max >= V3_CPUID_LEAF_SIZES)
		sizes_add(vm);
}

void v3_cpuid_build(struct v3_vm *vm)
{
	vm->num_cpuid = 0;
	basic_add(vm);
	hypervisor_add(vm);
	extended_add(vm);
	vm->phys_bits = v3_cpuid_phys_bits(vm);
}

/* Entries are few and in no order; the frequent leaves are among the first. */
static const struct v3_cpuid_entry *entry_find(const struct v3_vm *vm, uint32_t leaf,
					       uint32_t subleaf)
{
	const struct v3_cpuid_entry *entry = vm->cpuid, *end = entry + vm->num_cpuid;

	for (; entry < end; entry++)
		if (entry->leaf == leaf && (!entry->has_subleaf || entry->subleaf == subleaf))
			return entry;
	return NULL;
}

bool v3_cpuid_has(const struct v3_vm *vm, uint32_t leaf, unsigned int reg, uint32_t bit)
{
	const struct v3_cpuid_entry *entry = entry_find(vm, leaf, 0);
	uint32_t value;

	if (!entry)
		return false;
	value = reg == 0 ? entry->regs.eax : reg == 1 ? entry->regs.ebx :
		reg == 2 ? entry->regs.ecx : entry->regs.edx;
	return value & bit;
}

/* CR4 bits that go with a feature. */
uint64_t v3_cpuid_cr4_mask(const struct v3_vm *vm)
{
	static const struct {
		uint32_t leaf, reg, bit;
		uint64_t cr4;
	} bits[] = {
		{ 1, 3, V3_CPUID_1_EDX_VME, V3_CR4_VME | V3_CR4_PVI },
		{ 1, 3, V3_CPUID_1_EDX_TSC, V3_CR4_TSD },
		{ 1, 3, V3_CPUID_1_EDX_DE, V3_CR4_DE },
		{ 1, 3, V3_CPUID_1_EDX_PSE, V3_CR4_PSE },
		{ 1, 3, V3_CPUID_1_EDX_PAE, V3_CR4_PAE },
		{ 1, 3, V3_CPUID_1_EDX_MCE, V3_CR4_MCE },
		{ 1, 3, V3_CPUID_1_EDX_PGE, V3_CR4_PGE },
		{ 1, 3, V3_CPUID_1_EDX_FXSR, V3_CR4_OSFXSR },
		{ 1, 3, V3_CPUID_1_EDX_SSE, V3_CR4_OSXMMEXCPT },
		{ 1, 2, V3_CPUID_1_ECX_PCID, V3_CR4_PCIDE },
		{ 1, 2, V3_CPUID_1_ECX_XSAVE, V3_CR4_OSXSAVE },
		{ 7, 1, V3_CPUID_7_EBX_FSGSBASE, V3_CR4_FSGSBASE },
		{ 7, 1, V3_CPUID_7_EBX_SMEP, V3_CR4_SMEP },
		{ 7, 1, V3_CPUID_7_EBX_SMAP, V3_CR4_SMAP },
		{ 7, 2, V3_CPUID_7_ECX_UMIP, V3_CR4_UMIP },
	};
	uint64_t mask = V3_CR4_PCE;
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (v3_cpuid_has(vm, bits[i].leaf, bits[i].reg, bits[i].bit))
			mask |= bits[i].cr4;
	return mask;
}

uint64_t v3_cpuid_efer_mask(const struct v3_vm *vm)
{
	uint64_t mask = 0;

	if (v3_cpuid_has(vm, V3_CPUID_LEAF_EXT1, 3, V3_CPUID_80000001_EDX_SYSCALL))
		mask |= V3_EFER_SCE;
	if (v3_cpuid_has(vm, V3_CPUID_LEAF_EXT1, 3, V3_CPUID_80000001_EDX_LM))
		mask |= V3_EFER_LME;
	if (v3_cpuid_has(vm, V3_CPUID_LEAF_EXT1, 3, V3_CPUID_80000001_EDX_NX))
		mask |= V3_EFER_NXE;
	return mask;
}

unsigned int v3_cpuid_phys_bits(const struct v3_vm *vm)
{
	const struct v3_cpuid_entry *entry = entry_find(vm, V3_CPUID_LEAF_SIZES, 0);

	return entry ? entry->regs.eax & V3_CPUID_80000008_EAX_PA_MASK : 36;
}

/* Size of the standard-format area for the components in xcr0 (SDM 1 13.4.3). */
static uint32_t xsave_size(const struct v3_vm *vm, uint64_t xcr0)
{
	uint32_t size = 512 + 64;
	unsigned int i;

	for (i = 2; i < 63; i++) {
		const struct v3_cpuid_entry *entry;

		if (!(xcr0 >> i & 1))
			continue;
		entry = entry_find(vm, V3_CPUID_LEAF_XSAVE, i);
		if (entry && entry->regs.ebx + entry->regs.eax > size)
			size = entry->regs.ebx + entry->regs.eax;
	}
	return size;
}

/* Size of the compacted area; a component's ECX bit 1 says that it is aligned to 64 bytes there. */
static uint32_t xsavec_size(const struct v3_vm *vm, uint64_t xcr0)
{
	uint32_t size = 512 + 64;
	unsigned int i;

	for (i = 2; i < 63; i++) {
		const struct v3_cpuid_entry *entry;

		if (!(xcr0 >> i & 1))
			continue;
		entry = entry_find(vm, V3_CPUID_LEAF_XSAVE, i);
		if (entry && entry->regs.ecx & 2)
			size = (size + 63) & ~63u;
		if (entry)
			size += entry->regs.eax;
	}
	return size;
}

/* The parts of an answer that change from vCPU to vCPU or while the guest runs. */
static void answer_complete(struct v3_vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
			    struct v3_cpuid *regs)
{
	struct v3_vm *vm = vcpu->vm;
	unsigned int i;

	if (leaf == V3_CPUID_LEAF_FEATURES) {
		regs->ebx |= vcpu->index << V3_CPUID_1_EBX_APIC_ID_SHIFT;
		if (vm->arch->get_cr(vcpu, 4) & V3_CR4_OSXSAVE)
			regs->ecx |= V3_CPUID_1_ECX_OSXSAVE;
	} else if (leaf == V3_CPUID_LEAF_TOPOLOGY) {
		regs->edx = vcpu->index;
	} else if (leaf == V3_CPUID_LEAF_XSAVE && subleaf == 0) {
		regs->ebx = xsave_size(vm, vcpu->xcr0);
	} else if (leaf == V3_CPUID_LEAF_XSAVE && subleaf == 1 &&
		   regs->eax & V3_CPUID_D1_EAX_XSAVEC) {
		regs->ebx = xsavec_size(vm, vcpu->xcr0);
	}
	for (i = 0; i < vm->num_cpuid_hooks; i++)
		if (leaf - vm->cpuid_hooks[i].first <=
		    vm->cpuid_hooks[i].last - vm->cpuid_hooks[i].first)
			vm->cpuid_hooks[i].fn(vcpu, vm->cpuid_hooks[i].ctx, leaf, subleaf, regs);
}

void v3_exit_cpuid(struct v3_vcpu *vcpu, const struct v3_exit *exit)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[0], subleaf = (uint32_t)vcpu->gpr[1];
	const struct v3_cpuid_entry *entry = entry_find(vcpu->vm, leaf, subleaf);
	struct v3_cpuid regs = { 0, 0, 0, 0 };

	if (entry)
		regs = entry->regs;
	if (!entry ? vcpu->vm->num_cpuid_hooks : entry->dynamic)
		answer_complete(vcpu, leaf, subleaf, &regs);
	vcpu->gpr[0] = regs.eax;
	vcpu->gpr[3] = regs.ebx;
	vcpu->gpr[1] = regs.ecx;
	vcpu->gpr[2] = regs.edx;
	v3_vcpu_skip_0f(vcpu, exit->insn_len, 0xa2);
}
