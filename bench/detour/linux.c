/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * detour [-s SECONDS] [-w SECONDS] [-t TICKS] [-n RECORDS] - Selfish Detour as a Linux process. Which
 * CPU it runs on and how it is scheduled is for taskset and chrt to say.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "detour.h"

#define CALIBRATE_NS	20000000

void detour_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t tsc_khz(void)
{
	uint64_t ns = clock_ns(), tsc = detour_tsc(NULL), passed;

	while ((passed = clock_ns() - ns) < CALIBRATE_NS)
		;
	return (detour_tsc(NULL) - tsc) * 1000000 / passed;
}

static uint64_t number(const char *text, const char *what, uint64_t max)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 0);

	if (*text < '0' || *text > '9' || *end || value > max) {
		fprintf(stderr, "detour: %s '%s' is no number up to %llu\n", what, text,
			(unsigned long long)max);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct detour_run run = { .capacity = 65536 };
	uint64_t seconds = 1, settle = 0, khz, end;
	int option;

	while ((option = getopt(argc, argv, "s:w:t:n:")) != -1) {
		switch (option) {
		case 's': seconds = number(optarg, "-s", 100000); break;
		case 'w': settle = number(optarg, "-w", 100000); break;
		case 't': run.threshold = number(optarg, "-t", UINT32_MAX); break;
		case 'n': run.capacity = number(optarg, "-n", 1 << 24); break;
		default: return 2;
		}
	}
	run.records = calloc(run.capacity + 1, sizeof(run.records[0]));
	if (!run.records) {
		fprintf(stderr, "detour: no memory for %llu records\n",
			(unsigned long long)run.capacity);
		return 1;
	}
	/* now, not at the first detour; where the limit does not allow the lock this must do */
	memset(run.records, 1, (run.capacity + 1) * sizeof(run.records[0]));
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		fprintf(stderr, "detour: memory is not locked: page faults may be among the detours\n");
	khz = tsc_khz();
	for (end = detour_tsc(NULL) + settle * khz * 1000; detour_tsc(NULL) < end;)
		;
	run.ticks = seconds * khz * 1000;
	detour_measure(&run, detour_tsc, NULL);
	detour_report(&run, khz, run.capacity);
	free(run.records);
	return run.backwards ? 1 : 0;
}
