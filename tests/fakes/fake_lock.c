/* SPDX-License-Identifier: BSD-2-Clause */
#include <sched.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_lock.h"
#include "lib/atomic.h"
#include "lib/lock.h"
#include "x86/insn.h"

#define MAX_HELD 16

static _Thread_local struct v3_lock *held[MAX_HELD];
static _Thread_local unsigned int num_held, num_taken;

unsigned int v3_fake_locks_held(void)
{
	return num_held;
}

unsigned int v3_fake_locks_taken(void)
{
	return num_taken;
}

static unsigned int find_held(const struct v3_lock *lock)
{
	unsigned int i;

	for (i = 0; i < num_held && held[i] != lock; i++)
		;
	return i;
}

static void note_taken(struct v3_lock *lock)
{
	num_taken++;
	if (num_held == MAX_HELD)
		v3_fake_fail("more than %d locks held at once", MAX_HELD);
	else
		held[num_held++] = lock;
}

void v3_lock_init(struct v3_lock *lock)
{
	if (find_held(lock) < num_held) {
		v3_fake_fail("lock %p is initialized while it is held", (void *)lock);
		return;
	}
	lock->next = 0;
	lock->owner = 0;
}

void v3_lock_acquire(struct v3_lock *lock)
{
	uint32_t ticket;

	if (find_held(lock) < num_held) {
		v3_fake_fail("lock %p is taken twice by one thread: deadlock", (void *)lock);
		return;
	}
	ticket = v3_atomic_add(&lock->next, 1u);
	while (v3_atomic_load_acquire(&lock->owner) != ticket)
		sched_yield();
	note_taken(lock);
}

bool v3_lock_try(struct v3_lock *lock)
{
	uint32_t ticket = v3_atomic_load_relaxed(&lock->owner);

	if (!v3_atomic_cmpxchg(&lock->next, &ticket, ticket + 1))
		return false;
	note_taken(lock);
	return true;
}

void v3_lock_release(struct v3_lock *lock)
{
	unsigned int i = find_held(lock);

	if (i == num_held) {
		v3_fake_fail("lock %p is released by a thread that does not hold it", (void *)lock);
		return;
	}
	held[i] = held[--num_held];
	v3_atomic_store_release(&lock->owner, lock->owner + 1);
}

uint64_t v3_lock_irqsave(struct v3_lock *lock)
{
	uint64_t flags = v3_x86_irq_save();

	v3_lock_acquire(lock);
	return flags;
}

void v3_lock_irqrestore(struct v3_lock *lock, uint64_t flags)
{
	v3_lock_release(lock);
	v3_x86_irq_restore(flags);
}

bool v3_lock_is_held(const struct v3_lock *lock)
{
	return v3_atomic_load(&lock->owner) != v3_atomic_load(&lock->next);
}
