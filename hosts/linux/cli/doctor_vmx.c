/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 doctor: VT-x. CPUID only tells that it is there; the rest is in MSRs, which the msr driver
 * shows to root, and in part among the "vmx flags" of /proc/cpuinfo. SDM vol. 3 24.7
 * (FEATURE_CONTROL), appendix A.
 */
#include "doctor.h"

#include <stdio.h>
#include <string.h>

#include "paging/ept.h"
#include "x86/msr.h"
#include "x86/vmx.h"

/* What a CPU has or lacks; names[] says in which words. */
enum {
	VMX_EPT, VMX_UNRESTRICTED, VMX_2M, VMX_1G, VMX_AD, VMX_VPID, VMX_TRUE, VMX_TIMER, VMX_VNMI,
	VMX_TPR, VMX_VAPIC, VMX_VID, VMX_POSTED, VMX_PLE, VMX_SCALING, VMX_PML, VMX_FACTS,
	/* These are told in lines of their own. */
	VMX_FIRST_EXTRA = VMX_VPID,
};

/* flag: as Linux calls it in /proc/cpuinfo, NULL if it does not tell. */
static const struct {
	const char *name, *flag;
} facts[VMX_FACTS] = {
	[VMX_EPT] = { "EPT", "ept" },
	[VMX_UNRESTRICTED] = { "unrestricted guest", "unrestricted_guest" },
	[VMX_2M] = { "pages of 2 MiB", NULL },
	[VMX_1G] = { "pages of 1 GiB", "ept_1gb" },
	[VMX_AD] = { "accessed and dirty flags", "ept_ad" },
	[VMX_VPID] = { "VPID", "vpid" },
	[VMX_TRUE] = { "true controls", NULL },
	[VMX_TIMER] = { "preemption timer", "preemption_timer" },
	[VMX_VNMI] = { "virtual NMIs", "vnmi" },
	[VMX_TPR] = { "TPR shadow", "vtpr" },
	[VMX_VAPIC] = { "APIC registers", "vapic_reg" },
	[VMX_VID] = { "virtual-interrupt delivery", "vid" },
	[VMX_POSTED] = { "posted interrupts", "posted_intr" },
	[VMX_PLE] = { "PAUSE-loop exiting", "ple" },
	[VMX_SCALING] = { "TSC scaling", "tsc_scaling" },
	[VMX_PML] = { "page-modification log", "pml" },
};

/* Bits by VMX_*. */
struct vmx {
	uint32_t known, has;
};

static void learn(struct vmx *vmx, unsigned int fact, bool has)
{
	vmx->known |= 1u << fact;
	if (has)
		vmx->has |= 1u << fact;
}

static void learn_pin_proc(struct vmx *vmx, uint64_t basic, uint64_t pin, uint64_t proc)
{
	learn(vmx, VMX_TRUE, basic & V3_VMX_BASIC_TRUE);
	learn(vmx, VMX_TIMER, pin >> 32 & V3_VMX_PIN_TIMER);
	learn(vmx, VMX_VNMI, pin >> 32 & V3_VMX_PIN_VIRTUAL_NMI);
	learn(vmx, VMX_POSTED, pin >> 32 & V3_VMX_PIN_POSTED);
	learn(vmx, VMX_TPR, proc >> 32 & V3_VMX_PROC_TPR_SHADOW);
}

static void learn_proc2(struct vmx *vmx, uint64_t proc2)
{
	static const struct {
		unsigned int fact;
		uint32_t bit;
	} bits[] = {
		{ VMX_EPT, V3_VMX_PROC2_EPT }, { VMX_UNRESTRICTED, V3_VMX_PROC2_UNRESTRICTED },
		{ VMX_VPID, V3_VMX_PROC2_VPID }, { VMX_VAPIC, V3_VMX_PROC2_APIC_REGISTERS },
		{ VMX_VID, V3_VMX_PROC2_INTR_DELIVERY }, { VMX_PLE, V3_VMX_PROC2_PLE },
		{ VMX_SCALING, V3_VMX_PROC2_TSC_SCALING }, { VMX_PML, V3_VMX_PROC2_PML },
	};
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		learn(vmx, bits[i].fact, proc2 >> 32 & bits[i].bit);
}

/* From the MSRs of the first CPU; those that do not exist cannot be read. */
static bool learn_msrs(const struct v3_doctor *doctor, struct vmx *vmx)
{
	uint64_t basic, pin, proc, proc2 = 0, cap = 0;

	if (!v3_doctor_msr(doctor, V3_MSR_VMX_BASIC, &basic) ||
	    !v3_doctor_msr(doctor, V3_MSR_VMX_PINBASED_CTLS, &pin) ||
	    !v3_doctor_msr(doctor, V3_MSR_VMX_PROCBASED_CTLS, &proc))
		return false;
	if (proc >> 32 & V3_VMX_PROC_SECONDARY &&
	    !v3_doctor_msr(doctor, V3_MSR_VMX_PROCBASED_CTLS2, &proc2))
		return false;
	if (proc2 >> 32 & (V3_VMX_PROC2_EPT | V3_VMX_PROC2_VPID) &&
	    !v3_doctor_msr(doctor, V3_MSR_VMX_EPT_VPID_CAP, &cap))
		return false;
	learn_pin_proc(vmx, basic, pin, proc);
	learn_proc2(vmx, proc2);
	learn(vmx, VMX_2M, cap & V3_EPT_CAP_2M);
	learn(vmx, VMX_1G, cap & V3_EPT_CAP_1G);
	learn(vmx, VMX_AD, cap & V3_EPT_CAP_AD);
	return true;
}

/* From the first CPU's "vmx flags", which Linux shows if firmware has VT-x enabled. */
static void learn_cpuinfo(const struct v3_doctor *doctor, struct vmx *vmx)
{
	char text[16384], *line, *end, *word, *save = NULL;
	unsigned int i;

	if (v3_doctor_read(doctor, "/proc/cpuinfo", text, sizeof(text)) <= 0)
		return;
	line = strstr(text, "\nvmx flags");
	line = line ? strchr(line, ':') : NULL;
	if (!line)
		return;
	end = strchr(line, '\n');
	if (end)
		*end = 0;
	for (i = 0; i < VMX_FACTS; i++)
		if (facts[i].flag)
			learn(vmx, i, false);
	for (word = strtok_r(line + 1, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
		for (i = 0; i < VMX_FACTS; i++)
			if (facts[i].flag && !strcmp(word, facts[i].flag))
				learn(vmx, i, true);
}

/* Whether firmware lets VMX be used; without a word if the module knows better. */
static void report_firmware(struct v3_doctor *doctor, const struct vmx *vmx)
{
	uint64_t value;

	if (doctor->have_caps)
		return;
	if (v3_doctor_msr(doctor, V3_MSR_FEATURE_CONTROL, &value)) {
		if (!(value & V3_FEATURE_CONTROL_LOCK))
			v3_doctor_say(doctor, V3_HEALTH_OK, "firmware",
				      "FEATURE_CONTROL is not locked: v3 enables VT-x itself");
		else if (value & V3_FEATURE_CONTROL_VMX)
			v3_doctor_say(doctor, V3_HEALTH_OK, "firmware", "VT-x is enabled");
		else
			v3_doctor_say(doctor, V3_HEALTH_FAIL, "firmware",
				      "VT-x is disabled (FEATURE_CONTROL is locked without it): "
				      "enable 'Intel Virtualization Technology' or 'VMX' in the "
				      "firmware setup");
	} else if (vmx->known) {
		v3_doctor_say(doctor, V3_HEALTH_OK, "firmware",
			      "VT-x is enabled, as Linux found it");
	} else {
		v3_doctor_say(doctor, V3_HEALTH_WARN, "firmware",
			      "not known whether firmware disabled VT-x: load the v3 module (or "
			      "'modprobe msr', as root) and ask again");
	}
}

static bool has(const struct vmx *vmx, unsigned int fact)
{
	return vmx->has >> fact & 1;
}

/* What v3 cannot do without. */
static void report_needed(struct v3_doctor *doctor, const struct v3_cpu_facts *cpu,
			  const struct vmx *vmx)
{
	const char *below = cpu->hypervisor[0] ? "; the hypervisor below may offer it" : "";

	if (has(vmx, VMX_EPT))
		v3_doctor_say(doctor, V3_HEALTH_OK, "nested paging", "EPT%s%s%s",
			      has(vmx, VMX_2M) && !has(vmx, VMX_1G) ? ", with pages of 2 MiB" : "",
			      has(vmx, VMX_1G) ? ", with pages of 1 GiB" : "",
			      has(vmx, VMX_AD) ? ", accessed and dirty flags" : "");
	else
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "nested paging",
			      "this CPU has VT-x without extended page tables (EPT), which v3 "
			      "needs%s",
			      below);
	if (has(vmx, VMX_UNRESTRICTED))
		v3_doctor_say(doctor, V3_HEALTH_OK, "real mode", "by the CPU (unrestricted guest)");
	else
		v3_doctor_say(doctor, V3_HEALTH_OK, "real mode",
			      "by v3 (this CPU has VT-x without unrestricted guest)");
}

static void report_extras(struct v3_doctor *doctor, const struct vmx *vmx)
{
	char text[256] = "", missing[256] = "";
	unsigned int i;
	char *list;

	for (i = VMX_FIRST_EXTRA; i < VMX_FACTS; i++) {
		if (!(vmx->known >> i & 1))
			continue;
		list = has(vmx, i) ? text : missing;
		if (*list)
			strcat(list, ", ");
		strcat(list, facts[i].name);
	}
	v3_doctor_say(doctor, V3_HEALTH_OK, "extras", "%s%s%s (v3 works without them)",
		      *text ? text : "none", *missing ? "; not: " : "", missing);
}

/* Linux knows which CPUs are affected; without its word, the CPU says if it is one that is not. */
static bool multihit(const struct v3_doctor *doctor)
{
	char text[128];
	uint64_t caps;

	if (v3_doctor_read(doctor, "/sys/devices/system/cpu/vulnerabilities/itlb_multihit", text,
			   sizeof(text)) > 0)
		return strncmp(text, "Not affected", 12) != 0;
	return !v3_doctor_msr(doctor, V3_MSR_ARCH_CAPABILITIES, &caps) ||
	       !(caps & V3_ARCH_CAP_PSCHANGE_MC_NO);
}

/* A guest can stop such a CPU by executing pages whose size it changes, unless all are small. */
static void report_multihit(struct v3_doctor *doctor, const struct vmx *vmx)
{
	char off[256] = "";

	if (!has(vmx, VMX_EPT) || !multihit(doctor))
		return;
	(void)v3_doctor_read(doctor, "/sys/module/v3/parameters/features_off", off, sizeof(off));
	if (strstr(off, "ept-2m"))
		v3_doctor_say(doctor, V3_HEALTH_OK, "page sizes",
			      "guests have pages of 4 KiB only: they cannot stop this CPU by "
			      "CVE-2018-12207");
	else
		v3_doctor_say(doctor, V3_HEALTH_WARN, "page sizes",
			      "a guest can stop this CPU by CVE-2018-12207 (large pages): if "
			      "guests are not trusted, load the module with "
			      "features_off=ept-2m,ept-1g");
}

void v3_doctor_vmx(struct v3_doctor *doctor, const struct v3_cpu_facts *cpu)
{
	struct vmx vmx = { 0 };

	v3_doctor_say(doctor, V3_HEALTH_OK, "VT-x", "VMX");
	if (!learn_msrs(doctor, &vmx))
		learn_cpuinfo(doctor, &vmx);
	report_firmware(doctor, &vmx);
	if (vmx.known) {
		report_needed(doctor, cpu, &vmx);
		report_extras(doctor, &vmx);
		report_multihit(doctor, &vmx);
	} else if (!doctor->have_caps) {
		v3_doctor_say(doctor, V3_HEALTH_WARN, "nested paging",
			      "not known: Linux tells only where VT-x is enabled, the msr driver "
			      "only root");
	}
}
