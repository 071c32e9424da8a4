/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storms of interrupts with real threads and the real interrupt controllers: vCPUs that send each
 * other interrupts in all modes, halt and raise their priority, a device with a level-triggered
 * line, and somebody who pauses and resumes. None may be lost or doubled. Also built with
 * ThreadSanitizer (preset tsan).
 *
 * A fake CPU belongs to one thread: vCPUs have 1 to 4, the device 5, pauses 6, the test 0.
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
#include "devices/intc.h"
#include "fakes/fake_host.h"
#include "fakes/fake_x86.h"
#include "own_guest.h"
#include "svm/svm.h"
#include "x86/apic.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/seg.h"

#define N 4u
#define SENDS 2000u		/* of each vCPU */
#define PORT 0x500		/* a write takes the device's line down */
#define GSI 16
#define RIP_HLT 0x1000u
#define RIP_WRMSR 0x1010u
#define RIP_OUT 0x1020u

/* Vectors: the class says what it is, the rest who sent it. */
#define VEC_ONE 0x40u
#define VEC_LOGICAL 0x50u
#define VEC_ALL 0x60u
#define VEC_LOWEST 0x70u
#define VEC_SELF 0x80u
#define VEC_LEVEL 0x91u
#define KINDS 5u
#define TPR_HIGH 10u		/* keeps all of them away */

/* A guest CPU, in the hands of its own thread. */
struct guest {
	uint64_t random;
	unsigned int sends;		/* read by the test */
	unsigned int halts;
	/*
	 * Vectors in service, the last one the highest; the line that one of them still has to
	 * lower.
	 */
	uint8_t service[16];
	unsigned int depth;
	bool line;
};

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;
static struct guest guests[N];
/* 1: under way from [from] to [to], by kind; lowest priority in [from][from]. */
static unsigned int under_way[KINDS][N][N];
static unsigned int line_raised, line_served, paused, quit, sent, taken;

/* --- The guests --- */

static unsigned int random_below(struct guest *guest, unsigned int n)
{
	guest->random ^= guest->random << 13;
	guest->random ^= guest->random >> 7;
	guest->random ^= guest->random << 17;
	return (unsigned int)(guest->random >> 33) % n;
}

static void arrives(unsigned int kind, unsigned int from, unsigned int to)
{
	CHECK(__atomic_exchange_n(&under_way[kind][from][to], 0, __ATOMIC_SEQ_CST) == 1);
	__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
}

/* The hardware delivers an interrupt; its handler begins. */
static void interrupt(struct guest *guest, unsigned int me, unsigned int vector)
{
	unsigned int kind = (vector - VEC_ONE) >> 4, from = vector & 15;

	CHECK(guest->depth < sizeof(guest->service));
	CHECK(!guest->depth || guest->service[guest->depth - 1] >> 4 < vector >> 4);
	guest->service[guest->depth++] = (uint8_t)vector;
	if (vector == VEC_LEVEL) {
		CHECK(!guest->line);
		guest->line = true;
		return;
	}
	CHECK(vector >= VEC_ONE && kind < KINDS && from < N);
	arrives(kind, from, vector >> 4 == VEC_LOWEST >> 4 ? from : me);
}

static void wrmsr(uint64_t *gpr, struct svm_vmcb *vmcb, uint32_t msr, uint64_t value)
{
	vmcb->exit_code = SVM_EXIT_MSR;
	vmcb->exit_info1 = 1;
	vmcb->rip = RIP_WRMSR;
	vmcb->next_rip = RIP_WRMSR + 2;
	vmcb->rax = (uint32_t)value;
	gpr[1] = msr;
	gpr[2] = value >> 32;
}

/* True if it was not under way to any of them, and now is to all. */
static bool start(unsigned int kind, unsigned int from, unsigned int to_mask)
{
	unsigned int i;

	for (i = 0; i < N; i++)
		if (to_mask & 1u << i &&
		    __atomic_load_n(&under_way[kind][from][i], __ATOMIC_SEQ_CST))
			return false;
	for (i = 0; i < N; i++) {
		if (!(to_mask & 1u << i))
			continue;
		__atomic_store_n(&under_way[kind][from][i], 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
	}
	return true;
}

/* Sends something, unless the last one of that kind is still under way. */
static bool send(struct guest *guest, unsigned int me, uint64_t *gpr, struct svm_vmcb *vmcb)
{
	unsigned int to = random_below(guest, N), mask = 1 + random_below(guest, (1u << N) - 1);

	switch (random_below(guest, KINDS)) {
	case 0:
		if (!start(0, me, 1u << to))
			return false;
		wrmsr(gpr, vmcb, V3_MSR_X2APIC_ICR, (uint64_t)to << 32 | VEC_ONE | me);
		return true;
	case 1:
		if (!start(1, me, mask))
			return false;
		wrmsr(gpr, vmcb, V3_MSR_X2APIC_ICR,
		      (uint64_t)mask << 32 | V3_APIC_ICR_LOGICAL | VEC_LOGICAL | me);
		return true;
	case 2:
		if (!start(2, me, ((1u << N) - 1) & ~(1u << me)))
			return false;
		wrmsr(gpr, vmcb, V3_MSR_X2APIC_ICR, V3_APIC_ICR_ALL_BUT_SELF | VEC_ALL | me);
		return true;
	case 3:
		if (!start(3, me, 1u << me))
			return false;
		wrmsr(gpr, vmcb, V3_MSR_X2APIC_ICR,
		      0xfull << 32 | V3_APIC_ICR_LOGICAL |
		      V3_APIC_DM_LOWEST << V3_APIC_ICR_MODE_SHIFT | VEC_LOWEST | me);
		return true;
	default:
		if (!start(4, me, 1u << me))
			return false;
		wrmsr(gpr, vmcb, V3_MSR_X2APIC_SELF_IPI, VEC_SELF | me);
		return true;
	}
}

/* What the guest's code does next, up to the exit. */
static void run_code(struct guest *guest, unsigned int me, uint64_t *gpr, struct svm_vmcb *vmcb)
{
	unsigned int what = random_below(guest, 8);

	vmcb->exit_code = SVM_EXIT_INTR;
	vmcb->int_ctl &= ~SVM_V_TPR_MASK;
	if (guest->line && guest->service[guest->depth - 1] == VEC_LEVEL) {
		vmcb->exit_code = SVM_EXIT_IOIO;
		vmcb->exit_info1 = (uint64_t)PORT << 16 | 1 << 4;
		vmcb->rip = RIP_OUT;
		vmcb->next_rip = vmcb->exit_info2 = RIP_OUT + 1;
		guest->line = false;
	} else if (guest->depth && what < 4) {
		guest->depth--;
		wrmsr(gpr, vmcb, V3_MSR_X2APIC_EOI, 0);
	} else if (what < 6 && guest->sends < SENDS) {
		if (send(guest, me, gpr, vmcb))
			__atomic_store_n(&guest->sends, guest->sends + 1, __ATOMIC_SEQ_CST);
	} else if (what == 6) {
		/* Off with everything; the next time it is on again. */
		vmcb->int_ctl |= TPR_HIGH;
	} else if (!guest->depth) {
		vmcb->exit_code = SVM_EXIT_HLT;
		vmcb->rip = RIP_HLT;
		vmcb->next_rip = RIP_HLT + 1;
		guest->halts++;
	}
}

void svm_enter(uint64_t *gpr, v3_hpa_t vmcb_hpa, v3_hpa_t host_vmcb)
{
	struct svm_vmcb *vmcb = host->os.phys_to_virt(host->os.ctx, vmcb_hpa);
	unsigned int me = vcpu_of(vm, gpr);
	struct guest *guest = &guests[me];
	bool window = vmcb->intercept_misc1 & SVM_I1_VINTR && vmcb->int_ctl & SVM_V_IRQ;

	(void)host_vmcb;
	CHECK(!__atomic_load_n(&paused, __ATOMIC_SEQ_CST));
	vmcb->exit_int_info = 0;
	vmcb->int_shadow = 0;
	vmcb->rflags |= V3_RFLAGS_IF;
	if (!window && vmcb->int_ctl & SVM_V_IRQ) {
		/* Sometimes it does not get as far as that. */
		if (!random_below(guest, 8)) {
			vmcb->exit_code = SVM_EXIT_INTR;
			return;
		}
		interrupt(guest, me, vmcb->int_ctl >> SVM_V_INTR_VECTOR_SHIFT & 0xff);
		vmcb->int_ctl &= ~SVM_V_IRQ;
	} else if (vmcb->event_inj & SVM_EVENT_VALID) {
		if (!random_below(guest, 8)) {
			vmcb->exit_int_info = vmcb->event_inj;
			vmcb->exit_code = SVM_EXIT_INTR;
			return;
		}
		interrupt(guest, me, vmcb->event_inj & 0xff);
	}
	if (window)
		vmcb->exit_code = SVM_EXIT_VINTR;
	else
		run_code(guest, me, gpr, vmcb);
}

/* --- The device --- */

static void port_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	(void)vcpu;
	(void)ctx;
	(void)port;
	(void)size;
	(void)value;
	v3_irq_set(vm, GSI, false);
	__atomic_add_fetch(&line_served, 1, __ATOMIC_SEQ_CST);
}

static const struct v3_io_ops port_ops = { .out = port_out };

static void nap(long ns)
{
	const struct timespec pause = { .tv_nsec = ns };

	nanosleep(&pause, NULL);
}

static void *device(void *arg)
{
	(void)arg;
	v3_fake_set_cpu(5);
	while (!__atomic_load_n(&quit, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&line_served, __ATOMIC_SEQ_CST) == line_raised) {
			line_raised++;
			v3_irq_set(vm, GSI, true);
		}
		nap(10000);
	}
	return NULL;
}

static void *pauses(void *arg)
{
	(void)arg;
	v3_fake_set_cpu(6);
	while (!__atomic_load_n(&quit, __ATOMIC_ACQUIRE)) {
		CHECK(v3_vm_pause(vm) == V3_OK);
		__atomic_store_n(&paused, 1, __ATOMIC_SEQ_CST);
		nap(20000);
		__atomic_store_n(&paused, 0, __ATOMIC_SEQ_CST);
		CHECK(v3_vm_resume(vm) == V3_OK);
		nap(200000);
	}
	return NULL;
}

/* --- The VM --- */

static void msr_write(struct v3_vcpu *vcpu, uint32_t msr, uint64_t value)
{
	unsigned int i = 0;

	while (msr < vm->msr[i].first || msr > vm->msr[i].last)
		assert_true(++i < vm->num_msr);
	assert_int_equal(vm->msr[i].ops->write(vcpu, vm->msr[i].ctx, msr, value), V3_HOOK_DONE);
}

/* As its operating system would have brought it up. */
static void vcpu_set_up(struct v3_vcpu *vcpu)
{
	struct v3_vcpu_state state;

	assert_int_equal(v3_vcpu_get_state(vcpu, &state), V3_OK);
	/* Protected mode without paging: RIP is where the bytes are. */
	state.cr0 = V3_CR0_PE | V3_CR0_ET;
	state.seg[V3_SEG_CS] = (struct v3_segment){ 8, V3_SEG_ATTR_CODE32, 0xffffffff, 0 };
	state.rip = RIP_HLT;
	assert_int_equal(v3_vcpu_set_state(vcpu, &state), V3_OK);
	vcpu->run = V3_RUN_RUNNABLE;
	msr_write(vcpu, V3_MSR_APIC_BASE,
		  V3_APIC_DEFAULT_BASE | V3_APIC_BASE_ENABLE | V3_APIC_BASE_X2APIC);
	msr_write(vcpu, 0x80f, V3_APIC_SVR_ENABLE | 0xff);
	msr_write(vcpu, 0x835, V3_APIC_LVT_MASKED);
	guests[vcpu->index].random = 88172645463325252ull + vcpu->index;
}

static void redirect(uint32_t reg, uint32_t value)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, 0);

	v3_mmio_write(vcpu, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_INDEX, 4, reg);
	v3_mmio_write(vcpu, V3_IOAPIC_DEFAULT_BASE + V3_IOAPIC_MMIO_DATA, 4, value);
}

static int set_up(void **state)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const int32_t cpus[N] = { 1, 2, 3, 4 };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = N, .name = "storm",
		.mem = &mem, .num_mem = 1, .cpus = cpus,
	};
	unsigned int i;

	(void)state;
	fake = v3_fake_host_create();
	v3_fake_host_set_cpu_count(fake, V3_FAKE_MAX_CPUS);
	v3_fake_host_set_threads(fake, V3_FAKE_PTHREADS);
	v3_fake_tsc_step(50);
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	assert_int_equal(v3_intc_create(vm), V3_OK);
	assert_int_equal(v3_io_hook(vm, PORT, 1, &port_ops, NULL), V3_OK);
	memset(guests, 0, sizeof(guests));
	memset(under_way, 0, sizeof(under_way));
	line_raised = line_served = paused = quit = sent = taken = 0;
	for (i = 0; i < N; i++)
		vcpu_set_up(v3_vm_vcpu(vm, i));
	assert_int_equal(v3_vm_write(vm, RIP_HLT, "\xf4", 1), V3_OK);
	assert_int_equal(v3_vm_write(vm, RIP_WRMSR, "\x0f\x30", 2), V3_OK);
	assert_int_equal(v3_vm_write(vm, RIP_OUT, "\xee", 1), V3_OK);
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

/* In this order: taken cannot be more than sent. */
static bool all_sent_and_taken(void)
{
	unsigned int i, n;

	for (i = 0; i < N; i++)
		if (__atomic_load_n(&guests[i].sends, __ATOMIC_SEQ_CST) < SENDS)
			return false;
	n = __atomic_load_n(&sent, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&taken, __ATOMIC_SEQ_CST) == n;
}

/* The guests stop sending by themselves; then all that was sent has to arrive. */
static void test_storm(void **state)
{
	unsigned int i, kind, to, tries = 0;
	pthread_t threads[2];

	(void)state;
	/* Level-triggered, lowest priority, to any of them. */
	redirect(V3_IOAPIC_REG_REDIR(GSI) + 1, 0x0f000000);
	redirect(V3_IOAPIC_REG_REDIR(GSI),
		 (uint32_t)(V3_IOAPIC_LEVEL | V3_IOAPIC_LOGICAL) |
		 V3_APIC_DM_LOWEST << V3_IOAPIC_MODE_SHIFT | VEC_LEVEL);
	assert_int_equal(v3_vm_start(vm), V3_OK);
	assert_int_equal(pthread_create(&threads[0], NULL, device, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, pauses, NULL), 0);
	while (!all_sent_and_taken()) {
		assert_true(++tries < 200000);
		nap(200000);
	}
	__atomic_store_n(&quit, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	/* The device's last one is served, too. */
	for (tries = 0; __atomic_load_n(&line_served, __ATOMIC_SEQ_CST) != line_raised; tries++) {
		assert_true(tries < 10000);
		nap(200000);
	}
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(sent, taken);
	assert_true(line_served > 10);
	for (i = 0; i < N; i++) {
		assert_int_equal(guests[i].sends, SENDS);
		assert_true(guests[i].halts > 0);
		for (kind = 0; kind < KINDS; kind++)
			for (to = 0; to < N; to++)
				assert_int_equal(under_way[kind][i][to], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_storm, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
