/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/v3: the requests of hosts/linux/include/v3_ioctl.h with their messages.
 */
#ifndef V3_CLI_DEVICE_H
#define V3_CLI_DEVICE_H

#include <linux/types.h>
#include <v3/v3.h>

#include "cli.h"
#include "v3_ioctl.h"

/*
 * What the command asks of the system about VMs: this table and nothing else. Tests replace it.
 * Each function is as the system call of its name: -1 and errno on error.
 */
struct v3_sys {
	int (*open)(const char *path, int flags);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	int (*close)(int fd);
};
extern const struct v3_sys *v3_sys;

/*
 * Opens /dev/v3 and checks that the module speaks our version. Returns the descriptor, or -1
 * with a message.
 */
int v3_dev_open(struct v3_msg *msg);

/*
 * Sends a request whose structure begins with struct v3_ioc_head. Fills in struct_size.
 * Returns 0, or -errno with the module's own message or one made from errno.
 */
int v3_dev_call(int fd, unsigned long request, void *arg, struct v3_msg *msg);

/* Opens the VM called @name. Returns its descriptor, or -1 with a message. */
int v3_dev_vm(const char *name, struct v3_msg *msg);

/* One of V3_IOC_START ... V3_IOC_DETACH. */
int v3_dev_control(int fd, unsigned long request, struct v3_msg *msg);

/* State of a VM. */
int v3_dev_state(int fd, struct v3_ioc_state *state, struct v3_msg *msg);

void v3_dev_close(int fd);

/* "created", "running", ...; "crash", "power-off", ...: for lists and JSON. Never NULL. */
const char *v3_state_name(unsigned int state);
const char *v3_end_name(unsigned int kind);

#endif
