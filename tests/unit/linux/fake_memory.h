/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests set and see of the fake kernel's memory. */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include "fake_kernel.h"

/* Memory blocks as of sysfs; the first half is the page allocator's alone. */
#define FAKE_BLOCK (128ul << 20)
#define FAKE_BLOCKS 64ul
/* In units of 2 MiB. */
#define FAKE_UNIT (2ul << 20)
#define FAKE_UNITS (FAKE_BLOCKS * FAKE_BLOCK / FAKE_UNIT)

enum fake_unit {
	FAKE_FREE,
	FAKE_RUN,	/* of v3_lx_run_alloc() */
	FAKE_KEPT,	/* after v3_lx_run_forget() */
};

struct fake_memory {
	unsigned int fail_at;	/* the allocation that is to fail, from now on; 0: none */
	bool failed;		/* it did */
	int live;		/* allocations */
	enum fake_unit units[FAKE_UNITS];
	u64 first;		/* page runs come from here on */
	bool offline[FAKE_BLOCKS];
	bool online_fails;
	struct device devices[FAKE_BLOCKS];
	unsigned long poisoned;	/* page frame with a hardware error; 0: none */
	unsigned long memmap;	/* page frame in which all struct pages are */
	long pages;		/* that VMs have, as v3_lx_pages_count() was told */
	unsigned int zeroings;	/* so many more until the caller is killed; 0: never */
	char said[512];		/* the last message of v3_lx_fail() or v3_lx_logf() */
};
extern struct fake_memory fake;

/* Whether this allocation is the one. */
bool fake_fails(gfp_t gfp);
/* As somebody does it by sysfs. */
void fake_set_offline(unsigned long number);
int fake_set_online(unsigned long number);
/* Bytes that the page allocator does not have. */
u64 fake_taken(void);

#endif
