# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Debian's stock kernel for the lab: unpacked in the cache, never installed on the machine.
# Sourced after common.sh and packages.sh.

# v3_kernel_current PREFIX - the version that the package linux-image-PREFIXamd64 stands for now,
# for example 6.1.0-56-amd64; PREFIX is empty or a flavor with a dash.
v3_kernel_current()
{
	apt-cache depends "linux-image-${1}amd64" 2>/dev/null |
		sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p' | head -n 1
}

# v3_kernel_at_hand PREFIX - the newest kernel of that flavor in the cache, or else the newest that
# is installed, or nothing.
v3_kernel_at_hand()
{
	local other='-(cloud|rt)-amd64$'

	{
		find /boot -maxdepth 1 -name 'vmlinuz-*-amd64' -printf '%f\n' 2>/dev/null |
			sed 's/^vmlinuz-//' | sort -V
		find "$V3_CACHE/kernel" -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n' \
			2>/dev/null | sort -V
	} | if [ -n "$1" ]; then grep -e "-${1}amd64\$"; else grep -vE -e "$other"; fi | tail -n 1
}

# v3_number FILE OFFSET SIZE - a little-endian number out of a binary file.
v3_number() { od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# v3_kernel_unpack BZIMAGE ELF - the kernel proper out of a bzImage, to start it by its PVH entry:
# unpacking in the emulator costs more than booting. Linux boot protocol: setup_sects at 0x1f1,
# payload_offset at 0x248, payload_length at 0x24c; the payload's last four bytes are its size. One
# that is packed in another way, as the cloud kernel is, is used as it is: see v3_kernel_elf.
v3_kernel_unpack()
{
	local image=$1 elf=$2 at size tool

	at=$((($(v3_number "$image" 0x1f1 1) + 1) * 512 + $(v3_number "$image" 0x248 4)))
	size=$(($(v3_number "$image" 0x24c 4) - 4))
	case $(od -A n -t x1 -j $at -N 4 "$image" | tr -d ' ') in
	fd377a58) tool=xz ;;
	28b52ffd) tool=zstd ;;
	*) return 0 ;;
	esac
	$tool -dc <(tail -c +$((at + 1)) "$image" | head -c $size) >"$elf.new" ||
		v3_die 121 "$image: $tool cannot unpack it"
	mv "$elf.new" "$elf"
}

# v3_kernel_deb KVER DIR - prints the name of that kernel's package, downloaded into DIR if it has to be.
v3_kernel_deb()
{
	local kver=$1 dir=$2 deb

	deb=$(find /var/cache/apt/archives -name "linux-image-${kver}_*.deb" 2>/dev/null |
		sort -V | tail -n 1)
	if [ -z "$deb" ]; then
		v3_say "fetching Debian's kernel $kver into $V3_CACHE"
		(cd "$dir" && apt-get -q -o APT::Sandbox::User=root \
			download "linux-image-$kver" >&2) || return 1
		deb=$(find "$dir" -name '*.deb')
	fi
	printf '%s' "$deb"
}

# v3_kernel_source KVER DIR - boot/ and lib/modules/ of that kernel into DIR: from the machine, if
# it is installed or its package was downloaded, or else from the package source.
v3_kernel_source()
{
	local kver=$1 dir=$2 deb

	if [ -r "/boot/vmlinuz-$kver" ] && [ -r "/lib/modules/$kver/modules.dep" ]; then
		mkdir -p "$dir/boot" "$dir/lib/modules" &&
			cp "/boot/vmlinuz-$kver" "$dir/boot/" &&
			cp -R "/lib/modules/$kver" "$dir/lib/modules/" &&
			rm -f "$dir/lib/modules/$kver/build" "$dir/lib/modules/$kver/source"
		return
	fi
	deb=$(v3_kernel_deb "$kver" "$dir") || return 1
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" ./boot ./lib/modules
}

# v3_kernel_fetch KVER - makes sure that this kernel is in the cache.
v3_kernel_fetch()
{
	local kver=$1 dir=$V3_CACHE/kernel/$1 tmp status=0

	[ ! -e "$dir/boot/vmlinuz-$kver" ] || return 0
	mkdir -p "$V3_CACHE/kernel"
	exec 9>"$V3_CACHE/kernel/.lock"
	flock 9
	if [ ! -e "$dir/boot/vmlinuz-$kver" ]; then
		rm -rf "$V3_CACHE"/kernel/.new.*
		tmp=$(mktemp -d "$V3_CACHE/kernel/.new.XXXXXX")
		v3_kernel_source "$kver" "$tmp" && depmod -b "$tmp" "$kver" &&
			v3_kernel_unpack "$tmp/boot/vmlinuz-$kver" "$tmp/boot/vmlinux-$kver" &&
			rm -rf "$dir" "$tmp"/*.deb && chmod 755 "$tmp" && mv "$tmp" "$dir" ||
			status=1
		rm -rf "$tmp"
	fi
	exec 9>&-
	return $status
}

# v3_kernel [FLAVOR] - prints the version of a kernel that is in the cache then. V3_KERNEL_VERSION
# chooses another one than the current. FLAVOR is of Debian, such as cloud.
v3_kernel()
{
	local prefix=${1:+$1-} wanted=${V3_KERNEL_VERSION:-} kver attempt

	[ -z "$wanted" ] || wanted=${wanted%-"${prefix}amd64"}
	[ -z "$wanted" ] || wanted=${wanted%-amd64}-${prefix}amd64
	kver=$wanted
	for attempt in now updated; do
		[ "$attempt" = now ] || v3_apt_update || true
		[ -n "$kver" ] || kver=$(v3_kernel_current "$prefix")
		if [ -n "$kver" ] && (v3_kernel_fetch "$kver"); then
			printf '%s' "$kver"
			return
		fi
		# Old package lists name a kernel that has gone from the archive.
		kver=$wanted
	done
	kver=$(v3_kernel_at_hand "$prefix" || true)
	if [ -z "$kver" ] || [ -n "$wanted" ] || ! (v3_kernel_fetch "$kver"); then
		v3_die 121 "cannot fetch Debian's kernel (linux-image-${wanted:-${prefix}amd64}):" \
			"it is needed once, from the machine's package source"
	fi
	v3_say "cannot fetch Debian's current kernel: using $kver, which is at hand"
	printf '%s' "$kver"
}

# v3_kernel_flavor KVER FLAVOR - the bzImage of another flavor of that kernel, such as cloud or rt, for
# guests; prints its name.
v3_kernel_flavor()
{
	local name=${1%-amd64}-$2-amd64 dir=$V3_CACHE/flavor tmp deb

	[[ $2 =~ ^[a-z]+$ ]] || v3_die 121 "'$2' is not a flavor of Debian's kernel"
	mkdir -p "$dir"
	exec 9>"$dir/.lock"
	flock 9
	if [ ! -e "$dir/vmlinuz-$name" ]; then
		rm -rf "$dir"/.new.*
		tmp=$(mktemp -d "$dir/.new.XXXXXX")
		if ! { deb=$(v3_kernel_deb "$name" "$tmp") ||
				{ v3_apt_update && deb=$(v3_kernel_deb "$name" "$tmp"); }; } ||
				! dpkg-deb --fsys-tarfile "$deb" |
				tar -x -C "$tmp" "./boot/vmlinuz-$name"; then
			rm -rf "$tmp"
			v3_die 121 "cannot fetch Debian's kernel linux-image-$name: it is needed" \
				"once, from the machine's package source"
		fi
		mv "$tmp/boot/vmlinuz-$name" "$dir/"
		rm -rf "$tmp"
	fi
	exec 9>&-
	printf '%s' "$dir/vmlinuz-$name"
}

v3_kernel_image() { printf '%s/kernel/%s/boot/vmlinuz-%s' "$V3_CACHE" "$1" "$1"; }

# What QEMU starts: the unpacked kernel where there is one.
v3_kernel_elf()
{
	local elf=$V3_CACHE/kernel/$1/boot/vmlinux-$1

	if [ -e "$elf" ]; then
		printf '%s' "$elf"
	else
		v3_kernel_image "$1"
	fi
}

v3_kernel_modules() { printf '%s/kernel/%s/lib/modules/%s' "$V3_CACHE" "$1" "$1"; }

# v3_kernel_version FILE - the release string inside a bzImage (Linux boot protocol: the 16-bit
# offset at 0x20e, counted from 0x200).
v3_kernel_version()
{
	local at

	at=$(v3_number "$1" 0x20e 2)
	dd if="$1" bs=1 skip=$((at + 0x200)) count=128 2>/dev/null | tr '\0' '\n' |
		sed -n '1s/ .*//p'
}

# v3_kernel_module_files MODULES_DIR NAME... - the files of these modules and of all they need, in
# the order in which they have to be loaded.
v3_kernel_module_files()
{
	local dir=$1 name line want

	shift
	for name; do
		want=${name//[_-]/[_-]}
		line=$(grep -E "(^|/)$want\\.ko(\\.[a-z0-9]+)?:" "$dir/modules.dep" || true)
		[ -n "$line" ] || v3_die 121 "the kernel in $dir has no module called '$name'"
		printf '%s\n' "$line" | tr -d ':' | tr ' ' '\n' | tac
	done | awk 'NF && !seen[$0]++'
}
