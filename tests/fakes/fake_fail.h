/* SPDX-License-Identifier: BSD-2-Clause */
/* How a fake ends a test whose subject broke a rule. */
#ifndef V3_FAKES_FAKE_FAIL_H
#define V3_FAKES_FAKE_FAIL_H

/*
 * Reports a broken rule. Prints it and aborts, unless a test of the fakes themselves (or a test
 * that wants a rule to be broken) has installed a handler; if that returns, so does this.
 */
void v3_fake_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* NULL: print and abort. Not to be changed while other threads run. */
void v3_fake_set_fail_handler(void (*handler)(const char *message));

#endif
