/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Checking and dispatch of requests, the same for all descriptors. */
#include <linux/anon_inodes.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lx.h"

static_assert(V3_IOC_VCPUS == V3_MAX_VCPUS);
static_assert(V3_IOC_NAME == V3_NAME_MAX + 1);
static_assert(V3_IOC_REASON == V3_REASON_MAX + 1);
static_assert(V3_IOC_SEGMENTS <= V3_MAX_SEGMENTS);
static_assert(V3_IOC_MODULES < V3_MAX_MODULES);
static_assert(V3_IOC_EXITS >= V3_EXIT_COUNT);
/* Layouts that callers were compiled with; a change needs another V3_IOC_ABI_VERSION. */
static_assert(V3_IOC_ABI_VERSION == 5);
static_assert(sizeof(struct v3_ioc_head) == 272);
static_assert(sizeof(struct v3_ioc_version) == 336);
static_assert(sizeof(struct v3_ioc_cpu) == 208);
static_assert(sizeof(struct v3_ioc_caps) == 600);
static_assert(sizeof(struct v3_ioc_create) == 1912);
static_assert(sizeof(struct v3_ioc_open) == 344);
static_assert(sizeof(struct v3_ioc_list_entry) == 96);
static_assert(sizeof(struct v3_ioc_list) == 288);
static_assert(sizeof(struct v3_ioc_exit_names) == 1816);
static_assert(sizeof(struct v3_ioc_load_linux) == 320);
static_assert(sizeof(struct v3_ioc_load_segments) == 840);
static_assert(sizeof(struct v3_ioc_module) == 32);
static_assert(sizeof(struct v3_ioc_load_multiboot) == 856);
static_assert(sizeof(struct v3_ioc_control) == 272);
static_assert(sizeof(struct v3_ioc_reset) == 280);
static_assert(sizeof(struct v3_ioc_nmi) == 280);
static_assert(sizeof(struct v3_ioc_inspect) == 296);
static_assert(sizeof(struct v3_ioc_trace) == 280);
static_assert(sizeof(struct v3_ioc_trace_read) == 312);
static_assert(sizeof(struct v3_ioc_note) == 296);
static_assert(sizeof(struct v3_ioc_noise) == 704);
static_assert(sizeof(struct v3_ioc_state) == 544);
static_assert(sizeof(struct v3_ioc_vm_stats) == 336);
static_assert(sizeof(struct v3_ioc_vcpu_stats) == 840);
static_assert(sizeof(struct v3_ioc_console) == 280);
static_assert(sizeof(struct v3_ioc_mem_range) == 40);
static_assert(sizeof(struct v3_ioc_mem_use) == 80);
static_assert(sizeof(struct v3_ioc_mem_node) == 64);
static_assert(sizeof(struct v3_ioc_mem_list) == 320);
static_assert(sizeof(struct v3_ioc_mem_take) == 312);
static_assert(sizeof(struct v3_ioc_mem_give) == 304);
static_assert(sizeof(struct v3_ioc_mem_plan) == 288);
static_assert(sizeof(struct v3_ioc_mem_progress) == 296);

static int status_errno(enum v3_status status)
{
	static const int map[] = {
		[-V3_ERR_INVALID] = EINVAL, [-V3_ERR_NOMEM] = ENOMEM,
		[-V3_ERR_NOTSUP] = EOPNOTSUPP, [-V3_ERR_BUSY] = EBUSY,
		[-V3_ERR_STATE] = EPROTO, [-V3_ERR_NOENT] = ENOENT,
		[-V3_ERR_EXIST] = EEXIST, [-V3_ERR_RANGE] = ERANGE,
		[-V3_ERR_FORMAT] = ENOEXEC, [-V3_ERR_IO] = EIO,
		[-V3_ERR_HOOK] = ENOSYS, [-V3_ERR_VERSION] = EPROTONOSUPPORT,
		[-V3_ERR_DENIED] = EPERM, [-V3_ERR_TIMEOUT] = ETIMEDOUT,
		[-V3_ERR_AGAIN] = EAGAIN, [-V3_ERR_INTERNAL] = EUCLEAN,
	};

	if (status > 0 || -status >= (int)ARRAY_SIZE(map) || !map[-status])
		return EUCLEAN;
	return map[-status];
}

enum v3_status v3_lx_check_name(struct v3_lx_call *call, const char *name)
{
	size_t i, len = strnlen(name, V3_IOC_NAME);

	if (!len)
		return v3_lx_fail(call, V3_ERR_INVALID, "the VM's name is empty");
	if (len > V3_NAME_MAX)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "the VM's name is longer than %u characters", V3_NAME_MAX);
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("-_.+", name[i])))
			return v3_lx_fail(call, V3_ERR_INVALID,
					  "character %zu of the VM's name is none of A-Za-z0-9-_.+",
					  i + 1);
	return V3_OK;
}

enum v3_status v3_lx_call_file(struct v3_lx_call *call, const char *name,
			       const struct file_operations *fops, void *data, __s32 *fd)
{
	struct file *file = anon_inode_getfile(name, fops, data, O_RDWR);
	int number;

	if (IS_ERR(file))
		return v3_lx_fail(call, V3_ERR_NOMEM, "cannot make a descriptor: error %ld",
				  PTR_ERR(file));
	number = get_unused_fd_flags(O_CLOEXEC);
	if (number < 0) {
		call->err = number;
		v3_lx_fail(call, V3_ERR_NOMEM, "this process has no file descriptor left");
	}
	/* from here on closing the file ends what was made with it */
	call->file = file;
	call->fd = fd;
	*fd = number;
	return number < 0 ? V3_ERR_NOMEM : V3_OK;
}

/*
 * The descriptor becomes visible only when the caller has its number; else closing it here ends
 * what it stands for, which is why a VM is detached no earlier.
 */
static void settle_file(struct v3_lx_call *call, bool ok)
{
	if (!call->file)
		return;
	if (ok) {
		if (call->detach)
			v3_lx_vm_detach(call->detach);
		fd_install(*call->fd, call->file);
		return;
	}
	if (*call->fd >= 0)
		put_unused_fd(*call->fd);
	fput(call->file);
}

static const struct v3_lx_request *find_request(const struct v3_lx_request *table,
						unsigned int count, unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (table[i].cmd == cmd)
			return &table[i];
	return NULL;
}

static enum v3_status check_head(struct v3_lx_call *call, const struct v3_ioc_head *head,
				 unsigned int size)
{
	if (head->struct_size != size)
		return v3_lx_fail(call, V3_ERR_VERSION,
				  "request with struct_size %u: v3.ko (interface %u) has %u",
				  head->struct_size, V3_IOC_ABI_VERSION, size);
	if (head->reserved || head->reserved2)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	return V3_OK;
}

/* No half of a line at the end of a message that is too long. */
static void cut(char *message)
{
	char *end = strrchr(message, ';');

	if (end && strlen(message) == V3_IOC_MESSAGE - 1)
		*end = 0;
}

/*
 * The best message there is: libv3's own, the module's, or the name of the status. Of a success,
 * what libv3 warns of.
 */
static void set_message(struct v3_ioc_head *head, const struct v3_lx_call *call,
			enum v3_status status, const struct v3_lx_vm *vm)
{
	const char *say = call->message, *log = call->log;

	memset(head->message, 0, sizeof(head->message));
	if (!status)
		strscpy(head->message, log, sizeof(head->message));
	else if (*say && *log)
		scnprintf(head->message, sizeof(head->message), "%s: %s", say, log);
	else if (*say || *log)
		strscpy(head->message, *say ? say : log, sizeof(head->message));
	else if (vm)
		scnprintf(head->message, sizeof(head->message), "VM '%s': %s", vm->name,
			  v3_status_str(status));
	else
		strscpy(head->message, v3_status_str(status), sizeof(head->message));
	cut(head->message);
}

static long run_request(const struct v3_lx_request *request, void *target, struct v3_lx_vm *vm,
			struct v3_ioc_head *head, void __user *user)
{
	unsigned int size = _IOC_SIZE(request->cmd);
	struct v3_lx_call call;
	enum v3_status status;
	bool copied;

	v3_lx_call_begin(&call);
	status = check_head(&call, head, size);
	if (!status)
		status = request->fn(&call, target, head);
	v3_lx_call_end(&call);
	head->status = status;
	set_message(head, &call, status, vm);
	copied = !copy_to_user(user, head, size);
	settle_file(&call, !status && copied);
	if (!copied)
		return -EFAULT;
	if (!status)
		return 0;
	return call.err ? call.err : -status_errno(status);
}

long v3_lx_ioctl(const struct v3_lx_request *table, unsigned int count, void *target,
		 struct v3_lx_vm *vm, unsigned int cmd, unsigned long arg)
{
	const struct v3_lx_request *request = find_request(table, count, cmd);
	void __user *user = (void __user *)arg;
	struct v3_ioc_head *head;
	long ret;

	if (!request)
		return -ENOTTY;
	head = memdup_user(user, _IOC_SIZE(cmd));
	if (IS_ERR(head))
		return PTR_ERR(head);
	ret = run_request(request, target, vm, head, user);
	kfree(head);
	return ret;
}
