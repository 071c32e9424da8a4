/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options are collected first and applied when all are known: a description comes before
 * the options that change it, wherever it stands on the command line.
 */
#include "options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "yaml_desc.h"

enum {
	OPT_NAME, OPT_KERNEL, OPT_INITRD, OPT_APPEND, OPT_MEMORY, OPT_CPUS, OPT_PIN, OPT_YIELD, OPT_VCPUS,
	OPT_ENTRY, OPT_CPU, OPT_TSC, OPT_TIMEOUT, OPT_COUNT
};
enum { KEY_PIN = 0x200, KEY_YIELD, KEY_TSC };
enum { KEY_VCPUS = 0x100, KEY_ENTRY, KEY_CPU, KEY_MODULE, KEY_TRACE, KEY_NO_REBOOT, KEY_KEEP, KEY_NO_TAKE };

/* --timeout: a year is for ever. */
#define TIMEOUT_MAX 31536000

struct parsed {
	const char *guest; /* DESCRIPTION or KERNEL */
	const char *values[OPT_COUNT];
	const char *modules[V3_SPEC_MODULES + 1];	/* one more than there can be */
	unsigned int num_modules;
	bool trace, no_take;
	struct v3_run_options *run;
};

static const struct argp_option guest_options[] = {
	{ "name", 'n', "NAME", 0, "Name of the guest (default: that of the file)", 0 },
	{ "kernel", 'k', "FILE", 0,
	  "Kernel: a static ELF64 file, a Linux bzImage or a multiboot kernel", 0 },
	{ "initrd", 'i', "FILE", 0, "Initial RAM disk", 0 },
	{ "module", KEY_MODULE, "FILE[ ARGS]", 0,
	  "File for a multiboot kernel and the string that goes with it (default: its name); may be "
	  "repeated", 0 },
	{ "append", 'a', "STRING", 0, "Command line of the guest; added to a description's", 0 },
	{ "memory", 'm', "SIZE", 0, "Memory, such as 512MiB or 2G (default: 256MiB)", 0 },
	{ "no-take", KEY_NO_TAKE, NULL, 0,
	  "Memory only of what 'v3 mem take' has taken: take none from the host", 0 },
	{ "cpus", 'c', "LIST", 0,
	  "Host CPUs that the guest has to itself, such as 2-3,6: one for each vCPU", 0 },
	{ "pin", KEY_PIN, "LIST", 0,
	  "Host CPUs that it shares with others (default: v3 chooses): one for each vCPU", 0 },
	{ "host-yield", KEY_YIELD, "never|on-halt|interval=TIME", 0,
	  "When the host gets CPUs that the guest has to itself (default: interval=5s)", 0 },
	{ "vcpus", KEY_VCPUS, "N", 0,
	  "Number of vCPUs (default: as many as CPUs are named, or 1)", 0 },
	{ "entry", KEY_ENTRY, "auto|32|64|multiboot", 0,
	  "Which entry of a bzImage to use, or to start a kernel by its multiboot header", 0 },
	{ "cpu", KEY_CPU, "MODEL[,-FEATURE...]", 0,
	  "What the vCPUs look like: host, x86-64-v2, x86-64-v3 or x86-64-v4, less features of "
	  "/proc/cpuinfo (default: host)", 0 },
	{ "tsc-khz", KEY_TSC, "N", 0,
	  "Frequency of the guest's TSC (default: the host's); takes a CPU with TSC scaling", 0 },
	{ "trace", KEY_TRACE, NULL, 0, "Trace it from the start, for 'v3 trace' and 'v3 inspect'", 0 },
	{ 0 }
};

static const struct argp_option run_options[] = {
	{ "no-reboot", KEY_NO_REBOOT, NULL, 0, "End when the guest resets itself", 0 },
	{ "keep", KEY_KEEP, NULL, 0, "Keep a guest that crashed, for 'v3 inspect'", 0 },
	{ "detach", 'd', NULL, 0, "Start the guest, print its name and leave it running", 0 },
	{ "timeout", 't', "SECONDS", 0, "Stop the guest after that time", 0 },
	{ 0 }
};

static error_t parse_guest(int key, char *arg, struct argp_state *state)
{
	static const struct {
		int key;
		int place;
	} places[] = {
		{ 'n', OPT_NAME }, { 'k', OPT_KERNEL }, { 'i', OPT_INITRD }, { 'a', OPT_APPEND },
		{ 'm', OPT_MEMORY }, { 'c', OPT_CPUS }, { KEY_PIN, OPT_PIN },
		{ KEY_YIELD, OPT_YIELD }, { KEY_VCPUS, OPT_VCPUS },
		{ KEY_ENTRY, OPT_ENTRY }, { KEY_CPU, OPT_CPU }, { KEY_TSC, OPT_TSC },
	};
	struct parsed *parsed = state->input;
	unsigned int i;

	if (key == ARGP_KEY_ARG) {
		if (parsed->guest)
			argp_error(state, "one guest at a time: '%s' is one too many",
				   v3_printable(arg));
		parsed->guest = arg;
		return 0;
	}
	if (key == KEY_MODULE) {
		if (parsed->num_modules <= V3_SPEC_MODULES)
			parsed->modules[parsed->num_modules++] = arg;
		return 0;
	}
	if (key == KEY_NO_TAKE) {
		parsed->no_take = true;
		return 0;
	}
	if (key == KEY_TRACE) {
		parsed->trace = true;
		return 0;
	}
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (places[i].key == key) {
			parsed->values[places[i].place] = arg;
			return 0;
		}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
	struct parsed *parsed = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = parsed;
		return 0;
	case KEY_NO_REBOOT:
		parsed->run->no_reboot = true;
		return 0;
	case KEY_KEEP:
		parsed->run->keep = true;
		return 0;
	case 'd':
		parsed->run->detach = true;
		return 0;
	case 't':
		parsed->values[OPT_TIMEOUT] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char args_doc[] = "[DESCRIPTION.yaml | KERNEL]";

static const struct argp guest_argp = {
	.options = guest_options,
	.parser = parse_guest,
	.args_doc = args_doc,
	.doc = "Creates a guest, loads its kernel and leaves it ready for 'v3 start'. It stays "
	       "until 'v3 destroy'.",
};

static const struct argp guest_child = { .options = guest_options, .parser = parse_guest };

static const struct argp run_argp = {
	.options = run_options,
	.parser = parse_run,
	.args_doc = args_doc,
	.doc = "Runs a guest with its console on this terminal until it ends. Ctrl-] ? shows the "
	       "keys.\v"
	       "Exit status: that of the guest (0 for a power-off), or\n"
	       "  240  the guest crashed\n"
	       "  241  it reset itself and is not to run again\n"
	       "  242  it was stopped (v3 stop, Ctrl-] q, SIGINT, SIGTERM)\n"
	       "  243  timeout\n"
	       "  244  the VMM or the host failed\n"
	       "  245  it could not be started\n"
	       "  246  bad command line\n"
	       "  247  its own exit code is one of 240 to 247",
	.children = (const struct argp_child[]){ { &guest_child, 0, NULL, 0 }, { 0 } },
};

static bool is_description(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

/*
 * The guest that is named without an option. Returns 0, -1 with a message (a bad description),
 * or 1 likewise (usage).
 */
static int take_guest(struct parsed *parsed, struct v3_spec *spec, struct v3_msg *msg)
{
	v3_spec_init(spec);
	if (!parsed->guest)
		return 0;
	if (is_description(parsed->guest))
		return v3_yaml_load(parsed->guest, spec, msg);
	if (parsed->values[OPT_KERNEL]) {
		v3_msg_set(msg, "two kernels are given: '%s' and --kernel '%s'",
			   v3_printable(parsed->guest), v3_printable(parsed->values[OPT_KERNEL]));
		return 1;
	}
	v3_spec_set_string(&spec->kernel, parsed->guest);
	return 0;
}

/* What the command line says of CPUs stands for all that goes with it if that is not given here. */
static void forget_replaced(const struct parsed *parsed, struct v3_spec *spec)
{
	bool cpus = parsed->values[OPT_CPUS] || parsed->values[OPT_PIN];

	if (cpus && !parsed->values[OPT_VCPUS])
		spec->num_vcpus = 0;
	if (parsed->values[OPT_VCPUS] && !cpus) {
		spec->num_cpus = 0;
		spec->own = false;
	}
	if (!spec->num_cpus || parsed->values[OPT_PIN])
		spec->host_yield = spec->yield_ns = 0;
}

static int take_values(const struct parsed *parsed, struct v3_spec *spec, struct v3_msg *msg)
{
	static const struct {
		const char *option;
		int place;
		int (*set)(struct v3_spec *spec, const char *text, struct v3_msg *msg);
	} values[] = {
		{ "--name", OPT_NAME, v3_spec_set_name },
		{ "--append", OPT_APPEND, v3_spec_append },
		{ "--memory", OPT_MEMORY, v3_spec_set_memory },
		{ "--cpus", OPT_CPUS, v3_spec_set_cpus },
		{ "--pin", OPT_PIN, v3_spec_set_pin },
		{ "--host-yield", OPT_YIELD, v3_spec_set_host_yield },
		{ "--vcpus", OPT_VCPUS, v3_spec_set_vcpus },
		{ "--entry", OPT_ENTRY, v3_spec_set_entry },
		{ "--cpu", OPT_CPU, v3_spec_set_cpu },
		{ "--tsc-khz", OPT_TSC, v3_spec_set_tsc_khz },
	};
	struct v3_msg why;
	unsigned int i;

	forget_replaced(parsed, spec);
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (parsed->values[values[i].place] &&
		    values[i].set(spec, parsed->values[values[i].place], &why))
			return v3_msg_set(msg, "%s: %s", values[i].option, why.text);
	if (parsed->values[OPT_KERNEL])
		v3_spec_set_string(&spec->kernel, parsed->values[OPT_KERNEL]);
	if (parsed->values[OPT_INITRD])
		v3_spec_set_string(&spec->initrd, parsed->values[OPT_INITRD]);
	spec->trace |= parsed->trace;
	spec->held |= parsed->no_take;
	if (parsed->values[OPT_TIMEOUT] &&
	    v3_number_parse(parsed->values[OPT_TIMEOUT], "--timeout", 1, TIMEOUT_MAX,
			    &parsed->run->timeout_s, msg))
		return -1;
	return 0;
}

/* "FILE ARGS" */
static int take_module(struct v3_spec *spec, const char *text, struct v3_msg *msg)
{
	char *file = v3_xstrdup(text), *blank = strchr(file, ' ');
	int result;

	if (blank)
		*blank++ = 0;
	result = v3_spec_add_module(spec, file, blank, msg);
	free(file);
	return result;
}

static int take_modules(const struct parsed *parsed, struct v3_spec *spec, struct v3_msg *msg)
{
	struct v3_msg why;
	unsigned int i;

	for (i = 0; i < parsed->num_modules; i++)
		if (take_module(spec, parsed->modules[i], &why))
			return v3_msg_set(msg, "--module: %s", why.text);
	return 0;
}

static int check_together(const struct parsed *parsed, const struct v3_spec *spec,
			  struct v3_msg *msg)
{
	if (!spec->kernel)
		return v3_msg_set(msg,
				  "no guest is given: name a description (*.yaml) or a kernel");
	if (parsed->values[OPT_CPUS] && parsed->values[OPT_PIN])
		return v3_msg_set(msg, "--cpus and --pin exclude each other: CPUs are owned or "
				       "shared");
	if (parsed->run && parsed->run->detach && parsed->run->timeout_s)
		return v3_msg_set(
			msg, "--timeout does not go with --detach: nobody would watch the time");
	return 0;
}

int v3_options_parse(int argc, char **argv, int usage, int failed, struct v3_spec *spec,
		     struct v3_run_options *run)
{
	struct parsed parsed = { .run = run };
	struct v3_msg msg;
	int result;

	argp_err_exit_status = usage;
	argp_parse(run ? &run_argp : &guest_argp, argc, argv, 0, NULL, &parsed);
	result = take_guest(&parsed, spec, &msg);
	if (result) {
		v3_err("%s", msg.text);
		v3_spec_free(spec);
		return result < 0 ? failed : usage;
	}
	if (take_values(&parsed, spec, &msg) || take_modules(&parsed, spec, &msg) ||
	    check_together(&parsed, spec, &msg) ||
	    v3_spec_finish(spec, parsed.guest ? parsed.guest : spec->kernel, &msg)) {
		v3_err("%s (see '%s --help')", msg.text, argv[0]);
		v3_spec_free(spec);
		return usage;
	}
	return 0;
}
