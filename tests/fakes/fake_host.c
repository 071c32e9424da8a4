/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation, contexts, failing allocations and log of the fake host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_lock.h"
#include "fakes/fake_vmx_state.h"

_Thread_local struct fake_context fake_context;

void fake_host_lock(const struct v3_fake_host *host)
{
	pthread_mutex_lock((pthread_mutex_t *)&host->mutex);
}

void fake_host_unlock(const struct v3_fake_host *host)
{
	pthread_mutex_unlock((pthread_mutex_t *)&host->mutex);
}

void fake_need_process(const char *hook)
{
	unsigned int locks = v3_fake_locks_held();

	if (!v3_fake_irqs_on() || locks > 0 || fake_context.cpu_calls > 0 || fake_context.fpu)
		v3_fake_fail("hook %s may sleep, but was called with interrupts %s, %u locks held%s%s",
			     hook, v3_fake_irqs_on() ? "on" : "off", locks,
			     fake_context.cpu_calls ? ", in cpu_call" : "",
			     fake_context.fpu ? ", between fpu_begin and fpu_end" : "");
}

bool fake_alloc_fails(struct v3_fake_host *host, const char *hook)
{
	bool fails = false;

	fake_host_lock(host);
	host->allocs++;
	if (host->fail_in > 0)
		fails = --host->fail_in == 0;
	if (fails && host->verbose)
		fprintf(stderr, "fake host: %s fails (allocation %u)\n", hook, host->allocs);
	fake_host_unlock(host);
	return fails;
}

unsigned int v3_fake_host_allocs(const struct v3_fake_host *host)
{
	return host->allocs;
}

void v3_fake_host_fail_nth(struct v3_fake_host *host, unsigned int nth)
{
	host->fail_in = nth;
}

/* Log */

void fake_log(void *ctx, enum v3_log_level level, const char *line)
{
	struct v3_fake_host *host = ctx;
	struct fake_log_line *entry;

	if (level < V3_LOG_ERROR || level > V3_LOG_TRACE)
		v3_fake_fail("log level %d", (int)level);
	if (strchr(line, '\n') || line[0] == '\0')
		v3_fake_fail("log line is empty or has a newline: '%s'", line);
	fake_host_lock(host);
	entry = &host->log[host->num_log++ % FAKE_MAX_LOG];
	entry->level = level;
	snprintf(entry->text, sizeof(entry->text), "%s", line);
	if (host->verbose)
		fprintf(stderr, "log %d: %s\n", (int)level, line);
	fake_host_unlock(host);
}

static unsigned int kept_lines(const struct v3_fake_host *host)
{
	return host->num_log < FAKE_MAX_LOG ? host->num_log : FAKE_MAX_LOG;
}

unsigned int v3_fake_host_log_count(const struct v3_fake_host *host, enum v3_log_level level)
{
	unsigned int count = 0;

	fake_host_lock(host);
	for (unsigned int i = 0; i < kept_lines(host); i++)
		count += host->log[i].level == level;
	fake_host_unlock(host);
	return count;
}

bool v3_fake_host_log_has(const struct v3_fake_host *host, enum v3_log_level level,
			  const char *text)
{
	bool found = false;

	fake_host_lock(host);
	for (unsigned int i = 0; i < kept_lines(host) && !found; i++)
		found = host->log[i].level == level && strstr(host->log[i].text, text);
	fake_host_unlock(host);
	return found;
}

void v3_fake_host_log_clear(struct v3_fake_host *host)
{
	fake_host_lock(host);
	host->num_log = 0;
	fake_host_unlock(host);
}

void v3_fake_host_log_print(const struct v3_fake_host *host)
{
	fake_host_lock(host);
	for (unsigned int i = host->num_log - kept_lines(host); i < host->num_log; i++)
		fprintf(stderr, "log %d: %s\n", (int)host->log[i % FAKE_MAX_LOG].level,
			host->log[i % FAKE_MAX_LOG].text);
	fake_host_unlock(host);
}

/* Notifications */

static void console_notify(void *ctx, struct v3_vm *vm, void *vm_ctx, unsigned int index)
{
	struct v3_fake_host *host = ctx;

	(void)vm_ctx;
	if (!vm)
		v3_fake_fail("console_notify of no VM, console %u", index);
	__atomic_add_fetch(&host->console_notes, 1, __ATOMIC_RELAXED);
}

static void state_notify(void *ctx, struct v3_vm *vm, void *vm_ctx)
{
	struct v3_fake_host *host = ctx;

	(void)vm_ctx;
	if (!vm)
		v3_fake_fail("state_notify of no VM");
	__atomic_add_fetch(&host->state_notes, 1, __ATOMIC_RELAXED);
}

unsigned int v3_fake_host_console_notes(const struct v3_fake_host *host)
{
	return __atomic_load_n(&host->console_notes, __ATOMIC_RELAXED);
}

unsigned int v3_fake_host_state_notes(const struct v3_fake_host *host)
{
	return __atomic_load_n(&host->state_notes, __ATOMIC_RELAXED);
}

/* Creation */

static void fill_hooks(struct v3_fake_host *host)
{
	host->hooks = (struct v3_os_hooks){
		.abi_version = V3_HOOKS_ABI_VERSION,
		.struct_size = sizeof(struct v3_os_hooks),
		.ctx = host,
		.log = fake_log,
		.page_alloc = fake_page_alloc,
		.page_free = fake_page_free,
		.phys_to_virt = fake_phys_to_virt,
		.virt_to_phys = fake_virt_to_phys,
		.heap_alloc = fake_heap_alloc,
		.heap_free = fake_heap_free,
		.thread_start = fake_thread_start,
		.thread_join = fake_thread_join,
		.event_create = fake_event_create,
		.event_destroy = fake_event_destroy,
		.event_wait = fake_event_wait,
		.event_signal = fake_event_signal,
		.yield = fake_yield,
		.console_notify = console_notify,
		.state_notify = state_notify,
	};
	fake_cpu_hooks(&host->hooks);
}

struct v3_fake_host *v3_fake_host_create(void)
{
	struct v3_fake_host *host = calloc(1, sizeof(*host));
	pthread_mutexattr_t attr;

	if (!host) {
		v3_fake_fail("no memory for the fake host");
		return NULL;
	}
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&host->mutex, &attr);
	pthread_mutexattr_destroy(&attr);

	v3_fake_x86_reset();
	fake_context = (struct fake_context){ 0 };
	host->num_cpus = 4;
	host->now = 1000000000ULL;
	host->auto_clock = true;
	host->verbose = getenv("V3_FAKE_VERBOSE") != NULL;
	v3_fake_tsc_set(host->now / 1000 * V3_FAKE_TSC_KHZ / 1000);
	fake_memory_create(host);
	v3_fake_vmx_set_memory(fake_phys_to_virt, host);
	fill_hooks(host);
	return host;
}

struct v3_os_hooks *v3_fake_host_hooks(struct v3_fake_host *host)
{
	return &host->hooks;
}

void v3_fake_host_destroy(struct v3_fake_host *host)
{
	if (v3_fake_locks_held() > 0)
		v3_fake_fail("%u locks are still held", v3_fake_locks_held());
	if (!v3_fake_irqs_on())
		v3_fake_fail("interrupts were left off");
	if (fake_context.fpu)
		v3_fake_fail("fpu_begin without fpu_end");
	fake_threads_destroy(host);
	fake_cpus_destroy(host);
	fake_vmx_host_destroy();
	fake_blocks_destroy(host);
	fake_memory_destroy(host);
	pthread_mutex_destroy(&host->mutex);
	free(host);
}
