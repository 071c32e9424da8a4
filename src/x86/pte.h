/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page-table entries, page sizes and page-fault error codes.
 * APM2 5.3, 5.4 (entries), 8.4.2 (error code), 15.25.6 (nested page fault); SDM vol. 3 4.5.
 */
#ifndef V3_X86_PTE_H
#define V3_X86_PTE_H

#include <v3/types.h>	/* V3_PAGE_SHIFT, V3_PAGE_SIZE */

#define V3_PAGE_MASK		(V3_PAGE_SIZE - 1)	/* offset inside a page */
#define V3_PAGE_SHIFT_4K	12
#define V3_PAGE_SHIFT_2M	21
#define V3_PAGE_SHIFT_4M	22	/* legacy 32-bit paging with CR4.PSE */
#define V3_PAGE_SHIFT_1G	30
#define V3_PAGE_SHIFT_512G	39	/* what one PML4 entry spans; never a page */
#define V3_PAGE_SIZE_4K		(1ULL << V3_PAGE_SHIFT_4K)
#define V3_PAGE_SIZE_2M		(1ULL << V3_PAGE_SHIFT_2M)
#define V3_PAGE_SIZE_4M		(1ULL << V3_PAGE_SHIFT_4M)
#define V3_PAGE_SIZE_1G		(1ULL << V3_PAGE_SHIFT_1G)

#define V3_PTE_P		(1ULL << 0)	/* present */
#define V3_PTE_W		(1ULL << 1)	/* writable */
#define V3_PTE_U		(1ULL << 2)	/* user; nested tables must set it, APM2 15.25.5 */
#define V3_PTE_PWT		(1ULL << 3)
#define V3_PTE_PCD		(1ULL << 4)
#define V3_PTE_A		(1ULL << 5)	/* accessed */
#define V3_PTE_D		(1ULL << 6)	/* dirty, leaves only */
#define V3_PTE_PS		(1ULL << 7)	/* leaf, in a PDE or PDPE */
#define V3_PTE_PAT_4K		(1ULL << 7)	/* PAT bit of a 4 KiB leaf */
#define V3_PTE_G		(1ULL << 8)	/* global, leaves only */
#define V3_PTE_AVL_MASK		(7ULL << 9)	/* left to software */
#define V3_PTE_PAT_LARGE	(1ULL << 12)	/* PAT bit of a large leaf */
#define V3_PTE_PK_SHIFT		59		/* protection key, 4 bits, leaves only */
#define V3_PTE_PK_MASK		(15ULL << V3_PTE_PK_SHIFT)
#define V3_PTE_NX		(1ULL << 63)	/* reserved unless EFER.NXE */

#define V3_PTE_ADDR_MASK	0x000ffffffffff000ULL	/* 51:12 */
#define V3_PTE_ADDR_MASK_2M	0x000fffffffe00000ULL
#define V3_PTE_ADDR_MASK_1G	0x000fffffc0000000ULL
#define V3_PTE_ADDR_MASK_LEGACY	0x00000000fffff000ULL	/* 32-bit entries */
#define V3_PDE_ADDR_MASK_4M	0x00000000ffc00000ULL
#define V3_PDE_PSE36_SHIFT	13	/* 4 MiB leaf: bits 20:13 are address bits 39:32 */
#define V3_PDE_PSE36_MASK	(0xffULL << V3_PDE_PSE36_SHIFT)

/* Legacy PAE page-directory-pointer entries: only P, PWT, PCD, AVL and the address exist. */
#define V3_PDPE_PAE_RSVD_LOW	0x1e6ULL

#define V3_PT_INDEX_BITS	9	/* long mode and PAE: 512 8-byte entries */
#define V3_PT_ENTRIES		512
#define V3_PT_INDEX_BITS_LEGACY	10	/* 32-bit paging: 1024 4-byte entries */
#define V3_PT_ENTRIES_LEGACY	1024

/* Index of va in the table of the given level: 1 = PT ... 4 = PML4, 5 = PML5. */
#define V3_PT_INDEX(va, level) \
	((unsigned int)(((uint64_t)(va) >> (V3_PAGE_SHIFT + V3_PT_INDEX_BITS * ((level) - 1))) & \
			(V3_PT_ENTRIES - 1)))

/* Page-fault error code, APM2 8.4.2 */
#define V3_PFEC_P		(1ULL << 0)	/* protection violation, not a missing page */
#define V3_PFEC_W		(1ULL << 1)	/* write */
#define V3_PFEC_U		(1ULL << 2)	/* CPL 3 */
#define V3_PFEC_RSVD		(1ULL << 3)	/* reserved bit set in an entry */
#define V3_PFEC_I		(1ULL << 4)	/* instruction fetch */
#define V3_PFEC_PK		(1ULL << 5)	/* protection key */
#define V3_PFEC_SS		(1ULL << 6)	/* shadow stack */
/* Only in EXITINFO1 of a nested page fault, APM2 15.25.6 */
#define V3_PFEC_NPF_FINAL	(1ULL << 32)	/* at the guest's final physical address */
#define V3_PFEC_NPF_WALK	(1ULL << 33)	/* while walking the guest's page tables */

/* A canonical address has bits 63:47 (63:56 with LA57) all equal. APM2 1.1.3 */
static inline int v3_is_canonical(uint64_t va, unsigned int va_bits)
{
	uint64_t high = va >> (va_bits - 1);

	return high == 0 || high == (~0ULL >> (va_bits - 1));
}

#endif
