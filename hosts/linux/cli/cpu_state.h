/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host was like before CPUs were taken from it, in a file: whoever restores needs nothing
 * else. There is one file for all that is taken, so that takes need not end in the order in which
 * they were made: each thing has its value from before the first of them, and what it is to be now
 * follows from the CPUs that are taken now.
 */
#ifndef V3_CLI_CPU_STATE_H
#define V3_CLI_CPU_STATE_H

#include "cpu_mask.h"

#define V3_CPU_STATE_DIR "/run/v3"

enum v3_cpu_kind {
	V3_CPU_TASK,   /* affinity of a thread */
	V3_CPU_LIST,   /* a file that holds a set of CPUs, as "0-3" */
	V3_CPU_HEX,    /* the same, as "f" */
	V3_CPU_TEXT,   /* a file with another value while CPUs are taken */
	V3_CPU_ONLINE, /* a CPU that was offline for a moment */
	V3_CPU_KINDS
};

/* One thing of the host that was changed, or is about to be. */
struct v3_cpu_item {
	enum v3_cpu_kind kind;
	char *path;              /* files, without the root; a task: its name, for messages */
	int tid, tgid;           /* tasks */
	unsigned long long start; /* a task's: tells it from a later one of the same number */
	char *old, *now;         /* text as in the file; a task's as a list. now: planned, or done */
	char *was;               /* before the change under way; not in the file */
	bool fresh;              /* not changed before the change under way; not in the file */
};

/* CPUs that were taken together. The lowest of them names it. */
struct v3_cpu_taken {
	struct v3_mask cpus;
	char guest[64]; /* empty: by "v3 cpu take" */
};

struct v3_cpu_state {
	const char *root;  /* in front of all paths: empty, or a test's folder */
	int lock;
	unsigned long long since; /* start time of the command that took the first of all */
	struct v3_cpu_taken *taken;
	unsigned int num_taken;
	struct v3_cpu_item *items;
	unsigned int num_items, room_items;
};

/*
 * Waits until no other command changes anything, and reads the file; a file of an earlier boot
 * counts for nothing. Returns 0, or -1 with a message.
 */
int v3_cpu_state_open(struct v3_cpu_state *state, const char *root, struct v3_msg *msg);
/* Without waiting and for a look only; also while others change it. */
int v3_cpu_state_peek(struct v3_cpu_state *state, const char *root, struct v3_msg *msg);
void v3_cpu_state_close(struct v3_cpu_state *state);
/* Writes it, in one step; with nothing taken and nothing to restore removes it. */
int v3_cpu_state_save(const struct v3_cpu_state *state, struct v3_msg *msg);

/* All CPUs that are taken. */
void v3_cpu_state_mask(const struct v3_cpu_state *state, struct v3_mask *mask);
/* What has that CPU, or NULL. */
struct v3_cpu_taken *v3_cpu_state_find(const struct v3_cpu_state *state, unsigned int cpu);
struct v3_cpu_taken *v3_cpu_state_add(struct v3_cpu_state *state, const struct v3_mask *cpus,
				      const char *guest);
void v3_cpu_state_drop(struct v3_cpu_state *state, struct v3_cpu_taken *taken);

/* A new item, fresh; text is copied. It may move the others. */
struct v3_cpu_item *v3_cpu_item_add(struct v3_cpu_state *state, enum v3_cpu_kind kind,
				    const char *path, const char *old);
struct v3_cpu_item *v3_cpu_item_file(const struct v3_cpu_state *state, const char *path);
struct v3_cpu_item *v3_cpu_item_task(const struct v3_cpu_state *state, int tid,
				     unsigned long long start);
void v3_cpu_item_drop(struct v3_cpu_state *state, struct v3_cpu_item *item);
void v3_cpu_item_now(struct v3_cpu_item *item, const char *now);

/* A small file below the root. Returns 0 or an errno. */
int v3_cpu_read_all(const char *root, const char *path, char *buf, size_t size);
/* Its first line, without the newline. */
int v3_cpu_read(const char *root, const char *path, char *buf, size_t size);
int v3_cpu_write(const char *root, const char *path, const char *text);

#endif
