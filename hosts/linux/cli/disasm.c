/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs v3-disasm: beside this program, or where it was installed. It gets nothing but numbers.
 */
#include "disasm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "v3-disasm"
#ifndef V3_LIBEXEC_DIR
#define V3_LIBEXEC_DIR "/usr/local/libexec/v3"
#endif

/* The program's path in @path, or -1. */
static int find(char path[PATH_MAX + sizeof(PROGRAM)])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (len > 0) {
		path[len] = 0;
		slash = strrchr(path, '/');
		if (slash) {
			strcpy(slash + 1, PROGRAM);
			if (!access(path, X_OK))
				return 0;
		}
	}
	strcpy(path, V3_LIBEXEC_DIR "/" PROGRAM);
	return access(path, X_OK) ? -1 : 0;
}

/* Starts it with its output into a pipe, whose other end is returned; -1 with errno. */
static int start(char *const argv[], pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	err = posix_spawn(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (!err)
		return fds[0];
	close(fds[0]);
	errno = err;
	return -1;
}

static int read_lines(int fd, struct v3_disasm_line *lines)
{
	FILE *file = fdopen(fd, "r");
	char text[256];
	int count = 0;

	if (!file) {
		close(fd);
		return 0;
	}
	while (fgets(text, sizeof(text), file)) {
		struct v3_disasm_line *line = &lines[count];
		int at = 0;

		text[strcspn(text, "\n")] = 0;
		if (count == V3_DISASM_LINES ||
		    sscanf(text, "%" SCNx64 " %u %n", &line->address, &line->length, &at) < 2)
			continue;
		snprintf(line->text, sizeof(line->text), "%.*s", V3_DISASM_TEXT - 1,
			 v3_printable(text + at));
		count++;
	}
	fclose(file);
	return count;
}

int v3_disasm(const struct v3_inspect_bytes *code, unsigned int bits,
	      struct v3_disasm_line lines[V3_DISASM_LINES], struct v3_msg *msg)
{
	char path[PATH_MAX + sizeof(PROGRAM)], mode[8], address[24], before[8];
	char hex[2 * sizeof(code->bytes) + 1] = "";
	char *const argv[] = { path, mode, address, before, hex, NULL };
	unsigned int i, n = 0;
	int fd, count, status;
	pid_t pid;

	if (find(path))
		return v3_msg_set(msg, "the program " PROGRAM " is neither beside this one nor in "
				  V3_LIBEXEC_DIR ": bytes are not disassembled");
	snprintf(mode, sizeof(mode), "%u", bits);
	snprintf(address, sizeof(address), "%" PRIx64, code->gva);
	snprintf(before, sizeof(before), "%u", code->before);
	for (i = V3_INSPECT_BYTES - code->before; i < V3_INSPECT_BYTES + code->count; i++)
		n += (unsigned int)sprintf(hex + n, "%02x", code->bytes[i]);
	fd = start(argv, &pid);
	if (fd < 0)
		return v3_msg_set(msg, "%s: %s", path, strerror(errno));
	count = read_lines(fd, lines);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return v3_msg_set(msg, "%s failed: bytes are not disassembled", path);
	return count;
}
