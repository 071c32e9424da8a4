/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static ELF kernels by libelf. The guest starts with the low 4 GiB identity mapped, so the
 * entry point is a physical address and segments go to p_paddr. Multiboot kernels that are linked
 * for the upper half of the address space have a virtual one, as other loaders accept it.
 */
#include "elf_image.h"

#include <gelf.h>
#include <stdbool.h>

#define ENTRY_LIMIT (1ull << 32)

static int check_header(Elf *elf, GElf_Ehdr *ehdr, bool any, struct v3_msg *msg)
{
	bool is_32;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, ehdr))
		return v3_msg_set(msg, "the ELF header is damaged: %s", elf_errmsg(-1));
	is_32 = any && gelf_getclass(elf) == ELFCLASS32;
	if (gelf_getclass(elf) != ELFCLASS64 && !is_32)
		return v3_msg_set(msg,
				  "it is a 32-bit ELF file; a kernel has to be ELF64 for x86-64");
	if (ehdr->e_ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr->e_machine != (is_32 ? EM_386 : EM_X86_64))
		return v3_msg_set(
			msg, "it is an ELF file for another machine (e_machine %u), not %s",
			ehdr->e_machine, is_32 ? "i386" : "x86-64");
	if (ehdr->e_type == ET_DYN)
		return v3_msg_set(
			msg, "it is a shared object or position independent (ET_DYN); link the "
			     "kernel with -static -no-pie");
	if (ehdr->e_type == ET_REL)
		return v3_msg_set(msg, "it is an object file (ET_REL), not a linked kernel");
	if (ehdr->e_type != ET_EXEC)
		return v3_msg_set(msg, "its ELF type is %u, not an executable (ET_EXEC)",
				  ehdr->e_type);
	return 0;
}

static int check_segment(unsigned int index, const GElf_Phdr *phdr, size_t size,
			 struct v3_msg *msg)
{
	uint64_t end;

	if (phdr->p_filesz > phdr->p_memsz)
		return v3_msg_set(
			msg, "segment %u: %#llx bytes in the file, but only %#llx in memory", index,
			(unsigned long long)phdr->p_filesz, (unsigned long long)phdr->p_memsz);
	if (phdr->p_offset > size || phdr->p_filesz > size - phdr->p_offset)
		return v3_msg_set(
			msg, "segment %u: bytes %#llx+%#llx are not in the file of %#llx bytes",
			index, (unsigned long long)phdr->p_offset,
			(unsigned long long)phdr->p_filesz, (unsigned long long)size);
	if (__builtin_add_overflow(phdr->p_paddr, phdr->p_memsz, &end))
		return v3_msg_set(msg, "segment %u: %#llx+%#llx wraps around the address space",
				  index, (unsigned long long)phdr->p_paddr,
				  (unsigned long long)phdr->p_memsz);
	if (phdr->p_align > 1 && (phdr->p_align & (phdr->p_align - 1)))
		return v3_msg_set(msg, "segment %u: alignment %#llx is not a power of two", index,
				  (unsigned long long)phdr->p_align);
	if (phdr->p_align > 1 && ((phdr->p_vaddr - phdr->p_offset) & (phdr->p_align - 1)))
		return v3_msg_set(msg,
				  "segment %u: address %#llx and file position %#llx differ modulo "
				  "the alignment %#llx",
				  index, (unsigned long long)phdr->p_vaddr,
				  (unsigned long long)phdr->p_offset,
				  (unsigned long long)phdr->p_align);
	return 0;
}

static int check_overlap(const struct v3_elf_image *image, const struct v3_segment_load *segment,
			 struct v3_msg *msg)
{
	const struct v3_segment_load *other;
	unsigned int i;

	for (i = 0; i < image->count; i++) {
		other = &image->segments[i];
		if (segment->gpa < other->gpa + other->mem_size &&
		    other->gpa < segment->gpa + segment->mem_size)
			return v3_msg_set(msg, "segments at %#llx+%#llx and %#llx+%#llx overlap",
					  (unsigned long long)other->gpa,
					  (unsigned long long)other->mem_size,
					  (unsigned long long)segment->gpa,
					  (unsigned long long)segment->mem_size);
	}
	return 0;
}

static int add_segment(struct v3_elf_image *image, unsigned int index, const GElf_Phdr *phdr,
		       size_t size, struct v3_msg *msg)
{
	struct v3_segment_load segment = {
		.gpa = phdr->p_paddr,
		.offset = phdr->p_offset,
		.file_size = phdr->p_filesz,
		.mem_size = phdr->p_memsz,
	};

	if (check_segment(index, phdr, size, msg))
		return -1;
	if (!segment.mem_size)
		return 0;
	if (check_overlap(image, &segment, msg))
		return -1;
	if (image->count == V3_MAX_SEGMENTS)
		return v3_msg_set(msg, "it has more than %u segments to load", V3_MAX_SEGMENTS);
	image->segments[image->count++] = segment;
	if (image->end < segment.gpa + segment.mem_size)
		image->end = segment.gpa + segment.mem_size;
	return 0;
}

static int check_entry(const struct v3_elf_image *image, struct v3_msg *msg)
{
	const struct v3_segment_load *segment;
	unsigned int i;

	if (image->entry >= ENTRY_LIMIT)
		return v3_msg_set(
			msg,
			"its entry point %#llx is not below 4 GiB, where memory is mapped "
			"at the start",
			(unsigned long long)image->entry);
	for (i = 0; i < image->count; i++) {
		segment = &image->segments[i];
		if (image->entry >= segment->gpa && image->entry - segment->gpa < segment->mem_size)
			return 0;
	}
	return v3_msg_set(msg, "its entry point %#llx is not in any segment that is loaded",
			  (unsigned long long)image->entry);
}

/* Where an entry point that lies in the segment's virtual addresses is loaded to. */
static void translate_entry(struct v3_elf_image *image, const GElf_Ehdr *ehdr,
			    const GElf_Phdr *phdr)
{
	if (ehdr->e_entry >= phdr->p_vaddr && ehdr->e_entry - phdr->p_vaddr < phdr->p_memsz)
		image->entry = phdr->p_paddr + (ehdr->e_entry - phdr->p_vaddr);
}

static int read_segments(Elf *elf, size_t size, const GElf_Ehdr *ehdr, bool any,
			 struct v3_elf_image *image, struct v3_msg *msg)
{
	GElf_Phdr phdr;
	size_t count, i;

	if (elf_getphdrnum(elf, &count))
		return v3_msg_set(msg, "its program headers are damaged: %s", elf_errmsg(-1));
	for (i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &phdr))
			return v3_msg_set(msg, "its program header %zu is damaged: %s", i,
					  elf_errmsg(-1));
		if (phdr.p_type == PT_INTERP || phdr.p_type == PT_DYNAMIC)
			return v3_msg_set(msg,
					  "it is dynamically linked; a kernel has to be static");
		if (phdr.p_type != PT_LOAD)
			continue;
		if (add_segment(image, (unsigned int)i, &phdr, size, msg))
			return -1;
		if (any)
			translate_entry(image, ehdr, &phdr);
	}
	if (!image->count)
		return v3_msg_set(msg, "it has no segment to load (PT_LOAD)");
	return 0;
}

static int parse(const void *data, size_t size, bool any, struct v3_elf_image *image,
		 struct v3_msg *msg)
{
	GElf_Ehdr ehdr;
	Elf *elf;
	int result;

	*image = (struct v3_elf_image){ 0 };
	if (elf_version(EV_CURRENT) == EV_NONE)
		return v3_msg_set(msg, "libelf is too old: %s", elf_errmsg(-1));
	/* libelf takes a pointer to non-const, but only reads without elf_update(). */
	elf = elf_memory((char *)(uintptr_t)data, size);
	if (!elf)
		return v3_msg_set(msg, "it cannot be read as ELF: %s", elf_errmsg(-1));
	result = check_header(elf, &ehdr, any, msg);
	if (!result) {
		image->entry = ehdr.e_entry;
		result = read_segments(elf, size, &ehdr, any, image, msg);
	}
	if (!result)
		result = check_entry(image, msg);
	elf_end(elf);
	return result;
}

int v3_elf_parse(const void *data, size_t size, struct v3_elf_image *image, struct v3_msg *msg)
{
	return parse(data, size, false, image, msg);
}

int v3_elf_parse_any(const void *data, size_t size, struct v3_elf_image *image,
		     struct v3_msg *msg)
{
	return parse(data, size, true, image, msg);
}
