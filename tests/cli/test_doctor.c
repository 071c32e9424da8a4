/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 doctor on machines of all kinds: CPUs by made-up facts, hosts by files in a folder.
 */
#include "cli_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"

static char report[16384];

static void take_line(struct v3_doctor *doctor, enum v3_health health, const char *topic,
		      const char *text)
{
	static const char *const words[] = { "ok", "warn", "FAIL" };

	snprintf(report + strlen(report), sizeof(report) - strlen(report), "%s %s: %s\n",
		 words[health], topic, text);
}

static struct v3_doctor fresh(void)
{
	report[0] = 0;
	return (struct v3_doctor){ .line = take_line, .root = "/nosuch", .dev = -1 };
}

static const struct v3_cpu_facts epyc = {
	.vendor = "AuthenticAMD", .brand = "  A processor", .svm = true, .num_asids = 16,
	.svm_features = 1, .pages_1g = true, .xsave = true, .invariant_tsc = true,
};

static void test_cpu_good(void **state)
{
	struct v3_doctor doctor = fresh();
	struct v3_cpu_facts facts = epyc;

	doctor.have_caps = true;
	v3_doctor_cpu(&doctor, &facts);
	assert_int_equal(doctor.failures + doctor.warnings, 0);
	assert_has(report, "ok processor: AuthenticAMD, A processor\n");
	assert_has(report, "ok AMD-V: SVM with 16 ASIDs\n");
	assert_has(report, "with pages of 1 GiB");
	assert_has(report, "ok extras: none; not: nRIP save, clean bits");
	/* These facts are those of a CPU without any feature. */
	assert_has(report, "ok CPU models: host; not x86-64-v2, which needs fpu cx8 cmov mmx");
	doctor = fresh();
	doctor.have_caps = true;
	facts.svm_features = 0xFFFFFFFF;
	v3_doctor_cpu(&doctor, &facts);
	assert_has(report, "ok extras: nRIP save, clean bits, flush by ASID");
	memset(&facts.features, 0xff, sizeof(facts.features));
	facts.features.word[V3_CPU_7_EBX] &= ~(1u << 30);
	doctor = fresh();
	v3_doctor_cpu(&doctor, &facts);
	assert_has(report, "ok CPU models: host, x86-64-v2, x86-64-v3; not x86-64-v4, which needs "
			   "avx512bw\n");
	facts.features.word[V3_CPU_7_EBX] = ~0u;
	doctor = fresh();
	v3_doctor_cpu(&doctor, &facts);
	assert_has(report, "ok CPU models: host, x86-64-v2, x86-64-v3, x86-64-v4\n");
}

static void test_cpu_bad(void **state)
{
	struct v3_doctor doctor = fresh();
	struct v3_cpu_facts facts = epyc;

	facts.svm_features = 0;
	v3_doctor_cpu(&doctor, &facts);
	assert_int_equal(doctor.failures, 1);
	assert_has(report, "FAIL nested paging:");
	assert_has(report, "warn firmware: not known");

	doctor = fresh();
	facts = epyc;
	facts.svm = false;
	v3_doctor_cpu(&doctor, &facts);
	assert_int_equal(doctor.failures, 1);
	assert_has(report, "FAIL AMD-V or VT-x: the CPU offers neither: v3 needs");

	doctor = fresh();
	strcpy(facts.hypervisor, "KVMKVMKVM");
	v3_doctor_cpu(&doctor, &facts);
	assert_has(report, "ok virtual: this machine is itself virtual");
	assert_has(report, "(nested virtualization)");
}

/* A file below the test's folder; makes the folders on the way. Returns the folder. */
static char root[300];

static void put(const char *path, const void *data, size_t size)
{
	char command[700];
	FILE *file;

	snprintf(root, sizeof(root), "%s", test_path("root"));
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s%s)", root, path);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s%s", root, path);
	file = fopen(command, "w");
	assert_non_null(file);
	assert_true(fwrite(data, 1, size, file) == size);
	fclose(file);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

static int wipe(void **state)
{
	char command[400];

	memset(&fake_plan, 0, sizeof(fake_plan));
	snprintf(command, sizeof(command), "rm -rf %s", test_path("root"));
	return system(command);
}

static void test_firmware(void **state)
{
	/* pread() at the number of VM_CR: a sparse file stands for the device. */
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = {
		{ 0, "ok firmware: SVM is not disabled" },
		{ 0x8, "ok firmware: SVM is not disabled" },
		{ 0x10, "FAIL firmware: SVM is disabled: enable" },
		{ 0x18, "FAIL firmware: SVM is disabled and locked: enable" },
	};
	struct v3_doctor doctor;
	char path[400];
	unsigned int i;
	FILE *file;

	put_text("/dev/cpu/0/msr", "");
	snprintf(path, sizeof(path), "%s/dev/cpu/0/msr", root);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		file = fopen(path, "w");
		assert_non_null(file);
		assert_int_equal(fseeko(file, 0xC0010114, SEEK_SET), 0);
		assert_true(fwrite(&cases[i].value, 8, 1, file) == 1);
		fclose(file);
		doctor = fresh();
		doctor.root = root;
		v3_doctor_cpu(&doctor, &epyc);
		assert_has(report, cases[i].text);
		assert_int_equal(doctor.failures, cases[i].value >> 4);
	}
}

static const struct v3_cpu_facts xeon = {
	.vendor = "GenuineIntel", .brand = "A processor", .vmx = true, .xsave = true,
	.invariant_tsc = true,
};

/* The MSRs of CPUs that Bochs emulates: 480h, 481h, 482h, 48Bh, 48Ch, and 3Ah; 0: not there. */
static const uint64_t skylake_x[] = { 0xd810000000002b, 0x7f00000016, 0xf7f9fffe0401e172,
				      0x2177fff00000000, 0xf0106334141, 5 };
static const uint64_t sandy_bridge[] = { 0xd810000000002b, 0x7f00000016, 0xf7f9fffe0401e172,
					 0xff00000000, 0xf0106114141, 5 };
static const uint64_t haswell[] = { 0xd810000000002b, 0x7f00000016, 0xf7f9fffe0401e172,
				    0x47fff00000000, 0xf0106334141, 5 };
static const uint64_t penryn[] = { 0xd810000000002b, 0x3f00000016, 0xf7f9fffe0401e172,
				   0x4100000000, 0, 5 };
static const uint64_t *vmx_msrs;
static uint64_t feature_control;
/* IA32_ARCH_CAPABILITIES of a CPU that CVE-2018-12207 does not affect; all ones: there is none. */
#define NOT_AFFECTED 0x40ull
static uint64_t arch_caps = NOT_AFFECTED;

static bool read_vmx_msr(uint32_t msr, uint64_t *value)
{
	static const uint32_t numbers[] = { 0x480, 0x481, 0x482, 0x48b, 0x48c };
	unsigned int i;

	*value = feature_control;
	if (msr == 0x3a)
		return true;
	*value = arch_caps;
	if (msr == 0x10a)
		return arch_caps != ~0ull;
	for (i = 0; i < 5; i++) {
		if (msr != numbers[i])
			continue;
		*value = vmx_msrs ? vmx_msrs[i] : 0;
		return *value;
	}
	fail_msg("MSR %#x is read", msr);
	return false;
}

/* A report on a CPU with these MSRs. */
static struct v3_doctor vmx_doctor(const uint64_t *msrs, uint64_t control, bool have_caps)
{
	struct v3_doctor doctor = fresh();

	doctor.msr = read_vmx_msr;
	doctor.have_caps = have_caps;
	vmx_msrs = msrs;
	feature_control = control;
	v3_doctor_cpu(&doctor, &xeon);
	return doctor;
}

static void test_vmx(void **state)
{
	struct v3_doctor doctor = vmx_doctor(skylake_x, 5, false);

	assert_int_equal(doctor.failures + doctor.warnings, 0);
	assert_has(report, "ok processor: GenuineIntel, A processor\n");
	assert_has(report, "ok VT-x: VMX\n");
	assert_has(report, "ok firmware: VT-x is enabled\n");
	assert_has(report,
		   "ok nested paging: EPT, with pages of 1 GiB, accessed and dirty flags\n");
	assert_has(report, "ok real mode: by the CPU (unrestricted guest)\n");
	assert_has(report, "ok extras: VPID, true controls, preemption timer, virtual NMIs, TPR "
			   "shadow, APIC registers, virtual-interrupt delivery, PAUSE-loop exiting, "
			   "TSC scaling, page-modification log; not: posted interrupts (v3 works "
			   "without them)\n");
	/* The module has told already what firmware allows. */
	doctor = vmx_doctor(skylake_x, 1, true);
	assert_int_equal(doctor.failures, 0);
	assert_null(strstr(report, "firmware"));

	doctor = vmx_doctor(sandy_bridge, 5, false);
	assert_int_equal(doctor.failures + doctor.warnings, 0);
	assert_has(report, "ok nested paging: EPT, with pages of 2 MiB\n");
	assert_has(report, "not: APIC registers, virtual-interrupt delivery, posted interrupts, "
			   "PAUSE-loop exiting, TSC scaling, page-modification log");

	doctor = vmx_doctor(penryn, 5, false);
	assert_int_equal(doctor.failures, 1);
	assert_has(report, "FAIL nested paging: this CPU has VT-x without extended page tables "
			   "(EPT), which v3 needs\n");
	assert_has(report, "ok real mode: by v3 (this CPU has VT-x without unrestricted guest)\n");
	assert_has(report, "not: VPID, preemption timer,");
}

static void test_vmx_firmware(void **state)
{
	struct v3_doctor doctor = vmx_doctor(skylake_x, 1, false);

	assert_int_equal(doctor.failures, 1);
	assert_has(report, "FAIL firmware: VT-x is disabled (FEATURE_CONTROL is locked without it): "
			   "enable 'Intel Virtualization Technology' or 'VMX' in the firmware setup\n");
	/* Only inside of SMX */
	doctor = vmx_doctor(skylake_x, 3, false);
	assert_int_equal(doctor.failures, 1);
	doctor = vmx_doctor(skylake_x, 0, false);
	assert_int_equal(doctor.failures, 0);
	assert_has(report, "ok firmware: FEATURE_CONTROL is not locked: v3 enables VT-x itself\n");
	/* MSRs that cannot be read, and nothing else that could tell. */
	doctor = vmx_doctor(NULL, 5, false);
	assert_has(report, "warn nested paging: not known");
}

#define MULTIHIT "/sys/devices/system/cpu/vulnerabilities/itlb_multihit"

/* CVE-2018-12207: what the CPU says, what Linux says, and that guests have small pages only. */
static void test_vmx_multihit(void **state)
{
	static const char warning[] =
		"warn page sizes: a guest can stop this CPU by CVE-2018-12207 (large pages): if "
		"guests are not trusted, load the module with features_off=ept-2m,ept-1g\n";
	static const struct {
		uint64_t arch_caps;
		const char *linux_says, *off;
		bool warns;
	} cases[] = {
		{ NOT_AFFECTED, NULL, NULL, false },
		{ 0x2b, NULL, NULL, true },
		{ ~0ull, NULL, NULL, true },
		{ ~0ull, "Not affected\n", NULL, false },
		{ NOT_AFFECTED, "KVM: Mitigation: VMX disabled\n", NULL, true },
		{ 0, "KVM: Vulnerable\n", "vpid,ple\n", true },
		{ 0, "KVM: Vulnerable\n", "ept-2m,ept-1g\n", false },
		{ 0, NULL, "ple,ept-2m\n", false },
	};
	struct v3_doctor doctor;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(wipe(state), 0);
		put_text("/proc/none", "");
		if (cases[i].linux_says)
			put_text(MULTIHIT, cases[i].linux_says);
		if (cases[i].off)
			put_text("/sys/module/v3/parameters/features_off", cases[i].off);
		doctor = fresh();
		doctor.root = root;
		doctor.msr = read_vmx_msr;
		vmx_msrs = haswell;
		feature_control = 5;
		arch_caps = cases[i].arch_caps;
		v3_doctor_cpu(&doctor, &xeon);
		arch_caps = NOT_AFFECTED;
		assert_int_equal(doctor.failures, 0);
		assert_int_equal(doctor.warnings, cases[i].warns);
		assert_int_equal(strstr(report, warning) != NULL, cases[i].warns);
		assert_int_equal(strstr(report, "ok page sizes: guests have pages of 4 KiB") != NULL,
				 cases[i].off && !cases[i].warns);
	}
	/* No guests, no matter. */
	arch_caps = 0;
	vmx_doctor(penryn, 5, false);
	arch_caps = NOT_AFFECTED;
	assert_null(strstr(report, "12207"));
}

/* Without the msr driver, Linux tells some of it. */
static void test_vmx_cpuinfo(void **state)
{
	struct v3_doctor doctor = fresh();

	v3_doctor_cpu(&doctor, &xeon);
	assert_int_equal(doctor.failures, 0);
	assert_has(report, "warn firmware: not known whether firmware disabled VT-x");
	assert_has(report, "warn nested paging: not known");

	put_text(MULTIHIT, "Not affected\n");
	put_text("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme vmx ept\n"
				  "vmx flags\t: vnmi preemption_timer invvpid ept_ad ept_1gb tsc_offset "
				  "vtpr ept vpid unrestricted_guest\nbugs\t\t: ple\n\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_cpu(&doctor, &xeon);
	assert_int_equal(doctor.failures + doctor.warnings, 0);
	assert_has(report, "ok firmware: VT-x is enabled, as Linux found it\n");
	assert_has(report, "ok nested paging: EPT, with pages of 1 GiB, accessed and dirty flags\n");
	assert_has(report, "ok real mode: by the CPU");
	/* It does not tell whether there are true controls. */
	assert_has(report, "ok extras: VPID, preemption timer, virtual NMIs, TPR shadow; not: APIC "
			   "registers, virtual-interrupt delivery, posted interrupts, PAUSE-loop "
			   "exiting, TSC scaling, page-modification log (");

	/* The firmware has it disabled: then Linux shows no such line. */
	put_text("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme\nbugs\t\t:\n\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_cpu(&doctor, &xeon);
	assert_has(report, "warn firmware: not known");
	/* With the module nothing is open. */
	doctor = fresh();
	doctor.have_caps = true;
	v3_doctor_cpu(&doctor, &xeon);
	assert_int_equal(doctor.failures + doctor.warnings, 0);
	put_text("/proc/cpuinfo", "vmx flags");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_cpu(&doctor, &xeon);
	assert_has(report, "warn firmware: not known");
}

static void test_kvm(void **state)
{
	struct v3_doctor doctor = fresh();

	v3_doctor_kvm(&doctor);
	assert_has(report, "ok KVM: not loaded");
	put_text("/sys/module/kvm_amd/refcnt", "0\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_kvm(&doctor);
	assert_has(report, "warn KVM: kvm_amd is loaded, but not in use");
	put_text("/sys/module/kvm_amd/refcnt", "3\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_kvm(&doctor);
	assert_has(report, "warn KVM: kvm_amd is loaded and in use");
	assert_int_equal(doctor.failures, 0);
}

static void test_memory(void **state)
{
	struct v3_doctor doctor = fresh();

	v3_doctor_memory(&doctor);
	assert_has(report, "warn memory: not known");
	put_text("/proc/meminfo",
		 "MemTotal:        2048000 kB\nMemFree: 1 kB\nMemAvailable: 1048576 kB\n");
	put_text("/proc/buddyinfo", "Node 0, zone      DMA      0      0      1 \n"
				    "Node 0, zone    DMA32      3      4    100 \n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_memory(&doctor);
	assert_has(report, "ok memory: 1 GiB of 1.9 GiB available\n");
	assert_has(report, "ok large blocks: 404 MiB free");
	put_text("/proc/meminfo", "MemTotal:        2048000 kB\nMemAvailable: 1024 kB\n");
	put_text("/proc/buddyinfo", "Node 0, zone      DMA      0      0      1 \n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_memory(&doctor);
	assert_has(report, "warn memory: 1 MiB of");
	assert_has(report, "warn large blocks: only 4 MiB");
}

static void test_quiet(void **state)
{
	struct v3_doctor doctor = fresh();

	put_text("/proc/cmdline", "quiet nohz_fuller=9 x=nohz_full=8\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_quiet(&doctor);
	assert_has(report, "ok quiet CPUs: none by the kernel's command line");
	put_text("/proc/cmdline", "quiet nohz_full=2-3 rcu_nocbs=2\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_quiet(&doctor);
	assert_has(report, "nohz_full 2-3, rcu_nocbs 2; v3");
}

static void test_module(void **state)
{
	struct v3_doctor doctor = fresh();

	fake_plan.open_errno = ENOENT;
	v3_doctor_module(&doctor);
	assert_has(report, "FAIL module: not loaded: 'modprobe v3'");
	put_text("/sys/module/v3/refcnt", "0\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_module(&doctor);
	assert_has(report, "FAIL module: loaded, but /dev/v3 is not there");
	put_text("/dev/v3", "");
	fake_plan.open_errno = EACCES;
	doctor = fresh();
	doctor.root = root;
	v3_doctor_module(&doctor);
	assert_has(report, "FAIL module: no permission");

	fake_plan.open_errno = 0;
	doctor = fresh();
	v3_doctor_module(&doctor);
	v3_doctor_cpus(&doctor);
	v3_dev_close(doctor.dev);
	assert_has(report, "ok virtualization: the module can use it (svm)");
	assert_has(report, "ok CPUs: guests can run on all 2 that are online");
	assert_int_equal(doctor.failures, 0);

	fake_plan.cpu1_status = (uint32_t)V3_ERR_BUSY;
	doctor = fresh();
	v3_doctor_module(&doctor);
	v3_doctor_cpus(&doctor);
	v3_dev_close(doctor.dev);
	assert_has(report, "warn CPUs: guests can run on 1 of 2; not on 1: KVM owns SVM on CPU 1");

	fake_plan.host_status = V3_ERR_DENIED;
	fake_plan.host_message = "SVM is disabled by firmware";
	put_text("/sys/devices/system/cpu/online", "0-3\n");
	doctor = fresh();
	doctor.root = root;
	v3_doctor_module(&doctor);
	v3_doctor_cpus(&doctor);
	v3_dev_close(doctor.dev);
	assert_has(report,
		   "FAIL virtualization: the module cannot use it: SVM is disabled by firmware");
	assert_has(report, "ok CPUs: online: 0-3");
	fake_check_leaks();
}

/* The whole command, on whatever machine this is. */
static void test_command(void **state)
{
	static struct cli_result r;

	fake_plan.open_errno = ENOENT;
	cli_run(&r, "", "doctor");
	assert_int_equal(r.status, 1);
	assert_has(r.out, "FAIL  module");
	assert_has(r.out, "Guests cannot run here: ");
	assert_string_equal(r.err, "");
	cli_run(&r, "", "doctor too many");
	assert_int_equal(r.status, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_good),
		cmocka_unit_test(test_cpu_bad),
		cmocka_unit_test_setup_teardown(test_firmware, wipe, wipe),
		cmocka_unit_test(test_vmx),
		cmocka_unit_test(test_vmx_firmware),
		cmocka_unit_test_setup_teardown(test_vmx_multihit, wipe, wipe),
		cmocka_unit_test_setup_teardown(test_vmx_cpuinfo, wipe, wipe),
		cmocka_unit_test_setup_teardown(test_kvm, wipe, wipe),
		cmocka_unit_test_setup_teardown(test_quiet, wipe, wipe),
		cmocka_unit_test_setup_teardown(test_memory, wipe, wipe),
		cmocka_unit_test_setup_teardown(test_module, wipe, wipe),
		cmocka_unit_test_setup(test_command, wipe),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
