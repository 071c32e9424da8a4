/* SPDX-License-Identifier: BSD-2-Clause */
/* Our structures against the kernel's own, from its user-space headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/bootparam.h>

#include "loader/boot_params.h"

#define SAME(ours, theirs) do { \
	assert_int_equal(offsetof(struct v3_boot_params, ours), \
			 offsetof(struct boot_params, theirs)); \
	assert_int_equal(sizeof(((struct v3_boot_params *)0)->ours), \
			 sizeof(((struct boot_params *)0)->theirs)); \
} while (0)
#define SAME_HDR(field) SAME(hdr.field, hdr.field)

static void layout(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct v3_boot_params), sizeof(struct boot_params));
	assert_int_equal(sizeof(struct v3_setup_header), sizeof(struct setup_header));
	SAME(screen_info, screen_info);
	SAME(e820_entries, e820_entries);
	SAME(e820_table, e820_table);
	SAME_HDR(setup_sects);
	SAME_HDR(root_flags);
	SAME_HDR(syssize);
	SAME_HDR(ram_size);
	SAME_HDR(vid_mode);
	SAME_HDR(root_dev);
	SAME_HDR(boot_flag);
	SAME_HDR(jump);
	SAME_HDR(header);
	SAME_HDR(version);
	SAME_HDR(realmode_swtch);
	SAME_HDR(kernel_version);
	SAME_HDR(type_of_loader);
	SAME_HDR(loadflags);
	SAME_HDR(setup_move_size);
	SAME_HDR(code32_start);
	SAME_HDR(ramdisk_image);
	SAME_HDR(ramdisk_size);
	SAME_HDR(heap_end_ptr);
	SAME_HDR(ext_loader_ver);
	SAME_HDR(ext_loader_type);
	SAME_HDR(cmd_line_ptr);
	SAME_HDR(initrd_addr_max);
	SAME_HDR(kernel_alignment);
	SAME_HDR(relocatable_kernel);
	SAME_HDR(min_alignment);
	SAME_HDR(xloadflags);
	SAME_HDR(cmdline_size);
	SAME_HDR(hardware_subarch);
	SAME_HDR(hardware_subarch_data);
	SAME_HDR(payload_offset);
	SAME_HDR(payload_length);
	SAME_HDR(setup_data);
	SAME_HDR(pref_address);
	SAME_HDR(init_size);
	SAME_HDR(handover_offset);
	SAME_HDR(kernel_info_offset);
	SAME(acpi_rsdp_addr, acpi_rsdp_addr);
	assert_int_equal(V3_SETUP_LOADED_HIGH, LOADED_HIGH);
	assert_int_equal(V3_SETUP_XLF_KERNEL_64, XLF_KERNEL_64);
	assert_int_equal(V3_E820_MAX, E820_MAX_ENTRIES_ZEROPAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
