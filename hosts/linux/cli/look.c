/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects what is known about a virtual CPU, and names what its numbers mean.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_text.h"
#include "spec.h"

const char *const v3_gpr_names[16] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};
const char *const v3_seg_names[V3_SEG_COUNT] = {
	"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr",
};

const char *v3_page_end_name(unsigned int end)
{
	static const char *const names[] = {
		[V3_PAGE_MAPPED] = "mapped",
		[V3_PAGE_NOT_PRESENT] = "not present",
		[V3_PAGE_RESERVED] = "reserved bit set",
		[V3_PAGE_TABLE_NOT_RAM] = "the table is not in memory",
		[V3_PAGE_NOT_CANONICAL] = "no address of this mode",
	};

	return end < sizeof(names) / sizeof(names[0]) ? names[end] : "unknown";
}

const char *v3_mem_kind_name(unsigned int kind)
{
	static const char *const names[] = {
		[V3_PAGE_NOTHING] = "nothing", [V3_MEM_RAM] = "ram", [V3_MEM_ROM] = "rom",
		[V3_MEM_MMIO] = "device",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

const char *v3_activity_name(unsigned int activity)
{
	static const char *const names[] = {
		[V3_VCPU_RUNS] = "runs", [V3_VCPU_HALTED] = "in HLT",
		[V3_VCPU_WAITS_SIPI] = "waits for a start-up IPI",
	};

	return activity < sizeof(names) / sizeof(names[0]) ? names[activity] : "unknown";
}

/* What is known without a trace: exits, and no more of them than there are. */
static void take_exits(struct v3_look *look)
{
	look->num_events = look->at.num_exits;
	memcpy(look->events, look->at.exits, sizeof(look->at.exits));
}

/* The end of the trace while it is on; that it never was is no error. */
static int get_events(const struct v3_target *target, struct v3_look *look, struct v3_msg *msg)
{
	struct v3_trace_event *all = v3_xmalloc(V3_IOC_TRACE_MAX * sizeof(*all));
	uint64_t position = 0, lost;
	unsigned int count, keep;
	bool on = false;
	int err = v3_trace_get(target, look->vcpu, &position, all, &count, &lost, &on, msg);

	if (on && count) {
		keep = count < V3_INSPECT_EXITS ? count : V3_INSPECT_EXITS;
		memcpy(look->events, all + count - keep, keep * sizeof(*all));
		look->num_events = keep;
	} else {
		take_exits(look);
	}
	look->traced = on && count;
	free(all);
	return err == -ENOENT ? 0 : err;
}

/* The module's numbers are taken as they are, but for those that index something. */
static void check(struct v3_vcpu_inspection *at)
{
	if (at->code.before > V3_INSPECT_BYTES)
		at->code.before = 0;
	if (at->code.count > V3_INSPECT_BYTES)
		at->code.count = 0;
	if (at->stack.count > V3_INSPECT_BYTES)
		at->stack.count = 0;
	if (at->walk.num_levels > V3_PAGE_WALK_LEVELS)
		at->walk.num_levels = 0;
	if (at->num_exits > V3_INSPECT_EXITS)
		at->num_exits = 0;
}

int v3_look_get(const struct v3_target *target, unsigned int vcpu, const uint64_t *address,
		struct v3_look *look, struct v3_msg *msg)
{
	struct v3_ioc_inspect request = {
		.vcpu = vcpu, .size = sizeof(look->at), .inspection = (uintptr_t)&look->at,
		.address = address ? *address : 0,
	};
	int err;

	memset(look, 0, sizeof(*look));
	look->vcpu = vcpu;
	err = v3_dev_call(target->vm, V3_IOC_INSPECT, &request, msg);
	if (!err && !address) {
		/* Where it is was not known before. */
		request = (struct v3_ioc_inspect){
			.vcpu = vcpu, .size = sizeof(look->at), .inspection = (uintptr_t)&look->at,
			.address = look->at.code.gva,
		};
		err = v3_dev_call(target->vm, V3_IOC_INSPECT, &request, msg);
	}
	if (err)
		return err;
	check(&look->at);
	err = get_events(target, look, msg);
	look->num_lines = -1;
	if (look->at.code.count || look->at.code.before)
		look->num_lines = v3_disasm(&look->at.code, look->at.bits, look->lines, &look->why);
	else
		v3_msg_set(&look->why, "there is no memory at RIP");
	return err;
}
