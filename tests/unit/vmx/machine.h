/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM on the fake VT-x, entered one exit at a time. */
#ifndef VMX_MACHINE_H
#define VMX_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_host.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_x86.h"
#include "vmx/vmx.h"

#define NUM_VCPUS 4u

extern struct v3_fake_host *fake;
extern struct v3_host *host;
extern struct v3_vm *vm;
extern struct v3_os_hooks hooks;

/* A host of that model, for v3_init(&hooks, &host), with these features off. */
void machine_host(enum v3_fake_vmx_model model, const char *features_off);
/* Frequency of the TSC of machine_vm()'s VM; machine_host() sets it to 0, the host's. */
extern uint64_t machine_tsc_khz;
/* v3_init(), a VM, and VT-x taken on four CPUs. */
void machine_vm(void);
/* The same for a VM with that CPU model. */
void machine_vm_of(const char *cpu_model);
/* Both. */
void machine_create(enum v3_fake_vmx_model model, const char *features_off);
void machine_destroy(void);
/* The first vCPU, loaded on CPU 0 with the host's timer for it; and back, with the machine. */
struct v3_vcpu *machine_load(void);
void machine_end(struct v3_vcpu *vcpu);

/* Fields that the next exits have; others are 0. RIP, RSP, RFLAGS stay unless they are here. */
struct field {
	uint32_t field;
	uint64_t value;
};
#define MAX_FIELDS 8u
void exit_with(const struct field *fields, unsigned int n);
#define EXIT_WITH(...) do { \
	const struct field list[] = { __VA_ARGS__ }; \
	exit_with(list, sizeof(list) / sizeof(list[0])); \
} while (0)
/* A host interrupt. */
void exit_intr(void);

/* A field of the VMCS, as the last entry had it. */
uint64_t entered(struct v3_vcpu *vcpu, uint32_t field);

/* One entry between load and put. */
struct v3_exit run_once(unsigned int i, unsigned int cpu);
/* vcpu is loaded: one entry. */
struct v3_exit enter(struct v3_vcpu *vcpu);

#endif
