/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * noise_calls CPU N - has the kernel call a function on another CPU, by interrupt, 2 * N times: each
 * time that an event counter of that CPU is disabled or enabled. It is one that counts nothing, so
 * nothing else comes of it. Says how many calls it were, with those that make and remove the counter.
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
	};
	int cpu, n, i, fd;

	if (argc != 3)
		return 2;
	cpu = atoi(argv[1]);
	n = atoi(argv[2]);
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
	if (fd < 0) {
		perror("perf_event_open");
		return 1;
	}
	for (i = 0; i < n; i++) {
		if (ioctl(fd, PERF_EVENT_IOC_DISABLE, 0) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
			perror("ioctl");
			return 1;
		}
	}
	close(fd);
	printf("%d\n", 2 * n + 2);
	return 0;
}
