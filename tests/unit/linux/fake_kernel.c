/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_kernel.h. */
#include "fake_kernel.h"

#include <stdlib.h>

#include "fake_memory.h"
#include "fakes/fake_fail.h"

struct fake_memory fake;
bool fake_killed;

void fake_warn(const char *file, int line, const char *what)
{
	v3_fake_fail("%s:%d: WARN: %s", file, line, what);
}

void mutex_lock(struct mutex *mutex)
{
	if (mutex->held)
		v3_fake_fail("a mutex is taken twice");
	mutex->held = true;
}

void mutex_unlock(struct mutex *mutex)
{
	if (!mutex->held)
		v3_fake_fail("a mutex is given that nobody has");
	mutex->held = false;
}

/* --- Allocations --- */

bool fake_fails(gfp_t gfp)
{
	if (gfp & __GFP_NOFAIL || !fake.fail_at || --fake.fail_at)
		return false;
	fake.failed = true;
	return true;
}

void *kzalloc(size_t size, gfp_t gfp)
{
	if (fake_fails(gfp))
		return NULL;
	fake.live++;
	return calloc(1, size);
}

void *kmalloc(size_t size, gfp_t gfp)
{
	void *ptr = kzalloc(size, gfp);

	return ptr ? memset(ptr, 0xA5, size) : NULL;
}

void kfree(const void *ptr)
{
	if (!ptr)
		return;
	fake.live--;
	free((void *)(uintptr_t)ptr);
}

/* --- XArrays: sorted --- */

static unsigned int place(const struct xarray *xa, unsigned long index)
{
	unsigned int i = 0;

	while (i < xa->count && xa->slots[i].index < index)
		i++;
	return i;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	unsigned int i = place(xa, index);

	return i < xa->count && xa->slots[i].index == index ? xa->slots[i].entry : NULL;
}

void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	unsigned int i = place(xa, index);

	if (xa_load(xa, index))
		v3_fake_fail("an entry of an xarray is overwritten");
	if (fake_fails(gfp))
		return ERR_PTR(-ENOMEM);
	if (xa->count == sizeof(xa->slots) / sizeof(xa->slots[0]))
		v3_fake_fail("the xarray is too small for this test");
	memmove(&xa->slots[i + 1], &xa->slots[i], (xa->count - i) * sizeof(xa->slots[0]));
	xa->slots[i].index = index;
	xa->slots[i].entry = entry;
	xa->count++;
	return NULL;
}

int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	return xa_load(xa, index) ? -EBUSY : xa_err(xa_store(xa, index, entry, gfp));
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	void *entry = xa_load(xa, index);
	unsigned int i = place(xa, index);

	if (entry) {
		xa->count--;
		memmove(&xa->slots[i], &xa->slots[i + 1], (xa->count - i) * sizeof(xa->slots[0]));
	}
	return entry;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long most, int filter)
{
	unsigned int i = place(xa, *index);

	(void)filter;
	if (i == xa->count || xa->slots[i].index > most)
		return NULL;
	*index = xa->slots[i].index;
	return xa->slots[i].entry;
}

void *xa_find_after(struct xarray *xa, unsigned long *index, unsigned long most, int filter)
{
	unsigned long next = *index + 1;
	void *entry = next ? xa_find(xa, &next, most, filter) : NULL;

	if (entry)
		*index = next;
	return entry;
}

/* --- Memory blocks --- */

static struct notifier_block *notifier;

int register_memory_notifier(struct notifier_block *block)
{
	notifier = block;
	return 0;
}

void unregister_memory_notifier(struct notifier_block *block)
{
	(void)block;
	notifier = NULL;
}

static int notify(unsigned long number, unsigned long event)
{
	struct memory_notify arg = { PHYS_PFN(number * FAKE_BLOCK) };

	return notifier->notifier_call(notifier, event, &arg);
}

bool pfn_valid(unsigned long pfn)
{
	return PFN_PHYS(pfn) < FAKE_BLOCKS * FAKE_BLOCK;
}

struct page *pfn_to_online_page(unsigned long pfn)
{
	return fake.offline[PFN_PHYS(pfn) / FAKE_BLOCK] ? NULL : pfn_to_page(pfn + 1);
}

int page_to_nid(const struct page *page)
{
	(void)page;
	return 0;
}

bool PageHWPoison(const struct page *page)
{
	return fake.poisoned && page == pfn_to_page(fake.poisoned);
}

unsigned long vmalloc_to_pfn(const struct page *page)
{
	(void)page;
	return fake.memmap;
}

void fake_set_offline(unsigned long number)
{
	fake.offline[number] = true;
	notify(number, MEM_OFFLINE);
}

int fake_set_online(unsigned long number)
{
	if (notify(number, MEM_GOING_ONLINE) != NOTIFY_OK)
		return -EPERM;
	if (fake.online_fails) {
		notify(number, MEM_CANCEL_ONLINE);
		return -ENOMEM;
	}
	fake.offline[number] = false;
	notify(number, MEM_ONLINE);
	return 0;
}

/* --- Devices: those of memory blocks --- */

struct device *get_device(struct device *dev)
{
	dev->refs++;
	return dev;
}

void put_device(struct device *dev)
{
	if (!dev->refs--)
		v3_fake_fail("a device that nobody has is put");
}

int kern_path(const char *name, unsigned int flags, struct path *path)
{
	static struct super_block sysfs = { SYSFS_MAGIC };
	static struct kernfs_node node;
	static struct inode inode = { &node };
	static struct dentry dentry = { &sysfs, &inode };
	unsigned long number;
	struct device *dev;

	if (!(flags & LOOKUP_DIRECTORY) ||
	    sscanf(name, "/sys/devices/system/memory/memory%lu", &number) != 1 ||
	    number >= FAKE_BLOCKS)
		return -ENOENT;
	dev = &fake.devices[number];
	snprintf(dev->kobj.name, sizeof(dev->kobj.name), "memory%lu", number);
	node.priv = &dev->kobj;
	path->dentry = &dentry;
	return 0;
}

void path_put(const struct path *path)
{
	(void)path;
}

/* --- Files: nothing but the state of a memory block --- */

static struct file state_file;
static unsigned long state_number;

struct file *filp_open(const char *path, int flags, int mode)
{
	(void)flags;
	(void)mode;
	if (sscanf(path, "/sys/devices/system/memory/memory%lu/state", &state_number) != 1)
		v3_fake_fail("%s is opened", path);
	return &state_file;
}

ssize_t kernel_write(struct file *file, const void *data, size_t size, loff_t *pos)
{
	int err = fake_set_online(state_number);

	(void)file;
	(void)data;
	(void)pos;
	return err ? err : (ssize_t)size;
}

void filp_close(struct file *file, void *id)
{
	(void)file;
	(void)id;
}
