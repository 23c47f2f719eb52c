#!/usr/bin/env bats
# Configs that are broken by hand, in every section: refused before any stage runs, and by the name of the field.
# shellcheck shell=bash disable=SC2154,SC2086
load runtime-lib

# JQ FILTER|FIELD
broken() {
	cat <<-'END'
	.ociVersion = "2.0.0"|ociVersion
	.ociVersion = 1|ociVersion
	del(.root.path)|root.path
	.root = []|root
	.root.readonly = "yes"|root.readonly
	.hostname = 7|hostname
	.process = "sh"|process
	.process.args = []|process.args
	.process.args = [1]|process.args[0]
	.process.args = ["a\u0000b"]|process.args[0]
	.process.cwd = "tmp"|process.cwd
	.process.env = ["A"]|process.env[0]
	.process.env = {"A":"b"}|process.env
	.process.terminal = 1|process.terminal
	.process.user.uid = -1|process.user.uid
	.process.user.gid = 4294967296|process.user.gid
	.process.user.umask = 1024|process.user.umask
	.process.user.additionalGids = ["x"]|process.user.additionalGids[0]
	.process.capabilities = ["CAP_KILL"]|process.capabilities
	.process.capabilities.bounding = [7]|process.capabilities.bounding[0]
	.process.rlimits = [{"type":"RLIMIT_NONE","soft":1,"hard":1}]|process.rlimits[0].type
	.process.rlimits = [{"type":"RLIMIT_CPU","soft":2,"hard":1}]|process.rlimits[0].soft
	.process.oomScoreAdj = 1001|process.oomScoreAdj
	.process.noNewPrivileges = "yes"|process.noNewPrivileges
	.process.scheduler = {"policy":"SCHED_FAST"}|process.scheduler.policy
	.process.scheduler = {"policy":"SCHED_OTHER","priority":5}|process.scheduler.priority
	.process.ioPriority = {"class":"IOPRIO_CLASS_X"}|process.ioPriority.class
	.process.consoleSize = {"height":70000,"width":1}|process.consoleSize
	.mounts = {}|mounts
	.mounts += [{"destination":"","type":"tmpfs"}]|mounts[
	.mounts += [{"type":"tmpfs"}]|mounts[
	.mounts += [{"destination":"/x","type":7}]|mounts[
	.mounts += [{"destination":"/x","type":"bind","source":"/","options":"ro"}]|mounts[
	.hooks = {"prestart":[{}]}|hooks.prestart[0]
	.hooks = {"prestart":[{"path":"true"}]}|hooks.prestart[0]
	.hooks = {"poststop":[{"path":"/bin/true","timeout":0}]}|hooks.poststop[0]: timeout
	.hooks = {"createRuntime":{}}|hooks.createRuntime
	.annotations = {"a":1}|annotations
	.linux.namespaces += [{"type":"pid"}]|linux.namespaces
	.linux.namespaces = [{"type":"disk"}]|linux.namespaces[0].type
	.linux.namespaces = [{"type":"pid","path":"x"}]|linux.namespaces[0].path
	.linux.namespaces += [{"type":"user"}]|linux.uidMappings
	.linux.uidMappings = [{"containerID":0,"hostID":0,"size":0}]|linux.uidMappings[0].size
	.linux.gidMappings = [{"containerID":0,"size":9}]|linux.gidMappings[0].hostID
	.linux.sysctl = {"kernel.panic":"1"}|linux.sysctl
	.linux.sysctl = {"net.core.somaxconn":1}|linux.sysctl.net.core.somaxconn
	.linux.timeOffsets = {"realtime":{"secs":1}}|linux.timeOffsets.realtime
	.linux.devices = [{"type":"x","path":"/dev/x"}]|linux.devices[0].type
	.linux.devices = [{"type":"c","path":"/dev/x"}]|linux.devices[0]
	.linux.maskedPaths = ["proc"]|linux.maskedPaths[0]
	.linux.readonlyPaths = [""]|linux.readonlyPaths[0]
	.linux.rootfsPropagation = "some"|linux.rootfsPropagation
	.linux.cgroupsPath = 7|linux.cgroupsPath
	.linux.personality = {"domain":"BSD"}|linux.personality.domain
	.linux.memoryPolicy = {"mode":"MPOL_BEST"}|linux.memoryPolicy.mode
	.linux.netDevices = {"a/b":{}}|linux.netDevices
	.linux.resources.memory = {"limit":"64m"}|linux.resources.memory.limit
	.linux.resources.memory = {"limit":20,"swap":10}|linux.resources.memory.swap
	.linux.resources.cpu = {"shares":-1}|linux.resources.cpu.shares
	.linux.resources.cpu = {"cpus":"all"}|linux.resources.cpu.cpus
	.linux.resources.pids = {"limit":"x"}|linux.resources.pids.limit
	.linux.resources.blockIO = {"weight":5}|linux.resources.blockIO.weight
	.linux.resources.devices = [{"access":"r"}]|linux.resources.devices[0].allow
	.linux.resources.hugepageLimits = [{"pageSize":"big","limit":1}]|linux.resources.hugepageLimits[0].pageSize
	.linux.resources.unified = {"a/b":"1"}|linux.resources.unified
	.linux.seccomp = {}|linux.seccomp.defaultAction
	.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":"SCMP_ARCH_X86"}|linux.seccomp.architectures
	.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["write"],"action":"SCMP_ACT_NOTIFY"}]}|linux.seccomp
	END
}

@test "broken configs are refused by the field's name, before any process, folder or cgroup is there" {
	local filter field count=0 bad=0
	args true
	cp config.json whole.json
	# A stage that ran would be the last: the first one kills the runtime where the build has crash points.
	export STACK_CRASH_AT=create:check
	while IFS='|' read -r filter field; do
		jq "$filter" whole.json >config.json
		run $R create a
		count=$((count + 1))
		if [ "$status" -ne 1 ] || [[ "$output" != *"$field"* ]]; then
			echo "$filter: $status: $output"
			bad=1
		fi
		[ -z "$(ls "$BATS_TEST_TMPDIR/root" 2>/dev/null)" ]
	done < <(broken)
	[ "$bad" -eq 0 ]
	[ "$count" -ge 60 ]
}

@test "files that are no config at all" {
	local text
	for text in '' '{' '[]' 'null' '"x"' '{"ociVersion":"1.0.2"} trailing' '{"ociVersion":"1.0.2","ociVersion":' $'\xff\xfe'; do
		printf '%s' "$text" >config.json
		run -1 $R create a
		[[ "$output" == *config.json* ]] || { echo "$text: $output"; return 1; }
	done
	rm config.json
	run -1 $R create a
	[[ "$output" == *config.json* ]]
	head -c 70000000 /dev/zero | tr '\0' '[' >config.json
	run -1 $R create a
	[[ "$output" == *config.json* ]]
}
