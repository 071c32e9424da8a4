/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON on standard output.
 */
#include "json_out.h"

#include <errno.h>
#include <string.h>

json_t *v3_json_uint(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

int v3_json_print(json_t *json)
{
	int result;

	if (!json)
		return v3_err("out of memory");
	result = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	json_decref(json);
	if (result || putchar('\n') == EOF || fflush(stdout))
		return v3_err("standard output: %s", strerror(errno));
	return 0;
}
