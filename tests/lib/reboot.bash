# tests/lib/reboot - what a reboot does to us, without one: every process of ours and of containers is killed, /run is
# empty, links, rules and cgroups are gone, and the kernel has another boot id. Sourced, inside tests/lib/netns.
# shellcheck shell=bash

reboot_machine() { # FOLDER (for the new boot id)
	local pid link
	for pid in $(pgrep -x 'stack|stack-superv|stack-runtime|stack-netd'); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	reboot_wait reboot_has_no_process
	for pid in $(reboot_inmates); do kill -KILL "$pid" 2>/dev/null || true; done
	reboot_wait reboot_has_no_container
	# shellcheck disable=SC2013
	for link in $(awk -v root="$STACK_RUNTIME_ROOT/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | tac); do
		umount -l "$link"
	done
	find /sys/fs/cgroup -depth -type d -path '*/stack*' ! -path '*/stack-test-*' -exec rmdir {} + 2>/dev/null || true
	nft flush ruleset
	for link in $(ip -o link show type bridge | awk -F': ' '{ print $2 }'); do ip link del "$link"; done
	rm -rf "${STACK_RUNTIME_ROOT:?}"/*
	reboot_is_over
	cat /proc/sys/kernel/random/uuid >"$1/boot_id"
	mount --bind "$1/boot_id" /proc/sys/kernel/random/boot_id
}

# The kernel's own boot id again.
reboot_is_over() {
	umount /proc/sys/kernel/random/boot_id 2>/dev/null || true
}

reboot_wait() { # CONDITION
	for _ in {1..600}; do
		"$1" && return 0
		sleep 0.05
	done
	echo "reboot: $1 does not come true" >&2
	return 1
}

reboot_has_no_process() {
	! pgrep -x 'stack-superv|stack-runtime|stack-netd' >/dev/null
}

# Processes of other pid namespaces than ours.
reboot_inmates() {
	local pid own
	own=$(readlink /proc/self/ns/pid)
	for pid in /proc/[0-9]*; do
		[ "$(readlink "$pid/ns/pid" 2>/dev/null || echo "$own")" = "$own" ] || echo "${pid#/proc/}"
	done
}

reboot_has_no_container() {
	[ -z "$(reboot_inmates)" ]
}
