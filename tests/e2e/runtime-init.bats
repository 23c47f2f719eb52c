#!/usr/bin/env bats
# init: true - process 1 hands signals on, reaps what lost its parent, and ends as the program ended.
# shellcheck disable=SC2016 # the shells inside expand
load lib

service() { # KEY: VALUE of the service...
	local line
	{
		printf 'services:\n  web:\n    image: %s\n    init: true\n' "$REGISTRY/busybox:1"
		for line; do printf '    %s\n' "$line"; done
	} >app.yml
}

inside() {
	stack exec -T web "$@"
}

zombies() {
	inside sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l'
}

no_zombies() {
	[ "$(zombies)" = 0 ]
}

@test "process 1 is small, the program its child, and orphans are reaped" {
	local private
	service "command: [sh, -c, 'exec sleep 1000']"
	up
	run inside cat /proc/1/comm
	[ "$output" = init ]
	run inside sh -c 'tr "\0" " " </proc/1/cmdline'
	[[ "$output" == "/dev/init -- "*sleep* ]]
	private=$(awk '/^Private_Dirty/ { sum += $2 } END { print sum }' "/proc/$(pid_of "$P-web-1")/smaps_rollup")
	echo "private: $private KiB"
	[ "$private" -lt 200 ]
	inside sh -c 'for n in 1 2 3 4 5; do (sleep 0.01 &); done'
	eventually 10 no_zombies
	run inside sh -c 'echo >/dev/init'
	[ "$status" -ne 0 ]
}

@test "signals reach the program, and its end is that of the container" {
	service 'command: [sh, -c, "trap \"exit 7\" TERM; trap \"echo heard\" USR1; echo ready; while :; do sleep 0.05; done"]'
	up
	eventually 30 sh -c 'stack logs web | grep -q ready' # its traps are set
	stack kill -s USR1 web
	eventually 30 sh -c 'stack logs web | grep -q heard'
	stack stop -t 30 web
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 7 ]
}

@test "a program that dies by a signal, or cannot be executed, is told by the code" {
	service 'command: [sh, -c, "kill -KILL $$$$"]'
	run stack up
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 137 ]
	stack down -t 0
	service 'command: [no-such-program]'
	run stack up
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 127 ]
	has "no-such-program"
	stack down -t 0
	service 'command: [/etc]' 'user: "1000"'
	run stack up
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 126 ]
}
