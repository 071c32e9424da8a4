/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPU models: which features a guest gets of those that the host has. Pure: the Linux command
 * compiles it too, to check descriptions and to tell which models a machine can give.
 */
#ifndef V3_CORE_CPU_MODEL_H
#define V3_CORE_CPU_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct v3_cpuid_regs;

/* The CPUID registers that hold feature bits. */
enum v3_cpu_word {
	V3_CPU_1_ECX, V3_CPU_1_EDX, V3_CPU_6_EAX, V3_CPU_7_EBX, V3_CPU_7_ECX, V3_CPU_7_EDX,
	V3_CPU_D1_EAX, V3_CPU_EXT1_ECX, V3_CPU_EXT1_EDX, V3_CPU_EXT7_EDX, V3_CPU_EXT8_EBX,
	V3_CPU_WORDS
};

struct v3_cpu_features {
	uint32_t word[V3_CPU_WORDS];
};

enum v3_cpu_model {
	V3_CPU_HOST,	/* all that the host has and libv3 virtualizes */
	V3_CPU_V2,	/* the levels of the x86-64 psABI, 3.1.1 */
	V3_CPU_V3,
	V3_CPU_V4,
	V3_CPU_MODELS
};

/* What was asked for: a model without some features. */
struct v3_cpu_spec {
	enum v3_cpu_model model;
	struct v3_cpu_features hide;
};

/* Longest text of a specification; all names together are shorter. */
#define V3_CPU_TEXT_MAX 1023

enum v3_cpu_error {
	V3_CPU_OK,
	V3_CPU_BAD_MODEL,	/* no such model */
	V3_CPU_BAD_FEATURE,	/* no such feature */
	V3_CPU_NOT_HIDABLE,	/* a feature that every guest has */
	V3_CPU_NO_MINUS,	/* a part after the model that does not begin with '-' */
	V3_CPU_TOO_LONG,
};

/* Part of a text that an error is about. */
struct v3_cpu_part {
	const char *text;
	size_t len;
};

/*
 * "MODEL[,-FEATURE]...": names as in /proc/cpuinfo of Linux. After an error *part is what it is
 * about.
 */
enum v3_cpu_error v3_cpu_parse(const char *text, struct v3_cpu_spec *spec,
			       struct v3_cpu_part *part);
/* Adds one feature to those to hide. */
enum v3_cpu_error v3_cpu_hide(struct v3_cpu_features *hide, const char *name, size_t len);
/* What is wrong, for "'PART' ...": a phrase without the part. */
const char *v3_cpu_error_text(enum v3_cpu_error error);

const char *v3_cpu_model_name(enum v3_cpu_model model);
/* False: no such model. */
bool v3_cpu_model_find(const char *name, size_t len, enum v3_cpu_model *model);

/*
 * What the host can give: read is CPUID; xcr0 the state components that the host has enabled (0: no
 * XSAVE).
 */
void v3_cpu_host_features(void (*read)(uint32_t leaf, uint32_t subleaf,
				       struct v3_cpuid_regs *regs),
			  uint64_t xcr0, struct v3_cpu_features *host);
/*
 * What a guest gets. Hiding a feature hides what depends on it: *hidden. False if the host lacks
 * features of the model that are not hidden: *missing.
 */
bool v3_cpu_guest_features(const struct v3_cpu_features *host, const struct v3_cpu_spec *spec,
			   struct v3_cpu_features *guest, struct v3_cpu_features *hidden,
			   struct v3_cpu_features *missing);
/* XCR0 bits that go with the features. */
uint64_t v3_cpu_xcr0(const struct v3_cpu_features *features);

/* CPUID leaf, subleaf and register (0 EAX to 3 EDX) of a word. */
struct v3_cpu_word_place {
	uint32_t leaf;
	uint8_t subleaf, reg;
};
extern const struct v3_cpu_word_place v3_cpu_words[V3_CPU_WORDS];

/*
 * Names of features, blanks between, "..." at the end if there is no room; returns the length.
 * Features without a name are left out.
 */
size_t v3_cpu_names(const struct v3_cpu_features *features, char *buf, size_t size);

#endif
