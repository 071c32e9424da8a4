/* SPDX-License-Identifier: BSD-2-Clause */
/* Well-formed Linux kernels: where everything ends up, and the state at the entry. */
#include "image.h"

static void assert_contents(struct image *image, v3_gpa_t gpa, uint64_t offset, uint64_t size)
{
	uint64_t i;

	for (i = 0; i < size; i++) {
		const uint8_t *byte = v3_vm_ptr(image->vm, gpa + i, 1);

		assert_non_null(byte);
		if (*byte != image_byte(offset + i))
			fail_msg("byte %llu of what is at 0x%llx is wrong", (unsigned long long)i,
				 (unsigned long long)gpa);
	}
}

static void assert_segments(const struct v3_vcpu_state *state, uint16_t code)
{
	unsigned int i;

	for (i = V3_SEG_ES; i <= V3_SEG_GS; i++) {
		assert_int_equal(state->seg[i].selector, i == V3_SEG_CS ? 0x10 : 0x18);
		assert_int_equal(state->seg[i].attrib, i == V3_SEG_CS ? code : V3_SEG_ATTR_DATA32);
		assert_int_equal(state->seg[i].limit, 0xffffffff);
		assert_int_equal(state->seg[i].base, 0);
	}
	assert_int_equal(state->seg[V3_SEG_TR].attrib, V3_SEG_ATTR_TSS_BUSY);
}

static void assert_gdt(struct image *image, uint16_t code)
{
	const struct v3_segment *gdtr = &image_state(image)->gdtr;
	const uint64_t *gdt = v3_vm_ptr(image->vm, gdtr->base, gdtr->limit + 1);

	assert_non_null(gdt);
	assert_int_equal(gdtr->limit, 31);
	assert_int_equal(gdt[0], 0);
	assert_int_equal(gdt[1], 0);
	assert_int_equal(v3_desc_attr(gdt[2]), code);
	assert_int_equal(v3_desc_attr(gdt[3]), V3_SEG_ATTR_DATA32);
	assert_int_equal(v3_desc_limit(gdt[2]), 0xffffffff);
	assert_int_equal(v3_desc_base(gdt[2]), 0);
	assert_int_equal(v3_desc_limit(gdt[3]), 0xffffffff);
}

/* Walks the guest's tables as its CPU would. */
static v3_gpa_t walk(struct image *image, uint64_t va)
{
	v3_gpa_t table = image_state(image)->cr3;
	unsigned int level;

	for (level = 4; level > 1; level--) {
		uint64_t entry;

		assert_int_equal(v3_vm_read(image->vm, table + 8 * V3_PT_INDEX(va, level), &entry,
					    8), V3_OK);
		if (!(entry & V3_PTE_P) || !(entry & V3_PTE_W))
			return UINT64_MAX;
		if (entry & V3_PTE_PS) {
			assert_int_equal(level, 2);
			return (entry & V3_PTE_ADDR_MASK_2M) | (va & (V3_PAGE_SIZE_2M - 1));
		}
		table = entry & V3_PTE_ADDR_MASK;
	}
	return UINT64_MAX;
}

static void entry_64(void **state)
{
	struct image *image = *state;
	struct v3_vcpu_state *cpu;
	uint64_t va;

	assert_int_equal(image_boot(image), V3_OK);
	cpu = image_state(image);
	assert_int_equal(cpu->rip, 16 * MIB + 0x200);
	assert_int_equal(cpu->gpr[6], V3_BOOT_PARAMS_GPA);
	assert_int_equal(cpu->rflags, 2);
	assert_int_equal(cpu->cr0, V3_CR0_PE | V3_CR0_ET | V3_CR0_NE | V3_CR0_PG);
	assert_int_equal(cpu->cr4, V3_CR4_PAE);
	assert_int_equal(cpu->efer, V3_EFER_LME | V3_EFER_LMA);
	assert_int_equal(cpu->xcr0, 1);
	assert_segments(cpu, V3_SEG_ATTR_CODE64);
	assert_gdt(image, V3_SEG_ATTR_CODE64);
	/* 4 GiB, one to one, and no more */
	for (va = 0; va < 0x100000000ull; va += 0x1ffff0)
		assert_int_equal(walk(image, va), va);
	assert_int_equal(walk(image, 0xfffffff8), 0xfffffff8);
	assert_int_equal(walk(image, 0x100000000ull), UINT64_MAX);
	assert_int_equal(walk(image, 0xffff800000000000ull), UINT64_MAX);
	assert_contents(image, 16 * MIB, IMAGE_SETUP, IMAGE_CODE);
	assert_false(image->vm->vcpus[1].state_set);
}

static void entry_32(void **state)
{
	struct image *image = *state;
	struct v3_vcpu_state *cpu;

	image->config.entry = V3_LINUX_ENTRY_32;
	assert_int_equal(image_boot(image), V3_OK);
	cpu = image_state(image);
	assert_int_equal(cpu->rip, 16 * MIB);
	assert_int_equal(cpu->gpr[6], V3_BOOT_PARAMS_GPA);
	assert_int_equal(cpu->gpr[3] | cpu->gpr[5] | cpu->gpr[7], 0);
	assert_int_equal(cpu->cr0, V3_CR0_PE | V3_CR0_ET | V3_CR0_NE);
	assert_int_equal(cpu->cr4, 0);
	assert_int_equal(cpu->efer, 0);
	assert_segments(cpu, V3_SEG_ATTR_CODE32);
	assert_gdt(image, V3_SEG_ATTR_CODE32);
	assert_contents(image, 16 * MIB, IMAGE_SETUP, IMAGE_CODE);
}

/* AUTO takes what the kernel has. */
static void entry_auto(void **state)
{
	struct image *image = *state;

	image_header(image)->xloadflags = 0;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, 16 * MIB);
	image->config.entry = V3_LINUX_ENTRY_64;
	assert_int_equal(image_boot(image), V3_ERR_NOTSUP);
	assert_non_null(strstr(image->vm->last_log, "no 64-bit entry"));
	/* The flag means nothing before 2.12. */
	image_header(image)->xloadflags = V3_SETUP_XLF_KERNEL_64;
	image_header(image)->version = 0x020b;
	assert_int_equal(image_boot(image), V3_ERR_NOTSUP);
	image->config.entry = V3_LINUX_ENTRY_AUTO;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, 16 * MIB);
}

static void header_fields(void **state)
{
	struct image *image = *state;
	const struct v3_boot_params *params;

	image->config.cmdline = "console=ttyS0 quiet";
	image_add_initrd(image, 5000);
	assert_int_equal(image_boot(image), V3_OK);
	params = image_params(image);
	assert_int_equal(params->hdr.header, V3_SETUP_MAGIC);
	assert_int_equal(params->hdr.version, 0x020f);
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_int_equal(params->hdr.loadflags, V3_SETUP_LOADED_HIGH);
	assert_int_equal(params->hdr.code32_start, 16 * MIB);
	assert_int_equal(params->hdr.kernel_info_offset, 0x1234);
	assert_int_equal(params->hdr.setup_data, 0);
	assert_string_equal(v3_vm_ptr(image->vm, params->hdr.cmd_line_ptr, 2048),
			    "console=ttyS0 quiet");
	assert_int_equal(params->hdr.ramdisk_image, 64 * MIB - 0x2000);
	assert_int_equal(params->hdr.ramdisk_size, 5000);
	assert_contents(image, 64 * MIB - 0x2000, 0, 5000);
	/* No ACPI tables there: the guest may search itself. */
	assert_int_equal(params->acpi_rsdp_addr, 0);
	assert_int_equal(v3_vm_write(image->vm, V3_PC_RSDP_GPA, "RSD PTR ", 8), V3_OK);
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(params->acpi_rsdp_addr, V3_PC_RSDP_GPA);
	/* BIOS data area */
	assert_int_equal(*(uint16_t *)v3_vm_ptr(image->vm, 0x40e, 2), 0x9fc0);
	assert_memory_equal(v3_vm_ptr(image->vm, 0x413, 2), "\x7f\x02", 2);
}

/* Only the header that this version has is copied, as the byte at 0x201 says. */
static void short_header(void **state)
{
	struct image *image = *state;
	const struct v3_boot_params *params;

	image_header(image)->jump = 0xeb | (0x268 - 0x202) << 8;
	assert_int_equal(image_boot(image), V3_OK);
	params = image_params(image);
	assert_int_equal(params->hdr.init_size, 8 * MIB);
	assert_int_equal(params->hdr.kernel_info_offset, 0);
	image_header(image)->jump = 0xffeb;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(params->hdr.kernel_info_offset, 0x1234);
	assert_int_equal(params->e820_entries, 4);
	image_header(image)->jump = 0x00eb;
	assert_int_equal(image_boot(image), V3_ERR_FORMAT);
}

static void memory_map(void **state)
{
	struct image *image = *state;
	const struct v3_e820_entry *e820 = image_params(image)->e820_table;

	fake_vm_add_mem(image->vm, 64 * MIB, 2 * MIB, V3_MEM_RAM);
	fake_vm_add_mem(image->vm, 0xfec00000, 0x1000, V3_MEM_MMIO);
	fake_vm_add_mem(image->vm, 0x100000000, 2 * MIB, V3_MEM_RAM);
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_params(image)->e820_entries, 5);
	assert_int_equal(e820[0].addr, 0);
	assert_int_equal(e820[0].size, 0x9fc00);
	assert_int_equal(e820[0].type, V3_E820_RAM);
	assert_int_equal(e820[1].addr, 0x9fc00);
	assert_int_equal(e820[1].size, 0x400);
	assert_int_equal(e820[1].type, V3_E820_RESERVED);
	assert_int_equal(e820[2].addr, 0xc0000);
	assert_int_equal(e820[2].size, 0x40000);
	assert_int_equal(e820[2].type, V3_E820_RESERVED);
	assert_int_equal(e820[3].addr, MIB);
	assert_int_equal(e820[3].size, 65 * MIB);
	assert_int_equal(e820[3].type, V3_E820_RAM);
	assert_int_equal(e820[4].addr, 0x100000000);
	assert_int_equal(e820[4].size, 2 * MIB);
	assert_int_equal(e820[4].type, V3_E820_RAM);
}

/* Where the kernel goes. */
static void placement(void **state)
{
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);

	hdr->pref_address = 16 * MIB + 0x1000;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, 18 * MIB + 0x200);
	/* Not relocatable: there and nowhere else */
	hdr->relocatable_kernel = 0;
	hdr->kernel_alignment = 0;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, 16 * MIB + 0x1000 + 0x200);
	hdr->pref_address = 60 * MIB;
	assert_int_equal(image_boot(image), V3_ERR_NOMEM);
	assert_non_null(strstr(image->vm->last_log, "needs 8 MiB of RAM from 0x3c00000"));
	/* A protocol without pref_address: at 1 MiB, and init_size is not looked at */
	hdr->version = 0x0209;
	hdr->init_size = 0xffffffff;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, MIB);
	/* The last place that fits; the kernel may be all there is. */
	hdr->version = 0x020f;
	hdr->init_size = 8 * MIB;
	hdr->pref_address = 56 * MIB;
	assert_int_equal(image_boot(image), V3_OK);
	hdr->pref_address = 56 * MIB + 1;
	assert_int_equal(image_boot(image), V3_ERR_NOMEM);
	/* Relocatable, into memory farther up */
	fake_vm_add_mem(image->vm, 128 * MIB + 0x1000, 16 * MIB, V3_MEM_RAM);
	hdr->relocatable_kernel = 1;
	hdr->kernel_alignment = 0x400000;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_state(image)->rip, 132 * MIB + 0x200);
}

static void initrd_placement(void **state)
{
	struct image *image = *state;
	struct v3_setup_header *hdr = image_header(image);

	/* As high as the kernel allows */
	image_add_initrd(image, MIB);
	hdr->initrd_addr_max = 48 * MIB - 1;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_params(image)->hdr.ramdisk_image, 47 * MIB);
	hdr->initrd_addr_max = 48 * MIB - 2;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_params(image)->hdr.ramdisk_image, 47 * MIB - 0x1000);
	/* Not in what the kernel uses while it starts: under it */
	hdr->initrd_addr_max = 24 * MIB - 1;
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_params(image)->hdr.ramdisk_image, 15 * MIB);
	assert_contents(image, 15 * MIB, 0, MIB);
	hdr->initrd_addr_max = 0xffffffff;
	image_add_initrd(image, 40 * MIB);
	assert_int_equal(image_boot(image), V3_OK);
	assert_int_equal(image_params(image)->hdr.ramdisk_image, 24 * MIB);
	image_add_initrd(image, 40 * MIB + 1);
	assert_int_equal(image_boot(image), V3_ERR_NOMEM);
	assert_non_null(strstr(image->vm->last_log, "initrd: 41943041 bytes do not fit"));
}

static void progress_reports(void **state)
{
	struct image *image = *state;

	image_add_initrd(image, 3 * MIB + 5);
	assert_int_equal(image_boot(image), V3_OK);
	assert_false(image->progress_back);
	assert_int_equal(image->progress_total, IMAGE_CODE + 3 * MIB + 5);
	assert_int_equal(image->progress_done, image->progress_total);
	assert_true(image->progress_calls >= 4);
	image->config.progress = NULL;
	assert_int_equal(image_boot(image), V3_OK);
}

static void command_line(void **state)
{
	struct image *image = *state;
	char line[V3_CMDLINE_MAX + 2];

	memset(line, 'x', sizeof(line));
	line[V3_CMDLINE_MAX] = 0;
	image->config.cmdline = line;
	assert_int_equal(image_boot(image), V3_OK);
	assert_string_equal(v3_vm_ptr(image->vm, V3_BOOT_CMDLINE_GPA, 2048), line);
	/* The kernel's own limit */
	image_header(image)->cmdline_size = 255;
	assert_int_equal(image_boot(image), V3_ERR_INVALID);
	assert_non_null(strstr(image->vm->last_log, "255 characters that this kernel takes"));
	line[255] = 0;
	assert_int_equal(image_boot(image), V3_OK);
	/* Ours; what follows is not even looked at. */
	image_header(image)->cmdline_size = 0xffffffff;
	memset(line, 'x', sizeof(line));
	assert_int_equal(image_boot(image), V3_ERR_INVALID);
	assert_non_null(strstr(image->vm->last_log, "2047 characters that can be passed"));
	image->config.cmdline = NULL;
	assert_int_equal(image_boot(image), V3_OK);
	assert_string_equal(v3_vm_ptr(image->vm, V3_BOOT_CMDLINE_GPA, 1), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(entry_64),
		IMAGE_TEST(entry_32),
		IMAGE_TEST(entry_auto),
		IMAGE_TEST(header_fields),
		IMAGE_TEST(short_header),
		IMAGE_TEST(memory_map),
		IMAGE_TEST(placement),
		IMAGE_TEST(initrd_placement),
		IMAGE_TEST(progress_reports),
		IMAGE_TEST(command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
