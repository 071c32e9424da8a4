/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment selectors, descriptors, and the 12-bit attribute format that the VMCB uses.
 * APM2 4.7, 4.8 (descriptors), 15.5.1 (attributes: descriptor bits 55:52 and 47:40 together).
 */
#ifndef V3_X86_SEG_H
#define V3_X86_SEG_H

#include <stdint.h>

#define V3_SEL_RPL_MASK		3u
#define V3_SEL_TI		(1u << 2)	/* LDT, not GDT */
#define V3_SEL_INDEX(sel)	((unsigned int)(sel) >> 3)

/* Attributes in VMCB format */
#define V3_SEG_TYPE_MASK	0x000fu
#define V3_SEG_S		0x0010u		/* code or data, not system */
#define V3_SEG_DPL_SHIFT	5
#define V3_SEG_DPL_MASK		0x0060u
#define V3_SEG_P		0x0080u
#define V3_SEG_AVL		0x0100u
#define V3_SEG_L		0x0200u		/* 64-bit code */
#define V3_SEG_DB		0x0400u		/* 32-bit default size */
#define V3_SEG_G		0x0800u		/* limit in 4 KiB units */
#define V3_SEG_ATTR_MASK	0x0fffu
#define V3_SEG_DPL(attr)	(((attr) & V3_SEG_DPL_MASK) >> V3_SEG_DPL_SHIFT)

/* Type bits with S = 1 */
#define V3_SEG_ACCESSED		0x1u
#define V3_SEG_WRITABLE		0x2u		/* data */
#define V3_SEG_EXPAND_DOWN	0x4u		/* data */
#define V3_SEG_READABLE		0x2u		/* code */
#define V3_SEG_CONFORMING	0x4u		/* code */
#define V3_SEG_CODE		0x8u

/* Types with S = 0; a 64-bit TSS has the 32-bit TSS's number */
#define V3_SEG_TYPE_TSS16	0x1u
#define V3_SEG_TYPE_LDT		0x2u
#define V3_SEG_TYPE_TSS16_BUSY	0x3u
#define V3_SEG_TYPE_CALL16	0x4u
#define V3_SEG_TYPE_TASK_GATE	0x5u
#define V3_SEG_TYPE_TSS		0x9u
#define V3_SEG_TYPE_TSS_BUSY	0xbu
#define V3_SEG_TYPE_CALL	0xcu
#define V3_SEG_TYPE_INT_GATE	0xeu
#define V3_SEG_TYPE_TRAP_GATE	0xfu

/* Attribute values of common segments, accessed bit set as a loaded segment has it */
#define V3_SEG_ATTR_CODE64	0x0a9bu		/* G L P S, DPL 0, execute/read */
#define V3_SEG_ATTR_CODE32	0x0c9bu		/* G DB P S, DPL 0, execute/read */
#define V3_SEG_ATTR_DATA32	0x0c93u		/* G DB P S, DPL 0, read/write */
#define V3_SEG_ATTR_CODE16	0x009bu		/* real mode CS at reset */
#define V3_SEG_ATTR_DATA16	0x0093u		/* real mode data segments at reset */
#define V3_SEG_ATTR_LDT		0x0082u
#define V3_SEG_ATTR_TSS_BUSY	0x008bu

/* GDTR and IDTR as LGDT, SGDT, LIDT and SIDT have them in memory */
struct v3_desc_table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

_Static_assert(sizeof(struct v3_desc_table_ptr) == 10, "APM2 4.6.2: 10 bytes in long mode");

/* The 16-byte long mode TSS fields a VMM looks at, APM2 12.2.5 */
#define V3_TSS64_RSP0_OFFSET	4
#define V3_TSS64_IST1_OFFSET	36
#define V3_TSS64_IOMAP_OFFSET	102

static inline uint64_t v3_desc_base(uint64_t desc)
{
	return ((desc >> 16) & 0xffffff) | ((desc >> 32) & 0xff000000);
}

/* The limit in bytes, granularity applied */
static inline uint32_t v3_desc_limit(uint64_t desc)
{
	uint32_t limit = (uint32_t)((desc & 0xffff) | ((desc >> 32) & 0xf0000));

	if (desc & (1ULL << 55))
		limit = (limit << 12) | 0xfff;
	return limit;
}

/* Attributes in VMCB format: descriptor bits 47:40 and 55:52 */
static inline uint16_t v3_desc_attr(uint64_t desc)
{
	return (uint16_t)(((desc >> 40) & 0xff) | ((desc >> 44) & 0xf00));
}

/* The 8-byte descriptor; raw_limit is the 20-bit limit field, in units that attr's G bit says. */
static inline uint64_t v3_desc_make(uint32_t base, uint32_t raw_limit, uint16_t attr)
{
	return (uint64_t)(raw_limit & 0xffff) | ((uint64_t)(base & 0xffffff) << 16) |
	       ((uint64_t)(attr & 0xff) << 40) | ((uint64_t)(raw_limit & 0xf0000) << 32) |
	       ((uint64_t)(attr & 0xf00) << 44) | ((uint64_t)(base & 0xff000000) << 32);
}

#endif
