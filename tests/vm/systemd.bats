#!/usr/bin/env bats
# --systemd-cgroup against the machine's own systemd, outside of any namespace: only in the virtual machine, whose job
# "runtime" runs this file after tests/e2e/runtime-*.bats.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016
load ../e2e/runtime-lib

scope() { # NAME: a scope of ours in a slice of ours
	R="${STACK_BUILD:?}/stack-runtime --root $BATS_TEST_TMPDIR/root --systemd-cgroup"
	UNIT=box-$1$$.scope
	config ".linux.cgroupsPath = \"stacktest-a.slice:box:$1$$\""
}

property() { # NAME
	systemctl show -P "$1" "$UNIT"
}

folder() {
	echo "/sys/fs/cgroup$(property ControlGroup)"
}

is_gone() {
	[ "$(property ActiveState)" = inactive ]
}

@test "systemd makes the scope, knows its limits, and lets it go at delete" {
	scope a
	args sleep 1000
	config '.linux.resources += {"cpu":{"quota":25001,"period":50000},"memory":{"limit":67108864},"pids":{"limit":7}}
		| .annotations = {"org.systemd.property.TimeoutStopSec":"uint64 3000000"}'
	$R run -d a </dev/null >/dev/null 2>&1
	[ "$(property ActiveState)" = active ]
	[ "$(property Slice)" = stacktest-a.slice ]
	[ "$(property Delegate)" = yes ]
	[ "$(property TasksMax)" = 7 ]
	[ "$(property MemoryMax)" = 67108864 ]
	[ "$(property CPUQuotaPerSecUSec)" = 510ms ]
	[ "$(cat "$(folder)/cgroup.procs")" = "$($R state a | jq .pid)" ]
	[ "$(cat "$(folder)/pids.max")" = 7 ]
	[ "$(cat "$(folder)/memory.max")" = 67108864 ]
	run -0 $R exec a sh -c 'cat /proc/self/cgroup'
	[[ "$output" == *0::/* ]]
	$R delete -f a
	eventually 30 is_gone
	[ ! -e "/sys/fs/cgroup/stacktest.slice/stacktest-a.slice/$UNIT" ]
}

@test "an update reaches systemd, and a reload of systemd takes nothing back" {
	scope b
	args sleep 1000
	config '.linux.resources.pids.limit = 20'
	$R run -d a </dev/null >/dev/null 2>&1
	$R update --pids-limit 9 --memory 50331648 a
	[ "$(property TasksMax)" = 9 ]
	[ "$(property MemoryMax)" = 50331648 ]
	systemctl daemon-reload
	[ "$(cat "$(folder)/pids.max")" = 9 ]
	[ "$(cat "$(folder)/memory.max")" = 50331648 ]
	$R pause a
	[ "$(status_of a)" = paused ]
	$R resume a
	run -0 $R exec a true
	$R delete -f a
	eventually 30 is_gone
}

@test "devices stay denied and allowed over a reload" {
	scope c
	args sleep 1000
	config '.process.capabilities |= with_entries(.value += ["CAP_MKNOD"])
		| .linux.resources.devices = [{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":237,"access":"rw"}]'
	$R run -d a </dev/null >/dev/null 2>&1
	local round
	for round in before after; do
		run -0 $R exec a sh -c 'rm -f /tmp/mem /tmp/loop; busybox mknod /tmp/mem c 1 1; busybox mknod /tmp/loop c 10 237
			head -c1 /tmp/mem 2>&1; : </tmp/loop && echo loop; : >/dev/null && echo null'
		[[ "$output" == *"not permitted"*loop*null* ]] || { echo "$round: $output"; return 1; }
		systemctl daemon-reload
	done
	$R delete -f a
}

@test "a scope that systemd stops ends its container" {
	scope d
	args sh -c 'trap "exit 0" TERM; while :; do sleep 1; done'
	$R run -d a </dev/null >/dev/null 2>&1
	systemctl stop "$UNIT"
	eventually 30 is_status a stopped
	$R delete a
}
