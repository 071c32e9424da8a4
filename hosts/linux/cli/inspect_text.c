/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * v3 inspect for people.
 */
#include "inspect_text.h"

#include <stdio.h>

typedef unsigned long long ull;

struct bit_name {
	uint64_t bit;
	const char *name;
};

/* APM2 3.1 */
static const struct bit_name rflags_bits[] = {
	{ 1u << 0, "CF" }, { 1u << 2, "PF" }, { 1u << 4, "AF" }, { 1u << 6, "ZF" },
	{ 1u << 7, "SF" }, { 1u << 8, "TF" }, { 1u << 9, "IF" }, { 1u << 10, "DF" },
	{ 1u << 11, "OF" }, { 1u << 14, "NT" }, { 1u << 16, "RF" }, { 1u << 17, "VM" },
	{ 1u << 18, "AC" }, { 1u << 21, "ID" }, { 0, NULL },
};
static const struct bit_name cr0_bits[] = {
	{ 1u << 0, "PE" }, { 1u << 1, "MP" }, { 1u << 2, "EM" }, { 1u << 3, "TS" },
	{ 1u << 4, "ET" }, { 1u << 5, "NE" }, { 1u << 16, "WP" }, { 1u << 18, "AM" },
	{ 1u << 29, "NW" }, { 1u << 30, "CD" }, { 1u << 31, "PG" }, { 0, NULL },
};
static const struct bit_name cr4_bits[] = {
	{ 1u << 0, "VME" }, { 1u << 1, "PVI" }, { 1u << 2, "TSD" }, { 1u << 3, "DE" },
	{ 1u << 4, "PSE" }, { 1u << 5, "PAE" }, { 1u << 6, "MCE" }, { 1u << 7, "PGE" },
	{ 1u << 8, "PCE" }, { 1u << 9, "OSFXSR" }, { 1u << 10, "OSXMMEXCPT" },
	{ 1u << 11, "UMIP" }, { 1u << 16, "FSGSBASE" }, { 1u << 17, "PCIDE" },
	{ 1u << 18, "OSXSAVE" }, { 1u << 20, "SMEP" }, { 1u << 21, "SMAP" },
	{ 1u << 22, "PKE" }, { 0, NULL },
};
static const struct bit_name efer_bits[] = {
	{ 1u << 0, "SCE" }, { 1u << 8, "LME" }, { 1u << 10, "LMA" }, { 1u << 11, "NXE" },
	{ 1u << 14, "FFXSR" }, { 0, NULL },
};
static const struct bit_name pte_bits[] = {
	{ 1u << 0, "P" }, { 1u << 1, "W" }, { 1u << 2, "U" }, { 1u << 3, "PWT" },
	{ 1u << 4, "PCD" }, { 1u << 5, "A" }, { 1u << 6, "D" }, { 1u << 7, "PS" },
	{ 1u << 8, "G" }, { 1ull << 63, "NX" }, { 0, NULL },
};

static void print_bits(uint64_t value, const struct bit_name *names)
{
	for (; names->name; names++)
		if (value & names->bit)
			printf(" %s", names->name);
	putchar('\n');
}

void v3_inspect_head(const struct v3_target *target)
{
	const struct v3_ioc_state *state = &target->state;
	char reason[V3_IOC_REASON];

	printf("%s: %s", v3_printable(target->name), v3_state_name(state->state));
	if (state->state == V3_VM_STOPPED) {
		snprintf(reason, sizeof(reason), "%.*s", V3_IOC_REASON - 1, state->reason);
		printf(": %s: %s", v3_end_name(state->end_kind), v3_printable(reason));
	}
	putchar('\n');
}

static void print_registers(const struct v3_vcpu_state *state)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		printf("  %-4s %016llx%s", v3_gpr_names[i], (ull)state->gpr[i],
		       i % 4 == 3 ? "\n" : "");
	printf("  rip  %016llx  rflags %08llx", (ull)state->rip, (ull)state->rflags);
	print_bits(state->rflags, rflags_bits);
	printf("  cr0  %016llx", (ull)state->cr0);
	print_bits(state->cr0, cr0_bits);
	printf("  cr2  %016llx  cr3  %016llx  cr8 %llx\n", (ull)state->cr2, (ull)state->cr3,
	       (ull)state->cr8);
	printf("  cr4  %016llx", (ull)state->cr4);
	print_bits(state->cr4, cr4_bits);
	printf("  efer %016llx", (ull)state->efer);
	print_bits(state->efer, efer_bits);
	printf("  xcr0 %016llx  pat  %016llx\n", (ull)state->xcr0, (ull)state->pat);
	printf("  dr0  %016llx  dr1  %016llx  dr2  %016llx  dr3  %016llx\n", (ull)state->dr[0],
	       (ull)state->dr[1], (ull)state->dr[2], (ull)state->dr[3]);
	printf("  dr6  %016llx  dr7  %016llx\n", (ull)state->dr6, (ull)state->dr7);
	printf("  star %016llx  lstar %016llx  cstar %016llx  sfmask %08llx\n", (ull)state->star,
	       (ull)state->lstar, (ull)state->cstar, (ull)state->sfmask);
	printf("  kernel_gs_base %016llx  sysenter cs %llx esp %llx eip %llx\n",
	       (ull)state->kernel_gs_base, (ull)state->sysenter_cs, (ull)state->sysenter_esp,
	       (ull)state->sysenter_eip);
}

static void print_segments(const struct v3_vcpu_state *state)
{
	unsigned int i;

	for (i = 0; i < V3_SEG_COUNT; i++) {
		const struct v3_segment *seg = &state->seg[i];

		printf("  %-4s %04x base %016llx limit %08x type %x%s dpl %u%s%s%s\n",
		       v3_seg_names[i], seg->selector, (ull)seg->base, seg->limit,
		       seg->attrib & 15, seg->attrib & 0x10 ? "" : " system",
		       seg->attrib >> 5 & 3, seg->attrib & 0x80 ? "" : " not-present",
		       seg->attrib & 0x200 ? " long" : "", seg->attrib & 0x400 ? " 32-bit" : "");
	}
	printf("  gdtr      base %016llx limit %04x\n", (ull)state->gdtr.base, state->gdtr.limit);
	printf("  idtr      base %016llx limit %04x\n", (ull)state->idtr.base, state->idtr.limit);
}

static void print_pending(const char *what, const struct v3_inspect_event *event)
{
	if (!event->valid)
		return;
	printf("  %s: vector %u", what, event->vector);
	if (event->has_error)
		printf(" error 0x%x", event->error);
	putchar('\n');
}

static void print_happened(const struct v3_target *target, const struct v3_look *look)
{
	const struct v3_vcpu_inspection *at = &look->at;
	char text[V3_TRACE_TEXT];
	unsigned int i;

	print_pending("exception to come", &at->exception);
	print_pending("interrupt to come", &at->intr);
	if (at->nmi_pending || at->nmi_blocked || at->shadow)
		printf("  %s%s%s\n", at->nmi_pending ? "an NMI waits; " : "",
		       at->nmi_blocked ? "NMIs are blocked; " : "",
		       at->shadow ? "interrupts wait for one instruction" : "");
	if (look->num_events)
		printf("  last %s:\n", look->traced ? "events" : "exits");
	for (i = 0; i < look->num_events; i++)
		printf("    %s\n", v3_trace_text(target, &look->events[i], text));
}

/* What the CPU has noted of a leaf, if it does. */
static const char *nested_use(uint32_t access)
{
	if (!(access & V3_NESTED_TRACKED))
		return "";
	if (!(access & V3_NESTED_ACCESSED))
		return ", not accessed";
	return access & V3_NESTED_DIRTY ? ", accessed, dirty" : ", accessed, clean";
}

static void print_nested(const struct v3_page_walk *walk)
{
	static const char *const sizes[] = { "", "4 KiB", "2 MiB", "1 GiB" };

	printf("    guest-physical %llx: %s\n", (ull)walk->gpa, v3_mem_kind_name(walk->kind));
	if (!walk->nested_level || walk->nested_level > 3) {
		printf("    nested tables: not mapped\n");
		return;
	}
	printf("    nested tables: leaf of %s, r%s%s%s%s", sizes[walk->nested_level],
	       walk->nested_access & V3_NESTED_WRITE ? "w" : "-",
	       walk->nested_access & V3_NESTED_EXECUTE ? "x" : "-",
	       walk->nested_access & V3_NESTED_UNCACHED ? ", uncached" : "",
	       nested_use(walk->nested_access));
	if (walk->hpa != V3_HPA_NONE)
		printf(", host-physical %llx", (ull)walk->hpa);
	putchar('\n');
}

static void print_walk(const struct v3_page_walk *walk)
{
	static const char *const names[] = { "", "PT", "PD", "PDPT", "PML4" };
	unsigned int i;

	printf("  page walk of %llx:\n", (ull)walk->gva);
	for (i = 0; i < walk->num_levels; i++) {
		const struct v3_page_level *level = &walk->levels[i];

		printf("    %-4s at %llx: %0*llx", level->level < 5 ? names[level->level] : "?",
		       (ull)level->entry, level->size == 4 ? 8 : 16, (ull)level->value);
		print_bits(level->value, pte_bits);
	}
	if (walk->end != V3_PAGE_MAPPED) {
		printf("    %s\n", v3_page_end_name(walk->end));
		return;
	}
	if (walk->page_size)
		printf("    page of %llu KiB, %s, %s, %s\n", (ull)walk->page_size >> 10,
		       walk->writable ? "writable" : "read-only",
		       walk->user ? "user" : "supervisor",
		       walk->executable ? "executable" : "no-execute");
	else
		printf("    paging is off\n");
	print_nested(walk);
}

static void print_code(const struct v3_look *look)
{
	const struct v3_inspect_bytes *code = &look->at.code;
	int i;
	unsigned int n;

	printf("  code:\n");
	for (i = 0; i < look->num_lines; i++)
		printf("  %s %llx  %s\n", look->lines[i].address == code->gva ? "=>" : "  ",
		       (ull)look->lines[i].address, look->lines[i].text);
	if (look->num_lines >= 0)
		return;
	printf("     (%s)\n", look->why.text);
	if (!code->count)
		return;
	printf("  => %llx ", (ull)code->gva);
	for (n = 0; n < code->count && n < 16; n++)
		printf(" %02x", code->bytes[V3_INSPECT_BYTES + n]);
	putchar('\n');
}

static void print_stack(const struct v3_inspect_bytes *stack)
{
	unsigned int i;

	printf("  stack:%s\n", stack->count ? "" : " there is no memory at RSP");
	for (i = 0; i < stack->count; i++) {
		if (i % 16 == 0)
			printf("     %llx ", (ull)stack->gva + i);
		printf(" %02x%s", stack->bytes[V3_INSPECT_BYTES + i],
		       i % 16 == 15 || i + 1 == stack->count ? "\n" : "");
	}
}

void v3_inspect_text(const struct v3_target *target, const struct v3_look *look)
{
	const struct v3_vcpu_inspection *at = &look->at;

	printf("vCPU %u: %u-bit, CPL %u, %s\n", look->vcpu, at->bits, at->cpl,
	       v3_activity_name(at->activity));
	print_registers(&at->state);
	print_segments(&at->state);
	print_happened(target, look);
	print_walk(&at->walk);
	print_code(look);
	print_stack(&at->stack);
}
