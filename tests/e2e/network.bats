#!/usr/bin/env bats
# Names, ports and the way out.
load lib

@test "a published port answers on the loopback, and is closed after down" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    ports: ["127.0.0.1:8080:80"]
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	run stack ps
	has "127.0.0.1:8080->80/tcp"
	[ "$(stack port web 80)" = 127.0.0.1:8080 ]
	stack down
	run ! answers http://127.0.0.1:8080/
}

@test "services find each other by name, also after a recreate" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    environment: { V: one }
		  client:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	eventually 5 fetch "$P" client web 80
	fetch "$P" client "$P-web-1" 80
	sed -i 's/V: one/V: two/' app.yml
	up
	eventually 5 fetch "$P" client web 80
	[ "$(stack exec -T client nslookup web 127.0.0.11 | grep -c '^Address.*172\|^Address.*10\.\|^Address.*192')" -ge 1 ]
}

@test "nginx reaches its upstream by service name" {
	cat >default.conf <<-'END'
		resolver 127.0.0.11 valid=1s ipv6=off;
		server {
			listen 80;
			location / { set $up app; proxy_pass http://$up:8000/; }
		}
	END
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    volumes: ["./default.conf:/etc/nginx/conf.d/default.conf:ro"]
		    ports: ["127.0.0.1:8080:80"]
		  app:
		    image: $REGISTRY/app:1
	END
	up
	eventually 10 answers http://127.0.0.1:8080/
	[ "$(curl -s --max-time 5 http://127.0.0.1:8080/)" = "<h1>app runs</h1>" ]
}

@test "an unknown name is answered soon, not with a hang" {
	compose <<-END
		services:
		  client:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	started=$SECONDS
	run timeout 20 stack exec -T client nslookup nobody.example.invalid
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
	[ $((SECONDS - started)) -le 12 ]
}

@test "projects do not see each other" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1" }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	stack -p "${P}a" up -d
	stack -p "${P}b" up -d
	address=$(field "${P}a-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}')
	[ -n "$address" ]
	eventually 5 fetch "${P}a" client "$address" 80
	run ! fetch "${P}b" client "$address" 80
	run ! fetch "${P}b" client "${P}a-web-1" 80
}

@test "a port that is taken is told, with its owner" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", ports: ["127.0.0.1:8080:80"] }
	END
	stack -p "${P}a" up -d
	run stack -p "${P}b" up -d
	[ "$status" -eq 1 ]
	has 8080 "${P}a"
	busybox nc -l -p 8081 >/dev/null 2>&1 &
	listener=$!
	sed -i 's/8080/8081/' app.yml
	run stack -p "${P}c" up -d
	kill $listener || true
	[ "$status" -eq 1 ]
	has 8081
}

@test "network_mode none has the loopback alone, host has the host's links" {
	compose <<-END
		services:
		  alone: { image: "$REGISTRY/busybox:1", command: sleep 1000, network_mode: none, stop_signal: SIGKILL }
		  open: { image: "$REGISTRY/busybox:1", command: sleep 1000, network_mode: host, stop_signal: SIGKILL }
	END
	up
	[ "$(stack exec -T alone ls /sys/class/net)" = lo ]
	[ "$(readlink "/proc/$(pid_of "$P-open-1")/ns/net")" = "$(readlink /proc/self/ns/net)" ]
}

@test "sysctls of an endpoint are those of its interface; a text that is none is refused" {
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    networks:
		      other:
		      net:
		        driver_opts:
		          com.docker.network.endpoint.ifname: front
		          com.docker.network.endpoint.sysctls: "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.arp_ignore=2"
		networks: { net: , other: }
	END
	up
	[ "$(stack exec -T c cat /proc/sys/net/ipv4/conf/front/log_martians)" = 1 ]
	[ "$(stack exec -T c cat /proc/sys/net/ipv4/conf/front/arp_ignore)" = 2 ]
	[ "$(stack exec -T c cat /proc/sys/net/ipv4/conf/eth0/arp_ignore)" = 0 ] ||
		[ "$(stack exec -T c cat /proc/sys/net/ipv4/conf/eth1/arp_ignore)" = 0 ]
	sed -i 's/net.ipv4.conf.IFNAME.log_martians=1/kernel.panic=1/' app.yml
	run up
	[ "$status" -eq 1 ]
	has kernel.panic IFNAME
}
