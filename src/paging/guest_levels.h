/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows a walk of the guest's page tables level by level, for people who look at a guest: no rights
 * are checked, no bits are set, and what is found on the way is told even if it leads nowhere.
 */
#ifndef V3_PAGING_GUEST_LEVELS_H
#define V3_PAGING_GUEST_LEVELS_H

#include <v3/inspect.h>

#include "paging/guest_walk.h"

/* Fills all but the nested part. */
void v3_guest_levels(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem, v3_gva_t gva,
		     struct v3_page_walk *walk);

#endif
