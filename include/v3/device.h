/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file device.h
 * What a device model needs: port, MMIO, MSR, CPUID and hypercall hooks, interrupt lines, timers
 * and life-cycle callbacks. The library's own devices use nothing else.
 *
 * All registration happens while the VM is V3_VM_CREATED (else V3_ERR_STATE), from one
 * thread; V3_ERR_INVALID is for an empty range or no handlers, V3_ERR_NOMEM for more hooks than a
 * VM can have. The maps are read-only afterwards, so exits take no lock to find a handler.
 *
 * Handlers run on the vCPU's thread with the guest's FPU state loaded, interrupts on, preemption
 * off: they must not sleep and not use the FPU. This is what "context: handler" means below.
 * Several vCPUs can call one handler at once: each device locks itself.
 */
#ifndef V3_DEVICE_H
#define V3_DEVICE_H

#include <v3/v3.h>

/** What an MSR, CPUID or hypercall handler tells. */
enum v3_hook_result {
	V3_HOOK_DONE = 0, /**< handled; the instruction completes */
	V3_HOOK_FAULT,    /**< raise \#GP(0) (MSRs) or \#UD (hypercalls) in the guest */
	V3_HOOK_PASS,     /**< not mine: the next handler, or the default */
};

/** @name Ports
 * @{ */
/** Handlers of a port range; their size is 1, 2 or 4 bytes and lies within the range. */
struct v3_io_ops {
	/** A read: only the low bytes of the result count. NULL: all ones. Context: handler. */
	uint32_t (*in)(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size);
	/** A write. NULL: ignored. Context: handler. */
	void (*out)(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		    uint32_t value);
};
/**
 * Hooks ports [first, first+count). V3_ERR_EXIST on overlap, V3_ERR_RANGE past 0xFFFF. @p ops must
 * outlive the VM. Unhooked ports read all ones. An access that straddles ranges is split into
 * bytes. Context: process.
 */
enum v3_status v3_io_hook(struct v3_vm *vm, uint16_t first, unsigned int count,
			  const struct v3_io_ops *ops, void *ctx);
/** @} */

/** @name MMIO
 * @{ */
/**
 * Handlers of a guest-physical range; offset is relative to its start; size 1, 2, 4 or 8, within a
 * page. What goes across pages, or is not aligned in a string or vector instruction, comes in
 * pieces.
 */
struct v3_mmio_ops {
	/** A read: only the low bytes of the result count. NULL: all ones. Context: handler. */
	uint64_t (*read)(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size);
	/** A write; value has zeros above its size. NULL: ignored. Context: handler. */
	void (*write)(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
		      uint64_t value);
};
/**
 * Hooks [gpa, gpa+size), both multiples of 4 KiB. V3_ERR_EXIST on overlap with RAM or another hook,
 * V3_ERR_RANGE past 2^48. Unhooked reads give all ones. @p ops must outlive the VM. Context:
 * process.
 */
enum v3_status v3_mmio_hook(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size,
			    const struct v3_mmio_ops *ops, void *ctx);
/** @} */

/** @name MSRs, CPUID, hypercalls
 * @{ */
/** Handlers of a range of MSRs. NULL: as V3_HOOK_FAULT. */
struct v3_msr_ops {
	/** RDMSR. Context: handler. */
	enum v3_hook_result (*read)(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
				    uint64_t *value);
	/** WRMSR. Context: handler. */
	enum v3_hook_result (*write)(struct v3_vcpu *vcpu, void *ctx, uint32_t msr,
				     uint64_t value);
};
/**
 * Hooks MSRs [first, first+count); they come before the core's own handling. V3_ERR_EXIST on
 * overlap. @p ops must outlive the VM. MSRs that the hardware switches with the guest do not exit:
 * a hook on them is never called. Context: process.
 */
enum v3_status v3_msr_hook(struct v3_vm *vm, uint32_t first, uint32_t count,
			   const struct v3_msr_ops *ops, void *ctx);

/** Answer of CPUID. */
struct v3_cpuid {
	uint32_t eax; /**< EAX */
	uint32_t ebx; /**< EBX */
	uint32_t ecx; /**< ECX */
	uint32_t edx; /**< EDX */
};
/** Called with what the guest would see without it; may change it. */
typedef void (*v3_cpuid_fn)(struct v3_vcpu *vcpu, void *ctx, uint32_t leaf, uint32_t subleaf,
			    struct v3_cpuid *regs);
/** Hooks CPUID leaves [first, first+count). Context: process. */
enum v3_status v3_cpuid_hook(struct v3_vm *vm, uint32_t first, uint32_t count, v3_cpuid_fn fn,
			     void *ctx);

/** Arguments RBX RCX RDX RSI RDI of a hypercall; result goes to RAX. */
typedef enum v3_hook_result (*v3_hypercall_fn)(struct v3_vcpu *vcpu, void *ctx, uint64_t number,
					       const uint64_t args[5], uint64_t *result);
/**
 * Hooks hypercall numbers [first, first+count) (RAX). V3_ERR_EXIST on overlap. Unhooked numbers
 * return V3_ERR_NOENT in RAX. Context: process.
 */
enum v3_status v3_hypercall_hook(struct v3_vm *vm, uint32_t first, uint32_t count,
				 v3_hypercall_fn fn, void *ctx);
/** @} */

/** @name Interrupts
 * @{ */
/**
 * Global system interrupts; 0-15 are also the lines of the 8259 pair, 16-23 only the I/O APIC's.
 */
#define V3_NUM_GSI 24
/**
 * Reserves an interrupt line for one device: v3_pc_attach() takes those of a PC (0, 1, 2, 4, 8 and
 * 9), so that a device added after it finds out. Lines are not shared: whoever sets one last wins.
 * V3_ERR_EXIST: taken; V3_ERR_RANGE: there is no such line; V3_ERR_STATE: not V3_VM_CREATED.
 * Context: process.
 */
enum v3_status v3_irq_claim(struct v3_vm *vm, unsigned int gsi);
/**
 * Sets the level of an interrupt line, as a wire: true is asserted, whatever the polarity that the
 * guest programs. Whether the level counts or its rise is for the guest to say in the redirection
 * entry of the I/O APIC (or the 8259s' ELCR): by convention 0-15 are edge-triggered, 16-23
 * level-triggered. A device for both keeps its line asserted while it has a reason to interrupt,
 * and drops it when the guest has taken that away. A pulse is true, then false. Takes the interrupt
 * controllers' locks; do not call it with a lock that a controller's callback takes. Context: any.
 */
void v3_irq_set(struct v3_vm *vm, unsigned int gsi, bool level);
/** Makes a vCPU take an NMI. Context: any. */
void v3_vcpu_nmi(struct v3_vcpu *vcpu);
/** @} */

/** @name Timers
 * @{ */
/**
 * A one-shot timer, embedded in a device. Its callback runs on the thread of the vCPU it belongs
 * to, in handler context. Fields belong to libv3.
 */
struct v3_timer {
	/** @cond libv3's own */
	struct v3_vcpu *vcpu;
	void (*fn)(struct v3_timer *timer, void *ctx);
	void *ctx;
	uint64_t deadline;
	struct v3_timer *next, **pprev;
	/** @endcond */
};
/** Prepares a disarmed timer that belongs to @p vcpu. Context: any. */
void v3_timer_init(struct v3_timer *timer, struct v3_vcpu *vcpu,
		   void (*fn)(struct v3_timer *timer, void *ctx), void *ctx);
/**
 * (Re)arms for v3_now() == @p deadline. Callable from any vCPU's handler and from the callback.
 * Context: any.
 */
void v3_timer_arm(struct v3_timer *timer, uint64_t deadline);
/** Disarms; a callback that has begun on another vCPU may still be running. Context: any. */
void v3_timer_cancel(struct v3_timer *timer);
/**
 * Nanoseconds of the VM's own clock: starts at 0 at creation, stands still while paused. Context:
 * any.
 */
uint64_t v3_now(const struct v3_vm *vm);
/** Guest TSC as the vCPU reads it now. Context: any. */
uint64_t v3_guest_tsc(const struct v3_vcpu *vcpu);
/** Frequency of guest TSCs in kHz: v3_vm_config.tsc_khz, or the host's. Context: any. */
uint64_t v3_vm_tsc_khz(const struct v3_vm *vm);
/** @} */

/** @name Device life cycle
 * @{ */
/**
 * What a VM does with a device as a whole. A device is in its power-on state when it is added. All
 * but the name may be NULL; new members come at the end. They are called while no vCPU runs, and so
 * no handler and no timer callback either (input of a console may still come), and may set
 * interrupt lines and timers.
 */
struct v3_device_ops {
	/** For messages and v3_device_name(); static storage. */
	const char *name;
	/** Frees it; no vCPU will run any more. */
	void (*destroy)(void *ctx);
	/**
	 * Back to the power-on state, its interrupt line and timers included. NULL: its state
	 * outlives a reset of the VM. Context: process.
	 */
	void (*reset)(void *ctx);
	/**
	 * Writes its state to @p buf and returns how many bytes that is; if @p room is less it
	 * writes nothing. Another build of the device may load it: begin with a version, and keep
	 * neither pointers nor absolute times (see v3_now()). NULL: it cannot be saved. Context:
	 * process.
	 */
	size_t (*save)(void *ctx, void *buf, size_t room);
	/**
	 * Takes over what save() wrote, and sets interrupt line and timers by it. Checks all of it
	 * first: V3_ERR_FORMAT and nothing changed if it is damaged, V3_ERR_VERSION if it is not
	 * known. Context: process.
	 */
	enum v3_status (*load)(void *ctx, const void *buf, size_t len);
};
/**
 * Adds a device: destroyed with the VM in reverse order. V3_ERR_INVALID: no @p ops, or no name in
 * it. On error the caller still owns @p ctx. Context: process.
 */
enum v3_status v3_device_add(struct v3_vm *vm, const struct v3_device_ops *ops, void *ctx);
/**
 * Name of the @p index-th device in the order of v3_device_add(), or NULL past the last. Context:
 * any.
 */
const char *v3_device_name(const struct v3_vm *vm, unsigned int index);
/**
 * Saves the state of a device of a VM that does not run (created, paused or stopped).
 * @param len receives the bytes that the state has, also if it does not fit.
 * @return V3_OK; V3_ERR_NOENT: no such device; V3_ERR_NOTSUP: it cannot be saved; V3_ERR_STATE: the
 * VM runs; V3_ERR_RANGE: more than @p room bytes (nothing is written). Context: process.
 */
enum v3_status v3_device_save(struct v3_vm *vm, unsigned int index, void *buf, size_t room,
			      size_t *len);
/**
 * Gives a device of a VM that does not run the state that v3_device_save() wrote, in this VM or in
 * another that was built in the same way. As v3_device_save(); also what the device refuses:
 * V3_ERR_FORMAT or V3_ERR_VERSION, and nothing changed. Context: process.
 */
enum v3_status v3_device_load(struct v3_vm *vm, unsigned int index, const void *buf, size_t len);
/**
 * Zeroed memory of the host's heap for a device, counted in v3_vm_stats; it begins with a cache
 * line and shares none with anything else. Context: process.
 */
void *v3_device_alloc(struct v3_vm *vm, size_t size);
/** Frees a v3_device_alloc() of that size; NULL is allowed. Context: process. */
void v3_device_free(struct v3_vm *vm, void *ptr, size_t size);
/**
 * Logs a line about the VM; guest-caused lines below V3_LOG_ERROR are rate-limited per VM. Context:
 * any.
 */
void v3_vm_log(struct v3_vm *vm, enum v3_log_level level, const char *fmt, ...) V3_PRINTF(3, 4);
/**
 * Guest output: appends to console @p index; drops the oldest bytes when nobody reads. Context:
 * handler.
 */
void v3_console_put(struct v3_vm *vm, unsigned int index, const void *buf, size_t len);
/** Guest input: next byte or V3_ERR_AGAIN; V3_ERR_NOENT: no such console. Context: any. */
enum v3_status v3_console_get(struct v3_vm *vm, unsigned int index, uint8_t *byte);
/**
 * Has @p input called when input arrived, in the context of v3_console_write()'s caller.
 * V3_ERR_EXIST: there is one already; V3_ERR_NOENT: no such console. Context: process.
 */
enum v3_status v3_console_attach(struct v3_vm *vm, unsigned int index,
				 void (*input)(void *ctx), void *ctx);
/** @} */

#endif
