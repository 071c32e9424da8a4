/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stamp MARK COMMAND... - runs COMMAND, passes its output on, and says at the end how many TSC
 * ticks went from just before its start until MARK was in its output, and until it ended. In the
 * lab's counting mode a tick is an instruction. Ends with COMMAND's status.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

static char seen[1 << 16];
static size_t seen_size;

/* Keeps the first output and looks for the mark in it. */
static int find_mark(const char *mark, const char *data, size_t size)
{
	if (size > sizeof(seen) - seen_size)
		size = sizeof(seen) - seen_size;
	memcpy(seen + seen_size, data, size);
	seen_size += size;
	return memmem(seen, seen_size, mark, strlen(mark)) != NULL;
}

static void pass_on(const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(STDOUT_FILENO, data, size);

		if (n <= 0)
			exit(1);
		data += n;
		size -= (size_t)n;
	}
}

int main(int argc, char **argv)
{
	uint64_t start, now, first = 0;
	static char buffer[4096];
	int pipes[2], status;
	ssize_t n;
	pid_t pid;

	if (argc < 3 || pipe(pipes) < 0)
		return 125;
	start = __rdtsc();
	pid = fork();
	if (pid < 0)
		return 125;
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(126);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], buffer, sizeof(buffer))) > 0) {
		now = __rdtsc();
		if (!first && find_mark(argv[1], buffer, (size_t)n))
			first = now - start;
		pass_on(buffer, (size_t)n);
	}
	if (waitpid(pid, &status, 0) < 0)
		return 125;
	now = __rdtsc() - start;
	if (first)
		printf("\nstamp: first=%llu total=%llu\n", (unsigned long long)first,
		       (unsigned long long)now);
	else
		printf("\nstamp: '%s' never came\n", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
