/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four kernels of McCalpin's STREAM on doubles: copy, scale, add, triad. Best of `ntimes`
 * rounds, the first not counted. The only file compiled with SSE, which it turns on itself; no
 * interrupt handler touches an SSE register, so nothing needs saving.
 */
#include "cpu.h"
#include "lwk.h"

#define DEFAULT_SIZE	(1ULL << 20)	/* 3 arrays of 8 MiB */
#define DEFAULT_NTIMES	5
#define SCALAR		3.0
#define EPSILON		1e-13
#define CR0_MP		(1ULL << 1)
#define CR0_EM		(1ULL << 2)
#define CR0_TS		(1ULL << 3)
#define CR4_OSFXSR	(1ULL << 9)
#define CR4_OSXMMEXCPT	(1ULL << 10)
#define KERNELS		4

static double *a, *b, *c;
static uint64_t size;

static void sse_on(void)
{
	uint32_t mxcsr = 0x1f80;	/* the value of reset: all exceptions masked */

	bm_write_cr0((bm_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	bm_write_cr4(bm_read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	__asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
}

static __attribute__((noinline)) void copy(const double *restrict x, double *restrict z)
{
	for (uint64_t i = 0; i < size; i++)
		z[i] = x[i];
}

static __attribute__((noinline)) void scale(double *restrict y, const double *restrict z)
{
	for (uint64_t i = 0; i < size; i++)
		y[i] = SCALAR * z[i];
}

static __attribute__((noinline)) void add(const double *restrict x, const double *restrict y,
					  double *restrict z)
{
	for (uint64_t i = 0; i < size; i++)
		z[i] = x[i] + y[i];
}

static __attribute__((noinline)) void triad(double *restrict x, const double *restrict y,
					    const double *restrict z)
{
	for (uint64_t i = 0; i < size; i++)
		x[i] = y[i] + SCALAR * z[i];
}

static void run_kernel(unsigned int which)
{
	switch (which) {
	case 0:
		copy(a, c);
		break;
	case 1:
		scale(b, c);
		break;
	case 2:
		add(a, b, c);
		break;
	default:
		triad(a, b, c);
		break;
	}
}

/* Mean relative error of one array against the value every element must have. */
static bool array_is(const char *name, const double *v, double want)
{
	double sum = 0;

	for (uint64_t i = 0; i < size; i++)
		sum += v[i] > want ? v[i] - want : want - v[i];
	if (sum / (double)size <= EPSILON * want)
		return true;
	bm_printf("stream: wrong result: array %s differs from what was computed\n", name);
	return false;
}

static bool results_are_right(uint64_t rounds)
{
	double x = 1.0, y = 2.0, z = 0.0;

	for (uint64_t i = 0; i < rounds; i++) {
		z = x;
		y = SCALAR * z;
		z = x + y;
		x = y + SCALAR * z;
	}
	return array_is("a", a, x) && array_is("b", b, y) && array_is("c", c, z);
}

static void report(unsigned int which, uint64_t best, uint64_t hz)
{
	static const char *const names[KERNELS] = { "copy", "scale", "add", "triad" };
	static const unsigned int arrays[KERNELS] = { 2, 2, 3, 3 };
	uint64_t bytes = size * sizeof(double) * arrays[which];
	uint64_t rate;

	/* MB/s as STREAM has it: 10^6 bytes. Bytes per 1000 ticks when seconds are unknown. */
	if (best == 0)
		best = 1;
	rate = bm_muldiv(bytes, hz ? hz : 1000, best);
	bm_printf("stream: name=%s %s=%llu ticks=%llu bytes=%llu\n", names[which],
		  hz ? "mbs" : "bytes_per_1000_ticks",
		  (unsigned long long)(hz ? rate / 1000000 : rate), (unsigned long long)best,
		  (unsigned long long)bytes);
}

/* The arrays stay for a next run of the same size or less. */
static bool allocate(void)
{
	static uint64_t have;

	if (have >= size)
		return true;
	a = lwk_alloc(size * sizeof(double), 2 * BM_MIB);
	b = lwk_alloc(size * sizeof(double), 2 * BM_MIB);
	c = lwk_alloc(size * sizeof(double), 2 * BM_MIB);
	have = a && b && c ? size : 0;
	return have;
}

static __attribute__((noinline)) int stream(void)
{
	uint64_t best[KERNELS] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	uint64_t rounds = lwk_opt.ntimes ? lwk_opt.ntimes : DEFAULT_NTIMES;
	uint64_t hz;

	size = lwk_opt.size ? lwk_opt.size : DEFAULT_SIZE;
	if (!allocate()) {
		bm_printf("stream: no memory for 3 arrays of %llu doubles (size=)\n",
			  (unsigned long long)size);
		return BM_EXIT_FAILED;
	}
	hz = bm_tsc_hz();
	bm_printf("STREAM: 3 arrays of %llu doubles, best of %llu rounds\n",
		  (unsigned long long)size, (unsigned long long)rounds);
	for (uint64_t i = 0; i < size; i++) {
		a[i] = 1.0;
		b[i] = 2.0;
		c[i] = 0.0;
	}
	for (uint64_t i = 0; i <= rounds; i++) {
		for (unsigned int k = 0; k < KERNELS; k++) {
			uint64_t t = bm_tsc();

			run_kernel(k);
			t = bm_tsc() - t;
			if (i && t < best[k])
				best[k] = t;
		}
	}
	for (unsigned int k = 0; k < KERNELS; k++)
		report(k, best[k], hz);
	return results_are_right(rounds + 1) ? BM_EXIT_OK : BM_EXIT_FAILED;
}

/* Apart from stream(): the compiler uses SSE from the first line of that on. */
int lwk_prog_stream(void)
{
	sse_on();
	return stream();
}
