/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes, numbers and CPU lists. strtoull is not used: it takes signs, blanks and octal.
 */
#include "parse.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Reads decimal digits; false if there are none or the value does not fit. */
static bool digits(const char **text, uint64_t *value)
{
	const char *p = *text;
	uint64_t sum = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(*p - '0'), &sum))
			return false;
	if (p == *text)
		return false;
	*text = p;
	*value = sum;
	return true;
}

int v3_size_parse(const char *text, uint64_t *bytes, struct v3_msg *msg)
{
	static const char units[] = "KMGT";
	const char *p = text;
	const char *unit;
	uint64_t value;
	unsigned int shift = 0;

	if (!digits(&p, &value))
		return v3_msg_set(msg, "'%s' is not a size (such as 512MiB, 1GiB or 2G)",
				  v3_printable(text));
	if (*p) {
		unit = strchr(units, *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
		if (!unit || (p[1] && strcasecmp(p + 1, "iB")))
			return v3_msg_set(
				msg,
				"'%s' has an unknown unit (use K, M, G, T or KiB, MiB, GiB, TiB)",
				v3_printable(text));
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return v3_msg_set(msg, "'%s' is too large", v3_printable(text));
	*bytes = value << shift;
	return 0;
}

int v3_duration_parse(const char *text, uint64_t *ns, struct v3_msg *msg)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		{ "min", 60000000000 },
	};
	const char *p = text;
	uint64_t value;
	size_t i;

	if (!digits(&p, &value))
		return v3_msg_set(msg, "'%s' is not a time (such as 500us or 2s)",
				  v3_printable(text));
	for (i = 0; i < sizeof(units) / sizeof(units[0]) && strcmp(p, units[i].name); i++)
		;
	if (i == sizeof(units) / sizeof(units[0]))
		return v3_msg_set(msg, "'%s' has %s unit (use ns, us, ms, s or min)",
				  v3_printable(text), *p ? "an unknown" : "no");
	if (__builtin_mul_overflow(value, units[i].ns, ns))
		return v3_msg_set(msg, "'%s' is too long", v3_printable(text));
	return 0;
}

int v3_number_parse(const char *text, const char *what, uint64_t min, uint64_t max,
		    uint64_t *value, struct v3_msg *msg)
{
	const char *p = text;

	if (!digits(&p, value) || *p)
		return v3_msg_set(msg, "%s: '%s' is not a number", what, v3_printable(text));
	if (*value < min || *value > max)
		return v3_msg_set(msg, "%s: %s is not in %llu to %llu", what, v3_printable(text),
				  (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static bool contains(const int32_t *cpus, unsigned int count, uint64_t cpu)
{
	while (count-- > 0)
		if ((uint64_t)cpus[count] == cpu)
			return true;
	return false;
}

/* One number or range at *text; leaves *text behind it. */
static int cpu_range(const char **text, uint64_t *first, uint64_t *last)
{
	if (!digits(text, first))
		return -1;
	*last = *first;
	if (**text == '-') {
		++*text;
		if (!digits(text, last))
			return -1;
	}
	return 0;
}

int v3_cpu_list_parse(const char *text, int32_t *cpus, unsigned int max, struct v3_msg *msg)
{
	const char *p = text;
	unsigned int count = 0;
	uint64_t first, last;

	for (;; p++) {
		if (cpu_range(&p, &first, &last) || (*p && *p != ','))
			return v3_msg_set(msg, "'%s' is not a list of CPUs (such as 0,2-3)",
					  v3_printable(text));
		if (first > last)
			return v3_msg_set(msg, "'%s': the range %llu-%llu runs backwards",
					  v3_printable(text), (unsigned long long)first,
					  (unsigned long long)last);
		if (last > V3_CPU_MAX)
			return v3_msg_set(msg, "'%s': there is no CPU %llu", v3_printable(text),
					  (unsigned long long)last);
		for (; first <= last; first++) {
			if (contains(cpus, count, first))
				return v3_msg_set(msg, "'%s' names CPU %llu twice",
						  v3_printable(text), (unsigned long long)first);
			if (count == max)
				return v3_msg_set(msg, "'%s' has more than %u CPUs",
						  v3_printable(text), max);
			cpus[count++] = (int32_t)first;
		}
		if (!*p)
			return (int)count;
	}
}

char *v3_size_text(uint64_t bytes, char *buf)
{
	static const char *const names[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = 0;
	uint64_t whole = bytes, rest = 0;

	while (whole >= 1024 && unit < 6) {
		rest = whole % 1024;
		whole /= 1024;
		unit++;
	}
	if (rest)
		snprintf(buf, V3_SIZE_TEXT, "%llu.%llu %s", (unsigned long long)whole,
			 (unsigned long long)(rest * 10 / 1024), names[unit]);
	else
		snprintf(buf, V3_SIZE_TEXT, "%llu %s", (unsigned long long)whole, names[unit]);
	return buf;
}
