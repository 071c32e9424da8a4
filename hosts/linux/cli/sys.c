/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real system behind struct v3_sys.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "device.h"

static int sys_open(const char *path, int flags)
{
	return open(path, flags);
}

static int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static const struct v3_sys real_sys = {
	.open = sys_open,
	.ioctl = sys_ioctl,
	.close = close,
};

const struct v3_sys *v3_sys = &real_sys;
