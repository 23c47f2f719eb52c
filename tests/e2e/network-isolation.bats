#!/usr/bin/env bats
# What must not be reachable: other projects, internal networks, the host's loopback; and what options promise.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

address_of() { # CONTAINER
	field "$1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
}

inside() { # SERVICE COMMAND...
	stack exec -T "$@"
}

# A neighbour of the host on a link of its own: NAME is a namespace with 192.0.2.2, the host is 192.0.2.1.
neighbour() {
	ip netns add "$1"
	ip link add up0 type veth peer name eth0 netns "$1"
	ip address add 192.0.2.1/24 dev up0
	ip link set up0 up
	ip -n "$1" link set lo up
	ip -n "$1" link set eth0 up
	ip -n "$1" address add 192.0.2.2/24 dev eth0
	ip -n "$1" route add default via 192.0.2.1
	CLEANUP="ip netns delete $1; ip link delete up0 2>/dev/null || true"
}

from() { # NAMESPACE URL: the page is there
	ip netns exec "$1" curl -s -f -o /dev/null --max-time 2 "$2"
}

@test "a port of the loopback is not reached from a neighbour or a container, a public one is" {
	neighbour out
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["127.0.0.1:8080:80", "8081:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	eventually 5 from out http://192.0.2.1:8081/
	run ! from out http://192.0.2.1:8080/
	# With a route of its own for the loopback's addresses (CVE-2020-8558).
	ip netns exec out sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1
	ip -n out address delete 127.0.0.1/8 dev lo
	ip -n out route add 127.0.0.0/8 via 192.0.2.1 dev eth0 src 192.0.2.2
	run ! from out http://127.0.0.1:8080/
	run ! from out http://127.0.0.1:8081/
	# A program of the host on its loopback, asked from a container that tries the same.
	busybox nc -l -p 9000 127.0.0.1 </dev/null >/dev/null &
	listener=$!
	gateway=$(inside client ip route | awk '/^default/ { print $3 }')
	run inside client sh -c "ip route add 127.0.0.0/8 via $gateway; echo x | nc -w 2 127.0.0.1 9000"
	[ "$status" -ne 0 ]
	kill -0 $listener # nobody came
	kill $listener
	# By address, past the published port: the container is not there for the neighbour.
	run ! from out "http://$(address_of "$P-web-1"):80/"
	from out http://192.0.2.1:8081/
	stack down
}

@test "an internal network has no way out and none in, its members reach each other" {
	neighbour out
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, networks: [inner], ports: ["8080:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: [inner] }
		  outer: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: [default] }
		networks: { inner: { internal: true } }
	END
	run up
	[ "$status" -eq 0 ]
	has "its ports are not published"
	eventually 5 fetch "$P" client web 80
	answers "http://$(address_of "$P-web-1")/" # the host itself
	[ -z "$(inside client ip route | grep default)" ]
	run ! inside client ping -c 1 -W 1 192.0.2.2
	inside outer ping -c 1 -W 2 192.0.2.2
	run ! fetch "$P" outer "$(address_of "$P-web-1")" 80
	run ! from out http://192.0.2.1:8080/
	run inside client nslookup example.com 127.0.0.11
	[ "$status" -ne 0 ]
	has NXDOMAIN
	stack down
}

@test "a container without NET_RAW cannot send in another's name, nor another's frames" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, cap_drop: [NET_RAW], cap_add: [] }
	END
	up
	eventually 5 fetch "$P" client web 80
	run ! inside client ip address add "$(address_of "$P-web-1")/24" dev eth0
	run ! inside client ip link set eth0 address 02:00:00:00:00:01
	run ! inside client arping -c 1 -I eth0 "$(address_of "$P-web-1")"
	run ! inside client sh -c "printf x | nc -w 1 -s $(address_of "$P-web-1") $(address_of "$P-web-1") 80"
}

@test "names of other projects are unknown, and PTR questions of ours do not leave the host" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	sed 's/web:/db:/' app.yml >other.yml
	stack -p "${P}b" -f other.yml up -d
	id=$(field "${P}b-db-1" '{{.Id}}' | cut -c1-12)
	for name in db "${P}b-db-1" "db.${P}b_default" "$id"; do
		run ! inside client nslookup "$name" 127.0.0.11
	done
	inside client nslookup "$(address_of "$P-web-1")" 127.0.0.11 | grep -q "$P-web-1.${P}_default"
	run inside client nslookup "$(address_of "${P}b-db-1")" 127.0.0.11
	lacks "${P}b-db-1"
	stack -p "${P}b" -f other.yml down
}

@test "enable_icc false parts the members, mtu, bridge name, host binding and masquerade hold" {
	neighbour out
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["8080:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks:
		  default:
		    driver_opts:
		      com.docker.network.bridge.name: bench0
		      com.docker.network.driver.mtu: "1400"
		      com.docker.network.bridge.enable_icc: "false"
		      com.docker.network.bridge.host_binding_ipv4: 127.0.0.1
		      com.docker.network.bridge.enable_ip_masquerade: "false"
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	run ! from out http://192.0.2.1:8080/
	ip link show bench0 | grep -q "mtu 1400"
	inside client cat /sys/class/net/eth0/mtu | grep -qx 1400
	run ! fetch "$P" client "$(address_of "$P-web-1")" 80
	answers "http://$(address_of "$P-web-1")/"
	ip -n out route delete default
	run ! inside client ping -c 1 -W 1 192.0.2.2 # with its own address, to which the neighbour has no way
	ip -n out route replace "$(address_of "$P-client-1")" via 192.0.2.1
	inside client ping -c 1 -W 2 192.0.2.2
	stack down
}

@test "gateway_mode routed: no translation, the published port is open by the container's address, others are not" {
	neighbour out
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["80"] }
		  shut: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		networks:
		  default: { driver_opts: { com.docker.network.bridge.gateway_mode_ipv4: routed } }
	END
	up
	eventually 5 from out "http://$(address_of "$P-web-1")/"
	run ! from out "http://$(address_of "$P-shut-1")/"
	stack down
}

@test "beside docker's rules: its drop policy does not stop ours, and its chain is as before after down" {
	neighbour out
	nft add table ip filter
	nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
	nft add chain ip filter DOCKER-USER
	nft add rule ip filter FORWARD jump DOCKER-USER
	before=$(nft -s list table ip filter)
	CLEANUP="nft delete table ip filter; $CLEANUP"
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["8080:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	eventually 5 from out http://192.0.2.1:8080/
	inside client ping -c 1 -W 2 192.0.2.2
	fetch "$P" client web 80
	stack down
	[ "$(nft -s list table ip filter)" = "$before" ]
}

@test "a driver that the kernel lacks is named with its option" {
	neighbour out
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks: { default: { driver: ipvlan, driver_opts: { parent: up0 } } }
	END
	run up
	if [ "$status" -ne 0 ]; then
		has "this kernel has no ipvlan (CONFIG_IPVLAN)"
	else
		inside web ip link show eth0 # a kernel that has it
	fi
	stack down
}

# As a container with NET_RAW could: from its own link.
advertise() { # CONTAINER
	nsenter --net -t "$(pid_of "$1")" "$ROOT/tests/e2e/advertise.py" eth0
}

believed() { # the address and the route of tests/e2e/advertise.py
	ip -6 address show | grep -q 2001:db8:666: || ip -6 route show | grep -q fe80::666
}

@test "a container that plays the router gives neither host nor neighbours an address or a route (CVE-2020-13401)" {
	local six
	for six in false true; do
		compose <<-END
			services:
			  bad: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
			  good: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
			networks: { default: { enable_ipv6: $six } }
		END
		up
		advertise "$P-bad-1"
		inside good ping -c 1 "$(address_of "$P-bad-1")" # what was sent before has arrived
		never 1 believed
		run nsenter --net -t "$(pid_of "$P-good-1")" sh -c 'ip -6 address show; ip -6 route show'
		lacks 2001:db8:666: fe80::666
		stack down
	done
}
