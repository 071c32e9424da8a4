/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux bzImage: enough of its header to tell it from other files and to complain early.
 * Loading is libv3's work.
 */
#ifndef V3_CLI_BZIMAGE_H
#define V3_CLI_BZIMAGE_H

#include <v3/boot.h>

#include "cli.h"

/* True if the file has the setup header's magic, sound or not. */
bool v3_bzimage_detect(const void *data, size_t size);

/*
 * Checks the header against the file's size and the entry asked for. Returns 0, or -1 with a
 * message.
 */
int v3_bzimage_check(const void *data, size_t size, enum v3_linux_entry entry, struct v3_msg *msg);

#endif
