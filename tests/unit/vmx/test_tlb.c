/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry by entry: which VPID, and which INVVPID and INVEPT come before it. Emulators do not show a
 * flush that is missing, so this is the place that does. SDM vol. 3 29.4.
 */
#include "machine.h"

#include "x86/cr.h"
#include "x86/insn.h"

/* Flushes of the last run(). */
struct flushes {
	unsigned int vpid_one, vpid_all, ept_one, ept_all;
	uint64_t eptp;
	uint16_t vpid;
};

static struct flushes flushes_done(void)
{
	struct flushes done = { 0 };
	unsigned int i;

	for (i = 0; i < v3_fake_trace_count(); i++) {
		const struct v3_fake_trace *at = v3_fake_trace_at(i);

		if (at->op == V3_FAKE_INVVPID && at->arg >> 16 == V3_INVVPID_ONE) {
			done.vpid_one++;
			done.vpid = (uint16_t)at->arg;
		} else if (at->op == V3_FAKE_INVVPID) {
			assert_int_equal(at->arg >> 16, V3_INVVPID_ALL);
			done.vpid_all++;
		} else if (at->op == V3_FAKE_INVEPT && at->arg == V3_INVEPT_ONE) {
			done.ept_one++;
			done.eptp = at->value;
		} else if (at->op == V3_FAKE_INVEPT) {
			assert_int_equal(at->arg, V3_INVEPT_ALL);
			done.ept_all++;
		}
	}
	return done;
}

/* One entry; the VPID that it had, 0 without. */
static uint64_t run(unsigned int i, unsigned int cpu, struct flushes *done)
{
	v3_fake_set_cpu(cpu);
	v3_fake_trace_clear();
	run_once(i, cpu);
	*done = flushes_done();
	return vmx_host(host)->caps.vpid ? entered(v3_vm_vcpu(vm, i), V3_VMCS_VPID) : 0;
}

static void expect_none(const struct flushes *done)
{
	assert_int_equal(done->vpid_one + done->vpid_all + done->ept_one + done->ept_all, 0);
}

/*
 * The first of all flushes everything, the first of a vCPU what may be there of its nested tables.
 */
static void test_first_runs(void **state)
{
	struct flushes done;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	assert_int_equal(run(0, 0, &done), 1);
	assert_int_equal(done.vpid_all, 1);
	assert_int_equal(done.ept_all, 1);
	assert_int_equal(done.ept_one, 1);
	assert_int_equal(done.eptp, vmx_vm(vm)->eptp);
	assert_int_equal(run(0, 0, &done), 1);
	expect_none(&done);
	assert_int_equal(run(1, 0, &done), 2);
	assert_int_equal(done.vpid_all + done.ept_all + done.vpid_one - 1, 0);
	assert_int_equal(done.vpid, 2);
	assert_int_equal(done.ept_one, 1);
	assert_int_equal(run(0, 0, &done), 1);
	expect_none(&done);
	/* Another CPU has VPIDs of its own; back again, what is there may be stale. */
	assert_int_equal(run(0, 1, &done), 1);
	assert_int_equal(done.vpid_all, 1);
	assert_int_equal(run(0, 0, &done), 3);
	assert_int_equal(done.vpid_all, 0);
	assert_int_equal(done.ept_one, 1);
	machine_destroy();
}

static void test_vpids_run_out(void **state)
{
	struct flushes done;
	unsigned int cpu;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	run(0, 0, &done);
	vmx_host(host)->cpus[0]->next_vpid = 0xffff;
	assert_int_equal(run(1, 0, &done), 0xffff);
	assert_int_equal(done.vpid_all, 0);
	assert_int_equal(run(2, 0, &done), 1);
	assert_int_equal(done.vpid_all, 1);
	/* Never two vCPUs of one generation with one VPID. */
	assert_int_equal(run(0, 0, &done), 2);
	assert_int_equal(run(1, 0, &done), 3);
	assert_int_equal(done.vpid_all, 0);
	assert_int_equal(run(2, 0, &done), 1);
	expect_none(&done);
	/* Others had VT-x in between. */
	for (cpu = 0; cpu < 2; cpu++) {
		v3_fake_set_cpu(0);
		fake_context.pinned = false;
		assert_int_equal(v3_cpu_disable(host, 0), V3_OK);
		assert_int_equal(v3_cpu_enable(host, 0), V3_OK);
		fake_context.pinned = true;
		assert_int_equal(run(2, 0, &done), 1);
		assert_int_equal(done.vpid_all, 1);
		assert_int_equal(done.ept_all, 1);
	}
	machine_destroy();
}

static void set_cr0_wp(struct v3_vcpu *vcpu)
{
	vm->arch->set_cr(vcpu, 0, vm->arch->get_cr(vcpu, 0) ^ V3_CR0_WP);
}

static void set_cr0_pe(struct v3_vcpu *vcpu)
{
	vm->arch->set_cr(vcpu, 0, vm->arch->get_cr(vcpu, 0) ^ V3_CR0_PE);
}

static void set_cr3(struct v3_vcpu *vcpu)
{
	vm->arch->set_cr(vcpu, 3, 0x5000);
}

static void set_cr4_pge(struct v3_vcpu *vcpu)
{
	vm->arch->set_cr(vcpu, 4, vm->arch->get_cr(vcpu, 4) ^ V3_CR4_PGE);
}

static void set_cr4_smep(struct v3_vcpu *vcpu)
{
	vm->arch->set_cr(vcpu, 4, vm->arch->get_cr(vcpu, 4) ^ V3_CR4_SMEP);
}

static void set_efer_nxe(struct v3_vcpu *vcpu)
{
	vm->arch->set_efer(vcpu, vm->arch->get_efer(vcpu) ^ V3_EFER_NXE);
}

static void set_pat(struct v3_vcpu *vcpu)
{
	vmx_set_pat(vcpu, 0x0606060606060606);
}

static void set_state(struct v3_vcpu *vcpu)
{
	struct v3_vcpu_state state;

	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
}

static void (*const flushing[])(struct v3_vcpu *vcpu) = {
	set_cr0_wp, set_cr0_pe, set_cr3, set_cr4_pge, set_cr4_smep, set_efer_nxe, set_pat,
	set_state,
};

/* What was changed of the guest's tables for it: its own VPID, once. */
static void guest_flushes(const char *off)
{
	struct flushes done;
	unsigned int i;

	machine_create(V3_FAKE_SKYLAKE_X, off);
	run(1, 0, &done);
	run(0, 0, &done);
	for (i = 0; i < sizeof(flushing) / sizeof(flushing[0]); i++) {
		/* Without paging another table is in use. */
		if (off && flushing[i] == set_cr3)
			continue;
		flushing[i](v3_vm_vcpu(vm, 0));
		run(0, 0, &done);
		assert_int_equal(done.vpid_one, 1);
		assert_int_equal(done.vpid, 2);
		assert_int_equal(done.vpid_all + done.ept_one + done.ept_all, 0);
		run(0, 0, &done);
		expect_none(&done);
	}
	machine_destroy();
}

static void test_guest_flushes(void **state)
{
	(void)state;
	guest_flushes(NULL);
	guest_flushes("unrestricted-guest");
}

static void no_flush(const char *off)
{
	struct v3_vcpu *vcpu;
	struct flushes done;

	machine_create(V3_FAKE_SKYLAKE_X, off);
	vcpu = v3_vm_vcpu(vm, 0);
	run(0, 0, &done);
	vm->arch->set_cr(vcpu, 0, vm->arch->get_cr(vcpu, 0) ^ V3_CR0_TS);
	vm->arch->set_cr(vcpu, 2, 0x1234);
	vm->arch->set_cr(vcpu, 4, vm->arch->get_cr(vcpu, 4) ^ (V3_CR4_OSFXSR | V3_CR4_TSD));
	vm->arch->set_cr(vcpu, 8, 5);
	vm->arch->set_efer(vcpu, vm->arch->get_efer(vcpu) ^ V3_EFER_SCE);
	vmx_set_dr(vcpu, 7, 0x401);
	run(0, 0, &done);
	expect_none(&done);
	machine_destroy();
}

static void test_no_flush(void **state)
{
	(void)state;
	no_flush(NULL);
	no_flush("unrestricted-guest");
}

/* The nested tables changed: the EPT pointer, which is of all VPIDs. */
static void test_nested_flush(void **state)
{
	struct flushes done;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	run(0, 0, &done);
	v3_vmx_ops.flush_tlb(v3_vm_vcpu(vm, 0));
	run(0, 0, &done);
	assert_int_equal(done.ept_one, 1);
	assert_int_equal(done.eptp, vmx_vm(vm)->eptp);
	assert_int_equal(done.vpid_one + done.vpid_all + done.ept_all, 0);
	run(0, 0, &done);
	expect_none(&done);
	machine_destroy();
}

/* CPUs that can flush only everything. */
static void test_without_single(void **state)
{
	struct flushes done;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, "invvpid-one,invept-one");
	run(0, 0, &done);
	assert_int_equal(done.vpid_one + done.ept_one, 0);
	v3_vmx_ops.flush_tlb(v3_vm_vcpu(vm, 0));
	set_cr3(v3_vm_vcpu(vm, 0));
	run(0, 0, &done);
	assert_int_equal(done.vpid_all, 1);
	assert_int_equal(done.ept_all, 1);
	assert_int_equal(done.vpid_one + done.ept_one, 0);
	machine_destroy();
}

/* Without VPIDs each entry flushes by itself, all but guest-physical mappings. */
static void test_without_vpid(void **state)
{
	struct flushes done;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, "vpid");
	run(0, 0, &done);
	assert_int_equal(done.vpid_one + done.vpid_all, 0);
	assert_int_equal(done.ept_all + done.ept_one, 2);
	set_cr3(v3_vm_vcpu(vm, 0));
	run(0, 0, &done);
	expect_none(&done);
	v3_vmx_ops.flush_tlb(v3_vm_vcpu(vm, 0));
	run(0, 0, &done);
	assert_int_equal(done.ept_one, 1);
	machine_destroy();
}

/* An entry that is abandoned keeps the flush for the next. */
static void test_abandoned(void **state)
{
	struct v3_vcpu *vcpu;
	struct flushes done;
	struct v3_exit exit;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	run(0, 0, &done);
	set_cr3(vcpu);
	v3_vmx_ops.flush_tlb(vcpu);
	v3_vcpu_check_intr(vcpu);
	v3_fake_trace_clear();
	vmx_load(vcpu);
	vmx_run(vcpu, &exit);
	vmx_put(vcpu);
	assert_int_equal(exit.kind, V3_EXIT_NONE);
	assert_int_equal(vcpu->mode, V3_VCPU_OUTSIDE);
	assert_true(v3_fake_irqs_on());
	done = flushes_done();
	expect_none(&done);
	__atomic_store_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);
	run(0, 0, &done);
	assert_int_equal(done.vpid_one, 1);
	assert_int_equal(done.ept_one, 1);
	machine_destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_runs),
		cmocka_unit_test(test_vpids_run_out),
		cmocka_unit_test(test_guest_flushes),
		cmocka_unit_test(test_no_flush),
		cmocka_unit_test(test_nested_flush),
		cmocka_unit_test(test_without_single),
		cmocka_unit_test(test_without_vpid),
		cmocka_unit_test(test_abandoned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
