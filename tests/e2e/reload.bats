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
