#!/usr/bin/env bats
# Builds that fail, are cut off or are killed: the reason is told, nothing is left, the store is whole.
# shellcheck disable=SC2034,SC2016 # CLEANUP is for lib; texts for other shells
load lib
load build-lib

# Builders in this namespace that still live.
workers() {
	pgrep -x stack-build || true
}

@test "a failing RUN shows its lines, its last output and its status" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		WORKDIR /src
		RUN echo before && \
		    seq 1 100 && exit 42
		COPY . .
	END
	build
	[ "$status" -eq 1 ]
	has "Dockerfile:3: RUN: exit status 42" ">   3 | RUN echo before" ">   4 |     seq 1 100 && exit 42" "    2 | WORKDIR /src" \
		"step 3/4" "#3 ERROR exit status 42"
	run stack --progress quiet image build -t "$P:1" .
	has "exit status 42" 100
	lacks "#2 "
	run stack image inspect "$P:1"
	[ "$status" -ne 0 ]
}

@test "errors of every kind name file and line" {
	# file, what the message must have
	check() {
		printf '%b' "$1" >Dockerfile
		build
		[ "$status" -ne 0 ]
		has "$2"
	}
	check 'FROM 127.0.0.1:5000/busybox:1\nCOPY nothing /x\n' 'Dockerfile:2: COPY: "nothing": not found in the context'
	check 'FROM 127.0.0.1:5000/busybox:1\nCOPY no* /x/\n' 'Dockerfile:2: COPY:'
	check 'FROM 127.0.0.1:5000/busybox:1\nRUNN x\n' 'Dockerfile:2'
	check 'FROM 127.0.0.1:5000/busybox:1\nUSER nobody-here\nRUN true\n' 'Dockerfile:3: RUN: unable to find user nobody-here'
	check 'FROM 127.0.0.1:5000/busybox:1\nCOPY --chown=ghost Dockerfile /x\n' 'Dockerfile:2: COPY:'
	check 'FROM 127.0.0.1:5000/busybox:1\nRUN ["/no/such/program"]\n' 'Dockerfile:2: RUN: exec: "/no/such/program"'
	check 'FROM 127.0.0.1:5000/absent:1\n' 'absent'
	check 'FROM 127.0.0.1:5000/busybox:1\nEXPOSE 99999\n' 'Dockerfile:2'
	check '' 'Dockerfile'
	rm Dockerfile
	build
	[ "$status" -ne 0 ]
	has "Dockerfile"
	printf 'FROM --platform=linux/s390x 127.0.0.1:5000/busybox:1\nRUN true\n' >Dockerfile
	build
	[ "$status" -ne 0 ]
	has "linux/s390x" binfmt
}

@test "what a RUN leaves running ends with it" {
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN sleep 4711 & (setsid sleep 4712 &) ; echo over
		RUN ! pgrep sleep
	END
	built
	run ! pgrep -f 'sleep 471[12]'
}

@test "an interrupt ends the build at once with 130" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo begun; sleep 4713\n' >Dockerfile
	stack --progress plain image build -t "$P:1" . >out 2>&1 3>&- &
	pid=$!
	eventually 20 grep -q ' begun$' out
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 130 ]
	run ! pgrep -f 'sleep 4713'
	[ -z "$(ls "$STACK_ROOT/build/work")" ]
}

@test "a killed builder is cleared by the next one" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo one >/one\nRUN echo begun; sleep 4714\n' >Dockerfile
	stack --progress plain image build -t "$P:1" . >out 2>&1 3>&- &
	eventually 20 grep -q ' begun$' out
	kill -KILL "$(workers)"
	wait $! || true
	sed -i 's/sleep 4714/true/' Dockerfile
	built
	[ "$(cached_count)" -eq 1 ]
	run ! pgrep -f 'sleep 4714'
	[ -z "$(ls "$STACK_ROOT/build/work")" ]
	stack image verify --fast
}

@test "killed at every named stage, the next build ends well" {
	local mortal=stack
	grep -q STACK_CRASH_AT "$(command -v stack)" || mortal=$STACK_BUILD/crash-sample/stack
	command -v "$mortal" >/dev/null || skip "needs a build with crash points (make test-crash)"
	echo x >file
	for stage in prepared running captured copy-planned copy-written step-done record commit; do
		dockerfile <<-END
			FROM 127.0.0.1:5000/busybox:1
			RUN echo $stage >/one
			COPY file /$stage
			RUN sleep 0.1; cat /one >/two
		END
		ASAN_OPTIONS=detect_leaks=0 STACK_CRASH_AT=build:$stage run "$mortal" image build -t "$P:1" .
		[ "$status" -ne 0 ]
		built
		tree
		[ "$(cat tree/two)" = "$stage" ]
		[ -z "$(ls "$STACK_ROOT/build/work")" ]
	done
	stack image verify
}

@test "a full disk is told, and the store stays whole" {
	mkdir small
	mount -t tmpfs -o size=24m small small
	CLEANUP="umount -l $PWD/small"
	mkdir small/root
	dockerfile <<-'END'
		FROM 127.0.0.1:5000/busybox:1
		RUN dd if=/dev/urandom of=/big bs=1M count=64 2>&1
	END
	export STACK_ROOT=$PWD/small/root
	build
	[ "$status" -ne 0 ]
	lacks "Built"
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo fits >/small\n' >Dockerfile
	built
	stack image verify
}

@test "two builders at once make a step once" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN sleep 0.3; cat /proc/sys/kernel/random/uuid >/id\n' >Dockerfile
	stack image build -q -t "$P:a" . >/dev/null 3>&- &
	stack image build -q -t "$P:b" . >/dev/null
	wait $!
	[ "$(stack image inspect "$P:a" | jq -c '.[0].RootFS')" = "$(stack image inspect "$P:b" | jq -c '.[0].RootFS')" ]
}
