/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel's extended page tables (EPT) as a format of the one mapper, and the EPT pointer of a VMCS.
 * SDM vol. 3 29.3 (EPT), 25.6.11 (EPTP), A.10 (IA32_VMX_EPT_VPID_CAP).
 */
#ifndef V3_PAGING_EPT_H
#define V3_PAGING_EPT_H

#include "paging/nested.h"

/* Entries */
#define V3_EPT_R		(1ULL << 0)
#define V3_EPT_W		(1ULL << 1)
#define V3_EPT_X		(1ULL << 2)	/* execute */
#define V3_EPT_MEMTYPE_SHIFT	3		/* leaves: 3 bits, V3_MEMTYPE_* but UC_MINUS */
#define V3_EPT_MEMTYPE_MASK	(7ULL << V3_EPT_MEMTYPE_SHIFT)
#define V3_EPT_IGNORE_PAT	(1ULL << 6)	/* leaves */
#define V3_EPT_LEAF		(1ULL << 7)	/* in a PDE or PDPTE: 2 MiB or 1 GiB */
#define V3_EPT_A		(1ULL << 8)	/* these two: only if the EPTP enables them */
#define V3_EPT_D		(1ULL << 9)

/* The EPT pointer */
#define V3_EPTP_WALK_4		(3ULL << 3)	/* page-walk length less one */
#define V3_EPTP_AD		(1ULL << 6)

/* What of IA32_VMX_EPT_VPID_CAP the tables depend on */
#define V3_EPT_CAP_WALK_4	(1ULL << 6)
#define V3_EPT_CAP_UC		(1ULL << 8)	/* memory types of the tables themselves */
#define V3_EPT_CAP_WB		(1ULL << 14)
#define V3_EPT_CAP_2M		(1ULL << 16)
#define V3_EPT_CAP_1G		(1ULL << 17)
#define V3_EPT_CAP_AD		(1ULL << 21)

/*
 * The format with the largest leaves that the capability allows; NULL if the CPU cannot walk four
 * levels. RAM is write-back, V3_NPT_UC uncached, and the guest's PAT has its say as on AMD; with
 * ignore_pat RAM is write-back whatever the guest's PAT says. That is for CPUs without self-snoop
 * (CPUID.1:EDX.SS), where an uncached view of memory that the host has cached is not coherent.
 */
const struct v3_nested_format *v3_ept_format(uint64_t ept_vpid_cap, bool ignore_pat);

/*
 * The EPT pointer for tables at root; 0, which no EPT pointer is, if the CPU cannot have it: no
 * walk of four levels, root not a page's address, dirty without the capability. dirty: accessed and
 * dirty flags, which make the CPU's walks of the guest's own tables count as writes (SDM vol. 3
 * 29.3.5).
 */
uint64_t v3_ept_pointer(uint64_t ept_vpid_cap, v3_hpa_t root, bool dirty);

#endif
