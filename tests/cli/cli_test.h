/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of the command inside a test, in a child process, against the fake module.
 */
#ifndef V3_CLI_TEST_H
#define V3_CLI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_sys.h"

/* What a run left. */
struct cli_result {
	int status; /* exit status; 1000 + signal if it died of one */
	char out[65536], err[65536];
	size_t out_len;
	struct fake_seen seen;
	/* cli_run_tty(): the terminal had the same mode at the end as at the start. */
	bool tty_same;
};

/*
 * Runs the commands in @lines, separated by newlines, words by blanks ('...' keeps blanks),
 * each without "v3", one after another in one child with fake_plan. @input is its standard
 * input. The status is that of the last; output of all.
 */
void cli_run(struct cli_result *result, const char *input, const char *lines);

/* The same after "create -n one -m 64MiB OPTIONS KERNEL", with no input. */
void cli_run_guest(struct cli_result *result, const char *options, const char *lines);
/* Test set-up: nothing goes wrong, and guests go on until they are stopped. */
int cli_setup(void **state);
/* Asserts that the command wants the name of one guest that exists. */
void assert_wants_name(struct cli_result *result, const char *command);

/*
 * The same on a terminal of its own: keys are sent one piece after another, each when the text
 * before it has shown up.
 */
struct cli_step {
	const char *wait_for; /* NULL: at once */
	const char *send;     /* NULL: nothing */
};
void cli_run_tty(struct cli_result *result, const struct cli_step *steps, const char *lines);

/* Asserts that @text holds @part. */
void assert_has(const char *text, const char *part);
/* Asserts that @text is one line, and holds @part. */
void assert_line(const char *text, const char *part);

/* A file in the test's own folder, made anew. Returns its path; static buffers, eight in turn. */
const char *test_file(const char *name, const void *data, size_t size);
/* The path of a file there, made or not. */
const char *test_path(const char *name);

/* A small kernel that passes all checks, written to the folder. */
const char *test_elf_file(void);
const char *test_bzimage_file(void);

/* Removes the folder and what is in it. CMocka's group teardown. */
int test_cleanup(void **state);

#endif
