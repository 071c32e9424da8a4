/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first and only process of the Linux guest that is measured: says what the TSC and the kernel's
 * clock show, and ends the machine.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

int main(void)
{
	unsigned long long tsc = __rdtsc();
	struct timespec now;
	char line[96];
	int n;

	clock_gettime(CLOCK_BOOTTIME, &now);
	n = snprintf(line, sizeof(line), "\ninit: tsc=%llu clock=%lld\n", tsc,
		     (long long)now.tv_sec * 1000000000 + now.tv_nsec);
	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		return 1;
	/* until the last byte has left the port */
	sleep(1);
	return reboot(RB_POWER_OFF);
}
