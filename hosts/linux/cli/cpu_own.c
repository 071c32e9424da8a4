/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module knows which VM owns which CPU. It also runs "v3 cpu give --restore" when the one who
 * took CPUs is gone, however that came about.
 */
#include "cpu_own.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HELPER "/sys/module/v3/parameters/helper"
/* A killed command's VM takes its time to end: its memory is zeroed. */
#define WAIT_MS 60000
#define WAIT_STEP_MS 20

/* --- Who restores --- */

/* Tells the module where this command is, so that it can run it. */
static void announce(void)
{
	char path[PATH_MAX];
	ssize_t len;
	int err;

	if (v3_cpu_host.uid())
		return;
	len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (len <= 0)
		return;
	path[len] = 0;
	err = v3_cpu_write(v3_cpu_host.root, HELPER, path);
	if (err && err != ENOENT)
		v3_err("warning: if this command is killed nobody restores the host's CPUs before "
		       "'v3 cpu give all': the module will not run '%s' (%s): nobody but root may "
		       "be able to change that file and the folders above it",
		       v3_printable(path), strerror(err));
}

static int restore_when(int fd, int cpu, unsigned int when, struct v3_msg *msg)
{
	struct v3_ioc_restore arg = { .cpu = cpu, .when = when };

	return v3_dev_call(fd, V3_IOC_RESTORE, &arg, msg);
}

void v3_cpu_release(int dev, int cpu)
{
	struct v3_msg ignored;

	if (dev >= 0)
		restore_when(dev, cpu, V3_IOC_RESTORE_NEVER, &ignored);
}

int v3_cpu_take_by_hand(int dev, const struct v3_mask *cpus, struct v3_msg *msg)
{
	int cpu = v3_mask_next(cpus, 0);

	if (v3_cpu_in_use(dev, cpus, msg))
		return -1;
	announce();
	if (restore_when(dev, cpu, V3_IOC_RESTORE_CLOSE, msg))
		return -1;
	if (v3_cpu_take(cpus, "", msg)) {
		v3_cpu_release(dev, cpu);
		return -1;
	}
	return restore_when(dev, cpu, V3_IOC_RESTORE_UNLOAD, msg) ? -1 : 0;
}

/* Whether a VM owns one of them now: 1 with a message, or 0; -1 with a message. */
static int owned(int dev, const struct v3_mask *cpus, struct v3_msg *msg)
{
	struct v3_ioc_caps caps = { .cpus_capacity = V3_MASK_CPUS };
	struct v3_ioc_cpu *entries = v3_xmalloc(V3_MASK_CPUS * sizeof(*entries));
	int result = 0;
	unsigned int i;

	caps.cpus = (uintptr_t)entries;
	if (v3_dev_call(dev, V3_IOC_CAPS, &caps, msg))
		result = -1;
	for (i = 0; !result && i < caps.cpus_count && i < caps.cpus_capacity; i++)
		if (entries[i].vm[0] && v3_mask_has(cpus, entries[i].cpu)) {
			entries[i].vm[sizeof(entries[i].vm) - 1] = 0;
			v3_msg_set(msg, "CPU %u is owned by guest '%s', which has to end first",
				   entries[i].cpu, v3_printable(entries[i].vm));
			result = 1;
		}
	free(entries);
	return result;
}

/* --- Guests --- */

static void spec_mask(const struct v3_spec *spec, struct v3_mask *mask)
{
	unsigned int i;

	*mask = (struct v3_mask){ 0 };
	for (i = 0; i < spec->num_cpus; i++)
		v3_mask_add(mask, (unsigned int)spec->cpus[i]);
}

/* Those that "v3 cpu take" has not taken. */
static int to_take(const struct v3_spec *spec, struct v3_mask *mask, struct v3_msg *msg)
{
	struct v3_cpu_state state;
	unsigned int i;

	spec_mask(spec, mask);
	if (v3_cpu_state_peek(&state, v3_cpu_host.root, msg))
		return -1;
	for (i = 0; i < state.num_taken; i++)
		if (!state.taken[i].guest[0])
			v3_mask_less(mask, &state.taken[i].cpus);
	v3_cpu_state_close(&state);
	return 0;
}

int v3_cpu_guest_check(const struct v3_spec *spec, struct v3_msg *msg)
{
	struct v3_mask mask;

	if (!spec->own)
		return 0;
	return to_take(spec, &mask, msg) || v3_cpu_check(&mask, msg) ? -1 : 0;
}

int v3_cpu_guest_take(int vm, const struct v3_spec *spec, struct v3_msg *msg)
{
	struct v3_mask mask;

	if (!spec->own)
		return 0;
	if (to_take(spec, &mask, msg))
		return -1;
	if (v3_mask_empty(&mask))
		return 0;
	announce();
	if (restore_when(vm, v3_mask_next(&mask, 0), V3_IOC_RESTORE_CLOSE, msg))
		return -1;
	return v3_cpu_take(&mask, spec->name, msg);
}

void v3_cpu_guest_end(int dev, const struct v3_spec *spec)
{
	struct v3_mask mask;
	struct v3_cpu_state state;
	struct v3_msg msg;
	unsigned int i;
	int cpu = -1;

	if (!spec->own || v3_cpu_state_peek(&state, v3_cpu_host.root, &msg))
		return;
	for (i = 0; i < state.num_taken; i++)
		if (!strcmp(state.taken[i].guest, spec->name))
			cpu = v3_mask_next(&state.taken[i].cpus, 0);
	v3_cpu_state_close(&state);
	spec_mask(spec, &mask);
	if (cpu >= 0 && !owned(dev, &mask, &msg) && v3_cpu_give((unsigned int)cpu, &msg))
		v3_err("%s: its CPUs: %s", spec->name, msg.text);
}

/* --- Who uses them --- */

/* Of a VM: the first of the CPUs that one of its vCPUs is on, or -1. */
static int vcpu_on(const struct v3_ioc_list_entry *entry, const struct v3_mask *cpus)
{
	struct v3_ioc_vcpu_stats stats;
	struct v3_msg ignored;
	unsigned int i;
	int vm = v3_dev_vm(entry->name, &ignored), found = -1;

	for (i = 0; vm >= 0 && found < 0 && i < entry->num_vcpus; i++) {
		stats = (struct v3_ioc_vcpu_stats){ .vcpu = i };
		if (!v3_dev_call(vm, V3_IOC_VCPU_STATS, &stats, &ignored) && stats.cpu >= 0 &&
		    v3_mask_has(cpus, (unsigned int)stats.cpu))
			found = stats.cpu;
	}
	v3_dev_close(vm);
	return found;
}

bool v3_cpu_in_use(int dev, const struct v3_mask *cpus, struct v3_msg *msg)
{
	struct v3_ioc_list list = { .capacity = 1024 };
	struct v3_ioc_list_entry *entries;
	unsigned int i;
	int cpu = -1;

	if (dev < 0)
		return false;
	if (owned(dev, cpus, msg))
		return true;
	entries = v3_xmalloc(list.capacity * sizeof(*entries));
	list.entries = (uintptr_t)entries;
	if (v3_dev_call(dev, V3_IOC_LIST, &list, msg)) {
		free(entries);
		return true;
	}
	for (i = 0; cpu < 0 && i < list.count && i < list.capacity; i++) {
		entries[i].name[sizeof(entries[i].name) - 1] = 0;
		cpu = vcpu_on(&entries[i], cpus);
		if (cpu >= 0)
			v3_msg_set(msg, "CPU %d is used by guest '%s', which has to end first", cpu,
				   v3_printable(entries[i].name));
	}
	free(entries);
	return cpu >= 0;
}

int v3_cpu_wait_unused(int dev, int cpu, struct v3_msg *msg)
{
	const struct timespec step = { .tv_nsec = WAIT_STEP_MS * 1000000 };
	const struct v3_cpu_taken *taken;
	struct v3_cpu_state state;
	struct v3_mask cpus = { 0 };
	unsigned int waited;
	int result;

	if (dev < 0)
		return 0;
	if (v3_cpu_state_peek(&state, v3_cpu_host.root, msg))
		return -1;
	taken = v3_cpu_state_find(&state, (unsigned int)cpu);
	if (taken)
		cpus = taken->cpus;
	v3_cpu_state_close(&state);
	for (waited = 0;; waited += WAIT_STEP_MS) {
		result = owned(dev, &cpus, msg);
		if (result <= 0)
			return result;
		if (waited >= WAIT_MS)
			return -1;
		nanosleep(&step, NULL);
	}
}
