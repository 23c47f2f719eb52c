#!/usr/bin/env bats
# Containers that join and leave networks while they run, and the modes that join what others made.
# shellcheck disable=SC2034 # CLEANUP is for the teardown of lib
load lib

inside() { # SERVICE COMMAND...
	stack exec -T "$@"
}

links() { # SERVICE
	inside "$1" ls /sys/class/net | tr '\n' ' '
}

networks() { # CONTAINER
	field "$1" '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}' | xargs -n1 | sort | xargs
}

resolves() { # SERVICE NAME
	inside "$1" nslookup "$2" 127.0.0.11 >/dev/null
}

drop_lab() {
	stack network rm -f lab >/dev/null
}

@test "a running container joins a network with names and leaves it again" {
	CLEANUP=drop_lab
	stack network create --subnet 10.77.0.0/24 lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, networks: [front] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: [back] }
		networks: { front: {}, back: {} }
	END
	up
	run ! fetch "$P" client web 80
	started=$(started_at "$P-web-1")
	stack network connect --alias shop --ip 10.77.0.40 lab "$P-web-1"
	stack network connect lab "$P-client-1"
	[ "$(links web)" = "eth0 eth1 lo " ]
	eventually 5 fetch "$P" client shop 80
	fetch "$P" client web 80
	fetch "$P" client 10.77.0.40 80
	[ "$(networks "$P-web-1")" = "lab ${P}_front" ]
	stack network inspect lab | jq -e --arg web "$P-web-1" '[.[0].Containers[] | select(.Name == $web) | .IPv4Address] == ["10.77.0.40/24"]'
	run stack network connect lab "$P-web-1"
	[ "$status" -eq 1 ]
	has "is on network lab already"

	stack network disconnect lab "$P-web-1"
	[ "$(links web)" = "eth0 lo " ]
	eventually 5 eval '! resolves client shop'
	run ! fetch "$P" client 10.77.0.40 80
	[ "$(started_at "$P-web-1")" = "$started" ]
	run stack network disconnect lab "$P-web-1"
	[ "$status" -eq 1 ]
	has "is not on network lab"
	run stack network disconnect lab nobody
	[ "$status" -eq 1 ]
	stack network disconnect -f lab nobody
	stack down
	[ -z "$(ip -br link show type veth)" ]
}

@test "a connection outlives restarts and supervisors, and goes with a recreate" {
	CLEANUP=drop_lab
	stack network create lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", environment: { V: one }, stop_signal: SIGKILL, ports: ["127.0.0.1:8080:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	stack network connect --alias shop lab "$P-web-1"
	stack network connect lab "$P-client-1"
	address=$(field "$P-web-1" '{{(index .NetworkSettings.Networks "lab").IPAddress}}')
	stack restart -t 0 web
	[ "$(links web)" = "eth0 eth1 lo " ]
	kill -9 "$(supervisor_pid)"
	up
	eventually 5 fetch "$P" client shop 80
	stack restart -t 0 web
	eventually 5 fetch "$P" client "$address" 80
	[ "$(field "$P-web-1" '{{(index .NetworkSettings.Networks "lab").IPAddress}}')" = "$address" ]
	answers http://127.0.0.1:8080/
	sed -i 's/V: one/V: two/' app.yml
	up
	[ "$(links web)" = "eth0 lo " ]
	eventually 5 eval '! resolves client shop'
}

@test "a stopped container is connected at its next start, and its own network can be left" {
	CLEANUP=drop_lab
	stack network create lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, ports: ["127.0.0.1:8080:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	stack stop web
	stack network connect lab "$P-web-1"
	stack start web
	[ "$(links web)" = "eth0 eth1 lo " ]
	stack network disconnect "${P}_default" "$P-web-1"
	[ "$(links web)" = "eth1 lo " ]
	inside web ip route | grep -q 'default via .* dev eth1'
	eventually 5 answers http://127.0.0.1:8080/ # the port leads to the network that is left
	stack network connect "${P}_default" "$P-web-1"
	[ "$(links web)" = "eth0 eth1 lo " ]
	eventually 5 fetch "$P" client web 80
	stack network disconnect lab "$P-web-1"
	stack network disconnect "${P}_default" "$P-web-1"
	[ "$(links web)" = "lo " ]
	stack network connect lab "$P-web-1"
	eventually 5 answers http://127.0.0.1:8080/
}

@test "a wish that cannot be met changes nothing" {
	CLEANUP=drop_lab
	stack network create --subnet 10.77.0.0/24 lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		  alone: { image: "$REGISTRY/busybox:1", command: sleep 1000, network_mode: none, stop_signal: SIGKILL }
	END
	up
	run stack network connect --ip 10.99.0.1 lab "$P-web-1"
	[ "$status" -eq 1 ]
	has 10.99.0.1
	run stack network connect nowhere "$P-web-1"
	[ "$status" -eq 1 ]
	run stack network connect lab "$P-alone-1"
	[ "$status" -eq 1 ]
	has "network_mode: none"
	[ "$(links web)" = "eth0 lo " ]
	[ "$(networks "$P-web-1")" = "${P}_default" ]
	stack network inspect lab | jq -e '.[0].Containers == {}'
}

@test "gw-priority moves the default route" {
	CLEANUP=drop_lab
	stack network create --subnet 10.77.0.0/24 lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
	END
	up
	stack network connect --gw-priority 5 lab "$P-web-1"
	[ "$(inside web ip route | grep -c ^default)" = 1 ]
	inside web ip route | grep -q 'default via 10.77.0.1 dev eth1'
	stack network disconnect lab "$P-web-1"
	inside web ip route | grep -q 'default via .* dev eth0'
}

@test "network_mode: container joins a container of another project" {
	cat >other.yml <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, container_name: "$P-target" }
	END
	compose <<-END
		services:
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, network_mode: "container:$P-target" }
	END
	run up
	[ "$status" -ne 0 ]
	has "no such container: $P-target"
	stack -p "${P}b" -f other.yml up -d
	up
	eventually 5 fetch "$P" client 127.0.0.1 80
	[ "$(readlink "/proc/$(pid_of "$P-client-1")/ns/net")" = "$(readlink "/proc/$(pid_of "$P-target")/ns/net")" ]
	[ "$(stack exec -T client cat /etc/hosts)" = "$(stack -p "${P}b" exec -T web cat /etc/hosts)" ]
	sed -i 's/, network_mode/, ports: ["8080:80"], network_mode/' app.yml
	run up
	[ "$status" -ne 0 ]
	has "ports and network_mode: container:$P-target exclude each other"
	stack down
	stack -p "${P}b" -f other.yml down
}

@test "network_mode: bridge is one network of the machine without names, a name joins a network made by hand" {
	CLEANUP=drop_lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, network_mode: bridge, ports: ["127.0.0.1:8080:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, network_mode: bridge }
	END
	up
	sed 's/8080/8081/' app.yml >other.yml
	stack -p "${P}b" -f other.yml up -d
	eventually 5 answers http://127.0.0.1:8080/
	address=$(field "$P-web-1" '{{(index .NetworkSettings.Networks "bridge").IPAddress}}')
	eventually 5 fetch "${P}b" client "$address" 80
	run ! resolves client web
	run ! stack -p "${P}b" exec -T client nslookup "$P-web-1" 127.0.0.11
	stack -p "${P}b" -f other.yml down
	stack network ls -q --filter name=bridge | grep -q .
	stack down
	[ -z "$(stack network ls -q)" ] # the last one takes it along

	sed -i 's/network_mode: bridge/network_mode: lab/' app.yml
	run up
	[ "$status" -ne 0 ]
	has "network lab does not exist"
	stack network create lab
	up
	eventually 5 answers http://127.0.0.1:8080/
	[ "$(networks "$P-web-1")" = "lab" ]
	stack down
}

@test "interfaces are called as the file says, and link-local addresses are there" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    stop_signal: SIGKILL
		    networks:
		      one: { interface_name: front0, link_local_ips: [169.254.7.7] }
		      two: { driver_opts: { com.docker.network.endpoint.ifname: back0 } }
		networks: { one: {}, two: {} }
	END
	up
	[ "$(links web)" = "back0 front0 lo " ]
	inside web ip address show dev front0 | grep -q '169.254.7.7/16'
	stack restart -t 0 web
	[ "$(links web)" = "back0 front0 lo " ]
}

@test "hosts of a running container changes with its networks, at once and in place; names answer at once" {
	local inode address
	CLEANUP=drop_lab
	stack network create --subnet 10.77.0.0/24 lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, hostname: shop, extra_hosts: ["printer=10.9.9.9", "up=host-gateway"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: [lab] }
		networks: { lab: { external: true } }
	END
	up
	address=$(field "$P-web-1" "{{(index .NetworkSettings.Networks \"${P}_default\").IPAddress}}")
	[ "$(inside web grep -c shop /etc/hosts)" = 1 ]
	inside web sh -c 'echo "10.1.1.1 own" >>/etc/hosts'
	inode=$(inside web stat -c %i /etc/hosts)
	stack network connect --ip 10.77.0.9 --alias till lab "$P-web-1"
	# No waiting in any of these: the answer of the command says that it is so.
	resolves client till
	inside client nslookup till 127.0.0.11 | grep -q 10.77.0.9
	resolves client web
	inside web grep -q "^10.77.0.9	shop" /etc/hosts
	inside web grep -q "^$address	shop" /etc/hosts
	inside web grep -q "^10.1.1.1 own" /etc/hosts
	[ "$(inside web grep -c 'printer' /etc/hosts)" = 1 ]
	[ "$(inside web stat -c %i /etc/hosts)" = "$inode" ]
	# host-gateway follows the default route.
	stack network disconnect "${P}_default" "$P-web-1"
	run ! inside web grep -q "^$address" /etc/hosts
	inside web grep -q "^10.77.0.1	up" /etc/hosts
	inside web grep -q "^10.1.1.1 own" /etc/hosts
	# Without any network the host's name servers stand in resolv.conf; with one, ours again.
	stack network disconnect lab "$P-web-1"
	run ! inside web grep -q shop /etc/hosts
	run ! inside web grep -q 127.0.0.11 /etc/resolv.conf
	stack network connect --alias till lab "$P-web-1"
	inside web grep -q "nameserver 127.0.0.11" /etc/resolv.conf
	inside web grep -q shop /etc/hosts
	resolves web client
	resolves client till
	# The next life begins with what is written anew.
	stack restart -t 0 web
	run ! inside web grep -q own /etc/hosts
	inside web grep -q shop /etc/hosts
}
