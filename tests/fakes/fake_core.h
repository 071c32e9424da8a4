/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the core that devices and loaders call, for their unit tests: it records hooks, keeps
 * a clock that only the test moves, and counts what devices ask of vCPUs. Name fake_core.c in the
 * SOURCES of a test (not as a library), so that its functions come before the real core's.
 * A misuse of the API (leak, free of the wrong size, unknown timer) ends the program.
 */
#ifndef FAKE_CORE_H
#define FAKE_CORE_H

#include <v3/boot.h>
#include <v3/device.h>
#include <v3/pc.h>

#include "core/intr.h"

#define FAKE_MAX_HOOKS 32
#define FAKE_MAX_DEVICES 16
#define FAKE_MAX_ALLOCS 256
#define FAKE_MAX_RANGES 160
#define FAKE_CONSOLE_BYTES 65536

struct v3_vcpu {
	struct v3_vm *vm;
	unsigned int index;
	/* v3_guest_tsc() is tsc_base + v3_now() * tsc_khz / 10^6. */
	uint64_t tsc_base;
	/* How often each was called. */
	unsigned int checks, nmis, inits, sipis;
	uint8_t sipi_vector;
	struct v3_vcpu_state state;
	bool state_set;
	struct v3_timer own_timer;
};

struct fake_range {
	uint64_t first, count;
	const void *ops;
	void *ctx;
	v3_cpuid_fn cpuid;
	v3_hypercall_fn hypercall;
};

struct fake_hooks {
	unsigned int count;
	struct fake_range r[FAKE_MAX_HOOKS];
};

struct v3_vm {
	unsigned int num_vcpus;
	struct v3_vcpu vcpus[V3_MAX_VCPUS];
	uint64_t now, tsc_khz;
	struct fake_hooks io, mmio, msr, cpuid, hypercall;
	struct v3_timer *timers;
	unsigned int timer_runs;

	struct { const struct v3_device_ops *ops; void *ctx; } devices[FAKE_MAX_DEVICES];
	unsigned int num_devices;
	struct { void *ptr; size_t size; } allocs[FAKE_MAX_ALLOCS];
	size_t alloc_bytes;

	/* The fallible call with this number fails with fail_status; 0: none does. */
	unsigned int fail_at, fallible_calls;
	enum v3_status fail_status;

	uint64_t wall_seconds;		/* of v3_pvclock_create() */
	const struct v3_intc_ops *intc;
	void *intc_ctx;
	/* Whether v3_intc_lends(); set it before the controllers are there. Of one vCPU at once. */
	bool lends, lent;
	unsigned int lent_how, lent_cpu;
	uint8_t lent_page[V3_PAGE_SIZE];
	/* Levels that v3_irq_set() gave, and rising edges. */
	bool irq_level[V3_NUM_GSI];
	bool irq_claimed[V3_NUM_GSI];
	unsigned int irq_edges[V3_NUM_GSI];

	enum v3_vm_state state;
	struct v3_vm_end end;
	unsigned int ends, logs;
	char last_log[512];
	enum v3_log_level last_log_level;

	uint8_t console_out[FAKE_CONSOLE_BYTES];
	size_t console_out_len;
	uint8_t console_in[256];
	size_t console_in_len;
	void (*console_input)(void *ctx);
	void *console_ctx;

	struct { struct v3_mem_range range; uint8_t *bytes; } mem[FAKE_MAX_RANGES];
	unsigned int num_mem;

	/* Guest nodes; those of the host have the same numbers. vCPU i is on i modulo their number. */
	unsigned int num_nodes;
};

/* A VM without memory, at time 0, with a TSC of 2 GHz. */
struct v3_vm *fake_vm_create(unsigned int num_vcpus);
/* Destroys the devices in reverse order; ends the program if memory is left. */
void fake_vm_destroy(struct v3_vm *vm);
/* Adds a range of guest memory, ascending; RAM and ROM get zeroed bytes behind them. */
void fake_vm_add_mem(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, enum v3_mem_kind kind);
/* The same on a node, with nothing behind it. */
void fake_vm_add_node_mem(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, enum v3_mem_kind kind,
			  int32_t node);
/* RAM of size bytes as the core lays it out: a hole at 0xA0000, ROM from 0xC0000 to 1 MiB. */
void fake_vm_add_pc_mem(struct v3_vm *vm, uint64_t size);
/* Makes the nth fallible call from now on fail (1: the next one). */
void fake_fail_at(struct v3_vm *vm, unsigned int nth, enum v3_status status);

/* Lends that vCPU's local APIC to hardware: V3_LEND_*. Until the device takes it back. */
struct v3_lent fake_lend(struct v3_vm *vm, unsigned int cpu, unsigned int how);

/* Accesses by the vCPU with that index; unhooked ports and MMIO read all ones. */
uint32_t fake_in(struct v3_vm *vm, unsigned int cpu, uint16_t port, unsigned int size);
void fake_out(struct v3_vm *vm, unsigned int cpu, uint16_t port, unsigned int size,
	      uint32_t value);
uint64_t fake_mmio_read(struct v3_vm *vm, unsigned int cpu, v3_gpa_t gpa, unsigned int size);
void fake_mmio_write(struct v3_vm *vm, unsigned int cpu, v3_gpa_t gpa, unsigned int size,
		     uint64_t value);
/* V3_HOOK_PASS if nobody hooked it. */
enum v3_hook_result fake_rdmsr(struct v3_vm *vm, unsigned int cpu, uint32_t msr, uint64_t *value);
enum v3_hook_result fake_wrmsr(struct v3_vm *vm, unsigned int cpu, uint32_t msr, uint64_t value);
/* Starts from *regs as the core would give it. */
void fake_cpuid(struct v3_vm *vm, unsigned int cpu, uint32_t leaf, uint32_t subleaf,
		struct v3_cpuid *regs);

/* Moves the clock to @p now, running each timer at its own deadline on the way. */
void fake_time_set(struct v3_vm *vm, uint64_t now);
void fake_time_advance(struct v3_vm *vm, uint64_t ns);

/* The interrupt controllers as the core calls them; -1 without any. */
int fake_peek(struct v3_vm *vm, unsigned int cpu, bool *tpr_blocked);
int fake_ack(struct v3_vm *vm, unsigned int cpu);

/* Input as from v3_console_write(). */
void fake_console_input(struct v3_vm *vm, const void *buf, size_t len);

#endif
