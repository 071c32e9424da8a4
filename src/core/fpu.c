/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest FPU, SSE and AVX state. It is in the CPU's registers between fpu_begin and fpu_end, so an
 * exit does not touch it. XCR0 too is the guest's there: interrupt handlers of a host may not use
 * the FPU inside such a section (APM2 11.5, SDM 1 13). IA32_XSS is 0 there, as guests have no
 * supervisor state: the host's is not for their XSAVES, which SVM cannot intercept.
 */
#include "core/vm.h"

#include "lib/bits.h"
#include "lib/mem.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"

/*
 * Layout of the legacy area: FCW at 0, MXCSR at 24, XMM0 at 160 (APM2 11.4.4); the XSAVE header at
 * 512.
 */
#define FPU_FCW 0
#define FPU_MXCSR 24
#define FPU_XMM 160
#define XSAVE_BV 512
#define FPU_FCW_RESET 0x37fu
#define FPU_MXCSR_RESET 0x1f80u
#define FXSAVE_SIZE 512u

static uint32_t area_size(const struct v3_host *host)
{
	return host->caps.xcr0 ? host->caps.xsave_size : FXSAVE_SIZE;
}

V3_RARE enum v3_status v3_fpu_create(struct v3_vcpu *vcpu)
{
	uint32_t pages = (uint32_t)((area_size(vcpu->host) + V3_PAGE_SIZE - 1) / V3_PAGE_SIZE);
	enum v3_status status;

	status = v3_os_page_alloc(vcpu->host, pages, 1, V3_NODE_ANY, 0, &vcpu->fpu_hpa);
	if (status != V3_OK)
		return status;
	vcpu->fpu_pages = pages;
	vcpu->fpu = v3_os_virt(vcpu->host, vcpu->fpu_hpa);
	vcpu->vm->vcpu_bytes += pages * V3_PAGE_SIZE;
	v3_fpu_reset(vcpu);
	return V3_OK;
}

void v3_fpu_destroy(struct v3_vcpu *vcpu)
{
	if (!vcpu->fpu_pages)
		return;
	memset(vcpu->fpu, 0, vcpu->fpu_pages * V3_PAGE_SIZE);
	v3_os_page_free(vcpu->host, vcpu->fpu_hpa, vcpu->fpu_pages);
	vcpu->fpu_pages = 0;
}

void v3_fpu_reset(struct v3_vcpu *vcpu)
{
	uint8_t *area = vcpu->fpu;
	uint16_t fcw = FPU_FCW_RESET;
	uint32_t mxcsr = FPU_MXCSR_RESET;

	/* A zero XSTATE_BV puts every component into its initial state. */
	memset(area, 0, vcpu->fpu_pages * V3_PAGE_SIZE);
	memcpy(area + FPU_FCW, &fcw, sizeof(fcw));
	memcpy(area + FPU_MXCSR, &mxcsr, sizeof(mxcsr));
	vcpu->xcr0 = V3_XCR0_X87;
}

bool v3_xcr0_valid(uint64_t xcr0, uint64_t supported)
{
	uint64_t avx512 = xcr0 & V3_XCR0_AVX512;

	if (!(xcr0 & V3_XCR0_X87) || xcr0 & ~supported)
		return false;
	if (xcr0 & V3_XCR0_AVX && !(xcr0 & V3_XCR0_SSE))
		return false;
	return !avx512 || (avx512 == V3_XCR0_AVX512 && xcr0 & V3_XCR0_AVX);
}

void v3_fpu_load(struct v3_vcpu *vcpu)
{
	uint64_t mask = vcpu->host->caps.xcr0;

	if (!mask) {
		v3_x86_fxrstor64(vcpu->fpu);
		return;
	}
	vcpu->host_xss = vcpu->host->has_xss ? v3_x86_rdmsr(V3_MSR_XSS) : 0;
	if (vcpu->host_xss)
		v3_x86_wrmsr(V3_MSR_XSS, 0);
	vcpu->host_xcr0 = v3_x86_xgetbv(0);
	v3_x86_xrstor64(vcpu->fpu, mask);
	if (vcpu->xcr0 != vcpu->host_xcr0)
		v3_x86_xsetbv(0, vcpu->xcr0);
}

void v3_fpu_put(struct v3_vcpu *vcpu)
{
	uint64_t mask = vcpu->host->caps.xcr0;

	if (!mask) {
		v3_x86_fxsave64(vcpu->fpu);
		return;
	}
	if (vcpu->xcr0 != vcpu->host_xcr0)
		v3_x86_xsetbv(0, vcpu->host_xcr0);
	v3_x86_xsave64(vcpu->fpu, mask);
	if (vcpu->host_xss)
		v3_x86_wrmsr(V3_MSR_XSS, vcpu->host_xss);
}

/* --- One vector register, inside of a section --- */

static uint8_t *xmm(const struct v3_vcpu *vcpu, unsigned int reg)
{
	return (uint8_t *)vcpu->fpu + FPU_XMM + 16 * reg;
}

/* Where an XSAVE component lies: the standard form's offsets are CPUID's to tell (APM2 11.5.3). */
static uint8_t *component(const struct v3_vcpu *vcpu, uint64_t xcr0_bit)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(0xd, (uint32_t)__builtin_ctzll(xcr0_bit), &regs);
	return (uint8_t *)vcpu->fpu + regs.ebx;
}

/*
 * The components of mask into the area. Its header names no others then: those may be beyond the
 * guest's XCR0, which XRSTOR would not take. v3_fpu_put() writes all of it anew.
 */
static uint64_t components_save(struct v3_vcpu *vcpu, uint64_t mask)
{
	uint64_t used = 0;

	memcpy((uint8_t *)vcpu->fpu + XSAVE_BV, &used, sizeof(used));
	v3_x86_xsave64(vcpu->fpu, mask);
	memcpy(&used, (uint8_t *)vcpu->fpu + XSAVE_BV, sizeof(used));
	return used;
}

/*
 * FXSAVE: unlike XSAVE it saves XMM registers whatever XCR0 says, and SSE works without XCR0 too.
 */
void v3_fpu_vec_get(struct v3_vcpu *vcpu, unsigned int reg, void *buf, unsigned int size)
{
	uint8_t *out = buf;

	v3_x86_fxsave64(vcpu->fpu);
	memcpy(out, xmm(vcpu, reg), size < 16 ? size : 16);
	if (size <= 16)
		return;
	if (components_save(vcpu, V3_XCR0_AVX) & V3_XCR0_AVX)
		memcpy(out + 16, component(vcpu, V3_XCR0_AVX) + 16 * reg, size - 16);
	else	/* in its initial state, and perhaps not written */
		memset(out + 16, 0, size - 16);
}

/* Bits 255:128 of a register, or zeros, and zeros above; the guest has AVX on. */
static void upper_set(struct v3_vcpu *vcpu, unsigned int reg, const void *upper)
{
	uint64_t mask = vcpu->xcr0 & (V3_XCR0_AVX | V3_XCR0_ZMM_HI256);
	uint64_t used = components_save(vcpu, mask);
	uint8_t *avx = component(vcpu, V3_XCR0_AVX);

	if (!(used & V3_XCR0_AVX))
		memset(avx, 0, 16 * 16);
	if (upper)
		memcpy(avx + 16 * reg, upper, 16);
	else
		memset(avx + 16 * reg, 0, 16);
	if (used & V3_XCR0_ZMM_HI256)
		memset(component(vcpu, V3_XCR0_ZMM_HI256) + 32 * reg, 0, 32);
	used |= V3_XCR0_AVX;
	memcpy((uint8_t *)vcpu->fpu + XSAVE_BV, &used, sizeof(used));
	v3_x86_xrstor64(vcpu->fpu, mask);
}

void v3_fpu_vec_set(struct v3_vcpu *vcpu, unsigned int reg, const void *buf, unsigned int size,
		    bool zero_upper)
{
	const uint8_t *in = buf;

	v3_x86_fxsave64(vcpu->fpu);
	memcpy(xmm(vcpu, reg), in, size < 16 ? size : 16);
	v3_x86_fxrstor64(vcpu->fpu);
	if (zero_upper)
		upper_set(vcpu, reg, size > 16 ? in + 16 : NULL);
}
