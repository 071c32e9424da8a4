/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID shows to guests, and the masks that follow from it. */
#include "guest.h"

#include <string.h>

#include "fakes/fake_x86_state.h"
#include "x86/cpuid.h"
#include "x86/msr.h"
#include "x86/cr.h"
#include "x86/excp.h"

/* Executes CPUID in the running guest. */
static struct v3_cpuid ask(struct script *script, uint32_t leaf, uint32_t subleaf)
{
	guest_set_rip(script, 0);
	/* The upper halves do not count, and are cleared. */
	script->vmcb->rax = 0xffffffff00000000 | leaf;
	script->gpr[RCX] = 0xffffffff00000000 | subleaf;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal((script->vmcb->rax | script->gpr[RBX] | script->gpr[RCX] |
			  script->gpr[RDX]) >> 32, 0);
	return (struct v3_cpuid){ (uint32_t)script->vmcb->rax, (uint32_t)script->gpr[RBX],
				  (uint32_t)script->gpr[RCX], (uint32_t)script->gpr[RDX] };
}

static struct script *start(void (*prepare)(void))
{
	struct script *script = guest_create(prepare, "\x0f\xa2", 2);

	guest_start(script);
	return script;
}

/* A CPU that has everything, AVX-512 included. */
static void everything(void)
{
	unsigned int n;

	for (n = 0; n < V3_FAKE_MAX_CPUS; n++)
		fake_x86.cpus[n].xcr0 = 0xe7;
	v3_fake_cpuid_set(V3_CPUID_LEAF_VENDOR, V3_FAKE_ANY_SUBLEAF, 0x20, V3_CPUID_AMD_EBX,
			  V3_CPUID_AMD_ECX, V3_CPUID_AMD_EDX);
	v3_fake_cpuid_set(V3_CPUID_LEAF_FEATURES, V3_FAKE_ANY_SUBLEAF, 0x00a20f10, 0x0c100800, ~0u,
			  ~0u);
	v3_fake_cpuid_set(V3_CPUID_LEAF_EXT_FEATURES, 0, 2, ~0u, ~0u, ~0u);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 0, 0xe7, 2688, 2696, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 1, ~0u, 4000, ~0u, ~0u);
	v3_fake_msr_set(V3_MSR_XSS, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 5, 60, 1088, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 6, 512, 1152, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 7, 1024, 1664, 2, 0);	/* aligned when compacted */
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT_MAX, 0)->eax = 0x80000026;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->ecx = ~0u;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->edx = ~0u;
	*v3_fake_cpuid_at(V3_CPUID_LEAF_SIZES, 0) = (struct v3_cpuid_regs){ 0x3934, ~0u, ~0u, ~0u };
}

static void test_hypervisor(void **state)
{
	struct script *script = start(NULL);
	struct v3_cpuid r = ask(script, V3_CPUID_LEAF_HYPERVISOR, 0);

	(void)state;
	assert_int_equal(r.eax, 0x40000010);
	assert_memory_equal(&r.ebx, "libv", 4);
	assert_memory_equal(&r.ecx, "3VMM", 4);
	assert_memory_equal(&r.edx, "core", 4);
	r = ask(script, V3_CPUID_LEAF_HYPERVISOR + 1, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	/* Frequencies of TSC and APIC timer. */
	r = ask(script, V3_CPUID_LEAF_HV_TIMING, 0);
	assert_int_equal(r.eax, V3_FAKE_TSC_KHZ);
	assert_int_equal(r.ebx, 1000000);
	assert_int_equal(r.ecx | r.edx, 0);
	/* Leaves that are not there read as zeros on AMD. */
	r = ask(script, 0x40000002, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask(script, 0x8000001d, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask(script, V3_CPUID_LEAF_SVM, 0);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask(script, 0xffffffff, 0xffffffff);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	guest_destroy(script);
}

static void test_hidden(void **state)
{
	struct script *script = start(everything);
	struct v3_cpuid r;

	(void)state;
	r = ask(script, 0, 0);
	assert_int_equal(r.eax, 0x1f);	/* the highest that is answered */
	assert_int_equal(r.ebx, V3_CPUID_AMD_EBX);
	r = ask(script, 1, 0);
	assert_true(r.ecx & V3_CPUID_1_ECX_HYPERVISOR);
	/* MONITOR, TSC deadline, x2APIC come from devices, if at all. */
	assert_int_equal(r.ecx & (1u << 3 | 1u << 5 | 1u << 21 | 1u << 24), 0);
	assert_false(r.ecx & V3_CPUID_1_ECX_OSXSAVE);
	assert_false(r.edx & V3_CPUID_1_EDX_HTT);
	assert_int_equal(r.ebx, 0x00010800);
	r = ask(script, 7, 0);
	assert_int_equal(r.eax, 0);
	/* RTM, HLE, MPX, PT, protection keys, LA57, SGX, CET. */
	assert_int_equal(r.ebx & (1u << 2 | 1u << 4 | 1u << 11 | 1u << 14 | 1u << 25), 0);
	assert_int_equal(r.ecx & (1u << 3 | 1u << 4 | 1u << 7 | 1u << 16 | 1u << 30), 0);
	r = ask(script, 7, 1);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = ask(script, 0x80000000, 0);
	assert_int_equal(r.eax, 0x8000001e);	/* with TOPOEXT */
	r = ask(script, 0x80000001, 0);
	assert_false(r.ecx & V3_CPUID_80000001_ECX_SVM);
	assert_int_equal(r.ecx & (1u << 10 | 1u << 12 | 1u << 13 | 1u << 23), 0); /* IBS, ... */
	assert_true(r.edx & V3_CPUID_80000001_EDX_LM);
	r = ask(script, 0x80000008, 0);
	/* Four levels of nested tables reach 48 bits. */
	assert_int_equal(r.eax, 0x3030);
	assert_int_equal(r.ecx | r.edx, 0);
	guest_destroy(script);
}

/* Leaf 0xD follows XCR0, in both formats (SDM 1 13.4). */
static void test_xsave(void **state)
{
	struct script *script = start(everything);
	struct v3_cpuid r;

	(void)state;
	r = ask(script, 0xd, 0);
	assert_int_equal(r.eax, 0xe7);
	assert_int_equal(r.edx, 0);
	assert_int_equal(r.ecx, 2688);
	assert_int_equal(r.ebx, 576);	/* XCR0 is 1 after reset */
	r = ask(script, 0xd, 1);
	assert_int_equal(r.eax, 0xf);	/* no XFD */
	assert_int_equal(r.ecx | r.edx, 0);
	/* With XSAVES, which Linux uses: the compacted size, 0 would make it give XSAVE up. */
	assert_int_equal(r.ebx, 576);
	script->vcpu->xcr0 = 7;
	assert_int_equal(ask(script, 0xd, 0).ebx, 832);
	assert_int_equal(ask(script, 0xd, 1).ebx, 832);
	script->vcpu->xcr0 = 0xe7;
	assert_int_equal(ask(script, 0xd, 0).ebx, 2688);
	/* 576 + 256 + 60 + 512, rounded up to 64, + 1024 */
	assert_int_equal(ask(script, 0xd, 1).ebx, 1408 + 1024);
	r = ask(script, 0xd, 2);
	assert_int_equal(r.eax, 256);
	assert_int_equal(r.ebx, 576);
	r = ask(script, 0xd, 7);
	assert_int_equal(r.eax, 1024);
	assert_int_equal(r.ecx, 2);
	r = ask(script, 0xd, 9);
	assert_int_equal(r.eax | r.ebx | r.ecx | r.edx, 0);
	/* OSXSAVE shows CR4. */
	script->vmcb->cr4 |= V3_CR4_OSXSAVE;
	assert_true(ask(script, 1, 0).ecx & V3_CPUID_1_ECX_OSXSAVE);
	script->vcpu->xcr0 = 1;
	guest_destroy(script);
}

/* Features of AVX and AVX-512 are there only with their state. */
static void no_avx(void)
{
	unsigned int n;

	everything();
	for (n = 0; n < V3_FAKE_MAX_CPUS; n++)
		fake_x86.cpus[n].xcr0 = 3;
}

static void no_xsave(void)
{
	unsigned int n;

	everything();
	for (n = 0; n < V3_FAKE_MAX_CPUS; n++)
		fake_x86.cpus[n].cr4 &= ~V3_CR4_OSXSAVE;
}

static const struct {
	void (*prepare)(void);
	bool xsave, avx, avx512;
} hosts[] = {
	{ everything, true, true, true },
	{ NULL, true, true, false },
	{ no_avx, true, false, false },
	{ no_xsave, false, false, false },
};

static void test_consistency(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct script *script = start(hosts[i].prepare);
		struct v3_cpuid one = ask(script, 1, 0), seven = ask(script, 7, 0);
		struct v3_cpuid d = ask(script, 0xd, 0), ext = ask(script, 0x80000001, 0);

		assert_int_equal(!!(one.ecx & V3_CPUID_1_ECX_XSAVE), hosts[i].xsave);
		assert_int_equal(!!(one.ecx & V3_CPUID_1_ECX_AVX), hosts[i].avx);
		assert_int_equal(!!(seven.ebx & V3_CPUID_7_EBX_AVX2), hosts[i].avx);
		assert_int_equal(!!(seven.ebx & V3_CPUID_7_EBX_AVX512F), hosts[i].avx512);
		assert_int_equal(!!(d.eax & 4), hosts[i].avx);
		assert_int_equal(!!(d.eax & 0xe0), hosts[i].avx512);
		if (!hosts[i].avx) {
			assert_int_equal(one.ecx & (V3_CPUID_1_ECX_FMA | V3_CPUID_1_ECX_F16C), 0);
			assert_int_equal(ext.ecx & (V3_CPUID_80000001_ECX_XOP |
						    V3_CPUID_80000001_ECX_FMA4), 0);
			assert_int_equal(seven.ecx & (V3_CPUID_7_ECX_VAES |
						      V3_CPUID_7_ECX_VPCLMULQDQ), 0);
		}
		if (!hosts[i].avx512)
			assert_int_equal(seven.ecx & (V3_CPUID_7_ECX_AVX512VBMI |
						      V3_CPUID_7_ECX_AVX512VNNI), 0);
		assert_int_equal(!!(script->vm->cpu.cr4_mask & V3_CR4_OSXSAVE),
				 hosts[i].xsave);
		/* There is room for the largest table. */
		assert_true(script->vm->num_cpuid < V3_MAX_CPUID);
		guest_destroy(script);
	}
}

static void test_masks(void **state)
{
	struct script *script = script_create(everything);

	(void)state;
	assert_int_equal(script->vm->cpu.efer_mask, V3_EFER_SCE | V3_EFER_LME | V3_EFER_NXE);
	assert_int_equal(script->vm->cpu.cr4_mask &
			 (V3_CR4_VMXE | V3_CR4_SMXE | V3_CR4_LA57 | V3_CR4_PKE | V3_CR4_CET |
			  V3_CR4_PKS), 0);
	assert_int_equal(script->vm->cpu.cr4_mask & (V3_CR4_SMEP | V3_CR4_SMAP | V3_CR4_UMIP),
			 V3_CR4_SMEP | V3_CR4_SMAP | V3_CR4_UMIP);
	assert_int_equal(v3_cpuid_phys_bits(script->vm), 48);
	script_destroy(script);
}

/* A CPU so old that most leaves are not there. */
static void old_cpu(void)
{
	v3_fake_cpuid_at(V3_CPUID_LEAF_VENDOR, 0)->eax = 1;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT_MAX, 0)->eax = 0x80000001;
	v3_fake_cpuid_at(V3_CPUID_LEAF_EXT1, 0)->edx = 0;
	v3_fake_cpuid_at(V3_CPUID_LEAF_FEATURES, 0)->edx = V3_CPUID_1_EDX_FPU;
}

static void test_old_cpu(void **state)
{
	struct script *script = script_create(old_cpu);

	(void)state;
	assert_int_equal(v3_cpuid_phys_bits(script->vm), 36);
	assert_int_equal(script->vm->cpu.efer_mask, 0);
	assert_int_equal(script->vm->cpu.cr4_mask & (V3_CR4_PAE | V3_CR4_PSE | V3_CR4_SMEP),
			 0);
	script_destroy(script);
}

/* --- Hooks --- */

static void hook(struct v3_vcpu *vcpu, void *ctx, uint32_t leaf, uint32_t subleaf,
		 struct v3_cpuid *regs)
{
	unsigned int *calls = ctx;

	assert_int_equal(v3_vcpu_index(vcpu), 0);
	++*calls;
	if (leaf == 1)
		regs->edx |= V3_CPUID_1_EDX_APIC;
	else
		*regs = (struct v3_cpuid){ leaf, subleaf, 3, 4 };
}

static void test_hooks(void **state)
{
	struct script *script = guest_create(NULL, "\x0f\xa2", 2);
	unsigned int calls = 0, i;
	struct v3_cpuid r;

	(void)state;
	assert_int_equal(v3_cpuid_hook(script->vm, 1, 1, NULL, &calls), V3_ERR_INVALID);
	assert_int_equal(v3_cpuid_hook(script->vm, 1, 0, hook, &calls), V3_ERR_INVALID);
	assert_int_equal(v3_cpuid_hook(script->vm, 0xffffffff, 2, hook, &calls), V3_ERR_INVALID);
	assert_int_equal(v3_cpuid_hook(script->vm, 1, 1, hook, &calls), V3_OK);
	assert_int_equal(v3_cpuid_hook(script->vm, 0x40000100, 2, hook, &calls), V3_OK);
	for (i = 2; i < V3_MAX_CPUID_HOOKS; i++)
		assert_int_equal(v3_cpuid_hook(script->vm, 0x50000000 + i, 1, hook, &calls), V3_OK);
	assert_int_equal(v3_cpuid_hook(script->vm, 0x60000000, 1, hook, &calls), V3_ERR_NOMEM);
	guest_start(script);
	assert_int_equal(v3_cpuid_hook(script->vm, 1, 1, hook, &calls), V3_ERR_STATE);
	assert_true(ask(script, 1, 0).edx & V3_CPUID_1_EDX_APIC);
	assert_int_equal(calls, 1);
	r = ask(script, 0x40000101, 7);
	assert_int_equal(r.eax, 0x40000101);
	assert_int_equal(r.ebx, 7);
	assert_int_equal(calls, 2);
	r = ask(script, 0x40000102, 7);
	assert_int_equal(r.eax, 0);
	ask(script, 0, 0);
	assert_int_equal(calls, 2);
	guest_destroy(script);
}

/* With a prefix, at the end of a page whose successor is absent, and where there is no memory. */
static void test_where_it_is(void **state)
{
	struct script *script = start(NULL);
	const uint8_t prefixed[] = { 0x66, 0x0f, 0xa2 };
	struct v3_vm_end end;

	(void)state;
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP + 0x100, prefixed, 3), V3_OK);
	guest_set_rip(script, 0x100);
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 0x103);
	/* Last bytes of RAM; the next page is none. */
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RAM - 2, prefixed + 1, 2), V3_OK);
	script->vmcb->rip = SCRIPT_RAM - 2;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(script->vmcb->rip, SCRIPT_RAM);
	/* Cut off there. */
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RAM - 1, prefixed, 1), V3_OK);
	script->vmcb->rip = SCRIPT_RAM - 1;
	guest_exit_ends(script, SVM_EXIT_CPUID, 0, 0, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "no memory"));
	guest_destroy(script);
}

/* The length comes from the CPU if it has it: the bytes are not looked at. */
static void next_rip(void)
{
	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx |= V3_CPUID_SVM_EDX_NRIPS;
}

static void test_next_rip(void **state)
{
	struct script *script = guest_create(next_rip, "\x90", 1);

	(void)state;
	guest_start(script);
	script->vmcb->next_rip = script->vmcb->rip + 5;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 5);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hypervisor),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_xsave),
		cmocka_unit_test(test_consistency),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_old_cpu),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_where_it_is),
		cmocka_unit_test(test_next_rip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
