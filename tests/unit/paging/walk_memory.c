/* SPDX-License-Identifier: BSD-2-Clause */
#include "walk_memory.h"

#include <string.h>

static _Alignas(4096) uint8_t block_a[BLOCK_PAGES * V3_PAGE_SIZE];
static _Alignas(4096) uint8_t block_b[BLOCK_PAGES * V3_PAGE_SIZE];

/* What the core's function does: block B only, and checks what it is asked. */
static void *other_ptr(void *ctx, v3_gpa_t gpa, size_t len)
{
	assert_ptr_equal(ctx, block_b);
	assert_true((len == 4 || len == 8) && gpa % len == 0);
	assert_false(gpa >= BLOCK_A && gpa < BLOCK_A + sizeof(block_a));
	if (gpa < BLOCK_B || gpa >= BLOCK_B + sizeof(block_b))
		return NULL;
	return block_b + (gpa - BLOCK_B);
}

const struct v3_walk_mem walk_memory = {
	.gpa = BLOCK_A, .size = sizeof(block_a), .virt = block_a, .ptr = other_ptr,
	.ctx = block_b,
};

void walk_memory_clear(void)
{
	memset(block_a, 0, sizeof(block_a));
	memset(block_b, 0, sizeof(block_b));
}

void *walk_memory_at(v3_gpa_t gpa)
{
	if (gpa >= BLOCK_A && gpa < BLOCK_A + sizeof(block_a))
		return block_a + (gpa - BLOCK_A);
	if (gpa >= BLOCK_B && gpa < BLOCK_B + sizeof(block_b))
		return block_b + (gpa - BLOCK_B);
	return NULL;
}

void put64(v3_gpa_t gpa, uint64_t value)
{
	memcpy(walk_memory_at(gpa), &value, 8);
}

void put32(v3_gpa_t gpa, uint32_t value)
{
	memcpy(walk_memory_at(gpa), &value, 4);
}

uint64_t get64(v3_gpa_t gpa)
{
	uint64_t value;

	memcpy(&value, walk_memory_at(gpa), 8);
	return value;
}

uint32_t get32(v3_gpa_t gpa)
{
	uint32_t value;

	memcpy(&value, walk_memory_at(gpa), 4);
	return value;
}
