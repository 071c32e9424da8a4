/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Console descriptors. What was taken from libv3 and not yet read waits in a buffer of the VM
 * object, so that poll() can tell whether there is something, and the next reader finds it.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lx.h"

struct console_file {
	struct v3_lx_vm *vm;
	unsigned int index;
};

void v3_lx_console_init(struct v3_lx_console *console)
{
	mutex_init(&console->lock);
	init_waitqueue_head(&console->wait);
}

/* Any context. */
void v3_lx_console_notify(void *ctx, struct v3_vm *core, void *vm_ctx, unsigned int index)
{
	struct v3_lx_vm *vm = vm_ctx;
	struct v3_lx_console *console = &vm->consoles[index];

	atomic_set(&console->ready, 1);
	atomic_set(&console->full, 0);
	v3_lx_wake(&console->wait, &vm->notify);
}

static struct v3_lx_console *console_of(const struct console_file *data)
{
	return &data->vm->consoles[data->index];
}

/* Bytes that are there to read. Needs console->lock. */
static unsigned int console_fill(const struct console_file *data)
{
	struct v3_lx_console *console = console_of(data);
	struct v3_vm *core;

	if (console->len)
		return console->len;
	core = v3_lx_vm_enter(data->vm);
	if (!core)
		return 0;
	/* cleared before the look: what comes after it sets it again */
	atomic_set(&console->ready, 0);
	smp_mb__after_atomic();
	console->head = 0;
	console->len = v3_console_read(core, data->index, console->buf, sizeof(console->buf));
	v3_lx_vm_leave(data->vm);
	return console->len;
}

/* -EAGAIN: nothing yet; 0: nothing ever. */
static ssize_t console_read_some(const struct console_file *data, char __user *user, size_t len)
{
	struct v3_lx_console *console = console_of(data);
	/* asked first: what a VM said before it ended is read, too */
	bool ended = v3_lx_vm_ended(data->vm);
	ssize_t ret;

	if (mutex_lock_interruptible(&console->lock))
		return -ERESTARTSYS;
	len = min_t(size_t, len, console_fill(data));
	if (!len) {
		ret = ended ? 0 : -EAGAIN;
	} else if (copy_to_user(user, console->buf + console->head, len)) {
		ret = -EFAULT;
	} else {
		console->head += len;
		console->len -= len;
		ret = len;
	}
	mutex_unlock(&console->lock);
	return ret;
}

static ssize_t console_read(struct file *file, char __user *user, size_t len, loff_t *pos)
{
	const struct console_file *data = file->private_data;
	struct v3_lx_console *console = console_of(data);
	ssize_t ret;

	if (!len)
		return 0;
	for (;;) {
		ret = console_read_some(data, user, len);
		if (ret != -EAGAIN || file->f_flags & O_NONBLOCK)
			return ret;
		if (wait_event_interruptible(console->wait, atomic_read(&console->ready) ||
					     v3_lx_vm_ended(data->vm)))
			return -ERESTARTSYS;
	}
}

/* -EAGAIN: the guest takes nothing now; -EPIPE: nor ever. */
static ssize_t console_write_some(const struct console_file *data, const u8 *buf, size_t len)
{
	struct v3_lx_console *console = console_of(data);
	struct v3_vm *core = v3_lx_vm_enter(data->vm);
	size_t taken = 0;
	bool ended;

	if (!core)
		return -EPIPE;
	ended = v3_vm_state(core, NULL) == V3_VM_STOPPED;
	if (!ended) {
		/* set before the try: room that comes after it clears it again */
		atomic_set(&console->full, 1);
		smp_mb__after_atomic();
		taken = v3_console_write(core, data->index, buf, len);
		if (taken)
			atomic_set(&console->full, 0);
	}
	v3_lx_vm_leave(data->vm);
	if (ended)
		return -EPIPE;
	return taken ? taken : -EAGAIN;
}

static ssize_t console_write(struct file *file, const char __user *user, size_t len, loff_t *pos)
{
	const struct console_file *data = file->private_data;
	struct v3_lx_console *console = console_of(data);
	u8 buf[128];
	ssize_t ret;

	if (!len)
		return 0;
	len = min(len, sizeof(buf));
	if (copy_from_user(buf, user, len))
		return -EFAULT;
	for (;;) {
		ret = console_write_some(data, buf, len);
		if (ret != -EAGAIN || file->f_flags & O_NONBLOCK)
			return ret;
		if (wait_event_interruptible(console->wait, !atomic_read(&console->full) ||
					     v3_lx_vm_ended(data->vm)))
			return -ERESTARTSYS;
	}
}

static __poll_t console_poll(struct file *file, poll_table *table)
{
	const struct console_file *data = file->private_data;
	struct v3_lx_console *console = console_of(data);
	__poll_t events = 0;
	bool ended;

	poll_wait(file, &console->wait, table);
	ended = v3_lx_vm_ended(data->vm);
	mutex_lock(&console->lock);
	if (console_fill(data))
		events |= EPOLLIN | EPOLLRDNORM;
	mutex_unlock(&console->lock);
	if (ended)
		return events | EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	if (!atomic_read(&console->full))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static int console_release(struct inode *inode, struct file *file)
{
	struct console_file *data = file->private_data;

	atomic_set(&console_of(data)->open, 0);
	v3_lx_vm_put(data->vm);
	kfree(data);
	return 0;
}

static const struct file_operations console_fops = {
	.owner = THIS_MODULE,
	.read = console_read,
	.write = console_write,
	.poll = console_poll,
	.release = console_release,
};

enum v3_status v3_lx_console_open(struct v3_lx_call *call, struct v3_lx_vm *vm,
				  struct v3_ioc_console *arg)
{
	struct console_file *data;
	enum v3_status status;

	if (arg->index >= V3_NUM_CONSOLES)
		return v3_lx_fail(call, V3_ERR_NOENT, "VM '%s' has no console %u", vm->name,
				  arg->index);
	data = kzalloc(sizeof(*data), GFP_KERNEL);
	if (!data)
		return V3_ERR_NOMEM;
	if (atomic_xchg(&vm->consoles[arg->index].open, 1)) {
		kfree(data);
		return v3_lx_fail(call, V3_ERR_BUSY,
				  "console %u of VM '%s' is in use by somebody else", arg->index,
				  vm->name);
	}
	data->vm = vm;
	data->index = arg->index;
	kref_get(&vm->ref);
	status = v3_lx_call_file(call, "[v3-console]", &console_fops, data, &arg->fd);
	if (status && !call->file) {
		atomic_set(&vm->consoles[arg->index].open, 0);
		v3_lx_vm_put(vm);
		kfree(data);
	}
	return status;
}
