#!/usr/bin/env bats
# What explains: why, status, history, graph.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

app() {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    healthcheck: { test: "test -e /tmp/ready", interval: 1s, retries: 100, start_period: 100s }
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    depends_on: { db: { condition: service_healthy } }
		  once:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'exit 3'
		    restart: on-failure:2
	END
}

@test "why: a dead monitor is named, newest reason first" {
	compose <<-END
		services:
		  plain:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
	END
	up
	pid=$(pid_of "$P-plain-1")
	kill -KILL "$(monitor_pid "$P-plain-1")"
	eventually 10 is_gone "$pid"
	eventually 5 is exited "$P-plain-1"
	run stack why plain
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "$P-plain-1 exited with status 137 (SIGKILL) "*"the monitor died"* ]]
	has 'restart policy is "no"'
	[[ ${lines[2]} == *"it ended with status 137 (SIGKILL): the monitor died" ]]
	[[ ${lines[4]} == *"it was created: not there yet" ]]
}

@test "why: what is waited for, attempts that are used up, a stop by hand" {
	app
	stack up -d >/dev/null 2>&1 &
	job=$!
	eventually 10 is running "$P-db-1"
	run stack why web
	[ "$status" -eq 0 ]
	has "$P-web-1 is created" "it needs db to be healthy, but $P-db-1 is starting"
	run stack status
	[ "$status" -eq 0 ]
	has "project $P: wanted up, supervisor " "db to be healthy" 0/1
	stack exec -T db touch /tmp/ready
	wait $job
	[[ $(stack why web | head -1) == "$P-web-1 runs since "* ]]
	[[ $(stack why db | head -1) == *", healthy" ]]
	exhausted() { stack why once | grep -q "allows 2 attempts, and they are used up"; }
	eventually 10 exhausted
	[ "$(stack why --format json once | jq -r '.Chain[0].Event')" = die ]
	stack stop web
	run stack why web
	has "stopped by hand" "it was told to stop: asked for by stop"
	[ "$(stack status --format json | jq -r 'select(.Service == "db") | .State + .Health + .Running')" = runninghealthy1/1 ]
	run stack why nope
	[ "$status" -eq 1 ]
	has "no such service: nope"
}

@test "why and status work when the supervisor is dead" {
	app
	stack up -d db
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 5 is_gone "$former"
	run stack why db
	[ "$status" -eq 0 ]
	has "$P-db-1 runs since "
	run stack status db
	[ "$status" -eq 0 ]
	has "no supervisor runs"
}

@test "history tells the models and what changed; graph draws states" {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    healthcheck: { test: "true", interval: 1s, start_interval: 100ms, start_period: 5s }
		  once:
		    image: $REGISTRY/busybox:1
		    command: "true"
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    depends_on: { db: { condition: service_healthy } }
	END
	run stack graph
	[ "$status" -eq 0 ]
	has "digraph" 'label="web\nabsent"'
	run stack history
	[ "$status" -eq 1 ]
	up
	sed -i 's/sleep 1000/sleep 2000/; s/once:/twice:/' app.yml
	up --remove-orphans
	run stack history
	[ "$status" -eq 0 ]
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "SEQ APPLIED STATE SERVICES CHANGES" ]
	[[ ${lines[1]} == 2*"in force"*"3"*"~db +twice ~web -once" ]]
	[ "$(stack history --format '{{.Seq}} {{.Changes}}' | tail -1)" = "1 first" ]
	run stack graph
	has 'label="db\nhealthy"' 's2 -> s0 [label="healthy"]' 'label="web\nrunning"'
	run stack graph --format mermaid
	has "flowchart LR" 's2 -->|healthy| s0'
	run stack graph --format png
	[ "$status" -eq 1 ]
}

@test "supervisor logs are shown, also when it has gone" {
	app
	stack up -d db
	former=$(supervisor_pid)
	stack supervisor logs | grep -q "supervisor-started project=$P pid=$former"
	kill -KILL "$former"
	eventually 5 is_gone "$former"
	stack supervisor logs | grep -q "pid=$former"
}
