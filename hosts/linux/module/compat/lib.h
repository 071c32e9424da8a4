/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Before each C file of the library, after the kernel's own <linux/compiler_types.h>: some of its
 * macros have the names of attributes that the library uses as __attribute__((name)).
 */
#include <linux/limits.h>
#include <linux/stdarg.h>
#include <linux/stddef.h>
#include <linux/types.h>

#undef noinline
#undef fallthrough
