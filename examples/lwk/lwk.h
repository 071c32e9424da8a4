/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the lightweight kernel share. */
#ifndef LWK_H
#define LWK_H

#define LWK_MULTIBOOT_HEADER	0x1badb002
#define LWK_MULTIBOOT_LOADER	0x2badb002

#define LWK_SEL_CODE		0x10
#define LWK_SEL_DATA		0x18
#define LWK_SEL_TSS		0x20

#define LWK_EXIT_PORT		0xf4
#define LWK_EXIT_OK		0
#define LWK_EXIT_FAILED		1	/* a program found something wrong */
#define LWK_EXIT_USAGE		2	/* the command line makes no sense */
#define LWK_EXIT_BOOT		3	/* the loader's information makes no sense */
#define LWK_EXIT_FAULT		112	/* an exception nobody expected */

#define LWK_APIC_BASE		0xfee00000
#define LWK_APIC_ID		0x20
#define LWK_APIC_VERSION	0x30
#define LWK_APIC_EOI		0xb0
#define LWK_MSR_X2APIC		0x800

#define LWK_VEC_TIMER		0x40
#define LWK_VEC_IPI		0x41
#define LWK_VEC_SPURIOUS	0xff

#ifndef __ASSEMBLER__

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LWK_MIB			(1ULL << 20)
#define LWK_GIB			(1ULL << 30)
#define LWK_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* string.c */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t lwk_strlen(const char *s);
bool lwk_streq(const char *a, const char *b);

/* console.c: polled 16550 on COM1 */
void lwk_console_init(void);
void lwk_putc(char c);
void lwk_write(const char *s, size_t n);
void lwk_console_drain(void);
void lwk_vprintf(const char *fmt, va_list ap);
void lwk_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* bootinfo.c: copies all it needs, so that the loader's memory is free afterwards */
struct lwk_range {
	uint64_t start;
	uint64_t end;
};

#define LWK_MAX_RANGES		64
#define LWK_CMDLINE_SIZE	1024

struct lwk_bootinfo {
	char cmdline[LWK_CMDLINE_SIZE];
	unsigned int ram_count;
	struct lwk_range ram[LWK_MAX_RANGES];	/* ascending, page aligned */
};

extern struct lwk_bootinfo lwk_boot;
void lwk_bootinfo_read(uint64_t magic, uint64_t info);

/* options.c: the command line's key=value words */
struct lwk_options {
	char run[128];
	uint64_t n;		/* samples of `cpuid`, lines of `flood`, ticks of `tick` */
	uint64_t size;		/* elements per array of `stream` */
	uint64_t ntimes;	/* rounds of `stream` */
	uint64_t hz;		/* periodic tick, 0 is none */
	uint64_t code;		/* exit code of `exit` */
	uint64_t addr;		/* address of `ud`, `romwrite`, `absent`; 0 is the program's own */
};

extern struct lwk_options lwk_opt;
void lwk_options_parse(const char *cmdline);

/* memory.c: identity map in large pages, and an allocator that never frees */
void lwk_memory_init(void);
void *lwk_alloc(uint64_t size, uint64_t align);

/* trap.c */
struct lwk_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*lwk_irq_fn)(void);

void lwk_trap_init(void);
void lwk_trap(struct lwk_frame *f);
void lwk_irq_set(unsigned int vector, lwk_irq_fn fn);
void lwk_gate_set(unsigned int vector, const void *entry);
void lwk_idt_break(void);

/* apic.c */
bool lwk_apic_init(void);
bool lwk_apic_is_x2(void);
bool lwk_apic_set_x2(bool on);
uint32_t lwk_apic_read(unsigned int reg);
void lwk_apic_write(unsigned int reg, uint32_t value);
void lwk_apic_self_ipi(unsigned int vector);
bool lwk_tick_start(uint64_t hz);
void lwk_tick_stop(void);
uint64_t lwk_tick_count(void);

/* clock.c */
uint64_t lwk_tsc_hz(void);	/* measured at the first call; 0 when there is no way to know */

/* isr.S */
extern char lwk_isr_stubs[];
extern char lwk_isr_ipi_xapic[];
extern char lwk_isr_ipi_x2apic[];
extern volatile uint64_t lwk_ipi_stamp;

/* main.c and the programs; each returns an exit code */
void lwk_main(uint64_t magic, uint64_t info);
void lwk_exit(unsigned int code) __attribute__((noreturn));
int lwk_prog_cost(void);
int lwk_prog_stream(void);
int lwk_prog_tick(void);
int lwk_prog_triple(void);
int lwk_prog_spin(void);
int lwk_prog_ud(void);
int lwk_prog_romwrite(void);
int lwk_prog_flood(void);
int lwk_prog_absent(void);
int lwk_prog_halt(void);
int lwk_prog_exit(void);

#endif /* __ASSEMBLER__ */
#endif /* LWK_H */
