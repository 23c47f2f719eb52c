# tests/e2e/runtime-lib - what the runtime's end-to-end tests share: a bundle of busybox, a state folder and cgroups
# of the test's own, and nothing left behind. No engine, no image, no network.
# shellcheck shell=bash disable=SC2034,SC2154
bats_require_minimum_version 1.5.0

setup() {
	R="${STACK_BUILD:?}/stack-runtime --root $BATS_TEST_TMPDIR/root"
	CGROUP=/stack-runtime-test-$$-$BATS_TEST_NUMBER
	B=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$B/rootfs/bin" "$B/rootfs/etc" "$B/rootfs/proc" "$B/rootfs/sys" "$B/rootfs/dev" "$B/rootfs/tmp"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$B"
	cp /bin/busybox "$B/rootfs/bin/"
	local applet
	for applet in sh ls cat true false sleep id stat mount mkdir touch ps kill env readlink grep hostname test echo head wc; do
		ln -s busybox "$B/rootfs/bin/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$B/rootfs/etc/passwd"
	cd "$B" || return 1
	$R spec
	config ".process.terminal = false | .linux.cgroupsPath = \"$CGROUP/c\" | .root.readonly = false"
}

# Every container goes, then no process, cgroup, mount or state folder may be there.
teardown() {
	local id folder
	for id in $($R list -q 2>/dev/null); do
		$R delete -f "$id"
	done
	[ -z "$(ls "$BATS_TEST_TMPDIR/root" 2>/dev/null)" ] || { ls "$BATS_TEST_TMPDIR/root"; return 1; }
	for folder in /sys/fs/cgroup"$CGROUP" /sys/fs/cgroup/*"$CGROUP"; do
		[ ! -d "$folder" ] || rmdir "$folder" || { find "$folder" -type d; return 1; }
	done
	! grep "$BATS_TEST_TMPDIR" /proc/self/mountinfo
}

config() { # JQ-FILTER
	jq "$1" "$B/config.json" >"$B/config.new" && mv "$B/config.new" "$B/config.json"
}

args() { # the program
	config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")"
}

status_of() { # ID
	$R state "$1" | jq -r .status
}

eventually() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

is_status() { # ID STATUS
	[ "$(status_of "$1")" = "$2" ]
}

has_only_v2() {
	[ -e /sys/fs/cgroup/cgroup.procs ]
}

limit() { # CONTROLLER V1-FILE V2-FILE: what the container's cgroup says
	if has_only_v2; then
		cat "/sys/fs/cgroup$CGROUP/c/$3"
	else
		cat "/sys/fs/cgroup/$1$CGROUP/c/$2"
	fi
}
