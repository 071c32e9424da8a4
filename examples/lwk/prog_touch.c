/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes to each 4 KiB of RAM without changing it, twice: what the first time costs more is what
 * the machine below does when memory is used for the first time.
 */
#include "cpu.h"
#include "lwk.h"

#define STEP 4096

static void touch(uint64_t addr)
{
	__asm__ volatile("lock addq $0, (%0)" : : "r"(addr) : "memory", "cc");
}

/* The whole pages of all RAM that is mapped. Returns how many. */
static uint64_t touch_all(void)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < bm_boot.ram_count; i++) {
		uint64_t addr = (bm_boot.ram[i].start + STEP - 1) & ~(STEP - 1ULL);
		uint64_t end = bm_boot.ram[i].end;

		if (end > lwk_memory_mapped())
			end = lwk_memory_mapped();
		for (; addr < end && end - addr >= STEP; addr += STEP) {
			touch(addr);
			pages++;
		}
	}
	return pages;
}

int lwk_prog_touch(void)
{
	uint64_t ticks[2], pages = 0;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t start = bm_tsc();

		pages = touch_all();
		ticks[i] = bm_tsc() - start;
	}
	bm_printf("touch: pages=%llu first=%llu again=%llu\n", (unsigned long long)pages,
		  (unsigned long long)ticks[0], (unsigned long long)ticks[1]);
	return pages ? BM_EXIT_OK : BM_EXIT_FAILED;
}
