#!/usr/bin/env bats
# Rolling updates by deploy.update_config, the ways back, and what changes in place.
load lib

# web: a page server that says its version; $1 version, $2 deploy, $3 health: seconds until it is well, or never.
web() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo $1 >/tmp/version; httpd -h /tmp -p 80; [ $3 = never ] || { sleep $3; touch /tmp/well; }; sleep 1000'
		    stop_signal: SIGKILL
		    environment: { VERSION: "$1" }
		    healthcheck: { test: [CMD, test, -e, /tmp/well], interval: 200ms, retries: ${4:-100} }
		    deploy: { $2 }
		    ${5:-}
	END
}

asks() { # asks for the version without end; "bad" lines are answers that did not come
	while [ ! -e stop ]; do
		curl -s -f --max-time 2 http://127.0.0.1:8080/version || echo bad
	done
}

@test "start-first: the newcomer is well before it takes the port, and no request fails" {
	ports='ports: ["127.0.0.1:8080:80"]'
	web one 'update_config: { order: start-first, delay: 2s }' 0 100 "$ports"
	up --wait
	eventually 20 answers http://127.0.0.1:8080/version
	asks >answers &
	asker=$!
	web two 'update_config: { order: start-first, delay: 2s }' 1 100 "$ports"
	run up
	[ "$status" -eq 0 ]
	[ "$(names)" = "$P-web-2 " ]
	[ "$(curl -s http://127.0.0.1:8080/version)" = two ]
	[ "$(stack port web 80)" = 127.0.0.1:8080 ]
	web three 'update_config: { order: start-first, delay: 2s }' 0 100 "$ports"
	up
	touch stop
	wait $asker
	[ "$(names)" = "$P-web-1 " ]
	uniq -c answers
	[ "$(uniq answers | tr '\n' ' ')" = "one two three " ]
	# a successor knows the port, and down leaves nothing
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 10 is_gone "$former"
	run up
	[ "$(curl -s http://127.0.0.1:8080/version)" = three ]
	[ "$(names)" = "$P-web-1 " ]
}

@test "start-first that does not become healthy goes back: the old one was never away" {
	ports='ports: ["127.0.0.1:8080:80"]'
	web one 'update_config: { order: start-first, failure_action: rollback }' 0 2 "$ports"
	up --wait
	former=$(pid_of "$P-web-1")
	web two 'update_config: { order: start-first, failure_action: rollback }' never 2 "$ports"
	run up
	[ "$status" -eq 1 ]
	has "rolled back" "unhealthy"
	[ "$(pid_of "$P-web-1")" = "$former" ]
	[ "$(names)" = "$P-web-1 " ]
	[ "$(curl -s http://127.0.0.1:8080/version)" = one ]
	stack config >/dev/null
	[ "$(stack history --format json | jq -s 'flatten | length')" = 3 ]
}

@test "stop-first that does not become healthy goes back to the former configuration" {
	web one 'update_config: { failure_action: rollback }' 0 2
	up --wait
	web two 'update_config: { failure_action: rollback }' never 2
	run up
	[ "$status" -eq 1 ]
	has "rolled back"
	eventually 20 is_healthy "$P-web-1"
	[ "$(stack exec -T web cat /tmp/version)" = one ]
	web two 'update_config: { failure_action: pause }' never 2
	run up
	[ "$status" -eq 1 ]
	lacks "rolled back"
	[ "$(stack exec -T web cat /tmp/version)" = two ]
}

@test "groups of parallelism, one after the other, each well before the next" {
	web one 'replicas: 4, update_config: { parallelism: 2, delay: 300ms }' 0
	up --wait
	: >mark
	web two 'replicas: 4, update_config: { parallelism: 2, delay: 300ms }' 0
	up
	jq -r 'select(.event == "settled" or .event == "stop") | "\(.event) \(.slot)"' \
		"$STACK_ROOT/projects/$P/events.jsonl" >order
	[ "$(head -n 2 order | sort | tr '\n' ' ')" = "stop web.1 stop web.2 " ]
	[ "$(sed -n 3,4p order | sort | tr '\n' ' ')" = "settled web.1 settled web.2 " ]
	[ "$(sed -n 5,6p order | sort | tr '\n' ' ')" = "stop web.3 stop web.4 " ]
}

@test "rollback goes back for one service with its image, then for all" {
	two() { # VERSION OF WEB, OF OTHER
		compose <<-END
			services:
			  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, environment: { V: "$1" } }
			  other: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, environment: { V: "$2" } }
		END
	}
	two 1 1
	up
	run stack rollback
	[ "$status" -eq 1 ]
	has "no former model"
	two 2 2
	up
	other=$(pid_of "$P-other-1")
	stack rollback web
	[ "$(stack exec -T web sh -c 'echo $V')" = 1 ]
	[ "$(pid_of "$P-other-1")" = "$other" ]
	stack rollback
	[ "$(stack exec -T web sh -c 'echo $V')" = 2 ]
	run stack rollback nope
	[ "$status" -eq 1 ]
	has "no such service"
}

@test "policy and limits change in place; the history keeps what x-stack.history says" {
	limited() { # RESTART MEMORY CPUS
		compose <<-END
			x-stack: { history: 2 }
			services:
			  web:
			    image: $REGISTRY/busybox:1
			    command: sleep 1000
			    stop_signal: SIGKILL
			    restart: $1
			    mem_limit: $2
			    cpus: $3
		END
	}
	limited "no" 64m 0.5
	up
	pid=$(pid_of "$P-web-1")
	for memory in 65m 66m 67m 68m; do
		limited always $memory 0.25
		run stack plan
		has update
		up
	done
	[ "$(pid_of "$P-web-1")" = "$pid" ]
	run stack plan
	[ "$status" -eq 0 ]
	[ "$(cat "$(memory_file "$pid")")" = $((68 << 20)) ]
	[ "$(find "$STACK_ROOT/projects/$P/history" -name '*.json' | wc -l)" -le 4 ]
	began=$(started_at "$P-web-1")
	kill -KILL "$pid"
	eventually 20 restarted_since "$P-web-1" "$began"
	[ "$(cat "$(memory_file "$(pid_of "$P-web-1")")")" = $((68 << 20)) ]
}

memory_file() { # PID
	local path
	path=$(sed -n 's/^[0-9]*:memory://p' "/proc/$1/cgroup")
	if [ -n "$path" ]; then
		echo "/sys/fs/cgroup/memory$path/memory.limit_in_bytes"
	else
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/memory.max"
	fi
}
