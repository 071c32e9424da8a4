/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine. Tags: [const] does not change after creation; [setup] changes only while the
 * VM is V3_VM_CREATED, by one thread, and is read without a lock afterwards; [lock]; [control];
 * [any].
 */
#ifndef V3_CORE_VM_H
#define V3_CORE_VM_H

#include <v3/device.h>

#include "core/cpu_model.h"
#include "core/host.h"
#include "core/intr.h"
#include "core/vcpu.h"
#include "lib/lock.h"
#include "paging/nested.h"

/* One block of guest RAM: contiguous in guest and host; one claim or several (blocks.c). */
struct v3_mem_block {
	v3_gpa_t gpa;
	v3_hpa_t hpa;
	uint64_t size;
	uint8_t *virt;
	int32_t node;		/* of the host, where it lies; V3_NODE_ANY: not known */
};

#define V3_MAX_BLOCKS 128
#define V3_MAX_REGIONS 64u		/* that a configuration names */
#define V3_LOW_RAM_MAX 0xC0000000ull	/* RAM below 4 GiB ends here at the latest */
#define V3_HIGH_RAM_BASE 0x100000000ull
#define V3_HOLE_START 0xA0000ull	/* VGA memory: not RAM, unless the guest does not care */
#define V3_HOLE_END 0xC0000ull
#define V3_ROM_END 0x100000ull		/* hole end to here: the firmware's */

struct v3_io_hook {
	uint16_t first, last;
	/* Copied from struct v3_io_ops: one load less on each exit. */
	uint32_t (*in)(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size);
	void (*out)(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		    uint32_t value);
	void *ctx;
};
#define V3_MAX_IO_HOOKS 63
#define V3_IO_PAGE_PORTS 256

struct v3_mmio_hook {
	v3_gpa_t gpa;
	uint64_t size;
	const struct v3_mmio_ops *ops;
	void *ctx;
};
#define V3_MAX_MMIO_HOOKS 64

struct v3_msr_hook {
	uint32_t first, last;
	const struct v3_msr_ops *ops;
	void *ctx;
};
#define V3_MAX_MSR_HOOKS 32

struct v3_cpuid_hook {
	uint32_t first, last;
	v3_cpuid_fn fn;
	void *ctx;
};
#define V3_MAX_CPUID_HOOKS 16

/* One precomputed CPUID answer. */
struct v3_cpuid_entry {
	uint32_t leaf, subleaf;
	bool has_subleaf;	/* depends on ECX */
	bool dynamic;		/* changes while the guest runs, or is hooked */
	struct v3_cpuid regs;
};
#define V3_MAX_CPUID 96

/* What the CPU model amounts to. */
struct v3_vm_cpu {
	struct v3_cpu_features features;	/* those of devices included */
	struct v3_cpu_features hidden;		/* asked to hide, and what depends on it */
	bool hides;				/* there is something in hidden */
	bool ignore_msrs;			/* unknown ones read 0, writes are dropped */
	uint64_t xcr0;				/* what XCR0 may have; 0: no XSAVE */
	uint64_t cr4_mask, efer_mask;		/* bits that may be set */
};
/* Frequency of the APIC timer at divisor 1, as CPUID tells it. */
#define V3_CPU_APIC_KHZ 1000000u

/* Unknown MSRs that were logged: each once. */
#define V3_MAX_UNKNOWN_MSRS 64u

struct v3_hypercall_hook {
	uint32_t first, last;
	v3_hypercall_fn fn;
	void *ctx;
};
#define V3_MAX_HYPERCALL_HOOKS 16

struct v3_device {
	const struct v3_device_ops *ops;
	void *ctx;
};
#define V3_MAX_DEVICES 32

struct v3_console {
	uint8_t *out;			/* [const] ring of V3_CONSOLE_OUT bytes */
	/* Positions written and read so far; these and the next three are guarded by lock. */
	uint32_t out_head, out_tail;
	uint8_t *in;			/* [const] ring of V3_CONSOLE_IN bytes */
	uint32_t in_head, in_tail;
	uint64_t dropped;		/* bytes of output that nobody read */
	void (*input)(void *ctx);	/* [setup] */
	void *input_ctx;
	struct v3_lock lock;
};
#define V3_CONSOLE_OUT 16384u
#define V3_CONSOLE_IN 1024u

/* Lines a guest may cause per second before they are dropped. */
#define V3_LOG_BURST 20u

struct v3_vm {
	struct v3_host *host;			/* [const] */
	const struct v3_arch_ops *arch;		/* [const] same as host->arch */
	char name[V3_NAME_MAX + 1];		/* [const] */
	void *ctx;				/* [const] */
	void *arch_data;			/* [const] the back end's part */
	bool arch_created;			/* [const] */
	bool unemulated_ud;			/* [const] see V3_VM_UNEMULATED_UD */
	uint32_t yield_policy;			/* [const] enum v3_yield_policy */
	uint64_t yield_ns;			/* [const] */

	/* [setup] hooks */
	unsigned int num_io, num_mmio, num_msr, num_cpuid_hooks, num_hypercalls, num_devices;
	uint8_t *io_pages[65536 / V3_IO_PAGE_PORTS]; /* index+1 into io[], per port; NULL: none */
	struct v3_io_hook io[V3_MAX_IO_HOOKS];
	struct v3_mmio_hook mmio[V3_MAX_MMIO_HOOKS];	/* sorted by gpa */
	struct v3_msr_hook msr[V3_MAX_MSR_HOOKS];
	struct v3_cpuid_hook cpuid_hooks[V3_MAX_CPUID_HOOKS];
	struct v3_hypercall_hook hypercalls[V3_MAX_HYPERCALL_HOOKS];
	struct v3_device devices[V3_MAX_DEVICES];
	uint32_t claimed_gsis;			/* V3_NUM_GSI bits */
	const struct v3_intc_ops *intc;		/* never NULL: a null controller at first */
	void *intc_ctx;
	const struct v3_intc_ops *intc_own;	/* what intc takes back for, and asks then */
	struct v3_intc_ops intc_lent;		/* or not in use: intc_lent.c */
	unsigned int num_cpuid;
	struct v3_cpuid_entry cpuid[V3_MAX_CPUID];
	unsigned int phys_bits;			/* of guest-physical addresses */
	struct v3_vm_cpu cpu;			/* [const] */

	/* [const] memory */
	unsigned int num_blocks;
	struct v3_mem_block blocks[V3_MAX_BLOCKS];	/* sorted by gpa */
	unsigned int num_nodes;
	int32_t nodes[V3_MAX_REGIONS];		/* that its configuration names, in that order */
	uint64_t ram_bytes;
	bool ram_zeroed;			/* a guest may have used it */
	struct v3_walk_mem walk_mem;
	struct v3_nested nested;

	/*
	 * Time, [control] to write while no vCPU runs, [any] to read. tsc_base: host TSC at which
	 * the guest's was 0; moves on resume.
	 */
	uint64_t tsc_base;
	uint64_t paused_tsc;			/* host TSC when paused; 0: not paused */
	uint32_t clock_seq;			/* odd while the two change */
	uint64_t tsc_khz;			/* [const] of the guest's TSC */
	uint64_t tsc_ratio;			/* [const] of it to the host's, see tsc.h; 0: the same */
	uint64_t wall_seconds;			/* [setup] since 1970 UTC, as the clock showed 0 */

	/* Life cycle. */
	struct v3_lock lock;			/* state, end, log_* */
	enum v3_vm_state state;			/* [lock] to write, [any] to read */
	struct v3_vm_end end;			/* [lock] */
	uint64_t log_window;			/* [lock] start of the present second, ns */
	unsigned int log_count, log_dropped;	/* [lock] */
	uint32_t unknown_msrs[V3_MAX_UNKNOWN_MSRS];	/* [lock] */
	unsigned int num_unknown_msrs;		/* [lock] may be one more than there is room for */
	uint32_t control;			/* 1 in a control call: v3_control_enter() */
	struct v3_host_event *control_free;	/* [const] signaled when one is over */
	struct v3_host_event *control_event;	/* [const] vCPUs signal it when they park */
	uint32_t pauses;			/* [control] to write: pauses asked for so far */
	bool frozen;				/* [control] v3_vm_freeze() has stopped the clock */

	unsigned int trace_on;			/* [lock] to write, [any] to read: V3_TRACE_ON_* */

	unsigned int num_vcpus;			/* [const] */
	struct v3_vcpu *vcpus[V3_MAX_VCPUS];	/* [const] */
	struct v3_console consoles[V3_NUM_CONSOLES];

	uint64_t heap_bytes;			/* [setup] heap and table memory of this VM */
	uint64_t vcpu_bytes;			/* the vCPUs' part */
};

/*
 * control.c: stops the vCPUs of a VM for a moment, whatever its state, which does not change;
 * control calls wait until v3_vm_thaw(). Process.
 */
void v3_vm_freeze(struct v3_vm *vm);
void v3_vm_thaw(struct v3_vm *vm);

/* blocks.c: claims and zeroes all RAM; gives it back. */
enum v3_status v3_blocks_create(struct v3_vm *vm, const struct v3_vm_config *config);
void v3_blocks_destroy(struct v3_vm *vm);

/* nodes.c */
/* V3_ERR_NOENT: the host has no such node; V3_ERR_INVALID: it can be none. */
enum v3_status v3_nodes_check(struct v3_host *host, int32_t node);
void v3_nodes_create(struct v3_vm *vm, const struct v3_vm_config *config);
/* One line about vCPUs far from their memory. */
void v3_nodes_warn(struct v3_vm *vm);
/* What thread_start gets. */
int v3_vcpu_choose_cpu(const struct v3_vcpu *vcpu);

/* memory.c */
enum v3_status v3_memory_create(struct v3_vm *vm, const struct v3_vm_config *config);
void v3_memory_destroy(struct v3_vm *vm);
/* Takes RAM away from where a device is to be, in the first megabyte. Guests do not run. */
enum v3_status v3_memory_make_room(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size);
/* Pointer to guest RAM or NULL; never the VGA hole. */
void *v3_memory_ptr(struct v3_vm *vm, v3_gpa_t gpa, size_t len);

/* Memory accounted to the VM. */
/* What the VM calls for these operations, intc_lent.c */
const struct v3_intc_ops *v3_intc_lent(struct v3_vm *vm, const struct v3_intc_ops *ops);
void *v3_vm_alloc(struct v3_vm *vm, size_t size);
void v3_vm_free(struct v3_vm *vm, void *ptr, size_t size);

/*
 * control.c: a control call has the VM to itself between these two; both sleep. still: no vCPU
 * runs, nor will before the control call is over; waits for the threads of a VM that has ended.
 */
void v3_control_enter(struct v3_vm *vm);
void v3_control_leave(struct v3_vm *vm);
bool v3_control_is_still(struct v3_vm *vm);
/* Ends all threads; v3_control_created() has to follow, which makes the VM V3_VM_CREATED. */
void v3_control_join(struct v3_vm *vm);
void v3_control_created(struct v3_vm *vm);

/* device.c: in the order in which they were added; in the reverse order. No vCPU runs. */
void v3_devices_reset(struct v3_vm *vm);
void v3_devices_destroy(struct v3_vm *vm);

/* maps.c */
void v3_maps_destroy(struct v3_vm *vm);
const struct v3_mmio_hook *v3_mmio_find(struct v3_vm *vm, v3_gpa_t gpa);
/* Only the low size bytes of the result count. */
uint32_t v3_io_in(struct v3_vcpu *vcpu, uint16_t port, unsigned int size);
void v3_io_out(struct v3_vcpu *vcpu, uint16_t port, unsigned int size, uint32_t value);
/* One device access of 1, 2, 4 or 8 bytes. */
uint64_t v3_mmio_read(struct v3_vcpu *vcpu, v3_gpa_t gpa, unsigned int size);
void v3_mmio_write(struct v3_vcpu *vcpu, v3_gpa_t gpa, unsigned int size, uint64_t value);

/* cpuid_build.c */
/* The CPU model and what CPUID says; V3_ERR_INVALID or V3_ERR_NOTSUP after a line in the log. */
enum v3_status v3_vm_cpu_create(struct v3_vm *vm, const struct v3_vm_config *config);
/* cpuid.c */
unsigned int v3_cpuid_phys_bits(const struct v3_vm *vm);
/* Bytes of the XSAVE area in standard format with these components. */
uint32_t v3_cpuid_xsave_size(const struct v3_vm *vm, uint64_t xcr0);
static inline bool v3_vm_has(const struct v3_vm *vm, enum v3_cpu_word word, uint32_t bit)
{
	return vm->cpu.features.word[word] & bit;
}

/* console.c */
enum v3_status v3_consoles_create(struct v3_vm *vm);
void v3_consoles_destroy(struct v3_vm *vm);
/* Input that the guest has not read is dropped; output stays for whoever reads it. */
void v3_consoles_reset(struct v3_vm *vm);

/* What enters a guest: the back end's. */
static inline void (*v3_vm_run_fn(const struct v3_vm *vm))(struct v3_vcpu *, struct v3_exit *)
{
	return vm->yield_policy == V3_YIELD_SHARED ? vm->arch->run : vm->arch->run_owned;
}

/* Whether hooks, devices and images may be added: never started, or reset. */
static inline bool v3_vm_in_setup(const struct v3_vm *vm)
{
	return __atomic_load_n(&vm->state, __ATOMIC_ACQUIRE) == V3_VM_CREATED;
}

#endif
