/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: nested mappings, the memory map and the VMM's own access. */
#include "core/vm.h"

#include "lib/mem.h"

/* --- Nested tables' pages --- */

static enum v3_status table_page_alloc(void *ctx, v3_hpa_t *hpa)
{
	struct v3_vm *vm = ctx;
	enum v3_status status = v3_os_page_alloc(vm->host, 1, 1, V3_NODE_ANY, 0, hpa);

	if (status != V3_OK)
		return status;
	memset(v3_os_virt(vm->host, *hpa), 0, V3_PAGE_SIZE);
	vm->heap_bytes += V3_PAGE_SIZE;
	return V3_OK;
}

static void table_page_free(void *ctx, v3_hpa_t hpa)
{
	struct v3_vm *vm = ctx;

	vm->heap_bytes -= V3_PAGE_SIZE;
	v3_os_page_free(vm->host, hpa, 1);
}

static void *table_page_virt(void *ctx, v3_hpa_t hpa)
{
	struct v3_vm *vm = ctx;

	return v3_os_virt(vm->host, hpa);
}

/* --- Mapping --- */

static enum v3_status block_map(struct v3_vm *vm, const struct v3_mem_block *block)
{
	return v3_nested_map(&vm->nested, block->gpa, block->hpa, block->size, V3_NPT_RWX);
}

/*
 * All blocks, each as a whole: what the first megabyte has that is no RAM stays under the leaf of
 * the RAM around it, until a device is put there.
 */
static enum v3_status ram_map(struct v3_vm *vm)
{
	const struct v3_nested_mem mem = {
		.alloc = table_page_alloc, .free = table_page_free,
		.to_virt = table_page_virt, .ctx = vm,
	};
	enum v3_status status;
	unsigned int i;

	status = v3_nested_init(&vm->nested, vm->arch->nested_format(vm->host), &mem);
	for (i = 0; status == V3_OK && i < vm->num_blocks; i++)
		status = block_map(vm, &vm->blocks[i]);
	return status;
}

static void *walk_ptr(void *ctx, v3_gpa_t gpa, size_t len)
{
	return v3_memory_ptr(ctx, gpa, len);
}

/* The largest block without holes: the first one, from 1 MiB on. */
static void walk_mem_init(struct v3_vm *vm)
{
	const struct v3_mem_block *low = &vm->blocks[0];

	vm->walk_mem = (struct v3_walk_mem){
		.gpa = low->gpa + V3_ROM_END, .size = low->size - V3_ROM_END,
		.virt = low->virt + V3_ROM_END, .ptr = walk_ptr, .ctx = vm,
	};
}

enum v3_status v3_memory_create(struct v3_vm *vm, const struct v3_vm_config *config)
{
	enum v3_status status = v3_blocks_create(vm, config);

	if (status != V3_OK)
		return status;
	walk_mem_init(vm);
	return ram_map(vm);
}

void v3_memory_destroy(struct v3_vm *vm)
{
	v3_nested_destroy(&vm->nested);
	v3_blocks_destroy(vm);
}

enum v3_status v3_memory_make_room(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size)
{
	enum v3_status status;
	unsigned int i;

	if (gpa >= V3_ROM_END)
		return V3_OK;
	status = v3_nested_unmap(&vm->nested, gpa, size);
	/* The guest may have run before a reset. */
	for (i = 0; i < vm->num_vcpus; i++)
		vm->arch->flush_tlb(vm->vcpus[i]);
	return status;
}

/* --- Access --- */

static bool in_hole(v3_gpa_t gpa, size_t len)
{
	return gpa < V3_HOLE_END && gpa + len > V3_HOLE_START;
}

void *v3_memory_ptr(struct v3_vm *vm, v3_gpa_t gpa, size_t len)
{
	unsigned int i;

	for (i = 0; i < vm->num_blocks; i++) {
		const struct v3_mem_block *block = &vm->blocks[i];
		uint64_t offset = gpa - block->gpa;

		if (offset >= block->size)
			continue;
		if (len > block->size - offset || in_hole(gpa, len))
			return NULL;
		return block->virt + offset;
	}
	return NULL;
}

void *v3_vm_ptr(struct v3_vm *vm, v3_gpa_t gpa, size_t len)
{
	return v3_memory_ptr(vm, gpa, len);
}

/* Bytes from gpa on that one block backs, at most len; 0: none. */
static size_t backed(struct v3_vm *vm, v3_gpa_t gpa, size_t len)
{
	unsigned int i;

	if (in_hole(gpa, 1))
		return 0;
	if (gpa < V3_HOLE_START && len > V3_HOLE_START - gpa)
		len = V3_HOLE_START - gpa;
	for (i = 0; i < vm->num_blocks; i++) {
		uint64_t offset = gpa - vm->blocks[i].gpa;

		if (offset < vm->blocks[i].size)
			return len < vm->blocks[i].size - offset ? len
								 : vm->blocks[i].size - offset;
	}
	return 0;
}

static bool all_backed(struct v3_vm *vm, v3_gpa_t gpa, size_t len)
{
	while (len) {
		size_t piece = backed(vm, gpa, len);

		if (!piece)
			return false;
		gpa += piece;
		len -= piece;
	}
	return true;
}

enum v3_status v3_vm_read(struct v3_vm *vm, v3_gpa_t gpa, void *buf, size_t len)
{
	uint8_t *to = buf;

	if (!all_backed(vm, gpa, len))
		return V3_ERR_RANGE;
	while (len) {
		size_t piece = backed(vm, gpa, len);

		memcpy(to, v3_memory_ptr(vm, gpa, piece), piece);
		to += piece;
		gpa += piece;
		len -= piece;
	}
	return V3_OK;
}

enum v3_status v3_vm_write(struct v3_vm *vm, v3_gpa_t gpa, const void *buf, size_t len)
{
	const uint8_t *from = buf;

	if (!all_backed(vm, gpa, len))
		return V3_ERR_RANGE;
	while (len) {
		size_t piece = backed(vm, gpa, len);

		memcpy(v3_memory_ptr(vm, gpa, piece), from, piece);
		from += piece;
		gpa += piece;
		len -= piece;
	}
	return V3_OK;
}

/* The pieces of the first block: RAM, hole, firmware, RAM; then the other blocks as they are. */
enum v3_status v3_vm_mem_range(const struct v3_vm *vm, unsigned int index,
			       struct v3_mem_range *range)
{
	const struct v3_mem_block *low = &vm->blocks[0];

	if (index < 3) {
		const struct v3_mem_range pieces[3] = {
			{ 0, V3_HOLE_START, V3_MEM_RAM, low->node },
			{ V3_HOLE_END, V3_ROM_END - V3_HOLE_END, V3_MEM_ROM, low->node },
			{ V3_ROM_END, low->size - V3_ROM_END, V3_MEM_RAM, low->node },
		};

		*range = pieces[index];
		return V3_OK;
	}
	index -= 2;
	if (index >= vm->num_blocks)
		return V3_ERR_NOENT;
	*range = (struct v3_mem_range){ vm->blocks[index].gpa, vm->blocks[index].size, V3_MEM_RAM,
					vm->blocks[index].node };
	return V3_OK;
}
