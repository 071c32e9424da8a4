/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * APIC virtualization, SDM vol. 3 chapter 30. While the guest runs, the registers of its local APIC
 * are in the virtual-APIC page, where the CPU reads them, delivers interrupts and ends them; on
 * exits that may have to do with them, and when the core asks, they go back to the device.
 *
 * An xAPIC is reached through a page of memory, which only exists in tables of the vCPUs that use
 * one: others find nothing at that address. These tables are the VM's but for one path.
 */
#include "vmx/vmx.h"

#include "lib/mem.h"
#include "x86/apic.h"
#include "x86/msr.h"
#include "x86/pte.h"

/* --- A VM's pages --- */

/* For x2APIC mode; for the path to the APIC-access page, level 4 to 1; that page. */
enum { PAGE_BITMAP, PAGE_TABLES, PAGE_ACCESS = PAGE_TABLES + 4, NUM_PAGES };

static bool is_leaf(const struct v3_nested_format *format, uint64_t entry, unsigned int level)
{
	return format->access(entry) && (level == 1 || format->is_leaf(entry, level));
}

/*
 * Copies the tables on the path to the APIC. No RAM is there, so no leaf is on the way; a leaf
 * would mean that this VM has to do without, and false.
 */
static bool path_copy(struct v3_vm *vm, v3_hpa_t tables)
{
	const struct v3_nested_format *format = vm->nested.format;
	v3_hpa_t from = vm->nested.root;
	unsigned int level;

	for (level = 4; level > 0; level--, tables += V3_PAGE_SIZE) {
		uint64_t *copy = v3_os_virt(vm->host, tables);
		uint64_t *entry = &copy[V3_PT_INDEX(V3_APIC_DEFAULT_BASE, level)];

		if (from)
			memcpy(copy, v3_os_virt(vm->host, from), V3_PAGE_SIZE);
		if (is_leaf(format, *entry, level))
			return false;
		from = *entry & V3_PTE_ADDR_MASK;
		if (level > 1)
			*entry = (tables + V3_PAGE_SIZE) | format->table;
		else
			*entry = (tables + V3_PAGE_SIZE) | format->leaf(1, V3_NPT_R | V3_NPT_W);
	}
	return true;
}

/* Level 3 is the only one of the copies with leaves: RAM below 4 GiB ends before the APIC's GiB. */
static void paths_use(struct v3_vm *vm, struct vmx_vm *vmx, v3_hpa_t tables)
{
	_Static_assert(V3_LOW_RAM_MAX <= (V3_APIC_DEFAULT_BASE & ~(V3_PAGE_SIZE_1G - 1)), "no RAM");
	vmx->apic_eptp = (vmx->eptp & V3_PAGE_MASK) | tables;
	vm->nested.twin = tables + V3_PAGE_SIZE;
}

enum v3_status vmx_apic_vm_create(struct v3_vm *vm, struct vmx_vm *vmx)
{
	const struct vmx_caps *caps = &vmx_host(vm->host)->caps;
	enum v3_status status;
	uint8_t *pages;

	if (!caps->apic_access && !caps->x2apic)
		return V3_OK;
	status = v3_os_page_alloc(vm->host, NUM_PAGES, 1, V3_NODE_ANY, 0, &vmx->apic_pages);
	if (status != V3_OK) {
		vmx->apic_pages = V3_HPA_NONE;
		return status;
	}
	vm->heap_bytes += NUM_PAGES * V3_PAGE_SIZE;
	pages = v3_os_virt(vm->host, vmx->apic_pages);
	memset(pages, 0, NUM_PAGES * V3_PAGE_SIZE);
	vmx_msr_bitmap_fill(pages);
	vmx_msr_bitmap_x2apic(pages, caps->apic_regs, caps->vid);
	if (caps->apic_access && path_copy(vm, vmx->apic_pages + PAGE_TABLES * V3_PAGE_SIZE))
		paths_use(vm, vmx, vmx->apic_pages + PAGE_TABLES * V3_PAGE_SIZE);
	return V3_OK;
}

void vmx_apic_vm_destroy(struct v3_vm *vm, struct vmx_vm *vmx)
{
	if (vmx->apic_pages == V3_HPA_NONE)
		return;
	vm->nested.twin = V3_HPA_NONE;
	v3_os_page_free(vm->host, vmx->apic_pages, NUM_PAGES);
	vm->heap_bytes -= NUM_PAGES * V3_PAGE_SIZE;
}

/* --- The controls of a vCPU --- */

static uint32_t proc2_of(const struct vmx_caps *caps, const struct vmx_vm *vm,
			 enum v3_lent_mode mode)
{
	uint32_t proc2 = vm->proc2;

	if (mode == V3_LENT_NOTHING)
		return proc2;
	proc2 |= mode == V3_LENT_MMIO ? V3_VMX_PROC2_APIC_ACCESS : V3_VMX_PROC2_X2APIC;
	if (caps->apic_regs)
		proc2 |= V3_VMX_PROC2_APIC_REGISTERS;
	if (caps->vid)
		proc2 |= V3_VMX_PROC2_INTR_DELIVERY;
	return proc2;
}

/* Flushes are for the EPT pointer in use, so the other one may have entries that are stale. */
static void mode_set(const struct v3_vcpu *vcpu, struct vmx_vcpu *vmx, enum v3_lent_mode mode)
{
	const struct vmx_vm *vm = vmx_vm(vcpu->vm);

	vmx->apic_mode = (uint8_t)mode;
	vmx->work |= VMX_WORK_EPT;
	vmx_write(V3_VMCS_PROC_CTLS2, proc2_of(&vmx_host(vcpu->host)->caps, vm, mode));
	vmx_write(V3_VMCS_EPTP, vmx_eptp(vcpu->vm, vmx));
	vmx_write(V3_VMCS_MSR_BITMAP, mode == V3_LENT_MSR ? vm->apic_pages : vm->msr_bitmap);
}

void vmx_apic_init(struct v3_vcpu *vcpu)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;
	const struct vmx_vm *vm = vmx_vm(vcpu->vm);
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	unsigned int i;

	if (vm->apic_pages == V3_HPA_NONE || !vcpu->vm->intc->lend)
		return;
	vmx->apic = true;
	vmx->work |= VMX_WORK_APIC;
	if (vm->apic_eptp)
		vmx_write(V3_VMCS_APIC_ACCESS,
			  vm->apic_pages + (v3_hpa_t)PAGE_ACCESS * V3_PAGE_SIZE);
	if (!caps->vid)
		return;
	vmx_write(V3_VMCS_GUEST_INTR_STATUS, 0);
	for (i = 0; i < 4; i++)
		vmx_write(V3_VMCS_EOI_EXIT(i), vmx->eoi_exit[i]);
}

/* --- To the CPU and back --- */

static unsigned int lend_how(const struct v3_vcpu *vcpu)
{
	const struct vmx_caps *caps = &vmx_host(vcpu->host)->caps;

	return (vmx_vm(vcpu->vm)->apic_eptp ? V3_LEND_MMIO : 0) |
	       (caps->x2apic ? V3_LEND_MSR : 0) |
	       (caps->apic_regs || caps->vid ? V3_LEND_ALL : 0);
}

static void vid_write(struct vmx_vcpu *vmx, const struct v3_lent *lent)
{
	unsigned int i;

	/* SVI above, RVI below (25.4.2) */
	vmx_write(V3_VMCS_GUEST_INTR_STATUS, (uint64_t)lent->isr << 8 | lent->irr);
	for (i = 0; i < 4; i++)
		if (lent->level[i] != vmx->eoi_exit[i])
			vmx_write(V3_VMCS_EOI_EXIT(i), vmx->eoi_exit[i] = lent->level[i]);
}

void vmx_apic_lend(struct v3_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	struct v3_lent lent;

	vcpu->vm->intc->lend->lend(vcpu, vcpu->vm->intc_ctx, vmx->virtual_apic, lend_how(vcpu),
				   &lent);
	if (lent.mode != vmx->apic_mode)
		mode_set(vcpu, vmx, lent.mode);
	vmx->lent = lent.mode != V3_LENT_NOTHING;
	if (vmx->lent && vmx_host(vcpu->host)->caps.vid)
		vid_write(vmx, &lent);
	/* A state that was set a moment ago, of which the device has not heard yet. */
	if (vmx->virtual_apic[V3_APIC_TPR] >> 4 != vcpu->cr8)
		vmx->virtual_apic[V3_APIC_TPR] = (uint8_t)(vcpu->cr8 << 4);
	vmx->tpr = vmx->virtual_apic[V3_APIC_TPR];
}

void vmx_intc_take_back(struct v3_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (!vmx->apic)
		return;
	if (vmx->lent)
		vcpu->vm->intc->lend->take_back(vcpu, vcpu->vm->intc_ctx, vmx->virtual_apic,
						lend_how(vcpu));
	vmx->lent = false;
	vmx->work |= VMX_WORK_APIC;
}

/* --- Exits --- */

/* An access to the APIC-access page (table 28-6): the same as one to memory that is not there. */
void vmx_decode_apic_access(struct v3_exit *exit)
{
	uint64_t qual = vmx_read(V3_VMCS_EXIT_QUALIFICATION);
	unsigned int type = V3_VMX_QUAL_APIC_TYPE(qual);

	exit->kind = V3_EXIT_NESTED_FAULT;
	exit->npf.gpa = V3_APIC_DEFAULT_BASE + V3_VMX_QUAL_APIC_OFFSET(qual);
	exit->npf.write = type == V3_VMX_QUAL_APIC_WRITE;
	exit->npf.fetch = type == V3_VMX_QUAL_APIC_FETCH;
	exit->npf.present = false;
	exit->npf.walk = type >= V3_VMX_QUAL_APIC_PHYSICAL;
	exit->npf.delivery = vmx_read(V3_VMCS_IDT_EVENT) & V3_VMX_EVENT_VALID;
}

/* The store is done, the page has the value, and RIP is behind the instruction (30.4.3.3). */
void vmx_decode_apic_write(const struct vmx_vcpu *vmx, struct v3_exit *exit)
{
	uint32_t reg = vmx_read(V3_VMCS_EXIT_QUALIFICATION) & 0xff0;

	memcpy(&exit->intc.value, vmx->virtual_apic + reg, sizeof(exit->intc.value));
	exit->kind = V3_EXIT_INTC;
	exit->intc.reg = reg;
	exit->intc.eoi = false;
}

/* A level-triggered interrupt has ended (30.1.4). */
void vmx_decode_eoi(struct v3_exit *exit)
{
	exit->kind = V3_EXIT_INTC;
	exit->intc.reg = V3_APIC_EOI;
	exit->intc.value = vmx_read(V3_VMCS_EXIT_QUALIFICATION) & 0xff;
	exit->intc.eoi = true;
}
