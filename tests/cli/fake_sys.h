/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The v3 module, in memory: as strict as the real one about what it is given, with guests that
 * follow a plan. Defines v3_sys.
 */
#ifndef V3_FAKE_SYS_H
#define V3_FAKE_SYS_H

#include "device.h"

/* What guests do, and what goes wrong. Zero: a guest that powers off at once. */
struct fake_plan {
	/* Written to the console at the start. */
	const char *output;
	size_t output_len; /* 0: strlen */
	/* After the output the guest echoes its input until this byte (0: no echo). */
	char echo_until;
	/* The guest then goes on until it is stopped. */
	bool spins;
	/* Its console has something to read whenever one looks, until then. */
	bool floods;
	enum v3_end_kind end_kind; /* NONE stands for POWEROFF */
	uint32_t end_code;
	const char *reason;
	/* It resets itself that many times before it ends as above. */
	unsigned int resets;
	/* errno of open("/dev/v3"). */
	int open_errno;
	/* This request fails with that errno, status and message. */
	unsigned long fail_request;
	int fail_errno;
	const char *fail_message;
	/* Version the module claims; 0: ours. */
	uint32_t abi_version;
	/* Name that is taken already. */
	const char *taken;
	/* Called when a guest starts. */
	void (*on_start)(int arg);
	int on_start_arg;
	/* A load request takes that long, telling of progress. */
	unsigned int load_ms;
	/* What V3_IOC_CAPS tells. */
	int32_t host_status;
	const char *host_message;
	uint32_t cpu1_status;
	uint64_t cpu1_yield_ns;		/* a guest owns CPU 1 and yields so often; 0: none does */
	/*
	 * The note that V3_IOC_NOTE gives back, in place of the one that was written; by user ours
	 * + note_uid.
	 */
	const char *note;
	uint32_t note_uid;
	/* V3_IOC_INSPECT answers with numbers that make no sense. */
	bool inspect_wrong;
	/* What it says of a leaf of the nested tables. */
	uint32_t nested_access;
};

/* What the command did, for tests to look at. Of the last VM. */
struct fake_seen {
	struct v3_ioc_create create;
	struct v3_ioc_load_linux load_linux;
	struct v3_ioc_load_segments load_segments;
	bool load_multiboot; /* it was that request */
	char modules[512];   /* its modules: "string=contents;" each */
	char cmdline[2048];
	unsigned int creates, loads, starts, detaches, destroys, resets, nmis;
	int nmi_vcpu;
	/* The trace was turned on before the first start. */
	bool traced_from_start;
	/* Standard input was a terminal in raw mode when a guest had echoed. */
	bool tty_was_raw;
};

extern struct fake_plan fake_plan;
extern struct fake_seen fake_seen;

/* Complains and ends the process if descriptors are open or VMs exist that are not detached. */
void fake_check_leaks(void);

#endif
