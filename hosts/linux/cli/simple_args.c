/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of commands that take a name, --json, both or nothing.
 */
#include <argp.h>

#include "commands.h"

struct simple {
	const char **name;
	bool *json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct simple *simple = state->input;

	switch (key) {
	case 'j':
		*simple->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!simple->name)
			argp_error(state, "'%s' is one argument too many", v3_printable(arg));
		else if (*simple->name)
			argp_error(state, "one guest at a time: '%s' is one too many",
				   v3_printable(arg));
		else
			*simple->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (simple->name && !*simple->name)
			argp_error(state, "the name of a guest is missing ('v3 list' shows them)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void v3_parse_simple(int argc, char **argv, const char *doc, const char **name, bool *json)
{
	static const struct argp_option json_options[] = {
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ 0 }
	};
	struct simple simple = { name, json };
	struct argp argp = {
		.options = json ? json_options : NULL,
		.parser = parse,
		.args_doc = name ? "NAME" : NULL,
		.doc = doc,
	};

	if (name)
		*name = NULL;
	argp_parse(&argp, argc, argv, 0, NULL, &simple);
}
