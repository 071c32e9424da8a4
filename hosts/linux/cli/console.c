/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A console: one loop around ppoll(). Signals are blocked except in ppoll() and right behind it, so
 * none is missed; nothing else in the loop blocks for long: the console descriptor does not block, and
 * standard output is written only when poll says so, PIPE_BUF bytes at most.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "tty.h"

/* What a stopped guest said before is written within that time, or lost. */
#define DRAIN_NS 2000000000ull

struct session {
	struct v3_console *console;
	struct v3_tty tty;
	struct v3_escape escape;
	struct v3_console_buffer in;
	bool input_open;
	/* The guest has stopped and all output was read. */
	bool output_over;
	bool done;
	enum v3_console_end end;
};

static volatile sig_atomic_t signal_seen;
static volatile sig_atomic_t continued;
static sigset_t poll_mask;

static void on_signal(int signal)
{
	signal_seen = signal;
}

static void on_continue(int signal)
{
	(void)signal;
	continued = 1;
}

void v3_console_signals(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };
	static bool caught_already;
	struct sigaction old;
	sigset_t block;
	unsigned int i;

	if (caught_already)
		return;
	caught_already = true;
	sigemptyset(&block);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		/* Ignored from birth, as by nohup: stays so. */
		if (!sigaction(caught[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&block, caught[i]);
		sigaction(caught[i], &action, NULL);
	}
	action.sa_handler = on_continue;
	sigaction(SIGCONT, &action, NULL);
	sigaddset(&block, SIGCONT);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigprocmask(SIG_BLOCK, &block, &poll_mask);
}

uint64_t v3_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int v3_console_open(struct v3_console *console, int vm, struct v3_msg *msg)
{
	struct v3_ioc_console request = { 0 };

	console->vm = vm;
	console->fd = -1;
	console->out.start = console->out.end = 0;
	if (v3_dev_call(vm, V3_IOC_CONSOLE, &request, msg))
		return -1;
	console->fd = request.fd;
	if (fcntl(console->fd, F_SETFL, O_RDWR | O_NONBLOCK)) {
		v3_console_close(console);
		return v3_msg_set(msg, "the console cannot be made non-blocking: %s",
				  strerror(errno));
	}
	return 0;
}

void v3_console_close(struct v3_console *console)
{
	v3_dev_close(console->fd);
	console->fd = -1;
}

static void finish(struct session *session, enum v3_console_end end)
{
	if (session->done)
		return;
	session->done = true;
	session->end = end;
}

/* A line of ours on the raw terminal. */
static void tell(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static void pause_or_resume(struct session *session)
{
	int vm = session->console->vm;
	struct v3_ioc_state state;
	struct v3_msg msg;
	bool paused;

	if (v3_dev_state(vm, &state, &msg))
		goto bad;
	paused = state.state == V3_VM_PAUSED;
	if (v3_dev_control(vm, paused ? V3_IOC_RESUME : V3_IOC_PAUSE, &msg))
		goto bad;
	tell(paused ? "\r\nv3: resumed\r\n" : "\r\nv3: paused; Ctrl-] p resumes\r\n");
	return;
bad:
	tell("\r\n");
	v3_err("%s\r", msg.text);
}

static void take_key(struct session *session, char key)
{
	enum v3_escape_action action = V3_KEY_PASS;

	if (session->tty.raw)
		action = v3_escape_key(&session->escape, (unsigned char)key);
	switch (action) {
	case V3_KEY_PASS:
		session->in.bytes[session->in.end++] = key;
		break;
	case V3_KEY_NONE:
		break;
	case V3_KEY_HELP:
		tell("\r\nv3: keys after Ctrl-]:  d detach, the guest goes on   q stop it   "
		     "p pause or resume\r\n"
		     "                        Ctrl-] send Ctrl-]            ? this help\r\n");
		break;
	case V3_KEY_DETACH:
		finish(session, V3_CONSOLE_DETACH);
		break;
	case V3_KEY_STOP:
		finish(session, V3_CONSOLE_STOP);
		break;
	case V3_KEY_PAUSE:
		pause_or_resume(session);
		break;
	}
}

static void read_input(struct session *session)
{
	char keys[sizeof(session->in.bytes)];
	ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
	ssize_t i;

	if (count < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (count <= 0) {
		/* The end of the input is not the end of the guest. */
		session->input_open = false;
		return;
	}
	session->in.start = session->in.end = 0;
	for (i = 0; i < count && !session->done; i++)
		take_key(session, keys[i]);
}

static void write_input(struct session *session)
{
	struct v3_console_buffer *in = &session->in;
	ssize_t count = write(session->console->fd, in->bytes + in->start, in->end - in->start);

	if (count > 0)
		in->start += (size_t)count;
	else if (count < 0 && errno != EAGAIN && errno != EINTR)
		/* The guest has stopped: what is left has no taker. */
		in->start = in->end;
}

static void read_output(struct session *session)
{
	struct v3_console_buffer *out = &session->console->out;
	ssize_t count = read(session->console->fd, out->bytes, sizeof(out->bytes));

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		session->output_over = true;
		return;
	}
	out->start = 0;
	out->end = (size_t)count;
}

static void write_output(struct session *session)
{
	struct v3_console_buffer *out = &session->console->out;
	ssize_t count = write(STDOUT_FILENO, out->bytes + out->start, out->end - out->start);

	if (count > 0)
		out->start += (size_t)count;
	else if (count < 0 && errno != EAGAIN && errno != EINTR)
		finish(session, V3_CONSOLE_OUTPUT);
}

/* Nanoseconds until the deadline, UINT64_MAX without one. */
static uint64_t ns_left(const struct session *session)
{
	uint64_t deadline = session->console->deadline, now;

	if (!deadline)
		return UINT64_MAX;
	now = v3_clock();
	return deadline > now ? deadline - now : 0;
}

/* The same for ppoll(). NULL: for ever. */
static struct timespec *time_left(const struct session *session, struct timespec *left)
{
	uint64_t ns = ns_left(session);

	if (ns == UINT64_MAX)
		return NULL;
	left->tv_sec = (time_t)(ns / 1000000000u);
	left->tv_nsec = (long)(ns % 1000000000u);
	return left;
}

enum { SLOT_IN, SLOT_OUT, SLOT_CONSOLE, SLOT_COUNT };

static void poll_prepare(const struct session *session, struct pollfd *fds)
{
	bool in_pending = session->in.start < session->in.end;
	bool out_pending = session->console->out.start < session->console->out.end;
	short events = 0;

	if (!out_pending)
		events |= POLLIN;
	if (in_pending)
		events |= POLLOUT;
	/* A negative descriptor is skipped. */
	fds[SLOT_IN] = (struct pollfd){
		.fd = session->input_open && !in_pending ? STDIN_FILENO : -1, .events = POLLIN
	};
	fds[SLOT_OUT] = (struct pollfd){
		.fd = out_pending ? STDOUT_FILENO : -1, .events = POLLOUT
	};
	fds[SLOT_CONSOLE] = (struct pollfd){
		.fd = events ? session->console->fd : -1, .events = events
	};
}

static void poll_handle(struct session *session, const struct pollfd *fds)
{
	if (fds[SLOT_OUT].revents)
		write_output(session);
	if (fds[SLOT_IN].revents)
		read_input(session);
	if (session->in.start < session->in.end)
		write_input(session);
	if (fds[SLOT_CONSOLE].revents & ~POLLOUT &&
	    session->console->out.start == session->console->out.end)
		read_output(session);
}

/* ppoll() lets none in when a descriptor is ready at once, which may be so every time. */
static void let_signals_in(void)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, &poll_mask, &blocked);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static void handle_signals(struct session *session)
{
	if (continued)
		v3_tty_again(&session->tty);
	continued = 0;
	if (signal_seen)
		finish(session, V3_CONSOLE_SIGNAL);
	signal_seen = 0;
}

static void loop(struct session *session)
{
	struct pollfd fds[SLOT_COUNT];
	struct timespec left;
	int count;

	while (!session->done) {
		if (session->output_over &&
		    session->console->out.start == session->console->out.end) {
			finish(session, V3_CONSOLE_ENDED);
			return;
		}
		poll_prepare(session, fds);
		if (session->output_over)
			fds[SLOT_CONSOLE].fd = -1;
		count = ppoll(fds, SLOT_COUNT, time_left(session, &left), &poll_mask);
		if (count > 0) {
			poll_handle(session, fds);
			let_signals_in();
		}
		handle_signals(session);
		/* Not only when nothing happened: there are guests that never stop talking. */
		if (!ns_left(session))
			finish(session, V3_CONSOLE_TIMEOUT);
	}
}

enum v3_console_end v3_console_run(struct v3_console *console)
{
	struct session session = {
		.console = console,
		/* Reading the terminal from the background would stop us. */
		.input_open = !v3_tty_background(STDIN_FILENO),
	};

	v3_tty_raw(&session.tty, STDIN_FILENO);
	loop(&session);
	v3_tty_restore(&session.tty);
	return session.end;
}

bool v3_console_drain(struct v3_console *console)
{
	struct session session = { .console = console };

	console->deadline = v3_clock() + DRAIN_NS;
	loop(&session);
	return session.end == V3_CONSOLE_ENDED;
}
