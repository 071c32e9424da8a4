# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Builds the initramfs of the lab as a directory tree and packs it. Sourced after common.sh and
# kernel.sh.

# v3_tree_base DIR INIT - busybox, and INIT as the first process, which makes links of its names.
v3_tree_base()
{
	local dir=$1 busybox

	mkdir -p "$dir"/{bin,dev,proc,sys,tmp,root,run,etc,lib,lib64,usr,lab}
	busybox=$(command -v busybox)
	! ldd "$busybox" >/dev/null 2>&1 ||
		v3_die 121 "$busybox is not static: the package busybox-static is needed"
	cp -L "$busybox" "$dir/bin/busybox"
	ln -s bin "$dir/sbin"
	ln -s busybox "$dir/bin/sh"
	install -m 755 "$2" "$dir/init"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/etc/passwd"
	echo 'root:x:0:' >"$dir/etc/group"
}

v3_is_elf() { [ -f "$1" ] && [ "$(head -c 4 "$1" | od -A n -t x1 | tr -d ' ')" = 7f454c46 ]; }

# v3_tree_libraries DIR FILE - the shared libraries of FILE, if it is a dynamic program, at the
# paths where the loader found them here.
v3_tree_libraries()
{
	local dir=$1 file=$2 list lib

	v3_is_elf "$file" || return 0
	# ldd fails for a static program and for one of another system
	list=$(ldd "$file" 2>/dev/null) || return 0
	case $list in
	*"not found"*) v3_die 121 "$file lacks a shared library: $(grep 'not found' <<<"$list")" ;;
	esac
	sed -n 's/.*\(=> \|^[[:space:]]*\)\(\/[^ ]*\) (0x.*/\2/p' <<<"$list" |
		while read -r lib; do
			[ -e "$dir$lib" ] || install -D -m 755 "$lib" "$dir$lib"
		done
}

# v3_tree_add DIR FILE [DEST] - a file or folder, into /lab if no place is given.
v3_tree_add()
{
	local dir=$1 file=$2 dest=${3:-/lab/${2##*/}}

	[ -e "$file" ] || v3_die 121 "--add: there is no '$file'"
	case $dest in
	*/) dest=$dest${file##*/} ;;
	esac
	case $dest in
	/*) ;;
	*) v3_die 121 "--add: the place '$dest' is not an absolute path" ;;
	esac
	mkdir -p "$dir${dest%/*}"
	if [ -d "$file" ]; then
		mkdir -p "$dir$dest"
		cp -RL "$file/." "$dir$dest"
	else
		cp -L "$file" "$dir$dest"
		v3_tree_libraries "$dir" "$file"
	fi
}

# v3_tree_modules DIR MODULES KVER NAME... - kernel modules with all they need, decompressed, and
# an index of them, so that modprobe NAME works inside.
v3_tree_modules()
{
	local dir=$1 modules=$2 kver=$3 file to

	shift 3
	to=$dir/lib/modules/$kver
	mkdir -p "$to"
	for file in $(v3_kernel_module_files "$modules" "$@"); do
		mkdir -p "$to/${file%/*}"
		case $file in
		*.xz) xz -dc "$modules/$file" >"$to/${file%.xz}" ;;
		*.zst) zstd -qdc "$modules/$file" >"$to/${file%.zst}" ;;
		*) cp "$modules/$file" "$to/$file" ;;
		esac
	done
	cp "$modules"/modules.{order,builtin,builtin.modinfo} "$to/"
	depmod -b "$dir" "$kver"
}

# v3_tree_strip DIR - takes out of the kernel modules what only debuggers read: it is most of them.
v3_tree_strip()
{
	find "$1/lib/modules" -name '*.ko' -exec strip --strip-debug {} + 2>/dev/null ||
		[ ! -d "$1/lib/modules" ] || v3_die 121 "strip failed for the kernel modules"
}

# v3_tree_kvm DIR - Debian's QEMU and the firmware that a guest without disk and display needs,
# to measure KVM as a peer inside the lab.
v3_tree_kvm()
{
	local dir=$1 file qemu

	qemu=$(command -v qemu-system-x86_64)
	v3_tree_add "$dir" "$qemu" /bin/qemu-system-x86_64
	mkdir -p "$dir/usr/share/qemu"
	for file in bios-256k.bin kvmvapic.bin linuxboot.bin linuxboot_dma.bin multiboot.bin \
			multiboot_dma.bin pvh.bin; do
		cp -L "$(v3_qemu_firmware "$file")" "$dir/usr/share/qemu/$file"
	done
}

v3_qemu_firmware()
{
	local dir

	for dir in /usr/share/qemu /usr/share/seabios /usr/lib/ipxe/qemu; do
		if [ -e "$dir/$1" ]; then
			printf '%s/%s' "$dir" "$1"
			return
		fi
	done
	v3_die 121 "QEMU's firmware file $1 is not on this machine (package qemu-system-data)"
}

# v3_tree_pack DIR FILE - as the kernel wants it: newc, owned by root, the same bytes each time.
v3_tree_pack()
{
	find "$1" -mindepth 1 -exec touch -h -d @0 {} +
	(cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc --owner=+0:+0 --reproducible) >"$2"
}
