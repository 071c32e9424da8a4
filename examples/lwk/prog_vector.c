/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSE and AVX instructions on devices and on addresses where nothing is, which a VMM has to execute for the
 * guest: what they load, what they store where RAM ends, and that no other register changes.
 */
#include "cpu.h"
#include "lwk.h"

#define CR0_MP		(1ULL << 1)
#define CR0_EM		(1ULL << 2)
#define CR0_TS		(1ULL << 3)
#define CR4_OSFXSR	(1ULL << 9)
#define CR4_OSXSAVE	(1ULL << 18)
#define CPUID1_XSAVE	(1u << 26)
#define CPUID1_AVX	(1u << 28)
#define IOAPIC_SELECT	0xfec00000ULL
#define IOAPIC_WINDOW	0xfec00010ULL
#define HOLE		0xd0000000ULL	/* no RAM and no device on the machines we know */

struct vec {
	uint8_t byte[32];
} __attribute__((aligned(32)));

static const struct vec ones = { .byte = { [0 ... 31] = 0xff } };
static struct vec pattern, other;
static unsigned int surprises;

static void same(const char *what, const void *got, const void *want, size_t n)
{
	if (memcmp(got, want, n) == 0)
		return;
	surprises++;
	bm_printf("vector: %s: wrong bytes, the first is %x\n", what, *(const uint8_t *)got);
}

/* Loads `from` into xmm0 or ymm0 with xmm7 or ymm7 as a witness, and stores both. */
#define LOAD(insn, wide, from, into, witness)						\
	__asm__ volatile(wide " %[seed], %%" VREG "0\n\t"				\
			 wide " %[other], %%" VREG "7\n\t"				\
			 insn " (%[addr]), %%" REG "0\n\t"				\
			 wide " %%" VREG "0, %[out]\n\t"				\
			 wide " %%" VREG "7, %[wit]"					\
			 : [out] "=m"(into), [wit] "=m"(witness)			\
			 : [seed] "m"(pattern), [other] "m"(other), [addr] "r"(from)	\
			 : "memory")

static void sse_loads(uint64_t nothing)
{
	struct vec got, witness, want = { 0 };

#define REG "xmm"
#define VREG "xmm"
	LOAD("movaps", "movups", nothing, got, witness);
	same("movaps", &got, &ones, 16);
	same("beside movaps", &witness, &other, 16);
	LOAD("movsd", "movups", nothing, got, witness);
	memset(want.byte, 0xff, 8);
	same("movsd", &got, &want, 16);
	LOAD("movhps", "movups", nothing, got, witness);
	memcpy(want.byte, pattern.byte, 8);
	memset(want.byte + 8, 0xff, 8);
	same("movhps", &got, &want, 16);
	same("beside movhps", &witness, &other, 16);
#undef VREG
#undef REG
}

/* A register of a device: the same by MOVD and by MOV. */
static void sse_device(void)
{
	uint32_t select = 1, by_movd, by_mov;	/* the version */

	bm_mmio_write(IOAPIC_SELECT, 0);
	__asm__ volatile("movd %1, %%xmm1\n\t"
			 "movd %%xmm1, (%2)\n\t"
			 "movd (%3), %%xmm2\n\t"
			 "movd %%xmm2, %0"
			 : "=m"(by_movd) : "m"(select), "r"(IOAPIC_SELECT), "r"(IOAPIC_WINDOW)
			 : "memory");
	by_mov = bm_mmio_read(IOAPIC_WINDOW);
	same("movd of the I/O APIC", &by_movd, &by_mov, 4);
	if (!by_mov || by_mov == 0xffffffff)
		surprises++;
	bm_printf("vector: I/O APIC version 0x%x\n", by_movd);
}

/* The last `inside` bytes of RAM, and nothing behind them. */
static void sse_edge(uint64_t edge, unsigned int inside)
{
	struct vec got, want = ones;
	void *at = (void *)(edge - inside);

	memset(at, 0, inside);
	__asm__ volatile("movups %2, %%xmm3\n\t"
			 "movups %%xmm3, (%1)\n\t"
			 "movups (%1), %%xmm4\n\t"
			 "movups %%xmm4, %0"
			 : "=m"(got) : "r"(at), "m"(pattern) : "memory");
	same("movups to the end of RAM", at, &pattern, inside);
	memcpy(&want, &pattern, inside);
	same("movups from the end of RAM", &got, &want, 16);
}

static void avx_edge(uint64_t edge, unsigned int inside)
{
	struct vec got, want = ones;
	void *at = (void *)(edge - inside);

	memset(at, 0, inside);
	__asm__ volatile("vmovups %2, %%ymm3\n\t"
			 "vmovups %%ymm3, (%1)\n\t"
			 "vmovdqu (%1), %%ymm4\n\t"
			 "vmovups %%ymm4, %0"
			 : "=m"(got) : "r"(at), "m"(pattern) : "memory");
	same("vmovups to the end of RAM", at, &pattern, inside);
	memcpy(&want, &pattern, inside);
	same("vmovdqu from the end of RAM", &got, &want, 32);
}

static void avx(uint64_t nothing, uint64_t edge)
{
	struct vec got, witness, want = { 0 };

#define REG "ymm"
#define VREG "ymm"
	LOAD("vmovaps", "vmovups", nothing, got, witness);
	same("vmovaps", &got, &ones, 32);
	same("beside vmovaps", &witness, &other, 32);
	LOAD("vbroadcastsd", "vmovups", nothing, got, witness);
	same("vbroadcastsd", &got, &ones, 32);
#undef REG
#define REG "xmm"
	/* All that it does not load becomes zero. */
	LOAD("vmovss", "vmovups", nothing, got, witness);
	memset(want.byte, 0xff, 4);
	same("vmovss", &got, &want, 32);
	same("beside vmovss", &witness, &other, 32);
	/* Old instructions leave the upper half alone. */
	LOAD("movaps", "vmovups", nothing, got, witness);
	memcpy(&want, &pattern, sizeof(want));
	memset(want.byte, 0xff, 16);
	same("movaps in ymm0", &got, &want, 32);
#undef VREG
#undef REG
	avx_edge(edge, 4);
	avx_edge(edge, 16);
	avx_edge(edge, 29);
}

static bool avx_on(void)
{
	if (~bm_cpuid(1, 0).ecx & (CPUID1_XSAVE | CPUID1_AVX))
		return false;
	bm_write_cr4(bm_read_cr4() | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
	return true;
}

static void sse_on(void)
{
	bm_write_cr0((bm_read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	bm_write_cr4(bm_read_cr4() | CR4_OSFXSR);
}

/* Where the RAM below 4 GiB ends. */
static uint64_t ram_end(void)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < bm_boot.ram_count; i++)
		if (bm_boot.ram[i].end <= 4 * BM_GIB)
			end = bm_boot.ram[i].end;
	return end;
}

int lwk_prog_vector(void)
{
	uint64_t nothing = lwk_opt.addr ? lwk_opt.addr : HOLE, edge = ram_end();
	bool has_avx;

	for (unsigned int i = 0; i < sizeof(pattern); i++) {
		pattern.byte[i] = (uint8_t)(0x11 + i);
		other.byte[i] = (uint8_t)(0xa0 - i);
	}
	sse_on();
	sse_loads(nothing);
	sse_device();
	for (unsigned int i = 1; i < 16; i++)
		sse_edge(edge, i);
	has_avx = avx_on();
	if (has_avx)
		avx(nothing, edge);
	bm_printf("vector: surprises: %u, AVX: %s\n", surprises, has_avx ? "yes" : "no");
	return surprises ? BM_EXIT_FAILED : BM_EXIT_OK;
}

/* An arithmetic instruction on nothing: no VMM emulates all of them. */
int lwk_prog_lacking(void)
{
	uint64_t nothing = lwk_opt.addr ? lwk_opt.addr : HOLE;

	bm_printf("lacking: addps from 0x%llx\n", (unsigned long long)nothing);
	bm_console_drain();
	sse_on();
	__asm__ volatile("addps (%0), %%xmm0" : : "r"(nothing) : "memory");
	bm_printf("lacking: it was executed\n");
	return BM_EXIT_OK;
}
