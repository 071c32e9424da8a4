/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to /dev/v3 that are wrong in every way we could think of: numbers, sizes, pointers,
 * values, order. Each has to fail with its own errno and a message, and nothing may be left behind.
 */
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <v3/inspect.h>

#include "linux_vm.h"

static int dev, checks, failures;
static long pages;	/* what the module itself holds once it has run guests on all CPUs */
static void *readonly, *unmapped;
#define KERNEL_ADDRESS 0xffff888000000000ull

static void verdict(bool ok, int line, const char *what, int got, int want)
{
	checks++;
	if (ok)
		return;
	failures++;
	printf("ioctl_bad.c:%d: %s: got %d (%s), wanted %d (%s)\n", line, what, got,
	       strerror(got), want, strerror(want));
}

#define EXPECT(want, expr) do { \
	int got_ = (expr), want_ = (want); \
	verdict(got_ == want_, __LINE__, #expr, got_, want_); \
} while (0)

/* As call(), and a failure must come with a message that fits. */
static int told(int fd, unsigned long request, void *arg)
{
	struct v3_ioc_head *head = arg;
	int err = call(fd, request, arg);

	if (err && (!head->message[0] || !memchr(head->message, 0, sizeof(head->message)) ||
		    strchr(head->message, '\n') || !head->status)) {
		printf("request 0x%lx failed with %s and without a proper message\n", request,
		       strerror(err));
		failures++;
	}
	return err;
}

static int raw(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? errno : 0;
}

static unsigned int count_vms(void)
{
	struct v3_ioc_list list = { 0 };

	EXPECT(0, call(dev, V3_IOC_LIST, &list));
	return list.count;
}

static int create(const char *name)
{
	struct v3_ioc_create arg;

	create_init(&arg, name);
	EXPECT(0, told(dev, V3_IOC_CREATE, &arg));
	return arg.head.status ? -1 : arg.fd;
}

static int loaded(const char *name, const char *guest)
{
	struct v3_ioc_load_segments arg;
	int vm = create(name);

	segments_init(&arg, guest_find(guest));
	EXPECT(0, told(vm, V3_IOC_LOAD_SEGMENTS, &arg));
	return vm;
}

/* --- Numbers, sizes, pointers --- */

static const unsigned long control_requests[] = {
	V3_IOC_VERSION, V3_IOC_CAPS, V3_IOC_CREATE, V3_IOC_OPEN, V3_IOC_LIST, V3_IOC_EXIT_NAMES,
	V3_IOC_MEM_LIST, V3_IOC_MEM_TAKE, V3_IOC_MEM_GIVE, V3_IOC_MEM_PLAN, V3_IOC_MEM_UNPLAN,
	V3_IOC_MEM_PROGRESS,
};
static const unsigned long vm_requests[] = {
	V3_IOC_LOAD_LINUX, V3_IOC_LOAD_SEGMENTS, V3_IOC_START, V3_IOC_PAUSE, V3_IOC_RESUME,
	V3_IOC_STOP, V3_IOC_DESTROY, V3_IOC_DETACH, V3_IOC_STATE, V3_IOC_WAIT, V3_IOC_VM_STATS,
	V3_IOC_VCPU_STATS, V3_IOC_CONSOLE, V3_IOC_LOAD_MULTIBOOT, V3_IOC_RESET, V3_IOC_NMI,
	V3_IOC_INSPECT, V3_IOC_TRACE, V3_IOC_TRACE_READ, V3_IOC_NOTE, V3_IOC_NOISE,
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void bad_request(int fd, unsigned long request)
{
	static union {
		struct v3_ioc_head head;
		unsigned char bytes[8192];
	} arg;
	unsigned int size = _IOC_SIZE(request), number = _IOC_NR(request);

	EXPECT(ENOTTY, raw(fd, _IOC(_IOC_READ | _IOC_WRITE, V3_IOC_MAGIC, number, size + 8), &arg));
	EXPECT(ENOTTY, raw(fd, _IOC(_IOC_READ | _IOC_WRITE, V3_IOC_MAGIC, number, 0), &arg));
	EXPECT(ENOTTY, raw(fd, _IOC(_IOC_READ | _IOC_WRITE, V3_IOC_MAGIC + 1, number, size), &arg));
	EXPECT(ENOTTY, raw(fd, _IOC(_IOC_READ, V3_IOC_MAGIC, number, size), &arg));
	EXPECT(EFAULT, raw(fd, request, NULL));
	EXPECT(EFAULT, raw(fd, request, unmapped));
	EXPECT(EFAULT, raw(fd, request, (void *)KERNEL_ADDRESS));
	EXPECT(EFAULT, raw(fd, request, (void *)(-4096ull)));
	EXPECT(EFAULT, raw(fd, request, (char *)unmapped - size + 1));

	memset(&arg, 0, sizeof(arg));
	EXPECT(EPROTONOSUPPORT, raw(fd, request, &arg));
	arg.head.struct_size = size + 8;
	EXPECT(EPROTONOSUPPORT, raw(fd, request, &arg));
	EXPECT(V3_ERR_VERSION, arg.head.status);
	memset(&arg, 0, sizeof(arg));
	arg.head.reserved = 1;
	EXPECT(EINVAL, told(fd, request, &arg));
	memset(&arg, 0, sizeof(arg));
	arg.head.reserved2 = 1;
	EXPECT(EINVAL, told(fd, request, &arg));
}

static void numbers_and_pointers(void)
{
	int vm = create("numbers");
	size_t i;

	for (i = 0; i < COUNT(control_requests); i++) {
		bad_request(dev, control_requests[i]);
		EXPECT(ENOTTY, raw(vm, control_requests[i], readonly));
	}
	for (i = 0; i < COUNT(vm_requests); i++) {
		bad_request(vm, vm_requests[i]);
		EXPECT(ENOTTY, raw(dev, vm_requests[i], readonly));
	}
	for (i = 0x50; i < 0x100; i++)
		EXPECT(ENOTTY, raw(dev, _IO(V3_IOC_MAGIC, i), NULL));
	EXPECT(1, (int)count_vms());
	close(vm);
}

static void not_ioctl(void)
{
	int vm = create("files");
	char byte = 0;

	EXPECT(-1, (int)read(dev, &byte, 1));
	EXPECT(-1, (int)write(dev, &byte, 1));
	EXPECT(-1, (int)read(vm, &byte, 1));
	EXPECT(-1, (int)write(vm, &byte, 1));
	EXPECT(true, mmap(NULL, 4096, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED);
	EXPECT(true, mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED);
	close(vm);
}

/* --- Creation --- */

/* One changed field of a good request. */
#define BAD_CREATE(want, change) do { \
	struct v3_ioc_create arg; \
	create_init(&arg, "bad"); \
	change; \
	EXPECT(want, told(dev, V3_IOC_CREATE, &arg)); \
	EXPECT(-1, arg.fd); \
} while (0)

static void bad_names(void)
{
	BAD_CREATE(EINVAL, arg.name[0] = 0);
	BAD_CREATE(EINVAL, memset(arg.name, 'a', sizeof(arg.name)));
	BAD_CREATE(EINVAL, strcpy(arg.name, "with space"));
	BAD_CREATE(EINVAL, strcpy(arg.name, "../etc"));
	BAD_CREATE(EINVAL, strcpy(arg.name, "new\nline"));
	BAD_CREATE(EINVAL, strcpy(arg.name, "%s%n"));
	BAD_CREATE(EINVAL, strcpy(arg.name, "\xff"));
}

static void bad_cpus(void)
{
	BAD_CREATE(EINVAL, arg.num_vcpus = 0);
	BAD_CREATE(EINVAL, arg.num_vcpus = V3_IOC_VCPUS + 1);
	BAD_CREATE(EINVAL, arg.num_vcpus = ~0u);
	BAD_CREATE(ENOENT, arg.cpus[0] = -2);
	BAD_CREATE(ENOENT, arg.cpus[0] = 100000);
	BAD_CREATE(ENOENT, arg.cpus[0] = 0x7fffffff);
	BAD_CREATE(EINVAL, arg.cpus[1] = 1);
	BAD_CREATE(EINVAL, arg.flags = 1u << 20);
	BAD_CREATE(EINVAL, arg.flags = 1u << 31);
}

static void bad_cpu_models(void)
{
	BAD_CREATE(EINVAL, strcpy(arg.cpu, "pentium"));
	BAD_CREATE(EINVAL, strcpy(arg.cpu, ","));
	BAD_CREATE(EINVAL, strcpy(arg.cpu, "host,"));
	BAD_CREATE(EINVAL, strcpy(arg.cpu, "host,-"));
	BAD_CREATE(EINVAL, strcpy(arg.cpu, "host,-nosuch"));
	BAD_CREATE(EINVAL, strcpy(arg.cpu, "host,-lm"));
	BAD_CREATE(EINVAL, strcpy(arg.cpu, "host,-\xff\n%s%n"));
	BAD_CREATE(EINVAL, memset(arg.cpu, 'a', sizeof(arg.cpu) - 1));
	BAD_CREATE(EINVAL, memset(arg.cpu, 'a', sizeof(arg.cpu)));
	BAD_CREATE(EOPNOTSUPP, strcpy(arg.cpu, "x86-64-v4"));
}

/* This CPU does not scale TSCs. */
static void bad_tsc(void)
{
	BAD_CREATE(EOPNOTSUPP, arg.tsc_khz = 1);
	BAD_CREATE(EOPNOTSUPP, arg.tsc_khz = 1234567);
	BAD_CREATE(EOPNOTSUPP, arg.tsc_khz = ~0ull);
}

static void bad_memory(void)
{
	BAD_CREATE(EINVAL, arg.num_mem = 0);
	BAD_CREATE(EINVAL, arg.num_mem = V3_IOC_MEMS + 1);
	BAD_CREATE(EINVAL, arg.num_mem = ~0u);
	BAD_CREATE(EINVAL, arg.mem[0].size = 0);
	BAD_CREATE(EINVAL, arg.mem[0].size = 1);
	BAD_CREATE(EINVAL, arg.mem[0].size = 3 * MIB);
	BAD_CREATE(EINVAL, arg.mem[1].size = 2 * MIB);
	BAD_CREATE(EINVAL, arg.mem[0].reserved = 1);
	BAD_CREATE(ENOMEM, arg.mem[0].size = 1ull << 62);
	BAD_CREATE(ENOMEM, arg.mem[0].size = 0xffffffffffe00000ull);
	BAD_CREATE(ENOMEM, { arg.num_mem = 2; arg.mem[1] = arg.mem[0];
		   arg.mem[1].size = 0xffffffffffe00000ull; });
	BAD_CREATE(ENOENT, arg.mem[0].node = 99);
	BAD_CREATE(ENOENT, arg.mem[0].node = -2);
	BAD_CREATE(ENOENT, arg.mem[0].node = 0x7fffffff);
}

/* The answer cannot be delivered: what was made has to go again. */
static void undeliverable(void)
{
	static union {
		struct v3_ioc_create create;
		char page[4096];
	} image __attribute__((aligned(4096)));
	struct rlimit old, none;
	struct v3_ioc_create arg;

	create_init(&image.create, "readonly");
	image.create.head.struct_size = sizeof(image.create);
	EXPECT(0, mprotect(&image, sizeof(image), PROT_READ));
	EXPECT(EFAULT, raw(dev, V3_IOC_CREATE, &image));
	EXPECT(0, mprotect(&image, sizeof(image), PROT_READ | PROT_WRITE));
	image.create.flags = V3_IOC_CREATE_DETACHED;
	EXPECT(0, mprotect(&image, sizeof(image), PROT_READ));
	EXPECT(EFAULT, raw(dev, V3_IOC_CREATE, &image));
	EXPECT(0, (int)count_vms());

	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	create_init(&arg, "nofile");
	EXPECT(EMFILE, told(dev, V3_IOC_CREATE, &arg));
	setrlimit(RLIMIT_NOFILE, &old);
	EXPECT(0, (int)count_vms());
}

static void names_in_use(void)
{
	struct v3_ioc_open open_arg = { 0 };
	struct v3_ioc_create arg;
	int vm = create("twice");

	create_init(&arg, "twice");
	EXPECT(EEXIST, told(dev, V3_IOC_CREATE, &arg));
	strcpy(open_arg.name, "twice");
	EXPECT(0, told(dev, V3_IOC_OPEN, &open_arg));
	close(vm);
	/* the owner is gone, and the VM with it */
	EXPECT(ENODEV, control(open_arg.fd, V3_IOC_START));
	close(open_arg.fd);
	memset(&open_arg, 0, sizeof(open_arg));
	strcpy(open_arg.name, "twice");
	EXPECT(ENOENT, told(dev, V3_IOC_OPEN, &open_arg));
	open_arg.flags = 1;
	EXPECT(EINVAL, told(dev, V3_IOC_OPEN, &open_arg));
	vm = create("twice");
	close(vm);
}

static void bad_arrays(void)
{
	struct v3_ioc_list list = { .entries = 8, .capacity = 4 };
	struct v3_ioc_caps caps = { .cpus = KERNEL_ADDRESS, .cpus_capacity = 4 };
	struct v3_ioc_exit_names names = { .reserved = 1 };
	int vm = create("arrays");

	EXPECT(EFAULT, told(dev, V3_IOC_LIST, &list));
	list.entries = KERNEL_ADDRESS;
	list.capacity = ~0u;
	EXPECT(EFAULT, told(dev, V3_IOC_LIST, &list));
	EXPECT(EFAULT, told(dev, V3_IOC_CAPS, &caps));
	EXPECT(EINVAL, told(dev, V3_IOC_EXIT_NAMES, &names));
	close(vm);
}

/* --- Images --- */

#define BAD_SEGMENTS(want, change) do { \
	struct v3_ioc_load_segments arg; \
	segments_init(&arg, guest_find("spin")); \
	change; \
	EXPECT(want, told(vm, V3_IOC_LOAD_SEGMENTS, &arg)); \
} while (0)

static void bad_segments(void)
{
	static char line[4096];
	int vm = create("segments");

	BAD_SEGMENTS(EINVAL, arg.num_segments = 0);
	BAD_SEGMENTS(EINVAL, arg.num_segments = V3_IOC_SEGMENTS + 1);
	BAD_SEGMENTS(EINVAL, arg.segments[1].mem_size = 1);
	BAD_SEGMENTS(EIO, arg.image = (uintptr_t)unmapped);
	BAD_SEGMENTS(EINVAL, arg.image = KERNEL_ADDRESS);
	BAD_SEGMENTS(EINVAL, arg.image_size = ~0ull);
	BAD_SEGMENTS(EINVAL, arg.initrd = 8);
	BAD_SEGMENTS(EINVAL, arg.cmdline_len = 2048);
	BAD_SEGMENTS(EFAULT, { arg.cmdline_len = 10; arg.cmdline = 8; });
	BAD_SEGMENTS(EINVAL, { arg.cmdline_len = 10; arg.cmdline = (uintptr_t)line; });
	/* what libv3's loader has to find */
	BAD_SEGMENTS(ENOEXEC, arg.segments[0].offset = 1);
	BAD_SEGMENTS(ENOEXEC, arg.segments[0].file_size = ~0ull);
	BAD_SEGMENTS(ENOEXEC, arg.entry = 0x100000000ull);
	BAD_SEGMENTS(ENOMEM, arg.segments[0].mem_size = 1ull << 40);
	BAD_SEGMENTS(ENOMEM, { arg.segments[0].gpa = 64 * MIB; arg.entry = 64 * MIB; });
	EXPECT(EPROTO, control(vm, V3_IOC_START));
	close(vm);
}

#define BAD_MODULES(want, change) do { \
	struct v3_ioc_module list[V3_IOC_MODULES + 1] = { { .data = (uintptr_t)line, .size = 8 } }; \
	struct v3_ioc_load_multiboot arg = { .modules = (uintptr_t)list, .num_modules = 1 }; \
	segments_init(&arg.image, guest_find("spin")); \
	change; \
	EXPECT(want, told(vm, V3_IOC_LOAD_MULTIBOOT, &arg)); \
} while (0)

static void bad_modules(void)
{
	static char line[16] = "a\0b";
	int vm = create("modules");

	BAD_MODULES(EINVAL, arg.reserved = 1);
	BAD_MODULES(EINVAL, arg.num_modules = V3_IOC_MODULES + 1);
	BAD_MODULES(EINVAL, arg.num_modules = ~0u);
	BAD_MODULES(EFAULT, arg.modules = 0);
	BAD_MODULES(EFAULT, arg.modules = KERNEL_ADDRESS);
	BAD_MODULES(EINVAL, list[0].reserved = 1);
	BAD_MODULES(EINVAL, list[0].size = ~0ull);
	BAD_MODULES(EINVAL, list[0].data = KERNEL_ADDRESS);
	BAD_MODULES(EINVAL, list[0].cmdline_len = 2048);
	BAD_MODULES(EFAULT, { list[0].cmdline_len = 10; list[0].cmdline = 8; });
	BAD_MODULES(EINVAL, { list[0].cmdline_len = 3; list[0].cmdline = (uintptr_t)line; });
	BAD_MODULES(EINVAL, arg.image.num_segments = V3_IOC_SEGMENTS + 1);
	/* sound as far as the module can tell; but a kernel of a few bytes has no header */
	BAD_MODULES(ENOEXEC, arg.image.entry = GUEST_GPA);
	close(vm);
}

static void bad_linux(void)
{
	static unsigned char image[8192];
	struct v3_ioc_load_linux arg = { .kernel = (uintptr_t)image, .kernel_size = sizeof(image) };
	int vm = create("linux");
	unsigned int i;

	EXPECT(ENOEXEC, told(vm, V3_IOC_LOAD_LINUX, &arg));
	arg.kernel_size = 0;
	arg.kernel = 0;
	EXPECT(ENOEXEC, told(vm, V3_IOC_LOAD_LINUX, &arg));
	arg = (struct v3_ioc_load_linux){ .kernel = (uintptr_t)image, .kernel_size = 8192 };
	arg.entry = 3;
	EXPECT(EINVAL, told(vm, V3_IOC_LOAD_LINUX, &arg));
	arg = (struct v3_ioc_load_linux){ .kernel = KERNEL_ADDRESS, .kernel_size = 8192 };
	EXPECT(EINVAL, told(vm, V3_IOC_LOAD_LINUX, &arg));
	arg = (struct v3_ioc_load_linux){ .kernel = (uintptr_t)unmapped, .kernel_size = 8192 };
	EXPECT(EIO, told(vm, V3_IOC_LOAD_LINUX, &arg));
	/* a header full of ones, then of noise: refused, whatever it says */
	for (i = 0; i < 200; i++) {
		memset(image, i ? (int)(i * 37) : 0xff, sizeof(image));
		memcpy(image + 0x1fe, "\x55\xaa", 2);
		memcpy(image + 0x202, "HdrS", 4);
		arg = (struct v3_ioc_load_linux){ .kernel = (uintptr_t)image, .kernel_size = 8192 };
		EXPECT(true, told(vm, V3_IOC_LOAD_LINUX, &arg) != 0);
	}
	close(vm);
}

/* --- Order --- */

static int wait_ms(int vm, long long ms)
{
	struct v3_ioc_state state = { .timeout_ms = ms };

	return told(vm, V3_IOC_WAIT, &state);
}

static int reset(int vm, unsigned int flags)
{
	struct v3_ioc_reset arg = { .flags = flags };

	return told(vm, V3_IOC_RESET, &arg);
}

static int nmi(int vm, int vcpu)
{
	struct v3_ioc_nmi arg = { .vcpu = vcpu };

	return told(vm, V3_IOC_NMI, &arg);
}

/* Reset and NMI in each state; a reset takes the image, and nothing else. */
static void resets(void)
{
	struct v3_ioc_nmi reserved = { .reserved = 1 };
	struct v3_ioc_load_segments load;
	int vm = create("resets"), i;

	EXPECT(EINVAL, reset(vm, 2));
	EXPECT(EINVAL, told(vm, V3_IOC_NMI, &reserved));
	EXPECT(EPROTO, reset(vm, V3_IOC_RESET_ASK));
	EXPECT(EPROTO, nmi(vm, -1));
	EXPECT(ENOENT, nmi(vm, 1));
	EXPECT(ENOENT, nmi(vm, -2));
	EXPECT(0, reset(vm, 0));
	for (i = 0; i < 20; i++) {
		segments_init(&load, guest_find("spin"));
		EXPECT(0, told(vm, V3_IOC_LOAD_SEGMENTS, &load));
		EXPECT(0, control(vm, V3_IOC_START));
		if (i % 4 == 1)
			EXPECT(0, control(vm, V3_IOC_PAUSE));
		if (i % 4 == 2)
			EXPECT(0, control(vm, V3_IOC_STOP));
		if (i % 4 == 3)
			EXPECT(0, reset(vm, V3_IOC_RESET_ASK));
		EXPECT(0, reset(vm, 0));
		EXPECT(EPROTO, control(vm, V3_IOC_START));
		EXPECT(EPROTO, nmi(vm, 0));
	}
	close(vm);
}

/* What user memory is asked for by inspection, trace and note. */
static void looks(void)
{
	const unsigned int size = sizeof(struct v3_vcpu_inspection);
	struct v3_ioc_inspect inspect = { .size = size, .inspection = (uintptr_t)unmapped };
	struct v3_ioc_trace trace = { .on = 2 };
	struct v3_ioc_trace_read read_ = { .capacity = 1 };
	struct v3_ioc_note note = { .flags = V3_IOC_NOTE_SET, .size = V3_IOC_NOTE_MAX + 1 };
	char room[8];
	int vm = create("looks");

	EXPECT(EFAULT, told(vm, V3_IOC_INSPECT, &inspect));
	inspect.inspection = (uintptr_t)readonly;
	EXPECT(EFAULT, told(vm, V3_IOC_INSPECT, &inspect));
	inspect.inspection = KERNEL_ADDRESS;
	EXPECT(EFAULT, told(vm, V3_IOC_INSPECT, &inspect));
	inspect.vcpu = 1;
	EXPECT(ENOENT, told(vm, V3_IOC_INSPECT, &inspect));
	inspect = (struct v3_ioc_inspect){ .size = size - 1 };
	EXPECT(EPROTONOSUPPORT, told(vm, V3_IOC_INSPECT, &inspect));
	EXPECT(EINVAL, told(vm, V3_IOC_TRACE, &trace));
	EXPECT(ENOENT, told(vm, V3_IOC_TRACE_READ, &read_));
	trace = (struct v3_ioc_trace){ .on = 1 };
	EXPECT(0, told(vm, V3_IOC_TRACE, &trace));
	EXPECT(0, told(vm, V3_IOC_TRACE_READ, &read_));
	EXPECT(0, (int)read_.count);
	read_ = (struct v3_ioc_trace_read){ .capacity = V3_IOC_TRACE_MAX + 1 };
	EXPECT(ERANGE, told(vm, V3_IOC_TRACE_READ, &read_));
	read_ = (struct v3_ioc_trace_read){ .vcpu = 7 };
	EXPECT(ENOENT, told(vm, V3_IOC_TRACE_READ, &read_));
	EXPECT(ERANGE, told(vm, V3_IOC_NOTE, &note));
	note = (struct v3_ioc_note){ .flags = 2 };
	EXPECT(EINVAL, told(vm, V3_IOC_NOTE, &note));
	note = (struct v3_ioc_note){ .size = 0 };
	EXPECT(ENOENT, told(vm, V3_IOC_NOTE, &note));
	note = (struct v3_ioc_note){ .flags = V3_IOC_NOTE_SET, .size = 9,
				     .data = (uintptr_t)unmapped };
	EXPECT(EFAULT, told(vm, V3_IOC_NOTE, &note));
	note.data = (uintptr_t)"123456789";
	EXPECT(0, told(vm, V3_IOC_NOTE, &note));
	note = (struct v3_ioc_note){ .size = sizeof(room), .data = (uintptr_t)room };
	EXPECT(ERANGE, told(vm, V3_IOC_NOTE, &note));
	EXPECT(9, (int)note.size);
	note = (struct v3_ioc_note){ .size = 9, .data = (uintptr_t)unmapped };
	EXPECT(EFAULT, told(vm, V3_IOC_NOTE, &note));
	close(vm);
}

/* Both kinds of descriptors know this one. */
static void bad_restore(void)
{
	struct v3_ioc_restore restore = { .cpu = -1 };
	int vm = create("restore");

	bad_request(dev, V3_IOC_RESTORE);
	bad_request(vm, V3_IOC_RESTORE);
	EXPECT(ENOENT, told(dev, V3_IOC_RESTORE, &restore));
	EXPECT(ENOENT, told(vm, V3_IOC_RESTORE, &restore));
	restore = (struct v3_ioc_restore){ .cpu = 100000, .when = V3_IOC_RESTORE_CLOSE };
	EXPECT(ENOENT, told(dev, V3_IOC_RESTORE, &restore));
	EXPECT(ENOENT, told(vm, V3_IOC_RESTORE, &restore));
	restore = (struct v3_ioc_restore){ .when = V3_IOC_RESTORE_UNLOAD };
	EXPECT(EINVAL, told(vm, V3_IOC_RESTORE, &restore));
	restore = (struct v3_ioc_restore){ .when = V3_IOC_RESTORE_UNLOAD + 1 };
	EXPECT(EINVAL, told(dev, V3_IOC_RESTORE, &restore));
	restore = (struct v3_ioc_restore){ .when = V3_IOC_RESTORE_NEVER };
	EXPECT(0, told(dev, V3_IOC_RESTORE, &restore));
	EXPECT(0, told(vm, V3_IOC_RESTORE, &restore));
	EXPECT(0, control(vm, V3_IOC_DESTROY));
	EXPECT(ENODEV, told(vm, V3_IOC_RESTORE, &restore));
	close(vm);
}

static void bad_order(void)
{
	struct v3_ioc_load_segments load;
	struct v3_ioc_state state = { .timeout_ms = 1 };
	struct v3_ioc_vcpu_stats stats = { .vcpu = 1 };
	struct v3_ioc_vm_stats vm_stats = { .reserved = 1 };
	struct v3_ioc_noise noise = { .vcpu = 1 };
	int vm = create("order");

	EXPECT(EPROTO, control(vm, V3_IOC_START));
	EXPECT(EPROTO, control(vm, V3_IOC_PAUSE));
	EXPECT(EPROTO, control(vm, V3_IOC_RESUME));
	EXPECT(EINVAL, told(vm, V3_IOC_STATE, &state));
	EXPECT(ENOENT, told(vm, V3_IOC_VCPU_STATS, &stats));
	EXPECT(EINVAL, told(vm, V3_IOC_VM_STATS, &vm_stats));
	EXPECT(ENOENT, told(vm, V3_IOC_NOISE, &noise));
	noise = (struct v3_ioc_noise){ .flags = V3_IOC_NOISE_BEGIN << 1 };
	EXPECT(EINVAL, told(vm, V3_IOC_NOISE, &noise));
	noise = (struct v3_ioc_noise){ .flags = V3_IOC_NOISE_BEGIN };
	EXPECT(0, told(vm, V3_IOC_NOISE, &noise));
	EXPECT(-1, noise.cpu);
	EXPECT(ETIMEDOUT, wait_ms(vm, 10));
	segments_init(&load, guest_find("spin"));
	EXPECT(0, told(vm, V3_IOC_LOAD_SEGMENTS, &load));
	EXPECT(EPROTO, told(vm, V3_IOC_LOAD_SEGMENTS, &load));
	EXPECT(EPROTO, control(vm, V3_IOC_RESUME));
	EXPECT(0, control(vm, V3_IOC_START));
	EXPECT(EPROTO, control(vm, V3_IOC_START));
	EXPECT(EPROTO, told(vm, V3_IOC_LOAD_SEGMENTS, &load));
	EXPECT(EPROTO, control(vm, V3_IOC_RESUME));
	EXPECT(ETIMEDOUT, wait_ms(vm, 10));
	EXPECT(0, control(vm, V3_IOC_PAUSE));
	EXPECT(EPROTO, control(vm, V3_IOC_PAUSE));
	EXPECT(0, control(vm, V3_IOC_RESUME));
	EXPECT(0, control(vm, V3_IOC_STOP));
	EXPECT(0, control(vm, V3_IOC_STOP));
	EXPECT(EPROTO, control(vm, V3_IOC_START));
	EXPECT(EPROTO, control(vm, V3_IOC_PAUSE));
	EXPECT(0, wait_ms(vm, -1));
	EXPECT(0, control(vm, V3_IOC_DESTROY));
	EXPECT(ENODEV, control(vm, V3_IOC_DESTROY));
	EXPECT(ENODEV, control(vm, V3_IOC_START));
	EXPECT(ENODEV, control(vm, V3_IOC_DETACH));
	EXPECT(ENODEV, wait_ms(vm, -1));
	EXPECT(ENODEV, told(vm, V3_IOC_LOAD_SEGMENTS, &load));
	close(vm);
}

static void ends(void)
{
	struct v3_ioc_state state = { .timeout_ms = -1 };
	struct pollfd poll_arg = { .events = POLLIN };
	int vm = loaded("exit", "exit");

	poll_arg.fd = vm;
	EXPECT(0, poll(&poll_arg, 1, 0));
	EXPECT(0, control(vm, V3_IOC_START));
	EXPECT(1, poll(&poll_arg, 1, 10000));
	EXPECT(0, told(vm, V3_IOC_WAIT, &state));
	EXPECT(V3_END_EXIT, (int)state.end_kind);
	EXPECT(42, (int)state.end_code);
	close(vm);
	vm = loaded("crash", "crash");
	EXPECT(0, control(vm, V3_IOC_START));
	memset(&state, 0, sizeof(state));
	state.timeout_ms = -1;
	EXPECT(0, told(vm, V3_IOC_WAIT, &state));
	EXPECT(V3_END_CRASH, (int)state.end_kind);
	EXPECT(true, state.reason[0] != 0);
	close(vm);
}

/* --- Consoles --- */

static void consoles(void)
{
	struct v3_ioc_console arg = { .index = 1 }, second = { 0 };
	struct pollfd poll_arg = { .events = POLLIN };
	int vm = loaded("console", "flood");
	char buf[256];
	int i;

	EXPECT(ENOENT, told(vm, V3_IOC_CONSOLE, &arg));
	arg.index = 0;
	EXPECT(0, told(vm, V3_IOC_CONSOLE, &arg));
	EXPECT(EBUSY, told(vm, V3_IOC_CONSOLE, &second));
	EXPECT(ENOTTY, raw(arg.fd, V3_IOC_STOP, &second));
	EXPECT(0, fcntl(arg.fd, F_SETFL, O_NONBLOCK));
	EXPECT(true, read(arg.fd, buf, sizeof(buf)) < 0 && errno == EAGAIN);
	EXPECT(true, read(arg.fd, unmapped, 0) == 0);
	EXPECT(0, control(vm, V3_IOC_START));
	poll_arg.fd = arg.fd;
	for (i = 0; i < 50; i++) {
		EXPECT(1, poll(&poll_arg, 1, 10000));
		EXPECT(true, read(arg.fd, buf, sizeof(buf)) > 0 && buf[0] == 'x');
	}
	poll(&poll_arg, 1, 10000);
	EXPECT(true, read(arg.fd, (void *)KERNEL_ADDRESS, 16) < 0 && errno == EFAULT);
	EXPECT(true, write(arg.fd, (void *)KERNEL_ADDRESS, 16) < 0 && errno == EFAULT);
	/* the guest reads nothing: room ends, and that does not block */
	for (i = 0; i < 100 && write(arg.fd, buf, sizeof(buf)) > 0; i++)
		;
	EXPECT(true, i < 100 && errno == EAGAIN);
	EXPECT(0, control(vm, V3_IOC_STOP));
	EXPECT(true, write(arg.fd, buf, 1) < 0 && errno == EPIPE);
	while ((i = (int)read(arg.fd, buf, sizeof(buf))) > 0)
		;
	EXPECT(0, i);
	EXPECT(0, control(vm, V3_IOC_DESTROY));
	EXPECT(0, (int)read(arg.fd, buf, sizeof(buf)));
	close(vm);
	EXPECT(0, (int)read(arg.fd, buf, sizeof(buf)));
	close(arg.fd);
}

/* --- Noise --- */

/* Right heads with random bodies: whatever succeeds by chance must be undone by closing. */
static void random_requests(void)
{
	static union {
		struct v3_ioc_head head;
		struct v3_ioc_create create;
		struct v3_ioc_state state;
		struct v3_ioc_open open;
		unsigned long long words[1024];
	} arg;
	int vm = loaded("noise", "halt"), i, err;
	unsigned int j;

	for (i = 0; i < 3000; i++) {
		bool on_vm = noise() & 1;
		unsigned long request = on_vm ? vm_requests[noise() % COUNT(vm_requests)]
					      : control_requests[noise() % COUNT(control_requests)];

		for (j = 0; j < COUNT(arg.words); j++)
			arg.words[j] = noise() & (noise() & 1 ? ~0ull : 0xff);
		arg.head.reserved = 0;
		arg.head.reserved2 = 0;
		if (request == V3_IOC_DESTROY || request == V3_IOC_DETACH)
			continue;
		if (request == V3_IOC_WAIT)
			arg.state.timeout_ms = 1;
		err = call(on_vm ? vm : dev, request, &arg);
		if (err)
			continue;
		if (request == V3_IOC_CREATE)
			close(arg.create.fd);
		if (request == V3_IOC_OPEN || request == V3_IOC_CONSOLE)
			close(request == V3_IOC_OPEN ? arg.open.fd
						     : ((struct v3_ioc_console *)&arg)->fd);
	}
	close(vm);
}

static void part(const char *name, void (*fn)(void))
{
	int before = failures;

	fn();
	EXPECT(0, (int)count_vms());
	EXPECT((int)pages, (int)counter("pages_in_use"));
	printf("%s: %s\n", name, failures == before ? "ok" : "FAILED");
	fflush(stdout);
}

/* libv3 keeps a save area per CPU from the first guest on. */
static void warm_up(void)
{
	long cpu, count = sysconf(_SC_NPROCESSORS_ONLN);

	for (cpu = 0; cpu < count; cpu++) {
		struct v3_ioc_create arg;
		struct v3_ioc_load_segments load;

		create_init(&arg, "warm");
		arg.cpus[0] = (int)cpu;
		EXPECT(0, told(dev, V3_IOC_CREATE, &arg));
		segments_init(&load, guest_find("exit"));
		EXPECT(0, told(arg.fd, V3_IOC_LOAD_SEGMENTS, &load));
		EXPECT(0, control(arg.fd, V3_IOC_START));
		EXPECT(0, wait_ms(arg.fd, 10000));
		close(arg.fd);
	}
	pages = counter("pages_in_use");
}

int main(void)
{
	char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	dev = dev_open();
	readonly = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unmapped = area + 4096;
	munmap(unmapped, 4096);
	warm_up();
	part("numbers and pointers", numbers_and_pointers);
	part("not ioctl", not_ioctl);
	part("names", bad_names);
	part("CPUs", bad_cpus);
	part("CPU models", bad_cpu_models);
	part("TSC frequencies", bad_tsc);
	part("memory", bad_memory);
	part("undeliverable answers", undeliverable);
	part("names in use", names_in_use);
	part("arrays", bad_arrays);
	part("segments", bad_segments);
	part("modules", bad_modules);
	part("Linux images", bad_linux);
	part("restoring", bad_restore);
	part("order", bad_order);
	part("resets", resets);
	part("looks", looks);
	part("ends", ends);
	part("consoles", consoles);
	part("noise", random_requests);
	printf("%d checks, %d failed\n", checks, failures);
	return failures != 0;
}
