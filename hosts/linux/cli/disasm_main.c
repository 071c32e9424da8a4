/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3-disasm BITS ADDRESS BEFORE HEX: disassembles what HEX holds, for "v3 inspect". The first
 * BEFORE of its bytes are before ADDRESS. Prints a line for each instruction: address, length,
 * text.
 *
 * Instructions cannot be found backwards. Of all places before ADDRESS from which instructions
 * follow each other right up to it, the farthest is taken, as wrong chains soon fall in with the
 * right one.
 */
#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 256
#define LINES_BEFORE 6
#define LINES_FROM 12

struct code {
	ZydisMachineMode mode;
	uint64_t address; /* of bytes[before] */
	size_t before, count;
	uint8_t bytes[MAX_BYTES];
};

static int decode(const struct code *code, size_t at, ZydisDisassembledInstruction *instruction)
{
	uint64_t address = code->address - code->before + at;

	return ZYAN_SUCCESS(ZydisDisassembleIntel(code->mode, address, code->bytes + at,
						  code->count - at, instruction));
}

/* Counts the instructions from @at to @end, and prints all but the first @skip; 0: they miss @end. */
static int chain(const struct code *code, size_t at, size_t end, size_t *count, size_t skip)
{
	ZydisDisassembledInstruction instruction;

	for (*count = 0; at < end; (*count)++) {
		if (!decode(code, at, &instruction))
			return 0;
		if (*count >= skip)
			printf("%" PRIx64 " %u %s\n", code->address - code->before + at,
			       instruction.info.length, instruction.text);
		at += instruction.info.length;
	}
	return at == end;
}

static void print_before(const struct code *code)
{
	size_t at, count, all;

	for (at = 0; at < code->before; at++) {
		if (!chain(code, at, code->before, &count, SIZE_MAX))
			continue;
		chain(code, at, code->before, &all,
		      count > LINES_BEFORE ? count - LINES_BEFORE : 0);
		return;
	}
}

static void print_from(const struct code *code)
{
	ZydisDisassembledInstruction instruction;
	size_t at = code->before;
	int lines;

	for (lines = 0; lines < LINES_FROM && at < code->count; lines++) {
		if (!decode(code, at, &instruction)) {
			printf("%" PRIx64 " 0 (no instruction)\n",
			       code->address + (at - code->before));
			return;
		}
		printf("%" PRIx64 " %u %s\n", code->address + (at - code->before),
		       instruction.info.length, instruction.text);
		at += instruction.info.length;
	}
}

static int parse(struct code *code, char **argv)
{
	size_t len = strlen(argv[4]), i;
	unsigned int byte;

	if (!strcmp(argv[1], "64"))
		code->mode = ZYDIS_MACHINE_MODE_LONG_64;
	else if (!strcmp(argv[1], "32"))
		code->mode = ZYDIS_MACHINE_MODE_LEGACY_32;
	else if (!strcmp(argv[1], "16"))
		code->mode = ZYDIS_MACHINE_MODE_LEGACY_16;
	else
		return -1;
	code->address = strtoull(argv[2], NULL, 16);
	code->before = strtoul(argv[3], NULL, 10);
	code->count = len / 2;
	if (len % 2 || code->count > MAX_BYTES || code->before > code->count)
		return -1;
	for (i = 0; i < code->count; i++) {
		if (sscanf(argv[4] + 2 * i, "%2x", &byte) != 1)
			return -1;
		code->bytes[i] = (uint8_t)byte;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct code code = { 0 };

	if (argc != 5 || parse(&code, argv)) {
		fprintf(stderr,
			"usage: v3-disasm 16|32|64 ADDRESS BEFORE HEX (for 'v3 inspect')\n");
		return 2;
	}
	print_before(&code);
	print_from(&code);
	return fflush(stdout) ? 1 : 0;
}
