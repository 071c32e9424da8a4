/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/guest_walk.h"

#include "x86/cr.h"
#include "x86/pte.h"

/* Rights gathered on the way down. */
struct walk {
	const struct v3_walk_cpu *cpu;
	v3_walk_ptr_fn ptr;
	void *ctx;
	unsigned int access;
	bool writable, user, nx;
};

static enum v3_walk_status walk_fault(const struct walk *walk, struct v3_walk_result *result,
				      uint32_t error)
{
	const struct v3_walk_cpu *cpu = walk->cpu;

	if (walk->access & V3_WALK_WRITE)
		error |= V3_PFEC_W;
	if (cpu->user && !(walk->access & V3_WALK_SYSTEM))
		error |= V3_PFEC_U;
	/* The bit is only defined with NX or SMEP enabled (APM2 8.4.2). */
	if (walk->access & V3_WALK_FETCH && (cpu->efer & V3_EFER_NXE || cpu->cr4 & V3_CR4_SMEP))
		error |= V3_PFEC_I;
	result->error = error;
	return V3_WALK_FAULT;
}

/* Supervisor access to a user page, after the write check. */
static bool supervisor_ok(const struct walk *walk)
{
	const struct v3_walk_cpu *cpu = walk->cpu;

	if (!walk->user)
		return true;
	if (walk->access & V3_WALK_FETCH)
		return !(cpu->cr4 & V3_CR4_SMEP);
	if (!(cpu->cr4 & V3_CR4_SMAP))
		return true;
	/* SMAP: RFLAGS.AC allows explicit accesses at CPL < 3 (APM2 5.6.6). */
	return !(walk->access & V3_WALK_SYSTEM) && cpu->rflags & V3_RFLAGS_AC;
}

static bool access_ok(const struct walk *walk)
{
	const struct v3_walk_cpu *cpu = walk->cpu;
	bool user = cpu->user && !(walk->access & V3_WALK_SYSTEM);

	if (user && !walk->user)
		return false;
	if (walk->access & V3_WALK_FETCH && walk->nx)
		return false;
	if (walk->access & V3_WALK_WRITE && !walk->writable && (user || cpu->cr0 & V3_CR0_WP))
		return false;
	return user || supervisor_ok(walk);
}

/* Sets A, and D for a write, as the CPU does: atomically, and only if needed. */
static void set_ad64(const struct walk *walk, uint64_t *entry, uint64_t value, bool leaf)
{
	uint64_t bits = V3_PTE_A;

	if (walk->access & V3_WALK_NO_AD)
		return;
	if (leaf && walk->access & V3_WALK_WRITE)
		bits |= V3_PTE_D;
	if ((value & bits) != bits)
		__atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

static void set_ad32(const struct walk *walk, uint32_t *entry, uint32_t value, bool leaf)
{
	uint32_t bits = V3_PTE_A;

	if (walk->access & V3_WALK_NO_AD)
		return;
	if (leaf && walk->access & V3_WALK_WRITE)
		bits |= V3_PTE_D;
	if ((value & bits) != bits)
		__atomic_fetch_or(entry, bits, __ATOMIC_SEQ_CST);
}

static uint64_t reserved64(const struct walk *walk, unsigned int level, bool leaf)
{
	uint64_t mask = V3_PTE_ADDR_MASK & ~((1ull << walk->cpu->phys_bits) - 1);

	if (!(walk->cpu->efer & V3_EFER_NXE))
		mask |= V3_PTE_NX;
	if (!(walk->cpu->efer & V3_EFER_LMA))
		mask |= 0x7ff0000000000000ull;	/* PAE: 62:52 are reserved */
	if (leaf && level > 1) /* address bits below the page size, but for PAT at bit 12 */
		mask |= ((1ull << (V3_PAGE_SHIFT + V3_PT_INDEX_BITS * (level - 1))) - 1) &
			V3_PTE_ADDR_MASK & ~V3_PTE_PAT_LARGE;
	if (level == 4)
		mask |= V3_PTE_PS;
	return mask;
}

static enum v3_walk_status finish(v3_gva_t gva, uint64_t base,
				  unsigned int shift, struct v3_walk_result *result)
{
	uint64_t offset = gva & ((1ull << shift) - 1);

	result->gpa = (base & ~((1ull << shift) - 1)) + offset;
	result->left = (1ull << shift) - offset;
	result->error = 0;
	return V3_WALK_OK;
}

/* Walks 8-byte entries from a table at a level (4: long mode; 2: below PAE's pointers). */
static enum v3_walk_status walk64(struct walk *walk, uint64_t table, unsigned int level,
				  v3_gva_t gva, struct v3_walk_result *result)
{
	for (;; level--) {
		v3_gpa_t gpa = table + 8 * V3_PT_INDEX(gva, level);
		uint64_t *entry = walk->ptr(walk->ctx, gpa, 8), value;
		bool leaf;

		result->gpa = gpa;
		if (!entry)
			return V3_WALK_NOT_RAM;
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (!(value & V3_PTE_P))
			return walk_fault(walk, result, 0);
		leaf = level == 1 || (level < 4 && value & V3_PTE_PS);
		if (value & reserved64(walk, level, leaf))
			return walk_fault(walk, result, V3_PFEC_P | V3_PFEC_RSVD);
		walk->writable &= !!(value & V3_PTE_W);
		walk->user &= !!(value & V3_PTE_U);
		walk->nx |= value & V3_PTE_NX && walk->cpu->efer & V3_EFER_NXE;
		if (leaf && !access_ok(walk))
			return walk_fault(walk, result, V3_PFEC_P);
		set_ad64(walk, entry, value, leaf);
		if (leaf)
			return finish(gva, value & V3_PTE_ADDR_MASK,
				      V3_PAGE_SHIFT + V3_PT_INDEX_BITS * (level - 1), result);
		table = value & V3_PTE_ADDR_MASK;
	}
}

static enum v3_walk_status walk_pae(struct walk *walk, v3_gva_t gva,
				    struct v3_walk_result *result)
{
	v3_gpa_t gpa = (walk->cpu->cr3 & V3_CR3_PAE_ADDR_MASK) + 8 * ((gva >> 30) & 3);
	uint64_t *entry = walk->ptr(walk->ctx, gpa, 8), value;

	result->gpa = gpa;
	if (!entry)
		return V3_WALK_NOT_RAM;
	value = __atomic_load_n(entry, __ATOMIC_RELAXED);
	if (!(value & V3_PTE_P))
		return walk_fault(walk, result, 0);
	/* Page-directory-pointer entries carry no rights (APM2 5.2.3). */
	return walk64(walk, value & V3_PTE_ADDR_MASK, 2, gva, result);
}

static uint64_t pse36_base(uint32_t value)
{
	uint64_t high = (value & V3_PDE_PSE36_MASK) >> V3_PDE_PSE36_SHIFT;

	return (value & V3_PDE_ADDR_MASK_4M) | high << 32;
}

static enum v3_walk_status walk32(struct walk *walk, v3_gva_t gva, struct v3_walk_result *result)
{
	uint64_t table = walk->cpu->cr3 & V3_PTE_ADDR_MASK_LEGACY;
	unsigned int level;

	for (level = 2;; level--) {
		unsigned int index = (gva >> (V3_PAGE_SHIFT + 10 * (level - 1))) & 1023;
		v3_gpa_t gpa = table + 4 * index;
		uint32_t *entry = walk->ptr(walk->ctx, gpa, 4), value;
		bool large, leaf;

		result->gpa = gpa;
		if (!entry)
			return V3_WALK_NOT_RAM;
		value = __atomic_load_n(entry, __ATOMIC_RELAXED);
		if (!(value & V3_PTE_P))
			return walk_fault(walk, result, 0);
		large = level == 2 && value & V3_PTE_PS && walk->cpu->cr4 & V3_CR4_PSE;
		leaf = level == 1 || large;
		if (large && value & (1u << 21))
			return walk_fault(walk, result, V3_PFEC_P | V3_PFEC_RSVD);
		walk->writable &= !!(value & V3_PTE_W);
		walk->user &= !!(value & V3_PTE_U);
		if (leaf && !access_ok(walk))
			return walk_fault(walk, result, V3_PFEC_P);
		set_ad32(walk, entry, value, leaf);
		if (large)
			return finish(gva, pse36_base(value), V3_PAGE_SHIFT_4M, result);
		if (leaf)
			return finish(gva, value & V3_PTE_ADDR_MASK_LEGACY, V3_PAGE_SHIFT,
				      result);
		table = value & V3_PTE_ADDR_MASK_LEGACY;
	}
}

enum v3_walk_status v3_guest_walk(const struct v3_walk_cpu *cpu, v3_walk_ptr_fn ptr, void *ctx,
				  v3_gva_t gva, unsigned int access,
				  struct v3_walk_result *result)
{
	struct walk walk = {
		.cpu = cpu, .ptr = ptr, .ctx = ctx, .access = access,
		.writable = true, .user = true, .nx = false,
	};

	if (!(cpu->cr0 & V3_CR0_PG))
		return finish(gva & 0xffffffff, gva & 0xffffffff, V3_PAGE_SHIFT, result);
	if (cpu->efer & V3_EFER_LMA)
		return walk64(&walk, cpu->cr3 & V3_CR3_ADDR_MASK, 4, gva, result);
	gva &= 0xffffffff;
	if (cpu->cr4 & V3_CR4_PAE)
		return walk_pae(&walk, gva, result);
	return walk32(&walk, gva, result);
}
