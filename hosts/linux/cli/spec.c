/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest is made of: one setter for each thing, shared by descriptions and options.
 */
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cpu_model.h"
#include "parse.h"
#include "v3_ioctl.h"

/* NUMA nodes that Linux can have at most (CONFIG_NODES_SHIFT 10). */
#define NODE_MAX 1023

void *v3_xmalloc(size_t size)
{
	void *place = malloc(size ? size : 1);

	if (!place) {
		v3_err("out of memory");
		_exit(V3_RUN_FAILED);
	}
	return place;
}

char *v3_xstrdup(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(v3_xmalloc(size), text, size);
}

void v3_spec_init(struct v3_spec *spec)
{
	*spec = (struct v3_spec){ 0 };
}

void v3_spec_free(struct v3_spec *spec)
{
	free(spec->kernel);
	free(spec->initrd);
	free(spec->cmdline);
	while (spec->num_modules) {
		free(spec->modules[--spec->num_modules].file);
		free(spec->modules[spec->num_modules].args);
	}
	free(spec->cpu);
	v3_spec_init(spec);
}

void v3_spec_set_string(char **place, const char *text)
{
	free(*place);
	*place = v3_xstrdup(text);
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '+';
}

int v3_spec_set_name(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	size_t len = strlen(text), i;

	if (!len)
		return v3_msg_set(msg, "a name must not be empty");
	if (len > V3_NAME_MAX)
		return v3_msg_set(msg, "the name is longer than %d characters", V3_NAME_MAX);
	for (i = 0; i < len; i++)
		if (!name_char(text[i]))
			return v3_msg_set(msg, "'%s' is not a name: use letters, digits and -_.+",
					  v3_printable(text));
	memcpy(spec->name, text, len + 1);
	spec->name_given = true;
	return 0;
}

int v3_spec_set_cmdline(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (strlen(text) > V3_CMDLINE_MAX)
		return v3_msg_set(msg, "the guest's command line has %zu bytes, more than %d",
				  strlen(text), V3_CMDLINE_MAX);
	v3_spec_set_string(&spec->cmdline, text);
	return 0;
}

int v3_spec_append(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	const char *old = spec->cmdline ? spec->cmdline : "";
	char *both;
	int result;

	both = v3_xmalloc(strlen(old) + strlen(text) + 2);
	strcpy(both, old);
	if (*old && *text)
		strcat(both, " ");
	strcat(both, text);
	result = v3_spec_set_cmdline(spec, both, msg);
	free(both);
	return result;
}

int v3_spec_add_memory(struct v3_spec *spec, const char *size, const char *node,
		       struct v3_msg *msg)
{
	struct v3_mem_config mem = { .node = V3_NODE_ANY };
	uint64_t value;

	if (spec->num_mem == V3_SPEC_MEMS)
		return v3_msg_set(msg, "there are more than %d pieces of memory", V3_SPEC_MEMS);
	if (v3_size_parse(size, &mem.size, msg))
		return -1;
	if (!mem.size || mem.size % V3_SPEC_MEMORY_UNIT)
		return v3_msg_set(msg, "memory of %s: it has to be %s multiple of 2 MiB",
				  v3_printable(size), mem.size ? "a" : "more, a");
	if (__builtin_add_overflow(v3_spec_memory(spec), mem.size, &value))
		return v3_msg_set(msg, "memory of %s: the sum is too large", v3_printable(size));
	if (node) {
		if (v3_number_parse(node, "NUMA node", 0, NODE_MAX, &value, msg))
			return -1;
		mem.node = (int32_t)value;
	}
	spec->mem[spec->num_mem++] = mem;
	return 0;
}

int v3_spec_add_module(struct v3_spec *spec, const char *file, const char *args,
		       struct v3_msg *msg)
{
	const char *slash = strrchr(file, '/');
	struct v3_spec_module *module = &spec->modules[spec->num_modules];

	if (!*file)
		return v3_msg_set(msg, "a file name must not be empty");
	if (spec->num_modules == V3_SPEC_MODULES)
		return v3_msg_set(msg, "there are more than %d modules", V3_SPEC_MODULES);
	if (!args)
		args = slash ? slash + 1 : file;
	if (strlen(args) > V3_CMDLINE_MAX)
		return v3_msg_set(msg, "the string of a module has %zu bytes, more than %d",
				  strlen(args), V3_CMDLINE_MAX);
	module->file = v3_xstrdup(file);
	module->args = v3_xstrdup(args);
	spec->num_modules++;
	return 0;
}

int v3_spec_set_memory(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	spec->num_mem = 0;
	return v3_spec_add_memory(spec, text, NULL, msg);
}

int v3_spec_set_vcpus(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	uint64_t value;

	if (v3_number_parse(text, "vCPUs", 1, V3_MAX_VCPUS, &value, msg))
		return -1;
	spec->num_vcpus = (unsigned int)value;
	return 0;
}

int v3_spec_set_cpus(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	int count = v3_cpu_list_parse(text, spec->cpus, V3_MAX_VCPUS, msg);

	if (count < 0)
		return -1;
	spec->num_cpus = (unsigned int)count;
	spec->own = true;
	return 0;
}

int v3_spec_set_pin(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (v3_spec_set_cpus(spec, text, msg))
		return -1;
	spec->own = false;
	return 0;
}

/* "interval" or "interval=TIME". */
static int set_interval(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	uint64_t ns = 0;

	if (text[0] && v3_duration_parse(text + 1, &ns, msg))
		return -1;
	if (text[0] && (ns < V3_IOC_YIELD_MIN_NS || ns > V3_IOC_YIELD_MAX_NS))
		return v3_msg_set(msg, "an interval of %s: it can be %llu ms to %llu s",
				  v3_printable(text + 1), V3_IOC_YIELD_MIN_NS / 1000000,
				  V3_IOC_YIELD_MAX_NS / 1000000000);
	spec->host_yield = V3_IOC_YIELD_INTERVAL;
	spec->yield_ns = ns;
	return 0;
}

int v3_spec_set_host_yield(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	static const char interval[] = "interval";

	if (!strncmp(text, interval, strlen(interval)) &&
	    (!text[strlen(interval)] || text[strlen(interval)] == '='))
		return set_interval(spec, text + strlen(interval), msg);
	if (!strcmp(text, "never"))
		spec->host_yield = V3_IOC_YIELD_NEVER;
	else if (!strcmp(text, "on-halt"))
		spec->host_yield = V3_IOC_YIELD_ON_HALT;
	else
		return v3_msg_set(msg, "'%s' is no rule: use never, on-halt or interval=TIME",
				  v3_printable(text));
	spec->yield_ns = 0;
	return 0;
}

int v3_spec_set_entry(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	spec->multiboot = !strcmp(text, "multiboot");
	if (!strcmp(text, "auto") || spec->multiboot)
		spec->entry = V3_LINUX_ENTRY_AUTO;
	else if (!strcmp(text, "32"))
		spec->entry = V3_LINUX_ENTRY_32;
	else if (!strcmp(text, "64"))
		spec->entry = V3_LINUX_ENTRY_64;
	else
		return v3_msg_set(msg, "'%s' is not an entry: use auto, 32, 64 or multiboot",
				  v3_printable(text));
	return 0;
}

int v3_spec_set_on_reboot(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (!strcmp(text, "restart"))
		spec->on_reboot = V3_REBOOT_RESTART;
	else if (!strcmp(text, "stop"))
		spec->on_reboot = V3_REBOOT_STOP;
	else
		return v3_msg_set(msg, "'%s' is not an action: use restart or stop",
				  v3_printable(text));
	return 0;
}

int v3_spec_set_unemulated(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (!strcmp(text, "stop"))
		spec->unemulated = V3_UNEMULATED_STOP;
	else if (!strcmp(text, "ud"))
		spec->unemulated = V3_UNEMULATED_UD;
	else
		return v3_msg_set(msg, "'%s' is not an action: use stop or ud", v3_printable(text));
	return 0;
}

int v3_spec_set_cpu(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	struct v3_cpu_spec parsed;
	struct v3_cpu_part part;
	enum v3_cpu_error error = v3_cpu_parse(text, &parsed, &part);
	char word[64];

	if (error == V3_CPU_OK) {
		v3_spec_set_string(&spec->cpu, text);
		return 0;
	}
	snprintf(word, sizeof(word), "%.*s", (int)(part.len < 63 ? part.len : 63), part.text);
	return v3_msg_set(msg, "'%s' %s", v3_printable(word), v3_cpu_error_text(error));
}

int v3_spec_hide(struct v3_spec *spec, const char *feature, struct v3_msg *msg)
{
	const char *model = spec->cpu ? spec->cpu : v3_cpu_model_name(V3_CPU_HOST);
	struct v3_cpu_features hide = { { 0 } };
	enum v3_cpu_error error = v3_cpu_hide(&hide, feature, strlen(feature));
	char *both;
	int result;

	if (error != V3_CPU_OK)
		return v3_msg_set(msg, "'%s' %s", v3_printable(feature), v3_cpu_error_text(error));
	both = v3_xmalloc(strlen(model) + strlen(feature) + 3);
	sprintf(both, "%s,-%s", model, feature);
	result = v3_spec_set_cpu(spec, both, msg);
	free(both);
	return result;
}

int v3_spec_set_unknown_msrs(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (!strcmp(text, "fault"))
		spec->unknown_msrs = V3_MSRS_FAULT;
	else if (!strcmp(text, "ignore"))
		spec->unknown_msrs = V3_MSRS_IGNORE;
	else
		return v3_msg_set(msg, "'%s' is not an action: use fault or ignore",
				  v3_printable(text));
	return 0;
}

/* Whether the host can do it is for the module to say, also for its own frequency. */
int v3_spec_set_tsc_khz(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	return v3_number_parse(text, "kHz", V3_TSC_MIN_KHZ, V3_TSC_MAX_KHZ, &spec->tsc_khz,
			       msg);
}

int v3_spec_set_memory_from(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (strcmp(text, "auto") && strcmp(text, "held"))
		return v3_msg_set(msg, "'%s' is no source of memory: use auto or held",
				  v3_printable(text));
	spec->held = !strcmp(text, "held");
	return 0;
}

int v3_spec_set_trace(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	if (strcmp(text, "true") && strcmp(text, "false"))
		return v3_msg_set(msg, "'%s' is neither true nor false", v3_printable(text));
	spec->trace = !strcmp(text, "true");
	return 0;
}

uint64_t v3_spec_memory(const struct v3_spec *spec)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < spec->num_mem; i++)
		sum += spec->mem[i].size;
	return sum;
}

/* Length without an extension: a dot and letters. The end of a kernel's version is none. */
static size_t stem_length(const char *base)
{
	const char *dot = strrchr(base, '.');
	const char *p;

	if (!dot || dot == base || !dot[1])
		return strlen(base);
	for (p = dot + 1; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')))
			return strlen(base);
	return (size_t)(dot - base);
}

/* The last part of the path, without extension, with other characters than a name has as '-'. */
static void name_from_path(char *name, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = stem_length(base);
	size_t i;

	/* Room for "-" and a process id, if the name is in use. */
	if (len > V3_NAME_MAX - 11)
		len = V3_NAME_MAX - 11;
	for (i = 0; i < len; i++)
		name[i] = name_char(base[i]) ? base[i] : '-';
	name[len] = 0;
	if (!len)
		strcpy(name, "guest");
}

int v3_spec_finish(struct v3_spec *spec, const char *stem, struct v3_msg *msg)
{
	unsigned int i;

	if (!spec->kernel)
		return v3_msg_set(msg, "no kernel is given");
	if (!spec->name[0])
		name_from_path(spec->name, stem);
	if (!spec->num_mem)
		spec->mem[spec->num_mem++] = (struct v3_mem_config){
			.size = V3_SPEC_MEMORY_DEFAULT, .node = V3_NODE_ANY
		};
	if (!spec->num_vcpus)
		spec->num_vcpus = spec->num_cpus ? spec->num_cpus : 1;
	if (spec->num_cpus && spec->num_cpus != spec->num_vcpus)
		return v3_msg_set(msg, "%u CPUs are named for %u vCPUs: give one for each",
				  spec->num_cpus, spec->num_vcpus);
	if (spec->host_yield && !(spec->own && spec->num_cpus))
		return v3_msg_set(msg, "host_yield (--host-yield) is for CPUs that the guest owns: "
				       "name them by cpus (--cpus)");
	for (i = spec->num_cpus; i < spec->num_vcpus; i++)
		spec->cpus[i] = V3_CPU_ANY;
	return 0;
}
