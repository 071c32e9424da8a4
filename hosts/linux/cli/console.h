/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A console: bytes between the guest and our standard input and output, until something ends it.
 */
#ifndef V3_CLI_CONSOLE_H
#define V3_CLI_CONSOLE_H

#include <limits.h>

#include "device.h"

/* Why v3_console_run() returned. */
enum v3_console_end {
	V3_CONSOLE_ENDED,   /* the guest stopped, all its output was written */
	V3_CONSOLE_DETACH,  /* the user left */
	V3_CONSOLE_STOP,    /* the user wants it stopped, by the escape key */
	V3_CONSOLE_SIGNAL,  /* SIGINT, SIGTERM, SIGHUP or SIGQUIT came */
	V3_CONSOLE_TIMEOUT, /* the deadline passed */
	V3_CONSOLE_OUTPUT,  /* our output cannot be written any more */
};

/* Bytes on their way. */
struct v3_console_buffer {
	char bytes[PIPE_BUF];
	size_t start, end;
};

struct v3_console {
	int vm;           /* for pausing */
	int fd;           /* the console */
	uint64_t deadline; /* CLOCK_MONOTONIC nanoseconds, 0: none; set by the caller */
	struct v3_console_buffer out; /* read from the guest, not written yet */
};

/*
 * Catches the signals above, and SIGPIPE, from here on. Call it before the guest starts, so that
 * none of them is lost. Once is enough, twice does no harm.
 */
void v3_console_signals(void);

/* Opens console 0 of @vm. Returns 0, or -1 with a message. */
int v3_console_open(struct v3_console *console, int vm, struct v3_msg *msg);
void v3_console_close(struct v3_console *console);

/* Attaches standard input and output until something ends it. */
enum v3_console_end v3_console_run(struct v3_console *console);

/*
 * Writes what a stopped guest said before. Gives up at a signal, or after two seconds if nobody
 * takes it; whether all was written.
 */
bool v3_console_drain(struct v3_console *console);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t v3_clock(void);

#endif
