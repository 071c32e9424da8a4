/* SPDX-License-Identifier: BSD-2-Clause */
/* Priorities, nesting, EOI, TPR, spurious states, and acceptance from other threads. */
#include "intc_test.h"

#include <pthread.h>

static void nothing_pending(void **state)
{
	struct v3_vm *vm = *state;
	bool blocked = true;

	assert_int_equal(fake_peek(vm, 0, &blocked), -1);
	assert_false(blocked);
	assert_int_equal(fake_ack(vm, 0), -1);
	/* An EOI for nothing is harmless. */
	eoi(vm, 0);
	assert_int_equal(vm->vcpus[0].checks, 0);
}

static void self_ipi_and_eoi(void **state)
{
	struct v3_vm *vm = *state;

	self_ipi(vm, 0, 0xf3);
	assert_int_equal(vm->vcpus[0].checks, 1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_IRR + 0x70), 1u << 19);
	take(vm, 0, 0xf3);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_IRR + 0x70), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ISR + 0x70), 1u << 19);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0xf0);
	eoi(vm, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ISR + 0x70), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0);
	assert_int_equal(peek(vm, 0), -1);
	/* Nothing waited, so nobody has to look. */
	assert_int_equal(vm->vcpus[0].checks, 1);
}

/* Every legal vector takes the whole path. */
static void all_vectors(void **state)
{
	struct v3_vm *vm = *state;
	int vector;

	for (vector = 16; vector < 256; vector++)
		self_ipi(vm, 0, (uint32_t)vector);
	for (vector = 255; vector >= 16; vector--) {
		take(vm, 0, vector);
		eoi(vm, 0);
	}
	assert_int_equal(peek(vm, 0), -1);
}

static void nesting(void **state)
{
	struct v3_vm *vm = *state;

	self_ipi(vm, 0, 0x31);
	take(vm, 0, 0x31);
	/* Same class: has to wait. */
	self_ipi(vm, 0, 0x3f);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(fake_ack(vm, 0), -1);
	/* Higher ones nest, also across words of the ISR. */
	self_ipi(vm, 0, 0x52);
	take(vm, 0, 0x52);
	self_ipi(vm, 0, 0xa1);
	take(vm, 0, 0xa1);
	self_ipi(vm, 0, 0xe0);
	take(vm, 0, 0xe0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0xe0);
	eoi(vm, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0xa0);
	eoi(vm, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x50);
	eoi(vm, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x30);
	assert_int_equal(peek(vm, 0), -1);
	eoi(vm, 0);
	/* The one that waited. */
	take(vm, 0, 0x3f);
	eoi(vm, 0);
	assert_int_equal(peek(vm, 0), -1);
}

/* The EOI of one interrupt makes the vCPU look for those that waited for it. */
static void eoi_tells(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int checks;

	self_ipi(vm, 0, 0x41);
	take(vm, 0, 0x41);
	self_ipi(vm, 0, 0x41);
	checks = vm->vcpus[0].checks;
	assert_int_equal(peek(vm, 0), -1);
	eoi(vm, 0);
	assert_int_equal(vm->vcpus[0].checks, checks + 1);
	take(vm, 0, 0x41);
}

static void coalescing(void **state)
{
	struct v3_vm *vm = *state;

	self_ipi(vm, 0, 0x41);
	self_ipi(vm, 0, 0x41);
	assert_int_equal(vm->vcpus[0].checks, 1);
	take(vm, 0, 0x41);
	eoi(vm, 0);
	assert_int_equal(peek(vm, 0), -1);
}

static void tpr_blocks(void **state)
{
	struct v3_vm *vm = *state;
	bool blocked;

	lapic_write(vm, 0, V3_APIC_TPR, 0x45);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0x45);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x45);
	/* The core is told even if nothing waits: it has to read CR8 anew. */
	assert_int_equal(vm->vcpus[0].checks, 1);
	self_ipi(vm, 0, 0x4f);
	assert_int_equal(fake_peek(vm, 0, &blocked), -1);
	assert_true(blocked);
	assert_int_equal(fake_ack(vm, 0), -1);
	/* CR8 lowers it. */
	assert_int_equal(vm->intc->tpr_get(&vm->vcpus[0], vm->intc_ctx), 4);
	vm->vcpus[0].checks = 0;
	vm->intc->tpr_set(&vm->vcpus[0], vm->intc_ctx, 4);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0x45);
	assert_int_equal(vm->vcpus[0].checks, 0);
	vm->intc->tpr_set(&vm->vcpus[0], vm->intc_ctx, 3);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0x30);
	assert_int_equal(vm->vcpus[0].checks, 1);
	assert_int_equal(fake_peek(vm, 0, &blocked), 0x4f);
	assert_false(blocked);
	take(vm, 0, 0x4f);
	/* In service, class 4: what waits now does not wait for the TPR. */
	self_ipi(vm, 0, 0x41);
	lapic_write(vm, 0, V3_APIC_TPR, 0x80);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x80);
	assert_int_equal(fake_peek(vm, 0, &blocked), -1);
	assert_false(blocked);
	self_ipi(vm, 0, 0x71);
	assert_int_equal(fake_peek(vm, 0, &blocked), -1);
	assert_true(blocked);
	lapic_write(vm, 0, V3_APIC_TPR, 0xff);
	self_ipi(vm, 0, 0xff);
	assert_int_equal(peek(vm, 0), -1);
}

static void arbitration_priority(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 0, V3_APIC_TPR, 0x35);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_APR), 0x35);
	/* A vector that TPR keeps waiting, then one above. */
	self_ipi(vm, 0, 0x3c);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_APR), 0x35);
	self_ipi(vm, 0, 0x61);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_APR), 0x60);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x35);
	take(vm, 0, 0x61);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_APR), 0x60);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0x60);
	self_ipi(vm, 0, 0x92);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_APR), 0x90);
}

static void software_disabled(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 0, V3_APIC_LVT_ERROR, 0x55);
	self_ipi(vm, 0, 0x60);
	lapic_write(vm, 0, V3_APIC_SVR, 0xff);
	/* SDM 11.4.7.2: what is in the IRR stays, nothing new is taken, the LVT is masked. */
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_ERROR), 0x55 | V3_APIC_LVT_MASKED);
	lapic_write(vm, 0, V3_APIC_LVT_ERROR, 0x56);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_ERROR), 0x56 | V3_APIC_LVT_MASKED);
	self_ipi(vm, 0, 0x70);
	take(vm, 0, 0x60);
	eoi(vm, 0);
	assert_int_equal(peek(vm, 0), -1);
	lapic_write(vm, 0, V3_APIC_SVR, SVR_ON);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_ERROR), 0x56 | V3_APIC_LVT_MASKED);
	self_ipi(vm, 0, 0x70);
	take(vm, 0, 0x70);
}

static void illegal_vectors(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 0, V3_APIC_LVT_ERROR, 0xfe);
	self_ipi(vm, 0, 15);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), 0);
	take(vm, 0, 0xfe);
	eoi(vm, 0);
	/* Counted once until software looks. */
	self_ipi(vm, 0, 14);
	assert_int_equal(peek(vm, 0), -1);
	lapic_write(vm, 0, V3_APIC_ESR, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), V3_APIC_ESR_SEND_ILLEGAL);
	lapic_write(vm, 0, V3_APIC_ESR, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), 0);
	/* Received: an I/O APIC pin with a bad vector. */
	redirect(vm, 5, 0x0f);
	pulse(vm, 5);
	take(vm, 0, 0xfe);
	lapic_write(vm, 0, V3_APIC_ESR, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ESR), V3_APIC_ESR_RECV_ILLEGAL);
	/* An error vector that is illegal itself ends there. */
	lapic_write(vm, 0, V3_APIC_LVT_ERROR, 0x01);
	pulse(vm, 5);
	assert_int_equal(peek(vm, 0), -1);
}

static void init_state(void **state)
{
	struct v3_vm *vm = *state;
	uint64_t base = msr_read(vm, 0, V3_MSR_APIC_BASE);

	lapic_write(vm, 0, V3_APIC_TPR, 0x20);
	lapic_write(vm, 0, V3_APIC_LDR, 0x01000000);
	lapic_write(vm, 0, V3_APIC_DFR, V3_APIC_DFR_CLUSTER);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, 0x40 | V3_APIC_TIMER_PERIODIC);
	lapic_write(vm, 0, V3_APIC_TIMER_INITIAL, 1000000);
	self_ipi(vm, 0, 0x61);
	take(vm, 0, 0x61);
	self_ipi(vm, 0, 0x62);
	vm->intc->init(&vm->vcpus[0], vm->intc_ctx);

	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TPR), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_PPR), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LDR), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_DFR), V3_APIC_DFR_FLAT);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_SVR), V3_APIC_SVR_RESET);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_TIMER), V3_APIC_LVT_MASKED);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_INITIAL), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_ISR + 0x30), 0);
	assert_int_equal(msr_read(vm, 0, V3_MSR_APIC_BASE), base);
	assert_null(vm->timers);
}

/* As firmware leaves it: virtual wire on the first vCPU, the others in reset state. */
static void power_on_state(void **state)
{
	struct v3_vm *vm = *state;

	assert_int_equal(lapic_read(vm, 0, V3_APIC_SVR), SVR_ON);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_LINT0), 0x700);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_LVT_LINT1), 0x400);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_SVR), V3_APIC_SVR_RESET);
	assert_int_equal(lapic_read(vm, 1, V3_APIC_LVT_LINT0), V3_APIC_LVT_MASKED);
	assert_true(msr_read(vm, 0, V3_MSR_APIC_BASE) & V3_APIC_BASE_BSP);
	assert_false(msr_read(vm, 1, V3_MSR_APIC_BASE) & V3_APIC_BASE_BSP);
	assert_int_equal(lapic_read(vm, 2, V3_APIC_ID), 2u << 24);
}

/*
 * Four threads send to vCPU 0, each waiting until its interrupt was taken: a lost one would make
 * its thread wait for ever, an invented one would be counted.
 */
#define RACE_ROUNDS 4000

struct race {
	struct v3_vm *vm;
	unsigned int vector;
	unsigned int sent, taken;
};

static void *race_send(void *arg)
{
	struct race *race = arg;
	struct v3_intc *intc = race->vm->intc_ctx;
	unsigned int i;

	for (i = 0; i < RACE_ROUNDS; i++) {
		v3_lapic_accept(&intc->lapic[0], (uint8_t)race->vector, false);
		while (__atomic_load_n(&race->taken, __ATOMIC_SEQ_CST) <= i)
			sched_yield();
	}
	__atomic_store_n(&race->sent, RACE_ROUNDS, __ATOMIC_SEQ_CST);
	return NULL;
}

static void race_of_senders(void **state)
{
	struct v3_vm *vm = *state;
	/* Two in one word, to meet in it. */
	struct race races[4] = { { vm, 0x41, 0, 0 }, { vm, 0x7e, 0, 0 },
				 { vm, 0xb0, 0, 0 }, { vm, 0x20, 0, 0 } };
	pthread_t threads[4];
	unsigned int i, done = 0;

	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race_send, &races[i]), 0);
	while (done < 4) {
		int vector = fake_ack(vm, 0);

		if (vector >= 0) {
			for (i = 0; i < 4 && races[i].vector != (unsigned int)vector; i++)
				;
			assert_true(i < 4);
			eoi(vm, 0);
			__atomic_add_fetch(&races[i].taken, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		for (done = 0, i = 0; i < 4; i++)
			done += __atomic_load_n(&races[i].sent, __ATOMIC_SEQ_CST) == RACE_ROUNDS;
		sched_yield();
	}
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(peek(vm, 0), -1);
	for (i = 0; i < 4; i++)
		assert_int_equal(races[i].taken, RACE_ROUNDS);
	assert_int_equal(vm->vcpus[0].checks >= 4 * RACE_ROUNDS, 1);
}

/* INITs while others send: afterwards every vector still gets through. */
struct init_race {
	struct v3_vm *vm;
	unsigned int vector;
	bool stop;
};

static void *init_race_send(void *arg)
{
	struct init_race *race = arg;
	struct v3_intc *intc = race->vm->intc_ctx;

	while (!__atomic_load_n(&race->stop, __ATOMIC_SEQ_CST))
		v3_lapic_accept(&intc->lapic[0], (uint8_t)race->vector, false);
	return NULL;
}

/* A bit in the IRR must soon show in the summary, or nobody would ever look at it. */
static bool is_noticed(const struct v3_lapic *la, unsigned int vector)
{
	unsigned int tries;

	for (tries = 0; tries < 100000; tries++) {
		if (!(__atomic_load_n(&la->irr[vector / 64], __ATOMIC_SEQ_CST) &
		      1ull << vector % 64) ||
		    __atomic_load_n(&la->pending, __ATOMIC_SEQ_CST) & 1u << vector / 64)
			return true;
		sched_yield();
	}
	return false;
}

static void race_with_init(void **state)
{
	struct v3_vm *vm = *state;
	struct v3_intc *intc = vm->intc_ctx;
	struct init_race races[2] = { { vm, 0x41, false }, { vm, 0xb0, false } };
	pthread_t threads[2];
	unsigned int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, init_race_send, &races[i]), 0);
	for (i = 0; i < 5000; i++) {
		vm->intc->init(&vm->vcpus[0], intc);
		lapic_write(vm, 0, V3_APIC_SVR, SVR_ON);
		assert_true(is_noticed(&intc->lapic[0], races[i % 2].vector));
		if (i % 2 && fake_ack(vm, 0) >= 0)
			eoi(vm, 0);
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&races[i].stop, true, __ATOMIC_SEQ_CST);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	while (fake_ack(vm, 0) >= 0)
		eoi(vm, 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(lapic_read(vm, 0, V3_APIC_IRR + 0x10 * i), 0);
	for (i = 0; i < 2; i++) {
		self_ipi(vm, 0, races[i].vector);
		take(vm, 0, (int)races[i].vector);
		eoi(vm, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST1(nothing_pending),
		TEST1(self_ipi_and_eoi),
		TEST1(all_vectors),
		TEST1(nesting),
		TEST1(eoi_tells),
		TEST1(coalescing),
		TEST1(tpr_blocks),
		TEST1(arbitration_priority),
		TEST1(software_disabled),
		TEST1(illegal_vectors),
		TEST1(init_state),
		TEST_POWER_ON(power_on_state),
		TEST4(race_of_senders),
		TEST1(race_with_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
