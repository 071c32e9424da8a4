/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the boot module as a guest and ends with the guest's own exit code. The second half of
 * this file is the part of a host that uses libv3, from v3_init() to v3_exit().
 */
#include <v3/pc.h>

#include "host.h"

#define EXIT_HOST	121	/* this host or libv3 failed */
#define EXIT_LEAK	122	/* all went well, but memory was not given back */
#define EXIT_RESET	123	/* the guest asked for a reset */
#define EXIT_TIMEOUT	124	/* the guest did not end in time and was stopped */
#define EXIT_CRASH	125	/* the guest could not go on */

const char bm_name[] = "minimal_host";
const char bm_first_line[] = "minimal_host: entry\n";

static struct {
	uint64_t mem;		/* bytes of guest RAM */
	uint64_t timeout;	/* seconds */
	uint64_t stats;		/* not 0: print statistics at the end */
	uint64_t entry;		/* of a Linux kernel: 64, 32, or 0 for what it has */
	uint64_t ud;		/* not 0: instructions that cannot be emulated raise #UD */
	char off[512];		/* features of the hardware that are not to be used */
} opt = { 64 * BM_MIB, 60, 0, 0, 0, "" };

static void off_option(const struct bm_option *o)
{
	if (o->value_length >= sizeof(opt.off))
		bm_option_bad(o, "must have at most 511 characters");
	memcpy(opt.off, o->value, o->value_length);
	opt.off[o->value_length] = 0;
}

static void parse_options(const char *cmdline)
{
	struct bm_option o;

	while (bm_next_option(&cmdline, &o)) {
		if (bm_option_is(&o, "mem"))
			opt.mem = bm_option_number(&o, 4 * BM_GIB);
		else if (bm_option_is(&o, "timeout"))
			opt.timeout = bm_option_number(&o, 1000000);
		else if (bm_option_is(&o, "stats"))
			opt.stats = bm_option_number(&o, 1);
		else if (bm_option_is(&o, "entry"))
			opt.entry = bm_option_number(&o, 64);
		else if (bm_option_is(&o, "unemulated_ud"))
			opt.ud = bm_option_number(&o, 1);
		else if (bm_option_is(&o, "off"))
			off_option(&o);
		else
			bm_option_unknown(&o);
	}
}

static void print_stats(struct v3_vm *vm)
{
	struct v3_vcpu_stats cpu;
	struct v3_vm_stats s;

	v3_vm_stats(vm, &s);
	bm_printf("%s: stats: ram=%llu leaf_1g=%llu leaf_2m=%llu leaf_4k=%llu table_pages=%llu "
		  "vmm_bytes=%llu vcpu_bytes=%llu\n", bm_name, (unsigned long long)s.ram,
		  (unsigned long long)s.leaf_1g, (unsigned long long)s.leaf_2m,
		  (unsigned long long)s.leaf_4k, (unsigned long long)s.table_pages,
		  (unsigned long long)s.vmm_bytes, (unsigned long long)s.vcpu_bytes);
	if (v3_vcpu_stats(v3_vm_vcpu(vm, 0), &cpu) != V3_OK)
		return;
	bm_printf("%s: stats: injected=%llu ram_faults=%llu halts=%llu run_us=%llu halt_us=%llu",
		  bm_name, (unsigned long long)cpu.injected, (unsigned long long)cpu.ram_faults,
		  (unsigned long long)cpu.halts, (unsigned long long)cpu.run_ns / 1000,
		  (unsigned long long)cpu.halt_ns / 1000);
	for (unsigned int i = 0; i < V3_EXIT_COUNT; i++) {
		if (cpu.exits[i])
			bm_printf(" %s=%llu", v3_exit_name((enum v3_exit_kind)i),
				  (unsigned long long)cpu.exits[i]);
	}
	bm_printf("\n");
}

/* One marker line for whoever reads the log, and the exit code for whoever does not. */
static int report_end(struct v3_vm *vm, bool in_time)
{
	static const char *const kinds[] = {
		"no end", "exit", "power off", "reset", "crash", "stopped", "error",
	};
	struct v3_vm_end end;

	v3_vm_state(vm, &end);
	bm_printf("%s: guest ended: %s, code %u%s%s\n", bm_name,
		  end.kind < BM_ARRAY_SIZE(kinds) ? kinds[end.kind] : "unknown", end.code,
		  end.reason[0] ? ": " : "", end.reason);
	if (!in_time) {
		bm_printf("%s: stopped after %llu s (timeout=)\n", bm_name,
			  (unsigned long long)opt.timeout);
		return EXIT_TIMEOUT;
	}
	switch (end.kind) {
	case V3_END_EXIT:
		return (int)end.code;
	case V3_END_POWEROFF:
		return 0;
	case V3_END_RESET:
		return EXIT_RESET;
	case V3_END_CRASH:
		return EXIT_CRASH;
	default:
		return EXIT_HOST;
	}
}

/* The first module; a Linux kernel takes the second one as its initrd. */
static enum v3_status load_guest(struct v3_vm *vm)
{
	struct bm_module *initrd = bm_boot.module_count > 1 ? &bm_boot.module[1] : NULL;

	return mh_guest_load(vm, &bm_boot.module[0], initrd, (unsigned int)opt.entry);
}

static int run_vm(struct v3_host *host)
{
	struct v3_mem_config mem = { .size = opt.mem, .node = V3_NODE_ANY };
	struct v3_host_event event = { 0 };
	struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "guest",
		.mem = &mem, .num_mem = 1, .ctx = &event,
		.flags = opt.ud ? V3_VM_UNEMULATED_UD : 0,
	};
	struct v3_pc_config pc = { .struct_size = sizeof(pc) };
	int code = EXIT_HOST;
	struct v3_vm *vm;

	if (mh_failed("v3_vm_create", v3_vm_create(host, &config, &vm)))
		return EXIT_HOST;
	if (!mh_failed("v3_pc_attach", v3_pc_attach(vm, &pc)) &&
	    !mh_failed("load the guest", load_guest(vm)) &&
	    !mh_failed("v3_vm_start", v3_vm_start(vm))) {
		bool in_time = mh_guest_watch(vm, &event, opt.timeout);

		code = report_end(vm, in_time);
		if (opt.stats)
			print_stats(vm);
	}
	v3_vm_destroy(vm);
	return code;
}

static int run_host(void)
{
	struct v3_os_hooks hooks = mh_hooks;
	struct v3_host_caps caps;
	struct v3_host *host;
	int code;

	hooks.features_off = opt.off;
	if (mh_failed("v3_init", v3_init(&hooks, &host)))
		return EXIT_HOST;
	v3_host_caps(host, &caps);
	bm_printf("%s: libv3 %s, %s, %u ASIDs, nested leaves of 1 GiB: %s\n", bm_name,
		  V3_VERSION_STRING, caps.backend, caps.num_asids, caps.nested_1g ? "yes" : "no");
	code = run_vm(host);
	if (mh_failed("v3_exit", v3_exit(host)))
		return EXIT_HOST;
	return code;
}

int bm_program(void)
{
	int code;

	parse_options(bm_boot.cmdline);
	if (bm_boot.module_count == 0) {
		bm_printf("%s: no guest: give its kernel as the first boot module\n", bm_name);
		return BM_EXIT_USAGE;
	}
	if (!mh_start())
		return EXIT_HOST;
	bm_printf("%s: %llu MiB free, %llu MiB for the guest\n", bm_name,
		  (unsigned long long)(mh_memory_free_bytes() / BM_MIB),
		  (unsigned long long)(opt.mem / BM_MIB));
	code = run_host();
	return mh_leaked() ? EXIT_LEAK : code;
}
