/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and events of the fake host. */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_lock.h"
#include "fakes/fake_x86_state.h"

/* Real time after which a wait is taken for a deadlock, and that a wait gives others to signal. */
#define DEADLOCK_SECONDS	30
#define GRACE_NS		1000000L

/* Runs a thread's function as its thread would, in the calling thread. */
static void run(struct v3_host_thread *thread)
{
	struct fake_thread cpu_before = fake_thread;
	struct fake_context context_before = fake_context;
	unsigned int locks = v3_fake_locks_held();

	fake_thread = (struct fake_thread){ .cpu = thread->cpu, .irqs_on = true, .gif = true };
	fake_context = (struct fake_context){ .pinned = true };
	thread->fn(thread->arg);
	if (!v3_fake_irqs_on() || fake_context.fpu || v3_fake_locks_held() != locks)
		v3_fake_fail("a thread ended with interrupts off, owning the FPU or holding a lock");
	fake_thread = cpu_before;
	fake_context = context_before;
	__atomic_store_n(&thread->finished, true, __ATOMIC_RELEASE);
}

static void *pthread_main(void *arg)
{
	run(arg);
	return NULL;
}

static struct v3_host_thread *new_thread(struct v3_fake_host *host)
{
	struct v3_host_thread *thread = NULL;

	fake_host_lock(host);
	for (unsigned int i = 0; i < FAKE_MAX_THREADS && !thread; i++)
		if (!host->threads[i].used)
			thread = &host->threads[i];
	if (thread)
		*thread = (struct v3_host_thread){
			.used = true, .host = host, .sequence = host->thread_sequence++
		};
	fake_host_unlock(host);
	return thread;
}

static void begin(struct v3_host_thread *thread)
{
	thread->started = true;
	if (thread->host->mode != V3_FAKE_PTHREADS)
		run(thread);
	else if (pthread_create(&thread->pthread, NULL, pthread_main, thread) != 0)
		v3_fake_fail("pthread_create failed");
}

enum v3_status fake_thread_start(void *ctx, const char *name, int cpu, void (*fn)(void *arg),
				 void *arg, struct v3_host_thread **out)
{
	struct v3_fake_host *host = ctx;
	struct v3_host_thread *thread;

	fake_need_process("thread_start");
	if (!name || !name[0] || !fn || cpu < V3_CPU_ANY)
		v3_fake_fail("thread_start without name or function, or on CPU %d", cpu);
	if (cpu >= (int)host->num_cpus || (cpu >= 0 && host->offline[cpu]))
		return V3_ERR_NOENT;
	if (fake_alloc_fails(host, "thread_start"))
		return V3_ERR_NOMEM;
	thread = new_thread(host);
	if (!thread) {
		v3_fake_fail("more than %d threads", FAKE_MAX_THREADS);
		return V3_ERR_NOMEM;
	}
	thread->cpu = cpu == V3_CPU_ANY ? thread->sequence % host->num_cpus : (unsigned int)cpu;
	thread->fn = fn;
	thread->arg = arg;
	*out = thread;
	if (host->mode != V3_FAKE_MANUAL)
		begin(thread);
	return V3_OK;
}

void fake_thread_join(void *ctx, struct v3_host_thread *thread)
{
	struct v3_fake_host *host = ctx;

	fake_need_process("thread_join");
	if (!thread || !thread->used) {
		v3_fake_fail("thread_join of a thread that is not there");
		return;
	}
	if (!thread->started)
		begin(thread);
	if (host->mode == V3_FAKE_PTHREADS)
		pthread_join(thread->pthread, NULL);
	if (!thread->finished)
		v3_fake_fail("thread_join of a thread by itself: it would wait for ever");
	fake_host_lock(host);
	thread->used = false;
	fake_host_unlock(host);
}

void v3_fake_host_set_threads(struct v3_fake_host *host, enum v3_fake_thread_mode mode)
{
	if (v3_fake_host_threads(host) > 0)
		v3_fake_fail("the mode of threads is changed while there are some");
	host->mode = mode;
}

bool v3_fake_host_run_thread(struct v3_fake_host *host)
{
	struct v3_host_thread *oldest = NULL;

	for (unsigned int i = 0; i < FAKE_MAX_THREADS; i++) {
		struct v3_host_thread *thread = &host->threads[i];

		if (thread->used && !thread->started &&
		    (!oldest || thread->sequence < oldest->sequence))
			oldest = thread;
	}
	if (oldest)
		begin(oldest);
	return oldest != NULL;
}

unsigned int v3_fake_host_threads(const struct v3_fake_host *host)
{
	unsigned int count = 0;

	fake_host_lock(host);
	for (unsigned int i = 0; i < FAKE_MAX_THREADS; i++)
		count += host->threads[i].used;
	fake_host_unlock(host);
	return count;
}

void fake_yield(void *ctx)
{
	struct v3_fake_host *host = ctx;

	fake_need_process("yield");
	__atomic_add_fetch(&host->yields, 1, __ATOMIC_RELAXED);
	sched_yield();
}

unsigned int v3_fake_host_yields(const struct v3_fake_host *host)
{
	return __atomic_load_n(&host->yields, __ATOMIC_RELAXED);
}

/* Events */

enum v3_status fake_event_create(void *ctx, struct v3_host_event **out)
{
	struct v3_fake_host *host = ctx;
	unsigned int i;

	fake_need_process("event_create");
	if (fake_alloc_fails(host, "event_create"))
		return V3_ERR_NOMEM;
	fake_host_lock(host);
	for (i = 0; i < FAKE_MAX_EVENTS && host->events[i].used; i++)
		;
	if (i < FAKE_MAX_EVENTS) {
		host->events[i] = (struct v3_host_event){ .used = true };
		pthread_cond_init(&host->events[i].cond, NULL);
		*out = &host->events[i];
	}
	fake_host_unlock(host);
	return i < FAKE_MAX_EVENTS ? V3_OK : V3_ERR_NOMEM;
}

static bool check_event(const char *hook, const struct v3_host_event *event)
{
	if (event && event->used)
		return true;
	v3_fake_fail("%s of an event that is not there", hook);
	return false;
}

void fake_event_destroy(void *ctx, struct v3_host_event *event)
{
	struct v3_fake_host *host = ctx;

	fake_need_process("event_destroy");
	fake_host_lock(host);
	if (check_event("event_destroy", event)) {
		if (event->waiters > 0)
			v3_fake_fail("event_destroy while somebody waits for it");
		event->used = false;
		pthread_cond_destroy(&event->cond);
	}
	fake_host_unlock(host);
}

void fake_event_signal(void *ctx, struct v3_host_event *event)
{
	struct v3_fake_host *host = ctx;

	fake_host_lock(host);
	if (check_event("event_signal", event)) {
		event->signaled = true;
		pthread_cond_broadcast(&event->cond);
	}
	fake_host_unlock(host);
}

/* Mutex held. The only thread waits: the test moves things on, or the clock does. */
static void wait_alone(struct v3_fake_host *host, struct v3_host_event *event, uint64_t deadline)
{
	if (event->signaled || host->now >= deadline)
		return;
	if (host->on_idle)
		host->on_idle(host->on_idle_arg, deadline);
	else if (deadline != UINT64_MAX)
		fake_clock_to(host, deadline);
	else
		v3_fake_fail("event_wait without deadline or signal, and nobody else runs: it "
			     "would wait for ever (v3_fake_host_on_idle helps)");
}

/* Mutex held, and released by the wait. */
static void wait_with_others(struct v3_fake_host *host, struct v3_host_event *event,
			     uint64_t deadline)
{
	struct timespec now, until;
	time_t give_up;

	clock_gettime(CLOCK_REALTIME, &now);
	give_up = now.tv_sec + DEADLOCK_SECONDS;
	while (!event->signaled && host->now < deadline) {
		bool jump = host->auto_clock && deadline != UINT64_MAX;

		clock_gettime(CLOCK_REALTIME, &until);
		if (until.tv_sec > give_up) {
			v3_fake_fail("event_wait for more than %d s: deadlock?", DEADLOCK_SECONDS);
			return;
		}
		until.tv_nsec += GRACE_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
		if (pthread_cond_timedwait(&event->cond, &host->mutex, &until) == ETIMEDOUT && jump)
			fake_clock_to(host, deadline);
	}
}

void fake_event_wait(void *ctx, struct v3_host_event *event, uint64_t deadline)
{
	struct v3_fake_host *host = ctx;

	fake_need_process("event_wait");
	fake_host_lock(host);
	if (check_event("event_wait", event)) {
		event->waiters++;
		if (host->mode == V3_FAKE_PTHREADS)
			wait_with_others(host, event, deadline);
		else
			wait_alone(host, event, deadline);
		event->waiters--;
		event->signaled = false;
	}
	fake_host_unlock(host);
}

void v3_fake_host_on_idle(struct v3_fake_host *host, void (*fn)(void *arg, uint64_t deadline),
			  void *arg)
{
	host->on_idle = fn;
	host->on_idle_arg = arg;
}

void fake_threads_destroy(struct v3_fake_host *host)
{
	for (unsigned int i = 0; i < FAKE_MAX_THREADS; i++)
		if (host->threads[i].used)
			v3_fake_fail("leak: a thread on CPU %u was not joined",
				     host->threads[i].cpu);
	for (unsigned int i = 0; i < FAKE_MAX_EVENTS; i++)
		if (host->events[i].used)
			v3_fake_fail("leak: an event was not destroyed");
}
