/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TSC of guests that run at another frequency than the host's: host TSC * ratio + offset, as
 * the CPU computes it. Ratios have V3_TSC_FRACTION bits of fraction, as VT-x has them; AMD-V has
 * fewer, the others are 0 there. A ratio of 0: the guest's TSC runs as the host's.
 */
#ifndef V3_CORE_TSC_H
#define V3_CORE_TSC_H

#include "core/host.h"

/* How far a guest's frequency may be from the host's. */
#define V3_TSC_TIMES 256u

/* Modulo 2^64, as the CPU does. */
static inline uint64_t v3_tsc_scale(uint64_t tsc, uint64_t ratio)
{
	return (uint64_t)(((unsigned __int128)tsc * ratio) >> V3_TSC_FRACTION);
}

/*
 * The ratio for a guest's frequency (0: the host's); fraction: the bits of it that the CPU has, 0 if
 * it does not scale. NULL, or why it cannot be. Pure.
 */
const char *v3_tsc_ratio(uint64_t khz, uint64_t host_khz, unsigned int fraction, uint64_t *ratio);

#endif
