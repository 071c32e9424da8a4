/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/i8042.h"
#include "devices/io.h"
#include "lib/lock.h"

#define PORT_DATA 0x60
#define PORT_COMMAND 0x64	/* read: status */

#define STATUS_OUTPUT_FULL 0x01u
#define STATUS_SYSTEM 0x04u	/* power-on self test passed */
#define STATUS_COMMAND 0x08u	/* the last byte written was a command */
#define STATUS_UNLOCKED 0x10u
#define STATUS_TIMEOUT 0x40u	/* the byte in the output buffer: no device answered */

#define CONFIG_KEYBOARD_IRQ 0x01u
#define CONFIG_SYSTEM 0x04u
#define CONFIG_KEYBOARD_OFF 0x10u
#define CONFIG_AUX_OFF 0x20u
#define CONFIG_RESET (CONFIG_SYSTEM | CONFIG_KEYBOARD_OFF | CONFIG_AUX_OFF)

#define CMD_READ_CONFIG 0x20
#define CMD_WRITE_CONFIG 0x60
#define CMD_AUX_OFF 0xa7
#define CMD_AUX_ON 0xa8
#define CMD_AUX_TEST 0xa9
#define CMD_SELF_TEST 0xaa
#define CMD_KEYBOARD_TEST 0xab
#define CMD_KEYBOARD_OFF 0xad
#define CMD_KEYBOARD_ON 0xae
#define CMD_READ_INPUT 0xc0
#define CMD_READ_OUTPUT 0xd0
#define CMD_WRITE_OUTPUT 0xd1
#define CMD_WRITE_KEYBOARD_BUFFER 0xd2
#define CMD_WRITE_AUX_BUFFER 0xd3
#define CMD_WRITE_AUX 0xd4
#define CMD_PULSE 0xf0		/* to 0xff: pulses the output lines whose bits are 0 */
#define PULSE_RESET 0x01u

#define SELF_TEST_OK 0x55
#define TEST_CLOCK_LOW 0x01	/* what a port without a device shows */
#define REPLY_RESEND 0xfe	/* what the controller puts in place of a missing answer */
#define OUTPUT_RESET 0x01u	/* output port bit 0: active low */
#define OUTPUT_A20 0x02u

struct i8042 {
	struct v3_vm *vm;	/* constant */
	struct v3_lock lock;	/* guards all below */
	uint8_t status;
	uint8_t config;
	uint8_t output;		/* output port */
	uint8_t data;		/* output buffer */
	uint8_t command;	/* waits for its data byte; 0: none */
	bool line;
};

static void i8042_update(struct i8042 *kbc)
{
	bool level = kbc->status & STATUS_OUTPUT_FULL && kbc->config & CONFIG_KEYBOARD_IRQ;

	if (level == kbc->line)
		return;
	kbc->line = level;
	v3_irq_set(kbc->vm, V3_I8042_GSI, level);
}

static void i8042_reply(struct i8042 *kbc, uint8_t data, uint8_t error)
{
	kbc->data = data;
	kbc->status &= (uint8_t)~STATUS_TIMEOUT;
	kbc->status |= STATUS_OUTPUT_FULL | error;
}

static void i8042_request_reset(struct i8042 *kbc)
{
	v3_vm_end(kbc->vm, V3_END_RESET, 0, "guest asked for a reset by the keyboard controller");
}

static void i8042_command(struct i8042 *kbc, uint8_t command)
{
	kbc->command = 0;
	kbc->status |= STATUS_COMMAND;
	switch (command) {
	case CMD_READ_CONFIG:
		i8042_reply(kbc, kbc->config, 0);
		break;
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPUT:
	case CMD_WRITE_KEYBOARD_BUFFER:
	case CMD_WRITE_AUX_BUFFER:
	case CMD_WRITE_AUX:
		kbc->command = command;
		break;
	case CMD_AUX_OFF:
		kbc->config |= CONFIG_AUX_OFF;
		break;
	case CMD_AUX_ON:
		kbc->config &= (uint8_t)~CONFIG_AUX_OFF;
		break;
	case CMD_KEYBOARD_OFF:
		kbc->config |= CONFIG_KEYBOARD_OFF;
		break;
	case CMD_KEYBOARD_ON:
		kbc->config &= (uint8_t)~CONFIG_KEYBOARD_OFF;
		break;
	case CMD_SELF_TEST:
		kbc->config = CONFIG_RESET;
		i8042_reply(kbc, SELF_TEST_OK, 0);
		break;
	case CMD_AUX_TEST:
	case CMD_KEYBOARD_TEST:
		i8042_reply(kbc, TEST_CLOCK_LOW, 0);
		break;
	case CMD_READ_INPUT:
		i8042_reply(kbc, 0, 0);
		break;
	case CMD_READ_OUTPUT:
		i8042_reply(kbc, kbc->output, 0);
		break;
	default:
		if (command >= CMD_PULSE && !(command & PULSE_RESET))
			i8042_request_reset(kbc);
	}
}

/* A byte for the pending command, or for a keyboard that is not there. */
static void i8042_data(struct i8042 *kbc, uint8_t data)
{
	uint8_t command = kbc->command;

	kbc->command = 0;
	kbc->status &= (uint8_t)~STATUS_COMMAND;
	switch (command) {
	case CMD_WRITE_CONFIG:
		kbc->config = data;
		break;
	case CMD_WRITE_OUTPUT:
		kbc->output = data;
		if (!(data & OUTPUT_RESET))
			i8042_request_reset(kbc);
		break;
	case CMD_WRITE_KEYBOARD_BUFFER:
		i8042_reply(kbc, data, 0);
		break;
	default:
		i8042_reply(kbc, REPLY_RESEND, STATUS_TIMEOUT);
	}
}

static uint32_t i8042_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct i8042 *kbc = ctx;
	uint64_t flags = v3_lock_irqsave(&kbc->lock);
	uint8_t value = kbc->status;

	(void)vcpu;
	(void)size;
	if (port == PORT_DATA) {
		value = kbc->data;
		kbc->status &= (uint8_t)~(STATUS_OUTPUT_FULL | STATUS_TIMEOUT);
		i8042_update(kbc);
	}
	v3_lock_irqrestore(&kbc->lock, flags);
	return value;
}

static void i8042_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		      uint32_t value)
{
	struct i8042 *kbc = ctx;
	uint64_t flags = v3_lock_irqsave(&kbc->lock);

	(void)vcpu;
	(void)size;
	if (port == PORT_COMMAND)
		i8042_command(kbc, (uint8_t)value);
	else
		i8042_data(kbc, (uint8_t)value);
	i8042_update(kbc);
	v3_lock_irqrestore(&kbc->lock, flags);
}

static void i8042_power_on(void *ctx)
{
	struct i8042 *kbc = ctx;
	uint64_t flags = v3_lock_irqsave(&kbc->lock);

	kbc->status = STATUS_SYSTEM | STATUS_UNLOCKED;
	kbc->config = CONFIG_RESET;
	kbc->output = OUTPUT_RESET | OUTPUT_A20;
	kbc->data = 0;
	kbc->command = 0;
	i8042_update(kbc);
	v3_lock_irqrestore(&kbc->lock, flags);
}

static void i8042_destroy(void *ctx)
{
	struct i8042 *kbc = ctx;

	v3_device_free(kbc->vm, kbc, sizeof(*kbc));
}

static const struct v3_io_ops i8042_io_ops = { .in = i8042_in, .out = i8042_out };
static const struct v3_device_ops i8042_ops = {
	.name = "i8042", .destroy = i8042_destroy, .reset = i8042_power_on,
};

enum v3_status v3_i8042_create(struct v3_vm *vm)
{
	struct i8042 *kbc = v3_device_alloc(vm, sizeof(*kbc));
	enum v3_status status;

	if (!kbc)
		return V3_ERR_NOMEM;
	kbc->vm = vm;
	v3_lock_init(&kbc->lock);
	i8042_power_on(kbc);
	status = v3_device_add(vm, &i8042_ops, kbc);
	if (status) {
		i8042_destroy(kbc);
		return status;
	}
	status = v3_io_hook(vm, PORT_DATA, 1, &i8042_io_ops, kbc);
	if (status)
		return status;
	return v3_io_hook(vm, PORT_COMMAND, 1, &i8042_io_ops, kbc);
}
