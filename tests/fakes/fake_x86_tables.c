/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID and MSRs of the fake CPU, and its state at reset. */
#include <string.h>

#include "fakes/fake_fail.h"
#include "fakes/fake_vmx_state.h"
#include "fakes/fake_x86.h"
#include "fakes/fake_x86_state.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"

static struct fake_cpuid *find_cpuid(uint32_t leaf, uint32_t subleaf)
{
	for (unsigned int i = 0; i < fake_x86.num_cpuid; i++) {
		struct fake_cpuid *c = &fake_x86.cpuid[i];

		if (c->leaf == leaf &&
		    (c->subleaf == subleaf || c->subleaf == V3_FAKE_ANY_SUBLEAF))
			return c;
	}
	return NULL;
}

void v3_fake_cpuid_set(uint32_t leaf, uint32_t subleaf, uint32_t eax, uint32_t ebx, uint32_t ecx,
		       uint32_t edx)
{
	struct fake_cpuid *c = find_cpuid(leaf, subleaf);

	if (!c) {
		if (fake_x86.num_cpuid == FAKE_MAX_CPUID) {
			v3_fake_fail("more than %d CPUID entries", FAKE_MAX_CPUID);
			return;
		}
		c = &fake_x86.cpuid[fake_x86.num_cpuid++];
	}
	c->leaf = leaf;
	c->subleaf = subleaf;
	c->regs = (struct v3_cpuid_regs){ eax, ebx, ecx, edx };
}

struct v3_cpuid_regs *v3_fake_cpuid_at(uint32_t leaf, uint32_t subleaf)
{
	struct fake_cpuid *c = find_cpuid(leaf, subleaf);

	if (!c) {
		v3_fake_fail("the fake CPU has no CPUID leaf %#x.%u", leaf, subleaf);
		return NULL;
	}
	return &c->regs;
}

void v3_x86_cpuid(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs)
{
	const struct fake_cpuid *c = find_cpuid(leaf, subleaf);

	if (c)
		*regs = c->regs;
	else
		memset(regs, 0, sizeof(*regs));
}

static struct fake_msr *find_msr(struct fake_cpu *cpu, uint32_t number)
{
	for (unsigned int i = 0; i < cpu->num_msrs; i++)
		if (cpu->msrs[i].number == number)
			return &cpu->msrs[i];
	return NULL;
}

static struct fake_msr *need_msr(unsigned int cpu, uint32_t number, const char *what)
{
	static struct fake_msr none;
	struct fake_msr *msr = find_msr(&fake_x86.cpus[cpu], number);

	if (msr)
		return msr;
	v3_fake_fail("%s of MSR %#x, which fake CPU %u does not have", what, number, cpu);
	memset(&none, 0, sizeof(none));
	return &none;
}

void v3_fake_msr_set_on(unsigned int cpu, uint32_t number, uint64_t value)
{
	struct fake_cpu *c = &fake_x86.cpus[cpu];
	struct fake_msr *msr = find_msr(c, number);

	if (!msr) {
		if (c->num_msrs == FAKE_MAX_MSRS) {
			v3_fake_fail("more than %d MSRs", FAKE_MAX_MSRS);
			return;
		}
		msr = &c->msrs[c->num_msrs++];
		*msr = (struct fake_msr){ .number = number, .writable = ~0ULL };
	}
	msr->value = value;
}

void v3_fake_msr_set(uint32_t number, uint64_t value)
{
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++)
		v3_fake_msr_set_on(cpu, number, value);
}

void v3_fake_msr_remove(uint32_t number)
{
	struct fake_cpu *cpu = fake_this_cpu();
	struct fake_msr *msr = need_msr(fake_thread.cpu, number, "removal");

	if (cpu->num_msrs > 0 && msr->number == number)
		*msr = cpu->msrs[--cpu->num_msrs];
}

bool fake_msr_exists(uint32_t number)
{
	return find_msr(fake_this_cpu(), number);
}

void v3_fake_msr_writable(uint32_t number, uint64_t mask)
{
	need_msr(fake_thread.cpu, number, "write mask")->writable = mask;
}

uint64_t v3_fake_msr_get_on(unsigned int cpu, uint32_t number)
{
	return need_msr(cpu, number, "test's read")->value;
}

uint64_t v3_fake_msr_get(uint32_t number)
{
	return v3_fake_msr_get_on(fake_thread.cpu, number);
}

unsigned int v3_fake_msr_reads(uint32_t number)
{
	return need_msr(fake_thread.cpu, number, "count")->reads;
}

unsigned int v3_fake_msr_writes(uint32_t number)
{
	return need_msr(fake_thread.cpu, number, "count")->writes;
}

uint64_t v3_x86_rdmsr(uint32_t number)
{
	struct fake_msr *msr = need_msr(fake_thread.cpu, number, "RDMSR");

	msr->reads++;
	return number == V3_MSR_TSC ? v3_x86_rdtsc() : msr->value;
}

void v3_x86_wrmsr(uint32_t number, uint64_t value)
{
	struct fake_msr *msr = need_msr(fake_thread.cpu, number, "WRMSR");

	if ((msr->value ^ value) & ~msr->writable)
		v3_fake_fail("WRMSR of %#llx to MSR %#x changes bits that are not writable: #GP",
			     (unsigned long long)value, number);
	if (number == V3_MSR_FEATURE_CONTROL && msr->value & V3_FEATURE_CONTROL_LOCK)
		v3_fake_fail("WRMSR of FEATURE_CONTROL, which is locked: #GP");
	msr->writes++;
	fake_trace(V3_FAKE_WRMSR, number, value);
	msr->value = value;
}

static void reset_cpuid(void)
{
	uint32_t ecx1 = V3_CPUID_1_ECX_SSE3 | V3_CPUID_1_ECX_SSSE3 | V3_CPUID_1_ECX_CX16 |
			V3_CPUID_1_ECX_SSE41 | V3_CPUID_1_ECX_SSE42 | V3_CPUID_1_ECX_POPCNT |
			V3_CPUID_1_ECX_XSAVE | V3_CPUID_1_ECX_OSXSAVE | V3_CPUID_1_ECX_AVX;
	uint32_t edx1 = V3_CPUID_1_EDX_FPU | V3_CPUID_1_EDX_VME | V3_CPUID_1_EDX_DE |
			V3_CPUID_1_EDX_PSE | V3_CPUID_1_EDX_TSC | V3_CPUID_1_EDX_MSR |
			V3_CPUID_1_EDX_PAE | V3_CPUID_1_EDX_MCE | V3_CPUID_1_EDX_CX8 |
			V3_CPUID_1_EDX_APIC | V3_CPUID_1_EDX_SEP | V3_CPUID_1_EDX_MTRR |
			V3_CPUID_1_EDX_PGE | V3_CPUID_1_EDX_MCA | V3_CPUID_1_EDX_CMOV |
			V3_CPUID_1_EDX_PAT | V3_CPUID_1_EDX_PSE36 | V3_CPUID_1_EDX_CLFLUSH |
			V3_CPUID_1_EDX_MMX | V3_CPUID_1_EDX_FXSR | V3_CPUID_1_EDX_SSE |
			V3_CPUID_1_EDX_SSE2;

	fake_x86.num_cpuid = 0;
	v3_fake_cpuid_set(V3_CPUID_LEAF_VENDOR, V3_FAKE_ANY_SUBLEAF, 0xd, V3_CPUID_AMD_EBX,
			  V3_CPUID_AMD_ECX, V3_CPUID_AMD_EDX);
	v3_fake_cpuid_set(V3_CPUID_LEAF_FEATURES, V3_FAKE_ANY_SUBLEAF, 0x00800f12, 0x00040800, ecx1,
			  edx1);
	v3_fake_cpuid_set(V3_CPUID_LEAF_EXT_FEATURES, 0, 0,
			  V3_CPUID_7_EBX_FSGSBASE | V3_CPUID_7_EBX_SMEP | V3_CPUID_7_EBX_AVX2, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 0, V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX, 832, 832,
			  0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 1, V3_CPUID_D1_EAX_XSAVEOPT, 0, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_XSAVE, 2, 256, 576, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_EXT_MAX, V3_FAKE_ANY_SUBLEAF, 0x8000001f, V3_CPUID_AMD_EBX,
			  V3_CPUID_AMD_ECX, V3_CPUID_AMD_EDX);
	v3_fake_cpuid_set(V3_CPUID_LEAF_EXT1, V3_FAKE_ANY_SUBLEAF, 0x00800f12, 0,
			  V3_CPUID_80000001_ECX_LAHF | V3_CPUID_80000001_ECX_SVM |
				  V3_CPUID_80000001_ECX_CR8_LEGACY,
			  (edx1 & V3_CPUID_80000001_EDX_LEAF1_MASK) | V3_CPUID_80000001_EDX_SYSCALL |
				  V3_CPUID_80000001_EDX_NX | V3_CPUID_80000001_EDX_PAGE1GB |
				  V3_CPUID_80000001_EDX_RDTSCP | V3_CPUID_80000001_EDX_LM);
	v3_fake_cpuid_set(V3_CPUID_LEAF_APM, V3_FAKE_ANY_SUBLEAF, 0, 0, 0,
			  V3_CPUID_80000007_EDX_INVARIANT_TSC);
	v3_fake_cpuid_set(V3_CPUID_LEAF_SIZES, V3_FAKE_ANY_SUBLEAF, 0x3030, 0, 0, 0);
	v3_fake_cpuid_set(V3_CPUID_LEAF_SVM, V3_FAKE_ANY_SUBLEAF, 1, 16, 0, V3_CPUID_SVM_EDX_NPT);
}

static void reset_msrs(void)
{
	static const struct {
		uint32_t number;
		uint64_t value;
	} table[] = {
		{ V3_MSR_TSC, 0 },
		{ V3_MSR_APIC_BASE, 0xfee00000 | V3_APIC_BASE_ENABLE },
		{ V3_MSR_SYSENTER_CS, 0x10 },
		{ V3_MSR_SYSENTER_ESP, 0 },
		{ V3_MSR_SYSENTER_EIP, 0 },
		{ V3_MSR_PAT, V3_PAT_RESET },
		{ V3_MSR_EFER, V3_EFER_SCE | V3_EFER_LME | V3_EFER_LMA | V3_EFER_NXE },
		{ V3_MSR_STAR, 0x0023001000000000ULL },
		{ V3_MSR_LSTAR, 0xffffffff81000000ULL },
		{ V3_MSR_CSTAR, 0xffffffff81000100ULL },
		{ V3_MSR_SFMASK, 0x47700 },
		{ V3_MSR_FS_BASE, 0 },
		{ V3_MSR_GS_BASE, 0xffff888000000000ULL },
		{ V3_MSR_KERNEL_GS_BASE, 0 },
		{ V3_MSR_TSC_AUX, 0 },
		{ V3_MSR_VM_CR, 0 },
		{ V3_MSR_VM_HSAVE_PA, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		v3_fake_msr_set(table[i].number, table[i].value);
}

void v3_fake_svm_tsc_scaling(void)
{
	unsigned int here = v3_fake_cpu();

	v3_fake_cpuid_at(V3_CPUID_LEAF_SVM, 0)->edx |= V3_CPUID_SVM_EDX_TSC_RATE;
	v3_fake_msr_set(V3_MSR_AMD_TSC_RATIO, V3_TSC_RATIO_ONE);
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++) {
		v3_fake_set_cpu(cpu);
		v3_fake_msr_writable(V3_MSR_AMD_TSC_RATIO, (1ULL << 40) - 1);
	}
	v3_fake_set_cpu(here);
}

void v3_fake_x86_reset(void)
{
	memset(&fake_x86, 0, sizeof(fake_x86));
	for (unsigned int i = 0; i < V3_FAKE_MAX_CPUS; i++) {
		struct fake_cpu *cpu = &fake_x86.cpus[i];

		cpu->cr0 = V3_CR0_PE | V3_CR0_MP | V3_CR0_ET | V3_CR0_NE | V3_CR0_WP | V3_CR0_PG;
		cpu->cr3 = 0x1000;
		cpu->cr4 = V3_CR4_PAE | V3_CR4_PGE | V3_CR4_OSFXSR | V3_CR4_OSXMMEXCPT |
			   V3_CR4_OSXSAVE;
		cpu->xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX;
		cpu->dr[6] = V3_DR6_RESET;
		cpu->dr[7] = V3_DR7_RESET;
	}
	reset_cpuid();
	reset_msrs();
	fake_vmx_reset();
	fake_thread = (struct fake_thread){ .irqs_on = true, .gif = true };
}
