/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walker against a second, slow implementation, over random tables in all modes. The model
 * lists the entries on the way first and looks at their bits afterwards, one rule at a time.
 */
#include "walk_memory.h"

#include <string.h>

#include "paging/guest_levels.h"

#define ROUNDS 200000u
#define PAGES (2 * BLOCK_PAGES)

static uint64_t random_state = 0x1234567;

static uint64_t rnd64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned int rnd(unsigned int below)
{
	return (unsigned int)(rnd64() >> 20) % below;
}

static v3_gpa_t page_gpa(unsigned int page)
{
	return page < BLOCK_PAGES ? BLOCK_A + page * V3_PAGE_SIZE
				  : BLOCK_B + (page - BLOCK_PAGES) * V3_PAGE_SIZE;
}

/* Mostly an entry that goes on somewhere; now and then with something odd in it. */
static uint64_t random_entry(bool wide)
{
	uint64_t entry = page_gpa(rnd(PAGES)) | V3_PTE_P;

	entry |= rnd(8) ? V3_PTE_W : 0;
	entry |= rnd(8) ? V3_PTE_U : 0;
	entry |= rnd(2) ? V3_PTE_A : 0;
	entry |= rnd(4) ? 0 : V3_PTE_D;
	entry |= rnd(6) ? 0 : V3_PTE_PS;
	if (!rnd(12))
		entry ^= V3_PTE_P;
	if (!rnd(12))
		entry = (entry & 0xfff) | (rnd64() & 0xfffff000);
	if (wide && !rnd(10))
		entry |= V3_PTE_NX;
	if (wide && !rnd(30))
		entry |= 1ull << (40 + rnd(23));
	if (!(entry & V3_PTE_PS) || rnd(2))
		return entry;
	/* A large leaf whose address is aligned. */
	return entry & ~(rnd(2) ? 0x3fe000ull : 0x3fffe000ull);
}

/* Addresses use few indices, so that few entries have to be random. */
#define INDICES 3u

static void random_tables(bool wide)
{
	unsigned int page, i;

	for (page = 0; page < PAGES; page++)
		for (i = 0; i < INDICES; i++)
			if (wide)
				put64(page_gpa(page) + 8 * i, random_entry(true));
			else
				put32(page_gpa(page) + 4 * i, (uint32_t)random_entry(false));
}

static v3_gva_t random_gva(bool wide)
{
	v3_gva_t gva = rnd64() & 0xfff;

	if (!wide)
		return gva | (uint64_t)rnd(INDICES) << 12 | (uint64_t)rnd(INDICES) << 22;
	return gva | (uint64_t)rnd(INDICES) << 12 | (uint64_t)rnd(INDICES) << 21 |
	       (uint64_t)rnd(INDICES) << 30 | (uint64_t)rnd(INDICES) << 39;
}

static void random_cpu(struct v3_walk_cpu *cpu, unsigned int mode)
{
	static const unsigned int phys_bits[] = { 40, 44, 48, 52 };

	memset(cpu, 0, sizeof(*cpu));
	cpu->cr0 = V3_CR0_PE | (mode ? V3_CR0_PG : 0) | (rnd(3) ? V3_CR0_WP : 0);
	cpu->cr3 = page_gpa(rnd(PAGES));
	cpu->cr4 = (mode >= 2 ? V3_CR4_PAE : 0) | (rnd(3) ? V3_CR4_PSE : 0) |
		   (rnd(2) ? V3_CR4_SMEP : 0) | (rnd(2) ? V3_CR4_SMAP : 0);
	cpu->efer = (rnd(4) ? V3_EFER_NXE : 0) | (mode == 3 ? V3_EFER_LME | V3_EFER_LMA : 0);
	cpu->rflags = rnd(2) ? V3_RFLAGS_AC : 0;
	cpu->user = rnd(2);
	cpu->phys_bits = phys_bits[rnd(4)];
}

/* --- The model --- */

/* One level of a walk, top first. */
struct step {
	v3_gpa_t entry_gpa;
	uint64_t value;
	unsigned int shift;	/* of what one entry spans */
	bool has_rights;	/* false: PAE's pointers */
};

struct model {
	enum v3_walk_status status;
	uint64_t gpa, error, left;
	unsigned int steps;
	struct step step[4];
	bool complete;		/* the last step is a leaf */
};

struct shape {
	unsigned int levels, entry_size;
	unsigned int shift[4], bits[4];
};

static const struct shape shapes[] = {
	{ 0, 0, { 0 }, { 0 } },
	{ 2, 4, { 22, 12 }, { 10, 10 } },
	{ 3, 8, { 30, 21, 12 }, { 2, 9, 9 } },
	{ 4, 8, { 39, 30, 21, 12 }, { 9, 9, 9, 9 } },
};

static bool is_leaf(const struct v3_walk_cpu *cpu, unsigned int mode, unsigned int shift,
		    uint64_t value)
{
	if (shift == 12)
		return true;
	if (!(value & 0x80))
		return false;
	if (mode == 1)
		return cpu->cr4 & V3_CR4_PSE;
	return shift == 21 || mode == 3;	/* 512 GiB: a reserved bit, found later */
}

static bool entry_reserved(const struct v3_walk_cpu *cpu, unsigned int mode,
			   const struct step *step)
{
	uint64_t value = step->value;
	unsigned int bit;

	if (mode == 1)
		return is_leaf(cpu, mode, step->shift, value) && step->shift == 22 &&
		       value >> 21 & 1;
	if (!step->has_rights)
		return false;
	for (bit = cpu->phys_bits; bit < 52; bit++)
		if (value >> bit & 1)
			return true;
	if (mode == 2 && value >> 52 & 0x7ff)
		return true;
	if (value >> 63 && !(cpu->efer & V3_EFER_NXE))
		return true;
	if (step->shift == 39)
		return value & 0x80;
	if (step->shift == 12 || !(value & 0x80))
		return false;
	for (bit = 13; bit < step->shift; bit++)
		if (value >> bit & 1)
			return true;
	return false;
}

static uint64_t leaf_base(unsigned int mode, const struct step *leaf)
{
	if (mode == 1 && leaf->shift == 22)
		return (leaf->value & 0xffc00000) | (leaf->value >> 13 & 0xff) << 32;
	if (mode == 1)
		return leaf->value & 0xfffff000;
	return (leaf->value & 0xffffffffff000) >> leaf->shift << leaf->shift;
}

static bool permitted(const struct v3_walk_cpu *cpu, const struct model *model,
		      unsigned int access)
{
	bool user_page = true, writable = true, no_execute = false;
	bool user = cpu->user && !(access & V3_WALK_SYSTEM);
	unsigned int i;

	for (i = 0; i < model->steps; i++) {
		if (!model->step[i].has_rights)
			continue;
		user_page = user_page && model->step[i].value & V3_PTE_U;
		writable = writable && model->step[i].value & V3_PTE_W;
		no_execute = no_execute || model->step[i].value >> 63;
	}
	if (user && !user_page)
		return false;
	if (access & V3_WALK_FETCH && no_execute)
		return false;
	if (access & V3_WALK_WRITE && !writable && (user || cpu->cr0 & V3_CR0_WP))
		return false;
	if (user || !user_page)
		return true;
	if (access & V3_WALK_FETCH)
		return !(cpu->cr4 & V3_CR4_SMEP);
	if (cpu->cr4 & V3_CR4_SMAP)
		return cpu->rflags & V3_RFLAGS_AC && !(access & V3_WALK_SYSTEM);
	return true;
}

static void model_fault(const struct v3_walk_cpu *cpu, unsigned int access, uint64_t error,
			struct model *model)
{
	bool nx = cpu->efer & V3_EFER_NXE && cpu->cr4 & V3_CR4_PAE;

	model->status = V3_WALK_FAULT;
	model->error = error;
	if (access & V3_WALK_WRITE)
		model->error |= V3_PFEC_W;
	if (cpu->user && !(access & V3_WALK_SYSTEM))
		model->error |= V3_PFEC_U;
	if (access & V3_WALK_FETCH && (nx || cpu->cr4 & V3_CR4_SMEP))
		model->error |= V3_PFEC_I;
}

/* Entries on the way; stops where the walk does. */
static void model_walk(const struct v3_walk_cpu *cpu, unsigned int mode, v3_gva_t gva,
		       unsigned int access, struct model *model)
{
	const struct shape *shape = &shapes[mode];
	uint64_t table = cpu->cr3 & (mode == 1 ? 0xfffff000 : mode == 2 ? 0xffffffe0 :
							       0xffffffffff000);
	unsigned int i;

	for (i = 0; i < shape->levels; i++) {
		struct step *step = &model->step[i];
		uint64_t index = gva >> shape->shift[i] & ((1u << shape->bits[i]) - 1);

		step->entry_gpa = table + index * shape->entry_size;
		step->shift = shape->shift[i];
		step->has_rights = mode != 2 || i > 0;
		if (!walk_memory_at(step->entry_gpa)) {
			model->status = V3_WALK_NOT_RAM;
			model->gpa = step->entry_gpa;
			return;
		}
		step->value = shape->entry_size == 8 ? get64(step->entry_gpa)
						     : get32(step->entry_gpa);
		if (!(step->value & V3_PTE_P)) {
			model_fault(cpu, access, 0, model);
			return;
		}
		model->steps = i + 1;
		if (entry_reserved(cpu, mode, step)) {
			model->steps = i;
			model_fault(cpu, access, V3_PFEC_P | V3_PFEC_RSVD, model);
			return;
		}
		if (step->has_rights && is_leaf(cpu, mode, step->shift, step->value)) {
			model->complete = true;
			return;
		}
		table = step->value & (mode == 1 ? 0xfffff000 : 0xffffffffff000);
	}
}

static void model_run(const struct v3_walk_cpu *cpu, unsigned int mode, v3_gva_t gva,
		      unsigned int access, struct model *model)
{
	const struct step *leaf;
	uint64_t offset;

	memset(model, 0, sizeof(*model));
	if (mode == 0) {
		model->gpa = gva;
		model->left = 0x1000 - (gva & 0xfff);
		return;
	}
	model_walk(cpu, mode, gva, access, model);
	if (!model->complete)
		return;
	if (!permitted(cpu, model, access)) {
		model->complete = false;
		model->steps--;
		model_fault(cpu, access, V3_PFEC_P, model);
		return;
	}
	leaf = &model->step[model->steps - 1];
	offset = gva & ((1ull << leaf->shift) - 1);
	model->gpa = leaf_base(mode, leaf) + offset;
	model->left = (1ull << leaf->shift) - offset;
}

/* --- Comparison --- */

/* What the entries must be afterwards: the model read them before the walk. */
static void check_ad(const struct model *model, unsigned int access, unsigned int mode)
{
	static uint64_t want[4];
	unsigned int i, j;

	for (i = 0; i < model->steps; i++) {
		const struct step *step = &model->step[i];

		want[i] = step->value;
		if (!(access & V3_WALK_NO_AD) && step->has_rights) {
			want[i] |= V3_PTE_A;
			if (model->complete && i == model->steps - 1 && access & V3_WALK_WRITE)
				want[i] |= V3_PTE_D;
		}
	}
	for (i = 0; i < model->steps; i++) {
		uint64_t now = mode == 1 ? get32(model->step[i].entry_gpa)
					 : get64(model->step[i].entry_gpa), all = want[i];

		/* One entry can be met at several levels. */
		for (j = 0; j < model->steps; j++)
			if (model->step[j].entry_gpa == model->step[i].entry_gpa)
				all |= want[j];
		assert_int_equal(now, all);
	}
}

/* The same walk as people are shown it: it stops where the model's does, but knows no rights. */
static void check_levels(const struct v3_walk_cpu *cpu, unsigned int mode, v3_gva_t gva)
{
	struct v3_walk_cpu all = *cpu, user = *cpu;
	struct v3_page_walk walk;
	struct model model;

	all.user = false;
	all.cr4 &= ~(V3_CR4_SMEP | V3_CR4_SMAP);
	user.user = true;
	/* Reading as the supervisor. */
	model_run(&all, mode, gva, V3_WALK_NO_AD, &model);
	v3_guest_levels(cpu, &walk_memory, gva, &walk);
	switch (model.status) {
	case V3_WALK_OK:
		assert_int_equal(walk.end, V3_PAGE_MAPPED);
		assert_int_equal(walk.gpa, model.gpa);
		assert_int_equal(walk.num_levels, model.steps);
		assert_int_equal(walk.page_size ? walk.page_size - (gva & (walk.page_size - 1)) :
						  model.left, model.left);
		assert_int_equal(walk.user, permitted(&user, &model, 0));
		assert_int_equal(walk.user & walk.writable, permitted(&user, &model, V3_WALK_WRITE));
		assert_int_equal(walk.user & walk.executable,
				 permitted(&user, &model, V3_WALK_FETCH));
		break;
	case V3_WALK_NOT_RAM:
		assert_int_equal(walk.end, V3_PAGE_TABLE_NOT_RAM);
		assert_int_equal(walk.levels[walk.num_levels - 1].entry, model.gpa);
		break;
	default:
		assert_int_equal(walk.end, model.error & V3_PFEC_RSVD ? V3_PAGE_RESERVED :
									V3_PAGE_NOT_PRESENT);
		assert_int_equal(walk.num_levels, model.steps + 1);
		break;
	}
}

static void one_round(unsigned int mode)
{
	struct v3_walk_cpu cpu;
	struct v3_walk_result result;
	struct model model;
	enum v3_walk_status status;
	v3_gva_t gva;
	unsigned int access = rnd(16);

	if (access & V3_WALK_FETCH)
		access &= ~V3_WALK_WRITE;
	random_cpu(&cpu, mode);
	gva = random_gva(mode >= 2) & (mode == 2 ? 0xffffffff : ~0ull);
	check_levels(&cpu, mode, gva);
	model_run(&cpu, mode, gva, access, &model);
	status = v3_guest_walk(&cpu, &walk_memory, gva, access, &result);
	assert_int_equal(status, model.status);
	if (status == V3_WALK_FAULT)
		assert_int_equal(result.error, model.error);
	else
		assert_int_equal(result.gpa, model.gpa);
	if (status == V3_WALK_OK)
		assert_int_equal(result.left, model.left);
	check_ad(&model, access, mode);
}

static void test_model(void **state)
{
	unsigned int round, ok[4] = { 0 };

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		unsigned int mode = rnd(16) ? 1 + rnd(3) : 0;

		if (round % 16 == 0) {
			walk_memory_clear();
			random_tables(round / 16 % 2);
		}
		/* Tables of the other width are random tables, too. */
		one_round(mode);
		ok[mode]++;
	}
	assert_true(ok[0] && ok[1] && ok[2] && ok[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
