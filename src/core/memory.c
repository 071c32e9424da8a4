/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: allocation, the memory map, nested mappings and the VMM's own access. */
#include "core/vm.h"

#include "lib/mem.h"
#include "x86/pte.h"

#define MIN_BLOCK V3_PAGE_SIZE_2M

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

/* --- Allocation --- */

/* Largest alignment worth asking for: the nested leaf sizes. */
static size_t block_align(const struct v3_vm *vm, uint64_t size)
{
	if (size >= V3_PAGE_SIZE_1G && vm->host->caps.nested_1g)
		return V3_PAGE_SIZE_1G / V3_PAGE_SIZE;
	return V3_PAGE_SIZE_2M / V3_PAGE_SIZE;
}

static enum v3_status block_pages(struct v3_vm *vm, uint64_t size, int node, v3_hpa_t *hpa)
{
	size_t align = block_align(vm, size), small = V3_PAGE_SIZE_2M / V3_PAGE_SIZE;
	enum v3_status status;

	status = v3_os_page_alloc(vm->host, size / V3_PAGE_SIZE, align, node, 0, hpa);
	if (status == V3_ERR_NOMEM && align > small)
		status = v3_os_page_alloc(vm->host, size / V3_PAGE_SIZE, small, node, 0, hpa);
	return status;
}

static enum v3_status block_add(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, int node)
{
	struct v3_mem_block *block = &vm->blocks[vm->num_blocks];
	enum v3_status status;

	if (vm->num_blocks == V3_MAX_BLOCKS)
		return V3_ERR_NOMEM;
	status = block_pages(vm, size, node, &block->hpa);
	if (status != V3_OK)
		return status;
	block->gpa = gpa;
	block->size = size;
	block->node = node;
	block->virt = v3_os_virt(vm->host, block->hpa);
	vm->num_blocks++;
	return V3_OK;
}

/* Half of size, in units of MIN_BLOCK, rounded up. */
static uint64_t half(uint64_t size)
{
	return (size / 2 + MIN_BLOCK - 1) & ~(MIN_BLOCK - 1);
}

/* RAM for [gpa, gpa+size) in as few blocks as the host can give. */
static enum v3_status ram_add(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, int node)
{
	uint64_t piece = size;

	while (size) {
		enum v3_status status = block_add(vm, gpa, piece, node);

		if (status == V3_ERR_NOMEM && piece > MIN_BLOCK && vm->num_blocks < V3_MAX_BLOCKS) {
			piece = half(piece);
			continue;
		}
		if (status != V3_OK)
			return status;
		gpa += piece;
		size -= piece;
		if (piece > size)
			piece = size;
	}
	return V3_OK;
}

/* Lays one region out from *gpa, around the hole below 4 GiB. */
static enum v3_status region_add(struct v3_vm *vm, v3_gpa_t *gpa, uint64_t size, int node)
{
	while (size) {
		uint64_t piece = size;
		enum v3_status status;

		if (*gpa == V3_LOW_RAM_MAX)
			*gpa = V3_HIGH_RAM_BASE;
		if (*gpa < V3_LOW_RAM_MAX && piece > V3_LOW_RAM_MAX - *gpa)
			piece = V3_LOW_RAM_MAX - *gpa;
		status = ram_add(vm, *gpa, piece, node);
		if (status != V3_OK)
			return status;
		*gpa += piece;
		size -= piece;
	}
	return V3_OK;
}

/* --- Mapping --- */

static enum v3_status block_map(struct v3_vm *vm, const struct v3_mem_block *block)
{
	return v3_nested_map(&vm->nested, block->gpa, block->hpa, block->size, V3_NPT_RWX);
}

/* The first megabyte has a hole and a read-only part; block 0 always covers it. */
static enum v3_status low_map(struct v3_vm *vm)
{
	const struct v3_mem_block *low = &vm->blocks[0];
	enum v3_status status;

	status = v3_nested_unmap(&vm->nested, V3_HOLE_START, V3_HOLE_END - V3_HOLE_START);
	if (status != V3_OK)
		return status;
	return v3_nested_map(&vm->nested, V3_HOLE_END, low->hpa + V3_HOLE_END,
			     V3_ROM_END - V3_HOLE_END, V3_NPT_R | V3_NPT_X);
}

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
	return status == V3_OK ? low_map(vm) : status;
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

/* In steps: zeroing gigabytes in one go would keep the host's other threads off this CPU. */
static void block_zero(struct v3_vm *vm, const struct v3_mem_block *block)
{
	const uint64_t step = 16ull << 20;
	uint64_t done, n;

	for (done = 0; done < block->size; done += n) {
		n = block->size - done < step ? block->size - done : step;
		memset(block->virt + done, 0, n);
		v3_os_yield(vm->host);
	}
}

enum v3_status v3_memory_create(struct v3_vm *vm, const struct v3_vm_config *config)
{
	v3_gpa_t gpa = 0;
	unsigned int i;

	for (i = 0; i < config->num_mem; i++) {
		enum v3_status status = region_add(vm, &gpa, config->mem[i].size,
						   config->mem[i].node);

		if (status != V3_OK) {
			v3_host_log(vm->host, V3_LOG_ERROR,
				    "v3: %s: no %llu MiB of memory in pieces of 2 MiB or more on %s %d (%llu MiB were found): %s",
				    vm->name, (unsigned long long)(config->mem[i].size >> 20),
				    config->mem[i].node == V3_NODE_ANY ? "any node," : "node",
				    config->mem[i].node, (unsigned long long)(vm->ram_bytes >> 20),
				    v3_status_str(status));
			return status;
		}
		vm->ram_bytes += config->mem[i].size;
	}
	/* Only when all of it is there: a request that cannot be met must fail fast. */
	for (i = 0; i < vm->num_blocks; i++)
		block_zero(vm, &vm->blocks[i]);
	vm->ram_zeroed = true;
	walk_mem_init(vm);
	return ram_map(vm);
}

void v3_memory_destroy(struct v3_vm *vm)
{
	unsigned int i;

	v3_nested_destroy(&vm->nested);
	for (i = 0; i < vm->num_blocks; i++) {
		struct v3_mem_block *block = &vm->blocks[i];

		/* The host gets nothing of the guest's to see. */
		if (vm->ram_zeroed)
			block_zero(vm, block);
		v3_os_page_free(vm->host, block->hpa, block->size / V3_PAGE_SIZE);
	}
	vm->num_blocks = 0;
}

/* --- Access --- */

bool v3_memory_is_rom(v3_gpa_t gpa)
{
	return gpa >= V3_HOLE_END && gpa < V3_ROM_END;
}

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

/* The pieces of the first block: RAM, hole, read-only, RAM; then the other blocks as they are. */
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
