#!/usr/bin/env bats
# wait, stats, cp, export, and containers over all projects.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

@test "every command has help with an example" {
	for command in wait stats cp export "container ls" "container inspect" "container logs" "container stats" \
		"container export" "container rm" "container prune"; do
		# shellcheck disable=SC2086 # two words are meant
		run --separate-stderr stack $command --help
		[ "$status" -eq 0 ]
		has "Usage:  stack $command" Examples:
	done
}

@test "wait: a line per container, the status of the last one; nothing running is an error" {
	compose <<-END
		services:
		  job:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'while ! test -e /go; do sleep 0.1; done; exit 7'
		  keeper:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	id=$(stack ps -q job)
	stack wait job >out &
	job=$!
	sleep 0.3
	kill -0 $job
	stack exec -T job touch /go
	status=0
	wait $job || status=$?
	[ "$status" -eq 7 ]
	[ "$(cat out)" = "container \"$id\" exited with status code 7" ]
	run stack wait job
	[ "$status" -eq 1 ]
	run stack wait nope
	[ "$status" -eq 1 ]
	has "no such service: nope"
	stack wait --down-project keeper >out &
	job=$!
	sleep 0.3
	stack kill keeper
	status=0
	wait $job || status=$?
	[ "$status" -eq 137 ]
	[ -z "$(names)" ]
}

@test "stats: one reading, as table, json and for all projects" {
	compose <<-END
		services:
		  busy:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'while :; do :; done'
		    mem_limit: 64m
		    stop_signal: SIGKILL
	END
	up
	run stack stats --no-stream
	[ "$status" -eq 0 ]
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "CONTAINER ID NAME CPU % MEM USAGE / LIMIT MEM % NET I/O BLOCK I/O PIDS" ]
	row=$(stack stats --no-stream --format json)
	[ "$(jq -r .Name <<<"$row")" = "$P-busy-1" ]
	jq -e '(.CPUPerc | rtrimstr("%") | tonumber) > 1' <<<"$row"
	jq -e '(.PIDs | tonumber) >= 1 and (.MemUsage | endswith("/ 64MiB"))' <<<"$row"
	[ "$(stack container stats --no-stream --format '{{.Name}}' "$P-busy-1")" = "$P-busy-1" ]
	[ "$(stack container stats --no-stream --format '{{.Name}}')" = "$P-busy-1" ]
	run stack stats --no-stream nope
	[ "$status" -eq 1 ]
}

@test "cp: files and folders, in and out, running and stopped, streams" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'mkdir -p /srv/a; echo inside >/srv/a/file; ln -s a/file /srv/link; sleep 1000'
		    stop_signal: SIGKILL
		    volumes: [ "data:/data" ]
		volumes: { data: {} }
	END
	up
	eventually 5 stack exec -T web test -L /srv/link
	mkdir -p tree/sub
	echo one >tree/one
	echo two >tree/sub/two
	stack cp tree/one web:/srv/renamed
	[ "$(stack exec -T web cat /srv/renamed)" = one ]
	stack cp tree/one web:/srv/
	[ "$(stack exec -T web cat /srv/one)" = one ]
	stack cp tree web:/srv
	[ "$(stack exec -T web cat /srv/tree/sub/two)" = two ]
	stack cp tree web:/srv/fresh
	[ "$(stack exec -T web cat /srv/fresh/sub/two)" = two ]
	stack cp tree/. web:/data
	[ "$(stack exec -T web cat /data/sub/two)" = two ]
	stack cp web:/srv/a/file here
	[ "$(cat here)" = inside ]
	stack cp web:/srv/a .
	[ "$(cat a/file)" = inside ]
	stack cp web:/srv/link .
	[ "$(readlink link)" = a/file ]
	stack cp -L web:/srv/link followed
	[ "$(cat followed)" = inside ]
	stack cp web:/srv/a - | tar -xOf - a/file | grep -q inside
	tar -cf - -C tree . | stack cp - web:/tmp
	[ "$(stack exec -T web cat /tmp/sub/two)" = two ]
	for wrong in "web:/nope ." "web:/srv/a/file /nope/x" "/nope web:/" "tree web:/srv/a/file" "a b" "web:/a web:/b" "nope:/a ."; do
		# shellcheck disable=SC2086 # two words are meant
		run stack cp $wrong
		[ "$status" -eq 1 ]
	done
	stack kill
	eventually 5 is exited "$P-web-1"
	stack cp web:/srv/renamed again
	[ "$(cat again)" = one ]
	stack cp tree/sub/two web:/srv/renamed
	stack start
	[ "$(stack exec -T web cat /srv/renamed)" = two ]
}

@test "cp: links in a container lead to nothing of the host" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'ln -s /etc /evil; ln -s ../../../../../../etc/hostname /up; sleep 1000'
		    stop_signal: SIGKILL
	END
	up
	eventually 5 stack exec -T web test -L /up
	echo changed >hostname
	before=$(cat /etc/hostname)
	stack cp hostname web:/evil/
	[ "$(stack exec -T web cat /etc/hostname)" = changed ]
	stack cp -L web:/up got
	[ "$(cat got)" = changed ]
	[ "$(cat /etc/hostname)" = "$before" ]
}

@test "export: the tree as a tar, without volumes and proc" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo mine >/mine; echo volume >/data/file; sleep 1000'
		    stop_signal: SIGKILL
		    volumes: [ /data ]
	END
	up
	eventually 5 stack exec -T web test -s /data/file
	stack export -o out.tar web
	[ "$(tar -xOf out.tar ./mine)" = mine ]
	run tar -tf out.tar
	lacks ./data/file ./proc/1
	stack kill
	eventually 5 is exited "$P-web-1"
	stack container export "$P-web-1" >stopped.tar
	[ "$(tar -xOf stopped.tar ./mine)" = mine ]
}

@test "container: ls, inspect, logs, rm and prune over projects" {
	for project in a b; do
		cat >$project.yml <<-END
			services:
			  web:
			    image: $REGISTRY/busybox:1
			    command: sh -c 'echo hello from $project; sleep 1000'
			    stop_signal: SIGKILL
			  done:
			    image: $REGISTRY/busybox:1
			    command: "true"
		END
		stack -p "$P-$project" -f $project.yml up -d
	done
	# shellcheck disable=SC2317 # called by eventually
	all_done() { [ "$(stack container ls -q --filter status=exited | wc -l)" = 2 ]; }
	eventually 10 all_done
	[ "$(stack container ls --format '{{.Names}}' | sort | tr '\n' ' ')" = "$P-a-web-1 $P-b-web-1 " ]
	[ "$(stack container ls -a --filter project="$P-a" -q | wc -l)" = 2 ]
	id=$(stack -p "$P-a" ps -q web)
	[ "$(stack container inspect --format '{{.Name}}' "${id:0:10}")" = "/$P-a-web-1" ]
	run stack container inspect nope
	[ "$status" -eq 1 ]
	has "no such container: nope"
	[ "$(stack container logs "$P-b-web-1")" = "hello from b" ]
	run stack container rm "$P-a-web-1"
	[ "$status" -eq 1 ]
	has "runs; stop it first"
	[ "$(stack container rm -f "$P-a-web-1")" = "$P-a-web-1" ]
	run stack container prune </dev/null
	[ "$(stack container ls -a -q | wc -l)" = 3 ]
	[ "$(stack container prune -f | wc -l)" = 2 ]
	[ "$(stack container ls -a --format '{{.Names}}')" = "$P-b-web-1" ]
	for project in a b; do stack -p "$P-$project" down; done
}
