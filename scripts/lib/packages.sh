# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Debian packages that the scripts need. Nothing is done, and no network touched, when they are
# all there. Sourced after common.sh.

V3_APT_UPDATED=

# The packages of a group, one per line. The kernel headers are not here: they have to match the
# kernel of the lab, see v3_packages_headers.
v3_packages_of()
{
	case $1 in
	lab) printf '%s\n' qemu-system-x86 busybox-static cpio kmod xz-utils zstd ;;
	build)
		printf '%s\n' gcc libc6-dev make cmake ninja-build
		# the command says itself what it is built with
		grep -v '^#' "$V3_ROOT/hosts/linux/cli/packages.txt"
		;;
	unit) printf '%s\n' g++ acpica-tools libcmocka-dev libzydis-dev libzycore-dev clang libclang-rt-dev \
		gcovr shellcheck python3 ;;
	docs) printf '%s\n' doxygen graphviz ;;
	bench) printf '%s\n' python3 binutils ;;
	plot) printf '%s\n' gnuplot-nox ;;
	bochs)
		printf '%s\n' bochs bochs-term bochsbios vgabios grub-pc-bin grub-common xorriso mtools \
			binutils
		;;
	*) v3_die 121 "no package group is called '$1'" ;;
	esac
}

# v3_program_package PROGRAM - the package of a program that only some test needs.
v3_program_package()
{
	case $1 in
	perf) echo linux-perf ;;
	*) echo "$1" ;;
	esac
}

v3_package_installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

v3_as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif v3_have sudo; then
		sudo "$@"
	else
		v3_die 121 "root is needed for: $* (run that as root, then start $V3_SELF again)"
	fi
}

v3_apt()
{
	v3_as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 "$@" >&2
}

v3_apt_update()
{
	[ -z "$V3_APT_UPDATED" ] || return 0
	V3_APT_UPDATED=1
	v3_apt update
}

# v3_packages_install PACKAGE... - installs those that are missing.
v3_packages_install()
{
	local package missing=()

	for package; do
		v3_package_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	v3_have apt-get || v3_die 121 "missing packages: ${missing[*]} (and no apt-get to get them)"
	v3_say "installing: ${missing[*]}"
	v3_apt_update || v3_say "apt-get update failed; trying with the package lists as they are"
	v3_apt install --no-install-recommends "${missing[@]}" ||
		v3_die 121 "apt-get could not install: ${missing[*]}"
}

# v3_packages GROUP... - installs what is missing of these groups.
v3_packages()
{
	local group list=()

	for group; do
		mapfile -t -O ${#list[@]} list < <(v3_packages_of "$group")
		[ "$group" != lab ] || v3_qemu_newest
	done
	v3_packages_install "${list[@]}"
}

# v3_packages_headers KVER - the headers that the module for the lab's kernel is built with.
v3_packages_headers()
{
	[ -d "/lib/modules/$1/build" ] || [ -d "/usr/src/linux-headers-$1" ] ||
		v3_packages_install "linux-headers-$1"
}

# Prints 0 where there is none yet.
v3_qemu_version()
{
	if v3_have qemu-system-x86_64; then
		qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p'
	else
		echo 0
	fi
}

v3_qemu_major() { v3_qemu_version | cut -d. -f1; }

# The backports suite in the words of the machine's own source for the release: same place, same
# key, only another suite. Prints a deb822 stanza or nothing.
v3_backports_source()
{
	local codename=$1 file

	for file in /etc/apt/sources.list.d/*.sources; do
		[ -r "$file" ] || continue
		awk -v suite="$codename" '
			function flush() {
				if (types ~ /(^| )deb( |$)/ && (" " suites " ") ~ (" " suite " ") && uris)
					out = "Types: deb\nURIs: " uris "\nSuites: " suite \
						"-backports\nComponents: main\n" \
						(key ? "Signed-By:" key "\n" : "")
				types = suites = uris = key = field = ""
			}
			out { next }
			/^[ \t]*$/ { flush(); next }
			/^#/ { next }
			/^[ \t]/ { if (field == "signed-by") key = key "\n" $0; next }
			{
				field = tolower($1); sub(/:.*/, "", field)
				value = $0; sub(/^[^:]*:[ \t]*/, "", value)
				if (field == "types") types = value
				if (field == "suites") suites = value
				if (field == "uris") uris = value
				if (field == "signed-by") key = value ? " " value : ""
			}
			END { if (!out) flush(); printf "%s", out }' "$file"
	done | awk 'seen && /^Types:/ { exit } { seen = 1; print }'
}

# The same from the one-line format.
v3_backports_line()
{
	local codename=$1

	find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -type f \
		-exec cat {} + 2>/dev/null |
		awk -v suite="$codename" '
			$1 != "deb" { next }
			{
				i = 2; options = ""
				if ($2 ~ /^\[/) {
					for (; i <= NF; i++) {
						options = options $i " "
						if ($i ~ /\]$/) { i++; break }
					}
				}
				if ($(i + 1) == suite) {
					print "deb " options $i " " suite "-backports main"
					exit
				}
			}'
}

# grep reads to the end here: with -q it would end apt-cache by a signal, which pipefail reports.
v3_backports_known() { apt-cache policy | grep "n=$1-backports" >/dev/null; }

# Makes the backports suite known to apt. Fails where that cannot be done.
v3_backports_enable()
{
	local codename=$1 text file

	! v3_backports_known "$codename" || return 0
	text=$(v3_backports_source "$codename")
	file=/etc/apt/sources.list.d/libv3-backports.sources
	if [ -z "$text" ]; then
		text=$(v3_backports_line "$codename")
		file=/etc/apt/sources.list.d/libv3-backports.list
	fi
	[ -n "$text" ] || return 1
	v3_say "adding $codename-backports, as $file"
	printf '%s\n' "$text" | v3_as_root tee "$file" >/dev/null || return 1
	V3_APT_UPDATED=''
	v3_apt_update || true
	! v3_backports_known "$codename" || return 0
	v3_as_root rm -f "$file"
	return 1
}

# QEMU 7.2 has faults in its concurrent mode that 10 has not. On Debian 12 the newer one is in
# backports; it is tried for once a day, and the lab runs with 7.2 where it cannot be had.
v3_qemu_newest()
{
	local codename stamp=$V3_CACHE/backports-tried

	[ "$(v3_qemu_major)" -lt 10 ] || return 0
	# shellcheck disable=SC1091 # the machine's own file
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
	[ "$codename" = bookworm ] || return 0
	[ -z "${V3_NO_BACKPORTS:-}" ] || return 0
	v3_have apt-get || return 0
	[ -z "$(find "$stamp" -mtime -1 2>/dev/null)" ] || return 0
	mkdir -p "$V3_CACHE"
	: >"$stamp"
	if [ "$(id -u)" != 0 ] && ! { v3_have sudo && sudo -n true 2>/dev/null; }; then
		v3_say "not root: no QEMU 10 from $codename-backports, staying with Debian's 7.2"
	# Only what QEMU itself needs comes from there: a library from backports (-t would take all of
	# them) makes its development package, which is wanted later, impossible to install.
	elif v3_backports_enable "$codename" &&
		v3_apt install --no-install-recommends \
			"qemu-system-x86/$codename-backports" "qemu-system-common/$codename-backports" \
			"qemu-system-data/$codename-backports" "seabios/$codename-backports"; then
		v3_say "QEMU $(v3_qemu_version) installed from $codename-backports"
	else
		v3_say "QEMU 10 cannot be had from $codename-backports here: falling back to" \
			"QEMU 7.2, without concurrency tests"
	fi
}
