/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest is made of, from a description, the command line, or both.
 */
#ifndef V3_CLI_SPEC_H
#define V3_CLI_SPEC_H

#include <v3/boot.h>

#include "cli.h"

#define V3_SPEC_MEMS 16
/* Beside the initial RAM disk, which is a module as well. */
#define V3_SPEC_MODULES (V3_MAX_MODULES - 1)
#define V3_SPEC_MEMORY_DEFAULT (256ull << 20)
/* Guest RAM comes in pieces of 2 MiB, the size of a large page. */
#define V3_SPEC_MEMORY_UNIT (2ull << 20)

/* What to do when the guest resets itself. */
enum v3_on_reboot { V3_REBOOT_RESTART, V3_REBOOT_STOP };

/* What an MSR does that libv3 does not know. */
enum v3_unknown_msrs { V3_MSRS_FAULT, V3_MSRS_IGNORE };

/* What an instruction does that touches a device and cannot be emulated. */
enum v3_unemulated { V3_UNEMULATED_STOP, V3_UNEMULATED_UD };

/* A file for a multiboot kernel, and the string that goes with it. */
struct v3_spec_module {
	char *file, *args;
};

/* Zero it, or v3_spec_init(). Strings are owned and freed by v3_spec_free(). */
struct v3_spec {
	/* False: the name was made up from the file's name and may be made up again. */
	bool name_given;
	char name[V3_NAME_MAX + 1];
	char *kernel, *initrd;
	char *cmdline;
	struct v3_spec_module modules[V3_SPEC_MODULES];
	unsigned int num_modules;
	struct v3_mem_config mem[V3_SPEC_MEMS];
	unsigned int num_mem;
	unsigned int num_vcpus;
	/* One for each vCPU, or V3_CPU_ANY. */
	int32_t cpus[V3_MAX_VCPUS];
	unsigned int num_cpus; /* 0: none named */
	bool own; /* they are the guest's alone; else vCPUs are pinned and share them */
	unsigned int host_yield; /* V3_IOC_YIELD_*; and its interval, or 0 */
	uint64_t yield_ns;
	enum v3_linux_entry entry;
	bool multiboot; /* entry: by the multiboot header */
	enum v3_on_reboot on_reboot;
	enum v3_unemulated unemulated;
	char *cpu; /* CPU model and hidden features, or NULL: the host's */
	enum v3_unknown_msrs unknown_msrs;
	uint64_t tsc_khz; /* 0: the host's */
	bool trace; /* on from the start */
	bool held; /* memory only of what "v3 mem take" has taken */
};

void v3_spec_init(struct v3_spec *spec);
void v3_spec_free(struct v3_spec *spec);

/* Each sets one thing from text; 0, or -1 with a message that does not name the option or key. */
int v3_spec_set_name(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_cmdline(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_memory(struct v3_spec *spec, const char *text, struct v3_msg *msg);
/* Adds a piece of memory; @node NULL: any. */
int v3_spec_add_memory(struct v3_spec *spec, const char *size, const char *node,
		       struct v3_msg *msg);
int v3_spec_set_vcpus(struct v3_spec *spec, const char *text, struct v3_msg *msg);
/* Host CPUs to own, and to share. */
int v3_spec_set_cpus(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_pin(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_host_yield(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_entry(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_on_reboot(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_unemulated(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_cpu(struct v3_spec *spec, const char *text, struct v3_msg *msg);
/* Adds a feature to hide; the model is "host" if none was set. */
int v3_spec_hide(struct v3_spec *spec, const char *feature, struct v3_msg *msg);
int v3_spec_set_unknown_msrs(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_tsc_khz(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_memory_from(struct v3_spec *spec, const char *text, struct v3_msg *msg);
int v3_spec_set_trace(struct v3_spec *spec, const char *text, struct v3_msg *msg);
/* Adds a module; @args NULL: the last part of the file's name. */
int v3_spec_add_module(struct v3_spec *spec, const char *file, const char *args,
		       struct v3_msg *msg);
/* Replaces an owned string. */
void v3_spec_set_string(char **place, const char *text);
/* Adds to the command line, with a blank between. */
int v3_spec_append(struct v3_spec *spec, const char *text, struct v3_msg *msg);

/*
 * Defaults for what was not given, and what only shows when all is known.
 * @stem names the guest if nobody did: a path; its last part without extension is taken.
 */
int v3_spec_finish(struct v3_spec *spec, const char *stem, struct v3_msg *msg);

/* Bytes of all memory. */
uint64_t v3_spec_memory(const struct v3_spec *spec);

/* malloc and the like for programs that cannot go on without. */
void *v3_xmalloc(size_t size);
char *v3_xstrdup(const char *text);

#endif
