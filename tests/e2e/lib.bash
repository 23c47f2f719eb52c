# tests/e2e/lib - what every end-to-end test shares: load lib; the file's tests then run `stack` of STACK_BUILD
# against a registry of their own in a namespace of their own (tests/lib/netns), one folder per test, and nothing may
# be left behind by any of them.
#
# In a test: compose <<END (writes app.yml), up, stack ..., run (of bats), eventually SECONDS COMMAND, and the look-ups
# below. $P is the name of the test's project.

# shellcheck shell=bash disable=SC2034,SC2154 # bats and the tests use what is set here, and set what is used
bats_require_minimum_version 1.5.0
LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")/../lib" && pwd)
ROOT=$(cd "$LIB/../.." && pwd)
REGISTRY=127.0.0.1:5000
BATS_TEST_RETRIES=${E2E_RETRIES:-0}
export REGISTRY

# Once per file.
setup_file() {
	"$LIB/netns" --check
	"$LIB/registry" start
}

teardown_file() {
	"$LIB/registry" stop
}

setup() {
	[ "${BATS_TEST_TRY_NUMBER:-1}" = 1 ] || echo "# again: $BATS_TEST_DESCRIPTION" >&3
	PATH=${STACK_BUILD:?}:$PATH
	P=t$BATS_TEST_NUMBER
	cd "$BATS_TEST_TMPDIR" || return 1
	export COMPOSE_PROJECT_NAME=$P COMPOSE_FILE=app.yml
	"$LIB/leaks" snapshot "$BATS_TEST_TMPDIR/before"
}

# Whatever the test's end: all projects go, and then nothing may be there that was not before.
teardown() {
	local project
	unset COMPOSE_FILE COMPOSE_PROJECT_NAME
	for project in $(stack ls -a -q 2>/dev/null) $(ls "$STACK_ROOT/projects" 2>/dev/null); do
		stack -p "$project" down -v --remove-orphans -t 0 >/dev/null 2>&1 || true
	done
	[ -z "${CLEANUP:-}" ] || eval "$CLEANUP"
	"$LIB/leaks" compare "$BATS_TEST_TMPDIR/before" 5
}

compose() { # text on stdin
	cat >app.yml
}

up() {
	stack up -d "$@"
}

eventually() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>"$BATS_TEST_TMPDIR/last-try"; do
		if [ $SECONDS -ge $end ]; then
			echo "not within the time: $*" >&2
			cat "$BATS_TEST_TMPDIR/last-try" >&2
			return 1
		fi
		sleep 0.05
	done
}

never() { # SECONDS COMMAND...: it must not come true
	local end=$((SECONDS + $1))
	shift
	while [ $SECONDS -lt $end ]; do
		if "$@"; then
			echo "came true: $*" >&2
			return 1
		fi
		sleep 0.1
	done
}

# The words of the output must hold all of these.
has() {
	local word
	for word; do
		case $output in
		*"$word"*) ;;
		*)
			printf 'lacks: %s\n in: %s\n' "$word" "$output" >&2
			return 1
			;;
		esac
	done
}

lacks() {
	local word
	for word; do
		case $output in
		*"$word"*)
			printf 'has: %s\n in: %s\n' "$word" "$output" >&2
			return 1
			;;
		esac
	done
}

# Look-ups by container name ("$P-web-1").
field() { # NAME TEMPLATE
	stack inspect --type container --format "$2" "$1"
}

pid_of() {
	field "$1" '{{.State.Pid}}'
}

started_at() {
	field "$1" '{{.State.StartedAt}}'
}

state_of() { # NAME -> State of ps: running, exited ...
	stack ps -a --format json | jq -r --arg name "$1" 'select(.Name == $name) | .State'
}

health_of() {
	stack ps -a --format json | jq -r --arg name "$1" 'select(.Name == $name) | .Health'
}

exit_code_of() {
	stack ps -a --format json | jq -r --arg name "$1" 'select(.Name == $name) | .ExitCode'
}

is() { # STATE NAME
	[ "$(state_of "$2")" = "$1" ]
}

is_healthy() {
	[ "$(health_of "$1")" = healthy ]
}

names() { # of all containers, one line
	stack ps -a --format '{{.Name}}' | sort | tr '\n' ' '
}

restarted_since() { # NAME STARTED_AT
	local now
	now=$(started_at "$1" 2>/dev/null) && [ "$now" != "$2" ] && is running "$1"
}

supervisor_pid() {
	stack ls -a --format json | jq -r --arg name "$P" '.[] | select(.Name == $name) | .SupervisorPid'
}

# The monitor: parent of the container's init.
monitor_pid() { # NAME
	awk '{ print $4 }' "/proc/$(pid_of "$1")/stat"
}

is_gone() { # PID
	! kill -0 "$1" 2>/dev/null
}

log_has() { # SERVICE TEXT
	stack logs --no-log-prefix "$1" 2>/dev/null | grep -q -- "$2"
}

# A page by a container's own means: busybox's nc (the wget of Debian's busybox crashes).
fetch() { # PROJECT SERVICE HOST PORT
	stack -p "$1" exec -T "$2" sh -c "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 $3 $4" | grep -q '^HTTP/1.1 200'
}

answers() { # URL
	curl -s -f -o /dev/null --max-time 2 "$1"
}
