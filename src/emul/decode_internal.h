/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the decoder share; nothing outside of src/emul includes this. */
#ifndef V3_EMUL_DECODE_INTERNAL_H
#define V3_EMUL_DECODE_INTERNAL_H

#include "decode.h"

/* REX bits as v3_insn.rex keeps them. */
#define V3_REX_W 8u
#define V3_REX_R 4u
#define V3_REX_X 2u
#define V3_REX_B 1u

/* Where the decoder is in the bytes; `end` is never above 15. */
struct v3_cursor {
	const uint8_t *bytes;
	uint32_t pos;
	uint32_t end;
};

/* Is this form of a legacy-encoded instruction one that exists? Called after ModRM is known;
 * `pp_mask` and `attr` come from the tables. Includes the rules for LOCK. */
bool v3_legacy_valid(const struct v3_insn *insn, uint16_t attr, uint8_t pp_mask);

/* The same for VEX encodings; also cuts vvvv to what the mode uses. */
bool v3_vex_valid(struct v3_insn *insn);

#endif /* V3_EMUL_DECODE_INTERNAL_H */
