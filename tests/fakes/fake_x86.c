/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers and instructions of the fake CPU. */
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_vmx_state.h"
#include "fakes/fake_x86.h"
#include "fakes/fake_x86_state.h"
#include "x86/cr.h"
#include "x86/msr.h"

struct fake_x86 fake_x86;

_Thread_local struct fake_thread fake_thread = { .irqs_on = true, .gif = true };

struct fake_cpu *fake_this_cpu(void)
{
	return &fake_x86.cpus[fake_thread.cpu];
}

void fake_trace(enum v3_fake_op op, uint32_t arg, uint64_t value)
{
	struct fake_cpu *cpu = fake_this_cpu();

	cpu->trace[cpu->trace_count++ % V3_FAKE_TRACE_SIZE] =
		(struct v3_fake_trace){ .op = op, .arg = arg, .value = value };
}

void v3_fake_trace_clear(void)
{
	fake_this_cpu()->trace_count = 0;
}

unsigned int v3_fake_trace_count(void)
{
	return fake_this_cpu()->trace_count;
}

const struct v3_fake_trace *v3_fake_trace_at(unsigned int index)
{
	struct fake_cpu *cpu = fake_this_cpu();

	if (index >= cpu->trace_count || index + V3_FAKE_TRACE_SIZE < cpu->trace_count)
		v3_fake_fail("trace entry %u of %u is not there", index, cpu->trace_count);
	return &cpu->trace[index % V3_FAKE_TRACE_SIZE];
}

unsigned int v3_fake_trace_find(enum v3_fake_op op)
{
	struct fake_cpu *cpu = fake_this_cpu();
	unsigned int n = cpu->trace_count < V3_FAKE_TRACE_SIZE ? cpu->trace_count :
								 V3_FAKE_TRACE_SIZE;
	unsigned int found = 0;

	for (unsigned int i = 0; i < n; i++)
		found += cpu->trace[i].op == op;
	return found;
}

unsigned int v3_fake_cpu(void)
{
	return fake_thread.cpu;
}

void v3_fake_set_cpu(unsigned int cpu)
{
	if (cpu >= V3_FAKE_MAX_CPUS)
		v3_fake_fail("no fake CPU %u, there are %u", cpu, V3_FAKE_MAX_CPUS);
	else
		fake_thread.cpu = cpu;
}

/* Control and debug registers */

uint64_t v3_x86_read_cr0(void)
{
	return fake_this_cpu()->cr0;
}

void v3_x86_write_cr0(uint64_t value)
{
	if ((value & ~V3_CR0_DEFINED) || !(value & V3_CR0_PE) || !(value & V3_CR0_PG))
		v3_fake_fail("write of %#llx to CR0", (unsigned long long)value);
	fake_trace(V3_FAKE_WRITE_CR, 0, value);
	fake_this_cpu()->cr0 = value;
}

uint64_t v3_x86_read_cr2(void)
{
	return fake_this_cpu()->cr2;
}

void v3_x86_write_cr2(uint64_t value)
{
	fake_trace(V3_FAKE_WRITE_CR, 2, value);
	fake_this_cpu()->cr2 = value;
}

uint64_t v3_x86_read_cr3(void)
{
	return fake_this_cpu()->cr3;
}

void v3_x86_write_cr3(uint64_t value)
{
	fake_trace(V3_FAKE_WRITE_CR, 3, value);
	fake_this_cpu()->cr3 = value;
}

uint64_t v3_x86_read_cr4(void)
{
	return fake_this_cpu()->cr4;
}

void v3_x86_write_cr4(uint64_t value)
{
	if (!(value & V3_CR4_PAE) || value >> 25)
		v3_fake_fail("write of %#llx to CR4", (unsigned long long)value);
	fake_vmx_cr4_write(value);
	fake_trace(V3_FAKE_WRITE_CR, 4, value);
	fake_this_cpu()->cr4 = value;
}

static void write_dr(unsigned int n, uint64_t value)
{
	if (n >= 6 && value >> 32)
		v3_fake_fail("write of %#llx to DR%u", (unsigned long long)value, n);
	fake_trace(V3_FAKE_WRITE_DR, n, value);
	fake_this_cpu()->dr[n] = value;
}

#define FAKE_DR(n) \
	uint64_t v3_x86_read_dr##n(void) \
	{ \
		return fake_this_cpu()->dr[n]; \
	} \
	void v3_x86_write_dr##n(uint64_t value) \
	{ \
		write_dr(n, value); \
	}

FAKE_DR(0)
FAKE_DR(1)
FAKE_DR(2)
FAKE_DR(3)
FAKE_DR(6)
FAKE_DR(7)

/* Time */

uint64_t v3_x86_rdtsc(void)
{
	return __atomic_add_fetch(&fake_x86.tsc, __atomic_load_n(&fake_x86.tsc_step, __ATOMIC_RELAXED),
				  __ATOMIC_RELAXED);
}

void v3_fake_tsc_set(uint64_t value)
{
	__atomic_store_n(&fake_x86.tsc, value, __ATOMIC_RELAXED);
}

void v3_fake_tsc_advance(uint64_t ticks)
{
	__atomic_add_fetch(&fake_x86.tsc, ticks, __ATOMIC_RELAXED);
}

void v3_fake_tsc_step(uint64_t ticks)
{
	__atomic_store_n(&fake_x86.tsc_step, ticks, __ATOMIC_RELAXED);
}

/* Interrupt flag and GIF */

uint64_t v3_x86_irq_save(void)
{
	uint64_t flags = V3_RFLAGS_FIXED1 | (fake_thread.irqs_on ? V3_RFLAGS_IF : 0);

	fake_trace(V3_FAKE_CLI, 0, 0);
	fake_thread.irqs_on = false;
	return flags;
}

void v3_x86_irq_restore(uint64_t flags)
{
	if (!(flags & V3_RFLAGS_FIXED1))
		v3_fake_fail("irq_restore(%#llx): not what irq_save returned",
			     (unsigned long long)flags);
	if (flags & V3_RFLAGS_IF)
		v3_x86_sti();
}

void v3_x86_cli(void)
{
	fake_trace(V3_FAKE_CLI, 0, 0);
	fake_thread.irqs_on = false;
}

void v3_x86_sti(void)
{
	fake_trace(V3_FAKE_STI, 0, 0);
	fake_thread.irqs_on = true;
}

static void need_svme(const char *insn)
{
	if (!(v3_fake_msr_get(V3_MSR_EFER) & V3_EFER_SVME))
		v3_fake_fail("%s on CPU %u without EFER.SVME", insn, fake_thread.cpu);
}

void v3_x86_stgi(void)
{
	need_svme("STGI");
	fake_trace(V3_FAKE_STGI, 0, 0);
	fake_thread.gif = true;
}

void v3_x86_clgi(void)
{
	need_svme("CLGI");
	fake_trace(V3_FAKE_CLGI, 0, 0);
	fake_thread.gif = false;
}

bool v3_fake_irqs_on(void)
{
	return fake_thread.irqs_on && fake_thread.gif;
}

bool v3_fake_gif(void)
{
	return fake_thread.gif;
}

void v3_fake_set_irqs(bool on)
{
	fake_thread.irqs_on = on;
}

/* The rest of SVM, caches, machine check */

static void need_vmcb(const char *insn, uint64_t hpa)
{
	need_svme(insn);
	if (hpa & 0xfff)
		v3_fake_fail("%s of %#llx, which is not 4 KiB aligned", insn,
			     (unsigned long long)hpa);
}

void v3_x86_vmsave(uint64_t hpa)
{
	need_vmcb("VMSAVE", hpa);
	fake_trace(V3_FAKE_VMSAVE, 0, hpa);
}

void v3_x86_vmload(uint64_t hpa)
{
	need_vmcb("VMLOAD", hpa);
	fake_trace(V3_FAKE_VMLOAD, 0, hpa);
}

void v3_x86_invlpga(uint64_t va, uint32_t asid)
{
	need_svme("INVLPGA");
	fake_trace(V3_FAKE_INVLPGA, asid, va);
}

void v3_x86_wbinvd(void)
{
	fake_trace(V3_FAKE_WBINVD, 0, 0);
}

void v3_x86_int_mce(void)
{
	fake_trace(V3_FAKE_INT_MCE, 0, 0);
}

/* FPU */

uint8_t *v3_fake_fpu(void)
{
	return fake_this_cpu()->fpu;
}

uint64_t v3_x86_xgetbv(uint32_t xcr)
{
	if (xcr != 0 || !(fake_this_cpu()->cr4 & V3_CR4_OSXSAVE))
		v3_fake_fail("XGETBV(%u) with CR4 %#llx", xcr,
			     (unsigned long long)fake_this_cpu()->cr4);
	return fake_this_cpu()->xcr0;
}

static uint64_t supported_xcr0(void)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(0xd, 0, &regs);
	return (uint64_t)regs.edx << 32 | regs.eax;
}

void v3_x86_xsetbv(uint32_t xcr, uint64_t value)
{
	if (xcr != 0 || !(fake_this_cpu()->cr4 & V3_CR4_OSXSAVE) || !(value & V3_XCR0_X87) ||
	    (value & ~supported_xcr0()) || ((value & V3_XCR0_AVX) && !(value & V3_XCR0_SSE)))
		v3_fake_fail("XSETBV(%u) of %#llx: #GP", xcr, (unsigned long long)value);
	fake_trace(V3_FAKE_XSETBV, xcr, value);
	fake_this_cpu()->xcr0 = value;
}

static void copy_fpu(uint8_t *dst, const uint8_t *src, uint64_t mask)
{
	struct v3_cpuid_regs regs;

	if (mask & (V3_XCR0_X87 | V3_XCR0_SSE))
		memcpy(dst, src, 512);
	for (uint32_t i = 2; i < 63; i++) {
		if (!(mask & (1ULL << i)))
			continue;
		v3_x86_cpuid(0xd, i, &regs);
		if (regs.eax == 0 || regs.ebx + regs.eax > V3_FAKE_FPU_SIZE) {
			v3_fake_fail("XSAVE component %u is not in the fake CPUID table", i);
			return;
		}
		memcpy(dst + regs.ebx, src + regs.ebx, regs.eax);
	}
}

static void check_xsave(const char *insn, const void *area)
{
	if ((uintptr_t)area & 63)
		v3_fake_fail("%s area %p is not 64-byte aligned", insn, area);
	if (!(fake_this_cpu()->cr4 & V3_CR4_OSXSAVE))
		v3_fake_fail("%s without CR4.OSXSAVE", insn);
}

/* Components from 2 on that hold nothing but zeros. */
static uint64_t initial_state(const struct fake_cpu *cpu, uint64_t mask)
{
	static const uint8_t zeros[V3_FAKE_FPU_SIZE];
	struct v3_cpuid_regs regs;
	uint64_t initial = 0;

	for (uint32_t i = 2; i < 63; i++) {
		if (!(mask & (1ULL << i)))
			continue;
		v3_x86_cpuid(0xd, i, &regs);
		if (regs.eax && regs.ebx + regs.eax <= V3_FAKE_FPU_SIZE &&
		    memcmp(cpu->fpu + regs.ebx, zeros, regs.eax) == 0)
			initial |= 1ULL << i;
	}
	return initial;
}

/* A component in its initial state is told by its bit alone, as a CPU may do it. */
void v3_x86_xsave64(void *area, uint64_t mask)
{
	struct fake_cpu *cpu = fake_this_cpu();
	uint64_t xstate_bv, initial;

	check_xsave("XSAVE", area);
	fake_trace(V3_FAKE_XSAVE, 0, mask);
	mask &= cpu->xcr0;
	initial = initial_state(cpu, mask);
	copy_fpu(area, cpu->fpu, mask & ~initial);
	memcpy(&xstate_bv, (uint8_t *)area + 512, sizeof(xstate_bv));
	xstate_bv = (xstate_bv | mask) & ~initial;
	memcpy((uint8_t *)area + 512, &xstate_bv, sizeof(xstate_bv));
}

void v3_x86_xrstor64(const void *area, uint64_t mask)
{
	struct fake_cpu *cpu = fake_this_cpu();
	uint64_t xstate_bv;
	static const uint8_t zeros[V3_FAKE_FPU_SIZE];

	check_xsave("XRSTOR", area);
	fake_trace(V3_FAKE_XRSTOR, 0, mask);
	memcpy(&xstate_bv, (const uint8_t *)area + 512, sizeof(xstate_bv));
	if ((xstate_bv & ~cpu->xcr0) || memcmp((const uint8_t *)area + 520, zeros, 16) != 0)
		v3_fake_fail("XRSTOR header: XSTATE_BV %#llx with XCR0 %#llx, or XCOMP_BV set: #GP",
			     (unsigned long long)xstate_bv, (unsigned long long)cpu->xcr0);
	mask &= cpu->xcr0;
	copy_fpu(cpu->fpu, zeros, mask & ~xstate_bv);
	copy_fpu(cpu->fpu, area, mask & xstate_bv);
}

static void check_fxsave(const char *insn, const void *area)
{
	if ((uintptr_t)area & 15)
		v3_fake_fail("%s area %p is not 16-byte aligned", insn, area);
}

void v3_x86_fxsave64(void *area)
{
	check_fxsave("FXSAVE", area);
	fake_trace(V3_FAKE_FXSAVE, 0, 0);
	memcpy(area, fake_this_cpu()->fpu, 512);
}

void v3_x86_fxrstor64(const void *area)
{
	check_fxsave("FXRSTOR", area);
	fake_trace(V3_FAKE_FXRSTOR, 0, 0);
	memcpy(fake_this_cpu()->fpu, area, 512);
}
