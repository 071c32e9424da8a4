/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 stats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "json_out.h"
#include "parse.h"
#include "spec.h"

/* All that is known about a guest. vcpus is to be freed. */
struct stats {
	struct v3_ioc_state state;
	struct v3_ioc_vm_stats vm;
	struct v3_ioc_exit_names names;
	struct v3_ioc_vcpu_stats *vcpus;
};

static int get_vcpus(int vm, struct stats *stats, struct v3_msg *msg)
{
	unsigned int i;

	if (stats->vm.num_vcpus > V3_IOC_VCPUS)
		return v3_msg_set(msg, "the module tells of %u vCPUs, more than there can be",
				  stats->vm.num_vcpus);
	stats->vcpus = v3_xmalloc(stats->vm.num_vcpus * sizeof(stats->vcpus[0]));
	for (i = 0; i < stats->vm.num_vcpus; i++) {
		stats->vcpus[i] = (struct v3_ioc_vcpu_stats){ .vcpu = i };
		if (v3_dev_call(vm, V3_IOC_VCPU_STATS, &stats->vcpus[i], msg))
			return -1;
		if (stats->vcpus[i].num_exits > V3_IOC_EXITS)
			stats->vcpus[i].num_exits = V3_IOC_EXITS;
	}
	return 0;
}

static int get_stats(int dev, int vm, struct stats *stats, struct v3_msg *msg)
{
	unsigned int i;

	*stats = (struct stats){ 0 };
	if (v3_dev_call(dev, V3_IOC_EXIT_NAMES, &stats->names, msg) ||
	    v3_dev_state(vm, &stats->state, msg) ||
	    v3_dev_call(vm, V3_IOC_VM_STATS, &stats->vm, msg))
		return -1;
	for (i = 0; i < V3_IOC_EXITS; i++)
		stats->names.names[i][V3_IOC_EXIT_NAME - 1] = 0;
	return get_vcpus(vm, stats, msg);
}

/* Name of an exit kind; one that the module does not name gets its number. */
static const char *exit_name(const struct stats *stats, unsigned int kind, char *buf, size_t size)
{
	if (kind < stats->names.count && kind < V3_IOC_EXITS && stats->names.names[kind][0])
		return stats->names.names[kind];
	snprintf(buf, size, "kind_%u", kind);
	return buf;
}

static void print_vcpu(const struct stats *stats, const struct v3_ioc_vcpu_stats *vcpu)
{
	char name[16];
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < vcpu->num_exits; i++)
		total += vcpu->exits[i];
	printf("vCPU %u:\n", vcpu->vcpu);
	if (vcpu->cpu < 0)
		printf("  %-22s not yet\n", "host CPU");
	else
		printf("  %-22s %d\n", "host CPU", vcpu->cpu);
	printf("  %-22s %.3f s\n", "in the run loop", (double)vcpu->run_ns / 1e9);
	printf("  %-22s %.3f s in %llu waits\n", "halted", (double)vcpu->halt_ns / 1e9,
	       (unsigned long long)vcpu->halts);
	printf("  %-22s %llu\n", "events injected", (unsigned long long)vcpu->injected);
	printf("  %-22s %llu\n", "nested faults on RAM", (unsigned long long)vcpu->ram_faults);
	printf("  %-22s %llu\n", "exits", (unsigned long long)total);
	for (i = 0; i < vcpu->num_exits; i++)
		if (vcpu->exits[i])
			printf("    %-20s %llu\n", exit_name(stats, i, name, sizeof(name)),
			       (unsigned long long)vcpu->exits[i]);
}

static void print_text(const char *name, const struct stats *stats)
{
	const struct v3_ioc_vm_stats *vm = &stats->vm;
	char a[V3_SIZE_TEXT], b[V3_SIZE_TEXT], c[V3_SIZE_TEXT];
	unsigned int i;

	printf("%s: %s\n", name, v3_state_name(stats->state.state));
	printf("  %-22s %s\n", "memory", v3_size_text(vm->ram, a));
	printf("  %-22s %s in 1 GiB, %s in 2 MiB, %s in 4 KiB leaves\n", "nested tables",
	       v3_size_text(vm->leaf_1g, a), v3_size_text(vm->leaf_2m, b),
	       v3_size_text(vm->leaf_4k, c));
	printf("  %-22s %llu\n", "table pages", (unsigned long long)vm->table_pages);
	printf("  %-22s %s, and %s for all vCPUs\n", "memory of the VMM",
	       v3_size_text(vm->vmm_bytes, a), v3_size_text(vm->vcpu_bytes, b));
	for (i = 0; i < vm->num_vcpus; i++)
		print_vcpu(stats, &stats->vcpus[i]);
}

static json_t *vcpu_json(const struct stats *stats, const struct v3_ioc_vcpu_stats *vcpu)
{
	json_t *exits = json_object();
	char name[16];
	unsigned int i;

	for (i = 0; exits && i < vcpu->num_exits; i++)
		if (json_object_set_new(exits, exit_name(stats, i, name, sizeof(name)),
					v3_json_uint(vcpu->exits[i]))) {
			json_decref(exits);
			exits = NULL;
		}
	return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "vcpu", (int)vcpu->vcpu,
			 "cpu", (int)vcpu->cpu,
			 "run_ns", v3_json_uint(vcpu->run_ns),
			 "halt_ns", v3_json_uint(vcpu->halt_ns),
			 "halts", v3_json_uint(vcpu->halts),
			 "injected", v3_json_uint(vcpu->injected),
			 "ram_faults", v3_json_uint(vcpu->ram_faults),
			 "exits", exits);
}

static json_t *stats_json(const char *name, const struct stats *stats)
{
	const struct v3_ioc_vm_stats *vm = &stats->vm;
	json_t *vcpus = json_array();
	unsigned int i;

	for (i = 0; vcpus && i < vm->num_vcpus; i++)
		if (json_array_append_new(vcpus, vcpu_json(stats, &stats->vcpus[i]))) {
			json_decref(vcpus);
			vcpus = NULL;
		}
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "name", name,
			 "state", v3_state_name(stats->state.state),
			 "ram", v3_json_uint(vm->ram),
			 "leaf_1g", v3_json_uint(vm->leaf_1g),
			 "leaf_2m", v3_json_uint(vm->leaf_2m),
			 "leaf_4k", v3_json_uint(vm->leaf_4k),
			 "table_pages", v3_json_uint(vm->table_pages),
			 "vmm_bytes", v3_json_uint(vm->vmm_bytes),
			 "vcpu_bytes", v3_json_uint(vm->vcpu_bytes),
			 "vcpus", vcpus);
}

int v3_cmd_stats(int argc, char **argv)
{
	struct stats stats = { 0 };
	bool json = false;
	const char *name;
	struct v3_msg msg;
	int dev, vm, err = -1, status = V3_CMD_OK;

	v3_parse_simple(argc, argv,
			"Shows the memory a guest takes and the exits of its vCPUs, by kind.",
			&name, &json);
	vm = v3_dev_vm(name, &msg);
	dev = vm < 0 ? -1 : v3_dev_open(&msg);
	if (dev >= 0)
		err = get_stats(dev, vm, &stats, &msg);
	v3_dev_close(dev);
	v3_dev_close(vm);
	if (err) {
		v3_err("%s: %s", v3_printable(name), msg.text);
		status = V3_CMD_FAILED;
	} else if (json) {
		status = v3_json_print(stats_json(name, &stats)) ? V3_CMD_FAILED : V3_CMD_OK;
	} else {
		print_text(name, &stats);
	}
	free(stats.vcpus);
	return status;
}
