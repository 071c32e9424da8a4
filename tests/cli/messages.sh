#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# messages.sh V3: the real command's help, mistakes in command lines, and bad files. Needs no
# module.
set -eu

v3=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
failed=0

complain() { echo "FAILED: $*"; failed=1; }

# run STATUS TEXT ARGUMENT... - the status, and a text in the output.
run()
{
	want=$1 text=$2 status=0
	shift 2
	"$v3" "$@" >out 2>err </dev/null || status=$?
	cat out err >all
	[ "$status" = "$want" ] || complain "v3 $*: status $status instead of $want: $(cat all)"
	grep -qF -e "$text" all || complain "v3 $*: no '$text' in: $(cat all)"
}

# one_line - the last complaint was one line on stderr and nothing else.
one_line()
{
	[ ! -s out ] || complain "something on stdout: $(cat out)"
	[ "$(wc -l <err)" = 1 ] || complain "not one line: $(cat err)"
}

commands=$("$v3" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 16 ] || complain "too few commands: $commands"
for command in $commands; do
	run 0 "Usage: v3 $command" "$command" --help
	run 0 "Usage: v3 $command" help "$command"
	run 0 "v3 $command" "$command" --usage
	bad=2
	[ "$command" != run ] || bad=246
	run $bad "unrecognized option '--nosuch'" "$command" --nosuch
	run $bad "v3 $command --help" "$command" --nosuch
	run 0 "  $command " --help
done
run 0 'Commands:' help
run 0 '--initrd=FILE' run --help
run 0 '240  the guest crashed' run --help
run 0 'v3 0.1.0' version
run 0 'v3 0.1.0' --version
run 2 'a command is missing'
run 2 "there is no command 'runn'; did you mean 'run'?" runn
one_line
run 2 "there is no command 'stopp'; did you mean 'stop'?" stopp
run 2 "there is no command 'stat'; did you mean 'stats'?" stat
run 2 "there is no command 'xyz'" xyz
one_line
run 2 "there is no command 'xyz'" help xyz
run 2 'unrecognized option' --nosuch run
run 2 'one argument too many' list x
run 2 'one argument too many' version x

run 245 'nosuch: No such file' run nosuch
one_line
printf 'kernel: k\nbogus: 1\n' >bad.yaml
run 245 "bad.yaml:2:1: unknown key 'bogus'" run bad.yaml
one_line
run 1 "bad.yaml:2:1: unknown key 'bogus'" create bad.yaml
one_line
echo text >text
run 245 'text: it is neither' run text
one_line
for argument in '' --kernel=; do
	run 245 'a file name must not be empty' run "$argument"
	one_line
done
gzip -c text >text.gz
run 245 'compressed with gzip' run text.gz
run 245 'is a folder' run .
: >empty
run 245 'empty: is empty' run empty
mkfifo pipe
run 245 'not a regular file' run pipe
run 246 "'lots' is not a size" run --memory lots text
one_line
run 245 "ki??[2J" run "$(printf 'ki\n\033[2J')"
one_line

# Output that is lost is not success.
status=0
"$v3" version >/dev/full 2>err || status=$?
[ $status = 1 ] || complain "a full disk: status $status"
: >out
grep -qF 'v3: version: standard output cannot be written: No space left' err ||
	complain "a full disk: $(cat err)"
one_line

# Closed descriptors do no harm.
status=0
"$v3" run nosuch <&- >&- 2>err || status=$?
[ $status = 245 ] || complain "closed stdin and stdout: status $status"
[ "$(cat err)" = 'v3: nosuch: No such file or directory' ] || complain "closed: $(cat err)"

if [ ! -e /dev/v3 ]; then
	run 1 '/dev/v3 is not there: load the v3 module' list
	one_line
	run 1 'not loaded' doctor
	run 0 'module: not loaded' version
fi
exit $failed
