#!/usr/bin/env bats
# Containers by the hundred, killed at random: create, start, exec and delete. What is killed is cleared by
# `delete --force`, the next create works, nothing stays. STORM=N says how many (make storm: 500, with
# monitor-storm); SEED=N repeats a run. Needs a build with crash points (CRASH=1).
# shellcheck shell=bash disable=SC2154,SC2086,SC2016
load runtime-lib
load storm

one_life() {
	struck create "$CREATE" $R create a
	$R delete -f a
	$R create a </dev/null >/dev/null 2>&1
	case $((RANDOM % 4)) in
	0)
		struck start release $R start a
		;;
	1)
		$R start a
		struck exec "check prepare clone attend" $R exec a true
		;;
	2)
		$R start a
		kill -KILL "$($R state a | jq .pid)"
		;;
	*)
		$R start a
		struck delete "cgroup folder" $R delete -f a
		;;
	esac
	$R delete -f a
}

groups() { # BELOW: in every hierarchy, or in the one
	ls -d "/sys/fs/cgroup$CGROUP$1" /sys/fs/cgroup/*"$CGROUP$1" 2>/dev/null
}

nothing_left() {
	[ -z "$(find "$BATS_TEST_TMPDIR/root" -mindepth 1 -not -path '*/.seccomp*' 2>/dev/null)" ] &&
		[ -z "$(groups /c)" ] && ! pgrep -f "$BATS_TEST_TMPDIR/root" &&
		[ "$(grep -c . /proc/self/mountinfo)" = "$MOUNTS" ]
}

has_crash_points() {
	! STACK_FAIL_AT=create:check $R create probe >/dev/null 2>&1 || {
		$R delete -f probe
		skip "this build has no crash points"
	}
}

@test "a storm over the runtime's commands" {
	local lives=$((${STORM:-25} * 4 / 5)) n
	MOUNTS=$(grep -c . /proc/self/mountinfo)
	has_crash_points
	seed
	config '.process.args = ["sleep","1000"] | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["reboot"],"action":"SCMP_ACT_ERRNO"}]}'
	for ((n = 0; n < lives; n++)); do
		one_life || { echo "life $n"; $R list; return 1; }
	done
	eventually 20 nothing_left
	rm -rf "$BATS_TEST_TMPDIR/root/.seccomp"
	rmdir $(groups "")
}
