/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file trace.h
 * What a vCPU did lately: a ring of events per vCPU, and the same events for the host's own
 * tracing. Both are off at first; then they cost nothing on the way into and out of the guest.
 */
#ifndef V3_TRACE_H
#define V3_TRACE_H

#include <v3/v3.h>

/** Events that the ring of a vCPU holds; a power of two. */
#define V3_TRACE_EVENTS 4096u

/** What an event tells. */
enum v3_trace_kind {
	V3_TRACE_ENTRY = 1,   /**< about to enter the guest */
	V3_TRACE_EXIT = 2,    /**< the guest was left, or could not be entered (V3_EXIT_NONE) */
	V3_TRACE_INJECT = 3,  /**< an event is given to the guest with the next entry */
	V3_TRACE_REQUEST = 4, /**< requests of others are taken up */
};

/** One event. What the last fields are depends on the kind; those not named are 0. */
struct v3_trace_event {
	uint64_t tsc; /**< host TSC */
	uint64_t rip; /**< of the guest */
	/**
	 * EXIT, by kind of exit: IO: the port in bits 0-15, the size in bytes in 16-23, bit 24: IN,
	 * bit 25: string; NESTED_FAULT: guest-physical address; CPUID: EAX, ECX in the high half;
	 * RDMSR, WRMSR: ECX; CR, DR: the register's number, bit 8: write; EXCEPTION: vector;
	 * HYPERCALL: RAX; SHUTDOWN, INVALID, UNKNOWN: the hardware's first word. INJECT: the error
	 * code. REQUEST: bits of enum v3_trace_request.
	 */
	uint64_t info;
	/**
	 * EXIT: IO: what OUT writes; NESTED_FAULT: bit 0 write, 1 fetch, 2 present, 3 in a walk of
	 * the guest's tables, 4 while an event was delivered; WRMSR: the value; EXCEPTION: CR2;
	 * HYPERCALL: RBX; SHUTDOWN, INVALID, UNKNOWN: the hardware's second word.
	 */
	uint64_t info2;
	uint8_t kind; /**< enum v3_trace_kind */
	/** EXIT: enum v3_exit_kind. INJECT: 0 interrupt, 2 NMI, 3 exception. */
	uint8_t code;
	uint8_t vector; /**< INJECT: its vector */
	uint8_t flags;  /**< INJECT: 1 if there is an error code */
	uint32_t zero;  /**< keeps the layout free of holes */
};

/** Requests in the info of a V3_TRACE_REQUEST. */
enum v3_trace_request {
	V3_TRACE_REQ_INTR = 1,  /**< look at the interrupt controllers */
	V3_TRACE_REQ_TIMER = 2, /**< timers changed */
	V3_TRACE_REQ_NMI = 4,   /**< an NMI */
	V3_TRACE_REQ_INIT = 8,  /**< INIT */
	V3_TRACE_REQ_SIPI = 16, /**< start-up IPI */
};

/**
 * Turns the rings of all vCPUs of a VM on or off. The first time allocates them (164 KiB per vCPU),
 * they stay until the VM is destroyed; turned off they keep what they have. Any state of the VM.
 * @return V3_OK or V3_ERR_NOMEM (nothing is turned on). Context: process.
 */
enum v3_status v3_trace_set(struct v3_vm *vm, bool on);
/** Whether the rings are on. Context: any. */
bool v3_trace_is_on(const struct v3_vm *vm);

/**
 * Copies events from the ring of a vCPU, oldest first, while the vCPU goes on.
 * @param position in: number of the first event wanted, counted from 0 for the first ever; out:
 * that of the
 *                 one after the last copied, for the next call.
 * @param events   receives up to @p capacity events.
 * @param count    receives how many.
 * @param lost receives how many from @p position on were overwritten before they could be copied.
 * @return V3_OK, with no events if there are none; V3_ERR_NOENT: there never was a ring. Context:
 * process.
 */
enum v3_status v3_trace_read(struct v3_vcpu *vcpu, uint64_t *position,
			     struct v3_trace_event *events, unsigned int capacity,
			     unsigned int *count, uint64_t *lost);

/**
 * Has the host's hook `trace` called for each event of a VM, or no longer. When this returns after
 * turning it off a call may still be under way. Without such a hook nothing happens. Context:
 * process.
 */
void v3_trace_host(struct v3_vm *vm, bool on);

#endif
