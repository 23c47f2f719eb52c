#!/usr/bin/env bats
# Monitors of a project, killed at random: in their own stages, in those of create, and while the container runs. The
# next down and up work, and nothing stays. STORM and SEED as in runtime-storm.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016
load lib
load storm

# A supervisor that a killed client left has the crash point in its environment: it must have ended.
nobody_is_struck() {
	! grep -lsz STACK_CRASH_AT /proc/[0-9]*/environ >/dev/null
}

@test "a storm over the monitors of a project" {
	local lives=$((${STORM:-25} / 5)) n
	seed
	printf 'services:\n  web:\n    image: %s\n    command: sleep 1000\n    stop_grace_period: 0s\n' "$REGISTRY/busybox:1" >app.yml
	up
	stack down -t 0
	for ((n = 0; n < lives; n++)); do
		if [ $((RANDOM % 2)) -eq 0 ]; then
			struck monitor "$MONITOR" stack up -d
		else
			struck create "$CREATE" stack up -d
		fi
		stack down -t 0 >/dev/null 2>&1 || stack down -t 0
		eventually 30 nobody_is_struck
		stack up -d >up.log 2>&1 || { echo "life $n"; cat up.log; stack ps -a; return 1; }
		[ "$(stack exec -T web echo in)" = in ]
		[ $((RANDOM % 2)) -eq 0 ] || kill -KILL "$(jq .life.monitor.pid "$STACK_ROOT/projects/$P/containers/"*/record.json)"
		stack down -t 0 || { echo "life $n"; stack ps -a; return 1; }
	done
}
