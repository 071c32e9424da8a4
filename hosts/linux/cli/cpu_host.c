/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host itself, and what all files about taking CPUs share.
 */
#include "cpu_host.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int get_affinity(int tid, struct v3_mask *mask)
{
	long size;

	*mask = (struct v3_mask){ 0 };
	/* Not the C library's: its set is smaller than what the kernel may have. */
	size = syscall(SYS_sched_getaffinity, tid, sizeof(mask->word), mask->word);
	return size < 0 ? errno : 0;
}

static int set_affinity(int tid, const struct v3_mask *mask)
{
	return syscall(SYS_sched_setaffinity, tid, sizeof(mask->word), mask->word) ? errno : 0;
}

static unsigned int effective_uid(void)
{
	return geteuid();
}

struct v3_cpu_host v3_cpu_host = {
	.root = "", .get = get_affinity, .set = set_affinity, .uid = effective_uid,
};

void v3_cpu_want(const struct v3_cpu_change *change, const struct v3_mask *old,
		 struct v3_mask *want)
{
	*want = *old;
	v3_mask_less(want, &change->taken);
	if (!v3_mask_empty(want) || v3_mask_empty(old))
		return;
	*want = change->online;
	v3_mask_less(want, &change->taken);
}

const char *v3_cpu_planned(const struct v3_cpu_change *change, const struct v3_cpu_item *item,
			   char *buf)
{
	bool hex = item->kind == V3_CPU_HEX;
	struct v3_mask old, want;

	if (item->kind == V3_CPU_TEXT)
		return v3_mask_empty(&change->taken) ? item->old : item->now;
	if (item->kind == V3_CPU_ONLINE ||
	    !(hex ? v3_mask_parse_hex(item->old, &old) : v3_mask_parse(item->old, &old)))
		return item->old;
	v3_cpu_want(change, &old, &want);
	if (v3_mask_equal(&old, &want))
		return item->old;
	return hex ? v3_mask_hex(&want, buf) : v3_mask_text(&want, buf);
}

void v3_cpu_stays(struct v3_cpu_change *change, const char *fmt, ...)
{
	size_t used = strlen(change->others);
	char text[96];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	change->num_others++;
	if (sizeof(change->others) - used > strlen(text) + 8)
		snprintf(change->others + used, sizeof(change->others) - used, "%s%s",
			 used ? ", " : "", v3_printable(text));
	else if (strcmp(change->others + used - 3, "..."))
		snprintf(change->others + used, sizeof(change->others) - used, " ...");
}

int v3_cpu_online(struct v3_mask *online, struct v3_msg *msg)
{
	static const char path[] = "/sys/devices/system/cpu/online";
	char text[V3_MASK_TEXT];
	int err = v3_cpu_read(v3_cpu_host.root, path, text, sizeof(text));

	if (err)
		return v3_msg_set(msg, "%s: %s", path, strerror(err));
	if (!v3_mask_parse(text, online) || v3_mask_empty(online))
		return v3_msg_set(msg, "%s: '%s' is no list of CPUs", path, v3_printable(text));
	return 0;
}
