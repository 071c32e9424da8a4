/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: one line, one write, nothing that a terminal would act on.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int v3_err(const char *fmt, ...)
{
	char line[2 * V3_MSG_MAX] = "v3: ";
	size_t used = strlen(line);
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line + used, sizeof(line) - used - 1, fmt, args);
	va_end(args);
	if (len > 0)
		used += (size_t)len < sizeof(line) - used - 1 ? (size_t)len
							      : sizeof(line) - used - 2;
	line[used++] = '\n';
	/* Nothing can be done when stderr is gone. */
	if (write(STDERR_FILENO, line, used) < 0)
		return -1;
	return -1;
}

int v3_msg_set(struct v3_msg *msg, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(msg->text, sizeof(msg->text), fmt, args);
	va_end(args);
	return -1;
}

const char *v3_printable(const char *text)
{
	/* Room for the longest message of the module. */
	static _Thread_local char buffers[4][320];
	static _Thread_local unsigned int turn;
	char *out = buffers[turn++ % 4];
	size_t i;

	for (i = 0; text[i] && i < sizeof(buffers[0]) - 4; i++)
		out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
	strcpy(out + i, text[i] ? "..." : "");
	return out;
}
