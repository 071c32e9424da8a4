/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The escape key of consoles, Ctrl-], and what comes after it.
 */
#ifndef V3_CLI_ESCAPE_H
#define V3_CLI_ESCAPE_H

#include <stdbool.h>

#define V3_ESCAPE_KEY 0x1D

enum v3_escape_action {
	V3_KEY_PASS,   /* give the byte to the guest */
	V3_KEY_NONE,   /* nothing to do */
	V3_KEY_HELP,   /* ?: show the keys */
	V3_KEY_DETACH, /* d: leave the console, the guest goes on */
	V3_KEY_STOP,   /* q: stop the guest */
	V3_KEY_PAUSE,  /* p: pause or resume the guest */
};

/* Whether the escape key was the last one. */
struct v3_escape {
	bool pending;
};

enum v3_escape_action v3_escape_key(struct v3_escape *escape, unsigned char key);

#endif
