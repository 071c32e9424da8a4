/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/aml.h"
#include "lib/mem.h"

enum {
	OP_ZERO = 0x00, OP_ONE = 0x01, OP_NAME = 0x08, OP_BYTE = 0x0a, OP_WORD = 0x0b,
	OP_DWORD = 0x0c, OP_QWORD = 0x0e, OP_SCOPE = 0x10, OP_BUFFER = 0x11, OP_PACKAGE = 0x12,
	OP_EXTENDED = 0x5b, OP_EXT_DEVICE = 0x82,
	RES_IRQ = 0x22, RES_IO = 0x47, RES_END = 0x79, RES_DWORD_RANGE = 0x87,
	RES_WORD_RANGE = 0x88,
	RANGE_MEMORY = 0, RANGE_IO = 1, RANGE_BUS = 2,
};

#define IO_DECODE_16 0x01
/* Address ranges: minimum and maximum fixed, positive decode. */
#define RANGE_FIXED 0x0c
#define RANGE_IO_ENTIRE 0x03
#define RANGE_MEMORY_RW 0x01

void v3_aml_init(struct v3_aml *aml, uint8_t *buf, size_t size)
{
	*aml = (struct v3_aml){ .buf = buf, .size = size };
}

size_t v3_aml_finish(const struct v3_aml *aml)
{
	return aml->failed || aml->depth ? 0 : aml->len;
}

static void put(struct v3_aml *aml, uint64_t value, unsigned int bytes)
{
	unsigned int i;

	if (aml->failed || aml->size - aml->len < bytes) {
		aml->failed = true;
		return;
	}
	for (i = 0; i < bytes; i++)
		aml->buf[aml->len++] = (uint8_t)(value >> 8 * i);
}

/* Makes room for bytes at @p at and puts them there. */
static void insert(struct v3_aml *aml, size_t at, uint64_t value, unsigned int bytes)
{
	size_t tail = aml->len - at;

	if (aml->failed || aml->size - aml->len < bytes) {
		aml->failed = true;
		return;
	}
	memmove(aml->buf + at + bytes, aml->buf + at, tail);
	aml->len = at;
	put(aml, value, bytes);
	aml->len += tail;
}

/* An object is complete: it may be an element of a package. */
static void count_object(struct v3_aml *aml)
{
	if (aml->depth && !aml->failed)
		aml->open[aml->depth - 1].elements++;
}

static bool is_lead(char c)
{
	return c == '_' || (c >= 'A' && c <= 'Z');
}

static void put_segment(struct v3_aml *aml, const char *name)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (!is_lead(name[i]) && (i == 0 || name[i] < '0' || name[i] > '9')) {
			aml->failed = true;
			return;
		}
	}
	if (name[4])
		aml->failed = true;
	for (i = 0; i < 4; i++)
		put(aml, (uint8_t)name[i], 1);
}

static void open_block(struct v3_aml *aml, enum v3_aml_block kind)
{
	if (aml->depth == V3_AML_MAX_DEPTH) {
		aml->failed = true;
		return;
	}
	aml->open[aml->depth].kind = kind;
	aml->open[aml->depth].start = aml->len;
	aml->open[aml->depth].elements = 0;
	aml->depth++;
}

void v3_aml_scope(struct v3_aml *aml, const char *name)
{
	put(aml, OP_SCOPE, 1);
	open_block(aml, V3_AML_SCOPE);
	put_segment(aml, name);
}

void v3_aml_device(struct v3_aml *aml, const char *name)
{
	put(aml, OP_EXTENDED | OP_EXT_DEVICE << 8, 2);
	open_block(aml, V3_AML_DEVICE);
	put_segment(aml, name);
}

void v3_aml_name(struct v3_aml *aml, const char *name)
{
	put(aml, OP_NAME, 1);
	put_segment(aml, name);
}

void v3_aml_package(struct v3_aml *aml)
{
	put(aml, OP_PACKAGE, 1);
	open_block(aml, V3_AML_PACKAGE);
}

void v3_aml_resources(struct v3_aml *aml)
{
	put(aml, OP_BUFFER, 1);
	open_block(aml, V3_AML_RESOURCES);
}

/* PkgLength counts itself: 6 bits in one byte, or 4 bits and one to three more bytes (20.2.4). */
static void insert_length(struct v3_aml *aml, size_t start)
{
	size_t content = aml->len - start, total;
	unsigned int bytes = 1;

	while (bytes < 4 && content + bytes >= (bytes == 1 ? 1u << 6 : 1u << (8 * bytes - 4)))
		bytes++;
	total = content + bytes;
	if (bytes == 1)
		insert(aml, start, total, 1);
	else
		insert(aml, start, (bytes - 1) << 6 | (total & 15) | (uint64_t)(total >> 4) << 8,
		       bytes);
}

void v3_aml_end(struct v3_aml *aml)
{
	size_t start, content;
	unsigned int elements;

	if (aml->failed || !aml->depth) {
		aml->failed = true;
		return;
	}
	aml->depth--;
	start = aml->open[aml->depth].start;
	elements = aml->open[aml->depth].elements;
	switch (aml->open[aml->depth].kind) {
	case V3_AML_PACKAGE:
		if (elements > 0xff)
			aml->failed = true;
		insert(aml, start, elements, 1);
		break;
	case V3_AML_RESOURCES:
		/* A checksum of 0 counts as right (6.4.2.9). */
		put(aml, RES_END, 2);
		content = aml->len - start;
		if (content > 0xffff)
			aml->failed = true;
		if (content > 0xff)
			insert(aml, start, OP_WORD | (uint64_t)content << 8, 3);
		else
			insert(aml, start, OP_BYTE | content << 8, 2);
		break;
	default:
		break;
	}
	insert_length(aml, start);
	count_object(aml);
}

void v3_aml_integer(struct v3_aml *aml, uint64_t value)
{
	if (value <= 1) {
		put(aml, value ? OP_ONE : OP_ZERO, 1);
	} else if (value <= 0xff) {
		put(aml, OP_BYTE, 1);
		put(aml, value, 1);
	} else if (value <= 0xffff) {
		put(aml, OP_WORD, 1);
		put(aml, value, 2);
	} else if (value <= 0xffffffff) {
		put(aml, OP_DWORD, 1);
		put(aml, value, 4);
	} else {
		put(aml, OP_QWORD, 1);
		put(aml, value, 8);
	}
	count_object(aml);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Five bits a letter, four a digit, most significant byte first (19.3.4, EISAID). */
void v3_aml_eisa_id(struct v3_aml *aml, const char *id)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < 7; i++) {
		if (i < 3 ? id[i] < 'A' || id[i] > 'Z' : hex_digit(id[i]) < 0) {
			aml->failed = true;
			return;
		}
		value = i < 3 ? value << 5 | (uint32_t)(id[i] - '@') :
			value << 4 | (uint32_t)hex_digit(id[i]);
	}
	if (id[7])
		aml->failed = true;
	put(aml, OP_DWORD, 1);
	put(aml, __builtin_bswap32(value), 4);
	count_object(aml);
}

/* Descriptors belong into a resource buffer. */
static void check_resources(struct v3_aml *aml)
{
	if (!aml->depth || aml->open[aml->depth - 1].kind != V3_AML_RESOURCES)
		aml->failed = true;
}

void v3_aml_io_ports(struct v3_aml *aml, uint16_t first, uint8_t count)
{
	check_resources(aml);
	put(aml, RES_IO | IO_DECODE_16 << 8, 2);
	put(aml, first, 2);
	put(aml, first, 2);
	put(aml, 1, 1);
	put(aml, count, 1);
}

void v3_aml_irq(struct v3_aml *aml, unsigned int irq)
{
	check_resources(aml);
	if (irq > 15)
		aml->failed = true;
	put(aml, RES_IRQ, 1);
	put(aml, 1ull << (irq & 15), 2);
}

static void put_range(struct v3_aml *aml, unsigned int width, unsigned int type, unsigned int flags,
		      uint64_t first, uint64_t last)
{
	check_resources(aml);
	if (first > last)
		aml->failed = true;
	put(aml, width == 2 ? RES_WORD_RANGE : RES_DWORD_RANGE, 1);
	put(aml, 3 + 5 * width, 2);
	put(aml, type | RANGE_FIXED << 8 | flags << 16, 3);
	put(aml, 0, width);		/* granularity */
	put(aml, first, width);
	put(aml, last, width);
	put(aml, 0, width);		/* translation */
	put(aml, last - first + 1, width);
}

void v3_aml_bus_range(struct v3_aml *aml, uint16_t first, uint16_t last)
{
	put_range(aml, 2, RANGE_BUS, 0, first, last);
}

void v3_aml_io_range(struct v3_aml *aml, uint16_t first, uint16_t last)
{
	put_range(aml, 2, RANGE_IO, RANGE_IO_ENTIRE, first, last);
}

void v3_aml_memory_range(struct v3_aml *aml, uint32_t first, uint32_t last)
{
	put_range(aml, 4, RANGE_MEMORY, RANGE_MEMORY_RW, first, last);
}
