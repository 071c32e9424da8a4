/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/format.h"

/* A field wider than this is a mistake, and would only pad. */
#define MAX_WIDTH	1024

struct output {
	char *buf;
	size_t size, len;
};

/* One conversion as its specification says. */
struct spec {
	bool left, zero, alternate, has_precision;
	int width, precision;
	char length;	/* 0, 'H' for hh, 'h', 'l', 'L' for ll, 'z', 'j', 't' */
	char conversion;
};

struct arguments {
	va_list list;
};

static void put(struct output *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len++] = c;
}

static void pad(struct output *out, char c, int count)
{
	while (count-- > 0)
		put(out, c);
}

static void put_padded(struct output *out, const struct spec *spec, const char *text, int len)
{
	if (!spec->left)
		pad(out, ' ', spec->width - len);
	for (int i = 0; i < len; i++)
		put(out, text[i]);
	if (spec->left)
		pad(out, ' ', spec->width - len);
}

static void put_string(struct output *out, const struct spec *spec, const char *text)
{
	int len = 0;

	if (!text)
		text = "(null)";
	/* With a precision the text need not end in NUL. */
	while (len < INT32_MAX && !(spec->has_precision && len >= spec->precision) && text[len])
		len++;
	put_padded(out, spec, text, len);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value,
		       unsigned int base, const char *prefix)
{
	const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];	/* the longest are 20 decimal digits */
	int len = 0, prefix_len = 0;

	do {
		text[len++] = digits[value % base];
		value /= base;
	} while (value);
	while (prefix[prefix_len])
		prefix_len++;

	if (!spec->left && !spec->zero)
		pad(out, ' ', spec->width - len - prefix_len);
	for (int i = 0; i < prefix_len; i++)
		put(out, prefix[i]);
	if (!spec->left && spec->zero)
		pad(out, '0', spec->width - len - prefix_len);
	for (int i = len; i-- > 0;)
		put(out, text[i]);
	if (spec->left)
		pad(out, ' ', spec->width - len - prefix_len);
}

static int64_t signed_argument(struct arguments *args, char length)
{
	switch (length) {
	case 'H':
		return (signed char)va_arg(args->list, int);
	case 'h':
		return (short)va_arg(args->list, int);
	case 'l':
	case 'z':
	case 't':
		return va_arg(args->list, long);
	case 'L':
	case 'j':
		return va_arg(args->list, long long);
	default:
		return va_arg(args->list, int);
	}
}

static uint64_t unsigned_argument(struct arguments *args, char length)
{
	switch (length) {
	case 'H':
		return (unsigned char)va_arg(args->list, unsigned int);
	case 'h':
		return (unsigned short)va_arg(args->list, unsigned int);
	case 'l':
	case 'z':
	case 't':
		return va_arg(args->list, unsigned long);
	case 'L':
	case 'j':
		return va_arg(args->list, unsigned long long);
	default:
		return va_arg(args->list, unsigned int);
	}
}

/* A decimal number or '*'; stops growing at MAX_WIDTH. */
static const char *read_count(const char *p, struct arguments *args, int *count)
{
	*count = 0;
	if (*p == '*') {
		*count = va_arg(args->list, int);
		if (*count > MAX_WIDTH)
			*count = MAX_WIDTH;
		return p + 1;
	}
	for (; *p >= '0' && *p <= '9'; p++) {
		*count = *count * 10 + (*p - '0');
		if (*count > MAX_WIDTH)
			*count = MAX_WIDTH;
	}
	return p;
}

static const char *read_flags(const char *p, struct spec *spec)
{
	for (;; p++) {
		if (*p == '-')
			spec->left = true;
		else if (*p == '0')
			spec->zero = true;
		else if (*p == '#')
			spec->alternate = true;
		else
			return p;
	}
}

static const char *read_length(const char *p, struct spec *spec)
{
	switch (*p) {
	case 'h':
	case 'l':
		spec->length = *p;
		if (p[1] == p[0]) {
			spec->length = *p == 'h' ? 'H' : 'L';
			p++;
		}
		return p + 1;
	case 'z':
	case 'j':
	case 't':
		spec->length = *p;
		return p + 1;
	default:
		return p;
	}
}

/* p: behind the '%'. Returns the conversion character's place. */
static const char *read_spec(const char *p, struct arguments *args, struct spec *spec)
{
	*spec = (struct spec){ 0 };
	p = read_flags(p, spec);
	p = read_count(p, args, &spec->width);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = spec->width < -MAX_WIDTH ? MAX_WIDTH : -spec->width;
	}
	if (*p == '.') {
		p = read_count(p + 1, args, &spec->precision);
		spec->has_precision = spec->precision >= 0;
	}
	p = read_length(p, spec);
	spec->conversion = *p;
	return p;
}

static bool convert(struct output *out, const struct spec *spec, struct arguments *args)
{
	int64_t number;
	char c;

	switch (spec->conversion) {
	case '%':
		put(out, '%');
		return true;
	case 'c':
		c = (char)va_arg(args->list, int);
		put_padded(out, spec, &c, 1);
		return true;
	case 's':
		put_string(out, spec, va_arg(args->list, const char *));
		return true;
	case 'p':
		put_number(out, spec, (uintptr_t)va_arg(args->list, void *), 16, "0x");
		return true;
	case 'd':
	case 'i':
		number = signed_argument(args, spec->length);
		put_number(out, spec, number < 0 ? -(uint64_t)number : (uint64_t)number, 10,
			   number < 0 ? "-" : "");
		return true;
	case 'u':
		put_number(out, spec, unsigned_argument(args, spec->length), 10, "");
		return true;
	case 'x':
	case 'X':
		put_number(out, spec, unsigned_argument(args, spec->length), 16,
			   spec->alternate ? "0x" : "");
		return true;
	default:
		return false;
	}
}

size_t v3_vsnprintf(char *buf, size_t size, const char *fmt, va_list list)
{
	struct output out = { .buf = buf, .size = size };
	struct arguments args;
	struct spec spec;

	if (size == 0)
		return 0;
	va_copy(args.list, list);
	while (*fmt) {
		const char *end;

		if (*fmt != '%') {
			put(&out, *fmt++);
			continue;
		}
		end = read_spec(fmt + 1, &args, &spec);
		if (*end && convert(&out, &spec, &args)) {
			fmt = end + 1;
			continue;
		}
		/* Unknown or cut off: show it as it is. */
		while (fmt < end || (fmt == end && *end))
			put(&out, *fmt++);
	}
	va_end(args.list);
	out.buf[out.len] = '\0';
	return out.len;
}

size_t v3_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = v3_vsnprintf(buf, size, fmt, args);
	va_end(args);
	return len;
}
