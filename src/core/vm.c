/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual machines: creation, destruction, accessors, log lines, statistics. */
#include "core/tsc.h"
#include "core/vm.h"

#include "lib/format.h"
#include "lib/mem.h"
#include "x86/insn.h"
#include "x86/pte.h"

#define LINE_MAX 256
#define SECOND 1000000000ull

/* --- A VM without interrupt controllers never gets an interrupt --- */

static int null_peek(struct v3_vcpu *vcpu, void *ctx, bool *tpr_blocked)
{
	(void)vcpu;
	(void)ctx;
	*tpr_blocked = false;
	return -1;
}

static int null_ack(struct v3_vcpu *vcpu, void *ctx)
{
	(void)vcpu;
	(void)ctx;
	return -1;
}

static unsigned int null_tpr_get(struct v3_vcpu *vcpu, void *ctx)
{
	(void)ctx;
	return vcpu->cr8;
}

static void null_tpr_set(struct v3_vcpu *vcpu, void *ctx, unsigned int cr8)
{
	(void)vcpu;
	(void)ctx;
	(void)cr8;
}

static void null_irq_set(void *ctx, unsigned int gsi, bool level)
{
	(void)ctx;
	(void)gsi;
	(void)level;
}

static void null_init(struct v3_vcpu *vcpu, void *ctx)
{
	(void)vcpu;
	(void)ctx;
}

static const struct v3_intc_ops null_intc = {
	.peek = null_peek, .ack = null_ack, .tpr_get = null_tpr_get, .tpr_set = null_tpr_set,
	.irq_set = null_irq_set, .init = null_init,
};

enum v3_status v3_intc_attach(struct v3_vm *vm, const struct v3_intc_ops *ops, void *ctx)
{
	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	if (vm->intc != &null_intc)
		return V3_ERR_EXIST;
	vm->intc = v3_intc_lent(vm, ops);
	vm->intc_ctx = ctx;
	return V3_OK;
}

void v3_irq_set(struct v3_vm *vm, unsigned int gsi, bool level)
{
	if (gsi < V3_NUM_GSI)
		vm->intc->irq_set(vm->intc_ctx, gsi, level);
}

/* --- Memory accounted to the VM --- */

void *v3_vm_alloc(struct v3_vm *vm, size_t size)
{
	void *ptr = v3_os_alloc(vm->host, size);

	if (ptr)
		vm->heap_bytes += size;
	return ptr;
}

void v3_vm_free(struct v3_vm *vm, void *ptr, size_t size)
{
	if (!ptr)
		return;
	vm->heap_bytes -= size;
	v3_os_free(vm->host, ptr, size);
}

void *v3_device_alloc(struct v3_vm *vm, size_t size)
{
	void *ptr = v3_host_alloc_lines(vm->host, size);

	if (ptr)
		vm->heap_bytes += v3_host_lines_size(size);
	return ptr;
}

void v3_device_free(struct v3_vm *vm, void *ptr, size_t size)
{
	if (!ptr)
		return;
	vm->heap_bytes -= v3_host_lines_size(size);
	v3_host_free_lines(vm->host, ptr, size);
}

/* --- Checks of a configuration --- */

static enum v3_status refuse(struct v3_host *host, enum v3_status status, const char *what,
			     unsigned long long value)
{
	v3_host_log(host, V3_LOG_ERROR, "v3: cannot create a VM: %s (%llu)", what, value);
	return status;
}

static size_t name_length(const char *name)
{
	size_t n = 0;

	while (n <= V3_NAME_MAX && name[n]) {
		if (name[n] < 0x21 || name[n] > 0x7e)
			return 0;
		n++;
	}
	return n > V3_NAME_MAX ? 0 : n;
}

static enum v3_status mem_check(struct v3_host *host, const struct v3_vm_config *config)
{
	enum v3_status status;
	uint64_t total = 0;
	unsigned int i;

	if (!config->mem || !config->num_mem || config->num_mem > V3_MAX_REGIONS)
		return refuse(host, V3_ERR_INVALID, "bad number of memory regions",
			      config->num_mem);
	for (i = 0; i < config->num_mem; i++) {
		uint64_t size = config->mem[i].size;

		if (!size || size & (V3_PAGE_SIZE_2M - 1))
			return refuse(host, V3_ERR_INVALID,
				      "memory size is no multiple of 2 MiB, bytes", size);
		if (size > (1ull << 46) || total > (1ull << 46))
			return refuse(host, V3_ERR_NOMEM, "too much memory, bytes", size);
		if (config->mem[i].reserved)
			return refuse(host, V3_ERR_INVALID, "reserved field set", i);
		status = v3_nodes_check(host, config->mem[i].node);
		if (status != V3_OK)
			return refuse(host, status, "no such NUMA node",
				      (unsigned long long)config->mem[i].node);
		total += size;
	}
	return V3_OK;
}

/* Each vCPU needs a CPU of its own; whether it can have that one the host says. */
static enum v3_status policy_check(struct v3_host *host, const struct v3_vm_config *config)
{
	unsigned int i, k;

	if (config->yield_policy > V3_YIELD_INTERVAL)
		return refuse(host, V3_ERR_INVALID, "unknown yield policy", config->yield_policy);
	if (!config->yield_ns != (config->yield_policy != V3_YIELD_INTERVAL))
		return refuse(host, V3_ERR_INVALID, "an interval goes with V3_YIELD_INTERVAL, ns",
			      config->yield_ns);
	if (config->yield_policy == V3_YIELD_SHARED)
		return V3_OK;
	if (!host->os.own_begin)
		return refuse(host, V3_ERR_NOTSUP, "this host gives no CPUs away; policy",
			      config->yield_policy);
	for (i = 0; i < config->num_vcpus; i++) {
		if (!config->cpus || config->cpus[i] == V3_CPU_ANY)
			return refuse(host, V3_ERR_INVALID, "no CPU to own given for vCPU", i);
		for (k = 0; k < i; k++)
			if (config->cpus[k] == config->cpus[i])
				return refuse(host, V3_ERR_INVALID,
					      "two vCPUs cannot both own a CPU",
					      (unsigned long long)config->cpus[i]);
	}
	return V3_OK;
}

static enum v3_status tsc_check(struct v3_host *host, const struct v3_vm_config *config)
{
	uint64_t ratio;
	const char *why = v3_tsc_ratio(config->tsc_khz, host->tsc_khz, host->tsc_fraction, &ratio);

	if (!why)
		return V3_OK;
	v3_host_log(host, V3_LOG_ERROR,
		    "v3: cannot create a VM with a TSC of %llu kHz, the host's has %llu: %s",
		    (unsigned long long)config->tsc_khz, (unsigned long long)host->tsc_khz, why);
	return host->tsc_fraction ? V3_ERR_RANGE : V3_ERR_NOTSUP;
}

static enum v3_status config_check(struct v3_host *host, const struct v3_vm_config *config)
{
	enum v3_status status;
	unsigned int i;

	if (config->struct_size != sizeof(*config))
		return refuse(host, V3_ERR_VERSION, "config has another size",
			      config->struct_size);
	if (config->reserved || config->reserved2 || config->reserved3)
		return refuse(host, V3_ERR_INVALID, "reserved field set",
			      config->reserved | config->reserved2 | config->reserved3);
	if (config->flags & ~(V3_VM_IGNORE_UNKNOWN_MSRS | V3_VM_UNEMULATED_UD))
		return refuse(host, V3_ERR_INVALID, "unknown flags", config->flags);
	if (!config->num_vcpus || config->num_vcpus > V3_MAX_VCPUS)
		return refuse(host, V3_ERR_INVALID, "bad number of vCPUs", config->num_vcpus);
	if (!config->name || !name_length(config->name))
		return refuse(host, V3_ERR_INVALID,
			      "name is empty, too long or not printable; longest", V3_NAME_MAX);
	for (i = 0; config->cpus && i < config->num_vcpus; i++)
		if (config->cpus[i] != V3_CPU_ANY &&
		    (config->cpus[i] < 0 || (unsigned int)config->cpus[i] >= host->num_cpus))
			return refuse(host, V3_ERR_NOENT, "no such host CPU",
				      (unsigned long long)config->cpus[i]);
	status = tsc_check(host, config);
	if (status == V3_OK)
		status = policy_check(host, config);
	return status == V3_OK ? mem_check(host, config) : status;
}

/* --- Creation and destruction --- */

static enum v3_status vcpus_create(struct v3_vm *vm, const struct v3_vm_config *config)
{
	enum v3_status status = V3_OK;
	unsigned int i;

	for (i = 0; status == V3_OK && i < config->num_vcpus; i++)
		status = v3_vcpu_create(vm, i, config->cpus ? config->cpus[i] : V3_CPU_ANY);
	return status;
}

static enum v3_status vm_build(struct v3_vm *vm, const struct v3_vm_config *config)
{
	enum v3_status status = v3_vm_cpu_create(vm, config);

	if (status == V3_OK)
		status = v3_os_event_create(vm->host, &vm->control_event);
	if (status == V3_OK)
		status = v3_os_event_create(vm->host, &vm->control_free);
	if (status == V3_OK)
		status = v3_consoles_create(vm);
	if (status == V3_OK)
		status = v3_memory_create(vm, config);
	if (status == V3_OK) {
		status = vm->arch->vm_create(vm);
		vm->arch_created = status == V3_OK;
	}
	return status == V3_OK ? vcpus_create(vm, config) : status;
}

/* Frees whatever vm_build() got to. */
static void vm_free(struct v3_vm *vm)
{
	struct v3_host *host = vm->host;
	unsigned int i;

	v3_devices_destroy(vm);
	v3_maps_destroy(vm);
	for (i = 0; i < vm->num_vcpus; i++)
		if (vm->vcpus[i])
			v3_vcpu_destroy(vm->vcpus[i]);
	if (vm->arch_created)
		vm->arch->vm_destroy(vm);
	v3_memory_destroy(vm);
	v3_consoles_destroy(vm);
	if (vm->control_event)
		v3_os_event_destroy(host, vm->control_event);
	if (vm->control_free)
		v3_os_event_destroy(host, vm->control_free);
	v3_os_free(host, vm, sizeof(*vm));
	__atomic_fetch_sub(&host->num_vms, 1, __ATOMIC_RELEASE);
}

enum v3_status v3_vm_create(struct v3_host *host, const struct v3_vm_config *config,
			    struct v3_vm **out)
{
	enum v3_status status = config_check(host, config);
	struct v3_vm *vm;

	if (status != V3_OK)
		return status;
	vm = v3_os_alloc(host, sizeof(*vm));
	if (!vm)
		return V3_ERR_NOMEM;
	__atomic_fetch_add(&host->num_vms, 1, __ATOMIC_RELAXED);
	vm->heap_bytes = sizeof(*vm);
	vm->host = host;
	vm->arch = host->arch;
	vm->intc = &null_intc;
	vm->ctx = config->ctx;
	vm->num_vcpus = config->num_vcpus;
	vm->unemulated_ud = config->flags & V3_VM_UNEMULATED_UD;
	vm->yield_policy = config->yield_policy;
	vm->yield_ns = config->yield_ns;
	vm->nested.root = V3_HPA_NONE;
	vm->tsc_khz = config->tsc_khz ? config->tsc_khz : host->tsc_khz;
	(void)v3_tsc_ratio(vm->tsc_khz, host->tsc_khz, host->tsc_fraction, &vm->tsc_ratio);
	memcpy(vm->name, config->name, name_length(config->name));
	v3_nodes_create(vm, config);
	v3_lock_init(&vm->lock);
	vm->tsc_base = vm->paused_tsc = v3_x86_rdtsc();
	status = vm_build(vm, config);
	if (status != V3_OK) {
		v3_host_log(host, V3_LOG_ERROR, "v3: %s: not created: %s", vm->name,
			    v3_status_str(status));
		vm_free(vm);
		return status;
	}
	v3_nodes_warn(vm);
	*out = vm;
	return V3_OK;
}

void v3_vm_destroy(struct v3_vm *vm)
{
	v3_vm_stop(vm);
	vm_free(vm);
}

/* --- Log --- */

/* Whether a line caused by the guest may go out; how many were dropped before it. */
static bool log_admit(struct v3_vm *vm, unsigned int *dropped)
{
	uint64_t now = v3_os_clock_ns(vm->host), flags = v3_lock_irqsave(&vm->lock);
	bool admit;

	*dropped = 0;
	if (now - vm->log_window >= SECOND) {
		vm->log_window = now;
		vm->log_count = 0;
		*dropped = vm->log_dropped;
		vm->log_dropped = 0;
	}
	admit = vm->log_count < V3_LOG_BURST;
	if (admit)
		vm->log_count++;
	else
		vm->log_dropped++;
	v3_lock_irqrestore(&vm->lock, flags);
	return admit;
}

void v3_vm_log(struct v3_vm *vm, enum v3_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX];
	unsigned int dropped = 0;
	va_list args;
	size_t n;

	if (level != V3_LOG_ERROR && !log_admit(vm, &dropped))
		return;
	if (dropped)
		v3_host_log(vm->host, V3_LOG_WARN, "v3: %s: %u lines dropped", vm->name, dropped);
	n = v3_snprintf(line, sizeof(line), "v3: %s: ", vm->name);
	va_start(args, fmt);
	v3_vsnprintf(line + n, sizeof(line) - n, fmt, args);
	va_end(args);
	v3_os_log(vm->host, level, line);
}

/* --- Accessors --- */

const char *v3_vm_name(const struct v3_vm *vm)
{
	return vm->name;
}

void *v3_vm_ctx(const struct v3_vm *vm)
{
	return vm->ctx;
}

struct v3_host *v3_vm_host(const struct v3_vm *vm)
{
	return vm->host;
}

unsigned int v3_vm_num_vcpus(const struct v3_vm *vm)
{
	return vm->num_vcpus;
}

struct v3_vcpu *v3_vm_vcpu(struct v3_vm *vm, unsigned int index)
{
	return index < vm->num_vcpus ? vm->vcpus[index] : NULL;
}

/* --- Statistics --- */

void v3_vm_stats(struct v3_vm *vm, struct v3_vm_stats *stats)
{
	*stats = (struct v3_vm_stats){
		.ram = vm->ram_bytes,
		.leaf_1g = vm->nested.leaf_bytes[3],
		.leaf_2m = vm->nested.leaf_bytes[2],
		.leaf_4k = vm->nested.leaf_bytes[1],
		.table_pages = vm->nested.table_pages,
		.vmm_bytes = vm->heap_bytes,
		.vcpu_bytes = vm->vcpu_bytes,
	};
}

enum v3_status v3_vcpu_stats(struct v3_vcpu *vcpu, struct v3_vcpu_stats *stats)
{
	const uint64_t *from = (const uint64_t *)&vcpu->stats;
	uint64_t *to = (uint64_t *)stats;
	size_t i;

	_Static_assert(sizeof(*stats) % sizeof(*to) == 0, "counters are words");
	for (i = 0; i < sizeof(*stats) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	return V3_OK;
}
