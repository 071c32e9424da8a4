/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host_reboot cmos INDEX [VALUE]: prints a byte of the machine's CMOS, which outlives a reset, or
 * writes it.
 * host_reboot kexec KERNEL INITRD CMDLINE: goes down and starts that kernel without a reset.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CMOS 0x70

static int cmos(int argc, char **argv)
{
	if (ioperm(CMOS, 2, 1)) {
		perror("ioperm");
		return 1;
	}
	outb((unsigned char)strtoul(argv[0], NULL, 0), CMOS);
	if (argc > 1)
		outb((unsigned char)strtoul(argv[1], NULL, 0), CMOS + 1);
	else
		printf("%u\n", inb(CMOS + 1));
	return 0;
}

static int go(char **argv)
{
	int kernel = open(argv[0], O_RDONLY), initrd = open(argv[1], O_RDONLY);

	if (kernel < 0 || initrd < 0 ||
	    syscall(SYS_kexec_file_load, kernel, initrd, strlen(argv[2]) + 1, argv[2], 0ul)) {
		perror("kexec_file_load");
		return 1;
	}
	printf("another kernel follows\n");
	fflush(stdout);
	reboot(RB_KEXEC);
	perror("reboot");
	return 1;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "cmos"))
		return cmos(argc - 2, argv + 2);
	if (argc == 5 && !strcmp(argv[1], "kexec"))
		return go(argv + 2);
	return 2;
}
