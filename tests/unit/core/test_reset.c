/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset in each state and beside other control calls, NMIs by the host, and looking at vCPUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <pthread.h>

#include <v3/inspect.h>

#include "core/vm.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "own_guest.h"
#include "svm/svm.h"
#include "x86/cr.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define NUM_VCPUS 3u
#define NMI_EVENT 0x80000202ull

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;
/* Of each vCPU. */
static unsigned int runs[NUM_VCPUS], nmis[NUM_VCPUS];
/* The first vCPU's guest ends the VM like this. */
static unsigned int end_with;
static unsigned int device_resets;
static enum v3_vm_state state_at_reset;

void svm_enter(uint64_t *gpr, v3_hpa_t vmcb_hpa, v3_hpa_t host_vmcb)
{
	struct svm_vmcb *vmcb = host->os.phys_to_virt(host->os.ctx, vmcb_hpa);
	unsigned int i = vcpu_of(vm, gpr);

	(void)host_vmcb;
	vmcb->exit_code = SVM_EXIT_INTR;
	if (vmcb->event_inj == NMI_EVENT)
		__atomic_add_fetch(&nmis[i], 1, __ATOMIC_SEQ_CST);
	vmcb->rip++;
	vmcb->cr2 = 0x1234;
	if (i == 0 && __atomic_load_n(&end_with, __ATOMIC_SEQ_CST))
		vmcb->exit_code = __atomic_exchange_n(&end_with, 0, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&runs[i], 1, __ATOMIC_SEQ_CST);
}

static void device_reset(void *ctx)
{
	state_at_reset = v3_vm_state(ctx, NULL);
	device_resets++;
}

static const struct v3_device_ops device_ops = { .name = "tested", .reset = device_reset };
static const struct v3_device_ops lasting_ops = { .name = "lasting" };

static int set_up(void **state)
{
	const struct v3_mem_config mem = { .size = 4ull << 20, .node = V3_NODE_ANY };
	const int32_t cpus[NUM_VCPUS] = { 1, 2, 3 };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = NUM_VCPUS, .name = "reset",
		.mem = &mem, .num_mem = 1, .cpus = cpus, .ctx = &runs,
	};

	(void)state;
	fake = v3_fake_host_create();
	v3_fake_host_set_cpu_count(fake, V3_FAKE_MAX_CPUS);
	v3_fake_host_set_threads(fake, V3_FAKE_PTHREADS);
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	assert_int_equal(v3_device_add(vm, &lasting_ops, vm), V3_OK);
	assert_int_equal(v3_device_add(vm, &device_ops, vm), V3_OK);
	memset(runs, 0, sizeof(runs));
	memset(nmis, 0, sizeof(nmis));
	end_with = device_resets = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
	return 0;
}

static void wait_for(const unsigned int *what, unsigned int more)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	unsigned int from = __atomic_load_n(what, __ATOMIC_SEQ_CST), tries = 0;

	while (__atomic_load_n(what, __ATOMIC_SEQ_CST) - from < more) {
		assert_true(++tries < 500000);
		nanosleep(&pause, NULL);
	}
}

static void wait_stopped(void)
{
	const struct timespec pause = { .tv_nsec = 20000 };
	unsigned int tries = 0;

	while (v3_vm_state(vm, NULL) != V3_VM_STOPPED) {
		assert_true(++tries < 500000);
		nanosleep(&pause, NULL);
	}
}

/* As after its creation, and able to do the same again. */
static void expect_fresh(unsigned int resets)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, 0);
	struct v3_vcpu_state state;
	struct v3_vm_end end;
	unsigned int i;

	assert_int_equal(v3_vm_state(vm, &end), V3_VM_CREATED);
	assert_int_equal(end.kind, V3_END_NONE);
	assert_string_equal(end.reason, "");
	assert_int_equal(device_resets, resets);
	assert_int_equal(v3_fake_host_threads(fake), 0);
	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	assert_int_equal(state.rip, 0xfff0);
	assert_int_equal(state.cr2, 0);
	assert_int_equal(vcpu->mtrr_def, 0xc06);	/* as firmware leaves it */
	assert_int_equal(vcpu->tsc_adjust, 0);
	for (i = 0; i < NUM_VCPUS; i++) {
		assert_int_equal(v3_vm_vcpu(vm, i)->requests & ~(V3_REQ_INTR | V3_REQ_TIMER), 0);
		assert_int_equal(v3_vm_vcpu(vm, i)->run, i ? V3_RUN_WAIT_SIPI : V3_RUN_RUNNABLE);
	}
}

static void expect_runs(void)
{
	assert_int_equal(v3_vm_start(vm), V3_OK);
	wait_for(&runs[0], 2);
}

/* Something that a reset has to undo. */
static void make_dirty(void)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, 0);

	vcpu->mtrr_def = 0x800;
	vcpu->mtrr_var[3] = 0xc06;
	vcpu->tsc_adjust = 77;
	vcpu->nmi_blocked = true;
}

static void test_created(void **state)
{
	(void)state;
	make_dirty();
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(1);
	expect_runs();
}

static void test_running(void **state)
{
	uint8_t byte = 0x5a;
	uint64_t now;

	(void)state;
	assert_int_equal(v3_vm_write(vm, 0x1000, &byte, 1), V3_OK);
	assert_int_equal(v3_console_write(vm, 0, "typed", 5), 5);
	v3_console_put(vm, 0, "said", 4);
	expect_runs();
	v3_vcpu_sipi(v3_vm_vcpu(vm, 1), 0x10);
	wait_for(&runs[1], 1);
	now = v3_now(vm);
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(1);
	/* Time goes on, memory and what was said are still there, what was typed is not. */
	assert_true(v3_now(vm) >= now);
	assert_int_equal(v3_vm_read(vm, 0x1000, &byte, 1), V3_OK);
	assert_int_equal(byte, 0x5a);
	assert_int_equal(v3_console_get(vm, 0, &byte), V3_ERR_AGAIN);
	assert_int_equal(v3_console_read(vm, 0, &byte, 1), 1);
	assert_int_equal(byte, 's');
	memset(runs, 0, sizeof(runs));
	expect_runs();
	assert_int_equal(runs[1], 0);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	wait_for(&runs[0], 2);
}

static void test_paused(void **state)
{
	(void)state;
	expect_runs();
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	make_dirty();
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(1);
	assert_int_equal(v3_vm_resume(vm), V3_ERR_STATE);
	expect_runs();
}

/* By the guest, by a crash, by the host. */
static void test_stopped(void **state)
{
	struct v3_vm_end end;

	(void)state;
	expect_runs();
	__atomic_store_n(&end_with, SVM_EXIT_SHUTDOWN, __ATOMIC_SEQ_CST);
	wait_stopped();
	v3_vm_state(vm, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(1);
	expect_runs();
	v3_vm_end(vm, V3_END_RESET, 0, "asked for");
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(2);
	expect_runs();
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(3);
	/* The VM was V3_VM_RUNNING or stopped, but never half reset, when its devices were. */
	assert_int_equal(state_at_reset, V3_VM_STOPPED);
	/* Its end is told anew. */
	expect_runs();
	v3_vm_end(vm, V3_END_EXIT, 5, "five");
	v3_vm_state(vm, &end);
	assert_int_equal(end.kind, V3_END_EXIT);
	assert_int_equal(end.code, 5);
	assert_string_equal(end.reason, "five");
}

/* --- Beside other calls --- */

static bool over;

static void *ends_and_stops(void *arg)
{
	unsigned int n;

	(void)arg;
	v3_fake_set_cpu(4);	/* the test has 0, the vCPUs 1 to 3 */
	for (n = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); n++) {
		struct v3_vm_end end;

		v3_vm_state(vm, &end);
		if (n % 3 == 0)
			v3_vm_end(vm, V3_END_EXIT, n, "end %u", n);
		else if (n % 3 == 1)
			v3_vm_stop(vm);
		else
			v3_vm_pause(vm);
		v3_vm_nmi(vm);
	}
	return NULL;
}

static void test_races(void **state)
{
	pthread_t thread;
	unsigned int n, started = 0;
	struct v3_vcpu_inspection look;

	(void)state;
	over = false;
	assert_int_equal(pthread_create(&thread, NULL, ends_and_stops, NULL), 0);
	for (n = 0; n < 300; n++) {
		assert_int_equal(v3_vm_reset(vm), V3_OK);
		if (v3_vm_start(vm) == V3_OK)
			started++;
		assert_int_equal(v3_vcpu_inspect(v3_vm_vcpu(vm, n % NUM_VCPUS), 0, &look), V3_OK);
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(started > 0);
	assert_int_equal(v3_vm_reset(vm), V3_OK);
	expect_fresh(301);
	expect_runs();
}

/* --- NMI --- */

static void test_nmi(void **state)
{
	(void)state;
	assert_int_equal(v3_vm_nmi(vm), V3_ERR_STATE);
	expect_runs();
	v3_vcpu_sipi(v3_vm_vcpu(vm, 1), 0x10);
	wait_for(&runs[1], 1);
	assert_int_equal(v3_vm_nmi(vm), V3_OK);
	while (!__atomic_load_n(&nmis[0], __ATOMIC_SEQ_CST) ||
	       !__atomic_load_n(&nmis[1], __ATOMIC_SEQ_CST))
		;
	/* The third waits to be started, and has forgotten it when it is. */
	v3_vcpu_sipi(v3_vm_vcpu(vm, 2), 0x10);
	wait_for(&runs[2], 3);
	assert_int_equal(nmis[2], 0);
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	assert_int_equal(v3_vm_nmi(vm), V3_OK);
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(v3_vm_nmi(vm), V3_ERR_STATE);
}

/* --- A look at a vCPU --- */

static void put64(v3_gpa_t gpa, uint64_t value)
{
	assert_int_equal(v3_vm_write(vm, gpa, &value, sizeof(value)), V3_OK);
}

/*
 * Linear 0xffff800000200000 on: two pages of code at 0x3000, then nothing; page tables at 0x10000.
 */
#define CODE_GVA 0xffff800000200000ull
static void long_mode(uint64_t rip, uint64_t rsp)
{
	struct v3_vcpu_state state;
	unsigned int i;
	uint8_t byte;

	put64(0x10000 + 8 * 256, 0x11000 | V3_PTE_P | V3_PTE_W | V3_PTE_U);
	put64(0x11000, 0x12000 | V3_PTE_P | V3_PTE_W | V3_PTE_U);
	put64(0x12000 + 8, 0x13000 | V3_PTE_P | V3_PTE_W);
	put64(0x13000, 0x3000 | V3_PTE_P);
	put64(0x13000 + 8, 0x5000 | V3_PTE_P | V3_PTE_W | V3_PTE_NX);
	put64(0x13000 + 16, 0xfee00000 | V3_PTE_P | V3_PTE_W);
	for (i = 0; i < 0x1000; i++) {
		byte = (uint8_t)i;
		v3_vm_write(vm, 0x3000 + i, &byte, 1);
	}
	assert_int_equal(v3_vcpu_get_state(v3_vm_vcpu(vm, 0), &state), V3_OK);
	state.cr0 = V3_CR0_PE | V3_CR0_PG | V3_CR0_ET;
	state.cr3 = 0x10000;
	state.cr4 = V3_CR4_PAE;
	state.efer = V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE;
	state.seg[V3_SEG_CS].attrib = V3_SEG_ATTR_CODE64;
	state.rip = rip;
	state.gpr[4] = rsp;
	assert_int_equal(v3_vcpu_set_state(v3_vm_vcpu(vm, 0), &state), V3_OK);
}

static void look(v3_gva_t gva, struct v3_vcpu_inspection *out)
{
	assert_int_equal(v3_vcpu_inspect(v3_vm_vcpu(vm, 0), gva, out), V3_OK);
}

static void test_inspect(void **state)
{
	struct v3_vcpu_inspection at;

	(void)state;
	long_mode(CODE_GVA + 0x10, CODE_GVA + 0xfe0);
	look(CODE_GVA + 0x1234, &at);
	assert_int_equal(at.bits, 64);
	assert_int_equal(at.cpl, 0);
	assert_int_equal(at.activity, V3_VCPU_RUNS);
	assert_int_equal(at.state.rip, CODE_GVA + 0x10);
	assert_int_equal(at.state.cr3, 0x10000);
	assert_int_equal(at.last_exit.kind, 0);
	/* 16 bytes before RIP: there is no page before that. */
	assert_int_equal(at.code.gva, CODE_GVA + 0x10);
	assert_int_equal(at.code.before, 0x10);
	assert_int_equal(at.code.count, V3_INSPECT_BYTES);
	assert_int_equal(at.code.bytes[V3_INSPECT_BYTES], 0x10);
	assert_int_equal(at.code.bytes[V3_INSPECT_BYTES - 1], 0x0f);
	/* The stack goes on in the next page. */
	assert_int_equal(at.stack.count, V3_INSPECT_BYTES);
	assert_int_equal(at.stack.before, 0);
	assert_int_equal(at.stack.bytes[V3_INSPECT_BYTES], 0xe0);
	assert_int_equal(at.walk.end, V3_PAGE_MAPPED);
	assert_int_equal(at.walk.gpa, 0x5234);
	assert_int_equal(at.walk.num_levels, 4);
	assert_int_equal(at.walk.kind, V3_MEM_RAM);
	assert_true(at.walk.nested_level >= 1);
	assert_true(at.walk.nested_access & 1);
	assert_int_equal(at.walk.executable, 0);
	assert_memory_equal(host->os.phys_to_virt(host->os.ctx, at.walk.hpa),
			    v3_vm_ptr(vm, 0x5234, 1), 1);
	/* What RAM is not, and what nothing is mapped to. */
	look(CODE_GVA + 0x2000, &at);
	assert_int_equal(at.walk.end, V3_PAGE_MAPPED);
	assert_int_equal(at.walk.kind, V3_PAGE_NOTHING);
	assert_int_equal(at.walk.nested_level, 0);
	look(CODE_GVA + 0x3000, &at);
	assert_int_equal(at.walk.end, V3_PAGE_NOT_PRESENT);
	assert_int_equal(at.walk.num_levels, 4);
	look(1ull << 63, &at);
	assert_int_equal(at.walk.end, V3_PAGE_NOT_CANONICAL);
}

/* RIP and RSP lead nowhere. */
static void test_inspect_nothing_there(void **state)
{
	struct v3_vcpu_inspection at;

	(void)state;
	long_mode(0x4000, ~0ull - 8);
	look(0, &at);
	assert_int_equal(at.code.count | at.code.before | at.stack.count, 0);
	/* A device is not read. */
	long_mode(CODE_GVA + 0x2000, CODE_GVA + 0x1ff0);
	look(0, &at);
	assert_int_equal(at.code.count, 0);
	assert_int_equal(at.code.before, V3_INSPECT_BYTES);
	assert_int_equal(at.stack.count, 16);
}

static void test_inspect_running(void **state)
{
	struct v3_vcpu_inspection at;
	uint64_t rip;

	(void)state;
	expect_runs();
	look(0xfffffff0, &at);
	assert_int_equal(at.bits, 16);
	if (at.last_exit.kind)
		assert_int_equal(at.last_exit.code, V3_EXIT_INTR);
	assert_int_equal(at.walk.end, V3_PAGE_MAPPED);
	assert_int_equal(at.walk.num_levels, 0);
	assert_int_equal(v3_vm_state(vm, NULL), V3_VM_RUNNING);
	/* It goes on. */
	rip = at.state.rip;
	wait_for(&runs[0], 2);
	look(0, &at);
	assert_int_not_equal(at.state.rip, rip);
	assert_int_equal(v3_vcpu_inspect(v3_vm_vcpu(vm, 2), 0, &at), V3_OK);
	assert_int_equal(at.activity, V3_VCPU_WAITS_SIPI);
	assert_int_equal(at.last_exit.kind, 0);
	/* Paused, and after a crash. */
	assert_int_equal(v3_vm_pause(vm), V3_OK);
	look(0, &at);
	assert_int_equal(v3_vm_state(vm, NULL), V3_VM_PAUSED);
	assert_int_equal(v3_vm_resume(vm), V3_OK);
	__atomic_store_n(&end_with, SVM_EXIT_SHUTDOWN, __ATOMIC_SEQ_CST);
	wait_stopped();
	look(0, &at);
	assert_int_equal(at.last_exit.code, V3_EXIT_SHUTDOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_created),
		TEST(test_running),
		TEST(test_paused),
		TEST(test_stopped),
		TEST(test_races),
		TEST(test_nmi),
		TEST(test_inspect),
		TEST(test_inspect_nothing_there),
		TEST(test_inspect_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
