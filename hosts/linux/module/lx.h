/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* What the files of the Linux module share. */
#ifndef V3_LX_H
#define V3_LX_H

#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <v3/boot.h>
#include <v3/inspect.h>
#include <v3/pc.h>
#include <v3/trace.h>
#include <v3/v3.h>

#include "v3_ioctl.h"

struct v3_lx_progress;
struct v3_lx_vm;

/* State of the module as a whole; set up by main.c. */
struct v3_lx {
	/* NULL if this machine cannot run VMs; then init_status and init_message say why. */
	struct v3_host *host;
	enum v3_status init_status;
	char init_message[V3_IOC_MESSAGE];
};
extern struct v3_lx v3_lx;

/*
 * log.c: messages. A request under way is a struct v3_lx_call on the stack of its ioctl: what libv3
 * logs on behalf of that thread meanwhile becomes the message that the caller gets.
 */
struct v3_lx_call {
	struct list_head link;
	struct task_struct *task;
	/*
	 * The VM that this call starts, or NULL: threads that it makes belong to that VM, and what
	 * they log until it ends is the caller's, too.
	 */
	const struct v3_lx_vm *vm;
	char log[V3_IOC_MESSAGE];	/* errors and warnings of libv3 */
	char message[V3_IOC_MESSAGE];	/* what the module itself says */
	int err;			/* errno that no status stands for; 0: by status */
	struct file *file;		/* becomes *fd when the request has succeeded */
	__s32 *fd;
	struct v3_lx_vm *detach;	/* is detached then; or NULL */
	unsigned long search_end;	/* jiffies when searching for memory ends; 0: not begun */
	struct v3_lx_progress *progress; /* of the descriptor, or NULL */
};
void v3_lx_call_begin(struct v3_lx_call *call);
void v3_lx_call_end(struct v3_lx_call *call);
struct v3_lx_call *v3_lx_call_current(void);
/* Sets the message and returns the status. */
enum v3_status v3_lx_fail(struct v3_lx_call *call, enum v3_status status, const char *fmt, ...)
	__printf(3, 4);
/* As the hook: to the kernel's log and to the call under way. Any context. */
void v3_lx_log(void *ctx, enum v3_log_level level, const char *line);
void v3_lx_logf(enum v3_log_level level, const char *fmt, ...) __printf(2, 3);
/* Runs fn(arg) with interrupts off on a CPU; its log lines count for the caller's call. */
enum v3_status v3_lx_cpu_call(void *ctx, unsigned int cpu, void (*fn)(void *arg), void *arg);

/* hooks.c: the table. */
extern const struct v3_os_hooks v3_lx_hooks;

/* memory.c */
enum v3_status v3_lx_page_alloc(void *ctx, size_t count, size_t align, int node, uint64_t limit,
				v3_hpa_t *hpa);
void v3_lx_page_free(void *ctx, v3_hpa_t hpa, size_t count);
void *v3_lx_heap_alloc(void *ctx, size_t size);
void v3_lx_heap_free(void *ctx, void *ptr, size_t size);
v3_hpa_t v3_lx_virt_to_phys(void *ctx, const void *virt);
/* Whether the host can spare that much now; page_alloc asks again, and says less. */
enum v3_status v3_lx_memory_check(struct v3_lx_call *call, const char *name, u64 bytes);
/* Complains about what was never freed. */
void v3_lx_memory_exit(void);

/* thread.c */
int v3_lx_cpu_choose(void *ctx, void *vm_ctx, unsigned int node);
enum v3_status v3_lx_thread_start(void *ctx, const char *name, int cpu, void (*fn)(void *arg),
				  void *arg, struct v3_host_thread **thread);
void v3_lx_thread_join(void *ctx, struct v3_host_thread *thread);
enum v3_status v3_lx_event_create(void *ctx, struct v3_host_event **event);
void v3_lx_event_destroy(void *ctx, struct v3_host_event *event);
void v3_lx_event_wait(void *ctx, struct v3_host_event *event, uint64_t deadline);
void v3_lx_event_signal(void *ctx, struct v3_host_event *event);
/* Another way to wait: a signal interrupts a CPU (-1: none does any more), which looks for it. */
void v3_lx_event_watch(struct v3_host_event *event, int cpu);
bool v3_lx_event_take(struct v3_host_event *event);
/* The VM whose vCPU the calling thread is, or NULL. Any context but interrupts. */
const struct v3_lx_vm *v3_lx_thread_vm(void);
/* Whether threads may start on a CPU. */
void v3_lx_threads_allow(unsigned int cpu, bool allow);
/* Whether the VM has a thread on that CPU (NULL: any VM). */
bool v3_lx_threads_on(const struct v3_lx_vm *vm, unsigned int cpu);
/* Waits until no thread is on that CPU; false after the time. */
bool v3_lx_threads_wait_gone(unsigned int cpu, unsigned int ms);

/* own.c: CPUs that VMs own. Any context. */
bool v3_lx_cpu_owned(unsigned int cpu);
/* Whether a thread of that VM (or of none, NULL) may be there. */
bool v3_lx_cpu_allowed(unsigned int cpu, const struct v3_lx_vm *vm);
/* The name of its owner; false: it has none. */
bool v3_lx_cpu_owner_name(unsigned int cpu, char name[V3_IOC_NAME]);

/*
 * helper.c: runs the v3 command with these arguments (NULL at the end, at most 8 of 63 characters)
 * as root, or says in the log that somebody has to. With @wait until its end, and its wait status
 * is returned; else until it has begun. Returns 0 or a negative errno otherwise. Process context;
 * no locks that its requests need.
 */
int v3_lx_helper(const char *const args[], bool wait);

/* restore.c: has the v3 command restore what was taken together with a CPU; 0: nothing, or 1 + CPU. */
void v3_lx_restore(int restore);
/* What was to last until the end of the module. */
void v3_lx_restore_exit(void);
enum v3_status v3_lx_do_restore(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_vm_restore(struct v3_lx_call *call, void *target, void *arg);

/* virt.c: who owns AMD-V or VT-x. */
enum v3_status v3_lx_virt_acquire(void *ctx, unsigned int cpu);
void v3_lx_virt_release(void *ctx, unsigned int cpu);
enum v3_status v3_lx_cr4_update(void *ctx, uint64_t set, uint64_t clear);
/* Fills owner, status and message. */
void v3_lx_virt_describe(unsigned int cpu, struct v3_ioc_cpu *out);
/* Called with the first VM, and after the last. */
void v3_lx_virt_begin(void);
void v3_lx_virt_end(void);
/* Gives it back on all CPUs where no vCPU runs. */
void v3_lx_virt_give_back(void);
int v3_lx_virt_init(void);
void v3_lx_virt_exit(void);

/* hotplug.c: CPUs that go, suspend, reboot. */
int v3_lx_hotplug_init(void);
void v3_lx_hotplug_exit(void);

/* console.c: one per VM and console index, alive as long as the VM object. */
struct v3_lx_console {
	struct mutex lock;		/* buf, head, len */
	wait_queue_head_t wait;
	atomic_t open;			/* 1: there is a descriptor */
	atomic_t ready;			/* notified since the last look at the output */
	atomic_t full;			/* the guest took no more input; no notification since */
	unsigned int head, len;
	u8 buf[2048];			/* output taken from libv3 and not yet read */
};
void v3_lx_console_init(struct v3_lx_console *console);
void v3_lx_console_notify(void *ctx, struct v3_vm *core, void *vm_ctx, unsigned int index);
enum v3_status v3_lx_console_open(struct v3_lx_call *call, struct v3_lx_vm *vm,
				  struct v3_ioc_console *arg);

/* vm.c: VM objects and their registry. */
struct v3_lx_vm {
	struct kref ref;		/* registry, and each descriptor */
	struct list_head link;		/* v3_lx_vms */

	/* Constant after creation. */
	char name[V3_IOC_NAME];
	struct pid *owner;
	u32 num_vcpus;
	u64 memory;
	bool held_only;			/* memory: nothing but what is held */
	/* Written under v3_lx_vms_lock: 1 + the CPU that each vCPU owns or is pinned to; 0: none. */
	s32 pins[V3_IOC_VCPUS];
	int restore;			/* for v3_lx_restore() when the VM is gone */
	struct v3_lx_noise *noise[V3_IOC_VCPUS]; /* of those with a CPU of their own; then constant */

	spinlock_t lock;		/* the next four */
	struct v3_vm *core;		/* NULL: still being created */
	unsigned int users;		/* calls into core under way */
	bool dead;			/* no more calls into core */
	bool detached;

	struct mutex setup;		/* loading, starting and resetting; loaded; the note */
	bool loaded;
	void *note;			/* NULL: none */
	u32 note_size;
	kuid_t note_uid;		/* who wrote it */
	u64 load_done, load_total;	/* for V3_IOC_STATE, read without a lock */

	wait_queue_head_t wait;		/* state changes, death, users == 0 */
	struct irq_work notify;
	struct v3_lx_console consoles[V3_NUM_CONSOLES];
};
extern struct list_head v3_lx_vms;
extern struct mutex v3_lx_vms_lock;
/* Why no VM can be created or started now, or NULL. Written under v3_lx_vms_lock. */
extern const char *v3_lx_refuse;

/* Enters a name into the registry. */
enum v3_status v3_lx_vm_new(struct v3_lx_call *call, const char *name, struct v3_lx_vm **out);
/* Makes it known that the VM is complete; from then on others can use it. */
void v3_lx_vm_ready(struct v3_lx_vm *vm, struct v3_vm *core);
/* Takes a VM that never became ready out of the registry, and drops it. */
void v3_lx_vm_abandon(struct v3_lx_vm *vm);
/* Finds by name; the caller drops the reference. */
struct v3_lx_vm *v3_lx_vm_find(const char *name);
void v3_lx_vm_put(struct v3_lx_vm *vm);
/* The VM of libv3 for a call into it, or NULL when the VM is not ready or dead. */
struct v3_vm *v3_lx_vm_enter(struct v3_lx_vm *vm);
void v3_lx_vm_leave(struct v3_lx_vm *vm);
/* From now on the VM outlives its owner's descriptor. */
void v3_lx_vm_detach(struct v3_lx_vm *vm);
/* Stopped or dead: nothing more will come from it. */
bool v3_lx_vm_ended(struct v3_lx_vm *vm);
/* Stops and frees; false if it was dead before. */
bool v3_lx_vm_destroy(struct v3_lx_vm *vm);
void v3_lx_state_notify(void *ctx, struct v3_vm *core, void *vm_ctx);
/* Wakes all who wait for the VM or its consoles. Process. */
void v3_lx_vm_wake(struct v3_lx_vm *vm);
void v3_lx_wake(wait_queue_head_t *queue, struct irq_work *work);

/* ioctl.c: checking and dispatch of requests. */
struct v3_lx_request {
	unsigned int cmd;
	/* arg is the kernel's copy of the request's structure. */
	enum v3_status (*fn)(struct v3_lx_call *call, void *target, void *arg);
};
long v3_lx_ioctl(const struct v3_lx_request *table, unsigned int count, void *target,
		 struct v3_lx_vm *vm, unsigned int cmd, unsigned long arg);
/* Makes a descriptor that call_end installs; takes over a reference on success only. */
enum v3_status v3_lx_call_file(struct v3_lx_call *call, const char *name,
			       const struct file_operations *fops, void *data, __s32 *fd);
enum v3_status v3_lx_check_name(struct v3_lx_call *call, const char *name);

/* control.c, vm_file.c, load.c */
extern const struct file_operations v3_lx_control_fops;
extern const struct file_operations v3_lx_vm_fops;
struct v3_lx_vm_file {
	struct v3_lx_vm *vm;
	bool owner;
};
/* Says that the VM was destroyed. */
enum v3_status v3_lx_gone(struct v3_lx_call *call, struct v3_lx_vm *vm);
/* Says for V3_ERR_STATE what the state is. */
enum v3_status v3_lx_state_result(struct v3_lx_call *call, struct v3_lx_vm *vm,
				  struct v3_vm *core, enum v3_status status, const char *what);
/* Takes vm->setup, unless the caller is killed. */
enum v3_status v3_lx_setup_lock(struct v3_lx_call *call, struct v3_lx_vm *vm);

/* life.c: requests of a VM's descriptor. */
enum v3_status v3_lx_do_reset(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_nmi(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_inspect(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_trace(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_trace_read(struct v3_lx_call *call, void *target, void *arg);
enum v3_status v3_lx_do_note(struct v3_lx_call *call, void *target, void *arg);

/* noise.c: what disturbs vCPUs. */
enum v3_status v3_lx_do_noise(struct v3_lx_call *call, void *target, void *arg);

/* trace.c: Linux tracepoints. */
void v3_lx_trace(void *ctx, struct v3_vcpu *vcpu, void *vm_ctx,
		 const struct v3_trace_event *event);
/* A new VM is to be traced if others are. Called with v3_lx_vms_lock. */
void v3_lx_trace_vm(struct v3_vm *core);

enum v3_status v3_lx_load_linux(struct v3_lx_call *call, struct v3_lx_vm *vm, struct v3_vm *core,
				struct v3_ioc_load_linux *arg);
enum v3_status v3_lx_load_segments(struct v3_lx_call *call, struct v3_lx_vm *vm,
				   struct v3_vm *core, struct v3_ioc_load_segments *arg);
enum v3_status v3_lx_load_multiboot(struct v3_lx_call *call, struct v3_lx_vm *vm,
				    struct v3_vm *core, struct v3_ioc_load_multiboot *arg);

#endif
