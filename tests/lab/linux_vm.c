/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linux_vm [OPTION]... NAME GUEST: runs a tiny guest (linux_vm.h) and waits for its end.
 *   -m MIB   memory     -c CPU   host CPU     -v N   vCPUs    -N NODE  of the memory
 *   -c A,B   of each vCPU; the last one is that of all others
 *   -o WHAT  owns them: default, never, halt, interval, or a number for host_yield
 *   -y NS    yield_ns                         -f     their threads are SCHED_FIFO
 *   -d       detached: does not wait          -n     creates and loads, does not start, sleeps
 *   -H       memory only of what is held
 * linux_vm state|stop|destroy|pause|resume|wait NAME: a request to a VM by its name.
 * linux_vm contested NAME: creates a VM many times, which others destroy the moment they see it.
 * Status: the guest's exit code, 100 + kind of another end, 2 for a request that failed.
 */
#include <poll.h>
#include <signal.h>

#include "linux_vm.h"

#define CONTESTED 64

struct options {
	unsigned long mib;
	unsigned int vcpus;
	const char *cpus, *own;
	uint64_t yield_ns;
	int node;
	bool detached, wait_only, fifo, held;
};

static void check(int err, const char *what, const struct v3_ioc_head *head)
{
	if (!err)
		return;
	printf("%s: %s: %s\n", what, strerror(err), head->message);
	exit(2);
}

static void cpus_set(struct v3_ioc_create *arg, const char *list)
{
	unsigned int i;
	int cpu = -1;

	for (i = 0; i < arg->num_vcpus && i < V3_IOC_VCPUS; i++) {
		if (*list)
			cpu = (int)strtol(list, (char **)&list, 10);
		if (*list == ',')
			list++;
		arg->cpus[i] = cpu;
	}
}

static uint32_t host_yield(const char *name)
{
	static const char *const names[] = { "default", "never", "halt", "interval" };
	uint32_t i;

	for (i = 0; i < 4; i++)
		if (!strcmp(name, names[i]))
			return i;
	return (uint32_t)strtoul(name, NULL, 0);
}

static int vm_create(int dev, const char *name, const struct options *options)
{
	struct v3_ioc_create arg;

	create_init(&arg, name);
	arg.mem[0].size = options->mib * MIB;
	arg.mem[0].node = options->node;
	arg.num_vcpus = options->vcpus;
	cpus_set(&arg, options->cpus);
	arg.flags = (options->detached ? V3_IOC_CREATE_DETACHED : 0) |
		    (options->own ? V3_IOC_CREATE_OWN_CPUS : 0) |
		    (options->fifo ? V3_IOC_CREATE_OWN_FIFO : 0) |
		    (options->held ? V3_IOC_CREATE_HELD : 0);
	arg.host_yield = options->own ? host_yield(options->own) : 0;
	arg.yield_ns = options->yield_ns;
	check(call(dev, V3_IOC_CREATE, &arg), "create", &arg.head);
	return arg.fd;
}

static int report(const struct v3_ioc_state *state)
{
	printf("end %u code %u: %s\n", state->end_kind, state->end_code, state->reason);
	return state->end_kind == V3_END_EXIT ? (int)state->end_code : 100 + (int)state->end_kind;
}

static int vm_wait(int vm)
{
	struct v3_ioc_state state = { .timeout_ms = -1 };

	check(call(vm, V3_IOC_WAIT, &state), "wait", &state.head);
	return report(&state);
}

static int run(const char *name, const char *guest, const struct options *options)
{
	struct v3_ioc_load_segments load;
	struct v3_ioc_control start = { 0 };
	int vm = vm_create(dev_open(), name, options);

	segments_init(&load, guest_find(guest));
	check(call(vm, V3_IOC_LOAD_SEGMENTS, &load), "load", &load.head);
	if (options->wait_only) {
		printf("created\n");
		fflush(stdout);
		pause();
	}
	check(call(vm, V3_IOC_START, &start), "start", &start.head);
	printf("started\n");
	fflush(stdout);
	return options->detached ? 0 : vm_wait(vm);
}

static const struct {
	const char *name;
	unsigned long request;
} requests[] = {
	{ "stop", V3_IOC_STOP }, { "destroy", V3_IOC_DESTROY }, { "pause", V3_IOC_PAUSE },
	{ "resume", V3_IOC_RESUME }, { "wait", V3_IOC_WAIT }, { "state", V3_IOC_STATE },
};

static unsigned long is_request(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!strcmp(name, requests[i].name))
			return requests[i].request;
	return 0;
}

static int by_name(const char *what, const char *name)
{
	unsigned long request = is_request(what);
	struct v3_ioc_open arg = { 0 };
	struct v3_ioc_state state = { 0 };
	struct v3_ioc_control none = { 0 };

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	check(call(dev_open(), V3_IOC_OPEN, &arg), "open", &arg.head);
	if (request == V3_IOC_WAIT)
		return vm_wait(arg.fd);
	if (request != V3_IOC_STATE) {
		check(call(arg.fd, request, &none), what, &none.head);
		return 0;
	}
	check(call(arg.fd, V3_IOC_STATE, &state), "state", &state.head);
	printf("state %u\n", state.state);
	return state.state == V3_VM_STOPPED ? report(&state) : 0;
}

/* Opens and destroys, over and over. */
static pid_t destroyer(const char *name)
{
	struct v3_ioc_open arg = { 0 };
	struct v3_ioc_control none = { 0 };
	pid_t pid = fork();
	int dev;

	if (pid)
		return pid;
	dev = dev_open();
	snprintf(arg.name, sizeof(arg.name), "%s", name);
	for (;;) {
		if (call(dev, V3_IOC_OPEN, &arg))
			continue;
		call(arg.fd, V3_IOC_DESTROY, &none);
		close(arg.fd);
	}
}

/* Who creates a VM gets its descriptor, even if there is no VM any more. */
static int contested(const char *name, const struct options *options)
{
	pid_t pids[] = { destroyer(name), destroyer(name) };
	struct options each = *options;
	int dev = dev_open(), i;
	struct pollfd vm;

	for (i = 0; i < CONTESTED; i++) {
		each.detached = i & 1;
		vm = (struct pollfd){ .fd = vm_create(dev, name, &each), .events = POLLIN };
		if (poll(&vm, 1, 20000) != 1 || !(vm.revents & POLLHUP))
			break;
		close(vm.fd);
	}
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
	printf("contested: %d of %d were destroyed by others\n", i, CONTESTED);
	return i == CONTESTED ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = { .mib = 8, .vcpus = 1, .cpus = "", .node = -1 };
	int option;

	while ((option = getopt(argc, argv, "m:c:v:N:o:y:fdnH")) != -1) {
		switch (option) {
		case 'm': options.mib = strtoul(optarg, NULL, 0); break;
		case 'c': options.cpus = optarg; break;
		case 'o': options.own = optarg; break;
		case 'y': options.yield_ns = strtoull(optarg, NULL, 0); break;
		case 'f': options.fifo = true; break;
		case 'N': options.node = atoi(optarg); break;
		case 'v': options.vcpus = (unsigned int)atoi(optarg); break;
		case 'd': options.detached = true; break;
		case 'n': options.wait_only = true; break;
		case 'H': options.held = true; break;
		default: return 2;
		}
	}
	if (argc - optind != 2)
		return 2;
	if (is_request(argv[optind]))
		return by_name(argv[optind], argv[optind + 1]);
	if (!strcmp(argv[optind], "contested"))
		return contested(argv[optind + 1], &options);
	return run(argv[optind], argv[optind + 1], &options);
}
