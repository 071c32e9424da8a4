#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: check_includes.sh REPOSITORY
# Direction of dependencies, by the #include lines of src/ and include/:
#   x86, lib <- paging, emul <- core <- devices, loader
#   svm, vmx see paging, emul, x86, lib and four headers of the core
# and the rules of freestanding code: only the C headers a freestanding compiler has, no #ifdef of
# an operating system. Prints each violation as file:line: reason.
set -euo pipefail
cd "$1"
bad=0

complain() {
	echo "$1:$2: $3" >&2
	bad=1
}

declare -A sees=(
	[x86]="x86" [lib]="lib x86" [paging]="paging x86 lib" [emul]="emul x86 lib"
	[core]="core x86 lib paging emul"
	[svm]="svm x86 lib paging emul" [vmx]="vmx x86 lib paging emul"
	[devices]="devices core x86 lib paging emul" [loader]="loader core x86 lib paging emul"
)

check_system() { # file line header
	case $3 in
	stdint.h | stddef.h | stdbool.h | stdarg.h | v3/*) ;;
	*) complain "$1" "$2" "<$3>: freestanding code has only stdint.h stddef.h stdbool.h stdarg.h" ;;
	esac
}

check_quoted() { # file line header folder
	local to=${3%%/*}
	# A name without a folder is a neighbor in the same folder.
	[[ $3 == */* ]] || return 0
	if [[ $3 == *..* ]]; then
		complain "$1" "$2" "\"$3\": name it by its folder, not by .."
		return 0
	fi
	[[ $4 =~ ^(svm|vmx)$ && $3 =~ ^core/(arch_ops|host|vcpu|vm)\.h$ ]] && return 0
	[[ " ${sees[$4]:-} " == *" $to "* ]] ||
		complain "$1" "$2" "\"$3\": src/$4 may include: ${sees[$4]:-nothing, it is unknown}"
}

check_file() { # file folder
	local line text
	while IFS=: read -r line text; do
		if [[ $text =~ \<([^\>]+)\> ]]; then
			check_system "$1" "$line" "${BASH_REMATCH[1]}"
		elif [[ $text =~ \"([^\"]+)\" ]]; then
			check_quoted "$1" "$line" "${BASH_REMATCH[1]}" "$2"
		else
			complain "$1" "$line" "cannot read this #include"
		fi
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$1" || true)
	while IFS=: read -r line text; do
		complain "$1" "$line" "depends on an operating system: $text"
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*(el)?if.*(__linux__|__KERNEL__|__KITTEN__|__FreeBSD__|_WIN32|__unix__)' "$1" || true)
}

while read -r file; do
	folder=${file#src/}
	check_file "$file" "${folder%%/*}"
done < <(find src -name '*.[chS]' | sort)

while read -r file; do
	while IFS=: read -r line text; do
		[[ $text =~ \"v3/|\"([a-z0-9_]+)/ ]] &&
			complain "$file" "$line" "a public header includes only <v3/...> and C headers"
	done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file" || true)
	check_file "$file" public
done < <(find include -name '*.h' | sort)

# One file of the core chooses the back end.
mapfile -t choosers < <(grep -lE 'v3_(svm|vmx)_ops' -r src/core --include='*.c' 2>/dev/null | sort)
if ((${#choosers[@]} > 1)); then
	complain "${choosers[0]}" 1 \
		"only one file of the core may name v3_svm_ops or v3_vmx_ops, not ${choosers[*]}"
fi

if ((bad == 0)); then
	echo "includes of $(find src include -name '*.[chS]' | wc -l) files follow the rules"
fi
exit $bad
