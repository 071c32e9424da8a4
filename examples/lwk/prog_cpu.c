/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the CPU is of one piece: reserved bits of CR4, EFER and XCR0, the sizes in CPUID 0xD and some
 * MSRs must agree with the features that CPUID shows. Counts surprises.
 */
#include "cpu.h"
#include "lwk.h"

#define CR4_PAE		(1ULL << 5)
#define CR4_PCE		(1ULL << 8)
#define CR4_OSXSAVE	(1ULL << 18)
#define EFER		0xc0000080
#define EFER_LMA	(1ULL << 10)
#define MSR_PAT		0x277
#define MSR_XSS		0xda0
#define MSR_TSC_AUX	0xc0000103
#define MSR_UNKNOWN	0x12345678

/* A bit that goes with a feature: leaf, register (1 EBX, 2 ECX, 3 EDX) and bit of CPUID. */
struct feature_bit {
	uint8_t bit;
	uint32_t leaf;
	uint8_t reg, feature;
};

static const struct feature_bit cr4_bits[] = {
	{ 0, 1, 3, 1 }, { 1, 1, 3, 1 },	 { 2, 1, 3, 4 },   { 3, 1, 3, 2 },   { 4, 1, 3, 3 },
	{ 5, 1, 3, 6 }, { 6, 1, 3, 7 },	 { 7, 1, 3, 13 },  { 9, 1, 3, 24 },  { 10, 1, 3, 25 },
	{ 11, 7, 2, 2 }, { 16, 7, 1, 0 }, { 17, 1, 2, 17 }, { 18, 1, 2, 26 }, { 20, 7, 1, 7 },
	{ 21, 7, 1, 20 }, { 22, 7, 2, 3 },
};
static const struct feature_bit efer_bits[] = {
	{ 0, 0x80000001, 3, 11 }, { 8, 0x80000001, 3, 29 }, { 11, 0x80000001, 3, 20 },
	{ 14, 0x80000001, 3, 25 }, { 15, 0x80000001, 2, 17 },
};

static bool has(uint32_t leaf, unsigned int reg, unsigned int bit)
{
	struct bm_cpuid r = { 0, 0, 0, 0 };

	if (bm_cpuid(leaf & 0x80000000, 0).eax >= leaf)
		r = bm_cpuid(leaf, 0);
	return (reg == 1 ? r.ebx : reg == 2 ? r.ecx : r.edx) >> bit & 1;
}

static bool cr4_write_safe(uint64_t v)
{
	uint32_t ok = 0;

	__asm__ volatile("1: movq %1, %%cr4\n\t"
			 "movl $1, %0\n\t"
			 "2:\n\t" BM_FIXUP("1b", "2b")
			 : "+r"(ok) : "r"(v) : "memory");
	return ok;
}

static bool xsetbv_safe(uint64_t v)
{
	uint32_t ok = 0;

	__asm__ volatile("1: xsetbv\n\t"
			 "movl $1, %0\n\t"
			 "2:\n\t" BM_FIXUP("1b", "2b")
			 : "+r"(ok) : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
	return ok;
}

/* Which bits may be set, by CPUID. */
static uint64_t by_features(const struct feature_bit *bits, unsigned int n)
{
	uint64_t mask = 0;

	for (unsigned int i = 0; i < n; i++)
		if (has(bits[i].leaf, bits[i].reg, bits[i].feature))
			mask |= 1ULL << bits[i].bit;
	return mask;
}

static unsigned int check_cr4(void)
{
	uint64_t old = bm_read_cr4();
	uint64_t mask = by_features(cr4_bits, BM_ARRAY_SIZE(cr4_bits)) | CR4_PCE;
	unsigned int surprises = 0;

	for (unsigned int bit = 0; bit < 64; bit++) {
		bool ok = cr4_write_safe(old | 1ULL << bit);

		if (ok == (mask >> bit & 1))
			continue;
		bm_printf("cpu: CR4 bit %u can%s be set\n", bit, ok ? "" : "not");
		surprises++;
	}
	bm_write_cr4(old);
	return surprises;
}

static unsigned int check_efer(void)
{
	uint64_t old = bm_rdmsr(EFER);
	uint64_t mask = by_features(efer_bits, BM_ARRAY_SIZE(efer_bits)) | EFER_LMA;
	unsigned int surprises = 0;

	for (unsigned int bit = 0; bit < 64; bit++) {
		bool ok = bm_wrmsr_safe(EFER, old | 1ULL << bit);

		if (ok == (mask >> bit & 1))
			continue;
		bm_printf("cpu: EFER bit %u can%s be set\n", bit, ok ? "" : "not");
		surprises++;
	}
	bm_wrmsr(EFER, old);
	return surprises;
}

/* Bytes that the components in xcr0 need in the standard format. */
static uint32_t area_size(uint64_t xcr0)
{
	uint32_t size = 576;

	for (unsigned int i = 2; i < 63; i++) {
		struct bm_cpuid r = bm_cpuid(0xd, i);

		if (xcr0 >> i & 1 && r.eax + r.ebx > size)
			size = r.eax + r.ebx;
	}
	return size;
}

static bool xcr0_makes_sense(uint64_t xcr0, uint64_t supported)
{
	uint64_t avx512 = xcr0 & 0xe0;

	return xcr0 & 1 && !(xcr0 & ~supported) && (!(xcr0 & 4) || xcr0 & 2) &&
	       (!avx512 || (avx512 == 0xe0 && xcr0 & 4));
}

static unsigned int check_xsave(void)
{
	struct bm_cpuid d = bm_cpuid(0xd, 0);
	uint64_t supported = (uint64_t)d.edx << 32 | d.eax, old = bm_read_cr4();
	unsigned int surprises = 0;

	if (!has(1, 2, 26))
		return !!(d.eax | d.ebx | d.ecx | d.edx) + xsetbv_safe(1) + has(1, 2, 28);
	surprises += has(1, 2, 28) != (supported >> 2 & 1);	/* AVX */
	surprises += has(7, 1, 16) != (supported >> 5 & 1);	/* AVX-512 */
	surprises += d.ecx != area_size(supported);
	for (unsigned int i = 2; i < 63; i++)
		surprises += !!bm_cpuid(0xd, i).eax != (supported >> i & 1);
	surprises += xsetbv_safe(1);	/* #UD without OSXSAVE */
	bm_write_cr4(old | CR4_OSXSAVE);
	surprises += !has(1, 2, 27);
	for (uint64_t xcr0 = 0; xcr0 < 512; xcr0++) {
		if (xsetbv_safe(xcr0) != xcr0_makes_sense(xcr0, supported))
			surprises++;
		else if (xcr0_makes_sense(xcr0, supported))
			surprises += bm_cpuid(0xd, 0).ebx != area_size(xcr0);
	}
	surprises += xsetbv_safe(1ULL << 63 | 1);
	xsetbv_safe(1);
	bm_write_cr4(old);
	return surprises;
}

static unsigned int check_msrs(void)
{
	uint64_t value, old;
	unsigned int surprises = 0;

	surprises += bm_rdmsr_safe(MSR_TSC_AUX, &value) != has(0x80000001, 3, 27);
	surprises += bm_rdmsr_safe(MSR_PAT, &old) != has(1, 3, 16);
	if (has(1, 3, 16)) {
		surprises += bm_wrmsr_safe(MSR_PAT, (old & ~7ULL) | 2);	/* types 2 and 3 are reserved */
		surprises += bm_rdmsr(MSR_PAT) != old;
	}
	surprises += bm_rdmsr_safe(0xfe, &value) != has(1, 3, 12);	/* MTRRcap */
	if (has(1, 3, 12)) {
		old = bm_rdmsr(0x2ff);
		surprises += bm_wrmsr_safe(0x2ff, 2) + bm_wrmsr_safe(0x250, 0x0606060606060602);
		surprises += bm_rdmsr(0x2ff) != old;
	}
	return surprises;
}

static const char *unknown_msr(uint32_t msr)
{
	uint64_t value = 1;
	bool wrote = bm_wrmsr_safe(msr, 1), read = bm_rdmsr_safe(msr, &value);

	return wrote != read ? "odd" : !read ? "fault" : value ? "kept" : "ignored";
}

static void show(const char *name, bool is)
{
	if (is)
		bm_printf(" %s", name);
}

int lwk_prog_cpu(void)
{
	unsigned int cr4, efer, xsave, msrs;

	bm_printf("cpu: features");
	show("sse4_2", has(1, 2, 20));
	show("aes", has(1, 2, 25));
	show("xsave", has(1, 2, 26));
	show("avx", has(1, 2, 28));
	show("fma", has(1, 2, 12));
	show("f16c", has(1, 2, 29));
	show("avx2", has(7, 1, 5));
	show("bmi2", has(7, 1, 8));
	show("smep", has(7, 1, 7));
	show("sha_ni", has(7, 1, 29));
	show("rdtscp", has(0x80000001, 3, 27));
	show("nx", has(0x80000001, 3, 20));
	show("nonstop_tsc", has(0x80000007, 3, 8));
	show("hypervisor", has(1, 2, 31));
	cr4 = check_cr4();
	efer = check_efer();
	xsave = check_xsave();
	msrs = check_msrs();
	bm_printf(" end\ncpu: xcr0=0x%x area=%u tsc_khz=%u\n", bm_cpuid(0xd, 0).eax,
		  bm_cpuid(0xd, 0).ecx, bm_cpuid(0x40000010, 0).eax);
	bm_printf("cpu: unknown MSRs: %s %s\n", unknown_msr(MSR_UNKNOWN), unknown_msr(MSR_XSS));
	bm_printf("cpu: surprises: cr4=%u efer=%u xsave=%u msrs=%u\n", cr4, efer, xsave, msrs);
	return cr4 | efer | xsave | msrs ? BM_EXIT_FAILED : BM_EXIT_OK;
}
