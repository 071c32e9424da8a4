/* SPDX-License-Identifier: BSD-2-Clause */
/* VMLAUNCH and VMRESUME, the guest by script, and VM exit. SDM vol. 3 chapters 27 and 28. */
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_vmx_state.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/insn_vmx.h"
#include "x86/msr.h"
#include "x86/vmcs.h"
#include "x86/vmx.h"

void v3_fake_vmx_set_script(v3_fake_vmx_script *script, void *arg)
{
	fake_vmx.script = script;
	fake_vmx.script_arg = arg;
}

unsigned int v3_fake_vmx_entries(void)
{
	return fake_vmx_this_cpu()->entries;
}

static void set(struct fake_vmcs *vmcs, uint32_t field, uint64_t value)
{
	v3_fake_vmcs_set(vmcs->hpa, field, value);
}

/* --- Areas of MSRs: 16 bytes each, number and value --- */

struct msr_entry {
	uint32_t number, reserved;
	uint64_t value;
};

static struct msr_entry *area(const struct fake_vmcs *vmcs, uint32_t field, uint64_t n)
{
	return n ? fake_vmx.to_virt(fake_vmx.to_virt_ctx, fake_vmcs_read(vmcs, field)) : NULL;
}

/* MSRs that an area must not hold, and those that do not exist: 27.4, 28.4, 28.6. */
static bool loadable(const struct msr_entry *entry)
{
	return !entry->reserved && fake_msr_exists(entry->number) &&
	       entry->number != V3_MSR_FS_BASE && entry->number != V3_MSR_GS_BASE &&
	       (entry->number >> 8 != 8);
}

/* The number of the first entry that cannot be loaded, counted from 1; 0 if all could. */
static unsigned int load_msrs(const struct fake_vmcs *vmcs, uint32_t count, uint32_t field)
{
	uint64_t n = fake_vmcs_read(vmcs, count);
	const struct msr_entry *entry = area(vmcs, field, n);

	for (unsigned int i = 0; i < n; i++) {
		if (!loadable(&entry[i]))
			return i + 1;
		v3_fake_msr_set_on(v3_fake_cpu(), entry[i].number, entry[i].value);
	}
	return 0;
}

static void store_msrs(const struct fake_vmcs *vmcs)
{
	uint64_t n = fake_vmcs_read(vmcs, V3_VMCS_EXIT_MSR_STORE_COUNT);
	struct msr_entry *entry = area(vmcs, V3_VMCS_EXIT_MSR_STORE, n);

	for (unsigned int i = 0; i < n; i++) {
		if (entry[i].reserved || !fake_msr_exists(entry[i].number))
			v3_fake_fail("VM exit cannot store MSR %#x: VMX abort", entry[i].number);
		entry[i].value = v3_fake_msr_get(entry[i].number);
	}
}

/* --- Exit --- */

/* What a VM exit leaves in the CPU, 28.5. */
static void load_host(const struct fake_vmcs *vmcs)
{
	struct fake_cpu *cpu = fake_this_cpu();
	uint64_t ctls = fake_vmcs_read(vmcs, V3_VMCS_EXIT_CTLS);
	unsigned int n = v3_fake_cpu();

	cpu->cr0 = fake_vmcs_read(vmcs, V3_VMCS_HOST_CR0);
	cpu->cr3 = fake_vmcs_read(vmcs, V3_VMCS_HOST_CR3);
	cpu->cr4 = fake_vmcs_read(vmcs, V3_VMCS_HOST_CR4);
	cpu->dr[7] = V3_DR7_RESET;
	fake_segs_exit(vmcs);
	if (ctls & V3_VMX_EXIT_CTL_LOAD_EFER)
		v3_fake_msr_set_on(n, V3_MSR_EFER, fake_vmcs_read(vmcs, V3_VMCS_HOST_EFER));
	if (ctls & V3_VMX_EXIT_CTL_LOAD_PAT)
		v3_fake_msr_set_on(n, V3_MSR_PAT, fake_vmcs_read(vmcs, V3_VMCS_HOST_PAT));
	if (fake_msr_exists(V3_MSR_DEBUGCTL))
		v3_fake_msr_set_on(n, V3_MSR_DEBUGCTL, 0);
	if (load_msrs(vmcs, V3_VMCS_EXIT_MSR_LOAD_COUNT, V3_VMCS_EXIT_MSR_LOAD))
		v3_fake_fail("VM exit cannot load an MSR of the host: VMX abort");
	fake_thread.irqs_on = false;
}

/* Entry failed after the host's checks: an exit that stores nothing of the guest (27.8). */
static void failed_entry(struct fake_vmcs *vmcs, uint32_t reason, uint64_t qualification)
{
	set(vmcs, V3_VMCS_EXIT_REASON, reason | V3_VMX_REASON_ENTRY_FAILED);
	set(vmcs, V3_VMCS_EXIT_QUALIFICATION, qualification);
	load_host(vmcs);
}

/* --- Entry --- */

static bool complete(const struct fake_vmcs *vmcs)
{
	uint32_t encoding;

	for (unsigned int i = 0; fake_vmx_field_at(i, &encoding); i++) {
		if (fake_vmx_field_needed(vmcs, i) && !vmcs->written[i]) {
			v3_fake_fail("VM entry of %#llx, whose field %#x nobody wrote",
				     (unsigned long long)vmcs->hpa, encoding);
			return false;
		}
	}
	return true;
}

static void load_guest(const struct fake_vmcs *vmcs)
{
	uint64_t ctls = fake_vmcs_read(vmcs, V3_VMCS_ENTRY_CTLS);
	unsigned int n = v3_fake_cpu();

	if (ctls & V3_VMX_ENTRY_CTL_LOAD_DEBUG)
		fake_this_cpu()->dr[7] = fake_vmcs_read(vmcs, V3_VMCS_GUEST_DR7);
	if (ctls & V3_VMX_ENTRY_CTL_LOAD_EFER)
		v3_fake_msr_set_on(n, V3_MSR_EFER, fake_vmcs_read(vmcs, V3_VMCS_GUEST_EFER));
	if (ctls & V3_VMX_ENTRY_CTL_LOAD_PAT)
		v3_fake_msr_set_on(n, V3_MSR_PAT, fake_vmcs_read(vmcs, V3_VMCS_GUEST_PAT));
}

/* Fields that every exit writes, before the script has its say. */
static void clear_exit(struct fake_vmcs *vmcs)
{
	static const uint32_t fields[] = {
		V3_VMCS_EXIT_REASON, V3_VMCS_EXIT_QUALIFICATION, V3_VMCS_EXIT_EVENT,
		V3_VMCS_EXIT_ERROR, V3_VMCS_IDT_EVENT, V3_VMCS_IDT_ERROR, V3_VMCS_EXIT_INSN_LEN,
		V3_VMCS_EXIT_INSN_INFO, V3_VMCS_GUEST_LINEAR,
	};

	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		set(vmcs, fields[i], 0);
	if (fake_vmx_field(V3_VMCS_GUEST_PHYSICAL) >= 0)
		set(vmcs, V3_VMCS_GUEST_PHYSICAL, 0);
}

static void save_guest(struct fake_vmcs *vmcs)
{
	uint64_t ctls = fake_vmcs_read(vmcs, V3_VMCS_EXIT_CTLS);
	uint64_t entry = fake_vmcs_read(vmcs, V3_VMCS_ENTRY_CTLS);

	/*
	 * The script changes the guest's EFER and PAT in the VMCS; without these controls that is
	 * lost.
	 */
	if (!(ctls & V3_VMX_EXIT_CTL_SAVE_EFER) && entry & V3_VMX_ENTRY_CTL_LOAD_EFER)
		set(vmcs, V3_VMCS_GUEST_EFER, v3_fake_msr_get(V3_MSR_EFER));
	if (!(ctls & V3_VMX_EXIT_CTL_SAVE_PAT) && entry & V3_VMX_ENTRY_CTL_LOAD_PAT)
		set(vmcs, V3_VMCS_GUEST_PAT, v3_fake_msr_get(V3_MSR_PAT));
	set(vmcs, V3_VMCS_ENTRY_EVENT,
	    fake_vmcs_read(vmcs, V3_VMCS_ENTRY_EVENT) & ~(uint64_t)V3_VMX_EVENT_VALID);
	store_msrs(vmcs);
}

static void run_guest(struct fake_vmcs *vmcs, uint64_t *gpr)
{
	load_guest(vmcs);
	clear_exit(vmcs);
	fake_vmx_this_cpu()->entries++;
	if (fake_vmx.script)
		fake_vmx.script(fake_vmx.script_arg, vmcs->hpa, gpr);
	else
		v3_fake_fail("VM entry of %#llx, and the test has no script of what the guest does",
			     (unsigned long long)vmcs->hpa);
	if (fake_vmx_this_cpu()->current != vmcs)
		v3_fake_fail("the script changed the current VMCS");
	save_guest(vmcs);
	load_host(vmcs);
}

/* Whether entry gets as far as guest state; else *result is the instruction's. */
static bool start(struct fake_vmcs *vmcs, bool resume, int *result)
{
	*result = V3_VMX_FAIL_INVALID;
	if (!vmcs)
		return false;
	if (vmcs->launched != resume) {
		*result = fake_vmx_fail(resume ? FAKE_ERR_NOT_LAUNCHED : FAKE_ERR_LAUNCHED);
		return false;
	}
	if (!complete(vmcs))
		return false;
	if (fake_vmx_controls_check(vmcs)) {
		*result = fake_vmx_fail(FAKE_ERR_CONTROLS);
		return false;
	}
	if (fake_vmx_host_check(vmcs)) {
		*result = fake_vmx_fail(FAKE_ERR_HOST);
		return false;
	}
	return true;
}

/* What is told of guest state that is wrong (27.8); of the most nothing is. */
static uint64_t qualification_of(const char *wrong)
{
	if (!strcmp(wrong, "a PDPTE"))
		return V3_VMX_QUAL_ENTRY_PDPTE;
	return strcmp(wrong, "VMCS link pointer") ? 0 : V3_VMX_QUAL_ENTRY_LINK;
}

int v3_fake_vmx_enter(uint64_t *gpr, bool resume)
{
	struct fake_vmx_cpu *cpu = fake_vmx_this_cpu();
	struct fake_vmcs *vmcs = cpu->current;
	const char *wrong;
	unsigned int bad;
	int result;

	if (!cpu->on || cpu->other || fake_thread.irqs_on)
		v3_fake_fail("VM entry on CPU %u %s", v3_fake_cpu(),
			     fake_thread.irqs_on ? "with interrupts on" :
						   "outside of VMX operation: #UD");
	if (!start(vmcs, resume, &result))
		return result;
	fake_trace(V3_FAKE_VMENTRY, resume, vmcs->hpa);
	wrong = fake_vmx_guest_check(vmcs);
	if (wrong) {
		failed_entry(vmcs, V3_VMX_REASON_ENTRY_STATE, qualification_of(wrong));
		return V3_VMX_OK;
	}
	bad = load_msrs(vmcs, V3_VMCS_ENTRY_MSR_LOAD_COUNT, V3_VMCS_ENTRY_MSR_LOAD);
	if (bad) {
		failed_entry(vmcs, V3_VMX_REASON_ENTRY_MSR, bad);
		return V3_VMX_OK;
	}
	/* A failed entry leaves a VMCS clear (27.8). */
	vmcs->launched = true;
	run_guest(vmcs, gpr);
	return V3_VMX_OK;
}
