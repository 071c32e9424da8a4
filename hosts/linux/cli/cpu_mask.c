/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of CPUs.
 */
#include "cpu_mask.h"

#include <stdio.h>
#include <string.h>

/* Decimal digits of a CPU's number. */
static bool number(const char **text, unsigned int *cpu)
{
	const char *p = *text;

	for (*cpu = 0; *p >= '0' && *p <= '9'; p++) {
		*cpu = *cpu * 10 + (unsigned int)(*p - '0');
		if (*cpu > V3_CPU_MAX)
			return false;
	}
	if (p == *text)
		return false;
	*text = p;
	return true;
}

bool v3_mask_parse(const char *text, struct v3_mask *mask)
{
	unsigned int first, last;

	*mask = (struct v3_mask){ 0 };
	if (!*text || *text == '\n')
		return true;
	for (;; text++) {
		if (!number(&text, &first))
			return false;
		last = first;
		if (*text == '-') {
			text++;
			if (!number(&text, &last))
				return false;
		}
		if (last < first)
			return false;
		for (; first <= last; first++)
			v3_mask_add(mask, first);
		if (!*text || *text == '\n')
			return true;
		if (*text != ',')
			return false;
	}
}

static int nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return found ? (int)(found - digits) : -1;
}

bool v3_mask_parse_hex(const char *text, struct v3_mask *mask)
{
	size_t len = strcspn(text, "\n"), i;
	unsigned int bit = 0;
	int value;

	*mask = (struct v3_mask){ 0 };
	for (i = len; i-- > 0;) {
		if (text[i] == ',' && i && i < len - 1)
			continue;
		value = nibble(text[i]);
		if (value < 0 || (value && bit >= V3_MASK_CPUS))
			return false;
		if (value)
			mask->word[bit / 64] |= (uint64_t)value << bit % 64;
		bit += 4;
	}
	return len;
}

char *v3_mask_text(const struct v3_mask *mask, char *buf)
{
	size_t used = 0;
	int first = v3_mask_next(mask, 0), last;

	buf[0] = 0;
	for (; first >= 0; first = v3_mask_next(mask, (unsigned int)last + 1)) {
		for (last = first; v3_mask_has(mask, (unsigned int)last + 1); last++)
			;
		if (used + 16 > V3_MASK_TEXT)
			break;
		used += (size_t)snprintf(buf + used, V3_MASK_TEXT - used,
					 last > first ? "%s%d-%d" : "%s%d", used ? "," : "",
					 first, last);
	}
	return buf;
}

char *v3_mask_hex(const struct v3_mask *mask, char *buf)
{
	unsigned int group = V3_MASK_WORDS * 2;
	size_t used = 0;
	uint32_t bits;

	buf[0] = 0;
	while (group-- > 0) {
		bits = (uint32_t)(mask->word[group / 2] >> group % 2 * 32);
		if (!used && !bits && group)
			continue;
		used += (size_t)snprintf(buf + used, V3_MASK_TEXT - used, used ? ",%08x" : "%x",
					 bits);
	}
	return buf;
}

bool v3_mask_empty(const struct v3_mask *mask)
{
	return v3_mask_next(mask, 0) < 0;
}

bool v3_mask_equal(const struct v3_mask *a, const struct v3_mask *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool v3_mask_meets(const struct v3_mask *a, const struct v3_mask *b)
{
	unsigned int i;

	for (i = 0; i < V3_MASK_WORDS; i++)
		if (a->word[i] & b->word[i])
			return true;
	return false;
}

void v3_mask_or(struct v3_mask *mask, const struct v3_mask *other)
{
	unsigned int i;

	for (i = 0; i < V3_MASK_WORDS; i++)
		mask->word[i] |= other->word[i];
}

void v3_mask_and(struct v3_mask *mask, const struct v3_mask *other)
{
	unsigned int i;

	for (i = 0; i < V3_MASK_WORDS; i++)
		mask->word[i] &= other->word[i];
}

void v3_mask_less(struct v3_mask *mask, const struct v3_mask *other)
{
	unsigned int i;

	for (i = 0; i < V3_MASK_WORDS; i++)
		mask->word[i] &= ~other->word[i];
}

int v3_mask_next(const struct v3_mask *mask, unsigned int from)
{
	unsigned int i = from / 64;
	uint64_t bits;

	if (from >= V3_MASK_CPUS)
		return -1;
	bits = mask->word[i] & ~0ull << from % 64;
	for (;;) {
		if (bits)
			return (int)(i * 64) + __builtin_ctzll(bits);
		if (++i == V3_MASK_WORDS)
			return -1;
		bits = mask->word[i];
	}
}
