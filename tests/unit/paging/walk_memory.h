/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory for the tests of the walker: a block that is looked at directly, and a second one.
 */
#ifndef V3_TESTS_WALK_MEMORY_H
#define V3_TESTS_WALK_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "paging/guest_walk.h"
#include "x86/cr.h"
#include "x86/pte.h"

#define BLOCK_PAGES 8u
#define BLOCK_A 0x100000ull	/* through v3_walk_mem.virt */
#define BLOCK_B 0x40000000ull	/* through v3_walk_mem.ptr */

extern const struct v3_walk_mem walk_memory;

void walk_memory_clear(void);
/* Pointer to an entry, whichever block it is in. */
void *walk_memory_at(v3_gpa_t gpa);
void put64(v3_gpa_t gpa, uint64_t value);
void put32(v3_gpa_t gpa, uint32_t value);
uint64_t get64(v3_gpa_t gpa);
uint32_t get32(v3_gpa_t gpa);

#endif
