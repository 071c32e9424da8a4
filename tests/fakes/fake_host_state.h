/* SPDX-License-Identifier: BSD-2-Clause */
/* State of the fake host: between the files fake_host*.c, not for tests. */
#ifndef V3_FAKES_FAKE_HOST_STATE_H
#define V3_FAKES_FAKE_HOST_STATE_H

#include <pthread.h>

#include <v3/pool.h>

#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"

#define FAKE_MAX_RUNS		4096
#define FAKE_MAX_OBJECTS	4096
#define FAKE_MAX_CLAIMS		256
#define FAKE_MAX_THREADS	64
#define FAKE_MAX_EVENTS		256
#define FAKE_MAX_TIMERS		256
#define FAKE_MAX_LOG		1024
#define FAKE_LOG_LINE		256

/* Pages [page, page+count) of the arena. */
struct fake_run {
	uint64_t page, count;
};

struct fake_object {
	uint8_t *block;	/* what malloc gave */
	uint8_t *ptr;	/* what the library got */
	size_t size;
};

struct fake_claim {
	v3_hpa_t hpa;
	uint64_t size;
	int32_t node;
	bool zeroed;
};

struct v3_host_thread {
	struct v3_fake_host *host;
	bool used, started, finished;
	unsigned int cpu, sequence;
	void (*fn)(void *arg);
	void *arg;
	pthread_t pthread;
};

struct v3_host_event {
	bool used, signaled;
	unsigned int waiters;
	pthread_cond_t cond;
};

struct v3_host_timer {
	bool used, armed;
	unsigned int cpu;
	uint64_t deadline;
};

struct fake_log_line {
	enum v3_log_level level;
	char text[FAKE_LOG_LINE];
};

struct v3_fake_host {
	/* Guards all below; recursive, because callbacks of tests call in again. */
	pthread_mutex_t mutex;
	struct v3_os_hooks hooks;

	uint8_t *arena;
	struct fake_run runs[FAKE_MAX_RUNS];	/* sorted by page */
	unsigned int num_runs;
	struct fake_object objects[FAKE_MAX_OBJECTS];
	unsigned int num_objects;
	uint64_t pages, pages_peak, heap, heap_peak;
	unsigned int allocs, fail_in;

	struct v3_pool pool;
	struct fake_claim claims[FAKE_MAX_CLAIMS];
	unsigned int num_claims, claim_calls, used_releases, distance;
	enum v3_status claim_error;

	unsigned int num_cpus;
	bool offline[V3_FAKE_MAX_CPUS], virt_held[V3_FAKE_MAX_CPUS];
	unsigned int irqs[V3_FAKE_MAX_CPUS], kicks[V3_FAKE_MAX_CPUS];
	void (*on_kick)(void *arg, unsigned int cpu);
	void *on_kick_arg;
	bool should_yield, can_poll;
	unsigned int yields;
	enum v3_status virt_answer, cr4_answer;

	enum v3_fake_thread_mode mode;
	struct v3_host_thread threads[FAKE_MAX_THREADS];
	unsigned int thread_sequence;
	struct v3_host_event events[FAKE_MAX_EVENTS];
	void (*on_idle)(void *arg, uint64_t deadline);
	void *on_idle_arg;

	uint64_t now;
	bool auto_clock;
	struct v3_host_timer timers[FAKE_MAX_TIMERS];

	struct fake_log_line log[FAKE_MAX_LOG];
	unsigned int num_log;
	bool verbose;
	unsigned int console_notes, state_notes;
};

/* What the calling thread is in the middle of. */
struct fake_context {
	unsigned int cpu_calls;
	bool fpu, pinned;
};

extern _Thread_local struct fake_context fake_context;

void fake_host_lock(const struct v3_fake_host *host);
void fake_host_unlock(const struct v3_fake_host *host);

/* Fails the test unless the caller may sleep. */
void fake_need_process(const char *hook);

/* Counts an allocation; true if this one is to fail. */
bool fake_alloc_fails(struct v3_fake_host *host, const char *hook);

void fake_log(void *ctx, enum v3_log_level level, const char *line);

void fake_memory_create(struct v3_fake_host *host);
void fake_memory_destroy(struct v3_fake_host *host);
enum v3_status fake_page_alloc(void *ctx, size_t count, size_t align, int node, uint64_t limit,
			       v3_hpa_t *hpa);
void fake_page_free(void *ctx, v3_hpa_t hpa, size_t count);
void *fake_phys_to_virt(void *ctx, v3_hpa_t hpa);
v3_hpa_t fake_virt_to_phys(void *ctx, const void *virt);
void *fake_heap_alloc(void *ctx, size_t size);
void fake_heap_free(void *ctx, void *ptr, size_t size);

void fake_blocks_destroy(struct v3_fake_host *host);

void fake_threads_destroy(struct v3_fake_host *host);
enum v3_status fake_thread_start(void *ctx, const char *name, int cpu, void (*fn)(void *arg),
				 void *arg, struct v3_host_thread **thread);
void fake_thread_join(void *ctx, struct v3_host_thread *thread);
enum v3_status fake_event_create(void *ctx, struct v3_host_event **event);
void fake_event_destroy(void *ctx, struct v3_host_event *event);
void fake_event_wait(void *ctx, struct v3_host_event *event, uint64_t deadline);
void fake_event_signal(void *ctx, struct v3_host_event *event);
void fake_yield(void *ctx);

/* Mutex held: moves the clock forward to now, if it is not there yet. */
void fake_clock_to(struct v3_fake_host *host, uint64_t now);
void fake_cpus_destroy(struct v3_fake_host *host);
void fake_cpu_hooks(struct v3_os_hooks *hooks);

#endif
