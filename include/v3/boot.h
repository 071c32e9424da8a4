/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file boot.h
 * Loading of guest kernels: Linux bzImage, and checked segments of static ELF64 kernels.
 */
#ifndef V3_BOOT_H
#define V3_BOOT_H

#include <v3/v3.h>

/** A file's bytes, read piecewise: the host may hold them in user memory. */
struct v3_blob {
	uint64_t size;
	/**
	 * Copies [offset, offset+len), which lies within size, to @p dst; V3_ERR_IO if it can't.
	 * Context: process. The bytes may change between two reads: check copies, not originals.
	 */
	enum v3_status (*read)(void *ctx, uint64_t offset, void *dst, size_t len);
	void *ctx;
};

/** Longest command line, without its NUL. */
#define V3_CMDLINE_MAX 2047
/** Most segments of an ELF kernel. */
#define V3_MAX_SEGMENTS 16

/** Which entry of a Linux kernel to use. */
enum v3_linux_entry {
	V3_LINUX_ENTRY_AUTO = 0, /**< 64-bit if the kernel has it, else 32-bit */
	V3_LINUX_ENTRY_64 = 1,
	V3_LINUX_ENTRY_32 = 2,
};

/** A piece of a flat kernel: file bytes, then zeros up to mem_size. */
struct v3_segment_load {
	v3_gpa_t gpa;
	uint64_t offset, file_size, mem_size;
};

/** A kernel to boot. Zero it, then fill. */
struct v3_boot_config {
	/** sizeof(struct v3_boot_config). */
	uint32_t struct_size;
	enum v3_linux_entry entry;
	struct v3_blob kernel;
	/** Size 0: none. */
	struct v3_blob initrd;
	/** NUL-terminated, at most V3_CMDLINE_MAX; NULL: empty. */
	const char *cmdline;
	/** Called after each piece with bytes loaded so far, e.g. for a progress bar; may be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
};

/**
 * Loads a bzImage by the Linux/x86 boot protocol (2.06 or later for the 32-bit entry, 2.12 with
 * XLF_KERNEL_64 for the 64-bit entry), with boot_params, e820, command line and initrd, and sets the first vCPU to the entry.
 * @return V3_ERR_FORMAT (malformed; the log says what), V3_ERR_NOTSUP (entry the kernel lacks), V3_ERR_NOMEM
 * (does not fit guest RAM), V3_ERR_IO, V3_ERR_STATE. Context: process; VM in V3_VM_CREATED.
 */
enum v3_status v3_boot_linux(struct v3_vm *vm, const struct v3_boot_config *config);

/**
 * Loads segments of config->kernel (checked again here: bounds, overlap, guest RAM) and enters @p entry
 * in 64-bit mode with the environment of the Linux 64-bit boot protocol: low 4 GiB
 * identity mapped, flat segments, interrupts off, RSI = boot_params.
 * @p entry must lie within a segment. Errors as v3_boot_linux(). Context: process.
 */
enum v3_status v3_boot_segments(struct v3_vm *vm, const struct v3_boot_config *config,
				const struct v3_segment_load *segments, unsigned int count,
				v3_gpa_t entry);

#endif
