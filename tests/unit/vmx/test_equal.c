/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both back ends give the core the same exit for the same thing that a guest does: what the VMCB
 * has for it (APM2 appendix C) beside what the VMCS has (SDM vol. 3 28.2).
 */
/* Before the machine, whose names its parameters have. */
#include "svm/svm.h"

#include "machine.h"

/* Every instruction here is two bytes long. */
#define RIP 0x8000u
#define LENGTH 2u

struct action {
	const char *name;
	struct {
		uint64_t code, info1, info2, int_info;
	} svm;
	struct {
		uint32_t reason;
		uint64_t qual;
		uint32_t event, error;
		uint64_t gpa;
		uint32_t idt;
	} vmx;
};

static const struct action actions[] = {
	{ "CPUID", { 0x72, 0, 0, 0 }, { 10, 0, 0, 0, 0, 0 } },
	{ "HLT", { 0x78, 0, 0, 0 }, { 12, 0, 0, 0, 0, 0 } },
	{ "INVD", { 0x76, 0, 0, 0 }, { 13, 0, 0, 0, 0, 0 } },
	{ "WBINVD", { 0x89, 0, 0, 0 }, { 54, 0, 0, 0, 0, 0 } },
	{ "PAUSE", { 0x77, 0, 0, 0 }, { 40, 0, 0, 0, 0, 0 } },
	{ "RDPMC", { 0x6f, 0, 0, 0 }, { 15, 0, 0, 0, 0, 0 } },
	{ "RDMSR", { 0x7c, 0, 0, 0 }, { 31, 0, 0, 0, 0, 0 } },
	{ "WRMSR", { 0x7c, 1, 0, 0 }, { 32, 0, 0, 0, 0, 0 } },
	{ "VMMCALL, VMCALL", { 0x81, 0, 0, 0 }, { 18, 0, 0, 0, 0, 0 } },
	{ "XSETBV", { 0x8d, 0, 0, 0 }, { 55, 0, 0, 0, 0, 0 } },
	{ "MONITOR", { 0x8a, 0, 0, 0 }, { 39, 0, 0, 0, 0, 0 } },
	{ "MWAIT", { 0x8b, 0, 0, 0 }, { 36, 0, 0, 0, 0, 0 } },
	{ "VMRUN, VMLAUNCH", { 0x80, 0, 0, 0 }, { 20, 0, 0, 0, 0, 0 } },
	{ "IN AL, 0x60", { 0x7b, 0x00600011, RIP + 2, 0 }, { 30, 0x00600048, 0, 0, 0, 0 } },
	{ "IN EAX, DX", { 0x7b, 0x0cfc0041, RIP + 2, 0 }, { 30, 0x0cfc000b, 0, 0, 0, 0 } },
	{ "OUT 0x80, AL", { 0x7b, 0x00800010, RIP + 2, 0 }, { 30, 0x00800040, 0, 0, 0, 0 } },
	{ "OUT DX, AX", { 0x7b, 0xffff0020, RIP + 2, 0 }, { 30, 0xffff0001, 0, 0, 0, 0 } },
	{ "REP INSW", { 0x7b, 0x01f0002d, RIP + 2, 0 }, { 30, 0x01f00039, 0, 0, 0, 0 } },
	{ "OUTSB", { 0x7b, 0x03f80014, RIP + 2, 0 }, { 30, 0x03f80010, 0, 0, 0, 0 } },
	{ "MOV CR4, RAX", { 0x14, 0, 0, 0 }, { 28, 0x004, 0, 0, 0, 0 } },
	{ "MOV CR8, RAX", { 0x18, 0, 0, 0 }, { 28, 0x008, 0, 0, 0, 0 } },
	{ "MOV RAX, CR8", { 0x08, 0, 0, 0 }, { 28, 0x018, 0, 0, 0, 0 } },
	{ "MOV CR0, RAX with CD", { 0x65, 0, 0, 0 }, { 28, 0x000, 0, 0, 0, 0 } },
	{ "MOV DR0, RAX", { 0x30, 0, 0, 0 }, { 29, 0x000, 0, 0, 0, 0 } },
	{ "MOV RBX, DR7", { 0x27, 0, 0, 0 }, { 29, 0x317, 0, 0, 0, 0 } },
	{ "load of a device", { 0x400, 0x100000004, 0xfee00030, 0 },
	  { 48, 0x181, 0, 0, 0xfee00030, 0 } },
	{ "store to a device", { 0x400, 0x100000006, 0xfec00010, 0 },
	  { 48, 0x182, 0, 0, 0xfec00010, 0 } },
	{ "store to ROM", { 0x400, 0x100000007, 0xf0000, 0 }, { 48, 0x1aa, 0, 0, 0xf0000, 0 } },
	{ "execution without memory", { 0x400, 0x100000014, 0xd0000000, 0 },
	  { 48, 0x184, 0, 0, 0xd0000000, 0 } },
	{ "page table without memory", { 0x400, 0x200000006, 0xd0000008, 0 },
	  { 48, 0x082, 0, 0, 0xd0000008, 0 } },
	/* The same by an APIC-access page. */
	{ "load of the local APIC", { 0x400, 0x100000004, 0xfee00030, 0 },
	  { 44, 0x0030, 0, 0, 0, 0 } },
	{ "store to the local APIC", { 0x400, 0x100000006, 0xfee000b0, 0 },
	  { 44, 0x10b0, 0, 0, 0, 0 } },
	{ "execution of the local APIC", { 0x400, 0x100000014, 0xfee00000, 0 },
	  { 44, 0x2000, 0, 0, 0, 0 } },
	{ "page table in the local APIC", { 0x400, 0x200000004, 0xfee00008, 0 },
	  { 44, 0xf008, 0, 0, 0, 0 } },
	{ "interrupt through the local APIC", { 0x400, 0x100000004, 0xfee00ff8, 0x80000031 },
	  { 44, 0x3ff8, 0, 0, 0, 0x80000031 } },
	{ "stack of an interrupt in a device", { 0x400, 0x100000006, 0xfec00000, 0x80000031 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000031 } },
	{ "stack of a page fault in a device", { 0x400, 0x100000006, 0xfec00000, 0x580000b0e },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000b0e } },
	{ "stack of an NMI in a device", { 0x400, 0x100000006, 0xfec00000, 0x80000202 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000202 } },
	{ "stack of INT 0x80 in a device", { 0x400, 0x100000006, 0xfec00000, 0x80000480 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000480 } },
	{ "stack of INT3 in a device", { 0x400, 0x100000006, 0xfec00000, 0x80000303 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000603 } },
	{ "debug exception", { 0x41, 0, 0, 0 }, { 0, 0x4000, 0x80000301, 0, 0, 0 } },
	{ "alignment check", { 0x51, 0, 0, 0 }, { 0, 0, 0x80000b11, 0, 0, 0 } },
	{ "machine check", { 0x52, 0, 0, 0 }, { 0, 0, 0x80000312, 0, 0, 0 } },
	{ "triple fault", { 0x7f, 0, 0, 0 }, { 2, 0, 0, 0, 0, 0 } },
	{ "interrupt for the host", { 0x60, 0, 0, 0 }, { 1, 0, 0, 0, 0, 0 } },
	{ "NMI for the host", { 0x61, 0, 0, 0 }, { 0, 0, 0x80000202, 0, 0, 0 } },
	{ "INIT", { 0x63, 0, 0, 0 }, { 3, 0, 0, 0, 0, 0 } },
	{ "interrupts allowed again", { 0x64, 0, 0, 0 }, { 7, 0, 0, 0, 0, 0 } },
	{ "NMIs allowed again", { 0x74, 0, 0, 0 }, { 8, 0, 0, 0, 0, 0 } },
	{ "an exit that nobody knows", { 0x3ff, 0, 0, 0 }, { 0x3ff, 0, 0, 0, 0, 0 } },
};

/* What of the VMCB is used; the other back end's machine is not needed for that. */
static void svm_exit(const struct action *action, struct v3_exit *exit, struct v3_event *event)
{
	const struct v3_host_caps caps = { .next_rip = true };
	static struct svm_vmcb vmcb;

	memset(&vmcb, 0, sizeof(vmcb));
	vmcb.rip = RIP;
	vmcb.next_rip = RIP + LENGTH;
	vmcb.exit_code = action->svm.code;
	vmcb.exit_info1 = action->svm.info1;
	vmcb.exit_info2 = action->svm.info2;
	vmcb.exit_int_info = action->svm.int_info;
	svm_exit_decode(&vmcb, &caps, exit);
	svm_interrupted_decode(&vmcb, event);
}

static void vmx_exit(struct v3_vcpu *vcpu, const struct action *action, struct v3_exit *exit,
		     struct v3_event *event)
{
	EXIT_WITH({ V3_VMCS_EXIT_REASON, action->vmx.reason },
		  { V3_VMCS_EXIT_QUALIFICATION, action->vmx.qual },
		  { V3_VMCS_EXIT_INSN_LEN, LENGTH }, { V3_VMCS_EXIT_EVENT, action->vmx.event },
		  { V3_VMCS_EXIT_ERROR, action->vmx.error },
		  { V3_VMCS_GUEST_PHYSICAL, action->vmx.gpa },
		  { V3_VMCS_IDT_EVENT, action->vmx.idt }, { V3_VMCS_IDT_ERROR, 5 });
	vcpu->interrupted.valid = false;
	vcpu->rip = RIP;
	*exit = enter(vcpu);
	*event = vcpu->interrupted;
}

static bool same_part(const struct v3_exit *a, const struct v3_exit *b)
{
	switch (a->kind) {
	case V3_EXIT_IO:
		return a->io.port == b->io.port && a->io.size == b->io.size &&
		       a->io.in == b->io.in && a->io.string == b->io.string &&
		       a->io.next_rip == b->io.next_rip;
	case V3_EXIT_NESTED_FAULT:
		return a->npf.gpa == b->npf.gpa && a->npf.write == b->npf.write &&
		       a->npf.fetch == b->npf.fetch && a->npf.present == b->npf.present &&
		       a->npf.walk == b->npf.walk && a->npf.delivery == b->npf.delivery;
	case V3_EXIT_CR:
		return a->cr.cr == b->cr.cr && a->cr.write == b->cr.write;
	case V3_EXIT_DR:
		return a->dr.dr == b->dr.dr && a->dr.write == b->dr.write;
	case V3_EXIT_EXCEPTION:
		return a->exception.vector == b->exception.vector &&
		       a->exception.has_error == b->exception.has_error &&
		       a->exception.error == b->exception.error;
	default:
		return true;
	}
}

static bool same_event(const struct v3_event *a, const struct v3_event *b)
{
	return a->valid == b->valid &&
	       (!a->valid || (a->type == b->type && a->vector == b->vector &&
			      a->has_error == b->has_error && a->error == b->error));
}

static void test_equal(void **state)
{
	struct v3_vcpu *vcpu;
	unsigned int i, kinds = 0;
	uint32_t seen = 0;

	(void)state;
	machine_create(V3_FAKE_SKYLAKE_X, NULL);
	vcpu = v3_vm_vcpu(vm, 0);
	v3_fake_set_cpu(0);
	vmx_load(vcpu);
	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct v3_exit svm, vmx;
		struct v3_event svm_event, vmx_event;

		svm_exit(&actions[i], &svm, &svm_event);
		vmx_exit(vcpu, &actions[i], &vmx, &vmx_event);
		if (svm.kind != vmx.kind || svm.insn_len != vmx.insn_len ||
		    !same_part(&svm, &vmx) || !same_event(&svm_event, &vmx_event))
			fail_msg("%s: %s of %u bytes by SVM, %s of %u bytes by VT-x",
				 actions[i].name, v3_exit_name(svm.kind), svm.insn_len,
				 v3_exit_name(vmx.kind), vmx.insn_len);
		seen |= 1u << svm.kind;
	}
	vmx_put(vcpu);
	machine_destroy();
	/*
	 * All but those of no guest's doing (none, SMI, a failed entry, one that is not tried), and
	 * what AMD-V does not do for a local APIC.
	 */
	for (i = 0; i < V3_EXIT_COUNT; i++)
		kinds += seen >> i & 1;
	assert_int_equal(kinds, V3_EXIT_COUNT - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_equal) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
