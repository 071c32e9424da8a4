/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NUMA nodes that a guest is shown: those that the configuration of its memory names, counted
 * from 0 in the order in which they come up. Context of all: any.
 */
#ifndef V3_CORE_NODES_H
#define V3_CORE_NODES_H

#include <v3/v3.h>

/* At least 1. With 1 the guest is shown none. */
unsigned int v3_vm_num_nodes(const struct v3_vm *vm);
/* By the number of a node of the host; 0 if it is not among them. */
unsigned int v3_vm_guest_node(const struct v3_vm *vm, int32_t node);
/* 10 within a node, 11 to 254 between two. */
unsigned int v3_vm_node_distance(const struct v3_vm *vm, unsigned int from, unsigned int to);
/* That of the CPU it is pinned to; of its share of the memory if it is not, or not to one of them. */
unsigned int v3_vcpu_guest_node(const struct v3_vcpu *vcpu);

#endif
