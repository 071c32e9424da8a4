/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* va_list as the kernel has it. */
#ifndef V3_LX_STDARG_H
#define V3_LX_STDARG_H

#include <linux/stdarg.h>

#endif
