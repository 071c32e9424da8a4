/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The note is JSON with absolute paths.
 */
#include "note.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_path(json_t *json, const char *key, const char *path)
{
	char *full = realpath(path, NULL);
	int result = json_object_set_new(json, key, json_string(full ? full : path));

	free(full);
	return result;
}

static json_t *modules_json(const struct v3_spec *spec)
{
	json_t *modules = json_array(), *module;
	unsigned int i;

	for (i = 0; i < spec->num_modules; i++) {
		module = json_object();
		if (set_path(module, "file", spec->modules[i].file) ||
		    json_object_set_new(module, "args", json_string(spec->modules[i].args)) ||
		    json_array_append(modules, module)) {
			json_decref(module);
			json_decref(modules);
			return NULL;
		}
		json_decref(module);
	}
	return modules;
}

static json_t *note_json(const struct v3_spec *spec)
{
	json_t *json = json_pack("{s:i, s:b}", "entry", (int)spec->entry, "multiboot",
				 (int)spec->multiboot);

	if (set_path(json, "kernel", spec->kernel) ||
	    (spec->initrd && set_path(json, "initrd", spec->initrd)) ||
	    (spec->cmdline &&
	     json_object_set_new(json, "cmdline", json_string(spec->cmdline))) ||
	    json_object_set_new(json, "modules", modules_json(spec))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

int v3_note_write(int vm, const struct v3_spec *spec, struct v3_msg *msg)
{
	struct v3_ioc_note request = { .flags = V3_IOC_NOTE_SET };
	json_t *json = note_json(spec);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int err;

	json_decref(json);
	/* A path that is not UTF-8, too. */
	if (!text)
		return v3_msg_set(msg, "where its images are cannot be noted: are their names, and "
				  "the command line, UTF-8?");
	request.data = (uintptr_t)text;
	request.size = (uint32_t)strlen(text);
	err = v3_dev_call(vm, V3_IOC_NOTE, &request, msg);
	free(text);
	return err ? -1 : 0;
}

static int read_modules(json_t *json, struct v3_spec *spec, struct v3_msg *msg)
{
	json_t *module;
	size_t i;

	json_array_foreach(json_object_get(json, "modules"), i, module) {
		const char *file, *args;

		if (json_unpack(module, "{s:s, s:s}", "file", &file, "args", &args))
			return v3_msg_set(msg, "the note of the guest is damaged");
		if (v3_spec_add_module(spec, file, args, msg))
			return -1;
	}
	return 0;
}

static int read_json(json_t *json, struct v3_spec *spec, struct v3_msg *msg)
{
	const char *kernel, *initrd = NULL, *cmdline = NULL;
	int entry, multiboot;

	if (json_unpack(json, "{s:s, s?s, s?s, s:i, s:b}", "kernel", &kernel, "initrd", &initrd,
			"cmdline", &cmdline, "entry", &entry, "multiboot", &multiboot) ||
	    entry < 0 || entry > V3_LINUX_ENTRY_32)
		return v3_msg_set(msg, "the note of the guest is damaged");
	v3_spec_set_string(&spec->kernel, kernel);
	if (initrd)
		v3_spec_set_string(&spec->initrd, initrd);
	if (cmdline)
		v3_spec_set_string(&spec->cmdline, cmdline);
	spec->entry = (enum v3_linux_entry)entry;
	spec->multiboot = multiboot;
	return read_modules(json, spec, msg);
}

static int get_text(int vm, char *text, size_t room, struct v3_msg *msg)
{
	struct v3_ioc_note request = { .data = (uintptr_t)text, .size = (uint32_t)room };
	int err = v3_dev_call(vm, V3_IOC_NOTE, &request, msg);

	if (err == -ENOENT)
		return v3_msg_set(msg, "nobody noted where its images are: destroy and create it");
	if (err)
		return -1;
	if (request.uid != geteuid())
		return v3_msg_set(msg, "user %u created it: only that user can have its images "
				  "loaded again", request.uid);
	return (int)(request.size < room ? request.size : room);
}

int v3_note_read(int vm, struct v3_spec *spec, struct v3_msg *msg)
{
	struct v3_ioc_vm_stats stats = { .reserved = 0 };
	char *text = v3_xmalloc(V3_IOC_NOTE_MAX);
	int len = get_text(vm, text, V3_IOC_NOTE_MAX, msg), err;
	json_t *json;

	if (len < 0 || v3_dev_call(vm, V3_IOC_VM_STATS, &stats, msg)) {
		free(text);
		return -1;
	}
	json = json_loadb(text, (size_t)len, 0, NULL);
	free(text);
	v3_spec_init(spec);
	err = json ? read_json(json, spec, msg)
		   : v3_msg_set(msg, "the note of the guest is damaged");
	json_decref(json);
	/* What the images have to fit into. */
	spec->mem[0].size = stats.ram;
	spec->num_mem = 1;
	if (err)
		v3_spec_free(spec);
	return err;
}
