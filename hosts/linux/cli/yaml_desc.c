/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest descriptions: libcyaml knows the keys and their types, the setters of spec.c know the
 * values. Values come as text: libcyaml's own numbers would take "2x" for 2.
 */
#include "yaml_desc.h"

#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "parse.h"
#include "yaml_pos.h"

struct raw_mem {
	char *size, *node;
};

struct raw_module {
	char *file, *args;
};

struct raw_cpu {
	char *model;
	char **hide;
	unsigned int hide_count;
};

/* A description as libcyaml loads it: memory or mem, cpus or cpu_list, pin or
 * pin_list, cpu or cpu_model. */
struct raw_desc {
	char *name, *kernel, *initrd, *cmdline, *memory, *vcpus, *cpus, *pin, *host_yield, *entry;
	char *on_reboot, *unemulated;
	char *cpu, *unknown_msrs, *tsc_khz, *trace, *memory_from;
	struct raw_cpu *cpu_model;
	struct raw_mem *mem;
	unsigned int mem_count;
	struct raw_module *modules;
	unsigned int modules_count;
	char **cpu_list;
	unsigned int cpu_list_count;
	char **pin_list;
	unsigned int pin_list_count;
};

#define TEXT_FIELD(structure, member, flags)                                                     \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | (flags), structure, member, 0,      \
			       CYAML_UNLIMITED)

static const cyaml_schema_field_t mem_fields[] = {
	TEXT_FIELD(struct raw_mem, size, 0),
	TEXT_FIELD(struct raw_mem, node, CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_END
};
static const cyaml_schema_value_t mem_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_mem, mem_fields)
};
static const cyaml_schema_field_t module_fields[] = {
	TEXT_FIELD(struct raw_module, file, 0),
	TEXT_FIELD(struct raw_module, args, CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_END
};
static const cyaml_schema_value_t module_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_module, module_fields)
};
static const cyaml_schema_value_t cpu_value = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)
};

static const cyaml_schema_field_t cpu_fields[] = {
	TEXT_FIELD(struct raw_cpu, model, CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_SEQUENCE("hide", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_cpu, hide,
			     &cpu_value, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};

/* Places of the keys below that take a text or something else. */
enum { FIELD_MEMORY, FIELD_CPUS, FIELD_PIN, FIELD_CPU, NUM_FIELDS = 18 };

static const cyaml_schema_field_t text_fields[NUM_FIELDS + 1] = {
	[FIELD_MEMORY] = TEXT_FIELD(struct raw_desc, memory, CYAML_FLAG_OPTIONAL),
	[FIELD_CPUS] = TEXT_FIELD(struct raw_desc, cpus, CYAML_FLAG_OPTIONAL),
	[FIELD_PIN] = TEXT_FIELD(struct raw_desc, pin, CYAML_FLAG_OPTIONAL),
	[FIELD_CPU] = TEXT_FIELD(struct raw_desc, cpu, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, name, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, kernel, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, initrd, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, cmdline, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, vcpus, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, host_yield, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, entry, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, on_reboot, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, unemulated, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, unknown_msrs, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, tsc_khz, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, trace, CYAML_FLAG_OPTIONAL),
	TEXT_FIELD(struct raw_desc, memory_from, CYAML_FLAG_OPTIONAL),
	CYAML_FIELD_SEQUENCE("modules", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_desc,
			     modules, &module_value, 0, CYAML_UNLIMITED),
	CYAML_FIELD_END
};
static const cyaml_schema_field_t memory_list = CYAML_FIELD_SEQUENCE(
	"memory", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_desc, mem, &mem_value, 0,
	CYAML_UNLIMITED);
static const cyaml_schema_field_t cpus_list = CYAML_FIELD_SEQUENCE(
	"cpus", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_desc, cpu_list, &cpu_value, 0,
	CYAML_UNLIMITED);
static const cyaml_schema_field_t pin_list = CYAML_FIELD_SEQUENCE(
	"pin", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_desc, pin_list, &cpu_value, 0,
	CYAML_UNLIMITED);

static const cyaml_schema_field_t cpu_mapping = CYAML_FIELD_MAPPING_PTR(
	"cpu", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct raw_desc, cpu_model, cpu_fields);

/* The schema for one document: libcyaml has no type "text or list". */
struct schema {
	cyaml_schema_field_t fields[NUM_FIELDS + 1];
	cyaml_schema_value_t value;
};

static void schema_init(struct schema *schema, const struct v3_yaml_doc *doc)
{
	memcpy(schema->fields, text_fields, sizeof(text_fields));
	if (v3_yaml_is_list(doc, "memory"))
		schema->fields[FIELD_MEMORY] = memory_list;
	if (v3_yaml_is_list(doc, "cpus"))
		schema->fields[FIELD_CPUS] = cpus_list;
	if (v3_yaml_is_list(doc, "pin"))
		schema->fields[FIELD_PIN] = pin_list;
	if (v3_yaml_is_mapping(doc, "cpu"))
		schema->fields[FIELD_CPU] = cpu_mapping;
	schema->value = (cyaml_schema_value_t){
		CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_desc, schema->fields)
	};
}

/* The first complaint of libcyaml and the innermost place of its backtrace. */
struct complaint {
	char text[V3_MSG_MAX];
	unsigned long line, column;
	char field[64];
};

__attribute__((format(printf, 3, 0)))
static void on_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *complaint = ctx;
	char text[V3_MSG_MAX];
	const char *place;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = 0;
	if (!complaint->text[0]) {
		memcpy(complaint->text, text, sizeof(text));
		return;
	}
	place = strstr(text, "(line: ");
	if (complaint->line || !place ||
	    sscanf(place, "(line: %lu, column: %lu)", &complaint->line, &complaint->column) != 2)
		return;
	sscanf(text, " in mapping field '%63[^']'", complaint->field);
}

static bool known_key(const char *key, bool root)
{
	const cyaml_schema_field_t *field = root ? text_fields : mem_fields;

	for (; field->key; field++)
		if (!strcmp(field->key, key))
			return true;
	for (field = cpu_fields; !root && field->key; field++)
		if (!strcmp(field->key, key))
			return true;
	for (field = module_fields; !root && field->key; field++)
		if (!strcmp(field->key, key))
			return true;
	return false;
}

static const char *after(const char *text, const char *start)
{
	size_t len = strlen(start);

	return strncmp(text, start, len) ? NULL : text + len;
}

/* Turns a complaint of libcyaml into one of ours, with the place of the thing itself. */
static int explain(const struct v3_yaml_doc *doc, const struct complaint *complaint,
		   cyaml_err_t err, struct v3_msg *msg)
{
	struct v3_yaml_pos pos = { complaint->line, complaint->column };
	const char *text = complaint->text;
	const char *rest = after(text, "Load: ");
	const char *key;

	if (rest)
		text = rest;
	key = after(text, "Unexpected key: ");
	if (key) {
		v3_yaml_find_key(doc, known_key, key, &pos);
		return v3_yaml_msg(msg, doc, pos, "unknown key '%s'", v3_printable(key));
	}
	key = after(text, "Mapping field already seen: ");
	if (key) {
		v3_yaml_find_key(doc, NULL, key, &pos);
		return v3_yaml_msg(msg, doc, pos, "the key '%s' is there twice", v3_printable(key));
	}
	key = after(text, "Missing required mapping field: ");
	if (key) {
		v3_yaml_find_lack(doc, strcmp(key, "file") ? "memory" : "modules", key, &pos);
		return v3_yaml_msg(msg, doc, pos, "the key '%s' is missing here",
				   v3_printable(key));
	}
	if (after(text, "Expecting STRING") && complaint->field[0])
		return v3_yaml_msg(msg, doc, pos,
				   "'%s' has to be a single value, not a list or mapping",
				   complaint->field);
	if (after(text, "Expecting STRING"))
		return v3_yaml_msg(msg, doc, pos,
				   "this has to be a single value, not a list or mapping");
	if (after(text, "Expecting SEQUENCE"))
		return v3_yaml_msg(msg, doc, pos, "this has to be a list, such as [a, b]");
	if (after(text, "Expecting MAPPING"))
		return v3_yaml_msg(msg, doc, pos, "this has to be a mapping, such as 'size: 1GiB'");
	return v3_yaml_msg(msg, doc, pos, "%s", *text ? v3_printable(text) : cyaml_strerror(err));
}

/* A path relative to the description's folder. */
static int set_path(char **place, const char *desc, const char *path, struct v3_msg *msg)
{
	const char *slash = strrchr(desc, '/');
	size_t dir = slash && *path != '/' ? (size_t)(slash - desc) + 1 : 0;

	if (!*path)
		return v3_msg_set(msg, "a file name must not be empty");
	free(*place);
	*place = v3_xmalloc(dir + strlen(path) + 1);
	memcpy(*place, desc, dir);
	strcpy(*place + dir, path);
	return 0;
}

typedef int (*setter)(struct v3_spec *spec, const char *text, struct v3_msg *msg);

/* Values with a setter of their own. */
static int take_values(const struct raw_desc *raw, struct v3_spec *spec,
		       const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	const struct {
		const char *key, *text;
		setter set;
	} values[] = {
		{ "name", raw->name, v3_spec_set_name },
		{ "cmdline", raw->cmdline, v3_spec_set_cmdline },
		{ "memory", raw->memory, v3_spec_set_memory },
		{ "vcpus", raw->vcpus, v3_spec_set_vcpus },
		{ "cpus", raw->cpus, v3_spec_set_cpus },
		{ "pin", raw->pin, v3_spec_set_pin },
		{ "host_yield", raw->host_yield, v3_spec_set_host_yield },
		{ "entry", raw->entry, v3_spec_set_entry },
		{ "on_reboot", raw->on_reboot, v3_spec_set_on_reboot },
		{ "unemulated", raw->unemulated, v3_spec_set_unemulated },
		{ "cpu", raw->cpu, v3_spec_set_cpu },
		{ "unknown_msrs", raw->unknown_msrs, v3_spec_set_unknown_msrs },
		{ "tsc_khz", raw->tsc_khz, v3_spec_set_tsc_khz },
		{ "trace", raw->trace, v3_spec_set_trace },
		{ "memory_from", raw->memory_from, v3_spec_set_memory_from },
	};
	struct v3_msg why;
	unsigned int i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i].text && values[i].set(spec, values[i].text, &why))
			return v3_yaml_msg(msg, doc, v3_yaml_value(doc, values[i].key, -1, NULL),
					   "%s: %s", values[i].key, why.text);
	return 0;
}

static int take_files(const struct raw_desc *raw, struct v3_spec *spec,
		      const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	struct v3_msg why;

	if (!raw->kernel)
		return v3_yaml_msg(msg, doc, v3_yaml_root(doc), "the key 'kernel' is missing");
	if (set_path(&spec->kernel, doc->path, raw->kernel, &why))
		return v3_yaml_msg(msg, doc, v3_yaml_value(doc, "kernel", -1, NULL), "kernel: %s",
				   why.text);
	if (raw->initrd && set_path(&spec->initrd, doc->path, raw->initrd, &why))
		return v3_yaml_msg(msg, doc, v3_yaml_value(doc, "initrd", -1, NULL), "initrd: %s",
				   why.text);
	return 0;
}

static int take_modules(const struct raw_desc *raw, struct v3_spec *spec,
			const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	struct v3_msg why;
	char *path = NULL;
	unsigned int i;
	int result = 0;

	for (i = 0; !result && i < raw->modules_count; i++) {
		result = set_path(&path, doc->path, raw->modules[i].file, &why) ||
			 v3_spec_add_module(spec, path, raw->modules[i].args, &why);
		if (result)
			v3_yaml_msg(msg, doc, v3_yaml_value(doc, "modules", (int)i, "file"),
				    "modules: %s", why.text);
	}
	free(path);
	return result ? -1 : 0;
}

static int take_memory(const struct raw_desc *raw, struct v3_spec *spec,
		       const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	struct v3_msg why;
	unsigned int i;

	if (!raw->mem_count && v3_yaml_is_list(doc, "memory"))
		return v3_yaml_msg(msg, doc, v3_yaml_value(doc, "memory", -1, NULL),
				   "memory: the list is empty");
	for (i = 0; i < raw->mem_count; i++)
		if (v3_spec_add_memory(spec, raw->mem[i].size, raw->mem[i].node, &why))
			return v3_yaml_msg(
				msg, doc,
				v3_yaml_value(doc, "memory", (int)i,
					      after(why.text, "NUMA node") ? "node" : "size"),
				"memory: %s", why.text);
	return 0;
}

/* A list of CPUs: the value of @key. */
static int take_list(char *const *list, unsigned int count, const char *key, struct v3_spec *spec,
		     const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	struct v3_msg why;
	uint64_t cpu;
	unsigned int i, j;

	if (!v3_yaml_is_list(doc, key))
		return 0;
	for (i = 0; i < count; i++) {
		if (v3_number_parse(list[i], "CPU", 0, V3_CPU_MAX, &cpu, &why))
			goto bad;
		for (j = 0; j < i; j++)
			if ((uint64_t)spec->cpus[j] == cpu) {
				v3_msg_set(&why, "CPU %llu is named twice",
					   (unsigned long long)cpu);
				goto bad;
			}
		if (i == V3_MAX_VCPUS) {
			v3_msg_set(&why, "there are more than %d CPUs", V3_MAX_VCPUS);
			goto bad;
		}
		spec->cpus[spec->num_cpus++] = (int32_t)cpu;
	}
	if (count)
		return 0;
	return v3_yaml_msg(msg, doc, v3_yaml_value(doc, key, -1, NULL), "%s: the list is empty",
			   key);
bad:
	return v3_yaml_msg(msg, doc, v3_yaml_value(doc, key, (int)i, NULL), "%s: %s", key,
			   why.text);
}

static int take_cpus(const struct raw_desc *raw, struct v3_spec *spec,
		     const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	bool own = raw->cpus || v3_yaml_is_list(doc, "cpus");

	if (own && (raw->pin || v3_yaml_is_list(doc, "pin")))
		return v3_yaml_msg(msg, doc, v3_yaml_value(doc, "pin", -1, NULL),
				   "pin: there is 'cpus' as well; CPUs are owned or shared");
	spec->own = own;
	if (take_list(raw->cpu_list, raw->cpu_list_count, "cpus", spec, doc, msg))
		return -1;
	return take_list(raw->pin_list, raw->pin_list_count, "pin", spec, doc, msg);
}

static int take_cpu(const struct raw_desc *raw, struct v3_spec *spec,
		    const struct v3_yaml_doc *doc, struct v3_msg *msg)
{
	const struct raw_cpu *cpu = raw->cpu_model;
	struct v3_msg why;
	unsigned int i;

	if (!cpu)
		return 0;
	if (cpu->model && strchr(cpu->model, ','))
		return v3_yaml_msg(msg, doc, v3_yaml_inner(doc, "cpu", "model", -1),
				   "cpu: what is to be hidden goes into 'hide'");
	if (cpu->model && v3_spec_set_cpu(spec, cpu->model, &why))
		return v3_yaml_msg(msg, doc, v3_yaml_inner(doc, "cpu", "model", -1), "cpu: %s",
				   why.text);
	for (i = 0; i < cpu->hide_count; i++)
		if (v3_spec_hide(spec, cpu->hide[i], &why))
			return v3_yaml_msg(msg, doc, v3_yaml_inner(doc, "cpu", "hide", (int)i),
					   "cpu: %s", why.text);
	return 0;
}

static int load(const struct v3_yaml_doc *doc, const char *text, size_t size,
		struct v3_spec *spec, struct v3_msg *msg)
{
	struct complaint complaint = { 0 };
	cyaml_config_t config = {
		.log_fn = on_log,
		.log_ctx = &complaint,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
	};
	struct raw_desc *raw = NULL;
	struct schema schema;
	cyaml_err_t err;
	int result;

	schema_init(&schema, doc);
	err = cyaml_load_data((const uint8_t *)text, size, &config, &schema.value,
			      (cyaml_data_t **)&raw, NULL);
	if (err != CYAML_OK)
		return explain(doc, &complaint, err, msg);
	result = take_files(raw, spec, doc, msg);
	if (!result)
		result = take_values(raw, spec, doc, msg);
	if (!result)
		result = take_modules(raw, spec, doc, msg);
	if (!result)
		result = take_memory(raw, spec, doc, msg);
	if (!result)
		result = take_cpus(raw, spec, doc, msg);
	if (!result)
		result = take_cpu(raw, spec, doc, msg);
	cyaml_free(&config, &schema.value, raw, 0);
	return result;
}

int v3_yaml_parse(const char *path, const char *text, size_t size, struct v3_spec *spec,
		  struct v3_msg *msg)
{
	struct v3_yaml_doc doc;
	int result;

	v3_spec_init(spec);
	if (v3_yaml_doc_load(&doc, path, text, size, msg))
		return -1;
	result = load(&doc, text, size, spec, msg);
	v3_yaml_doc_free(&doc);
	if (result)
		v3_spec_free(spec);
	return result;
}

int v3_yaml_load(const char *path, struct v3_spec *spec, struct v3_msg *msg)
{
	struct v3_file file;
	int result;

	v3_spec_init(spec);
	if (v3_file_map(&file, path, msg))
		return -1;
	if (file.size > V3_YAML_MAX)
		result = v3_msg_set(msg, "%s: is too large for a guest description (%zu bytes)",
				    v3_printable(path), file.size);
	else
		result = v3_yaml_parse(path, file.data, file.size, spec, msg);
	v3_file_unmap(&file);
	return result;
}
