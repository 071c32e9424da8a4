/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 version.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

int v3_cmd_version(int argc, char **argv)
{
	struct v3_ioc_version version = { 0 };
	struct v3_msg msg;
	int dev, err;

	v3_parse_simple(argc, argv,
			"Shows the versions of this command and of the module, if it is loaded.",
			NULL, NULL);
	printf("v3 %s (interface %u)\n", V3_VERSION_STRING, V3_IOC_ABI_VERSION);
	/* Not v3_dev_open(): a module of another version is just what this is to show. */
	dev = v3_sys->open(V3_DEV_PATH, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		printf("module: %s\n", errno == ENOENT ? "not loaded" : strerror(errno));
		return V3_CMD_OK;
	}
	err = v3_dev_call(dev, V3_IOC_VERSION, &version, &msg);
	v3_dev_close(dev);
	if (err) {
		v3_err("%s", msg.text);
		return V3_CMD_FAILED;
	}
	printf("module: v3 %.*s (interface %u), back end %.*s\n", (int)sizeof(version.version),
	       version.version, version.abi_version, (int)sizeof(version.backend),
	       version.backend[0] ? version.backend : "none");
	return V3_CMD_OK;
}
