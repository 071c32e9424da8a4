#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: check_files.sh REPOSITORY
# What holds for every file: a license line among its first five (the license itself, JSON, and data
# have no room for one), at most 800 lines of code, and a README.md in each folder of sources.
set -euo pipefail
cd "$1"

# What git knows or would take; without git everything but builds.
list() {
	git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
		find . -type f -not -path './build/*' -not -path './.git/*' -printf '%P\0'
}

mapfile -d '' -t files < <(list)
checked=()
for file in "${files[@]}"; do
	case $file in
	LICENSE | *.json | */corpus/*/* | */packages.txt) continue ;;
	esac
	# A file that was removed may still be in the index.
	[ ! -f "$file" ] || checked+=("./$file")
done
if [ ${#checked[@]} -eq 0 ]; then
	echo "$1: no files found" >&2
	exit 1
fi

# shellcheck disable=SC2016 # awk's own variables
printf '%s\0' "${checked[@]}" | xargs -0 -n 100000 awk -v longest=800 '
	FNR <= 5 && /SPDX-License-Identifier: / { licensed[FILENAME] = 1 }
	{ lines[FILENAME] = FNR }
	function complain(file, what) {
		print substr(file, 3) ": " what > "/dev/stderr"
		bad = 1
	}
	END {
		for (i = 1; i < ARGC; i++) {
			file = ARGV[i]
			folder = file
			sub("/[^/]*$", "", folder)
			if (!licensed[file])
				complain(file, "no SPDX-License-Identifier in the first five lines")
			if (file ~ /\/README\.md$/)
				described[folder] = 1
			if (file !~ /\.(c|h|S|sh)$/)
				continue
			sources[folder] = 1
			if (lines[file] > longest)
				complain(file, "over " longest " lines: split it")
		}
		for (folder in sources)
			if (!described[folder])
				complain(folder, "sources without a README.md")
		exit bad
	}'
