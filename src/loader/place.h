/* SPDX-License-Identifier: BSD-2-Clause */
/* Where things go in guest RAM, and how they get there. */
#ifndef V3_LOADER_PLACE_H
#define V3_LOADER_PLACE_H

#include <v3/boot.h>
#include <v3/device.h>	/* v3_vm_log() */

#define V3_LOADER_4G 0x100000000ull
/* Kernels and their initial RAM disks are loaded from here on. */
#define V3_LOADER_HIGH 0x100000ull

/* [start, start + size) of guest-physical memory; never wraps. */
struct v3_extent {
	v3_gpa_t start;
	uint64_t size;
};

/* Walks guest RAM in address order. Zero it, set vm. */
struct v3_ram_walk {
	const struct v3_vm *vm;
	unsigned int index;
};

/* Progress of loading, for v3_boot_config.progress. */
struct v3_loading {
	struct v3_vm *vm;
	const struct v3_boot_config *config;
	uint64_t done, total;
};

/* The next run of RAM, neighboring ranges put together; false at the end. */
bool v3_ram_next(struct v3_ram_walk *walk, struct v3_extent *run);
/* Whether all of an extent is RAM. The sum of its fields may overflow: then it is not. */
bool v3_ram_has(const struct v3_vm *vm, v3_gpa_t start, uint64_t size);
bool v3_extents_overlap(const struct v3_extent *a, const struct v3_extent *b);

/*
 * The lowest address from @p from on, a multiple of @p align (a power of two), with @p size bytes
 * of RAM below @p limit; false if there is none.
 */
bool v3_place_low(const struct v3_vm *vm, uint64_t size, uint64_t align, v3_gpa_t from,
		  v3_gpa_t limit, v3_gpa_t *gpa);
/*
 * The highest page-aligned address, from 1 MiB on, with @p size bytes of RAM below @p limit that
 * are in none of @p avoid; false if there is none.
 */
bool v3_place_high(const struct v3_vm *vm, uint64_t size, v3_gpa_t limit,
		   const struct v3_extent *avoid, unsigned int num_avoid, v3_gpa_t *gpa);

/* Copies @p len bytes of a file to guest RAM. V3_ERR_IO; V3_ERR_RANGE: not RAM. Logs errors. */
enum v3_status v3_load_blob(struct v3_loading *loading, const struct v3_blob *blob,
			    const char *what, uint64_t offset, v3_gpa_t gpa, uint64_t len);
/* Zeroes guest RAM. */
enum v3_status v3_load_zeros(struct v3_loading *loading, v3_gpa_t gpa, uint64_t len);

/* What all loaders check first: structure, files, state of the VM. Logs errors. */
enum v3_status v3_check_config(struct v3_vm *vm, const struct v3_boot_config *config);

/*
 * Finds the place of the initial RAM disk: as high as it goes below @p limit, which is at most
 * 4 GiB. An empty extent if there is none. Logs errors.
 */
enum v3_status v3_place_initrd(struct v3_vm *vm, const struct v3_boot_config *config,
			       v3_gpa_t limit, const struct v3_extent *avoid,
			       unsigned int num_avoid, struct v3_extent *initrd);

#endif
