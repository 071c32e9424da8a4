/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal in raw mode.
 */
#ifndef V3_CLI_TTY_H
#define V3_CLI_TTY_H

#include <stdbool.h>
#include <termios.h>

struct v3_tty {
	int fd;
	/* True while it is in raw mode. */
	bool raw;
	struct termios saved;
};

/* Puts @fd into raw mode if it is a terminal and we are in the foreground; else does nothing. */
void v3_tty_raw(struct v3_tty *tty, int fd);
/* Raw again, after something else may have changed it (a shell, while we were stopped). */
void v3_tty_again(struct v3_tty *tty);
void v3_tty_restore(struct v3_tty *tty);

/* True if reading @fd would stop us: it is our terminal, but we are in the background. */
bool v3_tty_background(int fd);

#endif
