/* SPDX-License-Identifier: BSD-2-Clause */
/* Selfish Detour, which bench/detour has, in a guest or on a bare machine. */
#include "../../bench/detour/detour.h"
#include "cpu.h"
#include "lwk.h"

#define DEFAULT_RECORDS	4096
#define MAX_RECORDS	(1 << 20)

void detour_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bm_vprintf(fmt, ap);
	va_end(ap);
}

int lwk_prog_detour(void)
{
	struct detour_run run = { .threshold = lwk_opt.threshold };
	uint64_t hz = bm_tsc_hz(), size;

	run.capacity = lwk_opt.n ? lwk_opt.n : DEFAULT_RECORDS;
	if (!hz || run.capacity > MAX_RECORDS) {
		bm_printf("detour: %s\n", hz ? "n= is over 1M" : "TSC frequency unknown");
		return hz ? BM_EXIT_USAGE : BM_EXIT_FAILED;
	}
	size = run.capacity * sizeof(run.records[0]);
	run.records = lwk_alloc(size, 4096);
	if (!run.records) {
		bm_printf("detour: no memory for n=%llu records\n",
			  (unsigned long long)run.capacity);
		return BM_EXIT_FAILED;
	}
	memset(run.records, 1, size);
	run.ticks = hz * (lwk_opt.seconds ? lwk_opt.seconds : 1);
	for (uint64_t end = bm_tsc() + hz * lwk_opt.settle; bm_tsc() < end;)
		;
	/* what the console still has to send is no noise of others */
	bm_console_drain();
	detour_measure(&run, detour_tsc, NULL);
	detour_report(&run, hz / 1000, run.capacity);
	return run.backwards ? BM_EXIT_FAILED : BM_EXIT_OK;
}
