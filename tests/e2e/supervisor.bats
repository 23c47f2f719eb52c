#!/usr/bin/env bats
# What lives on when a process of ours dies.
load lib

service() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begins; sleep 1000'
		    restart: always
		    stop_signal: SIGKILL
		  plain:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
}

@test "a killed supervisor leaves the containers alone, and the next up adopts them" {
	service
	up
	web=$(pid_of "$P-web-1") plain=$(pid_of "$P-plain-1") former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 5 is_gone "$former"
	kill -0 "$web"
	kill -0 "$plain"
	run stack ps
	[ "$status" -eq 0 ]
	has "$P-web-1" "$P-plain-1" Up
	run stack logs web
	has begins
	[ "$(stack exec -T web echo inside)" = inside ]
	run up
	[ "$status" -eq 0 ]
	[ "$(pid_of "$P-web-1")" = "$web" ]
	[ "$(pid_of "$P-plain-1")" = "$plain" ]
	[ "$(supervisor_pid)" != "$former" ]
	# and it keeps what it adopted
	begun=$(started_at "$P-web-1")
	kill -KILL "$web"
	eventually 10 restarted_since "$P-web-1" "$begun"
}

@test "a container that ended while nobody watched is found and restarted" {
	service
	up
	web=$(pid_of "$P-web-1") begun=$(started_at "$P-web-1") former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 5 is_gone "$former"
	kill -KILL "$web"
	eventually 5 is_gone "$web"
	up
	eventually 10 restarted_since "$P-web-1" "$begun"
}

# Monitors of the project's supervisor, and whoever has the given name.
monitors_of() {
	local stat words
	for stat in /proc/[0-9]*/stat; do
		words=$(tr '\0' ' ' <"${stat%stat}cmdline" 2>/dev/null) || continue
		[[ $words == "stack-runtime monitor "* ]] || continue
		[ "$(sed 's/.*) . //' "$stat" | cut -d' ' -f1)" = "$1" ] && echo "${words% }"
	done
}

nobody_is_called() {
	! grep -qx "$1" /proc/[0-9]*/comm 2>/dev/null
}

@test "containers that start together have monitors that are the supervisor's own, and no nursery stays" {
	compose <<-END
		services:
		  many:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    restart: always
		    stop_signal: SIGKILL
		    deploy: { replicas: 6 }
	END
	up
	eventually 10 nobody_is_called stack-nursery
	former=$(supervisor_pid)
	[ "$(monitors_of "$former" | sort -u | wc -l)" -eq 6 ]
	pid=$(pid_of "$P-many-3") begun=$(started_at "$P-many-3")
	kill -KILL "$pid"
	eventually 10 restarted_since "$P-many-3" "$begun"
	# They outlive their supervisor, and the next one finds them by their words.
	pid=$(pid_of "$P-many-5")
	kill -KILL "$former"
	eventually 5 is_gone "$former"
	up
	[ "$(pid_of "$P-many-5")" = "$pid" ]
}

@test "a killed monitor ends its container with 137, the reason is told, and policy decides" {
	service
	up
	web=$(pid_of "$P-web-1") begun=$(started_at "$P-web-1")
	plain=$(pid_of "$P-plain-1")
	kill -KILL "$(monitor_pid "$P-web-1")"
	eventually 10 is_gone "$web"
	eventually 10 restarted_since "$P-web-1" "$begun"
	kill -KILL "$(monitor_pid "$P-plain-1")"
	eventually 10 is_gone "$plain"
	eventually 5 is exited "$P-plain-1"
	[ "$(exit_code_of "$P-plain-1")" = 137 ]
	grep '"service":"plain"' "$STACK_ROOT/projects/$P/events.jsonl" | grep -q monitor
}

@test "down works without a living supervisor" {
	service
	up
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 5 is_gone "$former"
	run stack down
	[ "$status" -eq 0 ]
	[ -z "$(names)" ]
}

@test "the supervisor ends by itself when nothing is left" {
	service
	up
	former=$(supervisor_pid)
	stack down
	eventually 10 is_gone "$former"
}

@test "a change while another runs waits, and down overtakes" {
	compose <<-END
		services:
		  slow:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    healthcheck: { test: "false", interval: 1s, retries: 100, start_period: 60s }
		  after:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    depends_on: { slow: { condition: service_healthy } }
	END
	stack up -d >out 2>&1 &
	job=$!
	eventually 10 is running "$P-slow-1"
	run stack down -t 0
	[ "$status" -eq 0 ]
	status=0
	wait $job || status=$?
	[ "$status" -ne 0 ]
	[ -z "$(names)" ]
}

@test "up of one service leaves the others in force: restart, start and a successor know them" {
	compose <<-END
		services:
		  a: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL }
		  b:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: always
		    networks: [ other ]
		  tool: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL, profiles: [ tools ] }
		networks: { other: {} }
	END
	stack --profile tools up -d
	up a
	run stack plan
	[ "$status" -eq 0 ]
	begun=$(started_at "$P-b-1")
	stack restart b
	[ "$(started_at "$P-b-1")" != "$begun" ]
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 10 is_gone "$former"
	unset COMPOSE_FILE
	stack restart tool b
	is running "$P-b-1"
	is running "$P-tool-1"
	stack stop
	stack start
	is running "$P-tool-1"
}
