/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings the machine up in the order in which things are needed, then runs the named programs. */
#include "cpu.h"
#include "lwk.h"

const char bm_name[] = "lwk";
const char bm_first_line[] = "lwk: entry\n";

static int prog_hello(void)
{
	bm_printf("Hello from a lightweight kernel.\n");
	return BM_EXIT_OK;
}

static const struct {
	const char *name;
	int (*run)(void);
} programs[] = {
	{ "hello", prog_hello },
	{ "cpuid", lwk_prog_cost },
	{ "stream", lwk_prog_stream },
	{ "touch", lwk_prog_touch },
	{ "tick", lwk_prog_tick },
	{ "rearm", lwk_prog_rearm },
	{ "triple", lwk_prog_triple },
	{ "spin", lwk_prog_spin },
	{ "ud", lwk_prog_ud },
	{ "firmware", lwk_prog_firmware },
	{ "flood", lwk_prog_flood },
	{ "absent", lwk_prog_absent },
	{ "halt", lwk_prog_halt },
	{ "exit", lwk_prog_exit },
	{ "smp", lwk_prog_smp },
	{ "ipi", lwk_prog_ipi },
	{ "ipistorm", lwk_prog_ipistorm },
	{ "doorbell", lwk_prog_doorbell },
	{ "vector", lwk_prog_vector },
	{ "lacking", lwk_prog_lacking },
	{ "cpu", lwk_prog_cpu },
	{ "clock", lwk_prog_clock },
	{ "debug", lwk_prog_debug },
	{ "detour", lwk_prog_detour },
};

static void say_cpu(void)
{
	struct bm_cpuid c = bm_cpuid(0, 0);
	uint32_t name[4] = { c.ebx, c.edx, c.ecx, 0 };

	bm_printf("lwk: CPU %s", (const char *)name);
	if (bm_cpuid(1, 0).ecx & 1u << 31) {
		c = bm_cpuid(0x40000000, 0);
		name[0] = c.ebx;
		name[1] = c.ecx;
		name[2] = c.edx;
		bm_printf(", hypervisor '%s'", (const char *)name);
	} else {
		bm_printf(", no hypervisor");
	}
	bm_printf("\n");
}

static int run_one(const char *name, size_t n)
{
	for (size_t i = 0; i < BM_ARRAY_SIZE(programs); i++) {
		if (bm_strlen(programs[i].name) == n && memcmp(programs[i].name, name, n) == 0)
			return programs[i].run();
	}
	bm_printf("lwk: run= names an unknown program '");
	bm_write(name, n);
	bm_printf("'; there are");
	for (size_t i = 0; i < BM_ARRAY_SIZE(programs); i++)
		bm_printf(" %s", programs[i].name);
	bm_printf("\n");
	return BM_EXIT_USAGE;
}

/* In the order given; the first that fails ends the list with its code. */
static int run_all(const char *list)
{
	int code = BM_EXIT_OK;

	while (code == BM_EXIT_OK) {
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

int bm_program(void)
{
	int code;

	say_cpu();
	lwk_memory_init();
	lwk_options_parse(bm_boot.cmdline);
	if (!bm_apic_init()) {
		bm_printf("lwk: no usable local APIC\n");
		return BM_EXIT_BOOT;
	}
	if (lwk_opt.hz && !lwk_tick_start(lwk_opt.hz))
		return BM_EXIT_FAILED;
	bm_irq_on();
	code = run_all(lwk_opt.run);
	if (lwk_opt.hz)
		bm_printf("lwk: %llu ticks\n", (unsigned long long)lwk_tick_count());
	return code;
}
