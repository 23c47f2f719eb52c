#!/usr/bin/env bats
# Escapes of the last years: one hostile bundle each, refused or harmless. `make guards` builds the runtime with each
# guard taken out in turn and sees its test fail.
# shellcheck shell=bash disable=SC2154,SC2086,SC2016,SC2030,SC2031
load runtime-lib

swap() { # STOP A B...: exchanges the names for ever, in the background
	"${CC:-cc}" -O1 -o "$BATS_TEST_TMPDIR/swap" "$BATS_TEST_DIRNAME/swap.c"
	"$BATS_TEST_TMPDIR/swap" "$@" 3>&- &
	swapper=$! # a bare wait would wait for the clock of bats, too
}

@test "the runtime's own file cannot be written from inside (CVE-2019-5736)" {
	# The container runs the runtime itself, holds its file by /proc/PID/exe, and writes when it has ended.
	local own=$BATS_TEST_TMPDIR/own sum
	cp "$STACK_BUILD/stack-runtime" "$own"
	sum=$(sha256sum <"$own")
	R="$own --root $BATS_TEST_TMPDIR/root"
	ln -s /proc/self/exe rootfs/bin/self
	mkfifo rootfs/tmp/fifo
	cat >rootfs/attack <<-'END'
		while true; do
			for p in /proc/[0-9]*; do
				case $(readlink $p/exe) in *busybox* | "") continue ;; esac
				exec 3<$p/exe || continue
				echo >/seen
				cat /tmp/fifo >/dev/null
				for i in 1 2 3 4 5 6 7 8 9 10; do
					(echo overwritten >>/proc/self/fd/3) && echo >/won
					sleep 0.02
				done
				echo >/tried
				exec 3<&-
			done
		done
	END
	args sh /attack
	$R run -d a </dev/null >/dev/null 2>&1
	$R exec -d a self --log /tmp/fifo list </dev/null >/dev/null 2>&1 || true
	eventually 5 test -e rootfs/tried
	[ -e rootfs/seen ]
	[ ! -e rootfs/won ]
	[ "$sum" = "$(sha256sum <"$own")" ]
}

@test "proc and sysfs are mounted on real folders only (CVE-2019-19921, CVE-2023-27561)" {
	args true
	local where
	for where in proc sys; do
		rmdir "rootfs/$where"
		ln -s /tmp "rootfs/$where"
		run -1 $R run a
		[[ "$output" == *"/$where"* && "$output" == *"must be a real folder"* ]]
		rm "rootfs/$where"
		ln -s "$B" "rootfs/$where"
		run -1 $R run a
		rm "rootfs/$where"
		mkdir "rootfs/$where"
	done
}

@test "nothing is mounted on proc or below it (CVE-2019-16884)" {
	args true
	mkdir -p "$B/fake/self/attr"
	local where
	for where in /proc /proc/self/attr /proc/sys; do
		config ".mounts = [.mounts[] | select(.source != \"$B/fake\")] + [{\"destination\":\"$where\",\"type\":\"bind\",\"source\":\"$B/fake\",\"options\":[\"rbind\"]}]"
		run -1 $R run a
		[[ "$output" == *"inside /proc"* ]]
	done
	ln -s /proc rootfs/p
	config ".mounts[-1].destination = \"/p/self\""
	run -1 $R run a
	[[ "$output" == *"inside /proc"* ]]
	echo 'cpu 0' >"$B/cpuinfo"
	config ".mounts[-1] |= {\"destination\":\"/proc/cpuinfo\",\"type\":\"bind\",\"source\":\"$B/cpuinfo\",\"options\":[\"bind\"]}"
	run -0 $R run a
}

@test "no mount target leads out of the root (CVE-2021-30465, CVE-2024-45310)" {
	args true
	mkdir "$B/host"
	echo marker >"$B/host/file"
	ln -s "$B/host" rootfs/link
	ln -s ../../../../../../../../"$B/host/new" rootfs/dangling
	config ".mounts += [{\"destination\":\"/link/made\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},{\"destination\":\"/dangling\",\"type\":\"bind\",\"source\":\"$B/config.json\",\"options\":[\"bind\"]}]"
	run -0 $R run a
	[ "$(ls "$B/host")" = file ]
	[ "$(cat "$B/host/file")" = marker ]
	[ -d "rootfs$B/host/made" ]
}

@test "a mount target that is swapped for a link during create covers nothing outside (CVE-2021-30465)" {
	mkdir -p "$B/host/d" rootfs/shared/d
	echo marker >"$B/host/d/file"
	ln -s "$B/host" rootfs/shared/l
	swap "$PWD/rootfs/shared/stop" rootfs/shared/d rootfs/shared/l
	args true
	config '.mounts += [{"destination":"/shared/d/d","type":"tmpfs","source":"tmpfs"},{"destination":"/shared/d/made/deep","type":"tmpfs","source":"tmpfs"},
		{"destination":"/shared/d/made-file","type":"bind","source":"'"$B"'/config.json","options":["bind"]}]'
	for _ in $(seq 60); do
		$R run a </dev/null >/dev/null 2>&1 || true
		[ "$(cat "$B/host/d/file")" = marker ]
		[ "$(ls "$B/host/d")" = file ]
		[ "$(ls "$B/host")" = d ]
	done
	touch rootfs/shared/stop
	wait "$swapper"
}

@test "inheritable capabilities are empty unless asked for (CVE-2022-29162)" {
	args sleep 100
	$R run -d a </dev/null >/dev/null 2>&1
	run -0 $R exec --cap CAP_NET_ADMIN a grep -E 'CapInh|CapAmb|CapEff' /proc/self/status
	[[ "${lines[0]}" =~ CapInh.*0000000000000000 ]]
	[[ "${lines[1]}" =~ CapEff.*0000000020001420 ]]
	[[ "${lines[2]}" =~ CapAmb.*0000000000000000 ]]
	run -0 $R exec a grep CapInh /proc/1/status
	[[ "$output" == *0000000000000000 ]]
}

@test "without root and without a cgroup namespace the cgroup mount cannot be written (CVE-2023-25809)" {
	local user="setpriv --reuid 1000 --regid 1000 --clear-groups" own=$BATS_TEST_TMPDIR/own folder
	cp "$STACK_BUILD/stack-runtime" "$BATS_TEST_TMPDIR/runtime"
	chmod -R a+rX "$BATS_TEST_TMPDIR/runtime" "$B"
	mkdir -m 777 "$own"
	mkdir -p rootfs/sys/fs/cgroup
	# Cgroups that the user may write to, as a delegation would give them.
	for folder in pids memory freezer unified ""; do
		[ -e "/sys/fs/cgroup/$folder/cgroup.procs" ] || continue
		mkdir "/sys/fs/cgroup/$folder$CGROUP"
		chown -R 1000 "/sys/fs/cgroup/$folder$CGROUP"
	done
	args sh -c 'for f in $(ls /sys/fs/cgroup) .; do mkdir /sys/fs/cgroup/$f/x; done 2>/dev/null; ls -d /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null; ls -d /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null | head -n 1'
	config ".root.path = \"$B/rootfs\" | .linux.namespaces = ([.linux.namespaces[] | select(.type != \"cgroup\" and .type != \"network\")] + [{\"type\":\"user\"}])
		| .linux.uidMappings = [{\"containerID\":0,\"hostID\":1000,\"size\":1}] | .linux.gidMappings = .linux.uidMappings | del(.linux.resources)
		| .mounts = [.mounts[] | select(.destination == \"/proc\" or .type == \"tmpfs\")] + [{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":[\"rw\"]}]"
	cp config.json "$own/"
	run $user "$BATS_TEST_TMPDIR/runtime" --root "$own/root" run -b "$own" a
	echo "$output"
	[[ "$output" == *cgroup.procs* ]]
	[[ "$output" != *"/x"* ]]
}

@test "the cgroup mount is read-only when config says so" {
	args sh -c 'echo 1 >/sys/fs/cgroup/memory/memory.limit_in_bytes; mkdir /sys/fs/cgroup/pids/x'
	if has_only_v2; then args sh -c 'echo 1 >/sys/fs/cgroup/memory.max; mkdir /sys/fs/cgroup/x'; fi
	run $R run a
	[ "$status" -ne 0 ]
	[[ "$output" == *"Read-only file system"* ]]
}

@test "a working folder outside of the root is refused, for every descriptor (CVE-2024-21626)" {
	local fd
	args true
	for fd in $(seq 3 24); do
		config ".process.cwd = \"/proc/self/fd/$fd\""
		run -1 $R run a 9</ 15</sys/fs/cgroup 23<"$B"
	done
	config '.process.cwd = "/"'
	args sleep 100
	$R run -d a </dev/null >/dev/null 2>&1
	for fd in $(seq 3 24); do
		run -255 $R exec --cwd "/proc/self/fd/$fd" a true 9</ 15</sys/fs/cgroup 23<"$B"
		run -255 $R exec a "/proc/self/fd/$fd/../../../../bin/true"
	done
}

@test "masks do not come from the image's /dev/null (CVE-2025-31133)" {
	echo marker >"$B/secret"
	echo inside >rootfs/secret
	rm -rf rootfs/dev
	mkdir rootfs/dev
	ln -s /secret rootfs/dev/null
	config '.mounts = [.mounts[] | select(.destination != "/dev" and .destination != "/dev/pts" and .destination != "/dev/shm" and .destination != "/dev/mqueue")] | .linux.maskedPaths = ["/proc/timer_list", "/proc/timer_list", "/etc/passwd", "/tmp"]'
	args sh -c 'cat /etc/passwd; ls /tmp; stat -c %F /proc/timer_list; touch /tmp/x || echo closed; mount | grep -c timer_list'
	run $R run a
	[ "${lines[0]}" = "character special file" ]
	[[ "$output" == *closed* ]]
	[ "${lines[-1]}" = 1 ]
}

@test "the console is bound by descriptor, whatever /dev/console is (CVE-2025-52565)" {
	config '.process.terminal = true | .mounts = [.mounts[] | select(.destination != "/dev" and .destination != "/dev/shm" and .destination != "/dev/mqueue")]'
	echo marker >"$B/host"
	mkdir -p rootfs/dev/pts
	ln -s "$B/host" rootfs/dev/console
	args sh -c 'stat -L -c %F /dev/stdin; tty'
	run -0 $R run a </dev/null
	[[ "${lines[0]}" == "character special file"* ]]
	[ "$(cat "$B/host")" = marker ]
	# A link to a file of the container: the terminal is not laid over what it points to.
	echo inside >rootfs/inside
	rm rootfs/dev/console
	ln -s /inside rootfs/dev/console
	args cat /inside
	run -0 $R run a </dev/null
	[[ "$output" == inside* ]]
	config '.mounts = [.mounts[] | select(.destination != "/dev/pts")]'
	run -1 $R run a </dev/null
	[[ "$output" == *"/dev/pts"* ]]
}

@test "a console and a devpts that are swapped for links during create lead nowhere else (CVE-2025-52565)" {
	mkdir -p rootfs/dev/pts "$B/host/pts"
	echo marker >"$B/host/file"
	: >rootfs/dev/console
	ln -s "$B/host/file" rootfs/dev/link
	ln -s "$B/host/pts" rootfs/dev/pts-link
	config '.process.terminal = true | .mounts = [.mounts[] | select(.destination != "/dev" and .destination != "/dev/shm" and .destination != "/dev/mqueue")]'
	swap "$PWD/rootfs/stop" rootfs/dev/console rootfs/dev/link rootfs/dev/pts rootfs/dev/pts-link
	args sh -c 'stat -L -c %F /dev/stdin; echo written >/dev/stdout'
	local good=0
	for _ in $(seq 40); do
		run timeout 20 $R run a </dev/null
		if [ "$status" -eq 0 ]; then
			[[ "${lines[0]}" == "character special file"* ]]
			good=$((good + 1))
		fi
		[ "$(cat "$B/host/file")" = marker ]
		[ "$(cd "$B/host" && echo ./* pts/*)" = "./file ./pts pts/*" ]
	done
	touch rootfs/stop
	wait "$swapper"
	echo "$good went through"
}

@test "a sysctl goes to the kernel's own proc and to its own namespaces (CVE-2025-52881)" {
	args cat /proc/sys/net/ipv4/ip_default_ttl
	local before
	before=$(cat /proc/sys/net/ipv4/ip_default_ttl)
	config '.linux.sysctl = {"net.ipv4.ip_default_ttl": "33"}'
	run -0 $R run a
	[ "$output" = 33 ]
	[ "$(cat /proc/sys/net/ipv4/ip_default_ttl)" = "$before" ]
	# A hook lays a file over the container's own view of it: written is what the kernel has all the same.
	echo marker >"$B/fake"
	args busybox sh -c 'umount /proc/sys/net/ipv4/ip_default_ttl 2>/dev/null; cat /proc/sys/net/ipv4/ip_default_ttl'
	config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"]) | .linux.readonlyPaths = []
		| .hooks = {"createContainer": [{"path": "/bin/mount", "args": ["mount", "--bind", "'"$B/fake"'", "'"$B/rootfs"'/proc/sys/net/ipv4/ip_default_ttl"]}]}'
	run -0 $R run a
	[ "$output" = 33 ]
	[ "$(cat "$B/fake")" = marker ]
	config 'del(.hooks)'
	config '.linux.sysctl = {"kernel.panic": "33"}'
	run -1 $R run a
	[[ "$output" == *"linux.sysctl"* ]]
}

@test "without pivot_root no bare proc stays behind that a user namespace could count on" {
	args busybox unshare -mrpf sh -c 'mount -t proc none /proc && echo bare'
	config '.process.capabilities.bounding += ["CAP_SETFCAP"] | .process.capabilities.permitted += ["CAP_SETFCAP"]'
	run ! unshare -m $R run --no-pivot a
	[[ "$output" == *"permission denied"* && "$output" != *bare* ]]
}

@test "seccomp: denied calls fail, unknown new ones look absent" {
	args sh -c 'mkdir /tmp/x; echo $?'
	config '.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["mkdir","mkdirat","no_such_call"],"action":"SCMP_ACT_ERRNO"}]}'
	run -0 $R run a
	[[ "$output" == *"Operation not permitted"* ]]
	config '.process.noNewPrivileges = false'
	run -0 $R run a
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "devices: allowed ones work, others cannot be opened" {
	args sh -c 'head -c1 /dev/zero | wc -c; head -c1 /dev/kmsg'
	config '.linux.devices = [{"path":"/dev/kmsg","type":"c","major":1,"minor":11}]'
	run $R run a
	[ "${lines[0]}" = 1 ]
	[[ "$output" == *"Operation not permitted"* ]]
	config '.linux.resources.devices += [{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}] | .process.capabilities.bounding += ["CAP_SYSLOG"] | .process.capabilities.effective += ["CAP_SYSLOG"] | .process.capabilities.permitted += ["CAP_SYSLOG"]'
	run $R run a
	[[ "$output" != *"Operation not permitted"* ]]
}
