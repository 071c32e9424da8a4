/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* bool, true and false as the kernel has them. */
#ifndef V3_LX_STDBOOL_H
#define V3_LX_STDBOOL_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
