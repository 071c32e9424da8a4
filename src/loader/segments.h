/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments of a kernel: what each protocol does with them alike. */
#ifndef V3_LOADER_SEGMENTS_H
#define V3_LOADER_SEGMENTS_H

#include "place.h"

/*
 * Checks at most V3_MAX_SEGMENTS segments of config->kernel: bounds, overlap, guest RAM, and that
 * @p entry is in one of them. @p at receives where each will be. Logs errors.
 */
enum v3_status v3_segments_check(struct v3_vm *vm, const struct v3_boot_config *config,
				 const struct v3_segment_load *segments, unsigned int count,
				 v3_gpa_t entry, struct v3_extent *at);

/* Loads what v3_segments_check() found good. Logs errors. */
enum v3_status v3_segments_load(struct v3_loading *loading,
				const struct v3_segment_load *segments, unsigned int count);

#endif
