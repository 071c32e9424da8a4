/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where things are in a YAML file, by libyaml's document tree.
 */
#include "yaml_pos.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static yaml_document_t *tree_of(const struct v3_yaml_doc *doc)
{
	/* libyaml's getters take non-const, but change nothing. */
	return (yaml_document_t *)(uintptr_t)&doc->tree;
}

static struct v3_yaml_pos pos_of(yaml_mark_t mark)
{
	return (struct v3_yaml_pos){ mark.line + 1, mark.column + 1 };
}

int v3_yaml_msg(struct v3_msg *msg, const struct v3_yaml_doc *doc, struct v3_yaml_pos pos,
		const char *fmt, ...)
{
	char text[V3_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!pos.line)
		return v3_msg_set(msg, "%s: %s", v3_printable(doc->path), text);
	return v3_msg_set(msg, "%s:%lu:%lu: %s", v3_printable(doc->path), pos.line, pos.column,
			  text);
}

/* The reader's own errors (bad UTF-8) have an offset, but no mark. */
static struct v3_yaml_pos pos_of_offset(const char *text, size_t size, size_t offset)
{
	struct v3_yaml_pos pos = { 1, 1 };
	size_t i;

	for (i = 0; i < offset && i < size; i++) {
		pos.column++;
		if (text[i] == '\n')
			pos = (struct v3_yaml_pos){ pos.line + 1, 1 };
	}
	return pos;
}

static int syntax_error(const struct v3_yaml_doc *doc, const yaml_parser_t *parser,
			const char *text, size_t size, struct v3_msg *msg)
{
	struct v3_yaml_pos pos = pos_of(parser->problem_mark);

	if (parser->error == YAML_MEMORY_ERROR)
		return v3_msg_set(msg, "%s: out of memory", v3_printable(doc->path));
	if (parser->error == YAML_READER_ERROR)
		pos = pos_of_offset(text, size, parser->problem_offset);
	return v3_yaml_msg(msg, doc, pos, "%s%s%s", parser->problem ? parser->problem : "not YAML",
			   parser->context ? " " : "", parser->context ? parser->context : "");
}

/* Says no to anything behind the first document. */
static int check_end(const struct v3_yaml_doc *doc, yaml_parser_t *parser, const char *text,
		     size_t size, struct v3_msg *msg)
{
	yaml_document_t next;
	yaml_node_t *root;
	int result = 0;

	if (!yaml_parser_load(parser, &next))
		return syntax_error(doc, parser, text, size, msg);
	root = yaml_document_get_root_node(&next);
	if (root)
		result = v3_yaml_msg(msg, doc, pos_of(root->start_mark),
				     "a second document begins here; one file describes one guest");
	yaml_document_delete(&next);
	return result;
}

static int load_tree(struct v3_yaml_doc *doc, yaml_parser_t *parser, const char *text,
		     size_t size, struct v3_msg *msg)
{
	yaml_node_t *root;
	int result;

	if (!yaml_parser_load(parser, &doc->tree))
		return syntax_error(doc, parser, text, size, msg);
	root = yaml_document_get_root_node(&doc->tree);
	if (!root)
		result = v3_msg_set(msg, "%s: describes nothing", v3_printable(doc->path));
	else if (root->type != YAML_MAPPING_NODE)
		result = v3_yaml_msg(
			msg, doc, pos_of(root->start_mark),
			"a guest description is a mapping, lines such as 'memory: 1GiB'");
	else
		result = check_end(doc, parser, text, size, msg);
	if (result)
		yaml_document_delete(&doc->tree);
	return result;
}

int v3_yaml_doc_load(struct v3_yaml_doc *doc, const char *path, const char *text, size_t size,
		     struct v3_msg *msg)
{
	yaml_parser_t parser;
	int result;

	doc->path = path;
	if (!yaml_parser_initialize(&parser))
		return v3_msg_set(msg, "%s: out of memory", v3_printable(path));
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	result = load_tree(doc, &parser, text, size, msg);
	yaml_parser_delete(&parser);
	return result;
}

void v3_yaml_doc_free(struct v3_yaml_doc *doc)
{
	yaml_document_delete(&doc->tree);
}

static bool is_text(const yaml_node_t *node, const char *text)
{
	return node && node->type == YAML_SCALAR_NODE &&
	       !strcmp((const char *)node->data.scalar.value, text);
}

static yaml_node_t *child(const struct v3_yaml_doc *doc, const yaml_node_t *mapping,
			  const char *key)
{
	const yaml_node_pair_t *pair;

	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
	     pair++)
		if (is_text(yaml_document_get_node(tree_of(doc), pair->key), key))
			return yaml_document_get_node(tree_of(doc), pair->value);
	return NULL;
}

static yaml_node_t *root_of(const struct v3_yaml_doc *doc)
{
	return yaml_document_get_root_node(tree_of(doc));
}

bool v3_yaml_is_list(const struct v3_yaml_doc *doc, const char *key)
{
	const yaml_node_t *node = child(doc, root_of(doc), key);

	return node && node->type == YAML_SEQUENCE_NODE;
}

bool v3_yaml_is_mapping(const struct v3_yaml_doc *doc, const char *key)
{
	const yaml_node_t *node = child(doc, root_of(doc), key);

	return node && node->type == YAML_MAPPING_NODE;
}

struct v3_yaml_pos v3_yaml_root(const struct v3_yaml_doc *doc)
{
	return pos_of(root_of(doc)->start_mark);
}

/* NULL: it is no list, or has no such entry. */
static yaml_node_t *entry_of(const struct v3_yaml_doc *doc, const yaml_node_t *node, int index)
{
	const yaml_node_item_t *items;

	if (index < 0 || node->type != YAML_SEQUENCE_NODE)
		return NULL;
	items = node->data.sequence.items.start;
	if (items + index >= node->data.sequence.items.top)
		return NULL;
	return yaml_document_get_node(tree_of(doc), items[index]);
}

struct v3_yaml_pos v3_yaml_inner(const struct v3_yaml_doc *doc, const char *key, const char *sub,
				 int index)
{
	const yaml_node_t *node = child(doc, root_of(doc), key);
	const yaml_node_t *inner = child(doc, node, sub);
	const yaml_node_t *entry;

	if (!inner)
		return v3_yaml_value(doc, key, -1, NULL);
	entry = entry_of(doc, inner, index);
	return pos_of((entry ? entry : inner)->start_mark);
}

struct v3_yaml_pos v3_yaml_value(const struct v3_yaml_doc *doc, const char *key, int index,
				 const char *sub)
{
	yaml_node_t *node = child(doc, root_of(doc), key);
	yaml_node_t *inner;

	if (!node)
		return v3_yaml_root(doc);
	inner = entry_of(doc, node, index);
	if (inner)
		node = inner;
	if (inner && sub)
		inner = child(doc, inner, sub);
	return pos_of((inner ? inner : node)->start_mark);
}

void v3_yaml_find_lack(const struct v3_yaml_doc *doc, const char *key, const char *sub,
		       struct v3_yaml_pos *pos)
{
	const yaml_node_t *list = child(doc, root_of(doc), key);
	const yaml_node_item_t *item;
	const yaml_node_t *entry;

	if (!list || list->type != YAML_SEQUENCE_NODE)
		return;
	for (item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
		entry = yaml_document_get_node(tree_of(doc), *item);
		if (entry->type == YAML_MAPPING_NODE && !child(doc, entry, sub)) {
			*pos = pos_of(entry->start_mark);
			return;
		}
	}
}

void v3_yaml_find_key(const struct v3_yaml_doc *doc, bool (*known)(const char *key, bool root),
		      const char *key, struct v3_yaml_pos *pos)
{
	const yaml_node_t *node, *name;
	const yaml_node_pair_t *pair;
	bool seen;

	for (node = doc->tree.nodes.start; node < doc->tree.nodes.top; node++) {
		if (node->type != YAML_MAPPING_NODE)
			continue;
		seen = false;
		for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
		     pair++) {
			name = yaml_document_get_node(tree_of(doc), pair->key);
			if (!is_text(name, key))
				continue;
			if (known ? !known(key, node == doc->tree.nodes.start) : seen) {
				*pos = pos_of(name->start_mark);
				return;
			}
			seen = true;
		}
	}
}
