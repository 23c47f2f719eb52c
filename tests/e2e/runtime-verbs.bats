#!/usr/bin/env bats
# The commands of stack-runtime: what they do in every state, what they print, how they end.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016,SC2030,SC2031
load runtime-lib

@test "run gives the exit code of the program, and 128 and the signal" {
	args sh -c 'exit 7'
	run $R run a
	[ "$status" -eq 7 ]
	args sh -c 'sleep 100; true'
	(eventually 5 is_status a running && $R kill a KILL) &
	killer=$!
	run -137 $R run a
	wait "$killer"
	args true
	run -0 $R run a
}

@test "create, start, state, kill, delete" {
	args sleep 100
	$R create --pid-file pid a </dev/null >/dev/null 2>&1
	[ "$(status_of a)" = created ]
	[ "$(cat pid)" = "$($R state a | jq .pid)" ]
	[ "$(tail -c1 pid)" != "" ]
	run $R create a
	[ "$status" -eq 1 ]
	[[ "$output" == *"already exists"* ]]
	$R start a
	[ "$(status_of a)" = running ]
	run $R start a
	[[ "$status" -eq 1 && "$output" == *"cannot start an already running container"* ]]
	run $R delete a
	[[ "$status" -eq 1 && "$output" == *"not stopped"* ]]
	$R kill a KILL
	eventually 5 is_status a stopped
	[ "$($R state a | jq .pid)" = 0 ]
	run $R kill a
	[[ "$status" -eq 1 && "$output" == *"container not running"* ]]
	run $R start a
	[[ "$status" -eq 1 && "$output" == *"cannot start a container that has stopped"* ]]
	$R delete a
	run $R state a
	[[ "$status" -eq 1 && "$output" == *"does not exist"* ]]
	$R delete -f a
}

@test "a created container can be deleted and stopped by a signal" {
	args sleep 100
	$R create a </dev/null >/dev/null 2>&1
	$R delete a
	$R create a </dev/null >/dev/null 2>&1
	$R kill a TERM
	eventually 5 is_status a stopped
	run $R start a
	[[ "$status" -eq 1 && "$output" == *stopped* ]]
}

@test "create says what is wrong with the program, in the words that engines look for" {
	args nosuch
	run $R create a
	[[ "$status" -eq 1 && "$output" == *'executable file not found in $PATH'* ]]
	args /nosuch
	run $R create a
	[[ "$status" -eq 1 && "$output" == *"no such file or directory"* ]]
	args /etc/passwd
	run $R create a
	[[ "$status" -eq 1 && "$output" == *"permission denied"* ]]
	args /etc
	run $R create a
	[[ "$status" -eq 1 && "$output" == *"is a directory"* ]]
}

@test "start tells of an exec that fails" {
	printf '#!/no/such/interpreter\n' >rootfs/bin/bad
	chmod +x rootfs/bin/bad
	args bad
	$R create a </dev/null >out 2>&1
	run $R start a
	[[ "$status" -eq 1 && "$output" == *"exec /usr/bin/bad"* || "$output" == *"exec /bin/bad"* ]]
	[ "$(wc -l <out)" -eq 1 ]
	[[ "$(cat out)" == "exec "*"no such file or directory" ]]
	eventually 5 is_status a stopped
}

@test "exec: exit code, user, environment, cwd, and 255 for what never ran" {
	args sleep 100
	$R run -d a </dev/null >/dev/null 2>&1
	run $R exec a sh -c 'exit 9'
	[ "$status" -eq 9 ]
	run $R exec -u 1000:5 -g 7 -e A=b --cwd /tmp a sh -c 'id -u; id -g; id -G; echo $A; pwd'
	[ "$output" = $'1000\n5\n5 7\nb\n/tmp' ]
	run -255 $R exec a nosuch
	[[ "$output" == *'executable file not found in $PATH'* ]]
	run -255 $R exec a
	run -255 $R exec none true
	[[ "$output" == *"does not exist"* ]]
	echo '{"args":["sh","-c","id -u; exit 3"],"user":{"uid":4},"cwd":"/"}' >process.json
	run -3 $R exec -p process.json a
	[ "$output" = 4 ]
	$R exec -d --pid-file pid a sleep 50
	[ -d "/proc/$(cat pid)" ]
	[ "$($R ps -f json a | jq length)" -eq 2 ]
	[ "$($R ps a | wc -l)" -eq 3 ]
}

@test "a missing cwd: made for the container's own process, an error for exec" {
	args sh -c 'pwd; exec sleep 100'
	config '.process.cwd = "/made/here"'
	$R run -d a </dev/null >out 2>&1
	eventually 10 grep -qx /made/here out
	run -255 $R exec --cwd /no/such a true
	[[ "$output" == *'chdir to cwd ("/no/such"): no such file or directory' ]]
	[ ! -e rootfs/no ]
	run -0 $R exec a sh -c pwd
	[ "$output" = /made/here ]
	run -255 $R exec --cwd /etc/passwd a true
	[[ "$output" == *"not a directory" ]]
}

@test "create takes a config without process; start and run name it" {
	config 'del(.process)'
	$R create a </dev/null >/dev/null 2>&1
	[ "$(status_of a)" = created ]
	run -1 $R start a
	[[ "$output" == *"process: is missing"* ]]
	eventually 10 is_status a stopped
	$R delete a
	run -1 $R --debug run b
	[[ "$output" == *"process: is missing"* ]]
	[[ "$output" != *"stage"* ]]
}

@test "pause, resume, and kill of a paused container" {
	args sleep 100
	$R run -d a </dev/null >/dev/null 2>&1
	$R pause a
	[ "$(status_of a)" = paused ]
	run -255 $R exec a true
	[[ "$output" == *"paused"* ]]
	run $R delete a
	[ "$status" -eq 1 ]
	$R resume a
	[ "$(status_of a)" = running ]
	run $R resume a
	[ "$status" -eq 1 ]
	$R pause a
	$R kill a KILL
	eventually 5 is_status a stopped
}

@test "update changes limits, keeps the rest, and takes a failed one back" {
	args sleep 100
	config '.linux.resources.pids.limit = 50 | .linux.resources.memory.limit = 67108864'
	$R run -d a </dev/null >/dev/null 2>&1
	$R update --memory 128m --pids-limit 20 --cpu-share 512 a
	[ "$(limit memory memory.limit_in_bytes memory.max)" -eq 134217728 ]
	[ "$(limit pids pids.max pids.max)" -eq 20 ]
	if has_only_v2; then # 512 of 1024 is 59 of 100 on the curve of weights
		[ "$(limit cpu - cpu.weight)" -eq 59 ]
	else
		[ "$(limit cpu cpu.shares -)" -eq 512 ]
	fi
	echo '{"pids":{"limit":10},"cpu":{"cpus":"999"}}' >r.json
	run $R update -r r.json a
	[ "$status" -eq 1 ]
	[ "$(limit pids pids.max pids.max)" -eq 20 ]
	echo '{"pids":{"limit":-1}}' | $R update -r - a
	[ "$(limit pids pids.max pids.max)" = max ]
	run $R update --memory 1x a
	[[ "$status" -eq 1 && "$output" == *"--memory"* ]]
}

@test "events: statistics once, and an out-of-memory event" {
	args sh -c 'while true; do x=$x$x$x.; done'
	config '.linux.resources.memory = {"limit": 8388608, "swap": 8388608}'
	$R create a </dev/null >/dev/null 2>&1
	$R events --stats a | jq -e '.type == "stats" and .data.memory.usage.limit == 8388608 and .data.pids.current >= 1'
	$R events --interval 100s a >lines &
	$R start a
	wait $!
	grep -q '"type":"oom"' lines
}

@test "list, also with a torn state folder" {
	args sleep 100
	run -1 $R list # a root that was named must be there
	$R run -d a </dev/null >/dev/null 2>&1
	mkdir "$BATS_TEST_TMPDIR/root/torn"
	[ "$($R list -q 2>/dev/null)" = a ]
	[ "$($R list -f json 2>/dev/null | jq -r '.[0].status')" = running ]
	$R list 2>&1 | grep -q 'torn'
	[[ "$($R list 2>/dev/null | head -1)" =~ ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER ]]
	$R delete -f torn
}

@test "flags that are unknown or too many, ids that are none: refused with the usage, nothing touched" {
	run -1 $R create --nope a
	[[ "$output" == *"--nope"* && "$output" == *USAGE* ]]
	run -1 $R state a b
	run -1 $R state ../x
	run -1 $R create a/b
	run -1 $R kill a NOSIG
	[[ "$output" == *NOSIG* ]]
	run -1 $R nothing
	run -255 $R exec --nope a
	run -1 $R checkpoint a
	[[ "$output" == *"not supported"* ]]
	run -0 $R --version
	[[ "${lines[0]}" == "stack-runtime version "* && "${lines[1]}" == commit:* && "${lines[2]}" == spec:* ]]
	run -0 $R features
	jq -e '.ociVersionMax and (.hooks | length == 6) and (.linux.namespaces | length == 8)' <<<"$output"
}

@test "the log as JSON ends with the one error that the command failed of" {
	run -1 $R --log log --log-format json state none
	[ "$(wc -l <log)" -eq 1 ]
	jq -e '.level == "error" and (.msg | contains("does not exist")) and .time' log
}

@test "hooks run in their order, with the state on stdin" {
	args sh -c 'echo program >>/order'
	for kind in prestart createRuntime poststart poststop; do
		config ".hooks.$kind = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo $kind \$(jq -r .status) >>$B/rootfs/order\"], \"env\": [\"PATH=/usr/bin:/bin\"]}]"
	done
	config '.hooks.createContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "echo createContainer >>order"]}]'
	config '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "echo startContainer >>/order"]}]'
	run -0 $R run a
	cat rootfs/order
	[ "$(grep -v -e poststart -e program rootfs/order | tr '\n' ' ')" = "prestart creating createRuntime creating createContainer startContainer poststop stopped " ]
	grep -q 'poststart running' rootfs/order
	config '.hooks = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo because >&2; exit 4"]}]}'
	run -1 $R run a
	[[ "$output" == *"exit status 4"* && "$output" == *because* ]]
	config '.hooks = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]}'
	run -1 $R run a
	[[ "$output" == *"has not ended after 1 s"* ]]
}

@test "user namespace: ids mapped, devices bound, limits kept" {
	chown -R 100000:100000 rootfs
	args sh -c 'id -u; echo x >/dev/null; stat -c %t:%T /dev/null; cat /proc/self/uid_map; touch /tmp/x; stat -c %u /tmp/x'
	config '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
	run -0 $R run a
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 1:3 ]
	[[ "${lines[2]}" =~ 0\ +100000\ +65536 ]]
	[ "${lines[3]}" = 0 ]
	[ "$(stat -c %u rootfs/tmp/x)" = 100000 ]
}

@test "namespaces of another container are joined by path, another kind is refused" {
	args sleep 100
	$R run -d a </dev/null >/dev/null 2>&1
	local pid
	pid=$($R state a | jq .pid)
	args sh -c 'ps | grep -c "sleep 100"; readlink /proc/self/ns/net; readlink /proc/1/ns/net'
	config ".linux.cgroupsPath = \"$CGROUP/d\" | .linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$pid/ns/pid\" elif .type == \"network\" then .path = \"/proc/$pid/ns/net\" else . end)"
	run -0 $R run b
	[ "${lines[1]}" = "${lines[2]}" ]
	config '.linux.namespaces |= map(if .type == "network" then .path |= sub("net"; "uts") else . end)'
	run -1 $R run b
	[[ "$output" == *"is no network namespace"* ]]
}

@test "a sysctl, a time namespace, rlimits, an OOM score, a personality" {
	args sh -c 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/self/timens_offsets /proc/self/oom_score_adj /proc/self/personality; ulimit -n; umask'
	config '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "7"} | .linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"monotonic":{"secs":77}} | .process.oomScoreAdj = 500 | .linux.personality = {"domain":"LINUX32"} | .process.rlimits = [{"type":"RLIMIT_NOFILE","soft":99,"hard":100}] | .process.user.umask = 63'
	run -0 $R run a
	[ "${lines[0]}" = 7 ]
	[[ "$output" =~ monotonic\ +77\ +0 ]]
	[[ "$output" == *$'\n500\n'* ]]
	[[ "$output" == *00000008* ]]
	[ "${lines[-2]}" = 99 ]
	[ "${lines[-1]}" = 0077 ]
}

@test "descriptors: three and no more, unless they are to be preserved" {
	args sh -c 'ls /proc/self/fd | wc -l; cat <&3'
	echo kept >file
	run -0 $R run --preserve-fds 1 a 3<file
	[ "${lines[1]}" = kept ]
	args sh -c 'for f in /proc/self/fd/*; do echo ${f##*/}; done'
	run -0 bash -c "exec 5<file 7<file 12<file; $R run a </dev/null"
	[[ "$output" != *5* && "$output" != *7* && "$output" != *12* ]]
	run -1 bash -c "exec 4<&-; exec 3<file; $R run --preserve-fds 2 a"
	[[ "$output" == *"descriptor 4 is not open"* ]]
}

@test "a network device of the host is moved in, renamed, with its addresses, MTU and MAC" {
	args sh -c 'cat /sys/class/net/eth7/mtu /sys/class/net/eth7/address /sys/class/net/eth7/flags; busybox ip -4 addr show dev eth7'
	config '.linux.netDevices = {"v0": {"name": "eth7"}}'
	run -0 unshare -n bash -c "ip link add v0 mtu 1400 address 02:00:00:00:00:07 type veth peer name v1 &&
		ip addr add 192.0.2.7/24 dev v0 && ip link set v0 up && $R run a && ! ip link show v0"
	[ "${lines[0]}" = 1400 ]
	[ "${lines[1]}" = 02:00:00:00:00:07 ]
	[ $((lines[2] & 1)) -eq 1 ]
	[[ "$output" == *"inet 192.0.2.7/24"* ]]
	run -1 $R run a
	[[ "$output" == *"there is no device v0"* ]]
}

@test "without root: run, exec, kill and delete in a user namespace of one id" {
	local user="setpriv --reuid 1000 --regid 1000 --clear-groups" own=$BATS_TEST_TMPDIR/own
	cp "$STACK_BUILD/stack-runtime" "$BATS_TEST_TMPDIR/runtime"
	chmod -R a+rX "$BATS_TEST_TMPDIR/runtime" "$B"
	mkdir -m 777 "$own"
	R="$user $BATS_TEST_TMPDIR/runtime --root $own/root"
	$R spec --rootless -b "$own"
	jq ".process.terminal = false | .root.path = \"$B/rootfs\" | .process.args = [\"sleep\", \"100\"]" "$own/config.json" >"$own/new"
	mv "$own/new" "$own/config.json"
	$R run -d -b "$own" a </dev/null >/dev/null 2>&1
	[ "$(status_of a)" = running ]
	run -0 $R exec a id -u
	[ "$output" = 0 ]
	run -6 $R exec a sh -c 'exit 6'
	$R kill a KILL
	eventually 5 is_status a stopped
	$R delete a
	[ -z "$(ls "$own/root")" ]
}
