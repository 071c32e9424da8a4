/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt commands of all kinds, and who must receive them. SDM3 11.6; APM2 16.5. */
#include "cpu.h"
#include "storm.h"

#define MSR_SELF_IPI	0x83f
#define BROADCAST	0xff
#define BROADCAST_X2	0xffffffff

/* Everybody of `set` is about to be sent v. */
static void ask(uint64_t set, unsigned int v)
{
	if (v == STORM_LOWEST) {
		lwk_add(&storm.lowest_asked, 1);
		return;
	}
	for (unsigned int c = 0; c < storm.cpus; c++) {
		if (set >> c & 1)
			lwk_add(&storm.cpu[c].asked[v], 1);
	}
}

static uint64_t everybody(void)
{
	return storm.cpus < 64 ? (1ULL << storm.cpus) - 1 : ~0ULL;
}

static uint32_t command(unsigned int v)
{
	if (v == STORM_NMI)
		return BM_ICR_ASSERT | BM_ICR_NMI;
	return BM_ICR_ASSERT | storm_vector(v) | (v == STORM_LOWEST ? BM_ICR_LOWEST : 0);
}

/* The logical ID of a CPU: its cluster, and its bit there */
static unsigned int cluster_of(unsigned int cpu)
{
	return storm.mode == STORM_FLAT ? 0 :
	       storm.mode == STORM_CLUSTER ? cpu / 4 : lwk_smp_apic_id(cpu) / 16;
}

static uint32_t bit_of(unsigned int cpu)
{
	return storm.mode == STORM_FLAT ? 1u << cpu :
	       storm.mode == STORM_CLUSTER ? 1u << cpu % 4 : 1u << lwk_smp_apic_id(cpu) % 16;
}

static uint32_t logical_dest(unsigned int cluster, uint32_t bits)
{
	return storm.mode == STORM_FLAT ? bits :
	       storm.mode == STORM_CLUSTER ? cluster << 4 | bits : cluster << 16 | bits;
}

/* Some CPUs of the cluster that this one is in, and it */
static void send_logical(unsigned int cpu, uint32_t random, unsigned int v)
{
	unsigned int cluster = cluster_of(cpu);
	uint32_t bits = bit_of(cpu);
	uint64_t set = 0;

	for (unsigned int c = 0; c < storm.cpus; c++) {
		if (cluster_of(c) == cluster && (c == cpu || random >> c % 32 & 1)) {
			set |= 1ULL << c;
			bits |= bit_of(c);
		}
	}
	ask(set, v);
	bm_apic_send(logical_dest(cluster, bits), BM_ICR_LOGICAL | command(v));
}

static void send_physical(unsigned int cpu, unsigned int v)
{
	ask(1ULL << cpu, v);
	bm_apic_send(lwk_smp_apic_id(cpu), command(v));
}

static void send_broadcast(unsigned int v)
{
	ask(everybody(), v);
	bm_apic_send(storm.mode == STORM_X2APIC ? BROADCAST_X2 : BROADCAST, command(v));
}

static void send_shorthand(uint32_t shorthand, uint64_t set, unsigned int v)
{
	ask(set, v);
	bm_apic_send(0, shorthand | command(v));
}

static void send_self(unsigned int cpu, unsigned int v, bool by_msr)
{
	if (!by_msr || storm.mode != STORM_X2APIC) {
		send_shorthand(BM_ICR_SELF, 1ULL << cpu, v);
		return;
	}
	ask(1ULL << cpu, v);
	bm_wrmsr(MSR_SELF_IPI, storm_vector(v));
}

void storm_send_one(unsigned int cpu, unsigned int v)
{
	if (storm.cpu[cpu].asked[v] & 1)
		send_logical(cpu, 0, v);
	else
		send_physical(cpu, v);
}

void storm_send_random(struct storm_cpu *me, uint32_t random)
{
	unsigned int self = (unsigned int)(me - storm.cpu);
	unsigned int to = (random >> 4) % storm.cpus;
	unsigned int v = STORM_FIXED + (random >> 12) % 4;
	uint64_t others = everybody() & ~(1ULL << self);

	unsigned int kind = random % 16;

	if (!lwk_smp_complete() && (kind == 3 || kind == 4 || kind == 5 || kind == 11))
		kind = 12;
	switch (kind) {
	case 0:
	case 1:
		send_logical(to, random >> 16, v);
		break;
	case 2:
		send_self(self, v, random >> 16 & 1);
		break;
	case 3:
		send_shorthand(BM_ICR_ALL, everybody(), v);
		break;
	case 4:
		send_shorthand(BM_ICR_OTHERS, others, v);
		break;
	case 5:
		send_broadcast(v);
		break;
	case 6:
	case 7:
		send_logical(to, random >> 16, STORM_LOWEST);
		break;
	case 8:
		send_physical(to, STORM_LOWEST);
		break;
	case 9:
		send_physical(to, STORM_NMI);
		break;
	case 10:
		send_logical(to, random >> 16, STORM_NMI);
		break;
	case 11:
		send_shorthand(BM_ICR_OTHERS, others, STORM_NMI);
		break;
	default:
		send_physical(to, v);
		break;
	}
}
