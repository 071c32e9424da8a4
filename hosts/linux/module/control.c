/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Requests of /dev/v3. */
#include <linux/compat.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include <asm/tsc.h>

#include "blocks.h"
#include "own.h"

static enum v3_status do_version(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_version *arg = data;
	struct v3_host_caps caps;

	arg->abi_version = V3_IOC_ABI_VERSION;
	arg->major = V3_VERSION_MAJOR;
	arg->minor = V3_VERSION_MINOR;
	arg->patch = V3_VERSION_PATCH;
	memset(arg->version, 0, sizeof(arg->version));
	memset(arg->backend, 0, sizeof(arg->backend));
	strscpy(arg->version, V3_VERSION_STRING, sizeof(arg->version));
	if (v3_lx.host) {
		v3_host_caps(v3_lx.host, &caps);
		strscpy(arg->backend, caps.backend, sizeof(arg->backend));
	}
	return V3_OK;
}

static u32 caps_flags(const struct v3_host_caps *caps)
{
	return (caps->nested_paging ? V3_IOC_CAP_NESTED_PAGING : 0) |
	       (caps->nested_1g ? V3_IOC_CAP_NESTED_1G : 0) |
	       (caps->next_rip ? V3_IOC_CAP_NEXT_RIP : 0) |
	       (caps->decode_assist ? V3_IOC_CAP_DECODE_ASSIST : 0) |
	       (caps->flush_by_asid ? V3_IOC_CAP_FLUSH_BY_ASID : 0) |
	       (caps->clean_bits ? V3_IOC_CAP_CLEAN_BITS : 0) |
	       (caps->tsc_scaling ? V3_IOC_CAP_TSC_SCALING : 0);
}

static enum v3_status caps_cpus(struct v3_lx_call *call, struct v3_ioc_caps *arg)
{
	struct v3_ioc_cpu __user *user = u64_to_user_ptr(arg->cpus);
	struct v3_ioc_cpu entry;
	unsigned int cpu;

	arg->num_cpus = num_possible_cpus();
	arg->cpus_count = 0;
	for_each_possible_cpu(cpu) {
		if (arg->cpus_count == arg->cpus_capacity)
			break;
		v3_lx_virt_describe(cpu, &entry);
		if (copy_to_user(user + arg->cpus_count, &entry, sizeof(entry))) {
			call->err = -EFAULT;
			return v3_lx_fail(call, V3_ERR_INVALID,
					  "the array of CPUs is not in writable memory");
		}
		arg->cpus_count++;
	}
	return V3_OK;
}

static enum v3_status do_caps(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_caps *arg = data;
	struct v3_host_caps caps = {};

	if (v3_lx.host)
		v3_host_caps(v3_lx.host, &caps);
	arg->host_status = v3_lx.init_status;
	memcpy(arg->host_message, v3_lx.init_message, sizeof(arg->host_message));
	memset(arg->backend, 0, sizeof(arg->backend));
	if (caps.backend)
		strscpy(arg->backend, caps.backend, sizeof(arg->backend));
	arg->flags = caps_flags(&caps);
	arg->xcr0 = caps.xcr0;
	arg->num_asids = caps.num_asids;
	arg->xsave_size = caps.xsave_size;
	arg->phys_bits = caps.phys_bits;
	arg->tsc_khz = tsc_khz;
	return caps_cpus(call, arg);
}

static enum v3_status check_cpus(struct v3_lx_call *call, const struct v3_ioc_create *arg)
{
	unsigned int i;
	int cpu;

	if (!arg->num_vcpus || arg->num_vcpus > V3_IOC_VCPUS)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "VM '%s': %u vCPUs, but it can have 1 to %u", arg->name,
				  arg->num_vcpus, V3_IOC_VCPUS);
	for (i = 0; i < arg->num_vcpus; i++) {
		cpu = arg->cpus[i];
		if (cpu == V3_CPU_ANY)
			continue;
		if (cpu < 0 || cpu >= nr_cpu_ids || !cpu_possible(cpu))
			return v3_lx_fail(call, V3_ERR_NOENT,
					  "VM '%s', vCPU %u: this host has no CPU %d", arg->name,
					  i, cpu);
		if (!cpu_online(cpu))
			return v3_lx_fail(call, V3_ERR_NOENT,
					  "VM '%s', vCPU %u: host CPU %d is offline", arg->name, i,
					  cpu);
	}
	if (memchr_inv(&arg->cpus[i], 0, (V3_IOC_VCPUS - i) * sizeof(arg->cpus[0])))
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "VM '%s': CPUs for more vCPUs than there are", arg->name);
	return V3_OK;
}

/* What is asked for on one node, as far as it can be added up. */
static u64 on_node(const struct v3_ioc_create *arg, int node)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < arg->num_mem; i++)
		if (arg->mem[i].node == node && check_add_overflow(sum, arg->mem[i].size, &sum))
			return U64_MAX;
	return sum;
}

/* A node that exists and has as much in all, free or not. */
static enum v3_status check_node(struct v3_lx_call *call, const struct v3_ioc_create *arg,
				 int node)
{
	u64 sum = on_node(arg, node);

	if (node == V3_NODE_ANY)
		return V3_OK;
	if (node < 0 || node >= MAX_NUMNODES || !node_state(node, N_MEMORY))
		return v3_lx_fail(call, V3_ERR_NOENT,
				  "VM '%s': this host has no memory on NUMA node %d", arg->name,
				  node);
	if (sum > v3_lx_blocks_total(node))
		return v3_lx_fail(call, V3_ERR_NOMEM,
				  "VM '%s': %llu MiB of memory asked for on node %d, which has %llu MiB in all",
				  arg->name, sum >> 20, node, v3_lx_blocks_total(node) >> 20);
	return V3_OK;
}

static enum v3_status check_mem(struct v3_lx_call *call, const struct v3_ioc_create *arg,
				u64 *total)
{
	const struct v3_ioc_mem *mem = arg->mem;
	enum v3_status status;
	unsigned int i;

	if (!arg->num_mem || arg->num_mem > V3_IOC_MEMS)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "VM '%s': %u pieces of memory, but it can have 1 to %u",
				  arg->name, arg->num_mem, V3_IOC_MEMS);
	*total = 0;
	for (i = 0; i < arg->num_mem; i++, mem++) {
		if (mem->reserved)
			return v3_lx_fail(call, V3_ERR_INVALID,
					  "VM '%s': reserved fields are not zero", arg->name);
		if (!mem->size || mem->size % (2ull << 20))
			return v3_lx_fail(call, V3_ERR_INVALID,
					  "VM '%s': memory of 0x%llx bytes is no multiple of 2 MiB",
					  arg->name, mem->size);
		status = check_node(call, arg, mem->node);
		if (status)
			return status;
		if (check_add_overflow(*total, mem->size, total))
			*total = U64_MAX;
	}
	if (memchr_inv(mem, 0, (V3_IOC_MEMS - i) * sizeof(*mem)))
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "VM '%s': more memory given than num_mem says", arg->name);
	return arg->flags & V3_IOC_CREATE_HELD ? V3_OK :
						 v3_lx_memory_check(call, arg->name, *total);
}

/* libv3's VM with the PC platform; nothing is left behind on failure. */
static enum v3_status create_core(struct v3_lx_vm *vm, const struct v3_ioc_create *arg,
				  struct v3_vm **core)
{
	struct v3_mem_config mem[V3_IOC_MEMS] = {};
	struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = arg->num_vcpus, .name = vm->name,
		.cpus = arg->cpus, .mem = mem, .num_mem = arg->num_mem, .ctx = vm,
		.cpu = arg->cpu[0] ? arg->cpu : NULL, .tsc_khz = arg->tsc_khz,
		.flags = (arg->flags & V3_IOC_CREATE_UNEMULATED_UD ? V3_VM_UNEMULATED_UD : 0) |
			 (arg->flags & V3_IOC_CREATE_IGNORE_MSRS ? V3_VM_IGNORE_UNKNOWN_MSRS : 0),
	};
	struct v3_pc_config pc = {
		.struct_size = sizeof(pc), .rtc_seconds = ktime_get_real_seconds(),
	};
	enum v3_status status;
	unsigned int i;

	for (i = 0; i < arg->num_mem; i++) {
		mem[i].size = arg->mem[i].size;
		mem[i].node = arg->mem[i].node;
	}
	config.yield_policy = v3_lx_own_policy(arg, &config.yield_ns);
	status = v3_vm_create(v3_lx.host, &config, core);
	if (status)
		return status;
	status = v3_pc_attach(*core, &pc);
	if (status)
		v3_vm_destroy(*core);
	return status;
}

/* A descriptor of the VM. The owner's ends the VM when it is closed. */
static enum v3_status vm_descriptor(struct v3_lx_call *call, struct v3_lx_vm *vm, bool owner,
				    __s32 *fd)
{
	struct v3_lx_vm_file *data = kzalloc(sizeof(*data), GFP_KERNEL);
	enum v3_status status;

	if (!data)
		return v3_lx_fail(call, V3_ERR_NOMEM,
				  "VM '%s': the host has no memory for a descriptor", vm->name);
	data->vm = vm;
	data->owner = owner;
	kref_get(&vm->ref);
	status = v3_lx_call_file(call, "[v3-vm]", &v3_lx_vm_fops, data, fd);
	if (status && !call->file) {
		v3_lx_vm_put(vm);
		kfree(data);
	}
	return status;
}

static enum v3_status create(struct v3_lx_call *call, struct v3_ioc_create *arg, u64 memory)
{
	struct v3_lx_vm *vm;
	struct v3_vm *core;
	enum v3_status status = v3_lx_vm_new(call, arg->name, &vm);

	if (status)
		return status;
	vm->num_vcpus = arg->num_vcpus;
	vm->memory = memory;
	vm->held_only = arg->flags & V3_IOC_CREATE_HELD;
	status = v3_lx_own_claim(call, vm, arg);
	if (status) {
		v3_lx_vm_abandon(vm);
		return status;
	}
	status = create_core(vm, arg, &core);
	if (status) {
		v3_lx_fail(call, status, "cannot create VM '%s' with %u vCPUs and %llu MiB",
			   arg->name, arg->num_vcpus, memory >> 20);
		v3_lx_vm_abandon(vm);
		return status;
	}
	/* from there on others find it, and may destroy it before it has a descriptor here */
	kref_get(&vm->ref);
	v3_lx_vm_ready(vm, core);
	if (arg->flags & V3_IOC_CREATE_DETACHED)
		call->detach = vm;
	status = vm_descriptor(call, vm, true, &arg->fd);
	if (status && !call->file)
		v3_lx_vm_destroy(vm);
	v3_lx_vm_put(vm);
	return status;
}

static enum v3_status do_create(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_create *arg = data;
	struct v3_lx_control_file *file = target;
	enum v3_status status;
	u64 memory;

	arg->fd = -1;
	if (!v3_lx.host)
		return v3_lx_fail(call, v3_lx.init_status, "this host cannot run VMs: %s",
				  v3_lx.init_message);
	if (arg->flags & ~(V3_IOC_CREATE_DETACHED | V3_IOC_CREATE_UNEMULATED_UD |
			   V3_IOC_CREATE_IGNORE_MSRS | V3_IOC_CREATE_HELD |
			   V3_IOC_CREATE_OWN_CPUS | V3_IOC_CREATE_OWN_FIFO))
		return v3_lx_fail(call, V3_ERR_INVALID, "unknown flags 0x%x", arg->flags);
	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	if (strnlen(arg->cpu, sizeof(arg->cpu)) == sizeof(arg->cpu))
		return v3_lx_fail(call, V3_ERR_INVALID, "the CPU model has no end");
	status = v3_lx_check_name(call, arg->name);
	if (!status)
		status = check_cpus(call, arg);
	if (!status)
		status = check_mem(call, arg, &memory);
	call->progress = &file->progress;
	if (!status)
		v3_lx_progress_begin(call->progress, V3_IOC_MEM_PHASE_TAKE, memory);
	if (!status)
		status = create(call, arg, memory);
	return status;
}

static enum v3_status do_open(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_open *arg = data;
	enum v3_status status = v3_lx_check_name(call, arg->name);
	struct v3_lx_vm *vm;

	arg->fd = -1;
	if (status)
		return status;
	if (arg->flags)
		return v3_lx_fail(call, V3_ERR_INVALID, "unknown flags 0x%x", arg->flags);
	vm = v3_lx_vm_find(arg->name);
	if (!vm || !v3_lx_vm_enter(vm)) {
		if (vm)
			v3_lx_vm_put(vm);
		return v3_lx_fail(call, V3_ERR_NOENT, "there is no VM '%s'", arg->name);
	}
	status = vm_descriptor(call, vm, false, &arg->fd);
	v3_lx_vm_leave(vm);
	v3_lx_vm_put(vm);
	return status;
}

/* False if the VM is being created or destroyed. */
static bool list_entry_fill(struct v3_lx_vm *vm, struct v3_ioc_list_entry *entry)
{
	struct v3_vm *core = v3_lx_vm_enter(vm);
	struct v3_vm_end end = {};

	if (!core)
		return false;
	memset(entry, 0, sizeof(*entry));
	strscpy(entry->name, vm->name, sizeof(entry->name));
	entry->state = v3_vm_state(core, &end);
	entry->end_kind = end.kind;
	entry->end_code = end.code;
	entry->flags = READ_ONCE(vm->detached) ? V3_IOC_LIST_DETACHED : 0;
	entry->num_vcpus = vm->num_vcpus;
	entry->owner_pid = pid_task(vm->owner, PIDTYPE_TGID) ? pid_vnr(vm->owner) : 0;
	entry->memory = vm->memory;
	v3_lx_vm_leave(vm);
	return true;
}

/* Collected first: copying to user space may take long, and the registry's lock is for all. */
static enum v3_status do_list(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_list *arg = data;
	struct v3_ioc_list_entry *entries, entry;
	unsigned int room, filled = 0;
	struct v3_lx_vm *vm;

	room = min_t(u32, arg->capacity, 1024);
	entries = kvcalloc(max(room, 1u), sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return v3_lx_fail(call, V3_ERR_NOMEM,
				  "the host has no memory for a list of %u VMs", room);
	arg->count = 0;
	mutex_lock(&v3_lx_vms_lock);
	rcu_read_lock();
	list_for_each_entry(vm, &v3_lx_vms, link) {
		if (!list_entry_fill(vm, &entry))
			continue;
		arg->count++;
		if (filled < room)
			entries[filled++] = entry;
	}
	rcu_read_unlock();
	mutex_unlock(&v3_lx_vms_lock);
	if (copy_to_user(u64_to_user_ptr(arg->entries), entries, filled * sizeof(*entries)))
		call->err = -EFAULT;
	kvfree(entries);
	return call->err ? v3_lx_fail(call, V3_ERR_INVALID,
				      "the array of entries is not in writable memory") : V3_OK;
}

static enum v3_status do_exit_names(struct v3_lx_call *call, void *target, void *data)
{
	struct v3_ioc_exit_names *arg = data;
	unsigned int i;

	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	memset(arg->names, 0, sizeof(arg->names));
	for (i = 0; i < V3_EXIT_COUNT; i++)
		strscpy(arg->names[i], v3_exit_name(i), sizeof(arg->names[i]));
	arg->count = V3_EXIT_COUNT;
	return V3_OK;
}

static const struct v3_lx_request requests[] = {
	{ V3_IOC_VERSION, do_version },
	{ V3_IOC_CAPS, do_caps },
	{ V3_IOC_CREATE, do_create },
	{ V3_IOC_OPEN, do_open },
	{ V3_IOC_LIST, do_list },
	{ V3_IOC_EXIT_NAMES, do_exit_names },
	{ V3_IOC_RESTORE, v3_lx_do_restore },
	{ V3_IOC_MEM_LIST, v3_lx_do_mem_list },
	{ V3_IOC_MEM_TAKE, v3_lx_do_mem_take },
	{ V3_IOC_MEM_GIVE, v3_lx_do_mem_give },
	{ V3_IOC_MEM_PLAN, v3_lx_do_mem_plan },
	{ V3_IOC_MEM_UNPLAN, v3_lx_do_mem_unplan },
	{ V3_IOC_MEM_PROGRESS, v3_lx_do_mem_progress },
};

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return v3_lx_ioctl(requests, ARRAY_SIZE(requests), file->private_data, NULL, cmd, arg);
}

const struct file_operations v3_lx_control_fops = {
	.owner = THIS_MODULE,
	.open = v3_lx_control_open,
	.release = v3_lx_control_release,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
