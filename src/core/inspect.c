/* SPDX-License-Identifier: BSD-2-Clause */
/* A look at a vCPU for people. All of it runs while no vCPU of the VM does: see v3_vm_freeze(). */
#include <v3/inspect.h>

#include "core/vm.h"

#include "emul/decode.h"
#include "lib/mem.h"
#include "paging/guest_levels.h"
#include "x86/cr.h"
#include "x86/seg.h"

_Static_assert((int)V3_VCPU_RUNS == V3_RUN_RUNNABLE && (int)V3_VCPU_HALTED == V3_RUN_HALTED &&
	       (int)V3_VCPU_WAITS_SIPI == V3_RUN_WAIT_SIPI, "an activity is shown as it is");
_Static_assert((int)V3_NESTED_READ == V3_NPT_R && (int)V3_NESTED_WRITE == V3_NPT_W &&
	       (int)V3_NESTED_EXECUTE == V3_NPT_X && (int)V3_NESTED_UNCACHED == V3_NPT_UC &&
	       (int)V3_NESTED_ACCESSED == V3_NPT_ACCESSED &&
	       (int)V3_NESTED_DIRTY == V3_NPT_DIRTY &&
	       (int)V3_NESTED_TRACKED == V3_NPT_TRACKED, "a leaf is shown as it is");
_Static_assert(!(V3_INSPECT_BYTES & (V3_INSPECT_BYTES - 1)), "pieces of memory are pages' parts");

/* --- Exits --- */

void v3_exits_forget(struct v3_vcpu *vcpu)
{
	unsigned int i;

	memset(vcpu->exits, 0, sizeof(vcpu->exits));
	for (i = 0; i <= V3_INSPECT_EXITS; i++)
		vcpu->exits[i].next = &vcpu->exits[i < V3_INSPECT_EXITS ? i + 1 : 0];
	vcpu->next_exit = vcpu->exits;
}

static void fill_exits(const struct v3_vcpu *vcpu, struct v3_vcpu_inspection *out)
{
	const struct v3_exit_record *record;

	for (record = vcpu->next_exit->next; record != vcpu->next_exit; record = record->next) {
		struct v3_trace_event *event = &out->exits[out->num_exits];

		if (record->exit.kind == V3_EXIT_NONE)
			continue;
		v3_trace_describe(record->gpr, &record->exit, event);
		event->rip = record->rip;
		out->last_exit = *event;
		out->num_exits++;
	}
}

/* --- Addresses --- */

/* What a guest-physical address is. */
static uint32_t kind_of(struct v3_vm *vm, v3_gpa_t gpa)
{
	if (v3_memory_ptr(vm, gpa, 1))
		return gpa >= V3_HOLE_END && gpa < V3_ROM_END ? V3_MEM_ROM : V3_MEM_RAM;
	return v3_mmio_find(vm, gpa) ? V3_MEM_MMIO : V3_PAGE_NOTHING;
}

static void walk_nested(struct v3_vm *vm, struct v3_page_walk *walk)
{
	struct v3_nested_leaf leaf;

	walk->kind = kind_of(vm, walk->gpa);
	if (!v3_nested_lookup(&vm->nested, walk->gpa, &leaf))
		return;
	walk->nested_level = leaf.level;
	walk->nested_access = leaf.access;
	walk->hpa = leaf.hpa;
}

/* One byte of the guest's linear memory that is RAM or ROM; devices are not touched. */
static bool byte_at(struct v3_vm *vm, const struct v3_walk_cpu *cpu, v3_gva_t gva, uint8_t *byte)
{
	struct v3_page_walk walk;
	const uint8_t *at;

	v3_guest_levels(cpu, &vm->walk_mem, gva, &walk);
	at = walk.end == V3_PAGE_MAPPED ? v3_memory_ptr(vm, walk.gpa, 1) : NULL;
	if (!at)
		return false;
	*byte = __atomic_load_n(at, __ATOMIC_RELAXED);
	return true;
}

/* From gva outwards until something is not there. */
static void read_around(struct v3_vm *vm, const struct v3_insn_env *env, v3_gva_t gva, bool before,
			struct v3_inspect_bytes *out)
{
	uint8_t *at = &out->bytes[V3_INSPECT_BYTES];
	uint64_t mask = env->mode == V3_INSN_MODE_64 ? ~0ull : 0xffffffffull;

	out->gva = gva & mask;
	while (out->count < V3_INSPECT_BYTES &&
	       byte_at(vm, &env->walk, (gva + out->count) & mask, at + out->count))
		out->count++;
	while (before && out->before < V3_INSPECT_BYTES &&
	       byte_at(vm, &env->walk, (gva - out->before - 1) & mask, at - out->before - 1))
		out->before++;
}

/* --- All of it --- */

static struct v3_inspect_event event_of(const struct v3_event *event)
{
	if (!event->valid)
		return (struct v3_inspect_event){ 0 };
	return (struct v3_inspect_event){
		.valid = 1, .type = event->type, .vector = event->vector,
		.has_error = event->has_error, .error = event->error,
	};
}

static void fill_plain(struct v3_vcpu *vcpu, const struct v3_insn_env *env,
		       struct v3_vcpu_inspection *out)
{
	v3_vcpu_state_copy(vcpu, &out->state);
	out->activity = vcpu->run;
	out->bits = env->mode == V3_INSN_MODE_64 ? 64 : env->mode == V3_INSN_MODE_32 ? 32 : 16;
	out->cpl = env->cpl;
	out->shadow = vcpu->shadow;
	out->nmi_blocked = vcpu->nmi_blocked;
	out->nmi_pending = vcpu->nmi_pending;
	out->exception = event_of(&vcpu->exception);
	out->intr = event_of(&vcpu->intr);
	fill_exits(vcpu, out);
}

/* Base of the stack segment: 64-bit mode has none. */
static uint64_t stack_base(const struct v3_insn_env *env, const struct v3_vcpu_state *state)
{
	return env->mode == V3_INSN_MODE_64 ? 0 : state->seg[V3_SEG_SS].base;
}

/* RSP as the stack segment's size has it. */
static uint64_t stack_pointer(const struct v3_insn_env *env, const struct v3_vcpu_state *state)
{
	if (env->mode == V3_INSN_MODE_64)
		return state->gpr[4];
	return state->seg[V3_SEG_SS].attrib & V3_SEG_DB ? (uint32_t)state->gpr[4] :
							       (uint16_t)state->gpr[4];
}

enum v3_status v3_vcpu_inspect(struct v3_vcpu *vcpu, v3_gva_t gva, struct v3_vcpu_inspection *out)
{
	struct v3_vm *vm = vcpu->vm;
	struct v3_insn_env env;

	memset(out, 0, sizeof(*out));
	v3_vm_freeze(vm);
	vm->arch->insn_env(vcpu, &env);
	fill_plain(vcpu, &env, out);
	read_around(vm, &env, (env.mode == V3_INSN_MODE_64 ? 0 : env.cs_base) + vcpu->rip, true,
		    &out->code);
	read_around(vm, &env, stack_base(&env, &out->state) + stack_pointer(&env, &out->state),
		    false, &out->stack);
	v3_guest_levels(&env.walk, &vm->walk_mem, gva, &out->walk);
	if (out->walk.end == V3_PAGE_MAPPED)
		walk_nested(vm, &out->walk);
	v3_vm_thaw(vm);
	return V3_OK;
}
