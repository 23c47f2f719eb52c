#!/usr/bin/env bats
# `runtime: NAME`: services of other OCI runtimes under our monitor. crun knows no hybrid hierarchy whose v2 part has
# controllers: it runs where cgroup v2 is alone (make test-vm); runc runs on both.
# shellcheck disable=SC2016 # the shells inside expand
load lib

# Whether a runtime can run a container on this machine at all.
runs_here() { # NAME
	local bundle=$BATS_TEST_TMPDIR/probe
	command -v "$1" >/dev/null || return 1
	mkdir -p "$bundle/rootfs/bin"
	cp /bin/busybox "$bundle/rootfs/bin/true"
	(cd "$bundle" && "$1" spec && jq '.process.terminal = false | .process.args = ["/bin/true"] | del(.process.rlimits)' config.json >new && mv new config.json)
	"$1" --root "$bundle/state" run -b "$bundle" "probe-$$" >"$bundle/out" 2>&1 || {
		rmdir /sys/fs/cgroup/probe-$$ /sys/fs/cgroup/*/probe-$$ 2>/dev/null || true
		return 1
	}
}

# Everything that a user does with a service; whose process 1 is says who made it.
whole_life() { # WHAT-THE-FILE-SAYS
	local before
	runs_here "$1" || skip "$1 does not run here: $(tail -1 "$BATS_TEST_TMPDIR/probe/out" 2>/dev/null)"
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    runtime: $1
		    environment: {COLOUR: blue}
		    command: [sh, -c, 'trap "exit 7" TERM; echo "life of \$\$COLOUR"; while :; do sleep 0.05; done']
	END
	up
	eventually 60 sh -c 'stack logs --no-log-prefix web | grep -qx "life of blue"'
	[ "$(state_of "$P-web-1")" = running ]
	[ -n "$(find "$STACK_RUNTIME_ROOT" -path '*/runtime/*' -name 'stat*' -print -quit)" ] # the other one's own records
	run -0 stack exec -T web sh -c 'echo in $COLOUR; cat /proc/1/comm'
	[ "$output" = $'in blue\nsh' ]
	run -3 stack exec -T web sh -c 'exit 3'
	stack pause web
	[ "$(state_of "$P-web-1")" = paused ]
	stack unpause web
	stack top web | grep -q 'sleep 0.05\|sh -c'
	before=$(started_at "$P-web-1")
	stack restart -t 60 web
	eventually 60 restarted_since "$P-web-1" "$before"
	eventually 60 sh -c '[ "$(stack logs --no-log-prefix web | grep -cx "life of blue")" -eq 2 ]'
	stack stop -t 60 web
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 7 ]
	stack start web
	stack kill web
	eventually 60 is exited "$P-web-1"
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 137 ]
	stack down -t 60
	[ -z "$(names)" ]
}

@test "runtime: crun, from up to down" {
	whole_life crun
}

@test "runc by its path, from up to down" {
	whole_life "$(command -v runc || echo runc)"
}

@test "each of its verbs is called once for a life, and it gets the whole bundle" {
	local runtime
	for runtime in crun runc none; do
		runs_here "$runtime" && break
	done
	[ "$runtime" != none ] || skip "no other runtime works here"
	printf '#!/bin/sh\necho "$@" >>%s\nexec %s "$@"\n' "$PWD/calls" "$(command -v "$runtime")" >other
	chmod +x other
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    runtime: $PWD/other
		    hostname: box
		    cap_drop: [ALL]
		    command: [sh, -c, 'hostname; grep CapEff /proc/self/status']
	END
	up
	[ "$(jq -r .ociVersion "$STACK_ROOT/projects/$P/containers/"*/bundle/config.json)" = 1.0.2 ] # older ones know no other
	eventually 60 is exited "$P-web-1"
	run -0 stack logs --no-log-prefix web
	[ "$output" = $'box\nCapEff:\t0000000000000000' ]
	[ "$(grep -c " create " calls)" -eq 1 ]
	[ "$(grep -c " start " calls)" -eq 1 ]
	eventually 60 grep -q " delete --force " calls
}

@test "a runtime by its path, with our init as process 1" {
	local runtime
	for runtime in crun runc none; do
		runs_here "$runtime" && break
	done
	[ "$runtime" != none ] || skip "no other runtime works here"
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    runtime: $(command -v "$runtime")
		    init: true
		    command: [sh, -c, 'trap "exit 7" TERM; echo by \$\$PPID; while :; do sleep 0.05; done']
	END
	up
	eventually 60 sh -c 'stack logs --no-log-prefix web | grep -q "^by 1"'
	stack stop -t 60 web
	[ "$(field "$P-web-1" '{{.State.ExitCode}}')" = 7 ]
}

@test "a runtime that is not there is named, and nothing is left" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    runtime: no-such-runtime
		    command: [sleep, "1000"]
	END
	run stack up -d
	[ "$status" -ne 0 ]
	has no-such-runtime
}
