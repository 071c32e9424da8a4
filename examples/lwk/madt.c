/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many CPUs there are and what their APIC IDs are, from the ACPI MADT (ACPI 6.4, 5.2.5 and
 * 5.2.12). Tables are the firmware's: lengths and checksums are checked, addresses stay below
 * 4 GiB, which is all that is mapped.
 */
#include "cpu.h"
#include "smp.h"

#define RSDP_SIZE	20
#define RSDP_SIZE_2	36
#define RSDP_REVISION	15
#define RSDP_RSDT	16
#define RSDP_XSDT	24
#define BIOS_START	0xe0000
#define BIOS_END	0x100000
#define EBDA_POINTER	0x40e
#define TABLE_HEADER	36
#define TABLE_MAX	(64 * 1024)
#define MADT_ENTRIES	44
#define TYPE_APIC	0
#define TYPE_X2APIC	9
#define FLAG_ENABLED	1

/* Memory at an address that the compiler knows nothing of */
static const uint8_t *at(uint64_t addr)
{
	const uint8_t *p = (const uint8_t *)addr;

	__asm__("" : "+r"(p));
	return p;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool sum_is_zero(const uint8_t *p, uint32_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

/* Version 1, or version 2 with a second checksum over all of it */
static const uint8_t *find_rsdp(uint64_t start, uint64_t end)
{
	for (; start + RSDP_SIZE_2 <= end; start += 16) {
		const uint8_t *p = at(start);

		if (memcmp(p, "RSD PTR ", 8) == 0 && sum_is_zero(p, RSDP_SIZE) &&
		    (p[RSDP_REVISION] < 2 || sum_is_zero(p, RSDP_SIZE_2)))
			return p;
	}
	return NULL;
}

static const uint8_t *rsdp(void)
{
	const uint8_t *p = NULL;
	uint16_t segment;

	memcpy(&segment, at(EBDA_POINTER), sizeof(segment));
	if (segment >= 0x8000 && segment < 0xa000)
		p = find_rsdp((uint64_t)segment << 4, ((uint64_t)segment << 4) + 1024);
	return p ? p : find_rsdp(BIOS_START, BIOS_END);
}

/* A table of that name and its length, or NULL */
static const uint8_t *table(uint64_t addr, const char *name, uint32_t *length)
{
	const uint8_t *p = at(addr);

	if (!addr || addr > UINT32_MAX - TABLE_MAX || memcmp(p, name, 4) != 0)
		return NULL;
	*length = get32(p + 4);
	if (*length < TABLE_HEADER || *length > TABLE_MAX || !sum_is_zero(p, *length))
		return NULL;
	return p;
}

static unsigned int read_madt(const uint8_t *p, uint32_t length, uint32_t *ids, unsigned int max)
{
	unsigned int n = 0;
	uint32_t off = MADT_ENTRIES;

	while (off + 2 <= length && p[off + 1] >= 2 && off + p[off + 1] <= length && n < max) {
		uint8_t size = p[off + 1];

		if (p[off] == TYPE_APIC && size >= 8 && (get32(p + off + 4) & FLAG_ENABLED))
			ids[n++] = p[off + 3];
		else if (p[off] == TYPE_X2APIC && size >= 16 && (get32(p + off + 8) & FLAG_ENABLED))
			ids[n++] = get32(p + off + 4);
		off += size;
	}
	return n;
}

unsigned int lwk_madt_read(uint32_t *ids, unsigned int max)
{
	const uint8_t *root = rsdp(), *list;
	uint32_t length, madt_length, width = 4;

	if (!root)
		return 0;
	if (root[RSDP_REVISION] >= 2 && get64(root + RSDP_XSDT)) {
		list = table(get64(root + RSDP_XSDT), "XSDT", &length);
		width = 8;
	} else {
		list = table(get32(root + RSDP_RSDT), "RSDT", &length);
	}
	if (!list)
		return 0;
	for (uint32_t off = TABLE_HEADER; off + width <= length; off += width) {
		uint64_t addr = width == 8 ? get64(list + off) : get32(list + off);
		const uint8_t *madt = table(addr, "APIC", &madt_length);

		if (madt)
			return read_madt(madt, madt_length, ids, max);
	}
	return 0;
}
