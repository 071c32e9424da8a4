/* SPDX-License-Identifier: BSD-2-Clause */
/* Polled 16550 on COM1 and a small printf: %c %s %d %u %x with l, ll, width, 0 and -. */
#include "cpu.h"

#define COM1		0x3f8
#define REG_DATA	0
#define REG_IER		1
#define REG_FCR		2
#define REG_LCR		3
#define REG_MCR		4
#define REG_LSR		5
#define LCR_8N1		0x03
#define LCR_DLAB	0x80
#define FCR_ON		0x07	/* enable both FIFOs and clear them */
#define MCR_DTR_RTS	0x03
#define LSR_THRE	0x20
#define LSR_TEMT	0x40
#define POLLS		1000000	/* a UART that never gets ready must not hang the kernel */

static void wait_for(uint8_t bit)
{
	for (unsigned int i = 0; i < POLLS; i++) {
		if (bm_inb(COM1 + REG_LSR) & bit)
			return;
	}
}

void bm_console_drain(void)
{
	wait_for(LSR_TEMT);
}

void bm_console_init(void)
{
	bm_console_drain();	/* the line from the entry code may still be going out */
	bm_outb(COM1 + REG_IER, 0);
	bm_outb(COM1 + REG_LCR, LCR_DLAB | LCR_8N1);
	bm_outb(COM1 + REG_DATA, 1);	/* divisor 1: 115200 baud */
	bm_outb(COM1 + REG_IER, 0);
	bm_outb(COM1 + REG_LCR, LCR_8N1);
	bm_outb(COM1 + REG_FCR, FCR_ON);
	bm_outb(COM1 + REG_MCR, MCR_DTR_RTS);
}

void bm_putc(char c)
{
	wait_for(LSR_THRE);
	bm_outb(COM1 + REG_DATA, (uint8_t)c);
}

void bm_write(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bm_putc(s[i]);
}

struct field {
	unsigned int width;
	bool left;
	bool zero;
};

static void put_field(const struct field *f, const char *s, size_t n)
{
	size_t pad = f->width > n ? f->width - n : 0;

	for (; pad && !f->left; pad--)
		bm_putc(f->zero ? '0' : ' ');
	bm_write(s, n);
	for (; pad; pad--)
		bm_putc(' ');
}

static void put_number(const struct field *f, uint64_t v, unsigned int base, bool negative)
{
	char buf[24];
	size_t at = sizeof(buf);

	do {
		buf[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative)
		buf[--at] = '-';
	put_field(f, buf + at, sizeof(buf) - at);
}

static const char *parse_field(const char *p, struct field *f)
{
	for (; *p == '-' || *p == '0'; p++) {
		if (*p == '-')
			f->left = true;
		else
			f->zero = true;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		f->width = f->width * 10 + (unsigned int)(*p - '0');
	return p;
}

void bm_vprintf(const char *fmt, va_list ap)
{
	for (const char *p = fmt; *p; p++) {
		struct field f = { 0 };
		bool wide = false;
		const char *s;
		int64_t d;
		char c;

		if (*p != '%') {
			bm_putc(*p);
			continue;
		}
		for (p = parse_field(p + 1, &f); *p == 'l'; p++)
			wide = true;
		switch (*p) {
		case 'c':
			c = (char)va_arg(ap, int);
			put_field(&f, &c, 1);
			break;
		case 's':
			s = va_arg(ap, const char *);
			put_field(&f, s, bm_strlen(s));
			break;
		case 'd':
			d = wide ? va_arg(ap, int64_t) : va_arg(ap, int);
			put_number(&f, d < 0 ? -(uint64_t)d : (uint64_t)d, 10, d < 0);
			break;
		case 'u':
		case 'x':
			put_number(&f, wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned int),
				   *p == 'u' ? 10 : 16, false);
			break;
		case '\0':
			return;
		default:
			bm_putc(*p);
			break;
		}
	}
}

void bm_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bm_vprintf(fmt, ap);
	va_end(ap);
}
