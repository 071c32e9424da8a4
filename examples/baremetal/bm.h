/* SPDX-License-Identifier: BSD-2-Clause */
/* What every bare-metal program here has: entry, console, traps, local APIC, boot information. */
#ifndef BM_H
#define BM_H

#define BM_MULTIBOOT_HEADER	0x1badb002
#define BM_MULTIBOOT_LOADER	0x2badb002

#define BM_SEL_CODE		0x10
#define BM_SEL_DATA		0x18
#define BM_SEL_TSS		0x20

#define BM_EXIT_PORT		0xf4
#define BM_SHUTDOWN_PORT	0x8900		/* of Bochs, which ends when told "Shutdown" there */
#define BM_EXIT_OK		0
#define BM_EXIT_FAILED		1	/* a program found something wrong */
#define BM_EXIT_USAGE		2	/* the command line makes no sense */
#define BM_EXIT_BOOT		3	/* the loader's information makes no sense */
#define BM_EXIT_FAULT		112	/* an exception nobody expected */

#define BM_APIC_BASE		0xfee00000
#define BM_APIC_ID		0x20
#define BM_APIC_VERSION		0x30
#define BM_APIC_EOI		0xb0
#define BM_MSR_X2APIC		0x800

#define BM_ICR_LOWEST		0x100
#define BM_ICR_NMI		0x400
#define BM_ICR_INIT		0x500
#define BM_ICR_STARTUP		0x600
#define BM_ICR_LOGICAL		0x800
#define BM_ICR_ASSERT		0x4000
#define BM_ICR_SELF		0x40000
#define BM_ICR_ALL		0x80000
#define BM_ICR_OTHERS		0xc0000

#define BM_VEC_TIMER		0x40
#define BM_VEC_SPURIOUS		0xff

#ifndef __ASSEMBLER__

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BM_MIB			(1ULL << 20)
#define BM_GIB			(1ULL << 30)
#define BM_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* string.c */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t bm_strlen(const char *s);
bool bm_streq(const char *a, const char *b);

/* The program provides these; bm_program() returns an exit code. */
extern const char bm_name[];		/* prefix of messages */
extern const char bm_first_line[];	/* sent before anything else */
int bm_program(void);

/* main.c */
void bm_main(uint64_t magic, uint64_t info);

/* console.c: polled 16550 on COM1 */
void bm_console_init(void);
void bm_putc(char c);
void bm_write(const char *s, size_t n);
void bm_console_drain(void);
void bm_vprintf(const char *fmt, va_list ap);
void bm_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* bootinfo.c: copies all it needs, so that the loader's memory is free afterwards */
struct bm_range {
	uint64_t start;
	uint64_t end;
};

#define BM_MAX_RANGES		64
#define BM_MAX_MODULES		4
#define BM_CMDLINE_SIZE		1024

struct bm_module {
	struct bm_range mem;
	char string[BM_CMDLINE_SIZE];
};

struct bm_bootinfo {
	char cmdline[BM_CMDLINE_SIZE];
	unsigned int ram_count;
	struct bm_range ram[BM_MAX_RANGES];	/* ascending, page aligned */
	unsigned int module_count;
	struct bm_module module[BM_MAX_MODULES];
};

extern struct bm_bootinfo bm_boot;
void bm_bootinfo_read(uint64_t magic, uint64_t info);

/* options.c: key=value words; words without '=' are skipped */
struct bm_option {
	const char *word, *value;
	size_t length, key_length, value_length;
};

/* Steps through a command line; false at its end. */
bool bm_next_option(const char **cmdline, struct bm_option *o);
bool bm_option_is(const struct bm_option *o, const char *key);
/* Ends the program unless the value is a number up to max. */
uint64_t bm_option_number(const struct bm_option *o, uint64_t max);
void bm_option_unknown(const struct bm_option *o);
void bm_option_bad(const struct bm_option *o, const char *why) __attribute__((noreturn));
/* Decimal or 0x hexadecimal, with K, M or G as binary factors. */
bool bm_parse_number(const char *s, size_t n, uint64_t *out);

/* trap.c */
struct bm_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*bm_irq_fn)(void);

void bm_trap_init(void);
/* For each further CPU; room: BM_TRAP_CPU_SIZE bytes, 16-byte aligned, its own for ever. */
#define BM_TRAP_CPU_SIZE	8448
void bm_trap_init_cpu(void *room);
void bm_trap(struct bm_frame *f);
/* Vectors from 32 on, and 2, the NMI. */
void bm_irq_set(unsigned int vector, bm_irq_fn fn);
void bm_gate_set(unsigned int vector, const void *entry);
void bm_idt_break(void);
void bm_exit(unsigned int code) __attribute__((noreturn));

/* apic.c */
bool bm_apic_init(void);
bool bm_apic_is_x2(void);
bool bm_apic_set_x2(bool on);
/* For each further CPU: its APIC, in the mode of the first one's. */
bool bm_apic_init_cpu(void);
uint32_t bm_apic_id(void);
/* An interrupt command; dest is an APIC ID, or what BM_ICR_LOGICAL makes of it. */
void bm_apic_send(uint32_t dest, uint32_t command);
/* Logical destination of this CPU, xAPIC mode only: flat model or clusters of four. */
void bm_apic_set_logical(bool flat, uint8_t logical);
uint32_t bm_apic_read(unsigned int reg);
void bm_apic_write(unsigned int reg, uint32_t value);
void bm_apic_self_ipi(unsigned int vector);
void bm_apic_timer_start(uint32_t count, bool periodic);
/* The same with another count, in one register write; 0 stops it. */
void bm_apic_timer_again(uint32_t count);
void bm_apic_timer_stop(void);
uint64_t bm_apic_timer_hz(uint64_t tsc_hz);

/* clock.c */
uint64_t bm_tsc_hz_by_pit(void);	/* takes 10 ms; 0: there is no PIT */
uint64_t bm_tsc_hz(void);	/* measured at the first call; 0 when there is no way to know */

#endif /* __ASSEMBLER__ */
#endif /* BM_H */
