#!/usr/bin/env bats
# Power cuts and failures at every stage: create leaves nothing, and delete --force takes away what a killed create
# left. Needs a build with crash points (CRASH=1).
# shellcheck shell=bash disable=SC2154,SC2086,SC2016
load runtime-lib

stages_of_create="check state-folder compile-seccomp sources intent cgroup clone record init join-cgroup id-maps identity
join-namespaces session runtime-hooks propagation rootfs mounts devices console close-devices container-hooks mask-paths
sysctl pivot finish-root terminal limits label cwd seccomp privileges cwd-as-user program seccomp-last ready"

has_crash_points() {
	STACK_FAIL_AT=create:check $R create probe >/dev/null 2>&1 || return 0
	$R delete -f probe
	skip "this build has no crash points"
}

nothing_left() {
	[ -z "$(ls "$BATS_TEST_TMPDIR/root" 2>/dev/null)" ]
	! ls -d /sys/fs/cgroup"$CGROUP/c" /sys/fs/cgroup/*"$CGROUP/c" 2>/dev/null
	! pgrep -f "$BATS_TEST_TMPDIR/root"
}

@test "a stage of create that fails leaves nothing and is named" {
	has_crash_points
	local stage
	args sleep 100
	for stage in $stages_of_create; do
		run -1 env STACK_FAIL_AT=create:$stage $R create a
		[[ "$output" == *"$stage: made to fail"* ]] || { echo "$stage: $output"; return 1; }
		nothing_left || { echo "left after $stage"; return 1; }
	done
}

@test "a create that is killed at any stage is taken away by delete --force, and the next one works" {
	has_crash_points
	local stage
	args sleep 100
	for stage in $stages_of_create; do
		STACK_CRASH_AT=create:$stage $R create a </dev/null >/dev/null 2>&1 || true
		$R delete -f a || { echo "delete after $stage"; return 1; }
		eventually 3 nothing_left || { echo "left after $stage"; return 1; }
		$R create a </dev/null >/dev/null 2>&1 || { echo "create after $stage"; return 1; }
		$R start a
		$R delete -f a
	done
}

@test "a delete that is killed half-way is finished by the next one" {
	has_crash_points
	local stage
	args sleep 100
	for stage in cgroup folder; do
		$R run -d a </dev/null >/dev/null 2>&1
		STACK_CRASH_AT=delete:$stage $R delete -f a || true
		$R delete -f a
		nothing_left
	done
}

@test "an exec or a start that is killed leaves the container as it was" {
	has_crash_points
	local stage
	args sleep 100
	$R create a </dev/null >/dev/null 2>&1
	STACK_CRASH_AT=start:release $R start a || true
	[ "$(status_of a)" = created ]
	$R start a
	for stage in check prepare clone attend; do
		STACK_CRASH_AT=exec:$stage $R exec a true || true
		[ "$(status_of a)" = running ]
	done
	$R exec a true
}
