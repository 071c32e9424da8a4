/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Threads that stay on their CPU, and events. */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/swait.h>
#include <linux/topology.h>

#include "compat.h"
#include "lx.h"

struct v3_host_thread {
	struct list_head link;		/* threads; while fn runs */
	struct task_struct *task;
	const struct v3_lx_vm *vm;	/* who started it, or NULL */
	unsigned int cpu;
	void (*fn)(void *arg);
	void *arg;
	struct completion settled;	/* on its CPU, or refused */
	bool refused;
};

static DEFINE_SPINLOCK(threads_lock);	/* the next two */
static LIST_HEAD(threads);
static struct cpumask blocked;		/* CPUs on which none may start */
static DECLARE_WAIT_QUEUE_HEAD(threads_gone);

/*
 * Binding alone does not keep a kernel thread on its CPU: once that CPU begins to go offline the
 * scheduler moves such threads elsewhere, and VMRUN would hit a CPU that was never enabled. A
 * thread with migration disabled is left where it is until the offlining waits for it, which is
 * after our own callback (hotplug.c) has stopped its VM.
 */
static bool thread_settle(struct v3_host_thread *thread)
{
	bool ok;

	spin_lock(&threads_lock);
	ok = raw_smp_processor_id() == thread->cpu && !cpumask_test_cpu(thread->cpu, &blocked);
	/* in this order: own.c enters an owner first and looks for threads then */
	if (ok)
		list_add(&thread->link, &threads);
	if (ok && !v3_lx_cpu_allowed(thread->cpu, thread->vm)) {
		list_del(&thread->link);
		ok = false;
	}
	spin_unlock(&threads_lock);
	return ok;
}

static int thread_main(void *data)
{
	struct v3_host_thread *thread = data;
	bool ok;

	migrate_disable();
	ok = thread_settle(thread);
	thread->refused = !ok;
	complete(&thread->settled);
	if (ok) {
		thread->fn(thread->arg);
		spin_lock(&threads_lock);
		list_del(&thread->link);
		spin_unlock(&threads_lock);
	}
	migrate_enable();
	wake_up_all(&threads_gone);
	return 0;
}

const struct v3_lx_vm *v3_lx_thread_vm(void)
{
	if (!(current->flags & PF_KTHREAD) || kthread_func(current) != thread_main)
		return NULL;
	return ((struct v3_host_thread *)kthread_data(current))->vm;
}

/* Of these CPUs that the caller may use, the one with the fewest of our threads; -1: none. */
static int choose_cpu(const struct v3_lx_vm *vm, const struct cpumask *mask)
{
	unsigned int cpu, load, best_load = UINT_MAX;
	struct v3_host_thread *thread;
	int best = -1;

	spin_lock(&threads_lock);
	for_each_cpu_and(cpu, current->cpus_ptr, mask) {
		load = 0;
		list_for_each_entry(thread, &threads, link)
			load += thread->cpu == cpu;
		if (load < best_load && !cpumask_test_cpu(cpu, &blocked) &&
		    v3_lx_cpu_allowed(cpu, vm)) {
			best = cpu;
			best_load = load;
		}
	}
	spin_unlock(&threads_lock);
	return best;
}

/* The nearest node with CPUs: memory may have none beside it. */
static int node_with_cpus(int node)
{
	int i, best = first_node(node_states[N_CPU]);

	for_each_node_state(i, N_CPU)
		if (node_distance(node, i) < node_distance(node, best))
			best = i;
	return best;
}

/* A CPU near the memory; without one it may be any. */
int v3_lx_cpu_choose(void *ctx, void *vm_ctx, unsigned int node)
{
	int cpu = -1;

	if (node < nr_node_ids && node_online(node))
		cpu = choose_cpu(vm_ctx, cpumask_of_node(node_with_cpus(node)));
	return cpu < 0 ? V3_CPU_ANY : cpu;
}

static enum v3_status thread_spawn(struct v3_host_thread *thread, const char *name)
{
	struct task_struct *task;
	char owner[V3_IOC_NAME];

	task = kthread_create_on_node(thread_main, thread, cpu_to_node(thread->cpu), "%s", name);
	if (IS_ERR(task)) {
		v3_lx_logf(V3_LOG_ERROR, "cannot start thread %s: error %ld", name, PTR_ERR(task));
		return PTR_ERR(task) == -EINTR ? V3_ERR_AGAIN : V3_ERR_NOMEM;
	}
	kthread_bind(task, thread->cpu);
	thread->task = get_task_struct(task);
	wake_up_process(task);
	wait_for_completion(&thread->settled);
	if (!thread->refused)
		return V3_OK;
	if (v3_lx_cpu_owner_name(thread->cpu, owner) && !v3_lx_cpu_allowed(thread->cpu, thread->vm))
		v3_lx_logf(V3_LOG_ERROR, "cannot start thread %s: host CPU %u is owned by VM '%s'",
			   name, thread->cpu, owner);
	else
		v3_lx_logf(V3_LOG_ERROR,
			   "cannot start thread %s: host CPU %u is offline or about to be", name,
			   thread->cpu);
	kthread_stop(task);
	put_task_struct(task);
	return V3_ERR_NOENT;
}

enum v3_status v3_lx_thread_start(void *ctx, const char *name, int cpu, void (*fn)(void *arg),
				  void *arg, struct v3_host_thread **out)
{
	struct v3_lx_call *call = v3_lx_call_current();
	struct v3_host_thread *thread;
	enum v3_status status;

	if (cpu == V3_CPU_ANY)
		cpu = choose_cpu(call ? call->vm : NULL, cpu_online_mask);
	if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_online(cpu)) {
		if (cpu == V3_CPU_ANY)
			v3_lx_logf(V3_LOG_ERROR,
				   "cannot start thread %s: every host CPU that it may use is owned or about to go offline",
				   name);
		else
			v3_lx_logf(V3_LOG_ERROR, "cannot start thread %s: no host CPU %d is online",
				   name, cpu);
		return V3_ERR_NOENT;
	}
	thread = kzalloc(sizeof(*thread), GFP_KERNEL);
	if (!thread)
		return V3_ERR_NOMEM;
	thread->vm = call ? call->vm : NULL;
	thread->cpu = cpu;
	thread->fn = fn;
	thread->arg = arg;
	init_completion(&thread->settled);
	status = thread_spawn(thread, name);
	if (status) {
		kfree(thread);
		return status;
	}
	*out = thread;
	return V3_OK;
}

/* kthread_stop() waits until the thread has left this module's code for good. */
void v3_lx_thread_join(void *ctx, struct v3_host_thread *thread)
{
	kthread_stop(thread->task);
	put_task_struct(thread->task);
	kfree(thread);
}

void v3_lx_threads_allow(unsigned int cpu, bool allow)
{
	spin_lock(&threads_lock);
	if (allow)
		cpumask_clear_cpu(cpu, &blocked);
	else
		cpumask_set_cpu(cpu, &blocked);
	spin_unlock(&threads_lock);
}

bool v3_lx_threads_on(const struct v3_lx_vm *vm, unsigned int cpu)
{
	struct v3_host_thread *thread;
	bool found = false;

	spin_lock(&threads_lock);
	list_for_each_entry(thread, &threads, link)
		found |= thread->cpu == cpu && (!vm || thread->vm == vm);
	spin_unlock(&threads_lock);
	return found;
}

bool v3_lx_threads_wait_gone(unsigned int cpu, unsigned int ms)
{
	return wait_event_timeout(threads_gone, !v3_lx_threads_on(NULL, cpu),
				  msecs_to_jiffies(ms)) != 0;
}

/* Simple wait queues: their lock may be taken with interrupts off under PREEMPT_RT, too. */
struct v3_host_event {
	struct swait_queue_head queue;
	atomic_t signaled;
	int watcher;			/* 1 + the CPU that waits for it in HLT, or 0 */
};

enum v3_status v3_lx_event_create(void *ctx, struct v3_host_event **out)
{
	struct v3_host_event *event = kzalloc(sizeof(*event), GFP_KERNEL);

	if (!event)
		return V3_ERR_NOMEM;
	init_swait_queue_head(&event->queue);
	*out = event;
	return V3_OK;
}

void v3_lx_event_destroy(void *ctx, struct v3_host_event *event)
{
	kfree(event);
}

void v3_lx_event_wait(void *ctx, struct v3_host_event *event, uint64_t deadline)
{
	bool forever = deadline > KTIME_MAX;
	ktime_t expires = ns_to_ktime(forever ? KTIME_MAX : deadline);
	bool expired = false;
	DECLARE_SWAITQUEUE(wait);

	/* idle: neither load nor, after two minutes in HLT, a hung task */
	for (;;) {
		prepare_to_swait_exclusive(&event->queue, &wait, TASK_IDLE);
		if (atomic_xchg(&event->signaled, 0) || expired)
			break;
		if (forever)
			schedule();
		else
			expired = !schedule_hrtimeout_range(&expires, 0, HRTIMER_MODE_ABS);
	}
	finish_swait(&event->queue, &wait);
}

void v3_lx_event_signal(void *ctx, struct v3_host_event *event)
{
	int watcher;

	if (atomic_xchg(&event->signaled, 1))
		return;
	watcher = READ_ONCE(event->watcher);
	if (watcher)
		v3_lx_send_reschedule(watcher - 1);
	else
		swake_up_one(&event->queue);
}

bool v3_lx_event_take(struct v3_host_event *event)
{
	return atomic_xchg(&event->signaled, 0);
}

/* Whoever watches looks at the signal after this, whoever signals looks for watchers after that. */
void v3_lx_event_watch(struct v3_host_event *event, int cpu)
{
	xchg(&event->watcher, cpu + 1);
}
