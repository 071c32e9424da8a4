/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the boot module as a guest and ends with the guest's own exit code. The second half of
 * this file is the part of a host that uses libv3, from v3_init() to v3_exit().
 */
#include <v3/pc.h>

#include "cpu.h"
#include "host.h"

#define EXIT_HOST	121	/* this host or libv3 failed */
#define EXIT_LEAK	122	/* all went well, but memory was not given back */
#define EXIT_RESET	123	/* the guest asked for a reset */
#define EXIT_TIMEOUT	124	/* the guest did not end in time and was stopped */
#define EXIT_CRASH	125	/* the guest could not go on */

#define CR0_MP		(1ULL << 1)
#define CR0_EM		(1ULL << 2)
#define CR0_TS		(1ULL << 3)
#define CR0_NE		(1ULL << 5)
#define CR4_FXSR_XMM	(3ULL << 9)
#define CR4_OSXSAVE	(1ULL << 18)
#define CPUID1_XSAVE	(1u << 26)

const char bm_name[] = "minimal_host";
const char bm_first_line[] = "minimal_host: entry\n";

static struct {
	uint64_t mem;		/* bytes of guest RAM */
	uint64_t timeout;	/* seconds */
	uint64_t stats;		/* not 0: print statistics at the end */
	uint64_t entry;		/* of a Linux kernel: 64, 32, or 0 for what it has */
} opt = { 64 * BM_MIB, 60, 0, 0 };

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
		else
			bm_option_unknown(&o);
	}
}

/* What a kernel has done long before: FPU, SSE and all of XSAVE usable. */
static void fpu_init(void)
{
	uint64_t cr4 = bm_read_cr4() | CR4_FXSR_XMM;

	bm_write_cr0((bm_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	if (bm_cpuid(1, 0).ecx & CPUID1_XSAVE) {
		struct bm_cpuid c = bm_cpuid(0xd, 0);

		bm_write_cr4(cr4 | CR4_OSXSAVE);
		__asm__ volatile("xsetbv" : : "a"(c.eax), "d"(c.edx), "c"(0));
	} else {
		bm_write_cr4(cr4);
	}
}

/* What follows a module's file name. */
static const char *module_cmdline(const struct bm_module *m)
{
	const char *s = m->string;

	while (*s && *s != ' ')
		s++;
	while (*s == ' ')
		s++;
	return s;
}

static enum v3_status module_read(void *ctx, uint64_t offset, void *dst, size_t len)
{
	const struct bm_module *m = ctx;

	memcpy(dst, (const void *)(m->mem.start + offset), len);
	return V3_OK;
}

static struct v3_blob module_blob(struct bm_module *m)
{
	return (struct v3_blob){
		.size = m->mem.end - m->mem.start, .read = module_read, .ctx = m,
	};
}

/* An ELF file is loaded by its segments, anything else must be a Linux kernel. */
static enum v3_status load_guest(struct v3_vm *vm)
{
	struct bm_module *m = &bm_boot.module[0];
	struct v3_boot_config config = {
		.struct_size = sizeof(config),
		.kernel = module_blob(m),
		.cmdline = module_cmdline(m),
	};
	const uint8_t *file = (const uint8_t *)m->mem.start;
	const char *error;
	struct mh_elf elf;

	if (config.kernel.size < 4 || memcmp(file, "\177ELF", 4)) {
		config.entry = opt.entry == 64 ? V3_LINUX_ENTRY_64
			     : opt.entry == 32 ? V3_LINUX_ENTRY_32 : V3_LINUX_ENTRY_AUTO;
		if (bm_boot.module_count > 1)
			config.initrd = module_blob(&bm_boot.module[1]);
		return v3_boot_linux(vm, &config);
	}
	error = mh_elf_parse(file, config.kernel.size, &elf);
	if (error) {
		bm_printf("%s: guest kernel '%s': %s\n", bm_name, m->string, error);
		return V3_ERR_FORMAT;
	}
	return v3_boot_segments(vm, &config, elf.segment, elf.count, elf.entry);
}

static void drain_console(struct v3_vm *vm)
{
	char buf[128];
	size_t n;

	while ((n = v3_console_read(vm, 0, buf, sizeof(buf))) > 0)
		bm_write(buf, n);
}

/* Copies the guest's output until it ends; false when it had to be stopped. */
static bool watch(struct v3_vm *vm, struct v3_host_event *event)
{
	uint64_t deadline = mh_clock_ns() + opt.timeout * 1000000000ULL;
	bool in_time = true;

	while (v3_vm_state(vm, NULL) != V3_VM_STOPPED) {
		if (mh_clock_ns() >= deadline) {
			in_time = false;
			v3_vm_stop(vm);
			break;
		}
		mh_event_wait(event, deadline);
		drain_console(vm);
	}
	drain_console(vm);
	return in_time;
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

static bool failed(const char *what, enum v3_status status)
{
	if (status != V3_OK)
		bm_printf("%s: %s: %s\n", bm_name, what, v3_status_str(status));
	return status != V3_OK;
}

static int run_vm(struct v3_host *host)
{
	struct v3_mem_config mem = { .size = opt.mem, .node = V3_NODE_ANY };
	struct v3_host_event event = { 0 };
	struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 1, .name = "guest",
		.mem = &mem, .num_mem = 1, .ctx = &event,
	};
	struct v3_pc_config pc = { .struct_size = sizeof(pc) };
	int code = EXIT_HOST;
	struct v3_vm *vm;

	if (failed("v3_vm_create", v3_vm_create(host, &config, &vm)))
		return EXIT_HOST;
	if (!failed("v3_pc_attach", v3_pc_attach(vm, &pc)) &&
	    !failed("load the guest", load_guest(vm)) &&
	    !failed("v3_vm_start", v3_vm_start(vm))) {
		bool in_time = watch(vm, &event);

		code = report_end(vm, in_time);
		if (opt.stats)
			print_stats(vm);
	}
	v3_vm_destroy(vm);
	return code;
}

static int run_host(void)
{
	struct v3_host_caps caps;
	struct v3_host *host;
	int code;

	if (failed("v3_init", v3_init(&mh_hooks, &host)))
		return EXIT_HOST;
	v3_host_caps(host, &caps);
	bm_printf("%s: libv3 %s, %s, %u ASIDs, nested leaves of 1 GiB: %s\n", bm_name,
		  V3_VERSION_STRING, caps.backend, caps.num_asids, caps.nested_1g ? "yes" : "no");
	code = run_vm(host);
	if (failed("v3_exit", v3_exit(host)))
		return EXIT_HOST;
	return code;
}

int bm_program(void)
{
	struct mh_memory_use use;
	int code;

	parse_options(bm_boot.cmdline);
	if (bm_boot.module_count == 0) {
		bm_printf("%s: no guest: give its kernel as the first boot module\n", bm_name);
		return BM_EXIT_USAGE;
	}
	if (!bm_apic_init()) {
		bm_printf("%s: no usable local APIC\n", bm_name);
		return EXIT_HOST;
	}
	fpu_init();
	mh_memory_init();
	mh_sched_init();
	if (!mh_timer_init())
		return EXIT_HOST;
	bm_irq_on();
	bm_printf("%s: %llu MiB free, %llu MiB for the guest\n", bm_name,
		  (unsigned long long)(mh_memory_free_bytes() / BM_MIB),
		  (unsigned long long)(opt.mem / BM_MIB));
	code = run_host();
	use = mh_memory_in_use();
	if (use.pages || use.heap_bytes) {
		bm_printf("%s: leaked %llu pages and %llu bytes of heap\n", bm_name,
			  (unsigned long long)use.pages, (unsigned long long)use.heap_bytes);
		return EXIT_LEAK;
	}
	return code;
}
