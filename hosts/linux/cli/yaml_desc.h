/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest descriptions in YAML.
 */
#ifndef V3_CLI_YAML_DESC_H
#define V3_CLI_YAML_DESC_H

#include "spec.h"

/* Descriptions are short; a larger file is a mistake. */
#define V3_YAML_MAX (1u << 20)

/*
 * Reads the description @text of @size bytes into a fresh @spec. Relative paths in it are
 * relative to the folder of @path. Does not finish it. Returns 0, or -1 with a message
 * "path:line:column: what".
 */
int v3_yaml_parse(const char *path, const char *text, size_t size, struct v3_spec *spec,
		  struct v3_msg *msg);

/* The same from the file itself. */
int v3_yaml_load(const char *path, struct v3_spec *spec, struct v3_msg *msg);

#endif
