/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings the machine up in the order in which things are needed, then runs the named programs. */
#include "cpu.h"

#define TAIL_MARK 0x6c69617420656874ULL	/* as in lwk.ld */

extern const uint64_t lwk_tail_mark;

static int prog_hello(void)
{
	lwk_printf("Hello from a lightweight kernel.\n");
	return LWK_EXIT_OK;
}

static const struct {
	const char *name;
	int (*run)(void);
} programs[] = {
	{ "hello", prog_hello },
	{ "cpuid", lwk_prog_cost },
	{ "stream", lwk_prog_stream },
	{ "tick", lwk_prog_tick },
	{ "triple", lwk_prog_triple },
	{ "spin", lwk_prog_spin },
	{ "ud", lwk_prog_ud },
	{ "romwrite", lwk_prog_romwrite },
	{ "flood", lwk_prog_flood },
	{ "absent", lwk_prog_absent },
	{ "halt", lwk_prog_halt },
	{ "exit", lwk_prog_exit },
};

/* Ends the machine where the exit port exists; elsewhere the CPU sleeps for good. */
void lwk_exit(unsigned int code)
{
	lwk_irq_off();
	lwk_printf("lwk: exit code %u\n", code);
	lwk_console_drain();
	lwk_outb(LWK_EXIT_PORT, (uint8_t)code);
	for (;;)
		__asm__ volatile("hlt");
}

static void say_cpu(void)
{
	struct lwk_cpuid c = lwk_cpuid(0, 0);
	uint32_t name[4] = { c.ebx, c.edx, c.ecx, 0 };

	lwk_printf("lwk: CPU %s", (const char *)name);
	if (lwk_cpuid(1, 0).ecx & 1u << 31) {
		c = lwk_cpuid(0x40000000, 0);
		name[0] = c.ebx;
		name[1] = c.ecx;
		name[2] = c.edx;
		lwk_printf(", hypervisor '%s'", (const char *)name);
	} else {
		lwk_printf(", no hypervisor");
	}
	lwk_printf("\n");
}

static int run_one(const char *name, size_t n)
{
	for (size_t i = 0; i < LWK_ARRAY_SIZE(programs); i++) {
		if (lwk_strlen(programs[i].name) == n && memcmp(programs[i].name, name, n) == 0)
			return programs[i].run();
	}
	lwk_printf("lwk: run= names an unknown program '");
	lwk_write(name, n);
	lwk_printf("'; there are");
	for (size_t i = 0; i < LWK_ARRAY_SIZE(programs); i++)
		lwk_printf(" %s", programs[i].name);
	lwk_printf("\n");
	return LWK_EXIT_USAGE;
}

/* In the order given; the first that fails ends the list with its code. */
static int run_all(const char *list)
{
	int code = LWK_EXIT_OK;

	while (code == LWK_EXIT_OK) {
		size_t n = 0;

		while (list[n] && list[n] != ',')
			n++;
		code = run_one(list, n);
		if (!list[n])
			break;
		list += n + 1;
	}
	return code;
}

void lwk_main(uint64_t magic, uint64_t info)
{
	int code;

	lwk_console_init();
	if (lwk_tail_mark != TAIL_MARK) {
		lwk_printf("lwk: the loader did not copy the file linearly, data is not in place\n");
		lwk_exit(LWK_EXIT_BOOT);
	}
	lwk_bootinfo_read(magic, info);
	lwk_printf("lwk: %s boot, command line '%s'\n",
		   magic == LWK_MULTIBOOT_LOADER ? "multiboot" : "64-bit Linux",
		   lwk_boot.cmdline);
	say_cpu();
	lwk_trap_init();
	lwk_memory_init();
	lwk_options_parse(lwk_boot.cmdline);
	if (!lwk_apic_init()) {
		lwk_printf("lwk: no usable local APIC\n");
		lwk_exit(LWK_EXIT_BOOT);
	}
	if (lwk_opt.hz && !lwk_tick_start(lwk_opt.hz))
		lwk_exit(LWK_EXIT_FAILED);
	lwk_irq_on();
	code = run_all(lwk_opt.run);
	if (lwk_opt.hz)
		lwk_printf("lwk: %llu ticks\n", (unsigned long long)lwk_tick_count());
	lwk_exit((unsigned int)code);
}
