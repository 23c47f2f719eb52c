#!/usr/bin/env bats
# What x-stack adds: ready, schedule, overlap, on_unhealthy; hooks; and one rule for every start.
load lib

events() { # SERVICE
	jq -r --arg service "$1" 'select(.service == $service) | .event' "$STACK_ROOT/projects/$P/events.jsonl"
}

count_of() { # SERVICE EVENT
	events "$1" | grep -cx "$2" || true
}

at_least() { # N SERVICE EVENT
	[ "$(count_of "$2" "$3")" -ge "$1" ]
}

@test "ready: dependants wait for a port, an answer, a line of the log" {
	compose <<-END
		services:
		  port:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 1; exec httpd -f -p 80'
		    stop_signal: SIGKILL
		    x-stack: { ready: { listen: 80 } }
		  page:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'mkdir /w; httpd -p 80 -h /w; sleep 1; echo x >/w/well; sleep 1000'
		    stop_signal: SIGKILL
		    x-stack: { ready: { http: { port: 80, path: /well } } }
		  line:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begin; sleep 1; echo now ready to accept; sleep 1000'
		    stop_signal: SIGKILL
		    x-stack: { ready: { log: "ready to (accept|serve)" } }
		  after:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    depends_on:
		      port: { condition: service_healthy }
		      page: { condition: service_healthy }
		      line: { condition: service_healthy }
	END
	up
	is running "$P-after-1"
	for service in port page line; do [ "$(count_of $service ready)" = 1 ]; done
	jq -r 'select(.event == "ready" or (.service == "after" and .event == "start")) | .event' \
		"$STACK_ROOT/projects/$P/events.jsonl" | tail -n 1 | grep -qx start
	# a successor judges anew, and the log of this start still counts
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 10 is_gone "$former"
	stack up -d --wait
	[ "$(count_of line ready)" = 2 ]
}

@test "ready that does not come in time fails the wait, and says so" {
	compose <<-END
		services:
		  late:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    x-stack: { ready: { tcp: 80, timeout: 1s } }
		  after:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    depends_on: { late: { condition: service_healthy } }
	END
	run up
	[ "$status" -eq 1 ]
	has "$P-late-1 was not ready within its time"
	is running "$P-late-1"
	run up --wait late
	[ "$status" -eq 1 ] || [ "$status" -eq 0 ]
	[ "$(count_of late not-ready)" -ge 1 ]
}

@test "a restart by policy waits for what the service depends on" {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 1; touch /tmp/well; sleep 1000'
		    stop_signal: SIGKILL
		    restart: always
		    healthcheck: { test: [CMD, test, -e, /tmp/well], interval: 200ms, retries: 100 }
		    tmpfs: [ /tmp ]
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: always
		    depends_on: { db: { condition: service_healthy } }
	END
	up
	begun=$(started_at "$P-web-1")
	kill -KILL "$(pid_of "$P-db-1")" "$(pid_of "$P-web-1")"
	eventually 30 restarted_since "$P-web-1" "$begun"
	[ "$(count_of web waits)" -ge 1 ]
	jq -r 'select((.service == "db" and .event == "health_status: healthy") or (.service == "web" and .event == "start"))
		| .service' "$STACK_ROOT/projects/$P/events.jsonl" | tail -n 2 | tr '\n' ' ' | grep -qx "db web "
}

@test "on_unhealthy: restart begins anew with a pause, stop ends it" {
	compose <<-END
		services:
		  again:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    healthcheck: { test: "false", interval: 100ms, retries: 2 }
		    x-stack: { on_unhealthy: restart }
		  ends:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: always
		    healthcheck: { test: "false", interval: 100ms, retries: 2 }
		    x-stack: { on_unhealthy: stop }
	END
	up
	eventually 30 at_least 3 again start
	eventually 30 is exited "$P-ends-1"
	[ "$(count_of ends start)" = 1 ]
	stack stop -t 0
	is exited "$P-again-1"
}

@test "schedule: the clock starts jobs; overlap skips, queues or kills" {
	compose <<-END
		services:
		  quick: { image: $REGISTRY/busybox:1, command: "true", x-stack: { schedule: "@every 1s" } }
		  skips:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    x-stack: { schedule: "@every 1s", overlap: skip }
		  kills:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    x-stack: { schedule: "@every 2s", overlap: kill }
		  queues:
		    image: $REGISTRY/busybox:1
		    command: sleep 2
		    x-stack: { schedule: "@every 1s", overlap: queue }
		  later: { image: $REGISTRY/busybox:1, command: "true", x-stack: { schedule: "0 3 1 1 *" } }
	END
	up
	[ "$(state_of "$P-later-1")" = created ]
	eventually 30 at_least 3 quick start
	eventually 30 at_least 1 skips schedule-skipped
	eventually 30 at_least 2 kills start
	eventually 30 at_least 2 queues start
	[ "$(count_of queues schedule-queued)" -ge 1 ]
	[ "$(count_of skips start)" = 1 ]
	[ "$(state_of "$P-later-1")" = created ]
	stack start later
	eventually 10 is exited "$P-later-1"
	# a job that was stopped is left alone, and the supervisor stays for the others
	stack stop -t 0 quick
	before=$(count_of quick start)
	eventually 30 at_least 4 queues start
	[ "$(count_of quick start)" = "$before" ]
	kill -0 "$(supervisor_pid)"
}

@test "hooks run after the start and before the stop; one that fails is told" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: [ "data:/data" ]
		    post_start: [ { command: [sh, -c, "echo \$\$NAME >/data/post"], environment: { NAME: begun } } ]
		    pre_stop: [ { command: [sh, -c, "echo ended >/data/pre"] } ]
		  wrong:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    post_start: [ { command: [sh, -c, "echo no >&2; exit 3"] } ]
		volumes: { data: {} }
	END
	run up
	[ "$status" -eq 1 ]
	has "post_start of container $P-wrong-1: sh: status 3: no"
	is running "$P-wrong-1"
	[ "$(count_of wrong hook-failed)" = 1 ]
	up # it runs: nothing to do
	[ "$(stack exec -T web cat /data/post)" = begun ]
	stack stop
	stack start web
	[ "$(stack exec -T web cat /data/pre)" = ended ]
}

@test "hooks: as another user by name, with all capabilities, and what a failing one means" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    cap_drop: [ALL]
		    post_start:
		      - command: [sh, -c, 'echo "\$\$WHO: \$\$(id -u):\$\$(id -g) \$\$(pwd)" >/tmp/who']
		        user: nobody
		        working_dir: /tmp
		        environment: { WHO: me }
		      - command: [sh, -c, 'grep CapEff /proc/self/status >/tmp/caps']
		        privileged: true
		    pre_stop:
		      - command: [sh, -c, 'touch /out/f; chown nobody /out/f']
		        privileged: true
		    volumes: ["./out:/out"]
	END
	mkdir out
	up
	[ "$(stack exec -T web cat /tmp/who)" = "me: 65534:65534 /tmp" ]
	run stack exec -T web sh -c 'cat /tmp/caps; grep CapEff /proc/self/status'
	[ "${lines[0]}" != "${lines[1]}" ]
	[[ ${lines[0]} =~ [1-9a-f] ]]
	[ "$(echo "${lines[1]}" | tr -d 'CapEf:\t 0')" = "" ]
	stack stop
	[ "$(stat -c %u out/f)" = 65534 ]
	# one that fails: `up` says so and ends with 1, the container runs on
	sed -i 's/echo "/exit 3; echo "/' app.yml
	run up
	[ "$status" -eq 1 ]
	has "post_start of container $P-web-1: sh: status 3"
	is running "$P-web-1"
	sed -i 's/user: nobody/user: martian/' app.yml
	run up
	[ "$status" -eq 1 ]
	has "post_start of container $P-web-1" "unable to find user martian"
}
