/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/guest_walk.h"

#include "x86/cr.h"
#include "x86/pte.h"

/* What a walk needs all the way. */
struct walk {
	const struct v3_walk_cpu *cpu;
	const struct v3_walk_mem *mem;
	unsigned int access;
	bool user;		/* a user access: CPL 3, and not to system structures */
};

/* Bits of the entries on the way: those that all had, and those that any had. */
struct rights {
	uint64_t all, any;
};

static inline void *table_ptr(const struct v3_walk_mem *mem, v3_gpa_t gpa, size_t len)
{
	if (gpa - mem->gpa < mem->size)
		return mem->virt + (gpa - mem->gpa);
	return mem->ptr(mem->ctx, gpa, len);
}

static enum v3_walk_status walk_fault(const struct walk *walk, struct v3_walk_result *result,
				      uint32_t error)
{
	const struct v3_walk_cpu *cpu = walk->cpu;

	if (walk->access & V3_WALK_WRITE)
		error |= V3_PFEC_W;
	if (walk->user)
		error |= V3_PFEC_U;
	/* The bit is only defined with NX, which needs PAE, or SMEP (APM2 8.4.2). */
	if (walk->access & V3_WALK_FETCH &&
	    ((cpu->efer & V3_EFER_NXE && cpu->cr4 & V3_CR4_PAE) || cpu->cr4 & V3_CR4_SMEP))
		error |= V3_PFEC_I;
	result->error = error;
	return V3_WALK_FAULT;
}

/* Supervisor access to a user page, after the write check. */
static inline bool supervisor_ok(const struct walk *walk, struct rights rights)
{
	const struct v3_walk_cpu *cpu = walk->cpu;

	if (!(rights.all & V3_PTE_U))
		return true;
	if (walk->access & V3_WALK_FETCH)
		return !(cpu->cr4 & V3_CR4_SMEP);
	if (!(cpu->cr4 & V3_CR4_SMAP))
		return true;
	/* SMAP: RFLAGS.AC allows explicit accesses at CPL < 3 (APM2 5.6.6). */
	return !(walk->access & V3_WALK_SYSTEM) && cpu->rflags & V3_RFLAGS_AC;
}

static inline bool access_ok(const struct walk *walk, struct rights rights)
{
	if (walk->access & V3_WALK_FETCH && rights.any & V3_PTE_NX)
		return false;
	if (walk->access & V3_WALK_WRITE && !(rights.all & V3_PTE_W) &&
	    (walk->user || walk->cpu->cr0 & V3_CR0_WP))
		return false;
	return walk->user ? rights.all & V3_PTE_U : supervisor_ok(walk, rights);
}

/* Bits the CPU sets in an entry: A, and D in the leaf of a write. */
static uint64_t ad_bits(const struct walk *walk, bool leaf)
{
	if (walk->access & V3_WALK_NO_AD)
		return 0;
	return leaf && walk->access & V3_WALK_WRITE ? V3_PTE_A | V3_PTE_D : V3_PTE_A;
}

/* As the CPU does: atomically, and only if needed. */
static inline void set_ad64(uint64_t *entry, uint64_t value, uint64_t bits)
{
	if (bits & ~value)
		__atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

static inline void set_ad32(uint32_t *entry, uint32_t value, uint32_t bits)
{
	if (bits & ~value)
		__atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

/* Bits that no entry may have set, whatever its level. */
static uint64_t reserved_everywhere(const struct v3_walk_cpu *cpu)
{
	uint64_t mask = V3_PTE_ADDR_MASK & ~((1ull << cpu->phys_bits) - 1);

	if (!(cpu->efer & V3_EFER_NXE))
		mask |= V3_PTE_NX;
	if (!(cpu->efer & V3_EFER_LMA))
		mask |= 0x7ff0000000000000ull;	/* PAE: 62:52 are reserved */
	return mask;
}

/* Address bits below the size of a large leaf, but for PAT at bit 12. */
static uint64_t reserved_in_leaf(unsigned int shift)
{
	return ((1ull << shift) - 1) & V3_PTE_ADDR_MASK & ~V3_PTE_PAT_LARGE;
}

static enum v3_walk_status finish(v3_gva_t gva, uint64_t base, unsigned int shift,
				  struct v3_walk_result *result)
{
	uint64_t offset = gva & ((1ull << shift) - 1);

	result->gpa = (base & ~((1ull << shift) - 1)) + offset;
	result->left = (1ull << shift) - offset;
	result->error = 0;
	return V3_WALK_OK;
}

/*
 * Walks 8-byte entries from a table whose entries span 1 << shift bytes (39: long mode; 21: below
 * PAE's pointers). On the path of each emulated instruction: one test per level for all that can be
 * wrong.
 */
static enum v3_walk_status walk64(const struct walk *walk, uint64_t table, unsigned int shift,
				  v3_gva_t gva, struct v3_walk_result *result)
{
	const uint64_t reserved = reserved_everywhere(walk->cpu), ad = ad_bits(walk, false);
	const struct v3_walk_mem *const mem = walk->mem;
	struct rights rights = { ~0ull, 0 };
	uint64_t *entry, value;

	for (;;) {
		v3_gpa_t gpa = table + (gva >> shift << 3 & 0xff8);

		entry = table_ptr(mem, gpa, 8);
		if (!entry) {
			result->gpa = gpa;
			return V3_WALK_NOT_RAM;
		}
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if ((value & (reserved | V3_PTE_P)) != V3_PTE_P)
			return walk_fault(walk, result,
					  value & V3_PTE_P ? V3_PFEC_P | V3_PFEC_RSVD : 0);
		rights.all &= value;
		rights.any |= value;
		if (value & V3_PTE_PS || shift == V3_PAGE_SHIFT)
			break;
		if (ad & ~value)
			__atomic_fetch_or(entry, ad, __ATOMIC_SEQ_CST);
		table = value & V3_PTE_ADDR_MASK;
		shift -= V3_PT_INDEX_BITS;
	}
	if (shift == V3_PAGE_SHIFT_512G || value & reserved_in_leaf(shift))
		return walk_fault(walk, result, V3_PFEC_P | V3_PFEC_RSVD);
	if (!access_ok(walk, rights))
		return walk_fault(walk, result, V3_PFEC_P);
	set_ad64(entry, value, ad_bits(walk, true));
	return finish(gva, value & V3_PTE_ADDR_MASK, shift, result);
}

static enum v3_walk_status walk_pae(const struct walk *walk, v3_gva_t gva,
				    struct v3_walk_result *result)
{
	v3_gpa_t gpa = (walk->cpu->cr3 & V3_CR3_PAE_ADDR_MASK) + 8 * ((gva >> 30) & 3);
	uint64_t *entry = table_ptr(walk->mem, gpa, 8), value;

	if (!entry) {
		result->gpa = gpa;
		return V3_WALK_NOT_RAM;
	}
	value = __atomic_load_n(entry, __ATOMIC_RELAXED);
	if (!(value & V3_PTE_P))
		return walk_fault(walk, result, 0);
	/* Page-directory-pointer entries carry no rights (APM2 5.2.3). */
	return walk64(walk, value & V3_PTE_ADDR_MASK, V3_PAGE_SHIFT_2M, gva, result);
}

static uint64_t pse36_base(uint32_t value)
{
	uint64_t high = (value & V3_PDE_PSE36_MASK) >> V3_PDE_PSE36_SHIFT;

	return (value & V3_PDE_ADDR_MASK_4M) | high << 32;
}

static enum v3_walk_status leaf32(const struct walk *walk, struct rights rights, uint32_t *entry,
				  uint32_t value, bool large, v3_gva_t gva,
				  struct v3_walk_result *result)
{
	if (large && value & (1u << 21))
		return walk_fault(walk, result, V3_PFEC_P | V3_PFEC_RSVD);
	if (!access_ok(walk, rights))
		return walk_fault(walk, result, V3_PFEC_P);
	set_ad32(entry, value, (uint32_t)ad_bits(walk, true));
	if (large)
		return finish(gva, pse36_base(value), V3_PAGE_SHIFT_4M, result);
	return finish(gva, value & V3_PTE_ADDR_MASK_LEGACY, V3_PAGE_SHIFT, result);
}

static enum v3_walk_status walk32(const struct walk *walk, v3_gva_t gva,
				  struct v3_walk_result *result)
{
	uint64_t table = walk->cpu->cr3 & V3_PTE_ADDR_MASK_LEGACY;
	struct rights rights = { ~0ull, 0 };
	unsigned int level;

	for (level = 2;; level--) {
		unsigned int index = (gva >> (V3_PAGE_SHIFT + 10 * (level - 1))) & 1023;
		uint32_t *entry = table_ptr(walk->mem, table + 4 * index, 4), value;
		bool large;

		if (!entry) {
			result->gpa = table + 4 * index;
			return V3_WALK_NOT_RAM;
		}
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (!(value & V3_PTE_P))
			return walk_fault(walk, result, 0);
		rights.all &= value;
		large = level == 2 && value & V3_PTE_PS && walk->cpu->cr4 & V3_CR4_PSE;
		if (level == 1 || large)
			return leaf32(walk, rights, entry, value, large, gva, result);
		set_ad32(entry, value, (uint32_t)ad_bits(walk, false));
		table = value & V3_PTE_ADDR_MASK_LEGACY;
	}
}

enum v3_walk_status v3_guest_walk(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem,
				  v3_gva_t gva, unsigned int access,
				  struct v3_walk_result *result)
{
	struct walk walk = {
		.cpu = cpu, .mem = mem, .access = access,
		.user = cpu->user && !(access & V3_WALK_SYSTEM),
	};

	if (!(cpu->cr0 & V3_CR0_PG))
		return finish(gva & 0xffffffff, gva & 0xffffffff, V3_PAGE_SHIFT, result);
	if (cpu->efer & V3_EFER_LMA)
		return walk64(&walk, cpu->cr3 & V3_CR3_ADDR_MASK, V3_PAGE_SHIFT_512G, gva, result);
	gva &= 0xffffffff;
	if (cpu->cr4 & V3_CR4_PAE)
		return walk_pae(&walk, gva, result);
	return walk32(&walk, gva, result);
}

bool v3_guest_walk_trace(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem, v3_gva_t gva,
			 struct v3_walk_trace *trace)
{
	uint64_t table = cpu->cr3 & V3_CR3_ADDR_MASK, value;
	unsigned int shift = V3_PAGE_SHIFT_512G, i;
	struct v3_walk_result result;

	if (!(cpu->cr0 & V3_CR0_PG) || !(cpu->efer & V3_EFER_LMA))
		return false;
	for (i = 0; i < 4; i++, shift -= V3_PT_INDEX_BITS) {
		const uint64_t *entry = table_ptr(mem, table + (gva >> shift << 3 & 0xff8), 8);

		if (!entry)
			return false;
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		trace->step[i].entry = entry;
		trace->step[i].value = value;
		trace->depth = i + 1;
		if (!(value & V3_PTE_P))
			return false;
		if (value & V3_PTE_PS || shift == V3_PAGE_SHIFT) {
			finish(gva, value & V3_PTE_ADDR_MASK, shift, &result);
			trace->gpa = result.gpa;
			return true;
		}
		table = value & V3_PTE_ADDR_MASK;
	}
	return false;
}
