/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the lightweight kernel share. */
#ifndef LWK_H
#define LWK_H

#include "bm.h"

#define LWK_VEC_IPI		0x41

/* options.c: the command line's key=value words */
struct lwk_options {
	char run[128];
	uint64_t n;		/* samples of `cpuid`, lines of `flood`, ticks of `tick` */
	uint64_t size;		/* elements per array of `stream` */
	uint64_t ntimes;	/* rounds of `stream` */
	uint64_t hz;		/* periodic tick, 0 is none */
	uint64_t code;		/* exit code of `exit` */
	uint64_t cpus;		/* at most so many, 0: all there are */
	uint64_t seed;		/* of the random numbers of `ipistorm` */
	uint64_t doubled;	/* interrupts that `ipistorm` may see twice in each mode */
	uint64_t seconds;	/* how long `detour` runs */
	uint64_t settle;	/* seconds that it waits before, spinning */
	uint64_t threshold;	/* longest step in ticks that is no detour; 0: by its own step */
	uint64_t count;		/* rings that `doorbell` finds counted */
	uint64_t addr;		/* address of `ud`, `absent`; 0 is the program's own */
};

extern struct lwk_options lwk_opt;
void lwk_options_parse(const char *cmdline);

/* memory.c: identity map in large pages, and an allocator that never frees */
void lwk_memory_init(void);
void *lwk_alloc(uint64_t size, uint64_t align);
bool lwk_memory_free(unsigned int i, uint64_t *start, uint64_t *end);

/* tick.c */
bool lwk_tick_start(uint64_t hz);
void lwk_tick_stop(void);
uint64_t lwk_tick_count(void);

/* bench.c: sorts the samples and prints minimum, median and maximum. */
void lwk_bench_report(uint64_t *samples, uint64_t count, const char *name, const char *what);

/* ipi.S */
extern char lwk_isr_ipi_xapic[];
extern char lwk_isr_ipi_x2apic[];
extern volatile uint64_t lwk_ipi_stamp;

/* The programs; each returns an exit code. */
int lwk_prog_cost(void);
int lwk_prog_stream(void);
int lwk_prog_touch(void);
int lwk_prog_tick(void);
int lwk_prog_rearm(void);
int lwk_prog_triple(void);
int lwk_prog_spin(void);
int lwk_prog_ud(void);
int lwk_prog_firmware(void);
int lwk_prog_flood(void);
int lwk_prog_absent(void);
int lwk_prog_halt(void);
int lwk_prog_exit(void);
int lwk_prog_smp(void);
int lwk_prog_ipi(void);
int lwk_prog_ipistorm(void);
int lwk_prog_doorbell(void);
int lwk_prog_vector(void);
int lwk_prog_lacking(void);
int lwk_prog_cpu(void);
int lwk_prog_clock(void);
int lwk_prog_debug(void);
int lwk_prog_detour(void);

#endif /* LWK_H */
