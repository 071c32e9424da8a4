/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists, bitmaps, the byte ring. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "lib/list.h"
#include "lib/ring.h"

struct item {
	int number;
	struct v3_list link;
};

static int number_of(struct v3_list *link)
{
	return V3_LIST_ENTRY(link, struct item, link)->number;
}

static void test_list(void **state)
{
	struct item items[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct v3_list head, *pos, *scratch;
	int expected = 0;

	v3_list_init(&head);
	assert_true(v3_list_empty(&head));
	assert_null(v3_list_pop(&head));
	v3_list_add_tail(&head, &items[1].link);
	v3_list_add_tail(&head, &items[2].link);
	v3_list_add_head(&head, &items[0].link);
	v3_list_add_tail(&head, &items[3].link);
	v3_list_for_each(pos, &head)
		assert_int_equal(number_of(pos), expected++);
	assert_int_equal(expected, 4);

	v3_list_for_each_safe(pos, scratch, &head)
		if (number_of(pos) & 1)
			v3_list_remove(pos);
	v3_list_remove(&items[1].link);
	assert_int_equal(number_of(v3_list_pop(&head)), 0);
	assert_int_equal(number_of(v3_list_pop(&head)), 2);
	assert_true(v3_list_empty(&head));
}

static void test_bitmap(void **state)
{
	uint64_t map[V3_BITMAP_WORDS(130)];

	assert_int_equal(sizeof(map), 24);
	memset(map, 0xff, sizeof(map));
	v3_bitmap_zero(map, 130);
	assert_int_equal(v3_bitmap_count(map, 130), 0);
	assert_int_equal(v3_bitmap_next_set(map, 130, 0), 130);
	assert_int_equal(v3_bitmap_next_clear(map, 130, 129), 129);
	assert_int_equal(v3_bitmap_last_set(map, 130), -1);

	v3_bitmap_set(map, 0);
	v3_bitmap_set(map, 64);
	v3_bitmap_set(map, 129);
	assert_true(v3_bitmap_test(map, 64));
	assert_false(v3_bitmap_test(map, 63));
	assert_int_equal(v3_bitmap_next_set(map, 130, 0), 0);
	assert_int_equal(v3_bitmap_next_set(map, 130, 1), 64);
	assert_int_equal(v3_bitmap_next_set(map, 130, 65), 129);
	assert_int_equal(v3_bitmap_last_set(map, 130), 129);
	assert_int_equal(v3_bitmap_next_clear(map, 130, 0), 1);
	assert_int_equal(v3_bitmap_count(map, 130), 3);
	v3_bitmap_clear(map, 129);
	assert_int_equal(v3_bitmap_next_set(map, 130, 65), 130);

	for (unsigned int i = 0; i < 130; i++)
		v3_bitmap_set(map, i);
	/* The clear bits past the end are not there. */
	assert_int_equal(v3_bitmap_next_clear(map, 130, 0), 130);
}

static void test_ring(void **state)
{
	uint8_t buf[8], out[16];
	struct v3_ring ring;

	assert_false(v3_ring_init(&ring, buf, 6));
	assert_false(v3_ring_init(&ring, buf, 0));
	assert_true(v3_ring_init(&ring, buf, sizeof(buf)));
	/* Positions that wrap at 2^32 */
	ring.head = ring.tail = UINT32_MAX - 3;
	assert_int_equal(v3_ring_get(&ring, out, 4), 0);
	assert_int_equal(v3_ring_put(&ring, "abcdef", 6), 6);
	assert_int_equal(v3_ring_put(&ring, "ghij", 4), 2);
	assert_int_equal(v3_ring_free(&ring), 0);
	assert_int_equal(v3_ring_put(&ring, "x", 1), 0);
	assert_int_equal(v3_ring_get(&ring, out, 3), 3);
	assert_memory_equal(out, "abc", 3);
	assert_int_equal(v3_ring_drop(&ring, 2), 2);
	assert_int_equal(v3_ring_get(&ring, out, 16), 3);
	assert_memory_equal(out, "fgh", 3);
	assert_int_equal(v3_ring_drop(&ring, 2), 0);
	assert_int_equal(v3_ring_used(&ring), 0);
}

#define STREAM_BYTES 200000u

static void *produce(void *arg)
{
	struct v3_ring *ring = arg;
	uint32_t sent = 0;

	while (sent < STREAM_BYTES) {
		uint8_t chunk[7];
		size_t n = STREAM_BYTES - sent < sizeof(chunk) ? STREAM_BYTES - sent :
								 sizeof(chunk);

		for (size_t i = 0; i < n; i++)
			chunk[i] = (uint8_t)((sent + i) * 7);
		n = v3_ring_put(ring, chunk, n);
		sent += (uint32_t)n;
		if (n == 0)
			sched_yield();
	}
	return NULL;
}

static void test_ring_threads(void **state)
{
	static uint8_t buf[64];
	struct v3_ring ring;
	pthread_t producer;
	uint32_t received = 0, wrong = 0;

	assert_true(v3_ring_init(&ring, buf, sizeof(buf)));
	assert_int_equal(pthread_create(&producer, NULL, produce, &ring), 0);
	while (received < STREAM_BYTES) {
		uint8_t chunk[5];
		size_t n = v3_ring_get(&ring, chunk, sizeof(chunk));

		for (size_t i = 0; i < n; i++, received++)
			wrong += chunk[i] != (uint8_t)(received * 7);
		if (n == 0)
			sched_yield();
	}
	pthread_join(producer, NULL);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_bitmap),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_ring_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
