#!/usr/bin/env bats
# --systemd-cgroup: scopes asked of systemd by D-Bus. The manager is one of the tests' own (fake_systemd.c), which
# makes the cgroups that systemd would make and writes down what it was asked for.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016
load runtime-lib

setup_file() {
	local root
	root=$(cd "${BATS_TEST_DIRNAME:?}/../.." && pwd)
	"${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -I"$root" -O1 -o "$BATS_FILE_TMPDIR/fake_systemd" "$root/tests/e2e/fake_systemd.c" \
		"${STACK_BUILD:?}/lib/runtime.a" "$STACK_BUILD/lib/base.a" -lseccomp -ljson-c -lm
}

manager() { # starts the manager; its words lie in $LOG
	LOG=$BATS_TEST_TMPDIR/log
	"$BATS_FILE_TMPDIR/fake_systemd" "$BATS_TEST_TMPDIR/bus" "$LOG" 3>&- &
	MANAGER=$!
	export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$BATS_TEST_TMPDIR/bus,guid=0"
	eventually 10 test -S "$BATS_TEST_TMPDIR/bus"
	R="$R --systemd-cgroup"
	config ".linux.cgroupsPath = \"stacktest-a.slice:pre:box$$\""
	UNIT=stacktest.slice/stacktest-a.slice/pre-box$$.scope
	WHERE=$(ls -d /sys/fs/cgroup/systemd 2>/dev/null || echo /sys/fs/cgroup)
}

end_manager() {
	kill "$MANAGER"
	wait "$MANAGER" || true
	run ! grep ^failed "$LOG"
	rmdir /sys/fs/cgroup/*/stacktest.slice/stacktest-a.slice /sys/fs/cgroup/*/stacktest.slice 2>/dev/null || true
	run ! ls -d /sys/fs/cgroup/*/stacktest.slice /sys/fs/cgroup/stacktest.slice
}

was_asked() { # LINE...
	local line
	for line; do
		grep -qxF -- "$line" "$LOG" || { echo "not asked: $line"; cat "$LOG"; return 1; }
	done
}

@test "a scope is asked for, with the limits as properties; delete stops it" {
	manager
	args sleep 100
	config '.linux.resources += {"cpu":{"shares":512,"quota":25001,"period":50000},"memory":{"limit":67108864},"pids":{"limit":7}}
		| .annotations = {"org.systemd.property.TimeoutStopSec":"uint64 3","org.systemd.property.CollectMode":"'"'inactive'"'"}'
	$R run -d a </dev/null >/dev/null 2>&1
	was_asked "AUTH EXTERNAL 30" "Hello " "StartTransientUnit ssa(sv)a(sa(sv))" "Slice s stacktest-a.slice" \
		"Delegate b 1" "DefaultDependencies b 0" "CPUQuotaPerSecUSec t 510000" "CPUQuotaPeriodUSec t 50000" \
		"TasksMax t 7" "DevicePolicy s strict" "TimeoutStopUSec t 3000000" "CollectMode s inactive"
	grep -q '^DeviceAllow a(ss) char-\*=m block-\*=m /dev/char/1:3=rwm .*char-pts=rwm' "$LOG"
	grep -q "$UNIT" "/proc/$($R state a | jq .pid)/cgroup"
	# The holder is gone: init alone is in the scope, and the limit is the one that was asked for.
	[ "$(cat "$WHERE/$UNIT/cgroup.procs")" = "$($R state a | jq .pid)" ]
	[ "$(cat /sys/fs/cgroup/pids/$UNIT/pids.max 2>/dev/null || cat /sys/fs/cgroup/$UNIT/pids.max)" = 7 ]
	run -0 $R exec a sh -c 'echo in'
	$R update --cpu-share 256 --pids-limit 9 a
	was_asked "SetUnitProperties sba(sv)" "TasksMax t 9"
	$R pause a
	[ "$(status_of a)" = paused ]
	$R resume a
	$R kill a KILL
	eventually 10 is_status a stopped
	$R delete a
	was_asked "StopUnit ss" "ResetFailedUnit s"
	end_manager
}

@test "one process is enough for a scope of one" {
	manager
	args true
	config '.linux.resources.pids.limit = 1'
	run -0 $R run a
	end_manager
}

@test "a failed unit of the same name is cleared away; a job that fails is told" {
	manager
	args true
	config ".linux.cgroupsPath = \"stacktest-a.slice:twice:box$$\""
	run -0 $R run a
	[ "$(grep -c ^StartTransientUnit "$LOG")" = 2 ]
	config ".linux.cgroupsPath = \"stacktest-a.slice:broken:box$$\""
	run -1 $R run a
	[[ "$output" == *"systemd could not start broken-box$$.scope: failed"* ]]
	kill "$MANAGER"
	wait "$MANAGER" || true
}

@test "names that are none, annotations that cannot be read, a bus that is not there" {
	manager
	args true
	local path
	for path in /a/b a:b a:b:c a.slice:b: a-.slice:b:c "a..slice/x:b:c"; do
		config ".linux.cgroupsPath = \"$path\""
		run -1 $R run a
		[[ "$output" == *"linux.cgroupsPath"* ]] || { echo "$path: $output"; return 1; }
	done
	run ! grep -q StartTransientUnit "$LOG"
	config '.linux.cgroupsPath = "a.slice:b:c" | .annotations = {"org.systemd.property.After":"[x"}'
	run -1 $R run a
	[[ "$output" == *"annotations.org.systemd.property.After"* ]]
	end_manager
	config '.annotations = {}'
	rm -f "$BATS_TEST_TMPDIR/bus"
	[ ! -e /run/systemd/private ] || return 0
	run -1 $R run a
	[[ "$output" == *"--systemd-cgroup: systemd cannot be reached"* ]]
}
