/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550A (TI TL16C550C data sheet). The line has no speed: a byte written is on the console when
 * the OUT instruction ends, so the transmitter is always empty. Speed matters for one thing, the
 * character timeout of the receive FIFO.
 */
#include "devices/io.h"
#include "devices/uart.h"
#include "lib/lock.h"

enum {
	REG_DATA = 0,	/* RBR, THR; with DLAB the divisor's low byte */
	REG_IER = 1,	/* with DLAB the divisor's high byte */
	REG_IIR = 2,	/* write: FCR */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
	NUM_REGS = 8,
};

#define IER_RDA (1u << 0)
#define IER_THRE (1u << 1)
#define IER_LINE (1u << 2)
#define IER_MODEM (1u << 3)
#define IER_MASK 0x0fu

#define IIR_NONE 0x01u
#define IIR_LINE 0x06u
#define IIR_RDA 0x04u
#define IIR_TIMEOUT 0x0cu
#define IIR_THRE 0x02u
#define IIR_MODEM 0x00u
#define IIR_FIFO 0xc0u

#define FCR_ENABLE (1u << 0)
#define FCR_CLEAR_RX (1u << 1)
#define FCR_TRIGGER_SHIFT 6

#define LCR_DLAB (1u << 7)

#define MCR_DTR (1u << 0)
#define MCR_RTS (1u << 1)
#define MCR_OUT1 (1u << 2)
#define MCR_OUT2 (1u << 3)
#define MCR_LOOP (1u << 4)
#define MCR_MASK 0x1fu

#define LSR_READY (1u << 0)
#define LSR_OVERRUN (1u << 1)
#define LSR_ERRORS 0x1eu
#define LSR_TX_EMPTY 0x60u	/* holding register and transmitter */

#define MSR_DELTA 0x0fu
#define MSR_RI_TRAILING (1u << 2)
#define MSR_CTS (1u << 4)
#define MSR_DSR (1u << 5)
#define MSR_RI (1u << 6)
#define MSR_DCD (1u << 7)

#define FIFO_SIZE 16
#define UART_CLOCK_DIV_HZ 115200u	/* 1.8432 MHz / 16 */

struct uart {
	struct v3_vm *vm;	/* these three are constant */
	unsigned int gsi;
	unsigned int console;
	struct v3_lock lock;	/* guards all below */
	uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
	uint16_t divisor;
	bool thre_pending;	/* a THRE interrupt that IIR has not reported yet */
	bool timeout;		/* character timeout */
	bool line;
	uint8_t fifo[FIFO_SIZE];
	unsigned int head, count;
	struct v3_timer timer;	/* character timeout */
};

static unsigned int rx_capacity(const struct uart *uart)
{
	return uart->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

static unsigned int rx_trigger(const struct uart *uart)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return uart->fcr & FCR_ENABLE ? level[uart->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The pending interrupt of highest priority, without the FIFO bits. */
static uint8_t uart_source(const struct uart *uart)
{
	if (uart->ier & IER_LINE && uart->lsr & LSR_ERRORS)
		return IIR_LINE;
	if (uart->ier & IER_RDA && uart->count >= rx_trigger(uart))
		return IIR_RDA;
	if (uart->ier & IER_RDA && uart->timeout)
		return IIR_TIMEOUT;
	if (uart->ier & IER_THRE && uart->thre_pending)
		return IIR_THRE;
	if (uart->ier & IER_MODEM && uart->msr & MSR_DELTA)
		return IIR_MODEM;
	return IIR_NONE;
}

/* On a PC, OUT2 connects the interrupt output to the line. */
static void uart_update(struct uart *uart)
{
	bool level = uart->mcr & MCR_OUT2 && uart_source(uart) != IIR_NONE;

	if (level == uart->line)
		return;
	uart->line = level;
	v3_irq_set(uart->vm, uart->gsi, level);
}

/* Four character times with the FIFO untouched, not empty and below its trigger level. */
static uint64_t uart_timeout_ns(const struct uart *uart)
{
	/* Start bit, 5 to 8 data bits, parity, 1 or 2 stop bits. */
	uint64_t bits = 1 + 5 + (uart->lcr & 3) + (uart->lcr >> 3 & 1) + 1 + (uart->lcr >> 2 & 1);
	uint64_t divisor = uart->divisor ? uart->divisor : 1;

	return 4 * bits * divisor * V3_NS_PER_SEC / UART_CLOCK_DIV_HZ;
}

/* The FIFO was filled or read: the timeout starts anew. One that is pending stays until a read. */
static void uart_restart_timeout(struct uart *uart)
{
	if (uart->fcr & FCR_ENABLE && uart->count && uart->count < rx_trigger(uart) &&
	    uart->ier & IER_RDA)
		v3_timer_arm(&uart->timer, v3_now(uart->vm) + uart_timeout_ns(uart));
	else
		v3_timer_cancel(&uart->timer);
}

static void uart_timer(struct v3_timer *timer, void *ctx)
{
	struct uart *uart = ctx;
	uint64_t flags = v3_lock_irqsave(&uart->lock);

	(void)timer;
	if (uart->fcr & FCR_ENABLE && uart->count) {
		uart->timeout = true;
		uart_update(uart);
	}
	v3_lock_irqrestore(&uart->lock, flags);
}

static void rx_push(struct uart *uart, uint8_t byte)
{
	if (uart->count == rx_capacity(uart)) {
		uart->lsr |= LSR_OVERRUN;
		/* Without FIFO the new byte replaces the old one, with FIFO it is lost. */
		if (!(uart->fcr & FCR_ENABLE))
			uart->fifo[uart->head] = byte;
		return;
	}
	uart->fifo[(uart->head + uart->count++) % FIFO_SIZE] = byte;
}

/* The console holds back what does not fit: input is never lost here. */
static void rx_pull(struct uart *uart)
{
	unsigned int before = uart->count;
	uint8_t byte;

	if (uart->mcr & MCR_LOOP)
		return;
	while (uart->count < rx_capacity(uart) &&
	       v3_console_get(uart->vm, uart->console, &byte) == V3_OK)
		rx_push(uart, byte);
	if (uart->count != before)
		uart_restart_timeout(uart);
}

static uint8_t rx_pop(struct uart *uart)
{
	uint8_t byte;

	if (!uart->count)
		return 0;
	byte = uart->fifo[uart->head];
	uart->head = (uart->head + 1) % FIFO_SIZE;
	uart->count--;
	uart->timeout = false;
	rx_pull(uart);
	uart_restart_timeout(uart);
	return byte;
}

/* Modem inputs: in loopback the outputs, else a peer that is always there. */
static void uart_update_modem(struct uart *uart)
{
	uint8_t old = uart->msr, now = MSR_CTS | MSR_DSR | MSR_DCD, delta;

	if (uart->mcr & MCR_LOOP) {
		now = (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
			(uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
	}
	delta = (uint8_t)((old ^ now) >> 4);
	/* The ring indicator counts when it goes away. */
	if (!(old & MSR_RI))
		delta &= (uint8_t)~MSR_RI_TRAILING;
	uart->msr = (uint8_t)(now | (old & MSR_DELTA) | delta);
}

static void uart_transmit(struct uart *uart, uint8_t byte)
{
	if (uart->mcr & MCR_LOOP) {
		rx_push(uart, byte);
		uart_restart_timeout(uart);
	} else {
		v3_console_put(uart->vm, uart->console, &byte, 1);
	}
	uart->thre_pending = true;
}

static void uart_set_fcr(struct uart *uart, uint8_t value)
{
	/* The other bits can only be written together with the enable bit. */
	uint8_t fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | 3u << FCR_TRIGGER_SHIFT) : 0;

	if ((uart->fcr ^ fcr) & FCR_ENABLE || (value & FCR_ENABLE && value & FCR_CLEAR_RX)) {
		uart->count = 0;
		uart->timeout = false;
	}
	uart->fcr = fcr;
	rx_pull(uart);
	uart_restart_timeout(uart);
}

static void uart_set_ier(struct uart *uart, uint8_t value)
{
	uint8_t old = uart->ier;

	uart->ier = value & IER_MASK;
	/* Enabling it with an empty transmitter raises the interrupt at once. */
	if (~old & uart->ier & IER_THRE)
		uart->thre_pending = true;
	if ((old ^ uart->ier) & IER_RDA)
		uart_restart_timeout(uart);
}

static void uart_set_mcr(struct uart *uart, uint8_t value)
{
	uart->mcr = value & MCR_MASK;
	uart_update_modem(uart);
	rx_pull(uart);
}

static uint8_t uart_read_iir(struct uart *uart)
{
	uint8_t source = uart_source(uart);

	if (source == IIR_THRE)
		uart->thre_pending = false;
	return source | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t uart_read(struct uart *uart, unsigned int reg)
{
	uint8_t value;

	switch (reg) {
	case REG_DATA:
		return uart->lcr & LCR_DLAB ? (uint8_t)uart->divisor : rx_pop(uart);
	case REG_IER:
		return uart->lcr & LCR_DLAB ? (uint8_t)(uart->divisor >> 8) : uart->ier;
	case REG_IIR:
		return uart_read_iir(uart);
	case REG_LCR:
		return uart->lcr;
	case REG_MCR:
		return uart->mcr;
	case REG_LSR:
		value = uart->lsr | LSR_TX_EMPTY | (uart->count ? LSR_READY : 0);
		uart->lsr = 0;
		return value;
	case REG_MSR:
		value = uart->msr;
		uart->msr &= (uint8_t)~MSR_DELTA;
		return value;
	default:
		return uart->scr;
	}
}

static void uart_write(struct uart *uart, unsigned int reg, uint8_t value)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (dlab)
			uart->divisor = (uint16_t)((uart->divisor & 0xff00) | value);
		else
			uart_transmit(uart, value);
		break;
	case REG_IER:
		if (dlab)
			uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
		else
			uart_set_ier(uart, value);
		break;
	case REG_IIR:
		uart_set_fcr(uart, value);
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		uart_set_mcr(uart, value);
		break;
	case REG_SCR:
		uart->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

static uint8_t uart_in8(void *ctx, uint16_t port)
{
	return uart_read(ctx, port % NUM_REGS);
}

static void uart_out8(void *ctx, uint16_t port, uint8_t value)
{
	uart_write(ctx, port % NUM_REGS, value);
}

static uint32_t uart_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct uart *uart = ctx;
	uint64_t flags = v3_lock_irqsave(&uart->lock);
	uint32_t value = v3_in_bytes(uart, port, size, uart_in8);

	(void)vcpu;
	uart_update(uart);
	v3_lock_irqrestore(&uart->lock, flags);
	return value;
}

static void uart_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	struct uart *uart = ctx;
	uint64_t flags = v3_lock_irqsave(&uart->lock);

	(void)vcpu;
	v3_out_bytes(uart, port, size, value, uart_out8);
	uart_update(uart);
	v3_lock_irqrestore(&uart->lock, flags);
}

/* The console has input. */
static void uart_input(void *ctx)
{
	struct uart *uart = ctx;
	uint64_t flags = v3_lock_irqsave(&uart->lock);

	rx_pull(uart);
	uart_update(uart);
	v3_lock_irqrestore(&uart->lock, flags);
}

static void uart_power_on(void *ctx)
{
	struct uart *uart = ctx;
	uint64_t flags = v3_lock_irqsave(&uart->lock);

	uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->lsr = uart->scr = 0;
	uart->msr = MSR_CTS | MSR_DSR | MSR_DCD;
	uart->divisor = 1;
	uart->thre_pending = uart->timeout = false;
	uart->head = uart->count = 0;
	v3_timer_cancel(&uart->timer);
	uart_update(uart);
	v3_lock_irqrestore(&uart->lock, flags);
}

static void uart_destroy(void *ctx)
{
	struct uart *uart = ctx;

	v3_timer_cancel(&uart->timer);
	v3_device_free(uart->vm, uart, sizeof(*uart));
}

static const struct v3_io_ops uart_io_ops = { .in = uart_in, .out = uart_out };
static const struct v3_device_ops uart_ops = {
	.name = "uart", .destroy = uart_destroy, .reset = uart_power_on,
};

enum v3_status v3_uart_create(struct v3_vm *vm, uint16_t port, unsigned int gsi,
			      unsigned int console)
{
	struct uart *uart = v3_device_alloc(vm, sizeof(*uart));
	enum v3_status status;

	if (!uart)
		return V3_ERR_NOMEM;
	uart->vm = vm;
	uart->gsi = gsi;
	uart->console = console;
	v3_lock_init(&uart->lock);
	v3_timer_init(&uart->timer, v3_vm_vcpu(vm, 0), uart_timer, uart);
	uart_power_on(uart);
	status = v3_device_add(vm, &uart_ops, uart);
	if (status) {
		uart_destroy(uart);
		return status;
	}
	status = v3_io_hook(vm, port, NUM_REGS, &uart_io_ops, uart);
	if (status)
		return status;
	return v3_console_attach(vm, console, uart_input, uart);
}
