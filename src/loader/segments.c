/* SPDX-License-Identifier: BSD-2-Clause */
/* Static kernels as segments: what a host's ELF parser found, checked again. */
#include "boot_params.h"
#include "entry.h"
#include "segments.h"

#include "lib/bits.h"

#define reject(vm, status, ...) (v3_vm_log(vm, V3_LOG_ERROR, "kernel: " __VA_ARGS__), status)
#define ULL(x) ((unsigned long long)(x))

/* One segment alone: file and memory bounds. @p at receives where it will be. */
static enum v3_status check_segment(struct v3_vm *vm, const struct v3_boot_config *config,
				    unsigned int i, const struct v3_segment_load *seg,
				    struct v3_extent *at)
{
	const uint64_t file = config->kernel.size;

	if (seg->mem_size == 0 || seg->file_size > seg->mem_size)
		return reject(vm, V3_ERR_FORMAT,
			      "segment %u: %llu bytes of file for %llu of memory", i,
			      ULL(seg->file_size), ULL(seg->mem_size));
	if (seg->offset > file || seg->file_size > file - seg->offset)
		return reject(vm, V3_ERR_FORMAT,
			      "segment %u: bytes %llu + %llu are outside of the file's %llu", i,
			      ULL(seg->offset), ULL(seg->file_size), ULL(file));
	if (seg->gpa < V3_BOOT_LOW_END)
		return reject(vm, V3_ERR_FORMAT,
			      "segment %u at 0x%llx: below 0x%llx are boot parameters and page "
			      "tables", i, ULL(seg->gpa), ULL(V3_BOOT_LOW_END));
	if (!v3_ram_has(vm, seg->gpa, seg->mem_size))
		return reject(vm, V3_ERR_NOMEM,
			      "segment %u: %llu bytes at 0x%llx are not guest RAM: give the VM "
			      "more memory or link the kernel elsewhere",
			      i, ULL(seg->mem_size), ULL(seg->gpa));
	at->start = seg->gpa;
	at->size = seg->mem_size;
	return V3_OK;
}

enum v3_status v3_segments_check(struct v3_vm *vm, const struct v3_boot_config *config,
				 const struct v3_segment_load *segments, unsigned int count,
				 v3_gpa_t entry, struct v3_extent *at)
{
	const struct v3_extent ebda = { V3_BOOT_EBDA, V3_BOOT_640K - V3_BOOT_EBDA };
	bool entry_found = false;
	enum v3_status status;
	unsigned int i, j;

	for (i = 0; i < count; i++) {
		status = check_segment(vm, config, i, &segments[i], &at[i]);
		if (status != V3_OK)
			return status;
		if (v3_extents_overlap(&at[i], &ebda))
			return reject(vm, V3_ERR_FORMAT,
				      "segment %u at 0x%llx reaches into the BIOS data area at "
				      "0x%llx", i, ULL(at[i].start), ULL(ebda.start));
		for (j = 0; j < i; j++)
			if (v3_extents_overlap(&at[i], &at[j]))
				return reject(vm, V3_ERR_FORMAT, "segments %u and %u overlap", j,
					      i);
		if (entry >= at[i].start && entry - at[i].start < at[i].size)
			entry_found = true;
	}
	if (!entry_found)
		return reject(vm, V3_ERR_FORMAT, "entry 0x%llx is in no segment", ULL(entry));
	if (entry >= V3_LOADER_4G)
		return reject(vm, V3_ERR_FORMAT,
			      "entry 0x%llx is above 4 GiB, where nothing is mapped at the start",
			      ULL(entry));
	return V3_OK;
}

enum v3_status v3_segments_load(struct v3_loading *loading,
				const struct v3_segment_load *segments, unsigned int count)
{
	enum v3_status status = V3_OK;
	unsigned int i;

	for (i = 0; status == V3_OK && i < count; i++) {
		const struct v3_segment_load *seg = &segments[i];

		status = v3_load_blob(loading, &loading->config->kernel, "kernel", seg->offset,
				      seg->gpa, seg->file_size);
		if (status == V3_OK)
			status = v3_load_zeros(loading, seg->gpa + seg->file_size,
					       seg->mem_size - seg->file_size);
	}
	return status;
}

/* Not inlined: its frame beside that of the caller would be over 1 KiB. */
static V3_NOINLINE enum v3_status load(struct v3_vm *vm, const struct v3_boot_config *config,
				       const struct v3_segment_load *segments, unsigned int count,
				       const struct v3_extent *at, v3_gpa_t entry)
{
	struct v3_loading loading = { .vm = vm, .config = config,
				      .total = config->initrd.size };
	/* What the guest may look at to tell the protocol; there was no setup code. */
	const struct v3_setup_header hdr = {
		.boot_flag = V3_SETUP_BOOT_FLAG,
		.header = V3_SETUP_MAGIC,
		.version = 0x020c,
		.loadflags = V3_SETUP_LOADED_HIGH,
		.xloadflags = V3_SETUP_XLF_KERNEL_64,
		.cmdline_size = V3_CMDLINE_MAX,
	};
	struct v3_extent initrd;
	enum v3_status status;
	unsigned int i;

	status = v3_place_initrd(vm, config, V3_LOADER_4G, at, count, &initrd);
	for (i = 0; i < count; i++)
		loading.total += segments[i].file_size;
	if (status == V3_OK)
		status = v3_segments_load(&loading, segments, count);
	if (status == V3_OK)
		status = v3_load_blob(&loading, &config->initrd, "initrd", 0, initrd.start,
				      initrd.size);
	if (status == V3_OK)
		status = v3_boot_params_write(vm, config, &hdr, &initrd);
	if (status == V3_OK)
		status = v3_enter_64(vm, entry);
	return status;
}

enum v3_status v3_boot_segments(struct v3_vm *vm, const struct v3_boot_config *config,
				const struct v3_segment_load *segments, unsigned int count,
				v3_gpa_t entry)
{
	struct v3_segment_load copy[V3_MAX_SEGMENTS];
	struct v3_extent at[V3_MAX_SEGMENTS];
	enum v3_status status = v3_check_config(vm, config);

	if (status != V3_OK)
		return status;
	if (count == 0 || count > V3_MAX_SEGMENTS)
		return reject(vm, V3_ERR_FORMAT, "%u segments: there must be 1 to %u", count,
			      V3_MAX_SEGMENTS);
	__builtin_memcpy(copy, segments, count * sizeof(copy[0]));
	status = v3_segments_check(vm, config, copy, count, entry, at);
	if (status == V3_OK)
		status = v3_cmdline_check(vm, config->cmdline, V3_CMDLINE_MAX);
	if (status == V3_OK)
		status = load(vm, config, copy, count, at, entry);
	return status;
}
