/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of multiboot kernels: Multiboot Specification 0.6.96, 3.1.
 */
#include "multiboot.h"

#include <elf.h>
#include <string.h>

#define MAGIC 0x1BADB002u
#define SEARCH 8192
#define HEADER_MIN 12
#define ADDRESSES (1u << 16)
/* Positions in the header. */
#define FLAGS 4
#define LOAD_ADDR 16
#define LOAD_END 20
#define BSS_END 24
#define ADDRESSES_END 32

static uint32_t get(const uint8_t *data, size_t offset)
{
	uint32_t value;

	memcpy(&value, data + offset, sizeof(value));
	return value;
}

/* NULL if there is none. */
static const uint8_t *find(const uint8_t *data, size_t size)
{
	size_t offset;

	if (size > SEARCH)
		size = SEARCH;
	for (offset = 0; offset + HEADER_MIN <= size; offset += 4)
		if (get(data, offset) == MAGIC &&
		    get(data, offset) + get(data, offset + 4) + get(data, offset + 8) == 0)
			return data + offset;
	return NULL;
}

bool v3_multiboot_detect(const void *data, size_t size)
{
	return find(data, size) != NULL;
}

int v3_multiboot_check(const void *data, size_t size, struct v3_elf_image *elf,
		       struct v3_msg *msg)
{
	const uint8_t *header = find(data, size);

	*elf = (struct v3_elf_image){ 0 };
	if (!header)
		return v3_msg_set(msg, "it has no multiboot header in its first %d bytes", SEARCH);
	if (get(header, FLAGS) & ADDRESSES) {
		if (size - (size_t)(header - (const uint8_t *)data) < ADDRESSES_END)
			return v3_msg_set(msg, "it is cut short within its multiboot header");
		elf->end = get(header, BSS_END) ? get(header, BSS_END) : get(header, LOAD_END);
		if (elf->end == 0)
			elf->end = get(header, LOAD_ADDR);
		return 0;
	}
	if (size < SELFMAG || memcmp(data, ELFMAG, SELFMAG))
		return v3_msg_set(msg, "its multiboot header has no addresses (flag 16), and it is "
				       "no ELF file that would have them");
	return v3_elf_parse_any(data, size, elf, msg);
}
