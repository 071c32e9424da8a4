/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakes/fake_core.h"

#include "core/nodes.h"
#include "core/pvclock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("fake_core: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

/* Counts a fallible call; true if it has to fail, with the status in *status. */
static bool fails(struct v3_vm *vm, enum v3_status *status)
{
	vm->fallible_calls++;
	*status = vm->fail_status;
	return vm->fail_at && vm->fallible_calls == vm->fail_at;
}

void fake_fail_at(struct v3_vm *vm, unsigned int nth, enum v3_status status)
{
	vm->fallible_calls = 0;
	vm->fail_at = nth;
	vm->fail_status = status;
}

struct v3_vm *fake_vm_create(unsigned int num_vcpus)
{
	struct v3_vm *vm = calloc(1, sizeof(*vm));
	unsigned int i;

	if (!vm || num_vcpus == 0 || num_vcpus > V3_MAX_VCPUS)
		die("cannot create a VM with %u vCPUs", num_vcpus);
	vm->num_vcpus = num_vcpus;
	vm->tsc_khz = 2000000;
	for (i = 0; i < num_vcpus; i++) {
		vm->vcpus[i].vm = vm;
		vm->vcpus[i].index = i;
	}
	return vm;
}

void fake_vm_destroy(struct v3_vm *vm)
{
	unsigned int i;

	while (vm->num_devices > 0) {
		vm->num_devices--;
		if (vm->devices[vm->num_devices].ops->destroy)
			vm->devices[vm->num_devices].ops->destroy(vm->devices[vm->num_devices].ctx);
	}
	if (vm->alloc_bytes)
		die("%zu bytes of v3_device_alloc are left", vm->alloc_bytes);
	for (i = 0; i < vm->num_mem; i++)
		free(vm->mem[i].bytes);
	free(vm);
}

/* Hooks */

static enum v3_status hook_add(struct v3_vm *vm, struct fake_hooks *hooks,
			       const struct fake_range *range, uint64_t limit)
{
	enum v3_status status;
	unsigned int i;

	if (fails(vm, &status))
		return status;
	if (range->count == 0)
		return V3_ERR_INVALID;
	if (range->first > limit || range->count - 1 > limit - range->first)
		return V3_ERR_RANGE;
	for (i = 0; i < hooks->count; i++)
		if (range->first < hooks->r[i].first + hooks->r[i].count &&
		    hooks->r[i].first < range->first + range->count)
			return V3_ERR_EXIST;
	if (hooks->count == FAKE_MAX_HOOKS)
		die("more than %d hooks", FAKE_MAX_HOOKS);
	hooks->r[hooks->count++] = *range;
	return V3_OK;
}

static const struct fake_range *hook_find(const struct fake_hooks *hooks, uint64_t at)
{
	unsigned int i;

	for (i = 0; i < hooks->count; i++)
		if (at >= hooks->r[i].first && at - hooks->r[i].first < hooks->r[i].count)
			return &hooks->r[i];
	return NULL;
}

enum v3_status v3_io_hook(struct v3_vm *vm, uint16_t first, unsigned int count,
			  const struct v3_io_ops *ops, void *ctx)
{
	struct fake_range range = { .first = first, .count = count, .ops = ops, .ctx = ctx };

	return hook_add(vm, &vm->io, &range, 0xffff);
}

enum v3_status v3_mmio_hook(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size,
			    const struct v3_mmio_ops *ops, void *ctx)
{
	struct fake_range range = { .first = gpa, .count = size, .ops = ops, .ctx = ctx };

	if ((gpa | size) % V3_PAGE_SIZE)
		return V3_ERR_INVALID;
	return hook_add(vm, &vm->mmio, &range, UINT64_MAX);
}

enum v3_status v3_msr_hook(struct v3_vm *vm, uint32_t first, uint32_t count,
			   const struct v3_msr_ops *ops, void *ctx)
{
	struct fake_range range = { .first = first, .count = count, .ops = ops, .ctx = ctx };

	return hook_add(vm, &vm->msr, &range, UINT32_MAX);
}

enum v3_status v3_cpuid_hook(struct v3_vm *vm, uint32_t first, uint32_t count, v3_cpuid_fn fn,
			     void *ctx)
{
	struct fake_range range = { .first = first, .count = count, .cpuid = fn, .ctx = ctx };

	return hook_add(vm, &vm->cpuid, &range, UINT32_MAX);
}

enum v3_status v3_pvclock_create(struct v3_vm *vm, uint64_t seconds)
{
	enum v3_status status;

	if (fails(vm, &status))
		return status;
	vm->wall_seconds = seconds;
	return V3_OK;
}

enum v3_status v3_hypercall_hook(struct v3_vm *vm, uint32_t first, uint32_t count,
				 v3_hypercall_fn fn, void *ctx)
{
	struct fake_range range = { .first = first, .count = count, .hypercall = fn, .ctx = ctx };

	return hook_add(vm, &vm->hypercall, &range, UINT32_MAX);
}

/* All ones in size bytes. */
static uint64_t ones(unsigned int size)
{
	return size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

uint32_t fake_in(struct v3_vm *vm, unsigned int cpu, uint16_t port, unsigned int size)
{
	const struct fake_range *range = hook_find(&vm->io, port);
	const struct v3_io_ops *ops = range ? range->ops : NULL;
	uint32_t value = 0;
	unsigned int i;

	if (range && port + size > range->first + range->count) {
		for (i = 0; i < size; i++)
			value |= fake_in(vm, cpu, (uint16_t)(port + i), 1) << (8 * i);
		return value;
	}
	value = ops && ops->in ? ops->in(&vm->vcpus[cpu], range->ctx, port, size) : UINT32_MAX;
	return value & (uint32_t)ones(size);
}

void fake_out(struct v3_vm *vm, unsigned int cpu, uint16_t port, unsigned int size, uint32_t value)
{
	const struct fake_range *range = hook_find(&vm->io, port);
	const struct v3_io_ops *ops = range ? range->ops : NULL;
	unsigned int i;

	if (range && port + size > range->first + range->count) {
		for (i = 0; i < size; i++)
			fake_out(vm, cpu, (uint16_t)(port + i), 1, (value >> (8 * i)) & 0xff);
	} else if (ops && ops->out) {
		ops->out(&vm->vcpus[cpu], range->ctx, port, size, value & (uint32_t)ones(size));
	}
}

uint64_t fake_mmio_read(struct v3_vm *vm, unsigned int cpu, v3_gpa_t gpa, unsigned int size)
{
	const struct fake_range *range = hook_find(&vm->mmio, gpa);
	const struct v3_mmio_ops *ops = range ? range->ops : NULL;

	if (!ops)
		return ones(size);
	if (gpa - range->first + size > range->count)
		die("an MMIO access leaves its range");
	return ops->read(&vm->vcpus[cpu], range->ctx, gpa - range->first, size) & ones(size);
}

void fake_mmio_write(struct v3_vm *vm, unsigned int cpu, v3_gpa_t gpa, unsigned int size,
		     uint64_t value)
{
	const struct fake_range *range = hook_find(&vm->mmio, gpa);
	const struct v3_mmio_ops *ops = range ? range->ops : NULL;

	if (!ops)
		return;
	if (gpa - range->first + size > range->count)
		die("an MMIO access leaves its range");
	ops->write(&vm->vcpus[cpu], range->ctx, gpa - range->first, size, value & ones(size));
}

enum v3_hook_result fake_rdmsr(struct v3_vm *vm, unsigned int cpu, uint32_t msr, uint64_t *value)
{
	const struct fake_range *range = hook_find(&vm->msr, msr);
	const struct v3_msr_ops *ops = range ? range->ops : NULL;

	return ops ? ops->read(&vm->vcpus[cpu], range->ctx, msr, value) : V3_HOOK_PASS;
}

enum v3_hook_result fake_wrmsr(struct v3_vm *vm, unsigned int cpu, uint32_t msr, uint64_t value)
{
	const struct fake_range *range = hook_find(&vm->msr, msr);
	const struct v3_msr_ops *ops = range ? range->ops : NULL;

	return ops ? ops->write(&vm->vcpus[cpu], range->ctx, msr, value) : V3_HOOK_PASS;
}

void fake_cpuid(struct v3_vm *vm, unsigned int cpu, uint32_t leaf, uint32_t subleaf,
		struct v3_cpuid *regs)
{
	const struct fake_range *range = hook_find(&vm->cpuid, leaf);

	if (range)
		range->cpuid(&vm->vcpus[cpu], range->ctx, leaf, subleaf, regs);
}

/* Interrupts */

enum v3_status v3_intc_attach(struct v3_vm *vm, const struct v3_intc_ops *ops, void *ctx)
{
	enum v3_status status;

	if (fails(vm, &status))
		return status;
	if (vm->intc)
		return V3_ERR_EXIST;
	vm->intc = ops;
	vm->intc_ctx = ctx;
	return V3_OK;
}

bool v3_intc_lends(const struct v3_vm *vm)
{
	return vm->lends;
}

struct v3_lent fake_lend(struct v3_vm *vm, unsigned int cpu, unsigned int how)
{
	struct v3_lent lent;

	vm->intc->lend->lend(&vm->vcpus[cpu], vm->intc_ctx, vm->lent_page, how, &lent);
	vm->lent = lent.mode != V3_LENT_NOTHING;
	vm->lent_how = how;
	vm->lent_cpu = cpu;
	return lent;
}

void v3_intc_take_back(struct v3_vcpu *vcpu)
{
	struct v3_vm *vm = vcpu->vm;

	if (!vm->lent || vm->lent_cpu != vcpu->index)
		return;
	vm->intc->lend->take_back(vcpu, vm->intc_ctx, vm->lent_page, vm->lent_how);
	vm->lent = false;
}

enum v3_status v3_irq_claim(struct v3_vm *vm, unsigned int gsi)
{
	enum v3_status status;

	if (fails(vm, &status))
		return status;
	if (gsi >= V3_NUM_GSI)
		die("GSI %u", gsi);
	if (vm->irq_claimed[gsi])
		return V3_ERR_EXIST;
	vm->irq_claimed[gsi] = true;
	return V3_OK;
}

void v3_irq_set(struct v3_vm *vm, unsigned int gsi, bool level)
{
	if (gsi >= V3_NUM_GSI)
		die("GSI %u", gsi);
	if (level && !vm->irq_level[gsi])
		vm->irq_edges[gsi]++;
	vm->irq_level[gsi] = level;
	if (vm->intc)
		vm->intc->irq_set(vm->intc_ctx, gsi, level);
}

/* These are counted atomically: tests of races call them from several threads. */
static void count(unsigned int *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

void v3_vcpu_check_intr(struct v3_vcpu *vcpu)
{
	count(&vcpu->checks);
}

void v3_vcpu_check_own(struct v3_vcpu *vcpu)
{
	count(&vcpu->checks);
}

void v3_vcpu_nmi(struct v3_vcpu *vcpu)
{
	count(&vcpu->nmis);
}

void v3_vcpu_init(struct v3_vcpu *vcpu)
{
	count(&vcpu->inits);
}

void v3_vcpu_sipi(struct v3_vcpu *vcpu, uint8_t vector)
{
	count(&vcpu->sipis);
	vcpu->sipi_vector = vector;
}

int fake_peek(struct v3_vm *vm, unsigned int cpu, bool *tpr_blocked)
{
	bool ignored;

	if (!vm->intc)
		return -1;
	return vm->intc->peek(&vm->vcpus[cpu], vm->intc_ctx, tpr_blocked ? tpr_blocked : &ignored);
}

int fake_ack(struct v3_vm *vm, unsigned int cpu)
{
	return vm->intc ? vm->intc->ack(&vm->vcpus[cpu], vm->intc_ctx) : -1;
}

/* Time */

uint64_t v3_now(const struct v3_vm *vm)
{
	return vm->now;
}

uint64_t v3_vm_tsc_khz(const struct v3_vm *vm)
{
	return vm->tsc_khz;
}

uint64_t v3_guest_tsc(const struct v3_vcpu *vcpu)
{
	return vcpu->tsc_base +
	       (uint64_t)((unsigned __int128)vcpu->vm->now * vcpu->vm->tsc_khz / 1000000);
}

void v3_timer_init(struct v3_timer *timer, struct v3_vcpu *vcpu,
		   void (*fn)(struct v3_timer *timer, void *ctx), void *ctx)
{
	memset(timer, 0, sizeof(*timer));
	timer->vcpu = vcpu;
	timer->fn = fn;
	timer->ctx = ctx;
}

void v3_timer_cancel(struct v3_timer *timer)
{
	if (!timer->pprev)
		return;
	*timer->pprev = timer->next;
	if (timer->next)
		timer->next->pprev = timer->pprev;
	timer->next = NULL;
	timer->pprev = NULL;
}

void v3_timer_arm(struct v3_timer *timer, uint64_t deadline)
{
	struct v3_timer **at;

	if (!timer->vcpu || !timer->fn)
		die("a timer is armed that was not initialized");
	v3_timer_cancel(timer);
	timer->deadline = deadline;
	for (at = &timer->vcpu->vm->timers; *at && (*at)->deadline <= deadline; at = &(*at)->next)
		;
	timer->next = *at;
	timer->pprev = at;
	if (timer->next)
		timer->next->pprev = &timer->next;
	*at = timer;
}

static void own_timer(struct v3_timer *timer, void *ctx)
{
	struct v3_vcpu *vcpu = ctx;

	(void)timer;
	vcpu->vm->intc->timer(vcpu, vcpu->vm->intc_ctx, true);
}

/* One timer more, so that tests see it among the others. */
void v3_vcpu_timer_set(struct v3_vcpu *vcpu, uint64_t deadline)
{
	v3_timer_cancel(&vcpu->own_timer);
	if (deadline == UINT64_MAX)
		return;
	v3_timer_init(&vcpu->own_timer, vcpu, own_timer, vcpu);
	v3_timer_arm(&vcpu->own_timer, deadline);
}

void fake_time_set(struct v3_vm *vm, uint64_t now)
{
	struct v3_timer *timer;

	if (now < vm->now)
		die("time goes backwards");
	while ((timer = vm->timers) && timer->deadline <= now) {
		v3_timer_cancel(timer);
		if (timer->deadline > vm->now)
			vm->now = timer->deadline;
		vm->timer_runs++;
		timer->fn(timer, timer->ctx);
	}
	vm->now = now;
}

void fake_time_advance(struct v3_vm *vm, uint64_t ns)
{
	fake_time_set(vm, vm->now + ns);
}

/* Devices */

enum v3_status v3_device_add(struct v3_vm *vm, const struct v3_device_ops *ops, void *ctx)
{
	enum v3_status status;

	if (fails(vm, &status))
		return status;
	if (vm->num_devices == FAKE_MAX_DEVICES || !ops->name)
		die("too many devices, or one without a name");
	vm->devices[vm->num_devices].ops = ops;
	vm->devices[vm->num_devices++].ctx = ctx;
	return V3_OK;
}

void *v3_device_alloc(struct v3_vm *vm, size_t size)
{
	enum v3_status status;
	unsigned int i;

	if (fails(vm, &status))
		return NULL;
	for (i = 0; i < FAKE_MAX_ALLOCS && vm->allocs[i].ptr; i++)
		;
	if (i == FAKE_MAX_ALLOCS || size == 0)
		die("too many allocations, or one of size 0");
	if (posix_memalign(&vm->allocs[i].ptr, 64, size))
		die("out of memory");
	memset(vm->allocs[i].ptr, 0, size);
	vm->allocs[i].size = size;
	vm->alloc_bytes += size;
	return vm->allocs[i].ptr;
}

void v3_device_free(struct v3_vm *vm, void *ptr, size_t size)
{
	unsigned int i;

	if (!ptr)
		return;
	for (i = 0; i < FAKE_MAX_ALLOCS; i++) {
		if (vm->allocs[i].ptr != ptr)
			continue;
		if (vm->allocs[i].size != size)
			die("free of %zu bytes that were allocated as %zu", size,
			    vm->allocs[i].size);
		vm->allocs[i].ptr = NULL;
		vm->alloc_bytes -= size;
		free(ptr);
		return;
	}
	die("free of %p, which was not allocated", ptr);
}

void v3_vm_log(struct v3_vm *vm, enum v3_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(vm->last_log, sizeof(vm->last_log), fmt, args);
	va_end(args);
	vm->last_log_level = level;
	vm->logs++;
}

/* Consoles */

void v3_console_put(struct v3_vm *vm, unsigned int index, const void *buf, size_t len)
{
	if (index >= V3_NUM_CONSOLES || len > FAKE_CONSOLE_BYTES - vm->console_out_len)
		die("console %u: no place for %zu bytes", index, len);
	memcpy(vm->console_out + vm->console_out_len, buf, len);
	vm->console_out_len += len;
}

enum v3_status v3_console_get(struct v3_vm *vm, unsigned int index, uint8_t *byte)
{
	if (index >= V3_NUM_CONSOLES)
		die("console %u", index);
	if (vm->console_in_len == 0)
		return V3_ERR_AGAIN;
	*byte = vm->console_in[0];
	vm->console_in_len--;
	memmove(vm->console_in, vm->console_in + 1, vm->console_in_len);
	return V3_OK;
}

enum v3_status v3_console_attach(struct v3_vm *vm, unsigned int index, void (*input)(void *ctx),
				 void *ctx)
{
	enum v3_status status;

	if (fails(vm, &status))
		return status;
	if (index >= V3_NUM_CONSOLES)
		return V3_ERR_RANGE;
	if (vm->console_input)
		return V3_ERR_EXIST;
	vm->console_input = input;
	vm->console_ctx = ctx;
	return V3_OK;
}

void fake_console_input(struct v3_vm *vm, const void *buf, size_t len)
{
	if (len > sizeof(vm->console_in) - vm->console_in_len)
		die("no place for %zu bytes of input", len);
	memcpy(vm->console_in + vm->console_in_len, buf, len);
	vm->console_in_len += len;
	if (vm->console_input)
		vm->console_input(vm->console_ctx);
}

/* VM and vCPUs */

unsigned int v3_vm_num_vcpus(const struct v3_vm *vm)
{
	return vm->num_vcpus;
}

struct v3_vcpu *v3_vm_vcpu(struct v3_vm *vm, unsigned int index)
{
	return index < vm->num_vcpus ? &vm->vcpus[index] : NULL;
}

struct v3_vm *v3_vcpu_vm(const struct v3_vcpu *vcpu)
{
	return vcpu->vm;
}

unsigned int v3_vcpu_index(const struct v3_vcpu *vcpu)
{
	return vcpu->index;
}

enum v3_status v3_vcpu_get_state(struct v3_vcpu *vcpu, struct v3_vcpu_state *state)
{
	*state = vcpu->state;
	return V3_OK;
}

enum v3_status v3_vcpu_set_state(struct v3_vcpu *vcpu, const struct v3_vcpu_state *state)
{
	enum v3_status status;

	if (fails(vcpu->vm, &status))
		return status;
	vcpu->state = *state;
	vcpu->state_set = true;
	return V3_OK;
}

void v3_vm_end(struct v3_vm *vm, enum v3_end_kind kind, uint32_t code, const char *fmt, ...)
{
	va_list args;

	vm->ends++;
	if (vm->end.kind != V3_END_NONE)
		return;
	vm->end.kind = kind;
	vm->end.code = code;
	va_start(args, fmt);
	vsnprintf(vm->end.reason, sizeof(vm->end.reason), fmt, args);
	va_end(args);
}

enum v3_vm_state v3_vm_state(const struct v3_vm *vm, struct v3_vm_end *end)
{
	if (end)
		*end = vm->end;
	return vm->state;
}

/* Memory */

void fake_vm_add_mem(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, enum v3_mem_kind kind)
{
	if (vm->num_mem == FAKE_MAX_RANGES)
		die("more than %d memory ranges", FAKE_MAX_RANGES);
	vm->mem[vm->num_mem].range = (struct v3_mem_range){ gpa, size, kind, 0 };
	if (kind != V3_MEM_MMIO) {
		vm->mem[vm->num_mem].bytes = calloc(1, size);
		if (!vm->mem[vm->num_mem].bytes)
			die("no memory for guest RAM");
	}
	vm->num_mem++;
}

void fake_vm_add_node_mem(struct v3_vm *vm, v3_gpa_t gpa, uint64_t size, enum v3_mem_kind kind,
			  int32_t node)
{
	if (vm->num_mem == FAKE_MAX_RANGES)
		die("more than %d memory ranges", FAKE_MAX_RANGES);
	vm->mem[vm->num_mem++].range = (struct v3_mem_range){ gpa, size, kind, node };
}

/* Nodes */

unsigned int v3_vm_num_nodes(const struct v3_vm *vm)
{
	return vm->num_nodes > 1 ? vm->num_nodes : 1;
}

unsigned int v3_vm_guest_node(const struct v3_vm *vm, int32_t node)
{
	return node >= 0 && (unsigned int)node < vm->num_nodes ? (unsigned int)node : 0;
}

unsigned int v3_vm_node_distance(const struct v3_vm *vm, unsigned int from, unsigned int to)
{
	if (from >= vm->num_nodes || to >= vm->num_nodes)
		die("distance from node %u to %u", from, to);
	return from == to ? 10 : 20 + from + 2 * to;
}

unsigned int v3_vcpu_guest_node(const struct v3_vcpu *vcpu)
{
	return vcpu->index % v3_vm_num_nodes(vcpu->vm);
}

void fake_vm_add_pc_mem(struct v3_vm *vm, uint64_t size)
{
	fake_vm_add_mem(vm, 0, 0xa0000, V3_MEM_RAM);
	fake_vm_add_mem(vm, 0xc0000, 0x40000, V3_MEM_ROM);
	fake_vm_add_mem(vm, 0x100000, size - 0x100000, V3_MEM_RAM);
}

void *v3_vm_ptr(struct v3_vm *vm, v3_gpa_t gpa, size_t len)
{
	unsigned int i;

	for (i = 0; i < vm->num_mem; i++) {
		const struct v3_mem_range *range = &vm->mem[i].range;

		if (vm->mem[i].bytes && gpa >= range->gpa && gpa - range->gpa <= range->size &&
		    len <= range->size - (gpa - range->gpa))
			return vm->mem[i].bytes + (gpa - range->gpa);
	}
	return NULL;
}

enum v3_status v3_vm_read(struct v3_vm *vm, v3_gpa_t gpa, void *buf, size_t len)
{
	const void *from = v3_vm_ptr(vm, gpa, len);

	if (!from)
		return V3_ERR_RANGE;
	memcpy(buf, from, len);
	return V3_OK;
}

enum v3_status v3_vm_write(struct v3_vm *vm, v3_gpa_t gpa, const void *buf, size_t len)
{
	void *to = v3_vm_ptr(vm, gpa, len);

	if (!to)
		return V3_ERR_RANGE;
	memcpy(to, buf, len);
	return V3_OK;
}

enum v3_status v3_vm_mem_range(const struct v3_vm *vm, unsigned int index,
			       struct v3_mem_range *range)
{
	if (index >= vm->num_mem)
		return V3_ERR_NOENT;
	*range = vm->mem[index].range;
	return V3_OK;
}
