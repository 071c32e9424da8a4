/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON on standard output, by jansson.
 */
#ifndef V3_CLI_JSON_OUT_H
#define V3_CLI_JSON_OUT_H

#include <jansson.h>

#include "cli.h"

/* A non-negative integer; those above INT64_MAX, which no counter reaches, are cut to it. */
json_t *v3_json_uint(uint64_t value);

/*
 * Prints and frees @json; NULL stands for a failed allocation on the way. Returns 0, or -1
 * after a message.
 */
int v3_json_print(json_t *json);

#endif
