/* SPDX-License-Identifier: BSD-2-Clause */
/* CPU models: names, what each model has, what hiding takes along, and that all of it agrees. */
#include "guest.h"

#include <stdlib.h>
#include <string.h>

#include "fakes/fake_x86_state.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/excp.h"

#define RANDOM_ROUNDS 20000

/* A CPU that has all there is. */
static void has_all(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs)
{
	(void)subleaf;
	*regs = (struct v3_cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
	if (!(leaf & 0x7fffffff))
		regs->eax = leaf + 0x40;
}

/* One that has no leaf but 0, 1 and 8000_0001, though it would answer. */
static void has_few_leaves(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs)
{
	has_all(leaf, subleaf, regs);
	if (!(leaf & 0x7fffffff))
		regs->eax = leaf + 1;
}

static struct v3_cpu_features all_features(void)
{
	struct v3_cpu_features host;

	v3_cpu_host_features(has_all, 0xe7, &host);
	return host;
}

/* --- Specifications --- */

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		enum v3_cpu_error error;
		const char *part;
	} bad[] = {
		{ "", V3_CPU_BAD_MODEL, "" },
		{ ",-avx", V3_CPU_BAD_MODEL, "" },
		{ "-avx", V3_CPU_BAD_MODEL, "-avx" },
		{ "hos", V3_CPU_BAD_MODEL, "hos" },
		{ "hostt", V3_CPU_BAD_MODEL, "hostt" },
		{ "host ", V3_CPU_BAD_MODEL, "host " },
		{ "Host", V3_CPU_BAD_MODEL, "Host" },
		{ "x86-64-v1", V3_CPU_BAD_MODEL, "x86-64-v1" },
		{ "x86-64-v22", V3_CPU_BAD_MODEL, "x86-64-v22" },
		{ "host,", V3_CPU_NO_MINUS, "" },
		{ "host,avx", V3_CPU_NO_MINUS, "avx" },
		{ "host,+avx", V3_CPU_NO_MINUS, "+avx" },
		{ "host,-avx,", V3_CPU_NO_MINUS, "" },
		{ "host,-", V3_CPU_BAD_FEATURE, "-" },
		{ "host,--avx", V3_CPU_BAD_FEATURE, "--avx" },
		{ "host,-av", V3_CPU_BAD_FEATURE, "-av" },
		{ "host,-avx ", V3_CPU_BAD_FEATURE, "-avx " },
		{ "host,-AVX", V3_CPU_BAD_FEATURE, "-AVX" },
		{ "host,-sse3", V3_CPU_BAD_FEATURE, "-sse3" },	/* pni */
		{ "host,-avx2,-avx512_vpopcntdqx", V3_CPU_BAD_FEATURE, "-avx512_vpopcntdqx" },
		{ "host,-lm", V3_CPU_NOT_HIDABLE, "-lm" },
		{ "host,-sse4_1,-fpu,-x", V3_CPU_NOT_HIDABLE, "-fpu" },
	};
	struct v3_cpu_part part;
	struct v3_cpu_spec spec;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(v3_cpu_parse(bad[i].text, &spec, &part), bad[i].error);
		assert_int_equal(part.len, strlen(bad[i].part));
		assert_memory_equal(part.text, bad[i].part, part.len);
		assert_true(strlen(v3_cpu_error_text(bad[i].error)) > 10);
	}
	for (i = 0; i < V3_CPU_MODELS; i++) {
		assert_int_equal(v3_cpu_parse(v3_cpu_model_name(i), &spec, &part), V3_CPU_OK);
		assert_int_equal(spec.model, i);
	}
	assert_int_equal(v3_cpu_parse("x86-64-v3,-avx2,-pku,-avx2,-constant_tsc", &spec, &part),
			 V3_CPU_OK);
	assert_int_equal(spec.model, V3_CPU_V3);
	assert_int_equal(spec.hide.word[V3_CPU_7_EBX], V3_CPUID_7_EBX_AVX2);
	assert_int_equal(spec.hide.word[V3_CPU_7_ECX], V3_CPUID_7_ECX_PKU);
	assert_int_equal(spec.hide.word[V3_CPU_EXT7_EDX], V3_CPUID_80000007_EDX_INVARIANT_TSC);
	assert_int_equal(spec.hide.word[V3_CPU_1_ECX], 0);
}

static void test_length(void **state)
{
	char text[V3_CPU_TEXT_MAX + 2];
	struct v3_cpu_part part;
	struct v3_cpu_spec spec;
	unsigned int i;

	(void)state;
	memcpy(text, "host", 4);
	for (i = 4; i + 5 <= V3_CPU_TEXT_MAX; i += 5)
		memcpy(text + i, ",-avx", 5);
	text[i] = 0;
	assert_int_equal(v3_cpu_parse(text, &spec, &part), V3_CPU_OK);
	/* No byte behind the first that is too many is looked at. */
	memset(text, 'x', sizeof(text));
	assert_int_equal(v3_cpu_parse(text, &spec, &part), V3_CPU_TOO_LONG);
}

/* Everything that a guest may see has a name, and each name can be read back. */
static void test_names(void **state)
{
	struct v3_cpu_features host = all_features(), found = { { 0 } }, one;
	char names[1024], *name, *save;
	enum v3_cpu_error error;
	unsigned int i;
	size_t len;

	(void)state;
	host.word[V3_CPU_EXT1_EDX] &= ~V3_CPUID_80000001_EDX_LEAF1_MASK;
	host.word[V3_CPU_EXT8_EBX] &= ~V3_CPUID_80000008_EBX_EFERLMSLE_UNSUPPORTED;
	len = v3_cpu_names(&host, names, sizeof(names));
	assert_int_equal(len, strlen(names));
	assert_null(strstr(names, "..."));
	for (name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		memset(&one, 0, sizeof(one));
		error = v3_cpu_hide(&one, name, strlen(name));
		if (error == V3_CPU_NOT_HIDABLE)
			continue;
		assert_int_equal(error, V3_CPU_OK);
		for (i = 0; i < V3_CPU_WORDS; i++) {
			assert_int_equal(found.word[i] & one.word[i], 0);
			found.word[i] |= one.word[i];
		}
	}
	/* fpu tsc msr pae cx8, lm */
	found.word[V3_CPU_1_EDX] |= 0x171;
	found.word[V3_CPU_EXT1_EDX] |= V3_CPUID_80000001_EDX_LM;
	assert_memory_equal(&found, &host, sizeof(host));
	/* No room. */
	memset(names, 'x', sizeof(names));
	assert_int_equal(v3_cpu_names(&host, names, 0), 0);
	assert_int_equal(names[0], 'x');
	assert_int_equal(v3_cpu_names(&host, names, 8), 0);
	assert_string_equal(names, "");
	for (i = 26; i < 60; i++) {
		len = v3_cpu_names(&host, names, i);
		assert_int_equal(len, strlen(names));
		assert_true(len < i);
		assert_string_equal(names + len - 3, "...");
	}
}

/* --- What models have --- */

static struct v3_cpu_features guest_of(const struct v3_cpu_features *host, const char *text,
				       struct v3_cpu_features *missing)
{
	struct v3_cpu_features guest, hidden;
	struct v3_cpu_part part;
	struct v3_cpu_spec spec;
	unsigned int i;
	bool can;

	assert_int_equal(v3_cpu_parse(text, &spec, &part), V3_CPU_OK);
	can = v3_cpu_guest_features(host, &spec, &guest, &hidden, missing);
	for (i = 0; i < V3_CPU_WORDS; i++) {
		can = can && !missing->word[i];
		assert_int_equal(guest.word[i] & (hidden.word[i] | ~host->word[i]), 0);
	}
	for (i = 0; !can && !missing->word[i]; i++)
		assert_true(i < V3_CPU_WORDS);
	return guest;
}

static bool has(const struct v3_cpu_features *features, const char *name)
{
	struct v3_cpu_features one = { { 0 } };
	unsigned int i;

	assert_int_equal(v3_cpu_hide(&one, name, strlen(name)), V3_CPU_OK);
	for (i = 0; i < V3_CPU_WORDS; i++)
		if (features->word[i] & one.word[i])
			return true;
	return false;
}

/* Checks blank-separated names. */
static void check(const struct v3_cpu_features *features, const char *names, bool want)
{
	char text[512], *name, *save;

	strcpy(text, names);
	for (name = strtok_r(text, " ", &save); name; name = strtok_r(NULL, " ", &save))
		if (has(features, name) != want)
			fail_msg("%s is %sthere", name, want ? "not " : "");
}

#define LEVEL2 "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
#define LEVEL3 "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"
#define LEVEL4 "avx512f avx512bw avx512cd avx512dq avx512vl"
#define BEYOND "aes pclmulqdq rdrand rdseed adx sha_ni clflushopt avx512vbmi gfni vaes sse4a xop clzero " \
	       "mmxext"
#define SYSTEM "smep smap umip pcid invpcid nx pdpe1gb rdtscp pge mtrr pat nonstop_tsc hypervisor apic " \
	       "x2apic tsc_adjust"
#define NEVER "vmx svm monitor pku la57 rtm hle mpx intel_pt sgx fxsr_opt ibs rdpru"

static void test_models(void **state)
{
	struct v3_cpu_features host = all_features(), missing, guest;

	(void)state;
	guest = guest_of(&host, "host", &missing);
	assert_memory_equal(&guest, &host, sizeof(host));
	check(&guest, LEVEL2 " " LEVEL3 " " LEVEL4 " " BEYOND " " SYSTEM, true);
	check(&guest, NEVER, false);
	guest = guest_of(&host, "x86-64-v2", &missing);
	check(&guest, LEVEL2 " " SYSTEM " sse2 syscall cmov", true);
	check(&guest, LEVEL3 " " LEVEL4 " " BEYOND " xsaveopt xsavec xsaves", false);
	assert_int_equal(v3_cpu_xcr0(&guest), 0);
	guest = guest_of(&host, "x86-64-v3", &missing);
	check(&guest, LEVEL2 " " LEVEL3 " " SYSTEM " xsaveopt xsavec xgetbv1 xsaves", true);
	check(&guest, LEVEL4 " " BEYOND, false);
	assert_int_equal(v3_cpu_xcr0(&guest), 7);
	guest = guest_of(&host, "x86-64-v4", &missing);
	check(&guest, LEVEL2 " " LEVEL3 " " LEVEL4 " " SYSTEM, true);
	check(&guest, BEYOND, false);
	assert_int_equal(v3_cpu_xcr0(&guest), 0xe7);
}

/* What a host lacks, and that hiding it makes the model possible. */
static void test_missing(void **state)
{
	struct v3_cpu_features host, missing;
	char names[256];

	(void)state;
	v3_cpu_host_features(has_all, 7, &host);
	guest_of(&host, "x86-64-v3", &missing);
	v3_cpu_names(&missing, names, sizeof(names));
	assert_string_equal(names, "");
	guest_of(&host, "x86-64-v4", &missing);
	v3_cpu_names(&missing, names, sizeof(names));
	assert_string_equal(names, "avx512f avx512dq avx512cd avx512bw avx512vl");
	guest_of(&host, "x86-64-v4,-avx512f", &missing);
	v3_cpu_names(&missing, names, sizeof(names));
	assert_string_equal(names, "");
	/* A host that does not switch the upper halves, and one without XSAVE. */
	v3_cpu_host_features(has_all, 3, &host);
	check(&host, "avx avx2 fma f16c avx512f vaes vpclmulqdq xop fma4", false);
	guest_of(&host, "x86-64-v3", &missing);
	check(&missing, "avx f16c fma avx2", true);
	check(&missing, "bmi1 bmi2 abm movbe xsave avx512f", false);
	v3_cpu_host_features(has_all, 0, &host);
	check(&host, "avx xsave xsaveopt xsavec xgetbv1 xsaves xsaveerptr", false);
	guest_of(&host, "x86-64-v3,-avx", &missing);
	v3_cpu_names(&missing, names, sizeof(names));
	assert_string_equal(names, "xsave");
	guest_of(&host, "x86-64-v2", &missing);
	v3_cpu_names(&missing, names, sizeof(names));
	assert_string_equal(names, "");
	/* Leaves that are not there count for nothing. */
	v3_cpu_host_features(has_few_leaves, 0xe7, &host);
	check(&host, "avx2 bmi1 smep nonstop_tsc clzero xsaveopt avx512f", false);
	check(&host, "sse4_2 pdpe1gb avx", true);
}

static uint32_t hypervisor_bit;

static void variant_tsc(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs)
{
	has_all(leaf, subleaf, regs);
	if (leaf == V3_CPUID_LEAF_APM)
		regs->edx = 0;
	if (leaf == V3_CPUID_LEAF_FEATURES)
		regs->ecx = hypervisor_bit;
}

/* As the CPU says, but in a virtual machine. */
static void test_tsc(void **state)
{
	struct v3_cpu_features host;

	(void)state;
	hypervisor_bit = 0;
	v3_cpu_host_features(variant_tsc, 7, &host);
	check(&host, "nonstop_tsc constant_tsc", false);
	hypervisor_bit = V3_CPUID_1_ECX_HYPERVISOR;
	v3_cpu_host_features(variant_tsc, 7, &host);
	check(&host, "nonstop_tsc constant_tsc", true);
}

static void test_hiding(void **state)
{
	struct v3_cpu_features host = all_features(), guest, missing;

	(void)state;
	guest = guest_of(&host, "host,-avx", &missing);
	check(&guest, "avx avx2 fma f16c vaes vpclmulqdq xop fma4 " LEVEL4
	      " avx512ifma avx512vbmi avx512_vbmi2 avx512_vnni avx512_bitalg avx512_vpopcntdq", false);
	check(&guest, "xsave sse4_2 aes pclmulqdq bmi1 bmi2", true);
	assert_int_equal(v3_cpu_xcr0(&guest), 3);
	guest = guest_of(&host, "host,-avx512f", &missing);
	check(&guest, LEVEL4 " avx512_vnni", false);
	check(&guest, "avx2 vaes", true);
	assert_int_equal(v3_cpu_xcr0(&guest), 7);
	guest = guest_of(&host, "host,-xsave", &missing);
	check(&guest, "avx avx2 xsaveopt xsavec xgetbv1 xsaves", false);
	assert_int_equal(v3_cpu_xcr0(&guest), 0);
	guest = guest_of(&host, "host,-fxsr", &missing);
	check(&guest, "sse sse2 pni mmx xsave avx aes sha_ni mmxext", false);
	/* AMD's copies of leaf 1 in leaf 8000_0001. */
	assert_int_equal(guest.word[V3_CPU_EXT1_EDX] & (V3_CPUID_1_EDX_FXSR | V3_CPUID_1_EDX_MMX),
			 0);
	guest = guest_of(&host, "host,-apic,-pcid,-rdtscp,-sse4_1,-rdrand", &missing);
	check(&guest, "x2apic tsc_deadline_timer arat invpcid rdpid sse4_2 avx rdseed", false);
	check(&guest, "ssse3 smep", true);
}

/* Whatever is hidden, and whatever the host lacks, nothing is there without what it needs. */
static void test_random(void **state)
{
	static const char *const needs[][2] = {
		{ "avx", "xsave" }, { "avx", "sse4_2" }, { "avx2", "avx" }, { "fma", "avx" },
		{ "f16c", "avx" }, { "avx512f", "avx2" }, { "avx512vl", "avx512f" },
		{ "avx512_bitalg", "avx512bw" }, { "vaes", "avx" }, { "vaes", "aes" },
		{ "xop", "avx" }, { "xsavec", "xsave" }, { "xsaves", "xsave" }, { "sse4_2", "sse4_1" },
		{ "ssse3", "pni" }, { "pni", "sse2" }, { "sse2", "sse" }, { "sse", "fxsr" },
		{ "invpcid", "pcid" }, { "rdpid", "rdtscp" }, { "x2apic", "apic" },
		{ "mca", "mce" }, { "pse36", "pse" },
	};
	struct v3_cpu_features all = all_features(), host, guest, hidden, missing;
	struct v3_cpu_spec spec;
	unsigned int i, n;

	(void)state;
	srand(1);
	for (n = 0; n < RANDOM_ROUNDS; n++) {
		spec.model = (enum v3_cpu_model)(n % V3_CPU_MODELS);
		for (i = 0; i < V3_CPU_WORDS; i++) {
			host.word[i] = all.word[i] & ~(1u << rand() % 32) & ~(1u << rand() % 32);
			spec.hide.word[i] = 1u << rand() % 32;
		}
		v3_cpu_guest_features(&host, &spec, &guest, &hidden, &missing);
		for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
			if (has(&guest, needs[i][0]) && !has(&guest, needs[i][1]))
				fail_msg("%s without %s", needs[i][0], needs[i][1]);
		assert_true(v3_xcr0_valid(v3_cpu_xcr0(&guest), 0xe7) || !v3_cpu_xcr0(&guest));
		assert_int_equal(!!(v3_cpu_xcr0(&guest) & 4), has(&guest, "avx"));
		assert_int_equal(!!(v3_cpu_xcr0(&guest) & 0xe0), has(&guest, "avx512f"));
	}
}

/* --- In a VM --- */

static void test_refused(void **state)
{
	static const struct {
		const char *cpu;
		enum v3_status status;
		const char *line;
	} bad[] = {
		{ "athlon", V3_ERR_INVALID, "cpu: 'athlon' is no CPU model" },
		{ "host,\033[2J", V3_ERR_INVALID, "cpu: '' does not hide" },
		{ "host,-aes9", V3_ERR_INVALID, "cpu: '-aes9' is no CPU feature" },
		{ "host,-lm", V3_ERR_INVALID, "cpu: '-lm' cannot be hidden" },
		{ "x86-64-v4", V3_ERR_NOTSUP, "cannot give the CPU model x86-64-v4, it lacks " },
		{ "x86-64-v4,-avx512vl", V3_ERR_NOTSUP, "avx512f" },
	};
	const struct v3_mem_config mem = { .size = SCRIPT_RAM, .node = V3_NODE_ANY };
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "bad", .mem = &mem,
		.num_mem = 1,
	};
	struct v3_host *host;
	struct v3_vm *vm;
	unsigned int i;

	(void)state;
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.cpu = bad[i].cpu;
		assert_int_equal(v3_vm_create(host, &config, &vm), bad[i].status);
		assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, bad[i].line));
	}
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

static struct v3_cpuid ask_vcpu(struct v3_vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
	const struct v3_exit exit = { .insn_len = 2 };

	vcpu->gpr[0] = leaf;
	vcpu->gpr[RCX] = subleaf;
	v3_exit_cpuid(vcpu, &exit);
	return (struct v3_cpuid){ (uint32_t)vcpu->gpr[0], (uint32_t)vcpu->gpr[RBX],
				  (uint32_t)vcpu->gpr[RCX], (uint32_t)vcpu->gpr[RDX] };
}

static void shows_all(struct v3_vcpu *vcpu, void *ctx, uint32_t leaf, uint32_t subleaf,
		      struct v3_cpuid *regs)
{
	(void)vcpu;
	(void)ctx;
	(void)leaf;
	(void)subleaf;
	*regs = (struct v3_cpuid){ ~0u, ~0u, ~0u, ~0u };
}

/* Leaf 0xD, CR4, XCR0 of a guest without AVX on a host that has it. */
static void test_no_avx(void **state)
{
	struct script *script = script_create_as(NULL, "host,-avx,-smep", 0);
	struct v3_vcpu_state vcpu_state;
	struct v3_cpuid r;

	(void)state;
	guest_prepare(script, "\x0f\x22\xe0\x0f\x01\xd1", 6);	/* mov cr4, rax; xsetbv */
	r = ask_vcpu(script->vcpu, 1, 0);
	assert_int_equal(r.ecx & (V3_CPUID_1_ECX_AVX | V3_CPUID_1_ECX_FMA | V3_CPUID_1_ECX_F16C), 0);
	assert_true(r.ecx & V3_CPUID_1_ECX_XSAVE);
	r = ask_vcpu(script->vcpu, 7, 0);
	assert_int_equal(r.ebx & (V3_CPUID_7_EBX_AVX2 | V3_CPUID_7_EBX_SMEP), 0);
	r = ask_vcpu(script->vcpu, 0xd, 0);
	assert_int_equal(r.eax, 3);
	assert_int_equal(r.ebx, 576);
	assert_int_equal(r.ecx, 576);
	r = ask_vcpu(script->vcpu, 0xd, 2);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	/* A state with AVX is none that this guest can be in. */
	script->vcpu->rip = SCRIPT_RIP;
	script->vcpu->gpr[0] = script->vcpu->gpr[RCX] = 0;
	assert_int_equal(v3_vcpu_get_state(script->vcpu, &vcpu_state), V3_OK);
	vcpu_state.xcr0 = 7;
	assert_int_equal(v3_vcpu_set_state(script->vcpu, &vcpu_state), V3_ERR_INVALID);
	vcpu_state.xcr0 = 3;
	assert_int_equal(v3_vcpu_set_state(script->vcpu, &vcpu_state), V3_OK);
	vcpu_state.cr4 |= V3_CR4_SMEP;
	assert_int_equal(v3_vcpu_set_state(script->vcpu, &vcpu_state), V3_ERR_INVALID);
	guest_start(script);
	/* CR4.SMEP is reserved, OSXSAVE is not. */
	script->vmcb->rax = V3_CR4_PAE | V3_CR4_SMEP;
	guest_exit(script, SVM_EXIT_CR_WRITE + 4, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	script->vmcb->rax = V3_CR4_PAE | V3_CR4_OSXSAVE;
	guest_exit(script, SVM_EXIT_CR_WRITE + 4, 0, 0);
	assert_int_equal(guest_rip(script), 3);
	/* XCR0 takes SSE, not AVX. */
	script->gpr[RCX] = script->gpr[RDX] = 0;
	script->vmcb->rax = 7;
	guest_exit(script, SVM_EXIT_XSETBV, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	assert_int_equal(script->vcpu->xcr0, 3);
	script->vmcb->rax = 3;
	guest_exit(script, SVM_EXIT_XSETBV, 0, 0);
	assert_int_equal(guest_rip(script), 6);
	guest_destroy(script);
}

/* Without XSAVE: no leaf 0xD, CR4.OSXSAVE is reserved, XSETBV is no instruction. */
static void test_no_xsave(void **state)
{
	struct script *script = script_create_as(NULL, "x86-64-v2", 0);
	struct v3_cpuid r;

	(void)state;
	guest_prepare(script, "\x0f\x22\xe0\x0f\x01\xd1", 6);
	/* A hook of another leaf changes nothing, here or in leaves that are not there. */
	assert_int_equal(v3_cpuid_hook(script->vm, 0x40000100, 1, shows_all, NULL), V3_OK);
	r = ask_vcpu(script->vcpu, V3_CPUID_LEAF_AMD_TOPOLOGY, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask_vcpu(script->vcpu, 0xd, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask_vcpu(script->vcpu, 0xd, 1);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask_vcpu(script->vcpu, 1, 0);
	assert_int_equal(r.ecx & (V3_CPUID_1_ECX_XSAVE | V3_CPUID_1_ECX_OSXSAVE), 0);
	script->vcpu->rip = SCRIPT_RIP;
	guest_start(script);
	script->vmcb->rax = V3_CR4_PAE | V3_CR4_OSXSAVE;
	guest_exit(script, SVM_EXIT_CR_WRITE + 4, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	guest_set_rip(script, 3);
	script->gpr[RCX] = script->gpr[RDX] = 0;
	script->vmcb->rax = 3;
	guest_exit(script, SVM_EXIT_XSETBV, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	guest_destroy(script);
}

/* Hooks of devices do not bring back what is hidden. */
static void test_hooks(void **state)
{
	struct script *script = script_create_as(NULL, "host,-x2apic,-hypervisor,-avx2", 0);
	struct v3_cpuid r;

	(void)state;
	assert_int_equal(v3_cpuid_hook(script->vm, 1, 7, shows_all, NULL), V3_OK);
	r = ask_vcpu(script->vcpu, 1, 0x33);
	assert_int_equal(r.ecx, ~(V3_CPUID_1_ECX_X2APIC | V3_CPUID_1_ECX_HYPERVISOR));
	assert_int_equal(r.eax & r.edx, ~0u);
	r = ask_vcpu(script->vcpu, 7, 0);
	assert_false(r.ebx & V3_CPUID_7_EBX_AVX2);
	r = ask_vcpu(script->vcpu, 7, 1);
	assert_int_equal(r.ebx, ~0u);
	/* A guest that is not to know of us finds no signature. */
	r = ask_vcpu(script->vcpu, V3_CPUID_LEAF_HYPERVISOR, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	script_destroy(script);
}

/* Hidden, RDTSCP exits, and is none. */
static void test_rdtscp(void **state)
{
	struct script *script = script_create_as(NULL, "host,-rdtscp", 0);

	(void)state;
	guest_prepare(script, "\x0f\x01\xf9", 3);
	guest_start(script);
	assert_true(script->vmcb->intercept_misc2 & SVM_I2_RDTSCP);
	guest_exit(script, SVM_EXIT_RDTSCP, 0, 0);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_UD));
	guest_destroy(script);
	script = script_create(NULL);
	guest_prepare(script, "\x0f\x01\xf9", 3);
	guest_start(script);
	assert_false(script->vmcb->intercept_misc2 & SVM_I2_RDTSCP);
	guest_destroy(script);
}

/* --- Topology --- */

static void with_topology(uint32_t vendor)
{
	/* Private caches of two threads, one for 16, no more. */
	static const uint32_t caches[] = { 0x00004121, 0x00004122, 0x00004143, 0x0003c163, 0 };
	uint32_t leaf = vendor == V3_CPUID_INTEL_EBX ? V3_CPUID_LEAF_CACHE_PARAMS
						     : V3_CPUID_LEAF_AMD_CACHE;
	unsigned int i;

	v3_fake_cpuid_set(V3_CPUID_LEAF_VENDOR, V3_FAKE_ANY_SUBLEAF, 0x1f, vendor, 0, 0);
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->ecx |= V3_CPUID_80000001_ECX_TOPOEXT;
	for (i = 0; i < sizeof(caches) / sizeof(caches[0]); i++)
		v3_fake_cpuid_set(leaf, i, caches[i] | 7u << 26, 0x01c0003f, 0x3f + i, 2);
}

static struct v3_vm *vm_of(struct v3_host *host, unsigned int vcpus)
{
	const struct v3_mem_config mem = { .size = SCRIPT_RAM, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = vcpus, .name = "topology",
		.mem = &mem, .num_mem = 1,
	};
	struct v3_vm *vm = NULL;

	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	return vm;
}

/* Leaves 1, 0xB, 0x1F: IDs are unique, and the shifts tell cores and packages apart. */
static void check_ids(struct v3_vm *vm, unsigned int vcpus)
{
	struct v3_cpuid r;
	unsigned int i, bits;
	uint32_t leaf;

	for (i = 0; i < vcpus; i++) {
		struct v3_vcpu *vcpu = v3_vm_vcpu(vm, i);

		assert_int_equal(ask_vcpu(vcpu, 1, 0).ebx >> 24, i);
		for (leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
			r = ask_vcpu(vcpu, leaf, 0);
			assert_int_equal(r.eax, 0);
			assert_int_equal(r.ebx, 1);
			assert_int_equal(r.ecx, 0x100);
			assert_int_equal(r.edx, i);
			r = ask_vcpu(vcpu, leaf, 1);
			bits = r.eax;
			assert_true(1u << bits >= vcpus && (!bits || 1u << (bits - 1) < vcpus));
			assert_int_equal(r.ebx, vcpus);
			assert_int_equal(r.ecx, 0x201);
			assert_int_equal(r.edx, i);
			r = ask_vcpu(vcpu, leaf, 2);
			assert_int_equal(r.eax | r.ebx, 0);
			assert_int_equal(r.ecx, 2);
			assert_int_equal(r.edx, i);
		}
	}
}

/* CPUs that share the cache of a subleaf, of as many as IDs there are. */
static void check_caches(struct v3_vcpu *vcpu, uint32_t leaf, uint32_t ids, uint32_t cores)
{
	static const uint32_t levels[] = { 1, 1, 2, 3 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct v3_cpuid r = ask_vcpu(vcpu, leaf, i);
		uint32_t sharing = i < 3 ? 1 : ids < 16 ? ids : 16;

		assert_int_equal(r.eax >> 5 & 7, levels[i]);
		assert_int_equal((r.eax >> 14 & 0xfff) + 1, sharing);
		assert_int_equal(r.eax >> 26, cores);
		assert_int_equal(r.ebx, 0x01c0003f);
		assert_int_equal(r.ecx, 0x3f + i);
	}
	assert_int_equal(ask_vcpu(vcpu, leaf, 4).eax, 0);
}

static void check_amd(struct v3_vm *vm, unsigned int vcpus, uint32_t ids)
{
	struct v3_cpuid r = ask_vcpu(v3_vm_vcpu(vm, 0), 1, 0);
	unsigned int i;

	assert_int_equal(r.ebx >> 16 & 0xff, vcpus);
	assert_int_equal(!!(r.edx & V3_CPUID_1_EDX_HTT), vcpus > 1);
	r = ask_vcpu(v3_vm_vcpu(vm, 0), 0x80000001, 0);
	assert_int_equal(!!(r.ecx & V3_CPUID_80000001_ECX_CMP_LEGACY), vcpus > 1);
	r = ask_vcpu(v3_vm_vcpu(vm, 0), 0x80000008, 0);
	assert_int_equal((r.ecx & 0xff) + 1, vcpus);
	assert_int_equal(1u << (r.ecx >> 12 & 15), ids);
	check_caches(v3_vm_vcpu(vm, vcpus - 1), V3_CPUID_LEAF_AMD_CACHE, ids, 0);
	for (i = 0; i < vcpus; i++) {
		r = ask_vcpu(v3_vm_vcpu(vm, i), V3_CPUID_LEAF_AMD_TOPOLOGY, 0);
		assert_int_equal(r.eax, i);
		assert_int_equal(r.ebx, i);	/* one thread a core */
		assert_int_equal(r.ecx | r.edx, 0);
	}
	assert_int_equal(ask_vcpu(v3_vm_vcpu(vm, 0), 4, 0).eax, 0);
}

static void check_intel(struct v3_vm *vm, uint32_t ids)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, 0);
	struct v3_cpuid r = ask_vcpu(vcpu, 1, 0);

	/* As many IDs as are set aside. */
	assert_int_equal(r.ebx >> 16 & 0xff, ids);
	check_caches(vcpu, V3_CPUID_LEAF_CACHE_PARAMS, ids, ids - 1);
	assert_int_equal(ask_vcpu(vcpu, 0x80000008, 0).ecx, 0);
	/* EBX / EAX of ECX Hz. */
	r = ask_vcpu(vcpu, V3_CPUID_LEAF_TSC, 0);
	assert_int_equal((uint64_t)r.ecx / 1000 * r.ebx / r.eax, V3_FAKE_TSC_KHZ);
}

static void topology(uint32_t vendor)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_host *host;
	unsigned int vcpus;

	with_topology(vendor);
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	for (vcpus = 1; vcpus <= V3_MAX_VCPUS; vcpus += vcpus < 10 ? 1 : 9) {
		struct v3_vm *vm = vm_of(host, vcpus);
		uint32_t ids = 1;

		while (ids < vcpus)
			ids *= 2;
		check_ids(vm, vcpus);
		if (vendor == V3_CPUID_INTEL_EBX)
			check_intel(vm, ids);
		else
			check_amd(vm, vcpus, ids);
		assert_true(vm->num_cpuid < V3_MAX_CPUID);
		v3_vm_destroy(vm);
	}
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

static void test_topology_amd(void **state)
{
	(void)state;
	topology(V3_CPUID_AMD_EBX);
}

static void test_topology_intel(void **state)
{
	(void)state;
	topology(V3_CPUID_INTEL_EBX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_tsc),
		cmocka_unit_test(test_hiding),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_avx),
		cmocka_unit_test(test_no_xsave),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_rdtscp),
		cmocka_unit_test(test_topology_amd),
		cmocka_unit_test(test_topology_intel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
