/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main(), apart from v3_main() for the tests' sake.
 */
#include <fcntl.h>
#include <unistd.h>

#include "commands.h"

/* /dev/v3 must not become standard input or output because the caller closed them. */
static void open_standard(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(V3_RUN_FAILED);
}

int main(int argc, char **argv)
{
	open_standard();
	return v3_main(argc, argv);
}
