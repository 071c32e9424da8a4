/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests about memory that are wrong: each has to fail with its own errno and a message, and
 * nothing may be held, planned or offline afterwards. What is of a wrong size or has a wrong head
 * or address is in ioctl_bad.c.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "linux_vm.h"

static int dev, checks, failures;
static uint64_t unit;	/* of a memory block */

static void verdict(bool ok, int line, const char *what, int got, int want)
{
	checks++;
	if (ok)
		return;
	failures++;
	printf("ioctl_mem.c:%d: %s: got %d (%s), wanted %d (%s)\n", line, what, got,
	       strerror(got), want, strerror(want));
}

#define EXPECT(want, expr) do { \
	int got_ = (expr), want_ = (want); \
	verdict(got_ == want_, __LINE__, #expr, got_, want_); \
} while (0)

/* As call(), and a failure must come with a message. */
static int told(unsigned long request, void *arg)
{
	struct v3_ioc_head *head = arg;
	int err = call(dev, request, arg);

	if (err && (!head->message[0] || strchr(head->message, '\n') || !head->status)) {
		printf("request 0x%lx failed with %s and without a proper message\n", request,
		       strerror(err));
		failures++;
	}
	return err;
}

static int take(uint64_t size, int node, uint32_t flags)
{
	struct v3_ioc_mem_take arg = { .size = size, .node = node, .flags = flags };

	return told(V3_IOC_MEM_TAKE, &arg);
}

static int give(uint64_t size, int node, uint32_t flags)
{
	struct v3_ioc_mem_give arg = { .size = size, .node = node, .flags = flags };

	return told(V3_IOC_MEM_GIVE, &arg);
}

static void takes_and_gives(void)
{
	struct v3_ioc_mem_take reserved = { .size = 2 * MIB, .node = -1, .reserved = 1 };

	EXPECT(EINVAL, take(0, -1, 0));
	EXPECT(EINVAL, take(1, -1, 0));
	EXPECT(EINVAL, take(3 * MIB, -1, 0));
	EXPECT(EINVAL, take(2 * MIB, -1, 2));
	EXPECT(EINVAL, take(2 * MIB, -1, V3_IOC_MEM_TAKE_PLAN));
	EXPECT(EINVAL, told(V3_IOC_MEM_TAKE, &reserved));
	EXPECT(ENOENT, take(2 * MIB, 1, 0));
	EXPECT(ENOENT, take(2 * MIB, -2, 0));
	EXPECT(ENOENT, take(2 * MIB, 1 << 20, 0));
	EXPECT(ENOENT, take(2 * MIB, 0x7fffffff, 0));
	EXPECT(ENOENT, take(0, -1, V3_IOC_MEM_TAKE_PLAN));
	EXPECT(ENOMEM, take(1ull << 40, -1, 0));
	EXPECT(ENOMEM, take(0ull - 2 * MIB, -1, 0));
	EXPECT(ENOMEM, take(0ull - 2 * MIB, 0, 0));
	EXPECT(EINVAL, give(1, -1, 0));
	EXPECT(EINVAL, give(2 * MIB, -1, 1));
	EXPECT(ENOENT, give(2 * MIB, -2, 0));
	EXPECT(ENOENT, give(2 * MIB, 1, 0));
	EXPECT(ENOMEM, give(2 * MIB, -1, 0));
	EXPECT(0, give(0, -1, 0));
	/* What is held cannot be given twice */
	EXPECT(0, take(4 * MIB, 0, 0));
	EXPECT(ENOMEM, give(6 * MIB, 0, 0));
	EXPECT(0, give(2 * MIB, 0, 0));
	EXPECT(0, give(2 * MIB, 0, 0));
	EXPECT(ENOMEM, give(2 * MIB, 0, 0));
}

static int plan(unsigned long request, const struct v3_ioc_mem_range *ranges, uint32_t count)
{
	struct v3_ioc_mem_plan arg = { .ranges = (uintptr_t)ranges, .count = count };

	return told(request, &arg);
}

/* One changed field of a good range. */
#define BAD_RANGE(want, change) do { \
	struct v3_ioc_mem_range range = { .start = unit, .size = unit }; \
	change; \
	EXPECT(want, plan(V3_IOC_MEM_PLAN, &range, 1)); \
	EXPECT(0, plan(V3_IOC_MEM_UNPLAN, &(struct v3_ioc_mem_range){ .size = ~0ull }, 1)); \
} while (0)

static void plans(void)
{
	struct v3_ioc_mem_range good = { .start = unit, .size = unit };
	struct v3_ioc_mem_range two[2] = { good, good };
	struct v3_ioc_mem_plan reserved = { .ranges = (uintptr_t)&good, .count = 1, .reserved = 1 };

	BAD_RANGE(EINVAL, range.start = 4096);
	BAD_RANGE(EINVAL, range.size = 0);
	BAD_RANGE(EINVAL, range.size = unit + 4096);
	BAD_RANGE(EINVAL, range.size = ~0ull);
	BAD_RANGE(EINVAL, range.size = 0ull - unit);
	BAD_RANGE(EINVAL, range.start = 0ull - unit);
	BAD_RANGE(EINVAL, range.used = 1);
	BAD_RANGE(EINVAL, range.provider = 1);
	BAD_RANGE(EINVAL, range.reserved = 1);
	BAD_RANGE(EINVAL, range.flags = V3_IOC_MEM_HELD);
	BAD_RANGE(ENOENT, range.node = 1);
	BAD_RANGE(ENOENT, range.node = -1);
	BAD_RANGE(ENOENT, range.node = 1 << 30);
	/* The PCI hole, and no address that any memory has */
	BAD_RANGE(ENOENT, range.start = 0xe0000000);
	BAD_RANGE(ENOENT, range.start = 1ull << 50);
	BAD_RANGE(EINVAL, range.size = 1ull << 40);
	EXPECT(EINVAL, told(V3_IOC_MEM_PLAN, &reserved));
	EXPECT(ERANGE, plan(V3_IOC_MEM_PLAN, &good, 0));
	EXPECT(ERANGE, plan(V3_IOC_MEM_PLAN, &good, V3_IOC_MEM_PLAN_MAX + 1));
	EXPECT(ERANGE, plan(V3_IOC_MEM_UNPLAN, &good, ~0u));
	EXPECT(EFAULT, plan(V3_IOC_MEM_PLAN, NULL, 1));
	EXPECT(EFAULT, plan(V3_IOC_MEM_PLAN, (void *)0xffff888000000000ull, 1));
	EXPECT(EBUSY, plan(V3_IOC_MEM_PLAN, two, 2));
	EXPECT(EBUSY, plan(V3_IOC_MEM_PLAN, &good, 1));
	/* It is online: nothing to take */
	EXPECT(ENOENT, take(0, -1, V3_IOC_MEM_TAKE_PLAN));
	EXPECT(0, plan(V3_IOC_MEM_UNPLAN, &good, 1));
	EXPECT(0, plan(V3_IOC_MEM_UNPLAN, &good, 1));
	EXPECT(0, plan(V3_IOC_MEM_PLAN, &good, 1));
}

/* Somebody else's plan, and somebody who may not. */
static void others(void)
{
	struct v3_ioc_mem_range good = { .start = unit, .size = unit };
	int other = dev_open(), own = dev, status;
	pid_t pid;

	EXPECT(0, plan(V3_IOC_MEM_UNPLAN, &good, 1));
	EXPECT(0, plan(V3_IOC_MEM_PLAN, &good, 1));
	dev = other;
	EXPECT(EBUSY, plan(V3_IOC_MEM_PLAN, &good, 1));
	EXPECT(0, plan(V3_IOC_MEM_UNPLAN, &good, 1));
	EXPECT(EBUSY, plan(V3_IOC_MEM_PLAN, &good, 1));
	close(own);
	EXPECT(0, plan(V3_IOC_MEM_PLAN, &good, 1));
	EXPECT(0, plan(V3_IOC_MEM_UNPLAN, &good, 1));
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(1);
		_exit(plan(V3_IOC_MEM_PLAN, &good, 1) != EPERM);
	}
	waitpid(pid, &status, 0);
	EXPECT(0, status);
}

static void lists(void)
{
	struct v3_ioc_mem_list list = { 0 };

	EXPECT(0, call(dev, V3_IOC_MEM_LIST, &list));
	EXPECT(1, (int)list.nodes_count);
	EXPECT(0, (int)list.ranges_count);
	EXPECT(0, (int)list.uses_count);
	memset(&list, 0, sizeof(list));
	list.nodes_capacity = 1;
	EXPECT(EFAULT, told(V3_IOC_MEM_LIST, &list));
	list.nodes_capacity = ~0u;
	list.nodes = 0xffff888000000000ull;
	EXPECT(EFAULT, told(V3_IOC_MEM_LIST, &list));
}

/* Requests of random bytes, but for a sound head: none may take more than there is. */
static void random_bytes(void)
{
	static const unsigned long requests[] = {
		V3_IOC_MEM_LIST, V3_IOC_MEM_TAKE, V3_IOC_MEM_GIVE, V3_IOC_MEM_PLAN,
		V3_IOC_MEM_UNPLAN, V3_IOC_MEM_PROGRESS,
	};
	unsigned char bytes[512];
	unsigned int i, j;

	srand(42);
	for (i = 0; i < 6000; i++) {
		for (j = 0; j < sizeof(bytes); j++)
			bytes[j] = (unsigned char)(rand() & 1 ? rand() : 0);
		memset(bytes, 0, sizeof(struct v3_ioc_head));
		call(dev, requests[i % 6], bytes);
	}
	EXPECT(0, give(0, -1, 0));
}

static uint64_t block_size(void)
{
	FILE *file = fopen("/sys/devices/system/memory/block_size_bytes", "r");
	unsigned long size;

	if (!file || fscanf(file, "%lx", &size) != 1) {
		perror("block_size_bytes");
		exit(2);
	}
	fclose(file);
	return size;
}

int main(void)
{
	dev = dev_open();
	unit = block_size();
	takes_and_gives();
	plans();
	others();
	lists();
	random_bytes();
	lists();
	printf("%d checks, %d failed\n", checks, failures);
	return failures != 0;
}
