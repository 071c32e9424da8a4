/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking CPUs from the host: everything that may be elsewhere moves away, and comes back.
 */
#ifndef V3_CLI_CPU_HOST_H
#define V3_CLI_CPU_HOST_H

#include "cpu_state.h"

/* The host. Tests replace it by a folder with files and a table of tasks. */
struct v3_cpu_host {
	const char *root; /* in front of all paths */
	/* Affinity of a thread: 0 or an errno. */
	int (*get)(int tid, struct v3_mask *mask);
	int (*set)(int tid, const struct v3_mask *mask);
	unsigned int (*uid)(void);
};
extern struct v3_cpu_host v3_cpu_host;

/* A change under way: from what was taken to what is to be. */
struct v3_cpu_change {
	struct v3_cpu_state *state;
	struct v3_mask online;
	struct v3_mask taken; /* when it is done */
	struct v3_mask cpus;  /* what this is about */
	/* Threads that cannot move. */
	struct v3_cpu_fixed {
		int tid;
		unsigned long long start;
	} *fixed;
	unsigned int num_fixed, room_fixed;
	/* What stays on the CPUs, for the message: kernel threads, and others by name. */
	unsigned int num_kernel;
	char others[256];
	unsigned int num_others;
};

/* What a set of CPUs that was @old is to be while @taken are taken: never empty. */
void v3_cpu_want(const struct v3_cpu_change *change, const struct v3_mask *old,
		 struct v3_mask *want);
/* The same for an item, as text that goes into the file; @buf has V3_MASK_TEXT bytes. */
const char *v3_cpu_planned(const struct v3_cpu_change *change, const struct v3_cpu_item *item,
			   char *buf);
/* Adds a name to the list of what stays. */
void v3_cpu_stays(struct v3_cpu_change *change, const char *fmt, ...) V3_PRINTF(2, 3);

/* cpu_tasks.c. Enters those into the state that are to move. Returns how many are new. */
unsigned int v3_cpu_tasks_find(struct v3_cpu_change *change);
/* This command's start time, as tasks have it. */
unsigned long long v3_cpu_now(void);
/* Moves those of the state that are not where they are to be. Returns how many. */
unsigned int v3_cpu_tasks_move(struct v3_cpu_change *change);
/* The way back, with those that others of the state have made since. Returns how many. */
unsigned int v3_cpu_tasks_back(struct v3_cpu_change *change);
/* Threads without an entry, as the ones they are from. */
unsigned int v3_cpu_tasks_adopt(struct v3_cpu_change *change);

/* cpu_files.c: interrupts, work queues, cpusets of cgroup v1, limits. As above. */
int v3_cpu_files_find(struct v3_cpu_change *change, struct v3_msg *msg);
int v3_cpu_files_move(struct v3_cpu_change *change, struct v3_msg *msg);
void v3_cpu_files_back(struct v3_cpu_change *change);

/* cpu_take.c. 0, or -1 with a message and the host as it was. */

/* Whether they could be taken: all that shows without trying. */
int v3_cpu_check(const struct v3_mask *cpus, struct v3_msg *msg);
/* Takes them, for a guest or ("") until they are given. Those taken already are an error. */
int v3_cpu_take(const struct v3_mask *cpus, const char *guest, struct v3_msg *msg);
/* Gives back what was taken together with @cpu. What could not be restored is said. */
int v3_cpu_give(unsigned int cpu, struct v3_msg *msg);

/* CPUs that are online. */
int v3_cpu_online(struct v3_mask *online, struct v3_msg *msg);

#endif
