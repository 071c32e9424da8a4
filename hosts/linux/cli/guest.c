/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest from its specification.
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu_own.h"
#include "note.h"
#include "parse.h"
#include "progress.h"

_Static_assert(V3_SPEC_MODULES == V3_IOC_MODULES, "all modules of a specification can be passed");

/* Guest RAM reaches from 0 to here, the rest is above 4 GiB (see v3_vm_create()). */
#define LOW_RAM_MAX (3ull << 30)

static int check_fit(const struct v3_guest *guest, struct v3_msg *msg)
{
	uint64_t low = v3_spec_memory(guest->spec);
	uint64_t need = guest->kernel.size;
	char have_text[V3_SIZE_TEXT], need_text[V3_SIZE_TEXT];

	if (guest->initrd.size && guest->initrd.size < UINT64_MAX - need)
		need += guest->initrd.size;
	if (guest->kind != V3_KERNEL_LINUX) {
		if (low > LOW_RAM_MAX)
			low = LOW_RAM_MAX;
		need = guest->elf.end;
	}
	if (need <= low)
		return 0;
	return v3_msg_set(msg,
			  "%s: the kernel needs memory up to %s, the guest has %s%s: give it more "
			  "with --memory or 'memory:'",
			  v3_printable(guest->kernel.path), v3_size_text(need, need_text),
			  v3_size_text(low, have_text),
			  guest->kind != V3_KERNEL_LINUX ? " there" : "");
}

static int check_kernel(struct v3_guest *guest, struct v3_msg *msg)
{
	/* Only that protocol knows modules: who gives some means it. */
	if (guest->spec->num_modules && guest->spec->entry != V3_LINUX_ENTRY_AUTO)
		return v3_msg_set(msg, "modules are for multiboot kernels; they do not go with "
				       "entry 32 or 64");
	if (!guest->spec->multiboot && !guest->spec->num_modules)
		return v3_kernel_check(&guest->kernel, guest->spec->entry, &guest->kind,
				       &guest->elf, msg);
	guest->kind = V3_KERNEL_MULTIBOOT;
	return v3_kernel_check_multiboot(&guest->kernel, &guest->elf, msg);
}

static int map_modules(struct v3_guest *guest, struct v3_msg *msg)
{
	const struct v3_spec *spec = guest->spec;
	unsigned int i;

	for (i = 0; i < spec->num_modules; i++)
		if (v3_file_map(&guest->modules[i], spec->modules[i].file, msg))
			return -1;
	return 0;
}

int v3_guest_open(struct v3_guest *guest, struct v3_spec *spec, struct v3_msg *msg)
{
	*guest = (struct v3_guest){ .spec = spec };
	if (v3_file_map(&guest->kernel, spec->kernel, msg))
		return -1;
	if (!check_kernel(guest, msg) &&
	    (!spec->initrd || !v3_file_map(&guest->initrd, spec->initrd, msg)) &&
	    !map_modules(guest, msg) && !check_fit(guest, msg))
		return 0;
	v3_guest_close(guest);
	return -1;
}

void v3_guest_close(struct v3_guest *guest)
{
	unsigned int i;

	for (i = 0; i < V3_SPEC_MODULES; i++)
		v3_file_unmap(&guest->modules[i]);
	v3_file_unmap(&guest->kernel);
	v3_file_unmap(&guest->initrd);
}

static int create(struct v3_guest *guest, int dev, unsigned int flags, struct v3_msg *msg)
{
	struct v3_spec *spec = guest->spec;
	struct v3_ioc_create request = {
		.flags = flags | (spec->unemulated == V3_UNEMULATED_UD ?
				  V3_IOC_CREATE_UNEMULATED_UD : 0) |
			 (spec->unknown_msrs == V3_MSRS_IGNORE ? V3_IOC_CREATE_IGNORE_MSRS : 0) |
			 (spec->held ? V3_IOC_CREATE_HELD : 0) |
			 (spec->own ? V3_IOC_CREATE_OWN_CPUS | V3_IOC_CREATE_OWN_FIFO : 0),
		.host_yield = spec->host_yield,
		.yield_ns = spec->yield_ns,
		.tsc_khz = spec->tsc_khz,
		.num_vcpus = spec->num_vcpus,
		.num_mem = spec->num_mem,
	};
	unsigned int i;
	int err;

	strcpy(request.name, spec->name);
	if (spec->cpu)
		strcpy(request.cpu, spec->cpu);
	for (i = 0; i < spec->num_vcpus; i++)
		request.cpus[i] = spec->cpus[i];
	for (i = 0; i < spec->num_mem; i++) {
		request.mem[i].size = spec->mem[i].size;
		request.mem[i].node = spec->mem[i].node;
	}
	err = v3_progress_mem_call(dev, V3_IOC_CREATE, &request, v3_spec_memory(spec), msg);
	if (err)
		return err;
	request.head.message[sizeof(request.head.message) - 1] = 0;
	if (request.head.message[0])
		v3_err("%s", v3_printable(request.head.message));
	return request.fd;
}

static int load_linux(const struct v3_guest *guest, int vm, struct v3_msg *msg)
{
	const char *cmdline = guest->spec->cmdline ? guest->spec->cmdline : "";
	struct v3_ioc_load_linux request = {
		.kernel = (uintptr_t)guest->kernel.data,
		.kernel_size = guest->kernel.size,
		.initrd = (uintptr_t)guest->initrd.data,
		.initrd_size = guest->initrd.size,
		.cmdline = (uintptr_t)cmdline,
		.cmdline_len = (uint32_t)strlen(cmdline),
		.entry = guest->spec->entry,
	};

	return v3_progress_call(vm, V3_IOC_LOAD_LINUX, &request,
				guest->kernel.size + guest->initrd.size, msg);
}

/* What ELF and multiboot kernels have in common. */
static void fill_segments(const struct v3_guest *guest, struct v3_ioc_load_segments *request)
{
	const char *cmdline = guest->spec->cmdline ? guest->spec->cmdline : "";
	const struct v3_segment_load *segment;
	unsigned int i;

	*request = (struct v3_ioc_load_segments){
		.image = (uintptr_t)guest->kernel.data,
		.image_size = guest->kernel.size,
		.initrd = (uintptr_t)guest->initrd.data,
		.initrd_size = guest->initrd.size,
		.cmdline = (uintptr_t)cmdline,
		.cmdline_len = (uint32_t)strlen(cmdline),
		.num_segments = guest->elf.count,
		.entry = guest->elf.entry,
	};
	for (i = 0; i < guest->elf.count; i++) {
		segment = &guest->elf.segments[i];
		request->segments[i] = (struct v3_ioc_segment){
			.gpa = segment->gpa,
			.offset = segment->offset,
			.file_size = segment->file_size,
			.mem_size = segment->mem_size,
		};
	}
}

static int load_elf(const struct v3_guest *guest, int vm, struct v3_msg *msg)
{
	struct v3_ioc_load_segments request;

	fill_segments(guest, &request);
	return v3_progress_call(vm, V3_IOC_LOAD_SEGMENTS, &request,
				guest->kernel.size + guest->initrd.size, msg);
}

static int load_multiboot(const struct v3_guest *guest, int vm, struct v3_msg *msg)
{
	const struct v3_spec *spec = guest->spec;
	struct v3_ioc_module modules[V3_IOC_MODULES] = { 0 };
	struct v3_ioc_load_multiboot request = {
		.modules = (uintptr_t)modules,
		.num_modules = spec->num_modules,
	};
	uint64_t bytes = guest->kernel.size + guest->initrd.size;
	unsigned int i;

	fill_segments(guest, &request.image);
	for (i = 0; i < spec->num_modules; i++) {
		modules[i] = (struct v3_ioc_module){
			.data = (uintptr_t)guest->modules[i].data,
			.size = guest->modules[i].size,
			.cmdline = (uintptr_t)spec->modules[i].args,
			.cmdline_len = (uint32_t)strlen(spec->modules[i].args),
		};
		bytes += guest->modules[i].size;
	}
	return v3_progress_call(vm, V3_IOC_LOAD_MULTIBOOT, &request, bytes, msg);
}

static int load(const struct v3_guest *guest, int vm, struct v3_msg *msg)
{
	switch (guest->kind) {
	case V3_KERNEL_LINUX:
		return load_linux(guest, vm, msg);
	case V3_KERNEL_MULTIBOOT:
		return load_multiboot(guest, vm, msg);
	default:
		return load_elf(guest, vm, msg);
	}
}

static int trace_on(int vm, struct v3_msg *msg)
{
	struct v3_ioc_trace request = { .on = 1 };

	return v3_dev_call(vm, V3_IOC_TRACE, &request, msg);
}

int v3_guest_create(struct v3_guest *guest, int dev, unsigned int flags, struct v3_msg *msg)
{
	struct v3_msg ignored;
	char *end;
	int vm, err;

	if (v3_cpu_guest_check(guest->spec, msg))
		return -1;
	vm = create(guest, dev, flags, msg);
	if (vm == -EEXIST && !guest->spec->name_given) {
		end = guest->spec->name + strlen(guest->spec->name);
		snprintf(end, V3_NAME_MAX + 1 - (size_t)(end - guest->spec->name), "-%d",
			 (int)getpid());
		guest->spec->name_given = true;
		vm = create(guest, dev, flags, msg);
	}
	if (vm < 0)
		return -1;
	/* The VM keeps all others off these CPUs already, and is not started yet. */
	err = v3_cpu_guest_take(vm, guest->spec, msg);
	if (!err)
		err = load(guest, vm, msg);
	if (!err && guest->spec->trace)
		err = trace_on(vm, msg);
	if (!err && flags & V3_IOC_CREATE_DETACHED)
		err = v3_note_write(vm, guest->spec, msg);
	if (!err)
		return vm;
	/* A detached VM would stay; for others closing is enough, and this does no harm. */
	v3_dev_control(vm, V3_IOC_DESTROY, &ignored);
	v3_dev_close(vm);
	v3_cpu_guest_end(dev, guest->spec);
	return -1;
}

int v3_guest_again(struct v3_guest *guest, int vm, struct v3_msg *msg)
{
	struct v3_ioc_reset reset = { .flags = 0 };
	int err = v3_dev_call(vm, V3_IOC_RESET, &reset, msg);

	return err ? -1 : load(guest, vm, msg);
}
