/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of CPUs, and how the kernel writes them.
 */
#ifndef V3_CLI_CPU_MASK_H
#define V3_CLI_CPU_MASK_H

#include "parse.h"

#define V3_MASK_CPUS (V3_CPU_MAX + 1)
#define V3_MASK_WORDS (V3_MASK_CPUS / 64)
/* Room for a set as text: "1,3,5,..." at its longest would be more, and is an error. */
#define V3_MASK_TEXT 4096

struct v3_mask {
	uint64_t word[V3_MASK_WORDS];
};

/* "0-3,6", or nothing. A newline at the end is left out. False: it is no such list. */
bool v3_mask_parse(const char *text, struct v3_mask *mask);
/* "ff,ffffffff", groups of 32 bits. */
bool v3_mask_parse_hex(const char *text, struct v3_mask *mask);
/* Into @buf of V3_MASK_TEXT bytes, which is returned; cut at the end if it is longer. */
char *v3_mask_text(const struct v3_mask *mask, char *buf);
char *v3_mask_hex(const struct v3_mask *mask, char *buf);

static inline void v3_mask_add(struct v3_mask *mask, unsigned int cpu)
{
	mask->word[cpu / 64] |= 1ull << cpu % 64;
}

static inline bool v3_mask_has(const struct v3_mask *mask, unsigned int cpu)
{
	return cpu < V3_MASK_CPUS && mask->word[cpu / 64] >> cpu % 64 & 1;
}

bool v3_mask_empty(const struct v3_mask *mask);
bool v3_mask_equal(const struct v3_mask *a, const struct v3_mask *b);
bool v3_mask_meets(const struct v3_mask *a, const struct v3_mask *b);
void v3_mask_or(struct v3_mask *mask, const struct v3_mask *other);
void v3_mask_and(struct v3_mask *mask, const struct v3_mask *other);
/* Takes out what is in @other. */
void v3_mask_less(struct v3_mask *mask, const struct v3_mask *other);
/* The lowest CPU from @from on, or -1. */
int v3_mask_next(const struct v3_mask *mask, unsigned int from);

#endif
