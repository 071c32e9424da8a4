/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of CPU features, as Linux spells them in /proc/cpuinfo, and of models. A guest never sees
 * many of these; to hide them is no mistake.
 */
#include "core/cpu_model.h"

#include "lib/mem.h"

struct name {
	uint8_t word, bit;
	char name[20];
};

static const struct name names[] = {
	{ V3_CPU_1_EDX, 0, "fpu" }, { V3_CPU_1_EDX, 1, "vme" }, { V3_CPU_1_EDX, 2, "de" },
	{ V3_CPU_1_EDX, 3, "pse" }, { V3_CPU_1_EDX, 4, "tsc" }, { V3_CPU_1_EDX, 5, "msr" },
	{ V3_CPU_1_EDX, 6, "pae" }, { V3_CPU_1_EDX, 7, "mce" }, { V3_CPU_1_EDX, 8, "cx8" },
	{ V3_CPU_1_EDX, 9, "apic" }, { V3_CPU_1_EDX, 11, "sep" }, { V3_CPU_1_EDX, 12, "mtrr" },
	{ V3_CPU_1_EDX, 13, "pge" }, { V3_CPU_1_EDX, 14, "mca" }, { V3_CPU_1_EDX, 15, "cmov" },
	{ V3_CPU_1_EDX, 16, "pat" }, { V3_CPU_1_EDX, 17, "pse36" }, { V3_CPU_1_EDX, 18, "pn" },
	{ V3_CPU_1_EDX, 19, "clflush" }, { V3_CPU_1_EDX, 21, "dts" },
	{ V3_CPU_1_EDX, 22, "acpi" }, { V3_CPU_1_EDX, 23, "mmx" }, { V3_CPU_1_EDX, 24, "fxsr" },
	{ V3_CPU_1_EDX, 25, "sse" }, { V3_CPU_1_EDX, 26, "sse2" }, { V3_CPU_1_EDX, 27, "ss" },
	{ V3_CPU_1_EDX, 28, "ht" }, { V3_CPU_1_EDX, 29, "tm" }, { V3_CPU_1_EDX, 31, "pbe" },

	{ V3_CPU_1_ECX, 0, "pni" }, { V3_CPU_1_ECX, 1, "pclmulqdq" },
	{ V3_CPU_1_ECX, 2, "dtes64" }, { V3_CPU_1_ECX, 3, "monitor" },
	{ V3_CPU_1_ECX, 4, "ds_cpl" }, { V3_CPU_1_ECX, 5, "vmx" }, { V3_CPU_1_ECX, 6, "smx" },
	{ V3_CPU_1_ECX, 7, "est" }, { V3_CPU_1_ECX, 8, "tm2" }, { V3_CPU_1_ECX, 9, "ssse3" },
	{ V3_CPU_1_ECX, 11, "sdbg" }, { V3_CPU_1_ECX, 12, "fma" }, { V3_CPU_1_ECX, 13, "cx16" },
	{ V3_CPU_1_ECX, 14, "xtpr" }, { V3_CPU_1_ECX, 15, "pdcm" }, { V3_CPU_1_ECX, 17, "pcid" },
	{ V3_CPU_1_ECX, 18, "dca" }, { V3_CPU_1_ECX, 19, "sse4_1" },
	{ V3_CPU_1_ECX, 20, "sse4_2" }, { V3_CPU_1_ECX, 21, "x2apic" },
	{ V3_CPU_1_ECX, 22, "movbe" }, { V3_CPU_1_ECX, 23, "popcnt" },
	{ V3_CPU_1_ECX, 24, "tsc_deadline_timer" }, { V3_CPU_1_ECX, 25, "aes" },
	{ V3_CPU_1_ECX, 26, "xsave" }, { V3_CPU_1_ECX, 28, "avx" }, { V3_CPU_1_ECX, 29, "f16c" },
	{ V3_CPU_1_ECX, 30, "rdrand" }, { V3_CPU_1_ECX, 31, "hypervisor" },

	{ V3_CPU_6_EAX, 2, "arat" },

	{ V3_CPU_7_EBX, 0, "fsgsbase" }, { V3_CPU_7_EBX, 1, "tsc_adjust" },
	{ V3_CPU_7_EBX, 2, "sgx" }, { V3_CPU_7_EBX, 3, "bmi1" }, { V3_CPU_7_EBX, 4, "hle" },
	{ V3_CPU_7_EBX, 5, "avx2" }, { V3_CPU_7_EBX, 7, "smep" }, { V3_CPU_7_EBX, 8, "bmi2" },
	{ V3_CPU_7_EBX, 9, "erms" }, { V3_CPU_7_EBX, 10, "invpcid" }, { V3_CPU_7_EBX, 11, "rtm" },
	{ V3_CPU_7_EBX, 12, "cqm" }, { V3_CPU_7_EBX, 14, "mpx" }, { V3_CPU_7_EBX, 15, "rdt_a" },
	{ V3_CPU_7_EBX, 16, "avx512f" }, { V3_CPU_7_EBX, 17, "avx512dq" },
	{ V3_CPU_7_EBX, 18, "rdseed" }, { V3_CPU_7_EBX, 19, "adx" }, { V3_CPU_7_EBX, 20, "smap" },
	{ V3_CPU_7_EBX, 21, "avx512ifma" }, { V3_CPU_7_EBX, 23, "clflushopt" },
	{ V3_CPU_7_EBX, 24, "clwb" }, { V3_CPU_7_EBX, 25, "intel_pt" },
	{ V3_CPU_7_EBX, 26, "avx512pf" }, { V3_CPU_7_EBX, 27, "avx512er" },
	{ V3_CPU_7_EBX, 28, "avx512cd" }, { V3_CPU_7_EBX, 29, "sha_ni" },
	{ V3_CPU_7_EBX, 30, "avx512bw" }, { V3_CPU_7_EBX, 31, "avx512vl" },

	{ V3_CPU_7_ECX, 1, "avx512vbmi" }, { V3_CPU_7_ECX, 2, "umip" },
	{ V3_CPU_7_ECX, 3, "pku" }, { V3_CPU_7_ECX, 4, "ospke" }, { V3_CPU_7_ECX, 5, "waitpkg" },
	{ V3_CPU_7_ECX, 6, "avx512_vbmi2" }, { V3_CPU_7_ECX, 8, "gfni" },
	{ V3_CPU_7_ECX, 9, "vaes" }, { V3_CPU_7_ECX, 10, "vpclmulqdq" },
	{ V3_CPU_7_ECX, 11, "avx512_vnni" }, { V3_CPU_7_ECX, 12, "avx512_bitalg" },
	{ V3_CPU_7_ECX, 14, "avx512_vpopcntdq" }, { V3_CPU_7_ECX, 16, "la57" },
	{ V3_CPU_7_ECX, 22, "rdpid" },
	{ V3_CPU_7_EDX, 4, "fsrm" },

	{ V3_CPU_D1_EAX, 0, "xsaveopt" }, { V3_CPU_D1_EAX, 1, "xsavec" },
	{ V3_CPU_D1_EAX, 2, "xgetbv1" }, { V3_CPU_D1_EAX, 3, "xsaves" },

	{ V3_CPU_EXT1_EDX, 11, "syscall" }, { V3_CPU_EXT1_EDX, 20, "nx" },
	{ V3_CPU_EXT1_EDX, 22, "mmxext" }, { V3_CPU_EXT1_EDX, 25, "fxsr_opt" },
	{ V3_CPU_EXT1_EDX, 26, "pdpe1gb" }, { V3_CPU_EXT1_EDX, 27, "rdtscp" },
	{ V3_CPU_EXT1_EDX, 29, "lm" }, { V3_CPU_EXT1_EDX, 30, "3dnowext" },
	{ V3_CPU_EXT1_EDX, 31, "3dnow" },

	{ V3_CPU_EXT1_ECX, 0, "lahf_lm" }, { V3_CPU_EXT1_ECX, 1, "cmp_legacy" },
	{ V3_CPU_EXT1_ECX, 2, "svm" }, { V3_CPU_EXT1_ECX, 3, "extapic" },
	{ V3_CPU_EXT1_ECX, 4, "cr8_legacy" }, { V3_CPU_EXT1_ECX, 5, "abm" },
	{ V3_CPU_EXT1_ECX, 6, "sse4a" }, { V3_CPU_EXT1_ECX, 7, "misalignsse" },
	{ V3_CPU_EXT1_ECX, 8, "3dnowprefetch" }, { V3_CPU_EXT1_ECX, 9, "osvw" },
	{ V3_CPU_EXT1_ECX, 10, "ibs" }, { V3_CPU_EXT1_ECX, 11, "xop" },
	{ V3_CPU_EXT1_ECX, 12, "skinit" }, { V3_CPU_EXT1_ECX, 13, "wdt" },
	{ V3_CPU_EXT1_ECX, 15, "lwp" }, { V3_CPU_EXT1_ECX, 16, "fma4" },
	{ V3_CPU_EXT1_ECX, 17, "tce" }, { V3_CPU_EXT1_ECX, 19, "nodeid_msr" },
	{ V3_CPU_EXT1_ECX, 21, "tbm" }, { V3_CPU_EXT1_ECX, 22, "topoext" },
	{ V3_CPU_EXT1_ECX, 23, "perfctr_core" }, { V3_CPU_EXT1_ECX, 24, "perfctr_nb" },
	{ V3_CPU_EXT1_ECX, 26, "bpext" }, { V3_CPU_EXT1_ECX, 27, "ptsc" },
	{ V3_CPU_EXT1_ECX, 28, "perfctr_llc" }, { V3_CPU_EXT1_ECX, 29, "mwaitx" },

	/* The first of a bit is the name that is shown. */
	{ V3_CPU_EXT7_EDX, 8, "nonstop_tsc" }, { V3_CPU_EXT7_EDX, 8, "constant_tsc" },
	{ V3_CPU_EXT8_EBX, 0, "clzero" }, { V3_CPU_EXT8_EBX, 1, "irperf" },
	{ V3_CPU_EXT8_EBX, 2, "xsaveerptr" }, { V3_CPU_EXT8_EBX, 4, "rdpru" },
	{ V3_CPU_EXT8_EBX, 9, "wbnoinvd" },
};

static const char models[V3_CPU_MODELS][10] = {
	[V3_CPU_HOST] = "host", [V3_CPU_V2] = "x86-64-v2", [V3_CPU_V3] = "x86-64-v3",
	[V3_CPU_V4] = "x86-64-v4",
};

/* Without what no 64-bit guest starts. */
static const struct v3_cpu_features not_hidable = { {
	[V3_CPU_1_EDX] = 1u << 0 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8, /* fpu tsc msr pae cx8 */
	[V3_CPU_EXT1_EDX] = 1u << 29, /* lm */
} };

/* Whether the len characters at text are exactly name, which has room for size with its NUL. */
static bool same(const char *name, size_t size, const char *text, size_t len)
{
	return len < size && !name[len] && !memcmp(name, text, len);
}

const char *v3_cpu_model_name(enum v3_cpu_model model)
{
	return (unsigned int)model < V3_CPU_MODELS ? models[model] : "?";
}

bool v3_cpu_model_find(const char *name, size_t len, enum v3_cpu_model *model)
{
	unsigned int i;

	for (i = 0; i < V3_CPU_MODELS; i++)
		if (same(models[i], sizeof(models[i]), name, len)) {
			*model = (enum v3_cpu_model)i;
			return true;
		}
	return false;
}

enum v3_cpu_error v3_cpu_hide(struct v3_cpu_features *hide, const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!same(names[i].name, sizeof(names[i].name), name, len))
			continue;
		if (not_hidable.word[names[i].word] >> names[i].bit & 1)
			return V3_CPU_NOT_HIDABLE;
		hide->word[names[i].word] |= 1u << names[i].bit;
		return V3_CPU_OK;
	}
	return V3_CPU_BAD_FEATURE;
}

static size_t part_length(const char *text)
{
	size_t len = 0;

	while (text[len] && text[len] != ',')
		len++;
	return len;
}

enum v3_cpu_error v3_cpu_parse(const char *text, struct v3_cpu_spec *spec,
			       struct v3_cpu_part *part)
{
	enum v3_cpu_error error;
	size_t len = 0;

	*spec = (struct v3_cpu_spec){ .model = V3_CPU_HOST };
	*part = (struct v3_cpu_part){ text, 0 };
	while (len <= V3_CPU_TEXT_MAX && text[len])
		len++;
	if (len > V3_CPU_TEXT_MAX)
		return V3_CPU_TOO_LONG;
	part->len = part_length(text);
	if (!v3_cpu_model_find(text, part->len, &spec->model))
		return V3_CPU_BAD_MODEL;
	for (text += part->len; *text; text += part->len) {
		text++;
		*part = (struct v3_cpu_part){ text, part_length(text) };
		if (*text != '-')
			return V3_CPU_NO_MINUS;
		error = v3_cpu_hide(&spec->hide, text + 1, part->len - 1);
		if (error != V3_CPU_OK)
			return error;
	}
	return V3_CPU_OK;
}

const char *v3_cpu_error_text(enum v3_cpu_error error)
{
	switch (error) {
	case V3_CPU_BAD_MODEL:
		return "is no CPU model: use host, x86-64-v2, x86-64-v3 or x86-64-v4";
	case V3_CPU_BAD_FEATURE:
		return "is no CPU feature: use the names in the flags of /proc/cpuinfo";
	case V3_CPU_NOT_HIDABLE:
		return "cannot be hidden: every 64-bit guest needs it";
	case V3_CPU_NO_MINUS:
		return "does not hide a feature: write '-' before its name, as in 'host,-avx'";
	case V3_CPU_TOO_LONG:
		return "has more than 1023 characters";
	case V3_CPU_OK:
	default:
		return "is right";
	}
}

static size_t put(char *buf, size_t used, const char *text)
{
	if (used)
		buf[used++] = ' ';
	while (*text)
		buf[used++] = *text++;
	buf[used] = 0;
	return used;
}

size_t v3_cpu_names(const struct v3_cpu_features *features, char *buf, size_t size)
{
	/* A name with its blank, and behind it a blank, three dots and the NUL. */
	const size_t room = 1 + sizeof(names[0].name) + 5;
	struct v3_cpu_features rest = *features;
	size_t used = 0;
	unsigned int i;

	if (size)
		buf[0] = 0;
	if (size < room)
		return 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(rest.word[names[i].word] >> names[i].bit & 1))
			continue;
		if (size - used < room)
			return put(buf, used, "...");
		rest.word[names[i].word] &= ~(1u << names[i].bit);
		used = put(buf, used, names[i].name);
	}
	return used;
}
