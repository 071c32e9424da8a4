/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exit that concerns its own vCPU alone takes no lock and writes no cache line that anything
 * else uses. The first vCPU of a PC with two goes through all such exits while every object of the
 * host's heap and every page but its own is read-only: a write elsewhere, even of the same value,
 * ends the test. Locks are counted. The local APICs are in one object: there bytes are compared.
 */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <v3/pc.h>

#include "devices/intc.h"
#include "fakes/fake_host_state.h"
#include "fakes/fake_lock.h"
#include "own_guest.h"
#include "x86/apic.h"
#include "x86/cr.h"
#include "x86/msr.h"
#include "x86/pte.h"
#include "x86/seg.h"

#define TABLES 0x10000ull
#define LINE 64u
#define MAX_OBJECTS 128

static struct v3_fake_host *fake;
static struct v3_host *host;
static struct v3_vm *vm;
static struct v3_vcpu *vcpu;
static struct v3_intc *intc;
static uint8_t *intc_before;
static size_t intc_bytes;
static bool intc_good, alone, over;

/* --- A heap whose objects have pages of their own; no more aligned than the hook promises --- */

static struct object {
	uint8_t *pages;
	size_t length;
	void *ptr;
	size_t size;
} objects[MAX_OBJECTS];
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;	/* the vCPUs' threads allocate, too */

static void *object_create(size_t size)
{
	size_t length = (size + 16 + 4095) & ~4095ul;
	struct object *object = objects;

	while (object->pages)
		if (++object == objects + MAX_OBJECTS)
			return NULL;
	object->pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (object->pages == MAP_FAILED)
		abort();
	object->length = length;
	object->size = size;
	object->ptr = object->pages + 16;
	return object->ptr;
}

static void *heap_alloc(void *ctx, size_t size)
{
	void *ptr;

	(void)ctx;
	pthread_mutex_lock(&objects_lock);
	ptr = object_create(size);
	pthread_mutex_unlock(&objects_lock);
	return ptr;
}

static struct object *object_of(const void *ptr)
{
	struct object *object = objects;

	while (!object->pages || (const uint8_t *)ptr < object->pages ||
	       (const uint8_t *)ptr >= object->pages + object->length)
		if (++object == objects + MAX_OBJECTS)
			abort();
	return object;
}

static void heap_free(void *ctx, void *ptr, size_t size)
{
	struct object *object;

	(void)ctx;
	if (!ptr)
		return;
	pthread_mutex_lock(&objects_lock);
	object = object_of(ptr);
	if (object->ptr != ptr || object->size != size)
		abort();
	munmap(object->pages, object->length);
	memset(object, 0, sizeof(*object));
	pthread_mutex_unlock(&objects_lock);
}

/* --- What the vCPU may write --- */

static void set_writable(void *start, size_t length, bool on)
{
	if (mprotect(start, length, on ? PROT_READ | PROT_WRITE : PROT_READ))
		abort();
}

static void protect(bool on)
{
	const struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct object *object;
	unsigned int i;

	for (object = objects; object < objects + MAX_OBJECTS; object++)
		if (object->pages && object != object_of(vcpu) && object != object_of(svm) &&
		    object != object_of(intc))
			set_writable(object->pages, object->length, !on);
	for (i = 0; i < fake->num_runs; i++)
		set_writable(fake->arena + fake->runs[i].page * V3_PAGE_SIZE,
			     fake->runs[i].count * V3_PAGE_SIZE, !on);
	/* The guest's RAM is the guest's; the host CPU's page is its own. */
	set_writable(svm->vmcb, V3_PAGE_SIZE, true);
	set_writable(vcpu->fpu, vcpu->fpu_pages * V3_PAGE_SIZE, true);
	set_writable(v3_os_virt(host, svm->cpu->host_vmcb), V3_PAGE_SIZE, true);
	set_writable(vm->blocks[0].virt, vm->blocks[0].size, true);
}

/* --- The exits --- */

#define MMIO_READ (V3_PFEC_NPF_FINAL | V3_PFEC_U)
#define MMIO_WRITE (V3_PFEC_NPF_FINAL | V3_PFEC_U | V3_PFEC_W)
#define APIC_READ(name, reg) \
	{ name, "\x8b\x07", 2, SVM_EXIT_NPF, MMIO_READ, V3_APIC_DEFAULT_BASE + (reg), 0, 0 }
#define APIC_WRITE(name, reg, value) \
	{ name, "\x89\x07", 2, SVM_EXIT_NPF, MMIO_WRITE, V3_APIC_DEFAULT_BASE + (reg), value, 0 }
#define RDMSR(name, msr) { name, "\x0f\x32", 2, SVM_EXIT_MSR, 0, 0, 0, msr }
#define WRMSR(name, msr, value) { name, "\x0f\x30", 2, SVM_EXIT_MSR, 1, 0, value, msr }
#define PORT 0x80ull	/* nobody's */
/* The one step that concerns others: the I/O APIC tries again what nobody took. */
#define TO_X2APIC "to x2APIC mode"
#define VECTOR 0x51

static const struct step {
	const char *name;
	const char *code;
	unsigned int len;	/* 0: RIP stays */
	uint64_t exit, info1, info2;
	uint64_t value, rcx;	/* EDX:EAX; for APIC accesses RDI is the address */
} steps[] = {
	{ "CPUID 0", "\x0f\xa2", 2, SVM_EXIT_CPUID, 0, 0, 0, 0 },
	{ "CPUID 1", "\x0f\xa2", 2, SVM_EXIT_CPUID, 0, 0, 1, 0 },
	{ "CPUID 0xb", "\x0f\xa2", 2, SVM_EXIT_CPUID, 0, 0, 0xb, 1 },
	RDMSR("RDMSR APIC_BASE", V3_MSR_APIC_BASE),
	RDMSR("RDMSR MTRRdefType", V3_MSR_MTRR_DEF_TYPE),
	WRMSR("WRMSR TSC_AUX", V3_MSR_TSC_AUX, 5),
	{ "MOV CR4", "\x0f\x22\xe0", 3, SVM_EXIT_CR_WRITE + 4, 0, 0, V3_CR4_PAE | V3_CR4_OSXSAVE, 0 },
	{ "XSETBV", "\x0f\x01\xd1", 3, SVM_EXIT_XSETBV, 0, 0, 7, 0 },
	{ "MOV from DR0", "\x0f\x21\xc0", 3, SVM_EXIT_DR_READ, 0, 0, 0, 0 },
	{ "MOV to DR0", "\x0f\x23\xc0", 3, SVM_EXIT_DR_WRITE, 0, 0, 0x1000, 0 },
	{ "INVD", "\x0f\x08", 2, SVM_EXIT_INVD, 0, 0, 0, 0 },
	{ "PAUSE", "\xf3\x90", 2, SVM_EXIT_PAUSE, 0, 0, 0, 0 },
	{ "IN", "\xe4\x80", 2, SVM_EXIT_IOIO, PORT << 16 | 1 << 4 | 1, 2, 0, 0 },
	{ "OUT", "\xe6\x80", 2, SVM_EXIT_IOIO, PORT << 16 | 1 << 4, 2, 0, 0 },
	{ "host interrupt", "\x90", 0, SVM_EXIT_INTR, 0, 0, 0, 0 },
	{ "host NMI", "\x90", 0, SVM_EXIT_NMI, 0, 0, 0, 0 },
	{ "interrupt window", "\x90", 0, SVM_EXIT_VINTR, 0, 0, 0, 0 },
	{ "#AC", "\x90", 0, SVM_EXIT_EXCEPTION + 17, 0, 0, 0, 0 },
	APIC_READ("APIC ID", V3_APIC_ID),
	APIC_READ("APIC IRR", V3_APIC_IRR),
	APIC_WRITE("APIC TPR", V3_APIC_TPR, 0x10),
	APIC_WRITE("APIC ESR", V3_APIC_ESR, 0),
	APIC_WRITE("self-IPI", V3_APIC_ICR_LOW, V3_APIC_ICR_SELF | VECTOR),
	APIC_WRITE("EOI of it", V3_APIC_EOI, 0),
	APIC_WRITE("timer's divider", V3_APIC_TIMER_DIVIDE, 0xb),
	APIC_WRITE("timer's entry", V3_APIC_LVT_TIMER, VECTOR),
	APIC_WRITE("timer", V3_APIC_TIMER_INITIAL, 1000000),
	APIC_READ("timer's count", V3_APIC_TIMER_CURRENT),
	{ "timer's interrupt", "\x90", 0, SVM_EXIT_INTR, 0, 0, 0, 0 },
	APIC_WRITE("EOI of the timer", V3_APIC_EOI, 0),
	APIC_WRITE("timer again", V3_APIC_TIMER_INITIAL, 20000),
	{ "HLT, polled", "\xf4", 1, SVM_EXIT_HLT, 0, 0, 0, 0 },
	APIC_WRITE("EOI after HLT", V3_APIC_EOI, 0),
	WRMSR(TO_X2APIC, V3_MSR_APIC_BASE, V3_APIC_DEFAULT_BASE | V3_APIC_BASE_BSP |
	      V3_APIC_BASE_ENABLE | V3_APIC_BASE_X2APIC),
	RDMSR("x2APIC ID", V3_MSR_X2APIC_ID),
	WRMSR("x2APIC self-IPI", V3_MSR_X2APIC_SELF_IPI, VECTOR),
	WRMSR("x2APIC EOI", V3_MSR_X2APIC_FIRST + (V3_APIC_EOI >> 4), 0),
	WRMSR("deadline mode", V3_MSR_X2APIC_FIRST + (V3_APIC_LVT_TIMER >> 4),
	      V3_APIC_TIMER_DEADLINE | VECTOR),
	WRMSR("TSC deadline", V3_MSR_TSC_DEADLINE, 1ull << 40),
};
#define NUM_STEPS (sizeof(steps) / sizeof(steps[0]))

static struct result {
	unsigned int locks;
	uint64_t rip, event;
} results[NUM_STEPS];
static unsigned int next_step, locks_before;

static bool is(const struct step *step, const char *name)
{
	return !strcmp(step->name, name);
}

/* From here on, until ... */
static void watch_begin(void)
{
	memcpy(intc_before, intc, intc_bytes);
	protect(true);
}

/* ... here: of the interrupt controllers nothing but the first local APIC has changed. */
static void watch_end(void)
{
	size_t start = offsetof(struct v3_intc, lapic), end = start + sizeof(intc->lapic[0]);

	protect(false);
	intc_good &= !memcmp(intc, intc_before, start) &&
		     !memcmp((uint8_t *)intc + end, intc_before + end, intc_bytes - end) &&
		     memcmp(&intc->lapic[0], intc_before + start, end - start);
}

static void leave(struct svm_vmcb *vmcb, uint64_t *gpr, const struct step *step)
{
	vmcb->rip = SCRIPT_RIP + 16 * (uint64_t)(step - steps);
	vmcb->rflags = V3_RFLAGS_FIXED1 | V3_RFLAGS_IF;
	vmcb->exit_code = step->exit;
	vmcb->exit_info1 = step->info1;
	vmcb->exit_info2 = step->exit == SVM_EXIT_IOIO ? vmcb->rip + step->info2 : step->info2;
	vmcb->exit_int_info = 0;
	vmcb->rax = (uint32_t)step->value;
	if (step->exit == SVM_EXIT_CR_WRITE + 4)
		vmcb->rax = step->value;
	gpr[2] = step->value >> 32;
	gpr[1] = step->rcx;
	gpr[7] = step->info2;
}

/* The guest of the first vCPU; the second waits to be started. */
void svm_enter(uint64_t *gpr, v3_hpa_t vmcb_hpa, v3_hpa_t host_vmcb)
{
	struct svm_vmcb *vmcb = v3_os_virt(host, vmcb_hpa);

	(void)host_vmcb;
	if (next_step == 0) {
		while (!__atomic_load_n(&alone, __ATOMIC_ACQUIRE))
			v3_x86_pause();
		watch_begin();
	} else {
		results[next_step - 1].locks = v3_fake_locks_taken() - locks_before;
		results[next_step - 1].rip = vmcb->rip;
		results[next_step - 1].event = vmcb->int_ctl & SVM_V_IRQ ?
			vmcb->int_ctl >> SVM_V_INTR_VECTOR_SHIFT & 0xff : 0;
		if (is(&steps[next_step - 1], TO_X2APIC))
			watch_begin();
	}
	vmcb->int_ctl &= ~SVM_V_IRQ;
	if (next_step == NUM_STEPS || is(&steps[next_step], TO_X2APIC))
		watch_end();
	if (next_step == NUM_STEPS) {
		v3_vm_end(vm, V3_END_EXIT, 0, "over");
		__atomic_store_n(&over, true, __ATOMIC_RELEASE);
		vmcb->exit_code = SVM_EXIT_INTR;
		return;
	}
	if (is(&steps[next_step], "timer's interrupt"))
		v3_fake_host_advance(fake, 20000000);
	locks_before = v3_fake_locks_taken();
	leave(vmcb, gpr, &steps[next_step++]);
}

/* --- The test --- */

static void runnable(void)
{
	uint64_t entry[3] = { (TABLES + 0x1000) | V3_PTE_P | V3_PTE_W | V3_PTE_U,
			      V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_PS | V3_PTE_A | V3_PTE_D,
			      0xc0000000ull | V3_PTE_P | V3_PTE_W | V3_PTE_U | V3_PTE_PS };
	unsigned int i;

	assert_int_equal(v3_vm_write(vm, TABLES, &entry[0], 8), V3_OK);
	assert_int_equal(v3_vm_write(vm, TABLES + 0x1000, &entry[1], 8), V3_OK);
	assert_int_equal(v3_vm_write(vm, TABLES + 0x1000 + 3 * 8, &entry[2], 8), V3_OK);
	for (i = 0; i < NUM_STEPS; i++)
		assert_int_equal(v3_vm_write(vm, SCRIPT_RIP + 16 * i, steps[i].code,
					     strlen(steps[i].code)), V3_OK);
	enter_mode64(vcpu, TABLES, SCRIPT_RIP);
}

static void create(void)
{
	const struct v3_mem_config mem = { .size = SCRIPT_RAM, .node = V3_NODE_ANY };
	const struct v3_vm_config config = {
		.struct_size = sizeof(config), .num_vcpus = 2, .name = "own", .mem = &mem,
		.num_mem = 1,
	};
	const struct v3_pc_config pc = { .struct_size = sizeof(pc) };

	fake = v3_fake_host_create();
	v3_fake_host_hooks(fake)->heap_alloc = heap_alloc;
	v3_fake_host_hooks(fake)->heap_free = heap_free;
	v3_fake_host_set_threads(fake, V3_FAKE_PTHREADS);
	v3_fake_set_cpu(3);	/* the vCPUs' threads have others */
	v3_fake_host_set_auto_clock(fake, false);
	v3_fake_host_set_can_poll(fake, true);
	v3_fake_tsc_step(50);
	assert_int_equal(v3_init(v3_fake_host_hooks(fake), &host), V3_OK);
	assert_int_equal(v3_vm_create(host, &config, &vm), V3_OK);
	assert_int_equal(v3_pc_attach(vm, &pc), V3_OK);
	vcpu = v3_vm_vcpu(vm, 0);
	vcpu->poll = ~0ull >> 2;
	intc = vm->intc_ctx;
	intc_bytes = sizeof(*intc) + 2 * sizeof(intc->lapic[0]);
	intc_before = malloc(intc_bytes);
	assert_non_null(intc_before);
	runnable();
}

/*
 * The heap gives 16-byte alignment: what begins and ends an object has to be a line's begin and
 * end.
 */
static void check_lines(const void *ptr, size_t size)
{
	const struct object *object = object_of(ptr);
	const uint8_t *end = (const uint8_t *)object->ptr + object->size;
	uintptr_t last = ((uintptr_t)ptr + size + LINE - 1) / LINE * LINE;

	assert_int_equal((uintptr_t)ptr % LINE, 0);
	assert_true((const uint8_t *)ptr >= (const uint8_t *)object->ptr);
	assert_true(last <= (uintptr_t)end);
}

/* Steps that an interrupt follows: proof that the exit did what it is for. */
static bool interrupts(const struct step *step)
{
	static const char *const names[] = { "self-IPI", "timer's interrupt", "HLT, polled",
					     "x2APIC self-IPI" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is(step, names[i]))
			return true;
	return false;
}

/* Not for the start of the VM any more, and with nothing left to look at. */
static bool waits_for_sipi(struct v3_vcpu *other)
{
	struct v3_vcpu_stats stats;

	assert_int_equal(v3_vcpu_stats(other, &stats), V3_OK);
	return stats.halts && !__atomic_load_n(&other->requests, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&other->mode, __ATOMIC_SEQ_CST) == V3_VCPU_WAITING;
}

static void test_own_exits(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	struct v3_vm_end end;
	unsigned int i;

	(void)state;
	create();
	check_lines(vcpu, sizeof(*vcpu));
	check_lines(v3_vm_vcpu(vm, 1), sizeof(*vcpu));
	check_lines(svm_vcpu(vcpu), sizeof(struct svm_vcpu));
	check_lines(intc, intc_bytes);
	check_lines(&intc->lapic[0], sizeof(intc->lapic[0]));
	assert_int_equal(sizeof(intc->lapic[0]) % LINE, 0);
	intc_good = true;
	alone = over = false;
	assert_int_equal(v3_vm_start(vm), V3_OK);
	while (!waits_for_sipi(v3_vm_vcpu(vm, 1)))
		nanosleep(&pause, NULL);
	/* From here on neither the other vCPU nor this thread touches anything. */
	__atomic_store_n(&alone, true, __ATOMIC_RELEASE);
	for (i = 0; !__atomic_load_n(&over, __ATOMIC_ACQUIRE); i++) {
		assert_true(i < 20000);
		nanosleep(&pause, NULL);
	}
	assert_int_equal(v3_vm_stop(vm), V3_OK);
	assert_int_equal(v3_vm_state(vm, &end), V3_VM_STOPPED);
	assert_string_equal(end.reason, "over");
	for (i = 0; i < NUM_STEPS; i++) {
		uint64_t rip = SCRIPT_RIP + 16 * i + steps[i].len;

		if ((results[i].locks && !is(&steps[i], TO_X2APIC)) || results[i].rip != rip)
			fail_msg("%s: %u locks, RIP 0x%llx instead of 0x%llx", steps[i].name,
				 results[i].locks, (unsigned long long)results[i].rip,
				 (unsigned long long)rip);
		if (results[i].event != (interrupts(&steps[i]) ? VECTOR : 0))
			fail_msg("%s: interrupt 0x%llx", steps[i].name,
				 (unsigned long long)results[i].event);
	}
	assert_true(intc_good);
	assert_int_equal(vcpu->stats.exits[V3_EXIT_NESTED_FAULT], 13);
	v3_vm_destroy(vm);
	assert_int_equal(v3_exit(host), V3_OK);
	v3_fake_host_destroy(fake);
	free(intc_before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
