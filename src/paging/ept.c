/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of Intel's extended page tables (SDM vol. 3 29.3.2). */
#include "paging/ept.h"

#include "x86/msr.h"
#include "x86/pte.h"

/* A preset as in NPT; ignored unless the EPT pointer enables it, as A and D are in leaves. */
#define EPT_TABLE (V3_EPT_R | V3_EPT_W | V3_EPT_X | V3_EPT_A)

/* From the two flags of an access to those of a leaf. */
#define FLAGS_SHIFT 4
#define FLAGS (V3_NPT_ACCESSED | V3_NPT_DIRTY)
_Static_assert(V3_NPT_ACCESSED << FLAGS_SHIFT == V3_EPT_A, "one shift for both");
_Static_assert(V3_NPT_DIRTY << FLAGS_SHIFT == V3_EPT_D, "one shift for both");

static uint64_t ept_leaf(unsigned int level, unsigned int access)
{
	uint64_t bits = V3_EPT_R | (access & FLAGS) << FLAGS_SHIFT;

	if (access & V3_NPT_W)
		bits |= V3_EPT_W;
	if (access & V3_NPT_X)
		bits |= V3_EPT_X;
	if (access & V3_NPT_UC)
		bits |= (uint64_t)V3_MEMTYPE_UC << V3_EPT_MEMTYPE_SHIFT;
	else
		bits |= (uint64_t)V3_MEMTYPE_WB << V3_EPT_MEMTYPE_SHIFT;
	if (level > 1)
		bits |= V3_EPT_LEAF;
	return bits;
}

static uint64_t ept_leaf_ignore_pat(unsigned int level, unsigned int access)
{
	uint64_t bits = ept_leaf(level, access);

	return access & V3_NPT_UC ? bits : bits | V3_EPT_IGNORE_PAT;
}

static unsigned int ept_access(uint64_t entry)
{
	unsigned int access = V3_NPT_R | (entry >> FLAGS_SHIFT & FLAGS);

	if (!(entry & V3_EPT_R))
		return 0;
	if (entry & V3_EPT_W)
		access |= V3_NPT_W;
	if (entry & V3_EPT_X)
		access |= V3_NPT_X;
	if ((entry & V3_EPT_MEMTYPE_MASK) >> V3_EPT_MEMTYPE_SHIFT == V3_MEMTYPE_UC)
		access |= V3_NPT_UC;
	return access;
}

static bool ept_is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || entry & V3_EPT_LEAF;
}

#define EPT_FORMAT(leaf_fn, level) { \
	.table = EPT_TABLE, .leaf = leaf_fn, .access = ept_access, .is_leaf = ept_is_leaf, \
	.max_leaf = level, \
}

/* By largest leaf. */
static const struct v3_nested_format formats[2][3] = {
	{ EPT_FORMAT(ept_leaf, 1), EPT_FORMAT(ept_leaf, 2), EPT_FORMAT(ept_leaf, 3) },
	{ EPT_FORMAT(ept_leaf_ignore_pat, 1), EPT_FORMAT(ept_leaf_ignore_pat, 2),
	  EPT_FORMAT(ept_leaf_ignore_pat, 3) },
};

const struct v3_nested_format *v3_ept_format(uint64_t ept_vpid_cap, bool ignore_pat)
{
	unsigned int largest = 1;

	if (!(ept_vpid_cap & V3_EPT_CAP_WALK_4))
		return NULL;
	if (ept_vpid_cap & V3_EPT_CAP_2M)
		largest = ept_vpid_cap & V3_EPT_CAP_1G ? 3 : 2;
	return &formats[ignore_pat][largest - 1];
}

uint64_t v3_ept_pointer(uint64_t ept_vpid_cap, v3_hpa_t root, bool dirty)
{
	uint64_t type = V3_MEMTYPE_WB;

	if (!(ept_vpid_cap & V3_EPT_CAP_WALK_4) || root & ~V3_PTE_ADDR_MASK)
		return 0;
	if (!(ept_vpid_cap & V3_EPT_CAP_WB)) {
		if (!(ept_vpid_cap & V3_EPT_CAP_UC))
			return 0;
		type = V3_MEMTYPE_UC;
	}
	if (dirty && !(ept_vpid_cap & V3_EPT_CAP_AD))
		return 0;
	return root | type | V3_EPTP_WALK_4 | (dirty ? V3_EPTP_AD : 0);
}
