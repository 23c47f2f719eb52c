#!/usr/bin/env bats
# x-stack.idle: a service that nobody is connected to sleeps; the first connection to its port starts it.
load lib

is_asleep() { # NAME
	stack ps --format '{{.Name}} {{.Status}}' | grep -q "^$1 Asleep"
}

get() { # PORT
	curl -sS --max-time 20 "http://127.0.0.1:$1/"
}

web() { # AFTER [MORE LINES OF THE SERVICE]
	cat <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'mkdir -p /w; echo served >/w/index.html; exec httpd -f -p 80 -h /w'
		    stop_signal: SIGKILL
		    restart: always
		    ports: ["127.0.0.1:8080:80"]
		    x-stack: { idle: { after: $1 } }
		${2:-}
	END
}

events() { # SERVICE
	jq -r --arg service "$1" 'select(.service == $service) | .event' "$STACK_ROOT/projects/$P/events.jsonl"
}

@test "it sleeps when nobody is connected, and the first connection gets its answer" {
	web 1s | compose
	up
	[ "$(get 8080)" = served ]
	eventually 20 is_asleep "$P-web-1"
	is exited "$P-web-1"
	run stack ps
	has "Asleep" "127.0.0.1:8080->80/tcp"
	run stack ls
	has "asleep(1)"
	run stack why web
	has "sleeps since" "the next connection to a published port starts it"
	run stack status
	has "asleep"
	supervisor=$(supervisor_pid)
	[ "$supervisor" -gt 0 ]
	[ "$(get 8080)" = served ]
	is running "$P-web-1"
	[ "$(events web | grep -xc wake)" = 1 ]
	# and again: ten at once
	eventually 20 is_asleep "$P-web-1"
	for i in 1 2 3 4 5 6 7 8 9 10; do get 8080 >"got.$i" & pids="${pids:-} $!"; done
	for pid in $pids; do wait "$pid"; done
	[ "$(cat got.* | grep -xc served)" = 10 ]
	[ "$(events web | grep -xc wake)" = 2 ]
	# awake, connections see the client again: the normal path is there
	eventually 10 nft_has_port 8080
	[ "$(supervisor_pid)" = "$supervisor" ]
}

nft_has_port() {
	nft list ruleset | grep -q "127.0.0.1 . tcp . $1\|127.0.0.1 . $1\|$1 : "
}

@test "an open connection keeps it awake, and so do visits that are shorter than a look" {
	web 1s | compose
	up
	eventually 10 get 8080
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		get 8080 >/dev/null
		sleep 0.3
	done
	run ! is_asleep "$P-web-1"
	[ "$(events web | grep -xc sleep)" = 0 ]
	exec 7<>/dev/tcp/127.0.0.1/8080
	never 3 is_asleep "$P-web-1"
	exec 7>&-
	eventually 150 is_asleep "$P-web-1"
}

@test "stop and start by hand, restart, up and down while it sleeps" {
	web 1s | compose
	up
	eventually 20 is_asleep "$P-web-1"
	up # as the file says: it may sleep on
	is_asleep "$P-web-1"
	run stack stop web
	[ "$status" -eq 0 ]
	run ! is_asleep "$P-web-1"
	run get 8080
	[ "$status" -eq 7 ] # refused, as of any stopped service
	is exited "$P-web-1"
	stack start web
	is running "$P-web-1"
	eventually 10 get 8080
	eventually 20 is_asleep "$P-web-1"
	stack restart web
	is running "$P-web-1"
	eventually 10 get 8080
	eventually 20 is_asleep "$P-web-1"
	stack start web
	is running "$P-web-1"
	eventually 10 get 8080
	eventually 20 is_asleep "$P-web-1"
	stack down
	run stack ps -a -q
	[ -z "$output" ]
}

@test "a supervisor that dies while it sleeps: the next one still hears who comes" {
	web 1s | compose
	up
	eventually 20 is_asleep "$P-web-1"
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 10 is_gone "$former"
	get 8080 >got & client=$! # waits in the kernel
	sleep 0.3
	stack up -d
	wait "$client"
	[ "$(cat got)" = served ]
	is running "$P-web-1"
}

@test "a newcomer that depends on it wakes it; readiness counts before anybody is let in" {
	web 2s "    healthcheck: { x-stack: { http: 'http://:80/' }, interval: 300ms }" >app.yml
	cat >>app.yml <<-END
		  after:
		    image: $REGISTRY/busybox:1
		    command: wget -qO- http://web/
		    profiles: [late]
		    depends_on: { web: { condition: service_healthy } }
	END
	up
	eventually 20 is_asleep "$P-web-1"
	run stack --profile late up -d after
	[ "$status" -eq 0 ]
	eventually 10 is exited "$P-after-1"
	[ "$(exit_code_of "$P-after-1")" = 0 ]
	[ "$(get 8080)" = served ]
}

@test "a datagram wakes it and is answered, and so does the loopback of IPv6" {
	cc -O -static -o udp_echo "$ROOT/tests/e2e/udp_echo.c"
	compose <<-END
		services:
		  echo:
		    image: $REGISTRY/busybox:1
		    command: sh -c '/udp_echo & exec nc -ll -p 7 -e cat'
		    stop_signal: SIGKILL
		    volumes: ["./udp_echo:/udp_echo:ro"]
		    ports: ["8007:7/udp", "8007:7"]
		    x-stack: { idle: { after: 1s } }
	END
	up
	eventually 20 is_asleep "$P-echo-1"
	run timeout 20 bash -c 'exec 7<>/dev/tcp/::1/8007; echo hello >&7; read -r line <&7; echo "$line"'
	[ "$output" = hello ]
	is running "$P-echo-1"
	eventually 20 is_asleep "$P-echo-1"
	run ./udp_echo 127.0.0.1 8007
	[ "$output" = hello ]
	is running "$P-echo-1"
	[ "$(events echo | grep -xc wake)" = 2 ]
	# awake: the rules are back, datagrams go straight to the container
	[ "$(./udp_echo 127.0.0.1 8007)" = hello ]
}

@test "what cannot work is told" {
	web 1s >app.yml
	sed -i '/ports:/d' app.yml
	run up
	[ "$status" -eq 1 ]
	has "service web: x-stack.idle: connections to published ports start the service again: give it ports"
	web 0s >app.yml
	run up
	[ "$status" -eq 1 ]
	has "x-stack.idle: after is a duration above 0"
}
