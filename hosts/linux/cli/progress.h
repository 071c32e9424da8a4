/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bar for load requests that take a while.
 */
#ifndef V3_CLI_PROGRESS_H
#define V3_CLI_PROGRESS_H

#include "device.h"

/* Images from this size on get a bar. */
#define V3_PROGRESS_MIN (16ull << 20)

/*
 * As v3_dev_call() for a load request of @bytes, with a bar if they are many and stderr is a
 * terminal.
 */
int v3_progress_call(int vm, unsigned long request, void *arg, uint64_t bytes, struct v3_msg *msg);

/* One line of the bar, without the carriage return, in V3_PROGRESS_TEXT bytes. Returns buf. */
#define V3_PROGRESS_TEXT 96
char *v3_progress_text(uint64_t done, uint64_t total, char *buf);

#endif
