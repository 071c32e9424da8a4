#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# files.sh V3 ROOT: manual page, completion, README and help tell of the same commands, options,
# statuses and packages.
set -euo pipefail

v3=$1 cli=$2/hosts/linux/cli
failed=0
complain() { echo "FAILED: $*"; failed=1; }

commands=$("$v3" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 17 ] || complain "not even seventeen commands: $commands"
for command in $commands; do
	grep -q "^\.It Cm .*\b$command\b" "$cli/v3.1" || complain "v3.1 lacks the command $command"
	grep -q "\b$command\b" "$cli/v3.bash-completion" || complain "completion lacks $command"
done

for option in $("$v3" run --help | grep -o -- '--[a-z-]*' | sort -u); do
	case $option in
	--help | --usage) continue ;;
	esac
	name=${option#--}
	grep -q -- "Fl \(. , \)\?-$name\b" "$cli/v3.1" || complain "v3.1 lacks the option $option"
	grep -q -- "$option" "$cli/v3.bash-completion" || complain "completion lacks $option"
done

while read -r status; do
	grep -q "^\.It $status" "$cli/v3.1" || complain "v3.1 lacks the status $status"
	"$v3" run --help | grep -q "^  $status  " || complain "help lacks the status $status"
done < <(sed -n 's/^\tV3_RUN_[A-Z]* = \([0-9]*\),.*/\1/p' "$cli/cli.h")

while read -r package; do
	sed -n '/^Build needs:/,/^$/p' "$cli/README.md" | grep -q "\b$package\b" ||
		complain "README lacks $package"
done <"$cli/packages.txt"

# What the completion offers.
complete_words()
{
	# shellcheck source=/dev/null
	. "$cli/v3.bash-completion"
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_v3 2>/dev/null
	echo "${COMPREPLY[*]}"
}
[ "$(complete_words v3 res | xargs)" = 'resume reset' ] || complain "v3 res: $(complete_words v3 res)"
[ "$(complete_words v3 run --no-r)" = --no-reboot ] || complain "v3 run --no"
[ "$(complete_words v3 create --no)" = --no-take ] || complain "v3 create --no"
[ "$(complete_words v3 mem t)" = take ] || complain "v3 mem t"
[ "$(complete_words v3 mem take --o)" = --offline ] || complain "v3 mem take --o"
[ "$(complete_words v3 run --entry '')" = 'auto 32 64 multiboot' ] || complain "v3 run --entry"
[ "$(complete_words v3 help st)" = 'start stop stats' ] || complain "v3 help st"
exit $failed
