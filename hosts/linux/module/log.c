/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Messages: to the kernel's log, and to the caller of the request that they belong to. */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/smp.h>

#include "lx.h"

static unsigned int log_level = V3_LOG_INFO;
module_param(log_level, uint, 0644);
MODULE_PARM_DESC(log_level,
		 "Most verbose level that is logged: 0 error, 1 warning, 2 info, 3 debug, 4 trace (default 2)");

static DEFINE_RAW_SPINLOCK(calls_lock);
static LIST_HEAD(calls);

/* The call on whose behalf this CPU runs a cross-call. Only used with interrupts off. */
static DEFINE_PER_CPU(struct v3_lx_call *, remote_call);

void v3_lx_call_begin(struct v3_lx_call *call)
{
	unsigned long flags;

	memset(call, 0, sizeof(*call));
	call->task = current;
	raw_spin_lock_irqsave(&calls_lock, flags);
	list_add(&call->link, &calls);
	raw_spin_unlock_irqrestore(&calls_lock, flags);
}

void v3_lx_call_end(struct v3_lx_call *call)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&calls_lock, flags);
	list_del(&call->link);
	raw_spin_unlock_irqrestore(&calls_lock, flags);
}

/* With interrupts off. */
static struct v3_lx_call *find_call(void)
{
	struct v3_lx_call *call = __this_cpu_read(remote_call);
	const struct v3_lx_vm *vm;

	if (call || !in_task())
		return call;
	vm = v3_lx_thread_vm();
	list_for_each_entry(call, &calls, link)
		if (call->task == current || (vm && call->vm == vm))
			return call;
	return NULL;
}

struct v3_lx_call *v3_lx_call_current(void)
{
	struct v3_lx_call *call;
	unsigned long flags;

	raw_spin_lock_irqsave(&calls_lock, flags);
	call = find_call();
	raw_spin_unlock_irqrestore(&calls_lock, flags);
	return call;
}

/* Joins lines by "; " as long as there is room. */
static void call_append(const char *line)
{
	struct v3_lx_call *call;
	unsigned long flags;
	size_t len;

	if (!strncmp(line, "v3: ", 4))
		line += 4;
	raw_spin_lock_irqsave(&calls_lock, flags);
	call = find_call();
	if (call) {
		len = strlen(call->log);
		scnprintf(call->log + len, sizeof(call->log) - len, "%s%s", len ? "; " : "", line);
	}
	raw_spin_unlock_irqrestore(&calls_lock, flags);
}

void v3_lx_log(void *ctx, enum v3_log_level level, const char *line)
{
	if (level <= V3_LOG_WARN)
		call_append(line);
	if (level > log_level)
		return;
	switch (level) {
	case V3_LOG_ERROR:
		printk(KERN_ERR "%s\n", line);
		break;
	case V3_LOG_WARN:
		printk(KERN_WARNING "%s\n", line);
		break;
	case V3_LOG_INFO:
		printk(KERN_INFO "%s\n", line);
		break;
	default:
		/* asked for by log_level, so not hidden at the level of debug messages */
		printk(KERN_INFO "%s\n", line);
		break;
	}
}

void v3_lx_logf(enum v3_log_level level, const char *fmt, ...)
{
	char line[200];
	va_list args;
	int len = scnprintf(line, sizeof(line), "v3: ");

	va_start(args, fmt);
	vscnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	v3_lx_log(NULL, level, line);
}

enum v3_status v3_lx_fail(struct v3_lx_call *call, enum v3_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(call->message, sizeof(call->message), fmt, args);
	va_end(args);
	return status;
}

struct remote {
	void (*fn)(void *arg);
	void *arg;
	struct v3_lx_call *call;
};

static void run_remote(void *data)
{
	struct remote *remote = data;
	struct v3_lx_call *outer = __this_cpu_read(remote_call);

	__this_cpu_write(remote_call, remote->call);
	remote->fn(remote->arg);
	__this_cpu_write(remote_call, outer);
}

enum v3_status v3_lx_cpu_call(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	struct remote remote = { .fn = fn, .arg = arg, .call = v3_lx_call_current() };

	if (cpu >= nr_cpu_ids || smp_call_function_single(cpu, run_remote, &remote, 1))
		return V3_ERR_NOENT;
	return V3_OK;
}
