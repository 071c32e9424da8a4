/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mapper of nested tables, with AMD's format and with Intel's: leaf sizes, splitting,
 * accounting, failing allocations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "paging/ept.h"
#include "paging/nested.h"
#include "x86/msr.h"
#include "x86/pte.h"

#define K4 V3_PAGE_SIZE_4K
#define M2 V3_PAGE_SIZE_2M
#define G1 V3_PAGE_SIZE_1G
#define FRAME (1ull << 32)	/* "physical" address of the first table page */
#define MAX_TABLES 4096

/* Table pages; those that are free are poisoned. */
struct pool {
	uint64_t *pages[MAX_TABLES];
	unsigned int used, calls, fail_at;
};

static enum v3_status pool_alloc(void *ctx, v3_hpa_t *hpa)
{
	struct pool *pool = ctx;
	unsigned int i;

	if (++pool->calls == pool->fail_at)
		return V3_ERR_NOMEM;
	for (i = 0; pool->pages[i]; i++)
		assert_true(i < MAX_TABLES - 1);
	pool->pages[i] = calloc(1, V3_PAGE_SIZE);
	assert_non_null(pool->pages[i]);
	pool->used++;
	*hpa = FRAME + i * V3_PAGE_SIZE;
	return V3_OK;
}

static unsigned int pool_index(const struct pool *pool, v3_hpa_t hpa)
{
	uint64_t index = (hpa - FRAME) / V3_PAGE_SIZE;

	assert_true(hpa >= FRAME && hpa % V3_PAGE_SIZE == 0 && index < MAX_TABLES);
	assert_non_null(pool->pages[index]);
	return (unsigned int)index;
}

static void pool_free(void *ctx, v3_hpa_t hpa)
{
	struct pool *pool = ctx;
	unsigned int i = pool_index(pool, hpa);

	free(pool->pages[i]);
	pool->pages[i] = NULL;
	pool->used--;
}

static void *pool_virt(void *ctx, v3_hpa_t hpa)
{
	struct pool *pool = ctx;

	return pool->pages[pool_index(pool, hpa)];
}

static struct pool pool;

/* What a test runs with, as its state; by largest leaf. */
struct formats {
	const struct v3_nested_format *g1, *m2;
};

static const struct v3_nested_format *format_1g(void **state)
{
	const struct formats *formats = *state;

	return formats->g1;
}

static void begin(struct v3_nested *nested, const struct v3_nested_format *format)
{
	const struct v3_nested_mem mem = { pool_alloc, pool_free, pool_virt, &pool };

	memset(&pool, 0, sizeof(pool));
	assert_int_equal(v3_nested_init(nested, format, &mem), V3_OK);
	assert_int_equal(nested->table_pages, 1);
}

static void finish(struct v3_nested *nested)
{
	assert_int_equal(nested->table_pages, pool.used);
	v3_nested_destroy(nested);
	assert_int_equal(pool.used, 0);
	assert_int_equal(nested->table_pages, 0);
	assert_int_equal(nested->leaf_bytes[1] | nested->leaf_bytes[2] | nested->leaf_bytes[3], 0);
	v3_nested_destroy(nested);	/* twice is harmless */
}

static void expect(const struct v3_nested *nested, v3_gpa_t gpa, v3_hpa_t hpa, unsigned int level,
		   unsigned int access)
{
	struct v3_nested_leaf leaf;

	assert_true(v3_nested_lookup(nested, gpa, &leaf));
	assert_int_equal(leaf.hpa, hpa);
	assert_int_equal(leaf.level, level);
	assert_int_equal(leaf.access, access);
}

static void expect_none(const struct v3_nested *nested, v3_gpa_t gpa)
{
	struct v3_nested_leaf leaf;

	assert_false(v3_nested_lookup(nested, gpa, &leaf));
}

static void expect_bytes(const struct v3_nested *nested, uint64_t pages_4k, uint64_t pages_2m,
			 uint64_t pages_1g, uint64_t tables)
{
	assert_int_equal(nested->leaf_bytes[1], pages_4k * K4);
	assert_int_equal(nested->leaf_bytes[2], pages_2m * M2);
	assert_int_equal(nested->leaf_bytes[3], pages_1g * G1);
	assert_int_equal(nested->table_pages, tables);
}

static void test_leaf_sizes(void **state)
{
	struct v3_nested nested;

	begin(&nested, format_1g(state));
	/* All aligned: the largest leaf. */
	assert_int_equal(v3_nested_map(&nested, 0, 8 * G1, 2 * G1, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 0, 0, 2, 2);
	expect(&nested, G1 + 0x12345, 9 * G1 + 0x12345, 3, V3_NPT_RWX);
	/* The host address is only 2 MiB aligned. */
	assert_int_equal(v3_nested_map(&nested, 4 * G1, M2, G1, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 0, 512, 2, 3);
	expect(&nested, 4 * G1 + M2 + 5, 2 * M2 + 5, 2, V3_NPT_RWX);
	/* ... only 4 KiB aligned. */
	assert_int_equal(v3_nested_map(&nested, 6 * G1, K4, M2, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 512, 512, 2, 5);
	expect(&nested, 6 * G1 + M2 - 1, M2 + K4 - 1, 1, V3_NPT_RWX);
	/* A range that begins and ends unaligned: small leaves at the edges. */
	assert_int_equal(v3_nested_map(&nested, 8 * G1 + M2 - K4, 3 * G1 - K4, 2 * M2 + 2 * K4,
				       V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 514, 514, 2, 8);
	expect_none(&nested, 8 * G1 + M2 - K4 - 1);
	expect(&nested, 8 * G1 + M2 - K4, 3 * G1 - K4, 1, V3_NPT_RWX);
	expect(&nested, 8 * G1 + M2, 3 * G1, 2, V3_NPT_RWX);
	expect(&nested, 8 * G1 + 3 * M2, 3 * G1 + 2 * M2, 1, V3_NPT_RWX);
	expect_none(&nested, 8 * G1 + 3 * M2 + K4);
	finish(&nested);
}

static void test_format_without_1g(void **state)
{
	struct v3_nested nested;

	begin(&nested, ((const struct formats *)*state)->m2);
	assert_int_equal(v3_nested_map(&nested, 0, 0, G1, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 0, 512, 0, 3);
	expect(&nested, G1 - 1, G1 - 1, 2, V3_NPT_RWX);
	assert_int_equal(v3_nested_unmap(&nested, 0, G1), V3_OK);
	expect_bytes(&nested, 0, 0, 0, 3);
	finish(&nested);
}

/* What a PC's first megabyte does to a large leaf. */
static void test_split(void **state)
{
	struct v3_nested nested;

	begin(&nested, format_1g(state));
	assert_int_equal(v3_nested_map(&nested, 0, G1, G1, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 0, 0, 1, 2);
	assert_int_equal(v3_nested_unmap(&nested, 0xa0000, 0x20000), V3_OK);
	expect_bytes(&nested, 512 - 32, 511, 0, 4);
	expect(&nested, 0x9ffff, G1 + 0x9ffff, 1, V3_NPT_RWX);
	expect_none(&nested, 0xa0000);
	expect_none(&nested, 0xbffff);
	expect(&nested, M2, G1 + M2, 2, V3_NPT_RWX);
	/* Read-only over it. */
	assert_int_equal(v3_nested_map(&nested, 0xc0000, G1 + 0xc0000, 0x40000,
				       V3_NPT_R | V3_NPT_X), V3_OK);
	expect_bytes(&nested, 512 - 32, 511, 0, 4);
	expect(&nested, 0xc0000, G1 + 0xc0000, 1, V3_NPT_R | V3_NPT_X);
	expect(&nested, 0xfffff, G1 + 0xfffff, 1, V3_NPT_R | V3_NPT_X);
	expect(&nested, 0x100000, G1 + 0x100000, 1, V3_NPT_RWX);
	/* A large leaf over all that gives the tables back. */
	assert_int_equal(v3_nested_map(&nested, 0, 2 * G1, G1, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 0, 0, 1, 2);
	expect(&nested, 0xa0000, 2 * G1 + 0xa0000, 3, V3_NPT_RWX);
	finish(&nested);
}

/* A split keeps access and memory type. */
static void test_access(void **state)
{
	static const unsigned int access[] = {
		V3_NPT_R, V3_NPT_R | V3_NPT_W, V3_NPT_R | V3_NPT_X, V3_NPT_RWX,
		V3_NPT_R | V3_NPT_UC, V3_NPT_R | V3_NPT_W | V3_NPT_UC, V3_NPT_RWX | V3_NPT_UC,
	};
	struct v3_nested nested;
	unsigned int i;

	for (i = 0; i < sizeof(access) / sizeof(access[0]); i++) {
		begin(&nested, format_1g(state));
		assert_int_equal(v3_nested_map(&nested, 0, 0, G1, access[i]), V3_OK);
		expect(&nested, 5 * M2, 5 * M2, 3, access[i]);
		assert_int_equal(v3_nested_unmap(&nested, 0, K4), V3_OK);
		expect(&nested, 5 * M2, 5 * M2, 2, access[i]);
		expect(&nested, 5 * K4, 5 * K4, 1, access[i]);
		finish(&nested);
	}
}

/* Bits of the entries themselves, as hardware reads them (APM2 15.25.5). */
static void test_npt_entries(void **state)
{
	struct v3_nested nested;
	uint64_t *table;

	(void)state;
	begin(&nested, &v3_npt_format_1g);
	assert_int_equal(v3_nested_map(&nested, 1ull << 39, 3 * G1, G1, V3_NPT_RWX), V3_OK);
	assert_int_equal(v3_nested_map(&nested, (1ull << 39) + G1, K4, K4,
				       V3_NPT_R | V3_NPT_UC), V3_OK);
	table = pool_virt(&pool, nested.root);
	assert_int_equal(table[0], 0);
	assert_int_equal(table[1] & ~V3_PTE_ADDR_MASK, V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_A);
	table = pool_virt(&pool, table[1] & V3_PTE_ADDR_MASK);
	assert_int_equal(table[0], 3 * G1 | V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_PS);
	table = pool_virt(&pool, table[1] & V3_PTE_ADDR_MASK);
	table = pool_virt(&pool, table[0] & V3_PTE_ADDR_MASK);
	assert_int_equal(table[0], K4 | V3_PTE_P | V3_PTE_U | V3_PTE_PCD | V3_PTE_PWT | V3_PTE_NX);
	finish(&nested);
}

/* The same for Intel's (SDM vol. 3 29.3.2). */
static void test_ept_entries(void **state)
{
	const uint64_t wb = (uint64_t)V3_MEMTYPE_WB << V3_EPT_MEMTYPE_SHIFT;
	struct v3_nested nested;
	uint64_t *table;

	begin(&nested, format_1g(state));
	assert_int_equal(v3_nested_map(&nested, 1ull << 39, 3 * G1, G1, V3_NPT_RWX), V3_OK);
	assert_int_equal(v3_nested_map(&nested, (1ull << 39) + G1, K4, K4,
				       V3_NPT_R | V3_NPT_UC), V3_OK);
	assert_int_equal(v3_nested_map(&nested, (1ull << 39) + G1 + M2, 5 * M2, M2,
				       V3_NPT_R | V3_NPT_X), V3_OK);
	table = pool_virt(&pool, nested.root);
	assert_int_equal(table[0], 0);
	/* Reserved in entries for tables: bits 7:3. */
	assert_int_equal(table[1] & ~V3_PTE_ADDR_MASK, 0x107);
	table = pool_virt(&pool, table[1] & V3_PTE_ADDR_MASK);
	assert_int_equal(table[0], 3 * G1 | wb | V3_EPT_LEAF | 0x7);
	assert_int_equal(table[1] & ~V3_PTE_ADDR_MASK, 0x107);
	table = pool_virt(&pool, table[1] & V3_PTE_ADDR_MASK);
	/* Code that cannot be written: ROM. */
	assert_int_equal(table[1], 5 * M2 | wb | V3_EPT_LEAF | 0x5);
	table = pool_virt(&pool, table[0] & V3_PTE_ADDR_MASK);
	/*
	 * Device memory: uncached, neither written nor executed; bit 7 is ignored in a 4 KiB leaf.
	 */
	assert_int_equal(table[0], K4 | 0x1);
	finish(&nested);
}

/* RAM without the guest's PAT; device memory still with it. A split keeps both. */
static void test_ept_ignore_pat(void **state)
{
	const uint64_t wb = (uint64_t)V3_MEMTYPE_WB << V3_EPT_MEMTYPE_SHIFT;
	struct v3_nested nested;
	uint64_t *table;

	begin(&nested, format_1g(state));
	assert_int_equal(v3_nested_map(&nested, 0, 0, G1, V3_NPT_RWX), V3_OK);
	assert_int_equal(v3_nested_map(&nested, K4, G1, K4, V3_NPT_R | V3_NPT_W | V3_NPT_UC),
			 V3_OK);
	table = pool_virt(&pool, nested.root);
	table = pool_virt(&pool, table[0] & V3_PTE_ADDR_MASK);
	table = pool_virt(&pool, table[0] & V3_PTE_ADDR_MASK);
	assert_int_equal(table[1], M2 | wb | V3_EPT_IGNORE_PAT | V3_EPT_LEAF | 0x7);
	table = pool_virt(&pool, table[0] & V3_PTE_ADDR_MASK);
	assert_int_equal(table[0], wb | V3_EPT_IGNORE_PAT | 0x7);
	assert_int_equal(table[1], G1 | 0x3);
	finish(&nested);
}

/* A CPU that has no large leaves at all. */
static void test_ept_4k(void **state)
{
	struct v3_nested nested;

	(void)state;
	begin(&nested, v3_ept_format(V3_EPT_CAP_WALK_4, false));
	assert_int_equal(v3_nested_map(&nested, 0, 2 * M2, 2 * M2, V3_NPT_RWX), V3_OK);
	expect_bytes(&nested, 1024, 0, 0, 5);
	expect(&nested, M2 + K4 + 1, 3 * M2 + K4 + 1, 1, V3_NPT_RWX);
	assert_int_equal(v3_nested_unmap(&nested, M2, M2), V3_OK);
	expect_bytes(&nested, 512, 0, 0, 5);
	expect_none(&nested, M2);
	finish(&nested);
}

/* --- Accessed and dirty --- */

#define A V3_NPT_ACCESSED
#define D V3_NPT_DIRTY

/* The entry that maps gpa in the tables at root. */
static uint64_t *entry_at(const struct v3_nested *nested, v3_hpa_t root, v3_gpa_t gpa)
{
	unsigned int level = 4;
	uint64_t *entry = &((uint64_t *)pool_virt(&pool, root))[V3_PT_INDEX(gpa, level)];

	while (level > 1 && !nested->format->is_leaf(*entry, level)) {
		level--;
		entry = pool_virt(&pool, *entry & V3_PTE_ADDR_MASK);
		entry += V3_PT_INDEX(gpa, level);
	}
	return entry;
}

/* As the CPU does when it walks. */
static void used(uint64_t *entry, const struct v3_nested_format *format, unsigned int flags)
{
	*entry |= format->leaf(1, V3_NPT_R | flags) & ~format->leaf(1, V3_NPT_R);
}

static void test_flags(void **state)
{
	const struct v3_nested_format *format = format_1g(state);
	struct v3_nested nested;

	begin(&nested, format);
	assert_int_equal(v3_nested_map(&nested, 0, G1, 2 * G1, V3_NPT_RWX), V3_OK);
	used(entry_at(&nested, nested.root, 0), format, A | D);
	used(entry_at(&nested, nested.root, G1), format, A);
	expect(&nested, 5, G1 + 5, 3, V3_NPT_RWX | A | D);
	expect(&nested, G1 + 5, 2 * G1 + 5, 3, V3_NPT_RWX | A);
	/* Parts of what was written to may have been; of what was not, none was. */
	assert_int_equal(v3_nested_unmap(&nested, K4, K4), V3_OK);
	assert_int_equal(v3_nested_unmap(&nested, G1 + K4, K4), V3_OK);
	expect(&nested, 0, G1, 1, V3_NPT_RWX | A | D);
	expect(&nested, M2, G1 + M2, 2, V3_NPT_RWX | A | D);
	expect(&nested, G1, 2 * G1, 1, V3_NPT_RWX | A);
	expect(&nested, G1 + M2, 2 * G1 + M2, 2, V3_NPT_RWX | A);
	used(entry_at(&nested, nested.root, G1 + M2), format, D);
	expect(&nested, G1 + M2, 2 * G1 + M2, 2, V3_NPT_RWX | A | D);
	expect(&nested, G1 + 2 * M2, 2 * G1 + 2 * M2, 2, V3_NPT_RWX | A);
	/* What is mapped anew has not been used. */
	assert_int_equal(v3_nested_map(&nested, 0, G1, G1, V3_NPT_RWX), V3_OK);
	expect(&nested, 5, G1 + 5, 3, V3_NPT_RWX);
	/* Whether the CPU says so at all is the owner's to know. */
	nested.tracked = V3_NPT_TRACKED;
	expect(&nested, 5, G1 + 5, 3, V3_NPT_RWX | V3_NPT_TRACKED);
	expect(&nested, G1, 2 * G1, 1, V3_NPT_RWX | A | V3_NPT_TRACKED);
	finish(&nested);
}

/* CPUs that walk a copy of the table of level 3 use leaves that are there. */
static void test_twin(void **state)
{
	const struct v3_nested_format *format = format_1g(state);
	const uint64_t high = 1ull << 39;
	struct v3_nested nested;
	uint64_t *table, *copy, *root;
	v3_hpa_t twin;

	begin(&nested, format);
	assert_int_equal(v3_nested_map(&nested, 0, 8 * G1, 4 * G1, V3_NPT_RWX), V3_OK);
	assert_int_equal(v3_nested_map(&nested, high, 16 * G1, G1, V3_NPT_RWX), V3_OK);
	assert_int_equal(pool_alloc(&pool, &twin), V3_OK);
	root = pool_virt(&pool, nested.root);
	table = pool_virt(&pool, root[0] & V3_PTE_ADDR_MASK);
	copy = pool_virt(&pool, twin);
	memcpy(copy, table, V3_PAGE_SIZE);
	nested.twin = twin;
	/* By the one, by the other, by both. */
	used(&table[0], format, A);
	used(&copy[0], format, A | D);
	used(&copy[1], format, A);
	used(&table[2], format, A | D);
	expect(&nested, 0, 8 * G1, 3, V3_NPT_RWX | A | D);
	expect(&nested, G1, 9 * G1, 3, V3_NPT_RWX | A);
	expect(&nested, 2 * G1, 10 * G1, 3, V3_NPT_RWX | A | D);
	expect(&nested, 3 * G1, 11 * G1, 3, V3_NPT_RWX);
	/* Beyond its 512 GiB it has nothing to say. */
	expect(&nested, high, 16 * G1, 3, V3_NPT_RWX);
	/* A split is seen by both, and they share what comes of it. */
	assert_int_equal(v3_nested_unmap(&nested, 0xa0000, K4), V3_OK);
	assert_false(format->is_leaf(table[0], 3));
	assert_int_equal(copy[0], table[0]);
	expect(&nested, M2, 8 * G1 + M2, 2, V3_NPT_RWX | A | D);
	expect(&nested, 0, 8 * G1, 1, V3_NPT_RWX | A | D);
	expect_none(&nested, 0xa0000);
	assert_true(format->is_leaf(copy[1], 3));
	assert_int_equal(v3_nested_unmap(&nested, high, K4), V3_OK);
	assert_int_equal(copy[0], table[0]);
	nested.twin = V3_HPA_NONE;
	expect(&nested, G1, 9 * G1, 3, V3_NPT_RWX);
	pool_free(&pool, twin);
	finish(&nested);
}

static void test_bad_arguments(void **state)
{
	const uint64_t top = 1ull << 48;
	struct v3_nested nested;
	struct v3_nested_leaf leaf;

	begin(&nested, format_1g(state));
	assert_int_equal(v3_nested_map(&nested, 1, 0, K4, V3_NPT_RWX), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, 0, 1, K4, V3_NPT_RWX), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, 0, 0, K4 + 1, V3_NPT_RWX), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, 0, 0, K4, 0), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, 0, 0, K4, V3_NPT_W), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, top, 0, K4, V3_NPT_RWX), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, top - K4, 0, 2 * K4, V3_NPT_RWX), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, 0, 1ull << 52, K4, V3_NPT_RWX), V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, 0, (1ull << 52) - K4, 2 * K4, V3_NPT_RWX),
			 V3_ERR_INVALID);
	assert_int_equal(v3_nested_map(&nested, K4, 0, ~0ull - K4 + 1, V3_NPT_RWX),
			 V3_ERR_INVALID);
	assert_int_equal(v3_nested_unmap(&nested, 1, K4), V3_ERR_INVALID);
	assert_int_equal(v3_nested_unmap(&nested, top - K4, 2 * K4), V3_ERR_INVALID);
	expect_bytes(&nested, 0, 0, 0, 1);
	/* The very last page, and nothing at all. */
	assert_int_equal(v3_nested_map(&nested, top - K4, (1ull << 52) - K4, K4, V3_NPT_R), V3_OK);
	expect(&nested, top - 1, (1ull << 52) - 1, 1, V3_NPT_R);
	assert_int_equal(v3_nested_map(&nested, 0, 0, 0, V3_NPT_RWX), V3_OK);
	assert_false(v3_nested_lookup(&nested, top, &leaf));
	assert_false(v3_nested_lookup(&nested, ~0ull, &leaf));
	/* Unmapping what is not mapped needs no tables, however much it is. */
	assert_int_equal(v3_nested_unmap(&nested, 0, top - K4), V3_OK);
	expect_bytes(&nested, 1, 0, 0, 4);
	assert_int_equal(v3_nested_unmap(&nested, 0, top), V3_OK);
	assert_int_equal(nested.leaf_bytes[1], 0);
	finish(&nested);
}

/* Each allocation fails once: nothing leaks, the count stays right, and it works the next time. */
static void test_failing_allocations(void **state)
{
	struct v3_nested nested;
	const struct v3_nested_mem mem = { pool_alloc, pool_free, pool_virt, &pool };
	enum v3_status status = V3_ERR_NOMEM;
	unsigned int n;

	for (n = 1; status != V3_OK; n++) {
		assert_true(n < 20);
		memset(&pool, 0, sizeof(pool));
		pool.fail_at = n;
		status = v3_nested_init(&nested, format_1g(state), &mem);
		if (status == V3_OK)
			status = v3_nested_map(&nested, 0, G1, G1, V3_NPT_RWX);
		if (status == V3_OK)
			status = v3_nested_unmap(&nested, 0xa0000, 0x20000);
		if (status == V3_OK)
			status = v3_nested_map(&nested, 5 * G1 - K4, K4, 3 * K4, V3_NPT_R);
		if (status != V3_OK && nested.root != V3_HPA_NONE) {
			assert_int_equal(v3_nested_map(&nested, 0, G1, 2 * G1, V3_NPT_RWX), V3_OK);
			expect(&nested, G1 + 1, 2 * G1 + 1, 3, V3_NPT_RWX);
		}
		assert_int_equal(nested.table_pages, pool.used);
		v3_nested_destroy(&nested);
		assert_int_equal(pool.used, 0);
	}
	assert_int_equal(n, 10);	/* root, PDPT; PD, PT; twice PD, PT; then none fails */
}

/* --- Against an array of pages --- */

#define MODEL_PAGES (4u * 512)	/* 8 MiB from MODEL_GPA on */
#define MODEL_GPA (G1 - 2 * M2)	/* across a 1 GiB boundary */

static uint64_t random_state = 1;

static uint64_t rnd(uint64_t below)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % below;
}

static void compare(const struct v3_nested *nested, const uint64_t *model)
{
	uint64_t mapped = 0;
	unsigned int i;

	for (i = 0; i < MODEL_PAGES; i++) {
		struct v3_nested_leaf leaf;
		bool there = v3_nested_lookup(nested, MODEL_GPA + i * K4 + 8, &leaf);

		assert_int_equal(there, model[i] != 0);
		if (!there)
			continue;
		assert_int_equal(leaf.hpa, (model[i] & ~(K4 - 1)) + 8);
		assert_int_equal(leaf.access, model[i] & (K4 - 1));
		mapped += K4;
	}
	assert_int_equal(nested->leaf_bytes[1] + nested->leaf_bytes[2] + nested->leaf_bytes[3],
			 mapped);
	assert_int_equal(nested->table_pages, pool.used);
}

static void test_random(void **state)
{
	static uint64_t model[MODEL_PAGES];
	struct v3_nested nested;
	unsigned int step, i;

	begin(&nested, format_1g(state));
	memset(model, 0, sizeof(model));
	for (step = 0; step < 2000; step++) {
		unsigned int align = rnd(3) ? 1 : 512, first, count;
		unsigned int access = V3_NPT_R | (unsigned int)rnd(8) << 1;
		uint64_t hpa = (1 + rnd(1000)) * (rnd(2) ? M2 : K4);
		bool map = rnd(3);

		first = (unsigned int)rnd(MODEL_PAGES) / align * align;
		count = (1 + (unsigned int)rnd(MODEL_PAGES - first)) / align * align;
		access &= V3_NPT_RWX | V3_NPT_UC;
		if (map)
			assert_int_equal(v3_nested_map(&nested, MODEL_GPA + first * K4, hpa,
						       count * K4, access), V3_OK);
		else
			assert_int_equal(v3_nested_unmap(&nested, MODEL_GPA + first * K4,
							 count * K4), V3_OK);
		for (i = first; i < first + count; i++)
			model[i] = map ? (hpa + (i - first) * K4) | access : 0;
		compare(&nested, model);
	}
	finish(&nested);
}

#define WITH(formats, test) { #test " " #formats, test, NULL, NULL, &(formats) }
#define ALL(test) WITH(npt, test), WITH(ept, test), WITH(ept_ignore_pat, test)

int main(void)
{
	const uint64_t m2 = V3_EPT_CAP_WALK_4 | V3_EPT_CAP_2M, g1 = m2 | V3_EPT_CAP_1G;
	struct formats npt = { &v3_npt_format_1g, &v3_npt_format_2m };
	struct formats ept = { v3_ept_format(g1, false), v3_ept_format(m2, false) };
	struct formats ept_ignore_pat = { v3_ept_format(g1, true), v3_ept_format(m2, true) };
	const struct CMUnitTest tests[] = {
		ALL(test_leaf_sizes),
		ALL(test_format_without_1g),
		ALL(test_split),
		ALL(test_access),
		cmocka_unit_test(test_npt_entries),
		ALL(test_flags),
		ALL(test_twin),
		WITH(ept, test_ept_entries),
		WITH(ept_ignore_pat, test_ept_ignore_pat),
		cmocka_unit_test(test_ept_4k),
		ALL(test_bad_arguments),
		ALL(test_failing_allocations),
		ALL(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
