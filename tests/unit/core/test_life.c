/* SPDX-License-Identifier: BSD-2-Clause */
/* Life cycle: order of calls, starts that fail, ends, more than one vCPU. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/vm.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "own_guest.h"
#include "svm/svm.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/seg.h"

#define NUM_VCPUS 3u

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;
/* VMRUNs of each vCPU. */
static unsigned int runs[NUM_VCPUS];

/* The guests of these tests do nothing but run. */
void svm_enter(uint64_t *gpr, v3_hpa_t vmcb_hpa, v3_hpa_t host_vmcb)
{
	struct svm_vmcb *vmcb = host->os.phys_to_virt(host->os.ctx, vmcb_hpa);

	(void)host_vmcb;
	/* All of them read the same TSC, whatever happened to them before. */
	if (vmcb->tsc_offset + __atomic_load_n(&vm->tsc_base, __ATOMIC_ACQUIRE))
		abort();
	vmcb->exit_code = SVM_EXIT_INTR;
	__atomic_add_fetch(&runs[vcpu_of(vm, gpr)], 1, __ATOMIC_SEQ_CST);
}

static void create_vm(void)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const int32_t cpus[NUM_VCPUS] = { 1, 2, 3 };	/* the test has 0 */
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = NUM_VCPUS, .name = "life",
		.mem = &mem, .num_mem = 1, .cpus = cpus, .ctx = &runs,
	};

	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	memset(runs, 0, sizeof(runs));
}

static int set_up(void **state)
{
	(void)state;
	fake = v3_fake_host_create();
	v3_fake_host_set_threads(fake, V3_FAKE_PTHREADS);
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	create_vm();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (vm)
		v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
	return 0;
}

static void wait_runs(unsigned int i, unsigned int more)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	unsigned int from = __atomic_load_n(&runs[i], __ATOMIC_SEQ_CST), tries = 0;

	while (__atomic_load_n(&runs[i], __ATOMIC_SEQ_CST) - from < more) {
		assert_true(++tries < 500000);
		nanosleep(&pause, NULL);
	}
}

/* Its guest never halts, so that it sleeps only for a start-up IPI. */
static void wait_for_sipi(struct v3_vcpu *vcpu)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	unsigned int tries = 0;

	while (__atomic_load_n(&vcpu->mode, __ATOMIC_SEQ_CST) != V3_VCPU_WAITING) {
		assert_true(++tries < 500000);
		nanosleep(&pause, NULL);
	}
}

static enum v3_end_kind end_kind(void)
{
	struct v3_vm_end end;

	assert_int_equal(v3_vm_state(vm, &end), V3_VM_STOPPED);
	return end.kind;
}

static void test_order(void **state)
{
	struct v3_vm_end end;
	struct v3_vcpu_state vcpu_state;
	unsigned int before;

	(void)state;
	assert_int_equal(v3_vm_state(vm, &end), V3_VM_CREATED);
	assert_int_equal(end.kind, V3_END_NONE);
	assert_int_equal(v3_vm_pause(vm), V3_ERR_STATE);
	assert_int_equal(v3_vm_resume(vm), V3_ERR_STATE);
	assert_int_equal(v3_fake_host_state_notes(fake), 0);
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 1);
	assert_int_equal(v3_vm_state(vm, NULL), V3_VM_RUNNING);
	assert_int_equal(v3_vcpu_cpu(v3_vm_vcpu(vm, 0)), 1);
	assert_int_equal(v3_fake_host_state_notes(fake), 1);
	assert_int_equal(v3_vm_start(vm), V3_ERR_STATE);
	assert_int_equal(v3_vm_resume(vm), V3_ERR_STATE);
	assert_int_equal(v3_vcpu_get_state(v3_vm_vcpu(vm, 0), &vcpu_state), V3_ERR_STATE);
	assert_int_equal(v3_vcpu_set_state(v3_vm_vcpu(vm, 0), &vcpu_state), V3_ERR_STATE);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vm_state(vm, NULL), V3_VM_PAUSED);
	assert_int_equal(v3_fake_host_state_notes(fake), 2);
	before = runs[0];
	assert_int_equal(v3_vm_pause(vm), V3_ERR_STATE);
	assert_int_equal(v3_vm_start(vm), V3_ERR_STATE);
	assert_int_equal(v3_vcpu_get_state(v3_vm_vcpu(vm, 0), &vcpu_state), V3_OK);
	assert_int_equal(v3_vcpu_set_state(v3_vm_vcpu(vm, 0), &vcpu_state), V3_OK);
	assert_int_equal(runs[0], before);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	wait_runs(0, 2);
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(end_kind(), V3_END_KILLED);
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(v3_vm_start(vm), V3_ERR_STATE);
	assert_int_equal(v3_vm_pause(vm), V3_ERR_STATE);
	assert_int_equal(v3_vm_resume(vm), V3_ERR_STATE);
	assert_int_equal(v3_fake_host_state_notes(fake), 4);
	assert_int_equal(v3_vcpu_cpu(v3_vm_vcpu(vm, 0)), V3_CPU_ANY);
	/* The CPUs stay ours until somebody wants them back. */
	assert_int_equal(v3_cpu_disable(host, 1), V3_OK);
}

static void test_accessors(void **state)
{
	struct v3_vcpu_stats stats;

	(void)state;
	assert_string_equal(v3_vm_name(vm), "life");
	assert_ptr_equal(v3_vm_ctx(vm), &runs);
	assert_ptr_equal(v3_vm_host(vm), host);
	assert_int_equal(v3_vm_num_vcpus(vm), NUM_VCPUS);
	assert_null(v3_vm_vcpu(vm, NUM_VCPUS));
	assert_ptr_equal(v3_vcpu_vm(v3_vm_vcpu(vm, 2)), vm);
	assert_int_equal(v3_vcpu_index(v3_vm_vcpu(vm, 2)), 2);
	assert_int_equal(v3_vcpu_stats(v3_vm_vcpu(vm, 2), &stats), V3_OK);
	assert_int_equal(stats.exits[V3_EXIT_INTR] | stats.run_ns, 0);
	assert_int_equal(v3_exit(host), V3_ERR_BUSY);
}

/* The first end counts. */
static void test_ends(void **state)
{
	struct v3_vm_end end;

	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	v3_vm_end(vm, V3_END_EXIT, 42, "code %u", 42u);
	v3_vm_end(vm, V3_END_CRASH, 1, "too late");
	assert_int_equal(v3_vm_state(vm, &end), V3_VM_STOPPED);
	assert_int_equal(end.kind, V3_END_EXIT);
	assert_int_equal(end.code, 42);
	assert_string_equal(end.reason, "code 42");
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(end_kind(), V3_END_EXIT);
	assert_false(v3_fake_host_log_has(fake, V3_LOG_WARN, "too late"));
}

static void test_long_reason(void **state)
{
	char text[400];
	struct v3_vm_end end;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[399] = 0;
	v3_vm_end(vm, V3_END_CRASH, 0, "%s", text);
	v3_vm_state(vm, &end);
	assert_int_equal(strlen(end.reason), V3_REASON_MAX);
	assert_int_equal(v3_vm_start(vm), V3_ERR_STATE);
}

static void test_end_while_paused(void **state)
{
	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	v3_vm_end(vm, V3_END_POWEROFF, 0, "%s", "");
	assert_int_equal(v3_vm_resume(vm), V3_ERR_STATE);
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(end_kind(), V3_END_POWEROFF);
}

/* Destroying needs no stop before it, whatever the state. */
static void test_destroy_running(void **state)
{
	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 1);
	v3_vm_destroy(vm);
	vm = NULL;
	assert_int_equal(v3_fake_host_threads(fake), 0);
}

static void test_destroy_paused(void **state)
{
	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	v3_vm_destroy(vm);
	vm = NULL;
}

/* --- Control calls from several threads take turns --- */

#define CONTROLLERS 4u
#define TURNS 100u

/* A device is saved while nothing runs, and by one thread at a time. */
static unsigned int saving, saves;

static size_t save_alone(void *ctx, void *buf, size_t room)
{
	unsigned int i, before = __atomic_load_n(&runs[0], __ATOMIC_SEQ_CST);

	(void)ctx;
	(void)buf;
	(void)room;
	if (__atomic_exchange_n(&saving, 1, __ATOMIC_SEQ_CST))
		abort();
	for (i = 0; i < 1000; i++)
		if (__atomic_load_n(&runs[0], __ATOMIC_SEQ_CST) != before)
			abort();
	saves++;	/* the control flag is its lock */
	__atomic_store_n(&saving, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static void *controller(void *arg)
{
	static const struct timespec nap = { .tv_nsec = 20000 };
	unsigned int i, *paused = arg;
	uint8_t byte;
	size_t len;

	v3_fake_set_cpu(4 + *paused);
	*paused = 0;
	for (i = 0; i < TURNS; i++) {
		enum v3_status status = v3_vm_pause(vm);

		if (status != V3_OK && status != V3_ERR_STATE)
			abort();
		*paused += status == V3_OK;
		status = v3_device_save(vm, 0, &byte, 1, &len);
		if (status != V3_OK && status != V3_ERR_STATE)
			abort();
		nanosleep(&nap, NULL);
		status = v3_vm_resume(vm);
		if (status != V3_OK && status != V3_ERR_STATE)
			abort();
	}
	return NULL;
}

static void test_controllers(void **state)
{
	static const struct v3_device_ops ops = { .name = "saved", .save = save_alone };
	unsigned int paused[CONTROLLERS], i, sum = 0;
	pthread_t threads[CONTROLLERS];

	(void)state;
	saving = saves = 0;
	v3_fake_host_set_cpu_count(fake, V3_FAKE_MAX_CPUS);
	assert_int_equal(v3_device_add(vm, &ops, NULL), V3_OK);
	assert_int_equal(v3_vm_start(vm), V3_OK);
	for (i = 0; i < CONTROLLERS; i++) {
		paused[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, controller, &paused[i]), 0);
	}
	for (i = 0; i < CONTROLLERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		sum += paused[i];
	}
	/* Whoever paused has resumed, or another one has. */
	assert_int_equal(v3_vm_state(vm, NULL), V3_VM_RUNNING);
	assert_true(sum > TURNS / 2);
	assert_true(saves > 0);
	wait_runs(0, 10);
	wait_runs(0, 10);
}

/* --- Starts that fail --- */

static void expect_nothing_held(void)
{
	unsigned int cpu;

	assert_int_equal(v3_vm_state(vm, NULL), V3_VM_CREATED);
	assert_int_equal(v3_fake_host_threads(fake), 0);
	for (cpu = 1; cpu <= NUM_VCPUS; cpu++)
		assert_int_equal(v3_cpu_disable(host, cpu), V3_OK);
	assert_int_equal(runs[0] | runs[1] | runs[2], 0);
}

static void expect_start_works(void)
{
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 1);
}

static void test_svm_is_owned(void **state)
{
	(void)state;
	v3_fake_host_set_virt_answer(fake, V3_ERR_BUSY);
	assert_int_equal(v3_vm_start(vm), V3_ERR_BUSY);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "svm cannot be taken"));
	expect_nothing_held();
	v3_fake_host_set_virt_answer(fake, V3_OK);
	/* Only one CPU of three, by a look at EFER. */
	v3_fake_msr_set_on(1, V3_MSR_EFER, v3_fake_msr_get_on(1, V3_MSR_EFER) | V3_EFER_SVME);
	assert_int_equal(v3_vm_start(vm), V3_ERR_BUSY);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "CPU 1"));
	expect_nothing_held();
	v3_fake_msr_set_on(1, V3_MSR_EFER, v3_fake_msr_get_on(1, V3_MSR_EFER) & ~V3_EFER_SVME);
	v3_fake_msr_set_on(2, V3_MSR_VM_CR, V3_VM_CR_SVMDIS);
	assert_int_equal(v3_vm_start(vm), V3_ERR_DENIED);
	expect_nothing_held();
	v3_fake_msr_set_on(2, V3_MSR_VM_CR, 0);
	expect_start_works();
}

static void test_cpu_is_offline(void **state)
{
	(void)state;
	v3_fake_host_set_online(fake, 2, false);
	assert_int_equal(v3_vm_start(vm), V3_ERR_NOENT);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "no thread on CPU 2"));
	expect_nothing_held();
	v3_fake_host_set_online(fake, 2, true);
	expect_start_works();
}

/* Each allocation of a start fails once; a start does without a timer. */
static void test_failing_allocations(void **state)
{
	unsigned int n, before;

	(void)state;
	for (n = 1;; n++) {
		enum v3_status status;

		assert_true(n < 40);
		before = v3_fake_host_allocs(fake);
		v3_fake_host_fail_nth(fake, n);
		status = v3_vm_start(vm);
		v3_fake_host_fail_nth(fake, 0);
		if (status != V3_OK) {
			assert_int_equal(status, V3_ERR_NOMEM);
			expect_nothing_held();
			continue;
		}
		wait_runs(0, 1);
		v3_vm_destroy(vm);
		create_vm();
		if (v3_fake_host_allocs(fake) - before < n)
			break;
	}
	assert_true(n > NUM_VCPUS);
}

/* --- The host wants its CPU --- */

static void test_yield(void **state)
{
	unsigned int before;

	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 1);
	before = v3_fake_host_yields(fake);
	v3_fake_host_set_should_yield(fake, true);
	while (v3_fake_host_yields(fake) < before + 10)
		;
	v3_fake_host_set_should_yield(fake, false);
	wait_runs(0, 1);
}

/* --- Start-up of the other vCPUs --- */

static void test_start_up(void **state)
{
	struct v3_vcpu *other = v3_vm_vcpu(vm, 1);
	struct v3_vcpu_state now;

	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 3);
	assert_int_equal(runs[1] | runs[2], 0);
	/* Neither interrupts nor NMIs start it. */
	v3_vcpu_nmi(other);
	v3_vcpu_check_intr(other);
	wait_runs(0, 100);
	assert_int_equal(runs[1], 0);
	v3_vcpu_sipi(other, 0x9a);
	wait_runs(1, 3);
	assert_int_equal(runs[2], 0);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	assert_int_equal(now.seg[V3_SEG_CS].selector, 0x9a00);
	assert_int_equal(now.seg[V3_SEG_CS].base, 0x9a000);
	assert_int_equal(now.rip, 0);
	assert_false(now.cr0 & V3_CR0_PE);
	now.rip = 0x1234;
	now.cr0 |= V3_CR0_PE;
	now.pat = 0x0606060606060602;	/* there is no memory type 2 */
	assert_int_equal(v3_vcpu_set_state(other, &now), V3_ERR_INVALID);
	now.pat = 0x0606060606060606;
	now.cr3 = 1ull << 50;
	assert_int_equal(v3_vcpu_set_state(other, &now), V3_ERR_INVALID);
	now.cr3 = V3_CR3_NOFLUSH;
	assert_int_equal(v3_vcpu_set_state(other, &now), V3_ERR_INVALID);
	now.cr3 = 0;
	assert_int_equal(v3_vcpu_set_state(other, &now), V3_OK);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	/* One that runs ignores a start-up IPI. */
	v3_vcpu_sipi(other, 0x55);
	wait_runs(1, 30);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	assert_int_equal(now.rip, 0x1234);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
}

static void test_init(void **state)
{
	struct v3_vcpu *other = v3_vm_vcpu(vm, 1);
	struct v3_vcpu_state now;
	unsigned int before;

	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	v3_vcpu_sipi(other, 0x10);
	wait_runs(1, 1);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	now.cr0 = V3_CR0_PE | V3_CR0_ET | V3_CR0_CD;
	now.pat = 0x0606060606060606;
	now.xcr0 = 7;
	now.gpr[3] = 0x33;
	assert_int_equal(v3_vcpu_set_state(other, &now), V3_OK);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	wait_runs(1, 1);	/* it has left its parking place, where it sleeps, too */
	v3_vcpu_init(other);
	wait_for_sipi(other);
	before = __atomic_load_n(&runs[1], __ATOMIC_SEQ_CST);
	wait_runs(0, 100);
	assert_int_equal(__atomic_load_n(&runs[1], __ATOMIC_SEQ_CST), before);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	/* INIT keeps caches, PAT and XCR0. */
	assert_int_equal(now.cr0, V3_CR0_CD | V3_CR0_ET);
	assert_int_equal(now.pat, 0x0606060606060606);
	assert_int_equal(now.xcr0, 7);
	assert_int_equal(now.gpr[3], 0);
	assert_int_equal(now.rip, 0xfff0);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	/* Both at once, as a guest sends them. */
	v3_vcpu_init(other);
	v3_vcpu_sipi(other, 0x20);
	wait_runs(1, 1);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	assert_int_equal(now.seg[V3_SEG_CS].base, 0x20000);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
}

/* What svm_enter() checks, through starts at other times, INIT and pauses. */
static void test_same_tsc(void **state)
{
	unsigned int i, round;

	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 1);
	for (round = 0; round < 20; round++) {
		i = 1 + round % (NUM_VCPUS - 1);
		v3_fake_tsc_advance(1000000);
		v3_vcpu_init(vm->vcpus[i]);
		v3_vcpu_sipi(vm->vcpus[i], 0x10);
		wait_runs(i, 1);
		assert_int_equal(v3_vm_pause(vm), V3_OK);
		v3_fake_tsc_advance(1000000);
		for (i = 1; i < NUM_VCPUS; i++)
			assert_true(v3_guest_tsc(vm->vcpus[i]) == v3_guest_tsc(vm->vcpus[0]));
		assert_int_equal(v3_vm_resume(vm), V3_OK);
	}
	for (i = 0; i < NUM_VCPUS; i++)
		wait_runs(i, 1);
}

/* Until it has looked at what was asked of it while it was parked. */
static void wait_taken(struct v3_vcpu *vcpu)
{
	const uint32_t all = V3_REQ_NMI | V3_REQ_INIT | V3_REQ_SIPI;
	const struct timespec pause = { .tv_nsec = 20000 };
	unsigned int tries = 0;

	while (__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) & all) {
		assert_true(++tries < 500000);
		nanosleep(&pause, NULL);
	}
}

/*
 * Requests of a parked vCPU pile up, and are then answered in the order in which they make sense.
 */
static void test_start_up_order(void **state)
{
	struct v3_vcpu *other = v3_vm_vcpu(vm, 1);
	struct v3_vcpu_state now;

	(void)state;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_runs(0, 1);
	/* A start-up IPI from before the INIT starts nothing. */
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	v3_vcpu_sipi(other, 0x11);
	v3_vcpu_init(other);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	wait_taken(other);
	wait_runs(0, 100);
	assert_int_equal(__atomic_load_n(&runs[1], __ATOMIC_SEQ_CST), 0);
	/* Of two, as operating systems send them, the first counts. */
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	v3_vcpu_init(other);
	v3_vcpu_sipi(other, 0x22);
	v3_vcpu_sipi(other, 0x33);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	wait_runs(1, 1);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	assert_int_equal(now.seg[V3_SEG_CS].base, 0x22000);
	/*
	 * An NMI before the INIT is forgotten; one INIT after another start does not start it
	 * again.
	 */
	now.lstar = 0xffffffff81000000;
	now.sysenter_eip = 0x1234;
	now.kernel_gs_base = 0x5678;
	now.star = 0x230010ull << 32;
	assert_int_equal(v3_vcpu_set_state(other, &now), V3_OK);
	v3_vcpu_nmi(other);
	v3_vcpu_sipi(other, 0x44);
	v3_vcpu_init(other);
	v3_vcpu_init(other);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	wait_taken(other);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_false(other->nmi_pending);
	assert_int_equal(other->run, V3_RUN_WAIT_SIPI);
	/* MSRs but EFER are what they were. */
	assert_int_equal(v3_vcpu_get_state(other, &now), V3_OK);
	assert_true(now.lstar == 0xffffffff81000000);
	assert_int_equal(now.sysenter_eip, 0x1234);
	assert_int_equal(now.kernel_gs_base, 0x5678);
	assert_true(now.star == 0x230010ull << 32);
	assert_int_equal(now.efer, 0);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_accessors),
		TEST(test_ends),
		TEST(test_long_reason),
		TEST(test_end_while_paused),
		TEST(test_destroy_running),
		TEST(test_destroy_paused),
		TEST(test_controllers),
		TEST(test_svm_is_owned),
		TEST(test_cpu_is_offline),
		TEST(test_failing_allocations),
		TEST(test_yield),
		TEST(test_start_up),
		TEST(test_init),
		TEST(test_start_up_order),
		TEST(test_same_tsc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
