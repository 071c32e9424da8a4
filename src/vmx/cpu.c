/* SPDX-License-Identifier: BSD-2-Clause */
/* VT-x on host CPUs: detection, and turning it on and off. SDM vol. 3 24.6, 24.7, appendix A. */
#include "vmx/vmx.h"

#include "lib/mem.h"
#include "paging/ept.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"

#define NUM_VPIDS 0x10000u

/* An MSR of controls, or its true twin where that exists (A.2). */
static uint64_t control_msr(uint64_t basic, uint32_t msr, uint32_t true_msr)
{
	return v3_x86_rdmsr(basic & V3_VMX_BASIC_TRUE ? true_msr : msr);
}

/* Those that do not exist read as 0: nothing allowed. */
static void msrs_read(struct vmx_msrs *msrs)
{
	const uint64_t ept_vpid = (uint64_t)(V3_VMX_PROC2_EPT | V3_VMX_PROC2_VPID) << 32;
	uint64_t basic = v3_x86_rdmsr(V3_MSR_VMX_BASIC);
	struct v3_cpuid_regs regs;

	memset(msrs, 0, sizeof(*msrs));
	v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
	msrs->signature = regs.eax;
	v3_x86_cpuid(0, 0, &regs);
	if (regs.eax >= V3_CPUID_LEAF_EXT_FEATURES) {
		v3_x86_cpuid(V3_CPUID_LEAF_EXT_FEATURES, 0, &regs);
		msrs->features_7_ebx = regs.ebx;
		msrs->features_7_edx = regs.edx;
	}
	if (msrs->features_7_edx & V3_CPUID_7_EDX_ARCH_CAPS)
		msrs->arch_caps = v3_x86_rdmsr(V3_MSR_ARCH_CAPABILITIES);
	msrs->misc = v3_x86_rdmsr(V3_MSR_VMX_MISC);
	msrs->basic = basic;
	msrs->pin = control_msr(basic, V3_MSR_VMX_PINBASED_CTLS, V3_MSR_VMX_TRUE_PINBASED_CTLS);
	msrs->proc = control_msr(basic, V3_MSR_VMX_PROCBASED_CTLS, V3_MSR_VMX_TRUE_PROCBASED_CTLS);
	msrs->exit = control_msr(basic, V3_MSR_VMX_EXIT_CTLS, V3_MSR_VMX_TRUE_EXIT_CTLS);
	msrs->entry = control_msr(basic, V3_MSR_VMX_ENTRY_CTLS, V3_MSR_VMX_TRUE_ENTRY_CTLS);
	if (msrs->proc >> 32 & V3_VMX_PROC_SECONDARY)
		msrs->proc2 = v3_x86_rdmsr(V3_MSR_VMX_PROCBASED_CTLS2);
	if (msrs->proc2 & ept_vpid)
		msrs->ept_vpid = v3_x86_rdmsr(V3_MSR_VMX_EPT_VPID_CAP);
	msrs->cr0_fixed0 = v3_x86_rdmsr(V3_MSR_VMX_CR0_FIXED0);
	msrs->cr0_fixed1 = v3_x86_rdmsr(V3_MSR_VMX_CR0_FIXED1);
	msrs->cr4_fixed0 = v3_x86_rdmsr(V3_MSR_VMX_CR4_FIXED0);
	msrs->cr4_fixed1 = v3_x86_rdmsr(V3_MSR_VMX_CR4_FIXED1);
}

/*
 * Locked without VMX. Unlocked, as some firmware leaves it, the choice is ours: cpu_enable()
 * (24.7).
 */
static bool firmware_forbids(void)
{
	uint64_t control = v3_x86_rdmsr(V3_MSR_FEATURE_CONTROL);

	return control & V3_FEATURE_CONTROL_LOCK && !(control & V3_FEATURE_CONTROL_VMX);
}

static void caps_fill(struct v3_host *host, const struct vmx_caps *vmx, struct v3_host_caps *caps)
{
	caps->backend = "vmx";
	caps->num_asids = vmx->vpid ? NUM_VPIDS : 1;
	caps->nested_paging = true;
	caps->nested_1g = vmx->ept_vpid & V3_EPT_CAP_1G;
	caps->next_rip = true;
	caps->flush_by_asid = vmx->vpid && vmx->ept_vpid & V3_VMX_VPID_CAP_ONE;
	caps->pause_filter = vmx->ple;
	caps->tsc_scaling = vmx->tsc_scaling;
	host->tsc_fraction = vmx->tsc_scaling ? V3_TSC_FRACTION : 0;
	host->timer_in_guest = vmx->timer;
	host->lends_intc = vmx->apic_access || vmx->x2apic;
	/* Instructions that need a control, without which they raise #UD. */
	if (!vmx->rdtscp) {
		host->no_features.word[V3_CPU_EXT1_EDX] |= V3_CPUID_80000001_EDX_RDTSCP;
		host->no_features.word[V3_CPU_7_ECX] |= V3_CPUID_7_ECX_RDPID;
	}
	if (!vmx->invpcid)
		host->no_features.word[V3_CPU_7_EBX] |= V3_CPUID_7_EBX_INVPCID;
	if (!(vmx->proc2 & V3_VMX_PROC2_XSAVES))
		host->no_features.word[V3_CPU_D1_EAX] |= V3_CPUID_D1_EAX_XSAVES;
}

enum v3_status vmx_probe(struct v3_host *host, struct v3_host_caps *caps)
{
	struct v3_cpuid_regs regs;
	struct vmx_msrs msrs;
	struct vmx_host *vmx;
	const char *missing;

	caps->backend = "vmx";
	if (firmware_forbids()) {
		v3_host_log(host, V3_LOG_ERROR,
			    "v3: VT-x is disabled by firmware (FEATURE_CONTROL is locked): %s",
			    "enable it in the BIOS setup");
		return V3_ERR_DENIED;
	}
	vmx = v3_os_alloc(host, sizeof(*vmx));
	if (!vmx)
		return V3_ERR_NOMEM;
	host->arch_data = vmx;
	msrs_read(&msrs);
	missing = vmx_caps_compute(&msrs, host->features_off, &vmx->caps);
	if (missing) {
		v3_host_log(host, V3_LOG_ERROR, "v3: this CPU's VT-x lacks %s, which libv3 needs",
			    missing);
		return V3_ERR_NOTSUP;
	}
	caps_fill(host, &vmx->caps, caps);
	if (!vmx->caps.unrestricted) {
		vmx_realmode_ops(&vmx->realmode);
		host->arch = &vmx->realmode;
	}
	v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
	vmx->ignore_pat = !(regs.edx & V3_CPUID_1_EDX_SS);
	vmx->cpus = v3_os_alloc(host, host->num_cpus * sizeof(*vmx->cpus));
	return vmx->cpus ? V3_OK : V3_ERR_NOMEM;
}

static void cpu_free(struct v3_host *host, struct vmx_cpu *cpu)
{
	if (cpu->vmxon != V3_HPA_NONE)
		v3_os_page_free(host, cpu->vmxon, 1);
	v3_host_free_lines(host, cpu, sizeof(*cpu));
}

void vmx_remove(struct v3_host *host)
{
	struct vmx_host *vmx = vmx_host(host);
	unsigned int i;

	if (!vmx)
		return;
	for (i = 0; vmx->cpus && i < host->num_cpus; i++)
		if (vmx->cpus[i])
			cpu_free(host, vmx->cpus[i]);
	if (vmx->cpus)
		v3_os_free(host, vmx->cpus, host->num_cpus * sizeof(*vmx->cpus));
	/* Away from the table that goes with it. */
	host->arch = &v3_vmx_ops;
	v3_os_free(host, vmx, sizeof(*vmx));
	host->arch_data = NULL;
}

enum v3_status vmx_cpu_prepare(struct v3_host *host, unsigned int index)
{
	struct vmx_host *vmx = vmx_host(host);
	struct vmx_cpu *cpu, *none = NULL;
	enum v3_status status;

	if (__atomic_load_n(&vmx->cpus[index], __ATOMIC_ACQUIRE))
		return V3_OK;
	cpu = v3_host_alloc_lines(host, sizeof(*cpu));
	if (!cpu)
		return V3_ERR_NOMEM;
	cpu->vmxon = V3_HPA_NONE;
	status = v3_os_page_alloc(host, 1, 1, V3_NODE_ANY, 0, &cpu->vmxon);
	if (status != V3_OK) {
		cpu->vmxon = V3_HPA_NONE;
		cpu_free(host, cpu);
		return status;
	}
	memset(v3_os_virt(host, cpu->vmxon), 0, V3_PAGE_SIZE);
	memcpy(v3_os_virt(host, cpu->vmxon), &vmx->caps.revision, sizeof(vmx->caps.revision));
	/* Two threads may prepare one CPU at once: the first counts. */
	if (!__atomic_compare_exchange_n(&vmx->cpus[index], &none, cpu, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		cpu_free(host, cpu);
	return V3_OK;
}

/* What VMXON would raise #GP for (24.8). */
static enum v3_status cpu_check(struct v3_host *host, unsigned int index)
{
	uint64_t cr0 = v3_x86_read_cr0(), need = v3_x86_rdmsr(V3_MSR_VMX_CR0_FIXED0);
	struct vmx_caps caps, want, *all = &vmx_host(host)->caps;
	const char *missing;
	struct vmx_msrs msrs;

	msrs_read(&msrs);
	missing = vmx_caps_compute(&msrs, host->features_off, &caps);
	/* Cores of two kinds may differ in what they leak: what one needs, all do. */
	if (caps.md_clear)
		__atomic_store_n(&all->md_clear, true, __ATOMIC_RELAXED);
	memcpy(&want, all, sizeof(want));
	caps.md_clear = want.md_clear;
	if (missing || memcmp(&caps, &want, sizeof(caps)) != 0) {
		v3_host_log(host, V3_LOG_ERROR, "v3: CPU %u: its VT-x is not that of the first CPU",
			    index);
		return V3_ERR_NOTSUP;
	}
	if ((cr0 & need) != need) {
		v3_host_log(host, V3_LOG_ERROR,
			    "v3: CPU %u: CR0 is 0x%llx, VT-x needs 0x%llx in it", index,
			    (unsigned long long)cr0, (unsigned long long)need);
		return V3_ERR_NOTSUP;
	}
	return V3_OK;
}

enum v3_status vmx_cpu_enable(struct v3_host *host, unsigned int index)
{
	struct vmx_cpu *cpu = vmx_host(host)->cpus[index];
	uint64_t control = v3_x86_rdmsr(V3_MSR_FEATURE_CONTROL);
	enum v3_status status;

	if (firmware_forbids())
		return V3_ERR_DENIED;
	if (v3_x86_read_cr4() & V3_CR4_VMXE)
		return V3_ERR_BUSY;
	status = cpu_check(host, index);
	if (status != V3_OK)
		return status;
	if (!(control & V3_FEATURE_CONTROL_LOCK))
		v3_x86_wrmsr(V3_MSR_FEATURE_CONTROL,
			     control | V3_FEATURE_CONTROL_LOCK | V3_FEATURE_CONTROL_VMX);
	status = v3_os_cr4_update(host, V3_CR4_VMXE, 0);
	if (status != V3_OK)
		return status;
	if (v3_x86_vmxon(cpu->vmxon) != V3_VMX_OK) {
		(void)v3_os_cr4_update(host, 0, V3_CR4_VMXE);
		v3_host_log(host, V3_LOG_ERROR, "v3: CPU %u: VMXON failed", index);
		return V3_ERR_NOTSUP;
	}
	/* VMXON flushes nothing, and whoever was there before has left its entries (29.4.3.3). */
	cpu->generation++;
	cpu->next_vpid = NUM_VPIDS;
	return V3_OK;
}

void vmx_cpu_disable(struct v3_host *host, unsigned int index)
{
	(void)index;
	(void)v3_x86_vmxoff();
	(void)v3_os_cr4_update(host, 0, V3_CR4_VMXE);
}
