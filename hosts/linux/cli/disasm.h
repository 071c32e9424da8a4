/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disassembly by the program v3-disasm, which has Zydis: the v3 command itself stays free of that
 * shared library.
 */
#ifndef V3_CLI_DISASM_H
#define V3_CLI_DISASM_H

#include <v3/inspect.h>

#include "cli.h"

#define V3_DISASM_LINES 24
#define V3_DISASM_TEXT 96

struct v3_disasm_line {
	uint64_t address;
	unsigned int length; /* of the instruction; 0: these bytes are none */
	char text[V3_DISASM_TEXT];
};

/*
 * Disassembles around code->gva; @bits is 16, 32 or 64. Returns how many lines there are, or -1
 * with a message: the program is not there, or fails.
 */
int v3_disasm(const struct v3_inspect_bytes *code, unsigned int bits,
	      struct v3_disasm_line lines[V3_DISASM_LINES], struct v3_msg *msg);

#endif
