/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples in, a line for people and a line for programs out. */
#include "lwk.h"

/* Shell sort: no recursion, no more memory, fast enough for a million. */
static void sort(uint64_t *v, uint64_t n)
{
	uint64_t gap = 1;

	while (gap < n / 3)
		gap = gap * 3 + 1;
	for (; gap; gap /= 3) {
		for (uint64_t i = gap; i < n; i++) {
			uint64_t x = v[i], at = i;

			for (; at >= gap && v[at - gap] > x; at -= gap)
				v[at] = v[at - gap];
			v[at] = x;
		}
	}
}

void lwk_bench_report(uint64_t *samples, uint64_t count, const char *name, const char *what)
{
	uint64_t med;

	sort(samples, count);
	med = count % 2 ? samples[count / 2]
			: (samples[count / 2 - 1] + samples[count / 2]) / 2;
	bm_printf("  %-16s %10llu %10llu %10llu  %s\n", name, (unsigned long long)samples[0],
		  (unsigned long long)med, (unsigned long long)samples[count - 1], what);
	bm_printf("bench: name=%s min=%llu med=%llu max=%llu n=%llu\n", name,
		  (unsigned long long)samples[0], (unsigned long long)med,
		  (unsigned long long)samples[count - 1], (unsigned long long)count);
}
