/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot kernels: what they find, and headers that lie. Numbers are the specification's. */
#include "image.h"

#include "loader/multiboot.h"

#define HEADER 4096u
#define ENTRY (MIB + 0x100)
#define FILE_SIZE (IMAGE_SETUP + IMAGE_CODE)
#define SIMPLE 0x00000003u
#define KLUDGE 0x00010003u

/* Code at 1 MiB, data with zeros behind it at 2 MiB */
static const struct v3_segment_load good[2] = {
	{ .gpa = MIB, .offset = 4096, .file_size = 8192, .mem_size = 8192 },
	{ .gpa = 2 * MIB + 0x10, .offset = 0, .file_size = 1000, .mem_size = 3 * MIB },
};

static void put32(struct image *image, uint32_t offset, uint32_t value)
{
	assert_true(offset + 4 <= image->kernel.size);
	memcpy(image->kernel.bytes + offset, &value, sizeof(value));
}

static void put_header(struct image *image, uint32_t offset, uint32_t flags)
{
	put32(image, offset, 0x1badb002);
	put32(image, offset + 4, flags);
	put32(image, offset + 8, -(0x1badb002 + flags));
}

/* The file from offset 4000 on at 1 MiB, header included, and zeros up to 2 MiB */
static void put_addresses(struct image *image, uint32_t header_addr, uint32_t load_addr,
			  uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
	put_header(image, HEADER, KLUDGE);
	put32(image, HEADER + 12, header_addr);
	put32(image, HEADER + 16, load_addr);
	put32(image, HEADER + 20, load_end);
	put32(image, HEADER + 24, bss_end);
	put32(image, HEADER + 28, entry);
}

static enum v3_status boot_modules(struct image *image, const struct v3_segment_load *segments,
				   unsigned int count, v3_gpa_t entry,
				   const struct v3_boot_module *modules, unsigned int num)
{
	enum v3_status status;

	image->vm->logs = 0;
	image->vm->last_log[0] = 0;
	image->vm->vcpus[0].state_set = false;
	image->progress_done = 0;
	status = v3_boot_multiboot(image->vm, &image->config, segments, count, entry, modules,
				   num);
	assert_int_equal(image->vm->alloc_bytes, 0);
	assert_int_equal(image->vm->vcpus[0].state_set, status == V3_OK);
	assert_int_equal(image->vm->logs, status != V3_OK);
	return status;
}

static enum v3_status boot(struct image *image)
{
	return boot_modules(image, good, 2, ENTRY, NULL, 0);
}

static void assert_rejected(struct image *image, enum v3_status status, const char *message)
{
	assert_int_equal(boot(image), status);
	if (!strstr(image->vm->last_log, message))
		fail_msg("\"%s\" does not tell of \"%s\"", image->vm->last_log, message);
}

static uint32_t info32(struct image *image, uint32_t offset)
{
	const uint8_t *info = v3_vm_ptr(image->vm, image_state(image)->gpr[3] + offset, 4);
	uint32_t value;

	assert_non_null(info);
	memcpy(&value, info, sizeof(value));
	return value;
}

static const char *text_at(struct image *image, uint32_t gpa)
{
	const char *text = v3_vm_ptr(image->vm, gpa, 2048);

	assert_non_null(text);
	assert_non_null(memchr(text, 0, 2048));
	return text;
}

static void entry_state(void **state)
{
	struct image *image = *state;
	const struct v3_vcpu_state *vcpu;

	put_header(image, HEADER, SIMPLE);
	assert_int_equal(boot(image), V3_OK);
	vcpu = image_state(image);
	assert_int_equal(vcpu->rip, ENTRY);
	assert_int_equal(vcpu->gpr[0], 0x2badb002);
	assert_int_equal(vcpu->rflags, 2);
	assert_int_equal(vcpu->cr0 & (V3_CR0_PE | V3_CR0_PG), V3_CR0_PE);
	assert_int_equal(vcpu->cr4 | vcpu->efer, 0);
	assert_int_equal(vcpu->seg[V3_SEG_CS].attrib, V3_SEG_ATTR_CODE32);
	assert_int_equal(vcpu->seg[V3_SEG_CS].base, 0);
	assert_int_equal(vcpu->seg[V3_SEG_CS].limit, 0xffffffff);
	assert_int_equal(vcpu->seg[V3_SEG_SS].attrib, V3_SEG_ATTR_DATA32);
}

static void information(void **state)
{
	struct image *image = *state;
	uint64_t ram = 0, base, len;
	uint32_t at, end;

	put_header(image, HEADER, SIMPLE);
	image->config.cmdline = "one two";
	assert_int_equal(boot(image), V3_OK);
	assert_int_equal(info32(image, 0), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	assert_int_equal(info32(image, 4), 639);
	assert_int_equal(info32(image, 8), 63 * 1024);
	assert_string_equal(text_at(image, info32(image, 16)), "one two");
	assert_int_equal(info32(image, 20), 0);
	assert_string_equal(text_at(image, info32(image, 64)), "libv3");
	at = info32(image, 48);
	end = at + info32(image, 44);
	assert_true(at < end);
	while (at < end) {
		const uint8_t *entry = v3_vm_ptr(image->vm, at, 24);
		uint32_t size, type;

		memcpy(&size, entry, 4);
		memcpy(&base, entry + 4, 8);
		memcpy(&len, entry + 12, 8);
		memcpy(&type, entry + 20, 4);
		assert_int_equal(size, 20);
		assert_true(type == 1 || type == 2);
		if (type == 1)
			ram += len;
		if (type == 1)
			assert_true(v3_vm_ptr(image->vm, base, len) != NULL);
		at += size + 4;
	}
	assert_int_equal(at, end);
	assert_int_equal(ram, 63 * MIB + 639 * 1024);
}

static void loads_segments(void **state)
{
	struct image *image = *state;
	uint8_t *data = v3_vm_ptr(image->vm, 2 * MIB, 4 * MIB);
	unsigned int i;

	memset(data, 0xaa, 4 * MIB);
	put_header(image, HEADER, SIMPLE);
	assert_int_equal(boot(image), V3_OK);
	assert_memory_equal(v3_vm_ptr(image->vm, MIB, 8192), image->kernel.bytes + 4096, 8192);
	assert_memory_equal(data + 0x10, image->kernel.bytes, 1000);
	for (i = 0x10 + 1000; i < 3 * MIB + 0x10; i++)
		assert_int_equal(data[i], 0);
	assert_int_equal(data[i], 0xaa);
	assert_int_equal(image->progress_done, 9192);
	assert_int_equal(image->progress_total, 9192);
}

static void loads_by_addresses(void **state)
{
	struct image *image = *state;
	uint8_t *at = v3_vm_ptr(image->vm, MIB, MIB);
	unsigned int i;

	memset(at, 0xaa, MIB);
	put_addresses(image, MIB + 96, MIB, MIB + 8000, MIB + 9000, MIB + 200);
	assert_int_equal(boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, MIB + 200);
	assert_memory_equal(at, image->kernel.bytes + HEADER - 96, 8000);
	for (i = 8000; i < 9000; i++)
		assert_int_equal(at[i], 0);
	assert_int_equal(at[9000], 0xaa);
	/* Neither end: all of the file, and no more. The segments are not looked at. */
	memset(at, 0xaa, MIB);
	put_addresses(image, MIB + 96, MIB, 0, 0, MIB + 200);
	assert_int_equal(boot_modules(image, NULL, 0, 0, NULL, 0), V3_OK);
	i = FILE_SIZE - (HEADER - 96);
	assert_memory_equal(at, image->kernel.bytes + HEADER - 96, i);
	assert_int_equal(at[i], 0xaa);
}

static void modules(void **state)
{
	struct image *image = *state;
	const struct v3_boot_module more[2] = {
		{ .blob = image->config.kernel, .cmdline = "second module" },
		{ .blob = { .size = 0, .read = image->config.kernel.read } },
	};
	uint32_t start[3], end[3], list;
	unsigned int i;

	put_header(image, HEADER, SIMPLE);
	image_add_initrd(image, 777);
	assert_int_equal(boot_modules(image, good, 2, ENTRY, more, 2), V3_OK);
	assert_int_equal(info32(image, 20), 3);
	list = info32(image, 24) - (uint32_t)image_state(image)->gpr[3];
	for (i = 0; i < 3; i++) {
		start[i] = info32(image, list + 16 * i);
		end[i] = info32(image, list + 16 * i + 4);
		assert_int_equal(start[i] & 4095, 0);
		assert_true(start[i] >= (i ? end[i - 1] : 5 * MIB + 0x10));
		assert_string_equal(text_at(image, info32(image, list + 16 * i + 8)),
				    i == 1 ? "second module" : "");
		assert_int_equal(info32(image, list + 16 * i + 12), 0);
	}
	assert_int_equal(end[0] - start[0], 777);
	assert_memory_equal(v3_vm_ptr(image->vm, start[0], 777), image->initrd.bytes, 777);
	assert_int_equal(end[1] - start[1], FILE_SIZE);
	assert_memory_equal(v3_vm_ptr(image->vm, start[1], FILE_SIZE), image->kernel.bytes,
			    FILE_SIZE);
	assert_int_equal(end[2], start[2]);
	assert_int_equal(image->progress_done, 9192 + 777 + FILE_SIZE);
}

static void bad_modules(void **state)
{
	struct image *image = *state;
	struct v3_boot_module many[V3_MAX_MODULES + 1] = { 0 };
	char string[V3_CMDLINE_MAX + 2];
	unsigned int i;

	memset(string, 'x', sizeof(string));
	string[V3_CMDLINE_MAX + 1] = 0;
	put_header(image, HEADER, SIMPLE);
	for (i = 0; i <= V3_MAX_MODULES; i++)
		many[i].blob = image->config.kernel;
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, V3_MAX_MODULES), V3_OK);
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, V3_MAX_MODULES + 1),
			 V3_ERR_INVALID);
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, UINT32_MAX), V3_ERR_INVALID);
	image_add_initrd(image, 1);
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, V3_MAX_MODULES),
			 V3_ERR_INVALID);
	assert_non_null(strstr(image->vm->last_log, "17 modules"));
	many[1].blob.read = NULL;
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, 2), V3_ERR_INVALID);
	many[1].blob = image->config.kernel;
	many[1].cmdline = string;
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, 2), V3_ERR_INVALID);
	assert_non_null(strstr(image->vm->last_log, "string"));
	/* Each fits, together they do not. */
	string[V3_CMDLINE_MAX] = 0;
	for (i = 0; i < V3_MAX_MODULES; i++)
		many[i].cmdline = string;
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, 2), V3_OK);
	assert_int_equal(boot_modules(image, good, 2, ENTRY, many, 15), V3_ERR_INVALID);
	/* No room above the kernel */
	image_add_initrd(image, 59 * MIB);
	assert_rejected(image, V3_ERR_NOMEM, "module 0");
}

/* Everywhere where it may be, and nowhere else. */
static void header_places(void **state)
{
	struct image *image = *state;
	uint32_t offset;

	assert_rejected(image, V3_ERR_FORMAT, "no header in the first 8192");
	for (offset = 0; offset <= 8192 - 12; offset += 4) {
		put_header(image, offset, SIMPLE);
		assert_int_equal(boot(image), V3_OK);
		put32(image, offset, 0);
	}
	for (offset = 8192 - 8; offset <= 8192 + 64; offset += 4) {
		put_header(image, offset, SIMPLE);
		assert_rejected(image, V3_ERR_FORMAT, "no header");
		put32(image, offset, 0);
	}
	for (offset = 1; offset < 4; offset++) {
		memset(image->kernel.bytes, 0, 8192);
		put_header(image, 4096 + offset, SIMPLE);
		assert_rejected(image, V3_ERR_FORMAT, "no header");
	}
	/* One that the file ends in */
	memset(image->kernel.bytes, 0, 8192);
	put_header(image, 4096, SIMPLE);
	image->config.kernel.size = 4096 + 11;
	assert_rejected(image, V3_ERR_FORMAT, "no header in the first 4107");
	for (image->config.kernel.size = 0; image->config.kernel.size < 12;
	     image->config.kernel.size++)
		assert_rejected(image, V3_ERR_FORMAT, "no header");
}

static void bad_headers(void **state)
{
	struct image *image = *state;
	unsigned int bit;

	put_header(image, HEADER, SIMPLE);
	put32(image, HEADER + 8, 0);
	assert_rejected(image, V3_ERR_FORMAT, "no header");
	put_header(image, HEADER, SIMPLE | 4);
	assert_rejected(image, V3_ERR_NOTSUP, "video mode");
	for (bit = 3; bit < 16; bit++) {
		put_header(image, HEADER, SIMPLE | 1u << bit);
		assert_rejected(image, V3_ERR_NOTSUP, "does not know");
	}
	for (bit = 17; bit < 32; bit++) {
		put_header(image, HEADER, SIMPLE | 1u << bit);
		assert_int_equal(boot(image), V3_OK);
	}
	/* Addresses beyond the 8 KiB, or the file */
	put32(image, HEADER, 0);
	put_header(image, 8192 - 28, KLUDGE);
	assert_rejected(image, V3_ERR_FORMAT, "goes on after");
	put32(image, 8192 - 28, 0);
	put_addresses(image, MIB, MIB, 0, 0, MIB);
	image->config.kernel.size = HEADER + 31;
	assert_rejected(image, V3_ERR_FORMAT, "goes on after");
	image->config.kernel.size = HEADER + 32;
	assert_int_equal(boot(image), V3_OK);
}

static void bad_addresses(void **state)
{
	static const struct {
		uint32_t header, load, load_end, bss_end, entry;
		enum v3_status status;
		const char *message;
	} bad[] = {
		{ MIB, MIB + 1, 0, 0, MIB + 1, V3_ERR_FORMAT, "header_addr 0x100000" },
		{ MIB + HEADER + 1, MIB, 0, 0, MIB, V3_ERR_FORMAT, "do not fit a header" },
		{ UINT32_MAX, MIB, 0, 0, MIB, V3_ERR_FORMAT, "do not fit a header" },
		{ MIB, MIB, MIB - 1, 0, MIB, V3_ERR_FORMAT, "is below load_addr" },
		{ MIB, MIB, UINT32_MAX, 0, MIB, V3_ERR_FORMAT, "the file ends" },
		{ MIB, MIB, MIB + FILE_SIZE - HEADER + 1, 0, MIB, V3_ERR_FORMAT,
		  "the file ends" },
		{ MIB, MIB, MIB + 4096, MIB + 4095, MIB, V3_ERR_FORMAT, "bss_end_addr" },
		{ MIB, MIB, 0, MIB + 4096, MIB, V3_ERR_FORMAT, "bss_end_addr" },
		{ MIB, MIB, MIB + 4096, 1, MIB, V3_ERR_FORMAT, "bss_end_addr" },
		{ MIB, MIB, MIB, 0, MIB, V3_ERR_FORMAT, "0 bytes of file for 0 of memory" },
		{ MIB, MIB, MIB + 4096, 0, MIB + 4096, V3_ERR_FORMAT, "in no segment" },
		{ MIB, MIB, MIB + 4096, 0, MIB - 1, V3_ERR_FORMAT, "in no segment" },
		{ MIB, MIB, MIB + 4096, UINT32_MAX, MIB, V3_ERR_NOMEM, "not guest RAM" },
		{ MIB, MIB, MIB + 4096, 64 * MIB + 1, MIB, V3_ERR_NOMEM, "not guest RAM" },
		{ 0x8000, 0x8000, 0, 0, 0x8000, V3_ERR_FORMAT, "boot parameters" },
		{ 0x9f000, 0x9f000, 0x9ff00, 0, 0x9f000, V3_ERR_FORMAT, "BIOS data area" },
		{ 0xa0000, 0xa0000, 0, 0, 0xa0000, V3_ERR_NOMEM, "not guest RAM" },
		{ 0xf0000, 0xf0000, 0, 0, 0xf0000, V3_ERR_NOMEM, "not guest RAM" },
		{ 0xfee00000, 0xfee00000, 0, 0, 0xfee00000, V3_ERR_NOMEM, "not guest RAM" },
		{ 0xfffffff0, 0xfffffff0, 0, 0, 0xfffffff0, V3_ERR_NOMEM, "not guest RAM" },
	};
	struct image *image = *state;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_addresses(image, bad[i].header, bad[i].load, bad[i].load_end, bad[i].bss_end,
			      bad[i].entry);
		assert_rejected(image, bad[i].status, bad[i].message);
	}
}

/* Without addresses in the header: as v3_boot_segments() checks them. */
static void bad_segments(void **state)
{
	struct image *image = *state;
	struct v3_segment_load two[2] = { good[0], good[0] };

	put_header(image, HEADER, SIMPLE);
	assert_int_equal(boot_modules(image, NULL, 0, ENTRY, NULL, 0), V3_ERR_FORMAT);
	assert_non_null(strstr(image->vm->last_log, "0 segments"));
	assert_int_equal(boot_modules(image, good, V3_MAX_SEGMENTS + 1, ENTRY, NULL, 0),
			 V3_ERR_FORMAT);
	assert_int_equal(boot_modules(image, two, 2, ENTRY, NULL, 0), V3_ERR_FORMAT);
	assert_non_null(strstr(image->vm->last_log, "overlap"));
	assert_int_equal(boot_modules(image, good, 2, MIB - 1, NULL, 0), V3_ERR_FORMAT);
	two[1].gpa = 64 * MIB;
	assert_int_equal(boot_modules(image, two, 2, ENTRY, NULL, 0), V3_ERR_NOMEM);
}

static void errors(void **state)
{
	struct image *image = *state;
	char line[V3_CMDLINE_MAX + 2];
	unsigned int n, reads;

	put_header(image, HEADER, SIMPLE);
	image_add_initrd(image, 4096);
	image->kernel.reads = 0;
	assert_int_equal(boot(image), V3_OK);
	reads = image->kernel.reads;
	assert_true(reads > 3);
	for (n = 1; n <= reads; n++) {
		image->kernel.reads = 0;
		image->kernel.fail_at = n;
		assert_rejected(image, V3_ERR_IO, "cannot read");
	}
	image->kernel.fail_at = 0;
	image->initrd.reads = 0;
	image->initrd.fail_at = 1;
	assert_rejected(image, V3_ERR_IO, "module: cannot read");
	image->initrd.fail_at = 0;
	memset(line, 'x', sizeof(line));
	line[V3_CMDLINE_MAX + 1] = 0;
	image->config.cmdline = line;
	assert_rejected(image, V3_ERR_INVALID, "command line");
	line[V3_CMDLINE_MAX] = 0;
	assert_int_equal(boot(image), V3_OK);
	assert_string_equal(text_at(image, info32(image, 16)), line);
	fake_fail_at(image->vm, 1, V3_ERR_NOMEM);
	assert_rejected(image, V3_ERR_NOMEM, "multiboot");
	fake_fail_at(image->vm, 2, V3_ERR_STATE);
	assert_rejected(image, V3_ERR_STATE, "first vCPU");
	fake_fail_at(image->vm, 0, V3_OK);
	image->vm->state = V3_VM_PAUSED;
	assert_rejected(image, V3_ERR_STATE, "before the VM starts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(entry_state),
		IMAGE_TEST(information),
		IMAGE_TEST(loads_segments),
		IMAGE_TEST(loads_by_addresses),
		IMAGE_TEST(modules),
		IMAGE_TEST(bad_modules),
		IMAGE_TEST(header_places),
		IMAGE_TEST(bad_headers),
		IMAGE_TEST(bad_addresses),
		IMAGE_TEST(bad_segments),
		IMAGE_TEST(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
