/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading /proc/interrupts.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "irqs.h"
#include "spec.h"

#define PATH "/proc/interrupts"

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* The first line names the CPUs that are online. Returns which column is the CPU's, or -1. */
static int find_column(const char *line, unsigned int cpu)
{
	unsigned int number;
	int column = 0, used;

	for (line = skip_blanks(line); sscanf(line, "CPU%u%n", &number, &used) == 1; column++) {
		if (number == cpu)
			return column;
		line = skip_blanks(line + used);
	}
	return -1;
}

/* Words with one space between them, to the end of the line. */
static void copy_text(const char *at, char *to, size_t size)
{
	size_t used = 0;

	for (at = skip_blanks(at); *at && *at != '\n' && used + 1 < size; at++) {
		if ((*at == ' ' || *at == '\t') && !strchr("\n", *skip_blanks(at)))
			at = skip_blanks(at) - 1;
		to[used++] = isprint((unsigned char)*at) ? *at : '?';
	}
	while (used && to[used - 1] == ' ')
		used--;
	to[used] = 0;
}

/* "LABEL: count count ... text". False: it has no such column, as the line of errors. */
static bool parse_line(const char *line, int column, unsigned int columns, struct v3_irq *irq)
{
	const char *colon;
	unsigned int i;
	char *end;

	line = skip_blanks(line);
	colon = strchr(line, ':');
	if (!colon || colon == line || (size_t)(colon - line) >= sizeof(irq->label) ||
	    memchr(line, '\n', (size_t)(colon - line)))
		return false;
	memcpy(irq->label, line, (size_t)(colon - line));
	irq->label[colon - line] = 0;
	line = colon + 1;
	for (i = 0; i < columns; i++) {
		uint64_t value;

		line = skip_blanks(line);
		if (!isdigit((unsigned char)*line))
			return false;
		value = strtoull(line, &end, 10);
		line = end;
		if ((int)i == column)
			irq->count = value;
	}
	copy_text(line, irq->text, sizeof(irq->text));
	return true;
}

static unsigned int count_columns(const char *line)
{
	unsigned int columns = 0;

	for (line = skip_blanks(line); !strncmp(line, "CPU", 3); columns++)
		line = skip_blanks(line + strcspn(line, " \t\n"));
	return columns;
}

int v3_irqs_parse(const char *text, unsigned int cpu, struct v3_irq **irqs, struct v3_msg *msg)
{
	unsigned int columns = count_columns(text), lines = 0;
	int column = find_column(text, cpu), count = 0;
	const char *at;

	*irqs = NULL;
	if (column < 0)
		return v3_msg_set(msg, PATH " has no CPU %u", cpu);
	for (at = text; (at = strchr(at, '\n')); at++)
		lines++;
	*irqs = v3_xmalloc((lines + 1) * sizeof(**irqs));
	for (at = text; (at = strchr(at, '\n')); ) {
		at++;
		if (parse_line(at, column, columns, &(*irqs)[count]))
			count++;
	}
	return count;
}

int v3_irqs_read(unsigned int cpu, struct v3_irq **irqs, struct v3_msg *msg)
{
	FILE *file = fopen(PATH, "re");
	char *text = NULL;
	size_t size = 0;
	int count;

	*irqs = NULL;
	/* all of it: there is no NUL in it */
	if (!file || getdelim(&text, &size, 0, file) < 0)
		count = v3_msg_set(msg, PATH ": %s", strerror(errno));
	else
		count = v3_irqs_parse(text, cpu, irqs, msg);
	free(text);
	if (file)
		fclose(file);
	return count;
}
