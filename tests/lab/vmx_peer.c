/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmx_peer kvm [SECONDS]: a guest of KVM's that halts at once; 0 if it ran, 2 if KVM could not have
 * the CPU, 1 for all else. With SECONDS it keeps its machine for so long.
 * vmx_peer tsc CPU COUNT: a task on that CPU whose CR4.TSD differs from all others' wakes up so
 * often, and the kernel writes CR4 at each switch to it and from it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int failed(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return errno == EBUSY ? 2 : 1;
}

/* Runs HLT in real mode; the exit reason, or -1. */
static int halt(int kvm, int vm, int vcpu)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
	struct kvm_userspace_memory_region memory = {
		.memory_size = 4096, .userspace_addr = (uintptr_t)page,
	};
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };

	if (run == MAP_FAILED || page == MAP_FAILED)
		return -1;
	page[0] = 0xf4;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &memory) || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs) ||
	    ioctl(vcpu, KVM_RUN, 0))
		return -1;
	return (int)run->exit_reason;
}

static int kvm_guest(unsigned int seconds)
{
	int kvm = open("/dev/kvm", O_RDWR), vm, vcpu, reason;

	if (kvm < 0)
		return failed("/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return failed("KVM_CREATE_VM");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		return failed("KVM_CREATE_VCPU");
	reason = halt(kvm, vm, vcpu);
	printf("KVM's guest ended with reason %d\n", reason);
	fflush(stdout);
	sleep(seconds);
	return reason == KVM_EXIT_HLT ? 0 : 1;
}

static int switches(int cpu, unsigned int count)
{
	struct timespec now = { 0, 100000 };
	cpu_set_t set;
	pid_t child;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return failed("sched_setaffinity");
	child = fork();
	if (!child)
		for (;;)
			sched_yield();
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		return failed("PR_SET_TSC");
	for (unsigned int i = 0; i < count; i++)
		nanosleep(&now, NULL);
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("switched %u times\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "kvm"))
		return kvm_guest(argc > 2 ? (unsigned int)atoi(argv[2]) : 0);
	if (argc == 4 && !strcmp(argv[1], "tsc"))
		return switches(atoi(argv[2]), (unsigned int)atoi(argv[3]));
	return 1;
}
