/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The v3 module, in memory. Descriptors are real ones, so that poll() and close() work on them.
 */
#include "fake_sys.h"

#include "fake_mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <v3/inspect.h>

#define MAX_VMS 32
#define MAX_FDS 256

struct vm {
	bool used, loaded, detached;
	char name[V3_IOC_NAME];
	unsigned int refs; /* descriptors that keep it alive */
	enum v3_vm_state state;
	enum v3_end_kind end_kind;
	uint32_t end_code;
	char reason[V3_IOC_REASON];
	uint32_t num_vcpus;
	uint64_t memory, load_done;
	/* Guest's and user's end of the console; -1: not there. */
	int guest_end, user_end;
	int flood; /* the user's descriptor if fake_plan.floods, else 0 */
	pthread_t thread;
	bool has_thread;
	char note[4096];
	uint32_t note_size;
	bool trace, traced;
};

enum fd_kind { FD_NONE, FD_DEV, FD_VM_OWNER, FD_VM, FD_CONSOLE };
static struct {
	enum fd_kind kind;
	struct vm *vm;
} fds[MAX_FDS];

static struct vm vms[MAX_VMS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int resets_done;

struct fake_plan fake_plan;
struct fake_seen fake_seen;

static void broken(const char *what)
{
	fprintf(stderr, "fake: %s\n", what);
	abort();
}

static int fail(struct v3_ioc_head *head, int err, const char *message)
{
	head->status = V3_ERR_INVALID;
	snprintf(head->message, sizeof(head->message), "%s", message ? message : "");
	errno = err;
	return -1;
}

static int new_fd(enum fd_kind kind, struct vm *vm)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || fd >= MAX_FDS)
		broken("no descriptor");
	fds[fd].kind = kind;
	fds[fd].vm = vm;
	return fd;
}

static int fake_open(const char *path, int flags)
{
	if (strcmp(path, "/dev/v3") || flags != (O_RDWR | O_CLOEXEC))
		broken("another file opened");
	if (fake_plan.open_errno) {
		errno = fake_plan.open_errno;
		return -1;
	}
	return new_fd(FD_DEV, NULL);
}

static struct vm *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < MAX_VMS; i++)
		if (vms[i].used && !strcmp(vms[i].name, name))
			return &vms[i];
	return NULL;
}

/* What the descriptor shows is another file from now on. */
static void show(int fd, const char *path)
{
	int file = open(path, O_RDWR | O_CLOEXEC);

	if (file < 0 || dup3(file, fd, O_CLOEXEC) != fd || fcntl(fd, F_SETFL, O_NONBLOCK))
		broken("a file of the system");
	close(file);
}

/* With the lock. */
static void set_end(struct vm *vm, enum v3_end_kind kind, uint32_t code, const char *reason)
{
	if (vm->state == V3_VM_STOPPED)
		return;
	vm->state = V3_VM_STOPPED;
	vm->end_kind = kind;
	vm->end_code = code;
	snprintf(vm->reason, sizeof(vm->reason), "%s", reason ? reason : "");
	if (vm->guest_end >= 0)
		shutdown(vm->guest_end, SHUT_RDWR);
	if (vm->flood)
		show(vm->flood, "/dev/null");
	vm->flood = 0;
}

static void write_all(int fd, const char *text, size_t len)
{
	ssize_t count;

	while (len > 0) {
		count = send(fd, text, len, MSG_NOSIGNAL);
		if (count <= 0)
			return;
		text += count;
		len -= (size_t)count;
	}
}

static void echo(const struct vm *vm)
{
	struct termios mode;
	char byte = 0;

	while (byte != fake_plan.echo_until && recv(vm->guest_end, &byte, 1, 0) == 1)
		write_all(vm->guest_end, &byte, 1);
	if (!tcgetattr(STDIN_FILENO, &mode))
		fake_seen.tty_was_raw = !(mode.c_lflag & (ICANON | ECHO | ISIG));
}

static void *guest(void *arg)
{
	struct vm *vm = arg;

	if (fake_plan.output)
		write_all(vm->guest_end, fake_plan.output,
			  fake_plan.output_len ? fake_plan.output_len : strlen(fake_plan.output));
	if (fake_plan.echo_until)
		echo(vm);
	if (fake_plan.spins)
		return NULL;
	pthread_mutex_lock(&lock);
	if (resets_done < fake_plan.resets) {
		resets_done++;
		set_end(vm, V3_END_RESET, 0, NULL);
	} else {
		set_end(vm, fake_plan.end_kind ? fake_plan.end_kind : V3_END_POWEROFF,
			fake_plan.end_code, fake_plan.reason);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void stop(struct vm *vm, enum v3_end_kind kind)
{
	pthread_mutex_lock(&lock);
	set_end(vm, kind, 0, NULL);
	pthread_mutex_unlock(&lock);
	if (vm->has_thread)
		pthread_join(vm->thread, NULL);
	vm->has_thread = false;
}

static void destroy(struct vm *vm)
{
	unsigned int i;

	stop(vm, V3_END_KILLED);
	if (vm->guest_end >= 0)
		close(vm->guest_end);
	if (vm->user_end >= 0)
		close(vm->user_end);
	for (i = 0; i < MAX_FDS; i++)
		if (fds[i].vm == vm)
			fds[i].vm = NULL;
	vm->used = false;
}

static int fake_close(int fd)
{
	struct vm *vm;

	if (fd >= 0 && fd < MAX_FDS && fds[fd].kind == FD_VM_OWNER) {
		vm = fds[fd].vm;
		if (vm && !--vm->refs && !vm->detached)
			destroy(vm);
	}
	if (fd >= 0 && fd < MAX_FDS) {
		fds[fd].kind = FD_NONE;
		fds[fd].vm = NULL;
	}
	return close(fd);
}

static int check_create(struct v3_ioc_create *create)
{
	unsigned int i;

	if (!create->name[0] || memchr(create->name, 0, sizeof(create->name)) == NULL)
		return fail(&create->head, EINVAL, "the name is not sound");
	if (!create->num_vcpus || create->num_vcpus > V3_IOC_VCPUS)
		return fail(&create->head, EINVAL, "the number of vCPUs is not sound");
	for (i = create->num_vcpus; i < V3_IOC_VCPUS; i++)
		if (create->cpus[i])
			return fail(&create->head, EINVAL, "CPUs behind the last");
	if (!create->num_mem || create->num_mem > V3_IOC_MEMS)
		return fail(&create->head, EINVAL, "the number of memories is not sound");
	for (i = 0; i < V3_IOC_MEMS; i++)
		if (i < create->num_mem ? !create->mem[i].size || create->mem[i].size % (2 << 20)
					: create->mem[i].size || create->mem[i].node)
			return fail(&create->head, EINVAL, "a memory is not sound");
	return 0;
}

static int do_create(struct v3_ioc_create *create)
{
	struct vm *vm = vms;
	unsigned int i;

	fake_seen.create = *create;
	fake_seen.creates++;
	if (check_create(create))
		return -1;
	if (find(create->name) || (fake_plan.taken && !strcmp(create->name, fake_plan.taken))) {
		char text[128];

		snprintf(text, sizeof(text), "a VM called '%s' exists already", create->name);
		return fail(&create->head, EEXIST, text);
	}
	while (vm < vms + MAX_VMS && vm->used)
		vm++;
	if (vm == vms + MAX_VMS)
		broken("too many VMs");
	*vm = (struct vm){
		.used = true, .refs = 1, .num_vcpus = create->num_vcpus,
		.detached = create->flags & V3_IOC_CREATE_DETACHED,
		.guest_end = -1, .user_end = -1,
	};
	strcpy(vm->name, create->name);
	for (i = 0; i < create->num_mem; i++)
		vm->memory += create->mem[i].size;
	create->fd = new_fd(FD_VM_OWNER, vm);
	return 0;
}

static int do_list(struct v3_ioc_list *list)
{
	struct v3_ioc_list_entry *out = (void *)(uintptr_t)list->entries;
	unsigned int i;

	list->count = 0;
	for (i = 0; i < MAX_VMS; i++) {
		if (!vms[i].used)
			continue;
		if (list->count < list->capacity) {
			out[list->count] = (struct v3_ioc_list_entry){
				.state = vms[i].state,
				.flags = vms[i].detached ? V3_IOC_LIST_DETACHED : 0,
				.num_vcpus = vms[i].num_vcpus,
				.owner_pid = getpid(),
				.memory = vms[i].memory,
				.end_kind = vms[i].end_kind,
				.end_code = vms[i].end_code,
			};
			strcpy(out[list->count].name, vms[i].name);
		}
		list->count++;
	}
	return 0;
}

static int do_caps(struct v3_ioc_caps *caps)
{
	struct v3_ioc_cpu *cpus = (void *)(uintptr_t)caps->cpus;
	unsigned int i;

	caps->host_status = fake_plan.host_status;
	if (fake_plan.host_message)
		strcpy(caps->host_message, fake_plan.host_message);
	strcpy(caps->backend, "svm");
	caps->num_cpus = 3;
	caps->tsc_khz = 1000;
	caps->cpus_count = caps->cpus_capacity < 3 ? caps->cpus_capacity : 3;
	for (i = 0; i < caps->cpus_count; i++) {
		cpus[i] = (struct v3_ioc_cpu){ .cpu = i };
		if (i == 1 && fake_plan.cpu1_status) {
			cpus[i].owner = V3_IOC_OWNER_OTHER;
			cpus[i].status = (int32_t)fake_plan.cpu1_status;
			strcpy(cpus[i].message, "KVM owns SVM on CPU 1");
		}
		if (i == 1 && fake_plan.cpu1_yield_ns) {
			strcpy(cpus[i].vm, "owner");
			cpus[i].yield_ns = fake_plan.cpu1_yield_ns;
		}
		if (i == 2)
			cpus[i].owner = V3_IOC_OWNER_OFFLINE;
	}
	return 0;
}

static int do_version(struct v3_ioc_version *version)
{
	version->abi_version = fake_plan.abi_version ? fake_plan.abi_version : V3_IOC_ABI_VERSION;
	strcpy(version->version, "9.8.7");
	strcpy(version->backend, "svm");
	return 0;
}

static int do_open(struct v3_ioc_open *open_)
{
	struct vm *vm = find(open_->name);
	char text[128];

	if (!vm) {
		snprintf(text, sizeof(text), "no VM is called '%s'", open_->name);
		return fail(&open_->head, ENOENT, text);
	}
	open_->fd = new_fd(FD_VM, vm);
	return 0;
}

static int dev_request(unsigned long request, void *arg)
{
	struct v3_ioc_exit_names *names = arg;

	switch (request) {
	case V3_IOC_VERSION:
		return do_version(arg);
	case V3_IOC_CAPS:
		return do_caps(arg);
	case V3_IOC_CREATE:
		return do_create(arg);
	case V3_IOC_OPEN:
		return do_open(arg);
	case V3_IOC_LIST:
		return do_list(arg);
	case V3_IOC_EXIT_NAMES:
		names->count = 3;
		strcpy(names->names[0], "none");
		strcpy(names->names[1], "intr");
		strcpy(names->names[2], "hlt");
		return 0;
	default:
		return fake_mem_request(request, arg);
	}
}

static void take_cmdline(uint64_t text, uint32_t len)
{
	if (len > 2047)
		broken("command line too long");
	memcpy(fake_seen.cmdline, (void *)(uintptr_t)text, len);
	fake_seen.cmdline[len] = 0;
}

static void take_modules(const struct v3_ioc_load_multiboot *request)
{
	const struct v3_ioc_module *module = (void *)(uintptr_t)request->modules;
	size_t len = 0;
	unsigned int i;

	if (request->num_modules > V3_IOC_MODULES || request->reserved)
		broken("wrong modules");
	fake_seen.modules[0] = 0;
	for (i = 0; i < request->num_modules; i++, module++) {
		if (module->reserved || module->cmdline_len > 2047)
			broken("wrong module");
		len += (size_t)snprintf(fake_seen.modules + len, sizeof(fake_seen.modules) - len,
					"%.*s=%.*s;", (int)module->cmdline_len,
					(const char *)(uintptr_t)module->cmdline,
					(int)module->size, (const char *)(uintptr_t)module->data);
		if (len >= sizeof(fake_seen.modules))
			broken("modules too long for this test");
	}
}

static int loaded(struct vm *vm, struct v3_ioc_head *head)
{
	unsigned int i;

	if (vm->state != V3_VM_CREATED || vm->loaded)
		return fail(head, EPROTO, "loaded already");
	fake_seen.loads++;
	for (i = 0; i < fake_plan.load_ms; i += 10) {
		__atomic_fetch_add(&vm->load_done, 1 << 20, __ATOMIC_RELAXED);
		usleep(10000);
	}
	vm->loaded = true;
	return 0;
}

static int do_start(struct vm *vm, struct v3_ioc_head *head)
{
	int ends[2];

	if (vm->state != V3_VM_CREATED || !vm->loaded)
		return fail(head, EPROTO, "the VM cannot be started in its state");
	fake_seen.starts++;
	if (vm->guest_end < 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
			broken("socketpair");
		vm->guest_end = ends[0];
		vm->user_end = ends[1];
	}
	vm->state = V3_VM_RUNNING;
	vm->has_thread = true;
	if (fake_plan.on_start)
		fake_plan.on_start(fake_plan.on_start_arg);
	if (pthread_create(&vm->thread, NULL, guest, vm))
		broken("thread");
	return 0;
}

static int do_console(struct vm *vm, struct v3_ioc_console *console)
{
	int ends[2];

	if (vm->guest_end < 0) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
			broken("socketpair");
		vm->guest_end = ends[0];
		vm->user_end = ends[1];
	}
	if (vm->user_end < 0)
		return fail(&console->head, EBUSY, "the console is in use");
	console->fd = vm->user_end;
	fds[console->fd].kind = FD_CONSOLE;
	vm->user_end = -1;
	if (fake_plan.floods) {
		vm->flood = console->fd;
		show(vm->flood, "/dev/zero");
	}
	return 0;
}

static int pause_resume(struct vm *vm, struct v3_ioc_head *head, bool pause)
{
	enum v3_vm_state from = pause ? V3_VM_RUNNING : V3_VM_PAUSED;

	if (vm->state != from)
		return fail(head, EPROTO, pause ? "the VM does not run" : "the VM is not paused");
	vm->state = pause ? V3_VM_PAUSED : V3_VM_RUNNING;
	return 0;
}

static int do_state(struct vm *vm, struct v3_ioc_state *state)
{
	pthread_mutex_lock(&lock);
	state->state = vm->state;
	state->end_kind = vm->end_kind;
	state->end_code = vm->end_code;
	state->load_done = __atomic_load_n(&vm->load_done, __ATOMIC_RELAXED);
	state->num_vcpus = vm->num_vcpus;
	state->flags = vm->detached ? V3_IOC_LIST_DETACHED : 0;
	state->load_total = fake_plan.load_ms / 10 * (1 << 20);
	memcpy(state->reason, vm->reason, sizeof(state->reason));
	pthread_mutex_unlock(&lock);
	return 0;
}

static int do_stats(struct vm *vm, struct v3_ioc_vm_stats *stats)
{
	stats->ram = vm->memory;
	stats->leaf_2m = vm->memory;
	stats->table_pages = 5;
	stats->vmm_bytes = 100000;
	stats->vcpu_bytes = 20000;
	stats->num_vcpus = vm->num_vcpus;
	return 0;
}

static int do_vcpu_stats(struct v3_ioc_vcpu_stats *stats)
{
	stats->cpu = stats->vcpu ? -1 : 7;
	stats->num_exits = 4;
	stats->exits[1] = 11;
	stats->exits[2] = 22;
	stats->exits[3] = 33;
	stats->run_ns = 1500000000;
	return 0;
}

/* Only the first vCPU owns a CPU. Each look is two seconds and five timer interrupts after the last. */
static int do_noise(struct v3_ioc_noise *noise)
{
	static unsigned int looks;

	looks += !noise->vcpu;
	noise->cpu = noise->vcpu ? -1 : 0;
	noise->num_causes = V3_IOC_NOISE_CAUSES;
	noise->tsc_khz = 1000;
	noise->tsc = 2000000 * (__u64)looks;
	noise->causes[V3_IOC_NOISE_TIMER].count = 5 * (__u64)looks;
	noise->causes[V3_IOC_NOISE_TIMER].ticks = 5000 * (__u64)looks;
	noise->causes[V3_IOC_NOISE_TIMER].longest = 777;
	noise->causes[V3_IOC_NOISE_NMI].count = 9;
	return 0;
}

static int do_reset(struct vm *vm, struct v3_ioc_reset *reset)
{
	if (reset->flags & V3_IOC_RESET_ASK) {
		if (vm->state != V3_VM_RUNNING && vm->state != V3_VM_PAUSED)
			return fail(&reset->head, EPROTO, "the VM does not run");
		pthread_mutex_lock(&lock);
		set_end(vm, V3_END_RESET, 0, "reset by the host");
		pthread_mutex_unlock(&lock);
		return 0;
	}
	stop(vm, V3_END_RESET);
	if (vm->guest_end >= 0)
		close(vm->guest_end);
	vm->guest_end = -1;
	vm->state = V3_VM_CREATED;
	vm->end_kind = V3_END_NONE;
	vm->reason[0] = 0;
	vm->loaded = false;
	fake_seen.resets++;
	return 0;
}

static int do_nmi(struct vm *vm, struct v3_ioc_nmi *nmi)
{
	if (vm->state != V3_VM_RUNNING)
		return fail(&nmi->head, EPROTO, "the VM does not run");
	fake_seen.nmis++;
	fake_seen.nmi_vcpu = nmi->vcpu;
	return 0;
}

static int do_note(struct vm *vm, struct v3_ioc_note *note)
{
	void *data = (void *)(uintptr_t)note->data;

	if (note->flags & V3_IOC_NOTE_SET) {
		if (note->size > sizeof(vm->note))
			return fail(&note->head, ERANGE, "the note is too long");
		memcpy(vm->note, data, note->size);
		vm->note_size = note->size;
		return 0;
	}
	if (!vm->note_size)
		return fail(&note->head, ENOENT, "no note");
	memcpy(data, fake_plan.note ? fake_plan.note : vm->note,
	       fake_plan.note ? strlen(fake_plan.note) : vm->note_size);
	note->size = fake_plan.note ? (uint32_t)strlen(fake_plan.note) : vm->note_size;
	note->uid = geteuid() + fake_plan.note_uid;
	return 0;
}

/* What there is to be seen of a vCPU: RIP 0x1000 with a HLT behind NOPs, and hostile bytes. */
static int do_inspect(struct vm *vm, struct v3_ioc_inspect *inspect)
{
	struct v3_vcpu_inspection *out = (void *)(uintptr_t)inspect->inspection;
	unsigned int i;

	if (inspect->vcpu >= vm->num_vcpus || inspect->size != sizeof(*out))
		broken("an inspection that is not sound");
	memset(out, 0, sizeof(*out));
	out->state.rip = 0x1000;
	out->state.gpr[3] = 0xb0b0;
	out->bits = 64;
	out->last_exit = (struct v3_trace_event){ .kind = V3_TRACE_EXIT, .code = 2 };
	out->num_exits = fake_plan.inspect_wrong ? 0xffffffff : 2;
	out->exits[0] = (struct v3_trace_event){ .kind = V3_TRACE_EXIT, .code = V3_EXIT_CPUID,
						 .rip = 0xff0, .info = 0x7 };
	out->exits[1] = out->last_exit;
	out->exception = (struct v3_inspect_event){ .valid = 1, .vector = 14, .has_error = 1,
						    .error = 0x2 };
	out->code.gva = 0x1000;
	out->code.before = fake_plan.inspect_wrong ? 0xffffffff : 8;
	out->code.count = fake_plan.inspect_wrong ? 0xffffffff : 1;
	memset(out->code.bytes, 0x90, sizeof(out->code.bytes));
	out->code.bytes[V3_INSPECT_BYTES] = 0xf4;
	out->stack.count = 16;
	for (i = 0; i < 16; i++)
		out->stack.bytes[V3_INSPECT_BYTES + i] = (uint8_t)(0x1b + i);
	out->walk.gva = inspect->address;
	out->walk.num_levels = fake_plan.inspect_wrong ? 77 : 1;
	out->walk.levels[0] = (struct v3_page_level){ .entry = 0x2000, .value = 0x83, .level = 3,
						      .size = 8 };
	out->walk.gpa = 0x1000;
	out->walk.page_size = 1 << 30;
	out->walk.kind = fake_plan.inspect_wrong ? 99 : V3_MEM_RAM;
	out->walk.nested_level = fake_plan.inspect_wrong ? 99 : 2;
	out->walk.nested_access = fake_plan.nested_access;
	out->walk.hpa = 0x55001000;
	return 0;
}

/* Three events, then no more. */
static int do_trace_read(struct vm *vm, struct v3_ioc_trace_read *read_)
{
	struct v3_trace_event *events = (void *)(uintptr_t)read_->events;
	static const struct v3_trace_event all[] = {
		{ .tsc = 1000, .rip = 0x10, .kind = V3_TRACE_ENTRY },
		{ .tsc = 3000, .rip = 0x20, .kind = V3_TRACE_EXIT, .code = V3_EXIT_CPUID,
		  .info = 0x700000001 },
		{ .tsc = 5000, .rip = 0x20, .kind = V3_TRACE_INJECT, .code = 3, .vector = 13,
		  .flags = 1, .info = 0x18 },
	};

	if (!vm->traced)
		return fail(&read_->head, ENOENT, "the trace was never turned on");
	read_->on = vm->trace;
	read_->lost = read_->position ? 0 : 5;
	for (read_->count = 0; read_->position < 8 && read_->count < 3; read_->count++)
		events[read_->count] = all[read_->count];
	read_->position = 8;
	return 0;
}

static int do_trace(struct vm *vm, struct v3_ioc_trace *trace)
{
	vm->trace = trace->on;
	vm->traced |= vm->trace;
	fake_seen.traced_from_start = vm->trace && !fake_seen.starts;
	return 0;
}

static int vm_request(int fd, unsigned long request, void *arg)
{
	struct v3_ioc_load_segments *segments = arg;
	struct v3_ioc_load_linux *linux_ = arg;
	struct vm *vm = fds[fd].vm;

	if (!vm) {
		errno = ENODEV;
		return -1;
	}
	switch (request) {
	case V3_IOC_LOAD_LINUX:
		fake_seen.load_linux = *linux_;
		take_cmdline(linux_->cmdline, linux_->cmdline_len);
		return loaded(vm, arg);
	case V3_IOC_LOAD_MULTIBOOT:
	case V3_IOC_LOAD_SEGMENTS:
		/* The larger structure begins with the smaller. */
		if (request == V3_IOC_LOAD_MULTIBOOT)
			take_modules(arg);
		fake_seen.load_multiboot = request == V3_IOC_LOAD_MULTIBOOT;
		fake_seen.load_segments = *segments;
		take_cmdline(segments->cmdline, segments->cmdline_len);
		return loaded(vm, arg);
	case V3_IOC_START:
		return do_start(vm, arg);
	case V3_IOC_PAUSE:
		return pause_resume(vm, arg, true);
	case V3_IOC_RESUME:
		return pause_resume(vm, arg, false);
	case V3_IOC_STOP:
		stop(vm, V3_END_KILLED);
		return 0;
	case V3_IOC_DESTROY:
		fake_seen.destroys++;
		destroy(vm);
		return 0;
	case V3_IOC_DETACH:
		fake_seen.detaches++;
		vm->detached = true;
		return 0;
	case V3_IOC_STATE:
		return do_state(vm, arg);
	case V3_IOC_VM_STATS:
		return do_stats(vm, arg);
	case V3_IOC_VCPU_STATS:
		return do_vcpu_stats(arg);
	case V3_IOC_NOISE:
		return do_noise(arg);
	case V3_IOC_CONSOLE:
		return do_console(vm, arg);
	case V3_IOC_RESET:
		return do_reset(vm, arg);
	case V3_IOC_NMI:
		return do_nmi(vm, arg);
	case V3_IOC_NOTE:
		return do_note(vm, arg);
	case V3_IOC_INSPECT:
		return do_inspect(vm, arg);
	case V3_IOC_TRACE:
		return do_trace(vm, arg);
	case V3_IOC_TRACE_READ:
		return do_trace_read(vm, arg);
	default:
		errno = ENOTTY;
		return -1;
	}
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	struct v3_ioc_head *head = arg;

	if (fd < 0 || fd >= MAX_FDS || fds[fd].kind == FD_NONE || fds[fd].kind == FD_CONSOLE)
		broken("request on a descriptor that is not ours");
	if (head->struct_size != _IOC_SIZE(request) || head->reserved || head->reserved2)
		broken("a head that is not sound");
	if (request == fake_plan.fail_request)
		return fail(head, fake_plan.fail_errno, fake_plan.fail_message);
	return fds[fd].kind == FD_DEV ? dev_request(request, arg) : vm_request(fd, request, arg);
}

void fake_check_leaks(void)
{
	unsigned int i;

	for (i = 0; i < MAX_FDS; i++)
		if (fds[i].kind != FD_NONE)
			broken("a descriptor was left open");
	for (i = 0; i < MAX_VMS; i++) {
		if (vms[i].used && !vms[i].detached)
			broken("a VM was left");
		if (vms[i].used)
			destroy(&vms[i]);
	}
}

static const struct v3_sys fake = { fake_open, fake_ioctl, fake_close };
const struct v3_sys *v3_sys = &fake;
