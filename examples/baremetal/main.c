/* SPDX-License-Identifier: BSD-2-Clause */
/* From the entry code to the program. */
#include "bm.h"

#define TAIL_MARK 0x6c69617420656874ULL	/* as in baremetal.ld */

extern const uint64_t bm_tail_mark;

void bm_main(uint64_t magic, uint64_t info)
{
	bm_console_init();
	if (bm_tail_mark != TAIL_MARK) {
		bm_printf("%s: the loader did not copy the file linearly, data is not in place\n",
			  bm_name);
		bm_exit(BM_EXIT_BOOT);
	}
	bm_bootinfo_read(magic, info);
	bm_printf("%s: %s boot, command line '%s'\n", bm_name,
		  magic == BM_MULTIBOOT_LOADER ? "multiboot" : "64-bit Linux", bm_boot.cmdline);
	bm_trap_init();
	bm_exit((unsigned int)bm_program());
}
