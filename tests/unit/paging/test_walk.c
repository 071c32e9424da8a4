/* SPDX-License-Identifier: BSD-2-Clause */
/* The walker of guest page tables, by cases: modes, rights, error codes, A and D. APM2 5, 8.4.2. */
#include "walk_memory.h"

#define PWU (V3_PTE_P | V3_PTE_W | V3_PTE_U)
#define FINAL 0x123456000ull	/* what leaves map, outside of both blocks */

static struct v3_walk_cpu cpu;
static struct v3_walk_result result;

static enum v3_walk_status walk(v3_gva_t gva, unsigned int access)
{
	return v3_guest_walk(&cpu, &walk_memory, gva, access, &result);
}

static void expect_gpa(v3_gva_t gva, unsigned int access, v3_gpa_t gpa, uint64_t left)
{
	assert_int_equal(walk(gva, access), V3_WALK_OK);
	assert_int_equal(result.gpa, gpa);
	assert_int_equal(result.left, left);
	assert_int_equal(result.error, 0);
}

static void expect_fault(v3_gva_t gva, unsigned int access, uint64_t error)
{
	assert_int_equal(walk(gva, access), V3_WALK_FAULT);
	assert_int_equal(result.error, error);
}

static void cpu_set(uint64_t cr4, uint64_t efer)
{
	cpu = (struct v3_walk_cpu){
		.cr0 = V3_CR0_PE | V3_CR0_PG | V3_CR0_WP, .cr3 = BLOCK_A, .cr4 = cr4, .efer = efer,
		.phys_bits = 48,
	};
}

/* Four levels: PML4 and PD in block A, PDPT and PT in B. One page, at 0. */
static void long_mode(void)
{
	walk_memory_clear();
	cpu_set(V3_CR4_PAE, V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE);
	put64(BLOCK_A, BLOCK_B | PWU);
	put64(BLOCK_B, (BLOCK_A + 0x1000) | PWU);
	put64(BLOCK_A + 0x1000, (BLOCK_B + 0x1000) | PWU);
	put64(BLOCK_B + 0x1000, FINAL | PWU);
}

static const v3_gpa_t chain[4] = { BLOCK_A, BLOCK_B, BLOCK_A + 0x1000, BLOCK_B + 0x1000 };

static void test_no_paging(void **state)
{
	(void)state;
	walk_memory_clear();
	cpu_set(0, 0);
	cpu.cr0 = V3_CR0_PE;
	expect_gpa(0x12345678, V3_WALK_WRITE, 0x12345678, 0x988);
	expect_gpa(0xfffffffff, 0, 0xffffffff, 1);
}

static void test_four_levels(void **state)
{
	(void)state;
	long_mode();
	expect_gpa(0x123, 0, FINAL + 0x123, 0x1000 - 0x123);
	/* Indices of each level, and the sign extension that is not looked at. */
	put64(BLOCK_A + 8 * 0x1ff, BLOCK_B | PWU);
	put64(BLOCK_B + 8 * 0x1fe, (BLOCK_A + 0x1000) | PWU);
	put64(BLOCK_A + 0x1000 + 8 * 3, (BLOCK_B + 0x1000) | PWU);
	put64(BLOCK_B + 0x1000 + 8 * 2, 0xabc000 | PWU);
	expect_gpa(0xffffffff80602010, 0, 0xabc010, 0x1000 - 0x10);
	expect_fault(0xffffffff80603010, 0, 0);
	/* CR3's low bits are PCID or cache control. */
	cpu.cr3 |= 0x18;
	expect_gpa(0x123, 0, FINAL + 0x123, 0x1000 - 0x123);
}

static void test_large_leaves(void **state)
{
	(void)state;
	long_mode();
	put64(BLOCK_A + 0x1000, 0x40200000 | V3_PTE_PAT_LARGE | V3_PTE_PS | PWU);
	expect_gpa(0x12345, 0, 0x40212345, 0x200000 - 0x12345);
	put64(BLOCK_A + 0x1000, 0x40202000 | V3_PTE_PS | PWU);
	expect_fault(0x12345, 0, V3_PFEC_P | V3_PFEC_RSVD);
	put64(BLOCK_B, 0x80000000 | V3_PTE_PS | PWU);
	expect_gpa(0x12345678, 0, 0x92345678, 0x40000000 - 0x12345678);
	put64(BLOCK_B, 0x80200000 | V3_PTE_PS | PWU);
	expect_fault(0, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_RSVD | V3_PFEC_W);
	/* The top level has no leaves. */
	put64(BLOCK_A, BLOCK_B | V3_PTE_PS | PWU);
	expect_fault(0, 0, V3_PFEC_P | V3_PFEC_RSVD);
}

static void test_not_present(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		long_mode();
		put64(chain[i], get64(chain[i]) & ~V3_PTE_P);
		expect_fault(0, 0, 0);
		expect_fault(0, V3_WALK_WRITE, V3_PFEC_W);
		expect_fault(0, V3_WALK_FETCH, V3_PFEC_I);
		cpu.user = true;
		expect_fault(0, V3_WALK_WRITE, V3_PFEC_W | V3_PFEC_U);
		/* Descriptor tables are read with the kernel's rights. */
		expect_fault(0, V3_WALK_SYSTEM, 0);
		/* Reserved bits of entries that are not present do not count. */
		put64(chain[i], 1ull << 51);
		expect_fault(0, 0, V3_PFEC_U);
	}
}

/* Bit 4 of the error code is only defined with NX (which needs PAE) or SMEP. */
static void test_fetch_bit(void **state)
{
	(void)state;
	long_mode();
	put64(chain[3], 0);
	expect_fault(0, V3_WALK_FETCH, V3_PFEC_I);
	cpu.efer &= ~V3_EFER_NXE;
	expect_fault(0, V3_WALK_FETCH, 0);
	cpu.cr4 |= V3_CR4_SMEP;
	expect_fault(0, V3_WALK_FETCH, V3_PFEC_I);
	walk_memory_clear();
	cpu_set(0, V3_EFER_NXE);
	expect_fault(0, V3_WALK_FETCH, 0);
	cpu_set(V3_CR4_SMEP, 0);
	expect_fault(0, V3_WALK_FETCH, V3_PFEC_I);
}

/* A right must be in all entries. */
static void test_rights(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		long_mode();
		put64(chain[i], get64(chain[i]) & ~V3_PTE_W);
		expect_gpa(0, 0, FINAL, 0x1000);
		expect_fault(0, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_W);
		cpu.cr0 &= ~V3_CR0_WP;
		expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
		cpu.user = true;
		expect_fault(0, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_W | V3_PFEC_U);
		expect_gpa(0, 0, FINAL, 0x1000);

		long_mode();
		put64(chain[i], get64(chain[i]) & ~V3_PTE_U);
		expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
		cpu.user = true;
		expect_fault(0, 0, V3_PFEC_P | V3_PFEC_U);
		expect_fault(0, V3_WALK_FETCH, V3_PFEC_P | V3_PFEC_U | V3_PFEC_I);
		expect_gpa(0, V3_WALK_SYSTEM, FINAL, 0x1000);

		long_mode();
		put64(chain[i], get64(chain[i]) | V3_PTE_NX);
		expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
		expect_fault(0, V3_WALK_FETCH, V3_PFEC_P | V3_PFEC_I);
		/* Without NXE the bit is reserved. */
		cpu.efer &= ~V3_EFER_NXE;
		expect_fault(0, 0, V3_PFEC_P | V3_PFEC_RSVD);
	}
}

static void test_smep_and_smap(void **state)
{
	(void)state;
	long_mode();
	cpu.cr4 |= V3_CR4_SMEP;
	expect_fault(0, V3_WALK_FETCH, V3_PFEC_P | V3_PFEC_I);
	expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
	cpu.user = true;
	expect_gpa(0, V3_WALK_FETCH, FINAL, 0x1000);

	long_mode();
	cpu.cr4 |= V3_CR4_SMAP;
	expect_fault(0, 0, V3_PFEC_P);
	expect_fault(0, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_W);
	/* Fetches are SMEP's business. */
	expect_gpa(0, V3_WALK_FETCH, FINAL, 0x1000);
	cpu.rflags = V3_RFLAGS_AC;
	expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
	/* AC does not help implicit accesses; at CPL 3 it means something else. */
	expect_fault(0, V3_WALK_SYSTEM, V3_PFEC_P);
	cpu.user = true;
	expect_fault(0, V3_WALK_SYSTEM, V3_PFEC_P);
	expect_gpa(0, 0, FINAL, 0x1000);
	/* A page of the kernel's. */
	put64(chain[3], FINAL | V3_PTE_P | V3_PTE_W);
	cpu.user = false;
	cpu.rflags = 0;
	expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
}

static void test_reserved_bits(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		long_mode();
		put64(chain[i], get64(chain[i]) | 1ull << 51);
		expect_fault(0, 0, V3_PFEC_P | V3_PFEC_RSVD);
		cpu.user = true;
		expect_fault(0, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_RSVD | V3_PFEC_W | V3_PFEC_U);
		/* With 52 address bits it is one; 62:52 are software's. */
		long_mode();
		put64(chain[3], FINAL | PWU | 1ull << 51 | 0x7ffull << 52);
		cpu.phys_bits = 52;
		expect_gpa(0, 0, FINAL | 1ull << 51, 0x1000);
	}
}

static void test_accessed_and_dirty(void **state)
{
	unsigned int i;

	(void)state;
	long_mode();
	expect_gpa(0, V3_WALK_NO_AD | V3_WALK_WRITE, FINAL, 0x1000);
	for (i = 0; i < 4; i++)
		assert_false(get64(chain[i]) & (V3_PTE_A | V3_PTE_D));
	expect_gpa(0, 0, FINAL, 0x1000);
	for (i = 0; i < 4; i++)
		assert_int_equal(get64(chain[i]) & (V3_PTE_A | V3_PTE_D), V3_PTE_A);
	expect_gpa(0, V3_WALK_WRITE, FINAL, 0x1000);
	assert_int_equal(get64(chain[2]) & V3_PTE_D, 0);
	assert_int_equal(get64(chain[3]), FINAL | PWU | V3_PTE_A | V3_PTE_D);
	/* A fault leaves the leaf alone. */
	long_mode();
	put64(chain[3], FINAL | V3_PTE_P | V3_PTE_U);
	expect_fault(0, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_W);
	assert_int_equal(get64(chain[3]), FINAL | V3_PTE_P | V3_PTE_U);
	/* A large leaf. */
	long_mode();
	put64(chain[2], V3_PTE_PS | PWU);
	expect_gpa(5, V3_WALK_WRITE, 5, 0x200000 - 5);
	assert_int_equal(get64(chain[2]), V3_PTE_PS | PWU | V3_PTE_A | V3_PTE_D);
}

static void test_table_outside(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		long_mode();
		put64(chain[i], 0x7000000 | PWU);
		assert_int_equal(walk(0x4000, 0), V3_WALK_NOT_RAM);
		assert_in_range(result.gpa, 0x7000000, 0x7000ff8);
	}
	long_mode();
	cpu.cr3 = 0x7000000;
	assert_int_equal(walk(0xffffff8000000000, 0), V3_WALK_NOT_RAM);
	assert_int_equal(result.gpa, 0x7000ff8);
	cpu_set(V3_CR4_PAE, 0);
	cpu.cr3 = 0x7000020;
	assert_int_equal(walk(0xc0000000, 0), V3_WALK_NOT_RAM);
	assert_int_equal(result.gpa, 0x7000038);
	cpu_set(0, 0);
	cpu.cr3 = 0x7000000;
	assert_int_equal(walk(0x400000, 0), V3_WALK_NOT_RAM);
	assert_int_equal(result.gpa, 0x7000004);
}

/* --- PAE --- */

static void pae(void)
{
	walk_memory_clear();
	cpu_set(V3_CR4_PAE, V3_EFER_NXE);
	cpu.cr3 = BLOCK_A + 0x20;	/* 32-byte aligned */
	put64(BLOCK_A + 0x38, BLOCK_B | V3_PTE_P);
	put64(BLOCK_B + 8, (BLOCK_A + 0x1000) | PWU);
	put64(BLOCK_A + 0x1000 + 16, FINAL | PWU);
}

#define PAE_GVA 0xc0202000ull

static void test_pae(void **state)
{
	(void)state;
	pae();
	/* The pointer entry has no rights to take away, and no A bit. */
	cpu.user = true;
	expect_gpa(PAE_GVA + 5, V3_WALK_WRITE, FINAL + 5, 0x1000 - 5);
	assert_int_equal(get64(BLOCK_A + 0x38), BLOCK_B | V3_PTE_P);
	assert_int_equal(get64(BLOCK_B + 8) & V3_PTE_A, V3_PTE_A);
	/* Linear addresses have 32 bits. */
	expect_gpa(0xffffffff00000000 | PAE_GVA, 0, FINAL, 0x1000);
	put64(BLOCK_A + 0x38, 0);
	expect_fault(PAE_GVA, 0, V3_PFEC_U);
	pae();
	put64(BLOCK_A + 0x1000 + 16, FINAL | PWU | V3_PTE_NX);
	expect_fault(PAE_GVA, V3_WALK_FETCH, V3_PFEC_P | V3_PFEC_I);
	/* 62:52 are reserved here. */
	put64(BLOCK_A + 0x1000 + 16, FINAL | PWU | 1ull << 52);
	expect_fault(PAE_GVA, 0, V3_PFEC_P | V3_PFEC_RSVD);
	put64(BLOCK_B + 8, 0x40200000 | V3_PTE_PS | PWU);
	expect_gpa(PAE_GVA, 0, 0x40202000, 0x200000 - 0x2000);
	put64(BLOCK_B + 8, 0x40202000 | V3_PTE_PS | PWU);
	expect_fault(PAE_GVA, 0, V3_PFEC_P | V3_PFEC_RSVD);
}

/* --- 32-bit --- */

static void legacy(uint64_t cr4)
{
	walk_memory_clear();
	cpu_set(cr4, 0);
	put32(BLOCK_A + 4 * 0x300, BLOCK_B | PWU);
	put32(BLOCK_B + 4 * 2, 0xfedcb000 | PWU);
}

#define LEGACY_GVA 0xc0002000ull

static void test_legacy(void **state)
{
	(void)state;
	legacy(0);
	expect_gpa(LEGACY_GVA + 0xfff, V3_WALK_WRITE, 0xfedcbfff, 1);
	assert_int_equal(get32(BLOCK_A + 4 * 0x300), BLOCK_B | PWU | V3_PTE_A);
	assert_int_equal(get32(BLOCK_B + 4 * 2), 0xfedcb000 | PWU | V3_PTE_A | V3_PTE_D);
	expect_gpa(0x100000000 | LEGACY_GVA, 0, 0xfedcb000, 0x1000);
	expect_fault(LEGACY_GVA + 0x1000, 0, 0);
	expect_fault(0, V3_WALK_WRITE, V3_PFEC_W);
	cpu.user = true;
	put32(BLOCK_A + 4 * 0x300, BLOCK_B | V3_PTE_P | V3_PTE_U);
	expect_fault(LEGACY_GVA, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_W | V3_PFEC_U);
	put32(BLOCK_A + 4 * 0x300, BLOCK_B | V3_PTE_P | V3_PTE_W);
	expect_fault(LEGACY_GVA, 0, V3_PFEC_P | V3_PFEC_U);
	/* Bit 7 of a PDE means nothing without PSE. */
	put32(BLOCK_A + 4 * 0x300, BLOCK_B | PWU | V3_PTE_PS);
	expect_gpa(LEGACY_GVA, 0, 0xfedcb000, 0x1000);
}

static void test_pse(void **state)
{
	const uint32_t large = V3_PTE_PS | PWU;

	(void)state;
	legacy(V3_CR4_PSE);
	expect_gpa(LEGACY_GVA, 0, 0xfedcb000, 0x1000);
	put32(BLOCK_A + 4 * 0x300, 0x80400000 | large);
	expect_gpa(LEGACY_GVA, V3_WALK_WRITE, 0x80402000, 0x400000 - 0x2000);
	assert_int_equal(get32(BLOCK_A + 4 * 0x300), 0x80400000 | large | V3_PTE_A | V3_PTE_D);
	/* Bits 20:13 are address bits 39:32, bit 12 is PAT, bit 21 is reserved. */
	put32(BLOCK_A + 4 * 0x300, 0x80400000 | 0x5a << 13 | 1 << 12 | large);
	expect_gpa(LEGACY_GVA, 0, 0x5a80402000, 0x400000 - 0x2000);
	put32(BLOCK_A + 4 * 0x300, 0x80400000 | 1 << 21 | large);
	expect_fault(LEGACY_GVA, 0, V3_PFEC_P | V3_PFEC_RSVD);
	put32(BLOCK_A + 4 * 0x300, 0x80400000 | (large & ~V3_PTE_W));
	expect_fault(LEGACY_GVA, V3_WALK_WRITE, V3_PFEC_P | V3_PFEC_W);
	assert_int_equal(get32(BLOCK_A + 4 * 0x300), 0x80400000 | (large & ~V3_PTE_W));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging),
		cmocka_unit_test(test_four_levels),
		cmocka_unit_test(test_large_leaves),
		cmocka_unit_test(test_not_present),
		cmocka_unit_test(test_fetch_bit),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_smep_and_smap),
		cmocka_unit_test(test_reserved_bits),
		cmocka_unit_test(test_accessed_and_dirty),
		cmocka_unit_test(test_table_outside),
		cmocka_unit_test(test_pae),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_pse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
