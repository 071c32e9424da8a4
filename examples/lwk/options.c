/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. Keys that are not ours are named and otherwise left alone: a loader may add its
 * own words.
 */
#include "lwk.h"

struct lwk_options lwk_opt;

static const struct {
	const char *key;
	uint64_t *value;
	uint64_t max;
} numbers[] = {
	{ "n", &lwk_opt.n, 1000000000 },
	{ "size", &lwk_opt.size, 1ULL << 36 },
	{ "ntimes", &lwk_opt.ntimes, 250 },
	{ "hz", &lwk_opt.hz, 100000 },
	{ "code", &lwk_opt.code, 255 },
	{ "cpus", &lwk_opt.cpus, 64 },
	{ "seed", &lwk_opt.seed, UINT32_MAX },
	{ "doubled", &lwk_opt.doubled, UINT32_MAX },
	{ "seconds", &lwk_opt.seconds, 100000 },
	{ "settle", &lwk_opt.settle, 100000 },
	{ "threshold", &lwk_opt.threshold, UINT32_MAX },
	{ "count", &lwk_opt.count, UINT32_MAX },
	{ "addr", &lwk_opt.addr, 1ULL << 47 },
};

static void set_run(const struct bm_option *o)
{
	if (o->value_length == 0 || o->value_length >= sizeof(lwk_opt.run))
		bm_option_bad(o, "must have between 1 and 127 characters");
	memcpy(lwk_opt.run, o->value, o->value_length);
	lwk_opt.run[o->value_length] = '\0';
}

static void set(const struct bm_option *o)
{
	if (bm_option_is(o, "run")) {
		set_run(o);
		return;
	}
	for (size_t i = 0; i < BM_ARRAY_SIZE(numbers); i++) {
		if (bm_option_is(o, numbers[i].key)) {
			*numbers[i].value = bm_option_number(o, numbers[i].max);
			return;
		}
	}
	bm_option_unknown(o);
}

void lwk_options_parse(const char *cmdline)
{
	struct bm_option o;

	memcpy(lwk_opt.run, "hello", 6);
	while (bm_next_option(&cmdline, &o))
		set(&o);
}
