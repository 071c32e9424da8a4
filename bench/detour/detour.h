/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selfish Detour: a loop that does nothing but read the TSC. What takes longer between two reads
 * than the loop itself could is a detour: something else had the CPU. After P. Beckman et al., "The
 * influence of operating systems on the performance of collective operations at extreme scale",
 * Cluster 2006; written from its definition. Freestanding: needs no library, no memory but the
 * caller's.
 */
#ifndef DETOUR_H
#define DETOUR_H

#include <stddef.h>
#include <stdint.h>

/* In TSC ticks: from the start of the run to the read before the detour, and to the read after. */
struct detour {
	uint64_t start, length;
};

struct detour_run {
	/* in: room for records, written to before so that its pages are there */
	struct detour *records;
	uint64_t capacity;
	/* in: how long to run, and the longest step that is no detour; 0: DETOUR_FACTOR times step */
	uint64_t ticks, threshold;
	/* out: shortest and median step of the loop itself, undisturbed */
	uint64_t step, step_median;
	/* out: TSC at the start, how long it took really, reads of the TSC */
	uint64_t begin, elapsed, reads;
	/* out: of all detours, also of those for which there was no room; lost is without the step */
	uint64_t count, lost, shortest, longest;
	/* out: reads that were less than the one before */
	uint64_t backwards;
	/* out: records used */
	uint64_t recorded;
};

#define DETOUR_FACTOR	9
#define DETOUR_SAMPLES	63

/* A clock for the loop; tests have one of their own. */
typedef uint64_t (*detour_clock)(void *ctx);

static inline __attribute__((always_inline)) uint64_t detour_tsc(void *ctx)
{
	uint32_t low, high;

	(void)ctx;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* detour.c. What the loop does about a long step. */
void detour_add(struct detour_run *run, uint64_t last, uint64_t now);
/* Sorts so that percentiles can be taken. */
void detour_sort(uint64_t *values, uint64_t count);
void detour_begin(struct detour_run *run, uint64_t *samples);

/* The loop's own step, by its shortest and its median: what disturbs is in neither. */
static inline __attribute__((always_inline)) void detour_calibrate(struct detour_run *run,
								   detour_clock clock, void *ctx)
{
	uint64_t samples[DETOUR_SAMPLES], last = clock(ctx);

	for (unsigned int i = 0; i < DETOUR_SAMPLES; i++) {
		uint64_t now = clock(ctx);

		samples[i] = now - last;
		last = now;
	}
	detour_begin(run, samples);
}

/* The measurement. Inlined, so that reading the TSC is an instruction and no call. */
static inline __attribute__((always_inline)) void detour_measure(struct detour_run *run,
								 detour_clock clock, void *ctx)
{
	uint64_t begin, last, now, threshold, ticks = run->ticks, reads = 0;

	detour_calibrate(run, clock, ctx);
	threshold = run->threshold;
	begin = run->begin = last = clock(ctx);
	do {
		now = clock(ctx);
		reads++;
		if (__builtin_expect(now - last > threshold, 0)) {
			detour_add(run, last, now);
			/* what the record took is no detour */
			now = clock(ctx);
		}
		last = now;
	} while (now - begin < ticks);
	run->elapsed = now - begin;
	run->reads = reads;
}

/* Provided by the program: as printf, of %s, %llu and %llx. */
void detour_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * Prints the result in lines "detour: key=value ...", then the records, at most `list` of them, in
 * lines "detour+ START:LENGTH ..." (hexadecimal), and sorts the records by their length. khz is the
 * TSC's frequency, 0: unknown.
 */
void detour_report(struct detour_run *run, uint64_t khz, uint64_t list);

#endif
