/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Real threads against each other: vCPUs that run, halt, print, arm timers and send each other
 * interrupts; one thread that pauses and resumes, one at the console, one that arms timers and
 * raises interrupts. Also built with ThreadSanitizer (preset tsan).
 *
 * A fake CPU belongs to one thread: vCPUs have 1 to 3, the others 4 to 6, the test 0.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
#include "x86/seg.h"

#define NUM_VCPUS 3u
#define ROUNDS 300u
#define PORT 0x3f8

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;

static unsigned int raised[NUM_VCPUS], acked[NUM_VCPUS], pending[NUM_VCPUS], fires, paused, quit;
static uint64_t vmruns;

/* --- The guests --- */

/* hlt and out are where RIP points, in turn; anything else needs no bytes. */
void svm_enter(uint64_t *gpr, v3_hpa_t vmcb_hpa, v3_hpa_t host_vmcb)
{
	static __thread uint64_t random_state = 88172645463325252ull;
	struct svm_vmcb *vmcb = host->os.phys_to_virt(host->os.ctx, vmcb_hpa);
	unsigned int i = vcpu_of(vm, gpr);

	(void)host_vmcb;
	CHECK(!__atomic_load_n(&paused, __ATOMIC_SEQ_CST));
	__atomic_add_fetch(&vmruns, 1, __ATOMIC_RELAXED);
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	vmcb->exit_int_info = 0;
	if (!(vmcb->intercept_misc1 & SVM_I1_VINTR))
		vmcb->int_ctl &= ~SVM_V_IRQ;	/* taken */
	vmcb->rip = 0x1000;
	vmcb->rflags |= V3_RFLAGS_IF;
	switch (random_state % 8) {
	case 0:
		vmcb->exit_code = SVM_EXIT_HLT;
		break;
	case 1:
	case 2:
		vmcb->exit_code = SVM_EXIT_IOIO;
		vmcb->exit_info1 = PORT << 16 | 1 << 4;
		vmcb->exit_info2 = 0x1001;
		vmcb->rax = '0' + i;
		break;
	case 3:		/* an interrupt for the next one */
		vmcb->exit_code = SVM_EXIT_VMMCALL;
		vmcb->rax = 0x100 + (i + 1) % NUM_VCPUS;
		break;
	case 4:
		vmcb->exit_code = SVM_EXIT_VINTR;
		break;
	case 5:
		vmcb->exit_code = vmcb->intercept_misc1 & SVM_I1_IRET ? SVM_EXIT_IRET :
									SVM_EXIT_INTR;
		break;
	default:
		vmcb->exit_code = SVM_EXIT_INTR;
		break;
	}
}

/* --- Devices --- */

static void raise_intr(unsigned int i)
{
	__atomic_add_fetch(&raised[i], 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&pending[i], 1, __ATOMIC_SEQ_CST);
	v3_vcpu_check_intr(v3_vm_vcpu(vm, i));
}

static int peek(struct v3_vcpu *vcpu, void *ctx, bool *tpr_blocked)
{
	(void)ctx;
	*tpr_blocked = false;
	return __atomic_load_n(&pending[vcpu->index], __ATOMIC_SEQ_CST) ? 0x31 : -1;
}

static int ack(struct v3_vcpu *vcpu, void *ctx)
{
	(void)ctx;
	__atomic_sub_fetch(&pending[vcpu->index], 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&acked[vcpu->index], 1, __ATOMIC_SEQ_CST);
	return 0x31;
}

static unsigned int tpr_get(struct v3_vcpu *vcpu, void *ctx)
{
	(void)vcpu;
	(void)ctx;
	return 0;
}

static void tpr_set(struct v3_vcpu *vcpu, void *ctx, unsigned int cr8)
{
	(void)vcpu;
	(void)ctx;
	(void)cr8;
}

static void irq_set(void *ctx, unsigned int gsi, bool level)
{
	(void)ctx;
	(void)gsi;
	(void)level;
}

static void init(struct v3_vcpu *vcpu, void *ctx)
{
	(void)vcpu;
	(void)ctx;
}

static const struct v3_intc_ops intc = { .peek = peek, .ack = ack, .tpr_get = tpr_get,
					 .tpr_set = tpr_set, .irq_set = irq_set, .init = init };

static void port_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	uint8_t byte = (uint8_t)value;

	(void)ctx;
	(void)port;
	(void)size;
	v3_console_put(vcpu->vm, 0, &byte, 1);
	v3_console_get(vcpu->vm, 0, &byte);
}

static const struct v3_io_ops port_ops = { .out = port_out };

static enum v3_hook_result hypercall(struct v3_vcpu *vcpu, void *ctx, uint64_t number,
				     const uint64_t args[5], uint64_t *result)
{
	(void)vcpu;
	(void)ctx;
	(void)args;
	raise_intr((unsigned int)number - 0x100);
	*result = 0;
	return V3_HOOK_DONE;
}

static void fire(struct v3_timer *timer, void *ctx)
{
	(void)ctx;
	/* Its deadline is another thread's to change. */
	__atomic_add_fetch(&fires, 1, __ATOMIC_RELAXED);
	raise_intr(timer->vcpu->index);
}

static void input(void *ctx)
{
	(void)ctx;
	raise_intr(0);
}

/* --- Creation --- */

static void runnable(struct v3_vcpu *vcpu)
{
	struct v3_vcpu_state state;

	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	/* Protected mode without paging: RIP is where the bytes are. */
	state.cr0 = V3_CR0_PE | V3_CR0_ET;
	state.seg[V3_SEG_CS] = (struct v3_segment){ 8, V3_SEG_ATTR_CODE32, 0xffffffff, 0 };
	state.rip = 0x1000;
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
	vcpu->run = V3_RUN_RUNNABLE;
}

static void create(void)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const int32_t cpus[NUM_VCPUS] = { 1, 2, 3 };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = NUM_VCPUS, .name = "threads",
		.mem = &mem, .num_mem = 1, .cpus = cpus,
	};
	unsigned int i;

	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	assert_int_equal(v3_intc_attach(vm, &intc, NULL), V3_OK);
	assert_int_equal(v3_io_hook(vm, PORT, 1, &port_ops, NULL), V3_OK);
	assert_int_equal(v3_hypercall_hook(vm, 0x100, NUM_VCPUS, hypercall, NULL), V3_OK);
	assert_int_equal(v3_console_attach(vm, 0, input, NULL), V3_OK);
	for (i = 0; i < NUM_VCPUS; i++)
		runnable(v3_vm_vcpu(vm, i));
	memset(raised, 0, sizeof(raised));
	memset(acked, 0, sizeof(acked));
	memset(pending, 0, sizeof(pending));
	paused = quit = fires = 0;
	vmruns = 0;
}

static int set_up(void **state)
{
	(void)state;
	fake = v3_fake_host_create();
	v3_fake_host_set_cpu_count(fake, V3_FAKE_MAX_CPUS);
	v3_fake_host_set_threads(fake, V3_FAKE_PTHREADS);
	v3_fake_tsc_step(50);
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	return 0;
}

/* HLTs are polled for, but for so short a time that ends of polls and wake-ups meet. */
static int set_up_polling(void **state)
{
	set_up(state);
	v3_fake_host_set_can_poll(fake, true);
	assert_int_equal(v3_host_set_halt_poll(host, 20000), V3_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
	return 0;
}

/* --- The threads beside the vCPUs --- */

static void nap(long ns)
{
	const struct timespec pause = { .tv_nsec = ns };

	nanosleep(&pause, NULL);
}

static bool time_to_quit(void)
{
	return __atomic_load_n(&quit, __ATOMIC_ACQUIRE);
}

/* While the VM is paused nothing enters a guest, its clock stands, and its state can be read. */
static void *control(void *arg)
{
	struct v3_vcpu_state state;
	unsigned int round;
	uint64_t now;

	(void)arg;
	v3_fake_set_cpu(4);
	for (round = 0; round < ROUNDS; round++) {
		CHECK(v3_vm_pause(vm) == V3_OK);
		__atomic_store_n(&paused, 1, __ATOMIC_SEQ_CST);
		now = v3_now(vm);
		CHECK(v3_vm_pause(vm) == V3_ERR_STATE);
		CHECK(v3_vcpu_get_state(v3_vm_vcpu(vm, round % NUM_VCPUS), &state) == V3_OK);
		CHECK(v3_vcpu_set_state(v3_vm_vcpu(vm, round % NUM_VCPUS), &state) == V3_OK);
		if (round % 8 == 0)
			nap(100000);
		CHECK(v3_now(vm) == now);
		__atomic_store_n(&paused, 0, __ATOMIC_SEQ_CST);
		CHECK(v3_vm_resume(vm) == V3_OK);
		CHECK(v3_now(vm) >= now);
		/* At times without a breath in between. */
		if (round % 3 == 0)
			nap(50000);
	}
	__atomic_store_n(&quit, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *console(void *arg)
{
	size_t *got = arg, n, i;
	char buf[64];

	v3_fake_set_cpu(5);
	while (!time_to_quit()) {
		n = v3_console_read(vm, 0, buf, sizeof(buf));
		for (i = 0; i < n; i++)
			CHECK(buf[i] >= '0' && buf[i] < '0' + (int)NUM_VCPUS);
		*got += n;
		v3_console_write(vm, 0, "input", 5);
		nap(20000);
	}
	return NULL;
}

static void *timers(void *arg)
{
	static struct v3_timer timer[NUM_VCPUS];
	unsigned int i, round = 0;
	uint64_t last = 0, now;

	(void)arg;
	v3_fake_set_cpu(6);
	for (i = 0; i < NUM_VCPUS; i++)
		v3_timer_init(&timer[i], v3_vm_vcpu(vm, i), fire, NULL);
	while (!time_to_quit()) {
		now = v3_now(vm);
		CHECK(now >= last);
		last = now;
		i = round++ % NUM_VCPUS;
		v3_timer_arm(&timer[i], now + round % 7 * 1000);
		if (round % 5 == 0)
			v3_timer_cancel(&timer[(i + 1) % NUM_VCPUS]);
		if (round % 11 == 0)
			v3_vcpu_nmi(v3_vm_vcpu(vm, i));
		raise_intr(i);
		nap(10000);
	}
	for (i = 0; i < NUM_VCPUS; i++)
		v3_timer_cancel(&timer[i]);
	return NULL;
}

static void test_all_at_once(void **state)
{
	pthread_t threads[3];
	size_t got = 0;

	(void)state;
	create();
	assert_int_equal(v3_vm_start(vm), V3_OK);
	assert_int_equal(pthread_create(&threads[0], NULL, control, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, console, &got), 0);
	assert_int_equal(pthread_create(&threads[2], NULL, timers, NULL), 0);
	assert_int_equal(pthread_join(threads[0], NULL), 0);
	assert_int_equal(pthread_join(threads[1], NULL), 0);
	assert_int_equal(pthread_join(threads[2], NULL), 0);
	assert_true(v3_vm_state(vm, NULL) == V3_VM_RUNNING);
	/* The guests go on raising interrupts for each other, but nobody else does. */
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_true(got > 0);
	assert_true(__atomic_load_n(&fires, __ATOMIC_RELAXED) > 0);
	assert_true(acked[0] && acked[1] && acked[2]);
	v3_vm_destroy(vm);
}

/* One interrupt at a time, for a vCPU that may be anywhere: none gets lost. */
static void test_no_lost_wakeup(void **state)
{
	unsigned int round;

	(void)state;
	create();
	assert_int_equal(v3_vm_start(vm), V3_OK);
	for (round = 0; round < 2000; round++) {
		unsigned int before = __atomic_load_n(&acked[round % NUM_VCPUS], __ATOMIC_SEQ_CST);
		unsigned int tries = 0;

		raise_intr(round % NUM_VCPUS);
		while (__atomic_load_n(&acked[round % NUM_VCPUS], __ATOMIC_SEQ_CST) == before) {
			CHECK(++tries < 10000000);
			if (tries > 1000)
				nap(10000);
		}
	}
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	v3_vm_destroy(vm);
}

static void *end_it(void *arg)
{
	(void)arg;
	v3_fake_set_cpu(4);
	v3_vm_end(vm, V3_END_EXIT, 7, "the guest's own end");
	return NULL;
}

static void *stop_it(void *arg)
{
	(void)arg;
	v3_fake_set_cpu(5);
	CHECK(v3_vm_stop(vm) == V3_OK);
	return NULL;
}

static void *pause_it(void *arg)
{
	enum v3_status status;

	(void)arg;
	v3_fake_set_cpu(6);
	status = v3_vm_pause(vm);
	CHECK(status == V3_OK || status == V3_ERR_STATE);
	if (status == V3_OK) {
		status = v3_vm_resume(vm);
		CHECK(status == V3_OK || status == V3_ERR_STATE);
	}
	return NULL;
}

/* Starts, pauses, ends and stops of many VMs, at once and in any order. */
static void test_starts_and_stops(void **state)
{
	void *(*const what[3])(void *arg) = { end_it, stop_it, pause_it };
	pthread_t threads[3];
	struct v3_vm_end end;
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 60; round++) {
		enum v3_status status;

		create();
		if (round % 4 == 0)	/* also against the start itself */
			assert_int_equal(pthread_create(&threads[0], NULL, what[0], NULL), 0);
		status = v3_vm_start(vm);
		assert_true(status == V3_OK || (round % 4 == 0 && status == V3_ERR_STATE));
		nap((long)(round % 5) * 100000);
		for (i = round % 4 == 0; i < 3; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, what[i], NULL), 0);
		for (i = 0; i < 3; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(v3_vm_state(vm, &end), V3_VM_STOPPED);
		assert_true(end.kind == V3_END_EXIT || end.kind == V3_END_KILLED);
		v3_vm_destroy(vm);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_POLLING(name) \
	{ #name " polling", name, set_up_polling, tear_down, NULL }

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_at_once),
		TEST(test_no_lost_wakeup),
		TEST(test_starts_and_stops),
		TEST_POLLING(test_all_at_once),
		TEST_POLLING(test_no_lost_wakeup),
		TEST_POLLING(test_starts_and_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
