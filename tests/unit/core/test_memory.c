/* SPDX-License-Identifier: BSD-2-Clause */
/* Nested faults, devices in memory, string I/O, and what the emulator does to memory. */
#include "guest.h"

#include <string.h>

#include "x86/cr.h"
#include "x86/excp.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define DEVICE 0xfe000000ull
/* A data page of the guest's, its own first byte in the next. */
#define DATA 0x300000ull

/* A device of a page that shows where it was read, and keeps what was written. */
struct device {
	uint64_t offset[64], value[64];
	unsigned int size[64], writes, reads;
};

static uint64_t device_read(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size)
{
	struct device *device = ctx;
	uint64_t value = 0;
	unsigned int i;

	(void)vcpu;
	assert_true(v3_fake_host_in_fpu());
	device->reads++;
	for (i = 0; i < size; i++)
		value |= ((offset + i + 0x80) & 0xff) << (8 * i);
	return value;
}

static void device_write(struct v3_vcpu *vcpu, void *ctx, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	struct device *device = ctx;

	(void)vcpu;
	assert_true(device->writes < 64);
	device->offset[device->writes] = offset;
	device->size[device->writes] = size;
	device->value[device->writes++] = value;
}

static const struct v3_mmio_ops device_ops = { .read = device_read, .write = device_write };
static struct device device;

static struct script *create(const void *code, size_t len)
{
	struct script *script = guest_create(NULL, code, len);

	memset(&device, 0, sizeof(device));
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE, 0x1000, &device_ops, &device), V3_OK);
	return script;
}

static void npf(struct script *script, v3_gpa_t gpa, bool write)
{
	guest_exit(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_U | (write ? V3_PFEC_W : 0),
		   gpa);
}

/* --- Nested faults --- */

static void test_stale_translation(void **state)
{
	struct script *script = guest_create(NULL, "\x90", 1);

	(void)state;
	guest_start(script);
	npf(script, 0x1000, false);
	npf(script, 0x1000, true);
	npf(script, 0xf0000, false);	/* the firmware's area is memory, too */
	npf(script, 0xf0000, true);
	assert_int_equal(script->vcpu->stats.ram_faults, 4);
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(script->vmcb->event_inj, 0);
	guest_destroy(script);
}

static void ends_at(uint64_t info1, v3_gpa_t gpa, const char *reason)
{
	struct script *script = guest_create(NULL, "\x90", 1);
	struct v3_vm_end end;

	guest_start(script);
	guest_exit_ends(script, SVM_EXIT_NPF, info1, gpa, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, reason));
	guest_destroy(script);
}

static void test_no_memory(void **state)
{
	(void)state;
	ends_at(V3_PFEC_NPF_WALK | V3_PFEC_U | V3_PFEC_W, 0xe0000000, "page table at");
	ends_at(V3_PFEC_NPF_FINAL | V3_PFEC_U | V3_PFEC_I, 0xa0000, "executes at");
}

/*
 * The stack of an interrupt, or the IDT, lies where no memory is: RIP's instruction has no part in
 * it.
 */
static void test_delivery_without_memory(void **state)
{
	static const uint64_t events[] = { 0x80000020, 0x80000b0d, 0x80000480 };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct script *script = guest_create(NULL, "\x90", 1);
		struct v3_vm_end end;

		guest_start(script);
		script->vmcb->exit_int_info = events[i];
		guest_exit_ends(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL | V3_PFEC_W | V3_PFEC_U,
				0xe0000000, &end);
		assert_int_equal(end.kind, V3_END_CRASH);
		assert_non_null(strstr(end.reason, "delivered through"));
		guest_destroy(script);
	}
}

/* --- Plain accesses of devices --- */

/* mov [rbx],al; mov eax,[rbx]; movzx eax,word [rbx]; mov dword [rbx],imm; mov rax,[rbx] */
static const uint8_t plain_code[] = {
	0x88, 0x03, 0x8b, 0x03, 0x0f, 0xb7, 0x03, 0xc7, 0x03, 0x78, 0x56, 0x34, 0x12,
	0x48, 0x8b, 0x03,
};

static void test_plain_accesses(void **state)
{
	struct script *script = create(plain_code, sizeof(plain_code));

	(void)state;
	guest_start(script);
	script->gpr[RBX] = DEVICE + 4;
	script->vmcb->rax = 0x1234;
	npf(script, DEVICE + 4, true);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(device.writes, 1);
	assert_int_equal(device.offset[0], 4);
	assert_int_equal(device.size[0], 1);
	assert_int_equal(device.value[0], 0x34);
	npf(script, DEVICE + 4, false);
	assert_int_equal(guest_rip(script), 4);
	assert_int_equal(script->vmcb->rax, 0x87868584);
	npf(script, DEVICE + 4, false);
	assert_int_equal(guest_rip(script), 7);
	assert_int_equal(script->vmcb->rax, 0x8584);
	npf(script, DEVICE + 4, true);
	assert_int_equal(guest_rip(script), 13);
	assert_int_equal(device.value[1], 0x12345678);
	assert_int_equal(device.size[1], 4);
	npf(script, DEVICE + 4, false);
	assert_int_equal(guest_rip(script), 16);
	assert_int_equal(script->vmcb->rax, 0x8b8a898887868584);
	guest_destroy(script);
}

static void code_put(struct script *script, uint64_t offset, const char *bytes, size_t len)
{
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP + offset, bytes, len), V3_OK);
}

/* What an instruction does is remembered by its bytes: with others at its place it is another. */
static void test_changed_code(void **state)
{
	struct script *script = create("\x89\x03", 2);	/* mov [rbx],eax */
	unsigned int i;

	(void)state;
	guest_start(script);
	script->gpr[RBX] = DEVICE + 8;
	script->gpr[RCX] = 0x1122334455667788;
	for (i = 0; i < 3; i++) {
		guest_set_rip(script, 0);
		script->vmcb->rax = 0xff00000000 | i;
		npf(script, DEVICE + 8, true);
		assert_int_equal(guest_rip(script), 2);
		assert_int_equal(device.value[i], i);
		assert_int_equal(device.size[i], 4);
		assert_int_equal(device.offset[i], 8);
	}
	code_put(script, 0, "\x89\x0b", 2);		/* mov [rbx],ecx */
	guest_set_rip(script, 0);
	npf(script, DEVICE + 8, true);
	assert_int_equal(device.value[3], 0x55667788);
	code_put(script, 0, "\x48\x89\x0b", 3);		/* mov [rbx],rcx */
	guest_set_rip(script, 0);
	npf(script, DEVICE + 8, true);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(device.value[4], 0x1122334455667788);
	assert_int_equal(device.size[4], 8);
	for (i = 5; i < 7; i++) {			/* mov dword [rbx],imm */
		code_put(script, 0, i == 5 ? "\xc7\x03\x01\x02\x03\x84" :
					     "\xc7\x03\x01\x02\x03\x85", 6);
		guest_set_rip(script, 0);
		npf(script, DEVICE + 8, true);
		assert_int_equal(guest_rip(script), 6);
		assert_int_equal(device.value[i], 0x84030201 + ((uint64_t)(i - 5) << 24));
	}
	code_put(script, 0, "\x8b\x03", 2);		/* mov eax,[rbx] */
	guest_set_rip(script, 0);
	npf(script, DEVICE + 8, false);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(script->vmcb->rax, 0x8b8a8988);
	code_put(script, 0, "\x01\x03", 2);		/* add [rbx],eax: none of these */
	guest_set_rip(script, 0);
	script->vmcb->rax = 1;
	npf(script, DEVICE + 8, true);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(device.value[7], 0x8b8a8989);
	assert_int_equal(device.writes, 8);
	guest_destroy(script);
}

/* Places that share what is remembered, and the last bytes of a page, of which nothing is. */
static void test_code_places(void **state)
{
	static const uint64_t places[] = { 0, 16, 32, 48, 0xff0, 0xff1, 0xffb, 0xffe, 0x1000, 0x1010 };
	struct script *script = create("\x90", 1);
	unsigned int i, round;
	char code[7] = "\xc7\x03";

	(void)state;
	guest_start(script);
	script->gpr[RBX] = DEVICE + 8;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			/* The second round meets the same bytes again. */
			code[2] = (char)(i + (round == 2 ? 100 : 0));
			code_put(script, places[i], code, 6);
			guest_set_rip(script, places[i]);
			npf(script, DEVICE + 8, true);
			assert_int_equal(guest_rip(script), places[i] + 6);
			assert_int_equal(device.value[device.writes - 1], (uint8_t)code[2]);
		}
	}
	assert_int_equal(device.writes, 30);
	guest_destroy(script);
}

/* Device pages next to each other: an access across them is two, each of its own. */
static void test_across_pages(void **state)
{
	const uint8_t code[] = { 0x48, 0x89, 0x03, 0x48, 0x8b, 0x0b }; /* mov [rbx],rax; mov rcx,[rbx] */
	struct script *script = create(code, sizeof(code));
	static struct device next;

	(void)state;
	memset(&next, 0, sizeof(next));
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE + 0x1000, 0x1000, &device_ops, &next), V3_OK);
	guest_start(script);
	script->gpr[RBX] = DEVICE + 0xffe;
	script->vmcb->rax = 0x8877665544332211;
	npf(script, DEVICE + 0xffe, true);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(device.writes, 1);
	assert_int_equal(device.offset[0], 0xffe);
	assert_int_equal(device.size[0], 2);
	assert_int_equal(device.value[0], 0x2211);
	assert_int_equal(next.writes, 2);	/* 6 bytes: 4 and 2 */
	assert_int_equal(next.offset[0], 0);
	assert_int_equal(next.value[0], 0x66554433);
	assert_int_equal(next.offset[1], 4);
	assert_int_equal(next.value[1], 0x8877);
	npf(script, DEVICE + 0xffe, false);
	assert_int_equal(guest_rip(script), 6);
	assert_int_equal(script->gpr[RCX], 0x8584838281807f7e);
	guest_destroy(script);
}

/* From RAM into a device: the fault is reported at the device's first byte, not at the operand. */
static void test_from_ram_into_device(void **state)
{
	const uint8_t code[] = { 0x48, 0x89, 0x03, 0x48, 0x8b, 0x0b };
	struct script *script = create(code, sizeof(code));
	/* The page after DATA in linear memory is the device: a table of 4 KiB pages for it. */
	uint64_t entry = 0x14000 | V3_PTE_P | V3_PTE_W;
	uint8_t ram[4];

	(void)state;
	assert_int_equal(v3_vm_write(script->vm, 0x12000 + 8 * 4, &entry, 8), V3_OK);
	entry = DATA | V3_PTE_P | V3_PTE_W;
	assert_int_equal(v3_vm_write(script->vm, 0x14000, &entry, 8), V3_OK);
	entry = DEVICE | V3_PTE_P | V3_PTE_W;
	assert_int_equal(v3_vm_write(script->vm, 0x14008, &entry, 8), V3_OK);
	guest_start(script);
	script->gpr[RBX] = 0x800ffc;	/* four bytes before the device */
	script->vmcb->rax = 0x8877665544332211;
	npf(script, DEVICE, true);
	assert_int_equal(guest_rip(script), 3);
	assert_int_equal(device.writes, 1);
	assert_int_equal(device.offset[0], 0);
	assert_int_equal(device.size[0], 4);
	assert_int_equal(device.value[0], 0x88776655);
	assert_int_equal(v3_vm_read(script->vm, DATA + 0xffc, ram, 4), V3_OK);
	assert_memory_equal(ram, "\x11\x22\x33\x44", 4);
	npf(script, DEVICE, false);
	assert_int_equal(guest_rip(script), 6);
	assert_int_equal(script->gpr[RCX], 0x8382818044332211);
	guest_destroy(script);
}

static void test_absent_device(void **state)
{
	const uint8_t code[] = { 0x48, 0x8b, 0x03, 0x48, 0x89, 0x03 };
	struct script *script = create(code, sizeof(code));

	(void)state;
	guest_start(script);
	script->gpr[RBX] = 0xa0000;	/* where a VGA's memory would be */
	npf(script, 0xa0000, false);
	assert_int_equal(script->vmcb->rax, ~0ull);
	npf(script, 0xa0000, true);
	assert_int_equal(guest_rip(script), 6);
	guest_destroy(script);
}

/* A hook with one direction only. */
static void test_half_a_device(void **state)
{
	static const struct v3_mmio_ops none = { 0 };
	const uint8_t code[] = { 0x8b, 0x03, 0x89, 0x03 };
	struct script *script = create(code, sizeof(code));

	(void)state;
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE - 0x1000, 0x1000, &none, NULL), V3_OK);
	assert_int_equal(v3_mmio_hook(script->vm, 0, 0, &none, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_mmio_hook(script->vm, DEVICE + 0x2000, 0x1000, NULL, NULL),
			 V3_ERR_INVALID);
	assert_int_equal(v3_mmio_hook(script->vm, 1ull << 48, 0x1000, &none, NULL), V3_ERR_RANGE);
	assert_int_equal(v3_mmio_hook(script->vm, (1ull << 48) - 0x1000, 0x2000, &none, NULL),
			 V3_ERR_RANGE);
	assert_int_equal(v3_mmio_hook(script->vm, 0xff000, 0x1000, &none, NULL), V3_ERR_EXIST);
	guest_start(script);
	script->gpr[RBX] = DEVICE - 0x1000;
	npf(script, DEVICE - 0x1000, false);
	assert_int_equal(script->vmcb->rax, 0xffffffff);
	npf(script, DEVICE - 0x1000, true);
	assert_int_equal(guest_rip(script), 4);
	guest_destroy(script);
}

static void test_many_hooks(void **state)
{
	struct script *script = guest_create(NULL, "\x8b\x03", 2);
	static struct device many[V3_MAX_MMIO_HOOKS];
	unsigned int i;

	(void)state;
	memset(many, 0, sizeof(many));
	/* In an order that is none. */
	for (i = 0; i < V3_MAX_MMIO_HOOKS; i++) {
		unsigned int at = i * 37 % V3_MAX_MMIO_HOOKS;

		assert_int_equal(v3_mmio_hook(script->vm, DEVICE + at * 0x2000, 0x1000,
					      &device_ops, &many[at]), V3_OK);
	}
	assert_int_equal(v3_mmio_hook(script->vm, 0xd0000000, 0x1000, &device_ops, &many[0]),
			 V3_ERR_NOMEM);
	guest_start(script);
	for (i = 0; i < V3_MAX_MMIO_HOOKS; i++) {
		guest_set_rip(script, 0);
		script->gpr[RBX] = DEVICE + i * 0x2000 + 8;
		npf(script, script->gpr[RBX], false);
		assert_int_equal(many[i].reads, 1);
		assert_int_equal(script->vmcb->rax, 0x8b8a8988);
		/* The gaps. */
		guest_set_rip(script, 0);
		script->gpr[RBX] = DEVICE + i * 0x2000 + 0x1008;
		npf(script, script->gpr[RBX], false);
		assert_int_equal(script->vmcb->rax, 0xffffffff);
	}
	guest_destroy(script);
}

/* --- Through the emulator --- */

/* lock cmpxchg [rbx],ecx; lock add [rbx],ecx; xchg [rbx],rcx */
static const uint8_t atomic_code[] = { 0xf0, 0x0f, 0xb1, 0x0b, 0xf0, 0x01, 0x0b, 0x48, 0x87, 0x0b };

static void test_atomics_on_device(void **state)
{
	struct script *script = create(atomic_code, sizeof(atomic_code));

	(void)state;
	guest_start(script);
	script->gpr[RBX] = DEVICE;
	script->gpr[RCX] = 0x11;
	script->vmcb->rax = 0x83828180;	/* what is there */
	npf(script, DEVICE, true);
	assert_int_equal(guest_rip(script), 4);
	assert_true(script->vmcb->rflags & V3_RFLAGS_ZF);
	assert_int_equal(device.value[0], 0x11);
	guest_set_rip(script, 0);
	script->vmcb->rax = 5;
	npf(script, DEVICE, true);
	assert_false(script->vmcb->rflags & V3_RFLAGS_ZF);
	assert_int_equal(script->vmcb->rax, 0x83828180);
	assert_int_equal(guest_rip(script), 4);
	device.writes = 0;
	npf(script, DEVICE, true);
	assert_int_equal(guest_rip(script), 7);
	assert_int_equal(device.value[0], 0x83828191);
	npf(script, DEVICE, true);
	assert_int_equal(guest_rip(script), 10);
	assert_int_equal(script->gpr[RCX], 0x8786858483828180);
	guest_destroy(script);
}

/* What is emulated there does as the CPU would. */
static void test_firmware_area(void **state)
{
	struct script *script = create("\xf3\xa4", 2);	/* rep movsb */
	uint64_t there = 0;

	(void)state;
	guest_start(script);
	script->gpr[RSI] = DEVICE + 8;
	script->gpr[RDI] = 0xf0000;
	script->gpr[RCX] = 8;
	npf(script, DEVICE + 8, false);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(v3_vm_read(script->vm, 0xf0000, &there, 8), V3_OK);
	assert_int_equal(there, 0x8f8e8d8c8b8a8988);
	guest_destroy(script);
}

/* A string move from a device to RAM, and one from RAM to a device. */
static void test_string_moves(void **state)
{
	const uint8_t code[] = { 0xf3, 0xa4, 0xf3, 0x48, 0xa5 }; /* rep movsb; rep movsq */
	struct script *script = create(code, sizeof(code));
	uint8_t ram[20];

	(void)state;
	guest_start(script);
	script->gpr[RSI] = DEVICE + 8;
	script->gpr[RDI] = DATA + 0xff8;	/* across a page */
	script->gpr[RCX] = 20;
	npf(script, DEVICE + 8, false);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(script->gpr[RCX], 0);
	assert_int_equal(v3_vm_read(script->vm, DATA + 0xff8, ram, 20), V3_OK);
	assert_int_equal(ram[0], 0x88);
	assert_int_equal(ram[19], 0x88 + 19);
	script->gpr[RSI] = DATA + 0xff8;
	script->gpr[RDI] = DEVICE + 0x100;
	script->gpr[RCX] = 2;
	npf(script, DEVICE + 0x100, true);
	assert_int_equal(guest_rip(script), 5);
	assert_int_equal(device.writes, 2);
	assert_int_equal(device.value[1], 0x9796959493929190);
	guest_destroy(script);
}

/* A debugger's single step is one iteration of a string instruction. */
static void test_string_steps(void **state)
{
	struct script *script = create("\xf3\xa4", 2);	/* rep movsb */

	(void)state;
	guest_start(script);
	script->gpr[RSI] = DEVICE;
	script->gpr[RDI] = DATA;
	script->gpr[RCX] = 2;
	script->vmcb->rflags |= V3_RFLAGS_TF;
	npf(script, DEVICE, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_DB));
	assert_true(script->vmcb->dr6 & V3_DR6_BS);
	assert_int_equal(guest_rip(script), 0);
	assert_int_equal(script->gpr[RCX], 1);
	script->vmcb->dr6 = V3_DR6_RESET;
	npf(script, DEVICE + 1, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP(V3_EXCP_DB));
	assert_true(script->vmcb->dr6 & V3_DR6_BS);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(script->gpr[RCX], 0);
	assert_int_equal(device.reads, 2);
	guest_destroy(script);
}

/* A long one stops now and then, so that the vCPU hears of requests. */
static void test_long_string(void **state)
{
	struct script *script = create("\xf3\xa4", 2);
	unsigned int exits = 0;

	(void)state;
	guest_start(script);
	script->gpr[RSI] = DEVICE;
	script->gpr[RDI] = DATA;
	script->gpr[RCX] = 1000;
	while (guest_rip(script) == 0) {
		npf(script, DEVICE + 1000 - script->gpr[RCX], false);
		assert_true(++exits < 10);
	}
	assert_int_equal(script->gpr[RCX], 0);
	assert_int_equal(exits, 4);
	assert_int_equal(device.reads, 1000);
	guest_destroy(script);
}

/* The guest's own page tables say no while a device is emulated. */
static void test_fault_in_emulation(void **state)
{
	struct script *script = create("\xa4", 1);	/* movsb */

	(void)state;
	guest_start(script);
	script->gpr[RSI] = DEVICE;
	script->gpr[RDI] = 0x80000000;	/* not mapped */
	npf(script, DEVICE, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_W));
	assert_int_equal(script->vmcb->cr2, 0x80000000);
	assert_int_equal(guest_rip(script), 0);
	/* Not canonical: #GP. */
	script->gpr[RDI] = 1ull << 63;
	npf(script, DEVICE, false);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_GP, 0));
	guest_destroy(script);
}

static void test_table_outside_in_emulation(void **state)
{
	struct script *script = create("\xa4", 1);
	uint64_t entry = 0xe0000000ull | V3_PTE_P | V3_PTE_W;
	struct v3_vm_end end;

	(void)state;
	assert_int_equal(v3_vm_write(script->vm, 0x11000 + 8, &entry, 8), V3_OK);
	guest_start(script);
	script->gpr[RSI] = DEVICE;
	script->gpr[RDI] = 0x40000000;
	guest_exit_ends(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL, DEVICE, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "page table outside of memory"));
	guest_destroy(script);
}

static void test_unhandled(void **state)
{
	struct script *script = create("\xc4\xe2\x7d\x98\x03", 5);	/* vfmadd132ps ymm0,ymm0,[rbx] */
	struct v3_vm_end end;

	(void)state;
	guest_start(script);
	script->gpr[RBX] = DEVICE;
	script->vmcb->cr4 |= V3_CR4_OSXSAVE | V3_CR4_OSFXSR;
	npf(script, DEVICE, false);
	guest_exit_ends(script, SVM_EXIT_NPF, V3_PFEC_NPF_FINAL, DEVICE, &end);
	assert_int_equal(end.kind, V3_END_CRASH);
	assert_non_null(strstr(end.reason, "c4 e2 7d 98 03"));
	guest_destroy(script);
}

/* Code that changes: what was remembered of its page and tables must not be believed. */
static void test_code_moves(void **state)
{
	struct script *script = create("\x0f\xa2", 2);
	uint64_t entry;

	(void)state;
	guest_start(script);
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 2);
	/* Other bytes at the same place. */
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP, "\x66\x0f\xa2", 3), V3_OK);
	guest_set_rip(script, 0);
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 3);
	/* The same place leads somewhere else. */
	assert_int_equal(v3_vm_write(script->vm, SCRIPT_RIP - 0x200000, "\x66\x66\x0f\xa2", 4), V3_OK);
	entry = V3_PTE_P | V3_PTE_W | V3_PTE_PS;
	assert_int_equal(v3_vm_write(script->vm, 0x12000 + 8, &entry, 8), V3_OK);
	guest_set_rip(script, 0);
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(guest_rip(script), 4);
	/* A table of its own, then no longer executable. */
	entry = 0;
	assert_int_equal(v3_vm_write(script->vm, 0x12000 + 8, &entry, 8), V3_OK);
	guest_set_rip(script, 0);
	guest_exit(script, SVM_EXIT_CPUID, 0, 0);
	assert_int_equal(script->vmcb->event_inj & 0xff, V3_EXCP_PF);
	assert_int_equal(script->vmcb->cr2, SCRIPT_RIP);
	guest_destroy(script);
}

/* --- String I/O --- */

static uint32_t port_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	unsigned int *calls = ctx;

	(void)vcpu;
	(void)port;
	(void)size;
	return 0x40302010 + (*calls)++;
}

static uint64_t written;

static void port_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	unsigned int *calls = ctx;

	(void)vcpu;
	(void)port;
	++*calls;
	written = written << (8 * size) | value;
}

#define IOIO(port, size, flags) ((uint64_t)(port) << 16 | (size) << 4 | (flags))

static void test_string_io(void **state)
{
	static const struct v3_io_ops ops = { .in = port_in, .out = port_out };
	const uint8_t code[] = { 0xf3, 0x6d, 0xf3, 0x6e, 0x6c }; /* rep insd; rep outsb; insb */
	struct script *script = guest_create(NULL, code, sizeof(code));
	unsigned int calls = 0;
	uint32_t ram[3];

	(void)state;
	written = 0;
	assert_int_equal(v3_io_hook(script->vm, 0x1f0, 8, &ops, &calls), V3_OK);
	guest_start(script);
	script->gpr[RDX] = 0x1f0;
	script->gpr[RCX] = 3;
	script->gpr[RDI] = DATA + 0xffc;
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0x1f0, 4, SVM_IOIO_IN | SVM_IOIO_STRING |
					       SVM_IOIO_REP), SCRIPT_RIP + 2);
	assert_int_equal(guest_rip(script), 2);
	assert_int_equal(calls, 3);
	assert_int_equal(v3_vm_read(script->vm, DATA + 0xffc, ram, 12), V3_OK);
	assert_int_equal(ram[0], 0x40302010);
	assert_int_equal(ram[2], 0x40302012);
	script->gpr[RCX] = 3;
	script->gpr[RSI] = DATA + 0xffc;
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0x1f0, 1, SVM_IOIO_STRING | SVM_IOIO_REP),
		   SCRIPT_RIP + 4);
	assert_int_equal(guest_rip(script), 4);
	assert_int_equal(written, 0x102030);
	assert_int_equal(script->gpr[RSI], DATA + 0xfff);
	/* Where the data cannot go, the port is not read. */
	calls = 0;
	script->gpr[RDI] = 0x80000000;
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0x1f0, 1, SVM_IOIO_IN | SVM_IOIO_STRING),
		   SCRIPT_RIP + 5);
	assert_int_equal(script->vmcb->event_inj, INJ_EXCP_ERR(V3_EXCP_PF, V3_PFEC_W));
	assert_int_equal(calls, 0);
	guest_destroy(script);
}

static void test_port_maps(void **state)
{
	static const struct v3_io_ops none = { 0 }, ops = { .in = port_in, .out = port_out };
	struct script *script = guest_create(NULL, "\xed\xef", 2);
	unsigned int calls = 0, i;

	(void)state;
	assert_int_equal(v3_io_hook(script->vm, 0x80, 1, NULL, NULL), V3_ERR_INVALID);
	assert_int_equal(v3_io_hook(script->vm, 1, 0xffffffff, &none, NULL), V3_ERR_RANGE);
	assert_int_equal(v3_io_hook(script->vm, 0x80, 2, &none, NULL), V3_OK);
	assert_int_equal(v3_io_hook(script->vm, 0x82, 1, &ops, &calls), V3_OK);
	assert_int_equal(v3_io_hook(script->vm, 0xfff8, 8, &ops, &calls), V3_OK);
	for (i = 3; i < V3_MAX_IO_HOOKS; i++)
		assert_int_equal(v3_io_hook(script->vm, (uint16_t)(0x1000 + 8 * i), 1, &none,
					    NULL), V3_OK);
	assert_int_equal(v3_io_hook(script->vm, 0x2000, 1, &none, NULL), V3_ERR_NOMEM);
	guest_start(script);
	assert_int_equal(v3_io_hook(script->vm, 0x2000, 1, &none, NULL), V3_ERR_STATE);
	/* A hook that has no reads; and one that ends within the access. */
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0x80, 2, SVM_IOIO_IN), SCRIPT_RIP + 1);
	assert_int_equal(script->vmcb->rax & 0xffff, 0xffff);
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0x80, 4, SVM_IOIO_IN), SCRIPT_RIP + 1);
	assert_int_equal(script->vmcb->rax, 0xff10ffff);
	calls = 0;
	written = 0;
	script->vmcb->rax = 0x44332211;
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0x80, 4, 0), SCRIPT_RIP + 2);
	assert_int_equal(calls, 1);
	assert_int_equal(written, 0x33);
	/* Past the last port. */
	calls = 0;
	guest_exit(script, SVM_EXIT_IOIO, IOIO(0xfffe, 4, SVM_IOIO_IN), SCRIPT_RIP + 1);
	assert_int_equal(script->vmcb->rax, 0xffff1110);
	guest_destroy(script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale_translation),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_delivery_without_memory),
		cmocka_unit_test(test_plain_accesses),
		cmocka_unit_test(test_changed_code),
		cmocka_unit_test(test_code_places),
		cmocka_unit_test(test_across_pages),
		cmocka_unit_test(test_from_ram_into_device),
		cmocka_unit_test(test_absent_device),
		cmocka_unit_test(test_half_a_device),
		cmocka_unit_test(test_many_hooks),
		cmocka_unit_test(test_atomics_on_device),
		cmocka_unit_test(test_firmware_area),
		cmocka_unit_test(test_string_moves),
		cmocka_unit_test(test_string_steps),
		cmocka_unit_test(test_long_string),
		cmocka_unit_test(test_fault_in_emulation),
		cmocka_unit_test(test_table_outside_in_emulation),
		cmocka_unit_test(test_unhandled),
		cmocka_unit_test(test_code_moves),
		cmocka_unit_test(test_string_io),
		cmocka_unit_test(test_port_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
