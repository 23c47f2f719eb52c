#!/usr/bin/env bats
# What users ask for most (docs/users.md), where no other file shows it.
load lib

log_bytes() { # all files of the log of web-1
	du -sb "$STACK_ROOT/projects/$P/slots/web.1/"log.json* | awk '{ sum += $1 } END { print sum }'
}

@test "logs are bounded without a word in the file: three files of ten megabytes, the former ones packed" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 45000000; echo; echo the end; exec sleep 1000'
		    stop_signal: SIGKILL
	END
	up
	eventually 120 ends
	[ "$(log_bytes)" -lt 34000000 ]
	[ "$(find "$STACK_ROOT/projects/$P/slots/web.1" -name 'log.json*' | wc -l)" -le 3 ]
	run stack ps --size
	has "(log "
}

ends() {
	[ "$(stack logs --no-log-prefix --tail 1 web)" = "the end" ]
}

@test "ports without an address: told when they are open, on the loopback where the machine's settings say so" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    ports: ["8080:80"]
	END
	run stack plan
	has "exposes " "port 8080/tcp to other machines"
	run up
	has "open to other machines: 8080/tcp (web); with 127.0.0.1: in front a port stays on this one"
	supervisor=$(supervisor_pid)
	stack down
	eventually 10 is_gone "$supervisor" # the next one reads the settings anew
	echo '{ "ip": "127.0.0.1" }' >config.json
	export STACK_CONFIG=$PWD/config.json
	run stack plan
	lacks exposes
	run up
	lacks "open to other machines"
	[ "$(stack port web 80)" = 127.0.0.1:8080 ]
}

@test "a changed env file is noticed: told by restart, named by plan, applied by up to that service alone" {
	echo COLOUR=red >web.env
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    env_file: web.env
		  other:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	run stack restart
	[ "$status" -eq 0 ]
	lacks "has changed"
	echo COLOUR=blue >web.env
	other=$(pid_of "$P-other-1")
	run stack restart web
	[ "$status" -eq 0 ]
	has "service web: its configuration has changed" "'stack up' applies it"
	[ "$(stack exec -T web sh -c 'echo $COLOUR')" = red ]
	run stack plan
	[ "$status" -eq 2 ]
	has "$P-web-1" "environment: ~COLOUR"
	lacks "$P-other-1"
	up
	[ "$(stack exec -T web sh -c 'echo $COLOUR')" = blue ]
	[ "$(pid_of "$P-other-1")" = "$other" ]
	run stack restart web
	lacks "has changed"
}

@test "a job by the clock tells when it runs next, and what it is before it has ever run" {
	compose <<-END
		services:
		  job:
		    image: $REGISTRY/busybox:1
		    command: echo ran
		    x-stack: { schedule: "0 3 1 1 *" }
	END
	up
	run stack why job
	has "its schedule \"0 3 1 1 *\" starts it next at " "-01-01 03:00:00"
	[[ $(stack ps -a --format '{{.Command}} {{.Status}}') == '"echo ran" Created' ]]
	stack start job
	eventually 10 is exited "$P-job-1"
	[ "$(stack logs --no-log-prefix job)" = ran ]
	run stack why job
	has "exited with status 0" "starts it next at"
}

@test "up and down of ten services that ignore the stop signal take one grace time, not ten" {
	{
		echo "services:"
		for i in 1 2 3 4 5 6 7 8 9 10; do
			echo "  s$i: { image: '$REGISTRY/busybox:1', command: sleep 1000, stop_grace_period: 2s }"
		done
	} >app.yml
	up
	begun=$SECONDS
	stack down
	[ $((SECONDS - begun)) -lt 15 ]
}
