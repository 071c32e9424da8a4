/* SPDX-License-Identifier: BSD-2-Clause */
/* The four functions that a freestanding compiler expects its environment to have. */
#ifndef V3_LIB_MEM_H
#define V3_LIB_MEM_H

#include <stddef.h>

void *memcpy(void *dest, const void *src, size_t n);
void *memmove(void *dest, const void *src, size_t n);
void *memset(void *s, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
