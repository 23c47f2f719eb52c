#!/usr/bin/env bats
# --debug: create, run and exec say what they do, when they do it, in either form and to either place.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016
load runtime-lib

# The lines' texts in their order, from text or JSON on stdin.
messages() {
	sed -n 's/^{.*"level":"debug".*"msg":"\([^"]*\)".*/\1/p; s/^time="[^"]*" level=debug msg="\(.*\)"$/\1/p'
}

# All of them are there, and in this order.
in_order() { # FILE WORDS...
	local line last=0 words
	for words in "${@:2}"; do
		line=$(grep -nF -m1 -- "$words" "$1" | cut -d: -f1)
		[ -n "$line" ] && [ "$line" -gt "$last" ] || { echo "missing or too early: $words"; cat "$1"; return 1; }
		last=$line
	done
}

story=("command run a" "/proc/self/exe is " "create: stage check" "clone: new namespaces: " "init is process"
	"nsexec container setup" "nsexec: affinity: 0x" "child process in init()" "stage rootfs" "stage pivot"
	"stage privileges" "init: closing the pipe to signal completion" "init: about to exec /bin/true")

@test "run tells its stages on stderr, as text or JSON; without --debug nothing" {
	args true
	run -0 --separate-stderr $R --debug run a
	[ -z "$output" ]
	messages <<<"$stderr" >told
	in_order told "${story[@]}"
	[ "$(wc -l <told)" -eq "$(wc -l <<<"$stderr")" ] # every line has the form
	run -0 --separate-stderr $R --debug --log-format json run a
	jq -r 'select(.level == "debug" and (.time | length) > 19) | .msg' <<<"$stderr" >told
	in_order told "${story[@]}"
	run -0 $R run a
	[ -z "$output" ]
}

@test "with --log the lines are there alone, in both forms" {
	args true
	local format
	for format in text json; do
		rm -f log
		run -0 $R --log log --log-format $format --debug run a
		[ -z "$output" ]
		messages <log >told
		in_order told "${story[@]}"
	done
	rm -f log
	run -0 $R --log log --log-level debug run a
	messages <log >told
	in_order told "${story[@]}"
}

@test "exec tells its stages and the CPUs it may run on" {
	args sleep 100
	local first
	first=$(sed 's/[-,].*//' /sys/devices/system/cpu/online)
	$R run -d a </dev/null >/dev/null 2>&1
	run -0 $R --debug exec a true
	messages <<<"$output" >told
	in_order told "command exec a" "exec: stage clone" "nsexec container setup" "in the container's cgroup: affinity: 0x" \
		"joined namespaces: " "child process in init()" "exec: stage program" "setns_init: about to exec /bin/true"
	jq -n --arg cpu "$first" '{args:["true"],cwd:"/",user:{uid:0,gid:0},execCPUAffinity:{initial:$cpu}}' >process.json
	run -0 $R --debug exec -p process.json a
	messages <<<"$output" >told
	grep -qxF "nsexec: affinity: $(printf '0x%x' $((1 << first)))" told
}

@test "what did not happen is not told" {
	args true
	config '.mounts += [{"destination":"/x","type":"bind","source":"/no/such/source","options":["bind"]}]'
	run -1 $R --debug run a
	[[ "$output" == *"level=debug"* ]]
	[[ "$output" != *"closing the pipe"* ]]
	[[ "$output" != *"about to exec"* ]]
	config 'del(.mounts[-1])'
	args /no/such/program
	run -1 $R --debug run a
	messages <<<"$output" >told
	[ "$(tail -1 told)" = "init: create: stage program" ]
}

@test "create tells up to the wait for start; a quote in a word keeps the form" {
	args true
	$R --log log --debug create a </dev/null >/dev/null 2>&1
	messages <log >told
	[ "$(tail -1 told)" = "init: closing the pipe to signal completion" ]
	$R start a
	eventually 10 is_status a stopped
	mkdir 'rootfs/bin/a"b'
	ln -s ../busybox 'rootfs/bin/a"b/true'
	args '/bin/a"b/true'
	run -0 $R --log log.json --log-format json --debug run b
	jq -e 'select(.msg == "init: about to exec /bin/a\"b/true")' log.json
}
