/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake host: every hook of struct v3_os_hooks in a user process, on fake CPUs (fake_x86.h).
 *
 * Strict. These are v3_fake_fail():
 * - a hook that may sleep, called with interrupts off, a lock held, inside cpu_call or between
 *   fpu_begin and fpu_end; a hook for one CPU called on another;
 * - memory freed twice, in part or with another size; a physical address that is not allocated;
 *   an event destroyed with a waiter; virt_release without virt_acquire, and so on;
 * - anything not given back when the host is destroyed. Freed pages are inaccessible, new pages
 * hold garbage, and physical addresses are never virtual ones. Small objects come from malloc, so
 * ASan sees their bounds; they are 16-byte aligned, no more.
 */
#ifndef V3_FAKES_FAKE_HOST_H
#define V3_FAKES_FAKE_HOST_H

#include <v3/hooks.h>

struct v3_fake_host;

/*
 * Physical addresses of page_alloc: from the top of this range down, or below the limit asked for.
 */
#define V3_FAKE_PHYS_BASE	0x80000000ULL
#define V3_FAKE_PHYS_SIZE	0x600000000ULL
#define V3_FAKE_TSC_KHZ		2000000ULL
#define V3_FAKE_NODES		2	/* NUMA node 0 has the upper half of it, node 1 the lower */

/*
 * A host with 4 CPUs online, the clock at 1 s, MANUAL threads, nothing failing. Resets the fake
 * CPUs. One at a time.
 */
struct v3_fake_host *v3_fake_host_create(void);
/* Fails the test for each thing that was not given back, then frees all. */
void v3_fake_host_destroy(struct v3_fake_host *host);

/* The host's own table, complete: a test may change it before v3_init(). */
struct v3_os_hooks *v3_fake_host_hooks(struct v3_fake_host *host);

/* Failing allocations
 * What can run out (page_alloc, heap_alloc, thread_start, event_create, timer_create, block_claim,
 * block_zero) is counted.
 * */
unsigned int v3_fake_host_allocs(const struct v3_fake_host *host);
/* The nth from now (1: the next) fails once; 0: none does. */
void v3_fake_host_fail_nth(struct v3_fake_host *host, unsigned int nth);
/* What is allocated now: pages and bytes of the heap. */
uint64_t v3_fake_host_pages(const struct v3_fake_host *host);
uint64_t v3_fake_host_heap_bytes(const struct v3_fake_host *host);
/* The most pages and heap bytes that were allocated at once. */
uint64_t v3_fake_host_pages_peak(const struct v3_fake_host *host);
uint64_t v3_fake_host_heap_peak(const struct v3_fake_host *host);

/* Large blocks and nodes
 * The host has hooks for neither until add_blocks, before v3_init(). Then claims come from what it
 * was told to hold, in the order of addresses. Node 0 has the first half of the CPUs.
 * cpu_choose gives CPU 0 on node 0 and the last one on node 1.
 */
void v3_fake_host_add_blocks(struct v3_fake_host *host);
/* Holds one more range and returns its address: later ones lie below earlier ones. */
v3_hpa_t v3_fake_host_hold(struct v3_fake_host *host, uint64_t size, uint64_t align, int node);
/* Claims now, calls of block_claim ever, and releases of memory that a guest may have written. */
unsigned int v3_fake_host_claims(const struct v3_fake_host *host);
unsigned int v3_fake_host_claim_calls(const struct v3_fake_host *host);
unsigned int v3_fake_host_used_releases(const struct v3_fake_host *host);
/* What a claim that v3_fake_host_fail_nth() hits answers; V3_ERR_NOMEM at first. */
void v3_fake_host_set_claim_error(struct v3_fake_host *host, enum v3_status status);
/* Between the nodes; 21 at first. */
void v3_fake_host_set_distance(struct v3_fake_host *host, unsigned int distance);

/* CPUs */
void v3_fake_host_set_cpu_count(struct v3_fake_host *host, unsigned int count);
void v3_fake_host_set_online(struct v3_fake_host *host, unsigned int cpu, bool online);
/* Interrupts from cpu_kick and timers since they were taken; take returns and forgets them. */
unsigned int v3_fake_host_take_irqs(struct v3_fake_host *host, unsigned int cpu);
/* All kicks ever. */
unsigned int v3_fake_host_kicks(const struct v3_fake_host *host, unsigned int cpu);
/* Called at the end of each cpu_kick, in its context; NULL: nothing. */
void v3_fake_host_on_kick(struct v3_fake_host *host, void (*fn)(void *arg, unsigned int cpu),
			  void *arg);
/* What should_yield answers from now on, and how often yield was called. */
void v3_fake_host_set_should_yield(struct v3_fake_host *host, bool answer);
/* The same for can_poll; no at first. */
void v3_fake_host_set_can_poll(struct v3_fake_host *host, bool answer);
unsigned int v3_fake_host_yields(const struct v3_fake_host *host);

/* Threads */
enum v3_fake_thread_mode {
	V3_FAKE_MANUAL,		/* run in the test's thread by run_thread, at the latest by join */
	V3_FAKE_INLINE,		/* run inside thread_start */
	V3_FAKE_PTHREADS,	/* real threads */
};
void v3_fake_host_set_threads(struct v3_fake_host *host, enum v3_fake_thread_mode mode);
/* MANUAL: runs the oldest thread that has not run; false if there is none. */
bool v3_fake_host_run_thread(struct v3_fake_host *host);
/* Threads started and not joined. */
unsigned int v3_fake_host_threads(const struct v3_fake_host *host);
/*
 * MANUAL and INLINE: called by an event_wait that would block, which then returns; the function may
 * signal or move the clock. Without it a wait moves the clock to its deadline; if there is none
 * the test fails, because it would wait for ever.
 */
void v3_fake_host_on_idle(struct v3_fake_host *host, void (*fn)(void *arg, uint64_t deadline),
			  void *arg);

/* Time */
uint64_t v3_fake_host_now(const struct v3_fake_host *host);
/* Moves clock and TSC; timers that are due give their CPU an interrupt, waiters wake up. */
void v3_fake_host_advance(struct v3_fake_host *host, uint64_t ns);
/* PTHREADS: whether a wait with a deadline moves the clock there by itself (default: yes). */
void v3_fake_host_set_auto_clock(struct v3_fake_host *host, bool on);
/* The earliest deadline of the armed timers of a CPU, UINT64_MAX if there is none. */
uint64_t v3_fake_host_timer_deadline(const struct v3_fake_host *host, unsigned int cpu);

/* Ownership of SVM or VMX: what virt_acquire answers, and whether it is granted on a CPU now. */
void v3_fake_host_set_virt_answer(struct v3_fake_host *host, enum v3_status answer);
bool v3_fake_host_virt_held(const struct v3_fake_host *host, unsigned int cpu);
/* What cr4_update answers when CR4.VMXE is to be set. */
void v3_fake_host_set_cr4_answer(struct v3_fake_host *host, enum v3_status answer);

/* Whether this thread is between fpu_begin and fpu_end. */
bool v3_fake_host_in_fpu(void);

/* Log: lines so far, and whether one of that level holds the text. */
unsigned int v3_fake_host_log_count(const struct v3_fake_host *host, enum v3_log_level level);
bool v3_fake_host_log_has(const struct v3_fake_host *host, enum v3_log_level level,
			  const char *text);
void v3_fake_host_log_clear(struct v3_fake_host *host);
/* Prints the whole log; V3_FAKE_VERBOSE=1 in the environment prints each line as it comes. */
void v3_fake_host_log_print(const struct v3_fake_host *host);

/* Notifications so far */
unsigned int v3_fake_host_console_notes(const struct v3_fake_host *host);
unsigned int v3_fake_host_state_notes(const struct v3_fake_host *host);

#endif
