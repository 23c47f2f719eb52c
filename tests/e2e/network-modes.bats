#!/usr/bin/env bats
# Drivers and gateway modes: who reaches whom with each; sctp; what a network's settings do inside.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

address_of() { # CONTAINER
	field "$1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
}

inside() { # SERVICE COMMAND...
	stack exec -T "$@"
}

# A neighbour of the host on a link of its own: `out` has 192.0.2.2 and a server on port 80; the host's end is up0.
neighbour() {
	ip netns add out
	ip link add up0 type veth peer name eth0 netns out
	ip link set up0 up
	ip -n out link set lo up
	ip -n out link set eth0 up
	ip -n out address add 192.0.2.2/24 dev eth0
	mkdir -p site
	echo neighbour >site/index.html
	ip netns exec out busybox httpd -f -p 80 -h site </dev/null >/dev/null 2>&1 3>&- &
	CLEANUP="kill $!; ip netns delete out; ip link delete up0 2>/dev/null || true"
}

from() { # NAMESPACE URL: the page is there
	ip netns exec "$1" curl -s -f -o /dev/null --max-time 2 "$2"
}

lan() { # MODE: two services on a macvlan network
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: httpd -f -p 80 -h /etc, stop_signal: SIGKILL, networks: { lan: { ipv4_address: 192.0.2.20 } } }
		  b: { image: "$REGISTRY/busybox:1", command: httpd -f -p 80 -h /etc, stop_signal: SIGKILL, networks: [lan] }
		networks:
		  lan:
		    driver: macvlan
		    driver_opts: { parent: up0, macvlan_mode: $1 }
		    ipam: { config: [{ subnet: 192.0.2.0/24, gateway: 192.0.2.2, ip_range: 192.0.2.128/29, aux_addresses: { printer: 192.0.2.129 } }] }
	END
}

@test "macvlan: in mode bridge members reach each other and the neighbour, in private and vepa the neighbour alone" {
	neighbour
	local mode b
	for mode in bridge private vepa; do
		lan $mode
		up
		b=$(address_of "$P-b-1")
		# The range leaves out the gateway's place and what is reserved.
		[[ $b =~ ^192\.0\.2\.13[0-5]$ || $b = 192.0.2.128 ]]
		nsenter --net -t "$(pid_of "$P-a-1")" ip -d link show eth0 | grep -q "macvlan mode $mode"
		eventually 10 from out http://192.0.2.20/passwd
		eventually 10 from out "http://$b/passwd"
		page a 192.0.2.2 neighbour /index.html
		inside a nslookup b 127.0.0.11 | grep -q "$b"
		if [ $mode = bridge ]; then
			page a "$b" root:
		else
			run ! page a "$b" root:
		fi
		# The parent stays as it was; nothing of ours is on the host.
		[ -z "$(ip -br link show type bridge)" ]
		stack down
		ip link show up0 | grep -q UP
	done
}

@test "macvlan: passthru has one member, a second one is told why" {
	neighbour
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: httpd -f -p 80 -h /etc, stop_signal: SIGKILL, networks: { lan: { ipv4_address: 192.0.2.20 } } }
		networks:
		  lan:
		    driver: macvlan
		    driver_opts: { parent: up0, macvlan_mode: passthru }
		    ipam: { config: [{ subnet: 192.0.2.0/24, gateway: 192.0.2.2 }] }
	END
	up
	eventually 10 from out http://192.0.2.20/passwd
	page a 192.0.2.2 neighbour /index.html
	# Down and up: the parent has room again as soon as the kernel is through with the one before.
	stack down
	up
	eventually 10 from out http://192.0.2.20/passwd
	lan passthru
	run up
	[ "$status" -ne 0 ]
	has "passthru has room for one member"
	stack down
}

@test "macvlan: a missing parent and ports are told before anything starts" {
	neighbour
	compose <<-END
		services:
		  a: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["8080:80"], networks: [lan] }
		networks:
		  lan: { driver: macvlan, ipam: { config: [{ subnet: 192.0.2.0/24, gateway: 192.0.2.2 }] } }
	END
	run up
	[ "$status" -ne 0 ]
	has parent
	[ -z "$(stack ps -a -q)" ]
	sed -i 's/driver: macvlan,/driver: macvlan, driver_opts: { parent: nosuch0 },/' app.yml
	run up
	[ "$status" -ne 0 ]
	has nosuch0
	sed -i 's/nosuch0/up0/' app.yml
	run up
	[ "$status" -eq 0 ]
	has "ports"
	run ! curl -s -o /dev/null --max-time 1 http://127.0.0.1:8080/
	stack down
}

page() { # SERVICE ADDRESS PATTERN: what stands at /passwd or / (the wget of Debian's busybox crashes)
	inside "$1" sh -c "printf 'GET ${4:-/passwd} HTTP/1.0\\r\\n\\r\\n' | nc -w 2 $2 80" | grep -q "$3"
}

route_to() { # SUBNET-OF-PROJECT: the neighbour knows the way
	ip address add 192.0.2.1/24 dev up0
	ip -n out route add "$1" via 192.0.2.1
}

@test "gateway_mode nat-unprotected: every port of a container is open by its address, and it still leaves by the host's" {
	neighbour
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["8080:80"] }
		  plain: { image: "$REGISTRY/busybox:1", command: httpd -f -p 80 -h /etc, stop_signal: SIGKILL }
		networks:
		  default:
		    driver_opts: { com.docker.network.bridge.gateway_mode_ipv4: nat-unprotected }
		    ipam: { config: [{ subnet: 10.55.0.0/24 }] }
	END
	up
	route_to 10.55.0.0/24
	eventually 10 from out http://192.0.2.1:8080/
	from out "http://$(address_of "$P-plain-1")/passwd"
	from out "http://$(address_of "$P-web-1")/"
	# Masqueraded: the neighbour needs no way back.
	ip -n out route delete 10.55.0.0/24
	page plain 192.0.2.2 neighbour /index.html
	stack down
}

@test "gateway_mode isolated: the host has no address there and is not reached; without internal it is refused" {
	compose <<-END
		services:
		  a: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		  b: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks:
		  default:
		    driver_opts: { com.docker.network.bridge.gateway_mode_ipv4: isolated, com.docker.network.bridge.gateway_mode_ipv6: isolated }
		    enable_ipv6: true
		    ipam: { config: [{ subnet: 10.55.0.0/24 }, { subnet: "fd55::/64" }] }
	END
	run up
	[ "$status" -ne 0 ]
	has isolated internal
	echo "    internal: true" >>app.yml
	up
	[ -z "$(ip -br -4 address show type bridge | grep 10.55)" ]
	[ -z "$(ip -br -6 address show type bridge | grep -i fd55)" ]
	eventually 10 fetch "$P" b "$(address_of "$P-a-1")" 80 # by name IPv6 would be first, on which nginx does not listen
	run ! curl -s -o /dev/null --max-time 1 "http://$(address_of "$P-a-1")/"
	run ! inside b ping -c 1 -W 1 10.55.0.1
	stack down
}

refused() { # ADDRESS: its port 80 says no, or yes
	local status=0
	ip netns exec out curl -s -o /dev/null --max-time 2 "http://[$1]:80/" || status=$?
	[ "$status" -eq 7 ] || [ "$status" -eq 0 ]
}

@test "gateway_mode_ipv6 routed beside translated IPv4" {
	neighbour
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["8080:80"] }
		  shut: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		networks:
		  default:
		    enable_ipv6: true
		    driver_opts: { com.docker.network.bridge.gateway_mode_ipv6: routed }
		    ipam: { config: [{ subnet: 10.55.0.0/24 }, { subnet: "fd55::/64" }] }
	END
	ip address add 192.0.2.1/24 dev up0
	ip -6 address add 2001:db8::1/64 dev up0 nodad
	ip -n out -6 address add 2001:db8::2/64 dev eth0 nodad
	ip -n out -6 route add fd55::/64 via 2001:db8::1
	up
	local six
	six=$(field "$P-web-1" '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}')
	eventually 10 from out http://192.0.2.1:8080/
	# nginx of the tests listens on IPv4 alone: a refusal comes from the container, silence from a closed way.
	eventually 10 refused "$six"
	run ip netns exec out curl -s -o /dev/null --max-time 2 "http://[$six]:81/"
	[ "$status" -eq 28 ]
	six=$(field "$P-shut-1" '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}')
	run ip netns exec out curl -s -o /dev/null --max-time 2 "http://[$six]:80/"
	[ "$status" -eq 28 ]
	stack down
}

@test "links of networks without IPv6 have no address of it, not even a link-local one, others have, over restarts; net sysctls of the service hold" {
	CLEANUP="stack network rm -f lab"
	stack network create --ipv6 lab
	compose <<-END
		services:
		  a:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    networks: { four: { priority: 2 }, six: {} }
		    sysctls: { net.ipv4.ip_unprivileged_port_start: 1000, net.core.somaxconn: 77, net.ipv4.conf.all.rp_filter: 2 }
		networks: { four: {}, six: { enable_ipv6: true } }
	END
	up
	local life
	for life in first second; do
		[ -z "$(inside a ip -6 address show dev eth0)" ]
		inside a ip -6 address show dev eth1 | grep -q "scope global"
		inside a ping -6 -c 1 -W 1 ::1
		[ "$(inside a cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" = 1000 ]
		[ "$(inside a cat /proc/sys/net/core/somaxconn)" = 77 ]
		[ "$(inside a cat /proc/sys/net/ipv4/conf/all/rp_filter)" = 2 ]
		[ "$(inside a cat /proc/sys/net/ipv4/ip_forward)" = 0 ] # though the host's is on
		[ "$(inside a cat /proc/sys/net/ipv6/conf/eth1/accept_ra)" = 0 ]
		[ $life = second ] || stack restart -t 0 a
	done
	stack network connect lab "$P-a-1"
	inside a ip -6 address show dev eth2 | grep -q "scope global"
	stack down
}

@test "a project of external networks alone leaves no group, lease or name behind" {
	CLEANUP="stack network rm -f lab"
	stack network create lab
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: [lab] }
		networks: { lab: { external: true } }
	END
	local before
	before=$(jq -cS .groups "$STACK_ROOT/groups.json")
	up
	[ "$(jq -r ".groups[\"$P\"]" "$STACK_ROOT/groups.json")" != null ]
	stack down
	[ "$(jq -cS .groups "$STACK_ROOT/groups.json")" = "$before" ]
	[ "$(jq -c '.leases' "$STACK_ROOT/networks/lab.json")" = '{}' ]
	ip -br link show type bridge | grep -q sb
}

@test "sctp: an association that begins at a published port arrives at the container's, and the answer leaves from the published one" {
	neighbour
	ip address add 192.0.2.1/24 dev up0
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, ports: ["9000:3868/sctp"] }
	END
	up
	nft list map inet stack any4 | grep -q "sctp . 9000 comment \"$P/web/1\" : $(address_of "$P-web-1") . 3868"
	"$ROOT/tests/e2e/sctp.py" "$(pid_of "$P-web-1")" out 192.0.2.2 192.0.2.1 9000 3868
	stack down
}

@test "an address that the file gives to a service that does not run is kept for it" {
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: { default: { ipv4_address: 10.55.0.2 } } }
		  b: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks: { default: { ipam: { config: [{ subnet: 10.55.0.0/29, aux_addresses: { spare: 10.55.0.3 } }] } } }
	END
	up --scale a=0
	[[ $(address_of "$P-b-1") =~ ^10\.55\.0\.[456]$ ]] || { address_of "$P-b-1"; return 1; }
	up --scale b=3
	[ "$(address_of "$P-a-1")" = 10.55.0.2 ]
	# .0 the network, .1 the gateway, .2 a, .3 spare, .4 to .6 b, .7 broadcast: it is full.
	run up --scale b=4
	[ "$status" -ne 0 ]
	has 10.55.0.0/29
	stack down
}

@test "an option that nobody knows and an ipam driver that is not there are told" {
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks: { default: { driver_opts: { com.docker.network.bridge.enable_iccc: "false" } } }
	END
	run up
	[ "$status" -eq 0 ]
	has "com.docker.network.bridge.enable_iccc is not known" "did you mean com.docker.network.bridge.enable_icc?"
	stack down
	sed -i 's/driver_opts: .*/ipam: { driver: dhcp } } }/' app.yml
	run up
	[ "$status" -ne 0 ]
	has "ipam.driver dhcp is not supported"
	[ -z "$(stack ps -a -q)" ]
	CLEANUP="stack network rm -f lab"
	run stack network create -o mtuu=1400 lab
	has "mtuu is not known"
}
