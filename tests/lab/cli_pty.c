/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli_pty SECONDS [TEXT KEYS]... -- COMMAND [ARGUMENT]...
 *
 * Runs COMMAND on a terminal of its own. For each pair: waits until TEXT has shown up, then
 * types KEYS. In KEYS "^]" stands for Ctrl-], "^M" for return, "^C" for Ctrl-C. Copies the
 * terminal's output and ends with COMMAND's status; 124 when SECONDS are over, 125 when COMMAND
 * ended before all texts were seen. In front of COMMAND's end it says whether the terminal was
 * left as it was.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

static char seen[1 << 20];
static size_t seen_len, seen_from;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void type(int fd, const char *keys)
{
	char key;

	for (; *keys; keys++) {
		key = *keys;
		if (key == '^' && keys[1])
			key = *++keys & 0x1F;
		if (write(fd, &key, 1) != 1)
			return;
	}
}

/* Reads once; false at the end of the output. */
static int take(int fd)
{
	ssize_t count = read(fd, seen + seen_len, sizeof(seen) - 1 - seen_len);

	if (count <= 0)
		return 0;
	if (write(STDOUT_FILENO, seen + seen_len, (size_t)count) != count)
		exit(125);
	seen_len += (size_t)count;
	seen[seen_len] = 0;
	return 1;
}

int main(int argc, char **argv)
{
	struct termios before, after;
	struct pollfd poll_fd;
	double deadline;
	int fd, child_fd, status, next = 2, end = 2, same;
	char *found;
	pid_t pid;

	while (end < argc && strcmp(argv[end], "--"))
		end++;
	if (end + 1 >= argc || (end - 2) % 2)
		return 126;
	deadline = now() + atof(argv[1]);
	if (openpty(&fd, &child_fd, NULL, NULL, NULL))
		return 126;
	tcgetattr(child_fd, &before);
	pid = fork();
	if (!pid) {
		close(fd);
		login_tty(child_fd);
		execvp(argv[end + 1], argv + end + 1);
		_exit(127);
	}
	/* child_fd stays open: the terminal's mode is looked at afterwards. */
	poll_fd = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (;;) {
		while (next < end && (found = strstr(seen + seen_from, argv[next]))) {
			seen_from = (size_t)(found - seen) + strlen(argv[next]);
			type(fd, argv[next + 1]);
			next += 2;
		}
		if (now() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			printf("cli_pty: timeout, waiting for '%s'\n",
			       next < end ? argv[next] : "the end");
			return 124;
		}
		if (poll(&poll_fd, 1, 100) > 0 && !take(fd))
			break;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			while (poll(&poll_fd, 1, 0) > 0 && take(fd))
				;
			break;
		}
	}
	same = !tcgetattr(child_fd, &after) && before.c_lflag == after.c_lflag &&
	       before.c_iflag == after.c_iflag && before.c_oflag == after.c_oflag;
	printf("\ncli_pty: the terminal is %s\n", same ? "as before" : "changed");
	while (next < end && (found = strstr(seen + seen_from, argv[next]))) {
		seen_from = (size_t)(found - seen) + strlen(argv[next]);
		next += 2;
	}
	if (next < end) {
		printf("cli_pty: '%s' was not seen\n", argv[next]);
		return 125;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
