/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A checked reader of static ELF64 kernels (System V ABI, ELF-64 object file format). libv3 takes
 * segments only; hosts with a user space parse the file there.
 */
#include "host.h"

#define EI_CLASS	4
#define EI_DATA		5
#define CLASS_64	2
#define LITTLE_ENDIAN	1
#define TYPE_EXEC	2
#define MACHINE_X86_64	62
#define PT_LOAD		1

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header");
_Static_assert(sizeof(struct program_header) == 56, "ELF64 program header");

static const char *check_header(const struct elf_header *h, uint64_t size)
{
	uint64_t table = (uint64_t)h->phnum * sizeof(struct program_header);

	if (memcmp(h->ident, "\177ELF", 4))
		return "not an ELF file";
	if (h->ident[EI_CLASS] != CLASS_64 || h->ident[EI_DATA] != LITTLE_ENDIAN ||
	    h->machine != MACHINE_X86_64)
		return "not a 64-bit x86 ELF file";
	if (h->type != TYPE_EXEC)
		return "not a static executable (ET_EXEC)";
	if (h->phnum == 0 || h->phentsize != sizeof(struct program_header))
		return "no program headers, or of a size unknown";
	if (h->phoff > size || table > size - h->phoff)
		return "program headers lie outside of the file";
	return NULL;
}

static const char *check_segment(const struct program_header *p, uint64_t size)
{
	uint64_t end;

	if (p->filesz > p->memsz)
		return "a segment is larger in the file than in memory";
	if (p->offset > size || p->filesz > size - p->offset)
		return "a segment lies outside of the file";
	if (__builtin_add_overflow(p->paddr, p->memsz, &end) ||
	    __builtin_add_overflow(p->vaddr, p->memsz, &end))
		return "a segment wraps around the address space";
	return NULL;
}

const char *mh_elf_parse(const uint8_t *file, uint64_t size, struct mh_elf *elf)
{
	struct elf_header h;
	const char *error;
	bool has_entry = false;

	memset(elf, 0, sizeof(*elf));
	if (size < sizeof(h))
		return "shorter than an ELF header";
	memcpy(&h, file, sizeof(h));
	error = check_header(&h, size);
	for (unsigned int i = 0; !error && i < h.phnum; i++) {
		struct program_header p;

		memcpy(&p, file + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type != PT_LOAD || p.memsz == 0)
			continue;
		error = check_segment(&p, size);
		if (error)
			break;
		if (elf->count == V3_MAX_SEGMENTS)
			return "more segments than libv3 loads";
		elf->segment[elf->count++] = (struct v3_segment_load){
			.gpa = p.paddr, .offset = p.offset,
			.file_size = p.filesz, .mem_size = p.memsz,
		};
		/* e_entry is a virtual address, the guest starts on physical ones. */
		if (h.entry >= p.vaddr && h.entry - p.vaddr < p.memsz) {
			elf->entry = h.entry - p.vaddr + p.paddr;
			has_entry = true;
		}
	}
	if (!error && elf->count == 0)
		error = "nothing to load";
	if (!error && !has_entry)
		error = "the entry point lies in no segment";
	return error;
}
