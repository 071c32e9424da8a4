/* SPDX-License-Identifier: BSD-2-Clause */
/* What blocks.c, mem.c and offline.c use of the module's other files. */
#include "fake_memory.h"

#include "blocks.h"
#include "fakes/fake_fail.h"

struct pglist fake_nodes[2] = { { { { 8ull << 18 } } }, { { { 1ull << 18 } } } };

/* Runs by their first page frame, for those who free them. */
static struct xarray runs;

static void change(unsigned long pfn, size_t count, enum fake_unit from, enum fake_unit to)
{
	unsigned long unit = PFN_PHYS(pfn) / FAKE_UNIT, end = unit + PFN_PHYS(count) / FAKE_UNIT;

	for (; unit < end; unit++) {
		if (fake.units[unit] != from)
			v3_fake_fail("memory at %#lx is %d and not %d", unit * FAKE_UNIT,
				     fake.units[unit], from);
		fake.units[unit] = to;
	}
}

static bool is_free(u64 start, u64 size)
{
	u64 unit;

	for (unit = start / FAKE_UNIT; unit < (start + size) / FAKE_UNIT; unit++)
		if (unit >= FAKE_UNITS || fake.units[unit] != FAKE_FREE)
			return false;
	return true;
}

u64 fake_taken(void)
{
	u64 taken = 0;
	unsigned long i;

	for (i = 0; i < FAKE_UNITS; i++)
		taken += fake.units[i] == FAKE_FREE ? 0 : FAKE_UNIT;
	return taken;
}

enum v3_status v3_lx_run_alloc(struct v3_lx_search *search)
{
	u64 size = PFN_PHYS(search->count), align = PFN_PHYS(search->align), at;

	for (at = ALIGN(fake.first, align); at + size <= FAKE_BLOCKS * FAKE_BLOCK; at += align) {
		if (!is_free(at, size))
			continue;
		search->found = PHYS_PFN(at);
		if (xa_err(xa_store(&runs, search->found, (void *)search->count, GFP_KERNEL)))
			return V3_ERR_NOMEM;
		change(search->found, search->count, FAKE_FREE, FAKE_RUN);
		fake.pages += (long)search->count;
		return V3_OK;
	}
	return V3_ERR_NOMEM;
}

static size_t run_erase(unsigned long pfn)
{
	size_t count = (size_t)xa_erase(&runs, pfn);

	if (!count)
		v3_fake_fail("no run begins at page frame %#lx", pfn);
	fake.pages -= (long)count;
	return count;
}

void v3_lx_run_forget(unsigned long pfn)
{
	change(pfn, run_erase(pfn), FAKE_RUN, FAKE_KEPT);
}

void v3_lx_page_free(void *ctx, v3_hpa_t hpa, size_t count)
{
	(void)ctx;
	if (run_erase(PHYS_PFN(hpa)) != count)
		v3_fake_fail("a run of another size is freed");
	change(PHYS_PFN(hpa), count, FAKE_RUN, FAKE_FREE);
}

void v3_lx_contig_free(unsigned long pfn, size_t count)
{
	change(pfn, count, FAKE_KEPT, FAKE_FREE);
}

void v3_lx_pages_count(long pages)
{
	fake.pages += pages;
}

bool v3_lx_memory_available(size_t count)
{
	return PFN_PHYS(count) <= FAKE_BLOCKS * FAKE_BLOCK;
}

unsigned int v3_lx_memory_reserve(void)
{
	return 64;
}

enum v3_lx_obstacle v3_lx_obstacle(const struct v3_lx_search *search)
{
	(void)search;
	return V3_LX_NO_OBSTACLE;
}

const char *v3_lx_obstacle_text(enum v3_lx_obstacle obstacle)
{
	(void)obstacle;
	return "nothing";
}

bool v3_lx_host_zeroes(void)
{
	return false;
}

bool v3_lx_zero(unsigned long pfn, size_t count, int node, bool killable)
{
	(void)pfn;
	(void)count;
	(void)node;
	if (killable && fake.zeroings && !--fake.zeroings)
		fake_killed = true;
	return !killable || !fake_killed;
}

void v3_lx_spent(enum v3_lx_spent what, u64 start)
{
	(void)what;
	(void)start;
}

struct v3_lx_call *v3_lx_call_current(void)
{
	return NULL;
}

void v3_lx_restore(int restore)
{
	(void)restore;
}

enum v3_status v3_lx_fail(struct v3_lx_call *call, enum v3_status status, const char *fmt, ...)
{
	va_list args;

	(void)call;
	va_start(args, fmt);
	vsnprintf(fake.said, sizeof(fake.said), fmt, args);
	va_end(args);
	return status;
}

void v3_lx_logf(enum v3_log_level level, const char *fmt, ...)
{
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(fake.said, sizeof(fake.said), fmt, args);
	va_end(args);
}
