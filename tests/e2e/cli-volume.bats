#!/usr/bin/env bats
# Volumes and secrets by hand.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

teardown_volumes() {
	local name
	for name in $(stack volume ls -q); do stack volume rm "$name" >/dev/null || true; done
}

# One service that writes into the external volume `data`.
user() {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'test -e /data/file || echo first >/data/file; sleep 1000'
		    stop_signal: SIGKILL
		    volumes: [ "data:/data", /anon ]
		volumes:
		  data: { name: $P-data, external: true }
	END
}

@test "every command of the group has help with an example" {
	for command in ls inspect create rm prune export import clone snapshot restore "snapshot ls" "snapshot rm"; do
		# shellcheck disable=SC2086 # two words are meant
		run --separate-stderr stack volume $command --help
		[ "$status" -eq 0 ]
		has "Usage:  stack volume $command" Examples:
	done
}

@test "volume: create, ls, inspect, rm" {
	CLEANUP=teardown_volumes
	[ "$(stack volume create --label a=1 --label bare "$P-one")" = "$P-one" ]
	[ "$(stack volume create "$P-one")" = "$P-one" ]
	[ "$(stack volume create | tr -d '\n' | wc -c)" = 64 ]
	run stack volume ls
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "DRIVER VOLUME NAME" ]
	[ "$(stack volume ls -q --filter name=one)" = "$P-one" ]
	[ "$(stack volume ls -q --filter label=a=1)" = "$P-one" ]
	[ -z "$(stack volume ls -q --filter label=a=2)" ]
	[ "$(stack volume ls -q --filter dangling=true | wc -l)" = 2 ]
	[ "$(stack volume ls --format json --filter label=bare | jq -r '[.Driver, .Name, .Scope, .Size, .Labels] | join(" ")')" = \
		"local $P-one local N/A a=1,bare=" ]
	[ "$(stack volume ls --size --format json --filter name=one | jq -r .Links)" = 0 ]
	run stack volume ls --filter nonsense=1
	[ "$status" -eq 1 ]
	has "unknown filter nonsense=1"
	stack volume inspect "$P-one" | jq -e '.[0] | .Name and .Mountpoint and .CreatedAt and .Labels.a == "1" and .UsedBy == []'
	[ "$(stack volume inspect --format '{{.Driver}}' "$P-one")" = local ]
	run stack volume inspect nope
	[ "$status" -eq 1 ]
	run stack volume create -d nfsmagic x
	[ "$status" -eq 1 ]
	run stack volume create -o novalue x
	[ "$status" -eq 1 ]
	has "must be KEY=VALUE"
	[ "$(stack volume rm "$P-one")" = "$P-one" ]
	run stack volume rm "$P-one"
	[ "$status" -eq 1 ]
	stack volume rm -f "$P-one"
}

@test "a volume in use is refused by rm, naming the user; volumes lists a project's" {
	CLEANUP=teardown_volumes
	stack volume create "$P-data"
	user
	up
	run stack volume rm "$P-data"
	[ "$status" -eq 1 ]
	has "in use" "$P-db-1"
	[ "$(stack volumes -q | wc -l)" = 2 ]
	[ "$(stack volumes -q db | head -1 | wc -l)" = 1 ]
	stack volume inspect "$P-data" | jq -e --arg name "$P-db-1" '.[0].UsedBy[0] | .Name == $name and .Running'
	stack down
	stack volume rm "$P-data"
}

@test "prune: asks, anonymous ones first, never those of a project that is wanted" {
	CLEANUP=teardown_volumes
	stack volume create "$P-named"
	anonymous=$(stack volume create)
	run stack volume prune </dev/null
	[ "$status" -eq 0 ]
	[ "$(stack volume ls -q | wc -l)" = 2 ]
	run --separate-stderr stack volume prune -f
	[ "${lines[0]}" = "$anonymous" ]
	[[ ${lines[1]} == "Total reclaimed space: "* ]]
	[ "$(stack volume ls -q)" = "$P-named" ]
	stack volume prune -a -f --filter label=none
	[ "$(stack volume ls -q)" = "$P-named" ]
	stack volume prune -a -f
	[ -z "$(stack volume ls -q)" ]
}

@test "export, import, clone, snapshot and restore keep content; a volume in use asks for --pause or --stop" {
	CLEANUP=teardown_volumes
	stack volume create "$P-data"
	user
	up
	path=$(stack volume inspect --format '{{.Mountpoint}}' "$P-data")
	eventually 5 test -s "$path/file"
	run stack volume export -o out.tar "$P-data"
	[ "$status" -eq 1 ]
	has "in use"
	stack volume export --pause -o out.tar "$P-data"
	tar -xOf out.tar ./file | grep -q first
	is running "$P-db-1"
	stack volume import "$P-copy" out.tar
	[ "$(cat "$(stack volume inspect --format '{{.Mountpoint}}' "$P-copy")/file")" = first ]
	run stack volume import "$P-copy" out.tar
	[ "$status" -eq 1 ]
	stack volume export "$P-copy" | stack volume import --replace "$P-copy" -
	[ "$(stack volume clone --pause "$P-data" "$P-clone")" = "$P-clone" ]
	[ "$(stack volume snapshot --pause "$P-data" before)" = before ]
	[ "$(stack volume snapshot ls "$P-data")" = before ]
	echo second >"$path/file"
	run stack volume restore "$P-data" before
	[ "$status" -eq 1 ]
	has "in use"
	begun=$(started_at "$P-db-1")
	stack volume export --stop "$P-data" >stopped.tar
	restarted_since "$P-db-1" "$begun"
	stack down -v
	stack volume restore "$P-data" before
	[ "$(cat "$path/file")" = first ]
	stack volume snapshot rm "$P-data" before
	[ -z "$(stack volume snapshot ls "$P-data")" ]
	run stack volume restore "$P-copy" nope
	[ "$status" -eq 1 ]
}
