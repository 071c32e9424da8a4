/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/atomic.h"
#include "lib/lock.h"
#include "x86/insn.h"

void v3_lock_init(struct v3_lock *lock)
{
	lock->next = 0;
	lock->owner = 0;
}

void v3_lock_acquire(struct v3_lock *lock)
{
	uint32_t ticket = v3_atomic_add(&lock->next, 1u);

	while (v3_atomic_load_acquire(&lock->owner) != ticket)
		v3_x86_pause();
}

bool v3_lock_try(struct v3_lock *lock)
{
	uint32_t ticket = v3_atomic_load_relaxed(&lock->owner);

	return v3_atomic_cmpxchg(&lock->next, &ticket, ticket + 1);
}

void v3_lock_release(struct v3_lock *lock)
{
	/* Only the holder writes owner. */
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
