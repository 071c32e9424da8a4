/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Before each assembly file of the library: a plain "ret" becomes the kernel's own, which goes
 * through a return thunk or is followed by int3, as the kernel was configured.
 */
#ifdef __ASSEMBLY__
#include <linux/linkage.h>
#define ret RET
#endif
