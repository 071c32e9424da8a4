/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/v3: requests and their messages.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int v3_dev_call(int fd, unsigned long request, void *arg, struct v3_msg *msg)
{
	struct v3_ioc_head *head = arg;
	int err;

	/* The request's number holds the structure's size. */
	head->struct_size = _IOC_SIZE(request);
	if (!v3_sys->ioctl(fd, request, arg))
		return 0;
	err = errno ? errno : EIO;
	head->message[sizeof(head->message) - 1] = 0;
	if (head->message[0])
		v3_msg_set(msg, "%s", v3_printable(head->message));
	else if (err == ENODEV)
		v3_msg_set(msg, "the VM is gone: it was destroyed");
	else if (err == ENOTTY)
		v3_msg_set(msg,
			   "the v3 module does not know request %#lx: command and module are of "
			   "different versions",
			   request);
	else
		v3_msg_set(msg, "the v3 module failed: %s", strerror(err));
	return -err;
}

static int open_error(int err, struct v3_msg *msg)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return v3_msg_set(msg,
				  "%s is not there: load the v3 module (modprobe v3, or insmod "
				  "v3.ko); 'v3 doctor' tells more",
				  V3_DEV_PATH);
	case EACCES:
	case EPERM:
		return v3_msg_set(msg,
				  "no permission to use %s: be root, or let an administrator give "
				  "you access to it",
				  V3_DEV_PATH);
	default:
		return v3_msg_set(msg, "%s: %s", V3_DEV_PATH, strerror(err));
	}
}

int v3_dev_open(struct v3_msg *msg)
{
	struct v3_ioc_version version = { 0 };
	int fd = v3_sys->open(V3_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return open_error(errno, msg);
	if (v3_dev_call(fd, V3_IOC_VERSION, &version, msg)) {
		v3_dev_close(fd);
		return -1;
	}
	if (version.abi_version != V3_IOC_ABI_VERSION) {
		v3_dev_close(fd);
		return v3_msg_set(msg,
				  "the v3 module speaks interface version %u, this command %u: "
				  "install matching ones",
				  version.abi_version, V3_IOC_ABI_VERSION);
	}
	return fd;
}

int v3_dev_vm(const char *name, struct v3_msg *msg)
{
	struct v3_ioc_open request = { 0 };
	int fd;

	if (strlen(name) >= sizeof(request.name))
		return v3_msg_set(msg, "no VM is called '%s': names are shorter",
				  v3_printable(name));
	strcpy(request.name, name);
	fd = v3_dev_open(msg);
	if (fd < 0)
		return -1;
	if (v3_dev_call(fd, V3_IOC_OPEN, &request, msg))
		request.fd = -1;
	v3_dev_close(fd);
	return request.fd;
}

int v3_dev_control(int fd, unsigned long request, struct v3_msg *msg)
{
	struct v3_ioc_control control = { 0 };

	return v3_dev_call(fd, request, &control, msg);
}

int v3_dev_state(int fd, struct v3_ioc_state *state, struct v3_msg *msg)
{
	*state = (struct v3_ioc_state){ 0 };
	return v3_dev_call(fd, V3_IOC_STATE, state, msg);
}

void v3_dev_close(int fd)
{
	if (fd >= 0)
		v3_sys->close(fd);
}

const char *v3_state_name(unsigned int state)
{
	static const char *const names[] = {
		[V3_VM_CREATED] = "created",
		[V3_VM_RUNNING] = "running",
		[V3_VM_PAUSED] = "paused",
		[V3_VM_STOPPED] = "stopped",
	};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *v3_end_name(unsigned int kind)
{
	static const char *const names[] = {
		[V3_END_NONE] = "none",
		[V3_END_EXIT] = "exit",
		[V3_END_POWEROFF] = "power-off",
		[V3_END_RESET] = "reset",
		[V3_END_CRASH] = "crash",
		[V3_END_KILLED] = "stopped",
		[V3_END_ERROR] = "error",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}
