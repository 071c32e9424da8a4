/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts, unbound work queues, cpusets of cgroup v1, and what the kernel does on each CPU. Work
 * queues with a set of their own need nothing more: the kernel leaves out what the set of all
 * leaves out.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_host.h"
#include "spec.h"

#define IRQ "/proc/irq"
#define STAT_INTERVAL "120"

/* --- Away: what there is --- */

static bool mask_read(enum v3_cpu_kind kind, const char *text, struct v3_mask *mask)
{
	return kind == V3_CPU_HEX ? v3_mask_parse_hex(text, mask) : v3_mask_parse(text, mask);
}

/* A set that has one of the CPUs; what cannot be read is not there. */
static void find_set(struct v3_cpu_change *change, enum v3_cpu_kind kind, const char *path)
{
	char text[V3_MASK_TEXT], now[V3_MASK_TEXT];
	struct v3_cpu_item *item;
	struct v3_mask mask;

	if (v3_cpu_item_file(change->state, path) ||
	    v3_cpu_read(v3_cpu_host.root, path, text, sizeof(text)) ||
	    !mask_read(kind, text, &mask) || !v3_mask_meets(&mask, &change->cpus))
		return;
	item = v3_cpu_item_add(change->state, kind, path, text);
	v3_cpu_item_now(item, v3_cpu_planned(change, item, now));
}

static void find_irqs(struct v3_cpu_change *change)
{
	struct dirent *entry;
	char path[512];
	DIR *dir;

	find_set(change, V3_CPU_HEX, IRQ "/default_smp_affinity");
	snprintf(path, sizeof(path), "%s" IRQ, v3_cpu_host.root);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), IRQ "/%.32s/smp_affinity_list", entry->d_name);
		find_set(change, V3_CPU_LIST, path);
	}
	closedir(dir);
}

/* Where cpusets of cgroup v1 are mounted, if they are. */
static bool cpuset_mount(char *where, size_t size)
{
	char path[512], *line = NULL, *dash;
	bool found = false;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", v3_cpu_host.root);
	file = fopen(path, "re");
	while (file && !found && getline(&line, &room, file) > 0) {
		dash = strstr(line, " - cgroup ");
		if (!dash || !strstr(dash, "cpuset") ||
		    sscanf(line, "%*s %*s %*s %*s %255s", where) != 1)
			continue;
		found = strlen(where) < size;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Children before their parents: a set has to stay within that above it. */
static int find_cpusets(struct v3_cpu_change *change, const char *folder, unsigned int depth,
			struct v3_msg *msg)
{
	struct v3_cpu_item *item;
	struct dirent *entry;
	struct v3_mask mask;
	char path[512];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s%s", v3_cpu_host.root, folder);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || depth > 32)
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) <
		    sizeof(path) - 16)
			err = find_cpusets(change, path, depth + 1, msg);
	}
	closedir(dir);
	if (err || !depth)
		return err;
	snprintf(path, sizeof(path), "%.480s/cpuset.cpus", folder);
	find_set(change, V3_CPU_LIST, path);
	item = v3_cpu_item_file(change->state, path);
	if (!item || !v3_mask_parse(item->old, &mask))
		return 0;
	v3_mask_less(&mask, &change->taken);
	if (!v3_mask_empty(&mask))
		return 0;
	return v3_msg_set(msg, "the cpuset %s has no other CPUs: give it more", v3_printable(folder));
}

/* A setting of the whole host. */
static void find_text(struct v3_cpu_change *change, const char *path, const char *want)
{
	char text[64];

	if (!v3_cpu_item_file(change->state, path) &&
	    !v3_cpu_read(v3_cpu_host.root, path, text, sizeof(text)) && strcmp(text, want))
		v3_cpu_item_now(v3_cpu_item_add(change->state, V3_CPU_TEXT, path, text), want);
}

int v3_cpu_files_find(struct v3_cpu_change *change, struct v3_msg *msg)
{
	char text[256];

	find_irqs(change);
	find_set(change, V3_CPU_HEX, "/sys/devices/virtual/workqueue/cpumask");
	/* Threads of guests have real-time priority, and are never to be stopped for it. */
	find_text(change, "/proc/sys/kernel/sched_rt_runtime_us", "-1");
	/* Each CPU folds its own counters of memory into those of all, by default each second. */
	find_text(change, "/proc/sys/vm/stat_interval", STAT_INTERVAL);
	return cpuset_mount(text, sizeof(text)) ? find_cpusets(change, text, 0, msg) : 0;
}

/* --- Away: the change --- */

/* An interrupt that would not move: bad if it really goes to one of the CPUs. */
static void irq_stays(struct v3_cpu_change *change, const char *path, int err)
{
	char text[V3_MASK_TEXT], name[64] = "", file[512];
	struct v3_mask mask;
	struct dirent *entry;
	int number = 0;
	DIR *dir;

	sscanf(path, IRQ "/%d/", &number);
	snprintf(file, sizeof(file), IRQ "/%d/effective_affinity_list", number);
	if (!v3_cpu_read(v3_cpu_host.root, file, text, sizeof(text)) &&
	    v3_mask_parse(text, &mask) && !v3_mask_meets(&mask, &change->cpus))
		return;
	/* Each handler has a folder of its name. */
	snprintf(file, sizeof(file), "%s" IRQ "/%d", v3_cpu_host.root, number);
	dir = opendir(file);
	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			snprintf(name, sizeof(name), " %.60s", entry->d_name);
	if (dir)
		closedir(dir);
	v3_cpu_stays(change, "interrupt %d%s (%s)", number, name,
		     err == EIO ? "its driver decides" : strerror(err));
}

/* One file of the state. False: it is out of the state, as it stays what it is. */
static bool move(struct v3_cpu_change *change, struct v3_cpu_item *item, struct v3_msg *msg,
		 int *result)
{
	char text[V3_MASK_TEXT], want[V3_MASK_TEXT];
	int err = v3_cpu_read(v3_cpu_host.root, item->path, text, sizeof(text));

	if (!err && strcmp(text, v3_cpu_planned(change, item, want)))
		err = v3_cpu_write(v3_cpu_host.root, item->path,
				   v3_cpu_planned(change, item, want));
	if (!err) {
		item->fresh = false;
		return true;
	}
	if (!strncmp(item->path, IRQ "/", strlen(IRQ "/"))) {
		if (err != ENOENT)
			irq_stays(change, item->path, err);
	} else if (err != ENOENT) {
		*result = v3_msg_set(msg, "%s cannot be changed: %s", item->path, strerror(err));
	}
	if (!item->fresh)
		return true;
	v3_cpu_item_drop(change->state, item);
	return false;
}

int v3_cpu_files_move(struct v3_cpu_change *change, struct v3_msg *msg)
{
	unsigned int i = 0;
	int result = 0;

	while (!result && i < change->state->num_items)
		if (change->state->items[i].kind == V3_CPU_TASK ||
		    move(change, &change->state->items[i], msg, &result))
			i++;
	return result;
}

/* --- Back --- */

static bool equal(enum v3_cpu_kind kind, const char *a, const char *b)
{
	struct v3_mask left, right;

	if (kind != V3_CPU_LIST && kind != V3_CPU_HEX)
		return !strcmp(a, b);
	return mask_read(kind, a, &left) && mask_read(kind, b, &right) &&
	       v3_mask_equal(&left, &right);
}

static void back(struct v3_cpu_change *change, const struct v3_cpu_item *item)
{
	char text[V3_MASK_TEXT], buf[V3_MASK_TEXT];
	const char *want = v3_cpu_planned(change, item, buf);
	int err = v3_cpu_read(v3_cpu_host.root, item->path, text, sizeof(text));

	if (err == ENOENT || (!err && equal(item->kind, text, want)))
		return;
	if (!err && !equal(item->kind, text, item->now)) {
		v3_err("%s was changed to '%s' by somebody since, and stays; before CPUs were "
		       "taken it was '%s'", item->path, v3_printable(text), item->old);
		return;
	}
	if (!err)
		err = v3_cpu_write(v3_cpu_host.root, item->path, want);
	if (err)
		v3_err("%s cannot be set back to '%s': %s", item->path, want, strerror(err));
}

/* Backwards: a cpuset's parent before itself. */
void v3_cpu_files_back(struct v3_cpu_change *change)
{
	unsigned int i;

	for (i = change->state->num_items; i-- > 0;)
		if (change->state->items[i].kind != V3_CPU_TASK)
			back(change, &change->state->items[i]);
}
