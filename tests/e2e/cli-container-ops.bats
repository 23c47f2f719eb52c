#!/usr/bin/env bats
# The group `container`: one container at a time, whatever its project.
load lib

replicas() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo line one; echo line two >&2; exec sleep 1000'
		    stop_signal: SIGKILL
		    scale: 2
		    ports: ["80"]
	END
}

@test "start, stop, restart, kill, pause and rm mean one replica; the other goes on" {
	replicas
	up
	other=$(started_at "$P-web-1")
	[ "$(stack container stop "$P-web-2")" = "$P-web-2" ]
	is exited "$P-web-2"
	stack container start "$P-web-2"
	is running "$P-web-2"
	before=$(started_at "$P-web-2")
	stack container restart -t 0 "$P-web-2"
	restarted_since "$P-web-2" "$before"
	stack container pause "$P-web-2"
	[ "$(state_of "$P-web-2")" = paused ]
	run stack container pause "$P-web-2"
	[ "$status" -eq 1 ]
	has "paused already"
	stack container unpause "$P-web-2"
	stack container kill -s KILL "$P-web-2"
	eventually 20 is exited "$P-web-2"
	[ "$(exit_code_of "$P-web-2")" = 137 ]
	run stack container kill "$P-web-2"
	[ "$status" -eq 1 ]
	[ "$(stack container wait "$P-web-2")" = 137 ]
	stack container rm "$P-web-2"
	[ "$(names)" = "$P-web-1 " ]
	run stack container rm "$P-web-1"
	[ "$status" -eq 1 ]
	has "stop it first"
	[ "$(started_at "$P-web-1")" = "$other" ]
	run stack container stop nobody "$P-web-1"
	[ "$status" -eq 1 ]
	has "no such container: nobody" "$P-web-1"
	is exited "$P-web-1"
	stack container rm -f "$P-web-1"
	[ -z "$(names)" ]
}

@test "exec, logs, top, port, diff, cp by name or ID" {
	replicas
	up --scale web=1
	id=$(stack ps -q)
	[ "$(stack container exec "${id:0:12}" sh -c 'echo $A; cat' <<<nothing-is-read)" = "" ]
	[ "$(echo read | stack container exec -i -e A=b "$P-web-1" sh -c 'echo $A; cat')" = "b
read" ]
	run stack container exec "$P-web-1" sh -c 'exit 7'
	[ "$status" -eq 7 ]
	stack container exec --privileged "$P-web-1" grep -q 'CapEff.*[1-9a-f]\{9\}$' /proc/self/status
	stack exec -T --privileged web grep -q 'CapEff.*[1-9a-f]\{9\}$' /proc/self/status
	[ "$(stack container logs "$P-web-1" 2>/dev/null)" = "line one" ]
	[ "$(stack container logs --tail 1 --grep two "$P-web-1" 2>&1)" = "line two" ]
	stack container top "$P-web-1" | grep -q 'sleep 1000'
	port=$(stack container port "$P-web-1" 80/tcp | head -1)
	[[ $port =~ ^0.0.0.0:[0-9]+$ ]]
	stack container port "$P-web-1" | grep -qF "80/tcp -> $port"
	run stack container port "$P-web-1" 81
	[ "$status" -eq 1 ]
	stack exec -T web sh -c 'echo x >/made; rm /etc/passwd; echo y >>/etc/group'
	run stack container diff "$P-web-1"
	has "A /made" "D /etc/passwd" "C /etc/group" "C /etc"
	stack container cp "$P-web-1:/made" here
	[ "$(cat here)" = x ]
	stack container cp here "$P-web-1:/again"
	[ "$(stack exec -T web cat /again)" = x ]
	run stack container cp here there
	[ "$status" -eq 1 ]
}

@test "rename: unique, followed by its networks; names of the file are unique, too" {
	replicas
	up
	stack container rename "$P-web-1" front
	[ "$(names)" = "front $P-web-2 " ]
	stack exec -T --index 2 web nslookup front | grep -q 'Address: 1'
	run stack container rename "$P-web-2" front
	[ "$status" -eq 1 ]
	has "in use"
	run stack container rename "$P-web-2" 'no name'
	[ "$status" -eq 1 ]
	run stack run -d --no-deps --name front web true
	[ "$status" -eq 1 ]
	has "in use"
	sed 's/scale: 2/container_name: front/' app.yml >other.yml
	run stack -f other.yml -p "${P}b" up -d
	[ "$status" -eq 1 ]
	has front "in use"
}

@test "update changes limits while it runs, and says what it cannot" {
	replicas
	up --scale web=1
	stack container update -m 64m --pids-limit 50 --cpus 0.5 "$P-web-1"
	cgroup=$(awk -F: '$2 ~ /memory/ { print "/sys/fs/cgroup/memory" $3 } $2 == "" { unified = $3 } END { }' \
		"/proc/$(pid_of "$P-web-1")/cgroup" | head -1)
	if [ -n "$cgroup" ]; then
		[ "$(cat "$cgroup/memory.limit_in_bytes")" = 67108864 ]
	else
		[ "$(cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(pid_of "$P-web-1")/cgroup")/memory.max")" = 67108864 ]
	fi
	run stack container update "$P-web-1"
	[ "$status" -eq 1 ]
	has "which limit"
	run stack container update --cpus none "$P-web-1"
	[ "$status" -eq 1 ]
	stack stop
	run stack container update -m 64m "$P-web-1"
	[ "$status" -eq 1 ]
	has "does not run"
}
