/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages and heap of the fake host. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_vmx_state.h"
#include "lib/bits.h"

#define ARENA_PAGES	(V3_FAKE_PHYS_SIZE / V3_PAGE_SIZE)
#define BASE_PAGE	(V3_FAKE_PHYS_BASE / V3_PAGE_SIZE)
/* Heap memory's physical addresses: above every page's, and told apart by this bit. */
#define HEAP_PHYS	0x800000000000ULL
#define GARBAGE		0xa5

void fake_memory_create(struct v3_fake_host *host)
{
	host->arena = mmap(NULL, V3_FAKE_PHYS_SIZE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host->arena == MAP_FAILED)
		v3_fake_fail("no address space for the fake host's %llu bytes of memory",
			     (unsigned long long)V3_FAKE_PHYS_SIZE);
}

void fake_memory_destroy(struct v3_fake_host *host)
{
	for (unsigned int i = 0; i < host->num_runs; i++)
		v3_fake_fail("leak: %llu pages at %#llx",
			     (unsigned long long)host->runs[i].count,
			     (unsigned long long)((host->runs[i].page + BASE_PAGE) << V3_PAGE_SHIFT));
	for (unsigned int i = 0; i < host->num_objects; i++) {
		v3_fake_fail("leak: %zu bytes of heap at %p", host->objects[i].size,
			     (void *)host->objects[i].ptr);
		free(host->objects[i].block);
	}
	munmap(host->arena, V3_FAKE_PHYS_SIZE);
}

uint64_t v3_fake_host_pages(const struct v3_fake_host *host)
{
	return host->pages;
}

uint64_t v3_fake_host_heap_bytes(const struct v3_fake_host *host)
{
	return host->heap;
}

uint64_t v3_fake_host_pages_peak(const struct v3_fake_host *host)
{
	return host->pages_peak;
}

uint64_t v3_fake_host_heap_peak(const struct v3_fake_host *host)
{
	return host->heap_peak;
}

/* Pages of the arena that a node has and that lie below limit, as [*first, *end). */
static void allowed_pages(int node, uint64_t limit, uint64_t *first, uint64_t *end)
{
	*first = node == 0 ? ARENA_PAGES / 2 : 0;
	*end = node == 1 ? ARENA_PAGES / 2 : ARENA_PAGES;
	if (limit != 0 && limit / V3_PAGE_SIZE < BASE_PAGE + *end)
		*end = limit / V3_PAGE_SIZE > BASE_PAGE ? limit / V3_PAGE_SIZE - BASE_PAGE : 0;
}

/* Highest free place in [first, end); returns its index among the runs, -1 if there is none. */
static int find_place(const struct v3_fake_host *host, uint64_t count, uint64_t align,
		      uint64_t first, uint64_t end, uint64_t *page)
{
	for (int i = (int)host->num_runs; i >= 0; i--) {
		uint64_t gap = i > 0 ? host->runs[i - 1].page + host->runs[i - 1].count : 0;
		uint64_t gap_end = i < (int)host->num_runs ? host->runs[i].page : ARENA_PAGES;

		gap = v3_max_u64(gap, first);
		gap_end = v3_min_u64(gap_end, end);
		if (gap_end < gap || gap_end - gap < count)
			continue;
		*page = v3_align_down(gap_end - count + BASE_PAGE, align);
		if (*page >= gap + BASE_PAGE) {
			*page -= BASE_PAGE;
			return i;
		}
	}
	return -1;
}

/* Contents of new pages are undefined. Large runs are not touched as a whole: that costs memory. */
static void fill_garbage(uint8_t *start, uint64_t count)
{
	if (count <= 64) {
		memset(start, GARBAGE, count * V3_PAGE_SIZE);
	} else {
		memset(start, GARBAGE, V3_PAGE_SIZE);
		memset(start + (count - 1) * V3_PAGE_SIZE, GARBAGE, V3_PAGE_SIZE);
	}
}

static bool take_pages(struct v3_fake_host *host, uint64_t count, uint64_t align, uint64_t first,
		       uint64_t end, uint64_t *page)
{
	int at = find_place(host, count, align, first, end, page);

	if (at < 0 || host->num_runs == FAKE_MAX_RUNS)
		return false;
	memmove(&host->runs[at + 1], &host->runs[at],
		(host->num_runs - (unsigned int)at) * sizeof(host->runs[0]));
	host->runs[at] = (struct fake_run){ .page = *page, .count = count };
	host->num_runs++;
	host->pages += count;
	host->pages_peak = v3_max_u64(host->pages_peak, host->pages);
	return true;
}

enum v3_status fake_page_alloc(void *ctx, size_t count, size_t align, int node, uint64_t limit,
			       v3_hpa_t *hpa)
{
	struct v3_fake_host *host = ctx;
	uint64_t first, end, page;
	bool ok;

	fake_need_process("page_alloc");
	if (count == 0 || !v3_is_pow2(align) || node < V3_NODE_ANY)
		v3_fake_fail("page_alloc of %zu pages, alignment %zu, node %d", count, align, node);
	if (node >= V3_FAKE_NODES || fake_alloc_fails(host, "page_alloc"))
		return V3_ERR_NOMEM;
	allowed_pages(node, limit, &first, &end);
	fake_host_lock(host);
	ok = take_pages(host, count, align, first, end, &page);
	fake_host_unlock(host);
	if (!ok)
		return V3_ERR_NOMEM;
	if (mprotect(host->arena + page * V3_PAGE_SIZE, count * V3_PAGE_SIZE,
		     PROT_READ | PROT_WRITE) != 0)
		v3_fake_fail("mprotect of %zu pages failed", count);
	fill_garbage(host->arena + page * V3_PAGE_SIZE, count);
	*hpa = (page + BASE_PAGE) << V3_PAGE_SHIFT;
	return V3_OK;
}

/* Index of the run that holds an arena page, -1 if none does. */
static int find_run(const struct v3_fake_host *host, uint64_t page)
{
	unsigned int low = 0, high = host->num_runs;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (host->runs[mid].page + host->runs[mid].count <= page)
			low = mid + 1;
		else
			high = mid;
	}
	return low < host->num_runs && host->runs[low].page <= page ? (int)low : -1;
}

void fake_page_free(void *ctx, v3_hpa_t hpa, size_t count)
{
	struct v3_fake_host *host = ctx;
	uint64_t page = (hpa >> V3_PAGE_SHIFT) - BASE_PAGE;
	int at;

	fake_need_process("page_free");
	fake_vmx_pages_freed(hpa, count);
	fake_host_lock(host);
	at = find_run(host, page);
	if ((hpa & (V3_PAGE_SIZE - 1)) || at < 0 || host->runs[at].page != page ||
	    host->runs[at].count != count) {
		v3_fake_fail("page_free(%#llx, %zu) is not what page_alloc gave, or is freed twice",
			     (unsigned long long)hpa, count);
		fake_host_unlock(host);
		return;
	}
	host->num_runs--;
	memmove(&host->runs[at], &host->runs[at + 1],
		(host->num_runs - (unsigned int)at) * sizeof(host->runs[0]));
	host->pages -= count;
	madvise(host->arena + page * V3_PAGE_SIZE, count * V3_PAGE_SIZE, MADV_DONTNEED);
	mprotect(host->arena + page * V3_PAGE_SIZE, count * V3_PAGE_SIZE, PROT_NONE);
	fake_host_unlock(host);
}

/* The heap object that holds an address, or NULL. */
static struct fake_object *find_object(struct v3_fake_host *host, const uint8_t *ptr)
{
	for (unsigned int i = 0; i < host->num_objects; i++)
		if (ptr >= host->objects[i].ptr && ptr < host->objects[i].ptr + host->objects[i].size)
			return &host->objects[i];
	return NULL;
}

void *fake_phys_to_virt(void *ctx, v3_hpa_t hpa)
{
	struct v3_fake_host *host = ctx;
	uint8_t *virt = NULL;

	fake_host_lock(host);
	if ((hpa & HEAP_PHYS) && hpa < 2 * HEAP_PHYS) {
		virt = (uint8_t *)(uintptr_t)(hpa & ~HEAP_PHYS);
		if (!find_object(host, virt))
			virt = NULL;
	} else if (find_run(host, (hpa >> V3_PAGE_SHIFT) - BASE_PAGE) >= 0) {
		virt = host->arena + (hpa - V3_FAKE_PHYS_BASE);
	}
	fake_host_unlock(host);
	if (!virt)
		v3_fake_fail("phys_to_virt(%#llx): nothing is allocated there",
			     (unsigned long long)hpa);
	return virt;
}

v3_hpa_t fake_virt_to_phys(void *ctx, const void *virt)
{
	struct v3_fake_host *host = ctx;
	const uint8_t *ptr = virt;
	v3_hpa_t hpa = V3_HPA_NONE;

	fake_host_lock(host);
	if (ptr >= host->arena && ptr < host->arena + V3_FAKE_PHYS_SIZE) {
		uint64_t offset = (uint64_t)(ptr - host->arena);

		if (find_run(host, offset >> V3_PAGE_SHIFT) >= 0)
			hpa = V3_FAKE_PHYS_BASE + offset;
	} else if (find_object(host, ptr)) {
		hpa = HEAP_PHYS | (uintptr_t)ptr;
	}
	fake_host_unlock(host);
	if (hpa == V3_HPA_NONE)
		v3_fake_fail("virt_to_phys(%p): nothing is allocated there", virt);
	return hpa;
}

/*
 * 16-byte aligned and never more: code that needs more must not take it from the heap. The object
 * ends where the block does, so that ASan sees an overrun.
 */
static bool make_object(struct fake_object *object, size_t size)
{
	void *block;

	if (posix_memalign(&block, 32, size + 16) != 0)
		return false;
	object->block = block;
	object->ptr = object->block + 16;
	object->size = size;
	return true;
}

void *fake_heap_alloc(void *ctx, size_t size)
{
	struct v3_fake_host *host = ctx;
	struct fake_object object;

	fake_need_process("heap_alloc");
	if (size == 0)
		v3_fake_fail("heap_alloc of 0 bytes");
	if (fake_alloc_fails(host, "heap_alloc") || size > SIZE_MAX / 2 ||
	    !make_object(&object, size))
		return NULL;
	memset(object.ptr, 0, size);
	fake_host_lock(host);
	if (host->num_objects == FAKE_MAX_OBJECTS)
		v3_fake_fail("more than %d heap objects", FAKE_MAX_OBJECTS);
	else
		host->objects[host->num_objects++] = object;
	host->heap += size;
	host->heap_peak = v3_max_u64(host->heap_peak, host->heap);
	fake_host_unlock(host);
	return object.ptr;
}

void fake_heap_free(void *ctx, void *ptr, size_t size)
{
	struct v3_fake_host *host = ctx;
	struct fake_object *object;

	fake_need_process("heap_free");
	if (!ptr)
		return;
	fake_host_lock(host);
	object = find_object(host, ptr);
	if (!object || object->ptr != ptr || object->size != size) {
		v3_fake_fail("heap_free(%p, %zu) is not what heap_alloc gave, or is freed twice", ptr,
			     size);
	} else {
		free(object->block);
		host->heap -= size;
		*object = host->objects[--host->num_objects];
	}
	fake_host_unlock(host);
}
