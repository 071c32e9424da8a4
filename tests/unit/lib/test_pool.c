/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool of large blocks, by cases and against a model that knows each unit of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <v3/pool.h>

#define UNIT V3_POOL_UNIT
#define GIB 0x40000000ull
#define MIB 0x100000ull

/* --- Memory for the bookkeeping: counted, and failing on demand --- */

struct memory {
	unsigned int live, fail_in;
};

static void *mem_alloc(void *ctx, size_t size)
{
	struct memory *memory = ctx;
	void *ptr;

	if (memory->fail_in && --memory->fail_in == 0)
		return NULL;
	ptr = malloc(size);
	assert_non_null(ptr);
	memset(ptr, 0xa5, size);
	memory->live++;
	return ptr;
}

static void mem_free(void *ctx, void *ptr, size_t size)
{
	struct memory *memory = ctx;

	assert_non_null(ptr);
	assert_int_not_equal(memory->live, 0);
	memset(ptr, 0x5a, size);
	memory->live--;
	free(ptr);
}

static struct memory memory;
static struct v3_pool pool;

static int setup(void **state)
{
	const struct v3_pool_mem mem = { mem_alloc, mem_free, &memory };

	(void)state;
	memory = (struct memory){ 0 };
	v3_pool_init(&pool, &mem);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	v3_pool_destroy(&pool);
	return memory.live ? -1 : 0;
}

static enum v3_status claim(uint64_t size, uint64_t align, int32_t node, v3_hpa_t *hpa)
{
	const struct v3_block_request request = { .size = size, .align = align, .node = node };

	return v3_pool_claim(&pool, &request, NULL, hpa, NULL);
}

/* A claim that has to succeed. */
static v3_hpa_t get(uint64_t size, uint64_t align, int32_t node)
{
	v3_hpa_t hpa = 1;

	assert_int_equal(claim(size, align, node, &hpa), V3_OK);
	return hpa;
}

static void add(v3_hpa_t hpa, uint64_t size, int32_t node)
{
	assert_int_equal(v3_pool_add(&pool, hpa, size, node, NULL), V3_OK);
}

/* --- Cases --- */

static void test_empty(void **state)
{
	struct v3_block_info info;
	struct v3_pool_piece piece;
	v3_hpa_t hpa;

	(void)state;
	assert_int_equal(claim(UNIT, UNIT, V3_NODE_ANY, &hpa), V3_ERR_NOMEM);
	assert_int_equal(v3_pool_free(&pool, 0, UNIT), V3_ERR_NOENT);
	assert_int_equal(v3_pool_remove(&pool, 0, UNIT), V3_ERR_NOENT);
	assert_false(v3_pool_next(&pool, 0, &piece));
	assert_false(v3_pool_range(&pool, 0, &piece));
	v3_pool_query(&pool, V3_NODE_ANY, &info);
	assert_int_equal(info.held | info.free | info.largest_2m | info.largest_1g, 0);
}

static void test_bad_ranges(void **state)
{
	(void)state;
	assert_int_equal(v3_pool_add(&pool, 0, 0, 0, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_pool_add(&pool, 4096, UNIT, 0, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_pool_add(&pool, 0, UNIT + 4096, 0, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_pool_add(&pool, 0, UNIT, V3_NODE_ANY, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_pool_add(&pool, -UNIT, UNIT, 0, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_pool_add(&pool, -UNIT, 2 * UNIT, 0, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_pool_add(&pool, UNIT, -UNIT, 0, NULL), V3_ERR_INVALID);
	add(-3 * UNIT, 2 * UNIT, 0);	/* the highest there can be */
	add(10 * UNIT, 10 * UNIT, 0);
	assert_int_equal(v3_pool_add(&pool, 0, 11 * UNIT, 0, NULL), V3_ERR_EXIST);
	assert_int_equal(v3_pool_add(&pool, 19 * UNIT, UNIT, 1, NULL), V3_ERR_EXIST);
	assert_int_equal(v3_pool_add(&pool, 12 * UNIT, UNIT, 1, NULL), V3_ERR_EXIST);
	assert_int_equal(v3_pool_add(&pool, 0, -UNIT - UNIT, 1, NULL), V3_ERR_EXIST);
	add(20 * UNIT, UNIT, 0);
	assert_int_equal(v3_pool_remove(&pool, 10 * UNIT, 11 * UNIT), V3_ERR_NOENT);
	assert_int_equal(v3_pool_remove(&pool, 11 * UNIT, 9 * UNIT), V3_ERR_NOENT);
	assert_int_equal(v3_pool_remove(&pool, 10 * UNIT, 10 * UNIT), V3_OK);
	assert_int_equal(v3_pool_remove(&pool, 10 * UNIT, 10 * UNIT), V3_ERR_NOENT);
}

static void test_bad_claims(void **state)
{
	v3_hpa_t hpa;

	(void)state;
	add(0, 4 * GIB, 0);
	assert_int_equal(claim(0, UNIT, 0, &hpa), V3_ERR_INVALID);
	assert_int_equal(claim(UNIT + 1, UNIT, 0, &hpa), V3_ERR_INVALID);
	assert_int_equal(claim(UNIT, 0, 0, &hpa), V3_ERR_INVALID);
	assert_int_equal(claim(UNIT, 4096, 0, &hpa), V3_ERR_INVALID);
	assert_int_equal(claim(UNIT, 3 * UNIT, 0, &hpa), V3_ERR_INVALID);
	assert_int_equal(claim(UNIT, UNIT, -2, &hpa), V3_ERR_INVALID);
	assert_int_equal(claim(UNIT, UNIT, 1, &hpa), V3_ERR_NOMEM);
	assert_int_equal(claim(4 * GIB + UNIT, UNIT, 0, &hpa), V3_ERR_NOMEM);
	assert_int_equal(claim(-UNIT, UNIT, 0, &hpa), V3_ERR_NOMEM);
	assert_int_equal(get(UNIT, 1ull << 63, 0), 0);
	assert_int_equal(claim(UNIT, 1ull << 63, 0, &hpa), V3_ERR_NOMEM);
	assert_int_equal(v3_pool_free(&pool, 0, 2 * UNIT), V3_ERR_NOENT);
	assert_int_equal(v3_pool_free(&pool, UNIT, UNIT), V3_ERR_NOENT);
	assert_int_equal(v3_pool_remove(&pool, 0, 4 * GIB), V3_ERR_BUSY);
	assert_int_equal(v3_pool_free(&pool, 0, UNIT), V3_OK);
	assert_int_equal(v3_pool_free(&pool, 0, UNIT), V3_ERR_NOENT);
	assert_int_equal(v3_pool_remove(&pool, 0, 4 * GIB), V3_OK);
}

/* Small claims stay out of whole areas as long as there is other room, and fill the tightest. */
static void test_whole_areas(void **state)
{
	struct v3_block_info info;

	(void)state;
	add(GIB - 100 * MIB, 100 * MIB + 2 * GIB + 50 * MIB, 0);
	add(8 * GIB + 10 * MIB, 20 * MIB, 0);
	v3_pool_query(&pool, 0, &info);
	assert_int_equal(info.largest_1g, 2 * GIB + 50 * MIB);
	assert_int_equal(info.largest_2m, 2 * GIB + 150 * MIB);
	assert_int_equal(get(20 * MIB, UNIT, 0), 8 * GIB + 10 * MIB);
	assert_int_equal(get(100 * MIB, UNIT, 0), GIB - 100 * MIB);
	assert_int_equal(get(50 * MIB, UNIT, 0), 3 * GIB);
	assert_int_equal(get(GIB, GIB, 0), GIB);
	/* Not rounded up: what is left of the last area is one piece. */
	assert_int_equal(get(700 * MIB, UNIT, 0), 2 * GIB);
	v3_pool_query(&pool, V3_NODE_ANY, &info);
	assert_int_equal(info.free, 324 * MIB);
	assert_int_equal(info.largest_2m, 324 * MIB);
	assert_int_equal(info.largest_1g, 0);
	assert_int_equal(info.held, 2 * GIB + 170 * MIB);
	assert_int_equal(get(324 * MIB, UNIT, 0), 2 * GIB + 700 * MIB);
}

/* Memory blocks of 128 MiB, set offline one by one, are one memory; removing them is by block. */
static void test_joined_ranges(void **state)
{
	struct v3_pool_piece piece;
	unsigned int i, order[8] = { 3, 0, 7, 1, 2, 6, 4, 5 };

	(void)state;
	for (i = 0; i < 8; i++)
		assert_int_equal(v3_pool_add(&pool, GIB + order[i] * 128 * MIB, 128 * MIB, 0,
					     &order[i]), V3_OK);
	add(2 * GIB, 128 * MIB, 1);	/* another node's does not join */
	assert_true(v3_pool_next(&pool, 0, &piece));
	assert_int_equal(piece.size, GIB);
	assert_int_equal(get(GIB, GIB, V3_NODE_ANY), GIB);
	assert_true(v3_pool_range(&pool, GIB + 1, &piece));
	assert_int_equal(piece.hpa, GIB + 128 * MIB);
	assert_int_equal(piece.size, 128 * MIB);
	assert_ptr_equal(piece.cookie, &order[3]);
	assert_true(piece.used);
	assert_int_equal(v3_pool_remove(&pool, GIB + 256 * MIB, 128 * MIB), V3_ERR_BUSY);
	assert_int_equal(v3_pool_free(&pool, GIB, GIB), V3_OK);
	/* From the middle, the start, the end; the last alone. */
	memory.fail_in = 1;		/* needs no memory */
	assert_int_equal(v3_pool_remove(&pool, GIB + 256 * MIB, 128 * MIB), V3_OK);
	assert_int_equal(v3_pool_remove(&pool, GIB, 128 * MIB), V3_OK);
	assert_int_equal(v3_pool_remove(&pool, GIB + 7 * 128 * MIB, 128 * MIB), V3_OK);
	memory.fail_in = 0;
	assert_true(v3_pool_next(&pool, 0, &piece));
	assert_int_equal(piece.hpa, GIB + 128 * MIB);
	assert_int_equal(piece.size, 128 * MIB);
	assert_true(v3_pool_next(&pool, piece.hpa + 1, &piece));
	assert_int_equal(piece.hpa, GIB + 384 * MIB);
	assert_int_equal(piece.size, 512 * MIB);
	assert_int_equal(v3_pool_remove(&pool, GIB + 128 * MIB, 128 * MIB), V3_OK);
	assert_true(v3_pool_next(&pool, 0, &piece));
	assert_int_equal(piece.hpa, GIB + 384 * MIB);
}

static void test_cookies_and_nodes(void **state)
{
	const struct v3_block_request request = { .size = UNIT, .align = UNIT, .node = V3_NODE_ANY };
	struct v3_pool_piece piece;
	int mine = 0;
	int32_t node = -5;
	v3_hpa_t hpa;

	(void)state;
	add(GIB, 3 * UNIT, 3);
	assert_int_equal(v3_pool_claim(&pool, &request, &mine, &hpa, &node), V3_OK);
	assert_int_equal(node, 3);
	assert_int_equal(hpa, GIB);
	assert_true(v3_pool_next(&pool, 0, &piece));
	assert_true(piece.used);
	assert_ptr_equal(piece.cookie, &mine);
	assert_int_equal(piece.node, 3);
	assert_true(v3_pool_next(&pool, GIB + 1, &piece));
	assert_false(piece.used);
	assert_null(piece.cookie);
	assert_int_equal(piece.size, 2 * UNIT);
	assert_false(v3_pool_next(&pool, GIB + UNIT + 1, &piece));
}

/* --- Against a model --- */

#define UNITS 2600u		/* a bit more than five areas */
#define AREA_UNITS 512u
#define BASE (7 * GIB - 20 * UNIT)
#define MAX_THINGS 64

enum unit_state { UNIT_NONE, UNIT_FREE, UNIT_USED };

struct thing {
	unsigned int at, units;
};

static struct model {
	uint8_t state[UNITS], node[UNITS];
	struct thing ranges[MAX_THINGS], claims[MAX_THINGS];
	unsigned int num_ranges, num_claims;
} model;

static uint64_t seed;

static unsigned int rnd(unsigned int below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)((seed >> 20) % below);
}

/* Free units from each on, and in all around it, on one node; by model_look(). */
static unsigned int run_of[UNITS + 1], piece_of[UNITS];

static bool joined(unsigned int at)
{
	return at + 1 < UNITS && model.state[at + 1] == UNIT_FREE &&
	       model.node[at + 1] == model.node[at];
}

static void model_look(void)
{
	unsigned int at;

	for (at = UNITS; at-- > 0;)
		run_of[at] = model.state[at] != UNIT_FREE ? 0 : joined(at) ? run_of[at + 1] + 1 : 1;
	for (at = 0; at < UNITS; at++)
		piece_of[at] = at && run_of[at - 1] && joined(at - 1) ? piece_of[at - 1] : run_of[at];
}

static bool is_on(unsigned int at, int32_t node)
{
	return node == V3_NODE_ANY || model.node[at] == node;
}

static bool is_aligned(unsigned int at, uint64_t align)
{
	return !((BASE + at * UNIT) & (align - 1));
}

/* Whole areas that a claim would break. */
static unsigned int model_broken(unsigned int at, unsigned int units)
{
	unsigned int area, broken = 0;

	for (area = 20; area + AREA_UNITS <= UNITS; area += AREA_UNITS)
		if (area < at + units && at < area + AREA_UNITS && run_of[area] >= AREA_UNITS)
			broken++;
	return broken;
}

/* The best of all places; false: there is none. */
static bool model_claim(unsigned int units, uint64_t align, int32_t node, unsigned int *best)
{
	unsigned int at, broken, best_broken = 0;
	bool found = false;

	model_look();
	for (at = 0; at < UNITS; at++) {
		if (run_of[at] < units || !is_aligned(at, align) || !is_on(at, node))
			continue;
		broken = model_broken(at, units);
		if (found && (broken > best_broken ||
			      (broken == best_broken && piece_of[at] >= piece_of[*best])))
			continue;
		found = true;
		*best = at;
		best_broken = broken;
	}
	return found;
}

static void model_mark(const struct thing *thing, enum unit_state state)
{
	memset(model.state + thing->at, state, thing->units);
}

static bool model_all(const struct thing *thing, enum unit_state state)
{
	unsigned int i;

	for (i = thing->at; i < thing->at + thing->units; i++)
		if (model.state[i] != state)
			return false;
	return true;
}

static void random_add(void)
{
	struct thing t = { .at = rnd(UNITS) };
	enum v3_status status;
	int32_t node = (int32_t)rnd(2);

	t.units = 1 + rnd(rnd(4) ? 100 : UNITS);
	if (t.units > UNITS - t.at)
		t.units = UNITS - t.at;
	status = v3_pool_add(&pool, BASE + t.at * UNIT, t.units * UNIT, node, NULL);
	if (!model_all(&t, UNIT_NONE)) {
		assert_int_equal(status, V3_ERR_EXIST);
		return;
	}
	if (status == V3_ERR_NOMEM)
		return;
	assert_int_equal(status, V3_OK);
	memset(model.node + t.at, node, t.units);
	model_mark(&t, UNIT_FREE);
	model.ranges[model.num_ranges++] = t;
}

static void random_remove(void)
{
	unsigned int i = rnd(model.num_ranges);
	struct thing *t = &model.ranges[i];
	enum v3_status status = v3_pool_remove(&pool, BASE + t->at * UNIT, t->units * UNIT);

	if (!model_all(t, UNIT_FREE)) {
		assert_int_equal(status, V3_ERR_BUSY);
		return;
	}
	assert_int_equal(status, V3_OK);
	model_mark(t, UNIT_NONE);
	*t = model.ranges[--model.num_ranges];
}

static void random_claim(void)
{
	static const uint64_t aligns[] = { UNIT, UNIT, UNIT, GIB, GIB, 4 * UNIT };
	struct thing t = { .units = rnd(3) ? 1 + rnd(60) : rnd(2) ? AREA_UNITS : 1 + rnd(1200) };
	uint64_t align = aligns[rnd(6)];
	int32_t node = (int32_t)rnd(3) - 1;
	enum v3_status status;
	unsigned int best;
	v3_hpa_t hpa;

	status = claim(t.units * UNIT, align, node, &hpa);
	if (!model_claim(t.units, align, node, &best)) {
		assert_int_equal(status, V3_ERR_NOMEM);
		return;
	}
	if (status == V3_ERR_NOMEM && !memory.fail_in)
		return;		/* by failed bookkeeping: see run_model() */
	assert_int_equal(status, V3_OK);
	t.at = (unsigned int)((hpa - BASE) / UNIT);
	assert_int_equal((hpa - BASE) % UNIT, 0);
	assert_true(model_all(&t, UNIT_FREE));
	/* As few whole areas broken as anywhere, and not in a larger piece than needed. */
	assert_int_equal(model_broken(t.at, t.units), model_broken(best, t.units));
	assert_int_equal(piece_of[t.at], piece_of[best]);
	model_mark(&t, UNIT_USED);
	model.claims[model.num_claims++] = t;
}

static void random_free(void)
{
	unsigned int i = rnd(model.num_claims);
	struct thing *t = &model.claims[i];

	assert_int_equal(v3_pool_free(&pool, BASE + t->at * UNIT, t->units * UNIT), V3_OK);
	model_mark(t, UNIT_FREE);
	*t = model.claims[--model.num_claims];
}

/* Pieces as the pool tells them are the model's, and complete. Looks at the model anew. */
static void compare_pieces(void)
{
	struct v3_pool_piece piece = { 0 };
	unsigned int i = 0, end, at;

	model_look();
	for (at = 0; at < UNITS; at = end) {
		end = at + 1;
		if (model.state[at] == UNIT_NONE)
			continue;
		assert_true(v3_pool_next(&pool, i++ ? piece.hpa + 1 : 0, &piece));
		assert_int_equal(piece.hpa, BASE + at * UNIT);
		assert_int_equal(piece.node, model.node[at]);
		assert_int_equal(piece.used, model.state[at] == UNIT_USED);
		end = at + (unsigned int)(piece.size / UNIT);
		assert_true(end <= UNITS);
		assert_true(model_all(&(struct thing){ at, end - at }, model.state[at]));
		if (!piece.used)
			assert_int_equal(piece_of[at], end - at);
	}
	assert_false(v3_pool_next(&pool, i ? piece.hpa + 1 : 0, &piece));
}

/* Ranges are those that were added, in order, and how much of each is in use. */
static void compare_ranges(void)
{
	struct v3_pool_piece range, same;
	unsigned int count = 0, i, used, at;
	v3_hpa_t from = 0;
	bool more;

	for (more = v3_pool_range(&pool, 0, &range); more; more = v3_pool_range_after(&range)) {
		assert_true(v3_pool_range(&pool, from, &same));
		assert_ptr_equal(range.at, same.at);
		assert_int_equal(range.hpa, same.hpa);
		from = range.hpa + range.size;
		for (i = 0; BASE + model.ranges[i].at * UNIT != range.hpa; i++)
			assert_true(i + 1 < model.num_ranges);
		assert_int_equal(model.ranges[i].units * UNIT, range.size);
		for (used = 0, at = 0; at < model.ranges[i].units; at++)
			used += model.state[model.ranges[i].at + at] == UNIT_USED;
		assert_int_equal(range.busy, used * UNIT);
		assert_int_equal(range.used, used != 0);
		count++;
	}
	assert_int_equal(count, model.num_ranges);
}

static void compare_info(int32_t node)
{
	struct v3_block_info want = { 0 }, info;
	unsigned int at;

	for (at = 0; at < UNITS; at++) {
		uint64_t run = run_of[at] * UNIT;

		if (model.state[at] == UNIT_NONE || !is_on(at, node))
			continue;
		want.held += UNIT;
		want.free += run ? UNIT : 0;
		if (run > want.largest_2m)
			want.largest_2m = run;
		if (is_aligned(at, GIB) && run > want.largest_1g)
			want.largest_1g = run;
	}
	v3_pool_query(&pool, node, &info);
	assert_memory_equal(&info, &want, sizeof(info));
}

static void random_step(void)
{
	switch (rnd(10)) {
	case 0:
		if (model.num_ranges < MAX_THINGS)
			random_add();
		break;
	case 1:
		if (model.num_ranges && !rnd(3))
			random_remove();
		break;
	case 2: case 3: case 4: case 5:
		if (model.num_claims)
			random_free();
		break;
	default:
		if (model.num_claims < MAX_THINGS)
			random_claim();
	}
}

/* failing: each step may run out of memory for the bookkeeping, and then nothing has changed. */
static void run_model(uint64_t first_seed, unsigned int steps, bool failing)
{
	unsigned int i;

	memset(&model, 0, sizeof(model));
	seed = first_seed;
	for (i = 0; i < steps; i++) {
		/* 100: far more than a step allocates, so that 0 means that it has failed. */
		memory.fail_in = failing && !rnd(3) ? 1 + rnd(3) : 100;
		random_step();
		if (i % 8 == 0) {
			compare_pieces();
			compare_ranges();
			compare_info((int32_t)rnd(4) - 1);
		}
	}
	memory.fail_in = 0;
	assert_true(model.num_claims || model.num_ranges);
	while (model.num_claims)
		random_free();
	while (model.num_ranges)
		random_remove();
	assert_int_equal(memory.live, 0);
}

static void test_model(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 10; i++)
		run_model(0x9e3779b97f4a7c15 + i * 0x1234567, 1000, false);
}

static void test_model_without_memory(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++)
		run_model(0x123456789abcdef + i * 0x7654321, 1000, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_claims, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_areas, setup, teardown),
		cmocka_unit_test_setup_teardown(test_joined_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cookies_and_nodes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model_without_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
