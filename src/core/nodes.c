/* SPDX-License-Identifier: BSD-2-Clause */
/* NUMA nodes of the host, and what a guest is shown of them. */
#include "core/nodes.h"

#include "core/vm.h"

enum v3_status v3_nodes_check(struct v3_host *host, int32_t node)
{
	unsigned int count = v3_os_node_count(host);

	if (node < V3_NODE_ANY)
		return V3_ERR_INVALID;
	return count && node != V3_NODE_ANY && (unsigned int)node >= count ? V3_ERR_NOENT : V3_OK;
}

/* Index among the VM's nodes, or their number. */
static unsigned int find(const struct v3_vm *vm, int32_t node)
{
	unsigned int i;

	for (i = 0; i < vm->num_nodes; i++)
		if (vm->nodes[i] == node)
			break;
	return i;
}

void v3_nodes_create(struct v3_vm *vm, const struct v3_vm_config *config)
{
	unsigned int i;

	for (i = 0; i < config->num_mem; i++) {
		int32_t node = config->mem[i].node;

		if (node != V3_NODE_ANY && find(vm, node) == vm->num_nodes)
			vm->nodes[vm->num_nodes++] = node;
	}
}

unsigned int v3_vm_num_nodes(const struct v3_vm *vm)
{
	return vm->num_nodes > 1 ? vm->num_nodes : 1;
}

unsigned int v3_vm_guest_node(const struct v3_vm *vm, int32_t node)
{
	unsigned int i = find(vm, node);

	return i < vm->num_nodes ? i : 0;
}

unsigned int v3_vm_node_distance(const struct v3_vm *vm, unsigned int from, unsigned int to)
{
	unsigned int distance;

	if (from == to || from >= vm->num_nodes || to >= vm->num_nodes)
		return 10;
	distance = v3_os_node_distance(vm->host, (unsigned int)vm->nodes[from],
				       (unsigned int)vm->nodes[to]);
	/* A guest takes a table with other values for a mistake (ACPI 6.3 5.2.17). */
	if (distance <= 10)
		return 11;
	return distance < 254 ? distance : 254;
}

/* The middle of its share decides, so that no share is counted twice. */
int32_t v3_vcpu_node(const struct v3_vcpu *vcpu)
{
	const struct v3_vm *vm = vcpu->vm;
	uint64_t at = (2ull * vcpu->index + 1) * vm->ram_bytes / (2ull * vm->num_vcpus);
	unsigned int i;

	for (i = 0; i + 1 < vm->num_blocks && at >= vm->blocks[i].size; i++)
		at -= vm->blocks[i].size;
	return vm->blocks[i].node;
}

/* The node of the CPU that it was given; V3_NODE_ANY: none given, or the host does not tell. */
static int32_t given_node(const struct v3_vcpu *vcpu)
{
	if (vcpu->want_cpu == V3_CPU_ANY || !v3_os_node_count(vcpu->host))
		return V3_NODE_ANY;
	return (int32_t)v3_os_cpu_node(vcpu->host, (unsigned int)vcpu->want_cpu);
}

unsigned int v3_vcpu_guest_node(const struct v3_vcpu *vcpu)
{
	int32_t node = given_node(vcpu);

	if (find(vcpu->vm, node) == vcpu->vm->num_nodes)
		node = v3_vcpu_node(vcpu);
	return v3_vm_guest_node(vcpu->vm, node);
}

int v3_vcpu_choose_cpu(const struct v3_vcpu *vcpu)
{
	int32_t node = v3_vcpu_node(vcpu);

	if (vcpu->want_cpu != V3_CPU_ANY || node == V3_NODE_ANY)
		return vcpu->want_cpu;
	return v3_os_cpu_choose(vcpu->host, vcpu->vm->ctx, (unsigned int)node);
}

static bool has_memory_on(const struct v3_vm *vm, int32_t node)
{
	unsigned int i;

	for (i = 0; i < vm->num_blocks; i++)
		if (vm->blocks[i].node == node || vm->blocks[i].node == V3_NODE_ANY)
			return true;
	return false;
}

void v3_nodes_warn(struct v3_vm *vm)
{
	unsigned int i, remote = 0, first = 0;

	for (i = vm->num_vcpus; i-- > 0;) {
		int32_t node = given_node(vm->vcpus[i]);

		if (node == V3_NODE_ANY || has_memory_on(vm, node))
			continue;
		first = i;
		remote++;
	}
	if (remote)
		v3_host_log(vm->host, V3_LOG_WARN,
			    "v3: %s: vCPU %u is on CPU %d of node %d, where the VM has no memory: it would be faster on node %d (vCPUs like that: %u)",
			    vm->name, first, vm->vcpus[first]->want_cpu,
			    given_node(vm->vcpus[first]), v3_vcpu_node(vm->vcpus[first]), remote);
}
