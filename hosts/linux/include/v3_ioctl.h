/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/**
 * @file v3_ioctl.h
 * Interface between the Linux module v3.ko and user space.
 *
 * /dev/v3 (the control device) answers the first group of requests; V3_IOC_CREATE and V3_IOC_OPEN
 * give a VM descriptor that answers the second. V3_IOC_CONSOLE gives a console descriptor
 * for read(), write() and poll().
 *
 * Every structure begins with struct v3_ioc_head. The caller zeroes the whole structure and sets
 * head.struct_size to its size; reserved fields and unknown flags must be zero. A request that
 * fails after its structure could be read leaves the enum v3_status in head.status and one line in
 * head.message that names the thing and says why. Pointers travel as __u64. Layouts
 * are the same for 32-bit and 64-bit callers.
 *
 * errno of a failed request, by enum v3_status:
 *   INVALID EINVAL, NOMEM ENOMEM, NOTSUP EOPNOTSUPP, BUSY EBUSY, STATE EPROTO, NOENT ENOENT,
 *   EXIST EEXIST, RANGE ERANGE, FORMAT ENOEXEC, IO EIO, HOOK ENOSYS, VERSION EPROTONOSUPPORT,
 *   DENIED EPERM, TIMEOUT ETIMEDOUT, AGAIN EAGAIN, INTERNAL EUCLEAN.
 * Besides: EFAULT (a bad pointer), EINTR (a signal), ENOTTY (no such request here, or a
 * structure of another size), ENODEV (the VM of this descriptor was destroyed).
 */
#ifndef V3_IOCTL_H
#define V3_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/** Raised whenever a layout or meaning below changes. V3_IOC_VERSION itself never changes. */
#define V3_IOC_ABI_VERSION 5

#define V3_IOC_MAGIC 0xD3
#define V3_DEV_PATH "/dev/v3"

/** Sizes below, with NUL where they are strings. The module asserts that they fit libv3's own. */
#define V3_IOC_MESSAGE 256
#define V3_IOC_NAME 64
#define V3_IOC_REASON 160
#define V3_IOC_VCPUS 64
#define V3_IOC_MEMS 16
#define V3_IOC_SEGMENTS 16
#define V3_IOC_MODULES 15
#define V3_IOC_EXITS 64
#define V3_IOC_EXIT_NAME 24
#define V3_IOC_CPU 1024

/** First member of every request. */
struct v3_ioc_head {
	/** in: size of the whole structure. */
	__u32 struct_size;
	/** in: zero. */
	__u32 reserved;
	/** out: enum v3_status; 0 is success. */
	__s32 status;
	/** in: zero. */
	__u32 reserved2;
	/** out: one line without newline; empty if there is nothing to say. */
	char message[V3_IOC_MESSAGE];
};

/** @name Requests of /dev/v3
 * @{ */

struct v3_ioc_version {
	struct v3_ioc_head head;
	/** out: V3_IOC_ABI_VERSION of the module. Callers refuse any other than their own. */
	__u32 abi_version;
	/** out: version of libv3 inside the module. */
	__u32 major, minor, patch;
	/** out: the same as a string, and "svm", "vmx" or "". */
	char version[32];
	char backend[16];
};

/** Who owns the virtualization extension of a CPU. */
enum v3_ioc_owner {
	V3_IOC_OWNER_NONE = 0,    /**< free: v3 can have it */
	V3_IOC_OWNER_V3 = 1,      /**< v3 has it */
	V3_IOC_OWNER_OTHER = 2,   /**< KVM or another hypervisor has it */
	V3_IOC_OWNER_DENIED = 3,  /**< disabled by firmware */
	V3_IOC_OWNER_ABSENT = 4,  /**< the CPU has none that libv3 can use */
	V3_IOC_OWNER_OFFLINE = 5, /**< the CPU is offline */
};

struct v3_ioc_cpu {
	__u32 cpu;
	/** enum v3_ioc_owner. */
	__u32 owner;
	/** NUMA node, -1 if unknown. */
	__s32 node;
	/** enum v3_status that a VM on this CPU would get: 0 means usable. */
	__s32 status;
	/** Why not, or empty. */
	char message[112];
	/** The VM that owns the CPU (V3_IOC_CREATE_OWN_CPUS), or empty. */
	char vm[V3_IOC_NAME];
	/** Then: which of its vCPUs, and enum v3_ioc_yield and yield_ns as they are in effect. */
	__s32 vcpu;
	__u32 host_yield;
	__u64 yield_ns;
};

/** Flags of v3_ioc_caps.flags. */
#define V3_IOC_CAP_NESTED_PAGING (1u << 0)
#define V3_IOC_CAP_NESTED_1G (1u << 1)
#define V3_IOC_CAP_NEXT_RIP (1u << 2)
#define V3_IOC_CAP_DECODE_ASSIST (1u << 3)
#define V3_IOC_CAP_FLUSH_BY_ASID (1u << 4)
#define V3_IOC_CAP_CLEAN_BITS (1u << 5)
#define V3_IOC_CAP_TSC_SCALING (1u << 6)

struct v3_ioc_caps {
	struct v3_ioc_head head;
	/**
	 * out: status of v3_init() when the module was loaded, and its message. Unless 0 no VM can
	 * be created, and flags and all fields from backend to phys_bits are 0. The request itself
	 * succeeds.
	 */
	__s32 host_status;
	/** out: V3_IOC_CAP_*. */
	__u32 flags;
	char host_message[V3_IOC_MESSAGE];
	/** out: as struct v3_host_caps. */
	char backend[16];
	__u64 xcr0;
	__u32 num_asids;
	__u32 xsave_size;
	__u32 phys_bits;
	/** out: number of possible CPUs. */
	__u32 num_cpus;
	/** in: array of struct v3_ioc_cpu and its capacity; out: how many were written. */
	__u64 cpus;
	__u32 cpus_capacity;
	__u32 cpus_count;
	/** out: TSC frequency in kHz. */
	__u64 tsc_khz;
};

/** Flags of v3_ioc_create.flags. */
/** The VM outlives its creator's descriptor and ends with V3_IOC_DESTROY only. */
#define V3_IOC_CREATE_DETACHED (1u << 0)
/** Instructions on devices that libv3 cannot emulate raise \#UD in the guest; else the VM ends. */
#define V3_IOC_CREATE_UNEMULATED_UD (1u << 1)
/** Unknown MSRs read as 0 and writes to them are dropped; else both raise \#GP in the guest. */
#define V3_IOC_CREATE_IGNORE_MSRS (1u << 2)
/** Guest RAM comes from memory that V3_IOC_MEM_TAKE has taken, or the request fails. */
#define V3_IOC_CREATE_HELD (1u << 3)
/**
 * The VM has the host CPUs of @c cpus, all of them named and different, to itself: no other VM's
 * vCPUs run there, and Linux only as @c host_yield says. CPU 0 cannot be owned. Until the VM is
 * gone.
 */
#define V3_IOC_CREATE_OWN_CPUS (1u << 4)
/**
 * With V3_IOC_CREATE_OWN_CPUS: kernel.sched_rt_runtime_us is -1 as long as the VM exists, so its
 * threads can be SCHED_FIFO all the time. Else they are not while the guest runs, as Linux would
 * stop them for as long as they ran.
 */
#define V3_IOC_CREATE_OWN_FIFO (1u << 5)

/** When Linux gets an owned CPU: v3_ioc_create.host_yield. */
enum v3_ioc_yield {
	V3_IOC_YIELD_DEFAULT = 0,  /**< as INTERVAL with 0 */
	/** When the guest ends or is paused; its HLT keeps the CPU. */
	V3_IOC_YIELD_NEVER = 1,
	V3_IOC_YIELD_ON_HALT = 2,  /**< besides, while the guest halts */
	/** As ON_HALT, and every yield_ns for what Linux has to do there. */
	V3_IOC_YIELD_INTERVAL = 3,
};
/** Limits of v3_ioc_create.yield_ns, and what 0 means. */
#define V3_IOC_YIELD_MIN_NS 1000000ull
#define V3_IOC_YIELD_MAX_NS 10000000000ull
#define V3_IOC_YIELD_DEFAULT_NS 5000000000ull

struct v3_ioc_mem {
	/** Bytes, a multiple of 2 MiB. */
	__u64 size;
	/** NUMA node, or -1: any. */
	__s32 node;
	__u32 reserved;
};

/**
 * Creates a VM with the PC platform. The VM dies when the last copy of @c fd is closed, unless it
 * is detached.
 */
struct v3_ioc_create {
	struct v3_ioc_head head;
	/** in: NUL-terminated; letters, digits and "-_.+" only; not in use (EEXIST). */
	char name[V3_IOC_NAME];
	/** in: V3_IOC_CREATE_*. */
	__u32 flags;
	/** in: 1 to V3_IOC_VCPUS. */
	__u32 num_vcpus;
	/** in: host CPU of each vCPU, -1: any. Entries from num_vcpus on are zero. */
	__s32 cpus[V3_IOC_VCPUS];
	/** in: 1 to V3_IOC_MEMS pieces of guest RAM, the rest zero. */
	__u32 num_mem;
	/** out: VM descriptor, close-on-exec. */
	__s32 fd;
	struct v3_ioc_mem mem[V3_IOC_MEMS];
	/**
	 * in: NUL-terminated; CPU model and hidden features as in v3_vm_config.cpu; empty: the
	 * host's.
	 */
	char cpu[V3_IOC_CPU];
	/** in: enum v3_ioc_yield; zero without V3_IOC_CREATE_OWN_CPUS. */
	__u32 host_yield;
	__u32 reserved;
	/** in: for V3_IOC_YIELD_INTERVAL: nanoseconds, or 0; else zero. */
	__u64 yield_ns;
	/** in: frequency of the guest's TSC, or 0: the host's; see v3_vm_config.tsc_khz. */
	__u64 tsc_khz;
};

/** Opens an existing VM. This descriptor does not keep the VM alive. */
struct v3_ioc_open {
	struct v3_ioc_head head;
	char name[V3_IOC_NAME];
	/** in: zero. */
	__u32 flags;
	/** out: VM descriptor, close-on-exec. */
	__s32 fd;
};

/** Flags of v3_ioc_list_entry.flags. */
#define V3_IOC_LIST_DETACHED (1u << 0)

struct v3_ioc_list_entry {
	char name[V3_IOC_NAME];
	/** enum v3_vm_state. */
	__u32 state;
	/** V3_IOC_LIST_*. */
	__u32 flags;
	__u32 num_vcpus;
	/** Process that created it, in the caller's PID namespace (0: gone or not visible). */
	__s32 owner_pid;
	/** Guest RAM in bytes. */
	__u64 memory;
	/** How it ended: enum v3_end_kind and exit code. */
	__u32 end_kind;
	__u32 end_code;
};

struct v3_ioc_list {
	struct v3_ioc_head head;
	/** in: array of struct v3_ioc_list_entry and its capacity. */
	__u64 entries;
	__u32 capacity;
	/** out: number of VMs; entries beyond the capacity were left out. */
	__u32 count;
};

/** Names of the exit kinds, index = position in v3_ioc_vcpu_stats.exits. */
struct v3_ioc_exit_names {
	struct v3_ioc_head head;
	/** out. */
	__u32 count;
	__u32 reserved;
	char names[V3_IOC_EXITS][V3_IOC_EXIT_NAME];
};

/** @name Memory that the module holds for guests
 * V3_IOC_MEM_TAKE takes memory from the host until V3_IOC_MEM_GIVE or the end of the module. VMs
 * use it first, and take more by themselves, which goes back when they end.
 * @{ */

/** Where held memory is from. */
enum v3_ioc_mem_provider {
	V3_IOC_MEM_CONTIG = 0,  /**< evacuated by alloc_contig_range() */
	V3_IOC_MEM_OFFLINE = 1, /**< memory blocks set offline */
};

/** Flags of v3_ioc_mem_range.flags. */
/** Stays until V3_IOC_MEM_GIVE; else goes back when the VM that uses it ends. */
#define V3_IOC_MEM_HELD (1u << 0)
/** The block was in ZONE_MOVABLE, and is to go there again. */
#define V3_IOC_MEM_MOVABLE (1u << 1)

/** A contiguous range of the host's memory. */
struct v3_ioc_mem_range {
	/** Host-physical address (0 for callers without CAP_SYS_ADMIN), bytes, bytes in use. */
	__u64 start, size, used;
	__s32 node;
	/** enum v3_ioc_mem_provider, V3_IOC_MEM_*. */
	__u32 provider;
	__u32 flags;
	__u32 reserved;
};

/** Memory of a node that a VM uses. */
struct v3_ioc_mem_use {
	char name[V3_IOC_NAME];
	__u64 size;
	__s32 node;
	__u32 reserved;
};

struct v3_ioc_mem_node {
	__s32 node;
	__u32 reserved;
	/** Bytes: what the host has with what is offline here, and what of it is free. */
	__u64 total, free;
	/** Bytes: held until given, all that VMs use, all that is held and not in use. */
	__u64 held, used, unused;
	/** Bytes: longest runs of what is not in use, aligned to 1 GiB and to 2 MiB. */
	__u64 run_1g, run_2m;
};

struct v3_ioc_mem_list {
	struct v3_ioc_head head;
	/** in: arrays of the three structures above and their capacities. */
	__u64 nodes, ranges, uses;
	__u32 nodes_capacity, ranges_capacity, uses_capacity;
	/** out: how many there are; those beyond the capacity were left out. */
	__u32 nodes_count, ranges_count, uses_count;
};

/** For V3_IOC_MEM_TAKE: claims the blocks of V3_IOC_MEM_PLAN that are offline by now. */
#define V3_IOC_MEM_TAKE_PLAN (1u << 0)

/** Why no (more) memory could be taken. */
enum v3_ioc_mem_why {
	V3_IOC_MEM_WHY_NONE = 0,
	V3_IOC_MEM_WHY_RESERVE = 1,  /**< the host would keep less than reserve_mb */
	V3_IOC_MEM_WHY_OBSTACLE = 2, /**< at @c obstacle there is something in the way */
	V3_IOC_MEM_WHY_TIME = 3,     /**< search_seconds were over */
	V3_IOC_MEM_WHY_KILLED = 4,   /**< a signal */
	V3_IOC_MEM_WHY_SMALL = 5,    /**< the node is too small */
};

/** Takes all of it or nothing. Memory of a plan stays as it is if the request fails. */
struct v3_ioc_mem_take {
	struct v3_ioc_head head;
	/** in: bytes, a multiple of 2 MiB; with V3_IOC_MEM_TAKE_PLAN 0. */
	__u64 size;
	/** in: NUMA node, or -1: any. */
	__s32 node;
	/** in: V3_IOC_MEM_TAKE_*. */
	__u32 flags;
	/** out: bytes taken; if it failed: that could have been taken. */
	__u64 taken;
	/** out, if it failed: enum v3_ioc_mem_why, and host-physical address of the obstacle. */
	__u32 why;
	__u32 reserved;
	__u64 obstacle;
};

/** Gives unused memory back: all of it or nothing, the smallest ranges first. */
struct v3_ioc_mem_give {
	struct v3_ioc_head head;
	/**
	 * in: bytes, a multiple of 2 MiB; 0: all, and what VMs use goes back when they end.
	 */
	__u64 size;
	/** in: NUMA node, or -1: any. */
	__s32 node;
	__u32 flags;
	/** out: bytes given back, and to go back when VMs end. */
	__u64 given, later;
};

/** Most ranges of one V3_IOC_MEM_PLAN. */
#define V3_IOC_MEM_PLAN_MAX 4096

/**
 * Memory blocks that the caller is about to set offline in sysfs. Those that it did and
 * that were not claimed by V3_IOC_MEM_TAKE are set online again when they are taken out of the plan
 * (V3_IOC_MEM_UNPLAN) or the descriptor is closed, however that comes about. Needs CAP_SYS_ADMIN.
 */
struct v3_ioc_mem_plan {
	struct v3_ioc_head head;
	/** in: array of struct v3_ioc_mem_range: start, size, node, flags (MOVABLE); rest 0. */
	__u64 ranges;
	__u32 count;
	__u32 reserved;
};

/** What a request does that takes its time. */
enum v3_ioc_mem_phase {
	V3_IOC_MEM_PHASE_NONE = 0,
	V3_IOC_MEM_PHASE_TAKE = 1,   /**< takes memory from the host */
	V3_IOC_MEM_PHASE_ZERO = 2,   /**< zeroes it */
	V3_IOC_MEM_PHASE_ONLINE = 3, /**< sets memory blocks online */
};

/** How far the request is that another thread has under way on the same descriptor. */
struct v3_ioc_mem_progress {
	struct v3_ioc_head head;
	/** out: enum v3_ioc_mem_phase. */
	__u32 phase;
	__u32 reserved;
	/** out: bytes. */
	__u64 done, total;
};
/** @} */

/** @name Restoring the host
 * What the v3 command changed for CPUs that it took (affinities and the like) is restored by itself;
 * it says beforehand when the module is to run it for that, as it may be killed.
 * @{ */

/** When "v3 cpu give --restore" is to be run. */
enum v3_ioc_restore_when {
	V3_IOC_RESTORE_NEVER = 0,
	/** When the descriptor is closed; asked of a VM's: when the VM is gone. */
	V3_IOC_RESTORE_CLOSE = 1,
	/** When the module is unloaded; of /dev/v3 only. */
	V3_IOC_RESTORE_UNLOAD = 2,
};

/** Request of both kinds of descriptors. Needs CAP_SYS_ADMIN. The last one counts for each. */
struct v3_ioc_restore {
	struct v3_ioc_head head;
	/** in: host CPU: the lowest of those that were taken together. */
	__s32 cpu;
	/** in: enum v3_ioc_restore_when. */
	__u32 when;
};
/** @} */

#define V3_IOC_RESTORE _IOWR(V3_IOC_MAGIC, 0x16, struct v3_ioc_restore)
#define V3_IOC_MEM_LIST _IOWR(V3_IOC_MAGIC, 0x10, struct v3_ioc_mem_list)
#define V3_IOC_MEM_TAKE _IOWR(V3_IOC_MAGIC, 0x11, struct v3_ioc_mem_take)
#define V3_IOC_MEM_GIVE _IOWR(V3_IOC_MAGIC, 0x12, struct v3_ioc_mem_give)
#define V3_IOC_MEM_PLAN _IOWR(V3_IOC_MAGIC, 0x13, struct v3_ioc_mem_plan)
#define V3_IOC_MEM_UNPLAN _IOWR(V3_IOC_MAGIC, 0x14, struct v3_ioc_mem_plan)
#define V3_IOC_MEM_PROGRESS _IOWR(V3_IOC_MAGIC, 0x15, struct v3_ioc_mem_progress)
#define V3_IOC_VERSION _IOWR(V3_IOC_MAGIC, 0x00, struct v3_ioc_version)
#define V3_IOC_CAPS _IOWR(V3_IOC_MAGIC, 0x01, struct v3_ioc_caps)
#define V3_IOC_CREATE _IOWR(V3_IOC_MAGIC, 0x02, struct v3_ioc_create)
#define V3_IOC_OPEN _IOWR(V3_IOC_MAGIC, 0x03, struct v3_ioc_open)
#define V3_IOC_LIST _IOWR(V3_IOC_MAGIC, 0x04, struct v3_ioc_list)
#define V3_IOC_EXIT_NAMES _IOWR(V3_IOC_MAGIC, 0x05, struct v3_ioc_exit_names)
/** @} */

/** @name Requests of a VM descriptor
 * @{ */

/** Loads a Linux bzImage: see v3_boot_linux(). Once, before V3_IOC_START. */
struct v3_ioc_load_linux {
	struct v3_ioc_head head;
	/** in: the files in the caller's memory; initrd_size 0: none. */
	__u64 kernel, kernel_size;
	__u64 initrd, initrd_size;
	/** in: command line without NUL, at most 2047 bytes; length 0: empty. */
	__u64 cmdline;
	__u32 cmdline_len;
	/** in: enum v3_linux_entry. */
	__u32 entry;
};

struct v3_ioc_segment {
	/** Guest-physical address; position in the image; bytes from the image; bytes in memory. */
	__u64 gpa, offset, file_size, mem_size;
};

/** Loads segments of an ELF kernel: see v3_boot_segments(). Once, before V3_IOC_START. */
struct v3_ioc_load_segments {
	struct v3_ioc_head head;
	/** in: the image in the caller's memory. */
	__u64 image, image_size;
	/** in: an initial RAM disk; size 0: none. */
	__u64 initrd, initrd_size;
	__u64 cmdline;
	__u32 cmdline_len;
	/** in: 1 (multiboot with addresses in its header: 0) to V3_IOC_SEGMENTS, the rest zero. */
	__u32 num_segments;
	/** in: guest-physical address to enter. */
	__u64 entry;
	struct v3_ioc_segment segments[V3_IOC_SEGMENTS];
};

/** A file for a multiboot kernel. */
struct v3_ioc_module {
	/** in: its bytes in the caller's memory; size 0: an empty one. */
	__u64 data, size;
	/** in: the string that goes with it, as a command line. */
	__u64 cmdline;
	__u32 cmdline_len;
	__u32 reserved;
};

/** Loads a kernel with a multiboot header: see v3_boot_multiboot(). Once, before V3_IOC_START. */
struct v3_ioc_load_multiboot {
	/** As for V3_IOC_LOAD_SEGMENTS; its head is that of the request. */
	struct v3_ioc_load_segments image;
	/** in: address of an array of struct v3_ioc_module; at most V3_IOC_MODULES. */
	__u64 modules;
	__u32 num_modules;
	__u32 reserved;
};

/** For V3_IOC_START, PAUSE, RESUME, STOP, DESTROY and DETACH. */
struct v3_ioc_control {
	struct v3_ioc_head head;
};

/**
 * V3_IOC_STATE tells at once; V3_IOC_WAIT waits until the VM is stopped (ETIMEDOUT, EINTR; ENODEV
 * if it was destroyed meanwhile). poll() on the VM descriptor: POLLIN when stopped, POLLHUP when
 * destroyed.
 */
struct v3_ioc_state {
	struct v3_ioc_head head;
	/** in: V3_IOC_WAIT: milliseconds, negative: for ever. V3_IOC_STATE: zero. */
	__s64 timeout_ms;
	/** out: enum v3_vm_state, enum v3_end_kind, exit code. */
	__u32 state;
	__u32 end_kind;
	__u32 end_code;
	/** out: V3_IOC_LIST_*. */
	__u32 flags;
	/** out: why it ended. */
	char reason[V3_IOC_REASON];
	/** out: progress in bytes of a load request that another thread has under way. */
	__u64 load_done, load_total;
	char name[V3_IOC_NAME];
	/** out: as created; 1 if an image was loaded. */
	__u32 num_vcpus;
	__u32 loaded;
};

/** As struct v3_vm_stats. */
struct v3_ioc_vm_stats {
	struct v3_ioc_head head;
	__u64 ram, leaf_1g, leaf_2m, leaf_4k;
	__u64 table_pages, vmm_bytes, vcpu_bytes;
	__u32 num_vcpus;
	__u32 reserved;
};

/** As struct v3_vcpu_stats, for one vCPU. */
struct v3_ioc_vcpu_stats {
	struct v3_ioc_head head;
	/** in: index of the vCPU. */
	__u32 vcpu;
	/** out: host CPU, -1 before it has run. */
	__s32 cpu;
	/** out: entries used of exits. */
	__u32 num_exits;
	__u32 reserved;
	__u64 exits[V3_IOC_EXITS];
	__u64 injected, ram_faults, halts, run_ns, halt_ns;
};

/** Opens a console; one descriptor at a time (EBUSY). */
struct v3_ioc_console {
	struct v3_ioc_head head;
	/** in: 0 is COM1. */
	__u32 index;
	/**
	 * out: descriptor, close-on-exec. read() gives at least a byte or blocks; 0 once the VM is
	 * stopped and all was read. write() takes at least a byte or blocks; EPIPE once the VM is
	 * stopped. Honors O_NONBLOCK (fcntl).
	 */
	__s32 fd;
};

/** For V3_IOC_RESET: only asks for it, by ending the VM with V3_END_RESET, as a guest does. */
#define V3_IOC_RESET_ASK (1u << 0)

/**
 * Resets a VM in any state: see v3_vm_reset(). It is then as it was created, but for its memory's
 * contents, and has no image: load one and V3_IOC_START. With V3_IOC_RESET_ASK the VM's owner is to
 * do that (EPROTO unless it runs or is paused).
 */
struct v3_ioc_reset {
	struct v3_ioc_head head;
	/** in: V3_IOC_RESET_*. */
	__u32 flags;
	__u32 reserved;
};

/** Gives an NMI to one vCPU or to all: see v3_vm_nmi(). EPROTO unless the VM runs or is paused. */
struct v3_ioc_nmi {
	struct v3_ioc_head head;
	/** in: index of the vCPU, or -1: all. */
	__s32 vcpu;
	__u32 reserved;
};

/** Looks at a vCPU: see v3_vcpu_inspect(). Works in each state of the VM. */
struct v3_ioc_inspect {
	struct v3_ioc_head head;
	/** in: index of the vCPU. */
	__u32 vcpu;
	/**
	 * in: sizeof(struct v3_vcpu_inspection), of <v3/inspect.h>; its layout is part of this
	 * interface.
	 */
	__u32 size;
	/** in: linear address for its page walk. */
	__u64 address;
	/** in: struct v3_vcpu_inspection. hpa is all ones for callers without CAP_SYS_ADMIN. */
	__u64 inspection;
};

/** Turns the event trace of all vCPUs on or off: see v3_trace_set(). */
struct v3_ioc_trace {
	struct v3_ioc_head head;
	/** in: 0 or 1. */
	__u32 on;
	__u32 reserved;
};

/** Most events of one V3_IOC_TRACE_READ. */
#define V3_IOC_TRACE_MAX 4096

/** Copies events of a vCPU's trace: see v3_trace_read(). ENOENT: it was never on. */
struct v3_ioc_trace_read {
	struct v3_ioc_head head;
	/** in: index of the vCPU. */
	__u32 vcpu;
	/** in: capacity of events, at most V3_IOC_TRACE_MAX. */
	__u32 capacity;
	/**
	 * in: array of struct v3_trace_event, of <v3/trace.h>; its layout is part of this
	 * interface.
	 */
	__u64 events;
	/** in: number of the first event wanted; out: of the one after the last copied. */
	__u64 position;
	/** out: how many were overwritten before they could be copied. */
	__u64 lost;
	/** out: how many were copied; 1 if the trace is on. */
	__u32 count;
	__u32 on;
};

/** Longest note. */
#define V3_IOC_NOTE_MAX 16384
/** For V3_IOC_NOTE: keeps it; else gives it back. */
#define V3_IOC_NOTE_SET (1u << 0)

/**
 * Bytes that the module keeps with the VM for user space, such as where its image came from. It
 * gives them back as they are, with who wrote them: believe nobody else.
 */
struct v3_ioc_note {
	struct v3_ioc_head head;
	/** in: the bytes, or where to put them. */
	__u64 data;
	/**
	 * in: how many, or room; out (not with V3_IOC_NOTE_SET): how many there are (ERANGE: more
	 * than room).
	 */
	__u32 size;
	/** in: V3_IOC_NOTE_*. */
	__u32 flags;
	/** out: effective user who wrote it, in the caller's user namespace. */
	__u32 uid;
	__u32 reserved;
};

/** What disturbs a vCPU on a CPU that its VM owns. */
enum v3_ioc_noise_kind {
	V3_IOC_NOISE_GUEST_TIMER = 0, /**< the host's timer interrupt for a timer of the guest's own */
	V3_IOC_NOISE_TIMER = 1,       /**< timer interrupts for the host */
	V3_IOC_NOISE_RESCHEDULE = 2,  /**< reschedule interrupts; libv3 sends them for requests, too */
	V3_IOC_NOISE_CALL = 3,        /**< function calls from other CPUs */
	V3_IOC_NOISE_TLB = 4,         /**< TLB shootdowns */
	V3_IOC_NOISE_IRQ_WORK = 5,    /**< interrupts that a CPU sends itself for work */
	V3_IOC_NOISE_DEVICE = 6,      /**< device interrupts */
	V3_IOC_NOISE_NMI = 7,         /**< non-maskable interrupts */
	V3_IOC_NOISE_OTHER = 8,       /**< spurious, platform, performance, thermal, thresholds */
	V3_IOC_NOISE_YIELD = 9,       /**< Linux had the CPU; what came then counts nowhere else */
};
/** Number of causes, and room for more. */
#define V3_IOC_NOISE_CAUSES 10
#define V3_IOC_NOISE_ROOM 16

struct v3_ioc_noise_cause {
	/**
	 * How often. TSC ticks from the exit to the next entry, in all and at most, of those
	 * after which the guest went on at once; of several causes at once the heaviest has them all.
	 */
	__u64 count, ticks, longest;
};

/** For V3_IOC_NOISE: "longest" of all causes begins anew after this. */
#define V3_IOC_NOISE_BEGIN (1u << 0)

/** What has disturbed a vCPU since its VM was created. Interrupts that ended its HLT have not. */
struct v3_ioc_noise {
	struct v3_ioc_head head;
	/** in: index of the vCPU. */
	__u32 vcpu;
	/** in: V3_IOC_NOISE_*. */
	__u32 flags;
	/** out: the CPU that it owns, or -1: none, and nothing is known. */
	__s32 cpu;
	/** out: entries used of causes. */
	__u32 num_causes;
	/** out: the host's TSC now, its frequency, and what is to be added to get the guest's. */
	__u64 tsc, tsc_khz, tsc_offset;
	/** out: by enum v3_ioc_noise_kind. */
	struct v3_ioc_noise_cause causes[V3_IOC_NOISE_ROOM];
	/** out: what the host's TSC is multiplied with before that: v3_vm_tsc_ratio(). */
	__u64 tsc_ratio;
};

#define V3_IOC_LOAD_LINUX _IOWR(V3_IOC_MAGIC, 0x40, struct v3_ioc_load_linux)
#define V3_IOC_LOAD_SEGMENTS _IOWR(V3_IOC_MAGIC, 0x41, struct v3_ioc_load_segments)
#define V3_IOC_START _IOWR(V3_IOC_MAGIC, 0x42, struct v3_ioc_control)
#define V3_IOC_PAUSE _IOWR(V3_IOC_MAGIC, 0x43, struct v3_ioc_control)
#define V3_IOC_RESUME _IOWR(V3_IOC_MAGIC, 0x44, struct v3_ioc_control)
#define V3_IOC_STOP _IOWR(V3_IOC_MAGIC, 0x45, struct v3_ioc_control)
/** Stops if needed, frees the VM and its name; its descriptors answer ENODEV from then on. */
#define V3_IOC_DESTROY _IOWR(V3_IOC_MAGIC, 0x46, struct v3_ioc_control)
/** The VM outlives its creator's descriptor from now on. */
#define V3_IOC_DETACH _IOWR(V3_IOC_MAGIC, 0x47, struct v3_ioc_control)
#define V3_IOC_STATE _IOWR(V3_IOC_MAGIC, 0x48, struct v3_ioc_state)
#define V3_IOC_WAIT _IOWR(V3_IOC_MAGIC, 0x49, struct v3_ioc_state)
#define V3_IOC_RESET _IOWR(V3_IOC_MAGIC, 0x4E, struct v3_ioc_reset)
#define V3_IOC_NMI _IOWR(V3_IOC_MAGIC, 0x4F, struct v3_ioc_nmi)
#define V3_IOC_INSPECT _IOWR(V3_IOC_MAGIC, 0x50, struct v3_ioc_inspect)
#define V3_IOC_TRACE _IOWR(V3_IOC_MAGIC, 0x51, struct v3_ioc_trace)
#define V3_IOC_TRACE_READ _IOWR(V3_IOC_MAGIC, 0x52, struct v3_ioc_trace_read)
#define V3_IOC_NOTE _IOWR(V3_IOC_MAGIC, 0x53, struct v3_ioc_note)
#define V3_IOC_NOISE _IOWR(V3_IOC_MAGIC, 0x54, struct v3_ioc_noise)
#define V3_IOC_VM_STATS _IOWR(V3_IOC_MAGIC, 0x4A, struct v3_ioc_vm_stats)
#define V3_IOC_VCPU_STATS _IOWR(V3_IOC_MAGIC, 0x4B, struct v3_ioc_vcpu_stats)
#define V3_IOC_CONSOLE _IOWR(V3_IOC_MAGIC, 0x4C, struct v3_ioc_console)
#define V3_IOC_LOAD_MULTIBOOT _IOWR(V3_IOC_MAGIC, 0x4D, struct v3_ioc_load_multiboot)
/** @} */

#endif
