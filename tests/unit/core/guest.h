/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scripted guest that the test drives line by line: the vCPU's thread waits inside VMRUN until
 * the test says with which exit the guest leaves, and the test waits until the next VMRUN.
 */
#ifndef V3_TESTS_GUEST_H
#define V3_TESTS_GUEST_H

#include "script.h"

/* Registers in gpr[]; RAX and RSP are in the VMCB. */
#define RCX 1
#define RDX 2
#define RBX 3
#define RSI 6
#define RDI 7

/* A VM in 64-bit mode with code at SCRIPT_RIP; set it up further before guest_start(). */
struct script *guest_create(void (*prepare)(void), const void *code, size_t len);
/* The same with a script that is made already. */
void guest_prepare(struct script *script, const void *code, size_t len);
/* Starts it; the guest is in its first VMRUN then. */
void guest_start(struct script *script);
/* Leaves the guest; returns when it is in the next VMRUN, ... */
void guest_exit(struct script *script, uint64_t code, uint64_t info1, uint64_t info2);
/* ... when the vCPU sleeps, ... */
void guest_exit_halts(struct script *script, uint64_t code);
/* ... when the VM has stopped; *end says how. */
void guest_exit_ends(struct script *script, uint64_t code, uint64_t info1, uint64_t info2,
		     struct v3_vm_end *end);
/* Only leaves. */
void guest_leave(struct script *script, uint64_t code, uint64_t info1, uint64_t info2);
/* Waits for the next VMRUN. */
void guest_wait(struct script *script);
/* An exit for a host interrupt: nothing but what was asked for meanwhile happens. */
void guest_intr(struct script *script);
/* v3_vm_pause(), with a guest that leaves when it is kicked. */
void guest_pause(struct script *script);
/* Stops the VM wherever it is and frees all. */
void guest_destroy(struct script *script);

/* RIP of the guest, relative to its code. */
uint64_t guest_rip(const struct script *script);
void guest_set_rip(struct script *script, uint64_t offset);

/*
 * An interrupt controller with one line per vector and a task priority, whose methods run on the
 * vCPU's thread: change it while the guest is in VMRUN, then call v3_vcpu_check_intr().
 */
struct fake_intc {
	uint8_t pending[256];
	unsigned int tpr, acks, inits, tpr_sets, timers;
	bool spurious;		/* ack finds nothing */
	uint32_t lines;		/* set by v3_irq_set() */
};
void fake_intc_attach(struct fake_intc *intc, struct v3_vm *vm);
/* Raises a vector and tells the vCPU. */
void fake_intc_raise(struct fake_intc *intc, struct v3_vcpu *vcpu, uint8_t vector);

/* EVENTINJ of an external interrupt and of an exception with and without error code. */
#define INJ_INTR(v) (0x80000000ull | (v))
#define INJ_NMI 0x80000202ull
#define INJ_EXCP(v) (0x80000300ull | (v))
#define INJ_EXCP_ERR(v, error) (0x80000b00ull | (v) | (uint64_t)(error) << 32)
#define INJ_SOFT(v) (0x80000400ull | (v))

#endif
