/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 doctor: one line for each thing that VMs need.
 */
#ifndef V3_CLI_DOCTOR_H
#define V3_CLI_DOCTOR_H

#include "cli.h"
#include "core/cpu_model.h"
#include "device.h"

enum v3_health { V3_HEALTH_OK, V3_HEALTH_WARN, V3_HEALTH_FAIL };

/* Where lines go and what was found. */
struct v3_doctor {
	/* Called for each line. */
	void (*line)(struct v3_doctor *doctor, enum v3_health health, const char *topic,
		     const char *text);
	unsigned int warnings, failures;
	/* Folders that /proc, /sys and /dev/cpu stand for; "" outside of tests. */
	const char *root;
	/* Reads an MSR of the first CPU in place of the msr driver, in tests; or NULL. */
	bool (*msr)(uint32_t msr, uint64_t *value);
	/* /dev/v3 if it could be opened, else -1; what the module says about the machine. */
	int dev;
	bool have_caps;
	struct v3_ioc_caps caps;
};

/* Reports one line; counts it. */
void v3_doctor_say(struct v3_doctor *doctor, enum v3_health health, const char *topic,
		   const char *fmt, ...) V3_PRINTF(4, 5);

/* What CPUID says, apart from where it comes from. */
struct v3_cpu_facts {
	char vendor[13];
	char brand[49];
	/* Vendor of the hypervisor below us, or empty. */
	char hypervisor[13];
	bool svm, vmx;
	/* CPUID 8000000Ah: number of ASIDs, and EDX. */
	uint32_t num_asids, svm_features;
	bool pages_1g, xsave, avx, invariant_tsc;
	/* What guests may have. */
	struct v3_cpu_features features;
};
void v3_cpu_facts_read(struct v3_cpu_facts *facts);

/*
 * Lines about the processor; about what the firmware disabled, if the module is not there to
 * tell.
 */
void v3_doctor_cpu(struct v3_doctor *doctor, const struct v3_cpu_facts *facts);
/* Lines about VT-x, of which CPUID tells no more than that it is there. */
void v3_doctor_vmx(struct v3_doctor *doctor, const struct v3_cpu_facts *facts);
/* An MSR of the first CPU by the msr driver; false if that is not there, or the MSR is not. */
bool v3_doctor_msr(const struct v3_doctor *doctor, uint32_t msr, uint64_t *value);
/* Lines about module, device, KVM, CPUs and memory. */
void v3_doctor_module(struct v3_doctor *doctor);
void v3_doctor_kvm(struct v3_doctor *doctor);
void v3_doctor_cpus(struct v3_doctor *doctor);
void v3_doctor_memory(struct v3_doctor *doctor);
/* A line about CPUs that the kernel keeps quiet as it was booted. */
void v3_doctor_quiet(struct v3_doctor *doctor);

/*
 * A small file of /proc or /sys below the root, NUL-terminated. Returns its length, or -1 and
 * errno.
 */
int v3_doctor_read(const struct v3_doctor *doctor, const char *path, char *buf, size_t size);

#endif
