/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: all threads of all processes, and of the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_host.h"
#include "spec.h"

/* /proc/PID/stat's flags: PF_KTHREAD, and PF_NO_SETAFFINITY of threads that stay where they are. */
#define FLAG_KERNEL 0x00200000ul
#define FLAG_BOUND 0x04000000ul

struct task {
	int tid, tgid, ppid;
	bool kernel, bound;
	unsigned long long start;
	char name[32];
	struct v3_mask cpus;
};

typedef unsigned int (*task_fn)(struct v3_cpu_change *change, struct task *task);

/* " STATE PPID ...": fields 3, 4, 9 (flags) and 22 (start time). */
static bool read_numbers(struct task *task, const char *text)
{
	unsigned long flags;

	if (sscanf(text, " %*c %d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			 "%*d %llu", &task->ppid, &flags, &task->start) != 3)
		return false;
	task->kernel = flags & FLAG_KERNEL;
	task->bound = flags & FLAG_BOUND;
	return true;
}

/* proc(5): "TID (NAME) STATE PPID ..."; the name may hold anything. */
static bool task_read(struct task *task)
{
	char path[64], text[1024], *name, *end;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", task->tgid, task->tid);
	if (v3_cpu_read(v3_cpu_host.root, path, text, sizeof(text)))
		return false;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (!name || !end || end < name)
		return false;
	*end = 0;
	/* It goes into JSON: ASCII only. */
	for (i = 0; name[i + 1] && i < sizeof(task->name) - 1; i++)
		task->name[i] = name[i + 1] >= ' ' && name[i + 1] < 0x7f ? name[i + 1] : '?';
	return read_numbers(task, end + 1);
}

/* Calls @fn for one thread; 0 if it is gone. */
static unsigned int visit(struct v3_cpu_change *change, int tgid, int tid, task_fn fn)
{
	struct task task = { .tid = tid, .tgid = tgid };

	return v3_cpu_host.get(tid, &task.cpus) ? 0 : fn(change, &task);
}

static int number(const char *name)
{
	char *end;
	long value = strtol(name, &end, 10);

	return *end || value <= 0 || value > INT32_MAX ? 0 : (int)value;
}

static unsigned int visit_process(struct v3_cpu_change *change, int tgid, task_fn fn)
{
	unsigned int count = 0;
	struct dirent *entry;
	char path[512];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc/%d/task", v3_cpu_host.root, tgid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (number(entry->d_name))
			count += visit(change, tgid, number(entry->d_name), fn);
	closedir(dir);
	return count;
}

/* The sum of what @fn returns for each thread there is. */
static unsigned int visit_all(struct v3_cpu_change *change, task_fn fn)
{
	unsigned int count = 0;
	struct dirent *entry;
	char path[512];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc", v3_cpu_host.root);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		if (number(entry->d_name))
			count += visit_process(change, number(entry->d_name), fn);
	closedir(dir);
	return count;
}

/* The affinity with CPUs that are offline, which the system call leaves out. */
static void full_affinity(const struct task *task, char *text)
{
	static const char key[] = "Cpus_allowed_list:";
	char path[64], status[8192], *line;
	struct v3_mask mask;

	v3_mask_text(&task->cpus, text);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", task->tgid, task->tid);
	if (v3_cpu_read_all(v3_cpu_host.root, path, status, sizeof(status)))
		return;
	line = strstr(status, key);
	if (!line)
		return;
	line += strlen(key);
	line += strspn(line, " \t");
	if (v3_mask_parse(line, &mask))
		v3_mask_text(&mask, text);
}

static bool is_fixed(const struct v3_cpu_change *change, const struct task *task)
{
	unsigned int i;

	for (i = 0; i < change->num_fixed; i++)
		if (change->fixed[i].tid == task->tid && change->fixed[i].start == task->start)
			return true;
	return false;
}

/* --- Away --- */

/* A thread that stays: the kernel's own of these CPUs are nothing to talk about. */
static void stays(struct v3_cpu_change *change, const struct task *task, int err)
{
	struct v3_mask elsewhere = task->cpus;

	if (change->num_fixed == change->room_fixed) {
		change->room_fixed = 2 * change->room_fixed + 64;
		change->fixed = realloc(change->fixed,
					change->room_fixed * sizeof(*change->fixed));
		if (!change->fixed)
			abort();
	}
	change->fixed[change->num_fixed++] = (struct v3_cpu_fixed){ task->tid, task->start };
	v3_mask_less(&elsewhere, &change->cpus);
	if (!task->kernel)
		v3_cpu_stays(change, "%s (process %d: %s)", task->name, task->tid, strerror(err));
	else if (!v3_mask_empty(&elsewhere))
		change->num_kernel++;
}

/* Whether both are the same as far as CPUs are online. */
static bool same(const struct v3_cpu_change *change, const struct v3_mask *a,
		 const struct v3_mask *b)
{
	unsigned int i;

	for (i = 0; i < V3_MASK_WORDS; i++)
		if ((a->word[i] ^ b->word[i]) & change->online.word[i])
			return false;
	return true;
}

/*
 * Where a new thread has its affinity from: its process, its parent, or any other with the same
 * one, as that was @before the change under way, or is now.
 */
static const struct v3_cpu_item *origin(const struct v3_cpu_change *change,
					const struct task *task, bool before)
{
	const struct v3_cpu_item *item, *found = NULL;
	struct v3_mask now;
	unsigned int i;
	bool one = true;

	if (task->start < change->state->since)
		return NULL;
	for (i = 0; i < change->state->num_items; i++) {
		item = &change->state->items[i];
		if (item->kind != V3_CPU_TASK || !v3_mask_parse(before ? item->was : item->now, &now) ||
		    !same(change, &now, &task->cpus))
			continue;
		if (item->tid == task->tgid || item->tid == task->ppid)
			return item;
		one &= !found || !strcmp(found->old, item->old);
		found = item;
	}
	return one ? found : NULL;
}

static unsigned int find(struct v3_cpu_change *change, struct task *task)
{
	const struct v3_cpu_item *from;
	struct v3_cpu_item *item;
	char old[V3_MASK_TEXT], now[V3_MASK_TEXT];

	if (!v3_mask_meets(&task->cpus, &change->cpus) || !task_read(task) ||
	    is_fixed(change, task) || v3_cpu_item_task(change->state, task->tid, task->start))
		return 0;
	if (task->bound) {
		stays(change, task, EINVAL);
		return 0;
	}
	full_affinity(task, old);
	/* One that was made since the first CPUs were taken. */
	from = origin(change, task, true);
	if (from)
		snprintf(old, sizeof(old), "%s", from->old);
	item = v3_cpu_item_add(change->state, V3_CPU_TASK, task->name, old);
	item->tid = task->tid;
	item->tgid = task->tgid;
	item->start = task->start;
	v3_spec_set_string(&item->was, v3_mask_text(&task->cpus, now));
	v3_cpu_item_now(item, v3_cpu_planned(change, item, now));
	return 1;
}

unsigned long long v3_cpu_now(void)
{
	struct task task = { .tid = getpid(), .tgid = getpid() };

	return task_read(&task) ? task.start : 0;
}

unsigned int v3_cpu_tasks_find(struct v3_cpu_change *change)
{
	return visit_all(change, find);
}

/* One of the state that is where it must not be. The state is saved already. */
static unsigned int move(struct v3_cpu_change *change, struct task *task)
{
	struct v3_mask old, want;
	struct v3_cpu_item *item;
	int err;

	if (!v3_mask_meets(&task->cpus, &change->taken) || !task_read(task))
		return 0;
	item = v3_cpu_item_task(change->state, task->tid, task->start);
	if (!item || !v3_mask_parse(item->old, &old))
		return 0;
	v3_cpu_want(change, &old, &want);
	err = v3_cpu_host.set(task->tid, &want);
	if (!err) {
		v3_mask_less(&old, &change->taken);
		if (v3_mask_empty(&old) && item->fresh)
			v3_err("%s (process %d) was bound to CPUs %s only: it runs elsewhere until "
			       "they are given back", v3_printable(task->name), task->tid, item->old);
		item->fresh = false;
		return 1;
	}
	if (item->fresh)
		v3_cpu_item_drop(change->state, item);
	if (err != ESRCH)
		stays(change, task, err);
	return 0;
}

unsigned int v3_cpu_tasks_move(struct v3_cpu_change *change)
{
	return visit_all(change, move);
}

/* --- Back --- */

static bool within(const struct v3_mask *part, const struct v3_mask *whole)
{
	struct v3_mask rest = *part;

	v3_mask_less(&rest, whole);
	return v3_mask_empty(&rest);
}

static unsigned int set_back(struct v3_cpu_change *change, const struct task *task,
			     const char *was)
{
	struct v3_mask old, want;
	int err;

	if (!v3_mask_parse(was, &old))
		return 0;
	v3_cpu_want(change, &old, &want);
	if (same(change, &want, &task->cpus))
		return 0;
	err = v3_cpu_host.set(task->tid, &want);
	if (err && err != ESRCH)
		v3_err("%s (process %d) cannot have its CPUs %s back: %s",
		       v3_printable(task->name), task->tid, was, strerror(err));
	return !err;
}

static unsigned int back(struct v3_cpu_change *change, struct task *task)
{
	struct v3_cpu_item *item;
	struct v3_mask now;

	if (!task_read(task))
		return 0;
	item = v3_cpu_item_task(change->state, task->tid, task->start);
	if (!item || !v3_mask_parse(item->now, &now))
		return 0;
	/* The kernel may have widened it; anything else is somebody's will, and newer. */
	v3_mask_and(&now, &change->online);
	return within(&now, &task->cpus) ? set_back(change, task, item->old) : 0;
}

unsigned int v3_cpu_tasks_back(struct v3_cpu_change *change)
{
	return visit_all(change, back);
}

static unsigned int adopt(struct v3_cpu_change *change, struct task *task)
{
	const struct v3_cpu_item *from;

	if (!task_read(task) || task->bound || v3_cpu_item_task(change->state, task->tid, task->start))
		return 0;
	from = origin(change, task, false);
	return from ? set_back(change, task, from->old) : 0;
}

unsigned int v3_cpu_tasks_adopt(struct v3_cpu_change *change)
{
	return visit_all(change, adopt);
}
