/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of the Linux kernel as the module's books of guest memory need (blocks.c, mem.c,
 * offline.c). All headers of the kernel that they include are this one, see CMakeLists.txt. What is
 * wrong fails the test: a warning, a lock taken twice, memory freed twice.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <linux/types.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef int32_t s32;
typedef unsigned long long u64;
typedef unsigned int gfp_t;

#define __user
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define READ_ONCE(x) (x)
#define WRITE_ONCE(x, value) ((x) = (value))
#define U64_MAX (~0ull)
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define ALIGN_DOWN(x, a) ((x) & ~((u64)(a) - 1))
#define ALIGN(x, a) ALIGN_DOWN((x) + (a) - 1, a)
#define IS_ALIGNED(x, a) (((x) & ((u64)(a) - 1)) == 0)
#define check_add_overflow(a, b, sum) __builtin_add_overflow(a, b, sum)
#define scnprintf(buf, size, ...) snprintf(buf, size, __VA_ARGS__)
#define strscpy(to, from, size) snprintf(to, size, "%s", from)
#define cond_resched() ((void)0)

void fake_warn(const char *file, int line, const char *what);
#define WARN_ON(x) ((x) ? fake_warn(__FILE__, __LINE__, #x), true : false)
#define WARN_ON_ONCE(x) WARN_ON(x)
#define WARN_ONCE(x, ...) WARN_ON(x)

/* --- Lists --- */

struct list_head {
	struct list_head *next, *prev;
};
#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }
#define INIT_LIST_HEAD(list) (*(list) = (struct list_head){ list, list })

static inline void list_add_tail(struct list_head *entry, struct list_head *list)
{
	*entry = (struct list_head){ list, list->prev };
	list->prev->next = entry;
	list->prev = entry;
}

static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}

#define list_entry_of(ptr, pos, member) container_of(ptr, __typeof__(*(pos)), member)
#define list_for_each_entry(pos, list, member) \
	for (pos = list_entry_of((list)->next, pos, member); &pos->member != (list); \
	     pos = list_entry_of(pos->member.next, pos, member))
#define list_for_each_entry_continue_reverse(pos, list, member) \
	for (pos = list_entry_of(pos->member.prev, pos, member); &pos->member != (list); \
	     pos = list_entry_of(pos->member.prev, pos, member))
#define list_for_each_entry_safe(pos, n, list, member) \
	for (pos = list_entry_of((list)->next, pos, member), \
	     n = list_entry_of(pos->member.next, pos, member); &pos->member != (list); \
	     pos = n, n = list_entry_of(n->member.next, pos, member))

/* --- Locks --- */

struct mutex {
	bool held;
};
#define DEFINE_MUTEX(name) struct mutex name
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* --- Allocations: the Nth can be made to fail --- */

#define GFP_KERNEL 1u
#define __GFP_NOFAIL 2u
void *kmalloc(size_t size, gfp_t gfp);
void *kzalloc(size_t size, gfp_t gfp);
void kfree(const void *ptr);
#define kvmalloc(size, gfp) kmalloc(size, gfp)
#define kvcalloc(n, size, gfp) kzalloc((n) * (size), gfp)
#define kvfree(ptr) kfree(ptr)
#define array_size(n, size) ((size_t)(n) * (size))

/* --- XArrays --- */

struct xarray {
	struct {
		unsigned long index;
		void *entry;
	} slots[256];
	unsigned int count;
};
#define DEFINE_XARRAY(name) struct xarray name
#define XA_PRESENT 8
void *xa_load(struct xarray *xa, unsigned long index);
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, int filter);
void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long max, int filter);
#define IS_ERR(ptr) ((unsigned long)(ptr) >= -4095ul)
#define PTR_ERR(ptr) ((long)(ptr))
#define ERR_PTR(err) ((void *)(long)(err))
static inline int xa_err(const void *entry)
{
	return IS_ERR(entry) ? (int)PTR_ERR(entry) : 0;
}
#define xa_empty(xa) (!(xa)->count)
#define xa_destroy(xa) ((void)(xa))
#define xa_for_each(xa, index, entry) \
	for (index = 0, entry = xa_find(xa, &index, ~0ul, XA_PRESENT); entry; \
	     entry = xa_find_after(xa, &index, ~0ul, XA_PRESENT))

/* --- Pages, nodes, memory blocks --- */

#define PAGE_SHIFT 12
#define PFN_PHYS(pfn) ((u64)(pfn) << PAGE_SHIFT)
#define PHYS_PFN(hpa) ((unsigned long)((hpa) >> PAGE_SHIFT))
#define PAGES_PER_SECTION (1ul << 15)
#define MAX_NUMNODES 64
#define MAX_NR_ZONES 1
#define NUMA_NO_NODE (-1)
#define NR_FREE_PAGES 0
#define N_MEMORY 0

struct page;
struct zone {
	u64 managed;
};
struct pglist {
	struct zone node_zones[MAX_NR_ZONES];
};
extern struct pglist fake_nodes[2];
#define NODE_DATA(node) (&fake_nodes[node])
#define zone_managed_pages(zone) ((zone)->managed)
#define zone_page_state(zone, what) ((zone)->managed)
#define node_online(node) ((node) < 2)
#define node_state(node, state) node_online(node)
#define for_each_online_node(node) for (node = 0; node < 2; node++)
#define pfn_to_page(pfn) ((struct page *)(pfn))
int page_to_nid(const struct page *page);
bool PageHWPoison(const struct page *page);
unsigned long vmalloc_to_pfn(const struct page *page);
static inline long si_mem_available(void) { return 1 << 20; }

#define MEM_GOING_ONLINE 1
#define MEM_ONLINE 2
#define MEM_CANCEL_ONLINE 3
#define MEM_OFFLINE 4
#define NOTIFY_OK 1
#define NOTIFY_BAD 2
struct memory_notify {
	unsigned long start_pfn;
};
struct notifier_block {
	int (*notifier_call)(struct notifier_block *notifier, unsigned long event, void *data);
};
int register_memory_notifier(struct notifier_block *notifier);
void unregister_memory_notifier(struct notifier_block *notifier);
#define memory_block_size_bytes() (128ul << 20)
bool pfn_valid(unsigned long pfn);
struct page *pfn_to_online_page(unsigned long pfn);
#define phys_to_target_node(hpa) NUMA_NO_NODE
#define region_intersects(start, size, flags, desc) REGION_INTERSECTS
enum { IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE, REGION_INTERSECTS };

/* --- Devices, by their folders in sysfs --- */

struct kobject {
	char name[32];
};
struct device {
	struct kobject kobj;
	bool offline_disabled;
	unsigned int refs;
	struct mutex lock;
};
#define kobject_name(kobj) ((kobj)->name)
struct device *get_device(struct device *dev);
void put_device(struct device *dev);
#define device_lock(dev) mutex_lock(&(dev)->lock)
#define device_unlock(dev) mutex_unlock(&(dev)->lock)

struct kernfs_node {
	void *priv;
};
struct inode {
	void *i_private;
};
struct super_block {
	unsigned long s_magic;
};
struct dentry {
	struct super_block *d_sb;
	struct inode *d_inode;
};
struct path {
	struct dentry *dentry;
};
#define SYSFS_MAGIC 0x62656572
#define LOOKUP_DIRECTORY 1
#define d_backing_inode(dentry) ((dentry)->d_inode)
int kern_path(const char *name, unsigned int flags, struct path *path);
void path_put(const struct path *path);

/* --- Files, work, users --- */

struct file {
	void *private_data;
};
struct file_operations;
struct file *filp_open(const char *path, int flags, int mode);
ssize_t kernel_write(struct file *file, const void *data, size_t size, loff_t *pos);
void filp_close(struct file *file, void *id);
#define O_WRONLY 1

struct work_struct {
	void (*fn)(struct work_struct *work);
};
#define INIT_WORK_ONSTACK(work, what) ((work)->fn = (what))
#define queue_work(queue, work) ((work)->fn(work))
#define flush_work(work) ((void)(work))
#define destroy_work_on_stack(work) ((void)(work))

#define CAP_SYS_ADMIN 0
#define capable(cap) true
#define u64_to_user_ptr(address) ((void *)(uintptr_t)(address))
#define copy_to_user(to, from, size) (memcpy(to, from, size), 0)
#define copy_from_user(to, from, size) (memcpy(to, from, size), 0)

struct task_struct;
extern bool fake_killed;
#define current ((struct task_struct *)NULL)
#define signal_pending(task) fake_killed
#define fatal_signal_pending(task) fake_killed
static inline u64 ktime_get_ns(void) { return 0; }

/* What lx.h needs besides. */
struct kref { int count; };
struct pid;
struct irq_work { int unused; };
typedef struct { int unused; } spinlock_t, wait_queue_head_t;
typedef struct { int counter; } atomic_t;
typedef struct { unsigned int value; } kuid_t;

#endif
