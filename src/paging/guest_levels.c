/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/guest_levels.h"

#include "x86/cr.h"
#include "x86/pte.h"

/* The shape of the tables that the present mode has: what a level needs to know. */
struct shape {
	unsigned int top;		/* level of the root */
	unsigned int entry_size;	/* 4 or 8 */
	unsigned int index_bits;
	uint64_t root;
	bool pae;			/* legacy PAE: the root's entries carry no rights */
};

static struct shape shape_of(const struct v3_walk_cpu *cpu)
{
	if (cpu->efer & V3_EFER_LMA)
		return (struct shape){ 4, 8, V3_PT_INDEX_BITS, cpu->cr3 & V3_CR3_ADDR_MASK, false };
	if (cpu->cr4 & V3_CR4_PAE)
		return (struct shape){ 3, 8, V3_PT_INDEX_BITS,
				       cpu->cr3 & V3_CR3_PAE_ADDR_MASK, true };
	return (struct shape){ 2, 4, V3_PT_INDEX_BITS_LEGACY, cpu->cr3 & V3_PTE_ADDR_MASK_LEGACY,
			       false };
}

static unsigned int shift_of(const struct shape *shape, unsigned int level)
{
	return V3_PAGE_SHIFT + shape->index_bits * (level - 1);
}

static bool entry_read(const struct v3_walk_mem *mem, struct v3_page_level *level)
{
	const void *entry;

	if (level->entry - mem->gpa < mem->size)
		entry = mem->virt + (level->entry - mem->gpa);
	else
		entry = mem->ptr(mem->ctx, level->entry, level->size);
	if (!entry)
		return false;
	if (level->size == 8)
		level->value = __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED);
	else
		level->value = __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
	return true;
}

static bool is_leaf(const struct v3_walk_cpu *cpu, const struct shape *shape,
		    const struct v3_page_level *level)
{
	if (level->level == 1)
		return true;
	if (!(level->value & V3_PTE_PS) || level->level == 4 || (shape->pae && level->level == 3))
		return false;
	return shape->entry_size == 8 || cpu->cr4 & V3_CR4_PSE;
}

/* Bits that have to be 0 (APM2 5.3, 5.4); rights are none of them. */
static uint64_t reserved(const struct v3_walk_cpu *cpu, const struct shape *shape,
			 const struct v3_page_level *level, bool leaf)
{
	unsigned int shift = shift_of(shape, level->level);
	uint64_t mask;

	/* PAE's pointers are checked when CR3 is loaded, not by a walk. */
	if (shape->pae && level->level == 3)
		return 0;
	if (shape->entry_size == 4)
		return leaf && level->level == 2 ? 1u << 21 : 0;
	mask = V3_PTE_ADDR_MASK & ~((1ull << cpu->phys_bits) - 1);
	if (!(cpu->efer & V3_EFER_NXE))
		mask |= V3_PTE_NX;
	if (shape->pae)
		mask |= 0x7ff0000000000000ull;
	if (level->level == 4)
		mask |= V3_PTE_PS;
	if (leaf && level->level > 1)
		mask |= ((1ull << shift) - 1) & V3_PTE_ADDR_MASK & ~V3_PTE_PAT_LARGE;
	return mask;
}

static void rights_add(struct v3_page_walk *walk, const struct shape *shape,
		       const struct v3_page_level *level)
{
	if (shape->pae && level->level == 3)
		return;
	walk->writable &= level->value & V3_PTE_W ? 1 : 0;
	walk->user &= level->value & V3_PTE_U ? 1 : 0;
	if (shape->entry_size == 8 && level->value & V3_PTE_NX)
		walk->executable = 0;
}

static void finish(struct v3_page_walk *walk, const struct shape *shape,
		   const struct v3_page_level *level)
{
	unsigned int shift = shift_of(shape, level->level);
	uint64_t size = 1ull << shift, base = level->value & V3_PTE_ADDR_MASK;

	if (shape->entry_size == 4 && level->level == 2)
		base = (level->value & V3_PDE_ADDR_MASK_4M) |
		       (level->value & V3_PDE_PSE36_MASK) >> V3_PDE_PSE36_SHIFT << 32;
	walk->page_size = size;
	walk->gpa = (base & ~(size - 1)) | (walk->gva & (size - 1));
	walk->end = V3_PAGE_MAPPED;
}

/* One level; false: the walk is over. */
static bool step(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem,
		 const struct shape *shape, struct v3_page_walk *walk, uint64_t table,
		 unsigned int number)
{
	struct v3_page_level *level = &walk->levels[walk->num_levels++];
	uint64_t mask = (1ull << shape->index_bits) - 1;
	bool leaf;

	/* PAE's root has four entries, which bits 31:30 choose. */
	if (shape->pae && number == 3)
		mask = 3;
	*level = (struct v3_page_level){
		.entry = table + (walk->gva >> shift_of(shape, number) & mask) * shape->entry_size,
		.level = number, .size = shape->entry_size,
	};
	walk->end = V3_PAGE_TABLE_NOT_RAM;
	if (!entry_read(mem, level))
		return false;
	walk->end = V3_PAGE_NOT_PRESENT;
	if (!(level->value & V3_PTE_P))
		return false;
	leaf = is_leaf(cpu, shape, level);
	walk->end = V3_PAGE_RESERVED;
	if (level->value & reserved(cpu, shape, level, leaf))
		return false;
	rights_add(walk, shape, level);
	if (leaf)
		finish(walk, shape, level);
	return !leaf;
}

void v3_guest_levels(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem, v3_gva_t gva,
		     struct v3_page_walk *walk)
{
	bool long_mode = cpu->cr0 & V3_CR0_PG && cpu->efer & V3_EFER_LMA;
	struct shape shape = shape_of(cpu);
	uint64_t table = shape.root;
	unsigned int level;

	*walk = (struct v3_page_walk){ .gva = gva, .writable = 1, .user = 1, .executable = 1 };
	if (long_mode ? !v3_is_canonical(gva, 48) : gva >> 32) {
		walk->end = V3_PAGE_NOT_CANONICAL;
		return;
	}
	if (!(cpu->cr0 & V3_CR0_PG)) {
		walk->gpa = gva;
		return;
	}
	for (level = shape.top; step(cpu, mem, &shape, walk, table, level); level--)
		table = walk->levels[walk->num_levels - 1].value &
			(shape.entry_size == 8 ? V3_PTE_ADDR_MASK : V3_PTE_ADDR_MASK_LEGACY);
}
