/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 doctor: the processor, by CPUID (APM3 E.3, E.4) and the MSR VM_CR (APM2 15.30.1). VT-x is in
 * doctor_vmx.c.
 */
#include "doctor.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "x86/insn.h"

#define LEAF_SVM 0x8000000A
#define MSR_VM_CR 0xC0010114
#define VM_CR_LOCK (1u << 3)
#define VM_CR_SVMDIS (1u << 4)

/* CPUID 8000000Ah EDX. */
#define SVM_NPT (1u << 0)

static const struct {
	unsigned int bit;
	const char *name;
} svm_extras[] = {
	{ 3, "nRIP save" }, { 5, "clean bits" }, { 6, "flush by ASID" }, { 7, "decode assists" },
	{ 10, "pause filter" }, { 4, "TSC scaling" }, { 13, "AVIC" }, { 16, "vGIF" },
};

static void read_text(char *text, uint32_t a, uint32_t b, uint32_t c)
{
	memcpy(text, &a, 4);
	memcpy(text + 4, &b, 4);
	memcpy(text + 8, &c, 4);
	text[12] = 0;
}

static void read_brand(struct v3_cpu_facts *facts)
{
	uint32_t regs[12];
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (!__get_cpuid(0x80000002 + i, &regs[4 * i], &regs[4 * i + 1], &regs[4 * i + 2],
				 &regs[4 * i + 3]))
			return;
	memcpy(facts->brand, regs, sizeof(regs));
}

static void read_extended(struct v3_cpu_facts *facts)
{
	uint32_t a, b, c, d;

	if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
		facts->svm = c & (1u << 2);
		facts->pages_1g = d & (1u << 26);
	}
	if (__get_cpuid(0x80000007, &a, &b, &c, &d))
		facts->invariant_tsc = d & (1u << 8);
	if (facts->svm && __get_cpuid(LEAF_SVM, &a, &b, &c, &d)) {
		facts->num_asids = b;
		facts->svm_features = d;
	}
}

static void read_leaf(uint32_t leaf, uint32_t subleaf, struct v3_cpuid_regs *regs)
{
	__cpuid_count(leaf, subleaf, regs->eax, regs->ebx, regs->ecx, regs->edx);
}

/* XCR0, as the host's kernel set it. */
static uint64_t read_xcr0(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

void v3_cpu_facts_read(struct v3_cpu_facts *facts)
{
	uint32_t a, b, c, d;

	*facts = (struct v3_cpu_facts){ 0 };
	if (__get_cpuid(0, &a, &b, &c, &d))
		read_text(facts->vendor, b, d, c);
	if (__get_cpuid(1, &a, &b, &c, &d)) {
		facts->vmx = c & (1u << 5);
		facts->xsave = c & bit_XSAVE;
		facts->avx = c & bit_AVX;
		if (c & (1u << 31)) {
			/*
			 * Not below the highest leaf that leaf 0 tells: __get_cpuid() would
			 * refuse.
			 */
			__cpuid(0x40000000, a, b, c, d);
			read_text(facts->hypervisor, b, c, d);
		}
	}
	read_brand(facts);
	read_extended(facts);
	v3_cpu_host_features(read_leaf, read_xcr0(), &facts->features);
}

bool v3_doctor_msr(const struct v3_doctor *doctor, uint32_t msr, uint64_t *value)
{
	char path[256];
	ssize_t len;
	int fd;

	if (doctor->msr)
		return doctor->msr(msr, value);
	snprintf(path, sizeof(path), "%s/dev/cpu/0/msr", doctor->root);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : pread(fd, value, sizeof(*value), msr);
	if (fd >= 0)
		close(fd);
	return len == (ssize_t)sizeof(*value);
}

/* Without the module the msr driver can tell what firmware did, for root. */
static void report_firmware(struct v3_doctor *doctor)
{
	uint64_t value;

	if (doctor->have_caps)
		return;
	if (!v3_doctor_msr(doctor, MSR_VM_CR, &value)) {
		v3_doctor_say(
			doctor, V3_HEALTH_WARN, "firmware",
			"not known whether firmware disabled SVM: load the v3 module (or 'modprobe "
			"msr', as root) and ask again");
		return;
	}
	if (value & VM_CR_SVMDIS)
		v3_doctor_say(
			doctor, V3_HEALTH_FAIL, "firmware",
			"SVM is disabled%s: enable 'SVM Mode' or 'AMD-V' in the firmware setup",
			value & VM_CR_LOCK ? " and locked" : "");
	else
		v3_doctor_say(doctor, V3_HEALTH_OK, "firmware", "SVM is not disabled");
}

static void report_svm(struct v3_doctor *doctor, const struct v3_cpu_facts *facts)
{
	char text[200] = "", missing[200] = "";
	char *list;
	unsigned int i;

	v3_doctor_say(doctor, V3_HEALTH_OK, "AMD-V", "SVM with %u ASIDs", facts->num_asids);
	if (facts->svm_features & SVM_NPT)
		v3_doctor_say(doctor, V3_HEALTH_OK, "nested paging", "yes%s",
			      facts->pages_1g ? ", with pages of 1 GiB" : "");
	else
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "nested paging",
			      "this CPU has SVM without nested paging (NPT), which v3 needs%s",
			      facts->hypervisor[0] ? "; the hypervisor below may offer it" : "");
	for (i = 0; i < sizeof(svm_extras) / sizeof(svm_extras[0]); i++) {
		list = facts->svm_features & (1u << svm_extras[i].bit) ? text : missing;
		if (*list)
			strcat(list, ", ");
		strcat(list, svm_extras[i].name);
	}
	v3_doctor_say(doctor, V3_HEALTH_OK, "extras", "%s%s%s%s (v3 works without them)",
		      *text ? text : "none", *missing ? "; not: " : "", missing, "");
}

/* The models that guests can have here, and what the first that they cannot have lacks. */
static void report_models(struct v3_doctor *doctor, const struct v3_cpu_facts *facts)
{
	struct v3_cpu_features guest, hidden, missing;
	struct v3_cpu_spec spec = { .model = V3_CPU_HOST };
	char text[64] = "", lacks[160];

	for (; spec.model < V3_CPU_MODELS; spec.model++) {
		if (!v3_cpu_guest_features(&facts->features, &spec, &guest, &hidden, &missing))
			break;
		if (*text)
			strcat(text, ", ");
		strcat(text, v3_cpu_model_name(spec.model));
	}
	if (spec.model == V3_CPU_MODELS) {
		v3_doctor_say(doctor, V3_HEALTH_OK, "CPU models", "%s", text);
		return;
	}
	v3_cpu_names(&missing, lacks, sizeof(lacks));
	v3_doctor_say(doctor, V3_HEALTH_OK, "CPU models", "%s; not %s, which needs %s", text,
		      v3_cpu_model_name(spec.model), lacks);
}

void v3_doctor_cpu(struct v3_doctor *doctor, const struct v3_cpu_facts *facts)
{
	const char *brand = facts->brand;

	while (*brand == ' ')
		brand++;
	v3_doctor_say(doctor, V3_HEALTH_OK, "processor", "%s%s%s", v3_printable(facts->vendor),
		      *brand ? ", " : "", v3_printable(brand));
	if (facts->hypervisor[0])
		v3_doctor_say(doctor, V3_HEALTH_OK, "virtual",
			      "this machine is itself virtual, under '%s'",
			      v3_printable(facts->hypervisor));
	if (facts->svm) {
		report_svm(doctor, facts);
		report_firmware(doctor);
	} else if (facts->vmx) {
		v3_doctor_vmx(doctor, facts);
	} else {
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "AMD-V or VT-x", "the CPU offers neither: %s",
			      facts->hypervisor[0]
				      ? "the hypervisor below has to pass it on (nested "
					"virtualization)"
				      : "v3 needs a CPU with AMD-V or VT-x, enabled in the firmware "
					"setup");
	}
	report_models(doctor, facts);
	if (!facts->invariant_tsc)
		v3_doctor_say(doctor, facts->svm || facts->vmx ? V3_HEALTH_WARN : V3_HEALTH_OK, "TSC",
			      "not invariant: the guest's time may drift when the CPU sleeps");
	if (!facts->xsave)
		v3_doctor_say(doctor, V3_HEALTH_WARN, "XSAVE",
			      "not there: guests get SSE, but no AVX");
}
