/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file v3.h
 * The public API of libv3: hosts, virtual machines, their life cycle and memory.
 *
 * Contexts are those of hooks.h. Functions on one VM may be called from any
 * thread at once unless said otherwise; control calls (start, pause, resume,
 * stop) are serialized inside.
 */
#ifndef V3_V3_H
#define V3_V3_H

#include <v3/hooks.h>
#include <v3/types.h>

/** Version of the library: before 1.0 a minor version may change the API. */
#define V3_VERSION_MAJOR 0
/** Second number of the version. */
#define V3_VERSION_MINOR 1
/** Third number of the version: repairs only. */
#define V3_VERSION_PATCH 0
/** The version as text. */
#define V3_VERSION_STRING "0.1.0"

/** Most vCPUs a VM can have in this version. */
#define V3_MAX_VCPUS 64
/** Longest VM name, without its NUL. */
#define V3_NAME_MAX 63
/** Longest message that describes why a VM ended, without its NUL. */
#define V3_REASON_MAX 159

struct v3_host;
struct v3_vm;
struct v3_vcpu;

/** @name Host
 * @{ */

/** What this machine offers; filled by v3_host_caps(). */
struct v3_host_caps {
	/** "svm" or "vmx"; static storage. */
	const char *backend;
	/** Address-space identifiers (ASIDs or VPIDs) per CPU, including 0. */
	uint32_t num_asids;
	bool nested_paging; /**< nested page tables */
	bool nested_1g;     /**< nested leaves of 1 GiB */
	bool next_rip;      /**< exits give the address of the next instruction */
	bool decode_assist; /**< exits give instruction bytes and operands */
	bool flush_by_asid; /**< TLB entries of one guest can be flushed */
	bool clean_bits;    /**< unchanged control state need not be read again */
	bool pause_filter;  /**< PAUSE exits can be thinned out */
	/** Guest XCR0 bits that can be offered; 0: no XSAVE. */
	uint64_t xcr0;
	/** Bytes of the XSAVE area for them. */
	uint32_t xsave_size;
	/** Physical-address bits. */
	uint32_t phys_bits;
	bool tsc_scaling; /**< the TSCs of guests can have another frequency than the host's */
};

/**
 * Checks the hook table, detects the virtualization back end and prepares a host
 * instance. Enables nothing on any CPU yet.
 * @param hooks copied; may be freed afterwards.
 * @param host  receives the instance, owned by the caller until v3_exit().
 * @return V3_OK; V3_ERR_HOOK (the log names it); V3_ERR_VERSION; V3_ERR_NOTSUP (no usable SVM or
 *         VMX, with the reason in the log); V3_ERR_DENIED (disabled by firmware); V3_ERR_NOMEM.
 * Context: process.
 */
enum v3_status v3_init(const struct v3_os_hooks *hooks, struct v3_host **host);

/**
 * Frees a host instance. All VMs must have been destroyed: else V3_ERR_BUSY and nothing happens.
 * Gives SVM/VMX back on each CPU that holds it. Context: process.
 */
enum v3_status v3_exit(struct v3_host *host);

/** Capabilities of the host. Context: any. */
void v3_host_caps(const struct v3_host *host, struct v3_host_caps *caps);

/**
 * Takes SVM/VMX on one CPU; done by itself before the first vCPU runs there.
 * @return V3_OK (also when already taken); V3_ERR_BUSY: somebody else (such as KVM) has it;
 * V3_ERR_DENIED: firmware forbids it; V3_ERR_NOENT: CPU not online. Context: process.
 */
enum v3_status v3_cpu_enable(struct v3_host *host, unsigned int cpu);

/**
 * Gives SVM/VMX back on one CPU. V3_ERR_BUSY while a vCPU is bound to it. Context: process.
 */
enum v3_status v3_cpu_disable(struct v3_host *host, unsigned int cpu);

/** The lowest frequency of a guest's TSC, v3_vm_config.tsc_khz. */
#define V3_TSC_MIN_KHZ 1000u
/** The highest one. */
#define V3_TSC_MAX_KHZ 10000000u

/** What v3_host_set_halt_poll() is at first. */
#define V3_HALT_POLL_NS 200000u
/** The most that it takes. */
#define V3_HALT_POLL_MAX_NS 10000000u
/**
 * For how long at most the end of an HLT is polled for before the vCPU's thread sleeps; 0: not at
 * all. Only where the host's can_poll hook allows it, and only after HLTs that were short:
 * a vCPU that sleeps long stops polling by itself. V3_ERR_RANGE: over V3_HALT_POLL_MAX_NS. Context:
 * any.
 */
enum v3_status v3_host_set_halt_poll(struct v3_host *host, uint64_t ns);
/** @} */

/** @name Virtual machines
 * @{ */

/** One piece of guest RAM to allocate. */
struct v3_mem_config {
	/** Bytes, a multiple of 2 MiB. */
	uint64_t size;
	/** NUMA node or V3_NODE_ANY. */
	int32_t node;
	/** Zero. */
	uint32_t reserved;
};

/**
 * For v3_vm_config.flags: an MSR that libv3 does not know reads as 0 and writes to it are dropped;
 * without it both raise \#GP. Either way the log tells each of them once.
 */
#define V3_VM_IGNORE_UNKNOWN_MSRS (1u << 0)

/**
 * For v3_vm_config.flags: an instruction that would have to be emulated, because it touches a
 * device, but is not one that libv3 emulates, raises \#UD in the guest. Without it the VM ends and
 * its bytes are in the reason.
 */
#define V3_VM_UNEMULATED_UD (1u << 1)

/** When the host gets the CPUs of a VM. */
enum v3_yield_policy {
	/** Whenever it wants them: they are not the VM's own. */
	V3_YIELD_SHARED = 0,
	/**
	 * The VM owns its CPUs: the host gets them when the guest ends or is paused. A HLT keeps
	 * the CPU.
	 */
	V3_YIELD_NEVER = 1,
	/** It owns them; the host has them while the guest halts, too. */
	V3_YIELD_ON_HALT = 2,
	/** As V3_YIELD_ON_HALT, and every yield_ns for what the host has to do there. */
	V3_YIELD_INTERVAL = 3,
};

/** What v3_vm_create() builds. Zero it, then fill. */
struct v3_vm_config {
	/** sizeof(struct v3_vm_config). */
	uint32_t struct_size;
	/** 1 to V3_MAX_VCPUS. */
	uint32_t num_vcpus;
	/** For log lines; printable, 1 to V3_NAME_MAX characters. */
	const char *name;
	/** Host CPU for each vCPU, or NULL: the host chooses. Copied. */
	const int32_t *cpus;
	/** Guest RAM, in guest-physical order; at least one. Copied. */
	const struct v3_mem_config *mem;
	/** Entries of mem. */
	uint32_t num_mem;
	/** Zero. */
	uint32_t reserved;
	/** Handed to console_notify and state_notify. */
	void *ctx;
	/**
	 * What the vCPUs look like: "MODEL[,-FEATURE]...", or NULL for "host". MODEL is host (all
	 * that the host has and libv3 virtualizes), x86-64-v2, x86-64-v3 or x86-64-v4 (the levels
	 * of the psABI). FEATURE, spelled as in Linux's /proc/cpuinfo, is hidden, and so is what
	 * depends on it. At most 1023 characters.
	 */
	const char *cpu;
	/** V3_VM_IGNORE_UNKNOWN_MSRS, V3_VM_UNEMULATED_UD. */
	uint32_t flags;
	/** Zero. */
	uint32_t reserved2;
	/**
	 * enum v3_yield_policy. All but V3_YIELD_SHARED need cpus, with a CPU of its own for each
	 * vCPU.
	 */
	uint32_t yield_policy;
	/** Zero. */
	uint32_t reserved3;
	/** For V3_YIELD_INTERVAL: nanoseconds, not 0; else 0. */
	uint64_t yield_ns;
	/**
	 * Frequency of the guest's TSC in kHz; 0: the host's. Another one takes a CPU that scales
	 * TSCs (v3_host_caps.tsc_scaling), and is V3_TSC_MIN_KHZ to V3_TSC_MAX_KHZ, less than
	 * 256 times the host's and more than a 256th of it.
	 */
	uint64_t tsc_khz;
};

/** Life-cycle states. */
enum v3_vm_state {
	V3_VM_CREATED = 0, /**< not started, or not since its reset; devices and images can be added */
	V3_VM_RUNNING = 1,
	V3_VM_PAUSED = 2,
	V3_VM_STOPPED = 3, /**< ended; see v3_vm_end; can only be reset or destroyed */
};

/** Why a VM stopped. */
enum v3_end_kind {
	V3_END_NONE = 0,     /**< it has not */
	V3_END_EXIT = 1,     /**< guest wrote its exit code to the exit port */
	V3_END_POWEROFF = 2, /**< guest powered off */
	V3_END_RESET = 3,    /**< guest asked for a reset (reboot) */
	V3_END_CRASH = 4,    /**< guest cannot go on (triple fault, ...) */
	V3_END_KILLED = 5,   /**< v3_vm_stop() */
	V3_END_ERROR = 6,    /**< libv3 or the host failed */
};

/** How a VM ended. */
struct v3_vm_end {
	/** V3_END_NONE: it has not. */
	enum v3_end_kind kind;
	/** Exit code for V3_END_EXIT. */
	uint32_t code;
	/** One readable line that says why; may be empty. */
	char reason[V3_REASON_MAX + 1];
};

/**
 * Creates a VM: allocates and zeroes its RAM, builds the complete nested page tables, its vCPUs and
 * maps. Guest-physical layout: RAM from 0 to at most 3 GiB, the rest from 4 GiB on, in the order of
 * the configuration. 0xA0000-0xBFFFF and 0xC0000-0xFFFFF (firmware tables) are told to the guest as
 * none of its RAM; there is memory all the same, under the same large leaf, except where a device
 * is put. Several nodes in the configuration: the guest is shown its nodes (see v3_pc_attach()).
 * Nothing runs yet.
 * @return V3_OK; V3_ERR_INVALID (the log says what); V3_ERR_NOMEM; V3_ERR_NOENT (a CPU or node);
 *         V3_ERR_NOTSUP (the host lacks features of the CPU model, the log names them, or cannot
 *         scale TSCs); V3_ERR_RANGE (a TSC frequency that cannot be had).
 * Context: process.
 */
enum v3_status v3_vm_create(struct v3_host *host, const struct v3_vm_config *config,
			    struct v3_vm **vm);

/**
 * Starts all vCPUs: the first at the state its loader gave, others wait for a start-up IPI.
 * @return V3_ERR_STATE unless CREATED; V3_ERR_BUSY/DENIED/NOENT if SVM/VMX cannot be had on a CPU.
 * Context: process.
 */
enum v3_status v3_vm_start(struct v3_vm *vm);

/** Parks all vCPUs outside of the guest and returns when they are. V3_ERR_STATE unless RUNNING.
 * Context: process. */
enum v3_status v3_vm_pause(struct v3_vm *vm);

/** Lets a paused VM go on. V3_ERR_STATE unless PAUSED. Context: process. */
enum v3_status v3_vm_resume(struct v3_vm *vm);

/**
 * Ends a VM whatever its state and waits until no vCPU runs. Keeps an earlier end reason.
 * Context: process, not from a hook of the same VM.
 */
enum v3_status v3_vm_stop(struct v3_vm *vm);

/** Stops if needed, then frees the VM, its devices and RAM (zeroed first). Context: process. */
void v3_vm_destroy(struct v3_vm *vm);

/**
 * Resets a VM whatever its state, as by the button of a PC: ends what its vCPUs do, puts vCPUs and
 * devices into their power-on state (a device without a reset stays as it is), drops console input
 * that the guest has not read, and leaves the VM V3_VM_CREATED. The caller loads an image again and
 * calls v3_vm_start(). Memory keeps its contents, as a PC's does; firmware tables are written anew
 * and the loaders write all that they promise. The VM's clock goes on, but stands still from the
 * reset to the start. Statistics, traces and console output are kept.
 *
 * This is also how a guest's own wish for a reset is met: such a guest ends with V3_END_RESET.
 * @return V3_OK. Context: process, not from a hook of the same VM.
 */
enum v3_status v3_vm_reset(struct v3_vm *vm);

/**
 * Gives an NMI to all vCPUs, as a PC's button for it does; those that wait for a start-up IPI
 * ignore it. v3_vcpu_nmi() gives one to a single vCPU. V3_ERR_STATE unless RUNNING or PAUSED.
 * Context: any.
 */
enum v3_status v3_vm_nmi(struct v3_vm *vm);

/** Current state, and how it ended if it has (@p end may be NULL). Context: any. */
enum v3_vm_state v3_vm_state(const struct v3_vm *vm, struct v3_vm_end *end);

/** Ends the VM from inside (devices, hooks); does not wait. The first call wins. Context: any. */
void v3_vm_end(struct v3_vm *vm, enum v3_end_kind kind, uint32_t code, const char *fmt, ...)
	V3_PRINTF(4, 5);

/** Name of a VM, valid until it is destroyed. Context: any. */
const char *v3_vm_name(const struct v3_vm *vm);
/** The ctx of its configuration. Context: any. */
void *v3_vm_ctx(const struct v3_vm *vm);
/** The host instance it belongs to. Context: any. */
struct v3_host *v3_vm_host(const struct v3_vm *vm);
/** @} */

/** @name vCPUs
 * @{ */
/** How many vCPUs it has; their indices are below that. Context: any. */
unsigned int v3_vm_num_vcpus(const struct v3_vm *vm);
/** The vCPU with that index, or NULL. Context: any. */
struct v3_vcpu *v3_vm_vcpu(struct v3_vm *vm, unsigned int index);
/** The VM of a vCPU. Context: any. */
struct v3_vm *v3_vcpu_vm(const struct v3_vcpu *vcpu);
/** Its index in the VM; 0 is the one that starts. Context: any. */
unsigned int v3_vcpu_index(const struct v3_vcpu *vcpu);
/**
 * NUMA node of the host where the vCPU's share of the VM's memory lies: its CPU is best one of that
 * node. The first vCPU's share comes first in guest-physical memory, and all are as large.
 * V3_NODE_ANY: not known. Context: any.
 */
int32_t v3_vcpu_node(const struct v3_vcpu *vcpu);
/**
 * What has to be added to the host's TSC to get the guest's, to compare times that both have noted;
 * if they differ in frequency, to the host's TSC * v3_vm_tsc_ratio() >> 48. A pause of the VM
 * changes it. Context: any.
 */
uint64_t v3_vcpu_tsc_offset(const struct v3_vcpu *vcpu);
/**
 * How much faster the guest's TSC counts than the host's, with 48 bits of fraction; 0: they count
 * alike. Context: any.
 */
uint64_t v3_vm_tsc_ratio(const struct v3_vm *vm);
/** Host CPU the vCPU is pinned to (V3_CPU_ANY before its thread has run). Context: any. */
int v3_vcpu_cpu(const struct v3_vcpu *vcpu);

/** A segment register with its hidden part. */
struct v3_segment {
	/** Visible part; of no meaning for a descriptor table register. */
	uint16_t selector;
	/** Type, S, DPL, P, AVL, L, D/B, G in bits 0-3, 4, 5-6, 7, 8, 9, 10, 11 (APM2 15.5). */
	uint16_t attrib;
	/** In bytes, after granularity was applied. */
	uint32_t limit;
	/** Linear address. */
	uint64_t base;
};

/** Architectural state of a vCPU, as seen by the guest. */
struct v3_vcpu_state {
	/** RAX RCX RDX RBX RSP RBP RSI RDI R8-R15. */
	uint64_t gpr[16];
	uint64_t rip;    /**< address of the next instruction */
	uint64_t rflags; /**< flags */
	uint64_t cr0;    /**< control registers, as the guest reads them */
	uint64_t cr2;    /**< address of the last page fault */
	uint64_t cr3;    /**< root of the guest's page tables */
	uint64_t cr4;    /**< as cr0 */
	uint64_t cr8;    /**< task priority */
	uint64_t efer;   /**< as the guest reads it, without SVME */
	uint64_t xcr0;   /**< state that XSAVE switches */
	uint64_t dr[4];  /**< addresses of breakpoints */
	uint64_t dr6;    /**< status of breakpoints */
	uint64_t dr7;    /**< control of breakpoints */
	/** By enum v3_seg. */
	struct v3_segment seg[V3_SEG_COUNT];
	/** Only base and limit count. */
	struct v3_segment gdtr, idtr;
	uint64_t star;           /**< MSR STAR */
	uint64_t lstar;          /**< MSR LSTAR */
	uint64_t cstar;          /**< MSR CSTAR */
	uint64_t sfmask;         /**< MSR SFMASK */
	uint64_t kernel_gs_base; /**< MSR KernelGSBase */
	uint64_t sysenter_cs;    /**< MSR SYSENTER_CS */
	uint64_t sysenter_esp;   /**< MSR SYSENTER_ESP */
	uint64_t sysenter_eip;   /**< MSR SYSENTER_EIP */
	uint64_t pat;            /**< MSR PAT */
};

/**
 * Reads the state of a vCPU that does not run (VM created, paused or stopped), else V3_ERR_STATE.
 * Context: process.
 */
enum v3_status v3_vcpu_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state);
/**
 * Writes the state of a vCPU that does not run (VM created, paused or stopped), else V3_ERR_STATE.
 * V3_ERR_INVALID, and nothing changed, for a combination that no guest can be in. Context: process.
 */
enum v3_status v3_vcpu_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state);
/** @} */

/** @name Guest memory
 * @{ */
/**
 * Copies from guest RAM or ROM; never touches devices. V3_ERR_RANGE and nothing copied if any byte
 * is not backed. Guest memory has no lock: a running guest may change it meanwhile. Context: any.
 */
enum v3_status v3_vm_read(struct v3_vm *vm, v3_gpa_t gpa, void *buf, size_t len);
/**
 * Copies to guest RAM or ROM (this is the VMM's own access). As v3_vm_read() else. Context: any.
 */
enum v3_status v3_vm_write(struct v3_vm *vm, v3_gpa_t gpa, const void *buf, size_t len);
/**
 * Direct pointer to @p len contiguous bytes of guest RAM or ROM, or NULL. Valid until destroy.
 * Context: any.
 */
void *v3_vm_ptr(struct v3_vm *vm, v3_gpa_t gpa, size_t len);

/** Kinds of guest-physical ranges, as a guest's memory map (e820) tells them. */
enum v3_mem_kind {
	V3_MEM_RAM = 1,  /**< memory */
	V3_MEM_ROM = 2,  /**< firmware tables: memory, but not the guest's to use */
	V3_MEM_MMIO = 3, /**< a device, see v3_mmio_hook() */
};
/** One piece of the memory map. */
struct v3_mem_range {
	v3_gpa_t gpa;          /**< where it begins */
	uint64_t size;         /**< its bytes */
	enum v3_mem_kind kind; /**< what is there */
	int32_t node;          /**< NUMA node of the host, or V3_NODE_ANY: it does not tell */
};
/**
 * The @p index-th range of the memory map in address order; V3_ERR_NOENT past the end. Context:
 * any.
 */
enum v3_status v3_vm_mem_range(const struct v3_vm *vm, unsigned int index,
			       struct v3_mem_range *range);
/** @} */

/** @name Consoles
 * @{ */
/** Serial consoles of a VM (COM1 is 0). */
#define V3_NUM_CONSOLES 1
/**
 * Takes up to @p len bytes of guest output; returns how many. One reader at a time. Context: any.
 */
size_t v3_console_read(struct v3_vm *vm, unsigned int index, void *buf, size_t len);
/**
 * Gives input to the guest; returns how many bytes were taken. One writer at a time. Context: any.
 */
size_t v3_console_write(struct v3_vm *vm, unsigned int index, const void *buf, size_t len);
/** @} */

/** @name Statistics
 * @{ */
/** Kinds of exits, counted per vCPU; names by v3_exit_name(). */
enum v3_exit_kind {
	V3_EXIT_NONE = 0, /**< entry was abandoned before the guest ran */
	V3_EXIT_INTR, V3_EXIT_NMI, V3_EXIT_SMI, V3_EXIT_INIT,
	V3_EXIT_INTR_WINDOW, V3_EXIT_NMI_WINDOW,
	V3_EXIT_HLT, V3_EXIT_PAUSE, V3_EXIT_CPUID, V3_EXIT_RDMSR, V3_EXIT_WRMSR,
	V3_EXIT_IO, V3_EXIT_NESTED_FAULT, V3_EXIT_CR, V3_EXIT_DR, V3_EXIT_XSETBV,
	V3_EXIT_INVD, V3_EXIT_HYPERCALL, V3_EXIT_EXCEPTION, V3_EXIT_SHUTDOWN,
	V3_EXIT_UNDEFINED, /**< an instruction this VM does not have: guest gets \#UD */
	V3_EXIT_MACHINE_CHECK,
	V3_EXIT_INVALID,   /**< the hardware refused the control state */
	V3_EXIT_UNKNOWN,
	V3_EXIT_EMULATE,   /**< a state that this CPU's hardware cannot run: real mode */
	V3_EXIT_INTC,      /**< a local APIC's register that the hardware has written */
	V3_EXIT_COUNT
};
/** Short lower-case name such as "cpuid"; never NULL. */
const char *v3_exit_name(enum v3_exit_kind kind);

/** What one vCPU did. */
struct v3_vcpu_stats {
	uint64_t exits[V3_EXIT_COUNT]; /**< by enum v3_exit_kind */
	uint64_t injected;   /**< interrupts, NMIs and exceptions injected */
	uint64_t ram_faults; /**< nested faults on RAM: 0, as the tables are complete at the start */
	uint64_t halts;      /**< waits in HLT */
	uint64_t run_ns;     /**< nanoseconds in the run loop, polls for the end of an HLT included */
	uint64_t halt_ns;    /**< nanoseconds asleep in HLT */
};
/** What one VM takes. */
struct v3_vm_stats {
	uint64_t ram;         /**< guest RAM in bytes */
	uint64_t leaf_1g;     /**< bytes of it under nested leaves of 1 GiB */
	uint64_t leaf_2m;     /**< bytes of it under nested leaves of 2 MiB */
	uint64_t leaf_4k;     /**< bytes of it under nested leaves of 4 KiB */
	uint64_t table_pages; /**< pages of nested tables */
	uint64_t vmm_bytes;   /**< VMM memory beside guest RAM but for the vCPUs', in bytes */
	uint64_t vcpu_bytes;  /**< the same for all vCPUs */
};
/** Consistent enough for people: counters are read while vCPUs run. Context: any. */
void v3_vm_stats(struct v3_vm *vm, struct v3_vm_stats *stats);
/** Counters of one vCPU; V3_OK always. Context: any. */
enum v3_status v3_vcpu_stats(struct v3_vcpu *vcpu, struct v3_vcpu_stats *stats);
/** @} */

#endif
