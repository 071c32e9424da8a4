/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registration of device hooks, and finding them on an exit. Read-only once the VM runs: no locks.
 */
#include "core/vm.h"

#include "lib/bits.h"
#include "lib/mem.h"

/* --- Ports --- */

static enum v3_status io_page_get(struct v3_vm *vm, unsigned int page)
{
	if (!vm->io_pages[page])
		vm->io_pages[page] = v3_vm_alloc(vm, V3_IO_PAGE_PORTS);
	return vm->io_pages[page] ? V3_OK : V3_ERR_NOMEM;
}

static uint32_t in_ones(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	(void)vcpu;
	(void)ctx;
	(void)port;
	(void)size;
	return 0xffffffff;
}

static void out_nothing(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
			uint32_t value)
{
	(void)vcpu;
	(void)ctx;
	(void)port;
	(void)size;
	(void)value;
}

static inline const struct v3_io_hook *io_find(const struct v3_vm *vm, uint16_t port)
{
	const uint8_t *page = vm->io_pages[port / V3_IO_PAGE_PORTS];
	unsigned int index = page ? page[port % V3_IO_PAGE_PORTS] : 0;

	return index ? &vm->io[index - 1] : NULL;
}

enum v3_status v3_io_hook(struct v3_vm *vm, uint16_t first, unsigned int count,
			  const struct v3_io_ops *ops, void *ctx)
{
	unsigned int port, end = first + count;
	enum v3_status status;

	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	if (!count || !ops)
		return V3_ERR_INVALID;
	if (count > 0x10000 || end > 0x10000)
		return V3_ERR_RANGE;
	if (vm->num_io == V3_MAX_IO_HOOKS)
		return V3_ERR_NOMEM;
	for (port = first; port < end; port++) {
		if (io_find(vm, (uint16_t)port))
			return V3_ERR_EXIST;
		status = io_page_get(vm, port / V3_IO_PAGE_PORTS);
		if (status != V3_OK)
			return status;
	}
	vm->io[vm->num_io++] = (struct v3_io_hook){
		first, (uint16_t)(end - 1), ops->in ? ops->in : in_ones,
		ops->out ? ops->out : out_nothing, ctx,
	};
	for (port = first; port < end; port++)
		vm->io_pages[port / V3_IO_PAGE_PORTS][port % V3_IO_PAGE_PORTS] =
			(uint8_t)vm->num_io;
	return V3_OK;
}

static uint32_t ones(unsigned int size)
{
	return size >= 4 ? 0xffffffff : (1u << (8 * size)) - 1;
}

/* An access that no single hook covers: byte by byte. */
static V3_NOINLINE uint32_t io_in_split(struct v3_vcpu *vcpu, uint16_t port, unsigned int size)
{
	uint32_t value = 0;
	unsigned int i;

	for (i = 0; i < size; i++)
		value |= (v3_io_in(vcpu, (uint16_t)(port + i), 1) & 0xff) << (8 * i);
	return value;
}

uint32_t v3_io_in(struct v3_vcpu *vcpu, uint16_t port, unsigned int size)
{
	const struct v3_io_hook *hook = io_find(vcpu->vm, port);

	if (!hook || port + size - 1 > hook->last)
		return size == 1 ? 0xff : io_in_split(vcpu, port, size);
	return hook->in(vcpu, hook->ctx, port, size);
}

void v3_io_out(struct v3_vcpu *vcpu, uint16_t port, unsigned int size, uint32_t value)
{
	const struct v3_io_hook *hook = io_find(vcpu->vm, port);
	unsigned int i;

	if (hook && port + size - 1 <= hook->last) {
		hook->out(vcpu, hook->ctx, port, size, value & ones(size));
		return;
	}
	for (i = 0; size > 1 && i < size; i++)
		v3_io_out(vcpu, (uint16_t)(port + i), 1, value >> (8 * i));
}

/* --- MMIO --- */

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool mmio_is_free(const struct v3_vm *vm, v3_gpa_t gpa, uint64_t size)
{
	struct v3_mem_range range;
	unsigned int i;

	for (i = 0; i < vm->num_mmio; i++)
		if (overlaps(gpa, size, vm->mmio[i].gpa, vm->mmio[i].size))
			return false;
	for (i = 0; v3_vm_mem_range(vm, i, &range) == V3_OK; i++)
		if (overlaps(gpa, size, range.gpa, range.size))
			return false;
	return true;
}

enum v3_status v3_mmio_hook(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size,
			    const struct v3_mmio_ops *ops, void *ctx)
{
	enum v3_status status;
	unsigned int at;

	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	if (!ops || !size || (gpa | size) & (V3_PAGE_SIZE - 1))
		return V3_ERR_INVALID;
	if (gpa >= 1ull << 48 || size > (1ull << 48) - gpa)
		return V3_ERR_RANGE;
	if (!mmio_is_free(vm, gpa, size))
		return V3_ERR_EXIST;
	if (vm->num_mmio == V3_MAX_MMIO_HOOKS)
		return V3_ERR_NOMEM;
	status = v3_memory_make_room(vm, gpa, size);
	if (status != V3_OK)
		return status;
	for (at = vm->num_mmio; at && vm->mmio[at - 1].gpa > gpa; at--)
		vm->mmio[at] = vm->mmio[at - 1];
	vm->mmio[at] = (struct v3_mmio_hook){ gpa, size, ops, ctx };
	vm->num_mmio++;
	return V3_OK;
}

const struct v3_mmio_hook *v3_mmio_find(struct v3_vm *vm, v3_gpa_t gpa)
{
	unsigned int low = 0, high = vm->num_mmio;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct v3_mmio_hook *hook = &vm->mmio[mid];

		if (gpa < hook->gpa)
			high = mid;
		else if (gpa - hook->gpa >= hook->size)
			low = mid + 1;
		else
			return hook;
	}
	return NULL;
}

/*
 * The hook of an access. Guests poll, so the last one is tried first. Hooks are whole pages and no
 * access leaves its page: one that begins in a hook ends there.
 */
static const struct v3_mmio_hook *mmio_hook(struct v3_vcpu *vcpu, v3_gpa_t gpa)
{
	const struct v3_mmio_hook *hook = vcpu->last_mmio;

	if (!hook || gpa - hook->gpa >= hook->size) {
		hook = v3_mmio_find(vcpu->vm, gpa);
		if (hook)
			vcpu->last_mmio = hook;
	}
	return hook;
}

uint64_t v3_mmio_read(struct v3_vcpu *vcpu, v3_gpa_t gpa, unsigned int size)
{
	const struct v3_mmio_hook *hook = mmio_hook(vcpu, gpa);

	if (!hook || !hook->ops->read)
		return ~0ull;
	return hook->ops->read(vcpu, hook->ctx, gpa - hook->gpa, size);
}

void v3_mmio_write(struct v3_vcpu *vcpu, v3_gpa_t gpa, unsigned int size, uint64_t value)
{
	const struct v3_mmio_hook *hook = mmio_hook(vcpu, gpa);

	if (hook && hook->ops->write)
		hook->ops->write(vcpu, hook->ctx, gpa - hook->gpa, size, value);
}

/* --- MSRs, CPUID, hypercalls --- */

/* Checks that hold for all of them; *last is the end of the range. */
static enum v3_status range_check(const struct v3_vm *vm, uint32_t first, uint32_t count,
				  bool has_handler, uint32_t *last)
{
	*last = first + count - 1;
	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	return has_handler && count && *last >= first ? V3_OK : V3_ERR_INVALID;
}

enum v3_status v3_msr_hook(struct v3_vm *vm, uint32_t first, uint32_t count,
			   const struct v3_msr_ops *ops, void *ctx)
{
	uint32_t last;
	enum v3_status status = range_check(vm, first, count, ops, &last);
	unsigned int i;

	if (status != V3_OK)
		return status;
	for (i = 0; i < vm->num_msr; i++)
		if (first <= vm->msr[i].last && vm->msr[i].first <= last)
			return V3_ERR_EXIST;
	if (vm->num_msr == V3_MAX_MSR_HOOKS)
		return V3_ERR_NOMEM;
	vm->msr[vm->num_msr++] = (struct v3_msr_hook){ first, last, ops, ctx };
	return V3_OK;
}

enum v3_status v3_cpuid_hook(struct v3_vm *vm, uint32_t first, uint32_t count, v3_cpuid_fn fn,
			     void *ctx)
{
	uint32_t last;
	enum v3_status status = range_check(vm, first, count, fn, &last);
	unsigned int i;

	if (status != V3_OK)
		return status;
	if (vm->num_cpuid_hooks == V3_MAX_CPUID_HOOKS)
		return V3_ERR_NOMEM;
	vm->cpuid_hooks[vm->num_cpuid_hooks++] = (struct v3_cpuid_hook){ first, last, fn, ctx };
	for (i = 0; i < vm->num_cpuid; i++)
		if (vm->cpuid[i].leaf >= first && vm->cpuid[i].leaf <= last)
			vm->cpuid[i].dynamic = true;
	return V3_OK;
}

enum v3_status v3_hypercall_hook(struct v3_vm *vm, uint32_t first, uint32_t count,
				 v3_hypercall_fn fn, void *ctx)
{
	uint32_t last;
	enum v3_status status = range_check(vm, first, count, fn, &last);
	unsigned int i;

	if (status != V3_OK)
		return status;
	for (i = 0; i < vm->num_hypercalls; i++)
		if (first <= vm->hypercalls[i].last && vm->hypercalls[i].first <= last)
			return V3_ERR_EXIST;
	if (vm->num_hypercalls == V3_MAX_HYPERCALL_HOOKS)
		return V3_ERR_NOMEM;
	vm->hypercalls[vm->num_hypercalls++] =
		(struct v3_hypercall_hook){ first, last, fn, ctx };
	return V3_OK;
}

void v3_maps_destroy(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < 65536 / V3_IO_PAGE_PORTS; i++)
		v3_vm_free(vm, vm->io_pages[i], V3_IO_PAGE_PORTS);
}
