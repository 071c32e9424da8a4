/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI bus 0 behind configuration mechanism 1 (ports 0xCF8-0xCFF), and where device models put
 * their functions.
 */
#ifndef V3_DEVICES_PCI_H
#define V3_DEVICES_PCI_H

#include <v3/device.h>

#define V3_PCI_CONFIG_SIZE 256
#define V3_PCI_DEVFN(slot, function) ((uint8_t)((slot) << 3 | (function)))

/** Offsets in the configuration header (PCI Local Bus 3.0, 6.1). */
#define V3_PCI_VENDOR_ID 0x00
#define V3_PCI_DEVICE_ID 0x02
#define V3_PCI_COMMAND 0x04
#define V3_PCI_STATUS 0x06
#define V3_PCI_REVISION 0x08
#define V3_PCI_CLASS 0x0a		/**< 16 bits: subclass, class */
#define V3_PCI_HEADER_TYPE 0x0e
#define V3_PCI_SUBSYSTEM_VENDOR 0x2c
#define V3_PCI_SUBSYSTEM_ID 0x2e

struct v3_pci_bus;
struct v3_pci_dev;

struct v3_pci_dev_ops {
	/**
	 * Software wrote [offset, offset+size) of dev->config, through dev->writable; the new
	 * bytes are in place. Called with the bus lock held, in handler context. May be NULL.
	 */
	void (*written)(struct v3_pci_dev *dev, unsigned int offset, unsigned int size);
};

/**
 * A function on bus 0, embedded in its device, which owns it. Everything but config is constant
 * once it is added; config is guarded by the bus lock.
 */
struct v3_pci_dev {
	uint8_t devfn;
	const struct v3_pci_dev_ops *ops;
	/** What software reads. */
	uint8_t config[V3_PCI_CONFIG_SIZE];
	/** Which bits it can write. */
	uint8_t writable[V3_PCI_CONFIG_SIZE];
};

/** Sets an identity; everything else of config stays as it is. */
void v3_pci_identify(struct v3_pci_dev *dev, uint16_t vendor, uint16_t device, uint16_t class_code,
		     uint8_t revision);

/**
 * Adds the bus with its host bridge. @p bus (may be NULL) is valid until the VM is destroyed.
 * Errors as v3_io_hook(), V3_ERR_NOMEM. Context: process.
 */
enum v3_status v3_pci_create(struct v3_vm *vm, struct v3_pci_bus **bus);

/**
 * Adds a function while the VM is V3_VM_CREATED; it must live as long as the bus.
 * @return V3_ERR_EXIST if its devfn is taken. Context: process.
 */
enum v3_status v3_pci_add(struct v3_pci_bus *bus, struct v3_pci_dev *dev);

#endif
