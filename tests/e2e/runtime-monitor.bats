#!/usr/bin/env bats
# What a monitor does for its container, as the file asks for it: where the log goes, attached clients, and how little
# it takes for it.
# shellcheck disable=SC2016 # the shells inside expand
load lib

@test "logging: sizes, files, compression, tag and labels; none keeps nothing" {
	local slot
	compose <<-END
		services:
		  full:
		    image: $REGISTRY/busybox:1
		    labels: {tier: front, other: x}
		    command: [sh, -c, 'n=0; while [ \$\$n -lt 3000 ]; do echo "line \$\$n of many, to fill the file"; n=\$\$((n + 1)); done; exec sleep 1000']
		    stop_grace_period: 0s
		    logging:
		      driver: json-file
		      options: {max-size: 20k, max-file: "3", compress: "true", tag: "{{.Name}}/x", labels: tier}
		  quiet:
		    image: $REGISTRY/busybox:1
		    command: echo nothing of this
		    logging: {driver: none}
	END
	up
	slot=$STACK_ROOT/projects/$P/slots/full.1
	eventually 20 grep -q "line 2999" "$slot/log.json"
	[ "$(find "$slot" -name 'log.json*' | wc -l)" -eq 3 ]
	eventually 10 test -e "$slot/log.json.2.gz" || { ls -la "$slot"; return 1; }
	[ "$(stat -c %s "$slot/log.json")" -le 20480 ]
	tail -n 1 "$slot/log.json"
	tail -n 1 "$slot/log.json" | jq -e '.log == "line 2999 of many, to fill the file\n" and .stream == "stdout" and .attrs.tier == "front" and .attrs.tag == "'"$P"'-full-1/x" and (.attrs.other | not)'
	run stack logs --no-log-prefix -n 1 full
	has "line 2999"
	run stack logs quiet
	lacks "nothing of this"
}

@test "fifty monitors take at most 200 KiB of private memory each" {
	local pid private most=0 count=0
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_grace_period: 0s
		    deploy: {replicas: 50}
	END
	up
	for pid in $(jq .life.monitor.pid "$STACK_ROOT/projects/$P/containers/"*/record.json); do
		private=$(awk '/^Private/ { sum += $2 } END { print sum }' "/proc/$pid/smaps_rollup")
		[ "$private" -le "$most" ] || most=$private
		count=$((count + 1))
	done
	echo "$count monitors, the largest $most KiB"
	[ "$count" -eq 50 ]
	[ "$most" -le 200 ]
}

@test "attach: a terminal's input and size, many clients, and the detach keys that leave the program running" {
	local n pids=()
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    tty: true
		    stdin_open: true
		    command: [sh, -c, 'while read -r line; do stty size; echo "got <\$\$line>"; done']
		    stop_grace_period: 0s
	END
	up
	for n in 1 2 3; do
		stack attach --no-stdin web >"client$n" 3>&- &
		pids+=($!)
	done
	mkfifo keys
	timeout 120 script -qfec "stty rows 31 cols 97; stack attach --detach-keys ctrl-x,q web" screen <keys >/dev/null 3>&- &
	exec 7>keys
	eventually 20 sh -c "printf 'first\n' >keys; grep -q 'got <first>' screen"
	grep -q "31 97" screen
	for n in 1 2 3; do
		eventually 20 grep -q 'got <first>' "client$n"
	done
	printf '\x18q' >&7
	wait $!
	exec 7>&-
	[ "$(state_of "$P-web-1")" = running ]
	stack exec -T web true
	stack kill web
	wait "${pids[@]}" || true
}
