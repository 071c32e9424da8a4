/* SPDX-License-Identifier: BSD-2-Clause */
/* SVM on host CPUs: detection, and turning it on and off. APM2 15.4, 15.30. */
#include "svm/svm.h"

#include "lib/mem.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"
#include "x86/msr.h"

static void caps_from_cpuid(struct v3_host_caps *caps)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(V3_CPUID_LEAF_SVM, 0, &regs);
	caps->backend = "svm";
	caps->num_asids = regs.ebx;
	caps->nested_paging = regs.edx & V3_CPUID_SVM_EDX_NPT;
	caps->next_rip = regs.edx & V3_CPUID_SVM_EDX_NRIPS;
	caps->clean_bits = regs.edx & V3_CPUID_SVM_EDX_CLEAN_BITS;
	caps->flush_by_asid = regs.edx & V3_CPUID_SVM_EDX_FLUSH_BY_ASID;
	caps->decode_assist = regs.edx & V3_CPUID_SVM_EDX_DECODE_ASSISTS;
	caps->pause_filter = regs.edx & V3_CPUID_SVM_EDX_PAUSE_FILTER;
	caps->tsc_scaling = regs.edx & V3_CPUID_SVM_EDX_TSC_RATE;
	v3_x86_cpuid(V3_CPUID_LEAF_EXT1, 0, &regs);
	caps->nested_1g = regs.edx & V3_CPUID_80000001_EDX_PAGE1GB;
}

/* By bit of v3_host.features_off. */
static bool *caps_feature(struct v3_host_caps *caps, unsigned int i)
{
	bool *const features[] = {
		&caps->next_rip, &caps->decode_assist, &caps->clean_bits, &caps->flush_by_asid,
		&caps->pause_filter, &caps->nested_1g, &caps->tsc_scaling,
	};

	return features[i];
}

const char *const svm_features[] = {
	"next-rip", "decode-assist", "clean-bits", "flush-by-asid", "pause-filter", "npt-1g",
	"tsc-scaling", "xsaves", NULL,
};
/* The last, of which caps knows nothing. */
#define XSAVES_FEATURE 7u

static void caps_switch_off(struct v3_host_caps *caps, uint32_t off)
{
	unsigned int i;

	for (i = 0; i < XSAVES_FEATURE; i++)
		if (off >> i & 1)
			*caps_feature(caps, i) = false;
}

/* Erratum 1386 of family 17h: XSAVES may lose registers. XSAVEC, as good there, does not. */
static bool xsaves_broken(void)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(V3_CPUID_LEAF_FEATURES, 0, &regs);
	return V3_CPUID_1_EAX_FAMILY(regs.eax) == 0x17;
}

enum v3_status svm_probe(struct v3_host *host, struct v3_host_caps *caps)
{
	struct svm_host *svm;

	caps_from_cpuid(caps);
	caps_switch_off(caps, host->features_off);
	host->tsc_fraction = caps->tsc_scaling ? SVM_TSC_FRACTION : 0;
	if (!caps->nested_paging) {
		v3_host_log(host, V3_LOG_ERROR,
			    "v3: this CPU's SVM has no nested paging, which libv3 needs");
		return V3_ERR_NOTSUP;
	}
	if (caps->num_asids < 2) {
		v3_host_log(host, V3_LOG_ERROR, "v3: SVM reports %u ASIDs, at least 2 are needed",
			    caps->num_asids);
		return V3_ERR_NOTSUP;
	}
	if (v3_x86_rdmsr(V3_MSR_VM_CR) & V3_VM_CR_SVMDIS) {
		v3_host_log(host, V3_LOG_ERROR,
			    "v3: SVM is disabled by firmware (VM_CR.SVMDIS): enable it in the BIOS setup");
		return V3_ERR_DENIED;
	}
	svm = v3_os_alloc(host, sizeof(*svm));
	if (!svm)
		return V3_ERR_NOMEM;
	host->arch_data = svm;
	svm->num_asids = caps->num_asids;
	if (host->features_off >> XSAVES_FEATURE & 1 || xsaves_broken())
		host->no_features.word[V3_CPU_D1_EAX] |= V3_CPUID_D1_EAX_XSAVES;
	svm->cpus = v3_os_alloc(host, host->num_cpus * sizeof(*svm->cpus));
	return svm->cpus ? V3_OK : V3_ERR_NOMEM;
}

static void cpu_free(struct v3_host *host, struct svm_cpu *cpu)
{
	if (cpu->hsave != V3_HPA_NONE)
		v3_os_page_free(host, cpu->hsave, 1);
	if (cpu->host_vmcb != V3_HPA_NONE)
		v3_os_page_free(host, cpu->host_vmcb, 1);
	v3_host_free_lines(host, cpu, sizeof(*cpu));
}

void svm_remove(struct v3_host *host)
{
	struct svm_host *svm = svm_host(host);
	unsigned int i;

	if (!svm)
		return;
	for (i = 0; svm->cpus && i < host->num_cpus; i++)
		if (svm->cpus[i])
			cpu_free(host, svm->cpus[i]);
	if (svm->cpus)
		v3_os_free(host, svm->cpus, host->num_cpus * sizeof(*svm->cpus));
	v3_os_free(host, svm, sizeof(*svm));
	host->arch_data = NULL;
}

static enum v3_status zeroed_page(struct v3_host *host, v3_hpa_t *hpa)
{
	enum v3_status status = v3_os_page_alloc(host, 1, 1, V3_NODE_ANY, 0, hpa);

	if (status == V3_OK)
		memset(v3_os_virt(host, *hpa), 0, V3_PAGE_SIZE);
	else
		*hpa = V3_HPA_NONE;
	return status;
}

enum v3_status svm_cpu_prepare(struct v3_host *host, unsigned int index)
{
	struct svm_host *svm = svm_host(host);
	struct svm_cpu *cpu, *none = NULL;
	enum v3_status status;

	if (__atomic_load_n(&svm->cpus[index], __ATOMIC_ACQUIRE))
		return V3_OK;
	cpu = v3_host_alloc_lines(host, sizeof(*cpu));
	if (!cpu)
		return V3_ERR_NOMEM;
	cpu->host_vmcb = V3_HPA_NONE;
	status = zeroed_page(host, &cpu->hsave);
	if (status == V3_OK)
		status = zeroed_page(host, &cpu->host_vmcb);
	if (status != V3_OK) {
		cpu_free(host, cpu);
		return status;
	}
	/* Two threads may prepare one CPU at once: the first counts. */
	if (!__atomic_compare_exchange_n(&svm->cpus[index], &none, cpu, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		cpu_free(host, cpu);
	return V3_OK;
}

enum v3_status svm_cpu_enable(struct v3_host *host, unsigned int index)
{
	struct svm_cpu *cpu = svm_host(host)->cpus[index];
	uint64_t efer = v3_x86_rdmsr(V3_MSR_EFER);

	if (v3_x86_rdmsr(V3_MSR_VM_CR) & V3_VM_CR_SVMDIS)
		return V3_ERR_DENIED;
	if (efer & V3_EFER_SVME)
		return V3_ERR_BUSY;
	v3_x86_wrmsr(V3_MSR_EFER, efer | V3_EFER_SVME);
	v3_x86_wrmsr(V3_MSR_VM_HSAVE_PA, cpu->hsave);
	/* Guests that do not ask for another ratio have this one. */
	if (host->tsc_fraction)
		v3_x86_wrmsr(V3_MSR_AMD_TSC_RATIO, V3_TSC_RATIO_ONE);
	/*
	 * Whoever had SVM before us may have left entries under any ASID: flush before the first.
	 */
	cpu->asid_generation++;
	cpu->next_asid = svm_host(host)->num_asids;
	return V3_OK;
}

void svm_cpu_disable(struct v3_host *host, unsigned int index)
{
	(void)host;
	(void)index;
	v3_x86_wrmsr(V3_MSR_VM_HSAVE_PA, 0);
	/* With GIF = 0 clearing SVME would leave interrupts blocked (APM2 15.17). */
	v3_x86_stgi();
	v3_x86_wrmsr(V3_MSR_EFER, v3_x86_rdmsr(V3_MSR_EFER) & ~V3_EFER_SVME);
}
