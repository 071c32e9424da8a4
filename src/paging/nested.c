/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/nested.h"

#include "x86/pte.h"

#define TOP_LEVEL 4u
/* Guest-physical addresses that four levels reach. */
#define GPA_LIMIT (1ull << 48)

static unsigned int level_shift(unsigned int level)
{
	return V3_PAGE_SHIFT + V3_PT_INDEX_BITS * (level - 1);
}

static uint64_t level_size(unsigned int level)
{
	return 1ull << level_shift(level);
}

static uint64_t *table_virt(const struct v3_nested *nested, v3_hpa_t hpa)
{
	return nested->mem.to_virt(nested->mem.ctx, hpa);
}

static bool entry_present(const struct v3_nested *nested, uint64_t entry)
{
	return nested->format->access(entry) != 0;
}

static enum v3_status table_alloc(struct v3_nested *nested, v3_hpa_t *hpa)
{
	enum v3_status status = nested->mem.alloc(nested->mem.ctx, hpa);

	if (status == V3_OK)
		nested->table_pages++;
	return status;
}

static void table_free(struct v3_nested *nested, v3_hpa_t hpa)
{
	nested->mem.free(nested->mem.ctx, hpa);
	nested->table_pages--;
}

/* Frees the table at a level and all below it; recursion is at most three deep. */
static void tree_free(struct v3_nested *nested, v3_hpa_t hpa, unsigned int level)
{
	uint64_t *table = table_virt(nested, hpa);
	unsigned int i;

	for (i = 0; i < V3_PT_ENTRIES; i++) {
		if (!entry_present(nested, table[i]))
			continue;
		if (level == 1 || nested->format->is_leaf(table[i], level))
			nested->leaf_bytes[level] -= level_size(level);
		else
			tree_free(nested, table[i] & V3_PTE_ADDR_MASK, level - 1);
	}
	table_free(nested, hpa);
}

enum v3_status v3_nested_init(struct v3_nested *nested, const struct v3_nested_format *format,
			      const struct v3_nested_mem *mem)
{
	*nested = (struct v3_nested){ .format = format, .mem = *mem, .root = V3_HPA_NONE,
				      .twin = V3_HPA_NONE };
	return table_alloc(nested, &nested->root);
}

void v3_nested_destroy(struct v3_nested *nested)
{
	if (nested->format && nested->root != V3_HPA_NONE)
		tree_free(nested, nested->root, TOP_LEVEL);
	nested->root = V3_HPA_NONE;
}

/* The entry for gpa at a level in the twin; NULL if there is none of its own. */
static uint64_t *twin_entry(const struct v3_nested *nested, v3_gpa_t gpa, unsigned int level)
{
	if (nested->twin == V3_HPA_NONE || level != TOP_LEVEL - 1 || gpa >= level_size(TOP_LEVEL))
		return NULL;
	return &table_virt(nested, nested->twin)[V3_PT_INDEX(gpa, level)];
}

/* Replaces the leaf in *entry by a table of smaller leaves that map the same. */
static enum v3_status leaf_split(struct v3_nested *nested, uint64_t *entry, v3_gpa_t gpa,
				 unsigned int level)
{
	const struct v3_nested_format *format = nested->format;
	uint64_t *twin = twin_entry(nested, gpa, level);
	unsigned int access = format->access(*entry | (twin ? *twin : 0)), i;
	v3_hpa_t base = *entry & V3_PTE_ADDR_MASK & ~(level_size(level) - 1), hpa;
	uint64_t *table, bits = format->leaf(level - 1, access);
	enum v3_status status = table_alloc(nested, &hpa);

	if (status != V3_OK)
		return status;
	table = table_virt(nested, hpa);
	for (i = 0; i < V3_PT_ENTRIES; i++)
		table[i] = (base + i * level_size(level - 1)) | bits;
	nested->leaf_bytes[level] -= level_size(level);
	nested->leaf_bytes[level - 1] += level_size(level);
	/* Hardware may walk this now: the new table is complete before it is linked. */
	__atomic_store_n(entry, hpa | format->table, __ATOMIC_RELEASE);
	if (twin)
		__atomic_store_n(twin, hpa | format->table, __ATOMIC_RELEASE);
	return V3_OK;
}

/* The table below *entry, made if it is not there. */
static enum v3_status table_below(struct v3_nested *nested, uint64_t *entry, v3_gpa_t gpa,
				  unsigned int level, uint64_t **table)
{
	enum v3_status status;
	v3_hpa_t hpa;

	if (!entry_present(nested, *entry)) {
		status = table_alloc(nested, &hpa);
		if (status != V3_OK)
			return status;
		__atomic_store_n(entry, hpa | nested->format->table, __ATOMIC_RELEASE);
	} else if (nested->format->is_leaf(*entry, level)) {
		status = leaf_split(nested, entry, gpa, level);
		if (status != V3_OK)
			return status;
	}
	*table = table_virt(nested, *entry & V3_PTE_ADDR_MASK);
	return V3_OK;
}

/* Takes out whatever *entry holds. */
static void entry_clear(struct v3_nested *nested, uint64_t *entry, unsigned int level)
{
	uint64_t old = *entry;

	if (!entry_present(nested, old))
		return;
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	if (nested->format->is_leaf(old, level))
		nested->leaf_bytes[level] -= level_size(level);
	else
		tree_free(nested, old & V3_PTE_ADDR_MASK, level - 1);
}

/* Whether [gpa, gpa+size) may begin with one leaf of this level. */
static bool leaf_fits(const struct v3_nested *nested, v3_gpa_t gpa, v3_hpa_t hpa, uint64_t size,
		      unsigned int level)
{
	return level <= nested->format->max_leaf && size >= level_size(level) &&
	       !((gpa | hpa) & (level_size(level) - 1));
}

/*
 * Sets one entry for gpa, at the highest level that fits, and tells how many bytes it covers.
 * access 0 clears: there hpa is gpa, so that only the alignment of gpa counts.
 */
static enum v3_status set_one(struct v3_nested *nested, v3_gpa_t gpa, v3_hpa_t hpa, uint64_t size,
			      unsigned int access, uint64_t *done)
{
	uint64_t *table = table_virt(nested, nested->root), *entry;
	unsigned int level;
	enum v3_status status;

	for (level = TOP_LEVEL;; level--) {
		entry = &table[V3_PT_INDEX(gpa, level)];
		if (leaf_fits(nested, gpa, hpa, size, level))
			break;
		if (!access && !entry_present(nested, *entry)) {
			*done = level_size(level) - (gpa & (level_size(level) - 1));
			return V3_OK;
		}
		status = table_below(nested, entry, gpa, level, &table);
		if (status != V3_OK)
			return status;
	}
	entry_clear(nested, entry, level);
	if (access) {
		nested->leaf_bytes[level] += level_size(level);
		__atomic_store_n(entry, hpa | nested->format->leaf(level, access),
				 __ATOMIC_RELEASE);
	}
	*done = level_size(level);
	return V3_OK;
}

static enum v3_status set_range(struct v3_nested *nested, v3_gpa_t gpa, v3_hpa_t hpa,
				uint64_t size, unsigned int access)
{
	uint64_t done;
	enum v3_status status;

	if ((gpa | hpa | size) & V3_PAGE_MASK || gpa >= GPA_LIMIT || size > GPA_LIMIT - gpa)
		return V3_ERR_INVALID;
	while (size) {
		status = set_one(nested, gpa, hpa, size, access, &done);
		if (status != V3_OK)
			return status;
		if (done > size)
			done = size;
		gpa += done;
		hpa += done;
		size -= done;
	}
	return V3_OK;
}

enum v3_status v3_nested_map(struct v3_nested *nested, v3_gpa_t gpa, v3_hpa_t hpa, uint64_t size,
			     unsigned int access)
{
	const v3_hpa_t limit = V3_PTE_ADDR_MASK + V3_PAGE_SIZE;

	if (!(access & V3_NPT_R) || hpa >= limit || size > limit - hpa)
		return V3_ERR_INVALID;
	return set_range(nested, gpa, hpa, size, access);
}

enum v3_status v3_nested_unmap(struct v3_nested *nested, v3_gpa_t gpa, uint64_t size)
{
	return set_range(nested, gpa, gpa, size, 0);
}

bool v3_nested_lookup(const struct v3_nested *nested, v3_gpa_t gpa, struct v3_nested_leaf *leaf)
{
	const uint64_t *table = table_virt(nested, nested->root), *twin;
	unsigned int level;
	uint64_t entry;

	if (gpa >= GPA_LIMIT)
		return false;
	for (level = TOP_LEVEL;; level--) {
		entry = table[V3_PT_INDEX(gpa, level)];
		if (!entry_present(nested, entry))
			return false;
		if (nested->format->is_leaf(entry, level))
			break;
		table = table_virt(nested, entry & V3_PTE_ADDR_MASK);
	}
	leaf->hpa = (entry & V3_PTE_ADDR_MASK & ~(level_size(level) - 1)) |
		    (gpa & (level_size(level) - 1));
	leaf->level = level;
	twin = twin_entry(nested, gpa, level);
	leaf->access = nested->format->access(entry | (twin ? *twin : 0)) | nested->tracked;
	return true;
}
