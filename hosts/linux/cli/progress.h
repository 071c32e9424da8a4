/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bar for requests that take a while, if stderr is a terminal.
 */
#ifndef V3_CLI_PROGRESS_H
#define V3_CLI_PROGRESS_H

#include "device.h"

/* From this size on there is a bar. */
#define V3_PROGRESS_MIN (16ull << 20)

/* As v3_dev_call() for a load request of @bytes, with a bar if they are many. */
int v3_progress_call(int vm, unsigned long request, void *arg, uint64_t bytes, struct v3_msg *msg);
/* The same for a request of /dev/v3 that takes memory or gives it back. */
int v3_progress_mem_call(int dev, unsigned long request, void *arg, uint64_t bytes,
			 struct v3_msg *msg);

/* Shows a bar now; @what NULL: takes it away. */
void v3_progress_show(const char *what, uint64_t done, uint64_t total);

/* One line of the bar, without the carriage return, in V3_PROGRESS_TEXT bytes. Returns buf. */
#define V3_PROGRESS_TEXT 112
char *v3_progress_text(const char *what, uint64_t done, uint64_t total, char *buf);

#endif
