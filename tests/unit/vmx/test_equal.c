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
	{ "MWAIT on an armed address", { 0x8c, 0, 0, 0 }, { 36, 1, 0, 0, 0, 0 } },
	{ "VMRUN, VMLAUNCH", { 0x80, 0, 0, 0 }, { 20, 0, 0, 0, 0, 0 } },
	{ "VMRUN, VMRESUME", { 0x80, 0, 0, 0 }, { 24, 0, 0, 0, 0, 0 } },
	{ "VMLOAD, VMPTRLD", { 0x82, 0, 0, 0 }, { 21, 0, 0, 0, 0, 0 } },
	{ "VMLOAD, VMREAD", { 0x82, 0, 0, 0 }, { 23, 0, 0, 0, 0, 0 } },
	{ "VMSAVE, VMPTRST", { 0x83, 0, 0, 0 }, { 22, 0, 0, 0, 0, 0 } },
	{ "VMSAVE, VMWRITE", { 0x83, 0, 0, 0 }, { 25, 0, 0, 0, 0, 0 } },
	{ "STGI, VMXON", { 0x84, 0, 0, 0 }, { 27, 0, 0, 0, 0, 0 } },
	{ "CLGI, VMXOFF", { 0x85, 0, 0, 0 }, { 26, 0, 0, 0, 0, 0 } },
	{ "CLGI, VMCLEAR", { 0x85, 0, 0, 0 }, { 19, 0, 0, 0, 0, 0 } },
	{ "SKINIT, GETSEC", { 0x86, 0, 0, 0 }, { 11, 0, 0, 0, 0, 0 } },
	{ "INVLPGA, INVEPT", { 0x7a, 0, 0, 0 }, { 50, 0, 0, 0, 0, 0 } },
	{ "INVLPGA, INVVPID", { 0x7a, 0, 0, 0 }, { 53, 0, 0, 0, 0, 0 } },
	{ "RDPRU, VMFUNC", { 0x8e, 0, 0, 0 }, { 59, 0, 0, 0, 0, 0 } },
	{ "IN AL, 0x60", { 0x7b, 0x00600011, RIP + 2, 0 }, { 30, 0x00600048, 0, 0, 0, 0 } },
	{ "IN EAX, DX", { 0x7b, 0x0cfc0041, RIP + 2, 0 }, { 30, 0x0cfc000b, 0, 0, 0, 0 } },
	{ "OUT 0x80, AL", { 0x7b, 0x00800010, RIP + 2, 0 }, { 30, 0x00800040, 0, 0, 0, 0 } },
	{ "OUT DX, AX", { 0x7b, 0xffff0020, RIP + 2, 0 }, { 30, 0xffff0001, 0, 0, 0, 0 } },
	{ "IN AX, DX", { 0x7b, 0x01f00021, RIP + 2, 0 }, { 30, 0x01f00009, 0, 0, 0, 0 } },
	{ "OUT 0xf4, EAX", { 0x7b, 0x00f40040, RIP + 2, 0 }, { 30, 0x00f40043, 0, 0, 0, 0 } },
	{ "INSB", { 0x7b, 0x00600015, RIP + 2, 0 }, { 30, 0x00600018, 0, 0, 0, 0 } },
	{ "INSD", { 0x7b, 0x01f00045, RIP + 2, 0 }, { 30, 0x01f0001b, 0, 0, 0, 0 } },
	{ "OUTSW", { 0x7b, 0x01f00024, RIP + 2, 0 }, { 30, 0x01f00011, 0, 0, 0, 0 } },
	{ "REP OUTSD", { 0x7b, 0xffff004c, RIP + 2, 0 }, { 30, 0xffff0033, 0, 0, 0, 0 } },
	{ "REP INSW", { 0x7b, 0x01f0002d, RIP + 2, 0 }, { 30, 0x01f00039, 0, 0, 0, 0 } },
	{ "OUTSB", { 0x7b, 0x03f80014, RIP + 2, 0 }, { 30, 0x03f80010, 0, 0, 0, 0 } },
	{ "MOV CR3, RAX", { 0x13, 0, 0, 0 }, { 28, 0x003, 0, 0, 0, 0 } },
	{ "MOV R15, CR3", { 0x03, 0, 0, 0 }, { 28, 0xf13, 0, 0, 0, 0 } },
	{ "CLTS", { 0x10, 0, 0, 0 }, { 28, 0x020, 0, 0, 0, 0 } },
	{ "LMSW AX", { 0x65, 0, 0, 0 }, { 28, 0x10030, 0, 0, 0, 0 } },
	{ "MOV CR4, RAX", { 0x14, 0, 0, 0 }, { 28, 0x004, 0, 0, 0, 0 } },
	{ "MOV CR8, RAX", { 0x18, 0, 0, 0 }, { 28, 0x008, 0, 0, 0, 0 } },
	{ "MOV RAX, CR8", { 0x08, 0, 0, 0 }, { 28, 0x018, 0, 0, 0, 0 } },
	{ "MOV CR0, RAX with CD", { 0x65, 0, 0, 0 }, { 28, 0x000, 0, 0, 0, 0 } },
	{ "MOV DR0, RAX", { 0x30, 0, 0, 0 }, { 29, 0x000, 0, 0, 0, 0 } },
	{ "MOV DR7, R9", { 0x37, 0, 0, 0 }, { 29, 0x907, 0, 0, 0, 0 } },
	{ "MOV DR4, RAX", { 0x34, 0, 0, 0 }, { 29, 0x004, 0, 0, 0, 0 } },
	{ "MOV RAX, DR3", { 0x23, 0, 0, 0 }, { 29, 0x013, 0, 0, 0, 0 } },
	{ "MOV RAX, DR6", { 0x26, 0, 0, 0 }, { 29, 0x016, 0, 0, 0, 0 } },
	{ "MOV RBX, DR7", { 0x27, 0, 0, 0 }, { 29, 0x317, 0, 0, 0, 0 } },
	{ "load of a device", { 0x400, 0x100000004, 0xfee00030, 0 },
	  { 48, 0x181, 0, 0, 0xfee00030, 0 } },
	{ "store to a device", { 0x400, 0x100000006, 0xfec00010, 0 },
	  { 48, 0x182, 0, 0, 0xfec00010, 0 } },
	{ "read and write of a device", { 0x400, 0x100000006, 0xfec00010, 0 },
	  { 48, 0x183, 0, 0, 0xfec00010, 0 } },
	{ "store by the user to a device", { 0x400, 0x100000006, 0xfec00010, 0 },
	  { 48, 0x382, 0, 0, 0xfec00010, 0 } },
	{ "store to ROM", { 0x400, 0x100000007, 0xf0000, 0 }, { 48, 0x1aa, 0, 0, 0xf0000, 0 } },
	{ "execution without memory", { 0x400, 0x100000014, 0xd0000000, 0 },
	  { 48, 0x184, 0, 0, 0xd0000000, 0 } },
	{ "page table without memory", { 0x400, 0x200000006, 0xd0000008, 0 },
	  { 48, 0x082, 0, 0, 0xd0000008, 0 } },
	{ "page table in ROM, accessed bit", { 0x400, 0x200000007, 0xf0008, 0 },
	  { 48, 0x0aa, 0, 0, 0xf0008, 0 } },
	{ "execution where there is none", { 0x400, 0x100000015, 0xfeb00000, 0 },
	  { 48, 0x19c, 0, 0, 0xfeb00000, 0 } },
	{ "PDPTEs without memory", { 0x400, 0x200000004, 0xd0000020, 0 },
	  { 48, 0x001, 0, 0, 0xd0000020, 0 } },
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
	{ "stack of INTO in a device", { 0x400, 0x100000006, 0xfec00000, 0x80000304 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000604 } },
	{ "stack of a double fault in a device", { 0x400, 0x100000006, 0xfec00000, 0x580000b08 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000b08 } },
	{ "stack of an alignment check in a device",
	  { 0x400, 0x100000006, 0xfec00000, 0x580000b11 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000b11 } },
	{ "stack of #UD in a device", { 0x400, 0x100000006, 0xfec00000, 0x80000306 },
	  { 48, 0x182, 0, 0, 0xfec00000, 0x80000306 } },
	{ "alignment check during an interrupt", { 0x51, 0, 0, 0x80000031 },
	  { 0, 0, 0x80000b11, 0, 0, 0x80000031 } },
	{ "debug exception", { 0x41, 0, 0, 0 }, { 0, 0x4000, 0x80000301, 0, 0, 0 } },
	{ "alignment check", { 0x51, 0, 0, 0 }, { 0, 0, 0x80000b11, 0, 0, 0 } },
	{ "machine check", { 0x52, 0, 0, 0 }, { 0, 0, 0x80000312, 0, 0, 0 } },
	{ "triple fault", { 0x7f, 0, 0, 0 }, { 2, 0, 0, 0, 0, 0 } },
	{ "interrupt for the host", { 0x60, 0, 0, 0 }, { 1, 0, 0, 0, 0, 0 } },
	{ "NMI for the host", { 0x61, 0, 0, 0 }, { 0, 0, 0x80000202, 0, 0, 0 } },
	{ "timer of the host's", { 0x60, 0, 0, 0 }, { 52, 0, 0, 0, 0, 0 } },
	{ "SMI", { 0x62, 0, 0, 0 }, { 6, 0, 0, 0, 0, 0 } },
	{ "SMI by a port", { 0x62, 0, 0, 0 }, { 5, 0, 0, 0, 0, 0 } },
	{ "INIT", { 0x63, 0, 0, 0 }, { 3, 0, 0, 0, 0, 0 } },
	{ "interrupts allowed again", { 0x64, 0, 0, 0 }, { 7, 0, 0, 0, 0, 0 } },
	{ "NMIs allowed again", { 0x74, 0, 0, 0 }, { 8, 0, 0, 0, 0, 0 } },
	{ "a state that the CPU refuses", { ~0ull, 0, 0, 0 }, { 0x80000021, 0, 0, 0, 0, 0 } },
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
	unsigned int i;
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
	 * All but an entry that was not tried, and what AMD-V has no need of: an emulated state and
	 * the registers of a local APIC. VT-x has no task switches, and AMD-V does them itself.
	 */
	seen |= 1u << V3_EXIT_NONE | 1u << V3_EXIT_EMULATE | 1u << V3_EXIT_INTC;
	for (i = 0; i < V3_EXIT_COUNT; i++)
		if (!(seen >> i & 1))
			fail_msg("no guest's action has the exit %s",
				 v3_exit_name((enum v3_exit_kind)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_equal) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
