#!/usr/bin/env bats
# Another engine's containers on our runtime: what podman says of them is what it says of any.
# shellcheck shell=bash disable=SC2154,SC2086
bats_require_minimum_version 1.5.0

setup() {
	command -v podman >/dev/null || skip "podman is not installed"
	P="podman --root $BATS_TEST_TMPDIR/store --runroot $BATS_TEST_TMPDIR/run --tmpdir $BATS_TEST_TMPDIR/tmp
		--cgroup-manager cgroupfs --runtime ${STACK_BUILD:?}/stack-runtime --storage-driver vfs --events-backend none --log-level error"
	OPT="--network none --ulimit nofile=1024:1024 --ulimit nproc=1000:1000"
	mkdir -p "$BATS_TEST_TMPDIR/image/bin" "$BATS_TEST_TMPDIR/image/etc"
	cp /bin/busybox "$BATS_TEST_TMPDIR/image/bin/"
	for applet in sh sleep id cat touch true tty; do ln -s busybox "$BATS_TEST_TMPDIR/image/bin/$applet"; done
	tar -C "$BATS_TEST_TMPDIR/image" -c . | $P import -q - box:1 >/dev/null
}

teardown() {
	[ -z "${P:-}" ] || $P rm -f -t 0 -a >/dev/null 2>&1
	umount "$BATS_TEST_TMPDIR"/store/* 2>/dev/null || true
}

@test "run: output, exit codes, and 126 and 127 for what cannot be executed" {
	run -5 $P run --rm $OPT box:1 sh -c 'echo hello; exit 5'
	[ "$output" = hello ]
	run -127 $P run --rm $OPT box:1 nosuch
	run -126 $P run --rm $OPT box:1 /etc
	run -0 $P run --rm -t $OPT box:1 tty
	[[ "$output" == /dev/pts/* ]]
}

@test "exec, pause, update, stop of a container in the background" {
	$P run -d --name c --memory 64m $OPT box:1 sleep 100
	run -4 $P exec c sh -c 'echo in; exit 4'
	[ "$output" = in ]
	$P pause c
	[ "$($P inspect -f '{{.State.Status}}' c)" = paused ]
	$P unpause c
	$P update --memory 80m c
	[ "$($P inspect -f '{{.State.Running}}' c)" = true ]
	$P stop -t 0 c
	[ "$($P inspect -f '{{.State.ExitCode}}' c)" = 137 ]
	$P rm c
}

@test "users, capabilities and read-only roots are what was asked for" {
	run -1 $P run --rm --user 1000 --read-only --cap-drop all $OPT box:1 sh -c 'id -u; touch /x'
	[ "${lines[0]}" = 1000 ]
	[[ "$output" == *"Read-only file system"* ]]
}
