/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage: a real-mode part, of which only the header is used, and behind it the
 * protected-mode kernel. Sections named here are of Documentation/arch/x86/boot.rst of the kernel,
 * "The Linux/x86 Boot Protocol".
 */
#include "boot_params.h"
#include "entry.h"

#define SECTOR 512
#define DEFAULT_SETUP_SECTS 4		/* "setup_sects": 0 means 4 */
#define JUMP_OFFSET 0x201		/* tells the header's length: "64-bit Boot Protocol" */
#define HEADER_START 0x202
#define HEADER_READ 1024		/* the boot sector and one of setup code, at least */
#define VERSION_MIN 0x0206		/* cmdline_size */
#define VERSION_PREF 0x020a		/* pref_address, init_size */
#define VERSION_64 0x020c		/* xloadflags */
#define ENTRY_64 0x200			/* "64-bit Boot Protocol" */
#define ALIGN_MAX 0x40000000u

/* A checked image. */
struct image {
	struct v3_setup_header hdr;
	uint64_t offset, size;		/* of the protected-mode kernel in the file */
	uint64_t needed;		/* bytes it uses before it looks at the memory map */
	bool entry_64;
};

#define reject(vm, ...) (v3_vm_log(vm, V3_LOG_ERROR, "bzImage: " __VA_ARGS__), V3_ERR_FORMAT)

/* Copies the header, zeros for fields that this version does not have. */
static enum v3_status read_header(struct v3_vm *vm, const struct v3_blob *kernel,
				  struct image *image)
{
	uint8_t *hdr = (uint8_t *)&image->hdr;
	uint8_t jump;
	enum v3_status status = V3_OK;
	uint64_t len;

	if (kernel->size < HEADER_READ)
		return reject(vm, "%llu bytes are too few for a kernel",
			      (unsigned long long)kernel->size);
	status = kernel->read(kernel->ctx, JUMP_OFFSET, &jump, 1);
	len = HEADER_START + jump;
	if (len > V3_SETUP_OFFSET + sizeof(image->hdr))
		len = V3_SETUP_OFFSET + sizeof(image->hdr);
	len -= V3_SETUP_OFFSET;
	__builtin_memset(&image->hdr, 0, sizeof(image->hdr));
	if (status == V3_OK)
		status = kernel->read(kernel->ctx, V3_SETUP_OFFSET, hdr, (size_t)len);
	if (status != V3_OK) {
		v3_vm_log(vm, V3_LOG_ERROR, "bzImage: cannot read the header: %s",
			  v3_status_str(status));
		return V3_ERR_IO;
	}
	return V3_OK;
}

static enum v3_status check_header(struct v3_vm *vm, const struct v3_setup_header *hdr)
{
	if (hdr->boot_flag != V3_SETUP_BOOT_FLAG)
		return reject(vm, "boot_flag is 0x%x, not 0x%x: not a Linux kernel",
			      hdr->boot_flag, V3_SETUP_BOOT_FLAG);
	if (hdr->header != V3_SETUP_MAGIC)
		return reject(vm, "no HdrS signature: not a Linux kernel, or one older than 2.0");
	if (hdr->version < VERSION_MIN)
		return reject(vm, "boot protocol %u.%02u is older than 2.06",
			      hdr->version >> 8, hdr->version & 0xff);
	if (!(hdr->loadflags & V3_SETUP_LOADED_HIGH))
		return reject(vm, "loadflags 0x%x lack LOADED_HIGH: a zImage, not a bzImage",
			      hdr->loadflags);
	if (hdr->relocatable_kernel &&
	    (hdr->kernel_alignment == 0 || hdr->kernel_alignment > ALIGN_MAX ||
	     (hdr->kernel_alignment & (hdr->kernel_alignment - 1))))
		return reject(vm, "kernel_alignment 0x%x is not a power of two up to 1 GiB",
			      hdr->kernel_alignment);
	return V3_OK;
}

/* Where the protected-mode kernel is in the file, and how much memory it needs. */
static enum v3_status check_sizes(struct v3_vm *vm, const struct v3_blob *kernel,
				  struct image *image)
{
	const struct v3_setup_header *hdr = &image->hdr;
	unsigned int sects = hdr->setup_sects ? hdr->setup_sects : DEFAULT_SETUP_SECTS;

	image->offset = (uint64_t)(sects + 1) * SECTOR;
	if (image->offset >= kernel->size)
		return reject(vm, "setup_sects %u ends behind the file's %llu bytes", sects,
			      (unsigned long long)kernel->size);
	image->size = kernel->size - image->offset;
	/* syssize counts paragraphs of 16 bytes; a signature may follow. */
	if ((uint64_t)hdr->syssize * 16 > ((image->size + 15) & ~15ull))
		return reject(vm, "truncated: syssize says %llu bytes of kernel, the file has %llu",
			      (unsigned long long)hdr->syssize * 16,
			      (unsigned long long)image->size);
	if (image->size > V3_LOADER_4G)
		return reject(vm, "%llu bytes of kernel are more than 4 GiB",
			      (unsigned long long)image->size);
	image->needed = image->size;
	if (hdr->version >= VERSION_PREF && hdr->init_size > image->needed)
		image->needed = hdr->init_size;
	return V3_OK;
}

static enum v3_status choose_entry(struct v3_vm *vm, enum v3_linux_entry wanted,
				   struct image *image)
{
	const struct v3_setup_header *hdr = &image->hdr;
	bool has_64 = hdr->version >= VERSION_64 && (hdr->xloadflags & V3_SETUP_XLF_KERNEL_64);

	if (wanted > V3_LINUX_ENTRY_32) {
		v3_vm_log(vm, V3_LOG_ERROR, "boot: no such entry: %u", (unsigned int)wanted);
		return V3_ERR_INVALID;
	}
	if (wanted == V3_LINUX_ENTRY_64 && !has_64) {
		v3_vm_log(vm, V3_LOG_ERROR,
			  "bzImage: the kernel has no 64-bit entry (protocol %u.%02u, xloadflags "
			  "0x%x): use the 32-bit entry",
			  hdr->version >> 8, hdr->version & 0xff, hdr->xloadflags);
		return V3_ERR_NOTSUP;
	}
	image->entry_64 = has_64 && wanted != V3_LINUX_ENTRY_32;
	if (image->entry_64 && image->size <= ENTRY_64)
		return reject(vm, "%llu bytes of kernel end before the 64-bit entry",
			      (unsigned long long)image->size);
	return V3_OK;
}

static enum v3_status parse(struct v3_vm *vm, const struct v3_boot_config *config,
			    struct image *image)
{
	enum v3_status status = read_header(vm, &config->kernel, image);

	if (status == V3_OK)
		status = check_header(vm, &image->hdr);
	if (status == V3_OK)
		status = check_sizes(vm, &config->kernel, image);
	if (status == V3_OK)
		status = choose_entry(vm, config->entry, image);
	if (status == V3_OK)
		status = v3_cmdline_check(vm, config->cmdline, image->hdr.cmdline_size);
	return status;
}

/*
 * At pref_address, else at the next address that fits: below pref_address even a relocatable
 * kernel only moves itself up again ("pref_address").
 */
static enum v3_status place_kernel(struct v3_vm *vm, const struct image *image,
				   struct v3_extent *at)
{
	const struct v3_setup_header *hdr = &image->hdr;
	v3_gpa_t pref = hdr->version >= VERSION_PREF ? hdr->pref_address : V3_LOADER_HIGH;
	bool fits;

	at->size = image->needed;
	at->start = pref;
	if (pref < V3_LOADER_HIGH || pref >= V3_LOADER_4G)
		return reject(vm, "pref_address 0x%llx is not between 1 MiB and 4 GiB",
			      (unsigned long long)pref);
	if (hdr->relocatable_kernel)
		fits = v3_place_low(vm, at->size, hdr->kernel_alignment, pref, V3_LOADER_4G,
				    &at->start);
	else
		fits = at->size <= V3_LOADER_4G - pref && v3_ram_has(vm, pref, at->size);
	if (fits)
		return V3_OK;
	v3_vm_log(vm, V3_LOG_ERROR,
		  "bzImage: the kernel needs %llu MiB of RAM from 0x%llx on, below 4 GiB: "
		  "give the VM more memory",
		  (unsigned long long)((at->size + 0xfffff) >> 20), (unsigned long long)pref);
	return V3_ERR_NOMEM;
}

static enum v3_status load(struct v3_vm *vm, const struct v3_boot_config *config,
			   struct image *image)
{
	struct v3_loading loading = { .vm = vm, .config = config };
	struct v3_extent kernel, initrd;
	enum v3_status status;

	status = place_kernel(vm, image, &kernel);
	if (status == V3_OK)
		status = v3_place_initrd(vm, config, (v3_gpa_t)image->hdr.initrd_addr_max + 1,
					 &kernel, 1, &initrd);
	if (status != V3_OK)
		return status;
	loading.total = image->size + initrd.size;
	status = v3_load_blob(&loading, &config->kernel, "bzImage", image->offset, kernel.start,
			      image->size);
	if (status == V3_OK)
		status = v3_load_blob(&loading, &config->initrd, "initrd", 0, initrd.start,
				      initrd.size);
	if (status != V3_OK)
		return status;
	image->hdr.code32_start = (uint32_t)kernel.start;
	/* "loadflags": the others are for real-mode code, or the kernel's own. */
	image->hdr.loadflags = V3_SETUP_LOADED_HIGH;
	status = v3_boot_params_write(vm, config, &image->hdr, &initrd);
	if (status != V3_OK)
		return status;
	if (image->entry_64)
		return v3_enter_64(vm, kernel.start + ENTRY_64);
	return v3_enter_32(vm, kernel.start);
}

enum v3_status v3_boot_linux(struct v3_vm *vm, const struct v3_boot_config *config)
{
	enum v3_status status = v3_check_config(vm, config);
	struct image image;

	if (status == V3_OK)
		status = parse(vm, config, &image);
	if (status == V3_OK)
		status = load(vm, config, &image);
	return status;
}
