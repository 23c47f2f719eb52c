#!/usr/bin/env bats
# The main job: a file comes up, is looked at, changed, stopped and taken down again.
load lib

# Hundredths of a second, as a container can tell them (its date knows no fractions).
TICK='read up idle </proc/uptime; echo $${up%.*}$${up#*.}'

two_services() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    environment: { COLOUR: ${1:-red} }
		    stop_signal: SIGKILL
		  db:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
}

@test "up -d pulls, starts everything and returns" {
	two_services
	run --separate-stderr up
	[ "$status" -eq 0 ]
	[ -z "$output" ] # data only on stdout, and up has none
	[ "$(names)" = "$P-db-1 $P-web-1 " ]
	is running "$P-web-1"
	is running "$P-db-1"
}

@test "a second up -d changes nothing and says so" {
	two_services
	up
	web=$(pid_of "$P-web-1") db=$(pid_of "$P-db-1")
	run up
	[ "$status" -eq 0 ]
	has "Container $P-web-1  Running" "Container $P-db-1  Running"
	lacks Created Recreate Started
	[ "$(pid_of "$P-web-1")" = "$web" ]
	[ "$(pid_of "$P-db-1")" = "$db" ]
}

@test "an edited environment recreates that service alone" {
	two_services
	up
	id=$(stack ps -q web) db=$(pid_of "$P-db-1")
	two_services green
	run stack plan
	[ "$status" -eq 2 ]
	has environment COLOUR
	run up
	[ "$status" -eq 0 ]
	has "Container $P-web-1  Recreated" "Container $P-db-1  Running"
	[ "$(stack ps -q web)" != "$id" ]
	[ "$(pid_of "$P-db-1")" = "$db" ]
	[ "$(stack exec -T web sh -c 'echo $COLOUR')" = green ]
	run stack plan
	[ "$status" -eq 0 ]
}

@test "a new image under the same tag recreates" {
	two_services
	up
	id=$(stack ps -q web)
	sed -i "0,/busybox:1/s//debian:1/" app.yml
	up
	[ "$(stack ps -q web)" != "$id" ]
	stack exec -T web test -e /etc/debian_version
}

@test "a service that is gone from the file is an orphan" {
	two_services
	up
	sed -i '/^  db:/,$d' app.yml
	run up
	[ "$status" -eq 0 ]
	has orphan "$P-db-1"
	is running "$P-db-1"
	up --remove-orphans
	[ "$(names)" = "$P-web-1 " ]
}

@test "down removes containers and networks, and can be repeated" {
	two_services
	up
	run stack down
	[ "$status" -eq 0 ]
	has "Container $P-web-1  Removed" "Network ${P}_default  Removed"
	[ -z "$(names)" ]
	run stack down
	[ "$status" -eq 0 ]
}

@test "stop, start, restart, kill and rm" {
	two_services
	up
	id=$(stack ps -q web)
	stack stop web
	is exited "$P-web-1"
	is running "$P-db-1"
	run stack ps
	lacks "$P-web-1"
	stack start web
	is running "$P-web-1"
	[ "$(stack ps -q web)" = "$id" ]
	former=$(started_at "$P-web-1")
	stack restart -t 0 web
	restarted_since "$P-web-1" "$former"
	stack kill web
	eventually 5 is exited "$P-web-1"
	[ "$(exit_code_of "$P-web-1")" = 137 ]
	stack rm -f web
	[ "$(names)" = "$P-db-1 " ]
}

@test "rm asks, and takes the end of input for no" {
	two_services
	up
	stack kill
	run stack rm </dev/null
	[ "$status" -eq 0 ]
	[ "$(names)" = "$P-db-1 $P-web-1 " ]
	echo y | stack rm
	[ -z "$(names)" ]
}

@test "scale makes replicas, and the highest numbers go first" {
	two_services
	up --scale web=3
	[ "$(names)" = "$P-db-1 $P-web-1 $P-web-2 $P-web-3 " ]
	stack scale web=1
	[ "$(names)" = "$P-db-1 $P-web-1 " ]
}

@test "depends_on waits for health, and for success" {
	compose <<-END
		services:
		  last:
		    image: $REGISTRY/busybox:1
		    command: sh -c '$TICK; sleep 1000'
		    stop_signal: SIGKILL
		    depends_on:
		      checked: { condition: service_healthy }
		      setup: { condition: service_completed_successfully }
		  checked:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 1; $TICK; touch /ready; sleep 1000'
		    stop_signal: SIGKILL
		    healthcheck: { test: test -e /ready, interval: 200ms, retries: 50 }
		  setup:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 0.5; $TICK'
	END
	up
	eventually 5 log_has last "[0-9]"
	last=$(stack logs --no-log-prefix last) checked=$(stack logs --no-log-prefix checked)
	setup=$(stack logs --no-log-prefix setup)
	[ "$last" -gt "$checked" ]
	[ "$last" -gt "$setup" ]
	is_healthy "$P-checked-1"
	[ "$(state_of "$P-setup-1")" = exited ]
}

@test "a dependency that fails is named, and what depends on it is not started" {
	compose <<-END
		services:
		  app:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    depends_on:
		      setup: { condition: service_completed_successfully }
		  setup:
		    image: $REGISTRY/busybox:1
		    command: "false"
	END
	run up
	[ "$status" -eq 1 ]
	has 'service "setup" didn'"'"'t complete successfully: exit 1'
	[ "$(state_of "$P-app-1")" != running ]
}

@test "--wait fails when a healthcheck never passes" {
	compose <<-END
		services:
		  sick:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    healthcheck: { test: "false", interval: 100ms, retries: 2 }
	END
	run up --wait
	[ "$status" -eq 1 ]
	has "$P-sick-1" unhealthy
}

@test "--wait returns 0 when all are healthy, and times out otherwise" {
	compose <<-END
		services:
		  slow:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 1; touch /ready; sleep 1000'
		    stop_signal: SIGKILL
		    healthcheck: { test: test -e /ready, interval: 200ms, retries: 100, start_period: 30s }
	END
	run up --wait
	[ "$status" -eq 0 ]
	is_healthy "$P-slow-1"
	stack down -t 0
	sed -i 's/sleep 1; touch/sleep 100; touch/' app.yml
	run up --wait --wait-timeout 1
	[ "$status" -eq 1 ]
}

@test "all four restart policies" {
	compose <<-END
		services:
		  never:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'exit 3'
		  always:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begins; sleep 0.2'
		    restart: always
		  thrice:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begins; exit 4'
		    restart: on-failure:3
		  well:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begins'
		    restart: on-failure
		  stopped:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begins; sleep 0.2; exit 1'
		    restart: unless-stopped
	END
	up
	begun() { [ "$(stack logs --no-log-prefix "$1" | grep -c begins)" "$2" "$3" ]; }
	eventually 10 begun always -ge 3
	eventually 10 begun stopped -ge 3
	eventually 10 begun thrice -eq 4
	eventually 5 is exited "$P-thrice-1"
	[ "$(exit_code_of "$P-thrice-1")" = 4 ]
	[ "$(exit_code_of "$P-never-1")" = 3 ]
	stack stop -t 0 stopped
	count=$(stack logs --no-log-prefix stopped | grep -c begins)
	never 2 begun stopped -gt "$count"
	begun well -eq 1
}

# Its first life has ended, the next one is about to begin: so long as the hook runs, it is starting.
in_second_start() {
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begins; trap "echo asked; exit 0" TERM; while :; do sleep 0.1; done'
		    restart: always
		    stop_grace_period: 30s
		    post_start:
		      - command: sh -c 'if [ -e /second ]; then sleep $1; else touch /second; fi'
	END
	up
	kill -9 "$(pid_of "$P-c-1")"
	eventually 20 eval '[ "$(stack logs --no-log-prefix c | grep -c begins)" -eq 2 ]'
}

ends_by_stop() {
	is exited "$P-c-1"
	[ "$(stack logs --no-log-prefix c | grep -c begins)" -eq 2 ]
}

@test "a stop that meets a restart waits for it and then stops" {
	in_second_start 1
	stack stop
	ends_by_stop
	[ "$(exit_code_of "$P-c-1")" = 0 ]
	[ "$(stack logs --no-log-prefix c | grep -c asked)" -eq 1 ]
	never 1 is running "$P-c-1"
	stack start
	is running "$P-c-1"
}

@test "a stop that meets a restart without end cuts it off after the grace time" {
	for seconds in 1 0; do
		in_second_start 1000
		stack stop -t "$seconds"
		ends_by_stop
		stack down -t 0
	done
}

@test "a container in the pause before its restart is restarting" {
	compose <<-END
		services:
		  c: { image: "$REGISTRY/busybox:1", command: sh -c 'exit 1', restart: always }
	END
	up
	pausing() { stack ps | grep -q "Restarting (1)"; }
	eventually 10 pausing
}

@test "stop goes in reverse order, and waits for the grace period" {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'now() { $TICK; }; trap "now; exit 0" TERM; while :; do sleep 0.1; done'
		  app:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'now() { $TICK; }; trap "sleep 0.5; now; exit 0" TERM; while :; do sleep 0.1; done'
		    depends_on: [db]
		  deaf:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'trap "" TERM; while :; do sleep 0.1; done'
		    stop_grace_period: 1s
	END
	up
	sleep 0.5
	run stack stop
	[ "$status" -eq 0 ]
	[ "$(grep -c "service deaf: its process 1 ignored the stop signal.*init: true" <<<"$output")" = 1 ]
	lacks "service db:" "service app:"
	app=$(stack logs --no-log-prefix app) db=$(stack logs --no-log-prefix db)
	[ "$app" -lt "$db" ]
	[ "$(exit_code_of "$P-app-1")" = 0 ]
	[ "$(exit_code_of "$P-deaf-1")" = 137 ]
}

@test "up in the foreground shows prefixed logs, and INT stops everything" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo hello; echo warning >&2; sleep 1000'
		    stop_signal: SIGKILL
	END
	stack up >out 2>err &
	job=$!
	eventually 10 grep -q 'web-1  | hello' out
	eventually 5 grep -q 'web-1  | warning' err
	kill -INT $job
	status=0
	wait $job || status=$?
	[ "$status" -eq 130 ]
	[ "$(state_of "$P-web-1")" = exited ]
}

@test "up in the foreground ends with its containers, and with the status that was asked for" {
	compose <<-END
		services:
		  task:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo done; exit 7'
		  server:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	run stack up task
	[ "$status" -eq 0 ]
	has "task-1 exited with code 7"
	run stack up --exit-code-from task
	[ "$status" -eq 7 ]
	[ "$(state_of "$P-server-1")" = exited ]
}

@test "fifty services come and go without a trace" {
	{
		echo services:
		for i in {1..50}; do
			printf '  s%s:\n    image: %s/busybox:1\n    command: sleep 1000\n    stop_signal: SIGKILL\n' \
				"$i" "$REGISTRY"
		done
	} >app.yml
	up
	[ "$(stack ps -q | wc -l)" = 50 ]
	stack down
	[ -z "$(names)" ]
}
