/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files fake_vmx*.c, fake_x86*.c and fake_host*.c; not for tests. */
#ifndef V3_FAKES_FAKE_VMX_STATE_H
#define V3_FAKES_FAKE_VMX_STATE_H

#include "fakes/fake_vmx.h"
#include "fakes/fake_x86_state.h"

#define FAKE_MAX_VMCS	64
#define FAKE_MAX_FIELDS	192

/* VM-instruction errors, SDM vol. 3 31.4 */
enum {
	FAKE_ERR_VMCLEAR_ADDRESS = 2, FAKE_ERR_VMCLEAR_VMXON = 3, FAKE_ERR_LAUNCHED = 4,
	FAKE_ERR_NOT_LAUNCHED = 5, FAKE_ERR_CONTROLS = 7, FAKE_ERR_HOST = 8,
	FAKE_ERR_VMPTRLD_ADDRESS = 9, FAKE_ERR_VMPTRLD_VMXON = 10, FAKE_ERR_REVISION = 11,
	FAKE_ERR_FIELD = 12, FAKE_ERR_READ_ONLY = 13, FAKE_ERR_VMXON = 15,
	FAKE_ERR_INVALIDATION = 28,
};

struct fake_vmcs {
	bool used;
	v3_hpa_t hpa;
	bool launched;
	int active_on;			/* CPU, or -1 */
	uint64_t value[FAKE_MAX_FIELDS];
	bool written[FAKE_MAX_FIELDS];
};

struct fake_vmx_cpu {
	bool on, other;			/* other: somebody else turned it on */
	v3_hpa_t region;
	struct fake_vmcs *current;
	unsigned int entries, vmreads, vmwrites;
};

struct fake_vmx {
	struct fake_vmx_cpu cpus[V3_FAKE_MAX_CPUS];
	struct fake_vmcs vmcs[FAKE_MAX_VMCS];
	void *(*to_virt)(void *ctx, v3_hpa_t hpa);
	void *to_virt_ctx;
	v3_fake_vmx_script *script;
	void *script_arg;
};
extern struct fake_vmx fake_vmx;

struct fake_vmx_cpu *fake_vmx_this_cpu(void);
/* Everything but the memory to nothing: part of v3_fake_x86_reset(). */
void fake_vmx_reset(void);
/* Complains about CPUs in VMX operation; the host goes. */
void fake_vmx_host_destroy(void);
/* Complains if these pages hold a VMXON region or an active VMCS; forgets VMCSs in them. */
void fake_vmx_pages_freed(v3_hpa_t hpa, uint64_t count);
/* MOV to CR4 is about to happen. */
void fake_vmx_cr4_write(uint64_t value);

/* Index of a field that this CPU has, or -1. */
int fake_vmx_field(uint32_t encoding);
/* The same by index, for going through all; false beyond the end. */
bool fake_vmx_field_at(unsigned int index, uint32_t *encoding);
/* Whether software must have written it before an entry with these controls. */
bool fake_vmx_field_needed(const struct fake_vmcs *vmcs, unsigned int index);
/* A field that this CPU has, in the current VMCS. */
uint64_t fake_vmcs_read(const struct fake_vmcs *vmcs, uint32_t encoding);
/* Of a field that it may not have: then 0. */
uint64_t fake_vmcs_peek(const struct fake_vmcs *vmcs, uint32_t encoding);

/* An MSR of this CPU, 0 if it does not exist. */
uint64_t fake_vmx_msr(uint32_t msr);
bool fake_msr_exists(uint32_t msr);
/* Aligned, and inside the physical addresses of the CPU. */
bool fake_vmx_address_ok(uint64_t hpa, uint64_t align);
bool fake_vmx_eptp_ok(uint64_t eptp);
bool fake_vmx_pat_ok(uint64_t pat);
int fake_vmx_fail(unsigned int error);

/* fake_segs.c */
void fake_segs_reset(void);
/* Complains about fields for the host's segments that are not this CPU's. */
void fake_segs_check_own(const struct fake_vmcs *vmcs);
/* What a VM exit leaves in the segment registers. */
void fake_segs_exit(const struct fake_vmcs *vmcs);

/* What is wrong with guest state, or NULL. fake_vmx_guest.c */
const char *fake_vmx_guest_check(const struct fake_vmcs *vmcs);
/* What is wrong with controls or host state, or NULL. fake_vmx_checks.c */
const char *fake_vmx_controls_check(const struct fake_vmcs *vmcs);
const char *fake_vmx_host_check(const struct fake_vmcs *vmcs);

#endif
