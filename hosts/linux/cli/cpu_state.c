/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state file is JSON. It is written to a new file that then takes the old one's place.
 */
#include "cpu_state.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spec.h"

#define STATE_FILE V3_CPU_STATE_DIR "/cpus.json"
#define STATE_NEW V3_CPU_STATE_DIR "/cpus.json.new"
#define LOCK_FILE V3_CPU_STATE_DIR "/cpus.lock"
#define VERSION 1

static const char *const kinds[V3_CPU_KINDS] = { "task", "list", "hex", "text", "online" };

/* --- Small files --- */

int v3_cpu_read_all(const char *root, const char *path, char *buf, size_t size)
{
	char full[512];
	size_t used = 0;
	ssize_t len;
	int fd, err;

	snprintf(full, sizeof(full), "%s%s", root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	/* Some of /proc come a page at a time. */
	do {
		len = read(fd, buf + used, size - 1 - used);
		used += len > 0 ? (size_t)len : 0;
	} while (len > 0);
	err = len < 0 ? errno : 0;
	close(fd);
	if (err)
		return err;
	buf[used] = 0;
	return 0;
}

int v3_cpu_read(const char *root, const char *path, char *buf, size_t size)
{
	int err = v3_cpu_read_all(root, path, buf, size);

	if (!err)
		buf[strcspn(buf, "\n")] = 0;
	return err;
}

int v3_cpu_write(const char *root, const char *path, const char *text)
{
	char full[512];
	ssize_t len;
	int fd, err;

	snprintf(full, sizeof(full), "%s%s", root, path);
	/* A test's files are ordinary ones; in /proc and /sys truncating does nothing. */
	fd = open(full, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return errno;
	len = write(fd, text, strlen(text));
	err = len < 0 ? errno : 0;
	close(fd);
	return err;
}

/* --- Items --- */

struct v3_cpu_item *v3_cpu_item_add(struct v3_cpu_state *state, enum v3_cpu_kind kind,
				    const char *path, const char *old)
{
	struct v3_cpu_item *more, *item;

	if (state->num_items == state->room_items) {
		state->room_items = 2 * state->room_items + 64;
		more = v3_xmalloc(state->room_items * sizeof(*more));
		if (state->num_items)
			memcpy(more, state->items, state->num_items * sizeof(*more));
		free(state->items);
		state->items = more;
	}
	item = &state->items[state->num_items++];
	*item = (struct v3_cpu_item){
		.kind = kind, .path = v3_xstrdup(path), .old = v3_xstrdup(old),
		.now = v3_xstrdup(old), .was = v3_xstrdup(old), .fresh = true,
	};
	return item;
}

static void item_free(struct v3_cpu_item *item)
{
	free(item->path);
	free(item->old);
	free(item->now);
	free(item->was);
}

void v3_cpu_item_drop(struct v3_cpu_state *state, struct v3_cpu_item *item)
{
	item_free(item);
	memmove(item, item + 1,
		(size_t)(&state->items[state->num_items] - (item + 1)) * sizeof(*item));
	state->num_items--;
}

void v3_cpu_item_now(struct v3_cpu_item *item, const char *now)
{
	if (now != item->now)
		v3_spec_set_string(&item->now, now);
}

struct v3_cpu_item *v3_cpu_item_file(const struct v3_cpu_state *state, const char *path)
{
	unsigned int i;

	for (i = 0; i < state->num_items; i++)
		if (state->items[i].kind != V3_CPU_TASK && !strcmp(state->items[i].path, path))
			return &state->items[i];
	return NULL;
}

struct v3_cpu_item *v3_cpu_item_task(const struct v3_cpu_state *state, int tid,
				     unsigned long long start)
{
	unsigned int i;

	for (i = 0; i < state->num_items; i++)
		if (state->items[i].kind == V3_CPU_TASK && state->items[i].tid == tid &&
		    state->items[i].start == start)
			return &state->items[i];
	return NULL;
}

/* --- What is taken --- */

void v3_cpu_state_mask(const struct v3_cpu_state *state, struct v3_mask *mask)
{
	unsigned int i;

	*mask = (struct v3_mask){ 0 };
	for (i = 0; i < state->num_taken; i++)
		v3_mask_or(mask, &state->taken[i].cpus);
}

struct v3_cpu_taken *v3_cpu_state_find(const struct v3_cpu_state *state, unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < state->num_taken; i++)
		if (v3_mask_has(&state->taken[i].cpus, cpu))
			return &state->taken[i];
	return NULL;
}

struct v3_cpu_taken *v3_cpu_state_add(struct v3_cpu_state *state, const struct v3_mask *cpus,
				      const char *guest)
{
	struct v3_cpu_taken *more = v3_xmalloc((state->num_taken + 1) * sizeof(*more));
	struct v3_cpu_taken *taken = &more[state->num_taken];

	if (state->num_taken)
		memcpy(more, state->taken, state->num_taken * sizeof(*more));
	free(state->taken);
	state->taken = more;
	state->num_taken++;
	*taken = (struct v3_cpu_taken){ .cpus = *cpus };
	snprintf(taken->guest, sizeof(taken->guest), "%s", guest);
	return taken;
}

void v3_cpu_state_drop(struct v3_cpu_state *state, struct v3_cpu_taken *taken)
{
	memmove(taken, taken + 1,
		(size_t)(&state->taken[state->num_taken] - (taken + 1)) * sizeof(*taken));
	state->num_taken--;
}

/* --- The file --- */

static void boot_id(const char *root, char *buf, size_t size)
{
	if (v3_cpu_read(root, "/proc/sys/kernel/random/boot_id", buf, size))
		buf[0] = 0;
}

static json_t *item_json(const struct v3_cpu_item *item)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "kind", kinds[item->kind], "path",
				 item->path, "old", item->old, "now", item->now);

	if (json && item->kind == V3_CPU_TASK &&
	    (json_object_set_new(json, "tid", json_integer(item->tid)) ||
	     json_object_set_new(json, "tgid", json_integer(item->tgid)) ||
	     json_object_set_new(json, "start", json_integer((json_int_t)item->start)))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static json_t *state_json(const struct v3_cpu_state *state)
{
	json_t *taken = json_array(), *items = json_array();
	char text[V3_MASK_TEXT], boot[64];
	bool bad = false;
	unsigned int i;

	for (i = 0; i < state->num_taken; i++)
		bad |= json_array_append_new(
			taken, json_pack("{s:s, s:s}", "cpus",
					 v3_mask_text(&state->taken[i].cpus, text), "guest",
					 state->taken[i].guest));
	for (i = 0; i < state->num_items; i++)
		bad |= json_array_append_new(items, item_json(&state->items[i]));
	boot_id(state->root, boot, sizeof(boot));
	if (!bad)
		return json_pack("{s:i, s:s, s:I, s:o, s:o}", "version", VERSION, "boot", boot,
				 "since", (json_int_t)state->since, "taken", taken, "items",
				 items);
	json_decref(taken);
	json_decref(items);
	return NULL;
}

static int cannot_save(const struct v3_cpu_state *state, const char *why, struct v3_msg *msg)
{
	return v3_msg_set(msg,
			  "%s" STATE_FILE ": %s: what CPUs were like before cannot be kept there",
			  state->root, why);
}

int v3_cpu_state_save(const struct v3_cpu_state *state, struct v3_msg *msg)
{
	char file[512], new[512];
	json_t *json;
	int fd, err;

	snprintf(file, sizeof(file), "%s" STATE_FILE, state->root);
	snprintf(new, sizeof(new), "%s" STATE_NEW, state->root);
	if (!state->num_taken && !state->num_items)
		return !unlink(file) || errno == ENOENT ? 0 :
							  cannot_save(state, strerror(errno), msg);
	json = state_json(state);
	if (!json)
		return cannot_save(state, "a name is not UTF-8, or memory is short", msg);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	err = fd < 0 ? errno : json_dumpfd(json, fd, JSON_COMPACT) ? EIO : 0;
	json_decref(json);
	if (fd >= 0 && close(fd) && !err)
		err = errno;
	if (!err && rename(new, file))
		err = errno;
	return err ? cannot_save(state, strerror(err), msg) : 0;
}

/*
 * Whoever can write the file can have root write into other files: it counts only if that is nobody
 * but root, or who reads it.
 */
static bool is_safe(const struct stat *stat)
{
	return (!stat->st_uid || stat->st_uid == geteuid()) && !(stat->st_mode & 022);
}

/* The folder of the file. True also if there is none. */
static bool folder_safe(const char *root)
{
	char path[512];
	struct stat stat;

	snprintf(path, sizeof(path), "%s" V3_CPU_STATE_DIR, root);
	return lstat(path, &stat) || (S_ISDIR(stat.st_mode) && is_safe(&stat));
}

static bool file_safe(int fd)
{
	struct stat stat;

	return !fstat(fd, &stat) && S_ISREG(stat.st_mode) && is_safe(&stat);
}

static int unsafe(const char *root, struct v3_msg *msg)
{
	return v3_msg_set(msg,
			  "%s" STATE_FILE " or its folder can be written by others than root: what it "
			  "says is not restored; remove it", root);
}

static int damaged(const struct v3_cpu_state *state, struct v3_msg *msg)
{
	return v3_msg_set(msg,
			  "%s" STATE_FILE " is damaged: a reboot restores CPUs, and removes it",
			  state->root);
}

/* Whether it is one of the files that are changed when CPUs are taken; cpu_files.c has them. */
static bool path_known(enum v3_cpu_kind kind, const char *path)
{
	static const char *const starts[] = {
		"/proc/irq/", "/proc/sys/kernel/sched_rt_", "/proc/sys/vm/stat_interval",
		"/sys/devices/virtual/workqueue/", "/sys/devices/system/cpu/cpu",
	};
	static const char cpuset[] = "/cpuset.cpus";
	size_t len = strlen(path), i;

	if (kind == V3_CPU_TASK)
		return true;
	if (strstr(path, "/../"))
		return false;
	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (!strncmp(path, starts[i], strlen(starts[i])))
			return true;
	return len >= strlen(cpuset) && !strcmp(path + len - strlen(cpuset), cpuset);
}

static int item_read(struct v3_cpu_state *state, json_t *json)
{
	const char *kind, *path, *old, *now;
	json_int_t tid = 0, tgid = 0, start = 0;
	struct v3_cpu_item *item;
	int k;

	if (json_unpack(json, "{s:s, s:s, s:s, s:s, s?I, s?I, s?I}", "kind", &kind, "path", &path,
			"old", &old, "now", &now, "tid", &tid, "tgid", &tgid, "start", &start))
		return -1;
	for (k = 0; k < V3_CPU_KINDS && strcmp(kind, kinds[k]); k++)
		;
	if (k == V3_CPU_KINDS || !path_known((enum v3_cpu_kind)k, path))
		return -1;
	if (tid < 0 || tid > INT32_MAX || tgid < 0 || tgid > INT32_MAX)
		return -1;
	item = v3_cpu_item_add(state, (enum v3_cpu_kind)k, path, old);
	v3_cpu_item_now(item, now);
	item->fresh = false;
	item->tid = (int)tid;
	item->tgid = (int)tgid;
	item->start = (unsigned long long)start;
	return 0;
}

static int state_read(struct v3_cpu_state *state, json_t *json, struct v3_msg *msg)
{
	const char *boot, *cpus, *guest;
	json_t *taken, *items, *entry;
	struct v3_mask mask;
	json_int_t since;
	char now[64];
	int version;
	size_t i;

	if (json_unpack(json, "{s:i, s:s, s:I, s:o, s:o}", "version", &version, "boot", &boot, "since",
			&since, "taken", &taken, "items", &items) || version != VERSION)
		return damaged(state, msg);
	boot_id(state->root, now, sizeof(now));
	if (strcmp(boot, now))
		return 0;
	state->since = (unsigned long long)since;
	json_array_foreach(taken, i, entry) {
		if (json_unpack(entry, "{s:s, s:s}", "cpus", &cpus, "guest", &guest) ||
		    !v3_mask_parse(cpus, &mask) || v3_mask_empty(&mask))
			return damaged(state, msg);
		v3_cpu_state_add(state, &mask, guest);
	}
	json_array_foreach(items, i, entry)
		if (item_read(state, entry))
			return damaged(state, msg);
	return 0;
}

int v3_cpu_state_peek(struct v3_cpu_state *state, const char *root, struct v3_msg *msg)
{
	char file[512];
	json_t *json;
	int fd, err;

	*state = (struct v3_cpu_state){ .root = root, .lock = -1 };
	snprintf(file, sizeof(file), "%s" STATE_FILE, root);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 :
			v3_msg_set(msg, "%s: %s", file, strerror(errno));
	if (!folder_safe(root) || !file_safe(fd)) {
		close(fd);
		return unsafe(root, msg);
	}
	json = json_loadfd(fd, 0, NULL);
	close(fd);
	err = json ? state_read(state, json, msg) : damaged(state, msg);
	json_decref(json);
	if (err)
		v3_cpu_state_close(state);
	return err;
}

int v3_cpu_state_open(struct v3_cpu_state *state, const char *root, struct v3_msg *msg)
{
	char path[512];
	int lock;

	snprintf(path, sizeof(path), "%s/run", root);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s" V3_CPU_STATE_DIR, root);
	mkdir(path, 0700);
	if (!folder_safe(root))
		return unsafe(root, msg);
	snprintf(path, sizeof(path), "%s" LOCK_FILE, root);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 || flock(lock, LOCK_EX)) {
		v3_msg_set(msg, "%s: %s", path, strerror(errno));
		if (lock >= 0)
			close(lock);
		return -1;
	}
	/* One that somebody was killed over. */
	snprintf(path, sizeof(path), "%s" STATE_NEW, root);
	unlink(path);
	if (v3_cpu_state_peek(state, root, msg)) {
		close(lock);
		return -1;
	}
	state->lock = lock;
	return 0;
}

void v3_cpu_state_close(struct v3_cpu_state *state)
{
	while (state->num_items)
		item_free(&state->items[--state->num_items]);
	free(state->items);
	free(state->taken);
	if (state->lock >= 0)
		close(state->lock);
	*state = (struct v3_cpu_state){ .root = state->root, .lock = -1 };
}
