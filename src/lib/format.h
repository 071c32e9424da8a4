/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded printf for log lines and messages: %s %c %d %i %u %x %X %p %%, with the flags - 0 and #,
 * a width, a precision for %s (both may be *), and the lengths hh h l ll z j t. No floating point.
 * A conversion it does not know is copied to the output, and no argument is consumed for it.
 */
#ifndef V3_LIB_FORMAT_H
#define V3_LIB_FORMAT_H

#include <stdarg.h>

#include <v3/types.h>

/*
 * Writes at most size bytes, NUL included, and always a NUL if size is not 0. Returns how many
 * bytes are in buf before the NUL (not, as in C, how many there might have been): so
 * pos += v3_snprintf(buf + pos, size - pos, ...) is safe.
 */
size_t v3_vsnprintf(char *buf, size_t size, const char *fmt, va_list args) V3_PRINTF(3, 0);
size_t v3_snprintf(char *buf, size_t size, const char *fmt, ...) V3_PRINTF(3, 4);

#endif
