/* SPDX-License-Identifier: BSD-2-Clause */
/* Consoles: a byte ring each way between a serial device and whoever reads it on the host. */
#include "core/vm.h"

#include "lib/mem.h"

enum v3_status v3_consoles_create(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < V3_NUM_CONSOLES; i++) {
		struct v3_console *console = &vm->consoles[i];

		v3_lock_init(&console->lock);
		console->out = v3_vm_alloc(vm, V3_CONSOLE_OUT);
		console->in = v3_vm_alloc(vm, V3_CONSOLE_IN);
		if (!console->out || !console->in)
			return V3_ERR_NOMEM;
	}
	return V3_OK;
}

void v3_consoles_destroy(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < V3_NUM_CONSOLES; i++) {
		v3_vm_free(vm, vm->consoles[i].out, V3_CONSOLE_OUT);
		v3_vm_free(vm, vm->consoles[i].in, V3_CONSOLE_IN);
	}
}

void v3_consoles_reset(struct v3_vm *vm)
{
	unsigned int i;

	for (i = 0; i < V3_NUM_CONSOLES; i++) {
		struct v3_console *console = &vm->consoles[i];
		uint64_t flags = v3_lock_irqsave(&console->lock);

		console->in_tail = console->in_head;
		v3_lock_irqrestore(&console->lock, flags);
		/* There may be room for more now. */
		vm->host->os.console_notify(vm->host->os.ctx, vm, vm->ctx, i);
	}
}

enum v3_status v3_console_attach(struct v3_vm *vm, unsigned int index, void (*input)(void *ctx),
				 void *ctx)
{
	if (!v3_vm_in_setup(vm))
		return V3_ERR_STATE;
	if (index >= V3_NUM_CONSOLES)
		return V3_ERR_NOENT;
	if (vm->consoles[index].input)
		return V3_ERR_EXIST;
	vm->consoles[index].input = input;
	vm->consoles[index].input_ctx = ctx;
	return V3_OK;
}

void v3_console_put(struct v3_vm *vm, unsigned int index, const void *buf, size_t len)
{
	struct v3_console *console;
	const uint8_t *from = buf;
	bool was_empty;
	uint64_t flags;
	size_t i;

	if (index >= V3_NUM_CONSOLES)
		return;
	console = &vm->consoles[index];
	flags = v3_lock_irqsave(&console->lock);
	was_empty = console->out_head == console->out_tail;
	for (i = 0; i < len; i++)
		console->out[console->out_head++ % V3_CONSOLE_OUT] = from[i];
	if (console->out_head - console->out_tail > V3_CONSOLE_OUT) {
		/* Nobody reads: the oldest bytes go. */
		console->dropped += console->out_head - console->out_tail - V3_CONSOLE_OUT;
		console->out_tail = console->out_head - V3_CONSOLE_OUT;
	}
	v3_lock_irqrestore(&console->lock, flags);
	if (was_empty)
		vm->host->os.console_notify(vm->host->os.ctx, vm, vm->ctx, index);
}

size_t v3_console_read(struct v3_vm *vm, unsigned int index, void *buf, size_t len)
{
	struct v3_console *console;
	uint8_t *to = buf;
	uint64_t flags;
	size_t n = 0;

	if (index >= V3_NUM_CONSOLES)
		return 0;
	console = &vm->consoles[index];
	flags = v3_lock_irqsave(&console->lock);
	while (n < len && console->out_tail != console->out_head)
		to[n++] = console->out[console->out_tail++ % V3_CONSOLE_OUT];
	v3_lock_irqrestore(&console->lock, flags);
	return n;
}

size_t v3_console_write(struct v3_vm *vm, unsigned int index, const void *buf, size_t len)
{
	struct v3_console *console;
	const uint8_t *from = buf;
	uint64_t flags;
	size_t n = 0;

	if (index >= V3_NUM_CONSOLES)
		return 0;
	console = &vm->consoles[index];
	flags = v3_lock_irqsave(&console->lock);
	while (n < len && console->in_head - console->in_tail < V3_CONSOLE_IN)
		console->in[console->in_head++ % V3_CONSOLE_IN] = from[n++];
	v3_lock_irqrestore(&console->lock, flags);
	if (n && console->input)
		console->input(console->input_ctx);
	return n;
}

enum v3_status v3_console_get(struct v3_vm *vm, unsigned int index, uint8_t *byte)
{
	struct v3_console *console;
	bool was_full, got;
	uint64_t flags;

	if (index >= V3_NUM_CONSOLES)
		return V3_ERR_NOENT;
	console = &vm->consoles[index];
	flags = v3_lock_irqsave(&console->lock);
	was_full = console->in_head - console->in_tail == V3_CONSOLE_IN;
	got = console->in_head != console->in_tail;
	if (got)
		*byte = console->in[console->in_tail++ % V3_CONSOLE_IN];
	v3_lock_irqrestore(&console->lock, flags);
	if (was_full)
		vm->host->os.console_notify(vm->host->os.ctx, vm, vm->ctx, index);
	return got ? V3_OK : V3_ERR_AGAIN;
}
