/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks the guest's own page tables: no paging, 32-bit, PAE and 4-level (APM2 5.2-5.6, SDM 3A 4).
 * Five levels are never offered to guests.
 */
#ifndef V3_PAGING_GUEST_WALK_H
#define V3_PAGING_GUEST_WALK_H

#include <v3/types.h>

/* State of the vCPU that decides a translation. */
struct v3_walk_cpu {
	uint64_t cr0, cr3, cr4, efer, rflags;
	/*
	 * In legacy PAE mode hardware uses entries it loaded with CR3; this walker reads them anew.
	 */
	bool user;		/* CPL 3 */
	unsigned int phys_bits;	/* guest physical-address width */
};

/* Kind of an access, combined. */
#define V3_WALK_WRITE 1u
#define V3_WALK_FETCH 2u
/* Supervisor access whatever the CPL (descriptor tables, TSS). */
#define V3_WALK_SYSTEM 4u
/* Leave accessed and dirty bits alone (inspection). */
#define V3_WALK_NO_AD 8u

/* Where the guest's tables are: a block of RAM that is tried first, and a function for the rest. */
struct v3_walk_mem {
	v3_gpa_t gpa;		/* of the block */
	uint64_t size;		/* bytes of it that may be read and written, a multiple of 8 */
	uint8_t *virt;
	/*
	 * Host pointer to len (4 or 8) bytes of guest RAM, naturally aligned, or NULL if not RAM.
	 */
	void *(*ptr)(void *ctx, v3_gpa_t gpa, size_t len);
	void *ctx;
};

struct v3_walk_result {
	v3_gpa_t gpa;
	/* Page-fault error code if the walk failed (V3_PFEC_*). */
	uint32_t error;
	/* Bytes from gpa to the end of the guest page that maps it. */
	uint64_t left;
};

enum v3_walk_status {
	V3_WALK_OK = 0,
	V3_WALK_FAULT,		/* #PF with result->error, CR2 = the address */
	V3_WALK_NOT_RAM,	/* a table lies outside of RAM; result->gpa says where */
};

enum v3_walk_status v3_guest_walk(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem,
				  v3_gva_t gva, unsigned int access,
				  struct v3_walk_result *result);

/*
 * The entries that a 4-level walk of gva reads: as long as all of them hold the same values, and
 * the registers in struct v3_walk_cpu are the same, the walk has the same result.
 */
struct v3_walk_trace {
	unsigned int depth;
	struct {
		const uint64_t *entry;
		uint64_t value;
	} step[4];
	v3_gpa_t gpa;		/* that the leaf gives */
};

/*
 * False if the walk does not end in a leaf, or the guest is not in long mode. Checks no rights,
 * sets no bits.
 */
bool v3_guest_walk_trace(const struct v3_walk_cpu *cpu, const struct v3_walk_mem *mem, v3_gva_t gva,
			 struct v3_walk_trace *trace);

static inline bool v3_walk_trace_holds(const struct v3_walk_trace *trace)
{
	unsigned int i;

	for (i = 0; i < trace->depth; i++)
		if (__atomic_load_n(trace->step[i].entry, __ATOMIC_RELAXED) != trace->step[i].value)
			return false;
	return true;
}

#endif
