/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests about memory to the fake module: a host of two nodes, of which node 0 has a guest.
 */
#ifndef V3_FAKE_MEM_H
#define V3_FAKE_MEM_H

#include "device.h"

/* What goes wrong (zero: nothing), and what was asked for. */
struct fake_mem {
	int take_errno;
	const char *take_message;
	uint32_t take_why;
	uint64_t take_could;
	uint64_t refused_start; /* this address cannot be planned, */
	uint64_t busy_start;    /* nor this one */
	uint32_t extra;         /* nodes that come to be after the first list */
	uint64_t later;         /* V3_IOC_MEM_GIVE */

	struct v3_ioc_mem_take take;
	struct v3_ioc_mem_give give;
	uint64_t planned, unplanned;
	unsigned int lists, plans, unplans;
};
extern struct fake_mem fake_mem;

/* As ioctl(). ENOTTY: the request is about something else. */
int fake_mem_request(unsigned long request, void *arg);

#endif
