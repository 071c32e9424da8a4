/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/*
 * Tracepoints v3:v3_entry, v3:v3_exit and v3:v3_inject. Read several times by
 * <trace/define_trace.h>.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM v3

#if !defined(V3_LX_TRACE_POINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define V3_LX_TRACE_POINTS_H

#include <linux/tracepoint.h>

/*
 * All kinds of exits with the names that v3_exit_name() gives them, too; trace.c checks that none
 * is missing.
 */
#define V3_LX_EXITS \
	V3_LX_EXIT(NONE, "none") \
	V3_LX_EXIT(INTR, "intr") \
	V3_LX_EXIT(NMI, "nmi") \
	V3_LX_EXIT(SMI, "smi") \
	V3_LX_EXIT(INIT, "init") \
	V3_LX_EXIT(INTR_WINDOW, "intr_window") \
	V3_LX_EXIT(NMI_WINDOW, "nmi_window") \
	V3_LX_EXIT(HLT, "hlt") \
	V3_LX_EXIT(PAUSE, "pause") \
	V3_LX_EXIT(CPUID, "cpuid") \
	V3_LX_EXIT(RDMSR, "rdmsr") \
	V3_LX_EXIT(WRMSR, "wrmsr") \
	V3_LX_EXIT(IO, "io") \
	V3_LX_EXIT(NESTED_FAULT, "nested_fault") \
	V3_LX_EXIT(CR, "cr") \
	V3_LX_EXIT(DR, "dr") \
	V3_LX_EXIT(XSETBV, "xsetbv") \
	V3_LX_EXIT(INVD, "invd") \
	V3_LX_EXIT(HYPERCALL, "hypercall") \
	V3_LX_EXIT(EXCEPTION, "exception") \
	V3_LX_EXIT(SHUTDOWN, "shutdown") \
	V3_LX_EXIT(UNDEFINED, "undefined") \
	V3_LX_EXIT(MACHINE_CHECK, "machine_check") \
	V3_LX_EXIT(INVALID, "invalid") \
	V3_LX_EXIT(UNKNOWN, "unknown") \
	V3_LX_EXIT(EMULATE, "emulate") \
	V3_LX_EXIT_LAST(INTC, "intc")

/* So that perf and trace-cmd, which read the format from tracefs, know the numbers. */
#undef V3_LX_EXIT
#undef V3_LX_EXIT_LAST
#define V3_LX_EXIT(kind, name) TRACE_DEFINE_ENUM(V3_EXIT_##kind);
#define V3_LX_EXIT_LAST(kind, name) TRACE_DEFINE_ENUM(V3_EXIT_##kind);
V3_LX_EXITS
#undef V3_LX_EXIT
#undef V3_LX_EXIT_LAST
#define V3_LX_EXIT(kind, name) { V3_EXIT_##kind, name },
#define V3_LX_EXIT_LAST(kind, name) { V3_EXIT_##kind, name }

int v3_lx_trace_reg(void);
void v3_lx_trace_unreg(void);

TRACE_EVENT_FN(v3_entry,
	TP_PROTO(const char *vm, unsigned int vcpu, u64 rip),
	TP_ARGS(vm, vcpu, rip),
	TP_STRUCT__entry(
		__string(vm, vm)
		__field(u32, vcpu)
		__field(u64, rip)
	),
	TP_fast_assign(
		v3_lx_assign_str(vm, vm);
		__entry->vcpu = vcpu;
		__entry->rip = rip;
	),
	TP_printk("vm=%s vcpu=%u rip=0x%llx", __get_str(vm), __entry->vcpu, __entry->rip),
	v3_lx_trace_reg, v3_lx_trace_unreg
);

TRACE_EVENT_FN(v3_exit,
	TP_PROTO(const char *vm, unsigned int vcpu, u32 kind, u64 rip, u64 info, u64 info2),
	TP_ARGS(vm, vcpu, kind, rip, info, info2),
	TP_STRUCT__entry(
		__string(vm, vm)
		__field(u32, vcpu)
		__field(u32, kind)
		__field(u64, rip)
		__field(u64, info)
		__field(u64, info2)
	),
	TP_fast_assign(
		v3_lx_assign_str(vm, vm);
		__entry->vcpu = vcpu;
		__entry->kind = kind;
		__entry->rip = rip;
		__entry->info = info;
		__entry->info2 = info2;
	),
	TP_printk("vm=%s vcpu=%u exit=%s rip=0x%llx info=0x%llx info2=0x%llx", __get_str(vm),
		  __entry->vcpu, __print_symbolic(__entry->kind, V3_LX_EXITS), __entry->rip,
		  __entry->info, __entry->info2),
	v3_lx_trace_reg, v3_lx_trace_unreg
);

TRACE_EVENT_FN(v3_inject,
	TP_PROTO(const char *vm, unsigned int vcpu, u32 type, u32 vector, u32 error),
	TP_ARGS(vm, vcpu, type, vector, error),
	TP_STRUCT__entry(
		__string(vm, vm)
		__field(u32, vcpu)
		__field(u32, type)
		__field(u32, vector)
		__field(u32, error)
	),
	TP_fast_assign(
		v3_lx_assign_str(vm, vm);
		__entry->vcpu = vcpu;
		__entry->type = type;
		__entry->vector = vector;
		__entry->error = error;
	),
	TP_printk("vm=%s vcpu=%u type=%s vector=%u error=0x%x", __get_str(vm), __entry->vcpu,
		  __print_symbolic(__entry->type, { 0, "interrupt" }, { 2, "nmi" },
				   { 3, "exception" }),
		  __entry->vector, __entry->error),
	v3_lx_trace_reg, v3_lx_trace_unreg
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace_points
#include <trace/define_trace.h>
