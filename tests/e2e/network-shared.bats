#!/usr/bin/env bats
# Projects that meet on one network, many of them at once, and what keeps them apart.
# shellcheck disable=SC2034 # CLEANUP is for the teardown of lib
load lib

drop_lab() {
	stack network rm -f lab >/dev/null
}

other() { # the second project
	stack -p "${P}b" -f other.yml "$@"
}

resolves() { # PROJECT SERVICE NAME
	stack -p "$1" exec -T "$2" nslookup "$3" 127.0.0.11 >/dev/null
}

address_on() { # CONTAINER NETWORK
	field "$1" "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}"
}

@test "names of containers of other projects on a shared network come and go with their containers" {
	CLEANUP=drop_lab
	stack network create lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", networks: { lab: { aliases: [shop] } }, container_name: front, stop_signal: SIGKILL }
		networks: { lab: { external: true } }
	END
	cat >other.yml <<-END
		services:
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, networks: [lab], stop_signal: SIGKILL }
		networks: { lab: { external: true } }
	END
	other up -d
	run ! resolves "${P}b" client shop
	up
	for name in web front shop front.lab; do eventually 5 fetch "${P}b" client "$name" 80; done
	eventually 5 fetch "${P}b" client "$(field front '{{.Id}}' | cut -c1-12)" 80
	stack stop web
	eventually 5 eval '! resolves "${P}b" client shop'
	run ! resolves "${P}b" client front
	stack start web
	eventually 5 fetch "${P}b" client shop 80
	kill -9 "$(supervisor_pid)"
	fetch "${P}b" client shop 80
	stack down
	eventually 5 eval '! resolves "${P}b" client shop'
	other down
}

@test "two projects with the same services each find their own, and both on a shared network" {
	CLEANUP=drop_lab
	stack network create lab
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL, networks: [default, lab] }
		  client: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		  both: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, networks: [lab] }
		networks: { lab: { external: true } }
	END
	cp app.yml other.yml
	up
	other up -d
	[ "$(stack exec -T client nslookup web 127.0.0.11 | awk '/^Address/ && !/127.0.0.11/ { print $NF }')" = "$(address_on "$P-web-1" "${P}_default")" ]
	[ "$(other exec -T client nslookup web 127.0.0.11 | awk '/^Address/ && !/127.0.0.11/ { print $NF }')" = "$(address_on "${P}b-web-1" "${P}b_default")" ]
	both=$(printf '%s\n' "$(address_on "$P-web-1" lab)" "$(address_on "${P}b-web-1" lab)" | sort)
	eventually 5 eval '[ "$(stack exec -T both nslookup web 127.0.0.11 | awk "/^Address/ && !/127.0.0.11/ { print \$NF }" | sort)" = "$both" ]'
	stack down
	other down
}

@test "the bridge of a network made by hand is made again when it has gone" {
	CLEANUP=drop_lab
	stack network create --subnet 10.77.0.0/24 lab
	ip link delete "$(ip -br link show type bridge | awk '{ print $1 }')" # as after a boot
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1", networks: [lab], ports: ["127.0.0.1:8080:80"], stop_signal: SIGKILL }
		networks: { lab: { external: true } }
	END
	up
	eventually 5 answers http://127.0.0.1:8080/
	ip link delete "$(ip -br link show type bridge | awk '{ print $1 }')"
	eventually 5 answers http://127.0.0.1:8080/
	stack down
	ip -br link show type bridge | grep -q . # it is not the project's
}

@test "subnets that overlap are refused with the other side, and a used up pool names its setting" {
	CLEANUP="ip link delete dum0"
	ip link add dum0 type veth peer name dum1
	ip address add 10.90.0.1/16 dev dum0
	ip link set dum0 up
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		networks: { default: { ipam: { config: [{ subnet: 10.91.0.0/24 }] } } }
	END
	up
	run stack -p "${P}b" up -d
	[ "$status" -ne 0 ]
	has 10.91.0.0/24 "network ${P}_default"
	sed -i 's/10.91.0.0/10.90.7.0/' app.yml
	run stack -p "${P}b" up -d
	[ "$status" -ne 0 ]
	has 10.90.7.0/24 dum0
	stack down

	cat >config.json <<-END
		{ "default-address-pools": [{ "base": "10.92.0.0/23", "size": 24 }] }
	END
	export STACK_CONFIG=$PWD/config.json
	sed -i '/^networks/d' app.yml
	stack -p "${P}a" up -d
	stack -p "${P}b" up -d
	field "${P}a-web-1" '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' | grep -q '^10\.92\.'
	run stack -p "${P}c" up -d
	[ "$status" -ne 0 ]
	has default-address-pools
	stack -p "${P}a" down
	stack -p "${P}c" up -d # what was given back is free again
	sed -i 's/default-address/default-addres/' config.json
	run stack -p "${P}d" up -d
	[ "$status" -ne 0 ]
	has "config.json:1:3" 'did you mean "default-address-pools"?'
}

@test "twenty projects come up at once and go at once" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, ports: ["127.0.0.1::80"] }
	END
	stack -p "${P}x" pull -q
	pids=()
	for n in {1..20}; do
		stack -p "$P-$n" up -d 2>"up.$n" & pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	[ "$(stack ls -q | wc -l)" = 20 ]
	[ "$(jq -r '.ports[].port' "$STACK_ROOT/ports.json" | sort -u | wc -l)" = 20 ]
	[ "$(cat "$STACK_ROOT"/networks/*.json | jq -r '.subnets[].subnet' | sort -u | wc -l)" = 20 ]
	pids=()
	for n in {1..20}; do
		stack -p "$P-$n" down -t 0 2>"down.$n" & pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid"; done
	eventually 10 eval '[ -z "$(stack ls -a -q)" ]'
	[ -z "$(ip -br link show type bridge)" ]
	[ -z "$(nft list tables)" ]
}
