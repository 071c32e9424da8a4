/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM on the fake host whose guest is a script: a function that stands in for svm_enter() (VMRUN),
 * looks at the VMCB as the hardware would get it, and leaves it as after an exit.
 */
#ifndef V3_TESTS_SCRIPT_H
#define V3_TESTS_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <v3/device.h>
#include <v3/v3.h>

#include "core/vm.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "svm/svm.h"

#define SCRIPT_RAM (4ull << 20)
/* Where the scripted guest's RIP starts: identity mapped, 64-bit mode. */
#define SCRIPT_RIP 0x200000ull

struct script;
/* One VMRUN: n counts from 0. Sets exit_code and the like. */
typedef void (*script_fn)(struct script *script, unsigned int n);

struct script {
	struct v3_fake_host *fake;
	struct v3_host *host;
	struct v3_vm *vm;
	struct v3_vcpu *vcpu;
	script_fn fn;
	void *arg;
	/* Of the present VMRUN. */
	struct svm_vmcb *vmcb;
	uint64_t *gpr;
	unsigned int runs;
	/* guest.c, under its lock */
	bool in_guest, go, over;
};

/*
 * A VM of one vCPU and SCRIPT_RAM, not started. Before it, the fake CPU may be changed by prepare.
 */
struct script *script_create(void (*prepare)(void));
/* With a CPU model and flags of struct v3_vm_config. */
struct script *script_create_as(void (*prepare)(void), const char *cpu, uint32_t flags);
/* With a TSC of that frequency, on a CPU that scales TSCs. */
struct script *script_create_tsc(uint64_t khz);
/* With CPU 1 for itself, on a host that hooks() has changed. */
struct script *script_create_own(void (*hooks)(struct v3_os_hooks *hooks), uint32_t policy,
				 uint64_t yield_ns);
/* Puts the vCPU into 64-bit mode at SCRIPT_RIP with bytes there. */
void script_code(struct script *script, const void *bytes, size_t len);
/* Runs fn for each VMRUN until it calls script_end() (or the VM ends by itself), then stops. */
void script_run(struct script *script, script_fn fn);
/* As the guest would: exit code 77 by v3_vm_end(). */
void script_end(struct script *script);
void script_destroy(struct script *script);

/* The exits most scripts use. */
void script_exit(struct script *script, uint64_t code, uint64_t info1, uint64_t info2);

#endif
