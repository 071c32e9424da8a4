/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Who owns AMD-V or VT-x on each CPU. There is no registry of owners in Linux: the hardware's own
 * state is the only evidence that KVM or another hypervisor is at work (APM2 15.4, 15.30; SDM vol.
 * 3 24.7). CR4 is also Linux's: it has a copy of it for each CPU and writes CR4 from that, so that
 * VMXE must be set and cleared by the kernel's own function.
 */
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/topology.h>

#include <asm/asm.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "compat.h"
#include "own.h"

#define V3_LX_MSR_FEATURE_CONTROL 0x3a
#define V3_LX_MSR_EFER 0xc0000080
#define V3_LX_MSR_VM_CR 0xc0010114
#define V3_LX_MSR_VM_HSAVE_PA 0xc0010117
#define V3_LX_FEATURE_CONTROL_LOCK (1ull << 0)
#define V3_LX_FEATURE_CONTROL_VMX (1ull << 2)
#define V3_LX_EFER_SVME (1ull << 12)
#define V3_LX_VM_CR_SVMDIS (1ull << 4)

/* CPUs on which libv3 holds it. A CPU's bit is written by that CPU only. */
static struct cpumask held;

/* The next four. */
static DEFINE_MUTEX(virt_lock);
static bool vms_exist;
static const char *const kvm_names[] = { "kvm_amd", "kvm_intel" };
static enum { KVM_UNKNOWN, KVM_ABSENT, KVM_PRESENT } kvm_state[ARRAY_SIZE(kvm_names)];
static bool emergency_registered;

/* May be read without the lock for messages. */
static bool kvm_present(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kvm_names); i++)
		if (READ_ONCE(kvm_state[i]) == KVM_PRESENT)
			return true;
	return false;
}

static bool cpu_has_svm(void)
{
	return cpuid_eax(0x80000000) >= 0x8000000a && cpuid_ecx(0x80000001) & (1u << 2);
}

/* As CPUID says it: Linux's own flag is cleared where firmware disabled it. */
static bool cpu_has_vmx(void)
{
	return cpuid_ecx(1) & (1u << 5);
}

static enum v3_ioc_owner probe_vmx(void)
{
	u64 value;

	if (v3_lx_rdmsr(V3_LX_MSR_FEATURE_CONTROL, &value))
		return V3_IOC_OWNER_ABSENT;
	/* Not locked: libv3 enables it, and locks. */
	if (value & V3_LX_FEATURE_CONTROL_LOCK && !(value & V3_LX_FEATURE_CONTROL_VMX))
		return V3_IOC_OWNER_DENIED;
	return V3_IOC_OWNER_NONE;
}

static enum v3_ioc_owner probe_svm(const char **evidence)
{
	u64 value;

	if (v3_lx_rdmsr(V3_LX_MSR_VM_CR, &value))
		return V3_IOC_OWNER_ABSENT;
	if (value & V3_LX_VM_CR_SVMDIS)
		return V3_IOC_OWNER_DENIED;
	if (v3_lx_rdmsr(V3_LX_MSR_EFER, &value) || value & V3_LX_EFER_SVME) {
		*evidence = "EFER.SVME is set";
		return V3_IOC_OWNER_OTHER;
	}
	if (v3_lx_rdmsr(V3_LX_MSR_VM_HSAVE_PA, &value) || value) {
		*evidence = "VM_HSAVE_PA is not 0";
		return V3_IOC_OWNER_OTHER;
	}
	return V3_IOC_OWNER_NONE;
}

/* On the CPU concerned, interrupts off. *evidence says what gave another owner away. */
static enum v3_ioc_owner probe(const char **evidence)
{
	*evidence = "";
	if (cpumask_test_cpu(raw_smp_processor_id(), &held))
		return V3_IOC_OWNER_V3;
	if (native_read_cr4() & X86_CR4_VMXE) {
		*evidence = "CR4.VMXE is set";
		return V3_IOC_OWNER_OTHER;
	}
	if (cpu_has_svm())
		return probe_svm(evidence);
	return cpu_has_vmx() ? probe_vmx() : V3_IOC_OWNER_ABSENT;
}

static enum v3_status owner_status(enum v3_ioc_owner owner)
{
	switch (owner) {
	case V3_IOC_OWNER_NONE:
	case V3_IOC_OWNER_V3:
		return V3_OK;
	case V3_IOC_OWNER_OTHER:
		return V3_ERR_BUSY;
	case V3_IOC_OWNER_DENIED:
		return V3_ERR_DENIED;
	case V3_IOC_OWNER_OFFLINE:
		return V3_ERR_NOENT;
	default:
		return V3_ERR_NOTSUP;
	}
}

static void owner_message(enum v3_ioc_owner owner, unsigned int cpu, const char *evidence,
			  char *buf, size_t size)
{
	*buf = 0;
	switch (owner) {
	case V3_IOC_OWNER_NONE:
	case V3_IOC_OWNER_V3:
		break;
	case V3_IOC_OWNER_OTHER:
		scnprintf(buf, size, "CPU %u: %s owns virtualization (%s)%s", cpu,
			  kvm_present() ? "KVM" : "another hypervisor", evidence,
			  kvm_present() ? ": end its guests or unload it" : "");
		break;
	case V3_IOC_OWNER_DENIED:
		scnprintf(buf, size, "CPU %u: %s: enable it in the firmware setup", cpu,
			  cpu_has_svm() ?
				  "AMD-V is disabled (VM_CR.SVMDIS)" :
				  "VT-x is disabled (FEATURE_CONTROL is locked without it)");
		break;
	case V3_IOC_OWNER_OFFLINE:
		scnprintf(buf, size, "CPU %u is offline", cpu);
		break;
	case V3_IOC_OWNER_ABSENT:
		scnprintf(buf, size,
			  "CPU %u has neither AMD-V nor VT-x by CPUID, or a hypervisor hides it",
			  cpu);
		break;
	}
}

/* Interrupts off, on that CPU. */
enum v3_status v3_lx_virt_acquire(void *ctx, unsigned int cpu)
{
	const char *evidence;
	enum v3_ioc_owner owner = probe(&evidence);
	char message[112];

	if (owner_status(owner)) {
		owner_message(owner, cpu, evidence, message, sizeof(message));
		v3_lx_logf(V3_LOG_ERROR, "%s", message);
		return owner_status(owner);
	}
	cpumask_set_cpu(cpu, &held);
	return V3_OK;
}

void v3_lx_virt_release(void *ctx, unsigned int cpu)
{
	cpumask_clear_cpu(cpu, &held);
}

struct describe {
	enum v3_ioc_owner owner;
	const char *evidence;
};

static void describe_here(void *arg)
{
	struct describe *describe = arg;

	describe->owner = probe(&describe->evidence);
}

void v3_lx_virt_describe(unsigned int cpu, struct v3_ioc_cpu *out)
{
	struct describe describe = { .owner = V3_IOC_OWNER_OFFLINE, .evidence = "" };

	/* leaves "offline" if it is */
	v3_lx_cpu_call(NULL, cpu, describe_here, &describe);
	memset(out, 0, sizeof(*out));
	out->cpu = cpu;
	out->owner = describe.owner;
	out->node = cpu_to_node(cpu);
	out->status = owner_status(describe.owner);
	owner_message(describe.owner, cpu, describe.evidence, out->message, sizeof(out->message));
	v3_lx_own_describe(cpu, out);
}

/* The library has CR4.VMXE set before VMXON and cleared after VMXOFF; interrupts off. */
enum v3_status v3_lx_cr4_update(void *ctx, uint64_t set, uint64_t clear)
{
	if (v3_lx_cr4_change(set, clear)) {
		v3_lx_tracing_vmx(set & X86_CR4_VMXE);
		return V3_OK;
	}
	v3_lx_logf(V3_LOG_ERROR,
		   "VT-x cannot be used: kernels from 6.19 on let nobody but KVM change CR4.VMXE");
	return V3_ERR_NOTSUP;
}

/* Not in VMX operation after all: then VMXOFF raises #UD, which is passed over. */
static void emergency_vmxoff(void)
{
	if (!(native_read_cr4() & X86_CR4_VMXE))
		return;
	asm volatile("1: vmxoff\n2:\n" _ASM_EXTABLE(1b, 2b) : : : "cc", "memory");
	v3_lx_cr4_change(0, X86_CR4_VMXE);
}

/*
 * A crash or an emergency reboot: the next kernel must find neither SVM nor VMX on, and INIT must
 * get through (it is held while GIF is 0, and in VMX operation: APM2 15.17, SDM vol. 3 24.8), on
 * this CPU, in whatever state it was.
 */
static void emergency_disable(void)
{
	u64 efer;

	emergency_vmxoff();
	if (!cpu_has_svm() || v3_lx_rdmsr(V3_LX_MSR_EFER, &efer) || !(efer & V3_LX_EFER_SVME))
		return;
	asm volatile(".byte 0x0f, 0x01, 0xdc" : : : "memory"); /* STGI */
	v3_lx_wrmsr(V3_LX_MSR_EFER, efer & ~V3_LX_EFER_SVME);
	v3_lx_wrmsr(V3_LX_MSR_VM_HSAVE_PA, 0);
}

/*
 * The kernel has room for one emergency callback, and complains when there are two. KVM's does what
 * ours does, so ours is only there while neither kvm_amd nor kvm_intel is. Needs virt_lock.
 */
static void emergency_update(void)
{
	bool want = vms_exist && !kvm_present();

	if (want == emergency_registered)
		return;
	if (want)
		v3_lx_emergency_register(emergency_disable);
	else
		v3_lx_emergency_unregister(emergency_disable);
	emergency_registered = want;
}

void v3_lx_virt_begin(void)
{
	mutex_lock(&virt_lock);
	vms_exist = true;
	emergency_update();
	mutex_unlock(&virt_lock);
}

void v3_lx_virt_end(void)
{
	mutex_lock(&virt_lock);
	vms_exist = false;
	emergency_update();
	mutex_unlock(&virt_lock);
}

void v3_lx_virt_give_back(void)
{
	unsigned int cpu;

	for_each_cpu(cpu, &held)
		if (v3_cpu_disable(v3_lx.host, cpu))
			v3_lx_logf(V3_LOG_WARN, "CPU %u: could not give back virtualization", cpu);
}

/* Called before the module's own initialization and after its exit. */
static int module_event(struct notifier_block *block, unsigned long event, void *data)
{
	const struct module *module = data;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kvm_names); i++)
		if (!strcmp(module->name, kvm_names[i]))
			break;
	if (i == ARRAY_SIZE(kvm_names))
		return NOTIFY_DONE;
	mutex_lock(&virt_lock);
	if (event == MODULE_STATE_COMING)
		WRITE_ONCE(kvm_state[i], KVM_PRESENT);
	else if (event == MODULE_STATE_GOING)
		WRITE_ONCE(kvm_state[i], KVM_ABSENT);
	emergency_update();
	mutex_unlock(&virt_lock);
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = module_event };

/*
 * Those that were there before us, built-in ones included, as /sys/module shows them. What the
 * notifier has told already is newer than that.
 */
int v3_lx_virt_init(void)
{
	struct kobject *kobj;
	unsigned int i;
	int err = register_module_notifier(&module_notifier);

	if (err)
		return err;
	mutex_lock(&virt_lock);
	for (i = 0; i < ARRAY_SIZE(kvm_names); i++) {
		if (kvm_state[i] != KVM_UNKNOWN)
			continue;
		kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, kvm_names[i]);
		WRITE_ONCE(kvm_state[i], kobj ? KVM_PRESENT : KVM_ABSENT);
		kobject_put(kobj);
	}
	mutex_unlock(&virt_lock);
	return 0;
}

void v3_lx_virt_exit(void)
{
	unregister_module_notifier(&module_notifier);
}
