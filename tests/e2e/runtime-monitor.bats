#!/usr/bin/env bats
# What a monitor does for its container, as the file asks for it: another runtime, where the log goes, attached
# clients, and how little it takes for it.
# shellcheck disable=SC2016 # the shells inside expand
load lib

# A runtime that is not ours and runs here: crun knows no hybrid hierarchy whose v2 part has controllers.
other_runtime() {
	local path bundle=$BATS_TEST_TMPDIR/probe
	for path in /usr/bin/crun /usr/sbin/runc /usr/bin/runc; do
		[ -x "$path" ] || continue
		rm -rf "$bundle"
		mkdir -p "$bundle/rootfs/bin"
		cp /bin/busybox "$bundle/rootfs/bin/true"
		(cd "$bundle" && "$path" spec && jq '.process.terminal = false | .process.args = ["/bin/true"] | del(.process.rlimits)' config.json >new && mv new config.json)
		if "$path" --root "$bundle/state" run -b "$bundle" "probe-$$" >/dev/null 2>&1; then
			echo "$path"
			return
		fi
	done
}

@test "a service runs by another runtime under our monitor" {
	local runtime
	runtime=$(other_runtime)
	[ -n "$runtime" ] || skip "no other runtime works here"
	rmdir /sys/fs/cgroup/*/probe-$$ 2>/dev/null || true
	printf '#!/bin/sh\necho "$@" >>%s\nexec %s "$@"\n' "$PWD/calls" "$runtime" >other
	chmod +x other
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    runtime: $PWD/other
		    init: true
		    command: [sh, -c, 'trap "exit 7" TERM; echo by \$\$PPID; while :; do sleep 0.05; done']
	END
	up
	eventually 20 sh -c 'stack logs --no-log-prefix web | grep -q "^by 1"'
	grep -q " create " calls
	grep -q " start " calls
	stack stop -t 30 web
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 7 ]
	stack start web
	[ "$(state_of "$P-web-1")" = running ]
	[ "$(grep -c " create " calls)" -eq 2 ]
}

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
