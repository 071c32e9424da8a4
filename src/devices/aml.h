/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A builder of ACPI machine language (ACPI 6.3, chapter 20): appends to a buffer and remembers a
 * mistake (no space, bad name, unbalanced blocks) until v3_aml_finish().
 */
#ifndef V3_DEVICES_AML_H
#define V3_DEVICES_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define V3_AML_MAX_DEPTH 6

/** What v3_aml_end() has to complete. */
enum v3_aml_block {
	V3_AML_SCOPE,
	V3_AML_DEVICE,
	V3_AML_PACKAGE,		/**< its elements are counted */
	V3_AML_RESOURCES,	/**< a buffer of resource descriptors; gets its end tag */
};

struct v3_aml {
	uint8_t *buf;
	size_t size, len;
	bool failed;
	unsigned int depth;
	struct {
		enum v3_aml_block kind;
		size_t start;		/* of the content, where length fields go */
		unsigned int elements;
	} open[V3_AML_MAX_DEPTH];
};

void v3_aml_init(struct v3_aml *aml, uint8_t *buf, size_t size);
/** Bytes written; 0 if anything went wrong. */
size_t v3_aml_finish(const struct v3_aml *aml);

/** Scope (name) or Device (name). Names have four characters, filled up with underscores. */
void v3_aml_scope(struct v3_aml *aml, const char *name);
void v3_aml_device(struct v3_aml *aml, const char *name);
/** Name(name, ...): the object that is appended next is its value. */
void v3_aml_name(struct v3_aml *aml, const char *name);
void v3_aml_package(struct v3_aml *aml);
void v3_aml_resources(struct v3_aml *aml);
/** Ends the innermost block. */
void v3_aml_end(struct v3_aml *aml);

void v3_aml_integer(struct v3_aml *aml, uint64_t value);
/** A device ID of three letters and four hexadecimal digits, such as "PNP0A03". */
void v3_aml_eisa_id(struct v3_aml *aml, const char *id);

/** @name Resource descriptors (ACPI 6.3, 6.4), only within v3_aml_resources()
 * @{ */
void v3_aml_io_ports(struct v3_aml *aml, uint16_t first, uint8_t count);
/** An edge-triggered, active-high interrupt. */
void v3_aml_irq(struct v3_aml *aml, unsigned int irq);
void v3_aml_bus_range(struct v3_aml *aml, uint16_t first, uint16_t last);
void v3_aml_io_range(struct v3_aml *aml, uint16_t first, uint16_t last);
void v3_aml_memory_range(struct v3_aml *aml, uint32_t first, uint32_t last);
/** @} */

#endif
