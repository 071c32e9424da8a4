/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual CPU. Its thread owns all of it; the exceptions are marked: [any] is atomic and may be
 * touched by anyone, [tlock] is guarded by timer_lock, [const] does not change after creation.
 */
#ifndef V3_CORE_VCPU_H
#define V3_CORE_VCPU_H

#include <v3/device.h>
#include <v3/inspect.h>

#include "core/arch_ops.h"
#include "core/host.h"
#include "emul/emul.h"
#include "lib/lock.h"
#include "x86/insn.h"

struct v3_vm;
struct v3_mmio_hook;
struct v3_insn;
struct v3_trace_event;
struct v3_trace_ring;

/* Requests to a vCPU: bits of v3_vcpu.requests. */
#define V3_REQ_INTR	(1u << 0)	/* ask the interrupt controllers again */
#define V3_REQ_TIMER	(1u << 1)	/* the list of timers changed */
#define V3_REQ_NMI	(1u << 2)
#define V3_REQ_INIT	(1u << 3)
#define V3_REQ_SIPI	(1u << 4)
#define V3_REQ_PAUSE	(1u << 5)	/* park until resumed */
#define V3_REQ_STOP	(1u << 6)	/* leave the thread */

/* Where a vCPU is: v3_vcpu.mode. */
enum v3_vcpu_mode {
	V3_VCPU_OUTSIDE = 0,	/* on its thread, looks at requests before it enters the guest */
	V3_VCPU_GUEST = 1,	/* in the guest, or about to be: needs a kick */
	V3_VCPU_WAITING = 2,	/* in event_wait, or about to be: needs a signal */
};

/* At most: how much earlier than a deadline the host's timer is armed. */
#define V3_LEAD_MAX_NS 10000u

/* v3_vcpu.parked of a thread that is over. */
#define V3_PARKED_FOR_GOOD (~0u)

/* Multiprocessor state. */
enum v3_vcpu_run {
	V3_RUN_RUNNABLE = 0,
	V3_RUN_HALTED = 1,	/* HLT: waits for an interrupt */
	V3_RUN_WAIT_SIPI = 2,
};

/*
 * A code page of which an instruction was looked at. Valid while the registers are the same and
 * every table entry on the way still holds the same value, which is checked each time: no flush of
 * the guest's can make it stale.
 */
#define V3_CODE_PAGES 16
struct v3_code_page {
	const uint8_t *code;		/* start of the page on the host; NULL: none remembered */
	v3_gva_t gva;
	uint64_t cr0, cr3, cr4, efer;
	bool user;
	struct v3_walk_trace trace;
};

/* Room for an instruction of 15 bytes, rounded up so that it is filled by two moves. */
#define V3_INSN_BUFFER 16

/* A load or store that was looked at, by all of its bytes and what follows them. */
#define V3_INSN_PLAIN 4
struct v3_insn_plain {
	uint64_t words[V3_INSN_BUFFER / 8];
	struct v3_emul_simple op;
	unsigned int length;		/* 0: not one of the commonest forms */
};

/* An exit, and the registers as the guest left them: RAX, RCX, RDX, RBX. */
struct v3_exit_record {
	struct v3_exit exit;
	uint64_t rip, gpr[4];
	struct v3_exit_record *next;	/* [const] in a ring */
};

struct v3_vcpu {
	/*
	 * Registers of the guest, current whenever it does not run. First: src/svm/entry.S uses the
	 * offset.
	 */
	uint64_t gpr[16];
	uint64_t rip, rflags;

	/* [any] V3_REQ_* */
	uint32_t requests;
	/* [any] enum v3_vcpu_mode */
	uint32_t mode;
	/*
	 * Host TSC at which the first timer is due, and the thread's own or the host's; all ones:
	 * none.
	 */
	uint64_t timer_tsc, local_tsc;
	/* Interrupt shadow of STI or MOV SS. */
	bool shadow;
	bool nmi_blocked, nmi_pending;
	/* Stopped at the IRET of an NMI handler: NMIs stay blocked until it is done. */
	bool nmi_iret, nmi_step;
	uint64_t nmi_iret_rip;
	/* v3_inject_prepare() has something to do. */
	bool inject_work;
	/*
	 * [any] V3_TRACE_ON_*, and what enters the guest: the back end's run(), or one that traces.
	 */
	uint8_t trace_on;
	void (*enter)(struct v3_vcpu *vcpu, struct v3_exit *exit);
	/*
	 * Task priority as the hardware holds it, and as the interrupt controller last heard of it.
	 */
	uint8_t cr8, cr8_seen;
	uint8_t run;			/* enum v3_vcpu_run */
	uint8_t sipi_vector;		/* [any] valid with V3_REQ_SIPI */
	uint64_t poll;			/* how long the next HLT is polled, TSC ticks */
	uint32_t windows;		/* V3_WINDOW_* asked of the back end */
	/*
	 * Nested faults and other exits that took an event back; redelivered by
	 * v3_inject_prepare().
	 */
	struct v3_event interrupted;
	struct v3_event exception;	/* to inject, from emulation */
	struct v3_event intr;		/* acknowledged interrupt or NMI not delivered yet */
	/* The MMIO hook that was hit last. */
	const struct v3_mmio_hook *last_mmio;
	struct v3_code_page code_pages[V3_CODE_PAGES];	/* by low bits of the page number */
	struct v3_insn_plain insn_plain[V3_INSN_PLAIN];	/* by low bits of RIP */

	struct v3_vm *vm;		/* [const] */
	struct v3_host *host;		/* [const] */
	void *arch;			/* [const] back end's part */
	unsigned int index;		/* [const] */
	int want_cpu;			/* [const] host CPU asked for, or V3_CPU_ANY */
	int cpu;			/* [any] host CPU of the running thread, or V3_CPU_ANY */

	/* The instruction that was last given back to the guest because it cannot be emulated. */
	struct {
		uint64_t rip, exit;
		uint8_t bytes[V3_INSN_BUFFER];
	} unemulated;

	uint64_t dr[4];
	uint64_t xcr0;
	uint64_t tsc_adjust;		/* guest TSC relative to the VM's */
	uint64_t pvclock;		/* what the guest wrote to V3_MSR_KVM_SYSTEM_TIME */
	uint64_t tsc_aux, host_tsc_aux;
	/* Where a device's hook puts what RDMSR gives: kernels would guard it on the stack. */
	uint64_t msr_value;
	uint64_t mtrr_def;
	uint64_t mtrr_fixed[11];
	uint64_t mtrr_var[16];

	/* FPU: pages of area; only valid outside of fpu_begin/fpu_end sections. */
	void *fpu;			/* [const] XSAVE or FXSAVE image */
	v3_hpa_t fpu_hpa;		/* [const] */
	uint32_t fpu_pages;		/* [const] */
	uint64_t host_xcr0, host_xss;	/* while the guest's are loaded */

	/* The timer of the local interrupt controller, by the VM's clock and by the host's TSC. */
	uint64_t own_deadline, own_tsc;
	struct v3_lock timer_lock;
	struct v3_timer *timers;	/* [tlock] sorted by deadline */
	struct v3_host_timer *host_timer; /* NULL outside of the thread */
	uint64_t host_timer_tsc;	/* what it, or the CPU's, is armed for; all ones: not armed */
	uint64_t host_timer_ns;		/* the same by the host's clock */
	uint64_t host_timer_first;	/* host TSC of the deadline that it is armed for */
	uint64_t lead;			/* how much earlier it is armed, TSC ticks */
	uint64_t clock_ns, clock_tsc;	/* the host's clock as it was read last, and when */

	/* What the host knows the thread by that has its CPU to itself; the host wants to have it. */
	struct v3_host_own *own;
	bool own_yield;
	struct v3_host_thread *thread;	/* guarded by v3_vm.control */
	struct v3_host_event *event;	/* [const] */
	/* [any] v3_vm.pauses as it parked for it, or V3_PARKED_FOR_GOOD */
	uint32_t parked;
	bool arch_created;		/* [const] */
	enum v3_status start_status;	/* of the thread; read when parked */

	struct v3_trace_ring *trace;	/* [any] NULL until it is asked for, then constant */
	v3_hpa_t trace_hpa;		/* of it; guarded by v3_vm.lock */

	struct v3_vcpu_stats stats;	/* written by the thread, read by anyone */
	/*
	 * Where the next exit goes. From its successor on the last ones follow, oldest first, for
	 * v3_vcpu_inspect().
	 */
	struct v3_exit_record *next_exit;
	struct v3_exit_record exits[V3_INSPECT_EXITS + 1];
};

/* A counter of v3_vcpu.stats: readers on other threads see it whole. */
static inline void v3_stat_add(uint64_t *counter, uint64_t n)
{
	/* On every exit: one instruction, where compilers make four of an atomic store. */
	__asm__("addq %1, %0" : "+m"(*counter) : "er"(n));
}

/* v3_vcpu.trace_on: to the ring, to the host's hook. */
#define V3_TRACE_ON_RING 1u
#define V3_TRACE_ON_HOST 2u

/* Allocation of vCPU i of a VM. */
enum v3_status v3_vcpu_create(struct v3_vm *vm, unsigned int index, int cpu);
void v3_vcpu_destroy(struct v3_vcpu *vcpu);
/* Body of the vCPU's thread. */
void v3_vcpu_thread(void *arg);
/* Sets requests and makes the vCPU notice them soon. Any context. */
void v3_vcpu_request(struct v3_vcpu *vcpu, uint32_t requests);
/* A timer is due, or the host's timer has fired for one that was moved back since. */
static inline bool v3_timer_is_due(const struct v3_vcpu *vcpu)
{
	uint64_t now = v3_x86_rdtsc();

	return now >= __atomic_load_n(&vcpu->timer_tsc, __ATOMIC_RELAXED) ||
	       now >= vcpu->local_tsc;
}

/* For a back end, right after the guest ran. */
static inline void v3_vcpu_left_guest(struct v3_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->mode, V3_VCPU_OUTSIDE, __ATOMIC_RELAXED);
}

/*
 * For a back end, with interrupts blocked: marks the vCPU as in the guest and says whether it may
 * enter. If not, the mark is taken back.
 */
static inline bool v3_vcpu_may_enter(struct v3_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->mode, V3_VCPU_GUEST, __ATOMIC_SEQ_CST);
	/*
	 * Timers last, with interrupts blocked: from here on the host's timer ends the guest's run.
	 */
	if (!__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) &&
	    !v3_os_should_yield(vcpu->host) && !v3_timer_is_due(vcpu))
		return true;
	v3_vcpu_left_guest(vcpu);
	return false;
}

/* The same two for run_owned(). */
bool v3_vcpu_may_enter_owned(struct v3_vcpu *vcpu);
static inline void v3_vcpu_left_owned(struct v3_vcpu *vcpu)
{
	v3_vcpu_left_guest(vcpu);
	v3_os_own_leave(vcpu->host, vcpu->own);
}

/* All registers of a vCPU that nobody runs. */
void v3_vcpu_state_copy(struct v3_vcpu *vcpu, struct v3_vcpu_state *state);
/* Reset state (APM2 14.1.3): INIT keeps some of it. Thread or stopped. */
void v3_vcpu_reset(struct v3_vcpu *vcpu, bool init);
/* The same and all registers that INIT leaves alone, for creation and reset of the VM. Stopped. */
void v3_vcpu_power_on(struct v3_vcpu *vcpu);
/* Handles V3_REQ_INIT and V3_REQ_SIPI. Thread. */
void v3_vcpu_handle_startup(struct v3_vcpu *vcpu, uint32_t requests);

/* fpu.c: load and save guest FPU state inside fpu_begin/fpu_end. */
enum v3_status v3_fpu_create(struct v3_vcpu *vcpu);
void v3_fpu_destroy(struct v3_vcpu *vcpu);
void v3_fpu_reset(struct v3_vcpu *vcpu);
void v3_fpu_load(struct v3_vcpu *vcpu);
void v3_fpu_put(struct v3_vcpu *vcpu);
/*
 * One vector register (0..15) between the two: its low `size` bytes, up to 32. Set with zero_upper
 * clears what is above (VEX), and needs AVX in the guest's XCR0; without it `size` is at most 16.
 * More than 16 bytes need AVX.
 */
void v3_fpu_vec_get(struct v3_vcpu *vcpu, unsigned int reg, void *buf, unsigned int size);
void v3_fpu_vec_set(struct v3_vcpu *vcpu, unsigned int reg, const void *buf, unsigned int size,
		    bool zero_upper);
bool v3_xcr0_valid(uint64_t xcr0, uint64_t supported);
/* MTRRs as firmware would leave them (msr.c). */
void v3_mtrr_reset(struct v3_vcpu *vcpu);
/* Whether each of the eight memory types of a PAT exists (msr.c). */
bool v3_pat_valid(uint64_t value);

/* inject.c */
/* Queues an exception of the guest's own doing; may become #DF or end the VM as a triple fault. */
void v3_vcpu_exception(struct v3_vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
void v3_vcpu_page_fault(struct v3_vcpu *vcpu, uint64_t cr2, uint32_t error);
static inline void v3_vcpu_gp(struct v3_vcpu *vcpu)
{
	v3_vcpu_exception(vcpu, 13, true, 0);
}
static inline void v3_vcpu_ud(struct v3_vcpu *vcpu)
{
	v3_vcpu_exception(vcpu, 6, false, 0);
}
/* Before an entry: hands the back end the event to deliver and the windows to watch. */
void v3_inject_prepare(struct v3_vcpu *vcpu);
/* The last exit took an event back (vcpu->interrupted): it is delivered again. */
void v3_inject_requeue(struct v3_vcpu *vcpu);
/* Whether an interrupt or NMI would wake the vCPU from HLT now. */
bool v3_inject_pending(struct v3_vcpu *vcpu);

/* exit.c: acts on an exit. */
void v3_exit_handle(struct v3_vcpu *vcpu, const struct v3_exit *exit);
/* Before it, at the first exit after one at an NMI handler's IRET. True: the exit was only for that. */
bool v3_exit_nmi_iret(struct v3_vcpu *vcpu, const struct v3_exit *exit);

/* time.c */
/* Runs due timers, then arms the host's timer for the next. Thread, no guest. */
void v3_timers_run(struct v3_vcpu *vcpu);
/*
 * After an exit for a host interrupt: if that was the host's timer, timers that are due run. It may
 * have fired although the TSC is not there yet, because the host's clock is steered: then it is
 * armed again. Thread.
 */
void v3_timers_interrupted(struct v3_vcpu *vcpu);
/* clock_ns() at which the first timer is due; UINT64_MAX: none. */
uint64_t v3_timers_deadline(struct v3_vcpu *vcpu);
/* After tsc_base moved. */
void v3_timers_restart(struct v3_vcpu *vcpu);
void v3_timers_host_start(struct v3_vcpu *vcpu, unsigned int cpu);
void v3_timers_host_stop(struct v3_vcpu *vcpu);
/* The VM's clock stops, or goes on where it stood; control calls only. */
void v3_vm_clock_stop(struct v3_vm *vm);
void v3_vm_clock_go_on(struct v3_vm *vm);
/* The VM's clock in ticks of the host's TSC. Any context. */
uint64_t v3_vm_ticks(const struct v3_vm *vm);
/* Host TSC at which the VM's clock shows ns. */
uint64_t v3_vm_ns_to_tsc(const struct v3_vm *vm, uint64_t ns);

/* tsc.c */
/* v3_guest_tsc() of a guest whose TSC has another frequency than the host's. */
uint64_t v3_guest_tsc_scaled(const struct v3_vcpu *vcpu);
/* After tsc_base or tsc_adjust changed. */
void v3_vcpu_sync_tsc(struct v3_vcpu *vcpu);
/* The guest writes its TSC. Thread. */
void v3_vcpu_set_tsc(struct v3_vcpu *vcpu, uint64_t value);

/* trace.c: creation and end; events other than entries and exits, if trace_on. Thread. */
void v3_trace_init(struct v3_vcpu *vcpu);
void v3_trace_destroy(struct v3_vcpu *vcpu);
void v3_trace_inject(struct v3_vcpu *vcpu, const struct v3_event *what);
void v3_trace_requests(struct v3_vcpu *vcpu, uint32_t taken);
/*
 * Fills in what an exit says, but for time and RIP. gpr: at least RAX to RBX as the guest left
 * them.
 */
void v3_trace_describe(const uint64_t *gpr, const struct v3_exit *exit,
		       struct v3_trace_event *event);
static inline bool v3_trace_wanted(const struct v3_vcpu *vcpu)
{
	return __builtin_expect(__atomic_load_n(&vcpu->trace_on, __ATOMIC_RELAXED), 0);
}

/* inspect.c: no exit yet; also for creation. Thread or stopped. */
void v3_exits_forget(struct v3_vcpu *vcpu);

/* insn.c */
/*
 * The instruction at RIP is done: on to the next one. len 0: find it out (false: a fault is
 * queued).
 */
bool v3_vcpu_skip(struct v3_vcpu *vcpu, unsigned int len);
/* The same where the length is known. */
void v3_vcpu_step(struct v3_vcpu *vcpu, uint64_t len);
/*
 * As v3_vcpu_skip() for an instruction of two bytes, 0F and opcode, when the hardware gave no
 * length: cheap if it has no prefixes.
 */
bool v3_vcpu_find_0f(struct v3_vcpu *vcpu, uint8_t opcode);
static inline void v3_vcpu_skip_0f(struct v3_vcpu *vcpu, unsigned int len, uint8_t opcode)
{
	if (len)
		v3_vcpu_step(vcpu, len);
	else
		v3_vcpu_find_0f(vcpu, opcode);
}
/* Whether the instruction at RIP is a HLT that the guest may execute. Queues no fault. */
bool v3_insn_is_hlt(struct v3_vcpu *vcpu);
/*
 * Fetches and decodes the instruction at RIP; its bytes stay in bytes. False: a fault is queued,
 * the VM ended, or the guest has to execute it again.
 */
bool v3_insn_get(struct v3_vcpu *vcpu, const struct v3_insn_env *env, struct v3_insn *insn,
		 uint8_t bytes[V3_INSN_BUFFER]);
/*
 * The load or store at RIP where it is one of the commonest forms, in 64-bit mode, on a page that
 * is known; NULL: use the others.
 */
const struct v3_insn_plain *v3_insn_plain(struct v3_vcpu *vcpu, const struct v3_insn_env *env);
/*
 * The two halves of v3_insn_get(). Fetch: up to 15 bytes at RIP, and how many; 0: a fault is queued
 * or the VM ended.
 */
unsigned int v3_insn_fetch(struct v3_vcpu *vcpu, const struct v3_insn_env *env,
			   uint8_t bytes[V3_INSN_BUFFER]);
bool v3_insn_decode(struct v3_vcpu *vcpu, const struct v3_insn_env *env, struct v3_insn *insn,
		    const uint8_t bytes[V3_INSN_BUFFER], unsigned int n);
/*
 * End of an instruction that was executed in software: interrupt shadow, trap flag. RIP is already
 * new.
 */
void v3_vcpu_insn_done(struct v3_vcpu *vcpu);

/* emulate.c: executes the instruction at RIP in software, because of an exit. */
void v3_emulate(struct v3_vcpu *vcpu, const struct v3_exit *exit);

/* emulate_cpu.c: V3_EXIT_EMULATE */
void v3_exit_emulate(struct v3_vcpu *vcpu, const struct v3_exit *exit);

/* exit_*.c */
void v3_exit_io(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_intc(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_nested_fault(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_cr(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_dr(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_xsetbv(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_cpuid(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_rdmsr(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_wrmsr(struct v3_vcpu *vcpu, const struct v3_exit *exit);
void v3_exit_hypercall(struct v3_vcpu *vcpu, const struct v3_exit *exit);

#endif
