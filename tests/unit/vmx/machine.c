/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

struct v3_fake_host *fake;
struct v3_host *host;
struct v3_vm *vm;
struct v3_os_hooks hooks;
uint64_t machine_tsc_khz;

static struct field scripted[MAX_FIELDS];
static unsigned int num_scripted;

static void script(void *arg, v3_hpa_t vmcs, uint64_t *gpr)
{
	unsigned int i;

	(void)arg;
	(void)gpr;
	/* As the CPU does at any exit. */
	v3_fake_vmcs_set(vmcs, V3_VMCS_ENTRY_EVENT,
			 v3_fake_vmcs_get(vmcs, V3_VMCS_ENTRY_EVENT) & ~V3_VMX_EVENT_VALID);
	for (i = 0; i < num_scripted; i++)
		v3_fake_vmcs_set(vmcs, scripted[i].field, scripted[i].value);
}

void exit_with(const struct field *fields, unsigned int n)
{
	assert_true(n <= MAX_FIELDS);
	memcpy(scripted, fields, n * sizeof(*fields));
	num_scripted = n;
}

void exit_intr(void)
{
	EXIT_WITH({ V3_VMCS_EXIT_REASON, V3_VMX_REASON_INTR });
}

void machine_host(enum v3_fake_vmx_model model, const char *features_off)
{
	fake = v3_fake_host_create();
	v3_fake_vmx_set_model(model);
	v3_fake_vmx_set_script(script, NULL);
	hooks = *v3_fake_host_hooks(fake);
	hooks.features_off = features_off;
	host = NULL;
	vm = NULL;
	machine_tsc_khz = 0;
	exit_intr();
}

void machine_vm_of(const char *cpu_model)
{
	const struct v3_mem_config mem = { .size = 2ull << 20, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = NUM_VCPUS, .name = "vm", .mem = &mem,
		.num_mem = 1, .cpu = cpu_model, .tsc_khz = machine_tsc_khz,
	};
	unsigned int cpu;

	assert_int_equal(v3_init(&hooks, &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	for (cpu = 0; cpu < 4; cpu++)
		assert_int_equal(v3_cpu_enable(host, cpu), V3_OK);
	fake_context.pinned = true;
}

void machine_vm(void)
{
	machine_vm_of(NULL);
}

void machine_create(enum v3_fake_vmx_model model, const char *features_off)
{
	machine_host(model, features_off);
	machine_vm();
}

void machine_destroy(void)
{
	fake_context.pinned = false;
	v3_fake_set_cpu(0);
	if (vm)
		v3_vm_destroy(vm);
	if (host)
		assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
}

struct v3_vcpu *machine_load(void)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, 0);

	v3_fake_set_cpu(0);
	v3_timers_host_start(vcpu, 0);
	vmx_load(vcpu);
	return vcpu;
}

void machine_end(struct v3_vcpu *vcpu)
{
	vmx_put(vcpu);
	v3_timers_host_stop(vcpu);
	machine_destroy();
}

uint64_t entered(struct v3_vcpu *vcpu, uint32_t field)
{
	return v3_fake_vmcs_get(vmx_vcpu(vcpu)->vmcs, field);
}

struct v3_exit enter(struct v3_vcpu *vcpu)
{
	unsigned int before = v3_fake_vmx_entries();
	struct v3_exit exit;

	vmx_run(vcpu, &exit);
	assert_int_equal(v3_fake_vmx_entries(), before + 1);
	assert_true(v3_fake_irqs_on());
	return exit;
}

struct v3_exit run_once(unsigned int i, unsigned int cpu)
{
	struct v3_vcpu *vcpu = v3_vm_vcpu(vm, i);
	struct v3_exit exit;

	v3_fake_set_cpu(cpu);
	vmx_load(vcpu);
	exit = enter(vcpu);
	vmx_put(vcpu);
	/* Nothing stays behind in the CPU. */
	assert_int_equal(v3_fake_vmcs_active_on(vmx_vcpu(vcpu)->vmcs), -1);
	return exit;
}
