/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file types.h
 * Basic types and status codes of libv3.
 */
#ifndef V3_TYPES_H
#define V3_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Guest-physical address, in bytes. */
typedef uint64_t v3_gpa_t;
/** Guest-virtual (linear) address, in bytes. */
typedef uint64_t v3_gva_t;
/** Host-physical address, in bytes. Never a pointer. */
typedef uint64_t v3_hpa_t;

/** Binary logarithm of V3_PAGE_SIZE. */
#define V3_PAGE_SHIFT 12
/** Bytes of the base page, the unit of every page count in this API. */
#define V3_PAGE_SIZE (1ull << V3_PAGE_SHIFT)

/** No such host-physical address: what a translation that failed returns. */
#define V3_HPA_NONE (~(v3_hpa_t)0)

/** Any NUMA node. */
#define V3_NODE_ANY (-1)
/** Any CPU. */
#define V3_CPU_ANY (-1)

/**
 * Result of every fallible function: 0 is success, errors are negative.
 * Values are part of the ABI and never change meaning. A fault that a guest
 * sees is not a status.
 */
enum v3_status {
	V3_OK = 0,             /**< success */
	V3_ERR_INVALID = -1,   /**< an argument or its combination is not valid */
	V3_ERR_NOMEM = -2,     /**< the host has no memory of the kind asked for */
	V3_ERR_NOTSUP = -3,    /**< this CPU, host or build cannot do it */
	V3_ERR_BUSY = -4,      /**< somebody else owns it (e.g. KVM owns SVM) */
	V3_ERR_STATE = -5,     /**< not possible in the present state */
	V3_ERR_NOENT = -6,     /**< no such thing */
	V3_ERR_EXIST = -7,     /**< there is one already, or ranges overlap */
	V3_ERR_RANGE = -8,     /**< outside of the range that exists */
	V3_ERR_FORMAT = -9,    /**< an image or table is malformed */
	V3_ERR_IO = -10,       /**< a back end failed */
	V3_ERR_HOOK = -11,     /**< a mandatory host hook is missing */
	V3_ERR_VERSION = -12,  /**< hook table or structure of another version */
	V3_ERR_DENIED = -13,   /**< firmware or policy forbids it */
	V3_ERR_TIMEOUT = -14,  /**< it did not happen in time */
	V3_ERR_AGAIN = -15,    /**< nothing yet; try again */
	V3_ERR_INTERNAL = -16, /**< a check inside libv3 failed: please report */
};

/** Segment registers in the hardware encoding, then LDTR and TR: the order of every seg[] array. */
enum v3_seg {
	V3_SEG_ES = 0,
	V3_SEG_CS = 1,
	V3_SEG_SS = 2,
	V3_SEG_DS = 3,
	V3_SEG_FS = 4,
	V3_SEG_GS = 5,
	V3_SEG_LDTR = 6,
	V3_SEG_TR = 7,
	V3_SEG_COUNT = 8,
};

/**
 * Name of a status, e.g. "no memory". Never NULL, static storage; any context.
 */
const char *v3_status_str(enum v3_status status);

/** printf-style checking for the formats that src/lib/format.h supports. */
#define V3_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#endif
