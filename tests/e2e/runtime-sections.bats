#!/usr/bin/env bats
# The sections of config.json that runtime-verbs and runtime-security do not reach: what the kernel shows of each.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016,SC2030,SC2031
load runtime-lib

in_user_namespace() {
	chown -R 100000:100000 rootfs
	config '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
}

is_gone() { # ID: start itself takes away what a poststart hook has failed for
	! $R state "$1"
}

bind() { # OPTION...: a mount of $B/data on /data
	config ".mounts += [{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"$B/data\",\"options\":$(jq -cn '$ARGS.positional' --args -- "$@")}]"
}

@test "idmapped mounts: own maps, and those of the container's user namespace" {
	mkdir data
	touch data/zero
	# The temporary folder's file system may not know idmapped mounts.
	args stat -c '%u:%g' /data/zero
	bind bind idmap
	config '.mounts[-1] += {"uidMappings":[{"containerID":0,"hostID":4242,"size":10}],"gidMappings":[{"containerID":0,"hostID":4343,"size":10}]}'
	run $R run a
	[[ "$output" != *"nvalid argument"* ]] || skip "no idmapped mounts on this file system"
	[ "$output" = 4242:4343 ]
	config 'del(.mounts[-1].uidMappings, .mounts[-1].gidMappings)'
	in_user_namespace
	run -0 $R run a
	[ "$output" = 0:0 ]
	config '.mounts[-1].options = ["bind"]'
	run -0 $R run a
	[ "$output" = 65534:65534 ]
}

@test "recursive attributes reach mounts below, plain ones do not; unset attributes are kept" {
	mkdir -p data/below
	args sh -c 'grep -E " /data(/below)? " /proc/self/mountinfo | cut -d" " -f5,6'
	in_mounts() {
		unshare -m --propagation private bash -c "mount -t tmpfs -o nosuid,noexec t data && mkdir data/below && mount -t tmpfs t data/below && $R run a"
	}
	bind rbind rro
	run -0 in_mounts
	[[ "${lines[0]}" == "/data ro,"*nosuid*noexec* ]]
	[[ "${lines[1]}" == "/data/below ro,"* ]]
	config '.mounts[-1].options = ["rbind","ro","rnodev"]'
	run -0 in_mounts
	[[ "${lines[0]}" == "/data ro,"*nodev* ]]
	[[ "${lines[1]}" == "/data/below rw,"*nodev* ]]
	config '.mounts[-1].options = ["rbind","suid"]'
	run -0 in_mounts
	[[ "${lines[0]}" == "/data rw,"*noexec* && "${lines[0]}" != *nosuid* ]]
	config '.mounts[-1].options = ["rbind","rslave"]'
	run -0 in_mounts
	config '.mounts[-1].options = ["rbind","runbindable"]'
	args sh -c 'grep -E " /data(/below)? " /proc/self/mountinfo'
	run -0 in_mounts
	[ "$(grep -c unbindable <<<"$output")" = 2 ]
}

@test "tmpfs: tmpcopyup takes what it covers, size and mode are the kernel's" {
	mkdir -m 1751 rootfs/full
	echo kept >rootfs/full/file
	args sh -c 'cat /full/file; stat -c %a /full; grep " /small " /proc/self/mountinfo; stat -c %a /small'
	config '.mounts += [{"destination":"/full","type":"tmpfs","source":"tmpfs","options":["tmpcopyup"]},{"destination":"/small","type":"tmpfs","source":"tmpfs","options":["size=64k","mode=0700","noexec"]}]'
	run -0 $R run a
	[ "${lines[0]}" = kept ]
	[ "${lines[1]}" = 1751 ]
	[[ "${lines[2]}" == *noexec*size=64k* ]]
	[ "${lines[3]}" = 700 ]
}

@test "a time namespace is that of exec, too; offsets without one are refused" {
	args sleep 100
	config '.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"boottime":{"secs":500000}}'
	$R run -d a </dev/null >/dev/null 2>&1
	run -0 $R exec a cat /proc/uptime
	[ "${output%%.*}" -ge 500000 ]
	$R delete -f a
	config '.linux.namespaces |= map(select(.type != "time"))'
	run -1 $R run a
	[[ "$output" == *linux.timeOffsets* ]]
}

@test "a new network namespace belongs to the new user namespace" {
	args sh -c 'busybox ip link set lo up && busybox ip link show lo; ls /sys/class/net'
	config '.process.capabilities |= with_entries(select(.key != "ambient" and .key != "inheritable") | .value += ["CAP_NET_ADMIN"])'
	in_user_namespace
	run -0 $R run a
	[[ "$output" == *"<LOOPBACK,UP"* ]]
	[ "${lines[-1]}" = lo ]
	# The host's own: its sysfs is bound, and nothing in it can be changed.
	config '.linux.namespaces |= map(select(.type != "network"))'
	args sh -c 'ls -d /sys/class/net; busybox ip link set lo down'
	run $R run a
	[ "${lines[0]}" = /sys/class/net ]
	[[ "$output" == *"not permitted"* ]]
}

@test "scheduler, I/O priority, affinity: init's and those of exec" {
	args sleep 100
	config '.process.scheduler = {"policy":"SCHED_BATCH","nice":7} | .process.ioPriority = {"class":"IOPRIO_CLASS_BE","priority":6}'
	$R run -d a </dev/null >/dev/null 2>&1
	local pid
	pid=$($R state a | jq .pid)
	[[ "$(chrt -p "$pid")" == *SCHED_BATCH* ]]
	[ "$(ionice -p "$pid")" = "best-effort: prio 6" ]
	[ "$(ps -o ni= -p "$pid" | tr -d ' ')" = 7 ]
	echo '{"args":["grep","Cpus_allowed_list","/proc/self/status"],"cwd":"/","user":{"uid":0,"gid":0},"execCPUAffinity":{"initial":"0","final":"0"}}' >process.json
	run -0 $R exec --process process.json a
	[ "${output##*[[:space:]]}" = 0 ]
	run -0 taskset -c 0 $R exec a grep Cpus_allowed_list /proc/self/status
	[ "${output##*[[:space:]]}" = "$(grep Cpus_allowed_list /proc/"$pid"/status | cut -f2)" ]
}

@test "groups, umask, no new privileges; a memory policy" {
	args sh -c 'id -G; umask; grep NoNewPrivs /proc/self/status; cat /proc/self/numa_maps | head -n 1'
	config '.process.user = {"uid":7,"gid":8,"additionalGids":[9,1000],"umask":23} | .process.noNewPrivileges = true | .linux.memoryPolicy = {"mode":"MPOL_BIND","nodes":"0"}'
	run -0 $R run a
	[ "${lines[0]}" = "8 9 1000" ]
	[ "${lines[1]}" = 0027 ]
	[[ "${lines[2]}" == *1 ]]
	[ ! -e /proc/self/numa_maps ] || [[ "${lines[3]}" == *bind:0* ]]
}

@test "a terminal has the size that config says; exec's the one of its process file" {
	args busybox stty size
	config '.process.terminal = true | .process.consoleSize = {"height":33,"width":111}'
	run -0 $R run a </dev/null
	[[ "$output" == "33 111"* ]]
	config '.process.terminal = false'
	args sleep 100
	$R run -d a </dev/null >/dev/null 2>&1
	echo '{"terminal":true,"consoleSize":{"height":22,"width":99},"args":["busybox","stty","size"],"cwd":"/","user":{"uid":0,"gid":0}}' >process.json
	run -0 $R exec --process process.json a </dev/null
	[[ "$output" == "22 99"* ]]
}

@test "a seccomp listener gets the state and answers for the kernel" {
	local root agent
	root=$(cd "${BATS_TEST_DIRNAME:?}/../.." && pwd)
	"${CC:-cc}" -O1 -o agent "$root/tests/e2e/seccomp_agent.c"
	./agent "$B/agent.sock" "$B/state" 3>&- &
	agent=$!
	eventually 10 test -S agent.sock
	args mkdir /tmp/x
	config ".linux.seccomp = {\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],\"listenerPath\":\"$B/agent.sock\",\"listenerMetadata\":\"for me\",
		\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}"
	run -1 $R run a
	[[ "$output" == *"Invalid cross-device link"* ]]
	wait "$agent"
	[ "$(jq -r '.metadata, .fds[0], .state.id, .state.status' state | tr '\n' ' ')" = "for me seccompFd a creating " ]
	[ "$(jq .pid state)" -gt 1 ]
	run -1 $R run a
	[[ "$output" == *"failed to connect with seccomp agent"* ]]
}

@test "seccomp: actions, arguments, flags" {
	args sh -c 'kill -0 1 && echo may; kill -0 2; echo still; ls /tmp; echo after'
	config '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"],"architectures":["SCMP_ARCH_X86_64"],
		"syscalls":[{"names":["kill"],"action":"SCMP_ACT_ERRNO","errnoRet":18,"args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]},{"names":["getdents64"],"action":"SCMP_ACT_KILL_PROCESS"}]}'
	run -0 $R run a
	[ "${lines[0]}" = may ]
	[[ "${lines[1]}" == *"nvalid cross-device link" ]]
	[[ "$output" == *still*after ]]
	config '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_NONE"]'
	run -1 $R run a
	[[ "$output" == *"linux.seccomp.flags[0]"* ]]
}

@test "a filter that does not know the newest calls lets the program be found" {
	args sh -c 'echo found'
	config '.process.noNewPrivileges = false | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
		"syscalls":[{"names":["faccessat2","openat2","statx"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}'
	run -0 $R run a
	[ "$output" = found ]
	args /bin/sh -c 'echo found'
	run -0 $R run a
	[ "$output" = found ]
}

@test "a container that may manage its own cgroup owns it, and only it" {
	local unified=/sys/fs/cgroup/unified
	[ -d $unified ] || unified=/sys/fs/cgroup
	args sleep 100
	config '.linux.namespaces += [{"type":"cgroup"}] | .linux.namespaces |= unique | .mounts |= map(if .type == "cgroup" then .options |= map(select(. != "ro")) else . end)'
	in_user_namespace
	$R run -d a </dev/null >/dev/null 2>&1
	[ "$(stat -c %u "$unified$CGROUP/c")" = 100000 ]
	[ "$(stat -c %u "$unified$CGROUP/c/cgroup.procs")" = 100000 ]
	[ "$(stat -c %u "$unified$CGROUP")" = 0 ]
	[ "$(stat -c %u "$unified$CGROUP/c/cgroup.max.depth")" = 0 ]
	run -0 $R exec a sh -c 'cd /sys/fs/cgroup/unified 2>/dev/null || cd /sys/fs/cgroup; mkdir own && test -e own/cgroup.procs && busybox rmdir own && cat /proc/self/cgroup'
	[[ "$output" == *"0::/"* && "$output" != *"$CGROUP"* ]]
}

@test "hooks that fail or hang: each kind at its time" {
	local kind
	args sleep 100
	for kind in prestart createRuntime createContainer; do
		config ".hooks = {\"$kind\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo because >&2; exit 3\"]}]}"
		run -1 $R create a
		[[ "$output" == *"$kind"*"exit status 3"*because* ]]
	done
	config '.hooks = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]}'
	$R create a </dev/null >/dev/null 2>&1
	run -1 $R start a
	[[ "$output" == *startContainer* ]]
	$R delete -f a
	config '.hooks = {"poststart": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]}'
	$R create a </dev/null >/dev/null 2>&1
	run -1 $R start a
	[[ "$output" == *poststart*"has not ended after 1 s"* ]]
	eventually 10 is_gone a
	config '.hooks = {"poststop": [{"path": "/bin/false"}, {"path": "/bin/sh", "args": ["sh", "-c", "echo ran >'"$B"'/second"]}]}'
	$R create a </dev/null >/dev/null 2>&1
	run -0 $R delete -f a
	[[ "$output" == *warning*poststop* ]]
	[ "$(cat second)" = ran ]
}

@test "what this version does not do is said in a sentence, before anything is there" {
	args true
	config '.linux.intelRdt = {"closID":"guaranteed"}'
	run -1 $R create a
	[[ "$output" == *linux.intelRdt* ]]
	config 'del(.linux.intelRdt) | .linux.personality = {"domain":"LINUX","flags":["X"]}'
	run -1 $R create a
	[[ "$output" == *linux.personality.flags* ]]
	config 'del(.linux.personality)'
	[ -e /sys/kernel/security/apparmor ] || {
		config '.process.apparmorProfile = "x"'
		run -1 $R create a
		[[ "$output" == *process.apparmorProfile* ]]
		config 'del(.process.apparmorProfile)'
	}
	run -1 $R checkpoint a
	[[ "$output" == *"checkpoint and restore are not supported"* ]]
	run -1 $R restore a
	[[ "$output" == *"checkpoint and restore are not supported"* ]]
}
