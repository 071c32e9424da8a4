/* SPDX-License-Identifier: BSD-2-Clause */
/* The host instance, and the only way to call its hooks. */
#ifndef V3_CORE_HOST_H
#define V3_CORE_HOST_H

#include <v3/v3.h>

#include "core/arch_ops.h"
#include "core/cpu_model.h"
#include "lib/lock.h"

/* Bits of fraction of v3_vm.tsc_ratio. */
#define V3_TSC_FRACTION 48

/* Per host CPU. Guarded by v3_host.lock. */
struct v3_host_cpu {
	bool enabled;		/* we hold SVM or VMX there */
	unsigned int users;	/* vCPU threads bound to it */
};

struct v3_host {
	/* All of these are constant after v3_init(). */
	struct v3_os_hooks os;
	const struct v3_arch_ops *arch;
	void *arch_data;		/* owned by the back end */
	struct v3_host_caps caps;
	unsigned int num_cpus;
	uint64_t tsc_khz;
	uint64_t ns_per_tick_32;	/* nanoseconds per TSC tick, 32.32 fixed point */
	uint64_t ticks_per_ns_32;	/* the inverse */
	uint32_t features_off;		/* bits by v3_arch_ops.features: not to be used */
	struct v3_cpu_features no_features; /* of the CPU's, those that the back end cannot give guests */
	bool timer_in_guest;		/* the back end ends the guest's run at vcpu->host_timer_tsc */
	bool lends_intc;		/* v3_intc_lend_ops are of use, and intc_take_back exists */
	uint8_t tsc_fraction;		/* bits of fraction of TSC ratios; 0: the CPU does not scale */
	bool has_tsc_aux;		/* RDTSCP: TSC_AUX is switched with the guest */
	bool has_xss;			/* XSAVES: guests run with IA32_XSS 0 */
	uint64_t halt_poll;		/* TSC ticks; atomic, may change at any time */

	struct v3_lock lock;
	struct v3_host_cpu *cpus;	/* [num_cpus] */
	unsigned int num_vms;
};

/* a * b >> 32 without losing the high part. */
static inline uint64_t v3_mul_shift32(uint64_t a, uint64_t b)
{
	return (uint64_t)(((unsigned __int128)a * b) >> 32);
}

static inline void v3_os_log(struct v3_host *host, enum v3_log_level level, const char *line)
{
	host->os.log(host->os.ctx, level, line);
}

static inline enum v3_status v3_os_page_alloc(struct v3_host *host, size_t count, size_t align,
					      int node, uint64_t limit, v3_hpa_t *hpa)
{
	return host->os.page_alloc(host->os.ctx, count, align, node, limit, hpa);
}

static inline void v3_os_page_free(struct v3_host *host, v3_hpa_t hpa, size_t count)
{
	host->os.page_free(host->os.ctx, hpa, count);
}

static inline void *v3_os_virt(struct v3_host *host, v3_hpa_t hpa)
{
	return host->os.phys_to_virt(host->os.ctx, hpa);
}

static inline v3_hpa_t v3_os_phys(struct v3_host *host, const void *virt)
{
	return host->os.virt_to_phys(host->os.ctx, virt);
}

static inline void *v3_os_alloc(struct v3_host *host, size_t size)
{
	return host->os.heap_alloc(host->os.ctx, size);
}

static inline void v3_os_free(struct v3_host *host, void *ptr, size_t size)
{
	host->os.heap_free(host->os.ctx, ptr, size);
}

static inline unsigned int v3_os_cpu(struct v3_host *host)
{
	return host->os.cpu_current(host->os.ctx);
}

static inline enum v3_status v3_os_cpu_call(struct v3_host *host, unsigned int cpu,
					    void (*fn)(void *arg), void *arg)
{
	return host->os.cpu_call(host->os.ctx, cpu, fn, arg);
}

static inline void v3_os_cpu_kick(struct v3_host *host, unsigned int cpu)
{
	host->os.cpu_kick(host->os.ctx, cpu);
}

static inline enum v3_status v3_os_thread_start(struct v3_host *host, const char *name, int cpu,
						void (*fn)(void *arg), void *arg,
						struct v3_host_thread **thread)
{
	return host->os.thread_start(host->os.ctx, name, cpu, fn, arg, thread);
}

static inline void v3_os_thread_join(struct v3_host *host, struct v3_host_thread *thread)
{
	host->os.thread_join(host->os.ctx, thread);
}

static inline enum v3_status v3_os_event_create(struct v3_host *host, struct v3_host_event **event)
{
	return host->os.event_create(host->os.ctx, event);
}

static inline void v3_os_event_destroy(struct v3_host *host, struct v3_host_event *event)
{
	host->os.event_destroy(host->os.ctx, event);
}

static inline void v3_os_event_wait(struct v3_host *host, struct v3_host_event *event,
				    uint64_t deadline)
{
	host->os.event_wait(host->os.ctx, event, deadline);
}

static inline void v3_os_event_signal(struct v3_host *host, struct v3_host_event *event)
{
	host->os.event_signal(host->os.ctx, event);
}

static inline void v3_os_yield(struct v3_host *host)
{
	host->os.yield(host->os.ctx);
}

static inline uint64_t v3_os_clock_ns(struct v3_host *host)
{
	return host->os.clock_ns(host->os.ctx);
}

static inline bool v3_os_should_yield(struct v3_host *host)
{
	return host->os.should_yield(host->os.ctx);
}

static inline bool v3_os_can_poll(struct v3_host *host)
{
	return host->os.can_poll(host->os.ctx);
}

static inline void v3_os_fpu_begin(struct v3_host *host)
{
	host->os.fpu_begin(host->os.ctx);
}

static inline void v3_os_fpu_end(struct v3_host *host)
{
	host->os.fpu_end(host->os.ctx);
}

static inline enum v3_status v3_os_timer_create(struct v3_host *host, unsigned int cpu,
						struct v3_host_timer **timer)
{
	return host->os.timer_create(host->os.ctx, cpu, timer);
}

static inline void v3_os_timer_destroy(struct v3_host *host, struct v3_host_timer *timer)
{
	host->os.timer_destroy(host->os.ctx, timer);
}

static inline void v3_os_timer_arm(struct v3_host *host, struct v3_host_timer *timer,
				   uint64_t deadline)
{
	host->os.timer_arm(host->os.ctx, timer, deadline);
}

static inline void v3_os_timer_cancel(struct v3_host *host, struct v3_host_timer *timer)
{
	host->os.timer_cancel(host->os.ctx, timer);
}

static inline enum v3_status v3_os_virt_acquire(struct v3_host *host, unsigned int cpu)
{
	return host->os.virt_acquire(host->os.ctx, cpu);
}

static inline void v3_os_virt_release(struct v3_host *host, unsigned int cpu)
{
	host->os.virt_release(host->os.ctx, cpu);
}

static inline enum v3_status v3_os_cr4_update(struct v3_host *host, uint64_t set, uint64_t clear)
{
	return host->os.cr4_update(host->os.ctx, set, clear);
}

/* Whether there are hooks for large blocks; without them none of the next four may be called. */
static inline bool v3_os_has_blocks(const struct v3_host *host)
{
	return host->os.block_claim != NULL;
}

static inline enum v3_status v3_os_block_claim(struct v3_host *host, void *vm_ctx,
					       const struct v3_block_request *request,
					       v3_hpa_t *hpa, int32_t *node)
{
	return host->os.block_claim(host->os.ctx, vm_ctx, request, hpa, node);
}

static inline enum v3_status v3_os_block_zero(struct v3_host *host, void *vm_ctx, v3_hpa_t hpa,
					      uint64_t size, int32_t node)
{
	return host->os.block_zero(host->os.ctx, vm_ctx, hpa, size, node);
}

static inline void v3_os_block_release(struct v3_host *host, void *vm_ctx, v3_hpa_t hpa,
				       uint64_t size, bool used)
{
	host->os.block_release(host->os.ctx, vm_ctx, hpa, size, used);
}

static inline enum v3_status v3_os_block_query(struct v3_host *host, int32_t node,
					       struct v3_block_info *info)
{
	return host->os.block_query(host->os.ctx, node, info);
}

/* 0: the host does not tell about its nodes. */
static inline unsigned int v3_os_node_count(struct v3_host *host)
{
	return host->os.node_count(host->os.ctx);
}

static inline unsigned int v3_os_cpu_node(struct v3_host *host, unsigned int cpu)
{
	return host->os.cpu_node(host->os.ctx, cpu);
}

static inline unsigned int v3_os_node_distance(struct v3_host *host, unsigned int from,
					       unsigned int to)
{
	return host->os.node_distance(host->os.ctx, from, to);
}

static inline int v3_os_cpu_choose(struct v3_host *host, void *vm_ctx, unsigned int node)
{
	return host->os.cpu_choose(host->os.ctx, vm_ctx, node);
}

/* The next six: only for vCPUs that have a struct v3_host_own, or shall get one. */
static inline enum v3_status v3_os_own_begin(struct v3_host *host,
					     const struct v3_own_request *request,
					     struct v3_host_own **own)
{
	return host->os.own_begin(host->os.ctx, request, own);
}

static inline void v3_os_own_end(struct v3_host *host, struct v3_host_own *own)
{
	host->os.own_end(host->os.ctx, own);
}

static inline bool v3_os_own_enter(struct v3_host *host, struct v3_host_own *own)
{
	return host->os.own_enter(host->os.ctx, own);
}

static inline void v3_os_own_leave(struct v3_host *host, struct v3_host_own *own)
{
	host->os.own_leave(host->os.ctx, own);
}

static inline void v3_os_own_yield(struct v3_host *host, struct v3_host_own *own)
{
	host->os.own_yield(host->os.ctx, own);
}

static inline void v3_os_own_wait(struct v3_host *host, struct v3_host_own *own,
				  struct v3_host_event *event, uint64_t deadline)
{
	host->os.own_wait(host->os.ctx, own, event, deadline);
}

/*
 * As v3_os_alloc(), but no cache line of it holds anything else: what one vCPU writes on its exits
 * is not in the others' way. v3_host_lines_size() is what it takes of the heap.
 */
void *v3_host_alloc_lines(struct v3_host *host, size_t size);
void v3_host_free_lines(struct v3_host *host, void *ptr, size_t size);
size_t v3_host_lines_size(size_t size);

/* Copies and completes the table; names the first missing mandatory hook in *missing. */
enum v3_status v3_hooks_check(const struct v3_os_hooks *hooks, struct v3_os_hooks *out,
			      const char **missing);

/* Logs a line; the caller begins it with "v3: ". Any context. */
void v3_host_log(struct v3_host *host, enum v3_log_level level, const char *fmt, ...)
	V3_PRINTF(3, 4);

/* Binds a vCPU thread to a CPU, enabling the extension there first; and unbinds. Process. */
enum v3_status v3_host_cpu_get(struct v3_host *host, unsigned int cpu);
void v3_host_cpu_put(struct v3_host *host, unsigned int cpu);

#endif
