/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rangemap.h"

#define MAX64 UINT64_MAX

static enum v3_status insert(struct v3_rangemap *map, uint64_t start, uint64_t size)
{
	struct v3_range range = { .start = start, .size = size, .value = start + 1 };

	return v3_rangemap_insert(map, &range);
}

static void test_insert(void **state)
{
	struct v3_range storage[4];
	struct v3_rangemap map;

	v3_rangemap_init(&map, storage, 4);
	assert_null(v3_rangemap_find(&map, 0));
	assert_int_equal(insert(&map, 0x100, 0), V3_ERR_INVALID);
	assert_int_equal(insert(&map, MAX64, 2), V3_ERR_INVALID);
	assert_int_equal(insert(&map, 0x100, 0x100), V3_OK);
	assert_int_equal(insert(&map, 0x000, 0x100), V3_OK);
	assert_int_equal(insert(&map, MAX64, 1), V3_OK);

	assert_int_equal(insert(&map, 0x1ff, 1), V3_ERR_EXIST);
	assert_int_equal(insert(&map, 0x1ff, 0x1000), V3_ERR_EXIST);
	assert_int_equal(insert(&map, 0x300, MAX64 - 0x300 + 1), V3_ERR_EXIST);
	assert_int_equal(insert(&map, 0, MAX64), V3_ERR_EXIST);
	assert_int_equal(insert(&map, 0x200, 0x10), V3_OK);
	assert_int_equal(insert(&map, 0x1000, 1), V3_ERR_NOMEM);

	assert_int_equal(map.count, 4);
	for (unsigned int i = 1; i < map.count; i++)
		assert_true(storage[i - 1].start < storage[i].start);
}

static void test_find(void **state)
{
	struct v3_range storage[4];
	struct v3_rangemap map;

	v3_rangemap_init(&map, storage, 4);
	assert_int_equal(insert(&map, 0x100, 0x100), V3_OK);
	assert_int_equal(insert(&map, 0x300, 0x100), V3_OK);
	assert_int_equal(insert(&map, MAX64 - 1, 2), V3_OK);

	assert_null(v3_rangemap_find(&map, 0xff));
	assert_int_equal(v3_rangemap_find(&map, 0x100)->value, 0x101);
	assert_int_equal(v3_rangemap_find(&map, 0x1ff)->value, 0x101);
	assert_null(v3_rangemap_find(&map, 0x200));
	assert_non_null(v3_rangemap_find(&map, MAX64));

	assert_non_null(v3_rangemap_find_all(&map, 0x1f8, 8));
	assert_null(v3_rangemap_find_all(&map, 0x1f9, 8));
	assert_null(v3_rangemap_find_all(&map, 0x150, MAX64));
	assert_non_null(v3_rangemap_find_all(&map, MAX64 - 1, 2));
	assert_null(v3_rangemap_find_all(&map, MAX64, 2));

	assert_int_equal(v3_rangemap_overlap(&map, 0, MAX64)->start, 0x100);
	assert_int_equal(v3_rangemap_overlap(&map, 0x200, 0x101)->start, 0x300);
	assert_null(v3_rangemap_overlap(&map, 0x200, 0x100));
	assert_null(v3_rangemap_overlap(&map, 0x200, 0));

	assert_int_equal(v3_rangemap_index(&map, 0), 0);
	assert_int_equal(v3_rangemap_index(&map, 0x200), 1);
	assert_int_equal(v3_rangemap_index(&map, 0x400), 2);
}

static void test_remove(void **state)
{
	struct v3_range storage[3];
	struct v3_rangemap map;

	v3_rangemap_init(&map, storage, 3);
	assert_int_equal(insert(&map, 0x100, 0x100), V3_OK);
	assert_int_equal(insert(&map, 0x200, 0x100), V3_OK);
	assert_int_equal(insert(&map, 0x300, 0x100), V3_OK);
	assert_int_equal(v3_rangemap_remove(&map, 0x201), V3_ERR_NOENT);
	assert_int_equal(v3_rangemap_remove(&map, 0x400), V3_ERR_NOENT);
	assert_int_equal(v3_rangemap_remove(&map, 0x200), V3_OK);
	assert_null(v3_rangemap_find(&map, 0x250));
	assert_non_null(v3_rangemap_find(&map, 0x350));
	assert_int_equal(insert(&map, 0x200, 0x100), V3_OK);
	assert_int_equal(map.count, 3);
}

/* Against a table of one byte per address. */
static void test_random(void **state)
{
	struct v3_range storage[24];
	struct v3_rangemap map;
	uint64_t owner[256] = { 0 };
	uint32_t seed = 1;

	v3_rangemap_init(&map, storage, 24);
	for (int round = 0; round < 20000; round++) {
		unsigned int start, size, a, free_bytes = 0;

		seed = seed * 1664525 + 1013904223;
		start = (seed >> 8) % 256;
		size = 1 + (seed >> 20) % 12;
		if (start + size > 256)
			size = 256 - start;
		for (a = start; a < start + size; a++)
			free_bytes += owner[a] == 0;
		if (seed >> 31) {
			enum v3_status status = insert(&map, start, size);

			assert_int_equal(status == V3_ERR_EXIST, free_bytes < size);
			for (a = start; status == V3_OK && a < start + size; a++)
				owner[a] = start + 1;
		} else if (v3_rangemap_remove(&map, start) == V3_OK) {
			assert_int_equal(owner[start], start + 1);
			for (a = 0; a < 256; a++)
				owner[a] = owner[a] == start + 1 ? 0 : owner[a];
		}
		a = (seed >> 3) % 256;
		assert_int_equal(v3_rangemap_find(&map, a) ? v3_rangemap_find(&map, a)->value : 0,
				 owner[a]);
	}
	assert_true(map.count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
