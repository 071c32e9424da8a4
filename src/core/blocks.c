/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: where it comes from, block by block, and where the guest sees it. */
#include "core/vm.h"

#include "lib/format.h"
#include "lib/mem.h"
#include "x86/pte.h"

#define MIN_BLOCK V3_PAGE_SIZE_2M

/* What a host refuses once it is not asked for again in the same region. */
struct ask {
	uint64_t most;		/* bytes */
	bool aligned;		/* to 1 GiB */
};

static enum v3_status claim(struct v3_vm *vm, uint64_t size, uint64_t align, int32_t *node,
			    v3_hpa_t *hpa)
{
	const struct v3_block_request request = { .size = size, .align = align, .node = *node };

	if (v3_os_has_blocks(vm->host))
		return v3_os_block_claim(vm->host, vm->ctx, &request, hpa, node);
	return v3_os_page_alloc(vm->host, size / V3_PAGE_SIZE, align / V3_PAGE_SIZE, *node, 0, hpa);
}

static void release(struct v3_vm *vm, v3_hpa_t hpa, uint64_t size)
{
	if (v3_os_has_blocks(vm->host))
		v3_os_block_release(vm->host, vm->ctx, hpa, size, vm->ram_zeroed);
	else
		v3_os_page_free(vm->host, hpa, size / V3_PAGE_SIZE);
}

/* Bytes from gpa to the next multiple of 1 GiB, at most size: no claim goes further. */
static uint64_t slice(v3_gpa_t gpa, uint64_t size)
{
	uint64_t room = V3_PAGE_SIZE_1G - (gpa & (V3_PAGE_SIZE_1G - 1));

	return size < room ? size : room;
}

/*
 * Makes the last block longer if this claim follows it, in the guest and in the host. Only at
 * multiples of 1 GiB, where claims end anyhow: so block_release() can tell them apart again.
 */
static bool block_extend(struct v3_vm *vm, v3_gpa_t gpa, v3_hpa_t hpa, uint64_t size, int32_t node)
{
	struct v3_mem_block *last = vm->blocks + vm->num_blocks;

	if (!vm->num_blocks)
		return false;
	last--;
	if (gpa & (V3_PAGE_SIZE_1G - 1) || last->node != node ||
	    last->gpa + last->size != gpa || last->hpa + last->size != hpa)
		return false;
	last->size += size;
	return true;
}

static enum v3_status block_add(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, uint64_t align,
				int32_t node)
{
	v3_hpa_t hpa;
	enum v3_status status = claim(vm, size, align, &node, &hpa);

	if (status != V3_OK || block_extend(vm, gpa, hpa, size, node))
		return status;
	if (vm->num_blocks == V3_MAX_BLOCKS) {
		release(vm, hpa, size);
		return V3_ERR_NOMEM;
	}
	vm->blocks[vm->num_blocks++] = (struct v3_mem_block){
		.gpa = gpa, .hpa = hpa, .size = size, .node = node,
		.virt = v3_os_virt(vm->host, hpa),
	};
	return V3_OK;
}

/* Asks for less; false: there is no less. */
static bool ask_less(const struct v3_vm *vm, struct ask *ask, uint64_t piece, uint64_t align)
{
	if (vm->num_blocks == V3_MAX_BLOCKS || (piece == MIN_BLOCK && align == MIN_BLOCK))
		return false;
	if (align > MIN_BLOCK)
		ask->aligned = false;
	else
		ask->most = (piece / 2 + MIN_BLOCK - 1) & ~(MIN_BLOCK - 1);
	return true;
}

/* Lays one region out from *gpa, around what has to be free below 4 GiB. */
static enum v3_status region_add(struct v3_vm *vm, v3_gpa_t *gpa, uint64_t size, int32_t node)
{
	struct ask ask = { V3_PAGE_SIZE_1G, vm->host->caps.nested_1g };

	while (size) {
		uint64_t piece, align;
		enum v3_status status;

		if (*gpa == V3_LOW_RAM_MAX)
			*gpa = V3_HIGH_RAM_BASE;
		piece = slice(*gpa, size);
		if (piece > ask.most)
			piece = ask.most;
		align = piece == V3_PAGE_SIZE_1G && ask.aligned ? V3_PAGE_SIZE_1G : MIN_BLOCK;
		status = block_add(vm, *gpa, piece, align, node);
		if (status == V3_ERR_NOMEM && ask_less(vm, &ask, piece, align))
			continue;
		if (status != V3_OK)
			return status;
		*gpa += piece;
		size -= piece;
	}
	return V3_OK;
}

static unsigned long long mib(uint64_t bytes)
{
	return bytes >> 20;
}

/* The host tells more about each refusal than this. */
static void complain(struct v3_vm *vm, uint64_t size, int32_t node, enum v3_status status)
{
	uint64_t found = -vm->ram_bytes;
	struct v3_block_info info;
	char where[24] = "any node";
	unsigned int i;

	if (node != V3_NODE_ANY)
		v3_snprintf(where, sizeof(where), "node %d", node);
	for (i = 0; i < vm->num_blocks; i++)
		found += vm->blocks[i].size;
	v3_host_log(vm->host, V3_LOG_ERROR,
		    "v3: %s: no %llu MiB of memory in pieces of 2 MiB or more on %s (%llu MiB were found): %s",
		    vm->name, mib(size), where, mib(found), v3_status_str(status));
	if (v3_os_has_blocks(vm->host) && v3_os_block_query(vm->host, node, &info) == V3_OK &&
	    info.held)
		v3_host_log(vm->host, V3_LOG_ERROR,
			    "v3: %s: held for guests there: %llu MiB free, %llu MiB in one piece",
			    vm->name, mib(info.free), mib(info.largest_2m));
}

/* In steps: zeroing gigabytes in one go would keep the host's other threads off this CPU. */
static void zero_in_steps(struct v3_vm *vm, const struct v3_mem_block *block)
{
	const uint64_t step = 16ull << 20;
	uint64_t done, n;

	for (done = 0; done < block->size; done += n) {
		n = block->size - done < step ? block->size - done : step;
		memset(block->virt + done, 0, n);
		v3_os_yield(vm->host);
	}
}

/* Only when all of it is there: a request that cannot be met must fail fast. */
static enum v3_status zero_all(struct v3_vm *vm)
{
	enum v3_status status = V3_OK;
	unsigned int i;

	for (i = 0; status == V3_OK && i < vm->num_blocks; i++) {
		const struct v3_mem_block *block = &vm->blocks[i];

		if (v3_os_has_blocks(vm->host))
			status = v3_os_block_zero(vm->host, vm->ctx, block->hpa, block->size,
						  block->node);
		else
			zero_in_steps(vm, block);
	}
	vm->ram_zeroed = status == V3_OK;
	return status;
}

enum v3_status v3_blocks_create(struct v3_vm *vm, const struct v3_vm_config *config)
{
	const struct v3_mem_config *mem = config->mem, *end = mem + config->num_mem;
	v3_gpa_t gpa = 0;

	while (mem < end) {
		int32_t node = mem->node;
		enum v3_status status;
		uint64_t size = 0;

		/* Neighbors on one node are one region: a large page may lie across. */
		for (; mem < end && mem->node == node; mem++)
			size += mem->size;
		status = region_add(vm, &gpa, size, node);
		if (status != V3_OK) {
			complain(vm, size, node, status);
			return status;
		}
		vm->ram_bytes += size;
	}
	return zero_all(vm);
}

void v3_blocks_destroy(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->num_blocks; i++) {
		const struct v3_mem_block *block = &vm->blocks[i];
		uint64_t done, n;

		/* The host gets nothing of the guest's to see; one with blocks takes care itself. */
		if (vm->ram_zeroed && !v3_os_has_blocks(vm->host))
			zero_in_steps(vm, block);
		for (done = 0; done < block->size; done += n) {
			n = slice(block->gpa + done, block->size - done);
			release(vm, block->hpa + done, n);
		}
	}
	vm->num_blocks = 0;
}
