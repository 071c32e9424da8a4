/* SPDX-License-Identifier: BSD-2-Clause */
/* The record of KVM's clock, as Linux and KVM call it. */
#ifndef V3_TESTS_PVCLOCK_RECORD_H
#define V3_TESTS_PVCLOCK_RECORD_H

#include "script.h"

struct record {
	uint32_t version, pad;
	uint64_t tsc_timestamp, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags, pad2[2];
};

static inline struct record record_at(struct script *script, v3_gpa_t gpa)
{
	struct record record;

	assert_int_equal(v3_vm_read(script->vm, gpa, &record, sizeof(record)), V3_OK);
	return record;
}

/* The time in nanoseconds that the guest makes of it. */
static inline uint64_t time_by(const struct record *record, uint64_t tsc)
{
	uint64_t delta = tsc - record->tsc_timestamp;

	delta = record->shift < 0 ? delta >> -record->shift : delta << record->shift;
	return record->system_time + (uint64_t)((unsigned __int128)delta * record->mul >> 32);
}

#endif
