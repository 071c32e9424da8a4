/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests on CPUs without unrestricted guest, where VM entry wants CR0.PE and CR0.PG (SDM vol. 3
 * 24.8, 27.3.1.1) and segments as protected mode has them. Without paging the guest runs on a page
 * table of ours that maps each address to itself; CR0, CR3, CR4 and EFER are then not what the
 * guest has, and their changes exit. What VM entry would refuse is left to the core to emulate.
 */
#include "vmx/vmx.h"

#include "lib/bits.h"
#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/pte.h"
#include "x86/seg.h"

/*
 * Where the page table is for guests, read-only: 32-bit paging has its tables below 4 GiB, and RAM,
 * devices and PCI windows are elsewhere. Nobody is told of it.
 */
#define IDENTITY_GPA 0xfefff000ull

/* Bits of CR0 that the guest sees in the shadow only. */
#define CR0_OWNED (VMX_CR0_OWNED | V3_CR0_PE | V3_CR0_PG)

/* Bits of CR4 that mean nothing as long as there is no paging, and something on our table. */
#define CR4_OF_PAGING (V3_CR4_PSE | V3_CR4_PAE | V3_CR4_PGE | V3_CR4_PCIDE | V3_CR4_SMEP | \
		       V3_CR4_SMAP | V3_CR4_PKE | V3_CR4_LA57)

/* --- The page table --- */

enum v3_status vmx_identity_create(struct v3_vm *vm, struct vmx_vm *vmx)
{
	/* Accessed and dirty already: the CPU has nothing to write. */
	const uint32_t flags = V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_A | V3_PTE_D | V3_PTE_PS;
	enum v3_status status;
	uint32_t *table, i;

	vmx->identity = V3_HPA_NONE;
	if (vmx_host(vm->host)->caps.unrestricted)
		return V3_OK;
	status = v3_os_page_alloc(vm->host, 1, 1, V3_NODE_ANY, 0, &vmx->identity);
	if (status != V3_OK) {
		vmx->identity = V3_HPA_NONE;
		return status;
	}
	vm->heap_bytes += V3_PAGE_SIZE;
	table = v3_os_virt(vm->host, vmx->identity);
	for (i = 0; i < 1024; i++)
		table[i] = i << 22 | flags;
	status = v3_nested_map(&vm->nested, IDENTITY_GPA, vmx->identity, V3_PAGE_SIZE, V3_NPT_R);
	if (status != V3_OK)
		vmx_identity_destroy(vm, vmx);
	return status;
}

/* The nested tables go, too. */
void vmx_identity_destroy(struct v3_vm *vm, struct vmx_vm *vmx)
{
	if (vmx->identity == V3_HPA_NONE)
		return;
	v3_os_page_free(vm->host, vmx->identity, 1);
	vm->heap_bytes -= V3_PAGE_SIZE;
	vmx->identity = V3_HPA_NONE;
}

/* --- Registers: what the guest has, and what the VMCS has in their place --- */

struct view {
	uint64_t cr0, cr3, cr4, efer;
};

static bool has_paging(const struct vmx_vcpu *vmx)
{
	return vmx_guest_read(vmx, V3_VMCS_CR0_SHADOW) & V3_CR0_PG;
}

static uint64_t cr4_mask(const struct v3_vcpu *vcpu, bool paging)
{
	return vmx_vm(vcpu->vm)->cr4_mask | (paging ? 0 : CR4_OF_PAGING);
}

static struct view view_get(const struct v3_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	bool paging = has_paging(vmx);
	uint64_t mask = cr4_mask(vcpu, paging);

	return (struct view){
		.cr0 = (vmx_guest_read(vmx, V3_VMCS_GUEST_CR0) & ~CR0_OWNED) |
		       (vmx_guest_read(vmx, V3_VMCS_CR0_SHADOW) & CR0_OWNED) | V3_CR0_ET,
		.cr3 = paging ? vmx_guest_read(vmx, V3_VMCS_GUEST_CR3) : vmx->real.cr3,
		.cr4 = (vmx_guest_read(vmx, V3_VMCS_GUEST_CR4) & ~mask) |
		       (vmx_guest_read(vmx, V3_VMCS_CR4_SHADOW) & mask),
		.efer = vmx->real.efer,
	};
}

static void view_put(struct v3_vcpu *vcpu, const struct view *view)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;
	const uint32_t cr3_exits = V3_VMX_PROC_CR3_LOAD | V3_VMX_PROC_CR3_STORE;
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	bool paging = view->cr0 & V3_CR0_PG;
	uint64_t cr4 = view->cr4, efer = view->efer;

	if (!paging) {
		cr4 = (cr4 & ~CR4_OF_PAGING) | V3_CR4_PSE;
		/* With CR0.PG the two have to be equal (27.3.1.1). */
		efer &= ~(V3_EFER_LME | V3_EFER_LMA);
	}
	vmx_guest_write(vmx, V3_VMCS_GUEST_CR0, (view->cr0 & ~(V3_CR0_CD | V3_CR0_NW)) |
			caps->cr0_fixed0 | V3_CR0_PE | V3_CR0_PG);
	vmx_guest_write(vmx, V3_VMCS_CR0_SHADOW, view->cr0);
	vmx_guest_write(vmx, V3_VMCS_GUEST_CR3, paging ? view->cr3 : IDENTITY_GPA);
	vmx_guest_write(vmx, V3_VMCS_GUEST_CR4, cr4 | caps->cr4_fixed0);
	vmx_guest_write(vmx, V3_VMCS_CR4_SHADOW, view->cr4);
	vmx_guest_write(vmx, V3_VMCS_GUEST_EFER, efer);
	vmx_guest_write(vmx, V3_VMCS_ENTRY_CTLS,
			caps->entry | (efer & V3_EFER_LMA ? V3_VMX_ENTRY_CTL_IA32E : 0));
	vmx->real.cr3 = view->cr3;
	vmx->real.efer = view->efer;
	vmx->proc = paging ? vmx->proc & ~cr3_exits : vmx->proc | cr3_exits;
	vmx->real.changed = true;
	vmx->work |= VMX_WORK_PDPTE;
}

static uint64_t realmode_get_cr(struct v3_vcpu *vcpu, unsigned int cr)
{
	struct view view;

	if (cr != 0 && cr != 3 && cr != 4)
		return vmx_get_cr(vcpu, cr);
	view = view_get(vcpu);
	return cr == 0 ? view.cr0 : cr == 3 ? view.cr3 : view.cr4;
}

static void realmode_set_cr(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	struct view view;

	if ((cr != 0 && cr != 3 && cr != 4) || (cr == 3 && has_paging(vmx))) {
		vmx_set_cr(vcpu, cr, value);
		return;
	}
	view = view_get(vcpu);
	if (cr == 3) {
		vmx->real.cr3 = value;
		return;
	}
	if (cr == 0 ? (view.cr0 ^ value) & (V3_CR0_PG | V3_CR0_PE | V3_CR0_WP)
		    : (view.cr4 ^ value) & V3_CR4_TLB_FLUSH)
		vmx->work |= VMX_WORK_VPID;
	if (cr == 0)
		view.cr0 = value;
	else
		view.cr4 = value;
	view_put(vcpu, &view);
}

static uint64_t realmode_get_efer(struct v3_vcpu *vcpu)
{
	return vmx_vcpu(vcpu)->real.efer;
}

static void realmode_set_efer(struct v3_vcpu *vcpu, uint64_t value)
{
	struct view view = view_get(vcpu);

	if ((view.efer ^ value) & (V3_EFER_NXE | V3_EFER_LME | V3_EFER_LMA))
		vmx_vcpu(vcpu)->work |= VMX_WORK_VPID;
	view.efer = value;
	view_put(vcpu, &view);
}

static void realmode_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state)
{
	struct view view = view_get(vcpu);

	vmx_get_state(vcpu, state);
	state->cr0 = view.cr0;
	state->cr3 = view.cr3;
	state->cr4 = view.cr4;
	state->efer = view.efer;
}

static void realmode_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	const struct view view = { state->cr0 | V3_CR0_ET, state->cr3, state->cr4, state->efer };

	vmx_set_state(vcpu, state);
	view_put(vcpu, &view);
}

static void realmode_insn_env(struct v3_vcpu *vcpu, struct v3_insn_env *env)
{
	struct view view;

	vmx_insn_env(vcpu, env);
	if (has_paging(vmx_vcpu(vcpu)))
		return;
	view = view_get(vcpu);
	env->walk.cr0 = view.cr0;
	env->walk.cr3 = view.cr3;
	env->walk.cr4 = view.cr4;
	env->walk.efer = view.efer;
}

/* --- Entry --- */

/* Before the first entry with new registers. 64-bit code is not emulated: VM entry says why not. */
static V3_NOINLINE void settle(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	struct v3_vcpu_state state;

	realmode_get_state(vcpu, &state);
	vmx_write(V3_VMCS_CR0_MASK, CR0_OWNED);
	vmx_write(V3_VMCS_CR4_MASK, cr4_mask(vcpu, state.cr0 & V3_CR0_PG));
	vmx_write(V3_VMCS_PROC_CTLS, vmx->proc);
	vmx->real.emulate = vmx_not_enterable(&state, vcpu->rflags, false) &&
			    !(state.efer & V3_EFER_LMA && state.seg[V3_SEG_CS].attrib & V3_SEG_L);
	vmx->real.changed = false;
}

/* Looks at what an entry looks at, and as blocked as that, but then the host has its CPU again. */
static bool may_emulate(struct v3_vcpu *vcpu, bool owned)
{
	bool may;

	v3_x86_cli();
	may = owned ? v3_vcpu_may_enter_owned(vcpu) : v3_vcpu_may_enter(vcpu);
	if (may && owned)
		v3_vcpu_left_owned(vcpu);
	else if (may)
		v3_vcpu_left_guest(vcpu);
	v3_x86_sti();
	return may;
}

/* True: the state is one to enter; else *exit is what came of it. */
static bool enterable(struct v3_vcpu *vcpu, struct v3_exit *exit, bool owned)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (vmx->real.changed && !vmx->broken)
		settle(vcpu, vmx);
	if (!vmx->real.emulate || vmx->broken)
		return true;
	exit->insn_len = 0;
	/* Interrupts that wait there would not be seen. */
	if (vmx->lent) {
		vmx_intc_take_back(vcpu);
		vcpu->inject_work = true;
	}
	if (may_emulate(vcpu, owned)) {
		exit->kind = V3_EXIT_EMULATE;
		exit->emulate.event = vmx->event;
	} else {
		if (vmx->event.valid)
			vcpu->interrupted = vmx->event;
		exit->kind = V3_EXIT_NONE;
	}
	vmx->event.valid = false;
	return false;
}

static void realmode_run(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	if (enterable(vcpu, exit, false))
		vmx_run(vcpu, exit);
}

static void realmode_run_owned(struct v3_vcpu *vcpu, struct v3_exit *exit)
{
	if (enterable(vcpu, exit, true))
		vmx_run_owned(vcpu, exit);
}

void vmx_realmode_ops(struct v3_arch_ops *ops)
{
	*ops = v3_vmx_ops;
	ops->get_state = realmode_get_state;
	ops->set_state = realmode_set_state;
	ops->run = realmode_run;
	ops->run_owned = realmode_run_owned;
	ops->insn_env = realmode_insn_env;
	ops->get_cr = realmode_get_cr;
	ops->set_cr = realmode_set_cr;
	ops->get_efer = realmode_get_efer;
	ops->set_efer = realmode_set_efer;
}
