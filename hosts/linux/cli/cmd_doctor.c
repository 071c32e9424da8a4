/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 doctor.
 */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "commands.h"
#include "cpu_own.h"
#include "doctor.h"

void v3_doctor_say(struct v3_doctor *doctor, enum v3_health health, const char *topic,
		   const char *fmt, ...)
{
	char text[V3_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	doctor->warnings += health == V3_HEALTH_WARN;
	doctor->failures += health == V3_HEALTH_FAIL;
	doctor->line(doctor, health, topic, text);
}

static void print_line(struct v3_doctor *doctor, enum v3_health health, const char *topic,
		       const char *text)
{
	static const char *const words[] = { "ok  ", "warn", "FAIL" };
	static const char *const colors[] = { "\033[32m", "\033[33m", "\033[31m" };
	bool color = isatty(STDOUT_FILENO);

	(void)doctor;
	printf("%s%s%s  %-14s %s\n", color ? colors[health] : "", words[health],
	       color ? "\033[0m" : "", topic, text);
}

int v3_cmd_doctor(int argc, char **argv)
{
	struct v3_doctor doctor = { .line = print_line, .root = "", .dev = -1 };
	struct v3_cpu_facts facts;

	v3_parse_simple(
		argc, argv,
		"Tells what this machine has of what v3 needs, and what to do about the rest. "
		"Works without the module.\vExit status: 0 if guests can run, 1 if not.",
		NULL, NULL);
	/* The module first: it knows what CPUID does not tell. */
	v3_doctor_module(&doctor);
	v3_cpu_facts_read(&facts);
	v3_doctor_cpu(&doctor, &facts);
	v3_doctor_kvm(&doctor);
	v3_doctor_cpus(&doctor);
	v3_doctor_quiet(&doctor);
	v3_doctor_memory(&doctor);
	v3_cpu_stale_warn();
	v3_dev_close(doctor.dev);
	if (doctor.failures)
		printf("Guests cannot run here: %u of these %s to change.\n", doctor.failures,
		       doctor.failures == 1 ? "has" : "have");
	else if (doctor.warnings)
		printf("Guests can run; look at the warnings.\n");
	else
		printf("Guests can run.\n");
	return doctor.failures ? V3_CMD_FAILED : V3_CMD_OK;
}
