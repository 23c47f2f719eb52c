#!/usr/bin/env bats
# Another binary in the supervisor's place, and what outlives a killed one.
load lib

value_is_gone() {
	[ -z "$(grep -rl secret-of-the-caller run || true)" ]
}

@test "reload puts the installed binary in place; containers, names and secrets stay" {
	mkdir bin run
	cp "$STACK_BUILD"/stack "$STACK_BUILD"/stack-* bin/
	PATH=$PWD/bin:$PATH
	mount -t tmpfs -o mode=700 tmpfs run
	CLEANUP="umount -l $PWD/run"
	export STACK_RUNTIME_ROOT=$PWD/run TOKEN=secret-of-the-caller
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: always
		    secrets: [token]
		  other: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL }
		secrets: { token: { environment: TOKEN } }
	END
	up
	unset TOKEN
	web=$(pid_of "$P-web-1") other=$(pid_of "$P-other-1") supervisor=$(supervisor_pid)
	# a program that does not run: refused, all goes on
	mv bin/stack bin/stack.good
	printf 'nothing to execute\n' >bin/stack
	chmod +x bin/stack
	run bin/stack.good -p "$P" supervisor reload
	[ "$status" -eq 1 ]
	[ "$(bin/stack.good -p "$P" supervisor status | jq .pid)" = "$supervisor" ]
	# another file at the same path
	cp bin/stack.good bin/stack.new
	mv bin/stack.new bin/stack
	rm bin/stack.good
	readlink "/proc/$supervisor/exe" | grep -q deleted
	stack supervisor reload
	[ "$(readlink "/proc/$supervisor/exe")" = "$PWD/bin/stack" ]
	[ "$(supervisor_pid)" = "$supervisor" ]
	[ "$(pid_of "$P-web-1")" = "$web" ]
	[ "$(pid_of "$P-other-1")" = "$other" ]
	stack exec -T web nslookup other >/dev/null
	# it watches, restarts, and knows the value that only the caller had
	began=$(started_at "$P-web-1")
	kill -KILL "$web"
	eventually 20 restarted_since "$P-web-1" "$began"
	[ "$(stack exec -T web cat /run/secrets/token)" = secret-of-the-caller ]
	# so does one that follows a killed supervisor
	kill -KILL "$supervisor"
	eventually 10 is_gone "$supervisor"
	stack restart -t 0 web
	[ "$(stack exec -T web cat /run/secrets/token)" = secret-of-the-caller ]
	[ -z "$(grep -rl secret-of-the-caller "$STACK_ROOT" || true)" ]
	stack down -t 0
	eventually 10 value_is_gone
}

@test "reload waits for a change that is on its way" {
	compose <<-END
		services:
		  slow:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 3; touch /tmp/well; sleep 1000'
		    stop_signal: SIGKILL
		    healthcheck: { test: [CMD, test, -e, /tmp/well], interval: 200ms, retries: 100 }
		  after:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    depends_on: { slow: { condition: service_healthy } }
	END
	up >out 2>&1 &
	job=$!
	eventually 10 is running "$P-slow-1"
	stack -p "$P" supervisor reload
	status=0
	wait $job || status=$?
	[ "$status" -eq 0 ]
	is running "$P-after-1"
}

netd_pid() {
	pgrep -n -x stack-netd
}

netd_is_new() { # FORMER
	local now
	now=$(netd_pid) && [ "$now" != "$1" ] && [ "$(readlink "/proc/$now/exe")" = "$PWD/bin/stack-netd" ]
}

# Descriptor 5: a connection through the relay to a program that says what it hears.
connects() {
	local line
	exec 5<>/dev/tcp/::1/8007 && echo before >&5 && read -r -t 2 line <&5 && [ "$line" = before ]
}

@test "reload renews a replaced stack-netd: no name is lost, a relayed connection goes on, ports stay" {
	mkdir bin
	cp "$STACK_BUILD"/stack "$STACK_BUILD"/stack-* bin/
	PATH=$PWD/bin:$PATH
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'httpd -p 80 -h /etc; while :; do nc -l -p 7 -e cat; done'
		    stop_signal: SIGKILL
		    ports: ["[::1]:8080:80", "[::1]:8007:7", "127.0.0.1:8081:80"]
		  asker:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'while :; do nslookup web >/dev/null || echo lost; echo asked; done'
		    stop_signal: SIGKILL
	END
	up
	former=$(netd_pid)
	eventually 20 connects
	cp bin/stack-netd bin/netd.new
	mv bin/netd.new bin/stack-netd
	stack supervisor reload
	eventually 20 netd_is_new "$former"
	# what was connected stays with the old one, what comes is the new one's
	kill -0 "$former"
	echo after >&5
	read -r -t 10 line <&5
	[ "$line" = after ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 'http://[::1]:8080/hostname')" = 200 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 10 http://127.0.0.1:8081/hostname)" = 200 ]
	asked=$(stack logs asker | grep -c asked)
	eventually 20 eval '[ "$(stack logs asker | grep -c asked)" -gt $((asked + 5)) ]'
	[ "$(stack logs asker | grep -c lost)" = 0 ]
	grep -q 'was replaced, renewed' "$STACK_ROOT/projects/$P/events.jsonl"
	# the old one ends with its last connection, and nobody takes that for harm
	exec 5>&-
	eventually 20 is_gone "$former"
	[ "$(pgrep -xc stack-netd)" = 1 ]
	# the same program again: nothing is renewed
	now=$(netd_pid)
	stack supervisor reload
	never 1 netd_is_new "$now"
	stack exec -T asker nslookup web >/dev/null
}
