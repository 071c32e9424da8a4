/* SPDX-License-Identifier: BSD-2-Clause */
/* Large blocks and NUMA nodes of the fake host: what it holds is in a pool of the library's. */
#include <stdlib.h>
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_host_state.h"

#define MIB2 0x200000ull
#define GIB 0x40000000ull

static void *pool_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return malloc(size);
}

static void pool_free(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	(void)size;
	free(ptr);
}

/* The claim that begins at an address, or NULL. */
static struct fake_claim *find_claim(struct v3_fake_host *host, v3_hpa_t hpa)
{
	for (unsigned int i = 0; i < host->num_claims; i++)
		if (host->claims[i].hpa == hpa)
			return &host->claims[i];
	return NULL;
}

static enum v3_status block_claim(void *ctx, void *vm_ctx, const struct v3_block_request *request,
				  v3_hpa_t *hpa, int32_t *node)
{
	struct v3_fake_host *host = ctx;
	uint64_t align = request->align;
	enum v3_status status;

	(void)vm_ctx;
	fake_need_process("block_claim");
	if (!request->size || request->size % MIB2 || request->size > GIB || request->reserved ||
	    (align != MIB2 && !(align == GIB && request->size == GIB)) ||
	    request->node < V3_NODE_ANY || *node != request->node)
		v3_fake_fail("block_claim of %#llx bytes, alignment %#llx, node %d, %d",
			     (unsigned long long)request->size, (unsigned long long)align,
			     request->node, *node);
	host->claim_calls++;
	if (fake_alloc_fails(host, "block_claim"))
		return host->claim_error ? host->claim_error : V3_ERR_NOMEM;
	if (host->num_claims == FAKE_MAX_CLAIMS) {
		v3_fake_fail("more than %d claims", FAKE_MAX_CLAIMS);
		return V3_ERR_NOMEM;
	}
	status = v3_pool_claim(&host->pool, request, NULL, hpa, node);
	if (status == V3_OK)
		host->claims[host->num_claims++] =
			(struct fake_claim){ .hpa = *hpa, .size = request->size, .node = *node };
	return status;
}

/* [hpa, hpa + size) has to be whole claims. Ends of large ones stand for all of them. */
static enum v3_status block_zero(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size, int32_t node)
{
	struct v3_fake_host *host = ctx;
	v3_hpa_t end = hpa + size;

	(void)vm_ctx;
	fake_need_process("block_zero");
	if (fake_alloc_fails(host, "block_zero"))
		return V3_ERR_TIMEOUT;
	while (hpa < end) {
		struct fake_claim *claim = find_claim(host, hpa);

		if (!claim || claim->size > end - hpa || claim->node != node || claim->zeroed) {
			v3_fake_fail("block_zero of %#llx on node %d is no claim, or is the second",
				     (unsigned long long)hpa, node);
			return V3_ERR_INTERNAL;
		}
		memset(fake_phys_to_virt(host, hpa), 0, V3_PAGE_SIZE);
		memset((uint8_t *)fake_phys_to_virt(host, hpa) + claim->size - V3_PAGE_SIZE, 0,
		       V3_PAGE_SIZE);
		claim->zeroed = true;
		hpa += claim->size;
	}
	return V3_OK;
}

static void block_release(void *ctx, void *vm_ctx, v3_hpa_t hpa, uint64_t size, bool used)
{
	struct v3_fake_host *host = ctx;
	struct fake_claim *claim = find_claim(host, hpa);

	(void)vm_ctx;
	fake_need_process("block_release");
	if (!claim || claim->size != size || (used && !claim->zeroed) ||
	    v3_pool_free(&host->pool, hpa, size) != V3_OK) {
		v3_fake_fail("block_release(%#llx, %#llx) is no claim, or was used before it was zeroed",
			     (unsigned long long)hpa, (unsigned long long)size);
		return;
	}
	host->used_releases += used;
	*claim = host->claims[--host->num_claims];
}

static enum v3_status block_query(void *ctx, int32_t node, struct v3_block_info *info)
{
	struct v3_fake_host *host = ctx;

	if (node >= V3_FAKE_NODES)
		return V3_ERR_NOENT;
	v3_pool_query(&host->pool, node, info);
	return V3_OK;
}

static unsigned int node_count(void *ctx)
{
	(void)ctx;
	return V3_FAKE_NODES;
}

/* The first half of the CPUs is on node 0. */
static unsigned int cpu_node(void *ctx, unsigned int cpu)
{
	const struct v3_fake_host *host = ctx;

	return cpu >= (host->num_cpus + 1) / 2;
}

static unsigned int node_distance(void *ctx, unsigned int from, unsigned int to)
{
	const struct v3_fake_host *host = ctx;

	return from == to ? 10 : host->distance;
}

static int cpu_choose(void *ctx, void *vm_ctx, unsigned int node)
{
	const struct v3_fake_host *host = ctx;

	(void)vm_ctx;
	fake_need_process("cpu_choose");
	if (node >= V3_FAKE_NODES)
		v3_fake_fail("cpu_choose on node %u", node);
	return node ? (int)host->num_cpus - 1 : 0;
}

void v3_fake_host_add_blocks(struct v3_fake_host *host)
{
	const struct v3_pool_mem mem = { pool_alloc, pool_free, host };
	struct v3_os_hooks *os = &host->hooks;

	v3_pool_init(&host->pool, &mem);
	host->distance = 21;
	os->block_claim = block_claim;
	os->block_zero = block_zero;
	os->block_release = block_release;
	os->block_query = block_query;
	os->node_count = node_count;
	os->cpu_node = cpu_node;
	os->node_distance = node_distance;
	os->cpu_choose = cpu_choose;
}

v3_hpa_t v3_fake_host_hold(struct v3_fake_host *host, uint64_t size, uint64_t align, int node)
{
	v3_hpa_t hpa = V3_HPA_NONE;

	if (fake_page_alloc(host, size / V3_PAGE_SIZE, align / V3_PAGE_SIZE, node, 0, &hpa) != V3_OK ||
	    v3_pool_add(&host->pool, hpa, size, node, NULL) != V3_OK)
		v3_fake_fail("the fake host cannot hold %#llx bytes on node %d",
			     (unsigned long long)size, node);
	return hpa;
}

unsigned int v3_fake_host_claims(const struct v3_fake_host *host)
{
	return host->num_claims;
}

unsigned int v3_fake_host_claim_calls(const struct v3_fake_host *host)
{
	return host->claim_calls;
}

unsigned int v3_fake_host_used_releases(const struct v3_fake_host *host)
{
	return host->used_releases;
}

void v3_fake_host_set_claim_error(struct v3_fake_host *host, enum v3_status status)
{
	host->claim_error = status;
}

void v3_fake_host_set_distance(struct v3_fake_host *host, unsigned int distance)
{
	host->distance = distance;
}

void fake_blocks_destroy(struct v3_fake_host *host)
{
	struct v3_pool_piece range;

	for (unsigned int i = 0; i < host->num_claims; i++)
		v3_fake_fail("leak: a claim of %#llx bytes at %#llx",
			     (unsigned long long)host->claims[i].size,
			     (unsigned long long)host->claims[i].hpa);
	for (v3_hpa_t from = 0; v3_pool_range(&host->pool, from, &range); from = range.hpa + 1)
		fake_page_free(host, range.hpa, range.size / V3_PAGE_SIZE);
	v3_pool_destroy(&host->pool);
}
