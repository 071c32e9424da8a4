/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 mem: memory that the module holds for guests.
 */
#ifndef V3_CLI_MEM_H
#define V3_CLI_MEM_H

#include "device.h"

/* All that V3_IOC_MEM_LIST tells. */
struct v3_mem_list {
	struct v3_ioc_mem_list counts;
	struct v3_ioc_mem_node *nodes;
	struct v3_ioc_mem_range *ranges;
	struct v3_ioc_mem_use *uses;
};
/* Returns 0, or -1 with a message. To be freed in any case. */
int v3_mem_list_get(int dev, struct v3_mem_list *list, struct v3_msg *msg);
void v3_mem_list_free(struct v3_mem_list *list);
void v3_mem_print(const struct v3_mem_list *list);
/* Returns 0, or -1 after a message. */
int v3_mem_print_json(const struct v3_mem_list *list);

/* A memory block of sysfs. */
struct v3_mem_block {
	unsigned long number;
	int node;
	bool online;
	bool movable; /* in ZONE_MOVABLE */
	bool low;     /* in a zone that devices with short addresses need */
	bool fixed;   /* cannot go offline: in more than one zone, or that was tried */
};

struct v3_mem_blocks {
	struct v3_mem_block *blocks; /* by number */
	unsigned int count;
	uint64_t unit; /* bytes of one */
};
/* Reads /sys/devices/system/memory below @root ("" outside of tests). 0, or -1 with a message. */
int v3_mem_blocks_read(const char *root, struct v3_mem_blocks *blocks, struct v3_msg *msg);
void v3_mem_blocks_free(struct v3_mem_blocks *blocks);

/*
 * The next run of blocks to set offline, at most @want of them: aligned runs of 1 GiB as long as
 * that many are wanted, ZONE_MOVABLE first, from the highest address down. Returns how many and
 * the index of the first one, or 0: there are no more.
 */
unsigned int v3_mem_blocks_next(const struct v3_mem_blocks *blocks, int node, unsigned int want,
				unsigned int *first);

/*
 * v3 mem take SIZE --offline: sets blocks offline and has the module claim them; all or none.
 * Fills @taken. Returns 0, or -1 with a message.
 */
int v3_mem_take_offline(int dev, const char *root, uint64_t size, int node, uint64_t *taken,
			struct v3_msg *msg);

#endif
