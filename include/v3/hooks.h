/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file hooks.h
 * What a host kernel gives to libv3: one table of functions.
 *
 * Contexts named below:
 * - **process**: may sleep, interrupts on, no libv3 lock held;
 * - **atomic**: interrupts off and/or preemption off; must not sleep;
 * - **any**: both of them, and interrupt handlers.
 *
 * The table is append-only. Fill it with zeros, set abi_version and struct_size,
 * then the hooks you have. v3_init() copies it, names the first mandatory hook
 * that is missing, and puts documented defaults in place of optional ones.
 */
#ifndef V3_HOOKS_H
#define V3_HOOKS_H

#include <v3/types.h>

/** Version of this table; v3_init() refuses others. */
#define V3_HOOKS_ABI_VERSION 1

/** Severity of a log line. */
enum v3_log_level {
	V3_LOG_ERROR = 0, /**< an operation failed or a guest was stopped */
	V3_LOG_WARN = 1,  /**< something unexpected, work goes on */
	V3_LOG_INFO = 2,  /**< rare life-cycle events */
	V3_LOG_DEBUG = 3, /**< detail for developers */
	V3_LOG_TRACE = 4, /**< per-exit detail */
};

/** Host objects, opaque to libv3: the host casts its own pointers. */
struct v3_host_thread;
struct v3_host_event;
struct v3_host_timer;
struct v3_host_own;

struct v3_vm;
struct v3_vcpu;
struct v3_trace_event;

/** What block_claim is asked for. */
struct v3_block_request {
	/** Bytes, a multiple of 2 MiB. */
	uint64_t size;
	/** 2 MiB, or 1 GiB when size is 1 GiB. */
	uint64_t align;
	/** NUMA node, or V3_NODE_ANY. */
	int32_t node;
	/** Zero. */
	uint32_t reserved;
};

/** What could be claimed, in bytes. */
struct v3_block_info {
	uint64_t held;       /**< what the host holds for guests, in use or not */
	uint64_t free;       /**< what is not in use, in multiples of 2 MiB */
	uint64_t largest_2m; /**< the most that one claim could get with align 2 MiB */
	uint64_t largest_1g; /**< the same with align 1 GiB */
};

/** A vCPU that gets its CPU for itself: for own_begin. */
struct v3_own_request {
	/** v3_vm_config.ctx of its VM. */
	void *vm_ctx;
	/** Index of the vCPU. */
	uint32_t vcpu;
	/** Its CPU. */
	uint32_t cpu;
	/** enum v3_yield_policy, not V3_YIELD_SHARED. */
	uint32_t policy;
	/** Zero. */
	uint32_t reserved;
	/** For V3_YIELD_INTERVAL, else 0. */
	uint64_t yield_ns;
};

/** The table of host functions. Every hook gets ctx as its first argument. */
struct v3_os_hooks {
	/** V3_HOOKS_ABI_VERSION. */
	uint32_t abi_version;
	/** sizeof(struct v3_os_hooks) as the host was compiled with. */
	uint32_t struct_size;
	/** Passed to every hook; never touched by libv3. */
	void *ctx;

	/** @name Mandatory: logging
	 * @{ */
	/**
	 * Logs one finished line (NUL-terminated, no newline). Context: any.
	 * The string is only valid during the call.
	 */
	void (*log)(void *ctx, enum v3_log_level level, const char *line);
	/** @} */

	/** @name Mandatory: memory
	 * @{ */
	/**
	 * Allocates @p count contiguous pages, aligned to @p align pages (a power
	 * of two), from NUMA node @p node or any (V3_NODE_ANY), wholly below
	 * @p limit (bytes; 0: no limit). Contents are undefined. The pages
	 * must be covered by phys_to_virt. Context: process.
	 * @return V3_OK and the address in @p hpa, or V3_ERR_NOMEM.
	 */
	enum v3_status (*page_alloc)(void *ctx, size_t count, size_t align, int node,
				     uint64_t limit, v3_hpa_t *hpa);
	/** Frees exactly one former page_alloc. Context: process. */
	void (*page_free)(void *ctx, v3_hpa_t hpa, size_t count);
	/**
	 * Host-virtual address of a page that page_alloc gave (or of any host RAM). Context: any.
	 */
	void *(*phys_to_virt)(void *ctx, v3_hpa_t hpa);
	/** Inverse of phys_to_virt; also for heap_alloc memory. Context: any. */
	v3_hpa_t (*virt_to_phys)(void *ctx, const void *virt);
	/** Zeroed memory of @p size bytes, 16-byte aligned, or NULL. Context: process. */
	void *(*heap_alloc)(void *ctx, size_t size);
	/** Frees a heap_alloc of @p size bytes; NULL is allowed. Context: process. */
	void (*heap_free)(void *ctx, void *ptr, size_t size);
	/** @} */

	/** @name Mandatory: CPUs
	 * @{ */
	/** Index of the CPU that executes the call. Context: atomic, or a pinned thread. */
	unsigned int (*cpu_current)(void *ctx);
	/** Number of possible CPUs; indices are below it. Constant. Context: any. */
	unsigned int (*cpu_count)(void *ctx);
	/**
	 * Runs fn(arg) on @p cpu with interrupts off and waits for it.
	 * Context: process. @return V3_OK or V3_ERR_NOENT (CPU is not online).
	 */
	enum v3_status (*cpu_call)(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg);
	/**
	 * Makes @p cpu take an interrupt soon, so that a guest running there
	 * exits. May be spurious; must not be lost. Context: any.
	 */
	void (*cpu_kick)(void *ctx, unsigned int cpu);
	/** @} */

	/** @name Mandatory: threads and waiting
	 * @{ */
	/**
	 * Starts a thread named @p name that runs fn(arg), pinned to @p cpu
	 * (V3_CPU_ANY: the host chooses one and keeps it there). Context: process.
	 */
	enum v3_status (*thread_start)(void *ctx, const char *name, int cpu, void (*fn)(void *arg),
				       void *arg, struct v3_host_thread **thread);
	/** Waits for fn to return and frees the thread. Context: process, not the thread itself. */
	void (*thread_join)(void *ctx, struct v3_host_thread *thread);
	/** Creates an auto-reset event, not signaled. Context: process. */
	enum v3_status (*event_create)(void *ctx, struct v3_host_event **event);
	/** Frees an event nobody waits for. Context: process. */
	void (*event_destroy)(void *ctx, struct v3_host_event *event);
	/**
	 * Waits until the event is signaled or clock_ns() reaches @p deadline
	 * (UINT64_MAX: no deadline); consumes the signal. If several wait, a signal wakes
	 * one of them.
	 * May return early for reasons of the host. Context: process.
	 */
	void (*event_wait)(void *ctx, struct v3_host_event *event, uint64_t deadline);
	/** Signals; a signal before the wait is kept, several count once. Context: any. */
	void (*event_signal)(void *ctx, struct v3_host_event *event);
	/** Gives the CPU to others if they want it. Context: process. */
	void (*yield)(void *ctx);
	/** @} */

	/** @name Mandatory: time
	 * @{ */
	/** Monotonic nanoseconds since some fixed point. Context: any. */
	uint64_t (*clock_ns)(void *ctx);
	/** Frequency of the (invariant) TSC in kHz. Constant. Context: any. */
	uint64_t (*tsc_khz)(void *ctx);
	/** @} */

	/** @name Optional: scheduling
	 * @{ */
	/**
	 * True when the host wants the present CPU back soon; asked before each
	 * guest entry with interrupts blocked. Default: never.
	 */
	bool (*should_yield)(void *ctx);
	/** @} */

	/** @name Optional: FPU ownership
	 * A vCPU's thread runs the guest between begin and end. There the CPU holds the guest's
	 * FPU, SSE and AVX registers, XCR0 and TSC_AUX, and segment state that the back end saved
	 * at the beginning: the thread must not be preempted or migrated, and nothing else
	 * on this CPU, interrupt handlers included, may use these registers. Interrupts stay on.
	 * Both hooks or none. Default: nothing, which is right only for a host that never
	 * preempts a vCPU's thread (it gives up its CPU in event_wait and yield alone)
	 * and whose interrupt handlers leave the FPU alone. Context of both: process.
	 * @{ */
	/** The registers are libv3's from here on. Context: process. */
	void (*fpu_begin)(void *ctx);
	/** They are the host's again. Context: process, on the CPU of fpu_begin. */
	void (*fpu_end)(void *ctx);
	/** @} */

	/** @name Optional: one-shot timer
	 * Makes the CPU that armed it take an interrupt at a deadline, so that a running guest
	 * exits in time. Without it guest timers have the resolution of whatever
	 * interrupts the host takes anyway.
	 * @{ */
	/** Creates a timer for use on @p cpu; its handler need do nothing. Context: process. */
	enum v3_status (*timer_create)(void *ctx, unsigned int cpu, struct v3_host_timer **timer);
	/** Cancels and frees. Context: process. */
	void (*timer_destroy)(void *ctx, struct v3_host_timer *timer);
	/** (Re)arms for clock_ns() == @p deadline. Context: on its CPU, any. */
	void (*timer_arm)(void *ctx, struct v3_host_timer *timer, uint64_t deadline);
	/** Disarms; harmless when not armed. Context: on its CPU, any. */
	void (*timer_cancel)(void *ctx, struct v3_host_timer *timer);
	/** @} */

	/** @name Optional: ownership of the virtualization extensions
	 * Asked with interrupts off on the CPU concerned before EFER.SVME or VMXON is
	 * touched, and told after it was given back. Default: always granted (libv3
	 * itself looks at EFER.SVME and CR4.VMXE too).
	 * @{ */
	/** @return V3_OK, or V3_ERR_BUSY: another hypervisor has them. Context: atomic. */
	enum v3_status (*virt_acquire)(void *ctx, unsigned int cpu);
	/** libv3 has turned them off again. Context: atomic. */
	void (*virt_release)(void *ctx, unsigned int cpu);
	/** @} */

	/** @name Optional: notifications
	 * @{ */
	/**
	 * A VM's console @p index has new output or room for input. Default: nothing. Context: any.
	 */
	void (*console_notify)(void *ctx, struct v3_vm *vm, void *vm_ctx, unsigned int index);
	/** A VM changed its state (v3_vm_state). Default: nothing. Context: any. */
	void (*state_notify)(void *ctx, struct v3_vm *vm, void *vm_ctx);
	/** @} */

	/** @name Optional: idle CPUs
	 * @{ */
	/**
	 * True while this CPU has nothing to do but the calling vCPU's thread: then the end of an
	 * HLT may be polled for (v3_host_set_halt_poll()), as waking a thread costs more. Asked
	 * again all the time while it polls. Default: never. Context: as between fpu_begin and
	 * fpu_end.
	 */
	bool (*can_poll)(void *ctx);
	/** @} */

	/** @name Optional: tracing
	 * @{ */
	/**
	 * An event of a vCPU of a VM that v3_trace_host() was turned on for (see trace.h). Default:
	 * nothing. Context: the vCPU's thread, interrupts on, often between fpu_begin and fpu_end;
	 * must not sleep.
	 */
	void (*trace)(void *ctx, struct v3_vcpu *vcpu, void *vm_ctx,
		      const struct v3_trace_event *event);
	/** @} */
	/** @name Optional: CR4
	 * @{ */
	/**
	 * Sets and clears bits of this CPU's CR4 (VMXE alone, around VMXON and VMXOFF), for hosts
	 * that keep a copy of CR4 and write it back: VMXE has to be in the copy, too. Clearing
	 * cannot fail. Default: MOV to CR4.
	 * @return V3_OK; V3_ERR_NOTSUP: VT-x cannot be used, for a reason that the hook logs.
	 * Context: atomic, interrupts off.
	 */
	enum v3_status (*cr4_update)(void *ctx, uint64_t set, uint64_t clear);
	/** @} */
	/** @name Optional: features of the hardware
	 * @{ */
	/**
	 * No hook, but a text: optional features of SVM or VT-x that libv3 shall do without
	 * although the CPU has them, separated by commas, such as "vpid,ple". For tests, and for
	 * CPUs with a fault. The text is only read by v3_init(), which refuses names that it does
	 * not know (V3_ERR_INVALID) and tells those that there are. NULL: none.
	 */
	const char *features_off;
	/** @} */
	/** @name Optional: large blocks of memory
	 * Where guest RAM comes from: all four or none. Default: page_alloc and page_free, and libv3
	 * zeroes what it gets. Context of all: process.
	 * @{ */
	/**
	 * Claims one run of exactly request->size bytes, aligned to request->align. Contents are
	 * undefined. The run must be covered by phys_to_virt.
	 * libv3 asks for each GiB of guest-physical memory by itself, upwards; when it is refused it
	 * asks for less: first for less alignment, then for smaller runs. It is good to give runs
	 * that follow each other in memory.
	 * @param vm_ctx v3_vm_config.ctx of the VM that it is for.
	 * @param hpa    receives the address.
	 * @param node   receives the NUMA node where the run lies; comes in as request->node.
	 * @return V3_OK; V3_ERR_NOMEM: there is no such run, ask for less; others: give up
	 *         (V3_ERR_NOENT: no such node; V3_ERR_TIMEOUT: the search took too long or the
	 *         caller is being killed). The host logs details that libv3 cannot know.
	 */
	enum v3_status (*block_claim)(void *ctx, void *vm_ctx,
				      const struct v3_block_request *request, v3_hpa_t *hpa,
				      int32_t *node);
	/**
	 * Zeroes claimed memory before a guest gets it, as fast as the host can: on several CPUs of
	 * the node, past the caches. [hpa, hpa + size) may be several claims that follow each other.
	 * Called when all claims of a VM have been met, so that none zeroes in vain. @return V3_OK;
	 * others (V3_ERR_TIMEOUT: the caller is being killed): the VM is not created.
	 */
	enum v3_status (*block_zero)(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size,
				     int32_t node);
	/**
	 * Gives exactly one former claim back. @p used: a guest may have written to it, so the host
	 * has to zero it before anybody else sees it. Cannot fail.
	 */
	void (*block_release)(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size, bool used);
	/**
	 * What could be claimed now on a node (V3_NODE_ANY: on all), for messages. @return V3_OK or
	 * V3_ERR_NOENT: no such node.
	 */
	enum v3_status (*block_query)(void *ctx, int32_t node, struct v3_block_info *info);
	/** @} */
	/** @name Optional: NUMA nodes
	 * The first three or none. Default: the host's nodes are not known; v3_vm_config may name
	 * any, all CPUs are on node 0 and distances are 10 within a node and 20 between nodes.
	 * @{ */
	/** Node numbers are below it; there need not be all of them. Constant. Context: any. */
	unsigned int (*node_count)(void *ctx);
	/** The node of a CPU. Context: any. */
	unsigned int (*cpu_node)(void *ctx, unsigned int cpu);
	/** Distance as in ACPI's SLIT: 10 within a node, more to others, at most 254. Context: any. */
	unsigned int (*node_distance)(void *ctx, unsigned int from, unsigned int to);
	/**
	 * Chooses the CPU of a vCPU that has none given, whose share of the VM's memory is on node
	 * @p node; the answer is what thread_start gets. Default: V3_CPU_ANY. Context: process.
	 */
	int (*cpu_choose)(void *ctx, void *vm_ctx, unsigned int node);
	/** @} */
	/** @name Optional: CPUs of their own
	 * For VMs with another policy than V3_YIELD_SHARED: all six or none. Default: such VMs are
	 * refused. The host keeps everything else away from the CPU, as far as the policy says, and
	 * should_yield and yield are not asked.
	 * @{ */
	/**
	 * From here on the calling thread, a vCPU's, has its CPU to itself. Context: process.
	 * @return V3_OK, or whatever is in the way, after a line in the log; the VM does not start.
	 */
	enum v3_status (*own_begin)(void *ctx, const struct v3_own_request *request,
				    struct v3_host_own **own);
	/** The end of it. Context: process, the thread of own_begin. */
	void (*own_end)(void *ctx, struct v3_host_own *own);
	/**
	 * The guest is about to be entered. From a true answer to own_leave only libv3 runs on
	 * the CPU, no hook but cpu_kick is called and no interrupt taken: the host can consider it
	 * gone. @return false: not now, own_yield has to be called first. Context: atomic, interrupts
	 * blocked.
	 */
	bool (*own_enter)(void *ctx, struct v3_host_own *own);
	/** The guest has been left. Context: atomic, interrupts still blocked. */
	void (*own_leave)(void *ctx, struct v3_host_own *own);
	/** The host may use the CPU, if it has to. After fpu_end. Context: process. */
	void (*own_yield)(void *ctx, struct v3_host_own *own);
	/**
	 * As event_wait, for a vCPU in HLT: the policy says whether others get the CPU meanwhile.
	 * Context: process.
	 */
	void (*own_wait)(void *ctx, struct v3_host_own *own, struct v3_host_event *event,
			 uint64_t deadline);
	/** @} */
};

#endif
