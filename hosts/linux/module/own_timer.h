/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * The timer of the local APIC under Linux's feet: its interrupt is put off while only a guest runs,
 * and comes back as if nothing had happened. What is computed for that, without the hardware
 * (SDM vol. 3 11.5.4, APM2 16.4.1).
 */
#ifndef V3_LX_OWN_TIMER_H
#define V3_LX_OWN_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* The APIC's registers that matter, and bits of its LVT entry. */
#define V3_LX_APIC_LVTT 0x320
#define V3_LX_APIC_TMICT 0x380
#define V3_LX_APIC_TMCCT 0x390
#define V3_LX_LVTT_MASKED (1u << 16)
#define V3_LX_LVTT_MODE (3u << 17)
#define V3_LX_LVTT_ONESHOT (0u << 17)
#define V3_LX_LVTT_DEADLINE (2u << 17)

struct v3_lx_apic_timer {
	bool x2apic;
	bool deadline;		/* counts to a TSC value; else down from the initial count */
	bool off;		/* cannot be put off: periodic, or not calibrated */
	bool pushed;		/* the next two count */
	uint64_t ours;		/* deadline, or initial count, that was written */
	uint64_t linux_left;	/* Linux's deadline, or what was left of its count when ours began */
	uint64_t count_per_tsc;	/* 32.32 fixed point */
};

/* Whether the LVT entry says that Linux counts on an interrupt that can be put off. */
static inline bool v3_lx_lvtt_usable(uint32_t lvtt)
{
	uint32_t mode = lvtt & V3_LX_LVTT_MODE;

	return !(lvtt & V3_LX_LVTT_MASKED) &&
	       (mode == V3_LX_LVTT_ONESHOT || mode == V3_LX_LVTT_DEADLINE);
}

/* (a * b) >> 32, all ones if that is too much. */
static inline uint64_t v3_lx_scale(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b >> 32;

	return product > UINT64_MAX ? UINT64_MAX : (uint64_t)product;
}

/* An initial count for so many TSC ticks: 0 would stop the timer, and it has 32 bits. */
static inline uint32_t v3_lx_count_for(uint64_t tsc, uint64_t count_per_tsc)
{
	uint64_t count = v3_lx_scale(tsc, count_per_tsc);

	if (!count)
		return 1;
	return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

/*
 * What is left of Linux's count when ours, which began with `ours`, is at `now`: at least 1, that
 * is at once, if it is over or was not running.
 */
static inline uint32_t v3_lx_count_left(uint32_t linux_left, uint32_t ours, uint32_t now)
{
	uint32_t gone = ours - now;

	return linux_left > gone ? linux_left - gone : 1;
}

/* The deadline to give back: one in the past comes at once, and so shall one that was not there. */
static inline uint64_t v3_lx_deadline_left(uint64_t linux_deadline)
{
	return linux_deadline ? linux_deadline : 1;
}

/* A deadline so many TSC ticks from now; 0 would disarm. */
static inline uint64_t v3_lx_deadline_for(uint64_t now, uint64_t tsc)
{
	uint64_t deadline = now + tsc;

	if (deadline < now)
		return UINT64_MAX;
	return deadline ? deadline : 1;
}

/* A look at what Linux wants is due; one that is a little early saves an interruption. */
static inline bool v3_lx_look_due(uint64_t now, uint64_t next, uint64_t slack)
{
	return now >= next || next - now <= slack;
}

/* Counts per TSC tick from what both did in the same time; 0: it did not run as it should. */
static inline uint64_t v3_lx_count_rate(uint32_t counts, uint64_t tsc)
{
	if (!counts || !tsc || tsc > UINT32_MAX)
		return 0;
	return ((uint64_t)counts << 32) / tsc;
}

#endif
