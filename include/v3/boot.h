/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file boot.h
 * Loading of guest kernels: Linux bzImage, checked segments of static ELF64 kernels, multiboot 1.
 */
#ifndef V3_BOOT_H
#define V3_BOOT_H

#include <v3/v3.h>

/** A file's bytes, read piecewise: the host may hold them in user memory. */
struct v3_blob {
	/** Bytes of the file. */
	uint64_t size;
	/**
	 * Copies [offset, offset+len), which lies within size, to @p dst; V3_ERR_IO if it can't.
	 * Context: process. The bytes may change between two reads: check copies, not originals.
	 */
	enum v3_status (*read)(void *ctx, uint64_t offset, void *dst, size_t len);
	/** First argument of read. */
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
	v3_gpa_t gpa;       /**< where in guest RAM */
	uint64_t offset;    /**< where in the file */
	uint64_t file_size; /**< bytes of the file, at most mem_size */
	uint64_t mem_size;  /**< bytes in guest RAM */
};

/** A kernel to boot. Zero it, then fill. */
struct v3_boot_config {
	/** sizeof(struct v3_boot_config). */
	uint32_t struct_size;
	/** Which entry; for v3_boot_linux() only. */
	enum v3_linux_entry entry;
	/** The kernel's file. */
	struct v3_blob kernel;
	/** Size 0: none. */
	struct v3_blob initrd;
	/** NUL-terminated, at most V3_CMDLINE_MAX; NULL: empty. */
	const char *cmdline;
	/**
	 * Called after each piece with bytes loaded so far, e.g. for a progress bar; may be NULL.
	 */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	/** First argument of progress. */
	void *progress_ctx;
};

/**
 * Loads a bzImage by the Linux/x86 boot protocol (2.06 or later for the 32-bit entry, 2.12 with
 * XLF_KERNEL_64 for the 64-bit entry), with boot_params, e820, command line and initrd, and sets
 * the first vCPU to the entry.
 * @return V3_OK, or with the reason in the log:
 * - V3_ERR_VERSION: struct_size of the configuration;
 * - V3_ERR_STATE: the VM is not V3_VM_CREATED;
 * - V3_ERR_INVALID: no way to read a file, a command line that is too long for the kernel, an entry
 *   that is none of enum v3_linux_entry;
 * - V3_ERR_FORMAT: the image is malformed;
 * - V3_ERR_NOTSUP: the kernel lacks the entry asked for, or the memory map does not fit
 * boot_params;
 * - V3_ERR_NOMEM: something does not fit into guest RAM;
 * - V3_ERR_RANGE: a page of the image's place is not guest RAM;
 * - V3_ERR_IO: v3_blob.read failed.
 *
 * After an error part of the image may be in guest RAM, and another can be loaded. Context:
 * process.
 */
enum v3_status v3_boot_linux(struct v3_vm *vm, const struct v3_boot_config *config);

/**
 * Loads segments of config->kernel (checked again here: bounds, overlap, guest RAM) and enters @p
 * entry in 64-bit mode with the environment of the Linux 64-bit boot protocol: low 4 GiB identity
 * mapped, flat segments, interrupts off, RSI = boot_params. @p entry must lie within a segment and
 * below 4 GiB. Errors as v3_boot_linux(); V3_ERR_FORMAT is for a segment outside of the file, in
 * places of the loader's own or over another one. Context: process.
 */
enum v3_status v3_boot_segments(struct v3_vm *vm, const struct v3_boot_config *config,
				const struct v3_segment_load *segments, unsigned int count,
				v3_gpa_t entry);

/** Most modules of a multiboot kernel, the initial RAM disk counted. */
#define V3_MAX_MODULES 16

/** A file that a multiboot kernel gets beside itself. */
struct v3_boot_module {
	/** Its contents; may be empty. */
	struct v3_blob blob;
	/** NUL-terminated, at most V3_CMDLINE_MAX; NULL: empty. */
	const char *cmdline;
};

/**
 * Loads a kernel by the Multiboot Specification 0.6.96 and enters it in 32-bit protected mode
 * without paging: EAX = 0x2BADB002, EBX = multiboot information with memory map, command line and
 * modules. config->initrd, if there is one, is the first module, and @p modules follow.
 *
 * If the header has address fields they say what is loaded and where it starts, and @p segments and
 * @p entry are not used. Else those are loaded, checked as in v3_boot_segments(); @p count 0 then
 * is V3_ERR_FORMAT. config->entry is not used.
 * @return as v3_boot_linux(); V3_ERR_NOTSUP: the kernel requires something that libv3 cannot
 * provide, such as a video mode. Context: process; VM in V3_VM_CREATED.
 */
enum v3_status v3_boot_multiboot(struct v3_vm *vm, const struct v3_boot_config *config,
				 const struct v3_segment_load *segments, unsigned int count,
				 v3_gpa_t entry, const struct v3_boot_module *modules,
				 unsigned int num_modules);

#endif
