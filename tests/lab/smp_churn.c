/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp_churn COUNT: makes and destroys COUNT guests of 1 to 8 vCPUs, one after the other, in each
 * state that a guest can be in. Prints what the host's memory lost meanwhile.
 */
#include "linux_vm.h"

#include <time.h>

#define WARM_UP 64	/* what the host keeps from the first guests on is not lost */

static void must(int err, const char *what, unsigned int number, const struct v3_ioc_head *head)
{
	if (!err)
		return;
	printf("guest %u: %s: %s: %s\n", number, what, strerror(err), head->message);
	exit(1);
}

static void request(int vm, unsigned long number, const char *what, unsigned int guest)
{
	struct v3_ioc_control none = { 0 };

	must(call(vm, number, &none), what, guest, &none.head);
}

static int guest_load(int dev, unsigned int number, const char *name, bool detached)
{
	struct v3_ioc_create create;
	struct v3_ioc_load_segments load;
	unsigned int i;

	create_init(&create, "churn");
	create.num_vcpus = number % 8 + 1;
	for (i = 0; i < create.num_vcpus; i++)
		create.cpus[i] = -1;
	create.flags = detached ? V3_IOC_CREATE_DETACHED : 0;
	must(call(dev, V3_IOC_CREATE, &create), "create", number, &create.head);
	segments_init(&load, guest_find(name));
	must(call(create.fd, V3_IOC_LOAD_SEGMENTS, &load), "load", number, &load.head);
	return create.fd;
}

static void guest_wait(int vm, unsigned int number)
{
	struct v3_ioc_state state = { .timeout_ms = 20000 };

	must(call(vm, V3_IOC_WAIT, &state), "wait", number, &state.head);
}

/* One guest, in one of eight ways. */
static void one(int dev, unsigned int number)
{
	static const char *const names[] = { "spin", "spin", "halt", "exits", "exit", "crash",
					     "flood", "starts" };
	const unsigned int way = number / 8 % 8;
	int vm = guest_load(dev, number, names[way], number & 1);

	if (way != 0)
		request(vm, V3_IOC_START, "start", number);
	switch (way) {
	case 2:
		request(vm, V3_IOC_PAUSE, "pause", number);
		break;
	case 3:
		request(vm, V3_IOC_PAUSE, "pause", number);
		request(vm, V3_IOC_RESUME, "resume", number);
		break;
	case 4:
	case 5:
		guest_wait(vm, number);
		break;
	case 6:
		request(vm, V3_IOC_STOP, "stop", number);
		break;
	default:
		break;
	}
	/* A detached one has to be destroyed; for the others closing is enough. */
	if (number & 1)
		request(vm, V3_IOC_DESTROY, "destroy", number);
	close(vm);
}

/* KiB, with the free pages in the lists of each CPU, which MemAvailable does not count. */
static long available(void)
{
	long value, total = 0;
	char line[256];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %ld", &value) == 1)
			total += value;
	if (file)
		fclose(file);
	file = fopen("/proc/zoneinfo", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %ld", &value) == 1)
			total += 4 * value;
	if (file)
		fclose(file);
	return total;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 2 ? (unsigned int)atoi(argv[1]) : 0, i;
	long before, lost, pages, bytes;
	int dev = dev_open();
	double start;

	if (!count)
		return 2;
	for (i = 0; i < WARM_UP; i++)
		one(dev, i);
	usleep(500000);
	before = available();
	pages = counter("pages_in_use");
	bytes = counter("heap_in_use");
	start = seconds();
	for (i = 0; i < count; i++)
		one(dev, i);
	printf("churn: %u guests in %.1f s\n", count, seconds() - start);
	usleep(500000);
	lost = before - available();
	printf("churn: %ld KiB less free, %ld pages and %ld bytes more in use\n", lost,
	       counter("pages_in_use") - pages, counter("heap_in_use") - bytes);
	return lost > 4096 || counter("pages_in_use") != pages || counter("heap_in_use") != bytes;
}
