/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of the fakes: that a broken rule is found. */
#ifndef EXPECT_FAIL_H
#define EXPECT_FAIL_H

#include <stdio.h>
#include <string.h>

#include "fakes/fake_fail.h"

static unsigned int failures;
static char last_failure[512];

static void count_failure(const char *message)
{
	failures++;
	snprintf(last_failure, sizeof(last_failure), "%s", message);
}

/* The statement must be reported exactly once, with this text in the message. */
#define EXPECT_FAIL(text, statement) \
	do { \
		failures = 0; \
		last_failure[0] = '\0'; \
		v3_fake_set_fail_handler(count_failure); \
		statement; \
		v3_fake_set_fail_handler(NULL); \
		if (failures != 1 || !strstr(last_failure, text)) \
			fail_msg("%u failures, the last one: '%s', not '%s'", failures, last_failure, \
				 text); \
	} while (0)

#endif
