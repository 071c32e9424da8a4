/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VT-x for the fake CPU (fake_x86.h), in place of src/x86/priv_vmx.c and src/vmx/entry.S: VMX
 * operation of each CPU, VMCS regions by physical address with their fields, launch state and the
 * CPU on which they are active, the checks of VM entry, and exits by script. SDM vol. 3 chapters 24
 * to 28, 31.
 *
 * What the CPU answers with VMfail, the fake answers with VMfail and the same error number. What
 * would be a fault is v3_fake_fail(), and so is what the SDM leaves undefined or asks software not
 * to do: a VMCS that is active on another CPU, or at VMXOFF, or whose page is freed; one that was
 * never cleared; reading a field that nothing wrote; a value that does not fit its field; entering
 * with interrupts on, or with fields for the host's state that are not those of the CPU.
 */
#ifndef V3_FAKES_FAKE_VMX_H
#define V3_FAKES_FAKE_VMX_H

#include <stdbool.h>
#include <stdint.h>

#include <v3/types.h>

/* CPU models of Bochs 2.7: CPUID and capability MSRs as they read there. */
enum v3_fake_vmx_model {
	V3_FAKE_SKYLAKE_X,		/* everything but posted interrupts */
	V3_FAKE_HASWELL_4770,		/* no TSC scaling, no page-modification log */
	V3_FAKE_SANDY_BRIDGE_2600K,	/* no 1 GiB leaves, A/D flags, INVPCID */
	V3_FAKE_PENRYN_T9600,		/* no EPT, VPID, unrestricted guest, preemption timer */
	V3_FAKE_VMX_MODELS,
};
const char *v3_fake_vmx_model_name(enum v3_fake_vmx_model model);

/*
 * Turns all CPUs into that model's, after v3_fake_x86_reset() or v3_fake_host_create(): VMX enabled
 * by firmware and locked, CR4.VMXE clear.
 */
void v3_fake_vmx_set_model(enum v3_fake_vmx_model model);
/* Takes allowed-1 settings away from a capability MSR of controls and its "true" twin. */
void v3_fake_vmx_deny(uint32_t msr, uint32_t bits);
/* Where structures in memory are; v3_fake_host_create() sets it. */
void v3_fake_vmx_set_memory(void *(*to_virt)(void *ctx, v3_hpa_t hpa), void *ctx);

/* Another hypervisor takes the calling thread's CPU, CR4.VMXE included, or gives it back. */
void v3_fake_vmx_other_owner(bool on);

/* The calling thread's CPU */
bool v3_fake_vmx_on(void);
v3_hpa_t v3_fake_vmx_region(void);	/* V3_HPA_NONE outside of VMX operation */
v3_hpa_t v3_fake_vmcs_current(void);	/* V3_HPA_NONE: none */
/* VMREADs and VMWRITEs that succeeded: each costs tens of cycles. */
unsigned int v3_fake_vmx_vmreads(void);
unsigned int v3_fake_vmx_vmwrites(void);

/*
 * Segment registers of this CPU, which VM exits change: a 64-bit kernel's with GDT, IDT and TSS in
 * memory. To look at, and for tests to set selectors that a VMCS cannot hold.
 */
struct v3_x86_segs *v3_fake_segs(void);
uint64_t v3_fake_tss_base(void);

/* A VMCS by its page. */
bool v3_fake_vmcs_launched(v3_hpa_t vmcs);
int v3_fake_vmcs_active_on(v3_hpa_t vmcs);	/* -1: on no CPU */
uint64_t v3_fake_vmcs_get(v3_hpa_t vmcs, uint32_t field);
/* Also read-only fields: that is how scripts of exits fill them. */
void v3_fake_vmcs_set(v3_hpa_t vmcs, uint32_t field, uint64_t value);

/*
 * What the guest does in place of running, after an entry that passed its checks: gpr as the guest
 * has it, all 16; the VMCS is current. It sets fields of the exit with v3_fake_vmcs_set(). Exit
 * reason, qualification, event, IDT event, instruction length and information are 0 when it is
 * called, so a script that sets none ends the run with reason 0.
 */
typedef void v3_fake_vmx_script(void *arg, v3_hpa_t vmcs, uint64_t *gpr);
void v3_fake_vmx_set_script(v3_fake_vmx_script *script, void *arg);
/* Entries of this CPU that got to the guest. */
unsigned int v3_fake_vmx_entries(void);

/*
 * VMLAUNCH, or VMRESUME with resume: 0, V3_VMX_FAIL_INVALID or V3_VMX_FAIL_VALID as the
 * instructions of insn_vmx.h; a failed check of guest state is an exit.
 */
int v3_fake_vmx_enter(uint64_t *gpr, bool resume);

#endif
