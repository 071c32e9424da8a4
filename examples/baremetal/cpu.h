/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that C has no words for. */
#ifndef BM_CPU_H
#define BM_CPU_H

#include "bm.h"

/* Makes a fault at `at` resume at `to`; see bm_trap(). */
#define BM_FIXUP(at, to)					\
	".pushsection .fixup_table, \"a\"\n\t"			\
	".balign 8\n\t"						\
	".quad " at ", " to "\n\t"				\
	".popsection\n\t"

static inline uint8_t bm_inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %w1, %b0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t bm_inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %w1, %w0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t bm_inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void bm_outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void bm_outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %w1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint32_t bm_mmio_read(uint64_t addr)
{
	uint32_t v;

	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(addr) : "memory");
	return v;
}

static inline void bm_mmio_write(uint64_t addr, uint32_t v)
{
	__asm__ volatile("movl %0, (%1)" : : "r"(v), "r"(addr) : "memory");
}

struct bm_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct bm_cpuid bm_cpuid(uint32_t leaf, uint32_t sub)
{
	struct bm_cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(sub) : "memory");
	return r;
}

static inline uint64_t bm_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void bm_wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}

/* false when the MSR faults */
static inline bool bm_rdmsr_safe(uint32_t msr, uint64_t *v)
{
	uint32_t lo = 0, hi = 0, ok = 0;

	__asm__ volatile("1: rdmsr\n\t"
			 "movl $1, %2\n\t"
			 "2:\n\t" BM_FIXUP("1b", "2b")
			 : "+a"(lo), "+d"(hi), "+r"(ok) : "c"(msr) : "memory");
	*v = (uint64_t)hi << 32 | lo;
	return ok;
}

static inline bool bm_wrmsr_safe(uint32_t msr, uint64_t v)
{
	uint32_t ok = 0;

	__asm__ volatile("1: wrmsr\n\t"
			 "movl $1, %0\n\t"
			 "2:\n\t" BM_FIXUP("1b", "2b")
			 : "+r"(ok) : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
	return ok;
}

/* LFENCE orders RDTSC after everything before it (APM2 13.2.4). */
static inline uint64_t bm_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t bm_read_cr0(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr0, %0" : "=r"(v));
	return v;
}

static inline uint64_t bm_read_cr2(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr2, %0" : "=r"(v));
	return v;
}

static inline uint64_t bm_read_cr3(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr3, %0" : "=r"(v));
	return v;
}

static inline uint64_t bm_read_cr4(void)
{
	uint64_t v;

	__asm__ volatile("movq %%cr4, %0" : "=r"(v));
	return v;
}

static inline void bm_write_cr0(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr0" : : "r"(v) : "memory");
}

static inline void bm_write_cr3(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(v) : "memory");
}

static inline void bm_write_cr4(uint64_t v)
{
	__asm__ volatile("movq %0, %%cr4" : : "r"(v) : "memory");
}

static inline void bm_irq_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void bm_irq_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Waits for the next interrupt; STI's shadow closes the gap between the test and the HLT. */
static inline void bm_wait(void)
{
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static inline void bm_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* a * b / c with a 128-bit product; the caller knows that the quotient fits, else #DE. */
static inline uint64_t bm_muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t q, high;

	__asm__("mulq %3\n\tdivq %4" : "=&a"(q), "=&d"(high) : "0"(a), "r"(b), "r"(c) : "cc");
	return q;
}

#endif /* BM_CPU_H */
