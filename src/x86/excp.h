/* SPDX-License-Identifier: BSD-2-Clause */
/* Exception vectors and their classes. APM2 8.2 (vectors), 8.2.9 (double fault); SDM vol. 3 6.15 */
#ifndef V3_X86_EXCP_H
#define V3_X86_EXCP_H

#include <stdbool.h>
#include <stdint.h>

#define V3_EXCP_DE	0	/* divide error */
#define V3_EXCP_DB	1	/* debug */
#define V3_EXCP_NMI	2	/* non-maskable interrupt */
#define V3_EXCP_BP	3	/* breakpoint, INT3 */
#define V3_EXCP_OF	4	/* overflow, INTO */
#define V3_EXCP_BR	5	/* BOUND range */
#define V3_EXCP_UD	6	/* invalid opcode */
#define V3_EXCP_NM	7	/* device not available */
#define V3_EXCP_DF	8	/* double fault */
#define V3_EXCP_TS	10	/* invalid TSS */
#define V3_EXCP_NP	11	/* segment not present */
#define V3_EXCP_SS	12	/* stack */
#define V3_EXCP_GP	13	/* general protection */
#define V3_EXCP_PF	14	/* page fault */
#define V3_EXCP_MF	16	/* x87 floating point */
#define V3_EXCP_AC	17	/* alignment check */
#define V3_EXCP_MC	18	/* machine check */
#define V3_EXCP_XF	19	/* SIMD floating point */
#define V3_EXCP_VE	20	/* virtualization exception, Intel */
#define V3_EXCP_CP	21	/* control protection */
#define V3_EXCP_HV	28	/* hypervisor injection, AMD */
#define V3_EXCP_VC	29	/* VMM communication, AMD */
#define V3_EXCP_SX	30	/* security, AMD */
#define V3_EXCP_COUNT	32	/* vectors 0..31 belong to exceptions */

/* Vectors that push an error code (never in real mode) */
#define V3_EXCP_ERROR_CODE_MASK \
	((1u << V3_EXCP_DF) | (1u << V3_EXCP_TS) | (1u << V3_EXCP_NP) | (1u << V3_EXCP_SS) | \
	 (1u << V3_EXCP_GP) | (1u << V3_EXCP_PF) | (1u << V3_EXCP_AC) | (1u << V3_EXCP_CP) | \
	 (1u << V3_EXCP_VC) | (1u << V3_EXCP_SX))

/* Two contributory exceptions in a row make a double fault. */
#define V3_EXCP_CONTRIBUTORY_MASK \
	((1u << V3_EXCP_DE) | (1u << V3_EXCP_TS) | (1u << V3_EXCP_NP) | (1u << V3_EXCP_SS) | \
	 (1u << V3_EXCP_GP) | (1u << V3_EXCP_CP))

enum v3_excp_class {
	V3_EXCP_CLASS_BENIGN,
	V3_EXCP_CLASS_CONTRIBUTORY,
	V3_EXCP_CLASS_PAGE_FAULT,
	V3_EXCP_CLASS_DOUBLE_FAULT,
};

static inline bool v3_excp_has_error_code(unsigned int vector)
{
	return vector < V3_EXCP_COUNT && ((V3_EXCP_ERROR_CODE_MASK >> vector) & 1);
}

static inline enum v3_excp_class v3_excp_class(unsigned int vector)
{
	if (vector == V3_EXCP_DF)
		return V3_EXCP_CLASS_DOUBLE_FAULT;
	if (vector == V3_EXCP_PF || vector == V3_EXCP_VE)
		return V3_EXCP_CLASS_PAGE_FAULT;
	if (vector < V3_EXCP_COUNT && ((V3_EXCP_CONTRIBUTORY_MASK >> vector) & 1))
		return V3_EXCP_CLASS_CONTRIBUTORY;
	return V3_EXCP_CLASS_BENIGN;
}

/*
 * What the CPU does when exception `second` arises while `first` is being delivered: `second`
 * if they are handled one after the other, V3_EXCP_DF for a double fault, -1 for a shutdown.
 */
static inline int v3_excp_combine(unsigned int first, unsigned int second)
{
	enum v3_excp_class a = v3_excp_class(first), b = v3_excp_class(second);

	if (b == V3_EXCP_CLASS_BENIGN || a == V3_EXCP_CLASS_BENIGN)
		return (int)second;
	if (a == V3_EXCP_CLASS_DOUBLE_FAULT)
		return -1;
	if (a == V3_EXCP_CLASS_CONTRIBUTORY && b == V3_EXCP_CLASS_PAGE_FAULT)
		return (int)second;
	return V3_EXCP_DF;
}

#endif
