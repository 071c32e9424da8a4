/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF kernels and bzImages: good ones, each kind of damage, and a differential test of the
 * segment list against a reader of its own that does without libelf.
 */
#include "cli_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build_image.h"
#include "bzimage.h"
#include "image.h"
#include "multiboot.h"

static struct test_elf elf;
static struct v3_elf_image image;
static struct v3_msg msg;

static int parse(void)
{
	msg.text[0] = 0;
	return v3_elf_parse(&elf, sizeof(elf), &image, &msg);
}

static void refuse(const char *why)
{
	assert_int_equal(parse(), -1);
	assert_has(msg.text, why);
	test_elf_build(&elf);
}

static void test_elf_good(void **state)
{
	test_elf_build(&elf);
	assert_int_equal(parse(), 0);
	assert_int_equal(image.count, 2);
	assert_true(image.entry == 0x100010);
	assert_true(image.end == 0x203000);
	assert_true(image.segments[0].gpa == 0x100000 && image.segments[0].offset == 0x1000 &&
		    image.segments[0].file_size == 0x1000 && image.segments[0].mem_size == 0x1000);
	assert_true(image.segments[1].gpa == 0x200000 && image.segments[1].offset == 0x2000 &&
		    image.segments[1].file_size == 0x800 && image.segments[1].mem_size == 0x3000);

	/* Loaded to its physical addresses. */
	elf.phdr[0].p_vaddr = 0xFFFFFFFF80100000;
	assert_int_equal(parse(), 0);
	assert_true(image.segments[0].gpa == 0x100000);

	/* Nothing to load, and only zeros. */
	elf.phdr[1].p_filesz = elf.phdr[1].p_memsz = 0;
	assert_int_equal(parse(), 0);
	assert_int_equal(image.count, 1);
	elf.phdr[1].p_memsz = 0x100;
	assert_int_equal(parse(), 0);
	assert_int_equal(image.count, 2);
}

static void test_elf_header(void **state)
{
	test_elf_build(&elf);
	elf.ehdr.e_ident[EI_CLASS] = ELFCLASS32;
	refuse("32-bit ELF");
	elf.ehdr.e_ident[EI_CLASS] = 7;
	refuse("");
	elf.ehdr.e_machine = EM_AARCH64;
	refuse("another machine (e_machine 183)");
	elf.ehdr.e_ident[EI_DATA] = ELFDATA2MSB;
	refuse("");
	elf.ehdr.e_type = ET_DYN;
	refuse("ET_DYN");
	elf.ehdr.e_type = ET_REL;
	refuse("ET_REL");
	elf.ehdr.e_type = ET_CORE;
	refuse("ELF type is 4");
	elf.ehdr.e_phnum = 0;
	refuse("no segment to load");
	elf.ehdr.e_phoff = UINT64_MAX;
	refuse("");
	elf.ehdr.e_phoff = sizeof(elf) - 8;
	refuse("");
	elf.ehdr.e_phnum = 60000;
	refuse("");
	elf.ehdr.e_entry = 0x101000;
	refuse("entry point 0x101000");
	elf.ehdr.e_entry = 0xFFFFF;
	refuse("not in any segment");
	elf.ehdr.e_entry = 0x100000000;
	refuse("not below 4 GiB");
	assert_int_equal(parse(), 0);
}

static void test_elf_segments(void **state)
{
	test_elf_build(&elf);
	elf.phdr[1].p_filesz = 0x3001;
	refuse("only 0x3000 in memory");
	elf.phdr[1].p_filesz = 0x801;
	refuse("are not in the file");
	elf.phdr[1].p_offset = UINT64_MAX - 0xFFF;
	refuse("are not in the file");
	elf.phdr[1].p_memsz = UINT64_MAX - 0x1000;
	refuse("wraps around");
	elf.phdr[1].p_align = 0x1800;
	refuse("not a power of two");
	elf.phdr[1].p_align = 0x4000;
	refuse("differ modulo");
	elf.phdr[1].p_paddr = 0x100FFF;
	refuse("overlap");
	elf.phdr[1].p_paddr = 0xFE000;
	refuse("overlap");
	elf.phdr[1].p_type = PT_INTERP;
	refuse("dynamically linked");
	elf.phdr[1].p_type = PT_DYNAMIC;
	refuse("dynamically linked");
	elf.phdr[0].p_type = elf.phdr[1].p_type = PT_NOTE;
	refuse("no segment to load");
	/* Right behind each other is no overlap. */
	elf.phdr[1].p_paddr = 0x101000;
	assert_int_equal(parse(), 0);
}

static void test_elf_many(void **state)
{
	struct {
		Elf64_Ehdr ehdr;
		Elf64_Phdr phdr[V3_MAX_SEGMENTS + 1];
	} many;
	unsigned int i;

	test_elf_build(&elf);
	many.ehdr = elf.ehdr;
	for (i = 0; i <= V3_MAX_SEGMENTS; i++) {
		many.phdr[i] = elf.phdr[0];
		many.phdr[i].p_filesz = 0;
		many.phdr[i].p_paddr += 0x1000ull * i;
	}
	many.ehdr.e_phnum = V3_MAX_SEGMENTS;
	/* An empty segment does not care where in the file it is, as long as that exists. */
	for (i = 0; i <= V3_MAX_SEGMENTS; i++)
		many.phdr[i].p_offset = 0;
	assert_int_equal(v3_elf_parse(&many, sizeof(many), &image, &msg), 0);
	assert_int_equal(image.count, V3_MAX_SEGMENTS);
	many.ehdr.e_phnum++;
	assert_int_equal(v3_elf_parse(&many, sizeof(many), &image, &msg), -1);
	assert_has(msg.text, "more than 16 segments");
}

/* Every truncation is refused, or gives the same list as the whole file. */
static void test_elf_truncated(void **state)
{
	struct v3_elf_image whole;
	size_t size;
	char *copy;

	test_elf_build(&elf);
	assert_int_equal(parse(), 0);
	whole = image;
	for (size = 4; size < sizeof(elf); size += size < 512 ? 1 : 97) {
		copy = malloc(size);
		memcpy(copy, &elf, size);
		if (!v3_elf_parse(copy, size, &image, &msg))
			assert_memory_equal(&image, &whole, sizeof(image));
		else
			assert_true(msg.text[0]);
		free(copy);
	}
}

/* The rules again, on the bytes. Fills a list; false if the file is to be refused. */
static bool plain_parse(const struct test_elf *in, struct v3_elf_image *out)
{
	const uint8_t *bytes = (const uint8_t *)in;
	const Elf64_Ehdr *ehdr = &in->ehdr;
	bool entry = false;
	Elf64_Phdr p;
	unsigned int i, j;

	memset(out, 0, sizeof(*out));
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) || ehdr->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr->e_ident[EI_DATA] != ELFDATA2LSB || ehdr->e_type != ET_EXEC ||
	    ehdr->e_machine != EM_X86_64)
		return false;
	if (ehdr->e_phoff > sizeof(*in) ||
	    ehdr->e_phnum * sizeof(p) > sizeof(*in) - ehdr->e_phoff)
		return false;
	for (i = 0; i < ehdr->e_phnum; i++) {
		memcpy(&p, bytes + ehdr->e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP || p.p_type == PT_DYNAMIC)
			return false;
		if (p.p_type != PT_LOAD)
			continue;
		if (p.p_filesz > p.p_memsz || p.p_offset > sizeof(*in) ||
		    p.p_filesz > sizeof(*in) - p.p_offset || p.p_paddr + p.p_memsz < p.p_paddr)
			return false;
		if (p.p_align > 1 && (__builtin_popcountll(p.p_align) != 1 ||
				      (p.p_vaddr - p.p_offset) % p.p_align))
			return false;
		if (!p.p_memsz)
			continue;
		for (j = 0; j < out->count; j++)
			if (p.p_paddr < out->segments[j].gpa + out->segments[j].mem_size &&
			    out->segments[j].gpa < p.p_paddr + p.p_memsz)
				return false;
		if (out->count == V3_MAX_SEGMENTS)
			return false;
		out->segments[out->count++] = (struct v3_segment_load){
			p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz
		};
		if (p.p_paddr + p.p_memsz > out->end)
			out->end = p.p_paddr + p.p_memsz;
		entry |= ehdr->e_entry >= p.p_paddr && ehdr->e_entry < p.p_paddr + p.p_memsz;
	}
	out->entry = ehdr->e_entry;
	return out->count && entry && ehdr->e_entry < 1ull << 32;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/*
 * Random damage to the headers: libelf's view has to be that of plain_parse(). libelf may also
 * refuse what plain_parse() does not look at: e_version, EI_VERSION, e_phentsize, and where
 * section headers are, so these are left alone.
 */
static void test_elf_differential(void **state)
{
	static const unsigned int places[] = {
		4, 5, 16, 17, 18, 19, 24, 25, 26, 27, 28, 32, 33, 34, 39, 56,
	};
	struct v3_elf_image plain;
	uint64_t seed = 12345;
	unsigned int round, hits, accepted = 0, offset;
	bool good;

	for (round = 0; round < 200000; round++) {
		test_elf_build(&elf);
		for (hits = 1 + next_random(&seed) % 3; hits > 0; hits--) {
			offset = next_random(&seed) % 8 ?
				64 + (unsigned int)(next_random(&seed) % 112) :
				places[next_random(&seed) % (sizeof(places) / sizeof(places[0]))];
			((uint8_t *)&elf)[offset] =
				next_random(&seed) % 3 ? (uint8_t)(((uint8_t *)&elf)[offset] ^
								   1u << next_random(&seed) % 8)
						       : (uint8_t)next_random(&seed);
		}
		good = plain_parse(&elf, &plain);
		if (good != !parse())
			fail_msg("round %u: plain says %d, libelf '%s'", round, good, msg.text);
		if (!good)
			continue;
		accepted++;
		assert_int_equal(image.count, plain.count);
		assert_memory_equal(image.segments, plain.segments,
				    plain.count * sizeof(plain.segments[0]));
		assert_true(image.entry == plain.entry && image.end == plain.end);
	}
	/* Both answers were seen often. */
	assert_in_range(accepted, 20000, 180000);
}

static void bz_refuse(struct test_bzimage *bz, size_t size, enum v3_linux_entry entry,
		      const char *why)
{
	msg.text[0] = 0;
	assert_true(v3_bzimage_detect(bz, size));
	assert_int_equal(v3_bzimage_check(bz, size, entry, &msg), -1);
	assert_has(msg.text, why);
	test_bzimage_build(bz);
}

static void test_bzimage(void **state)
{
	struct test_bzimage bz;

	test_bzimage_build(&bz);
	assert_true(v3_bzimage_detect(&bz, sizeof(bz)));
	assert_false(v3_bzimage_detect(&bz, 0x205));
	assert_int_equal(v3_bzimage_check(&bz, sizeof(bz), V3_LINUX_ENTRY_AUTO, &msg), 0);
	assert_int_equal(v3_bzimage_check(&bz, sizeof(bz), V3_LINUX_ENTRY_64, &msg), 0);
	assert_int_equal(v3_bzimage_check(&bz, sizeof(bz), V3_LINUX_ENTRY_32, &msg), 0);
	bz_refuse(&bz, 0x230, 0, "within its header");
	bz_refuse(&bz, sizeof(bz) - 512, 0, "cut short");
	bz_refuse(&bz, 2560, 0, "cut short");
	test_put(&bz, 0x1FE, 2, 0x1234);
	bz_refuse(&bz, sizeof(bz), 0, "0x1234");
	test_put(&bz, 0x206, 2, 0x0205);
	bz_refuse(&bz, sizeof(bz), 0, "2.05");
	test_put(&bz, 0x211, 1, 0);
	bz_refuse(&bz, sizeof(bz), 0, "zImage");
	test_put(&bz, 0x236, 2, 0);
	bz_refuse(&bz, sizeof(bz), V3_LINUX_ENTRY_64, "no 64-bit entry");
	test_put(&bz, 0x1F4, 4, 0);
	bz_refuse(&bz, sizeof(bz), 0, "empty");
	test_put(&bz, 0x1F4, 4, UINT32_MAX);
	bz_refuse(&bz, sizeof(bz), 0, "cut short");
	test_put(&bz, 0x1F1, 1, 255);
	bz_refuse(&bz, sizeof(bz), 0, "cut short");
	/* 0 setup sectors stand for 4. */
	test_put(&bz, 0x1F1, 1, 0);
	assert_int_equal(v3_bzimage_check(&bz, sizeof(bz), 0, &msg), 0);
}

static void kind(const char *name, const void *data, size_t size, enum v3_linux_entry entry,
		 const char *why)
{
	const char *path = test_file(name, data, size);
	enum v3_kernel_kind found;
	struct v3_file file;

	assert_int_equal(v3_file_map(&file, path, &msg), 0);
	assert_int_equal(v3_kernel_check(&file, entry, &found, &image, &msg), -1);
	assert_has(msg.text, path);
	assert_has(msg.text, why);
	v3_file_unmap(&file);
}

static void test_kinds(void **state)
{
	enum v3_kernel_kind found;
	struct v3_file file;

	assert_int_equal(v3_file_map(&file, test_elf_file(), &msg), 0);
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), 0);
	assert_int_equal(found, V3_KERNEL_ELF);
	assert_int_equal(v3_kernel_check(&file, V3_LINUX_ENTRY_32, &found, &image, &msg), -1);
	v3_file_unmap(&file);
	assert_int_equal(v3_file_map(&file, test_bzimage_file(), &msg), 0);
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), 0);
	assert_int_equal(found, V3_KERNEL_LINUX);
	v3_file_unmap(&file);

	kind("a.gz", "\x1F\x8B\x08", 3, 0, "gzip");
	kind("a.xz", "\xFD" "7zXZ\0", 6, 0, "xz");
	kind("a.zst", "\x28\xB5\x2F\xFD", 4, 0, "zstd");
	kind("a.cpio", "070701", 6, 0, "--initrd");
	kind("a.sh", "#!/bin/sh\n", 10, 0, "script");
	kind("a.txt", "Hello\n", 6, 0, "neither");
	kind("a.elf", "\x7f" "ELF", 4, 0, "");
	kind("one", "x", 1, 0, "neither");
}

static void test_files(void **state)
{
	struct v3_file file;

	assert_int_equal(v3_file_map(&file, test_path("nosuch"), &msg), -1);
	assert_has(msg.text, "nosuch: No such file");
	assert_int_equal(v3_file_map(&file, test_file("empty", "", 0), &msg), -1);
	assert_has(msg.text, "empty: is empty");
	assert_int_equal(v3_file_map(&file, "/tmp", &msg), -1);
	assert_has(msg.text, "is a folder");
	assert_int_equal(v3_file_map(&file, "/dev/zero", &msg), -1);
	assert_has(msg.text, "not a regular file");
	v3_file_unmap(&file);
}

/* Somebody cuts a file short while it is mapped: the process says so and ends. */
static void test_cut_short(void **state)
{
	const char *path = test_elf_file();
	char text[200] = "";
	struct v3_file file;
	int status, pipe_fds[2];
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (!pid) {
		dup2(pipe_fds[1], STDERR_FILENO);
		if (v3_file_map(&file, path, &msg) || truncate(path, 0))
			_exit(1);
		_exit(*(const volatile char *)file.data);
	}
	close(pipe_fds[1]);
	assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
	close(pipe_fds[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == V3_RUN_FAILED);
	assert_line(text, "cut short while it was read");
}

/* A header at the place that the linker would give it, at the start of the text. */
static void put_multiboot(void *file, uint32_t offset, uint32_t flags)
{
	const uint32_t header[8] = {
		0x1BADB002, flags, -(0x1BADB002 + flags), 0x100000, 0x100000, 0x101000, 0x103000,
		0x100010,
	};

	memcpy((uint8_t *)file + offset, header, flags & 1u << 16 ? 32 : 12);
}

static int multiboot(const void *data, size_t size)
{
	msg.text[0] = 0;
	return v3_multiboot_check(data, size, &image, &msg);
}

static void test_multiboot(void **state)
{
	static uint8_t flat[16384];
	unsigned int size;

	test_elf_build(&elf);
	assert_false(v3_multiboot_detect(&elf, sizeof(elf)));
	assert_int_equal(multiboot(&elf, sizeof(elf)), -1);
	assert_has(msg.text, "no multiboot header");
	put_multiboot(&elf, 0x1000, 3);
	assert_true(v3_multiboot_detect(&elf, sizeof(elf)));
	assert_int_equal(multiboot(&elf, sizeof(elf)), 0);
	assert_int_equal(image.count, 2);
	assert_true(image.entry == 0x100010 && image.end == 0x203000);
	put_multiboot(&elf, 0x1000, 0x10003);
	assert_int_equal(multiboot(&elf, sizeof(elf)), 0);
	assert_int_equal(image.count, 0);
	assert_true(image.end == 0x103000);
	/* What is wrong with the ELF file shows. */
	put_multiboot(&elf, 0x1000, 3);
	elf.ehdr.e_entry = 0;
	assert_int_equal(multiboot(&elf, sizeof(elf)), -1);
	assert_has(msg.text, "entry point");

	/* Only within the first 8 KiB, and aligned. */
	put_multiboot(flat, 8192 - 8, 3);
	assert_false(v3_multiboot_detect(flat, sizeof(flat)));
	put_multiboot(flat, 4098, 3);
	assert_false(v3_multiboot_detect(flat, sizeof(flat)));
	put_multiboot(flat, 8192 - 12, 3);
	assert_true(v3_multiboot_detect(flat, sizeof(flat)));
	assert_int_equal(multiboot(flat, sizeof(flat)), -1);
	assert_has(msg.text, "no addresses");
	memset(flat, 0, sizeof(flat));
	put_multiboot(flat, 0, 0x10003);
	for (size = 0; size < 32; size++)
		assert_int_equal(multiboot(flat, size), -1);
	assert_int_equal(multiboot(flat, 32), 0);
}

/* ELF32 for i386: as such no kernel, but with a multiboot header it is. */
static void test_multiboot_elf32(void **state)
{
	static struct {
		Elf32_Ehdr ehdr;
		Elf32_Phdr phdr;
		uint8_t text[0x1000];
	} small = {
		.ehdr = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
				       EV_CURRENT },
			  .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
			  .e_entry = 0x100004, .e_phoff = sizeof(Elf32_Ehdr),
			  .e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr),
			  .e_phnum = 1, .e_shentsize = sizeof(Elf32_Shdr) },
		.phdr = { .p_type = PT_LOAD, .p_offset = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
			  .p_vaddr = 0xC0100000, .p_paddr = 0x100000, .p_filesz = 0x1000,
			  .p_memsz = 0x2000, .p_align = 4 },
	};
	struct v3_file file = { .path = "small", .data = &small, .size = sizeof(small) };
	enum v3_kernel_kind found;

	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), -1);
	assert_has(msg.text, "32-bit ELF");
	put_multiboot(small.text, 0, 3);
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), 0);
	assert_int_equal(found, V3_KERNEL_MULTIBOOT);
	assert_int_equal(image.count, 1);
	assert_true(image.segments[0].gpa == 0x100000 && image.segments[0].mem_size == 0x2000 &&
		    image.segments[0].offset == sizeof(small) - 0x1000 &&
		    image.segments[0].file_size == 0x1000 && image.entry == 0x100004);
	/* Linked for the upper half: the entry is where its segment is loaded. */
	small.ehdr.e_entry = 0xC0100008;
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), 0);
	assert_true(image.entry == 0x100008);
	small.ehdr.e_entry = 0xC0102000;
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), -1);
	assert_has(msg.text, "entry point");
	small.ehdr.e_entry = 0x100004;
	small.ehdr.e_machine = EM_ARM;
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), -1);
	assert_has(msg.text, "not i386");
}

/* Which way a kernel with two is started. */
static void test_multiboot_choice(void **state)
{
	struct v3_file file = { .path = "k", .data = &elf, .size = sizeof(elf) };
	enum v3_kernel_kind found;

	test_elf_build(&elf);
	put_multiboot(&elf, 0x1000, 0x10003);
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), 0);
	assert_int_equal(found, V3_KERNEL_ELF);
	assert_int_equal(image.count, 2);
	assert_int_equal(v3_kernel_check_multiboot(&file, &image, &msg), 0);
	assert_int_equal(image.count, 0);
	memset(&elf, 0, SELFMAG);
	assert_int_equal(v3_kernel_check(&file, 0, &found, &image, &msg), 0);
	assert_int_equal(found, V3_KERNEL_MULTIBOOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf_good),
		cmocka_unit_test(test_elf_header),
		cmocka_unit_test(test_elf_segments),
		cmocka_unit_test(test_elf_many),
		cmocka_unit_test(test_elf_truncated),
		cmocka_unit_test(test_elf_differential),
		cmocka_unit_test(test_bzimage),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_multiboot),
		cmocka_unit_test(test_multiboot_elf32),
		cmocka_unit_test(test_multiboot_choice),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, test_cleanup);
}
