/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Identity map in large pages and a bump allocator.
 *
 * A GiB that is RAM from end to end, or has none at all, gets one 1-GiB leaf if the CPU has those.
 * A mixed GiB gets 2-MiB leaves, so that no leaf spans RAM and device registers: the memory type
 * of a large page over mixed MTRR types is undefined (SDM3 12.11.9). Leaves without RAM are
 * uncached. The low 4 GiB are mapped as a whole, above that only what holds RAM.
 */
#include "cpu.h"
#include "lwk.h"

#define PTE_PRESENT	0x001ULL
#define PTE_WRITE	0x002ULL
#define PTE_UC		0x018ULL	/* PCD | PWT: UC with the PAT of reset */
#define PTE_LARGE	0x080ULL
#define LARGE		(2 * BM_MIB)
#define LOW_GIBS	4
#define MAX_GIBS	512		/* one PDPT */

extern char bm_image_end[];

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t low_pd[LOW_GIBS][512] __attribute__((aligned(4096)));
static struct bm_range heap[BM_MAX_RANGES];
static unsigned int heap_count;
static uint64_t heap_limit;	/* what is mapped so far */

static uint64_t ram_bytes(uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < bm_boot.ram_count; i++) {
		uint64_t lo = bm_boot.ram[i].start, hi = bm_boot.ram[i].end;

		lo = lo < start ? start : lo;
		hi = hi > end ? end : hi;
		sum += lo < hi ? hi - lo : 0;
	}
	return sum;
}

/* NULL when no range has room. Memory is not zeroed. */
void *lwk_alloc(uint64_t size, uint64_t align)
{
	for (unsigned int i = 0; i < heap_count; i++) {
		uint64_t end, start = (heap[i].start + align - 1) & ~(align - 1);

		if (__builtin_add_overflow(start, size, &end) || end > heap[i].end ||
		    end > heap_limit)
			continue;
		heap[i].start = end;
		return (void *)start;
	}
	return NULL;
}

/* Empty if it is used up, or not mapped. */
bool lwk_memory_free(unsigned int i, uint64_t *start, uint64_t *end)
{
	if (i >= heap_count)
		return false;
	*end = heap[i].end < heap_limit ? heap[i].end : heap_limit;
	*start = heap[i].start < *end ? heap[i].start : *end;
	return true;
}

static void heap_init(void)
{
	uint64_t floor = (uint64_t)bm_image_end;

	for (unsigned int i = 0; i < bm_boot.ram_count; i++) {
		struct bm_range r = bm_boot.ram[i];

		if (r.start < floor)
			r.start = floor;
		if (r.start < r.end)
			heap[heap_count++] = r;
	}
	heap_limit = LOW_GIBS * BM_GIB;
}

static uint64_t leaf(uint64_t addr, uint64_t size)
{
	uint64_t flags = PTE_PRESENT | PTE_WRITE | PTE_LARGE;

	return addr | flags | (ram_bytes(addr, addr + size) ? 0 : PTE_UC);
}

static uint64_t map_gib(unsigned int gib, bool huge)
{
	uint64_t base = gib * BM_GIB;
	uint64_t ram = ram_bytes(base, base + BM_GIB);
	uint64_t *pd;

	if (huge && (ram == 0 || ram == BM_GIB))
		return leaf(base, BM_GIB);
	pd = gib < LOW_GIBS ? low_pd[gib] : lwk_alloc(4096, 4096);
	if (!pd)
		return 0;
	for (unsigned int i = 0; i < 512; i++)
		pd[i] = leaf(base + i * LARGE, LARGE);
	return (uint64_t)pd | PTE_PRESENT | PTE_WRITE;
}

static bool has_gib_pages(void)
{
	return bm_cpuid(0x80000000, 0).eax >= 0x80000001 &&
	       (bm_cpuid(0x80000001, 0).edx & 1u << 26);
}

void lwk_memory_init(void)
{
	bool huge = has_gib_pages();
	unsigned int leaves = 0, tables = 0;
	uint64_t total = 0;

	heap_init();
	for (unsigned int gib = 0; gib < MAX_GIBS; gib++) {
		if (gib >= LOW_GIBS && !ram_bytes(gib * BM_GIB, (gib + 1) * BM_GIB))
			continue;
		pdpt[gib] = map_gib(gib, huge);
		if (!pdpt[gib]) {
			bm_printf("lwk: no memory for page tables, RAM from %u GiB on unused\n",
				  gib);
			break;
		}
		if (pdpt[gib] & PTE_LARGE)
			leaves++;
		else
			tables++;
		if (gib >= LOW_GIBS)
			heap_limit = (gib + 1) * BM_GIB;
	}
	pml4[0] = (uint64_t)pdpt | PTE_PRESENT | PTE_WRITE;
	bm_write_cr3((uint64_t)pml4);

	for (unsigned int i = 0; i < bm_boot.ram_count; i++) {
		struct bm_range *r = &bm_boot.ram[i];

		total += r->end - r->start;
		bm_printf("lwk: ram 0x%09llx-0x%09llx %8llu KiB\n", (unsigned long long)r->start,
			  (unsigned long long)r->end,
			  (unsigned long long)(r->end - r->start) / 1024);
	}
	bm_printf("lwk: %llu MiB of RAM; identity map: %u leaves of 1 GiB, %u GiB in 2 MiB leaves\n",
		  (unsigned long long)(total / BM_MIB), leaves, tables);
}
