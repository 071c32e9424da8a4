/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes, numbers and CPU lists as people write them.
 */
#ifndef V3_CLI_PARSE_H
#define V3_CLI_PARSE_H

#include "cli.h"

/*
 * A size in bytes: decimal digits, then nothing, or one of K M G T, KiB MiB GiB TiB (any case,
 * powers of 1024). "KB" and the like are refused: they mean different things to different people.
 * Returns 0, or -1 with a message.
 */
int v3_size_parse(const char *text, uint64_t *bytes, struct v3_msg *msg);

/*
 * A time in nanoseconds: decimal digits and one of ns us ms s min, such as 500us or 2s. Returns 0,
 * or -1 with a message.
 */
int v3_duration_parse(const char *text, uint64_t *ns, struct v3_msg *msg);

/* A decimal number in [min, max]. @what names it in the message. */
int v3_number_parse(const char *text, const char *what, uint64_t min, uint64_t max,
		    uint64_t *value, struct v3_msg *msg);

/* Largest CPU number that is accepted; the module knows which ones exist. */
#define V3_CPU_MAX 8191

/*
 * A list of CPUs such as "0,2-3", in the order given, without repetition, into @cpus of @max
 * places. Returns how many, or -1 with a message.
 */
int v3_cpu_list_parse(const char *text, int32_t *cpus, unsigned int max, struct v3_msg *msg);

/* "512 MiB", "1.5 GiB": for people. @buf has room for V3_SIZE_TEXT bytes. Returns buf. */
#define V3_SIZE_TEXT 32
char *v3_size_text(uint64_t bytes, char *buf);

#endif
