/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bar: one thread waits in the load request, this one asks how far it is.
 */
#include "progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parse.h"

#define WIDTH 40

struct load {
	int vm;
	unsigned long request;
	void *arg;
	struct v3_msg *msg;
	int result;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool done; /* under lock */
};

static void *load_thread(void *arg)
{
	struct load *load = arg;
	int result = v3_dev_call(load->vm, load->request, load->arg, load->msg);

	pthread_mutex_lock(&load->lock);
	load->result = result;
	load->done = true;
	pthread_cond_signal(&load->finished);
	pthread_mutex_unlock(&load->lock);
	return NULL;
}

char *v3_progress_text(uint64_t done, uint64_t total, char *buf)
{
	char done_text[V3_SIZE_TEXT], total_text[V3_SIZE_TEXT];
	char bar[WIDTH + 1];
	unsigned int filled;

	if (done > total)
		done = total;
	/* Divided first: neither is near 2^64 / WIDTH, but nothing says so. */
	filled = total < WIDTH ? 0 : (unsigned int)(done / (total / WIDTH));
	if (filled > WIDTH)
		filled = WIDTH;
	memset(bar, '#', filled);
	memset(bar + filled, '.', WIDTH - filled);
	bar[WIDTH] = 0;
	snprintf(buf, V3_PROGRESS_TEXT, "loading [%s] %s of %s", bar,
		 v3_size_text(done, done_text), v3_size_text(total, total_text));
	return buf;
}

static void show(const char *text)
{
	char line[V3_PROGRESS_TEXT + 8];
	int len = snprintf(line, sizeof(line), "\r%s\033[K", text);

	/* A bar that cannot be shown is no loss. */
	if (len > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
		return;
}

/* Waits for the end or a tenth of a second. */
static bool wait_a_bit(struct load *load)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 100000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&load->lock);
	if (!load->done)
		pthread_cond_timedwait(&load->finished, &load->lock, &until);
	done = load->done;
	pthread_mutex_unlock(&load->lock);
	return done;
}

static int call_with_bar(struct load *load, uint64_t bytes)
{
	char text[V3_PROGRESS_TEXT];
	struct v3_ioc_state state;
	struct v3_msg ignored;
	pthread_t thread;

	pthread_mutex_init(&load->lock, NULL);
	pthread_cond_init(&load->finished, NULL);
	if (pthread_create(&thread, NULL, load_thread, load))
		return v3_dev_call(load->vm, load->request, load->arg, load->msg);
	while (!wait_a_bit(load))
		if (!v3_dev_state(load->vm, &state, &ignored))
			show(v3_progress_text(state.load_done,
					      state.load_total ? state.load_total : bytes, text));
	pthread_join(thread, NULL);
	show("");
	return load->result;
}

int v3_progress_call(int vm, unsigned long request, void *arg, uint64_t bytes, struct v3_msg *msg)
{
	struct load load = { .vm = vm, .request = request, .arg = arg, .msg = msg };

	if (bytes < V3_PROGRESS_MIN || !isatty(STDERR_FILENO))
		return v3_dev_call(vm, request, arg, msg);
	return call_with_bar(&load, bytes);
}
