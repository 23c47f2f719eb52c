# tests/crash/door - a supervisor that ends while a client comes: at the last moment, before and after it has the request.
# And one that dies while it renews its stack-netd.
# shellcheck shell=bash disable=SC2154 # variables of tests/crash/run

door_cases() {
	write_app 1
	record up
	judge "door: a client that comes while an idle supervisor ends is served by the next one" door_idle
	judge "door: a request that the killed supervisor did not take is sent again" door_untaken
	judge "door: one that it had taken is told and converges" door_taken
	judge "door: adoption that takes longer than the idle time does not end the supervisor" door_late
}

stopped_within() { # SECONDS
	local end=$((SECONDS + $1))
	while [ $SECONDS -lt $end ]; do
		[ -z "$(stopped_supervisor)" ] || return 0
		sleep 0.02
	done
	return 1
}

# Waits in the socket's queue, before the loop looks.
is_queued() { # CLIENT
	for _ in {1..250}; do
		grep -q "control.sock$" /proc/net/unix && [ "$(awk '/control.sock$/ { n++ } END { print n + 0 }' /proc/net/unix)" -gt 1 ] && return 0
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.02
	done
	return 1
}

door_idle() {
	local job
	before up >out 2>&1 # no supervisor of the case before
	STACK_PAUSE_AT=idle:ends stack create >out 2>&1 || fail door "the preparation failed" out || return 1
	stopped_within 30 || fail door "nothing ended idle" out || return 1
	stack up -d >out 2>&1 &
	job=$!
	is_queued "$job" || fail door "the client does not come" out || return 1
	kill -CONT "$(stopped_supervisor)"
	wait "$job" || fail door "up met the end of an idle supervisor" out || return 1
	converges up door
}

door_untaken() {
	before up >out 2>&1
	STACK_CRASH_AT=request:arrives stack up -d >out 2>&1 && { fail door "nobody was killed" out; return 1; }
	grep -q "ended before it answered" out || fail door "another error" out || return 1
	# five successors with the same end were tried, and no more
	[ "$(grep -c supervisor-started "$STACK_ROOT/projects/crash/supervisor.log")" = 6 ] || fail door "not six tries" out || return 1
	# the one that lives dies with the first request, its successor serves it
	rm -f "$STACK_RUNTIME_ROOT/projects/crash/control.sock" # of the last one that was killed
	(STACK_CRASH_AT=request:arrives stack supervisor run >/dev/null 2>&1 || true) 2>/dev/null &
	door_lives || fail door "no supervisor" || return 1
	stack up -d >out 2>&1 || fail door "the request was not sent again" out || return 1
	converges up door
}

door_lives() {
	for _ in {1..250}; do
		[ ! -S "$STACK_RUNTIME_ROOT/projects/crash/control.sock" ] || return 0
		sleep 0.02
	done
	return 1
}

door_taken() {
	before up >out 2>&1
	STACK_CRASH_AT=request:taken stack up -d >out 2>&1 && { fail door "nobody was killed" out; return 1; }
	[ "$(grep -c supervisor-started "$STACK_ROOT/projects/crash/supervisor.log")" = 1 ] || fail door "it was sent again" out || return 1
	converges up door
}

# The wait for what is idle begins when the loop does: an adoption of two seconds is none of it.
door_late() {
	local job
	before up >out 2>&1
	stack create >out 2>&1 || fail door "the preparation failed" out || return 1
	stack supervisor stop 2>/dev/null || true
	STACK_PAUSE_AT=adopt:records stack up -d >out 2>&1 &
	job=$!
	stopped_within 30 || fail door "adoption was not reached" out || return 1
	sleep 2
	kill -CONT "$(stopped_supervisor)"
	wait "$job" || fail door "up met the end of an idle supervisor" out || return 1
	[ "$(grep -c supervisor-ended "$STACK_ROOT/projects/crash/supervisor.log")" -le 2 ] || fail door "it ended before the request" || return 1
	converges up door
}

# A reload with another stack-netd in place, killed at each stage of the hand-over.
renew_cases() {
	local point
	mkdir -p bin
	cp "$STACK_BUILD"/stack "$STACK_BUILD"/stack-* bin/
	PATH=$PWD/bin:$PATH
	write_app 1
	record up
	for point in renew:started renew:fed renew:retired renew:given; do
		judge "reload $point" renew_at "$point"
	done
}

renew_at() { # POINT
	before up >out 2>&1
	STACK_CRASH_AT=$1 stack up -d >out 2>&1 || fail "$1" "the preparation failed" out || return 1
	steady=$(steady_pid)
	cp bin/stack-netd bin/netd.new
	mv bin/netd.new bin/stack-netd
	stack supervisor reload >out 2>&1 || true # its answer may die with it
	no_supervisor || fail "$1" "the supervisor was not killed there" || return 1
	stack up -d >out 2>&1 || fail "$1" "up after it failed" out || return 1
	[ "$(steady_pid)" = "$steady" ] || fail "$1" "a container was restarted" || return 1
	renew_is_over || fail "$1" "stack-netd was not renewed" || return 1
	converges up "$1"
}

renew_is_over() {
	for _ in {1..200}; do
		[ "$(pgrep -xc stack-netd)" = 1 ] &&
			[ "$(readlink "/proc/$(pgrep -x stack-netd)/exe")" = "$PWD/bin/stack-netd" ] && return 0
		sleep 0.05
	done
	pgrep -x stack-netd
	return 1
}
