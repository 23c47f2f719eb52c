#!/usr/bin/env bats
# Images looked after; the machine as a whole: df, prune, info.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

@test "every command has help with an example" {
	for command in "image prune" "image history" "image verify" "image import" "image export" "system df" \
		"system prune" "system info" info; do
		# shellcheck disable=SC2086 # two words are meant
		run --separate-stderr stack $command --help
		[ "$status" -eq 0 ]
		has "Usage:  stack $command" Examples:
	done
}

@test "image: history, verify, export and import" {
	stack image pull -q "$REGISTRY/busybox:1"
	run stack image history "$REGISTRY/busybox:1"
	[ "$status" -eq 0 ]
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "IMAGE CREATED CREATED BY SIZE COMMENT" ]
	id=$(stack image inspect --format '{{.Id}}' "$REGISTRY/busybox:1")
	stack image verify "$REGISTRY/busybox:1" | grep -q "as it should be"
	stack image verify --fast
	run stack image verify nope
	[ "$status" -eq 1 ]
	stack image export -o tree.tar "$REGISTRY/busybox:1"
	tar -tf tree.tar | grep -q '^./bin/'
	new=$(stack image import -m mine tree.tar "$P/flat:1")
	[ "$(stack image inspect --format '{{.Id}}' "$P/flat:1")" = "$new" ]
	[ "$(stack image history --format '{{.Comment}}' "$P/flat:1")" = mine ]
	[ "$(stack image history -q --no-trunc "$P/flat:1")" = "$new" ]
	# a torn blob is found
	blob=$(find "$STACK_ROOT/images" -path "*${id#sha256:}*" -type f -size +0 | grep blobs | head -1)
	cp "$blob" kept
	printf x >>"$blob"
	run stack image verify
	cp kept "$blob"
	[ "$status" -eq 1 ]
	stack image rm "$P/flat:1"
}

@test "image ls --filter: by name, label, age, and without a name" {
	stack image pull -q "$REGISTRY/busybox:1" "$REGISTRY/debian:1"
	printf 'FROM %s/busybox:1\nLABEL tier=front\n' "$REGISTRY" >Dockerfile
	stack image build -q -t labelled:1 . >/dev/null 2>&1
	[ "$(stack image ls --filter "reference=$REGISTRY/busy*" --format '{{.Repository}}')" = "$REGISTRY/busybox" ]
	[ "$(stack image ls --filter label=tier --format '{{.Repository}}')" = labelled ]
	[ "$(stack image ls --filter label=tier=front --filter reference=labelled:1 -q | wc -l)" = 1 ]
	[ -z "$(stack image ls --filter label=tier=back -q)" ]
	# neither side of its own moment
	run ! grep -q busybox <(stack image ls --filter "since=$REGISTRY/busybox:1")
	run ! grep -q labelled <(stack image ls --filter before=labelled:1)
	[ -z "$(stack image ls --filter dangling=true -q)" ]
	printf 'FROM %s/busybox:1\nLABEL tier=back\n' "$REGISTRY" >Dockerfile
	stack image build -q -t labelled:1 . >/dev/null 2>&1
	[ "$(stack image ls --filter dangling=true -q | wc -l)" = 1 ]
	run stack image ls --filter colour=red
	[ "$status" -eq 1 ]
	has "unknown filter"
	run stack image ls --filter before=ghost
	[ "$status" -eq 1 ]
	has ghost
	stack image prune -af >/dev/null
}

@test "image prune: without a name, then unused ones; used ones stay" {
	stack image pull -q "$REGISTRY/busybox:1"
	stack image export "$REGISTRY/busybox:1" >tree.tar
	nameless=$(stack image import tree.tar)
	unused=$(stack image import -m other tree.tar "$P/unused:1")
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	run stack image prune </dev/null
	[ "$status" -eq 0 ]
	stack image inspect "$nameless" >/dev/null
	run --separate-stderr stack image prune -f
	has "Deleted: $nameless" "Total reclaimed space: "
	stack image inspect "$unused" >/dev/null
	stack image prune -a -f --filter until=24h
	stack image inspect "$unused" >/dev/null
	run --separate-stderr stack image prune -a -f
	has "Untagged: " "Deleted: $unused"
	stack image inspect "$REGISTRY/busybox:1" >/dev/null
	run stack image prune --filter color=red
	[ "$status" -eq 1 ]
}

@test "system df counts, -v lists, prune frees" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'head -c 1000000 /dev/zero >/file; head -c 2000000 /dev/zero >/data/file; sleep 1000'
		    stop_signal: SIGKILL
		    volumes: [ "data:/data" ]
		  done:
		    image: $REGISTRY/busybox:1
		    command: "true"
		volumes: { data: {} }
	END
	up
	eventually 5 is exited "$P-done-1"
	run stack system df
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "TYPE TOTAL ACTIVE SIZE RECLAIMABLE" ]
	[ "$(stack system df --format '{{.Type}} {{.TotalCount}} {{.Active}}' | sed -n 2,3p | tr '\n' ,)" = "Containers 2 1,Local Volumes 1 1," ]
	# shellcheck disable=SC2317 # called by eventually
	written() { [[ $(stack system df --format '{{.Type}} {{.Size}}' | grep Volumes) == *" 2"* ]]; }
	eventually 5 written
	run stack system df -v
	has "$P-web-1" "${P}_data" "Images:"
	run stack system prune </dev/null
	[ "$(stack container ls -aq | wc -l)" = 2 ]
	run --separate-stderr stack system prune -f
	[ "$status" -eq 0 ]
	has "Total reclaimed space: "
	[ "$(stack container ls -a --format '{{.Names}}')" = "$P-web-1" ]
	[ "$(stack network ls -q | wc -l)" = 1 ]
	stack down -v
	stack system prune -a -f --volumes
	[ -z "$(stack image ls -aq)" ]
}

@test "info tells machine and counts, for people and programs" {
	run stack info
	[ "$status" -eq 0 ]
	has "Version:" "Cgroup version:" "Kernel: $(uname -r)" "Firewall: nftables" "DNS: 127.0.0.1" "Security options: seccomp"
	stack system info --format json | jq -e '.Containers == 0 and .Projects >= 0 and .NCPU > 0 and (.MemTotal > 0)'
	[ "$(stack info --format '{{.KernelVersion}}')" = "$(uname -r)" ]
	[ "$(stack info --format '{{.StateRoot}}')" = "$STACK_ROOT" ]
}

@test "info shows what the machine's settings make of networks, and what counts without them" {
	run stack info
	has "(absent)" "Address pools: 172.18.0.0/15 (/24)" "172.17.0.0/16 (/24)" "DNS time to live: 5" "MTU of bridges: of the uplink" "IPv4 forwarding: "
	echo '{"default-address-pools":[{"base":"10.64.0.0/12","size":26}],"dns":["192.0.2.53"],"mtu":1400,"ip":"127.0.0.1",
		"network":{"dns_ttl":1},"default-network-opts":{"bridge":{"com.docker.network.bridge.enable_icc":"false"}}}' >config.json
	run stack --config config.json info
	has "Settings: config.json" "Address pools: 10.64.0.0/12 (/26)" "DNS of services: 192.0.2.53" "DNS time to live: 1" \
		"MTU of bridges: 1400" "Ports without address: 127.0.0.1" "Bridge options: com.docker.network.bridge.enable_icc"
	stack --config config.json info --format json | jq -e '.DefaultAddressPools == [{"Base": "10.64.0.0/12", "Size": 26}]'
}

@test "the manual tells every command of the help" {
	stack manual >stack.1
	for command in up "volume create" "network create" "secret create" "image verify" "container rm" "system df" why wait; do
		grep -q "stack ${command//-/.}" stack.1
	done
	[ "$(grep -c '^\.TH STACK 1' stack.1)" = 1 ]
}
