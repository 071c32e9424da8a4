/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are in a YAML file: a document tree that remembers lines and columns, which
 * libcyaml does not give.
 */
#ifndef V3_CLI_YAML_POS_H
#define V3_CLI_YAML_POS_H

#include <yaml.h>

#include "cli.h"

struct v3_yaml_doc {
	const char *path; /* of the caller; for messages */
	yaml_document_t tree;
};

/* From 1 on; line 0: unknown. */
struct v3_yaml_pos {
	unsigned long line, column;
};

/*
 * Parses a file of exactly one document, a mapping. Returns 0, or -1 with a message with line
 * and column.
 */
int v3_yaml_doc_load(struct v3_yaml_doc *doc, const char *path, const char *text, size_t size,
		     struct v3_msg *msg);
void v3_yaml_doc_free(struct v3_yaml_doc *doc);

/* True if @key of the root mapping has a list. */
bool v3_yaml_is_list(const struct v3_yaml_doc *doc, const char *key);

/* The same for a mapping. */
bool v3_yaml_is_mapping(const struct v3_yaml_doc *doc, const char *key);

struct v3_yaml_pos v3_yaml_root(const struct v3_yaml_doc *doc);
/*
 * The value of @key of the root mapping; its @index-th entry unless that is negative; and of
 * that entry the value of @sub unless NULL. The nearest thing that is there.
 */
struct v3_yaml_pos v3_yaml_value(const struct v3_yaml_doc *doc, const char *key, int index,
				 const char *sub);

/*
 * The value of @sub in the mapping at @key of the root mapping; its @index-th entry unless that is
 * negative. The nearest thing that is there.
 */
struct v3_yaml_pos v3_yaml_inner(const struct v3_yaml_doc *doc, const char *key, const char *sub,
				 int index);

/*
 * The first entry of the list at @key that is a mapping without @sub. Leaves @pos if there is
 * none.
 */
void v3_yaml_find_lack(const struct v3_yaml_doc *doc, const char *key, const char *sub,
		       struct v3_yaml_pos *pos);

/*
 * The place of a key called @key: with @known one that is not known in its mapping (asked with
 * true for the root mapping), without the second of its name in one mapping. Leaves @pos if
 * there is none.
 */
void v3_yaml_find_key(const struct v3_yaml_doc *doc, bool (*known)(const char *key, bool root),
		      const char *key, struct v3_yaml_pos *pos);

/* "path:line:column: ..."; returns -1. */
int v3_yaml_msg(struct v3_msg *msg, const struct v3_yaml_doc *doc, struct v3_yaml_pos pos,
		const char *fmt, ...) V3_PRINTF(4, 5);

#endif
