/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of a guest. They are mapped, not read: the module copies straight from the page cache.
 */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bzimage.h"
#include "multiboot.h"

/* A mapped file that somebody cuts short while we read it. */
static void on_sigbus(int signal)
{
	static const char text[] = "v3: a file of the guest was cut short while it was read\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(V3_RUN_FAILED);
	_exit(V3_RUN_FAILED);
}

static void catch_sigbus(void)
{
	struct sigaction action = { .sa_handler = on_sigbus };

	sigaction(SIGBUS, &action, NULL);
}

static int map_fd(struct v3_file *file, int fd, struct v3_msg *msg)
{
	struct stat st;
	void *data;

	if (fstat(fd, &st))
		return v3_msg_set(msg, "%s: %s", v3_printable(file->path), strerror(errno));
	if (S_ISDIR(st.st_mode))
		return v3_msg_set(msg, "%s: is a folder, not a file", v3_printable(file->path));
	if (!S_ISREG(st.st_mode))
		return v3_msg_set(msg, "%s: is not a regular file", v3_printable(file->path));
	if (st.st_size <= 0)
		return v3_msg_set(msg, "%s: is empty", v3_printable(file->path));
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return v3_msg_set(msg, "%s: cannot be mapped: %s", v3_printable(file->path),
				  strerror(errno));
	file->data = data;
	file->size = (size_t)st.st_size;
	return 0;
}

int v3_file_map(struct v3_file *file, const char *path, struct v3_msg *msg)
{
	int result, fd;

	*file = (struct v3_file){ .path = path };
	if (!*path)
		return v3_msg_set(msg, "a file name must not be empty");
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return v3_msg_set(msg, "%s: %s", v3_printable(path), strerror(errno));
	catch_sigbus();
	result = map_fd(file, fd, msg);
	close(fd);
	return result;
}

void v3_file_unmap(struct v3_file *file)
{
	if (file->data)
		munmap((void *)(uintptr_t)file->data, file->size);
	file->data = NULL;
	file->size = 0;
}

/* Says what a file that is no kernel seems to be. */
static int guess(const struct v3_file *file, struct v3_msg *msg)
{
	static const struct {
		unsigned int offset, len;
		const char *magic;
		/* Of a compression, or else text. */
		const char *name, *text;
	} known[] = {
		{ 0, 2, "\x1F\x8B", "gzip", NULL },
		{ 0, 4, "\xFD\x37zX", "xz", NULL },
		{ 0, 4, "\x28\xB5\x2F\xFD", "zstd", NULL },
		{ 0, 3, "BZh", "bzip2", NULL },
		{ 0, 4, "\x02\x21\x4C\x18", "lz4", NULL },
		{ 0, 4, "\x89LZO", "lzop", NULL },
		{ 0, 6, "070701", NULL, "it is a cpio archive; give it with --initrd" },
		{ 56, 4, "ARM\x64", NULL, "it is a Linux kernel for arm64, not x86-64" },
		{ 0, 2, "MZ", NULL, "it is a PE program without a Linux setup header" },
		{ 0, 2, "#!", NULL, "it is a script" },
	};
	const char *bytes = file->data;
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (file->size < known[i].offset + known[i].len ||
		    memcmp(bytes + known[i].offset, known[i].magic, known[i].len))
			continue;
		if (known[i].text)
			return v3_msg_set(msg, "%s", known[i].text);
		return v3_msg_set(msg, "it is compressed with %s; uncompress it, or give the "
				       "vmlinuz (bzImage)", known[i].name);
	}
	return v3_msg_set(msg, "it is neither a static ELF64 kernel, nor a Linux bzImage, "
			       "nor has it a multiboot header");
}

int v3_kernel_check_multiboot(const struct v3_file *file, struct v3_elf_image *elf,
			      struct v3_msg *msg)
{
	struct v3_msg why;

	if (!v3_multiboot_check(file->data, file->size, elf, &why))
		return 0;
	return v3_msg_set(msg, "%s: %s", v3_printable(file->path), why.text);
}

static bool is_elf(const struct v3_file *file, unsigned char class)
{
	const unsigned char *ident = file->data;

	return file->size >= SELFMAG && !memcmp(ident, ELFMAG, SELFMAG) &&
	       (class == ELFCLASSNONE || (file->size > EI_CLASS && ident[EI_CLASS] == class));
}

/* ELF64 kernels with both have their 64-bit entry taken. */
static bool only_multiboot(const struct v3_file *file)
{
	if (is_elf(file, ELFCLASSNONE) ? !is_elf(file, ELFCLASS32) :
					 v3_bzimage_detect(file->data, file->size))
		return false;
	return v3_multiboot_detect(file->data, file->size);
}

int v3_kernel_check(const struct v3_file *file, enum v3_linux_entry entry,
		    enum v3_kernel_kind *kind, struct v3_elf_image *elf, struct v3_msg *msg)
{
	struct v3_msg why;

	if (entry == V3_LINUX_ENTRY_AUTO && only_multiboot(file)) {
		*kind = V3_KERNEL_MULTIBOOT;
		return v3_kernel_check_multiboot(file, elf, msg);
	}
	if (is_elf(file, ELFCLASSNONE)) {
		*kind = V3_KERNEL_ELF;
		if (entry == V3_LINUX_ENTRY_32)
			return v3_msg_set(msg,
					  "%s: --entry 32 is for bzImage kernels; an ELF64 kernel "
					  "starts in 64-bit mode",
					  v3_printable(file->path));
		if (!v3_elf_parse(file->data, file->size, elf, &why))
			return 0;
	} else if (v3_bzimage_detect(file->data, file->size)) {
		*kind = V3_KERNEL_LINUX;
		if (!v3_bzimage_check(file->data, file->size, entry, &why))
			return 0;
	} else {
		guess(file, &why);
	}
	return v3_msg_set(msg, "%s: %s", v3_printable(file->path), why.text);
}
