/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSC scaling: the arithmetic against one that is slow and plain, and a guest whose TSC has another
 * frequency than the host's. APM2 15.30.5, SDM vol. 3 26.3.
 */
#include "guest.h"
#include "pvclock_record.h"

#include <pthread.h>
#include <string.h>

#include "core/pvclock.h"
#include "core/tsc.h"
#include "devices/intc.h"
#include "x86/apic.h"
#include "x86/cpuid.h"
#include "x86/insn.h"
#include "x86/msr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MS 1000000ull
#define ONE (1ull << V3_TSC_FRACTION)
#define RECORD 0x100000ull

/* --- Numbers of 16-bit limbs, the lowest first --- */

#define LIMBS 12

struct big {
	uint16_t limb[LIMBS];
};

static struct big big_of(uint64_t value, unsigned int shift_limbs)
{
	struct big big = { { 0 } };

	for (unsigned int i = 0; i < 4; i++)
		big.limb[i + shift_limbs] = (uint16_t)(value >> (16 * i));
	return big;
}

static uint64_t big_low(const struct big *big, unsigned int from)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < 4; i++)
		value |= (uint64_t)big->limb[from + i] << (16 * i);
	return value;
}

/* As on paper. */
static struct big big_mul(uint64_t a, uint64_t b)
{
	struct big x = big_of(a, 0), y = big_of(b, 0), out = { { 0 } };

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t carry = 0;

		for (unsigned int j = 0; j < 4; j++) {
			carry += (uint32_t)x.limb[i] * y.limb[j] + out.limb[i + j];
			out.limb[i + j] = (uint16_t)carry;
			carry >>= 16;
		}
		out.limb[i + 4] = (uint16_t)carry;
	}
	return out;
}

/* By less than 2^48. */
static struct big big_div(const struct big *big, uint64_t by)
{
	struct big out = { { 0 } };
	uint64_t rest = 0;

	for (unsigned int i = LIMBS; i-- > 0;) {
		rest = rest << 16 | big->limb[i];
		out.limb[i] = (uint16_t)(rest / by);
		rest %= by;
	}
	return out;
}

static uint64_t scale_plain(uint64_t tsc, uint64_t ratio)
{
	struct big product = big_mul(tsc, ratio);

	return big_low(&product, V3_TSC_FRACTION / 16);
}

/* khz / host_khz in units of 2^-fraction, to the nearest, halves up: 2 * 2^fraction * q, + 1, / 2 */
static uint64_t ratio_plain(uint64_t khz, uint64_t host_khz, unsigned int fraction)
{
	struct big number = big_of(2 * khz, fraction / 16), quotient = big_div(&number, host_khz);

	return (big_low(&quotient, 0) + 1) / 2 << (V3_TSC_FRACTION - fraction);
}

static uint64_t random64(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* --- The arithmetic --- */

static void test_scale(void **state)
{
	static const uint64_t edges[] = {
		0, 1, 2, 0xffff, 0x10000, 0xffffffff, 1ull << 32, ONE - 1, ONE, ONE + 1, 3 * ONE / 2,
		(1ull << 56) - 1, 1ull << 63, ~0ull - 1, ~0ull,
	};

	(void)state;
	for (unsigned int i = 0; i < COUNT(edges); i++) {
		assert_int_equal(v3_tsc_scale(edges[i], ONE), edges[i]);
		for (unsigned int j = 0; j < COUNT(edges); j++)
			assert_int_equal(v3_tsc_scale(edges[i], edges[j]),
					 scale_plain(edges[i], edges[j]));
	}
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t tsc = random64() >> (i % 64), ratio = random64() >> (i / 64 % 64);

		assert_int_equal(v3_tsc_scale(tsc, ratio), scale_plain(tsc, ratio));
	}
}

/* One tick of the host's is the ratio's whole part of the guest's, or one more; never back. */
static void test_monotonic(void **state)
{
	static const uint64_t ratios[] = { ONE / 255, ONE / 3, ONE - 1, ONE, ONE + 1, 3 * ONE / 2,
					   255 * ONE + ONE / 3 };
	static const uint64_t starts[] = { 0, (1ull << 32) - 500, ONE - 500, 1ull << 55 };

	(void)state;
	for (unsigned int i = 0; i < COUNT(ratios); i++)
		for (unsigned int j = 0; j < COUNT(starts); j++)
			for (uint64_t tsc = starts[j]; tsc < starts[j] + 1000; tsc++) {
				uint64_t step = v3_tsc_scale(tsc + 1, ratios[i]) -
						v3_tsc_scale(tsc, ratios[i]);

				assert_in_range(step, ratios[i] / ONE, ratios[i] / ONE + 1);
			}
}

static const uint64_t host_khz[] = { 1000, 33333, 100000, 999999, 1000000, 2000000, 2394463, 2794748,
				     3693060, 5000001, 10000000, 100000000 };

static void expect_ratio(uint64_t khz, uint64_t host)
{
	static const unsigned int fractions[] = { 32, 48 };
	uint64_t ratio, counted;

	for (unsigned int i = 0; i < COUNT(fractions); i++) {
		assert_null(v3_tsc_ratio(khz, host, fractions[i], &ratio));
		assert_int_equal(ratio, ratio_plain(khz, host, fractions[i]));
		assert_int_equal(ratio & ((1ull << (V3_TSC_FRACTION - fractions[i])) - 1), 0);
		assert_in_range(ratio, ONE / V3_TSC_TIMES, V3_TSC_TIMES * ONE - 1);
		assert_int_not_equal(ratio, ONE);
		/* A thousand seconds by the host's TSC: the error is below one of 2^24, 0.06 ppm. */
		counted = v3_tsc_scale(host * 1000 * 1000, ratio);
		assert_in_range(counted, khz * 1000000 - (khz * 1000000 >> 24) - 1,
				khz * 1000000 + (khz * 1000000 >> 24) + 1);
	}
}

static bool in_limits(uint64_t khz, uint64_t host)
{
	return khz != host && khz >= V3_TSC_MIN_KHZ && khz <= V3_TSC_MAX_KHZ &&
	       khz < host * V3_TSC_TIMES && host < khz * V3_TSC_TIMES;
}

static void test_ratio(void **state)
{
	static const uint64_t khz[] = { 1000, 1001, 1234567, 2000001, 2793000, 9999999, 10000000 };
	unsigned int done = 0;

	(void)state;
	for (unsigned int i = 0; i < COUNT(host_khz); i++) {
		for (unsigned int j = 0; j < COUNT(khz); j++)
			if (in_limits(khz[j], host_khz[i]))
				expect_ratio(khz[j], host_khz[i]), done++;
		for (unsigned int n = 0; n < 2000; n++) {
			uint64_t any = random64() % (V3_TSC_MAX_KHZ + 1);

			if (in_limits(any, host_khz[i]))
				expect_ratio(any, host_khz[i]), done++;
		}
	}
	assert_true(done > 10000);
}

static void test_no_ratio(void **state)
{
	uint64_t ratio = 5;

	(void)state;
	/* The host's own takes no scaling. */
	assert_null(v3_tsc_ratio(0, 2000000, 0, &ratio));
	assert_int_equal(ratio, 0);
	ratio = 5;
	assert_null(v3_tsc_ratio(2000000, 2000000, 48, &ratio));
	assert_int_equal(ratio, 0);
	assert_non_null(strstr(v3_tsc_ratio(2000001, 2000000, 0, &ratio), "no TSC scaling"));
	assert_non_null(strstr(v3_tsc_ratio(999, 2000, 48, &ratio), "1000 to 10000000"));
	assert_non_null(strstr(v3_tsc_ratio(10000001, 2000000, 48, &ratio), "1000 to 10000000"));
	assert_non_null(strstr(v3_tsc_ratio(~0ull, 2000000, 48, &ratio), "1000 to 10000000"));
	assert_non_null(strstr(v3_tsc_ratio(256000, 1000, 48, &ratio), "256 times"));
	assert_null(v3_tsc_ratio(255999, 1000, 48, &ratio));
	assert_non_null(strstr(v3_tsc_ratio(1000, 256000, 32, &ratio), "256 times"));
	assert_null(v3_tsc_ratio(1000, 255999, 32, &ratio));
	/* Not known. */
	assert_non_null(strstr(v3_tsc_ratio(1000, 0, 48, &ratio), "256 times"));
}

/* --- Guests --- */

/* rdmsr; wrmsr; cpuid */
static const uint8_t code[] = { 0x0f, 0x32, 0x0f, 0x30, 0x0f, 0xa2 };

static uint64_t rd(struct script *script, uint32_t msr)
{
	guest_set_rip(script, 0);
	script->gpr[RCX] = msr;
	guest_exit(script, SVM_EXIT_MSR, 0, 0);
	assert_int_equal(script->vmcb->event_inj, 0);
	return script->gpr[RDX] << 32 | script->vmcb->rax;
}

static void wr(struct script *script, uint32_t msr, uint64_t value)
{
	guest_set_rip(script, 2);
	script->gpr[RCX] = msr;
	script->vmcb->rax = (uint32_t)value;
	script->gpr[RDX] = value >> 32;
	guest_exit(script, SVM_EXIT_MSR, 1, 0);
	assert_int_equal(script->vmcb->event_inj, 0);
}

/* RDTSC in the guest, as the CPU does it. */
static uint64_t rdtsc(const struct script *script)
{
	unsigned int cpu = (unsigned int)v3_vcpu_cpu(script->vcpu);
	unsigned __int128 tsc = v3_x86_rdtsc();

	return (uint64_t)(tsc * v3_fake_msr_get_on(cpu, V3_MSR_AMD_TSC_RATIO) >> 32) +
	       script->vmcb->tsc_offset;
}

/* A guest with that frequency, at a host TSC that is far from 0. */
static struct script *create(uint64_t khz)
{
	struct script *script = script_create_tsc(khz);

	guest_prepare(script, code, sizeof(code));
	return script;
}

static struct script *start(uint64_t khz)
{
	struct script *script = create(khz);

	guest_start(script);
	v3_fake_host_advance(script->fake, 3600 * 1000 * MS);
	return script;
}

static const uint64_t guest_khz[] = { V3_FAKE_TSC_KHZ, 3000000, 1000000, 1999999, 2793437, 10000 };

static void test_guest(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNT(guest_khz); i++) {
		uint64_t khz = guest_khz[i], before;
		struct script *script = start(khz);

		assert_int_equal(v3_vm_tsc_khz(script->vm), khz);
		assert_int_equal(!v3_vm_tsc_ratio(script->vm), khz == V3_FAKE_TSC_KHZ);
		assert_int_equal(v3_guest_tsc(script->vcpu), rdtsc(script));
		/* An hour is over. */
		assert_in_range(rdtsc(script) / 1000, khz * 3600 - 2, khz * 3600 + 2);
		before = rdtsc(script);
		v3_fake_host_advance(script->fake, 1000 * MS);
		assert_in_range(rdtsc(script) - before, khz * 1000 - 2, khz * 1000 + 2);
		assert_int_equal(rd(script, V3_MSR_TSC), rdtsc(script));
		guest_destroy(script);
	}
}

/* What the guest writes counts in its own ticks. */
static void test_written(void **state)
{
	struct script *script = start(3000000);
	uint64_t first;

	(void)state;
	first = rdtsc(script);
	wr(script, V3_MSR_TSC_ADJUST, 5000);
	assert_int_equal(rdtsc(script), first + 5000);
	assert_int_equal(rd(script, V3_MSR_TSC_ADJUST), 5000);
	wr(script, V3_MSR_TSC, first + 7000);
	assert_int_equal(rdtsc(script), first + 7000);
	assert_int_equal(rd(script, V3_MSR_TSC_ADJUST), 7000);
	wr(script, V3_MSR_TSC_ADJUST, -1000ull);
	assert_int_equal(rd(script, V3_MSR_TSC), first - 1000);
	wr(script, V3_MSR_TSC, ~0ull - 10);
	v3_fake_tsc_advance(100);
	assert_in_range(rdtsc(script), 150 - 13, 150 - 11);
	assert_int_equal(v3_guest_tsc(script->vcpu), rdtsc(script));
	/* Power on forgets all of it, the frequency stays. */
	guest_pause(script);
	v3_vcpu_power_on(script->vcpu);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	assert_in_range(rdtsc(script), first, first + 300);
	assert_int_equal(v3_vm_tsc_khz(script->vm), 3000000);
	guest_destroy(script);
}

/* The guest's TSC stands still in a pause; the base moves, and both are rounded down. */
static void test_pause(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNT(guest_khz); i++) {
		struct script *script = start(guest_khz[i]);
		uint64_t before, shown, began = v3_now(script->vm), tsc = rdtsc(script);

		for (unsigned int n = 1; n < 40; n++) {
			before = rdtsc(script);
			guest_pause(script);
			shown = v3_guest_tsc(script->vcpu);
			assert_int_equal(shown, before);
			v3_fake_tsc_advance(1237 * n);
			assert_int_equal(v3_guest_tsc(script->vcpu), shown);
			assert_int_equal(v3_vm_resume(script->vm), V3_OK);
			guest_wait(script);
			assert_in_range(rdtsc(script) + 1, shown, shown + 2);
			assert_int_equal(v3_guest_tsc(script->vcpu), rdtsc(script));
			v3_fake_tsc_advance(1000001);
		}
		/* It does not add up. */
		assert_in_range(rdtsc(script) - tsc + 2,
				(v3_now(script->vm) - began) * guest_khz[i] / 1000000,
				(v3_now(script->vm) - began) * guest_khz[i] / 1000000 + 12);
		guest_destroy(script);
	}
}

static bool paused_enough;

/* The clock stands still but for moments in which no time passes; the base moves far. */
static void *pauses(void *arg)
{
	struct v3_vm *vm = arg;

	for (unsigned int i = 0; i < 20000; i++) {
		v3_fake_tsc_advance(1000000007);
		v3_vm_clock_go_on(vm);
		v3_vm_clock_stop(vm);
	}
	__atomic_store_n(&paused_enough, true, __ATOMIC_RELEASE);
	return NULL;
}

/* Whoever looks at the TSC meanwhile sees what it was. */
static void test_looked_at(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct script *script = script_create_tsc(guest_khz[i]);
		uint64_t first = v3_guest_tsc(script->vcpu), value, least = 5, most = 5;
		pthread_t thread;

		paused_enough = false;
		assert_int_equal(pthread_create(&thread, NULL, pauses, script->vm), 0);
		while (!__atomic_load_n(&paused_enough, __ATOMIC_ACQUIRE)) {
			value = v3_guest_tsc(script->vcpu) - first + 5;
			least = value < least ? value : least;
			most = value > most ? value : most;
		}
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_in_range(least, 4, 5);
		assert_in_range(most, 5, 6);
		script_destroy(script);
	}
}

static void test_cpuid(void **state)
{
	struct script *script = start(3000000);

	(void)state;
	guest_set_rip(script, 4);
	script->vmcb->rax = V3_CPUID_LEAF_HV_TIMING;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(script->vmcb->rax, 3000000);
	assert_int_equal(script->gpr[RBX], V3_CPU_APIC_KHZ);
	guest_destroy(script);
}

/* Its arithmetic with the record gives the VM's clock. */
static void test_pvclock(void **state)
{
	struct record record;
	uint64_t ns;

	(void)state;
	for (unsigned int i = 0; i < COUNT(guest_khz); i++) {
		struct script *script = create(guest_khz[i]);

		assert_int_equal(v3_pvclock_create(script->vm, 0), V3_OK);
		guest_start(script);
		v3_fake_host_advance(script->fake, 24ull * 3600 * 1000 * MS);
		wr(script, V3_MSR_TSC_ADJUST, 123456789);
		wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1);
		record = record_at(script, RECORD);
		ns = time_by(&record, rdtsc(script));
		/* In a day: two in 10^9. */
		assert_in_range(ns + 200000, v3_now(script->vm), v3_now(script->vm) + 400000);
		guest_destroy(script);
	}
}

/* A deadline of the guest's TSC passes when that is reached, by the host's time. */
static void test_deadline(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < COUNT(guest_khz); i++) {
		struct script *script = create(guest_khz[i]);
		uint64_t tsc, ms4 = guest_khz[i] * 4;

		assert_int_equal(v3_intc_create(script->vm), V3_OK);
		guest_start(script);
		v3_fake_host_advance(script->fake, 3600 * 1000 * MS);
		script->vmcb->rflags &= ~V3_RFLAGS_IF;
		wr(script, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE | V3_APIC_BASE_ENABLE |
		   V3_APIC_BASE_X2APIC | V3_APIC_BASE_BSP);
		wr(script, 0x832, V3_APIC_TIMER_DEADLINE | 0x41);
		tsc = rdtsc(script) + ms4;
		wr(script, V3_MSR_TSC_DEADLINE, tsc);
		/* By the host's TSC, which all timers count in. */
		assert_in_range(script->vcpu->own_tsc - v3_x86_rdtsc(), 4 * V3_FAKE_TSC_KHZ - 10,
				4 * V3_FAKE_TSC_KHZ + 10);
		v3_fake_host_advance(script->fake, 4 * MS - 2000);
		guest_intr(script);
		assert_int_equal(rd(script, V3_MSR_TSC_DEADLINE), tsc);
		assert_int_equal(rd(script, 0x822), 0);
		v3_fake_host_advance(script->fake, 3000);
		guest_intr(script);
		assert_true(rdtsc(script) >= tsc);
		assert_int_equal(rd(script, V3_MSR_TSC_DEADLINE), 0);
		assert_int_equal(rd(script, 0x822), 1u << 1);
		guest_destroy(script);
	}
}

/* --- Refusals --- */

static enum v3_status try(struct v3_host *host, uint64_t khz)
{
	const struct v3_mem_config mem = { .size = SCRIPT_RAM, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 2, .name = "vm", .mem = &mem,
		.num_mem = 1, .tsc_khz = khz,
	};
	struct v3_vm *vm;
	enum v3_status status = v3_vm_create(host, &config, &vm);

	if (status == V3_OK) {
		/* vCPUs do not differ. */
		assert_int_equal(v3_guest_tsc(v3_vm_vcpu(vm, 0)), v3_guest_tsc(v3_vm_vcpu(vm, 1)));
		assert_int_equal(v3_vcpu_tsc_offset(v3_vm_vcpu(vm, 0)),
				 v3_vcpu_tsc_offset(v3_vm_vcpu(vm, 1)));
		v3_vm_destroy(vm);
	}
	return status;
}

static void test_refused(void **state)
{
	struct v3_fake_host *fake = v3_fake_host_create();
	struct v3_os_hooks *hooks = v3_fake_host_hooks(fake);
	struct v3_host_caps caps;
	struct v3_host *host;

	(void)state;
	assert_int_equal(v3_init(hooks, &host), V3_OK);
	v3_host_caps(host, &caps);
	assert_false(caps.tsc_scaling);
	assert_int_equal(try(host, V3_FAKE_TSC_KHZ), V3_OK);
	assert_int_equal(try(host, 3000000), V3_ERR_NOTSUP);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR,
					 "with a TSC of 3000000 kHz, the host's has 2000000: this "
					 "CPU has no TSC scaling"));
	assert_int_equal(v3_exit(host), V3_OK);

	v3_fake_svm_tsc_scaling();
	hooks->features_off = "tsc-scaling";
	assert_int_equal(v3_init(hooks, &host), V3_OK);
	assert_int_equal(try(host, 3000000), V3_ERR_NOTSUP);
	assert_int_equal(v3_exit(host), V3_OK);

	hooks->features_off = NULL;
	assert_int_equal(v3_init(hooks, &host), V3_OK);
	v3_host_caps(host, &caps);
	assert_true(caps.tsc_scaling);
	assert_int_equal(try(host, 3000000), V3_OK);
	assert_int_equal(try(host, 10000000), V3_OK);
	assert_int_equal(try(host, 10000001), V3_ERR_RANGE);
	assert_int_equal(try(host, 999), V3_ERR_RANGE);
	assert_int_equal(try(host, ~0ull), V3_ERR_RANGE);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "1000 to 10000000"));
	assert_int_equal(try(host, V3_FAKE_TSC_KHZ / 256), V3_ERR_RANGE);
	assert_true(v3_fake_host_log_has(fake, V3_LOG_ERROR, "256 times"));
	assert_int_equal(try(host, V3_FAKE_TSC_KHZ / 256 + 1), V3_OK);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scale), cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_ratio), cmocka_unit_test(test_no_ratio),
		cmocka_unit_test(test_guest), cmocka_unit_test(test_written),
		cmocka_unit_test(test_pause), cmocka_unit_test(test_looked_at),
		cmocka_unit_test(test_cpuid),
		cmocka_unit_test(test_pvclock), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
