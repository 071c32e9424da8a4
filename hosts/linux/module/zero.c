/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Zeroing of guest memory: threads on the node's CPUs, and the caller, take pieces until none is
 * left. Stores are non-temporal: gigabytes of zeros are not to push everything else out of the
 * caches. MOVNTI needs no FPU registers, so it needs no kernel_fpu_begin().
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/topology.h>

#include "blocks.h"
#include "own.h"

/* Taken at a time; and zeroed without a look around: some 0.1 ms. */
#define PIECE (8ul << 20)
#define STEP (1ul << 20)
/* More do not make a node's memory faster. */
#define MAX_HELPERS 15

struct job {
	void *start;
	size_t size;
	bool killable;
	struct task_struct *caller;
	struct v3_lx_progress *progress;
	atomic_long_t next;		/* start of the next piece */
	atomic_long_t done;		/* bytes, for the progress */
	u64 done_before;
	unsigned int helpers;
	struct completion gone;		/* one for each helper */
};

static void zero_step(void *start, size_t size)
{
	unsigned long at = (unsigned long)start, end = at + size;

	for (; at < end; at += 64)
		asm volatile("movnti %1, (%0)\n\t"
			     "movnti %1, 8(%0)\n\t"
			     "movnti %1, 16(%0)\n\t"
			     "movnti %1, 24(%0)\n\t"
			     "movnti %1, 32(%0)\n\t"
			     "movnti %1, 40(%0)\n\t"
			     "movnti %1, 48(%0)\n\t"
			     "movnti %1, 56(%0)"
			     : : "r" (at), "r" (0ul) : "memory");
}

/* What the caller was killed for is not worth another gigabyte. */
static bool over(const struct job *job)
{
	return job->killable && fatal_signal_pending(job->caller);
}

static void work(struct job *job)
{
	size_t at, end;

	while (!over(job)) {
		at = atomic_long_fetch_add(PIECE, &job->next);
		if (at >= job->size)
			break;
		for (end = min(at + PIECE, job->size); at < end; at += STEP) {
			zero_step(job->start + at, min(STEP, end - at));
			cond_resched();
		}
		atomic_long_add(PIECE, &job->done);
		WRITE_ONCE(job->progress->done, job->done_before +
			   min_t(u64, atomic_long_read(&job->done), job->size));
	}
	/* non-temporal stores are ordered by nothing else (APM2 7.5) */
	asm volatile("sfence" : : : "memory");
}

static int worker(void *arg)
{
	struct job *job = arg;

	work(job);
	/* not by return: nothing of this module may be left to run when the caller goes on */
	kthread_complete_and_exit(&job->gone, 0);
}

/* CPUs of the node that no VM owns. */
static void node_cpus(struct cpumask *mask, int node)
{
	unsigned int cpu;

	/* memory may have no CPUs beside it */
	if (node == V3_NODE_ANY ||
	    !cpumask_and(mask, cpumask_of_node(node), cpu_online_mask))
		cpumask_copy(mask, cpu_online_mask);
	for_each_cpu(cpu, mask)
		if (v3_lx_owner(cpu).vm)
			cpumask_clear_cpu(cpu, mask);
}

/* As many helpers as are of use. Without any the caller does it all. */
static void start_helpers(struct job *job, int node)
{
	unsigned int i, count;
	struct task_struct *task;
	cpumask_var_t mask;

	if (!alloc_cpumask_var(&mask, GFP_KERNEL))
		return;
	node_cpus(mask, node);
	/* the caller is one */
	count = cpumask_weight(mask) - cpumask_test_cpu(raw_smp_processor_id(), mask);
	count = min3(count, (unsigned int)(job->size / PIECE), (unsigned int)MAX_HELPERS);
	for (i = 0; i < count; i++) {
		task = kthread_create_on_node(worker, job, node, "v3-zero/%u", i);
		if (IS_ERR(task))
			break;
		set_cpus_allowed_ptr(task, mask);
		job->helpers++;
		wake_up_process(task);
	}
	free_cpumask_var(mask);
}

bool v3_lx_zero(unsigned long pfn, size_t count, int node, bool killable)
{
	struct job job = {
		.start = __va(PFN_PHYS(pfn)), .size = count << PAGE_SHIFT, .killable = killable,
		.caller = current, .progress = v3_lx_progress(),
	};
	u64 start = ktime_get_ns();

	job.done_before = job.progress->done;
	init_completion(&job.gone);
	start_helpers(&job, node);
	work(&job);
	while (job.helpers--)
		wait_for_completion(&job.gone);
	v3_lx_spent(V3_LX_SPENT_ZERO, start);
	return !over(&job);
}
