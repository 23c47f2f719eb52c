#!/usr/bin/env bats
# What others do to a project's network is noticed and put right.
load lib

netd_pid() {
	pgrep -f "stack-netd $P\$" | head -n 1
}

resolves() { # NAME
	stack exec -T client nslookup "$1" 127.0.0.11 >/dev/null
}

two_services() {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["127.0.0.1:8080:80"], stop_signal: SIGKILL }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	eventually 5 resolves web
}

@test "a flushed ruleset is restored, and an event tells it" {
	two_services
	nft flush ruleset
	eventually 5 grep -q "firewall rules were removed by another program, restored" "$STACK_ROOT/projects/$P/events.jsonl"
	eventually 5 answers http://127.0.0.1:8080/
}

@test "a deleted table is restored" {
	two_services
	nft list table inet stack | grep -q 8080
	nft delete table inet stack
	eventually 5 answers http://127.0.0.1:8080/
}

@test "a bridge and a link that were deleted by hand are made again" {
	two_services
	bridge=$(ip -br link show type bridge | awk 'NR == 1 { print $1 }')
	ip link delete "$bridge"
	eventually 5 answers http://127.0.0.1:8080/
	port=$(ip -br link show type veth | awk 'NR == 1 { sub(/@.*/, "", $1); print $1 }')
	ip link delete "$port"
	eventually 5 answers http://127.0.0.1:8080/
	eventually 5 fetch "$P" client web 80
}

@test "names resolve again after netd was killed, and the ports stay held" {
	two_services
	before=$(netd_pid)
	kill -9 "$before"
	eventually 5 resolves web
	[ "$(netd_pid)" != "$before" ]
	answers http://127.0.0.1:8080/
	run timeout 2 busybox nc -l -p 8080 127.0.0.1
	[ "$status" -ne 124 ]
	stack restart web -t 0
	eventually 5 fetch "$P" client web 80
}

@test "netd and the supervisor killed together: the next one answers names and ports" {
	two_services
	kill -9 "$(supervisor_pid)" "$(netd_pid)"
	up
	eventually 5 resolves web
	fetch "$P" client web 80
	answers http://127.0.0.1:8080/
}

@test "a namespace that was changed while nobody watched is made anew at the next start" {
	two_services
	kill -9 "$(supervisor_pid)"
	netns=$STACK_RUNTIME_ROOT/netns/$P.web.1
	nsenter --net="$netns" ip address add 10.99.0.1/24 dev eth0
	up
	stack restart web -t 0
	run nsenter --net="$netns" ip address show
	lacks 10.99.0.1
	eventually 5 answers http://127.0.0.1:8080/
	eventually 5 fetch "$P" client web 80
}

@test "a network of another project's container stays with its bridge when its project goes down" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", networks: [shared], stop_signal: SIGKILL }
		networks: { shared: { name: "${P}-shared" } }
	END
	cat >other.yml <<-END
		services:
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, networks: [shared], stop_signal: SIGKILL }
		networks: { shared: { name: "${P}-shared", external: true } }
	END
	up
	stack -p "${P}b" -f other.yml up -d
	address=$(field "$P-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
	eventually 5 fetch "${P}b" client "$address" 80
	run stack down
	[ "$status" -eq 0 ]
	[ "$(ip -br link show type bridge | wc -l)" -eq 1 ]
	nft list table inet stack | grep -q "$(ip -br link show type bridge | awk '{ print $1 }')"
	up
	address=$(field "$P-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
	eventually 5 fetch "${P}b" client "$address" 80
	eventually 5 fetch "${P}b" client web 80
	eventually 5 fetch "${P}b" client "$P-web-1" 80
	stack -p "${P}b" -f other.yml down
}
