/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ticket spinlocks. A holder must not sleep. A lock that is also taken with interrupts off, or in
 * an interrupt handler, is always taken by the irqsave form; the plain form leaves preemption to
 * the caller.
 *
 * Out of line, in lock.c: tests link tests/fakes/fake_lock.c in its place, which finds locks that
 * are taken twice, released by others, or held where a host hook may sleep.
 */
#ifndef V3_LIB_LOCK_H
#define V3_LIB_LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Zero is unlocked. */
struct v3_lock {
	uint32_t next;	/* ticket of the next to come */
	uint32_t owner;	/* ticket that holds it */
};

void v3_lock_init(struct v3_lock *lock);
void v3_lock_acquire(struct v3_lock *lock);
bool v3_lock_try(struct v3_lock *lock);
void v3_lock_release(struct v3_lock *lock);

/* Returns what release needs to restore the interrupt flag. */
uint64_t v3_lock_irqsave(struct v3_lock *lock);
void v3_lock_irqrestore(struct v3_lock *lock, uint64_t flags);

/* Whether somebody holds it; for assertions, the answer is old when it arrives. */
bool v3_lock_is_held(const struct v3_lock *lock);

#endif
