/* SPDX-License-Identifier: BSD-2-Clause */
/* Each field of a kernel image set wrong, each call that can fail failing. */
#include "image.h"

static void assert_rejected(struct image *image, enum v3_status status, const char *message)
{
	image->vm->vcpus[0].state_set = false;
	assert_int_equal(image_boot(image), status);
	assert_int_equal(image->vm->logs, 1);
	assert_int_equal(image->vm->last_log_level, V3_LOG_ERROR);
	if (!strstr(image->vm->last_log, message))
		fail_msg("\"%s\" does not tell of \"%s\"", image->vm->last_log, message);
	assert_false(image->vm->vcpus[0].state_set);
}

static void signatures(void **state)
{
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);

	hdr->boot_flag = 0x55aa;
	assert_rejected(image, V3_ERR_FORMAT, "boot_flag is 0x55aa");
	hdr->boot_flag = V3_SETUP_BOOT_FLAG;
	hdr->header++;
	assert_rejected(image, V3_ERR_FORMAT, "HdrS");
	hdr->header--;
	hdr->version = 0x0205;
	assert_rejected(image, V3_ERR_FORMAT, "2.05 is older");
	hdr->version = 0x020f;
	hdr->loadflags = 0;
	assert_rejected(image, V3_ERR_FORMAT, "LOADED_HIGH");
	hdr->loadflags = 0xff;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_params(image)->hdr.loadflags, V3_SETUP_LOADED_HIGH);
}

static void file_sizes(void **state)
{
	struct image *image = *state;
	uint64_t size;

	/* Every length of a file that is cut off, up to where something is left of the kernel */
	for (size = 0; size <= IMAGE_SETUP; size++) {
		image->config.kernel.size = image->kernel.size = size;
		assert_int_equal(image_boot(image), V3_ERR_FORMAT);
	}
	image->config.kernel.size = image->kernel.size = IMAGE_SETUP + IMAGE_CODE - 16;
	assert_rejected(image, V3_ERR_FORMAT, "truncated");
	/* The last paragraph need not be full. */
	image->config.kernel.size = image->kernel.size = IMAGE_SETUP + IMAGE_CODE - 15;
	assert_int_equal(image_boot(image), V3_OK);
	/* A lie about the size of the file */
	image_header(image)->syssize = 0;
	image_header(image)->init_size = 0;
	image->config.kernel.size = 0x100000000ull + IMAGE_SETUP;
	assert_rejected(image, V3_ERR_NOMEM, "needs 4096 MiB");
	image->config.kernel.size++;
	assert_rejected(image, V3_ERR_FORMAT, "more than 4 GiB");
	image->config.kernel.size = UINT64_MAX;
	assert_rejected(image, V3_ERR_FORMAT, "more than 4 GiB");
	assert_false(image->kernel.out_of_bounds);
}

static void setup_sects(void **state)
{
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);

	/* 0 means 4: five sectors */
	hdr->setup_sects = 0;
	hdr->syssize -= 512 / 16;
	assert_int_equal(image_boot(image), V3_OK);
	assert_memory_equal(v3_vm_ptr(image->vm, 16 * MIB, 16), image->kernel.bytes + 5 * 512, 16);
	hdr->setup_sects = 255;
	assert_rejected(image, V3_ERR_FORMAT, "setup_sects 255 ends behind");
	hdr->setup_sects = 5;
	assert_rejected(image, V3_ERR_FORMAT, "truncated");
	hdr->syssize = 0xffffffff;
	hdr->setup_sects = 1;
	assert_rejected(image, V3_ERR_FORMAT, "syssize says 68719476720");
}

static void sizes_in_memory(void **state)
{
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);

	hdr->init_size = 0xffffffff;
	assert_rejected(image, V3_ERR_NOMEM, "4096 MiB");
	hdr->init_size = 48 * MIB + 1;
	assert_rejected(image, V3_ERR_NOMEM, "49 MiB");
	hdr->init_size = 48 * MIB;
	assert_int_equal(image_boot(image), V3_OK);
	/* Less than the image is: the image counts. */
	hdr->init_size = 0;
	hdr->pref_address = 64 * MIB - IMAGE_CODE;
	hdr->relocatable_kernel = 0;
	assert_int_equal(image_boot(image), V3_OK);
	hdr->pref_address++;
	assert_rejected(image, V3_ERR_NOMEM, "needs 1 MiB");
}

static void addresses(void **state)
{
	static const uint64_t bad[] = { 0, 0x7000, 0xf0000, MIB - 1, 0x100000000,
					0x7fffffffffffffff, UINT64_MAX };
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);
	unsigned int i, relocatable;

	for (relocatable = 0; relocatable < 2; relocatable++) {
		hdr->relocatable_kernel = (uint8_t)relocatable;
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			hdr->pref_address = bad[i];
			assert_rejected(image, V3_ERR_FORMAT, "pref_address");
		}
		hdr->pref_address = 0xffffffff;
		assert_rejected(image, V3_ERR_NOMEM, "from 0xffffffff");
	}
	hdr->relocatable_kernel = 1;
	hdr->pref_address = MIB;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, 2 * MIB + 0x200);
}

static void alignment(void **state)
{
	static const uint32_t bad[] = { 0, 3, 0x200001, 0x80000000, 0xffffffff };
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		hdr->kernel_alignment = bad[i];
		assert_rejected(image, V3_ERR_FORMAT, "kernel_alignment");
	}
	hdr->kernel_alignment = 0x40000000;
	assert_rejected(image, V3_ERR_NOMEM, "give the VM more memory");
	hdr->kernel_alignment = 1;
	assert_int_equal(image_boot(image), V3_OK);
}

static void entries(void **state)
{
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);

	image->config.entry = (enum v3_linux_entry)3;
	assert_rejected(image, V3_ERR_INVALID, "no such entry: 3");
	image->config.entry = V3_LINUX_ENTRY_AUTO;
	hdr->syssize = 0x200 / 16;
	image->config.kernel.size = image->kernel.size = IMAGE_SETUP + 0x200;
	assert_rejected(image, V3_ERR_FORMAT, "before the 64-bit entry");
	/* 32-bit code may be that short. */
	image->config.entry = V3_LINUX_ENTRY_32;
	assert_int_equal(image_boot(image), V3_OK);
}

static void initrd(void **state)
{
	struct image *image = *state;

	image_add_initrd(image, 100);
	image_header(image)->initrd_addr_max = 0;
	assert_rejected(image, V3_ERR_NOMEM, "below 0x1 ");
	image_header(image)->initrd_addr_max = 0xffffffff;
	image->config.initrd.size = UINT64_MAX;
	assert_rejected(image, V3_ERR_NOMEM, "do not fit");
	image->config.initrd.size = 100;
	image->config.initrd.read = NULL;
	assert_rejected(image, V3_ERR_INVALID, "initrd has no read function");
	/* Above 4 GiB there is no place for it, whatever the kernel says. */
	fake_vm_add_mem(image->vm, 0x100000000, 64 * MIB, V3_MEM_RAM);
	image_add_initrd(image, 50 * MIB);
	assert_rejected(image, V3_ERR_NOMEM, "do not fit");
}

static void configuration(void **state)
{
	struct image *image = *state;

	image->config.struct_size--;
	assert_rejected(image, V3_ERR_VERSION, "v3_boot_config");
	image->config.struct_size++;
	image->vm->state = V3_VM_RUNNING;
	assert_rejected(image, V3_ERR_STATE, "before the VM starts");
	image->vm->state = V3_VM_CREATED;
	image->config.kernel.read = NULL;
	assert_rejected(image, V3_ERR_INVALID, "kernel has no read function");
}

/* Each read of each file fails once. */
static void read_errors(void **state)
{
	struct image *image = *state;
	unsigned int nth;

	image_add_initrd(image, 2 * MIB);
	for (nth = 1;; nth++) {
		enum v3_status status;

		image->kernel.reads = 0;
		image->kernel.fail_at = nth;
		status = image_boot(image);
		if (status == V3_OK)
			break;
		assert_int_equal(status, V3_ERR_IO);
		assert_int_equal(image->vm->logs, 1);
		assert_non_null(strstr(image->vm->last_log, "bzImage: cannot read"));
	}
	/* The header's length, the header, the kernel */
	assert_int_equal(nth, 4);
	image->kernel.fail_at = 0;
	image->initrd.reads = 0;
	image->initrd.fail_at = 2;
	assert_rejected(image, V3_ERR_IO, "initrd: cannot read");
}

static void state_refused(void **state)
{
	struct image *image = *state;

	fake_fail_at(image->vm, 1, V3_ERR_INVALID);
	assert_rejected(image, V3_ERR_INVALID, "cannot set the first vCPU");
}

/* VMs without the low memory that the protocol needs */
static void no_low_memory(void **state)
{
	static const struct { uint64_t gpa, size; const char *message; } mem[] = {
		{ 0x1000, 0x9f000, "no RAM below 640 KiB" },	/* no BIOS data area */
		{ 0, 0x7fff, "no RAM below 640 KiB" },		/* no boot_params */
		{ 0, 0x8000, "no RAM below 640 KiB" },		/* no command line */
		{ 0, 0x9000, "no RAM for a GDT" },
		{ 0, 0xa000, "no RAM for page tables" },
		{ 0, 0xffff, "no RAM for page tables" },
	};
	struct image *image = *state;
	unsigned int i;

	for (i = 0; i < sizeof(mem) / sizeof(mem[0]); i++) {
		fake_vm_destroy(image->vm);
		image->vm = fake_vm_create(1);
		fake_vm_add_mem(image->vm, mem[i].gpa, mem[i].size, V3_MEM_RAM);
		fake_vm_add_mem(image->vm, 16 * MIB, 16 * MIB, V3_MEM_RAM);
		assert_rejected(image, V3_ERR_NOMEM, mem[i].message);
	}
	/* The 32-bit entry has no page tables. */
	image->config.entry = V3_LINUX_ENTRY_32;
	assert_int_equal(image_boot(image), V3_OK);
}

/* Memory that the map calls RAM, but that is not there in one piece */
static void broken_memory(void **state)
{
	struct image *image = *state;

	fake_vm_destroy(image->vm);
	image->vm = fake_vm_create(1);
	fake_vm_add_mem(image->vm, 0, 0xa0000, V3_MEM_RAM);
	fake_vm_add_mem(image->vm, 16 * MIB, 0x8000, V3_MEM_RAM);
	fake_vm_add_mem(image->vm, 16 * MIB + 0x8000, 16 * MIB, V3_MEM_RAM);
	assert_rejected(image, V3_ERR_RANGE, "not RAM in one piece");
}

/* More pieces of memory than a table of the boot protocol takes */
static void long_memory_map(void **state)
{
	struct image *image = *state;
	unsigned int i;

	for (i = 0; i < V3_E820_MAX; i++)
		fake_vm_add_mem(image->vm, 0x100000000 + i * 0x2000, 0x1000, V3_MEM_RAM);
	assert_rejected(image, V3_ERR_NOTSUP, "more than 128 pieces");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(signatures),
		IMAGE_TEST(file_sizes),
		IMAGE_TEST(setup_sects),
		IMAGE_TEST(sizes_in_memory),
		IMAGE_TEST(addresses),
		IMAGE_TEST(alignment),
		IMAGE_TEST(entries),
		IMAGE_TEST(initrd),
		IMAGE_TEST(configuration),
		IMAGE_TEST(read_errors),
		IMAGE_TEST(state_refused),
		IMAGE_TEST(no_low_memory),
		IMAGE_TEST(broken_memory),
		IMAGE_TEST(long_memory_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
