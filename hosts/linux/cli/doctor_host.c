/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 doctor: module, device, KVM, CPUs and memory of this host.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "parse.h"

/* Most CPUs that are looked at one by one. */
#define CPUS_MAX 1024
/* A guest of this size is what the hint on memory is about. */
#define MEMORY_WANTED (256ull << 20)

int v3_doctor_read(const struct v3_doctor *doctor, const char *path, char *buf, size_t size)
{
	char full[256];
	size_t used = 0;
	ssize_t len;
	int fd;

	snprintf(full, sizeof(full), "%s%s", doctor->root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	while (used < size - 1 && (len = read(fd, buf + used, size - 1 - used)) > 0)
		used += (size_t)len;
	close(fd);
	buf[used] = 0;
	return (int)used;
}

static bool exists(const struct v3_doctor *doctor, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", doctor->root, path);
	return !access(full, F_OK);
}

static void report_caps(struct v3_doctor *doctor)
{
	struct v3_ioc_caps *caps = &doctor->caps;

	caps->host_message[sizeof(caps->host_message) - 1] = 0;
	if (caps->host_status)
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "virtualization",
			      "the module cannot use it: %s",
			      caps->host_message[0] ? v3_printable(caps->host_message)
						    : "no reason given");
	else
		v3_doctor_say(doctor, V3_HEALTH_OK, "virtualization",
			      "the module can use it (%.*s)", (int)sizeof(caps->backend),
			      caps->backend);
}

void v3_doctor_module(struct v3_doctor *doctor)
{
	struct v3_msg msg;

	doctor->dev = v3_dev_open(&msg);
	if (doctor->dev >= 0) {
		v3_doctor_say(doctor, V3_HEALTH_OK, "module", "loaded, and %s can be used",
			      V3_DEV_PATH);
		/* Room for all CPUs is the caller's; without it the request tells the rest. */
		doctor->caps.cpus = 0;
		doctor->caps.cpus_capacity = 0;
		doctor->have_caps = !v3_dev_call(doctor->dev, V3_IOC_CAPS, &doctor->caps, &msg);
		if (doctor->have_caps)
			report_caps(doctor);
		else
			v3_doctor_say(doctor, V3_HEALTH_FAIL, "module", "%s", msg.text);
		return;
	}
	if (exists(doctor, V3_DEV_PATH))
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "module", "%s", msg.text);
	else if (exists(doctor, "/sys/module/v3"))
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "module",
			      "loaded, but %s is not there: 'dmesg | grep v3' may tell why",
			      V3_DEV_PATH);
	else
		v3_doctor_say(doctor, V3_HEALTH_FAIL, "module",
			      "not loaded: 'modprobe v3', or 'insmod v3.ko', as root");
}

void v3_doctor_kvm(struct v3_doctor *doctor)
{
	static const char *const modules[] = { "kvm_amd", "kvm_intel" };
	char path[64], text[32];
	const char *found = NULL;
	unsigned int i;
	int users = 0;

	for (i = 0; i < 2 && !found; i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (exists(doctor, path))
			found = modules[i];
	}
	if (!found) {
		v3_doctor_say(doctor, V3_HEALTH_OK, "KVM", "not loaded");
		return;
	}
	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", found);
	if (v3_doctor_read(doctor, path, text, sizeof(text)) > 0)
		users = atoi(text);
	/* Whether it also has the CPUs now is known to the module alone: see v3_doctor_cpus(). */
	if (users > 0)
		v3_doctor_say(
			doctor, V3_HEALTH_WARN, "KVM",
			"%s is loaded and in use: its VMs own virtualization on the CPUs; stop them, "
			"then 'modprobe -r %s'",
			found, found);
	else
		v3_doctor_say(
			doctor, V3_HEALTH_WARN, "KVM",
			"%s is loaded, but not in use: v3 works until KVM starts a VM (Linux 6.12 "
			"and later: 'modprobe -r %s' first)",
			found, found);
}

/* Appends " N" to a list of CPUs as long as there is room. */
static void add_cpu(char *list, size_t size, unsigned int cpu)
{
	size_t used = strlen(list);

	if (size - used > 12)
		snprintf(list + used, size - used, "%s%u", used ? "," : "", cpu);
	else if (size - used > 4)
		strcpy(list + used, "...");
}

static void report_owners(struct v3_doctor *doctor, const struct v3_ioc_cpu *cpus,
			  unsigned int count)
{
	char bad[100] = "";
	char why[sizeof(cpus->message)] = "";
	unsigned int usable = 0, online = 0, i;

	for (i = 0; i < count; i++) {
		if (cpus[i].owner == V3_IOC_OWNER_OFFLINE)
			continue;
		online++;
		if (!cpus[i].status) {
			usable++;
			continue;
		}
		add_cpu(bad, sizeof(bad), cpus[i].cpu);
		if (!why[0])
			snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, cpus[i].message);
	}
	if (usable == online)
		v3_doctor_say(doctor, usable ? V3_HEALTH_OK : V3_HEALTH_FAIL, "CPUs",
			      "guests can run on all %u that are online", online);
	else
		v3_doctor_say(doctor, usable ? V3_HEALTH_WARN : V3_HEALTH_FAIL, "CPUs",
			      "guests can run on %u of %u; not on %s: %s", usable, online, bad,
			      why[0] ? v3_printable(why) : "no reason given");
}

void v3_doctor_cpus(struct v3_doctor *doctor)
{
	struct v3_ioc_caps caps = { .cpus_capacity = CPUS_MAX };
	struct v3_ioc_cpu *cpus;
	struct v3_msg msg;
	char text[256];

	if (doctor->have_caps && !doctor->caps.host_status) {
		cpus = calloc(CPUS_MAX, sizeof(*cpus));
		caps.cpus = (uintptr_t)cpus;
		if (!cpus)
			v3_doctor_say(doctor, V3_HEALTH_FAIL, "CPUs", "out of memory");
		else if (v3_dev_call(doctor->dev, V3_IOC_CAPS, &caps, &msg))
			v3_doctor_say(doctor, V3_HEALTH_FAIL, "CPUs", "%s", msg.text);
		else
			report_owners(doctor, cpus,
				      caps.cpus_count < CPUS_MAX ? caps.cpus_count : CPUS_MAX);
		free(cpus);
		return;
	}
	if (v3_doctor_read(doctor, "/sys/devices/system/cpu/online", text, sizeof(text)) > 0) {
		text[strcspn(text, "\n")] = 0;
		v3_doctor_say(doctor, V3_HEALTH_OK, "CPUs", "online: %s", v3_printable(text));
	} else {
		v3_doctor_say(doctor, V3_HEALTH_WARN, "CPUs", "not known: /sys is not mounted");
	}
}

/* The value of a word of the kernel's command line, or an empty text. */
static void boot_option(const struct v3_doctor *doctor, const char *name, char *buf, size_t size)
{
	char line[4096], *word, *save = NULL;
	size_t len = strlen(name);

	buf[0] = 0;
	if (v3_doctor_read(doctor, "/proc/cmdline", line, sizeof(line)) <= 0)
		return;
	for (word = strtok_r(line, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
		if (!strncmp(word, name, len) && word[len] == '=')
			snprintf(buf, size, "%s", word + len + 1);
}

void v3_doctor_quiet(struct v3_doctor *doctor)
{
	char nohz[128], rcu[128];

	boot_option(doctor, "nohz_full", nohz, sizeof(nohz));
	boot_option(doctor, "rcu_nocbs", rcu, sizeof(rcu));
	if (!nohz[0] && !rcu[0])
		v3_doctor_say(doctor, V3_HEALTH_OK, "quiet CPUs",
			      "none by the kernel's command line: v3 holds the tick back on CPUs "
			      "that guests own");
	else
		v3_doctor_say(doctor, V3_HEALTH_OK, "quiet CPUs",
			      "by the kernel's command line: nohz_full %s, rcu_nocbs %s; v3 holds "
			      "the tick back on others that guests own",
			      nohz[0] ? v3_printable(nohz) : "none",
			      rcu[0] ? v3_printable(rcu) : "none");
}

/* The value in kB of a line of /proc/meminfo, in bytes. */
static bool meminfo(const char *text, const char *key, uint64_t *bytes)
{
	const char *line = strstr(text, key);
	unsigned long long value;

	if (!line || sscanf(line + strlen(key), ": %llu kB", &value) != 1)
		return false;
	*bytes = value << 10;
	return true;
}

/*
 * Bytes free in blocks of the largest size the buddy allocator keeps (4 MiB), from
 * /proc/buddyinfo.
 */
static uint64_t large_blocks(const struct v3_doctor *doctor)
{
	char text[4096];
	char *line, *last, *save = NULL;
	uint64_t blocks = 0;

	if (v3_doctor_read(doctor, "/proc/buddyinfo", text, sizeof(text)) <= 0)
		return 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		for (last = line + strlen(line); last > line && last[-1] == ' ';)
			*--last = 0;
		last = strrchr(line, ' ');
		if (last)
			blocks += strtoull(last, NULL, 10);
	}
	return blocks << 22;
}

void v3_doctor_memory(struct v3_doctor *doctor)
{
	char total_text[V3_SIZE_TEXT], free_text[V3_SIZE_TEXT], large_text[V3_SIZE_TEXT];
	uint64_t total, available, large;
	char text[4096];

	if (v3_doctor_read(doctor, "/proc/meminfo", text, sizeof(text)) <= 0 ||
	    !meminfo(text, "MemTotal", &total) || !meminfo(text, "MemAvailable", &available)) {
		v3_doctor_say(doctor, V3_HEALTH_WARN, "memory", "not known: /proc is not mounted");
		return;
	}
	v3_doctor_say(doctor, available < MEMORY_WANTED ? V3_HEALTH_WARN : V3_HEALTH_OK, "memory",
		      "%s of %s available%s", v3_size_text(available, free_text),
		      v3_size_text(total, total_text),
		      available < MEMORY_WANTED ? ": guests have to be small (--memory)" : "");
	large = large_blocks(doctor);
	if (large >= MEMORY_WANTED)
		v3_doctor_say(doctor, V3_HEALTH_OK, "large blocks", "%s free in blocks of 4 MiB",
			      v3_size_text(large, large_text));
	else
		v3_doctor_say(
			doctor, V3_HEALTH_WARN, "large blocks",
			"only %s free in blocks of 4 MiB: guest memory is contiguous and may not "
			"be found; 'echo 1 >/proc/sys/vm/compact_memory' helps",
			v3_size_text(large, large_text));
}
