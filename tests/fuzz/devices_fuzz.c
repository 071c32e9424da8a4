/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC platform under a guest that does anything: port, MMIO and MSR accesses of any size and
 * value, console input, passing time, interrupts taken or not. The sanitizers and the fake core
 * watch; each input starts with a new VM.
 */
#include <string.h>

#include "fakes/fake_core.c"

/* Ten bytes an action. */
struct action {
	uint8_t what;
	uint8_t range;
	uint16_t offset;
	uint8_t size;
	uint8_t cpu;
	uint32_t value;
} __attribute__((packed));

static const struct {
	uint16_t first, count;
} ports[] = {
	{ 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 }, { 0x40, 4 }, { 0x60, 5 }, { 0x70, 2 }, { 0x80, 1 },
	{ 0x92, 1 }, { 0xf4, 4 }, { 0x3f8, 8 }, { 0x600, 12 }, { 0xcf8, 8 }, { 0x0, 0xffff },
};

static const v3_gpa_t mmio[] = { V3_PC_LAPIC_BASE, V3_PC_IOAPIC_BASE };

static uint16_t port_of(const struct action *a)
{
	unsigned int i = a->range % (sizeof(ports) / sizeof(ports[0]));

	return (uint16_t)(ports[i].first + a->offset % ports[i].count);
}

static v3_gpa_t mmio_of(const struct action *a, unsigned int size)
{
	return mmio[a->range % 2] + (a->offset % 0x1000 & ~(size - 1));
}

static void act(struct v3_vm *vm, const struct action *a)
{
	unsigned int cpu = a->cpu % vm->num_vcpus, io_size = 1u << a->size % 3;
	unsigned int size = 1u << a->size % 4;
	uint64_t value = (uint64_t)a->value << 32 | a->value;
	uint32_t msr = a->range & 1 ? 0x1b : 0x800 + a->offset % 0x100;

	switch (a->what % 10) {
	case 0:
		fake_in(vm, cpu, port_of(a), io_size);
		break;
	case 1:
	case 2:
		fake_out(vm, cpu, port_of(a), io_size, a->value);
		break;
	case 3:
		fake_mmio_read(vm, cpu, mmio_of(a, size), size);
		break;
	case 4:
		fake_mmio_write(vm, cpu, mmio_of(a, size), size, value);
		break;
	case 5:
		fake_rdmsr(vm, cpu, msr, &value);
		break;
	case 6:
		fake_wrmsr(vm, cpu, msr, a->size & 1 ? a->value : value);
		break;
	case 7:
		/* Up to 16 ms, or, less often, days with whatever timers they bring. */
		fake_time_advance(vm, a->size % 64 ? a->value >> 8 : 0);
		if (a->size % 64 == 0)
			vm->now += (uint64_t)a->value << 16;
		break;
	case 8:
		if (fake_peek(vm, cpu, NULL) >= 0)
			fake_ack(vm, cpu);
		break;
	default:
		if (vm->console_in_len < sizeof(vm->console_in))
			fake_console_input(vm, &a->value, 1);
	}
	vm->console_out_len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct v3_pc_config pc = { .struct_size = sizeof(pc), .rtc_seconds = 1700000000 };
	struct v3_vm *vm = fake_vm_create(2);
	struct action a;
	size_t at;

	fake_vm_add_pc_mem(vm, 2 << 20);
	if (v3_pc_attach(vm, &pc) != V3_OK)
		die("the platform cannot be built");
	for (at = 0; at + sizeof(a) <= size && at < 512 * sizeof(a); at += sizeof(a)) {
		memcpy(&a, data + at, sizeof(a));
		act(vm, &a);
	}
	fake_vm_destroy(vm);
	return 0;
}
