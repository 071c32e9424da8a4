/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

uint8_t image_byte(uint64_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 3 + (i >> 16));
}

static enum v3_status file_read(void *ctx, uint64_t offset, void *dst, size_t len)
{
	struct file *file = ctx;

	if (offset > file->size || len > file->size - offset) {
		file->out_of_bounds = true;
		return V3_ERR_RANGE;
	}
	file->reads++;
	if (file->reads == file->fail_at)
		return V3_ERR_DENIED;
	memcpy(dst, file->bytes + offset, len);
	return V3_OK;
}

static void file_create(struct file *file, uint64_t size)
{
	uint64_t i;

	file->bytes = malloc(size);
	assert_non_null(file->bytes);
	file->size = size;
	for (i = 0; i < size; i++)
		file->bytes[i] = image_byte(i);
}

static void progress(void *ctx, uint64_t done, uint64_t total)
{
	struct image *image = ctx;

	if (done <= image->progress_done)
		image->progress_back = true;
	image->progress_done = done;
	image->progress_total = total;
	image->progress_calls++;
}

struct v3_setup_header *image_header(struct image *image)
{
	return (struct v3_setup_header *)(image->kernel.bytes + V3_SETUP_OFFSET);
}

static void write_header(struct image *image)
{
	struct v3_setup_header *hdr = image_header(image);

	memset(hdr, 0, sizeof(*hdr));
	hdr->setup_sects = IMAGE_SETUP / 512 - 1;
	hdr->syssize = IMAGE_CODE / 16;
	hdr->boot_flag = V3_SETUP_BOOT_FLAG;
	hdr->jump = 0xeb | (V3_SETUP_OFFSET + sizeof(*hdr) - 0x202) << 8;
	hdr->header = V3_SETUP_MAGIC;
	hdr->version = 0x020f;
	hdr->loadflags = V3_SETUP_LOADED_HIGH | 0x40;
	hdr->initrd_addr_max = 0x7fffffff;
	hdr->kernel_alignment = 0x200000;
	hdr->relocatable_kernel = 1;
	hdr->min_alignment = 21;
	hdr->xloadflags = V3_SETUP_XLF_KERNEL_64;
	hdr->cmdline_size = 2047;
	hdr->setup_data = 0xdeadbeef;
	hdr->pref_address = 16 * MIB;
	hdr->init_size = 8 * MIB;
	hdr->kernel_info_offset = 0x1234;
}

struct image *image_create(uint64_t ram)
{
	struct image *image = calloc(1, sizeof(*image));

	assert_non_null(image);
	image->vm = fake_vm_create(2);
	fake_vm_add_pc_mem(image->vm, ram);
	file_create(&image->kernel, IMAGE_SETUP + IMAGE_CODE);
	write_header(image);
	image->config.struct_size = sizeof(image->config);
	image->config.kernel.size = image->kernel.size;
	image->config.kernel.read = file_read;
	image->config.kernel.ctx = &image->kernel;
	image->config.progress = progress;
	image->config.progress_ctx = image;
	return image;
}

void image_add_initrd(struct image *image, uint64_t size)
{
	free(image->initrd.bytes);
	memset(&image->initrd, 0, sizeof(image->initrd));
	file_create(&image->initrd, size);
	image->config.initrd.size = size;
	image->config.initrd.read = file_read;
	image->config.initrd.ctx = &image->initrd;
}

void image_destroy(struct image *image)
{
	assert_false(image->kernel.out_of_bounds);
	assert_false(image->initrd.out_of_bounds);
	fake_vm_destroy(image->vm);
	free(image->kernel.bytes);
	free(image->initrd.bytes);
	free(image);
}

enum v3_status image_boot(struct image *image)
{
	image->progress_done = 0;
	image->progress_calls = 0;
	image->vm->logs = 0;
	image->vm->last_log[0] = 0;
	return v3_boot_linux(image->vm, &image->config);
}

const struct v3_boot_params *image_params(struct image *image)
{
	const struct v3_boot_params *params =
		v3_vm_ptr(image->vm, V3_BOOT_PARAMS_GPA, sizeof(*params));

	assert_non_null(params);
	return params;
}

struct v3_vcpu_state *image_state(struct image *image)
{
	assert_true(image->vm->vcpus[0].state_set);
	return &image->vm->vcpus[0].state;
}

int image_setup(void **state)
{
	*state = image_create(64 * MIB);
	return 0;
}

int image_teardown(void **state)
{
	image_destroy(*state);
	return 0;
}
