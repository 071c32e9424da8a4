/* SPDX-License-Identifier: BSD-2-Clause */
/* The paravirtual clock: what the guest finds, and that it computes what the VM's clock shows. */
#include "guest.h"
#include "pvclock_record.h"

#include "core/pvclock.h"
#include "x86/cpuid.h"
#include "x86/excp.h"
#include "x86/insn.h"
#include "x86/msr.h"

#define MS 1000000ull
#define WALL 1700000000ull
#define RECORD 0x100000ull
#define AS_REGS(r) ((r).eax | (r).ebx | (r).ecx | (r).edx)

/* rdmsr; wrmsr; cpuid */
static const uint8_t code[] = { 0x0f, 0x32, 0x0f, 0x30, 0x0f, 0xa2 };

static struct script *start_as(const char *cpu)
{
	struct script *script = script_create_as(NULL, cpu, 0);

	guest_prepare(script, code, sizeof(code));
	assert_int_equal(v3_pvclock_create(script->vm, WALL), V3_OK);
	guest_start(script);
	return script;
}

static bool access_msr(struct script *script, uint32_t msr, uint64_t *value, bool write)
{
	guest_set_rip(script, write ? 2 : 0);
	script->gpr[RCX] = msr;
	script->vmcb->rax = (uint32_t)*value;
	script->gpr[RDX] = *value >> 32;
	guest_exit(script, SVM_EXIT_MSR, write, 0);
	if (script->vmcb->event_inj) {
		assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
		return false;
	}
	*value = script->gpr[RDX] << 32 | script->vmcb->rax;
	return true;
}

static bool wr(struct script *script, uint32_t msr, uint64_t value)
{
	return access_msr(script, msr, &value, true);
}

static struct v3_cpuid cpuid(struct script *script, uint32_t leaf)
{
	guest_set_rip(script, 4);
	script->vmcb->rax = leaf;
	script->gpr[RCX] = 0;
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	return (struct v3_cpuid){ (uint32_t)script->vmcb->rax, (uint32_t)script->gpr[RBX],
				  (uint32_t)script->gpr[RCX], (uint32_t)script->gpr[RDX] };
}

/* The clock stands still between the two, as the test moves it. */
static void check_time(struct script *script)
{
	struct record record = record_at(script, RECORD);

	assert_int_equal(record.version & 1, 0);
	assert_in_range(time_by(&record, v3_guest_tsc(script->vcpu)) + 1000,
			v3_now(script->vm), v3_now(script->vm) + 1000);
}

static void test_leaves(void **state)
{
	struct script *script = start_as("host");
	struct v3_cpuid r = cpuid(script, 0x40000100);

	(void)state;
	assert_int_equal(r.eax, 0x40000101);
	assert_memory_equal(&r.ebx, "KVMK", 4);
	assert_memory_equal(&r.ecx, "VMKV", 4);
	assert_memory_equal(&r.edx, "M\0\0", 4);
	r = cpuid(script, 0x40000101);
	assert_int_equal(r.eax, 1u << 1 | 1u << 3 | 1u << 24);
	assert_int_equal(r.ebx | r.ecx | r.edx, 0);
	r = cpuid(script, 0x40000102);
	assert_int_equal(AS_REGS(r), 0);
	r = cpuid(script, V3_CPUID_LEAF_HYPERVISOR);
	assert_memory_equal(&r.ebx, "libv", 4);
	guest_destroy(script);
}

static void test_hidden(void **state)
{
	struct script *script = start_as("host,-hypervisor");
	struct v3_cpuid r = cpuid(script, 0x40000100);
	uint64_t value = 0;

	(void)state;
	assert_int_equal(AS_REGS(r), 0);
	assert_false(access_msr(script, V3_MSR_KVM_SYSTEM_TIME, &value, false));
	assert_false(wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1));
	assert_false(wr(script, V3_MSR_KVM_WALL_CLOCK, RECORD));
	guest_destroy(script);
}

static void test_time(void **state)
{
	struct script *script = start_as("host");
	struct record record;
	uint64_t value = 0, khz;

	(void)state;
	v3_fake_host_advance(script->fake, 123 * MS);
	assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1));
	assert_true(access_msr(script, V3_MSR_KVM_SYSTEM_TIME, &value, false));
	assert_int_equal(value, RECORD | 1);
	check_time(script);
	record = record_at(script, RECORD);
	assert_int_equal(record.version, 2);
	assert_int_equal(record.flags, 1);
	/* What Linux takes for the frequency */
	khz = (1000000ull << 32) / record.mul;
	khz = record.shift < 0 ? khz << -record.shift : khz >> record.shift;
	assert_int_equal(khz, V3_FAKE_TSC_KHZ);
	v3_fake_host_advance(script->fake, 3600 * 1000 * MS);
	check_time(script);
	/* It stands still while the VM does. */
	guest_pause(script);
	v3_fake_host_advance(script->fake, 77 * MS);
	assert_int_equal(v3_vm_resume(script->vm), V3_OK);
	guest_wait(script);
	v3_fake_host_advance(script->fake, 5 * MS);
	check_time(script);
	guest_destroy(script);
}

/* A guest that sets its TSC has the same time as before, by another record. */
static void test_tsc_written(void **state)
{
	struct script *script = start_as("host");
	struct record record;

	(void)state;
	assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1));
	v3_fake_host_advance(script->fake, 10 * MS);
	assert_true(wr(script, V3_MSR_TSC, 1ull << 50));
	check_time(script);
	record = record_at(script, RECORD);
	assert_int_equal(record.version, 4);
	assert_int_equal(record.flags, 0);	/* not to be compared with other vCPUs' */
	assert_true(wr(script, V3_MSR_TSC_ADJUST, -5000ull));
	check_time(script);
	assert_true(wr(script, V3_MSR_TSC_ADJUST, 0));
	check_time(script);
	assert_int_equal(record_at(script, RECORD).flags, 1);
	guest_destroy(script);
}

/* Switched off, and not seen by what uses the memory then. */
static void test_off(void **state)
{
	struct script *script = start_as("host");
	const struct record mine = { .version = 9, .mul = 1 };

	(void)state;
	assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1));
	assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, 0));
	assert_int_equal(v3_vm_write(script->vm, RECORD, &mine, sizeof(mine)), V3_OK);
	assert_true(wr(script, V3_MSR_TSC_ADJUST, 1000));
	assert_int_equal(record_at(script, RECORD).mul, 1);
	/* An odd version that the memory had before does not stay odd. */
	assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1));
	assert_int_equal(record_at(script, RECORD).version, 12);
	/* A reset forgets it. */
	guest_pause(script);
	v3_vcpu_power_on(script->vcpu);
	assert_int_equal(script->vcpu->pvclock, 0);
	guest_destroy(script);
}

static void test_wall(void **state)
{
	struct script *script = start_as("host");
	uint32_t wall[3] = { 1, 2, 3 };
	uint64_t value = 0;

	(void)state;
	assert_int_equal(v3_vm_write(script->vm, RECORD, wall, sizeof(wall)), V3_OK);
	v3_fake_host_advance(script->fake, 5000 * MS);
	assert_true(wr(script, V3_MSR_KVM_WALL_CLOCK, RECORD));
	assert_int_equal(v3_vm_read(script->vm, RECORD, wall, sizeof(wall)), V3_OK);
	assert_int_equal(wall[0] & 1, 0);
	assert_int_equal(wall[1], WALL);
	assert_int_equal(wall[2], 0);
	assert_false(access_msr(script, V3_MSR_KVM_WALL_CLOCK, &value, false));
	guest_destroy(script);
}

/* Not RAM, not all of it, not aligned. */
static void test_bad_addresses(void **state)
{
	static const uint64_t bad[] = {
		SCRIPT_RAM, SCRIPT_RAM - 16, SCRIPT_RAM - 4, RECORD | 2, 0xa0000, 0x9fff0,
		0xfee00000, 1ull << 63, ~0ull & ~3ull, 0xb0000,
	};
	struct script *script = start_as("host");
	uint64_t value = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(wr(script, V3_MSR_KVM_SYSTEM_TIME, bad[i] | 1));
		/* a shorter record */
		if (bad[i] != SCRIPT_RAM - 16 && bad[i] != 0x9fff0)
			assert_false(wr(script, V3_MSR_KVM_WALL_CLOCK, bad[i]));
	}
	assert_false(wr(script, V3_MSR_KVM_WALL_CLOCK, RECORD | 1));
	assert_true(access_msr(script, V3_MSR_KVM_SYSTEM_TIME, &value, false));
	assert_int_equal(value, 0);
	/* One that asks for nothing may be anywhere. */
	assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, SCRIPT_RAM));
	guest_destroy(script);
}

/* Slow TSCs have factors of more than 32 bits. */
static void test_factors(void **state)
{
	static const uint64_t khz[] = { 100000, 999999, 1000000, 1000001, 2345678, 6000000 };
	struct script *script = start_as("host");
	struct record record;
	unsigned int i;
	uint64_t shown;

	(void)state;
	for (i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
		script->host->ns_per_tick_32 = (1000000ull << 32) / khz[i];
		assert_true(wr(script, V3_MSR_KVM_SYSTEM_TIME, RECORD | 1));
		record = record_at(script, RECORD);
		shown = (1000000ull << 32) / record.mul;
		shown = record.shift < 0 ? shown << -record.shift : shown >> record.shift;
		assert_in_range(shown, khz[i], khz[i] + 1);
		assert_in_range(time_by(&record, khz[i] * 3600000), 3600000 * MS - 10000,
				3600000 * MS);
	}
	guest_destroy(script);
}

static void test_late(void **state)
{
	struct script *script = start_as("host");

	(void)state;
	assert_int_equal(v3_pvclock_create(script->vm, WALL), V3_ERR_STATE);
	guest_destroy(script);
	script = script_create(NULL);
	assert_int_equal(v3_pvclock_create(script->vm, WALL), V3_OK);
	assert_int_equal(v3_pvclock_create(script->vm, WALL), V3_ERR_EXIST);
	script_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_tsc_written),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_factors),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
