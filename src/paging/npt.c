/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of AMD's nested page tables: long-mode entries (APM2 15.25.5). */
#include "paging/nested.h"
#include "x86/pte.h"

/*
 * The nested walk is a user access, so every entry has U; A preset where nobody asks for it saves
 * the CPU a write.
 */
#define NPT_TABLE (V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_A)

/* From the two flags of an access to those of a leaf. */
#define FLAGS_SHIFT 1
#define FLAGS (V3_NPT_ACCESSED | V3_NPT_DIRTY)
_Static_assert(V3_NPT_ACCESSED << FLAGS_SHIFT == V3_PTE_A, "one shift for both");
_Static_assert(V3_NPT_DIRTY << FLAGS_SHIFT == V3_PTE_D, "one shift for both");

static uint64_t npt_leaf(unsigned int level, unsigned int access)
{
	uint64_t bits = V3_PTE_P | V3_PTE_U | (access & FLAGS) << FLAGS_SHIFT;

	if (access & V3_NPT_W)
		bits |= V3_PTE_W;
	if (!(access & V3_NPT_X))
		bits |= V3_PTE_NX;
	if (access & V3_NPT_UC)
		bits |= V3_PTE_PCD | V3_PTE_PWT;
	if (level > 1)
		bits |= V3_PTE_PS;
	return bits;
}

static unsigned int npt_access(uint64_t entry)
{
	unsigned int access = V3_NPT_R | (entry >> FLAGS_SHIFT & FLAGS);

	if (!(entry & V3_PTE_P))
		return 0;
	if (entry & V3_PTE_W)
		access |= V3_NPT_W;
	if (!(entry & V3_PTE_NX))
		access |= V3_NPT_X;
	if (entry & V3_PTE_PCD)
		access |= V3_NPT_UC;
	return access;
}

static bool npt_is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || entry & V3_PTE_PS;
}

const struct v3_nested_format v3_npt_format_1g = {
	.table = NPT_TABLE, .leaf = npt_leaf, .access = npt_access, .is_leaf = npt_is_leaf,
	.max_leaf = 3,
};
const struct v3_nested_format v3_npt_format_2m = {
	.table = NPT_TABLE, .leaf = npt_leaf, .access = npt_access, .is_leaf = npt_is_leaf,
	.max_leaf = 2,
};
