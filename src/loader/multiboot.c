/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1 kernels. The memory map is that of boot_params, which is written as well: it has the
 * command line, and does no harm. Multiboot information takes the place of the page tables that the
 * 64-bit entry would need.
 */
#include "boot_params.h"
#include "entry.h"
#include "multiboot.h"
#include "segments.h"

#include "lib/bits.h"

#define reject(vm, status, ...) (v3_vm_log(vm, V3_LOG_ERROR, "multiboot: " __VA_ARGS__), status)
#define ULL(x) ((unsigned long long)(x))

#define LOADER_NAME "libv3"
/* Bytes of the file that are searched at a time; the kernel's stacks are small. */
#define SEARCH_PIECE 256u

/* Multiboot information in guest memory. */
struct info_page {
	struct v3_mb_info info;
	char loader_name[sizeof(LOADER_NAME)];
	struct v3_mb_module modules[V3_MAX_MODULES];
	struct v3_mb_mmap mmap[V3_E820_MAX];
	char strings[];
};
#define INFO_GPA V3_BOOT_TABLES_GPA
#define INFO_SIZE (V3_BOOT_LOW_END - INFO_GPA)
#define INFO_AT(member) ((uint32_t)(INFO_GPA + offsetof(struct info_page, member)))
#define STRINGS_SIZE (INFO_SIZE - sizeof(struct info_page))
_Static_assert(sizeof(struct info_page) < INFO_SIZE, "room for strings of modules");

/* A kernel that is being loaded. On the heap: too large for a kernel's stack. */
struct multiboot {
	struct v3_vm *vm;
	const struct v3_boot_config *config;
	struct v3_mb_header header;
	uint32_t header_offset;
	struct v3_segment_load segments[V3_MAX_SEGMENTS];
	struct v3_extent at[V3_MAX_SEGMENTS];
	unsigned int num_segments;
	v3_gpa_t entry;
	struct v3_boot_module modules[V3_MAX_MODULES];
	struct v3_extent module_at[V3_MAX_MODULES];
	unsigned int num_modules;
};

static bool is_header(const uint32_t words[3])
{
	return words[0] == V3_MB_HEADER_MAGIC && words[0] + words[1] + words[2] == 0;
}

static enum v3_status read_file(struct multiboot *mb, uint64_t offset, void *to, size_t len)
{
	const struct v3_blob *kernel = &mb->config->kernel;
	enum v3_status status = kernel->read(kernel->ctx, offset, to, len);

	if (status == V3_OK)
		return V3_OK;
	return reject(mb->vm, V3_ERR_IO, "cannot read %llu bytes at offset %llu: %s", ULL(len),
		      ULL(offset), v3_status_str(status));
}

/* Sets header_offset to the first header; V3_ERR_FORMAT: there is none. */
static V3_NOINLINE enum v3_status find_header(struct multiboot *mb)
{
	const uint64_t end = v3_min_u64(mb->config->kernel.size, V3_MB_SEARCH);
	/* The last words of a piece come again in the next: a header may lie across. */
	uint32_t words[SEARCH_PIECE / sizeof(uint32_t)];
	const uint32_t overlap = V3_MB_HEADER_MIN - V3_MB_ALIGN;
	uint32_t offset, i, len;
	enum v3_status status;

	for (offset = 0; end >= V3_MB_HEADER_MIN && offset <= end - V3_MB_HEADER_MIN;
	     offset += SEARCH_PIECE - overlap) {
		len = (uint32_t)v3_min_u64(sizeof(words), end - offset);
		status = read_file(mb, offset, words, len);
		if (status != V3_OK)
			return status;
		for (i = 0; (i * V3_MB_ALIGN) + V3_MB_HEADER_MIN <= len; i++)
			if (is_header(words + i)) {
				mb->header_offset = offset + i * V3_MB_ALIGN;
				return V3_OK;
			}
	}
	return reject(mb->vm, V3_ERR_FORMAT,
		      "no header in the first %llu bytes of the file", ULL(end));
}

/* Reads the header once more, and from now on only this copy counts. */
static enum v3_status read_header(struct multiboot *mb)
{
	const uint64_t end = v3_min_u64(mb->config->kernel.size, V3_MB_SEARCH);
	uint32_t len = (uint32_t)v3_min_u64(sizeof(mb->header), end - mb->header_offset);
	uint32_t unknown;
	enum v3_status status = read_file(mb, mb->header_offset, &mb->header, len);

	if (status != V3_OK)
		return status;
	if (mb->header.magic + mb->header.flags + mb->header.checksum != 0 ||
	    mb->header.magic != V3_MB_HEADER_MAGIC)
		return reject(mb->vm, V3_ERR_FORMAT, "the header changed while it was read");
	if ((mb->header.flags & V3_MB_ADDRESSES) && len < sizeof(mb->header))
		return reject(mb->vm, V3_ERR_FORMAT,
			      "the header at offset %u goes on after the end of the file or of "
			      "its first %u bytes", mb->header_offset, V3_MB_SEARCH);
	if (mb->header.flags & V3_MB_VIDEO_MODE)
		return reject(mb->vm, V3_ERR_NOTSUP,
			      "the kernel requires a video mode (flags 0x%x), but the VM has no "
			      "display", mb->header.flags);
	unknown = mb->header.flags & V3_MB_REQUIRED & ~(V3_MB_PAGE_ALIGN | V3_MB_MEMORY_INFO);
	if (unknown)
		return reject(mb->vm, V3_ERR_NOTSUP,
			      "the kernel requires what this loader does not know: flags 0x%x",
			      unknown);
	return V3_OK;
}

/* MB 3.1.3: the image is one piece of the file, with zeros behind it. */
static enum v3_status use_addresses(struct multiboot *mb)
{
	const struct v3_mb_header *h = &mb->header;
	const uint64_t size = mb->config->kernel.size;
	struct v3_segment_load *seg = &mb->segments[0];
	uint32_t before = h->header_addr - h->load_addr;

	if (h->header_addr < h->load_addr || before > mb->header_offset)
		return reject(mb->vm, V3_ERR_FORMAT,
			      "header_addr 0x%x and load_addr 0x%x do not fit a header at offset "
			      "%u", h->header_addr, h->load_addr, mb->header_offset);
	seg->gpa = h->load_addr;
	seg->offset = mb->header_offset - before;
	if (h->load_end_addr == 0)
		seg->file_size = size - seg->offset;
	else if (h->load_end_addr < h->load_addr)
		return reject(mb->vm, V3_ERR_FORMAT, "load_end_addr 0x%x is below load_addr 0x%x",
			      h->load_end_addr, h->load_addr);
	else
		seg->file_size = h->load_end_addr - h->load_addr;
	if (seg->file_size > size - seg->offset)
		return reject(mb->vm, V3_ERR_FORMAT,
			      "load_end_addr 0x%x: the file ends %llu bytes after load_addr 0x%x",
			      h->load_end_addr, ULL(size - seg->offset), h->load_addr);
	seg->mem_size = seg->file_size;
	if (h->bss_end_addr != 0) {
		if (h->bss_end_addr < h->load_addr ||
		    h->bss_end_addr - h->load_addr < seg->file_size)
			return reject(mb->vm, V3_ERR_FORMAT,
				      "bss_end_addr 0x%x is below the end of what is loaded, 0x%llx",
				      h->bss_end_addr, ULL(seg->gpa + seg->file_size));
		seg->mem_size = h->bss_end_addr - h->load_addr;
	}
	mb->num_segments = 1;
	mb->entry = h->entry_addr;
	return V3_OK;
}

static enum v3_status use_segments(struct multiboot *mb, const struct v3_segment_load *segments,
				   unsigned int count, v3_gpa_t entry)
{
	if (count == 0 || count > V3_MAX_SEGMENTS)
		return reject(mb->vm, V3_ERR_FORMAT,
			      "the header has no addresses, and %u segments: there must be 1 to %u",
			      count, V3_MAX_SEGMENTS);
	__builtin_memcpy(mb->segments, segments, count * sizeof(mb->segments[0]));
	mb->num_segments = count;
	mb->entry = entry;
	return V3_OK;
}

static enum v3_status collect_modules(struct multiboot *mb, const struct v3_boot_module *modules,
				      unsigned int count)
{
	unsigned int i;

	if (mb->config->initrd.size != 0)
		mb->modules[mb->num_modules++].blob = mb->config->initrd;
	if (count > V3_MAX_MODULES - mb->num_modules)
		return reject(mb->vm, V3_ERR_INVALID, "%u modules: there can be %u",
			      count + mb->num_modules, V3_MAX_MODULES);
	for (i = 0; i < count; i++) {
		if (!modules[i].blob.read)
			return reject(mb->vm, V3_ERR_INVALID, "module %u has no read function",
				      mb->num_modules);
		mb->modules[mb->num_modules++] = modules[i];
	}
	return V3_OK;
}

/*
 * Upwards from the kernel, each on a page of its own: kernels that map only a little at first do so
 * at the bottom.
 */
static enum v3_status place_modules(struct multiboot *mb)
{
	v3_gpa_t from = V3_LOADER_HIGH;
	unsigned int i;

	for (i = 0; i < mb->num_segments; i++)
		if (mb->at[i].start < V3_LOADER_4G)
			from = v3_max_u64(from, mb->at[i].start + mb->at[i].size);
	for (i = 0; i < mb->num_modules; i++) {
		struct v3_extent *at = &mb->module_at[i];

		at->size = mb->modules[i].blob.size;
		if (!v3_place_low(mb->vm, at->size, V3_PAGE_SIZE, from, V3_LOADER_4G - 1,
				  &at->start))
			return reject(mb->vm, V3_ERR_NOMEM,
				      "module %u: %llu bytes do not fit in guest RAM above 0x%llx "
				      "and below 4 GiB: give the VM more memory",
				      i, ULL(at->size), ULL(from));
		from = at->start + at->size;
	}
	return V3_OK;
}

static enum v3_status load_files(struct multiboot *mb)
{
	struct v3_loading loading = { .vm = mb->vm, .config = mb->config };
	enum v3_status status;
	unsigned int i;

	for (i = 0; i < mb->num_segments; i++)
		loading.total += mb->segments[i].file_size;
	for (i = 0; i < mb->num_modules; i++)
		loading.total += mb->module_at[i].size;
	status = v3_segments_load(&loading, mb->segments, mb->num_segments);
	for (i = 0; status == V3_OK && i < mb->num_modules; i++)
		status = v3_load_blob(&loading, &mb->modules[i].blob, "module", 0,
				      mb->module_at[i].start, mb->module_at[i].size);
	return status;
}

/* Copies the string of a module; false if there is no room. */
static bool put_string(struct info_page *page, size_t *used, const char *string)
{
	size_t len = 0;

	while (string && string[len]) {
		if (len == V3_CMDLINE_MAX)
			return false;
		len++;
	}
	if (STRINGS_SIZE - *used < len + 1)
		return false;
	if (len > 0)
		__builtin_memcpy(page->strings + *used, string, len);
	page->strings[*used + len] = 0;
	*used += len + 1;
	return true;
}

static enum v3_status put_modules(struct multiboot *mb, struct info_page *page)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < mb->num_modules; i++) {
		page->modules[i].start = (uint32_t)mb->module_at[i].start;
		page->modules[i].end =
			(uint32_t)(mb->module_at[i].start + mb->module_at[i].size);
		page->modules[i].string = (uint32_t)(INFO_AT(strings) + used);
		if (!put_string(page, &used, mb->modules[i].cmdline))
			return reject(mb->vm, V3_ERR_INVALID,
				      "module %u: its string is longer than %u characters, or all "
				      "together than %u", i, V3_CMDLINE_MAX,
				      (unsigned int)STRINGS_SIZE);
	}
	page->info.mods_count = mb->num_modules;
	page->info.mods_addr = INFO_AT(modules);
	return V3_OK;
}

static void put_memory(struct multiboot *mb, struct info_page *page,
		       const struct v3_boot_params *params)
{
	struct v3_ram_walk walk = { .vm = mb->vm };
	struct v3_extent run;
	uint64_t end, upper = 0;
	unsigned int i;

	for (i = 0; i < params->e820_entries; i++)
		page->mmap[i] = (struct v3_mb_mmap){
			.size = sizeof(page->mmap[i]) - sizeof(page->mmap[i].size),
			.addr = params->e820_table[i].addr,
			.len = params->e820_table[i].size,
			.type = params->e820_table[i].type,
		};
	page->info.mmap_length = (uint32_t)(i * sizeof(page->mmap[0]));
	page->info.mmap_addr = INFO_AT(mmap);
	page->info.mem_lower = (uint32_t)(V3_BOOT_EBDA >> 10);
	while (v3_ram_next(&walk, &run)) {
		end = run.start + run.size;
		if (run.start <= V3_LOADER_HIGH && end > V3_LOADER_HIGH)
			upper = end - V3_LOADER_HIGH;
	}
	page->info.mem_upper = (uint32_t)v3_min_u64(upper >> 10, UINT32_MAX);
}

static enum v3_status write_info(struct multiboot *mb)
{
	const struct v3_setup_header none = { 0 };
	const struct v3_extent no_initrd = { 0, 0 };
	enum v3_status status = v3_boot_params_write(mb->vm, mb->config, &none, &no_initrd);
	const struct v3_boot_params *params = v3_vm_ptr(mb->vm, V3_BOOT_PARAMS_GPA,
							sizeof(*params));
	struct info_page *page = v3_vm_ptr(mb->vm, INFO_GPA, INFO_SIZE);

	if (status != V3_OK)
		return status;
	if (!params || !page)
		return reject(mb->vm, V3_ERR_NOMEM, "the VM has no RAM at 0x%llx", ULL(INFO_GPA));
	__builtin_memset(page, 0, INFO_SIZE);
	__builtin_memcpy(page->loader_name, LOADER_NAME, sizeof(LOADER_NAME));
	page->info.flags = V3_MB_INFO_MEMORY | V3_MB_INFO_CMDLINE | V3_MB_INFO_MODULES |
			   V3_MB_INFO_MMAP | V3_MB_INFO_LOADER;
	page->info.cmdline = (uint32_t)V3_BOOT_CMDLINE_GPA;
	page->info.boot_loader_name = INFO_AT(loader_name);
	put_memory(mb, page, params);
	return put_modules(mb, page);
}

static enum v3_status boot(struct multiboot *mb, const struct v3_segment_load *segments,
			   unsigned int count, v3_gpa_t entry,
			   const struct v3_boot_module *modules, unsigned int num_modules)
{
	enum v3_status status = find_header(mb);

	if (status == V3_OK)
		status = read_header(mb);
	if (status == V3_OK)
		status = mb->header.flags & V3_MB_ADDRESSES ?
				 use_addresses(mb) :
				 use_segments(mb, segments, count, entry);
	if (status == V3_OK)
		status = v3_segments_check(mb->vm, mb->config, mb->segments, mb->num_segments,
					   mb->entry, mb->at);
	if (status == V3_OK)
		status = v3_cmdline_check(mb->vm, mb->config->cmdline, V3_CMDLINE_MAX);
	if (status == V3_OK)
		status = collect_modules(mb, modules, num_modules);
	if (status == V3_OK)
		status = place_modules(mb);
	if (status == V3_OK)
		status = load_files(mb);
	if (status == V3_OK)
		status = write_info(mb);
	if (status == V3_OK)
		status = v3_enter_multiboot(mb->vm, mb->entry, V3_MB_LOADER_MAGIC,
					    INFO_AT(info));
	return status;
}

enum v3_status v3_boot_multiboot(struct v3_vm *vm, const struct v3_boot_config *config,
				 const struct v3_segment_load *segments, unsigned int count,
				 v3_gpa_t entry, const struct v3_boot_module *modules,
				 unsigned int num_modules)
{
	enum v3_status status = v3_check_config(vm, config);
	struct multiboot *mb;

	if (status != V3_OK)
		return status;
	mb = v3_device_alloc(vm, sizeof(*mb));
	if (!mb)
		return reject(vm, V3_ERR_NOMEM, "the host has no memory for loading");
	mb->vm = vm;
	mb->config = config;
	status = boot(mb, segments, count, entry, modules, num_modules);
	v3_device_free(vm, mb, sizeof(*mb));
	return status;
}
