/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID and capability MSRs of four CPU models as a bare-metal program read them in Bochs 2.7,
 * whose BIOS leaves FEATURE_CONTROL locked with VMX on. Not all leaves: what libv3 looks at.
 */
#include "fakes/fake_fail.h"
#include "fakes/fake_vmx.h"
#include "fakes/fake_vmx_state.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/vmx.h"

struct cpuid {
	uint32_t leaf, subleaf;
	struct v3_cpuid_regs regs;
};

#define ANY V3_FAKE_ANY_SUBLEAF
#define MAX_LEAVES 20

/* The MSRs from IA32_VMX_BASIC on. */
#define NUM_MSRS (V3_MSR_VMX_VMFUNC - V3_MSR_VMX_BASIC + 1)
/* Reading it raises #GP. */
#define NONE ~0ULL

struct model {
	const char *name;
	struct cpuid cpuid[MAX_LEAVES];
	uint64_t msrs[NUM_MSRS];
	uint64_t xcr0;
	bool rdtscp, xsaves;
};

static const struct model models[V3_FAKE_VMX_MODELS] = {
	[V3_FAKE_SKYLAKE_X] = {
		.name = "skylake_x",
		.cpuid = {
			{ 0x0, ANY, { 0x00000016, 0x756e6547, 0x6c65746e, 0x49656e69 } },
			{ 0x1, ANY, { 0x00050654, 0x00010800, 0x7ffaf3bf, 0xbfebfbff } },
			{ 0x6, ANY, { 0x00000075, 0x00000002, 0x00000009, 0x00000000 } },
			{ 0x7, 0, { 0x00000000, 0xd19f27eb, 0x00000000, 0x00000000 } },
			{ 0xa, ANY, { 0x07300404, 0x00000000, 0x00000000, 0x00000603 } },
			{ 0xd, 0, { 0x000000e7, 0x00000340, 0x00000a80, 0x00000000 } },
			{ 0xd, 1, { 0x0000000f, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0xd, 2, { 0x00000100, 0x00000240, 0x00000000, 0x00000000 } },
			/* The AVX-512 components, where every CPU has them. */
			{ 0xd, 5, { 0x40, 0x440, 0, 0 } },
			{ 0xd, 6, { 0x200, 0x480, 0, 0 } },
			{ 0xd, 7, { 0x400, 0x680, 0, 0 } },
			{ 0x80000000, ANY, { 0x80000008, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0x80000001, ANY, { 0x00000000, 0x00000000, 0x00000121, 0x2c100000 } },
			{ 0x80000007, ANY, { 0x00000000, 0x00000000, 0x00000000, 0x00000100 } },
			{ 0x80000008, ANY, { 0x00003028, 0x00000000, 0x00000000, 0x00000000 } },
		},
		.msrs = {
			0x00d810000000002b,
			0x0000007f00000016,
			0xf7f9fffe0401e172,
			0x007fffff00036dff,
			0x0000ffff000011ff,
			0x00000000600401e0,
			0x0000000080000021,
			0x00000000ffffffff,
			0x0000000000002000,
			0x00000000003727ff,
			0x0000000000000034,
			0x02177fff00000000,
			0x00000f0106334141,
			0x0000007f00000016,
			0xf7f9fffe04006172,
			0x007fffff00036dfb,
			0x0000ffff000011fb,
			0x0000000000000001,
		},
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX,
		.rdtscp = true,
		.xsaves = true,
	},
	[V3_FAKE_HASWELL_4770] = {
		.name = "haswell",
		.cpuid = {
			{ 0x0, ANY, { 0x0000000d, 0x756e6547, 0x6c65746e, 0x49656e69 } },
			{ 0x1, ANY, { 0x000306c3, 0x00010800, 0x7ffaf3bf, 0xbfebfbff } },
			{ 0x6, ANY, { 0x00000077, 0x00000002, 0x00000009, 0x00000000 } },
			{ 0x7, 0, { 0x00000000, 0x000027ab, 0x00000000, 0x00000000 } },
			{ 0xa, ANY, { 0x07300403, 0x00000000, 0x00000000, 0x00000603 } },
			{ 0xd, 0, { 0x00000007, 0x00000340, 0x00000340, 0x00000000 } },
			{ 0xd, 1, { 0x00000001, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0xd, 2, { 0x00000100, 0x00000240, 0x00000000, 0x00000000 } },
			{ 0x80000000, ANY, { 0x80000008, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0x80000001, ANY, { 0x00000000, 0x00000000, 0x00000021, 0x2c100000 } },
			{ 0x80000007, ANY, { 0x00000000, 0x00000000, 0x00000000, 0x00000100 } },
			{ 0x80000008, ANY, { 0x00003028, 0x00000000, 0x00000000, 0x00000000 } },
		},
		.msrs = {
			0x00d810000000002b,
			0x0000007f00000016,
			0xf7f9fffe0401e172,
			0x007fffff00036dff,
			0x0000ffff000011ff,
			0x00000000200401e0,
			0x0000000080000021,
			0x00000000ffffffff,
			0x0000000000002000,
			0x00000000001727ff,
			0x0000000000000034,
			0x00047fff00000000,
			0x00000f0106334141,
			0x0000007f00000016,
			0xf7f9fffe04006172,
			0x007fffff00036dfb,
			0x0000ffff000011fb,
			0x0000000000000001,
		},
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX,
		.rdtscp = true,
	},
	[V3_FAKE_SANDY_BRIDGE_2600K] = {
		.name = "sandy_bridge",
		.cpuid = {
			{ 0x0, ANY, { 0x0000000d, 0x756e6547, 0x6c65746e, 0x49656e69 } },
			{ 0x1, ANY, { 0x000206a7, 0x00010800, 0x1f9ae3bf, 0xbfebfbff } },
			{ 0x6, ANY, { 0x00000077, 0x00000002, 0x0000000b, 0x00000000 } },
			{ 0xa, ANY, { 0x07300803, 0x00000000, 0x00000000, 0x00000603 } },
			{ 0xd, 0, { 0x00000007, 0x00000340, 0x00000340, 0x00000000 } },
			{ 0xd, 1, { 0x00000001, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0xd, 2, { 0x00000100, 0x00000240, 0x00000000, 0x00000000 } },
			{ 0x80000000, ANY, { 0x80000008, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0x80000001, ANY, { 0x00000000, 0x00000000, 0x00000001, 0x28100000 } },
			{ 0x80000007, ANY, { 0x00000000, 0x00000000, 0x00000000, 0x00000100 } },
			{ 0x80000008, ANY, { 0x00003028, 0x00000000, 0x00000000, 0x00000000 } },
		},
		.msrs = {
			0x00d810000000002b,
			0x0000007f00000016,
			0xf7f9fffe0401e172,
			0x007fffff00036dff,
			0x0000ffff000011ff,
			0x00000000000401e0,
			0x0000000080000021,
			0x00000000ffffffff,
			0x0000000000002000,
			0x00000000000627ff,
			0x0000000000000034,
			0x000000ff00000000,
			0x00000f0106114141,
			0x0000007f00000016,
			0xf7f9fffe04006172,
			0x007fffff00036dfb,
			0x0000ffff000011fb,
			NONE,
		},
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX,
		.rdtscp = true,
	},
	[V3_FAKE_PENRYN_T9600] = {
		.name = "penryn",
		.cpuid = {
			{ 0x0, ANY, { 0x0000000d, 0x756e6547, 0x6c65746e, 0x49656e69 } },
			{ 0x1, ANY, { 0x0001067a, 0x00010800, 0x0c08e3fd, 0xbfebfbff } },
			{ 0x6, ANY, { 0x00000003, 0x00000002, 0x00000003, 0x00000000 } },
			{ 0xa, ANY, { 0x07280202, 0x00000000, 0x00000000, 0x00000503 } },
			{ 0xd, 0, { 0x00000003, 0x00000240, 0x00000240, 0x00000000 } },
			{ 0x80000000, ANY, { 0x80000008, 0x00000000, 0x00000000, 0x00000000 } },
			{ 0x80000001, ANY, { 0x00000000, 0x00000000, 0x00000001, 0x20100000 } },
			{ 0x80000008, ANY, { 0x00003028, 0x00000000, 0x00000000, 0x00000000 } },
		},
		.msrs = {
			0x00d810000000002b,
			0x0000003f00000016,
			0xf7f9fffe0401e172,
			0x0003ffff00036dff,
			0x00003fff000011ff,
			0x00000000000401e0,
			0x0000000080000021,
			0x00000000ffffffff,
			0x0000000000002000,
			0x00000000000467ff,
			0x0000000000000034,
			0x0000004100000000,
			NONE,
			0x0000003f00000016,
			0xf7f9fffe04006172,
			0x0003ffff00036dfb,
			0x00003fff000011fb,
			NONE,
		},
		.xcr0 = V3_XCR0_X87 | V3_XCR0_SSE,
	},
};

const char *v3_fake_vmx_model_name(enum v3_fake_vmx_model model)
{
	return models[model].name;
}

/* What the AMD machine of v3_fake_x86_reset() has and these have not. */
static void remove_amd(const struct model *model)
{
	static const uint32_t leaves[] = { V3_CPUID_LEAF_EXT_FEATURES, V3_CPUID_LEAF_XSAVE,
					   V3_CPUID_LEAF_SVM, V3_CPUID_LEAF_APM };
	unsigned int here = v3_fake_cpu();

	for (unsigned int i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		for (uint32_t subleaf = 0; subleaf < 8; subleaf++)
			v3_fake_cpuid_set(leaves[i], subleaf, 0, 0, 0, 0);
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++) {
		v3_fake_set_cpu(cpu);
		v3_fake_msr_remove(V3_MSR_VM_CR);
		v3_fake_msr_remove(V3_MSR_VM_HSAVE_PA);
		if (!model->rdtscp)
			v3_fake_msr_remove(V3_MSR_TSC_AUX);
	}
	v3_fake_set_cpu(here);
}

static void set_read_only(uint32_t msr, uint64_t value)
{
	unsigned int here = v3_fake_cpu();

	v3_fake_msr_set(msr, value);
	for (unsigned int cpu = 0; cpu < V3_FAKE_MAX_CPUS; cpu++) {
		v3_fake_set_cpu(cpu);
		v3_fake_msr_writable(msr, 0);
	}
	v3_fake_set_cpu(here);
}

void v3_fake_vmx_set_model(enum v3_fake_vmx_model which)
{
	const struct model *model = &models[which];
	unsigned int i;

	if (fake_msr_exists(V3_MSR_VMX_BASIC)) {
		v3_fake_fail("a model for fake CPUs that have one");
		return;
	}
	remove_amd(model);
	for (i = 0; i < MAX_LEAVES; i++) {
		const struct cpuid *c = &model->cpuid[i];

		if (c->regs.eax | c->regs.ebx | c->regs.ecx | c->regs.edx)
			v3_fake_cpuid_set(c->leaf, c->subleaf, c->regs.eax, c->regs.ebx,
					  c->regs.ecx, c->regs.edx);
	}
	for (i = 0; i < NUM_MSRS; i++)
		if (model->msrs[i] != NONE)
			set_read_only(V3_MSR_VMX_BASIC + i, model->msrs[i]);
	v3_fake_msr_set(V3_MSR_FEATURE_CONTROL, V3_FEATURE_CONTROL_LOCK | V3_FEATURE_CONTROL_VMX);
	v3_fake_msr_set(V3_MSR_DEBUGCTL, 0);
	v3_fake_msr_set(V3_MSR_MISC_ENABLE, 0);
	if (model->xsaves)
		v3_fake_msr_set(V3_MSR_XSS, 0);
	for (i = 0; i < V3_FAKE_MAX_CPUS; i++)
		fake_x86.cpus[i].xcr0 = model->xcr0;
}

void v3_fake_vmx_deny(uint32_t msr, uint32_t bits)
{
	uint64_t value = v3_fake_msr_get(msr);

	if (value & bits) {
		v3_fake_fail("MSR %#x demands controls %#x, which cannot be taken away", msr,
			     (uint32_t)value & bits);
		return;
	}
	set_read_only(msr, value & ~((uint64_t)bits << 32));
	if (msr >= V3_MSR_VMX_PINBASED_CTLS && msr <= V3_MSR_VMX_ENTRY_CTLS &&
	    v3_fake_msr_get(V3_MSR_VMX_BASIC) & V3_VMX_BASIC_TRUE)
		v3_fake_vmx_deny(msr - V3_MSR_VMX_PINBASED_CTLS + V3_MSR_VMX_TRUE_PINBASED_CTLS,
				 bits);
}
