/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loaders on any input. The first byte chooses. Bits 6:0 from 0 to 3: the rest is a bzImage, to be
 * entered by AUTO, 64-bit, 32-bit or an entry that does not exist. Else segments: bits 4:0 their
 * number; then the entry address, 32 bytes for each segment, and the file. Bit 5: the file has a
 * multiboot header, and it is booted by that. Bit 7: with an initrd.
 *
 * Checked beside memory safety: nothing is read outside of the file; after a successful load the
 * entry, boot_params and initrd are in guest RAM; after a failure the vCPU is as it was.
 */
#include "fakes/fake_core.c"	/* a fuzzer has one source */

#include "loader/boot_params.h"
#include "loader/multiboot.h"

struct input {
	const uint8_t *bytes;
	size_t size;
};

static enum v3_status input_read(void *ctx, uint64_t offset, void *dst, size_t len)
{
	const struct input *input = ctx;

	if (offset > input->size || len > input->size - offset)
		abort();
	memcpy(dst, input->bytes + offset, len);
	return V3_OK;
}

static void check_loaded(struct v3_vm *vm, uint64_t initrd_size)
{
	const struct v3_boot_params *params = v3_vm_ptr(vm, V3_BOOT_PARAMS_GPA, sizeof(*params));
	const struct v3_vcpu_state *state = &vm->vcpus[0].state;

	if (!vm->vcpus[0].state_set || !v3_vm_ptr(vm, state->rip, 1) || !params)
		abort();
	if (params->e820_entries == 0 || params->e820_entries > V3_E820_MAX)
		abort();
	if (params->hdr.setup_data != 0 || params->hdr.ramdisk_size != initrd_size)
		abort();
	if (initrd_size && !v3_vm_ptr(vm, params->hdr.ramdisk_image, initrd_size))
		abort();
}

static void check_multiboot(struct v3_vm *vm, uint64_t initrd_size)
{
	const struct v3_vcpu_state *state = &vm->vcpus[0].state;
	const struct v3_mb_info *info = v3_vm_ptr(vm, state->gpr[3], sizeof(*info));
	const struct v3_mb_module *module;

	if (!vm->vcpus[0].state_set || !v3_vm_ptr(vm, state->rip, 1) || !info)
		abort();
	if (state->gpr[0] != V3_MB_LOADER_MAGIC || info->mods_count != (initrd_size != 0) ||
	    !v3_vm_ptr(vm, info->mmap_addr, info->mmap_length))
		abort();
	if (initrd_size == 0)
		return;
	module = v3_vm_ptr(vm, info->mods_addr, sizeof(*module));
	if (!module || module->end - module->start != initrd_size ||
	    !v3_vm_ptr(vm, module->start, initrd_size))
		abort();
}

static enum v3_status boot_segments(struct v3_vm *vm, struct v3_boot_config *config,
				    struct input *input, unsigned int count, bool multiboot)
{
	struct v3_segment_load segments[V3_MAX_SEGMENTS];
	v3_gpa_t entry;

	if (count > V3_MAX_SEGMENTS || input->size < count * sizeof(segments[0]) + sizeof(entry))
		return V3_ERR_FORMAT;
	memcpy(&entry, input->bytes, sizeof(entry));
	input->bytes += sizeof(entry);
	memcpy(segments, input->bytes, count * sizeof(segments[0]));
	input->bytes += count * sizeof(segments[0]);
	input->size -= sizeof(entry) + count * sizeof(segments[0]);
	config->kernel.size = input->size;
	if (multiboot)
		return v3_boot_multiboot(vm, config, segments, count, entry, NULL, 0);
	return v3_boot_segments(vm, config, segments, count, entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input, initrd = { data, size };
	struct v3_boot_config config = {
		.struct_size = sizeof(config),
		.cmdline = "console=ttyS0",
	};
	const bool multiboot = size > 0 && (data[0] & 0x7f) >= 4 && (data[0] & 0x20);
	enum v3_status status;
	struct v3_vm *vm;

	if (size < 1)
		return 0;
	input = (struct input){ data + 1, size - 1 };
	config.kernel = (struct v3_blob){ size - 1, input_read, &input };
	vm = fake_vm_create(1);
	fake_vm_add_pc_mem(vm, 0x400000);
	if (data[0] & 0x80)
		config.initrd = (struct v3_blob){ size, input_read, &initrd };
	if ((data[0] & 0x7f) < 4) {
		config.entry = (enum v3_linux_entry)(data[0] & 3);
		status = v3_boot_linux(vm, &config);
	} else {
		status = boot_segments(vm, &config, &input, data[0] & 0x1f, multiboot);
	}
	if (status == V3_OK && multiboot)
		check_multiboot(vm, config.initrd.size);
	else if (status == V3_OK)
		check_loaded(vm, config.initrd.size);
	else if (vm->vcpus[0].state_set)
		abort();
	fake_vm_destroy(vm);
	return 0;
}
