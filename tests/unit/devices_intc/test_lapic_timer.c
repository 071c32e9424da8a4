/* SPDX-License-Identifier: BSD-2-Clause */
/* Timer of the local APIC: three modes, divider, masking, floods. The fake's TSC runs at 2 GHz. */
#include "intc_test.h"

#define VECTOR 0x40
#define DIVIDE_1 0xb

static void start_timer(struct v3_vm *vm, uint32_t lvt, uint32_t divide, uint32_t count)
{
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, lvt | VECTOR);
	lapic_write(vm, 0, V3_APIC_TIMER_DIVIDE, divide);
	lapic_write(vm, 0, V3_APIC_TIMER_INITIAL, count);
}

/* Its interrupt is there after @ns, and not earlier. */
static void expires_in(struct v3_vm *vm, uint64_t ns)
{
	fake_time_advance(vm, ns - 1);
	assert_int_equal(peek(vm, 0), -1);
	fake_time_advance(vm, 1);
	take(vm, 0, VECTOR);
}

static void one_shot(void **state)
{
	struct v3_vm *vm = *state;

	start_timer(vm, V3_APIC_TIMER_ONESHOT, DIVIDE_1, 50000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 50000);
	fake_time_advance(vm, 49999);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 1);
	fake_time_advance(vm, 1);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_INITIAL), 50000);
	fake_time_advance(vm, 1000000);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(vm->timer_runs, 1);
}

static void dividers(void **state)
{
	static const struct { uint32_t config; unsigned int divisor; } dividers[] = {
		{ 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 },
		{ 11, 1 },
	};
	struct v3_vm *vm = *state;
	unsigned int i;

	for (i = 0; i < sizeof(dividers) / sizeof(dividers[0]); i++) {
		start_timer(vm, V3_APIC_TIMER_ONESHOT, dividers[i].config, 1000);
		fake_time_advance(vm, 100 * dividers[i].divisor);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 900);
		fake_time_advance(vm, 900 * dividers[i].divisor - 1);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 1);
		assert_int_equal(peek(vm, 0), -1);
		fake_time_advance(vm, 1);
		take(vm, 0, VECTOR);
		eoi(vm, 0);
	}
	/* The largest count at the largest divider does not overflow. */
	start_timer(vm, V3_APIC_TIMER_ONESHOT, 10, 0xffffffff);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0xffffffff);
	expires_in(vm, 0xffffffffull * 128);
}

/* The count goes on at the new rate. */
static void divider_change(void **state)
{
	struct v3_vm *vm = *state;

	start_timer(vm, V3_APIC_TIMER_ONESHOT, DIVIDE_1, 1000);
	fake_time_advance(vm, 400);
	lapic_write(vm, 0, V3_APIC_TIMER_DIVIDE, 1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 600);
	expires_in(vm, 4 * 600);
}

static void periodic(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i;

	start_timer(vm, V3_APIC_TIMER_PERIODIC, DIVIDE_1, 100000);
	for (i = 0; i < 5; i++) {
		fake_time_advance(vm, 99999);
		assert_int_equal(peek(vm, 0), -1);
		fake_time_advance(vm, 1);
		assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 100000);
		take(vm, 0, VECTOR);
		eoi(vm, 0);
	}
	fake_time_advance(vm, 30000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 70000);
	/* To one-shot: the count goes on, for the last time. */
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_ONESHOT | VECTOR);
	fake_time_advance(vm, 70000);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	fake_time_advance(vm, 1000000);
	assert_int_equal(peek(vm, 0), -1);
	/* A count of zero stops. */
	start_timer(vm, V3_APIC_TIMER_PERIODIC, DIVIDE_1, 100000);
	lapic_write(vm, 0, V3_APIC_TIMER_INITIAL, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	fake_time_advance(vm, 1000000);
	assert_int_equal(peek(vm, 0), -1);
}

/* After a vCPU was away for long it gets one tick, and keeps the phase. */
static void late_host(void **state)
{
	struct v3_vm *vm = *state;
	struct v3_intc *intc = vm->intc_ctx;

	start_timer(vm, V3_APIC_TIMER_PERIODIC, DIVIDE_1, 100000);
	v3_vcpu_timer_set(&vm->vcpus[0], UINT64_MAX);
	vm->now = 1050000;
	vm->intc->timer(&vm->vcpus[0], intc, true);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	assert_int_equal(vm->timers->deadline, 1100000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 50000);
	assert_int_equal(peek(vm, 0), -1);
	/* One that is not due, as the guest has set its TSC, changes nothing. */
	v3_vcpu_timer_set(&vm->vcpus[0], UINT64_MAX);
	vm->intc->timer(&vm->vcpus[0], intc, false);
	assert_int_equal(peek(vm, 0), -1);
	assert_int_equal(vm->timers->deadline, 1100000);
}

/* A period of 1 ns must not keep the host busy. */
static void flood(void **state)
{
	struct v3_vm *vm = *state;

	start_timer(vm, V3_APIC_TIMER_PERIODIC, DIVIDE_1, 1);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 1);
	fake_time_advance(vm, 100 * V3_LAPIC_MIN_PERIOD_NS);
	assert_true(vm->timer_runs <= 101);
	assert_true(vm->timer_runs >= 99);
}

static void masked(void **state)
{
	struct v3_vm *vm = *state;

	/* Counts, but nobody is woken. */
	start_timer(vm, V3_APIC_LVT_MASKED, DIVIDE_1, 100000);
	assert_null(vm->timers);
	fake_time_advance(vm, 40000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 60000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, VECTOR);
	fake_time_advance(vm, 60000);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	/* Expired while masked: lost. */
	start_timer(vm, V3_APIC_LVT_MASKED, DIVIDE_1, 1000);
	fake_time_advance(vm, 2000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, VECTOR);
	assert_int_equal(peek(vm, 0), -1);
	assert_null(vm->timers);
	/* A periodic one keeps its phase. */
	start_timer(vm, V3_APIC_TIMER_PERIODIC | V3_APIC_LVT_MASKED, DIVIDE_1, 100000);
	fake_time_advance(vm, 530000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 70000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_PERIODIC | VECTOR);
	expires_in(vm, 70000);
	/* Masked again by software disable. */
	lapic_write(vm, 0, V3_APIC_SVR, 0xff);
	assert_null(vm->timers);
}

static void tsc_deadline(void **state)
{
	struct v3_vm *vm = *state;

	/* Only in its mode */
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 5000);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
	fake_time_advance(vm, 1000);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 6000);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 6000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	/* The initial count is not for this mode. */
	lapic_write(vm, 0, V3_APIC_TIMER_INITIAL, 10);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_INITIAL), 0);
	fake_time_advance(vm, 1999);
	assert_int_equal(peek(vm, 0), -1);
	/* Not early: at most 1 ns late. */
	fake_time_advance(vm, 2);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	/* In the past: at once. */
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 1);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	/* Zero disarms. */
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 1000000);
	assert_non_null(vm->timers);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 0);
	assert_null(vm->timers);
	/* So does a change of mode. */
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 1000000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, VECTOR);
	assert_null(vm->timers);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	/* So far away that nanoseconds would overflow. */
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, UINT64_MAX);
	assert_true(vm->timers->deadline > 1ull << 59);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), UINT64_MAX);
}

static void tsc_deadline_special(void **state)
{
	struct v3_vm *vm = *state;

	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
	/* The guest set its TSC back meanwhile: the timer looks again. */
	vm->vcpus[0].tsc_base = 10000;
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 12000);
	vm->vcpus[0].tsc_base = 0;
	fake_time_advance(vm, 1001);
	assert_int_equal(peek(vm, 0), -1);
	fake_time_advance(vm, 5000);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	/* Masked while it expires: lost, and the MSR reads zero all the same. */
	lapic_write(vm, 0, V3_APIC_LVT_TIMER,
		    V3_APIC_LVT_MASKED | V3_APIC_TIMER_DEADLINE | VECTOR);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 1);
	assert_int_equal(peek(vm, 0), -1);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, v3_guest_tsc(&vm->vcpus[0]) + 100);
	assert_int_not_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	fake_time_advance(vm, 1000);
	assert_int_equal(msr_read(vm, 0, V3_MSR_TSC_DEADLINE), 0);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
	assert_int_equal(peek(vm, 0), -1);
	/* The same in x2APIC mode. */
	msr_write(vm, 0, V3_MSR_APIC_BASE, X2APIC_ON);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, v3_guest_tsc(&vm->vcpus[0]) + 100);
	fake_time_advance(vm, 100);
	take(vm, 0, VECTOR);
	/* With the local APIC off it has no timer. */
	msr_write(vm, 0, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, v3_guest_tsc(&vm->vcpus[0]) + 100);
	assert_null(vm->timers);
}

/* Between one-shot and periodic the count goes on; only the end differs. */
static void mode_switches(void **state)
{
	struct v3_vm *vm = *state;

	start_timer(vm, V3_APIC_TIMER_ONESHOT, DIVIDE_1, 100000);
	fake_time_advance(vm, 40000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_PERIODIC | VECTOR);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 60000);
	fake_time_advance(vm, 60000);
	take(vm, 0, VECTOR);
	eoi(vm, 0);
	fake_time_advance(vm, 25000);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 75000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_ONESHOT | VECTOR);
	expires_in(vm, 75000);
	eoi(vm, 0);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	/* Over is over: the count does not start by itself. */
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_PERIODIC | VECTOR);
	fake_time_advance(vm, 1000000);
	assert_int_equal(peek(vm, 0), -1);
	/* Through TSC-deadline mode and back: both ways disarm. */
	start_timer(vm, V3_APIC_TIMER_PERIODIC, DIVIDE_1, 100000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	assert_null(vm->timers);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, UINT64_MAX / 2);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_PERIODIC | VECTOR);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	fake_time_advance(vm, 1000000);
	assert_int_equal(peek(vm, 0), -1);
	/* The vector and the mask can change while it counts. */
	start_timer(vm, V3_APIC_TIMER_ONESHOT, DIVIDE_1, 100000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_LVT_MASKED | (VECTOR + 1));
	fake_time_advance(vm, 50000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, VECTOR + 1);
	fake_time_advance(vm, 50000);
	take(vm, 0, VECTOR + 1);
}

/* 64 vCPUs, each with its own deadline, set in one order and due in another. */
static void tsc_deadline_many(void **state)
{
	struct v3_vm *vm = *state;
	unsigned int i, j;

	fake_vm_destroy(vm);
	vm = intc_vm(64);
	*state = vm;
	for (i = 0; i < 64; i++) {
		lapic_write(vm, i, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
		/* At 2 GHz: in 1000, 2000, ... 64000 ns, the last vCPU first. */
		msr_write(vm, i, V3_MSR_TSC_DEADLINE, 2000ull * (64 - i));
	}
	for (i = 64; i-- > 0;) {
		fake_time_set(vm, (64 - i) * 1000ull - 1);
		assert_int_equal(peek(vm, i), -1);
		fake_time_advance(vm, 2);
		for (j = 0; j < 64; j++)
			assert_int_equal(peek(vm, j), j == i ? VECTOR : -1);
		take(vm, i, VECTOR);
		eoi(vm, i);
		assert_int_equal(msr_read(vm, i, V3_MSR_TSC_DEADLINE), 0);
	}
	assert_null(vm->timers);
}

static void reserved_mode(void **state)
{
	struct v3_vm *vm = *state;

	start_timer(vm, V3_APIC_TIMER_PERIODIC, DIVIDE_1, 100000);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_MODE_MASK | VECTOR);
	assert_null(vm->timers);
	lapic_write(vm, 0, V3_APIC_TIMER_INITIAL, 1000);
	msr_write(vm, 0, V3_MSR_TSC_DEADLINE, 1000);
	assert_null(vm->timers);
	assert_int_equal(lapic_read(vm, 0, V3_APIC_TIMER_CURRENT), 0);
	lapic_write(vm, 0, V3_APIC_LVT_TIMER, V3_APIC_TIMER_DEADLINE | VECTOR);
	assert_null(vm->timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST1(one_shot),
		TEST1(dividers),
		TEST1(divider_change),
		TEST1(periodic),
		TEST1(late_host),
		TEST1(flood),
		TEST1(masked),
		TEST1(tsc_deadline),
		TEST1(tsc_deadline_special),
		TEST1(mode_switches),
		TEST1(tsc_deadline_many),
		TEST1(reserved_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
