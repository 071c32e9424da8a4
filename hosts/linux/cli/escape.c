/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The escape key. Twice gives it to the guest; an unknown key behind it shows the help.
 */
#include "escape.h"

enum v3_escape_action v3_escape_key(struct v3_escape *escape, unsigned char key)
{
	if (!escape->pending) {
		escape->pending = key == V3_ESCAPE_KEY;
		return escape->pending ? V3_KEY_NONE : V3_KEY_PASS;
	}
	escape->pending = false;
	switch (key) {
	case V3_ESCAPE_KEY:
		return V3_KEY_PASS;
	case 'd':
	case 'D':
	case '.':
		return V3_KEY_DETACH;
	case 'q':
	case 'Q':
		return V3_KEY_STOP;
	case 'p':
	case 'P':
		return V3_KEY_PAUSE;
	default:
		return V3_KEY_HELP;
	}
}
