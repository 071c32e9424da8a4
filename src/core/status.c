/* SPDX-License-Identifier: BSD-2-Clause */
#include <v3/v3.h>

static const char *const status_names[] = {
	[-V3_OK] = "success",
	[-V3_ERR_INVALID] = "invalid argument",
	[-V3_ERR_NOMEM] = "no memory",
	[-V3_ERR_NOTSUP] = "not supported",
	[-V3_ERR_BUSY] = "owned by somebody else",
	[-V3_ERR_STATE] = "not possible in the present state",
	[-V3_ERR_NOENT] = "no such thing",
	[-V3_ERR_EXIST] = "exists already",
	[-V3_ERR_RANGE] = "out of range",
	[-V3_ERR_FORMAT] = "malformed",
	[-V3_ERR_IO] = "input/output error",
	[-V3_ERR_HOOK] = "a mandatory host hook is missing",
	[-V3_ERR_VERSION] = "version mismatch",
	[-V3_ERR_DENIED] = "forbidden by firmware or policy",
	[-V3_ERR_TIMEOUT] = "timed out",
	[-V3_ERR_AGAIN] = "nothing yet",
	[-V3_ERR_INTERNAL] = "internal check failed",
};

static const char *const exit_names[V3_EXIT_COUNT] = {
	[V3_EXIT_NONE] = "none",
	[V3_EXIT_INTR] = "intr",
	[V3_EXIT_NMI] = "nmi",
	[V3_EXIT_SMI] = "smi",
	[V3_EXIT_INIT] = "init",
	[V3_EXIT_INTR_WINDOW] = "intr_window",
	[V3_EXIT_NMI_WINDOW] = "nmi_window",
	[V3_EXIT_HLT] = "hlt",
	[V3_EXIT_PAUSE] = "pause",
	[V3_EXIT_CPUID] = "cpuid",
	[V3_EXIT_RDMSR] = "rdmsr",
	[V3_EXIT_WRMSR] = "wrmsr",
	[V3_EXIT_IO] = "io",
	[V3_EXIT_NESTED_FAULT] = "nested_fault",
	[V3_EXIT_CR] = "cr",
	[V3_EXIT_DR] = "dr",
	[V3_EXIT_XSETBV] = "xsetbv",
	[V3_EXIT_INVD] = "invd",
	[V3_EXIT_HYPERCALL] = "hypercall",
	[V3_EXIT_EXCEPTION] = "exception",
	[V3_EXIT_SHUTDOWN] = "shutdown",
	[V3_EXIT_UNDEFINED] = "undefined",
	[V3_EXIT_MACHINE_CHECK] = "machine_check",
	[V3_EXIT_INVALID] = "invalid",
	[V3_EXIT_UNKNOWN] = "unknown",
	[V3_EXIT_EMULATE] = "emulate",
	[V3_EXIT_INTC] = "intc",
};

const char *v3_status_str(enum v3_status status)
{
	int index = -(int)status;

	if (index < 0 || (size_t)index >= sizeof(status_names) / sizeof(status_names[0]))
		return "unknown status";
	return status_names[index];
}

const char *v3_exit_name(enum v3_exit_kind kind)
{
	return (unsigned int)kind < V3_EXIT_COUNT ? exit_names[kind] : "out of range";
}
