/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_params.h"
#include "entry.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define CS_SELECTOR 0x10
#define DS_SELECTOR 0x18
#define GDT_ENTRIES 4
#define NUM_PD 4		/* one per GiB */

static enum v3_status write_gdt(struct v3_vm *vm, uint16_t code_attr)
{
	const uint64_t gdt[GDT_ENTRIES] = {
		[CS_SELECTOR / 8] = v3_desc_make(0, 0xfffff, code_attr),
		[DS_SELECTOR / 8] = v3_desc_make(0, 0xfffff, V3_SEG_ATTR_DATA32),
	};

	if (v3_vm_write(vm, V3_BOOT_GDT_GPA, gdt, sizeof(gdt)) == V3_OK)
		return V3_OK;
	v3_vm_log(vm, V3_LOG_ERROR, "boot: the VM has no RAM for a GDT at 0x%llx",
		  (unsigned long long)V3_BOOT_GDT_GPA);
	return V3_ERR_NOMEM;
}

/* PML4, one page-directory-pointer table, and 2 MiB leaves for 4 GiB, which every CPU has. */
static enum v3_status write_tables(struct v3_vm *vm)
{
	const v3_gpa_t pdpt = V3_BOOT_TABLES_GPA + V3_PAGE_SIZE;
	const v3_gpa_t pd = pdpt + V3_PAGE_SIZE;
	const uint64_t bits = V3_PTE_P | V3_PTE_W;
	uint64_t *table = v3_vm_ptr(vm, V3_BOOT_TABLES_GPA, (2 + NUM_PD) * V3_PAGE_SIZE);
	unsigned int i;

	if (!table) {
		v3_vm_log(vm, V3_LOG_ERROR, "boot: the VM has no RAM for page tables at 0x%llx",
			  (unsigned long long)V3_BOOT_TABLES_GPA);
		return V3_ERR_NOMEM;
	}
	__builtin_memset(table, 0, 2 * V3_PAGE_SIZE);
	table[0] = pdpt | bits;
	for (i = 0; i < NUM_PD; i++)
		table[V3_PT_ENTRIES + i] = (pd + i * V3_PAGE_SIZE) | bits;
	for (i = 0; i < NUM_PD * V3_PT_ENTRIES; i++)
		table[2 * V3_PT_ENTRIES + i] = (uint64_t)i << V3_PAGE_SHIFT_2M | bits | V3_PTE_PS;
	return V3_OK;
}

static void set_segments(struct v3_vcpu_state *state, uint16_t code_attr)
{
	const struct v3_segment data = { DS_SELECTOR, V3_SEG_ATTR_DATA32, 0xffffffff, 0 };

	state->seg[V3_SEG_CS] = (struct v3_segment){ CS_SELECTOR, code_attr, 0xffffffff, 0 };
	state->seg[V3_SEG_DS] = data;
	state->seg[V3_SEG_ES] = data;
	state->seg[V3_SEG_SS] = data;
	state->seg[V3_SEG_FS] = data;
	state->seg[V3_SEG_GS] = data;
	/* As after reset: VMRUN and VM entry want a busy TSS. */
	state->seg[V3_SEG_LDTR] = (struct v3_segment){ 0, V3_SEG_ATTR_LDT, 0xffff, 0 };
	state->seg[V3_SEG_TR] = (struct v3_segment){ 0, V3_SEG_ATTR_TSS_BUSY, 0xffff, 0 };
	state->gdtr.base = V3_BOOT_GDT_GPA;
	state->gdtr.limit = GDT_ENTRIES * sizeof(uint64_t) - 1;
	/* No interrupt table: a fault at the first instructions is a triple fault, and says so. */
	state->idtr.limit = 0;
}

static void set_common(struct v3_vcpu_state *state, v3_gpa_t rip)
{
	state->rip = rip;
	state->rflags = V3_RFLAGS_FIXED1;
	state->gpr[4] = V3_BOOT_STACK_TOP;	/* RSP */
	state->gpr[6] = V3_BOOT_PARAMS_GPA;	/* RSI */
	state->cr0 = V3_CR0_PE | V3_CR0_ET | V3_CR0_NE;
	state->dr6 = V3_DR6_RESET;
	state->dr7 = V3_DR7_RESET;
	state->xcr0 = 1;
	state->pat = V3_PAT_RESET;
}

static enum v3_status set_state(struct v3_vm *vm, const struct v3_vcpu_state *state)
{
	enum v3_status status = v3_vcpu_set_state(v3_vm_vcpu(vm, 0), state);

	if (status != V3_OK)
		v3_vm_log(vm, V3_LOG_ERROR, "boot: cannot set the first vCPU to its entry: %s",
			  v3_status_str(status));
	return status;
}

enum v3_status v3_enter_64(struct v3_vm *vm, v3_gpa_t rip)
{
	struct v3_vcpu_state state = { 0 };
	enum v3_status status = write_gdt(vm, V3_SEG_ATTR_CODE64);

	if (status == V3_OK)
		status = write_tables(vm);
	if (status != V3_OK)
		return status;
	set_common(&state, rip);
	set_segments(&state, V3_SEG_ATTR_CODE64);
	state.cr0 |= V3_CR0_PG;
	state.cr3 = V3_BOOT_TABLES_GPA;
	state.cr4 = V3_CR4_PAE;
	state.efer = V3_EFER_LME | V3_EFER_LMA;
	return set_state(vm, &state);
}

static enum v3_status enter_32(struct v3_vm *vm, v3_gpa_t eip, uint32_t eax, uint32_t ebx)
{
	struct v3_vcpu_state state = { 0 };
	enum v3_status status = write_gdt(vm, V3_SEG_ATTR_CODE32);

	if (status != V3_OK)
		return status;
	set_common(&state, eip);
	set_segments(&state, V3_SEG_ATTR_CODE32);
	state.gpr[0] = eax;
	state.gpr[3] = ebx;
	return set_state(vm, &state);
}

enum v3_status v3_enter_32(struct v3_vm *vm, v3_gpa_t eip)
{
	return enter_32(vm, eip, 0, 0);
}

enum v3_status v3_enter_multiboot(struct v3_vm *vm, v3_gpa_t eip, uint32_t eax, uint32_t ebx)
{
	return enter_32(vm, eip, eax, ebx);
}
