/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * giveback MARK HOOK COMMAND... - runs COMMAND and passes its output on. When MARK has been in it,
 * runs HOOK by the shell, with the process of COMMAND in $PID, then ends COMMAND by SIGTERM. Says
 * how many TSC ticks went from its start to MARK, and from the signal to its end, after which
 * its memory is the host's again. In the lab's counting mode a tick is an instruction.
 */
#define _GNU_SOURCE
#include <signal.h>
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

static pid_t start(char **argv, int *out)
{
	int pipes[2];
	pid_t pid;

	if (pipe(pipes) < 0)
		exit(125);
	pid = fork();
	if (pid < 0)
		exit(125);
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(126);
	}
	close(pipes[1]);
	*out = pipes[0];
	return pid;
}

static void run_hook(const char *hook, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	setenv("PID", text, 1);
	fflush(stdout);
	if (system(hook) != 0) {
		printf("giveback: '%s' failed\n", hook);
		kill(pid, SIGKILL);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	uint64_t begin, first = 0, end = 0;
	static char buffer[4096];
	int out, status;
	ssize_t n;
	pid_t pid;

	if (argc < 4)
		return 125;
	begin = __rdtsc();
	pid = start(argv + 3, &out);
	while ((n = read(out, buffer, sizeof(buffer))) > 0) {
		uint64_t now = __rdtsc();

		fwrite(buffer, 1, (size_t)n, stdout);
		if (first || !find_mark(argv[1], buffer, (size_t)n))
			continue;
		first = now - begin;
		run_hook(argv[2], pid);
		end = __rdtsc();
		kill(pid, SIGTERM);
	}
	if (waitpid(pid, &status, 0) < 0)
		return 125;
	if (!first) {
		printf("\ngiveback: '%s' never came\n", argv[1]);
		return 1;
	}
	printf("\ngiveback: first=%llu end=%llu\n", (unsigned long long)first,
	       (unsigned long long)(__rdtsc() - end));
	return 0;
}
