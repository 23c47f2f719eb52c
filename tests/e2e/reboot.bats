#!/usr/bin/env bats
# What comes back after the machine was down. A reboot here: every process of ours is killed, /run is empty, the links
# and rules are gone, and the kernel has another boot id.
load lib
# shellcheck source=tests/lib/reboot.bash disable=SC2034 # CLEANUP is for the teardown of lib
. "$LIB/reboot.bash"

reboot() {
	reboot_machine "$BATS_TEST_TMPDIR"
	CLEANUP=reboot_is_over
}

application() {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 1; touch /tmp/well; sleep 1000'
		    stop_signal: SIGKILL
		    healthcheck: { test: [CMD, test, -e, /tmp/well], interval: 200ms, retries: 100 }
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: unless-stopped
		    depends_on: { db: { condition: service_healthy } }
		  off:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: always
		  alone:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		  job:
		    image: $REGISTRY/busybox:1
		    command: "true"
		    restart: on-failure
	END
}

events_of() { # SERVICE
	jq -r --arg service "$1" 'select(.service == $service) | .event' "$STACK_ROOT/projects/$P/events.jsonl"
}

@test "restore brings back what the policy says, in order, and what was stopped by hand stays stopped" {
	application
	up
	eventually 20 is exited "$P-job-1"
	stack stop off
	reboot
	[ "$(state_of "$P-web-1")" = exited ]
	run stack restore
	[ "$status" -eq 0 ]
	eventually 30 is running "$P-web-1"
	is running "$P-db-1" # web needs it, whatever its own policy
	is_healthy "$P-db-1"
	is exited "$P-off-1"
	is exited "$P-alone-1"
	is exited "$P-job-1"
	[ "$(events_of job | grep -c start)" = 1 ]
	# db was healthy before web began
	jq -r 'select(.service == "db" and .event == "health_status: healthy" or .service == "web" and .event == "start")
		| .service' "$STACK_ROOT/projects/$P/events.jsonl" | tail -n 2 >order
	[ "$(tr '\n' ' ' <order)" = "db web " ]
	stack exec -T web nslookup db >/dev/null
	# once more: nothing to do
	began=$(started_at "$P-web-1")
	run stack restore "$P"
	[ "$status" -eq 0 ]
	[ "$(started_at "$P-web-1")" = "$began" ]
}

@test "autostart true brings back also without a policy; false brings back nothing" {
	compose <<-END
		x-stack: { autostart: true }
		services:
		  one: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL }
		  two: { image: $REGISTRY/busybox:1, command: "true" }
	END
	up
	eventually 20 is exited "$P-two-1"
	reboot
	stack restore
	is running "$P-one-1"
	is exited "$P-two-1"
	stack down -t 0
	compose <<-END
		x-stack: { autostart: false }
		services:
		  one: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL, restart: always }
	END
	up
	reboot
	stack restore
	is exited "$P-one-1"
}

@test "supervisor run: a living supervisor gives way, the manager hears READY, and an ordered stop comes back" {
	application
	up
	web=$(pid_of "$P-web-1") former=$(supervisor_pid)
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
while True: print(s.recv(4096).decode(), flush=True)' >words 3>&- &
	listener=$!
	eventually 5 test -S notify
	NOTIFY_SOCKET=$PWD/notify WATCHDOG_USEC=1000000 stack -p "$P" supervisor run 3>&- &
	run=$!
	CLEANUP="kill $listener 2>/dev/null"
	eventually 10 grep -q READY=1 words
	eventually 10 is_gone "$former"
	[ "$(supervisor_pid)" = "$run" ]
	eventually 10 grep -q WATCHDOG=1 words
	[ "$(pid_of "$P-web-1")" = "$web" ]
	stack -p "$P" supervisor stop --containers
	status=0
	wait $run || status=$?
	[ "$status" -eq 64 ]
	is exited "$P-web-1"
	is exited "$P-db-1"
	stack -p "$P" restore
	eventually 30 is running "$P-web-1"
	kill $listener
}

@test "enable links the unit, disable takes it away" {
	mkdir -p units
	cp -a /etc/systemd/system/. units/ 2>/dev/null || true
	rm -f units/stack@.service
	mkdir -p /etc/systemd/system
	mount --bind units /etc/systemd/system
	CLEANUP="umount /etc/systemd/system"
	if [ ! -e /usr/local/lib/systemd/system/stack@.service ]; then
		run stack -p shop enable
		[ "$status" -eq 1 ]
		has "not installed"
	fi
	sed "s,@BINDIR@,/usr/local/bin," "$ROOT/systemd/stack@.service.in" >"/etc/systemd/system/stack@.service"
	run stack -p shop enable
	[ "$status" -eq 0 ]
	link=/etc/systemd/system/multi-user.target.wants/stack@shop.service
	[ "$(readlink $link)" = /etc/systemd/system/stack@.service ]
	grep -q "STACK_ROOT=$STACK_ROOT" /etc/systemd/system/stack@shop.service.d/stack.conf
	run stack -p shop enable
	[ "$status" -eq 0 ]
	if command -v systemd-analyze; then
		systemd-analyze verify /etc/systemd/system/stack@.service 2>&1 | grep -v -e 'not executable' -e 'man stack' >wrong || true
		[ ! -s wrong ] || { cat wrong; false; }
	fi
	stack -p shop disable
	[ ! -e $link ] && [ ! -L $link ]
	[ ! -e /etc/systemd/system/stack@shop.service.d ]
}

lab_address() { # add|del
	ip address "$1" 10.99.0.1/24 dev lab0
}

@test "what cannot come back yet is tried again, told by status and why, and holds nobody else back" {
	ip link add lab0 type veth peer name lab1
	CLEANUP="reboot_is_over; ip link del lab0"
	ip link set lab0 up
	lab_address add
	mkdir disk
	compose <<-END
		x-stack: { autostart: true }
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    restart: always
		    ports: ["10.99.0.1:8080:80"]
		  front: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL, restart: always, depends_on: [web] }
		  kept:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: [{ type: bind, source: $PWD/disk, target: /disk, bind: { create_host_path: false } }]
		  other: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL, restart: always }
		  gone: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL, restart: always, ports: ["10.99.0.1:8090:80"] }
	END
	up
	reboot
	CLEANUP="reboot_is_over; ip link del lab0"
	lab_address del
	rmdir disk
	run stack restore
	[ "$status" -eq 1 ]
	has "not everything is back" "tried again"
	is running "$P-other-1"
	run stack status
	has "not back yet" 10.99.0.1 "$PWD/disk"
	run stack why web
	has "brought back as soon as this works" 10.99.0.1
	supervisor=$(supervisor_pid)
	# nobody wants this one any more
	stack stop gone
	# it is tried again and again, and told once
	eventually 30 eval '[ "$(grep -c not-restored "$STACK_ROOT/projects/$P/supervisor.log")" -ge 3 ]'
	[ "$(events_of web | grep -c not-back)" = 1 ]
	mkdir disk
	lab_address add
	eventually 60 is running "$P-web-1"
	eventually 60 is running "$P-kept-1"
	eventually 60 is running "$P-front-1"
	is exited "$P-gone-1"
	[ "$(supervisor_pid)" = "$supervisor" ]
	run stack status
	lacks "not back yet"
	# down ends the tries
	stack down -t 0
}
