#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check_includes.sh must pass a good tree and find each kind of violation.
set -euo pipefail
check=$(dirname "$(realpath "$0")")/check_includes.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

# expect good|bad FILE TEXT: a tree with nothing but FILE, holding TEXT.
expect() {
	local want=$1 file=$2 text=$3 got=good
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/src/core" "$tmp/tree/include/v3" "$tmp/tree/$(dirname "$file")"
	printf '%s\n' "$text" >"$tmp/tree/$file"
	"$check" "$tmp/tree" >"$tmp/out" 2>&1 || got=bad
	if [[ $got != "$want" ]]; then
		echo "error: $file with '$text' was taken as $got:" >&2
		cat "$tmp/out" >&2
		failed=1
	fi
}

expect good src/core/a.c '#include "paging/nested.h"'
expect good src/core/a.c '#include <v3/v3.h>'
expect good src/core/a.c '#include <stdint.h>'
expect good src/svm/a.c '#include "core/arch_ops.h"'
expect good src/devices/pci/a.c '#include "core/intr.h"'
expect bad src/x86/a.c '#include "lib/bits.h"'
expect bad src/lib/a.c '#include "core/vm.h"'
expect bad src/paging/a.c '#include "emul/decode.h"'
expect bad src/emul/a.h '#include "core/vm.h"'
expect bad src/core/a.c '#include "svm/vmcb.h"'
expect bad src/core/a.c '#include "devices/lapic.h"'
expect bad src/svm/a.c '#include "core/intr.h"'
expect bad src/vmx/a.c '#include "svm/vmcb.h"'
expect bad src/loader/a.c '#include "devices/lapic.h"'
expect bad src/core/a.c '#include "../svm/vmcb.h"'
expect bad src/core/a.c '#include <string.h>'
expect bad src/core/a.c '#	include <linux/mm.h>'
expect bad src/core/a.c '#ifdef __linux__'
expect bad src/core/a.c '#if defined(__KERNEL__)'
expect bad src/core/a.c '#include HEADER'
expect bad src/other/a.c '#include "x86/cr.h"'
expect bad include/v3/a.h '#include "core/vm.h"'
expect bad include/v3/a.h '#include <stdio.h>'
exit $failed
