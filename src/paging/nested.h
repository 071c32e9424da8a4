/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builder of nested page tables: one mapper for NPT and EPT, told apart by a format table.
 * Tables are always four levels; leaves as large as alignment allows.
 */
#ifndef V3_PAGING_NESTED_H
#define V3_PAGING_NESTED_H

#include <v3/types.h>

/* Access that a mapping grants. Read is always included; a mapping of 0 is no mapping. */
#define V3_NPT_R 1u
#define V3_NPT_W 2u
#define V3_NPT_X 4u
#define V3_NPT_RWX 7u
/* Uncached memory type (device memory passed through). */
#define V3_NPT_UC 8u
/*
 * What the CPU has found of a leaf, as v3_nested_lookup() tells it: accessed, and written to, since
 * it was mapped; the smaller leaves of one that is split inherit both. Without the third the CPU
 * does not say.
 */
#define V3_NPT_ACCESSED 0x10u
#define V3_NPT_DIRTY 0x20u
#define V3_NPT_TRACKED 0x40u

/* How entries look. Levels: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB, 4 = 512 GiB (never a leaf). */
struct v3_nested_format {
	/* Bits of an entry that points to a table. */
	uint64_t table;
	/* Bits of a leaf at a level with the access, without the address. */
	uint64_t (*leaf)(unsigned int level, unsigned int access);
	/* Access that a leaf grants; 0 if the entry is not present. */
	unsigned int (*access)(uint64_t entry);
	bool (*is_leaf)(uint64_t entry, unsigned int level);
	/* Largest leaf level the CPU has: 1, 2 or 3. */
	unsigned int max_leaf;
};

/* Where table pages come from. alloc may sleep; the others may not. */
struct v3_nested_mem {
	/* A zeroed page, or an error. */
	enum v3_status (*alloc)(void *ctx, v3_hpa_t *hpa);
	void (*free)(void *ctx, v3_hpa_t hpa);
	void *(*to_virt)(void *ctx, v3_hpa_t hpa);
	void *ctx;
};

struct v3_nested {
	const struct v3_nested_format *format;
	struct v3_nested_mem mem;
	v3_hpa_t root;
	/* Table pages in use, the root included. */
	uint64_t table_pages;
	/* Bytes mapped by leaves of level 1, 2, 3; there are none of level 4. */
	uint64_t leaf_bytes[5];
	/* V3_NPT_TRACKED, or 0: whether CPUs set the flags. The owner's to set. */
	unsigned int tracked;
	/*
	 * A copy of the table of level 3 for the first 512 GiB that CPUs use, too, its owner's to
	 * make; or V3_HPA_NONE. Its leaves have flags of their own, and are split with the others.
	 * Tables below are shared.
	 */
	v3_hpa_t twin;
};

/* What maps an address. */
struct v3_nested_leaf {
	v3_hpa_t hpa;		/* of the address itself, not of the leaf's start */
	unsigned int level;
	unsigned int access;
};

/* Allocates the root. Process context. */
enum v3_status v3_nested_init(struct v3_nested *nested, const struct v3_nested_format *format,
			      const struct v3_nested_mem *mem);
/* Frees all tables; harmless after a failed init. */
void v3_nested_destroy(struct v3_nested *nested);

/*
 * Maps [gpa, gpa+size) to hpa, all multiples of 4 KiB, replacing what was there; larger leaves
 * are split where needed. On V3_ERR_NOMEM part of the range may have been mapped.
 * The caller flushes the TLBs of vCPUs that may have run, and keeps calls apart.
 */
enum v3_status v3_nested_map(struct v3_nested *nested, v3_gpa_t gpa, v3_hpa_t hpa, uint64_t size,
			     unsigned int access);
/* Removes the mapping of a range, splitting larger leaves. Same rules. */
enum v3_status v3_nested_unmap(struct v3_nested *nested, v3_gpa_t gpa, uint64_t size);
/* What maps gpa; false if nothing does. */
bool v3_nested_lookup(const struct v3_nested *nested, v3_gpa_t gpa, struct v3_nested_leaf *leaf);

/*
 * Intel's formats are in ept.h. AMD nested paging: ordinary long-mode entries, walked as user
 * accesses (APM2 15.25.5).
 */
extern const struct v3_nested_format v3_npt_format_1g, v3_npt_format_2m;

#endif
