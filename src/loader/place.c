/* SPDX-License-Identifier: BSD-2-Clause */
#include "place.h"

/* Copies end at multiples of it, so that each lies in one piece of host memory. */
#define PIECE 0x100000ull

bool v3_ram_next(struct v3_ram_walk *walk, struct v3_extent *run)
{
	struct v3_mem_range range;

	run->size = 0;
	for (; v3_vm_mem_range(walk->vm, walk->index, &range) == V3_OK; walk->index++) {
		bool ram = range.kind == V3_MEM_RAM;

		if (run->size != 0 && (!ram || range.gpa != run->start + run->size))
			break;
		if (!ram)
			continue;
		if (run->size == 0)
			run->start = range.gpa;
		run->size += range.size;
	}
	return run->size != 0;
}

bool v3_ram_has(const struct v3_vm *vm, v3_gpa_t start, uint64_t size)
{
	struct v3_ram_walk walk = { .vm = vm };
	struct v3_extent run;

	while (v3_ram_next(&walk, &run))
		if (start >= run.start && start - run.start <= run.size &&
		    size <= run.size - (start - run.start))
			return true;
	return false;
}

bool v3_extents_overlap(const struct v3_extent *a, const struct v3_extent *b)
{
	return a->size != 0 && b->size != 0 && a->start < b->start + b->size &&
	       b->start < a->start + a->size;
}

bool v3_place_low(const struct v3_vm *vm, uint64_t size, uint64_t align, v3_gpa_t from,
		  v3_gpa_t limit, v3_gpa_t *gpa)
{
	struct v3_ram_walk walk = { .vm = vm };
	struct v3_extent run;

	while (v3_ram_next(&walk, &run)) {
		v3_gpa_t end = run.start + run.size;
		v3_gpa_t start = run.start > from ? run.start : from;

		if (start > UINT64_MAX - (align - 1))
			return false;
		start = (start + align - 1) & ~(align - 1);
		if (end > limit)
			end = limit;
		if (start <= end && size <= end - start) {
			*gpa = start;
			return true;
		}
	}
	return false;
}

/* The highest place in [from, end); false if there is none. */
static bool place_in(v3_gpa_t from, v3_gpa_t end, uint64_t size, const struct v3_extent *avoid,
		     unsigned int num_avoid, v3_gpa_t *gpa)
{
	struct v3_extent at = { .size = size };
	unsigned int i = 0;

	/* Below each obstacle that is met, all are looked at again: it only goes down. */
	while (end >= from && size <= end - from) {
		at.start = (end - size) & ~(V3_PAGE_SIZE - 1);
		if (at.start < from)
			return false;
		for (i = 0; i < num_avoid && !v3_extents_overlap(&at, &avoid[i]); i++)
			;
		if (i == num_avoid) {
			*gpa = at.start;
			return true;
		}
		end = avoid[i].start;
	}
	return false;
}

bool v3_place_high(const struct v3_vm *vm, uint64_t size, v3_gpa_t limit,
		   const struct v3_extent *avoid, unsigned int num_avoid, v3_gpa_t *gpa)
{
	struct v3_ram_walk walk = { .vm = vm };
	struct v3_extent run;
	bool found = false;

	while (v3_ram_next(&walk, &run)) {
		v3_gpa_t from = run.start > V3_LOADER_HIGH ? run.start : V3_LOADER_HIGH;
		v3_gpa_t end = run.start + run.size;

		if (end > limit)
			end = limit;
		/* Runs ascend: the last find is the highest. */
		if (from < end && place_in(from, end, size, avoid, num_avoid, gpa))
			found = true;
	}
	return found;
}

/* Bytes of the next piece of [gpa, gpa + left) */
static size_t piece_of(v3_gpa_t gpa, uint64_t left)
{
	uint64_t len = PIECE - (gpa & (PIECE - 1));

	return (size_t)(len < left ? len : left);
}

enum v3_status v3_load_blob(struct v3_loading *loading, const struct v3_blob *blob,
			    const char *what, uint64_t offset, v3_gpa_t gpa, uint64_t len)
{
	enum v3_status status;

	if (offset > blob->size || len > blob->size - offset)
		return V3_ERR_RANGE;
	while (len > 0) {
		size_t piece = piece_of(gpa, len);
		void *to = v3_vm_ptr(loading->vm, gpa, piece);

		if (!to) {
			v3_vm_log(loading->vm, V3_LOG_ERROR,
				  "%s: guest memory at 0x%llx is not RAM in one piece", what,
				  (unsigned long long)gpa);
			return V3_ERR_RANGE;
		}
		status = blob->read(blob->ctx, offset, to, piece);
		if (status != V3_OK) {
			v3_vm_log(loading->vm, V3_LOG_ERROR,
				  "%s: cannot read %llu bytes at offset %llu: %s", what,
				  (unsigned long long)piece, (unsigned long long)offset,
				  v3_status_str(status));
			return V3_ERR_IO;
		}
		offset += piece;
		gpa += piece;
		len -= piece;
		loading->done += piece;
		if (loading->config->progress)
			loading->config->progress(loading->config->progress_ctx, loading->done,
						  loading->total);
	}
	return V3_OK;
}

enum v3_status v3_load_zeros(struct v3_loading *loading, v3_gpa_t gpa, uint64_t len)
{
	while (len > 0) {
		size_t piece = piece_of(gpa, len);
		void *at = v3_vm_ptr(loading->vm, gpa, piece);

		if (!at)
			return V3_ERR_RANGE;
		__builtin_memset(at, 0, piece);
		gpa += piece;
		len -= piece;
	}
	return V3_OK;
}

enum v3_status v3_check_config(struct v3_vm *vm, const struct v3_boot_config *config)
{
	if (config->struct_size != sizeof(*config)) {
		v3_vm_log(vm, V3_LOG_ERROR,
			  "boot: v3_boot_config has %u bytes, this library's has %u",
			  config->struct_size, (unsigned int)sizeof(*config));
		return V3_ERR_VERSION;
	}
	if (v3_vm_state(vm, NULL) != V3_VM_CREATED) {
		v3_vm_log(vm, V3_LOG_ERROR,
			  "boot: a kernel can only be loaded before the VM starts");
		return V3_ERR_STATE;
	}
	if (!config->kernel.read || (config->initrd.size && !config->initrd.read)) {
		v3_vm_log(vm, V3_LOG_ERROR, "boot: %s has no read function",
			  config->kernel.read ? "initrd" : "kernel");
		return V3_ERR_INVALID;
	}
	return V3_OK;
}

enum v3_status v3_place_initrd(struct v3_vm *vm, const struct v3_boot_config *config,
			       v3_gpa_t limit, const struct v3_extent *avoid,
			       unsigned int num_avoid, struct v3_extent *initrd)
{
	initrd->start = 0;
	initrd->size = config->initrd.size;
	if (initrd->size == 0)
		return V3_OK;
	if (v3_place_high(vm, initrd->size, limit, avoid, num_avoid, &initrd->start))
		return V3_OK;
	v3_vm_log(vm, V3_LOG_ERROR,
		  "initrd: %llu bytes do not fit in guest RAM below 0x%llx beside the kernel: "
		  "give the VM more memory",
		  (unsigned long long)initrd->size, (unsigned long long)limit);
	return V3_ERR_NOMEM;
}
