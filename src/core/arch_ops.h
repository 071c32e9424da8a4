/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the core and the hardware back ends (src/svm, src/vmx): what a back end does, and the one
 * neutral form of an exit. The core never sees a VMCB or VMCS field.
 */
#ifndef V3_CORE_ARCH_OPS_H
#define V3_CORE_ARCH_OPS_H

#include <v3/v3.h>

#include "paging/guest_walk.h"
#include "paging/nested.h"

enum v3_event_type {
	V3_EVENT_INTR = 0,	/* external interrupt */
	V3_EVENT_NMI = 2,
	V3_EVENT_EXCEPTION = 3,
};

/* An event to deliver at the next entry. */
struct v3_event {
	bool valid;
	uint8_t type;		/* enum v3_event_type */
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/* A hardware exit. Only the member of the union that the kind names is set. */
struct v3_exit {
	enum v3_exit_kind kind;
	/* Length of the instruction at RIP where the hardware tells it, else 0. */
	uint8_t insn_len;
	union {
		struct {
			uint16_t port;
			uint8_t size;		/* 1, 2, 4 */
			bool in, string;
			uint64_t next_rip;
		} io;
		struct {
			v3_gpa_t gpa;
			bool write, fetch;
			bool present;		/* a mapping was there and forbade it */
			bool walk;		/* while walking the guest's page tables */
			bool delivery;		/* while delivering an event: RIP did not do it */
		} npf;
		struct {
			uint8_t cr;
			bool write;
		} cr;
		struct {
			uint8_t dr;
			bool write;
		} dr;
		struct {
			uint8_t vector;
			bool has_error;
			uint32_t error;
			uint64_t cr2;
		} exception;
		struct {
			uint32_t reg, value;
			bool eoi;		/* of the vector that is the value */
		} intc;
		struct {
			uint64_t code, info1, info2;
		} raw;			/* INVALID, UNKNOWN, SHUTDOWN */
		struct {
			struct v3_event event;	/* that was to go in; not delivered */
		} emulate;
	};
};

/* What set_windows() watches for; combined. */
#define V3_WINDOW_INTR 1u	/* exit when the guest can take an interrupt */
#define V3_WINDOW_NMI 2u	/* exit at the IRET that unblocks NMIs */
#define V3_WINDOW_TPR 4u	/* exit when the guest writes CR8 */
#define V3_WINDOW_SOON 8u	/* exit once the exception that goes in now is delivered */

/* What emulating an instruction needs to know beyond the registers in struct v3_vcpu. */
struct v3_insn_env {
	struct v3_walk_cpu walk;
	uint64_t cs_base;
	uint8_t mode;		/* enum v3_insn_mode */
	uint8_t cpl;
};

/*
 * Contexts: "process" may sleep; "cpu": on the CPU in question, interrupts off; "thread": on the
 * vCPU's own thread between load() and put(), outside of the guest; "stopped": no one runs the
 * vCPU.
 */
struct v3_arch_ops {
	const char *name;
	/* Names of features that host->features_off can switch off, bit by bit; ends with NULL. */
	const char *const *features;

	/*
	 * Looks at CPUID and firmware settings, fills caps (XSAVE and address width are there),
	 * host->no_features and tsc_fraction, logs why not. Process; changes no CPU.
	 */
	enum v3_status (*probe)(struct v3_host *host, struct v3_host_caps *caps);
	/* Frees what probe() allocated. Process. */
	void (*remove)(struct v3_host *host);
	/* prepare: process, before cpu_enable, allocates per-CPU memory. Idempotent. */
	enum v3_status (*cpu_prepare)(struct v3_host *host, unsigned int cpu);
	/* Turns the extension on and off again. Cpu. */
	enum v3_status (*cpu_enable)(struct v3_host *host, unsigned int cpu);
	void (*cpu_disable)(struct v3_host *host, unsigned int cpu);

	const struct v3_nested_format *(*nested_format)(const struct v3_host *host);
	/* Per-VM and per-vCPU hardware memory. Process. The nested tables exist already. */
	enum v3_status (*vm_create)(struct v3_vm *vm);
	void (*vm_destroy)(struct v3_vm *vm);
	enum v3_status (*vcpu_create)(struct v3_vcpu *vcpu);
	void (*vcpu_destroy)(struct v3_vcpu *vcpu);

	/*
	 * Full architectural state but GPRs, RIP, RFLAGS, XCR0 and DR0-3, which the core keeps.
	 * Stopped or thread.
	 */
	void (*get_state)(struct v3_vcpu *vcpu, struct v3_vcpu_state *state);
	void (*set_state)(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state);

	/* The vCPU starts or stops using the present CPU. Interrupts on, no preemption. */
	void (*load)(struct v3_vcpu *vcpu);
	void (*put)(struct v3_vcpu *vcpu);
	/*
	 * One entry: blocks interrupts, asks v3_vcpu_may_enter(), runs the guest until an exit (or
	 * gives V3_EXIT_NONE), unblocks. An interrupted event comes back in vcpu->interrupted.
	 * V3_EXIT_EMULATE: it cannot enter in this state, and the core executes some instructions.
	 * Thread.
	 */
	void (*run)(struct v3_vcpu *vcpu, struct v3_exit *exit);
	/*
	 * The same for a vCPU that has its CPU to itself, with v3_vcpu_may_enter_owned() and
	 * v3_vcpu_left_owned().
	 */
	void (*run_owned)(struct v3_vcpu *vcpu, struct v3_exit *exit);

	/* The rest: thread. */
	void (*insn_env)(struct v3_vcpu *vcpu, struct v3_insn_env *env);
	void (*get_segment)(struct v3_vcpu *vcpu, enum v3_seg reg, struct v3_segment *seg);
	uint64_t (*get_cr)(struct v3_vcpu *vcpu, unsigned int cr);
	/* Takes checked values; does the TLB flush that the change needs. CR0, 2, 3, 4, 8. */
	void (*set_cr)(struct v3_vcpu *vcpu, unsigned int cr, uint64_t value);
	uint64_t (*get_efer)(struct v3_vcpu *vcpu);
	void (*set_efer)(struct v3_vcpu *vcpu, uint64_t value);
	uint64_t (*get_pat)(struct v3_vcpu *vcpu);
	void (*set_pat)(struct v3_vcpu *vcpu, uint64_t value);
	uint64_t (*get_dr)(struct v3_vcpu *vcpu, unsigned int dr);	/* 6 or 7 */
	void (*set_dr)(struct v3_vcpu *vcpu, unsigned int dr, uint64_t value);
	void (*inject)(struct v3_vcpu *vcpu, const struct v3_event *event);
	void (*set_windows)(struct v3_vcpu *vcpu, unsigned int windows);
	void (*flush_tlb)(struct v3_vcpu *vcpu);
	/* Guest TSC = host TSC * vm->tsc_ratio + offset. Also stopped. */
	void (*set_tsc_offset)(struct v3_vcpu *vcpu, uint64_t offset);
	/*
	 * If host->lends_intc: registers that the interrupt controller has lent go back to it.
	 * Cheap if none are.
	 */
	void (*intc_take_back)(struct v3_vcpu *vcpu);
	/* A line of hardware state for the log when the guest cannot go on. Returns length. */
	size_t (*describe)(struct v3_vcpu *vcpu, char *buf, size_t size);
};

/*
 * The back end for this CPU, or NULL if libv3 has none for it. The only place that names back ends.
 */
const struct v3_arch_ops *v3_arch_detect(void);

#endif
