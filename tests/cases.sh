# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables are shared with what sources this
#
# What the runners of bare-metal machines share. A case is a function case_NAME, which boots a
# machine and says what it expects of it. Sourced after scripts/lib/common.sh and the cases.

# cases_options ARG... - sets "verbose" and "names". The runner's usage() tells about them.
cases_options()
{
	verbose='' names=()
	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help) usage; exit 0 ;;
		-v) verbose=1 ;;
		-*) usage >&2; exit 2 ;;
		*) names+=("$1") ;;
		esac
		shift
	done
	[ ${#names[@]} -gt 0 ] || mapfile -t names < <(declare -F | sed -n 's/^declare -f case_//p')
}

# cases_need FILE... - what was built before.
cases_need()
{
	local file

	for file; do
		[ -e "$file" ] || v3_die 1 "$file is missing: build it with" \
			"'cmake --preset release && cmake --build --preset release'"
	done
}

# expect CODE TEXT... - of the last machine: its exit code, and for each TEXT (an extended regular
# expression) a line that matches it.
expect()
{
	local want=$1 text

	shift
	[ "$code" = "$want" ] || complaint+="exit code is $code, not $want; "
	for text; do
		grep -qaE -- "$text" "$log" || complaint+="no line matches '$text'; "
	done
}

# reject TEXT... - no line of the last machine may match.
reject()
{
	local text

	for text; do
		! grep -qaE -- "$text" "$log" || complaint+="a line matches '$text'; "
	done
}

# cases_run TMPDIR - runs the cases in "names". Before each, the runner's reset_case() sets what a
# case may change to its default; the machine's output goes to "log", which show_log() prints.
cases_run()
{
	local tmp=$1 name start passed=0 failed=0

	for name in "${names[@]}"; do
		declare -F "case_$name" >/dev/null || v3_die 2 "no such case: $name"
		log=$tmp/$name.log complaint='' code=''
		reset_case
		start=$(v3_now)
		"case_$name"
		# Never welcome, whatever the case: a fault in the host, or memory that it did not get back.
		reject '^(minimal_host|own_device): (unexpected|leaked)'
		if [ -z "$complaint" ]; then
			echo "ok $name ($(v3_since "$start"))"
			passed=$((passed + 1))
		else
			echo "not ok $name ($(v3_since "$start")): ${complaint%; }"
			failed=$((failed + 1))
		fi
		[ -z "$complaint$verbose" ] || show_log | tail -n 60 | sed 's/^/    /'
	done
	printf '%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
