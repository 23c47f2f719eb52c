#!/usr/bin/env bats
# Networks and ports over changes, refusals and the deaths of our own processes.
load lib

book() { # rows of the port book
	jq -r '.ports[] | "\(.address) \(.port) \(.slot)"' "$STACK_ROOT/ports.json" 2>/dev/null || true
}

netd_pid() {
	pgrep -f "stack-netd $P\$" | head -n 1
}

@test "a published port moves with the file, and the old one is free" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["127.0.0.1:8080:80"] }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	sed -i 's/8080/8090/' app.yml
	up
	eventually 5 answers http://127.0.0.1:8090/
	run ! answers http://127.0.0.1:8080/
	run ! grep -q :8080 <(book)
	[ "$(book)" = "127.0.0.1 8090 $P/web/1" ]
	run nft list table inet stack
	lacks 8080
	timeout 1 busybox nc -l -p 8080 127.0.0.1 >/dev/null || [ $? -eq 124 ] # the placeholder has gone
}

@test "a recreate with the same ports keeps them, also when the system chose" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["80", "127.0.0.1:8080:80"], environment: { V: one } }
	END
	up
	before=$(stack port web 80)
	address=$(field "$P-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
	sed -i 's/V: one/V: two/' app.yml
	up
	[ "$(stack port web 80)" = "$before" ]
	[ "$(field "$P-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')" = "$address" ]
	eventually 5 answers "http://127.0.0.1:8080/"
}

@test "a service that joins another network gets a namespace with both links" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", networks: [one], stop_signal: SIGKILL }
		networks: { one: {}, two: {} }
	END
	up
	[ "$(stack exec -T web ls /sys/class/net | tr '\n' ' ')" = "eth0 lo " ]
	sed -i 's/\[one\]/[one, two]/' app.yml
	up
	[ "$(stack exec -T web ls /sys/class/net | tr '\n' ' ')" = "eth0 eth1 lo " ]
	sed -i 's/\[one, two\]/[two]/' app.yml
	up
	[ "$(stack exec -T web ls /sys/class/net | tr '\n' ' ')" = "eth0 lo " ]
	[ "$(field "$P-web-1" '{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}')" = "${P}_two" ]
}

@test "a change that is refused leaves running publications as they are" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["127.0.0.1:8080:80"] }
	END
	up
	busybox nc -l -p 8081 >/dev/null 2>&1 &
	CLEANUP="kill $! || true"
	eventually 10 grep -q ':1F91 .* 0A ' /proc/net/tcp /proc/net/tcp6 # it listens
	sed -i 's/8080:80"/8080:80", "127.0.0.1:8082:80", "127.0.0.1:8081:80"/' app.yml
	run up
	[ "$status" -ne 0 ]
	has 8081
	answers http://127.0.0.1:8080/
	[ "$(book)" = "127.0.0.1 8080 $P/web/1" ]
}

@test "a supervisor that died is followed by one that adopts the ports, with netd alive and dead" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["127.0.0.1:8080:80", "8081:80"] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	up
	started=$(started_at "$P-web-1")
	kill -9 "$(supervisor_pid)"
	up
	[ "$(started_at "$P-web-1")" = "$started" ]
	answers http://127.0.0.1:8080/
	netd=$(netd_pid)
	kill -9 "$(supervisor_pid)" "$netd"
	up
	[ "$(started_at "$P-web-1")" = "$started" ]
	answers http://127.0.0.1:8081/
	[ "$(netd_pid)" != "$netd" ]
	stack restart web -t 0
	eventually 5 answers http://127.0.0.1:8080/
}

@test "the loopback ::1 reaches a container without IPv6" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["8080:80"] }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	answers "http://[::1]:8080/"
}

@test "expose host-firewall publishes through the host's own input rules" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    ports: ["127.0.0.1:8080:80"]
		    x-stack: { expose: host-firewall }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	nft add table inet guard
	CLEANUP="nft delete table inet guard"
	nft 'add chain inet guard input { type filter hook input priority 0; }'
	nft add rule inet guard input tcp dport 8080 reject
	run ! answers http://127.0.0.1:8080/
}

@test "a network with another subnet is made anew, and its containers with it" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["127.0.0.1:8080:80"], stop_signal: SIGKILL }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks:
		  default: { ipam: { config: [{ subnet: 10.201.1.0/24 }] } }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	sed -i 's/10.201.1.0/10.202.2.0/' app.yml
	run up
	[ "$status" -eq 0 ]
	lacks "still in use"
	[ "$(field "$P-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' | cut -d. -f1-3)" = 10.202.2 ]
	eventually 5 answers http://127.0.0.1:8080/
	eventually 5 fetch "$P" client web 80
	run nft list table inet stack
	lacks 10.201
	sed -i 's|10.202.2.0/24 }\]|&, options: {}|; s/default: {/default: { internal: true,/' app.yml
	up
	eventually 5 fetch "$P" client web 80
}

@test "an address that is no good refuses the change and leaves nothing of it" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    networks: { one: { ipv4_address: 10.250.0.9 } }
		networks:
		  one: { ipam: { config: [{ subnet: 10.201.1.0/24 }] } }
	END
	run up
	[ "$status" -ne 0 ]
	has 10.250.0.9
	[ -z "$(ls "$STACK_ROOT/networks" | grep -v lock)" ]
	[ -z "$(ip -br link show type bridge)" ]
}

@test "ports without effect are told" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", network_mode: host, ports: ["8080:80"] }
	END
	run up
	[ "$status" -eq 0 ]
	has "ports are ignored"
}
