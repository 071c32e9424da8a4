/* SPDX-License-Identifier: BSD-2-Clause */
/* Permission maps: which MSRs and ports exit. APM2 15.10, 15.11. */
#include "svm/svm.h"

#include "lib/mem.h"
#include "x86/msr.h"

#define MSRPM_SIZE (2 * V3_PAGE_SIZE)
#define IOPM_SIZE (3 * V3_PAGE_SIZE)
#define NO_BIT (~0u)

/* Number of the read bit of an MSR; the write bit is the next. Others always exit. */
static uint32_t msrpm_bit(uint32_t msr)
{
	if (msr <= 0x1fff)
		return 2 * msr;
	if (msr >= 0xc0000000 && msr <= 0xc0001fff)
		return 8 * 0x800 + 2 * (msr - 0xc0000000);
	if (msr >= 0xc0010000 && msr <= 0xc0011fff)
		return 8 * 0x1000 + 2 * (msr - 0xc0010000);
	return NO_BIT;
}

static void bit_clear(uint8_t *map, uint32_t bit)
{
	map[bit / 8] &= (uint8_t)~(1u << (bit % 8));
}

void svm_msrpm_fill(uint8_t *msrpm)
{
	/* VMLOAD and VMSAVE switch all of these (APM2 15.5.2). */
	static const uint32_t free_msrs[] = {
		V3_MSR_FS_BASE, V3_MSR_GS_BASE, V3_MSR_KERNEL_GS_BASE, V3_MSR_STAR, V3_MSR_LSTAR,
		V3_MSR_CSTAR, V3_MSR_SFMASK, V3_MSR_SYSENTER_CS, V3_MSR_SYSENTER_ESP,
		V3_MSR_SYSENTER_EIP,
	};
	unsigned int i;

	memset(msrpm, 0xff, MSRPM_SIZE);
	for (i = 0; i < sizeof(free_msrs) / sizeof(free_msrs[0]); i++) {
		bit_clear(msrpm, msrpm_bit(free_msrs[i]));
		bit_clear(msrpm, msrpm_bit(free_msrs[i]) + 1);
	}
	/* Reads have TSC_OFFSET applied; writes move the guest's TSC only. */
	bit_clear(msrpm, msrpm_bit(V3_MSR_TSC));
}

bool svm_msrpm_intercepts(const uint8_t *msrpm, uint32_t msr, bool write)
{
	uint32_t bit = msrpm_bit(msr);

	if (bit == NO_BIT)
		return true;
	bit += write;
	return msrpm[bit / 8] >> (bit % 8) & 1;
}

/* No port is the guest's own yet. */
void svm_iopm_fill(uint8_t *iopm)
{
	memset(iopm, 0xff, IOPM_SIZE);
}
