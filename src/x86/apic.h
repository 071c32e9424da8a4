/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local APIC and I/O APIC registers.
 * APM2 16.3 to 16.6; SDM vol. 3 11.4 to 11.6; Intel 82093AA data sheet, section 3 (I/O APIC).
 */
#ifndef V3_X86_APIC_H
#define V3_X86_APIC_H

#include <stdint.h>

/* Local APIC: byte offsets in its 4 KiB page; 32-bit registers, 16 bytes apart */
#define V3_APIC_DEFAULT_BASE	0xfee00000ULL
#define V3_APIC_SIZE		0x1000u
#define V3_APIC_ID		0x020
#define V3_APIC_VERSION		0x030
#define V3_APIC_TPR		0x080
#define V3_APIC_APR		0x090
#define V3_APIC_PPR		0x0a0
#define V3_APIC_EOI		0x0b0
#define V3_APIC_RRR		0x0c0
#define V3_APIC_LDR		0x0d0
#define V3_APIC_DFR		0x0e0
#define V3_APIC_SVR		0x0f0
#define V3_APIC_ISR		0x100	/* 8 registers of 32 vectors each, like TMR and IRR */
#define V3_APIC_TMR		0x180
#define V3_APIC_IRR		0x200
#define V3_APIC_ESR		0x280
#define V3_APIC_LVT_CMCI	0x2f0
#define V3_APIC_ICR_LOW		0x300
#define V3_APIC_ICR_HIGH	0x310
#define V3_APIC_LVT_TIMER	0x320
#define V3_APIC_LVT_THERMAL	0x330
#define V3_APIC_LVT_PERF	0x340
#define V3_APIC_LVT_LINT0	0x350
#define V3_APIC_LVT_LINT1	0x360
#define V3_APIC_LVT_ERROR	0x370
#define V3_APIC_TIMER_INITIAL	0x380
#define V3_APIC_TIMER_CURRENT	0x390
#define V3_APIC_TIMER_DIVIDE	0x3e0
#define V3_APIC_SELF_IPI	0x3f0	/* x2APIC only */

#define V3_APIC_ID_SHIFT		24	/* xAPIC: ID, LDR and ICR destination */
#define V3_APIC_VERSION_MAX_LVT_SHIFT	16
#define V3_APIC_DFR_FLAT		0xffffffffu
#define V3_APIC_DFR_CLUSTER		0x0fffffffu
#define V3_APIC_SVR_ENABLE		(1u << 8)
#define V3_APIC_SVR_FOCUS_DISABLE	(1u << 9)
#define V3_APIC_SVR_EOI_SUPPRESS	(1u << 12)
#define V3_APIC_SVR_RESET		0xffu

/* Error status register */
#define V3_APIC_ESR_SEND_ACCEPT		(1u << 2)
#define V3_APIC_ESR_RECV_ACCEPT		(1u << 3)
#define V3_APIC_ESR_SEND_ILLEGAL	(1u << 5)
#define V3_APIC_ESR_RECV_ILLEGAL	(1u << 6)
#define V3_APIC_ESR_ILLEGAL_REG		(1u << 7)

/* Local vector table entries */
#define V3_APIC_LVT_VECTOR_MASK		0xffu
#define V3_APIC_LVT_MODE_SHIFT		8	/* delivery mode, V3_APIC_DM_* */
#define V3_APIC_LVT_MODE_MASK		(7u << V3_APIC_LVT_MODE_SHIFT)
#define V3_APIC_LVT_PENDING		(1u << 12)	/* read-only */
#define V3_APIC_LVT_ACTIVE_LOW		(1u << 13)	/* LINT0 and LINT1 */
#define V3_APIC_LVT_REMOTE_IRR		(1u << 14)	/* LINT0 and LINT1, read-only */
#define V3_APIC_LVT_LEVEL		(1u << 15)	/* LINT0 and LINT1 */
#define V3_APIC_LVT_MASKED		(1u << 16)
#define V3_APIC_TIMER_MODE_MASK		(3u << 17)
#define V3_APIC_TIMER_ONESHOT		(0u << 17)
#define V3_APIC_TIMER_PERIODIC		(1u << 17)
#define V3_APIC_TIMER_DEADLINE		(2u << 17)
#define V3_APIC_TIMER_DIVIDE_MASK	0xbu	/* bits 0, 1 and 3 */

/* Interrupt command register */
#define V3_APIC_ICR_VECTOR_MASK		0xffu
#define V3_APIC_ICR_MODE_SHIFT		8
#define V3_APIC_ICR_MODE_MASK		(7u << V3_APIC_ICR_MODE_SHIFT)
#define V3_APIC_ICR_LOGICAL		(1u << 11)
#define V3_APIC_ICR_PENDING		(1u << 12)	/* xAPIC, read-only */
#define V3_APIC_ICR_ASSERT		(1u << 14)
#define V3_APIC_ICR_LEVEL		(1u << 15)
#define V3_APIC_ICR_SHORTHAND_SHIFT	18
#define V3_APIC_ICR_SHORTHAND_MASK	(3u << V3_APIC_ICR_SHORTHAND_SHIFT)
#define V3_APIC_ICR_NO_SHORTHAND	(0u << V3_APIC_ICR_SHORTHAND_SHIFT)
#define V3_APIC_ICR_SELF		(1u << V3_APIC_ICR_SHORTHAND_SHIFT)
#define V3_APIC_ICR_ALL			(2u << V3_APIC_ICR_SHORTHAND_SHIFT)
#define V3_APIC_ICR_ALL_BUT_SELF	(3u << V3_APIC_ICR_SHORTHAND_SHIFT)

/* Delivery modes of ICR, LVT entries and I/O APIC entries */
#define V3_APIC_DM_FIXED	0
#define V3_APIC_DM_LOWEST	1
#define V3_APIC_DM_SMI		2
#define V3_APIC_DM_NMI		4
#define V3_APIC_DM_INIT		5
#define V3_APIC_DM_STARTUP	6
#define V3_APIC_DM_EXTINT	7

/* I/O APIC: two memory-mapped registers select and access the others */
#define V3_IOAPIC_DEFAULT_BASE		0xfec00000ULL
#define V3_IOAPIC_SIZE			0x1000u
#define V3_IOAPIC_MMIO_INDEX		0x00
#define V3_IOAPIC_MMIO_DATA		0x10
#define V3_IOAPIC_MMIO_EOI		0x40	/* version 0x20 and later */
#define V3_IOAPIC_REG_ID		0x00
#define V3_IOAPIC_REG_VERSION		0x01
#define V3_IOAPIC_REG_ARB		0x02
#define V3_IOAPIC_REG_REDIR(n)		(0x10 + 2 * (n))	/* low half; high half + 1 */
#define V3_IOAPIC_ID_SHIFT		24
#define V3_IOAPIC_VERSION_MAX_SHIFT	16	/* number of entries - 1 */

/* I/O APIC redirection entry, as one 64-bit value */
#define V3_IOAPIC_VECTOR_MASK		0xffULL
#define V3_IOAPIC_MODE_SHIFT		8
#define V3_IOAPIC_MODE_MASK		(7ULL << V3_IOAPIC_MODE_SHIFT)
#define V3_IOAPIC_LOGICAL		(1ULL << 11)
#define V3_IOAPIC_PENDING		(1ULL << 12)	/* read-only */
#define V3_IOAPIC_ACTIVE_LOW		(1ULL << 13)
#define V3_IOAPIC_REMOTE_IRR		(1ULL << 14)	/* read-only */
#define V3_IOAPIC_LEVEL			(1ULL << 15)
#define V3_IOAPIC_MASKED		(1ULL << 16)
#define V3_IOAPIC_DEST_SHIFT		56
#define V3_IOAPIC_DEST_MASK		(0xffULL << V3_IOAPIC_DEST_SHIFT)

#endif
