/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What needs no CPU: a new VMCB, decoding of exits, events, permission maps. APM2 15.5-15.21, B, C.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svm/svm.h"
#include "x86/excp.h"
#include "x86/msr.h"
#include "x86/pte.h"

/* --- A new VMCB --- */

static void test_new_vmcb(void **state)
{
	const struct v3_host_caps plain = { 0 }, filter = { .pause_filter = true };
	static struct svm_vmcb vmcb;
	unsigned int bit;

	(void)state;
	memset(&vmcb, 0xa5, sizeof(vmcb));
	svm_vmcb_init(&vmcb, 0x1000, 0x4000, 0x6000, &plain);
	assert_int_equal(vmcb.iopm_pa, 0x1000);
	assert_int_equal(vmcb.msrpm_pa, 0x4000);
	assert_int_equal(vmcb.nested_cr3, 0x6000);
	assert_int_equal(vmcb.np_enable, 1);
	assert_int_equal(vmcb.int_ctl, SVM_V_INTR_MASKING);
	assert_int_equal(vmcb.clean | vmcb.event_inj | vmcb.tlb_control | vmcb.virt_ext, 0);
	/* VMRUN refuses a guest without this intercept (APM2 15.5.1). */
	assert_true(vmcb.intercept_misc2 & SVM_I2_VMRUN);
	/* Host interrupts and everything that would change the host. */
	for (bit = 0; bit < 4; bit++)
		assert_true(vmcb.intercept_misc1 >> bit & 1);
	assert_true(vmcb.intercept_misc1 & SVM_I1_SHUTDOWN);
	assert_int_equal(vmcb.intercept_misc2 & 0x7f, 0x7f);
	assert_true(vmcb.intercept_exception & 1u << V3_EXCP_MC);
	assert_int_equal(vmcb.intercept_dr, 0xffffffff);
	assert_false(vmcb.intercept_misc1 & (SVM_I1_PAUSE | SVM_I1_VINTR | SVM_I1_IRET));
	assert_int_equal(vmcb.pause_count | vmcb.pause_threshold, 0);
	svm_vmcb_init(&vmcb, 0x1000, 0x4000, 0x6000, &filter);
	assert_true(vmcb.intercept_misc1 & SVM_I1_PAUSE);
	assert_true(vmcb.pause_count > 0);
}

/* --- Exits --- */

static void decode(uint64_t code, uint64_t info1, uint64_t info2, bool next_rip,
		   struct v3_exit *exit)
{
	const struct v3_host_caps caps = { .next_rip = next_rip };
	static struct svm_vmcb vmcb;

	memset(&vmcb, 0, sizeof(vmcb));
	memset(exit, 0xa5, sizeof(*exit));
	vmcb.exit_code = code;
	vmcb.exit_info1 = info1;
	vmcb.exit_info2 = info2;
	vmcb.rip = 0xffff800000001000;
	vmcb.next_rip = 0xffff800000001003;
	svm_exit_decode(&vmcb, &caps, exit);
}

static void test_kinds(void **state)
{
	static const struct {
		uint64_t code;
		enum v3_exit_kind kind;
		bool has_length;
	} table[] = {
		{ 0x060, V3_EXIT_INTR, false }, { 0x061, V3_EXIT_NMI, false },
		{ 0x062, V3_EXIT_SMI, false }, { 0x063, V3_EXIT_INIT, false },
		{ 0x064, V3_EXIT_INTR_WINDOW, false }, { 0x074, V3_EXIT_NMI_WINDOW, false },
		{ 0x072, V3_EXIT_CPUID, true }, { 0x076, V3_EXIT_INVD, true },
		{ 0x089, V3_EXIT_INVD, true }, { 0x077, V3_EXIT_PAUSE, true },
		{ 0x078, V3_EXIT_HLT, true }, { 0x07c, V3_EXIT_RDMSR, true },
		{ 0x081, V3_EXIT_HYPERCALL, true }, { 0x08d, V3_EXIT_XSETBV, true },
		{ 0x07f, V3_EXIT_SHUTDOWN, false }, { 0x07a, V3_EXIT_UNDEFINED, false },
		{ 0x080, V3_EXIT_UNDEFINED, false }, { 0x082, V3_EXIT_UNDEFINED, false },
		{ 0x083, V3_EXIT_UNDEFINED, false }, { 0x084, V3_EXIT_UNDEFINED, false },
		{ 0x085, V3_EXIT_UNDEFINED, false }, { 0x086, V3_EXIT_UNDEFINED, false },
		{ 0x087, V3_EXIT_UNDEFINED, false },
		{ 0x08a, V3_EXIT_UNDEFINED, false }, { 0x08b, V3_EXIT_UNDEFINED, false },
		{ 0x08c, V3_EXIT_UNDEFINED, false }, { 0x08e, V3_EXIT_UNDEFINED, false },
		/* Not intercepted, so nobody knows what to do about them. */
		{ 0x066, V3_EXIT_UNKNOWN, false }, { 0x07d, V3_EXIT_UNKNOWN, false },
		{ 0x07e, V3_EXIT_UNKNOWN, false }, { 0x401, V3_EXIT_UNKNOWN, false },
		{ 0x403, V3_EXIT_UNKNOWN, false }, { 1ull << 32, V3_EXIT_UNKNOWN, false },
		/* QEMU and Bochs. */
		{ 0xffffffff, V3_EXIT_INVALID, false }, { ~0ull, V3_EXIT_INVALID, false },
	};
	struct v3_exit exit;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		decode(table[i].code, 0, 0, true, &exit);
		assert_int_equal(exit.kind, table[i].kind);
		assert_int_equal(exit.insn_len, table[i].has_length ? 3 : 0);
		decode(table[i].code, 0, 0, false, &exit);
		assert_int_equal(exit.kind, table[i].kind);
		assert_int_equal(exit.insn_len, 0);
	}
	decode(SVM_EXIT_MSR, 1, 0, true, &exit);
	assert_int_equal(exit.kind, V3_EXIT_WRMSR);
}

static void test_length(void **state)
{
	const struct v3_host_caps caps = { .next_rip = true };
	static struct svm_vmcb vmcb = { .exit_code = SVM_EXIT_CPUID, .rip = 0x1000 };
	struct v3_exit exit;

	(void)state;
	/* Not saved for this exit; or nonsense. */
	svm_exit_decode(&vmcb, &caps, &exit);
	assert_int_equal(exit.insn_len, 0);
	vmcb.next_rip = 0x1010;
	svm_exit_decode(&vmcb, &caps, &exit);
	assert_int_equal(exit.insn_len, 0);
	vmcb.next_rip = 0xfff;
	svm_exit_decode(&vmcb, &caps, &exit);
	assert_int_equal(exit.insn_len, 0);
	vmcb.next_rip = 0x100f;
	svm_exit_decode(&vmcb, &caps, &exit);
	assert_int_equal(exit.insn_len, 15);
}

static void test_registers(void **state)
{
	struct v3_exit exit;
	unsigned int n;

	(void)state;
	for (n = 0; n < 16; n++) {
		decode(SVM_EXIT_CR_READ + n, 0, 0, true, &exit);
		assert_int_equal(exit.kind, V3_EXIT_CR);
		assert_int_equal(exit.cr.cr, n);
		assert_false(exit.cr.write);
		decode(SVM_EXIT_CR_WRITE + n, 0, 0, true, &exit);
		assert_int_equal(exit.kind, V3_EXIT_CR);
		assert_int_equal(exit.cr.cr, n);
		assert_true(exit.cr.write);
		decode(SVM_EXIT_DR_READ + n, 0, 0, true, &exit);
		assert_int_equal(exit.kind, V3_EXIT_DR);
		assert_int_equal(exit.dr.dr, n);
		assert_false(exit.dr.write);
		decode(SVM_EXIT_DR_WRITE + n, 0, 0, true, &exit);
		assert_int_equal(exit.kind, V3_EXIT_DR);
		assert_int_equal(exit.dr.dr, n);
		assert_true(exit.dr.write);
	}
	decode(SVM_EXIT_CR0_SEL, 0, 0, true, &exit);
	assert_int_equal(exit.kind, V3_EXIT_CR);
	assert_int_equal(exit.cr.cr, 0);
	assert_true(exit.cr.write);
}

static void test_exceptions(void **state)
{
	struct v3_exit exit;
	unsigned int vector;

	(void)state;
	for (vector = 0; vector < 32; vector++) {
		decode(SVM_EXIT_EXCEPTION + vector, 0x1234, 0xdead000, true, &exit);
		if (vector == V3_EXCP_MC) {
			assert_int_equal(exit.kind, V3_EXIT_MACHINE_CHECK);
			continue;
		}
		assert_int_equal(exit.kind, V3_EXIT_EXCEPTION);
		assert_int_equal(exit.exception.vector, vector);
		assert_int_equal(exit.exception.has_error, v3_excp_has_error_code(vector));
		assert_int_equal(exit.exception.error,
				 v3_excp_has_error_code(vector) ? 0x1234 : 0);
		assert_int_equal(exit.exception.cr2, 0xdead000);
	}
	decode(SVM_EXIT_RDPMC, 0x1234, 0, true, &exit);
	assert_int_equal(exit.kind, V3_EXIT_EXCEPTION);
	assert_int_equal(exit.exception.vector, V3_EXCP_GP);
	assert_true(exit.exception.has_error);
	assert_int_equal(exit.exception.error, 0);
}

static void test_io(void **state)
{
	struct v3_exit exit;
	unsigned int size;

	(void)state;
	for (size = 1; size <= 4; size *= 2) {
		/* A16 (bit 7) as Bochs sets it in real mode. */
		decode(SVM_EXIT_IOIO, 0xcf8ull << 16 | size << 4 | 1 << 7 | SVM_IOIO_IN, 0x2002,
		       false, &exit);
		assert_int_equal(exit.kind, V3_EXIT_IO);
		assert_int_equal(exit.io.port, 0xcf8);
		assert_int_equal(exit.io.size, size);
		assert_true(exit.io.in);
		assert_false(exit.io.string);
		assert_int_equal(exit.io.next_rip, 0x2002);
	}
	decode(SVM_EXIT_IOIO, 0xffffull << 16 | 1 << 4 | SVM_IOIO_STRING | SVM_IOIO_REP, 0x2002,
	       false, &exit);
	assert_int_equal(exit.io.port, 0xffff);
	assert_false(exit.io.in);
	assert_true(exit.io.string);
}

static void test_nested_fault(void **state)
{
	struct v3_exit exit;

	(void)state;
	decode(SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U, 0xfee00020, true, &exit);
	assert_int_equal(exit.kind, V3_EXIT_NESTED_FAULT);
	assert_int_equal(exit.npf.gpa, 0xfee00020);
	assert_false(exit.npf.write || exit.npf.fetch || exit.npf.present || exit.npf.walk);
	decode(SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U | V3_PFEC_W | V3_PFEC_P, 0xf0000, true,
	       &exit);
	assert_true(exit.npf.write && exit.npf.present);
	assert_false(exit.npf.fetch || exit.npf.walk);
	decode(SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U | V3_PFEC_I, 0xf0000, true, &exit);
	assert_true(exit.npf.fetch);
	decode(SVM_EXIT_NPF, V3_PFEC_NPF_WALK | V3_PFEC_U | V3_PFEC_W, 0xf0000, true, &exit);
	assert_true(exit.npf.walk && exit.npf.write);
}

static void test_raw(void **state)
{
	struct v3_exit exit;

	(void)state;
	decode(0x555, 0x11, 0x22, true, &exit);
	assert_int_equal(exit.raw.code, 0x555);
	assert_int_equal(exit.raw.info1, 0x11);
	assert_int_equal(exit.raw.info2, 0x22);
}

/* --- Events --- */

static void event_round(uint8_t type, uint8_t vector, bool has_error, uint32_t error)
{
	const struct v3_event event = { .valid = true, .type = type, .vector = vector,
					.has_error = has_error, .error = error };
	static struct svm_vmcb vmcb;
	struct v3_event back;

	memset(&back, 0xa5, sizeof(back));
	vmcb.exit_int_info = svm_event_encode(&event);
	assert_int_equal(vmcb.exit_int_info & 0xff, vector);
	assert_int_equal(vmcb.exit_int_info >> 8 & 7, type);
	assert_int_equal(vmcb.exit_int_info >> 11 & 1, has_error);
	assert_int_equal(vmcb.exit_int_info >> 12 & 0x7ffff, 0);
	assert_int_equal(vmcb.exit_int_info >> 31 & 1, 1);
	assert_int_equal(vmcb.exit_int_info >> 32, has_error ? error : 0);
	svm_interrupted_decode(&vmcb, &back);
	if (type == V3_EVENT_EXCEPTION && (vector == V3_EXCP_BP || vector == V3_EXCP_OF)) {
		assert_false(back.valid);
		return;
	}
	assert_true(back.valid);
	assert_int_equal(back.type, type);
	assert_int_equal(back.vector, vector);
	assert_int_equal(back.has_error, has_error);
	assert_int_equal(back.error, has_error ? error : 0);
}

static void test_events(void **state)
{
	static struct svm_vmcb vmcb;
	struct v3_event event;
	unsigned int vector;

	(void)state;
	for (vector = 0; vector < 256; vector++)
		event_round(V3_EVENT_INTR, (uint8_t)vector, false, 0);
	event_round(V3_EVENT_NMI, 2, false, 0);
	for (vector = 0; vector < 32; vector++)
		event_round(V3_EVENT_EXCEPTION, (uint8_t)vector, v3_excp_has_error_code(vector),
			    0xfedcba98);
	event.valid = true;
	svm_interrupted_decode(&vmcb, &event);
	assert_false(event.valid);
	event.valid = true;
	vmcb.exit_int_info = SVM_EVENT_VALID | SVM_EVENT_SOFT_INTR << SVM_EVENT_TYPE_SHIFT | 0x80;
	svm_interrupted_decode(&vmcb, &event);
	assert_false(event.valid);
}

/* --- Permission maps --- */

static void test_msrpm(void **state)
{
	static const uint32_t own[] = {
		0xc0000100, 0xc0000101, 0xc0000102, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
		0x174, 0x175, 0x176,
	};
	static const uint32_t edges[] = {
		0, 0x1fff, 0x2000, 0xbfffffff, 0xc0000000, 0xc0001fff, 0xc0002000, 0xc000ffff,
		0xc0010000, 0xc0011fff, 0xc0012000, 0xffffffff,
	};
	static uint8_t map[2 * 4096 + 64];
	unsigned int i, clear = 0;

	(void)state;
	memset(map, 0x5a, sizeof(map));
	svm_msrpm_fill(map);
	for (i = 0; i < 2 * 4096 * 8; i++)
		clear += !(map[i / 8] >> (i % 8) & 1);
	/* Both bits of those, the read bit of the TSC, and nothing else. */
	assert_int_equal(clear, 2 * sizeof(own) / sizeof(own[0]) + 1);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		assert_false(svm_msrpm_intercepts(map, own[i], false));
		assert_false(svm_msrpm_intercepts(map, own[i], true));
	}
	assert_false(svm_msrpm_intercepts(map, V3_MSR_TSC, false));
	assert_true(svm_msrpm_intercepts(map, V3_MSR_TSC, true));
	assert_true(svm_msrpm_intercepts(map, V3_MSR_EFER, false));
	assert_true(svm_msrpm_intercepts(map, V3_MSR_EFER, true));
	assert_true(svm_msrpm_intercepts(map, V3_MSR_VM_HSAVE_PA, true));
	assert_true(svm_msrpm_intercepts(map, V3_MSR_APIC_BASE, true));
	for (i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		assert_true(svm_msrpm_intercepts(map, edges[i], false));
		assert_true(svm_msrpm_intercepts(map, edges[i], true));
	}
	for (i = 0; i < 64; i++)
		assert_int_equal(map[2 * 4096 + i], 0x5a);
	/* Where the manual puts them (15.11): two bits an MSR, ranges 2 KiB apart. */
	assert_int_equal(map[0x174 / 4] & 3, 0);
	assert_int_equal(map[0x800 + 0x100 / 4] & 0x3f, 0);
	assert_int_equal(map[0x1000], 0xff);
}

static void test_iopm(void **state)
{
	static uint8_t map[3 * 4096 + 64];
	unsigned int i;

	(void)state;
	memset(map, 0x5a, sizeof(map));
	svm_iopm_fill(map);
	/* 64 Ki ports and three bits for accesses that go past the last. */
	for (i = 0; i < 0x10003; i++)
		assert_true(map[i / 8] >> (i % 8) & 1);
	for (i = 0; i < 64; i++)
		assert_int_equal(map[3 * 4096 + i], 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_vmcb),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_exceptions),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_nested_fault),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_msrpm),
		cmocka_unit_test(test_iopm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
