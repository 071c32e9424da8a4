/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes to each 4 KiB of free RAM, twice: what the first time costs more is what the machine below
 * does when memory is used for the first time.
 */
#include "cpu.h"
#include "lwk.h"

#define STEP 4096

/* Only writes: a page that is read first may be a shared page of zeros until it is written. */
static uint64_t touch_all(void)
{
	uint64_t start, end, pages = 0;

	for (unsigned int i = 0; lwk_memory_free(i, &start, &end); i++) {
		for (; end - start >= STEP; start += STEP) {
			*(volatile uint64_t *)start = start;
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
