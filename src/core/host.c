/* SPDX-License-Identifier: BSD-2-Clause */
/* Host instances, and ownership of the virtualization extension on each CPU. */
#include "core/host.h"

#include "lib/format.h"
#include "x86/cpuid.h"
#include "x86/cr.h"
#include "x86/insn.h"

#define LINE_MAX 256

void v3_host_log(struct v3_host *host, enum v3_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list args;

	va_start(args, fmt);
	v3_vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	v3_os_log(host, level, line);
}

static void hooks_refused(const struct v3_os_hooks *hooks, enum v3_status status,
			  const char *missing)
{
	char line[LINE_MAX];

	if (!hooks || !hooks->log)
		return;
	if (status == V3_ERR_HOOK)
		v3_snprintf(line, sizeof(line), "v3: the host hook %s is missing: fill it in struct v3_os_hooks",
			    missing);
	else
		v3_snprintf(line, sizeof(line),
			    "v3: hook table of version %u, %u bytes; this library has version %u, %u bytes: rebuild the host against it",
			    hooks->abi_version, hooks->struct_size, V3_HOOKS_ABI_VERSION,
			    (unsigned int)sizeof(*hooks));
	hooks->log(hooks->ctx, V3_LOG_ERROR, line);
}

static bool cpu_has_rdtscp(void)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(V3_CPUID_LEAF_EXT1, 0, &regs);
	return regs.edx & V3_CPUID_80000001_EDX_RDTSCP;
}

/* --- Memory by cache lines --- */

#define LINE 64u

/* The heap's own alignment is 16: room for that pointer, and to round up. */
size_t v3_host_lines_size(size_t size)
{
	return (size + LINE - 1) / LINE * LINE + LINE + sizeof(void *);
}

void *v3_host_alloc_lines(struct v3_host *host, size_t size)
{
	char *raw = v3_os_alloc(host, v3_host_lines_size(size));
	void **ptr;

	if (!raw)
		return NULL;
	ptr = (void **)(raw + sizeof(*ptr) + LINE - 1 -
			((uintptr_t)raw + sizeof(*ptr) + LINE - 1) % LINE);
	ptr[-1] = raw;
	return ptr;
}

void v3_host_free_lines(struct v3_host *host, void *ptr, size_t size)
{
	if (ptr)
		v3_os_free(host, ((void **)ptr)[-1], v3_host_lines_size(size));
}

enum v3_status v3_host_set_halt_poll(struct v3_host *host, uint64_t ns)
{
	if (ns > V3_HALT_POLL_MAX_NS)
		return V3_ERR_RANGE;
	__atomic_store_n(&host->halt_poll, v3_mul_shift32(ns, host->ticks_per_ns_32),
			 __ATOMIC_RELAXED);
	return V3_OK;
}

/* Only what the host itself has enabled: its own XSAVE area need not know more. */
static void caps_xsave(struct v3_host_caps *caps)
{
	const uint64_t known = V3_XCR0_X87 | V3_XCR0_SSE | V3_XCR0_AVX | V3_XCR0_AVX512;
	struct v3_cpuid_regs regs;
	unsigned int i;

	caps->xcr0 = 0;
	caps->xsave_size = 0;
	if (!(v3_x86_read_cr4() & V3_CR4_OSXSAVE))
		return;
	caps->xcr0 = v3_x86_xgetbv(0) & known;
	if ((caps->xcr0 & V3_XCR0_AVX512) != V3_XCR0_AVX512)
		caps->xcr0 &= ~V3_XCR0_AVX512;
	caps->xsave_size = 512 + 64;
	for (i = 2; i < 63; i++) {
		if (!(caps->xcr0 >> i & 1))
			continue;
		v3_x86_cpuid(V3_CPUID_LEAF_XSAVE, i, &regs);
		if (regs.ebx + regs.eax > caps->xsave_size)
			caps->xsave_size = regs.ebx + regs.eax;
	}
}

static unsigned int name_index(const char *const *names, const char *name, size_t len)
{
	unsigned int i;
	size_t k;

	for (i = 0; names[i]; i++) {
		for (k = 0; k < len && names[i][k] == name[k]; k++)
			;
		if (k == len && !names[i][k])
			break;
	}
	return i;
}

static enum v3_status features_unknown(struct v3_host *host, const char *name, size_t len)
{
	const char *const *names = host->arch->features;
	char known[160] = "";
	size_t used = 0;

	for (; *names; names++)
		used += v3_snprintf(known + used, sizeof(known) - used, " %s", *names);
	v3_host_log(host, V3_LOG_ERROR,
		    "v3: feature '%.*s' cannot be switched off: there are%s",
		    len < 32 ? (int)len : 32, name, known);
	return V3_ERR_INVALID;
}

static enum v3_status features_off_parse(struct v3_host *host)
{
	const char *text = host->os.features_off;
	unsigned int i;
	size_t len;

	while (text && *text) {
		for (len = 0; text[len] && text[len] != ','; len++)
			;
		i = name_index(host->arch->features, text, len);
		if (!host->arch->features[i])
			return features_unknown(host, text, len);
		host->features_off |= 1u << i;
		text += text[len] ? len + 1 : len;
	}
	host->os.features_off = NULL;
	return V3_OK;
}

static void caps_from_cpuid(struct v3_host_caps *caps)
{
	struct v3_cpuid_regs regs;

	caps_xsave(caps);
	v3_x86_cpuid(V3_CPUID_LEAF_SIZES, 0, &regs);
	caps->phys_bits = regs.eax & V3_CPUID_80000008_EAX_PA_MASK;
}

static bool cpu_has_xsaves(void)
{
	struct v3_cpuid_regs regs;

	v3_x86_cpuid(V3_CPUID_LEAF_XSAVE, 1, &regs);
	return regs.eax & V3_CPUID_D1_EAX_XSAVES;
}

static enum v3_status host_set_up(struct v3_host *host)
{
	enum v3_status status;

	host->num_cpus = host->os.cpu_count(host->os.ctx);
	host->tsc_khz = host->os.tsc_khz(host->os.ctx);
	if (!host->num_cpus || !host->tsc_khz || host->tsc_khz > 100000000) {
		v3_host_log(host, V3_LOG_ERROR, "v3: host reports %u CPUs and a TSC of %llu kHz",
			    host->num_cpus, (unsigned long long)host->tsc_khz);
		return V3_ERR_INVALID;
	}
	host->ns_per_tick_32 = (1000000ull << 32) / host->tsc_khz;
	host->ticks_per_ns_32 = (host->tsc_khz << 32) / 1000000;
	v3_host_set_halt_poll(host, V3_HALT_POLL_NS);
	v3_lock_init(&host->lock);
	host->cpus = v3_os_alloc(host, host->num_cpus * sizeof(*host->cpus));
	if (!host->cpus)
		return V3_ERR_NOMEM;
	host->arch = v3_arch_detect();
	if (!host->arch) {
		v3_host_log(host, V3_LOG_ERROR,
			    "v3: this CPU has no AMD SVM and no Intel VT-x, or they are hidden from this system");
		return V3_ERR_NOTSUP;
	}
	status = features_off_parse(host);
	if (status != V3_OK)
		return status;
	caps_from_cpuid(&host->caps);
	host->has_tsc_aux = cpu_has_rdtscp();
	host->has_xss = host->caps.xcr0 && cpu_has_xsaves();
	return host->arch->probe(host, &host->caps);
}

static void host_free(struct v3_host *host)
{
	if (host->arch)
		host->arch->remove(host);
	if (host->cpus)
		v3_os_free(host, host->cpus, host->num_cpus * sizeof(*host->cpus));
	v3_os_free(host, host, sizeof(*host));
}

enum v3_status v3_init(const struct v3_os_hooks *hooks, struct v3_host **out)
{
	struct v3_os_hooks os;
	struct v3_host *host;
	const char *missing;
	enum v3_status status = v3_hooks_check(hooks, &os, &missing);

	if (status != V3_OK) {
		hooks_refused(hooks, status, missing);
		return status;
	}
	host = os.heap_alloc(os.ctx, sizeof(*host));
	if (!host)
		return V3_ERR_NOMEM;
	host->os = os;
	status = host_set_up(host);
	if (status != V3_OK) {
		host_free(host);
		return status;
	}
	*out = host;
	return V3_OK;
}

enum v3_status v3_exit(struct v3_host *host)
{
	unsigned int cpu;

	if (__atomic_load_n(&host->num_vms, __ATOMIC_ACQUIRE)) {
		v3_host_log(host, V3_LOG_ERROR, "v3: %u virtual machines still exist",
			    host->num_vms);
		return V3_ERR_BUSY;
	}
	for (cpu = 0; cpu < host->num_cpus; cpu++)
		v3_cpu_disable(host, cpu);
	host_free(host);
	return V3_OK;
}

void v3_host_caps(const struct v3_host *host, struct v3_host_caps *caps)
{
	*caps = host->caps;
}

/* Argument of the functions that run on the CPU concerned. */
struct cpu_work {
	struct v3_host *host;
	unsigned int cpu;
	enum v3_status status;
};

static void cpu_set_enabled(struct v3_host *host, unsigned int cpu, bool enabled)
{
	uint64_t flags = v3_lock_irqsave(&host->lock);

	host->cpus[cpu].enabled = enabled;
	v3_lock_irqrestore(&host->lock, flags);
}

static struct v3_host_cpu cpu_look(struct v3_host *host, unsigned int cpu)
{
	uint64_t flags = v3_lock_irqsave(&host->lock);
	struct v3_host_cpu now = host->cpus[cpu];

	v3_lock_irqrestore(&host->lock, flags);
	return now;
}

/*
 * These two decide on the CPU itself, with interrupts off, so that threads which enable or disable
 * one CPU at once take turns there.
 */
static void cpu_enable_here(void *arg)
{
	struct cpu_work *work = arg;
	struct v3_host *host = work->host;

	if (cpu_look(host, work->cpu).enabled)
		return;
	work->status = v3_os_virt_acquire(host, work->cpu);
	if (work->status != V3_OK)
		return;
	work->status = host->arch->cpu_enable(host, work->cpu);
	if (work->status != V3_OK)
		v3_os_virt_release(host, work->cpu);
	else
		cpu_set_enabled(host, work->cpu, true);
}

static void cpu_disable_here(void *arg)
{
	struct cpu_work *work = arg;
	struct v3_host *host = work->host;
	uint64_t flags = v3_lock_irqsave(&host->lock);
	struct v3_host_cpu *cpu = &host->cpus[work->cpu];
	bool disable = cpu->enabled && !cpu->users;

	work->status = cpu->users ? V3_ERR_BUSY : V3_OK;
	if (disable)
		cpu->enabled = false;
	v3_lock_irqrestore(&host->lock, flags);
	if (!disable)
		return;
	host->arch->cpu_disable(host, work->cpu);
	v3_os_virt_release(host, work->cpu);
}

enum v3_status v3_cpu_enable(struct v3_host *host, unsigned int cpu)
{
	struct cpu_work work = { .host = host, .cpu = cpu, .status = V3_OK };
	enum v3_status status;

	if (cpu >= host->num_cpus)
		return V3_ERR_NOENT;
	if (cpu_look(host, cpu).enabled)
		return V3_OK;
	status = host->arch->cpu_prepare(host, cpu);
	if (status == V3_OK)
		status = v3_os_cpu_call(host, cpu, cpu_enable_here, &work);
	if (status == V3_OK)
		status = work.status;
	if (status != V3_OK)
		v3_host_log(host, V3_LOG_ERROR, "v3: CPU %u: %s cannot be taken: %s", cpu,
			    host->caps.backend, v3_status_str(status));
	return status;
}

enum v3_status v3_cpu_disable(struct v3_host *host, unsigned int cpu)
{
	struct cpu_work work = { .host = host, .cpu = cpu, .status = V3_OK };
	struct v3_host_cpu now;

	if (cpu >= host->num_cpus)
		return V3_ERR_NOENT;
	now = cpu_look(host, cpu);
	if (now.users)
		return V3_ERR_BUSY;
	if (!now.enabled)
		return V3_OK;
	/* A CPU that went offline has lost its state with it. */
	if (v3_os_cpu_call(host, cpu, cpu_disable_here, &work) == V3_ERR_NOENT)
		cpu_set_enabled(host, cpu, false);
	return work.status;
}

enum v3_status v3_host_cpu_get(struct v3_host *host, unsigned int cpu)
{
	enum v3_status status;
	uint64_t flags;

	if (cpu >= host->num_cpus)
		return V3_ERR_NOENT;
	/* Counted first, so that nobody disables the CPU in between. */
	flags = v3_lock_irqsave(&host->lock);
	host->cpus[cpu].users++;
	v3_lock_irqrestore(&host->lock, flags);
	status = v3_cpu_enable(host, cpu);
	if (status != V3_OK)
		v3_host_cpu_put(host, cpu);
	return status;
}

void v3_host_cpu_put(struct v3_host *host, unsigned int cpu)
{
	uint64_t flags = v3_lock_irqsave(&host->lock);

	host->cpus[cpu].users--;
	v3_lock_irqrestore(&host->lock, flags);
}
