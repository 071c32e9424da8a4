/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0) */
/* Images: read piecewise from the caller's memory by libv3's loaders. */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "lx.h"

/* A file in the caller's memory. */
struct user_blob {
	struct v3_lx_vm *vm;
	u64 address;
};

/* In steps, so that a killed caller or a destroyed VM does not wait for gigabytes. */
static enum v3_status blob_read(void *ctx, uint64_t offset, void *dst, size_t len)
{
	const struct user_blob *blob = ctx;
	const size_t step = 1ul << 20;
	size_t done, n;

	for (done = 0; done < len; done += n) {
		n = min(step, len - done);
		if (fatal_signal_pending(current) || READ_ONCE(blob->vm->dead)) {
			v3_lx_logf(V3_LOG_ERROR, "loading was interrupted");
			return V3_ERR_IO;
		}
		if (copy_from_user((u8 *)dst + done,
				   u64_to_user_ptr(blob->address + offset + done), n)) {
			v3_lx_logf(V3_LOG_ERROR, "the image is not readable at address 0x%llx",
				   (u64)(blob->address + offset + done));
			return V3_ERR_IO;
		}
		cond_resched();
	}
	return V3_OK;
}

static void load_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct v3_lx_vm *vm = ctx;

	WRITE_ONCE(vm->load_total, total);
	WRITE_ONCE(vm->load_done, done);
}

static enum v3_status blob_init(struct v3_lx_call *call, struct v3_blob *blob,
				struct user_blob *user, struct v3_lx_vm *vm, u64 address, u64 size,
				const char *what)
{
	u64 end;

	if (check_add_overflow(address, size, &end) || end > TASK_SIZE_MAX ||
	    (address && !size))
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "%s: 0x%llx bytes at 0x%llx are no range of user memory", what,
				  size, address);
	user->vm = vm;
	user->address = address;
	blob->size = size;
	blob->read = blob_read;
	blob->ctx = user;
	return V3_OK;
}

/* The command line as a string of the kernel's own; *out is NULL when there is none. */
static enum v3_status get_cmdline(struct v3_lx_call *call, u64 address, u32 len, char **out)
{
	char *line;

	*out = NULL;
	if (len > V3_CMDLINE_MAX)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "command line of %u bytes: the longest is %u", len,
				  V3_CMDLINE_MAX);
	if (!len)
		return V3_OK;
	line = memdup_user_nul(u64_to_user_ptr(address), len);
	if (IS_ERR(line)) {
		call->err = PTR_ERR(line);
		return v3_lx_fail(call, V3_ERR_INVALID, "the command line is not readable");
	}
	if (strlen(line) != len) {
		kfree(line);
		return v3_lx_fail(call, V3_ERR_INVALID, "the command line has a NUL inside");
	}
	*out = line;
	return V3_OK;
}

/* What both kinds of images have in common. */
struct load {
	struct v3_boot_config config;
	struct user_blob kernel, initrd;
	char *cmdline;
};

static enum v3_status load_init(struct v3_lx_call *call, struct load *load, struct v3_lx_vm *vm,
				u64 cmdline, u32 cmdline_len)
{
	load->config.struct_size = sizeof(load->config);
	load->config.progress = load_progress;
	load->config.progress_ctx = vm;
	WRITE_ONCE(vm->load_done, 0);
	return get_cmdline(call, cmdline, cmdline_len, &load->cmdline);
}

enum v3_status v3_lx_load_linux(struct v3_lx_call *call, struct v3_lx_vm *vm, struct v3_vm *core,
				struct v3_ioc_load_linux *arg)
{
	struct load load = {};
	enum v3_status status;

	if (arg->entry > V3_LINUX_ENTRY_32)
		return v3_lx_fail(call, V3_ERR_INVALID, "unknown kind of entry %u", arg->entry);
	load.config.entry = arg->entry;
	status = blob_init(call, &load.config.kernel, &load.kernel, vm, arg->kernel,
			   arg->kernel_size, "kernel");
	if (!status)
		status = blob_init(call, &load.config.initrd, &load.initrd, vm, arg->initrd,
				   arg->initrd_size, "initrd");
	if (!status)
		status = load_init(call, &load, vm, arg->cmdline, arg->cmdline_len);
	if (status)
		return status;
	load.config.cmdline = load.cmdline;
	status = v3_boot_linux(core, &load.config);
	kfree(load.cmdline);
	return status;
}

static enum v3_status get_segments(struct v3_lx_call *call,
				   const struct v3_ioc_load_segments *arg, unsigned int min,
				   struct v3_segment_load *segments)
{
	unsigned int i;

	if (arg->num_segments < min || arg->num_segments > V3_IOC_SEGMENTS)
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "%u segments, but an image can have %u to %u",
				  arg->num_segments, min, V3_IOC_SEGMENTS);
	for (i = 0; i < arg->num_segments; i++) {
		segments[i].gpa = arg->segments[i].gpa;
		segments[i].offset = arg->segments[i].offset;
		segments[i].file_size = arg->segments[i].file_size;
		segments[i].mem_size = arg->segments[i].mem_size;
	}
	if (memchr_inv(&arg->segments[i], 0, (V3_IOC_SEGMENTS - i) * sizeof(arg->segments[0])))
		return v3_lx_fail(call, V3_ERR_INVALID,
				  "more segments given than num_segments says");
	return V3_OK;
}

static enum v3_status load_image(struct v3_lx_call *call, struct load *load, struct v3_lx_vm *vm,
				 const struct v3_ioc_load_segments *arg)
{
	enum v3_status status;

	status = blob_init(call, &load->config.kernel, &load->kernel, vm, arg->image,
			   arg->image_size, "image");
	if (!status)
		status = blob_init(call, &load->config.initrd, &load->initrd, vm, arg->initrd,
				   arg->initrd_size, "initrd");
	if (!status)
		status = load_init(call, load, vm, arg->cmdline, arg->cmdline_len);
	load->config.cmdline = load->cmdline;
	return status;
}

enum v3_status v3_lx_load_segments(struct v3_lx_call *call, struct v3_lx_vm *vm,
				   struct v3_vm *core, struct v3_ioc_load_segments *arg)
{
	struct v3_segment_load segments[V3_IOC_SEGMENTS];
	struct load load = {};
	enum v3_status status = get_segments(call, arg, 1, segments);

	if (!status)
		status = load_image(call, &load, vm, arg);
	if (status)
		return status;
	status = v3_boot_segments(core, &load.config, segments, arg->num_segments, arg->entry);
	kfree(load.cmdline);
	return status;
}

/* The modules of a multiboot kernel. On the heap: too large for the stack. */
struct modules {
	struct v3_ioc_module given[V3_IOC_MODULES];
	struct v3_boot_module core[V3_IOC_MODULES];
	struct user_blob blobs[V3_IOC_MODULES];
	char *cmdlines[V3_IOC_MODULES];
};

static enum v3_status get_module(struct v3_lx_call *call, struct v3_lx_vm *vm,
				 struct modules *modules, unsigned int i)
{
	const struct v3_ioc_module *given = &modules->given[i];
	enum v3_status status;

	if (given->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	status = blob_init(call, &modules->core[i].blob, &modules->blobs[i], vm,
			   given->size ? given->data : 0, given->size, "module");
	if (!status)
		status = get_cmdline(call, given->cmdline, given->cmdline_len,
				     &modules->cmdlines[i]);
	modules->core[i].cmdline = modules->cmdlines[i];
	return status;
}

static enum v3_status get_modules(struct v3_lx_call *call, struct v3_lx_vm *vm,
				  const struct v3_ioc_load_multiboot *arg, struct modules *modules)
{
	enum v3_status status = V3_OK;
	unsigned int i;

	if (arg->reserved)
		return v3_lx_fail(call, V3_ERR_INVALID, "reserved fields are not zero");
	if (arg->num_modules > V3_IOC_MODULES)
		return v3_lx_fail(call, V3_ERR_INVALID, "%u modules, but there can be %u",
				  arg->num_modules, V3_IOC_MODULES);
	if (copy_from_user(modules->given, u64_to_user_ptr(arg->modules),
			   arg->num_modules * sizeof(modules->given[0]))) {
		call->err = -EFAULT;
		return v3_lx_fail(call, V3_ERR_INVALID, "the list of modules is not readable");
	}
	for (i = 0; !status && i < arg->num_modules; i++)
		status = get_module(call, vm, modules, i);
	return status;
}

static void free_modules(struct modules *modules)
{
	unsigned int i;

	for (i = 0; i < V3_IOC_MODULES; i++)
		kfree(modules->cmdlines[i]);
	kfree(modules);
}

enum v3_status v3_lx_load_multiboot(struct v3_lx_call *call, struct v3_lx_vm *vm,
				    struct v3_vm *core, struct v3_ioc_load_multiboot *arg)
{
	struct v3_segment_load segments[V3_IOC_SEGMENTS];
	struct load load = {};
	struct modules *modules;
	enum v3_status status = get_segments(call, &arg->image, 0, segments);

	if (status)
		return status;
	modules = kzalloc(sizeof(*modules), GFP_KERNEL);
	if (!modules)
		return v3_lx_fail(call, V3_ERR_NOMEM, "the host has no memory for loading");
	status = get_modules(call, vm, arg, modules);
	if (!status)
		status = load_image(call, &load, vm, &arg->image);
	if (!status)
		status = v3_boot_multiboot(core, &load.config, segments, arg->image.num_segments,
					   arg->image.entry, modules->core, arg->num_modules);
	kfree(load.cmdline);
	free_modules(modules);
	return status;
}
