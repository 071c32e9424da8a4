/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal in raw mode: every key goes to the guest, every byte of the guest to the terminal.
 */
#include "tty.h"

#include <unistd.h>

bool v3_tty_background(int fd)
{
	pid_t group = tcgetpgrp(fd);

	return group >= 0 && group != getpgrp();
}

static void set_raw(struct v3_tty *tty)
{
	struct termios raw = tty->saved;

	cfmakeraw(&raw);
	tcsetattr(tty->fd, TCSADRAIN, &raw);
}

void v3_tty_raw(struct v3_tty *tty, int fd)
{
	tty->fd = fd;
	tty->raw = !tcgetattr(fd, &tty->saved) && !v3_tty_background(fd);
	if (tty->raw)
		set_raw(tty);
}

void v3_tty_again(struct v3_tty *tty)
{
	if (tty->raw && !v3_tty_background(tty->fd))
		set_raw(tty);
}

/*
 * In the background it is somebody else's, who set it as they like, and changing it would stop us.
 */
void v3_tty_restore(struct v3_tty *tty)
{
	if (tty->raw && !v3_tty_background(tty->fd))
		tcsetattr(tty->fd, TCSADRAIN, &tty->saved);
	tty->raw = false;
}
