/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file inspect.h
 * A look at a vCPU for people: registers, why the guest was left, what comes next, the memory
 * around RIP and RSP, and a walk of an address through the guest's tables and the nested ones. All
 * of it is the guest's: plain data to be checked and formatted by whoever shows it.
 */
#ifndef V3_INSPECT_H
#define V3_INSPECT_H

#include <v3/trace.h>
#include <v3/v3.h>

/** Most levels of the guest's page tables. */
#define V3_PAGE_WALK_LEVELS 4
/** Bytes shown before and from RIP, and from RSP on. */
#define V3_INSPECT_BYTES 64
/** Last exits that are kept for a look. */
#define V3_INSPECT_EXITS 16

/** How a walk of the guest's tables ended. */
enum v3_page_walk_end {
	V3_PAGE_MAPPED = 0,        /**< it leads to a guest-physical address */
	V3_PAGE_NOT_PRESENT = 1,   /**< the last entry is not present */
	V3_PAGE_RESERVED = 2,      /**< the last entry has a reserved bit set */
	V3_PAGE_TABLE_NOT_RAM = 3, /**< the last entry would not be in guest RAM */
	V3_PAGE_NOT_CANONICAL = 4, /**< no address of the present mode */
};

/** One level of a walk. */
struct v3_page_level {
	v3_gpa_t entry; /**< guest-physical address of the entry */
	uint64_t value; /**< what it holds; 0 if it is not in guest RAM */
	uint32_t level; /**< 4: PML4, 3: page-directory pointers, 2: page directory, 1: page table */
	uint32_t size;  /**< bytes of the entry: 8, or 4 in 32-bit paging */
};

/** What a guest-physical address is, in v3_page_walk.kind, beside enum v3_mem_kind. */
#define V3_PAGE_NOTHING 0

/** Bits of v3_page_walk.nested_access. */
enum v3_nested_access {
	V3_NESTED_READ = 0x1,
	V3_NESTED_WRITE = 0x2,
	V3_NESTED_EXECUTE = 0x4,
	V3_NESTED_UNCACHED = 0x8,
	V3_NESTED_ACCESSED = 0x10, /**< since it was mapped */
	V3_NESTED_DIRTY = 0x20,    /**< written to since then */
	V3_NESTED_TRACKED = 0x40,  /**< the CPU keeps those two */
};

/** A walk. */
struct v3_page_walk {
	v3_gva_t gva;        /**< of this linear address */
	uint32_t end;        /**< enum v3_page_walk_end */
	uint32_t num_levels; /**< how many levels were looked at; 0: paging is off */
	struct v3_page_level levels[V3_PAGE_WALK_LEVELS]; /**< from the root on */
	/** @name If it is mapped
	 * @{ */
	v3_gpa_t gpa;       /**< the guest-physical address */
	uint64_t page_size; /**< of the guest's page; 0: paging is off */
	uint8_t writable;   /**< by the entries on the way */
	uint8_t user;       /**< for CPL 3 */
	uint8_t executable; /**< no entry on the way forbids it */
	uint8_t zero;       /**< keeps the layout free of holes */
	uint32_t kind;      /**< enum v3_mem_kind, or V3_PAGE_NOTHING */
	/** @} */
	/** @name The nested tables, if there is a leaf
	 * @{ */
	uint32_t nested_level;  /**< 1: 4 KiB, 2: 2 MiB, 3: 1 GiB; 0: not mapped, exits to libv3 */
	uint32_t nested_access; /**< enum v3_nested_access */
	v3_hpa_t hpa;           /**< host-physical address of the byte */
	/** @} */
};

/** What a vCPU is about to do. */
enum v3_vcpu_activity {
	V3_VCPU_RUNS = 0,       /**< executes instructions */
	V3_VCPU_HALTED = 1,     /**< in HLT */
	V3_VCPU_WAITS_SIPI = 2, /**< waits for a start-up IPI */
};

/** Some bytes of guest memory at a linear address. */
struct v3_inspect_bytes {
	v3_gva_t gva;                          /**< of the first */
	uint32_t before;                       /**< how many there are of those before gva */
	uint32_t count;                        /**< how many there are from gva on */
	uint8_t bytes[2 * V3_INSPECT_BYTES];   /**< the one at gva is bytes[V3_INSPECT_BYTES] */
};

/** An event on its way to the guest. */
struct v3_inspect_event {
	uint8_t valid;     /**< 0: none */
	uint8_t type;      /**< 0 interrupt, 2 NMI, 3 exception */
	uint8_t vector;    /**< its vector */
	uint8_t has_error; /**< it has an error code */
	uint32_t error;    /**< the error code */
};

/** Everything about one vCPU. */
struct v3_vcpu_inspection {
	struct v3_vcpu_state state; /**< registers */
	uint8_t activity;           /**< enum v3_vcpu_activity */
	uint8_t bits;               /**< of the code segment: 16, 32 or 64 */
	uint8_t cpl;                /**< privilege level */
	uint8_t shadow;             /**< interrupts wait for one instruction (STI, MOV SS) */
	uint8_t nmi_blocked;        /**< an NMI handler runs */
	uint8_t nmi_pending;        /**< an NMI waits */
	uint8_t zero[2];            /**< keeps the layout free of holes */
	struct v3_inspect_event exception; /**< to be delivered next */
	struct v3_inspect_event intr;      /**< acknowledged and not delivered yet */
	struct v3_trace_event last_exit;   /**< the last of @ref exits; kind 0: there is none */
	struct v3_inspect_bytes code;      /**< around RIP */
	struct v3_inspect_bytes stack;     /**< from RSP on */
	struct v3_page_walk walk;          /**< of the address asked for */
	uint32_t num_exits;                /**< how many of @ref exits there are */
	uint32_t zero2;                    /**< keeps the layout free of holes */
	/**
	 * Why the guest was left, oldest first, whether or not there is a trace; all as in one, but
	 * with a TSC of 0. Since creation or reset.
	 */
	struct v3_trace_event exits[V3_INSPECT_EXITS];
};

/**
 * Looks at a vCPU in any state of its VM. If the VM runs, all its vCPUs are stopped for a moment,
 * in which its clock stands still; a VM that is about to end is waited for.
 * @param gva linear address to walk; the inspection's walk is of this one.
 * @return V3_OK. Context: process, not from a hook of the same VM.
 */
enum v3_status v3_vcpu_inspect(struct v3_vcpu *vcpu, v3_gva_t gva,
			       struct v3_vcpu_inspection *inspection);

#endif
