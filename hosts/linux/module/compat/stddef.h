/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* size_t, ptrdiff_t, NULL and offsetof as the kernel has them. */
#ifndef V3_LX_STDDEF_H
#define V3_LX_STDDEF_H

#include <linux/stddef.h>
#include <linux/types.h>

#endif
