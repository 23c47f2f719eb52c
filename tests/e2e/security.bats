#!/usr/bin/env bats
# What a container may not do unless the file says so: the default filter of system calls, capabilities, paths.
# shellcheck disable=SC2016 # the shells inside expand
load lib

setup_file() {
	"$LIB/netns" --check
	"$LIB/registry" start
	"${CC:-cc}" -O1 -static -o "$BATS_FILE_TMPDIR/syscall" "$ROOT/tests/e2e/syscall.c"
}

plain() { # KEY: VALUE of the service...
	local line
	{
		printf 'services:\n  web:\n    image: %s\n    command: sleep 1000\n' "$REGISTRY/busybox:1"
		printf '    volumes: ["%s:/syscall:ro"]\n' "$BATS_FILE_TMPDIR/syscall"
		for line; do printf '    %s\n' "$line"; done
	} >app.yml
	up
}

inside() {
	stack exec -T web "$@"
}

ends() { # RESULT ARGUMENT...: the system call ends so
	local wanted=$1
	shift
	run inside /syscall "$@"
	[ "$output" = "$wanted" ] || {
		echo "syscall $*: $output, not $wanted" >&2
		return 1
	}
}

@test "namespaces, mounts and keys are refused" {
	plain
	run inside unshare -U true
	[ "$status" -ne 0 ]
	run inside unshare -m true
	[ "$status" -ne 0 ]
	run inside mount -t tmpfs none /tmp
	[ "$status" -ne 0 ]
	ends 1 250 0 0   # keyctl
	ends 1 321 0 0 0 # bpf
	ends 1 425 1 0   # io_uring_setup
	ends 1 323 0     # userfaultfd
	ends 1 308 0 0   # setns
	ends 1 428 0 0   # open_tree
	ends 38 435 0 0  # clone3: libc falls back
	ends 1 56 0x10000000 # clone with CLONE_NEWUSER
}

@test "the filter is on for the first process, too, and for what exec starts" {
	plain
	run inside grep -h '^Seccomp:' /proc/1/status /proc/self/status
	[ "$(printf '%s\n' "$output" | grep -c 2)" = 2 ]
}

@test "families of sockets without a namespace are refused, to 32-bit programs, too" {
	plain
	ends ok 41 2 1 0            # AF_INET
	ends ok 41 16 3 0           # AF_NETLINK
	ends 1 41 38 5 0            # AF_ALG
	ends 1 41 40 1 0            # AF_VSOCK
	ends 1 41 0x100000028 1 0   # AF_VSOCK below a half that the kernel does not read
	ends 1 -32 359 40 1 0
	ends ok -32 359 2 1 0
}

@test "personalities are the harmless ones" {
	plain
	ends ok 135 0xffffffff
	ends ok 135 0
	ends 1 135 0x0040000 # ADDR_NO_RANDOMIZE
}

@test "a capability opens its calls" {
	plain 'cap_add: [SYS_ADMIN]'
	inside unshare -m true
	inside mount -t tmpfs none /tmp
	ends 1 250 0 0 # keyctl stays
	stack down -t 0
	plain 'cap_add: [SYSLOG]'
	ends ok 103 10 0 0 # syslog: how large is the log
}

@test "seccomp=unconfined and privileged take the filter away" {
	plain 'security_opt: ["seccomp=unconfined"]'
	run inside grep '^Seccomp:' /proc/self/status
	has 0
	run inside /syscall 425 1 0
	[ "$output" != 1 ]
	stack down -t 0
	plain 'privileged: true'
	run inside grep '^Seccomp:' /proc/self/status
	has 0
}

@test "a profile of one's own is taken from beside the file" {
	printf '%s' '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
		{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}' >own.json
	plain 'security_opt: ["seccomp=own.json"]'
	run inside mkdir /tmp/x
	[ "$status" -ne 0 ]
	has 'No space left'
}

@test "a profile that is not there is named" {
	run plain 'security_opt: ["seccomp=absent.json"]'
	[ "$status" -ne 0 ]
	has absent.json
}

@test "the kernel's paths are masked or read-only" {
	plain
	run inside sh -c 'cat /proc/kcore | wc -c'
	has 0
	run inside sh -c 'echo 1 >/proc/sys/kernel/panic'
	[ "$status" -ne 0 ]
	run inside sh -c 'echo b >/proc/sysrq-trigger'
	[ "$status" -ne 0 ]
	run inside sh -c 'mkdir /sys/fs/cgroup/x'
	[ "$status" -ne 0 ]
}

@test "capabilities are docker's fourteen, none for another user" {
	plain
	run inside grep CapEff /proc/self/status
	has 00000000a80425fb
	stack down -t 0
	plain 'user: "1000"' 'security_opt: [no-new-privileges]'
	run inside grep -E 'CapEff|NoNewPrivs' /proc/self/status
	has 0000000000000000 'NoNewPrivs:	1'
}

@test "no file of ours can be written from inside, neither by the first process nor by exec" {
	# The program is what /proc/self/exe is before the exec: the runtime itself. It waits for the other end of a
	# pipe, so that its file can be taken hold of; when it has ended, the file is no longer busy.
	mkdir bin data
	cp "$STACK_BUILD"/stack* bin/
	mkfifo data/fifo
	local sum
	sum=$(sha256sum bin/*)
	compose <<-END
		services:
		  self:
		    image: $REGISTRY/busybox:1
		    command: [/proc/self/exe, --log, /data/fifo, list]
		    volumes: [./data:/data]
		    init: \${INIT:-false}
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    pid: service:self
		    volumes: [./data:/data]
		    stop_grace_period: 0s
	END
	PATH=$PWD/bin:$PATH
	up
	run stack exec -T web sh -c '
		exec 3</proc/1/exe || exit 1
		readlink /proc/1/exe
		cat /data/fifo >/dev/null &
		for n in $(seq 100); do (echo overwritten >>/proc/self/fd/3) 2>/dev/null && echo won && break; sleep 0.02; done
		true'
	lacks won
	[ "$sum" = "$(sha256sum bin/*)" ]
}
