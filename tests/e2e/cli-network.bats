#!/usr/bin/env bats
# Networks and secrets by hand.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

teardown_networks() {
	local name
	for name in $(stack network ls -q --no-trunc); do stack network rm "$name" >/dev/null || true; done
	for name in $(stack secret ls); do stack secret rm "$name" >/dev/null || true; done
}

@test "every command of the groups has help with an example" {
	for command in "network ls" "network inspect" "network create" "network rm" "network prune" \
		"secret create" "secret ls" "secret rm"; do
		# shellcheck disable=SC2086 # two words are meant
		run --separate-stderr stack $command --help
		[ "$status" -eq 0 ]
		has "Usage:  stack $command" Examples:
	done
}

@test "network: create, ls, inspect, rm" {
	CLEANUP=teardown_networks
	id=$(stack network create --subnet 10.99.0.0/24 --gateway 10.99.0.254 --ip-range 10.99.0.128/25 --label a=1 "$P-lab")
	[ "${#id}" = 64 ]
	run stack network create "$P-lab"
	[ "$status" -eq 1 ]
	has "exists already"
	run stack network ls
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "NETWORK ID NAME DRIVER SCOPE" ]
	[ "$(stack network ls --no-trunc -q --filter name=lab)" = "$id" ]
	[ "$(stack network ls --format json --filter label=a=1 | jq -r '[.Name, .Driver, .Scope, .ID] | join(" ")')" = \
		"$P-lab bridge local ${id:0:12}" ]
	stack network inspect "$P-lab" | jq -e '.[0].IPAM.Config[0] == {Subnet: "10.99.0.0/24", IPRange: "10.99.0.128/25", Gateway: "10.99.0.254"}'
	[ "$(stack network inspect --format '{{.Name}}' "${id:0:12}")" = "$P-lab" ]
	run stack network create --gateway 10.1.0.1 other
	[ "$status" -eq 1 ]
	has "no --subnet holds it"
	run stack network create host
	[ "$status" -eq 1 ]
	run stack network create -o novalue other
	[ "$status" -eq 1 ]
	run stack network inspect nope
	[ "$status" -eq 1 ]
	[ "$(stack network rm "$P-lab")" = "$P-lab" ]
	run stack network rm "$P-lab"
	[ "$status" -eq 1 ]
	stack network rm -f "$P-lab"
	[ -z "$(stack network ls -q)" ]
}

@test "a network in use is refused by rm and kept by prune" {
	CLEANUP=teardown_networks
	stack network create "$P-unused"
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	stack network inspect "${P}_default" | jq -e --arg web "$P-web-1" '[.[0].Containers[].Name] == [$web]'
	[ "$(stack network inspect --format '{{.Labels}}' "${P}_default" | grep -c "$P")" = 1 ]
	run stack network rm "${P}_default"
	[ "$status" -eq 1 ]
	has "in use by $P/web/1"
	[ "$(stack network prune -f)" = "$P-unused" ]
	stack stop
	[ -z "$(stack network prune -f)" ]
	stack down
	[ -z "$(stack network ls -q)" ]
}

@test "an external network joins two projects; in use it is refused by rm and kept by prune" {
	CLEANUP=teardown_networks
	stack network create "$P-shared"
	for project in a b; do
		cat >$project.yml <<-END
			services:
			  $project:
			    image: $REGISTRY/busybox:1
			    command: sh -c 'mkdir /w; echo $project >/w/index.html; exec httpd -f -p 80 -h /w'
			    stop_signal: SIGKILL
			    networks: [ shared ]
			networks:
			  shared: { name: $P-shared, external: true }
		END
		stack -p "$P-$project" -f $project.yml up -d
	done
	address=$(stack -p "$P-b" container inspect --format "{{(index .NetworkSettings.Networks \"$P-shared\").IPAddress}}" "$P-b-b-1")
	eventually 5 fetch "$P-a" a "$address" 80
	stack network inspect "$P-shared" | jq -e --arg a "$P-a-a-1" --arg b "$P-b-b-1" '[.[0].Containers[].Name] | sort == [$a, $b]'
	run stack network rm "$P-shared"
	[ "$status" -eq 1 ]
	has "in use by"
	run stack network prune -f
	[ "$status" -eq 0 ]
	[ "$(stack network ls -q | wc -l)" = 1 ]
	stack -p "$P-a" down
	stack -p "$P-b" down
	[ "$(stack network prune -f)" = "$P-shared" ]
}

@test "secret: create from file and pipe, ls, use, rm" {
	CLEANUP=teardown_networks
	printf geheim >file
	[ "$(stack secret create "$P-one" file)" = "$P-one" ]
	[ "$(printf other | stack secret create "$P-two" -)" = "$P-two" ]
	run stack secret create "$P-one" file
	[ "$status" -eq 1 ]
	[ "$(stack secret ls | tr '\n' ' ')" = "$P-one $P-two " ]
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    secrets: [ one ]
		secrets:
		  one: { name: $P-one, external: true }
	END
	up
	[ "$(stack exec -T web cat /run/secrets/one)" = geheim ]
	stack down
	stack secret rm "$P-one" "$P-two"
	[ -z "$(stack secret ls)" ]
	run stack secret rm "$P-one"
	[ "$status" -eq 1 ]
}
