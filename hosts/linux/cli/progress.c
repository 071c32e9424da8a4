/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bar: one thread waits in the request, this one asks how far it is.
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

struct waiting {
	int fd;
	unsigned long request;
	void *arg;
	struct v3_msg *msg;
	int result;
	uint64_t bytes;
	/* Asks how far it is, and shows that. */
	void (*ask)(const struct waiting *waiting);
	pthread_mutex_t lock;
	pthread_cond_t finished;
	bool done; /* under lock */
};

static void *request_thread(void *arg)
{
	struct waiting *waiting = arg;
	int result = v3_dev_call(waiting->fd, waiting->request, waiting->arg, waiting->msg);

	pthread_mutex_lock(&waiting->lock);
	waiting->result = result;
	waiting->done = true;
	pthread_cond_signal(&waiting->finished);
	pthread_mutex_unlock(&waiting->lock);
	return NULL;
}

char *v3_progress_text(const char *what, uint64_t done, uint64_t total, char *buf)
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
	snprintf(buf, V3_PROGRESS_TEXT, "%s [%s] %s of %s", what, bar,
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

void v3_progress_show(const char *what, uint64_t done, uint64_t total)
{
	char text[V3_PROGRESS_TEXT];

	if (isatty(STDERR_FILENO))
		show(what ? v3_progress_text(what, done, total, text) : "");
}

/* Waits for the end or a tenth of a second. */
static bool wait_a_bit(struct waiting *waiting)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 100000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&waiting->lock);
	if (!waiting->done)
		pthread_cond_timedwait(&waiting->finished, &waiting->lock, &until);
	done = waiting->done;
	pthread_mutex_unlock(&waiting->lock);
	return done;
}

static int call_with_bar(struct waiting *waiting)
{
	pthread_t thread;

	if (waiting->bytes < V3_PROGRESS_MIN || !isatty(STDERR_FILENO))
		return v3_dev_call(waiting->fd, waiting->request, waiting->arg, waiting->msg);
	pthread_mutex_init(&waiting->lock, NULL);
	pthread_cond_init(&waiting->finished, NULL);
	if (pthread_create(&thread, NULL, request_thread, waiting))
		return v3_dev_call(waiting->fd, waiting->request, waiting->arg, waiting->msg);
	while (!wait_a_bit(waiting))
		waiting->ask(waiting);
	pthread_join(thread, NULL);
	show("");
	return waiting->result;
}

static void ask_load(const struct waiting *waiting)
{
	struct v3_ioc_state state;
	struct v3_msg ignored;

	if (!v3_dev_state(waiting->fd, &state, &ignored))
		v3_progress_show("loading", state.load_done,
				 state.load_total ? state.load_total : waiting->bytes);
}

int v3_progress_call(int vm, unsigned long request, void *arg, uint64_t bytes, struct v3_msg *msg)
{
	struct waiting waiting = {
		.fd = vm, .request = request, .arg = arg, .msg = msg, .bytes = bytes,
		.ask = ask_load,
	};

	return call_with_bar(&waiting);
}

static void ask_mem(const struct waiting *waiting)
{
	static const char *const phases[] = {
		[V3_IOC_MEM_PHASE_TAKE] = "taking memory",
		[V3_IOC_MEM_PHASE_ZERO] = "zeroing memory",
		[V3_IOC_MEM_PHASE_ONLINE] = "setting online",
	};
	struct v3_ioc_mem_progress progress = { 0 };
	struct v3_msg ignored;

	if (!v3_dev_call(waiting->fd, V3_IOC_MEM_PROGRESS, &progress, &ignored) &&
	    progress.phase && progress.phase < sizeof(phases) / sizeof(phases[0]))
		v3_progress_show(phases[progress.phase], progress.done, progress.total);
}

int v3_progress_mem_call(int dev, unsigned long request, void *arg, uint64_t bytes,
			 struct v3_msg *msg)
{
	struct waiting waiting = {
		.fd = dev, .request = request, .arg = arg, .msg = msg, .bytes = bytes,
		.ask = ask_mem,
	};

	return call_with_bar(&waiting);
}
