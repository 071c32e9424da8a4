/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/cmos.h"

#define EQUIPMENT 0x14
#define EQUIPMENT_FPU 0x02u
#define BASE_KIB 0x15		/* 16 bits: memory below 640 KiB */
#define EXTENDED_KIB 0x17	/* 16 bits, again at 0x30: from 1 MiB on, at most 65535 KiB */
#define EXTENDED_KIB_2 0x30
#define ABOVE_16M_64K 0x34	/* 16 bits: from 16 MiB to 4 GiB, in units of 64 KiB */
#define ABOVE_4G_64K 0x5b	/* 24 bits: from 4 GiB on, in units of 64 KiB */
#define CHECKSUM 0x2e		/* big-endian sum of 0x10 to 0x2d */
#define CHECKSUM_FIRST 0x10

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Bytes of RAM in [from, to). */
static uint64_t ram_between(const struct v3_vm *vm, uint64_t from, uint64_t to)
{
	struct v3_mem_range range;
	uint64_t sum = 0, begin, end;
	unsigned int i;

	for (i = 0; v3_vm_mem_range(vm, i, &range) == V3_OK; i++) {
		begin = range.gpa > from ? range.gpa : from;
		end = range.gpa + range.size < to ? range.gpa + range.size : to;
		if (range.kind == V3_MEM_RAM && begin < end)
			sum += end - begin;
	}
	return sum;
}

static void put(uint8_t *cmos, unsigned int at, unsigned int bytes, uint64_t value)
{
	uint64_t limit = (1ull << 8 * bytes) - 1;
	unsigned int i;

	if (value > limit)
		value = limit;
	for (i = 0; i < bytes; i++)
		cmos[at + i] = (uint8_t)(value >> 8 * i);
}

void v3_cmos_fill(struct v3_vm *vm, uint8_t cmos[V3_CMOS_SIZE])
{
	uint64_t extended = ram_between(vm, MIB, 4 * GIB) >> 10;
	unsigned int i, sum = 0;

	cmos[EQUIPMENT] = EQUIPMENT_FPU;
	put(cmos, BASE_KIB, 2, ram_between(vm, 0, 640 << 10) >> 10);
	put(cmos, EXTENDED_KIB, 2, extended);
	put(cmos, EXTENDED_KIB_2, 2, extended);
	put(cmos, ABOVE_16M_64K, 2, ram_between(vm, 16 * MIB, 4 * GIB) >> 16);
	put(cmos, ABOVE_4G_64K, 3, ram_between(vm, 4 * GIB, UINT64_MAX) >> 16);
	for (i = CHECKSUM_FIRST; i < CHECKSUM; i++)
		sum += cmos[i];
	cmos[CHECKSUM] = (uint8_t)(sum >> 8);
	cmos[CHECKSUM + 1] = (uint8_t)sum;
}
