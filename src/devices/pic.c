/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line that pulses is remembered until it is acknowledged: the wire of v3_irq_set() has no
 * duration. So a real 8259A's spurious interrupt appears only when a level-triggered
 * request goes away between the CPU's decision and its INTA cycle. The slave's output and the
 * master's answer change together here, so input 7 of the slave is never spurious but in poll mode.
 */
#include "intc.h"
#include "pic.h"

#define PORT_MASTER 0x20
#define PORT_SLAVE 0xa0
#define PORT_ELCR 0x4d0
#define CASCADE 2			/* the master's input that the slave drives */
#define SPURIOUS 7

#define ICW1_INIT 0x10			/* told by this bit at the even port */
#define ICW1_SINGLE 0x02
#define ICW1_ICW4 0x01
#define ICW4_NESTED 0x10		/* special fully nested mode */
#define ICW4_AUTO_EOI 0x02
#define OCW3 0x08			/* told from OCW2 by this bit */
#define OCW3_MASK_SET 0x60
#define OCW3_MASK_CLEAR 0x40
#define OCW3_POLL 0x04
#define OCW3_READ_ISR 0x03
#define OCW3_READ_IRR 0x02

/* Inputs that cannot be level-triggered: timer, keyboard, cascade; RTC and FPU error. */
#define ELCR_MASTER_MASK 0xf8
#define ELCR_SLAVE_MASK 0xde

static struct v3_intc *intc_of(struct v3_pic *pic)
{
	return (struct v3_intc *)((char *)pic - offsetof(struct v3_intc, pic));
}

/* Highest-priority input of a set, or 8; as distance from the top if rank is not NULL. */
static unsigned int highest(const struct v3_pic_chip *chip, uint8_t set, unsigned int *rank)
{
	unsigned int i;

	for (i = 0; i < 8; i++) {
		unsigned int input = (chip->top + i) & 7;

		if (set & (1u << input)) {
			*rank = i;
			return input;
		}
	}
	*rank = 8;
	return 8;
}

/* The input whose request is to be signaled, or -1. */
static int requested(const struct v3_pic_chip *chip, bool is_master)
{
	unsigned int request_rank, service_rank;
	uint8_t service = chip->isr;
	unsigned int input;

	/* Special mask mode: what is masked does not keep lower ones away. */
	if (chip->special_mask)
		service &= (uint8_t)~chip->imr;
	/* Special fully nested mode: nor does a slave keep its own other inputs away. */
	if (chip->special_nested && is_master)
		service &= (uint8_t)~(1u << CASCADE);
	input = highest(chip, chip->irr & (uint8_t)~chip->imr, &request_rank);
	highest(chip, service, &service_rank);
	return request_rank < service_rank ? (int)input : -1;
}

static void set_input(struct v3_pic_chip *chip, unsigned int input, bool level)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (chip->elcr & bit) {
		if (level)
			chip->irr |= bit;
		else
			chip->irr &= (uint8_t)~bit;
	} else if (level && !(chip->lines & bit)) {
		chip->irr |= bit;
	}
	if (level)
		chip->lines |= bit;
	else
		chip->lines &= (uint8_t)~bit;
}

static void set_output(struct v3_pic *pic, bool level)
{
	if (pic->output == level)
		return;
	__atomic_store_n(&pic->output, level, __ATOMIC_SEQ_CST);
	v3_intc_pic_output(intc_of(pic), level);
}

/* After any change: the slave's output into the master, the master's to the CPUs. */
static void update(struct v3_pic *pic)
{
	/* A wire that really lasts: it takes its request back when it falls. */
	if (!pic->master.single) {
		if (requested(&pic->slave, false) >= 0)
			pic->master.irr |= 1u << CASCADE;
		else
			pic->master.irr &= (uint8_t)~(1u << CASCADE);
	}
	set_output(pic, requested(&pic->master, true) >= 0);
}

void v3_pic_set(struct v3_pic *pic, unsigned int irq, bool level)
{
	uint64_t flags = v3_lock_irqsave(&pic->lock);

	if (irq >= 8)
		set_input(&pic->slave, irq - 8, level);
	else if (irq != CASCADE)
		set_input(&pic->master, irq, level);
	update(pic);
	v3_lock_irqrestore(&pic->lock, flags);
}

/* INTA: the input, and its request moves to ISR; input 7 if there is none. */
static unsigned int acknowledge(struct v3_pic_chip *chip, bool is_master)
{
	int input = requested(chip, is_master);
	uint8_t bit;

	if (input < 0)
		return SPURIOUS;
	bit = (uint8_t)(1u << input);
	if (!(chip->elcr & bit))
		chip->irr &= (uint8_t)~bit;
	if (!chip->auto_eoi)
		chip->isr |= bit;
	else if (chip->rotate_auto_eoi)
		chip->top = (uint8_t)(input + 1) & 7;
	return (unsigned int)input;
}

uint8_t v3_pic_intack(struct v3_pic *pic)
{
	uint64_t flags = v3_lock_irqsave(&pic->lock);
	bool cascade = requested(&pic->master, true) == CASCADE && !pic->master.single;
	unsigned int input = acknowledge(&pic->master, true);
	uint8_t vector = (uint8_t)(pic->master.base + input);

	if (cascade)
		vector = (uint8_t)(pic->slave.base + acknowledge(&pic->slave, false));
	/* INT falls with INTA; if more is pending it rises again, an edge for who wants one. */
	set_output(pic, false);
	update(pic);
	v3_lock_irqrestore(&pic->lock, flags);
	return vector;
}

int v3_pic_vector(struct v3_pic *pic)
{
	uint64_t flags = v3_lock_irqsave(&pic->lock);
	int input = requested(&pic->master, true);
	int vector = pic->master.base + (input < 0 ? SPURIOUS : input);

	if (input == CASCADE && !pic->master.single) {
		input = requested(&pic->slave, false);
		vector = pic->slave.base + (input < 0 ? SPURIOUS : input);
	}
	v3_lock_irqrestore(&pic->lock, flags);
	return vector & 0xff;
}

/* Operation command word 2: bits 7 rotate, 6 specific, 5 EOI; 2:0 the level */
static void write_ocw2(struct v3_pic_chip *chip, uint8_t value)
{
	unsigned int level = value & 7, rank;

	switch (value >> 5) {
	case 0:			/* clear rotation in automatic EOI mode */
	case 4:			/* set it */
		chip->rotate_auto_eoi = value & 0x80;
		break;
	case 1:			/* non-specific EOI */
	case 5:			/* and rotate */
		level = highest(chip, chip->special_mask ? chip->isr & (uint8_t)~chip->imr :
							   chip->isr, &rank);
		if (level == 8)
			break;
		__attribute__((__fallthrough__));
	case 3:			/* specific EOI */
	case 7:			/* and rotate */
		chip->isr &= (uint8_t)~(1u << level);
		if (value & 0x80)
			chip->top = (level + 1) & 7;
		break;
	case 6:			/* set priority: the level becomes the lowest */
		chip->top = (level + 1) & 7;
		break;
	default:		/* 2: no operation */
		break;
	}
}

static void write_ocw3(struct v3_pic_chip *chip, uint8_t value)
{
	chip->poll = value & OCW3_POLL;
	if ((value & OCW3_READ_ISR) >= OCW3_READ_IRR)
		chip->read_isr = (value & OCW3_READ_ISR) == OCW3_READ_ISR;
	if ((value & OCW3_MASK_SET) >= OCW3_MASK_CLEAR)
		chip->special_mask = (value & OCW3_MASK_SET) == OCW3_MASK_SET;
}

/* ICW1 clears all but lines, ELCR and vector; level-triggered inputs still make their requests. */
static void write_icw1(struct v3_pic_chip *chip, uint8_t value)
{
	chip->irr &= chip->elcr;
	chip->imr = 0;
	chip->isr = 0;
	chip->top = 0;
	chip->auto_eoi = false;
	chip->rotate_auto_eoi = false;
	chip->special_mask = false;
	chip->special_nested = false;
	chip->read_isr = false;
	chip->poll = false;
	chip->single = value & ICW1_SINGLE;
	chip->icw4_needed = value & ICW1_ICW4;
	chip->icw_next = 2;
}

static void write_even(struct v3_pic_chip *chip, uint8_t value)
{
	if (value & ICW1_INIT)
		write_icw1(chip, value);
	else if (value & OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

static void write_odd(struct v3_pic_chip *chip, uint8_t value)
{
	switch (chip->icw_next) {
	case 2:
		chip->base = value & 0xf8;
		chip->icw_next = !chip->single ? 3 : chip->icw4_needed ? 4 : 0;
		break;
	case 3:
		/* Who is whose slave is soldered. */
		chip->icw_next = chip->icw4_needed ? 4 : 0;
		break;
	case 4:
		chip->special_nested = value & ICW4_NESTED;
		chip->auto_eoi = value & ICW4_AUTO_EOI;
		chip->icw_next = 0;
		break;
	default:
		chip->imr = value;
		break;
	}
}

/* A read in poll mode is an INTA cycle: bit 7 tells if there was a request. */
static uint8_t read_poll(struct v3_pic_chip *chip, bool is_master)
{
	bool any = requested(chip, is_master) >= 0;

	chip->poll = false;
	return (uint8_t)((any ? 0x80 : 0) | acknowledge(chip, is_master));
}

static uint8_t read_port(struct v3_pic *pic, uint16_t port)
{
	bool is_master = port < PORT_SLAVE;
	struct v3_pic_chip *chip = is_master ? &pic->master : &pic->slave;
	uint8_t value;

	if (chip->poll) {
		value = read_poll(chip, is_master);
		update(pic);
		return value;
	}
	if (port & 1)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}

static uint32_t pic_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct v3_pic *pic = ctx;
	const struct v3_pic_chip *chip = port < PORT_SLAVE ? &pic->master : &pic->slave;
	uint32_t value = 0;
	uint64_t flags;
	unsigned int i;

	(void)vcpu;
	/* The mask register is a byte that only guests change: no lock for its sake. */
	if (size == 1 && (port & 1) && !__atomic_load_n(&chip->poll, __ATOMIC_RELAXED))
		return __atomic_load_n(&chip->imr, __ATOMIC_RELAXED);
	flags = v3_lock_irqsave(&pic->lock);
	for (i = 0; i < size; i++)
		value |= (uint32_t)read_port(pic, (uint16_t)(port + i)) << (8 * i);
	v3_lock_irqrestore(&pic->lock, flags);
	return value;
}

static void pic_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		    uint32_t value)
{
	struct v3_pic *pic = ctx;
	struct v3_pic_chip *chip = port < PORT_SLAVE ? &pic->master : &pic->slave;
	uint64_t flags = v3_lock_irqsave(&pic->lock);
	unsigned int i;

	(void)vcpu;
	for (i = 0; i < size; i++) {
		if ((port + i) & 1)
			write_odd(chip, (uint8_t)(value >> (8 * i)));
		else
			write_even(chip, (uint8_t)(value >> (8 * i)));
	}
	update(pic);
	v3_lock_irqrestore(&pic->lock, flags);
}

static const struct v3_io_ops pic_ops = { pic_in, pic_out };

static uint32_t elcr_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct v3_pic *pic = ctx;
	uint32_t both = pic->master.elcr | (uint32_t)pic->slave.elcr << 8;

	(void)vcpu;
	(void)size;
	return both >> (8 * (port - PORT_ELCR));
}

/* A request that came as an edge stays; one of a level-triggered input follows its line. */
static void set_elcr(struct v3_pic_chip *chip, uint8_t value)
{
	chip->elcr = value;
	chip->irr = (uint8_t)((chip->irr & ~value) | (chip->lines & value));
}

static void elcr_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		     uint32_t value)
{
	struct v3_pic *pic = ctx;
	uint64_t flags = v3_lock_irqsave(&pic->lock);

	(void)vcpu;
	if (port == PORT_ELCR)
		set_elcr(&pic->master, value & ELCR_MASTER_MASK);
	if (port != PORT_ELCR || size == 2)
		set_elcr(&pic->slave, (value >> (port == PORT_ELCR ? 8 : 0)) & ELCR_SLAVE_MASK);
	update(pic);
	v3_lock_irqrestore(&pic->lock, flags);
}

static const struct v3_io_ops elcr_ops = { elcr_in, elcr_out };

/* Power-on; everything masked until a guest initializes it, as firmware leaves it. */
void v3_pic_reset(struct v3_pic *pic)
{
	uint64_t flags = v3_lock_irqsave(&pic->lock);

	set_elcr(&pic->master, 0);
	set_elcr(&pic->slave, 0);
	write_icw1(&pic->master, 0);
	write_icw1(&pic->slave, 0);
	pic->master.icw_next = 0;
	pic->slave.icw_next = 0;
	pic->master.imr = 0xff;
	pic->slave.imr = 0xff;
	pic->master.base = 0x08;	/* where the vectors of a PC are in real mode */
	pic->slave.base = 0x70;
	update(pic);
	v3_lock_irqrestore(&pic->lock, flags);
}

enum v3_status v3_pic_hook(struct v3_vm *vm, struct v3_pic *pic)
{
	enum v3_status status = v3_io_hook(vm, PORT_MASTER, 2, &pic_ops, pic);

	if (status == V3_OK)
		status = v3_io_hook(vm, PORT_SLAVE, 2, &pic_ops, pic);
	if (status == V3_OK)
		status = v3_io_hook(vm, PORT_ELCR, 2, &elcr_ops, pic);
	return status;
}
