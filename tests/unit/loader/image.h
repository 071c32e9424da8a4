/* SPDX-License-Identifier: BSD-2-Clause */
/* A well-formed bzImage made of thin air, a file to read it from, and a VM to load it into. */
#ifndef LOADER_IMAGE_H
#define LOADER_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fakes/fake_core.h"
#include "loader/boot_params.h"
#include "x86/cr.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define MIB 0x100000ull

/* A file in memory whose nth read can fail. */
struct file {
	uint8_t *bytes;
	uint64_t size;
	unsigned int reads, fail_at;
	/* Asked for more than there is: a bug of the loader. */
	bool out_of_bounds;
};

struct image {
	struct v3_vm *vm;
	struct file kernel, initrd;
	struct v3_boot_config config;
	uint64_t progress_done, progress_total;
	unsigned int progress_calls;
	bool progress_back;
};

/*
 * A VM with @p ram bytes, and a kernel of protocol 2.15 in it: 3 sectors of setup, 64 KiB of
 * protected-mode code whose bytes tell their offset, 64-bit entry, relocatable, preferring 16 MiB,
 * needing 8 MiB.
 */
struct image *image_create(uint64_t ram);
void image_destroy(struct image *image);
/* Header in the file, to be changed. */
struct v3_setup_header *image_header(struct image *image);
void image_add_initrd(struct image *image, uint64_t size);
/* What byte @p i of a generated file's contents is. */
uint8_t image_byte(uint64_t i);
enum v3_status image_boot(struct image *image);
const struct v3_boot_params *image_params(struct image *image);
struct v3_vcpu_state *image_state(struct image *image);
/* Protected-mode code in the file. */
#define IMAGE_SETUP 2048u
#define IMAGE_CODE 65536u

int image_setup(void **state);
int image_teardown(void **state);
#define IMAGE_TEST(f) cmocka_unit_test_setup_teardown(f, image_setup, image_teardown)

#endif
