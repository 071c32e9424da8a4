/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VEX-encoded instructions exist and with which VEX.L, W and vvvv; decode_tables.h. */
#include "decode_tables.h"

#define MR	(V3_VEX_M | V3_VEX_R)
#define LX	(V3_VEX_L0 | V3_VEX_L1)
#define WX	(V3_VEX_W0 | V3_VEX_W1)

/* Common shapes: three operands, two operands (NV), scalars ignore L as LX does. */
#define V3OP	(MR | LX | WX)
#define V2OP	(MR | LX | WX | V3_VEX_NV)
#define V3L0	(MR | V3_VEX_L0 | WX)
#define V2L0	(MR | V3_VEX_L0 | WX | V3_VEX_NV)
#define M2OP	(V3_VEX_M | LX | WX | V3_VEX_NV)
#define M2L0	(V3_VEX_M | V3_VEX_L0 | WX | V3_VEX_NV)
#define M3L0	(V3_VEX_M | V3_VEX_L0 | WX)
#define R2OP	(V3_VEX_R | LX | WX | V3_VEX_NV)
#define R2L0	(V3_VEX_R | V3_VEX_L0 | WX | V3_VEX_NV)
#define R3L1	(V3_VEX_R | V3_VEX_L1 | WX)
#define R3OP	(V3_VEX_R | LX | WX)
#define SCAL	(MR | LX | WX | V3_VEX_SP)
#define W0OP	(MR | LX | V3_VEX_W0)
#define W0NV	(MR | LX | V3_VEX_W0 | V3_VEX_NV)
#define W0L1	(MR | V3_VEX_L1 | V3_VEX_W0)
#define W0M3	(V3_VEX_M | LX | V3_VEX_W0)
#define BF_FROM	(V3_VEX_M | V3_VEX_L1 | V3_VEX_W0 | V3_VEX_NV)
#define AMX3	(V3_VEX_R | V3_VEX_L0 | V3_VEX_W0 | V3_VEX_SP)
#define AMXM	(V3_VEX_M | V3_VEX_L0 | V3_VEX_W0 | V3_VEX_NV | V3_VEX_SP)
#define GATH	(V3_VEX_M | LX | WX | V3_VEX_SP)

/* Mask registers (AVX-512 without EVEX) */
#define KREG	(R3L1 | V3_VEX_SP)
#define KREG2	(R2L0 | V3_VEX_SP)
#define KMEM	(V2L0 | V3_VEX_SP)
#define KMEMO	(M2L0 | V3_VEX_SP)

#define NP66(x)		{ (x), (x), 0, 0 }
#define P66(x)		{ 0, (x), 0, 0 }
#define ROW4(op, ...)	[(op)] = __VA_ARGS__, [(op) + 1] = __VA_ARGS__, \
			[(op) + 2] = __VA_ARGS__, [(op) + 3] = __VA_ARGS__
#define ROW8(op, ...)	ROW4(op, __VA_ARGS__), ROW4((op) + 4, __VA_ARGS__)

const uint8_t v3_vex_attr[3][256][4] = {
[0] = {
	[0x10] = { V2OP, V2OP, SCAL, SCAL },
	[0x11] = { V2OP, V2OP, SCAL, SCAL },
	[0x12] = { V3L0, M3L0, V2OP, V2OP },
	[0x13] = NP66(M2L0),
	[0x14] = NP66(V3OP), [0x15] = NP66(V3OP),
	[0x16] = { V3L0, M3L0, V2OP, 0 },
	[0x17] = NP66(M2L0),
	[0x28] = NP66(V2OP), [0x29] = NP66(V2OP),
	[0x2a] = { 0, 0, V3OP, V3OP },
	[0x2b] = NP66(M2OP),
	[0x2c] = { 0, 0, V2OP, V2OP }, [0x2d] = { 0, 0, V2OP, V2OP },
	[0x2e] = NP66(V2OP), [0x2f] = NP66(V2OP),
	[0x41] = NP66(KREG), [0x42] = NP66(KREG),
	[0x44] = NP66(KREG2),
	[0x45] = NP66(KREG), [0x46] = NP66(KREG), [0x47] = NP66(KREG),
	[0x4a] = NP66(KREG),
	[0x4b] = { KREG, KREG & ~V3_VEX_W1, 0, 0 },
	[0x50] = NP66(R2OP),
	[0x51] = { V2OP, V2OP, V3OP, V3OP },
	[0x52] = { V2OP, 0, V3OP, 0 }, [0x53] = { V2OP, 0, V3OP, 0 },
	ROW4(0x54, NP66(V3OP)),
	[0x58] = { V3OP, V3OP, V3OP, V3OP }, [0x59] = { V3OP, V3OP, V3OP, V3OP },
	[0x5a] = { V2OP, V2OP, V3OP, V3OP },
	[0x5b] = { V2OP, V2OP, V2OP, 0 },
	[0x5c] = { V3OP, V3OP, V3OP, V3OP }, [0x5d] = { V3OP, V3OP, V3OP, V3OP },
	[0x5e] = { V3OP, V3OP, V3OP, V3OP }, [0x5f] = { V3OP, V3OP, V3OP, V3OP },
	ROW8(0x60, P66(V3OP)), ROW4(0x68, P66(V3OP)),
	[0x6c] = P66(V3OP), [0x6d] = P66(V3OP),
	[0x6e] = P66(V2L0),
	[0x6f] = { 0, V2OP, V2OP, 0 },
	[0x70] = { 0, V2OP, V2OP, V2OP },
	[0x71] = P66(R3OP | V3_VEX_SP), [0x72] = P66(R3OP | V3_VEX_SP),
	[0x73] = P66(R3OP | V3_VEX_SP),
	[0x74] = P66(V3OP), [0x75] = P66(V3OP), [0x76] = P66(V3OP),
	[0x77] = { M2OP, 0, 0, 0 },
	[0x7c] = { 0, V3OP, 0, V3OP }, [0x7d] = { 0, V3OP, 0, V3OP },
	[0x7e] = { 0, V2L0, V2L0, 0 },
	[0x7f] = { 0, V2OP, V2OP, 0 },
	[0x90] = NP66(KMEM), [0x91] = NP66(KMEMO),
	[0x92] = { KREG2 & ~V3_VEX_W1, KREG2 & ~V3_VEX_W1, 0, KREG2 },
	[0x93] = { R2L0 & ~V3_VEX_W1, R2L0 & ~V3_VEX_W1, 0, R2L0 },
	[0x98] = NP66(KREG2), [0x99] = NP66(KREG2),
	[0xae] = { M2L0 | V3_VEX_SP, 0, 0, 0 },
	[0xc2] = { V3OP, V3OP, V3OP, V3OP },
	[0xc4] = P66(V3L0), [0xc5] = P66(R2L0),
	[0xc6] = NP66(V3OP),
	[0xd0] = { 0, V3OP, 0, V3OP },
	ROW4(0xd1, P66(V3OP)), [0xd5] = P66(V3OP),
	[0xd6] = P66(V2L0), [0xd7] = P66(R2OP),
	ROW8(0xd8, P66(V3OP)), ROW4(0xe0, P66(V3OP)),
	[0xe4] = P66(V3OP), [0xe5] = P66(V3OP),
	[0xe6] = { 0, V2OP, V2OP, V2OP },
	[0xe7] = P66(M2OP),
	ROW8(0xe8, P66(V3OP)),
	[0xf0] = { 0, 0, 0, M2OP },
	ROW4(0xf1, P66(V3OP)), [0xf5] = P66(V3OP), [0xf6] = P66(V3OP),
	[0xf7] = P66(R2L0),
	ROW4(0xf8, P66(V3OP)),
	[0xfc] = P66(V3OP), [0xfd] = P66(V3OP), [0xfe] = P66(V3OP),
},
[1] = {
	ROW8(0x00, P66(V3OP)), ROW4(0x08, P66(V3OP)),
	[0x0c] = P66(W0OP), [0x0d] = P66(W0OP), [0x0e] = P66(W0NV), [0x0f] = P66(W0NV),
	[0x13] = P66(W0NV), [0x16] = P66(W0L1), [0x17] = P66(V2OP),
	[0x18] = P66(W0NV), [0x19] = P66(W0L1 | V3_VEX_NV), [0x1a] = P66(BF_FROM),
	[0x1c] = P66(V2OP), [0x1d] = P66(V2OP), [0x1e] = P66(V2OP),
	ROW4(0x20, P66(V2OP)), [0x24] = P66(V2OP), [0x25] = P66(V2OP),
	[0x28] = P66(V3OP), [0x29] = P66(V3OP), [0x2a] = P66(M2OP), [0x2b] = P66(V3OP),
	ROW4(0x2c, P66(W0M3)),
	ROW4(0x30, P66(V2OP)), [0x34] = P66(V2OP), [0x35] = P66(V2OP),
	[0x36] = P66(W0L1), [0x37] = P66(V3OP),
	ROW8(0x38, P66(V3OP)), [0x40] = P66(V3OP), [0x41] = P66(V2L0),
	[0x45] = P66(V3OP), [0x46] = P66(W0OP), [0x47] = P66(V3OP),
	[0x49] = { (AMXM | V3_VEX_R) & 0xff, AMXM, 0,
		   V3_VEX_R | V3_VEX_L0 | V3_VEX_W0 | V3_VEX_NV | V3_VEX_SP },
	[0x4b] = { 0, AMXM, AMXM, AMXM },
	ROW4(0x50, P66(W0OP)),
	[0x58] = P66(W0NV), [0x59] = P66(W0NV), [0x5a] = P66(BF_FROM),
	[0x5c] = { 0, 0, AMX3, 0 }, [0x5e] = { AMX3, AMX3, AMX3, AMX3 },
	[0x78] = P66(W0NV), [0x79] = P66(W0NV),
	[0x8c] = P66(V3_VEX_M | LX | WX), [0x8e] = P66(V3_VEX_M | LX | WX),
	ROW4(0x90, P66(GATH)),
	[0x96] = P66(V3OP), [0x97] = P66(V3OP), ROW8(0x98, P66(V3OP)),
	[0xa6] = P66(V3OP), [0xa7] = P66(V3OP), ROW8(0xa8, P66(V3OP)),
	[0xb6] = P66(V3OP), [0xb7] = P66(V3OP), ROW8(0xb8, P66(V3OP)),
	[0xcf] = P66(W0OP),
	[0xdb] = P66(V2L0), ROW4(0xdc, P66(V3OP)),
	[0xf2] = { V3L0, 0, 0, 0 }, [0xf3] = { V3L0 | V3_VEX_SP, 0, 0, 0 },
	[0xf5] = { V3L0, 0, V3L0, V3L0 }, [0xf6] = { 0, 0, 0, V3L0 },
	[0xf7] = { V3L0, V3L0, V3L0, V3L0 },
},
[2] = {
	[0x00] = P66(MR | V3_VEX_L1 | V3_VEX_W1 | V3_VEX_NV),
	[0x01] = P66(MR | V3_VEX_L1 | V3_VEX_W1 | V3_VEX_NV),
	[0x02] = P66(W0OP), [0x04] = P66(W0NV), [0x05] = P66(W0NV), [0x06] = P66(W0L1),
	[0x08] = P66(V2OP), [0x09] = P66(V2OP), [0x0a] = P66(V3OP), [0x0b] = P66(V3OP),
	ROW4(0x0c, P66(V3OP)),
	[0x14] = P66(V2L0), [0x15] = P66(V2L0), [0x16] = P66(V2L0), [0x17] = P66(V2L0),
	[0x18] = P66(W0L1), [0x19] = P66(W0L1 | V3_VEX_NV), [0x1d] = P66(W0NV),
	[0x20] = P66(V3L0), [0x21] = P66(V3L0), [0x22] = P66(V3L0),
	ROW4(0x30, P66(KREG2)),
	[0x38] = P66(W0L1), [0x39] = P66(W0L1 | V3_VEX_NV),
	[0x40] = P66(V3OP), [0x41] = P66(V3L0), [0x42] = P66(V3OP), [0x44] = P66(V3OP),
	[0x46] = P66(W0L1), [0x48] = P66(V3OP), [0x49] = P66(V3OP),
	[0x4a] = P66(W0OP), [0x4b] = P66(W0OP), [0x4c] = P66(W0OP),
	ROW4(0x5c, P66(V3OP)), ROW4(0x60, P66(V2L0)),
	ROW8(0x68, P66(V3OP)), ROW8(0x78, P66(V3OP)),
	[0xce] = P66(MR | LX | V3_VEX_W1), [0xcf] = P66(MR | LX | V3_VEX_W1),
	[0xdf] = P66(V2L0), [0xf0] = { 0, 0, 0, V2L0 },
},
};
