/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical pages from the boot loader's memory map, first fit from a sorted array of free ranges,
 * and a heap of power-of-two blocks on top. Memory above 4 GiB is not mapped and not used.
 */
#include "cpu.h"
#include "host.h"

#define MAX_FREE	512
#define MAPPED		(4 * BM_GIB)	/* what the entry code maps */
#define HEAP_MIN_SHIFT	5
#define HEAP_CLASSES	8		/* 32 bytes to 4 KiB; larger blocks are page runs */

extern char bm_image_end[];

static struct bm_range free_range[MAX_FREE];
static unsigned int free_count;
static struct mh_memory_use in_use;

struct free_block {
	struct free_block *next;
};

static struct free_block *heap[HEAP_CLASSES];

static void fatal(const char *why)
{
	bm_printf("%s: %s\n", bm_name, why);
	bm_exit(BM_EXIT_FAILED);
}

static void remove_at(unsigned int i)
{
	free_count--;
	memmove(&free_range[i], &free_range[i + 1], (free_count - i) * sizeof(free_range[0]));
}

static void insert_at(unsigned int i, struct bm_range r)
{
	if (free_count == MAX_FREE)
		fatal("free memory is in too many pieces");
	memmove(&free_range[i + 1], &free_range[i], (free_count - i) * sizeof(free_range[0]));
	free_range[i] = r;
	free_count++;
}

/* Makes [start, end) free and merges it with its neighbours. */
static void give(uint64_t start, uint64_t end)
{
	unsigned int i = 0;

	while (i < free_count && free_range[i].start < start)
		i++;
	if ((i > 0 && free_range[i - 1].end > start) ||
	    (i < free_count && free_range[i].start < end))
		fatal("pages were freed twice");
	insert_at(i, (struct bm_range){ start, end });
	if (i + 1 < free_count && free_range[i + 1].start == end) {
		free_range[i].end = free_range[i + 1].end;
		remove_at(i + 1);
	}
	if (i > 0 && free_range[i - 1].end == start) {
		free_range[i - 1].end = free_range[i].end;
		remove_at(i);
	}
}

/* Takes [start, end) out of whatever is free of it. */
static void take(uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < free_count;) {
		struct bm_range r = free_range[i];

		if (r.end <= start || r.start >= end) {
			i++;
			continue;
		}
		remove_at(i);
		if (r.end > end)
			insert_at(i, (struct bm_range){ end, r.end });
		if (r.start < start)
			insert_at(i++, (struct bm_range){ r.start, start });
	}
}

void mh_memory_init(void)
{
	for (unsigned int i = 0; i < bm_boot.ram_count; i++) {
		uint64_t end = bm_boot.ram[i].end;

		if (bm_boot.ram[i].start >= MAPPED)
			break;
		give(bm_boot.ram[i].start, end < MAPPED ? end : MAPPED);
	}
	take(0, BM_MIB);
	take(BM_MIB, ((uint64_t)bm_image_end + V3_PAGE_SIZE - 1) & ~(V3_PAGE_SIZE - 1));
	for (unsigned int i = 0; i < bm_boot.module_count; i++)
		take(bm_boot.module[i].mem.start & ~(V3_PAGE_SIZE - 1),
		     (bm_boot.module[i].mem.end + V3_PAGE_SIZE - 1) & ~(V3_PAGE_SIZE - 1));
}

uint64_t mh_pages_alloc(size_t count, size_t align, uint64_t limit)
{
	uint64_t mask = (align << V3_PAGE_SHIFT) - 1;
	uint64_t size = (uint64_t)count << V3_PAGE_SHIFT;

	if (count == 0 || count > MAPPED >> V3_PAGE_SHIFT || align == 0 || (align & (align - 1)))
		return 0;
	for (unsigned int i = 0; i < free_count; i++) {
		uint64_t start = (free_range[i].start + mask) & ~mask;

		if (start + size > free_range[i].end || (limit && start + size > limit))
			continue;
		take(start, start + size);
		in_use.pages += count;
		return start;
	}
	return 0;
}

void mh_pages_free(uint64_t addr, size_t count)
{
	give(addr, addr + ((uint64_t)count << V3_PAGE_SHIFT));
	in_use.pages -= count;
}

struct mh_memory_use mh_memory_in_use(void)
{
	return in_use;
}

uint64_t mh_memory_free_bytes(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < free_count; i++)
		sum += free_range[i].end - free_range[i].start;
	return sum;
}

static unsigned int class_of(size_t size)
{
	unsigned int c = 0;

	while ((size_t)1 << (HEAP_MIN_SHIFT + c) < size)
		c++;
	return c;
}

static size_t pages_of(size_t size)
{
	return (size + V3_PAGE_SIZE - 1) >> V3_PAGE_SHIFT;
}

/* Cuts a page that stays with the heap into blocks of one class. */
static bool refill(unsigned int c)
{
	uint64_t page = mh_pages_alloc(1, 1, 0);

	if (!page)
		return false;
	in_use.pages--;
	for (uint64_t at = 0; at < V3_PAGE_SIZE; at += 1ULL << (HEAP_MIN_SHIFT + c)) {
		struct free_block *b = (struct free_block *)(page + at);

		b->next = heap[c];
		heap[c] = b;
	}
	return true;
}

void *mh_heap_alloc(size_t size)
{
	unsigned int c;
	void *p;

	if (size == 0 || size > MAPPED)
		return NULL;
	c = class_of(size);
	if (c >= HEAP_CLASSES) {
		p = (void *)mh_pages_alloc(pages_of(size), 1, 0);
		if (!p)
			return NULL;
		in_use.pages -= pages_of(size);
	} else {
		if (!heap[c] && !refill(c))
			return NULL;
		p = heap[c];
		heap[c] = heap[c]->next;
	}
	in_use.heap_bytes += size;
	return memset(p, 0, size);
}

void mh_heap_free(void *ptr, size_t size)
{
	unsigned int c = class_of(size);

	if (!ptr)
		return;
	in_use.heap_bytes -= size;
	if (c >= HEAP_CLASSES) {
		in_use.pages += pages_of(size);
		mh_pages_free((uint64_t)ptr, pages_of(size));
		return;
	}
	((struct free_block *)ptr)->next = heap[c];
	heap[c] = ptr;
}
