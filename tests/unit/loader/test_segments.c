/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels as segments: loading, and what must not be loaded. */
#include "image.h"

/* Code at 1 MiB, data with zeros behind it at 2 MiB */
static const struct v3_segment_load good[2] = {
	{ .gpa = MIB, .offset = 4096, .file_size = 8192, .mem_size = 8192 },
	{ .gpa = 2 * MIB + 0x10, .offset = 0, .file_size = 1000, .mem_size = 3 * MIB },
};
#define ENTRY (MIB + 0x100)

static enum v3_status boot(struct image *image, const struct v3_segment_load *segments,
			   unsigned int count, v3_gpa_t entry)
{
	image->vm->logs = 0;
	image->vm->last_log[0] = 0;
	return v3_boot_segments(image->vm, &image->config, segments, count, entry);
}

static void assert_rejected(struct image *image, const struct v3_segment_load *segments,
			    unsigned int count, v3_gpa_t entry, enum v3_status status,
			    const char *message)
{
	image->vm->vcpus[0].state_set = false;
	assert_int_equal(boot(image, segments, count, entry), status);
	assert_int_equal(image->vm->logs, 1);
	if (!strstr(image->vm->last_log, message))
		fail_msg("\"%s\" does not tell of \"%s\"", image->vm->last_log, message);
	assert_false(image->vm->vcpus[0].state_set);
}

static void loads(void **state)
{
	struct image *image = *state;
	uint8_t *data = v3_vm_ptr(image->vm, 2 * MIB, 4 * MIB);
	const struct v3_boot_params *params = image_params(image);
	unsigned int i;

	memset(data, 0xaa, 4 * MIB);
	image->config.cmdline = "hello";
	image_add_initrd(image, 777);
	assert_int_equal(boot(image, good, 2, ENTRY), V3_OK);
	assert_memory_equal(v3_vm_ptr(image->vm, MIB, 8192), image->kernel.bytes + 4096, 8192);
	assert_memory_equal(data + 0x10, image->kernel.bytes, 1000);
	for (i = 0; i < 4 * MIB; i++)
		if (i < 0x10 || i >= 3 * MIB + 0x10)
			assert_int_equal(data[i], 0xaa);
		else if (i >= 0x10 + 1000)
			assert_int_equal(data[i], 0);
	assert_int_equal(image_state(image)->rip, ENTRY);
	assert_int_equal(image_state(image)->gpr[6], V3_BOOT_PARAMS_GPA);
	assert_int_equal(image_state(image)->cr0 & V3_CR0_PG, V3_CR0_PG);
	assert_int_equal(image_state(image)->seg[V3_SEG_CS].attrib, V3_SEG_ATTR_CODE64);
	assert_string_equal(v3_vm_ptr(image->vm, params->hdr.cmd_line_ptr, 16), "hello");
	assert_int_equal(params->hdr.header, V3_SETUP_MAGIC);
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_int_equal(params->hdr.ramdisk_image, 64 * MIB - 0x1000);
	assert_int_equal(params->hdr.ramdisk_size, 777);
	assert_int_equal(params->e820_entries, 4);
	assert_int_equal(image->progress_total, 8192 + 1000 + 777);
	assert_int_equal(image->progress_done, image->progress_total);
}

static void initrd_avoids_segments(void **state)
{
	struct image *image = *state;
	struct v3_segment_load seg = { .gpa = 32 * MIB, .offset = 0, .file_size = 16,
				       .mem_size = 32 * MIB };

	image_add_initrd(image, MIB);
	assert_int_equal(boot(image, &seg, 1, 32 * MIB), V3_OK);
	assert_int_equal(image_params(image)->hdr.ramdisk_image, 31 * MIB);
	image_add_initrd(image, 32 * MIB);
	assert_rejected(image, &seg, 1, 32 * MIB, V3_ERR_NOMEM, "initrd");
}

static void counts(void **state)
{
	struct image *image = *state;
	struct v3_segment_load many[V3_MAX_SEGMENTS + 1];
	unsigned int i;

	for (i = 0; i <= V3_MAX_SEGMENTS; i++)
		many[i] = (struct v3_segment_load){ .gpa = MIB + i * 0x1000, .offset = i,
						    .file_size = 1, .mem_size = 0x1000 };
	assert_rejected(image, many, 0, ENTRY, V3_ERR_FORMAT, "0 segments");
	assert_rejected(image, many, V3_MAX_SEGMENTS + 1, ENTRY, V3_ERR_FORMAT, "17 segments");
	assert_rejected(image, many, 0xffffffff, ENTRY, V3_ERR_FORMAT, "segments");
	assert_int_equal(boot(image, many, V3_MAX_SEGMENTS, ENTRY), V3_OK);
}

static void bad_segments(void **state)
{
	static const struct {
		struct v3_segment_load seg;
		enum v3_status status;
		const char *message;
	} bad[] = {
		{ { MIB, 0, 0, 0 }, V3_ERR_FORMAT, "0 bytes of file for 0 of memory" },
		{ { MIB, 0, 101, 100 }, V3_ERR_FORMAT, "101 bytes of file for 100" },
		{ { MIB, IMAGE_SETUP + IMAGE_CODE, 1, 4096 }, V3_ERR_FORMAT,
		  "outside of the file" },
		{ { MIB, UINT64_MAX, 1, 4096 }, V3_ERR_FORMAT, "outside of the file" },
		{ { MIB, 4096, UINT64_MAX, UINT64_MAX }, V3_ERR_FORMAT, "outside of the file" },
		{ { MIB, 1, IMAGE_SETUP + IMAGE_CODE, MIB }, V3_ERR_FORMAT, "outside of the file" },
		{ { 0, 0, 16, 4096 }, V3_ERR_FORMAT, "boot parameters" },
		{ { 0xffff, 0, 16, 4096 }, V3_ERR_FORMAT, "boot parameters" },
		{ { 0x9f000, 0, 16, 4096 }, V3_ERR_FORMAT, "BIOS data area" },
		{ { 0x90000, 0, 16, 0x20000 }, V3_ERR_NOMEM, "not guest RAM" },
		{ { 0xf0000, 0, 16, 4096 }, V3_ERR_NOMEM, "not guest RAM" },
		{ { 0xfee00000, 0, 16, 4096 }, V3_ERR_NOMEM, "not guest RAM" },
		{ { MIB, 0, 16, 63 * MIB + 1 }, V3_ERR_NOMEM, "not guest RAM" },
		{ { MIB, 0, 16, UINT64_MAX }, V3_ERR_NOMEM, "not guest RAM" },
		{ { UINT64_MAX, 0, 16, 16 }, V3_ERR_NOMEM, "not guest RAM" },
		{ { 64 * MIB, 0, 0, 1 }, V3_ERR_NOMEM, "not guest RAM" },
	};
	struct image *image = *state;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct v3_segment_load segments[2] = { good[0], bad[i].seg };

		assert_rejected(image, segments, 2, ENTRY, bad[i].status, bad[i].message);
	}
}

static void overlaps(void **state)
{
	struct image *image = *state;
	struct v3_segment_load segments[2] = { good[0], good[0] };

	assert_rejected(image, segments, 2, ENTRY, V3_ERR_FORMAT, "segments 0 and 1 overlap");
	segments[1].gpa = MIB + 8191;
	assert_rejected(image, segments, 2, ENTRY, V3_ERR_FORMAT, "overlap");
	segments[1].gpa = MIB + 8192;
	assert_int_equal(boot(image, segments, 2, ENTRY), V3_OK);
	/* Zeros count as well. */
	segments[0].mem_size = 8193;
	assert_rejected(image, segments, 2, ENTRY, V3_ERR_FORMAT, "overlap");
}

static void entries(void **state)
{
	struct image *image = *state;
	struct v3_segment_load segments[2] = { good[0], good[0] };

	assert_rejected(image, good, 2, MIB - 1, V3_ERR_FORMAT, "entry 0xfffff is in no segment");
	assert_rejected(image, good, 2, MIB + 8192, V3_ERR_FORMAT, "in no segment");
	assert_rejected(image, good, 2, UINT64_MAX, V3_ERR_FORMAT, "in no segment");
	assert_int_equal(boot(image, good, 2, MIB), V3_OK);
	assert_int_equal(boot(image, good, 2, MIB + 8191), V3_OK);
	/* Segments may be above 4 GiB, the entry may not. */
	fake_vm_add_mem(image->vm, 0x100000000, 2 * MIB, V3_MEM_RAM);
	segments[1].gpa = 0x100000000;
	assert_int_equal(boot(image, segments, 2, MIB), V3_OK);
	assert_memory_equal(v3_vm_ptr(image->vm, 0x100000000, 8192), image->kernel.bytes + 4096,
			    8192);
	assert_rejected(image, segments, 2, 0x100000000, V3_ERR_FORMAT, "above 4 GiB");
}

static void errors(void **state)
{
	struct image *image = *state;
	char line[V3_CMDLINE_MAX + 2];

	image->kernel.fail_at = 2;
	assert_rejected(image, good, 2, ENTRY, V3_ERR_IO, "kernel: cannot read");
	image->kernel.fail_at = 0;
	memset(line, 'x', sizeof(line));
	image->config.cmdline = line;
	assert_rejected(image, good, 2, ENTRY, V3_ERR_INVALID, "command line");
	image->config.cmdline = NULL;
	fake_fail_at(image->vm, 1, V3_ERR_STATE);
	assert_rejected(image, good, 2, ENTRY, V3_ERR_STATE, "first vCPU");
	image->vm->state = V3_VM_PAUSED;
	assert_rejected(image, good, 2, ENTRY, V3_ERR_STATE, "before the VM starts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(loads),
		IMAGE_TEST(initrd_avoids_segments),
		IMAGE_TEST(counts),
		IMAGE_TEST(bad_segments),
		IMAGE_TEST(overlaps),
		IMAGE_TEST(entries),
		IMAGE_TEST(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
