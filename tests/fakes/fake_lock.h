/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks in place of src/lib/lock.c. They work between threads, and call v3_fake_fail() when a
 * thread takes a lock that it holds, releases one that it does not hold, or initializes a held one.
 */
#ifndef V3_FAKES_FAKE_LOCK_H
#define V3_FAKES_FAKE_LOCK_H

/* Locks that the calling thread holds. */
unsigned int v3_fake_locks_held(void);
/* How often it has taken one. */
unsigned int v3_fake_locks_taken(void);

#endif
