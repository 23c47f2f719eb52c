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
	run stack container update --restart sometimes "$P-web-1"
	[ "$status" -eq 1 ]
	has sometimes
	run stack container update -m -7 "$P-web-1"
	[ "$status" -eq 1 ]
}

@test "what update has changed holds over restarts, crashes and another supervisor, until the file says else" {
	replicas
	up --scale web=1
	stack container update -m 64m --pids-limit 50 --cpus 0.5 --restart always "$P-web-1"
	limits() { field "$P-web-1" '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}}'; }
	[ "$(limits)" = "67108864 50 500000000 always" ]
	stack restart
	limited 67108864
	former=$(supervisor_pid)
	kill -KILL "$former"
	eventually 10 is_gone "$former"
	up --scale web=1 # nothing has changed in the file
	[ "$(limits)" = "67108864 50 500000000 always" ]
	# the policy that was set by hand: a crash is followed by a start
	begun=$(started_at "$P-web-1")
	kill -KILL "$(pid_of "$P-web-1")"
	eventually 20 restarted_since "$P-web-1" "$begun"
	limited 67108864
	run stack why web
	has "changed by hand: " mem_limit restart
	[[ $(stack ps --format '{{.Updated}}') == *mem_limit=67108864* ]]
	# one that does not run: for its next start
	stack stop
	stack container update -m 96m "$P-web-1"
	stack start
	limited 100663296
	# the file speaks last
	sed 's/scale: 2/mem_limit: 128m/' app.yml >other.yml
	stack -f other.yml up -d
	[ "$(limits)" = "134217728 0 0 no" ]
	limited 134217728
}

limited() { # BYTES: the memory limit that the kernel holds for web-1
	local cgroup
	cgroup=$(awk -F: '$2 ~ /memory/ { print "/sys/fs/cgroup/memory" $3 }' "/proc/$(pid_of "$P-web-1")/cgroup" | head -1)
	if [ -n "$cgroup" ]; then
		[ "$(cat "$cgroup/memory.limit_in_bytes")" = "$1" ]
	else
		[ "$(cat "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(pid_of "$P-web-1")/cgroup")/memory.max")" = "$1" ]
	fi
}
