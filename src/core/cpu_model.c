/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which CPU features a guest gets. Lists are of what is let through: a feature nobody has thought
 * about stays hidden.
 */
#include "core/cpu_model.h"

#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"

const struct v3_cpu_word_place v3_cpu_words[V3_CPU_WORDS] = {
	[V3_CPU_1_ECX] = { V3_CPUID_LEAF_FEATURES, 0, 2 },
	[V3_CPU_1_EDX] = { V3_CPUID_LEAF_FEATURES, 0, 3 },
	[V3_CPU_6_EAX] = { V3_CPUID_LEAF_THERMAL, 0, 0 },
	[V3_CPU_7_EBX] = { V3_CPUID_LEAF_EXT_FEATURES, 0, 1 },
	[V3_CPU_7_ECX] = { V3_CPUID_LEAF_EXT_FEATURES, 0, 2 },
	[V3_CPU_7_EDX] = { V3_CPUID_LEAF_EXT_FEATURES, 0, 3 },
	[V3_CPU_D1_EAX] = { V3_CPUID_LEAF_XSAVE, 1, 0 },
	[V3_CPU_EXT1_ECX] = { V3_CPUID_LEAF_EXT1, 0, 2 },
	[V3_CPU_EXT1_EDX] = { V3_CPUID_LEAF_EXT1, 0, 3 },
	[V3_CPU_EXT7_EDX] = { V3_CPUID_LEAF_APM, 0, 3 },
	[V3_CPU_EXT8_EBX] = { V3_CPUID_LEAF_SIZES, 0, 1 },
};

#define AVX512_7_EBX \
	(V3_CPUID_7_EBX_AVX512DQ | V3_CPUID_7_EBX_AVX512IFMA | V3_CPUID_7_EBX_AVX512CD | \
	 V3_CPUID_7_EBX_AVX512BW | V3_CPUID_7_EBX_AVX512VL)
#define AVX512_7_ECX \
	(V3_CPUID_7_ECX_AVX512VBMI | V3_CPUID_7_ECX_AVX512VBMI2 | V3_CPUID_7_ECX_AVX512VNNI | \
	 V3_CPUID_7_ECX_AVX512BITALG | V3_CPUID_7_ECX_AVX512VPOPCNTDQ)
#define XSAVE_D1_EAX \
	(V3_CPUID_D1_EAX_XSAVEOPT | V3_CPUID_D1_EAX_XSAVEC | V3_CPUID_D1_EAX_XGETBV1 | \
	 V3_CPUID_D1_EAX_XSAVES)

/* Levels of the psABI (3.1.1), each with what the one below has not; XSAVE stands for OSXSAVE. */
static const struct v3_cpu_features levels[] = {
	{ {	/* x86-64 itself */
		[V3_CPU_1_EDX] = V3_CPUID_1_EDX_CMOV | V3_CPUID_1_EDX_CX8 | V3_CPUID_1_EDX_FPU |
				 V3_CPUID_1_EDX_FXSR | V3_CPUID_1_EDX_MMX | V3_CPUID_1_EDX_SSE |
				 V3_CPUID_1_EDX_SSE2,
		[V3_CPU_EXT1_EDX] = V3_CPUID_80000001_EDX_SYSCALL | V3_CPUID_80000001_EDX_LM,
	} },
	{ {
		[V3_CPU_1_ECX] = V3_CPUID_1_ECX_CX16 | V3_CPUID_1_ECX_POPCNT |
				 V3_CPUID_1_ECX_SSE3 | V3_CPUID_1_ECX_SSSE3 |
				 V3_CPUID_1_ECX_SSE41 | V3_CPUID_1_ECX_SSE42,
		[V3_CPU_EXT1_ECX] = V3_CPUID_80000001_ECX_LAHF,
	} },
	{ {
		[V3_CPU_1_ECX] = V3_CPUID_1_ECX_AVX | V3_CPUID_1_ECX_F16C | V3_CPUID_1_ECX_FMA |
				 V3_CPUID_1_ECX_MOVBE | V3_CPUID_1_ECX_XSAVE,
		[V3_CPU_7_EBX] = V3_CPUID_7_EBX_AVX2 | V3_CPUID_7_EBX_BMI1 | V3_CPUID_7_EBX_BMI2,
		[V3_CPU_EXT1_ECX] = V3_CPUID_80000001_ECX_ABM,
	} },
	{ {
		[V3_CPU_7_EBX] = V3_CPUID_7_EBX_AVX512F | V3_CPUID_7_EBX_AVX512BW |
				 V3_CPUID_7_EBX_AVX512CD | V3_CPUID_7_EBX_AVX512DQ |
				 V3_CPUID_7_EBX_AVX512VL,
	} },
};

/*
 * With every model, where the host has it: what matters to a guest's kernel, and ways to do faster
 * what can be done without.
 */
static const struct v3_cpu_features always = { {
	[V3_CPU_1_ECX] = V3_CPUID_1_ECX_PCID | V3_CPUID_1_ECX_X2APIC |
			 V3_CPUID_1_ECX_TSC_DEADLINE | V3_CPUID_1_ECX_HYPERVISOR,
	[V3_CPU_1_EDX] = V3_CPUID_1_EDX_VME | V3_CPUID_1_EDX_DE | V3_CPUID_1_EDX_PSE |
			 V3_CPUID_1_EDX_TSC | V3_CPUID_1_EDX_MSR | V3_CPUID_1_EDX_PAE |
			 V3_CPUID_1_EDX_MCE | V3_CPUID_1_EDX_APIC | V3_CPUID_1_EDX_SEP |
			 V3_CPUID_1_EDX_MTRR | V3_CPUID_1_EDX_PGE | V3_CPUID_1_EDX_MCA |
			 V3_CPUID_1_EDX_PAT | V3_CPUID_1_EDX_PSE36 | V3_CPUID_1_EDX_CLFLUSH |
			 V3_CPUID_1_EDX_HTT,
	[V3_CPU_6_EAX] = V3_CPUID_6_EAX_ARAT,
	[V3_CPU_7_EBX] = V3_CPUID_7_EBX_FSGSBASE | V3_CPUID_7_EBX_TSC_ADJUST |
			 V3_CPUID_7_EBX_SMEP | V3_CPUID_7_EBX_ERMS | V3_CPUID_7_EBX_INVPCID |
			 V3_CPUID_7_EBX_SMAP,
	[V3_CPU_7_ECX] = V3_CPUID_7_ECX_UMIP | V3_CPUID_7_ECX_RDPID,
	[V3_CPU_7_EDX] = V3_CPUID_7_EDX_FSRM,
	[V3_CPU_D1_EAX] = XSAVE_D1_EAX,
	[V3_CPU_EXT1_ECX] = V3_CPUID_80000001_ECX_CMP_LEGACY | V3_CPUID_80000001_ECX_TOPOEXT,
	[V3_CPU_EXT1_EDX] = V3_CPUID_80000001_EDX_LEAF1_MASK | V3_CPUID_80000001_EDX_NX |
			    V3_CPUID_80000001_EDX_PAGE1GB | V3_CPUID_80000001_EDX_RDTSCP,
	[V3_CPU_EXT7_EDX] = V3_CPUID_80000007_EDX_INVARIANT_TSC,
	[V3_CPU_EXT8_EBX] = V3_CPUID_80000008_EBX_XSAVEERPTR | V3_CPUID_80000008_EBX_WBNOINVD |
			    V3_CPUID_80000008_EBX_EFERLMSLE_UNSUPPORTED,
} };

/* Beyond the levels: with the model "host" only. */
static const struct v3_cpu_features host_only = { {
	[V3_CPU_1_ECX] = V3_CPUID_1_ECX_PCLMULQDQ | V3_CPUID_1_ECX_AES | V3_CPUID_1_ECX_RDRAND,
	[V3_CPU_7_EBX] = V3_CPUID_7_EBX_RDSEED | V3_CPUID_7_EBX_ADX | V3_CPUID_7_EBX_AVX512IFMA |
			 V3_CPUID_7_EBX_CLFLUSHOPT | V3_CPUID_7_EBX_CLWB | V3_CPUID_7_EBX_SHA,
	[V3_CPU_7_ECX] = AVX512_7_ECX | V3_CPUID_7_ECX_GFNI | V3_CPUID_7_ECX_VAES |
			 V3_CPUID_7_ECX_VPCLMULQDQ,
	[V3_CPU_EXT1_ECX] = V3_CPUID_80000001_ECX_SSE4A | V3_CPUID_80000001_ECX_MISALIGNSSE |
			    V3_CPUID_80000001_ECX_3DNOWPREFETCH | V3_CPUID_80000001_ECX_XOP |
			    V3_CPUID_80000001_ECX_FMA4 | V3_CPUID_80000001_ECX_TBM,
	[V3_CPU_EXT1_EDX] = V3_CPUID_80000001_EDX_MMXEXT,
	[V3_CPU_EXT8_EBX] = V3_CPUID_80000008_EBX_CLZERO,
} };

/* What libv3 makes itself, whatever the host's CPU says. */
static const struct v3_cpu_features made = { {
	[V3_CPU_1_ECX] = V3_CPUID_1_ECX_X2APIC | V3_CPUID_1_ECX_TSC_DEADLINE |
			 V3_CPUID_1_ECX_HYPERVISOR,
	[V3_CPU_1_EDX] = V3_CPUID_1_EDX_APIC | V3_CPUID_1_EDX_HTT,
	[V3_CPU_6_EAX] = V3_CPUID_6_EAX_ARAT,	/* the LAPIC timer never stops */
	/*
	 * With it Linux does not test the TSC against slower clocks, whose ticks a guest may get
	 * late.
	 */
	[V3_CPU_7_EBX] = V3_CPUID_7_EBX_TSC_ADJUST,
	[V3_CPU_EXT1_ECX] = V3_CPUID_80000001_ECX_CMP_LEGACY,
	[V3_CPU_EXT8_EBX] = V3_CPUID_80000008_EBX_EFERLMSLE_UNSUPPORTED,
} };

/* Without the first the others are not there either. A closure is taken: order does not matter. */
static const struct {
	uint8_t word, needs;
	uint32_t features, needed;
} dependencies[] = {
#define NEEDS(word, features, other, needed) \
	{ V3_CPU_##word, V3_CPU_##other, features, needed }
	NEEDS(1_EDX, V3_CPUID_1_EDX_MMX | V3_CPUID_1_EDX_SSE, 1_EDX, V3_CPUID_1_EDX_FXSR),
	NEEDS(1_ECX, V3_CPUID_1_ECX_XSAVE, 1_EDX, V3_CPUID_1_EDX_FXSR),
	NEEDS(EXT1_EDX, V3_CPUID_80000001_EDX_MMXEXT, 1_EDX, V3_CPUID_1_EDX_MMX),
	NEEDS(1_EDX, V3_CPUID_1_EDX_SSE2, 1_EDX, V3_CPUID_1_EDX_SSE),
	NEEDS(EXT1_ECX, V3_CPUID_80000001_ECX_MISALIGNSSE, 1_EDX, V3_CPUID_1_EDX_SSE),
	NEEDS(1_ECX, V3_CPUID_1_ECX_SSE3 | V3_CPUID_1_ECX_PCLMULQDQ | V3_CPUID_1_ECX_AES, 1_EDX,
	      V3_CPUID_1_EDX_SSE2),
	NEEDS(7_EBX, V3_CPUID_7_EBX_SHA, 1_EDX, V3_CPUID_1_EDX_SSE2),
	NEEDS(7_ECX, V3_CPUID_7_ECX_GFNI, 1_EDX, V3_CPUID_1_EDX_SSE2),
	NEEDS(1_ECX, V3_CPUID_1_ECX_SSSE3, 1_ECX, V3_CPUID_1_ECX_SSE3),
	NEEDS(EXT1_ECX, V3_CPUID_80000001_ECX_SSE4A, 1_ECX, V3_CPUID_1_ECX_SSE3),
	NEEDS(1_ECX, V3_CPUID_1_ECX_SSE41, 1_ECX, V3_CPUID_1_ECX_SSSE3),
	NEEDS(1_ECX, V3_CPUID_1_ECX_SSE42, 1_ECX, V3_CPUID_1_ECX_SSE41),
	NEEDS(1_ECX, V3_CPUID_1_ECX_AVX, 1_ECX, V3_CPUID_1_ECX_SSE42),
	NEEDS(1_ECX, V3_CPUID_1_ECX_AVX, 1_ECX, V3_CPUID_1_ECX_XSAVE),
	NEEDS(D1_EAX, XSAVE_D1_EAX, 1_ECX, V3_CPUID_1_ECX_XSAVE),
	NEEDS(EXT8_EBX, V3_CPUID_80000008_EBX_XSAVEERPTR, 1_ECX, V3_CPUID_1_ECX_XSAVE),
	NEEDS(1_ECX, V3_CPUID_1_ECX_FMA | V3_CPUID_1_ECX_F16C, 1_ECX, V3_CPUID_1_ECX_AVX),
	NEEDS(7_EBX, V3_CPUID_7_EBX_AVX2, 1_ECX, V3_CPUID_1_ECX_AVX),
	NEEDS(7_ECX, V3_CPUID_7_ECX_VAES | V3_CPUID_7_ECX_VPCLMULQDQ, 1_ECX, V3_CPUID_1_ECX_AVX),
	NEEDS(7_ECX, V3_CPUID_7_ECX_VAES, 1_ECX, V3_CPUID_1_ECX_AES),
	NEEDS(7_ECX, V3_CPUID_7_ECX_VPCLMULQDQ, 1_ECX, V3_CPUID_1_ECX_PCLMULQDQ),
	NEEDS(EXT1_ECX, V3_CPUID_80000001_ECX_XOP | V3_CPUID_80000001_ECX_FMA4, 1_ECX,
	      V3_CPUID_1_ECX_AVX),
	NEEDS(7_EBX, V3_CPUID_7_EBX_AVX512F, 7_EBX, V3_CPUID_7_EBX_AVX2),
	NEEDS(7_EBX, AVX512_7_EBX, 7_EBX, V3_CPUID_7_EBX_AVX512F),
	NEEDS(7_ECX, AVX512_7_ECX, 7_EBX, V3_CPUID_7_EBX_AVX512F),
	NEEDS(7_ECX, V3_CPUID_7_ECX_AVX512VBMI | V3_CPUID_7_ECX_AVX512VBMI2 |
	      V3_CPUID_7_ECX_AVX512BITALG, 7_EBX, V3_CPUID_7_EBX_AVX512BW),
	NEEDS(7_EBX, V3_CPUID_7_EBX_INVPCID, 1_ECX, V3_CPUID_1_ECX_PCID),
	NEEDS(7_EBX, V3_CPUID_7_EBX_CLFLUSHOPT | V3_CPUID_7_EBX_CLWB, 1_EDX,
	      V3_CPUID_1_EDX_CLFLUSH),
	NEEDS(7_EBX, V3_CPUID_7_EBX_RDSEED, 1_ECX, V3_CPUID_1_ECX_RDRAND),
	/* TSC_AUX is there with RDTSCP. */
	NEEDS(7_ECX, V3_CPUID_7_ECX_RDPID, EXT1_EDX, V3_CPUID_80000001_EDX_RDTSCP),
	NEEDS(1_EDX, V3_CPUID_1_EDX_MCA, 1_EDX, V3_CPUID_1_EDX_MCE),
	NEEDS(1_EDX, V3_CPUID_1_EDX_PSE36, 1_EDX, V3_CPUID_1_EDX_PSE),
	NEEDS(1_ECX, V3_CPUID_1_ECX_X2APIC | V3_CPUID_1_ECX_TSC_DEADLINE, 1_EDX,
	      V3_CPUID_1_EDX_APIC),
	NEEDS(6_EAX, V3_CPUID_6_EAX_ARAT, 1_EDX, V3_CPUID_1_EDX_APIC),
#undef NEEDS
};

static void add(struct v3_cpu_features *to, const struct v3_cpu_features *from)
{
	unsigned int i;

	for (i = 0; i < V3_CPU_WORDS; i++)
		to->word[i] |= from->word[i];
}

/* Takes away what lacks something it needs. Ends: each round but the last clears a bit. */
static void dependents_remove(struct v3_cpu_features *features)
{
	bool again;
	unsigned int i;

	do {
		again = false;
		for (i = 0; i < sizeof(dependencies) / sizeof(dependencies[0]); i++) {
			uint32_t *word = &features->word[dependencies[i].word];

			if (features->word[dependencies[i].needs] & dependencies[i].needed ||
			    !(*word & dependencies[i].features))
				continue;
			*word &= ~dependencies[i].features;
			again = true;
		}
	} while (again);
	/* AMD repeats some bits of leaf 1. */
	features->word[V3_CPU_EXT1_EDX] &=
		features->word[V3_CPU_1_EDX] | ~V3_CPUID_80000001_EDX_LEAF1_MASK;
}

static bool leaf_exists(void (*read)(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs),
			uint32_t leaf)
{
	struct v3_cpuid_regs regs;

	read(leaf & V3_CPUID_LEAF_EXT_MAX, 0, &regs);
	return regs.eax >= leaf;
}

static uint32_t word_read(void (*read)(uint32_t leaf, uint32_t subleaf,
				       struct v3_cpuid_regs *regs),
			  const struct v3_cpu_word_place *place)
{
	struct v3_cpuid_regs regs;

	/* Past the last leaf Intel's CPUs repeat the last one. */
	if (!leaf_exists(read, place->leaf))
		return 0;
	read(place->leaf, place->subleaf, &regs);
	return place->reg == 0 ? regs.eax : place->reg == 1 ? regs.ebx :
	       place->reg == 2 ? regs.ecx : regs.edx;
}

/* All that a guest may see of a model. */
static struct v3_cpu_features model_features(enum v3_cpu_model model)
{
	struct v3_cpu_features features = always;
	unsigned int last = model == V3_CPU_HOST ? V3_CPU_V4 : model, i;

	for (i = 0; i <= last; i++)
		add(&features, &levels[i]);
	if (model == V3_CPU_HOST)
		add(&features, &host_only);
	return features;
}

void v3_cpu_host_features(void (*read)(uint32_t leaf, uint32_t subleaf,
				       struct v3_cpuid_regs *regs),
			  uint64_t xcr0, struct v3_cpu_features *host)
{
	const struct v3_cpu_features offered = model_features(V3_CPU_HOST);
	unsigned int i;

	for (i = 0; i < V3_CPU_WORDS; i++)
		host->word[i] = (word_read(read, &v3_cpu_words[i]) | made.word[i]) &
				offered.word[i];
	/*
	 * The TSC of a virtual machine, which is what guests' time here is made of, stands on that
	 * of the machine below it; it is not told to be invariant because the machine may change.
	 */
	if (word_read(read, &v3_cpu_words[V3_CPU_1_ECX]) & V3_CPUID_1_ECX_HYPERVISOR &&
	    leaf_exists(read, V3_CPUID_LEAF_APM))
		host->word[V3_CPU_EXT7_EDX] |= V3_CPUID_80000007_EDX_INVARIANT_TSC;
	/* Registers whose state the host does not switch are not for guests either. */
	if (!xcr0)
		host->word[V3_CPU_1_ECX] &= ~V3_CPUID_1_ECX_XSAVE;
	if (!(xcr0 & V3_XCR0_AVX))
		host->word[V3_CPU_1_ECX] &= ~V3_CPUID_1_ECX_AVX;
	if ((xcr0 & V3_XCR0_AVX512) != V3_XCR0_AVX512)
		host->word[V3_CPU_7_EBX] &= ~V3_CPUID_7_EBX_AVX512F;
	dependents_remove(host);
}

bool v3_cpu_guest_features(const struct v3_cpu_features *host, const struct v3_cpu_spec *spec,
			   struct v3_cpu_features *guest, struct v3_cpu_features *hidden,
			   struct v3_cpu_features *missing)
{
	const struct v3_cpu_features model = model_features(spec->model);
	struct v3_cpu_features left = { { 0 } };
	uint32_t lacking = 0;
	unsigned int i;

	/* What hiding takes along, be it there or not. */
	for (i = 0; i < V3_CPU_WORDS; i++)
		left.word[i] = ~spec->hide.word[i];
	dependents_remove(&left);
	for (i = 0; i < V3_CPU_WORDS; i++) {
		hidden->word[i] = ~left.word[i];
		guest->word[i] = host->word[i] & model.word[i] & left.word[i];
		missing->word[i] = 0;
	}
	dependents_remove(guest);
	if (spec->model == V3_CPU_HOST)
		return true;
	for (i = 0; i <= (unsigned int)spec->model; i++)
		add(missing, &levels[i]);
	for (i = 0; i < V3_CPU_WORDS; i++) {
		missing->word[i] &= ~host->word[i] & left.word[i];
		lacking |= missing->word[i];
	}
	return !lacking;
}

uint64_t v3_cpu_xcr0(const struct v3_cpu_features *features)
{
	uint64_t xcr0 = 0;

	if (!(features->word[V3_CPU_1_ECX] & V3_CPUID_1_ECX_XSAVE))
		return 0;
	xcr0 = V3_XCR0_X87 | V3_XCR0_SSE;
	if (features->word[V3_CPU_1_ECX] & V3_CPUID_1_ECX_AVX)
		xcr0 |= V3_XCR0_AVX;
	if (features->word[V3_CPU_7_EBX] & V3_CPUID_7_EBX_AVX512F)
		xcr0 |= V3_XCR0_AVX512;
	return xcr0;
}
