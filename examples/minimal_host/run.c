/* SPDX-License-Identifier: BSD-2-Clause */
/* What any program on this host does: get the machine ready, load a guest, watch it. */
#include "cpu.h"
#include "host.h"

#define CR0_MP		(1ULL << 1)
#define CR0_EM		(1ULL << 2)
#define CR0_TS		(1ULL << 3)
#define CR0_NE		(1ULL << 5)
#define CR4_FXSR_XMM	(3ULL << 9)
#define CR4_OSXSAVE	(1ULL << 18)
#define CPUID1_XSAVE	(1u << 26)

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

bool mh_start(void)
{
	if (!bm_apic_init()) {
		bm_printf("%s: no usable local APIC\n", bm_name);
		return false;
	}
	fpu_init();
	mh_memory_init();
	mh_sched_init();
	if (!mh_timer_init())
		return false;
	bm_irq_on();
	return true;
}

bool mh_leaked(void)
{
	struct mh_memory_use use = mh_memory_in_use();

	if (!use.pages && !use.heap_bytes)
		return false;
	bm_printf("%s: leaked %llu pages and %llu bytes of heap\n", bm_name,
		  (unsigned long long)use.pages, (unsigned long long)use.heap_bytes);
	return true;
}

bool mh_failed(const char *what, enum v3_status status)
{
	if (status != V3_OK)
		bm_printf("%s: %s: %s\n", bm_name, what, v3_status_str(status));
	return status != V3_OK;
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

enum v3_status mh_guest_load(struct v3_vm *vm, struct bm_module *m, struct bm_module *initrd,
			     unsigned int entry)
{
	struct v3_boot_config config = {
		.struct_size = sizeof(config),
		.kernel = module_blob(m),
		.cmdline = module_cmdline(m),
	};
	const uint8_t *file = (const uint8_t *)m->mem.start;
	const char *error;
	struct mh_elf elf;

	if (config.kernel.size < 4 || memcmp(file, "\177ELF", 4)) {
		config.entry = entry == 64 ? V3_LINUX_ENTRY_64
			     : entry == 32 ? V3_LINUX_ENTRY_32 : V3_LINUX_ENTRY_AUTO;
		if (initrd)
			config.initrd = module_blob(initrd);
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

bool mh_guest_watch(struct v3_vm *vm, struct v3_host_event *event, uint64_t seconds)
{
	uint64_t deadline = mh_clock_ns() + seconds * 1000000000ULL;
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
