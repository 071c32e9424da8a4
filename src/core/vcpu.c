/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs: creation, their thread, requests to them, and the run loop. */
#include "core/vm.h"

#include "lib/bits.h"
#include "x86/insn.h"
#include "x86/msr.h"

/* --- Creation --- */

static V3_RARE enum v3_status vcpu_parts_create(struct v3_vcpu *vcpu)
{
	enum v3_status status = v3_os_event_create(vcpu->host, &vcpu->event);

	if (status == V3_OK)
		status = v3_fpu_create(vcpu);
	if (status != V3_OK)
		return status;
	status = vcpu->vm->arch->vcpu_create(vcpu);
	if (status != V3_OK)
		return status;
	vcpu->arch_created = true;
	v3_trace_init(vcpu);
	v3_exits_forget(vcpu);
	v3_vcpu_power_on(vcpu);
	return V3_OK;
}

V3_RARE enum v3_status v3_vcpu_create(struct v3_vm *vm, unsigned int index, int cpu)
{
	struct v3_vcpu *vcpu = v3_host_alloc_lines(vm->host, sizeof(*vcpu));
	enum v3_status status;

	if (!vcpu)
		return V3_ERR_NOMEM;
	vm->vcpu_bytes += v3_host_lines_size(sizeof(*vcpu));
	vcpu->vm = vm;
	vcpu->host = vm->host;
	vcpu->index = index;
	vcpu->want_cpu = cpu;
	vcpu->cpu = V3_CPU_ANY;
	vcpu->timer_tsc = vcpu->local_tsc = ~0ull;
	vcpu->own_deadline = vcpu->own_tsc = ~0ull;
	vcpu->host_timer_tsc = ~0ull;
	v3_lock_init(&vcpu->timer_lock);
	status = vcpu_parts_create(vcpu);
	if (status != V3_OK)
		v3_vcpu_destroy(vcpu);
	else
		vm->vcpus[index] = vcpu;
	return status;
}

V3_RARE void v3_vcpu_destroy(struct v3_vcpu *vcpu)
{
	if (vcpu->arch_created)
		vcpu->vm->arch->vcpu_destroy(vcpu);
	v3_fpu_destroy(vcpu);
	v3_trace_destroy(vcpu);
	if (vcpu->event)
		v3_os_event_destroy(vcpu->host, vcpu->event);
	v3_host_free_lines(vcpu->host, vcpu, sizeof(*vcpu));
}

/* --- Requests --- */

/* Between a look at its mode and this one the thread may have left the guest, and even ended. */
static void kick(struct v3_vcpu *vcpu)
{
	int cpu = __atomic_load_n(&vcpu->cpu, __ATOMIC_RELAXED);

	if (cpu != V3_CPU_ANY)
		v3_os_cpu_kick(vcpu->host, (unsigned int)cpu);
}

void v3_vcpu_request(struct v3_vcpu *vcpu, uint32_t requests)
{
	uint32_t mode;

	/*
	 * Pairs with may_enter() and wait_for_event(): either we see its mode, or it sees our
	 * request.
	 */
	__atomic_fetch_or(&vcpu->requests, requests, __ATOMIC_SEQ_CST);
	mode = __atomic_load_n(&vcpu->mode, __ATOMIC_SEQ_CST);
	if (mode == V3_VCPU_GUEST)
		kick(vcpu);
	else if (mode == V3_VCPU_WAITING)
		v3_os_event_signal(vcpu->host, vcpu->event);
}

void v3_vcpu_check_intr(struct v3_vcpu *vcpu)
{
	v3_vcpu_request(vcpu, V3_REQ_INTR);
}

void v3_vcpu_check_own(struct v3_vcpu *vcpu)
{
	vcpu->inject_work = true;
}

void v3_vcpu_nmi(struct v3_vcpu *vcpu)
{
	v3_vcpu_request(vcpu, V3_REQ_NMI);
}

/* A start-up IPI from before is over: the vCPU waits for the next one. */
void v3_vcpu_init(struct v3_vcpu *vcpu)
{
	__atomic_fetch_and(&vcpu->requests, ~V3_REQ_SIPI, __ATOMIC_SEQ_CST);
	v3_vcpu_request(vcpu, V3_REQ_INIT);
}

/*
 * The first one starts the vCPU; it would ignore a second one, and so does what has not seen the
 * first.
 */
void v3_vcpu_sipi(struct v3_vcpu *vcpu, uint8_t vector)
{
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) & V3_REQ_SIPI)
		return;
	__atomic_store_n(&vcpu->sipi_vector, vector, __ATOMIC_RELAXED);
	v3_vcpu_request(vcpu, V3_REQ_SIPI);
}

/* Requests that the loop answers itself; PAUSE and STOP stay set for the thread. */
static void requests_take(struct v3_vcpu *vcpu)
{
	const uint32_t mine = V3_REQ_INTR | V3_REQ_TIMER | V3_REQ_NMI | V3_REQ_INIT | V3_REQ_SIPI;
	uint32_t taken = __atomic_fetch_and(&vcpu->requests, ~mine, __ATOMIC_SEQ_CST) & mine;

	if (v3_trace_wanted(vcpu) && taken)
		v3_trace_requests(vcpu, taken);
	/*
	 * Before an INIT that came with it, which forgets it; one that waits for a start-up IPI
	 * does not remember it either.
	 */
	if (taken & V3_REQ_NMI && vcpu->run != V3_RUN_WAIT_SIPI)
		vcpu->nmi_pending = true;
	if (taken & (V3_REQ_INIT | V3_REQ_SIPI))
		v3_vcpu_handle_startup(vcpu, taken);
	if (taken & V3_REQ_TIMER)
		v3_timers_run(vcpu);
	if (taken & V3_REQ_INTR)
		vcpu->cr8 = (uint8_t)vcpu->vm->intc->tpr_get(vcpu, vcpu->vm->intc_ctx);
	vcpu->cr8_seen = vcpu->cr8;
	if (taken & (V3_REQ_INTR | V3_REQ_NMI))
		vcpu->inject_work = true;
}

static bool must_leave(struct v3_vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) & (V3_REQ_PAUSE | V3_REQ_STOP);
}

/*
 * The host is not asked whether it wants the CPU: that is for the policy to say, in own_enter. From
 * there on it considers the CPU gone, so that comes last.
 */
bool v3_vcpu_may_enter_owned(struct v3_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->mode, V3_VCPU_GUEST, __ATOMIC_SEQ_CST);
	/* the last answer is no reason not to run a timer that is due */
	vcpu->own_yield = false;
	if (!__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) && !v3_timer_is_due(vcpu)) {
		vcpu->own_yield = !v3_os_own_enter(vcpu->host, vcpu->own);
		if (!vcpu->own_yield)
			return true;
	}
	v3_vcpu_left_guest(vcpu);
	return false;
}

/* --- HLT --- */

/* Whether a vCPU in HLT, or waiting for a start-up IPI, has something to do. */
static bool halt_over(struct v3_vcpu *vcpu)
{
	if (v3_timer_is_due(vcpu))
		v3_timers_run(vcpu);
	requests_take(vcpu);
	if (must_leave(vcpu))
		return true;
	if (vcpu->run == V3_RUN_HALTED && v3_inject_pending(vcpu)) {
		vcpu->run = V3_RUN_RUNNABLE;
		vcpu->inject_work = true;
	}
	return vcpu->run == V3_RUN_RUNNABLE;
}

/*
 * Waits for the end of an HLT on the CPU, with the guest's FPU state loaded, if recent ones promise
 * that it comes soon; true: the guest goes on. Nobody need be told: requests find the vCPU outside
 * of the guest, and a poll in vain ends where any HLT begins, in wait_halted(), which looks at them
 * anew before it sleeps.
 */
static bool halt_poll(struct v3_vcpu *vcpu)
{
	uint64_t end;

	if (!vcpu->poll || vcpu->run != V3_RUN_HALTED)
		return false;
	end = v3_x86_rdtsc() + vcpu->poll;
	while (!halt_over(vcpu)) {
		do {
			if (v3_x86_rdtsc() >= end || !v3_os_can_poll(vcpu->host))
				return false;
			v3_x86_pause();
		} while (!__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) &&
			 !v3_timer_is_due(vcpu));
	}
	if (vcpu->run != V3_RUN_RUNNABLE)
		return false;
	v3_stat_add(&vcpu->stats.halts, 1);
	return true;
}

/*
 * After an HLT that was slept through. One shorter than the host's limit should have been polled:
 * from a 16th of the limit on twice as long each time. After a longer one polls get shorter, down
 * to none.
 */
static void poll_learn(struct v3_vcpu *vcpu, uint64_t slept)
{
	uint64_t most = __atomic_load_n(&vcpu->host->halt_poll, __ATOMIC_RELAXED);
	uint64_t poll = vcpu->poll, least = most / 16;

	if (slept <= most)
		poll = poll ? poll * 2 : least;
	else
		poll = poll / 2 < least ? 0 : poll / 2;
	vcpu->poll = poll < most ? poll : most;
}

/* --- The run loop --- */

/* The guest changed its task priority through CR8 without an exit. */
static void tpr_sync(struct v3_vcpu *vcpu)
{
	vcpu->cr8_seen = vcpu->cr8;
	vcpu->vm->intc->tpr_set(vcpu, vcpu->vm->intc_ctx, vcpu->cr8);
	vcpu->inject_work = true;
}

/* For v3_vcpu_inspect(). What the exit itself is, the back end has put there: nothing is copied. */
static inline void exit_record(const struct v3_vcpu *vcpu, struct v3_exit_record *record)
{
	unsigned int i;

	record->rip = vcpu->rip;
	for (i = 0; i < 4; i++)
		record->gpr[i] = vcpu->gpr[i];
}

/* After an entry that was refused. */
static bool host_wants_cpu(const struct v3_vcpu *vcpu)
{
	return vcpu->own ? vcpu->own_yield : v3_os_should_yield(vcpu->host);
}

/*
 * Runs the guest until something needs the thread: a request, HLT, or the host wants the CPU.
 * Returns where the next exit goes, as record was for the first.
 */
static struct v3_exit_record *run_guest(struct v3_vcpu *vcpu, struct v3_exit_record *record)
{
	enum v3_exit_kind kind;

	for (;;) {
		if (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED)) {
			requests_take(vcpu);
			if (must_leave(vcpu) || vcpu->run != V3_RUN_RUNNABLE)
				return record;
		}
		if (vcpu->inject_work)
			v3_inject_prepare(vcpu);
		__atomic_load_n(&vcpu->enter, __ATOMIC_RELAXED)(vcpu, &record->exit);
		kind = record->exit.kind;
		v3_stat_add(&vcpu->stats.exits[kind], 1);
		if (kind == V3_EXIT_NONE) {
			if (vcpu->interrupted.valid)
				v3_inject_requeue(vcpu);
			if (host_wants_cpu(vcpu))
				return record;
			if (v3_timer_is_due(vcpu))
				v3_timers_run(vcpu);
			continue;
		}
		exit_record(vcpu, record);
		if (vcpu->cr8 != vcpu->cr8_seen)
			tpr_sync(vcpu);
		if (vcpu->interrupted.valid)
			v3_inject_requeue(vcpu);
		if (!vcpu->nmi_iret || !v3_exit_nmi_iret(vcpu, &record->exit))
			v3_exit_handle(vcpu, &record->exit);
		record = record->next;
		if (vcpu->run != V3_RUN_RUNNABLE && !halt_poll(vcpu))
			return record;
	}
}

/* RDTSCP and RDPID read the MSR without an exit; it is no part of what the back ends switch. */
static void tsc_aux_load(struct v3_vcpu *vcpu)
{
	if (!vcpu->host->has_tsc_aux)
		return;
	vcpu->host_tsc_aux = v3_x86_rdmsr(V3_MSR_TSC_AUX);
	v3_x86_wrmsr(V3_MSR_TSC_AUX, vcpu->tsc_aux);
}

static void tsc_aux_put(struct v3_vcpu *vcpu)
{
	if (vcpu->host->has_tsc_aux)
		v3_x86_wrmsr(V3_MSR_TSC_AUX, vcpu->host_tsc_aux);
}

static void run_section(struct v3_vcpu *vcpu)
{
	uint64_t start = v3_os_clock_ns(vcpu->host);

	v3_os_fpu_begin(vcpu->host);
	v3_fpu_load(vcpu);
	tsc_aux_load(vcpu);
	vcpu->vm->arch->load(vcpu);
	vcpu->next_exit = run_guest(vcpu, vcpu->next_exit);
	vcpu->vm->arch->put(vcpu);
	tsc_aux_put(vcpu);
	v3_fpu_put(vcpu);
	v3_os_fpu_end(vcpu->host);
	v3_stat_add(&vcpu->stats.run_ns, v3_os_clock_ns(vcpu->host) - start);
	if (vcpu->own)
		v3_os_own_yield(vcpu->host, vcpu->own);
	else
		v3_os_yield(vcpu->host);
}

/* --- Waiting --- */

/* Sleeps until a request comes or the deadline passes. */
static void wait_for_event(struct v3_vcpu *vcpu, uint64_t deadline)
{
	__atomic_store_n(&vcpu->mode, V3_VCPU_WAITING, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST))
		;
	else if (vcpu->own)
		v3_os_own_wait(vcpu->host, vcpu->own, vcpu->event, deadline);
	else
		v3_os_event_wait(vcpu->host, vcpu->event, deadline);
	__atomic_store_n(&vcpu->mode, V3_VCPU_OUTSIDE, __ATOMIC_RELAXED);
}

/* HLT, or waiting for a start-up IPI. */
static void wait_halted(struct v3_vcpu *vcpu)
{
	uint64_t start = v3_x86_rdtsc();

	v3_stat_add(&vcpu->stats.halts, 1);
	while (!halt_over(vcpu))
		wait_for_event(vcpu, v3_timers_deadline(vcpu));
	start = v3_x86_rdtsc() - start;
	v3_stat_add(&vcpu->stats.halt_ns, v3_mul_shift32(start, vcpu->host->ns_per_tick_32));
	poll_learn(vcpu, start);
}

/* Answers V3_REQ_PAUSE: stays here until it is taken back or the VM stops. */
static void park(struct v3_vcpu *vcpu)
{
	uint32_t requests, pauses;

	for (;;) {
		/* From here on requests signal the event; taking V3_REQ_PAUSE back does so too. */
		__atomic_store_n(&vcpu->mode, V3_VCPU_WAITING, __ATOMIC_SEQ_CST);
		/*
		 * Before the request: if a pause is over and another one asked for, the answer is
		 * to none.
		 */
		pauses = __atomic_load_n(&vcpu->vm->pauses, __ATOMIC_SEQ_CST);
		requests = __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST);
		if (requests & V3_REQ_STOP || !(requests & V3_REQ_PAUSE))
			break;
		__atomic_store_n(&vcpu->parked, pauses, __ATOMIC_RELEASE);
		v3_os_event_signal(vcpu->host, vcpu->vm->control_event);
		v3_os_event_wait(vcpu->host, vcpu->event, UINT64_MAX);
	}
	__atomic_store_n(&vcpu->mode, V3_VCPU_OUTSIDE, __ATOMIC_RELAXED);
	v3_vcpu_sync_tsc(vcpu);
	/* The clock jumped: deadlines have another TSC now. */
	v3_timers_restart(vcpu);
}

/* --- The thread --- */

static void thread_loop(struct v3_vcpu *vcpu)
{
	for (;;) {
		uint32_t requests = __atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE);

		if (requests & V3_REQ_STOP)
			return;
		if (requests & V3_REQ_PAUSE)
			park(vcpu);
		else if (vcpu->run != V3_RUN_RUNNABLE)
			wait_halted(vcpu);
		else
			run_section(vcpu);
	}
}

static enum v3_status own_begin(struct v3_vcpu *vcpu, unsigned int cpu)
{
	const struct v3_own_request request = {
		.vm_ctx = vcpu->vm->ctx, .vcpu = vcpu->index, .cpu = cpu,
		.policy = vcpu->vm->yield_policy, .yield_ns = vcpu->vm->yield_ns,
	};

	if (request.policy == V3_YIELD_SHARED)
		return V3_OK;
	return v3_os_own_begin(vcpu->host, &request, &vcpu->own);
}

static void own_end(struct v3_vcpu *vcpu)
{
	if (vcpu->own)
		v3_os_own_end(vcpu->host, vcpu->own);
	vcpu->own = NULL;
}

/* With the virtualization extension on, and the CPU the vCPU's own if that is the policy. */
static void thread_on_cpu(struct v3_vcpu *vcpu, unsigned int cpu)
{
	__atomic_store_n(&vcpu->cpu, (int)cpu, __ATOMIC_RELAXED);
	v3_timers_host_start(vcpu, cpu);
	thread_loop(vcpu);
	v3_timers_host_stop(vcpu);
	__atomic_store_n(&vcpu->cpu, V3_CPU_ANY, __ATOMIC_RELAXED);
}

/* start_status is v3_vm_start()'s to read from the moment the thread has parked. */
void v3_vcpu_thread(void *arg)
{
	struct v3_vcpu *vcpu = arg;
	unsigned int cpu = v3_os_cpu(vcpu->host);

	vcpu->start_status = v3_host_cpu_get(vcpu->host, cpu);
	if (vcpu->start_status == V3_OK) {
		vcpu->start_status = own_begin(vcpu, cpu);
		if (vcpu->start_status == V3_OK)
			thread_on_cpu(vcpu, cpu);
		own_end(vcpu);
		v3_host_cpu_put(vcpu->host, cpu);
	}
	/* A control call that waits for all to park must not wait for us. */
	__atomic_store_n(&vcpu->parked, V3_PARKED_FOR_GOOD, __ATOMIC_RELEASE);
	v3_os_event_signal(vcpu->host, vcpu->vm->control_event);
}

/* --- Small public functions --- */

struct v3_vm *v3_vcpu_vm(const struct v3_vcpu *vcpu)
{
	return vcpu->vm;
}

unsigned int v3_vcpu_index(const struct v3_vcpu *vcpu)
{
	return vcpu->index;
}

int v3_vcpu_cpu(const struct v3_vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->cpu, __ATOMIC_RELAXED);
}
