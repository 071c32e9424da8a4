/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/format.h"

/* Both must give the same text. */
#define SAME(...) \
	do { \
		char ours[256], theirs[256]; \
		int want = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
		size_t got = v3_snprintf(ours, sizeof(ours), __VA_ARGS__); \
		assert_string_equal(ours, theirs); \
		assert_int_equal(got, want); \
	} while (0)

/* For formats that the compiler would warn about. */
static size_t unchecked(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	len = v3_vsnprintf(buf, size, fmt, args);
#pragma GCC diagnostic pop
	va_end(args);
	return len;
}

static void test_same_as_libc(void **state)
{
	SAME("plain");
	SAME("%s|%10s|%-10s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "xyz");
	SAME("%c%c%%", 'a', 'b');
	SAME("%d %d %d", 0, INT_MAX, INT_MIN);
	SAME("%i %5d %-5d| %05d %05d", 7, -42, -42, 42, -42);
	SAME("%u %u", 0u, UINT_MAX);
	SAME("%x %X %#x %08x %#010x %-8x|", 0xabcu, 0xABCu, 0xabcu, 0xabcu, 0xabcu, 0xabcu);
	SAME("%lld %lld %llu", LLONG_MAX, LLONG_MIN, ULLONG_MAX);
	SAME("%llx %#llx %016llx", 0x123456789abcdefULL, 0x1ULL, 0xfeULL);
	SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, 0xdeadbeefUL);
	SAME("%zu %zd %td", (size_t)12, (ssize_t)-12, (ptrdiff_t)-3);
	SAME("%jd %ju", (intmax_t)-1, (uintmax_t)1);
	SAME("%hhd %hhu %hd %hu", (signed char)-1, (unsigned char)200, (short)-2, (unsigned short)3);
	SAME("%*d|%*d", 6, 42, -6, 42);
	SAME("%p", (void *)state);
	SAME("vm %s: vcpu %u: %#llx -> %d", "name", 3u, 0xfee00000ULL, -5);
}

static void test_bounds(void **state)
{
	char buf[16];

	for (size_t size = 0; size <= 12; size++) {
		size_t len;

		memset(buf, '#', sizeof(buf));
		len = v3_snprintf(buf, size, "%s%d", "abcde", 12345);
		assert_int_equal(len, size == 0 ? 0 : size > 10 ? 10 : size - 1);
		if (size > 0)
			assert_int_equal(buf[len], '\0');
		assert_memory_equal(buf, "abcde12345", len);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], '#');
	}
	/* Nothing is written, not even where a NULL buffer would be. */
	assert_int_equal(v3_snprintf(NULL, 0, "%d", 1), 0);
}

static void test_text_without_nul(void **state)
{
	char *text = malloc(3);	/* ASan watches the fourth byte */
	char buf[8];

	assert_non_null(text);
	memcpy(text, "abc", 3);
	assert_int_equal(v3_snprintf(buf, sizeof(buf), "%.3s", text), 3);
	assert_string_equal(buf, "abc");
	free(text);
}

static void test_odd_formats(void **state)
{
	char buf[64];

	assert_int_equal(unchecked(buf, sizeof(buf), "a %q %d", 5), 6);
	assert_string_equal(buf, "a %q 5");
	unchecked(buf, sizeof(buf), "end %");
	assert_string_equal(buf, "end %");
	unchecked(buf, sizeof(buf), "end %-08l");
	assert_string_equal(buf, "end %-08l");
	unchecked(buf, sizeof(buf), "%s", NULL);
	assert_string_equal(buf, "(null)");
	/* A monstrous width ends at the buffer's end, not after minutes. */
	assert_int_equal(unchecked(buf, sizeof(buf), "%99999999999999999999d", 1), sizeof(buf) - 1);
	assert_int_equal(unchecked(buf, sizeof(buf), "%*d", INT_MIN, 1), sizeof(buf) - 1);
	assert_int_equal(unchecked(buf, sizeof(buf), "%*d", INT_MAX, 1), sizeof(buf) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_libc),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_text_without_nul),
		cmocka_unit_test(test_odd_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
