/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: words of the form key=value. Words without '=' and keys that are not ours are
 * left alone (a loader may put the file name or its own words there), but unknown keys are named.
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
	{ "ntimes", &lwk_opt.ntimes, 1000000 },
	{ "hz", &lwk_opt.hz, 100000 },
	{ "code", &lwk_opt.code, 255 },
	{ "addr", &lwk_opt.addr, 1ULL << 47 },
};

static void bad_value(const char *word, size_t n, const char *why)
{
	bm_printf("lwk: bad option '");
	bm_write(word, n);
	bm_printf("': %s\n", why);
	bm_exit(BM_EXIT_USAGE);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Decimal or 0x hexadecimal, with K, M or G as binary factors. */
static bool parse_number(const char *s, size_t n, uint64_t *out)
{
	unsigned int base = 10, shift = 0;
	uint64_t v = 0;

	if (n > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
		n -= 2;
	}
	if (n > 1)
		shift = s[n - 1] == 'K' ? 10 : s[n - 1] == 'M' ? 20 : s[n - 1] == 'G' ? 30 : 0;
	if (shift)
		n--;
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned int d = (unsigned int)digit(s[i]);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	return !__builtin_mul_overflow(v, 1ULL << shift, out);
}

static bool key_is(const char *word, size_t n, const char *key)
{
	return n == bm_strlen(key) && memcmp(word, key, n) == 0;
}

static void parse_word(const char *word, size_t n)
{
	const char *value;
	size_t key = 0, length;

	while (key < n && word[key] != '=')
		key++;
	if (key == n)
		return;
	value = word + key + 1;
	length = n - key - 1;
	if (key_is(word, key, "run")) {
		if (length == 0 || length >= sizeof(lwk_opt.run))
			bad_value(word, n, "must name between 1 and 127 characters of programs");
		memcpy(lwk_opt.run, value, length);
		lwk_opt.run[length] = '\0';
		return;
	}
	for (size_t i = 0; i < BM_ARRAY_SIZE(numbers); i++) {
		if (!key_is(word, key, numbers[i].key))
			continue;
		if (!parse_number(value, length, numbers[i].value))
			bad_value(word, n, "not a number (decimal or 0x, with K, M or G)");
		if (*numbers[i].value > numbers[i].max)
			bad_value(word, n, "number too large");
		return;
	}
	bm_printf("lwk: ignoring unknown option '");
	bm_write(word, n);
	bm_printf("'\n");
}

void lwk_options_parse(const char *cmdline)
{
	const char *p = cmdline;

	memcpy(lwk_opt.run, "hello", 6);
	while (*p) {
		size_t n = 0;

		while (*p == ' ' || *p == '\t' || *p == '\n')
			p++;
		while (p[n] && p[n] != ' ' && p[n] != '\t' && p[n] != '\n')
			n++;
		parse_word(p, n);
		p += n;
	}
}
