/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts and exceptions: IDT, TSS, fixups, and a dump that a person can read on the serial
 * line when an exception was not expected.
 */
#include "cpu.h"

#define GATE_INTERRUPT	0x8e	/* present, DPL 0, 64-bit interrupt gate */
#define TSS_AVAILABLE	0x89
#define IST_FATAL	1
#define STACK_SIZE	8192
#define PIC1		0x20
#define PIC2		0xa0
#define PIC_VECTOR	0x20
#define EXCEPTIONS	32
#define VEC_NMI		2
#define GDT_ENTRIES	6

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
} __attribute__((packed));

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap_base;
} __attribute__((packed));

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct fixup {
	uint64_t at;
	uint64_t to;
};

extern char bm_isr_stubs[];
extern uint64_t bm_gdt[];
extern const struct fixup bm_fixup_start[], bm_fixup_end[];

static struct gate idt[256] __attribute__((aligned(16)));
static struct tss tss;
static uint8_t fatal_stack[STACK_SIZE] __attribute__((aligned(16)));
static bm_irq_fn handlers[256];

static const char *const exception_names[EXCEPTIONS] = {
	[0] = "divide error", [1] = "debug", [2] = "NMI", [3] = "breakpoint", [4] = "overflow",
	[5] = "bound range", [6] = "invalid opcode", [7] = "device not available",
	[8] = "double fault", [10] = "invalid TSS", [11] = "segment not present",
	[12] = "stack fault", [13] = "general protection", [14] = "page fault",
	[16] = "x87 floating point", [17] = "alignment check", [18] = "machine check",
	[19] = "SIMD floating point", [21] = "control protection",
	[28] = "hypervisor injection", [29] = "VMM communication", [30] = "security",
};

void bm_gate_set(unsigned int vector, const void *entry)
{
	uint64_t offset = (uint64_t)entry;

	idt[vector].selector = BM_SEL_CODE;
	idt[vector].type = GATE_INTERRUPT;
	idt[vector].offset_low = (uint16_t)offset;
	idt[vector].offset_mid = (uint16_t)(offset >> 16);
	idt[vector].offset_high = (uint32_t)(offset >> 32);
}

void bm_irq_set(unsigned int vector, bm_irq_fn fn)
{
	handlers[vector] = fn;
	bm_gate_set(vector, bm_isr_stubs + vector * 16);
}

/* After this the next exception ends in a triple fault. */
void bm_idt_break(void)
{
	struct table_pointer p = { 0, 0 };

	__asm__ volatile("lidt %0" : : "m"(p));
}

static void dump_stack(const struct bm_frame *f)
{
	/* A wild stack pointer would fault in the dump: stay within the mapped low 4 GiB. */
	if (f->rsp % 8 || f->rsp < 4096 || f->rsp > 4 * BM_GIB - 4096)
		return;
	bm_printf("  stack");
	for (unsigned int i = 0; i < 8; i++) {
		bm_printf("%s%016llx", i % 4 ? " " : i ? "\n        " : " ",
			  ((unsigned long long *)f->rsp)[i]);
	}
	bm_printf("\n");
}

static void dump(const struct bm_frame *f)
{
	const char *name = f->vector < EXCEPTIONS ? exception_names[f->vector] : "interrupt";

	bm_printf("\n%s: unexpected %s (vector %llu, error 0x%llx) at rip 0x%llx\n", bm_name,
		  name ? name : "reserved exception", (unsigned long long)f->vector,
		  (unsigned long long)f->error, (unsigned long long)f->rip);
	if (f->vector == 14) {
		bm_printf("  address 0x%llx: %s %s\n", (unsigned long long)bm_read_cr2(),
			  f->error & 16 ? "fetch" : f->error & 2 ? "write" : "read",
			  f->error & 1 ? "not allowed" : "not mapped");
	}
#define R(name) (unsigned long long)f->name
	bm_printf("  rax %016llx rcx %016llx rdx %016llx rbx %016llx\n",
		  R(rax), R(rcx), R(rdx), R(rbx));
	bm_printf("  rsp %016llx rbp %016llx rsi %016llx rdi %016llx\n",
		  R(rsp), R(rbp), R(rsi), R(rdi));
	bm_printf("  r8  %016llx r9  %016llx r10 %016llx r11 %016llx\n",
		  R(r8), R(r9), R(r10), R(r11));
	bm_printf("  r12 %016llx r13 %016llx r14 %016llx r15 %016llx\n",
		  R(r12), R(r13), R(r14), R(r15));
	bm_printf("  rflags %llx cs %llx ss %llx cr0 %llx cr2 %llx cr3 %llx cr4 %llx\n",
		  R(rflags), R(cs), R(ss), (unsigned long long)bm_read_cr0(),
		  (unsigned long long)bm_read_cr2(), (unsigned long long)bm_read_cr3(),
		  (unsigned long long)bm_read_cr4());
#undef R
	dump_stack(f);
}

/* Ends the machine where one of the ports exists; elsewhere the CPU sleeps for good. */
void bm_exit(unsigned int code)
{
	static const char shutdown[] = "Shutdown";

	bm_irq_off();
	bm_printf("%s: exit code %u\n", bm_name, code);
	bm_console_drain();
	bm_outb(BM_EXIT_PORT, (uint8_t)code);
	for (const char *s = shutdown; *s; s++)
		bm_outb(BM_SHUTDOWN_PORT, (uint8_t)*s);
	for (;;)
		__asm__ volatile("hlt");
}

static bool fix_up(struct bm_frame *f)
{
	for (const struct fixup *x = bm_fixup_start; x < bm_fixup_end; x++) {
		if (f->rip == x->at) {
			f->rip = x->to;
			return true;
		}
	}
	return false;
}

void bm_trap(struct bm_frame *f)
{
	if (f->vector == VEC_NMI && handlers[VEC_NMI]) {
		handlers[VEC_NMI]();
		return;
	}
	if (f->vector < EXCEPTIONS) {
		if (fix_up(f))
			return;
	} else if (handlers[f->vector]) {
		handlers[f->vector]();
		return;
	} else if (f->vector == PIC_VECTOR + 7 || f->vector == PIC_VECTOR + 15) {
		return;		/* spurious from a masked 8259: not acknowledged */
	}
	dump(f);
	bm_exit(BM_EXIT_FAULT);
}

/* Out of the exceptions' way and masked: the kernel uses the local APIC alone. */
static void pic_init(void)
{
	bm_outb(PIC1, 0x11);
	bm_outb(PIC2, 0x11);
	bm_outb(PIC1 + 1, PIC_VECTOR);
	bm_outb(PIC2 + 1, PIC_VECTOR + 8);
	bm_outb(PIC1 + 1, 4);
	bm_outb(PIC2 + 1, 2);
	bm_outb(PIC1 + 1, 1);
	bm_outb(PIC2 + 1, 1);
	bm_outb(PIC1 + 1, 0xff);
	bm_outb(PIC2 + 1, 0xff);
}

static void tss_init(struct tss *t, uint64_t *gdt, uint8_t *stack_top)
{
	uint64_t base = (uint64_t)t;

	t->ist[IST_FATAL - 1] = (uint64_t)stack_top;
	t->iomap_base = sizeof(*t);
	gdt[BM_SEL_TSS / 8] = (sizeof(*t) - 1) | (base & 0xffffff) << 16 |
			      (uint64_t)TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	gdt[BM_SEL_TSS / 8 + 1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(BM_SEL_TSS));
}

/* What a CPU cannot share: a loaded TSS is marked busy in its GDT. */
struct cpu_tables {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
	uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
};

_Static_assert(sizeof(struct cpu_tables) <= BM_TRAP_CPU_SIZE, "room for a CPU's tables");

void bm_trap_init_cpu(void *room)
{
	struct cpu_tables *own = memset(room, 0, sizeof(*own));
	struct table_pointer gdt = { sizeof(own->gdt) - 1, (uint64_t)own->gdt };
	struct table_pointer p = { sizeof(idt) - 1, (uint64_t)idt };

	memcpy(own->gdt, bm_gdt, sizeof(own->gdt));
	__asm__ volatile("lgdt %0" : : "m"(gdt));
	tss_init(&own->tss, own->gdt, own->stack + STACK_SIZE);
	__asm__ volatile("lidt %0" : : "m"(p));
}

void bm_trap_init(void)
{
	struct table_pointer p = { sizeof(idt) - 1, (uint64_t)idt };

	tss_init(&tss, bm_gdt, fatal_stack + STACK_SIZE);
	for (unsigned int v = 0; v < 256; v++)
		bm_gate_set(v, bm_isr_stubs + v * 16);
	idt[2].ist = IST_FATAL;
	idt[8].ist = IST_FATAL;
	idt[18].ist = IST_FATAL;
	__asm__ volatile("lidt %0" : : "m"(p));
	pic_init();
}
