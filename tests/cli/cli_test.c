/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of the command inside a test.
 */
#include "cli_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "build_image.h"
#include "commands.h"

#define WORDS_MAX 32
/* Seconds after which a run hangs. */
#define LIMIT 20

static char folder[200];

/* Splits a line in place. Returns the number of words. */
static int split(char *line, char **words)
{
	int count = 0;
	char *out;

	while (*line) {
		while (*line == ' ')
			line++;
		if (!*line)
			break;
		words[count++] = out = line;
		assert_true(count < WORDS_MAX);
		while (*line && *line != ' ') {
			if (*line != '\'') {
				*out++ = *line++;
				continue;
			}
			for (line++; *line != '\''; )
				*out++ = *line++;
			line++;
		}
		if (*line)
			line++;
		*out = 0;
	}
	words[count] = NULL;
	return count;
}

/* In the child: all lines, one after another. */
static int run_lines(const char *lines)
{
	char *text = strdup(lines), *line, *save = NULL;
	char *words[WORDS_MAX + 1] = { (char *)"v3" };
	int status = 0, count;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		count = split(line, words + 1);
		words[0] = (char *)"v3";
		status = v3_main(count + 1, words);
		fflush(NULL);
	}
	free(text);
	fake_check_leaks();
	return status;
}

/* What a child leaves for its parent. */
struct child_end {
	struct fake_seen seen;
	bool tty_same;
};

static struct child_end *shared_end(void)
{
	struct child_end *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(seen != MAP_FAILED);
	return seen;
}

static struct child_end *exit_end;
static struct termios tty_before;

static void store_end(void)
{
	struct termios now;

	exit_end->seen = fake_seen;
	exit_end->tty_same = !tcgetattr(STDIN_FILENO, &now) && now.c_lflag == tty_before.c_lflag &&
			     now.c_iflag == tty_before.c_iflag && now.c_oflag == tty_before.c_oflag;
}

static void child(const char *lines, struct child_end *seen)
{
	exit_end = seen;
	/* argp ends the process for --help and mistakes. */
	atexit(store_end);
	alarm(LIMIT);
	exit(run_lines(lines));
}

static void slurp(int fd, char *text, size_t size, size_t *len)
{
	ssize_t count = pread(fd, text, size - 1, 0);

	assert_true(count >= 0);
	text[count] = 0;
	if (len)
		*len = (size_t)count;
	close(fd);
}

static int status_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1000 + WTERMSIG(wait_status);
}

static int memory_file(const char *text)
{
	int fd = memfd_create("test", 0);

	assert_true(fd >= 0);
	if (text && *text)
		assert_true(pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
	return fd;
}

void cli_run(struct cli_result *result, const char *input, const char *lines)
{
	int in = memory_file(input), out = memory_file(NULL), err = memory_file(NULL);
	struct child_end *seen = shared_end();
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(err, 2);
		close(in);
		close(out);
		close(err);
		child(lines, seen);
	}
	assert_true(pid > 0);
	assert_true(waitpid(pid, &status, 0) == pid);
	result->status = status_of(status);
	close(in);
	slurp(out, result->out, sizeof(result->out), &result->out_len);
	slurp(err, result->err, sizeof(result->err), NULL);
	result->seen = seen->seen;
	result->tty_same = seen->tty_same;
	munmap(seen, sizeof(*seen));
}

void cli_run_guest(struct cli_result *result, const char *options, const char *lines)
{
	char all[2048];

	assert_true((size_t)snprintf(all, sizeof(all), "create -n one -m 64MiB %s %s\n%s", options,
				     test_elf_file(), lines) < sizeof(all));
	cli_run(result, "", all);
}

int cli_setup(void **state)
{
	(void)state;
	memset(&fake_plan, 0, sizeof(fake_plan));
	fake_plan.spins = true;
	return 0;
}

static void assert_refused(struct cli_result *result, int status, const char *text,
			   const char *arguments, const char *command)
{
	char line[200];

	snprintf(line, sizeof(line), "%s %s", command, arguments);
	cli_run(result, "", line);
	assert_int_equal(result->status, status);
	if (status == V3_CMD_USAGE)
		assert_has(result->err, text);
	else
		assert_line(result->err, text);
}

void assert_wants_name(struct cli_result *result, const char *command)
{
	char long_name[101];

	snprintf(long_name, sizeof(long_name), "%0100d", 7);
	assert_refused(result, V3_CMD_FAILED, "no VM is called 'nosuch'", "nosuch", command);
	assert_refused(result, V3_CMD_FAILED, "no VM is called", long_name, command);
	assert_refused(result, V3_CMD_USAGE, "the name of a guest is missing", "", command);
	assert_refused(result, V3_CMD_USAGE, "'b' is one too many", "a b", command);
}

/* Reads what the terminal shows until @text is behind @from; false at its end. */
static bool read_until(int fd, struct cli_result *result, const char *text, size_t *from)
{
	ssize_t count;
	const char *found;

	for (;;) {
		found = text ? strstr(result->out + *from, text) : NULL;
		if (found) {
			*from = (size_t)(found - result->out) + strlen(text);
			return true;
		}
		count = read(fd, result->out + result->out_len,
			     sizeof(result->out) - 1 - result->out_len);
		if (count <= 0)
			return false;
		result->out_len += (size_t)count;
		result->out[result->out_len] = 0;
	}
}

void cli_run_tty(struct cli_result *result, const struct cli_step *steps, const char *lines)
{
	struct child_end *seen = shared_end();
	size_t from = 0;
	int fd, status;
	pid_t pid;

	fflush(NULL);
	pid = forkpty(&fd, NULL, NULL, NULL);
	if (!pid) {
		tcgetattr(STDIN_FILENO, &tty_before);
		child(lines, seen);
	}
	assert_true(pid > 0);
	result->out_len = 0;
	result->out[0] = result->err[0] = 0;
	for (; steps->wait_for || steps->send; steps++) {
		if (steps->wait_for && !read_until(fd, result, steps->wait_for, &from))
			fail_msg("'%s' never showed up in: %s", steps->wait_for, result->out);
		if (steps->send)
			assert_true(write(fd, steps->send, strlen(steps->send)) > 0);
	}
	read_until(fd, result, NULL, &from);
	assert_true(waitpid(pid, &status, 0) == pid);
	close(fd);
	result->status = status_of(status);
	result->seen = seen->seen;
	result->tty_same = seen->tty_same;
	munmap(seen, sizeof(*seen));
}

void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

void assert_line(const char *text, const char *part)
{
	const char *end = strchr(text, '\n');

	assert_has(text, part);
	if (!end || end[1])
		fail_msg("not one line: %s", text);
}

const char *test_path(const char *name)
{
	static char paths[8][256];
	static unsigned int turn;
	char *path = paths[turn++ % 8];
	const char *tmp;

	if (!folder[0]) {
		tmp = getenv("TMPDIR");
		assert_true((size_t)snprintf(folder, sizeof(folder), "%s/v3-cli-test.XXXXXX",
					     tmp && *tmp ? tmp : "/tmp") < sizeof(folder));
		assert_non_null(mkdtemp(folder));
	}
	assert_true((size_t)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name) <
		    sizeof(paths[0]));
	return path;
}

const char *test_file(const char *name, const void *data, size_t size)
{
	const char *path = test_path(name);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_true(write(fd, data, size) == (ssize_t)size);
	close(fd);
	return path;
}

const char *test_elf_file(void)
{
	struct test_elf elf;

	test_elf_build(&elf);
	return test_file("kernel.elf", &elf, sizeof(elf));
}

const char *test_bzimage_file(void)
{
	struct test_bzimage image;

	test_bzimage_build(&image);
	return test_file("vmlinuz", &image, sizeof(image));
}

int test_cleanup(void **state)
{
	struct dirent *entry;
	DIR *dir;

	(void)state;
	if (!folder[0])
		return 0;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			remove(test_path(entry->d_name));
	if (dir)
		closedir(dir);
	return rmdir(folder);
}
