# tests/e2e/storm - blows at random stages and moments, for the storms over the runtime and over monitors.
# shellcheck shell=bash disable=SC2086,SC2034
CREATE="check state-folder compile-seccomp sources intent cgroup clone record init join-cgroup id-maps identity
join-namespaces session runtime-hooks propagation rootfs mounts devices console close-devices container-hooks mask-paths
sysctl pivot finish-root terminal limits label cwd seccomp privileges cwd-as-user program seccomp-last ready exec"
MONITOR="join-netns read-config mount-rootfs create open-socket say-created start finish write-exit"

one_of() { # WORD...
	shift $((RANDOM % $#))
	echo "$1"
}

seed() {
	SEED=${SEED:-$$}
	RANDOM=$SEED
	echo "SEED=$SEED"
}

# A stage by its name, or the moment that the clock says.
struck() { # AREA STAGES COMMAND...
	local area=$1 stages=$2
	shift 2
	if [ $((RANDOM % 4)) -eq 0 ]; then
		timeout -s KILL "0.0$((RANDOM % 5))$((RANDOM % 10))" "$@" </dev/null >/dev/null 2>&1 || true
	else
		STACK_CRASH_AT=$area:$(one_of $stages) "$@" </dev/null >/dev/null 2>&1 || true
	fi
}
