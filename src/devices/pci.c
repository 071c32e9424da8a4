/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2) and the host bridge at 00:00.0.
 */
#include "devices/pci.h"
#include "devices/reset.h"
#include "lib/lock.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define ADDRESS_ENABLE (1u << 31)
#define ADDRESS_WRITABLE 0xfffffffcu
#define ADDRESS_RESERVED 0x7f000000u
#define NUM_DEVFN 256

/*
 * The memory controller hub of Intel's Q35: a host bridge that operating systems know and
 * for which they have no workarounds.
 */
#define BRIDGE_VENDOR 0x8086
#define BRIDGE_DEVICE 0x29c0
#define BRIDGE_CLASS 0x0600

struct v3_pci_bus {
	struct v3_vm *vm;		/* constant */
	struct v3_lock lock;		/* guards address and every function's config */
	uint32_t address;
	struct v3_pci_dev *dev[NUM_DEVFN];	/* constant once the VM has started */
	struct v3_pci_dev bridge;
};

static void config_set16(struct v3_pci_dev *dev, unsigned int offset, uint16_t value)
{
	dev->config[offset] = (uint8_t)value;
	dev->config[offset + 1] = (uint8_t)(value >> 8);
}

void v3_pci_identify(struct v3_pci_dev *dev, uint16_t vendor, uint16_t device, uint16_t class_code,
		     uint8_t revision)
{
	config_set16(dev, V3_PCI_VENDOR_ID, vendor);
	config_set16(dev, V3_PCI_DEVICE_ID, device);
	config_set16(dev, V3_PCI_CLASS, class_code);
	dev->config[V3_PCI_REVISION] = revision;
}

/* The function that the address register selects, or NULL. */
static struct v3_pci_dev *bus_selected(struct v3_pci_bus *bus)
{
	/*
	 * Enable, bus 23:16, device and function 15:8, register 7:2. Some processors take bits
	 * 27:24 as more of the register, and Linux tries that: here nothing is there.
	 */
	if (!(bus->address & ADDRESS_ENABLE) || bus->address & ADDRESS_RESERVED ||
	    bus->address >> 16 & 0xff)
		return NULL;
	return bus->dev[bus->address >> 8 & 0xff];
}

static uint32_t data_read(struct v3_pci_bus *bus, unsigned int byte, unsigned int size)
{
	struct v3_pci_dev *dev = bus_selected(bus);
	unsigned int offset = (bus->address & 0xfc) + byte, i;
	uint32_t value = 0;

	if (!dev)
		return ~0u;
	for (i = 0; i < size; i++)
		value |= (uint32_t)dev->config[offset + i] << (8 * i);
	return value;
}

static void data_write(struct v3_pci_bus *bus, unsigned int byte, unsigned int size,
		       uint32_t value)
{
	struct v3_pci_dev *dev = bus_selected(bus);
	unsigned int offset = (bus->address & 0xfc) + byte, i;

	if (!dev)
		return;
	for (i = 0; i < size; i++) {
		uint8_t mask = dev->writable[offset + i];
		uint8_t *reg = &dev->config[offset + i];

		*reg = (uint8_t)((*reg & ~mask) | (value >> (8 * i) & mask));
	}
	if (dev->ops && dev->ops->written)
		dev->ops->written(dev, offset, size);
}

/* CONFIG_ADDRESS answers to aligned double words only; its second byte is the reset register's. */
static uint32_t pci_in(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size)
{
	struct v3_pci_bus *bus = ctx;
	uint32_t value = ~0u;
	uint64_t flags;

	if (port == V3_RESET_PORT && size == 1)
		return v3_reset_read(v3_vcpu_vm(vcpu));
	flags = v3_lock_irqsave(&bus->lock);
	if (port == CONFIG_ADDRESS && size == 4)
		value = bus->address;
	else if (port >= CONFIG_DATA)
		value = data_read(bus, port - CONFIG_DATA, size);
	v3_lock_irqrestore(&bus->lock, flags);
	return value;
}

static void pci_out(struct v3_vcpu *vcpu, void *ctx, uint16_t port, unsigned int size,
		    uint32_t value)
{
	struct v3_pci_bus *bus = ctx;
	uint64_t flags;

	if (port == V3_RESET_PORT && size == 1) {
		v3_reset_write(v3_vcpu_vm(vcpu), (uint8_t)value);
		return;
	}
	flags = v3_lock_irqsave(&bus->lock);
	if (port == CONFIG_ADDRESS && size == 4)
		bus->address = value & ADDRESS_WRITABLE;
	else if (port >= CONFIG_DATA)
		data_write(bus, port - CONFIG_DATA, size, value);
	v3_lock_irqrestore(&bus->lock, flags);
}

enum v3_status v3_pci_add(struct v3_pci_bus *bus, struct v3_pci_dev *dev)
{
	enum v3_status status = V3_OK;
	uint64_t flags;

	if (v3_vm_state(bus->vm, NULL) != V3_VM_CREATED)
		return V3_ERR_STATE;
	flags = v3_lock_irqsave(&bus->lock);
	if (bus->dev[dev->devfn])
		status = V3_ERR_EXIST;
	else
		bus->dev[dev->devfn] = dev;
	v3_lock_irqrestore(&bus->lock, flags);
	return status;
}

/* The functions belong to their devices, which reset them. */
static void pci_reset(void *ctx)
{
	struct v3_pci_bus *bus = ctx;
	uint64_t flags = v3_lock_irqsave(&bus->lock);

	bus->address = 0;
	v3_lock_irqrestore(&bus->lock, flags);
}

static void pci_destroy(void *ctx)
{
	struct v3_pci_bus *bus = ctx;

	v3_device_free(bus->vm, bus, sizeof(*bus));
}

static const struct v3_io_ops pci_io_ops = { .in = pci_in, .out = pci_out };
static const struct v3_device_ops pci_ops = {
	.name = "pci", .destroy = pci_destroy, .reset = pci_reset,
};

enum v3_status v3_pci_create(struct v3_vm *vm, struct v3_pci_bus **out)
{
	struct v3_pci_bus *bus = v3_device_alloc(vm, sizeof(*bus));
	enum v3_status status;

	if (!bus)
		return V3_ERR_NOMEM;
	bus->vm = vm;
	v3_lock_init(&bus->lock);
	v3_pci_identify(&bus->bridge, BRIDGE_VENDOR, BRIDGE_DEVICE, BRIDGE_CLASS, 0);
	bus->dev[V3_PCI_DEVFN(0, 0)] = &bus->bridge;
	status = v3_device_add(vm, &pci_ops, bus);
	if (status) {
		pci_destroy(bus);
		return status;
	}
	if (out)
		*out = bus;
	return v3_io_hook(vm, CONFIG_ADDRESS, 8, &pci_io_ops, bus);
}
