/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has each CPU of the host: v3 cpu list.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_own.h"
#include "json_out.h"

struct listing {
	struct v3_cpu_state state;
	struct v3_mask present, online, nohz;
	struct v3_ioc_cpu *cpus; /* by the module, or NULL */
	unsigned int num_cpus;
};

/* One CPU as it is shown. */
struct line {
	int cpu, node;
	const char *state, *tick;
	char guest[V3_IOC_NAME]; /* empty: none */
	int vcpu;
	char yield[32];
};

static void read_mask(const char *path, struct v3_mask *mask)
{
	char text[V3_MASK_TEXT];

	if (v3_cpu_read(v3_cpu_host.root, path, text, sizeof(text)) || !v3_mask_parse(text, mask))
		*mask = (struct v3_mask){ 0 };
}

/* What the module says; without it no guest has anything. */
static void ask_module(struct listing *listing)
{
	struct v3_ioc_caps caps = { .cpus_capacity = V3_MASK_CPUS };
	struct v3_msg ignored;
	int dev = v3_dev_open(&ignored);

	if (dev < 0)
		return;
	listing->cpus = v3_xmalloc(V3_MASK_CPUS * sizeof(*listing->cpus));
	caps.cpus = (uintptr_t)listing->cpus;
	if (!v3_dev_call(dev, V3_IOC_CAPS, &caps, &ignored))
		listing->num_cpus = caps.cpus_count < V3_MASK_CPUS ? caps.cpus_count :
								     V3_MASK_CPUS;
	v3_dev_close(dev);
}

static int listing_get(struct listing *listing, struct v3_msg *msg)
{
	*listing = (struct listing){ .num_cpus = 0 };
	if (v3_cpu_online(&listing->online, msg) ||
	    v3_cpu_state_peek(&listing->state, v3_cpu_host.root, msg))
		return -1;
	read_mask("/sys/devices/system/cpu/present", &listing->present);
	v3_mask_or(&listing->present, &listing->online);
	read_mask("/sys/devices/system/cpu/nohz_full", &listing->nohz);
	ask_module(listing);
	return 0;
}

static void listing_free(struct listing *listing)
{
	v3_cpu_state_close(&listing->state);
	free(listing->cpus);
}

/* -1: it is not known. */
static int node_of(int cpu)
{
	char path[512];
	struct dirent *entry;
	int node = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/cpu%d", v3_cpu_host.root, cpu);
	dir = opendir(path);
	while (dir && node < 0 && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "node%d", &node) != 1)
			node = -1;
	if (dir)
		closedir(dir);
	return node;
}

static void yield_text(const struct v3_ioc_cpu *cpu, char *buf, size_t size)
{
	switch (cpu->host_yield) {
	case V3_IOC_YIELD_NEVER:
		snprintf(buf, size, "never");
		break;
	case V3_IOC_YIELD_ON_HALT:
		snprintf(buf, size, "on-halt");
		break;
	default:
		snprintf(buf, size, "interval=%llums",
			 (unsigned long long)(cpu->yield_ns / 1000000));
		break;
	}
}

static void line_fill(const struct listing *listing, int cpu, struct line *line)
{
	const struct v3_cpu_taken *taken = v3_cpu_state_find(&listing->state, (unsigned int)cpu);
	const struct v3_ioc_cpu *entry = NULL;
	unsigned int i;

	*line = (struct line){ .cpu = cpu, .node = node_of(cpu), .vcpu = -1 };
	for (i = 0; i < listing->num_cpus; i++)
		if (listing->cpus[i].cpu == (unsigned int)cpu && listing->cpus[i].vm[0])
			entry = &listing->cpus[i];
	if (entry) {
		snprintf(line->guest, sizeof(line->guest), "%.63s", entry->vm);
		line->vcpu = entry->vcpu;
		yield_text(entry, line->yield, sizeof(line->yield));
	} else if (taken && taken->guest[0]) {
		snprintf(line->guest, sizeof(line->guest), "%.63s", taken->guest);
	}
	if (!v3_mask_has(&listing->online, (unsigned int)cpu))
		line->state = "offline";
	else if (entry)
		line->state = "owned";
	else if (taken)
		line->state = taken->guest[0] ? "left" : "taken";
	else
		line->state = "host";
	line->tick = v3_mask_has(&listing->nohz, (unsigned int)cpu) ? "silent by nohz_full" :
		     entry ? "held back by v3" : "on";
}

static void print_table(const struct listing *listing)
{
	struct line line;
	char node[16];
	int cpu;

	printf("%-4s %-4s %-7s %-20s %-4s %-17s %s\n", "CPU", "NODE", "WHOSE", "TICK", "VCPU",
	       "HOST-YIELD", "GUEST");
	for (cpu = v3_mask_next(&listing->present, 0); cpu >= 0;
	     cpu = v3_mask_next(&listing->present, (unsigned int)cpu + 1)) {
		line_fill(listing, cpu, &line);
		snprintf(node, sizeof(node), "%d", line.node);
		printf("%-4d %-4s %-7s %-20s ", cpu, line.node < 0 ? "-" : node, line.state,
		       strcmp(line.state, "offline") ? line.tick : "-");
		snprintf(node, sizeof(node), "%d", line.vcpu);
		printf("%-4s %-17s %s\n", line.vcpu < 0 ? "-" : node,
		       line.yield[0] ? line.yield : "-",
		       line.guest[0] ? v3_printable(line.guest) : "-");
	}
}

static json_t *line_json(const struct line *line)
{
	json_t *json = json_pack("{s:i, s:i, s:s, s:s}", "cpu", line->cpu, "node", line->node,
				 "state", line->state, "tick", line->tick);

	if (json && line->guest[0])
		json_object_set_new(json, "guest", json_string(line->guest));
	if (json && line->vcpu >= 0) {
		json_object_set_new(json, "vcpu", json_integer(line->vcpu));
		json_object_set_new(json, "host_yield", json_string(line->yield));
	}
	return json;
}

static int print_json(const struct listing *listing, struct v3_msg *msg)
{
	json_t *list = json_array();
	struct line line;
	int cpu;

	for (cpu = v3_mask_next(&listing->present, 0); cpu >= 0;
	     cpu = v3_mask_next(&listing->present, (unsigned int)cpu + 1)) {
		line_fill(listing, cpu, &line);
		if (json_array_append_new(list, line_json(&line))) {
			json_decref(list);
			return v3_msg_set(msg, "out of memory");
		}
	}
	return v3_json_print(list) ? v3_msg_set(msg, "no list") : 0;
}

int v3_cpu_print(bool json, struct v3_msg *msg)
{
	struct listing listing;
	int err = 0;

	if (listing_get(&listing, msg))
		return -1;
	if (json)
		err = print_json(&listing, msg);
	else
		print_table(&listing);
	listing_free(&listing);
	return err;
}

void v3_cpu_stale_warn(void)
{
	struct listing listing;
	struct v3_msg ignored;
	char text[V3_MASK_TEXT];
	struct line line;
	unsigned int i;
	int cpu;

	/* Nearly always there is nothing to look at. */
	if (v3_cpu_state_peek(&listing.state, v3_cpu_host.root, &ignored))
		return;
	i = listing.state.num_taken;
	v3_cpu_state_close(&listing.state);
	if (!i || listing_get(&listing, &ignored))
		return;
	for (i = 0; i < listing.state.num_taken; i++) {
		cpu = v3_mask_next(&listing.state.taken[i].cpus, 0);
		line_fill(&listing, cpu, &line);
		if (!strcmp(line.state, "left"))
			v3_err("CPUs %s are still taken for guest '%s', which is gone: 'v3 cpu give "
			       "%d' restores them",
			       v3_mask_text(&listing.state.taken[i].cpus, text),
			       v3_printable(line.guest), cpu);
	}
	listing_free(&listing);
}
