/* SPDX-License-Identifier: BSD-2-Clause */
/* Selfish Detour: records, and what is told of them. */
#include "detour.h"

void detour_sort(uint64_t *values, uint64_t count)
{
	uint64_t gap = 1;

	while (gap < count / 3)
		gap = gap * 3 + 1;
	for (; gap; gap /= 3) {
		for (uint64_t i = gap; i < count; i++) {
			uint64_t x = values[i], at = i;

			for (; at >= gap && values[at - gap] > x; at -= gap)
				values[at] = values[at - gap];
			values[at] = x;
		}
	}
}

void detour_begin(struct detour_run *run, uint64_t *samples)
{
	detour_sort(samples, DETOUR_SAMPLES);
	run->step = samples[0];
	run->step_median = samples[DETOUR_SAMPLES / 2];
	if (!run->threshold)
		run->threshold = DETOUR_FACTOR * run->step_median;
	run->elapsed = run->reads = run->count = run->lost = run->longest = 0;
	run->backwards = run->recorded = 0;
	run->shortest = UINT64_MAX;
}

void detour_add(struct detour_run *run, uint64_t last, uint64_t now)
{
	uint64_t length = now - last;

	if (now < last) {
		run->backwards++;
		return;
	}
	run->count++;
	run->lost += length - (run->step_median < length ? run->step_median : length);
	if (length < run->shortest)
		run->shortest = length;
	if (length > run->longest)
		run->longest = length;
	if (run->recorded == run->capacity)
		return;
	run->records[run->recorded].start = last - run->begin;
	run->records[run->recorded].length = length;
	run->recorded++;
}

/* a * b / c for what does not fit into 64 bits on the way; the quotient does, else all ones. */
static uint64_t muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t high, low, quotient;

	__asm__("mulq %3" : "=a"(low), "=d"(high) : "0"(a), "r"(b) : "cc");
	if (high >= c)
		return UINT64_MAX;
	__asm__("divq %3" : "=a"(quotient), "+d"(high) : "0"(low), "r"(c) : "cc");
	return quotient;
}

/* "1234 mHz" and the like would need a unit: thousandths with a point. */
static void print_milli(const char *key, uint64_t milli)
{
	uint64_t rest = milli % 1000;

	detour_print(" %s=%llu.%llu%llu%llu", key, (unsigned long long)(milli / 1000),
		     (unsigned long long)(rest / 100), (unsigned long long)(rest / 10 % 10),
		     (unsigned long long)(rest % 10));
}

static void print_list(const struct detour_run *run, uint64_t list)
{
	uint64_t n = run->recorded < list ? run->recorded : list;

	for (uint64_t i = 0; i < n; i++)
		detour_print("%s%llx:%llx%s", i % 8 ? " " : "detour+ ",
			     (unsigned long long)run->records[i].start,
			     (unsigned long long)run->records[i].length,
			     i % 8 == 7 || i == n - 1 ? "\n" : "");
	detour_print("detour: listed=%llu of=%llu%s\n", (unsigned long long)n,
		     (unsigned long long)run->count, n < run->count ? " truncated" : "");
}

/* Sorted, in the room of the records: a length is a half of one. */
static uint64_t *sort_lengths(struct detour_run *run)
{
	uint64_t *lengths = (uint64_t *)run->records;

	for (uint64_t i = 0; i < run->recorded; i++)
		lengths[i] = run->records[i].length;
	detour_sort(lengths, run->recorded);
	return lengths;
}

static void print_lengths(const uint64_t *lengths, uint64_t n)
{
	static const unsigned int percent[] = { 50, 90, 99 };

	if (!n)
		return;
	for (unsigned int i = 0; i < sizeof(percent) / sizeof(percent[0]); i++)
		detour_print(" p%llu=%llu", (unsigned long long)percent[i],
			     (unsigned long long)lengths[(n - 1) * percent[i] / 100]);
}

void detour_report(struct detour_run *run, uint64_t khz, uint64_t list)
{
	uint64_t elapsed = run->elapsed ? run->elapsed : 1;

	detour_print("detour: khz=%llu step=%llu step_median=%llu threshold=%llu\n",
		     (unsigned long long)khz, (unsigned long long)run->step,
		     (unsigned long long)run->step_median, (unsigned long long)run->threshold);
	detour_print("detour: begin=%llu elapsed=%llu reads=%llu backwards=%llu\n",
		     (unsigned long long)run->begin, (unsigned long long)run->elapsed,
		     (unsigned long long)run->reads, (unsigned long long)run->backwards);
	print_list(run, list);
	detour_print("detour: count=%llu", (unsigned long long)run->count);
	if (khz)
		print_milli("per_second", muldiv(run->count, khz * 1000000, elapsed));
	print_milli("lost_ppm", muldiv(run->lost, 1000000000, elapsed));
	if (run->count) {
		detour_print(" min=%llu mean=%llu max=%llu", (unsigned long long)run->shortest,
			     (unsigned long long)(run->lost / run->count + run->step_median),
			     (unsigned long long)run->longest);
		print_lengths(sort_lengths(run), run->recorded);
	}
	detour_print("\n");
}
