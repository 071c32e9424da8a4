/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of the form key=value on a command line. */
#include "bm.h"

static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 99;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

bool bm_parse_number(const char *s, size_t n, uint64_t *out)
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
		unsigned int d = digit(s[i]);

		if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	return !__builtin_mul_overflow(v, 1ULL << shift, out);
}

bool bm_next_option(const char **cmdline, struct bm_option *o)
{
	const char *p = *cmdline;

	while (*p) {
		while (is_space(*p))
			p++;
		o->word = p;
		while (*p && !is_space(*p))
			p++;
		*cmdline = p;
		o->length = (size_t)(p - o->word);
		o->key_length = 0;
		while (o->key_length < o->length && o->word[o->key_length] != '=')
			o->key_length++;
		if (o->key_length == o->length)
			continue;	/* no '=': not ours */
		o->value = o->word + o->key_length + 1;
		o->value_length = o->length - o->key_length - 1;
		return true;
	}
	return false;
}

bool bm_option_is(const struct bm_option *o, const char *key)
{
	return o->key_length == bm_strlen(key) && memcmp(o->word, key, o->key_length) == 0;
}

void bm_option_bad(const struct bm_option *o, const char *why)
{
	bm_printf("%s: bad option '", bm_name);
	bm_write(o->word, o->length);
	bm_printf("': %s\n", why);
	bm_exit(BM_EXIT_USAGE);
}

uint64_t bm_option_number(const struct bm_option *o, uint64_t max)
{
	uint64_t v = 0;

	if (!bm_parse_number(o->value, o->value_length, &v))
		bm_option_bad(o, "not a number (decimal or 0x, with K, M or G)");
	if (v > max)
		bm_option_bad(o, "number too large");
	return v;
}

void bm_option_unknown(const struct bm_option *o)
{
	bm_printf("%s: ignoring unknown option '", bm_name);
	bm_write(o->word, o->length);
	bm_printf("'\n");
}
