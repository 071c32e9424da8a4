/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes CPUs from the host and gives them back. The state file tells at each moment what remains
 * to be restored, so that anybody can do that if this process dies.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu_host.h"
#include "spec.h"

/* Rounds over all tasks until nothing moves any more. */
#define ROUNDS 100
#define PAUSE_NS 5000000

static void change_end(struct v3_cpu_change *change)
{
	free(change->fixed);
	v3_cpu_state_close(change->state);
}

static void pause_short(void)
{
	const struct timespec time = { .tv_nsec = PAUSE_NS };

	nanosleep(&time, NULL);
}

/* Items are to be what the CPUs taken now make of them. */
static void replan(struct v3_cpu_change *change)
{
	char buf[V3_MASK_TEXT];
	struct v3_cpu_item *item;
	unsigned int i;

	for (i = 0; i < change->state->num_items; i++) {
		item = &change->state->items[i];
		v3_spec_set_string(&item->was, item->now);
		if (item->kind != V3_CPU_ONLINE)
			v3_cpu_item_now(item, v3_cpu_planned(change, item, buf));
	}
}

/* --- Checks --- */

static int check_present(int cpu, const struct v3_mask *online, struct v3_msg *msg)
{
	char path[64], text[V3_MASK_TEXT];
	struct v3_mask present;

	if (v3_mask_has(online, (unsigned int)cpu))
		return 0;
	if (v3_cpu_read(v3_cpu_host.root, "/sys/devices/system/cpu/present", text,
			sizeof(text)) || !v3_mask_parse(text, &present))
		present = *online;
	if (!v3_mask_has(&present, (unsigned int)cpu))
		return v3_msg_set(msg, "this host has no CPU %d; it has %s", cpu,
				  v3_mask_text(&present, text));
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return v3_msg_set(msg, "host CPU %d is offline: 'echo 1 >%s' sets it online", cpu, path);
}

static int check_taken(const struct v3_cpu_state *state, int cpu, struct v3_msg *msg)
{
	const struct v3_cpu_taken *taken = v3_cpu_state_find(state, (unsigned int)cpu);

	if (!taken)
		return 0;
	if (taken->guest[0])
		return v3_msg_set(msg, "CPU %d is taken already, for guest '%s'", cpu,
				  v3_printable(taken->guest));
	return v3_msg_set(msg, "CPU %d is taken already; 'v3 cpu give %d' gives it back", cpu,
			  cpu);
}

static int check(const struct v3_cpu_state *state, const struct v3_mask *cpus,
		 const struct v3_mask *online, struct v3_msg *msg)
{
	struct v3_mask left = *online, taken;
	int cpu;

	for (cpu = v3_mask_next(cpus, 0); cpu >= 0; cpu = v3_mask_next(cpus, (unsigned)cpu + 1)) {
		if (!cpu)
			return v3_msg_set(msg,
					  "CPU 0 stays with the host, which keeps time and handles "
					  "interrupts there; 'pin' (--pin) shares it with a guest");
		if (check_present(cpu, online, msg) || check_taken(state, cpu, msg))
			return -1;
	}
	v3_cpu_state_mask(state, &taken);
	v3_mask_less(&left, cpus);
	v3_mask_less(&left, &taken);
	if (v3_mask_empty(&left))
		return v3_msg_set(msg, "no CPU would be left to the host: leave it one, or share "
				       "CPUs with a guest by 'pin' (--pin)");
	return 0;
}

static int check_root(struct v3_msg *msg)
{
	return v3_cpu_host.uid() ? v3_msg_set(msg, "taking CPUs from the host is for root") : 0;
}

int v3_cpu_check(const struct v3_mask *cpus, struct v3_msg *msg)
{
	struct v3_cpu_state state;
	struct v3_mask online;
	int err;

	if (check_root(msg) || v3_cpu_online(&online, msg) ||
	    v3_cpu_state_peek(&state, v3_cpu_host.root, msg))
		return -1;
	err = check(&state, cpus, &online, msg);
	v3_cpu_state_close(&state);
	return err;
}

/* --- Back --- */

/* Until nothing changes: what is made meanwhile comes from what was not restored yet. */
static void tasks_back(struct v3_cpu_change *change)
{
	unsigned int round, quiet = 0;

	v3_cpu_tasks_back(change);
	for (round = 0; round < ROUNDS && quiet < 2; round++) {
		if (v3_cpu_tasks_adopt(change)) {
			quiet = 0;
			continue;
		}
		quiet++;
		pause_short();
	}
}

/* The CPUs of @taken are the host's again; the state file says so when they are. */
static int give(struct v3_cpu_change *change, struct v3_cpu_taken *taken, struct v3_msg *msg)
{
	struct v3_cpu_state *state = change->state;
	unsigned int i;

	/* Those were never changed. */
	for (i = state->num_items; i-- > 0;)
		if (state->items[i].fresh)
			v3_cpu_item_drop(state, &state->items[i]);
	change->cpus = taken->cpus;
	v3_cpu_state_mask(state, &change->taken);
	v3_mask_less(&change->taken, &taken->cpus);
	v3_cpu_files_back(change);
	/* A CPU that was offline is not any more. */
	if (v3_cpu_online(&change->online, msg))
		return -1;
	tasks_back(change);
	v3_cpu_state_drop(state, taken);
	replan(change);
	if (!state->num_taken)
		while (state->num_items)
			v3_cpu_item_drop(state, &state->items[state->num_items - 1]);
	return v3_cpu_state_save(state, msg);
}

int v3_cpu_give(unsigned int cpu, struct v3_msg *msg)
{
	struct v3_cpu_state state;
	struct v3_cpu_change change = { .state = &state };
	struct v3_cpu_taken *taken;
	int err;

	if (v3_cpu_host.uid())
		return v3_msg_set(msg, "giving CPUs back is for root");
	if (v3_cpu_state_open(&state, v3_cpu_host.root, msg))
		return -1;
	err = v3_cpu_online(&change.online, msg);
	taken = v3_cpu_state_find(&state, cpu);
	if (!err && taken)
		err = give(&change, taken, msg);
	change_end(&change);
	return err;
}

/* --- Away --- */

/* Moves tasks until no more appear. */
static int tasks_away(struct v3_cpu_change *change, struct v3_msg *msg)
{
	unsigned int round, quiet = 0;

	for (round = 0; round < ROUNDS; round++) {
		if (v3_cpu_tasks_find(change) && v3_cpu_state_save(change->state, msg))
			return -1;
		quiet = v3_cpu_tasks_move(change) ? 0 : quiet + 1;
		if (quiet == 2)
			return 0;
		if (quiet)
			pause_short();
	}
	return v3_msg_set(msg, "new tasks appear on the CPUs as fast as they can be moved: stop "
			       "what makes them");
}

/*
 * Offline for a moment: timers that are armed, RCU callbacks that wait, interrupts that could not
 * be moved else go to other CPUs.
 */
static int cycle(struct v3_cpu_change *change, int cpu, struct v3_msg *msg)
{
	struct v3_cpu_item *item;
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	item = v3_cpu_item_add(change->state, V3_CPU_ONLINE, path, "1");
	v3_cpu_item_now(item, "0");
	if (v3_cpu_state_save(change->state, msg))
		return -1;
	err = v3_cpu_write(v3_cpu_host.root, path, "0");
	if (err) {
		v3_cpu_item_drop(change->state, v3_cpu_item_file(change->state, path));
		return v3_msg_set(msg,
				  "CPU %d will not go offline, which would clear it of timers: %s; "
				  "%s; 'pin' (--pin) can do without", cpu, strerror(err),
				  err == EBUSY ? "the kernel's log may say more; threads with "
						 "deadlines can need it" :
				  err == ENOENT ? "this kernel cannot do that" :
						  "the kernel's log may say more");
	}
	err = v3_cpu_write(v3_cpu_host.root, path, "1");
	if (err)
		return v3_msg_set(msg, "CPU %d does not come online again: %s; try 'echo 1 >%s'",
				  cpu, strerror(err), path);
	v3_cpu_item_drop(change->state, v3_cpu_item_file(change->state, path));
	return v3_cpu_state_save(change->state, msg);
}

static int away(struct v3_cpu_change *change, struct v3_msg *msg)
{
	const struct v3_mask *cpus = &change->cpus;
	int cpu;

	/* All that is to change is known to the file before the first of it does. */
	v3_cpu_tasks_find(change);
	if (v3_cpu_files_find(change, msg) || v3_cpu_state_save(change->state, msg) ||
	    v3_cpu_files_move(change, msg) || tasks_away(change, msg))
		return -1;
	for (cpu = v3_mask_next(cpus, 0); cpu >= 0; cpu = v3_mask_next(cpus, (unsigned)cpu + 1))
		if (cycle(change, cpu, msg))
			return -1;
	/* A CPU that comes online is given to cpusets again, and interrupts may follow. */
	if (v3_cpu_files_move(change, msg) || tasks_away(change, msg))
		return -1;
	return v3_cpu_state_save(change->state, msg);
}

static void tell_what_stays(const struct v3_cpu_change *change)
{
	char text[V3_MASK_TEXT], kernel[64] = "";

	if (change->num_kernel)
		snprintf(kernel, sizeof(kernel), "%s%u threads of the kernel",
			 change->num_others ? ", and " : "", change->num_kernel);
	if (change->num_others)
		v3_err("CPUs %s: what cannot move and may still run there: %s%s",
		       v3_mask_text(&change->cpus, text), change->others, kernel);
}

int v3_cpu_take(const struct v3_mask *cpus, const char *guest, struct v3_msg *msg)
{
	struct v3_cpu_state state;
	struct v3_cpu_change change = { .state = &state, .cpus = *cpus };
	struct v3_msg undo;
	int err;

	if (check_root(msg) || v3_cpu_state_open(&state, v3_cpu_host.root, msg))
		return -1;
	if (v3_cpu_online(&change.online, msg) || check(&state, cpus, &change.online, msg)) {
		change_end(&change);
		return -1;
	}
	if (!state.num_taken)
		state.since = v3_cpu_now();
	v3_cpu_state_add(&state, cpus, guest);
	v3_cpu_state_mask(&state, &change.taken);
	replan(&change);
	err = away(&change, msg);
	if (!err)
		tell_what_stays(&change);
	else if (give(&change, v3_cpu_state_find(&state, (unsigned)v3_mask_next(cpus, 0)), &undo))
		v3_err("%s", undo.text);
	change_end(&change);
	return err;
}
