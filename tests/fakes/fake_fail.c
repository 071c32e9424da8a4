/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fakes/fake_fail.h"

static void (*fail_handler)(const char *message);

void v3_fake_set_fail_handler(void (*handler)(const char *message))
{
	fail_handler = handler;
}

void v3_fake_fail(const char *fmt, ...)
{
	char message[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);

	if (fail_handler) {
		fail_handler(message);
		return;
	}
	fflush(stdout);
	fprintf(stderr, "FAKE: %s\n", message);
	abort();
}
