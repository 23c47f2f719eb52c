#!/usr/bin/env bats
# Images in and out without a registry: load, save, tag, rm; what is hostile is refused and leaves nothing.
load lib

# archive FILE NAME WORD: a docker-archive of two layers; the second replaces, hides and adds.
archive() {
	local work=$BATS_TEST_TMPDIR/archive one two
	rm -rf "$work"
	mkdir -p "$work/1/bin" "$work/1/etc" "$work/2/etc"
	cp /bin/busybox "$work/1/bin/busybox"
	ln -s busybox "$work/1/bin/sh"
	ln -s busybox "$work/1/bin/ls"
	ln -s busybox "$work/1/bin/cat"
	echo old >"$work/1/etc/word"
	echo gone >"$work/1/etc/gone"
	echo "$3" >"$work/2/etc/word"
	touch "$work/2/etc/.wh.gone"
	tar -C "$work/1" --owner 0 --group 0 -cf "$work/one.tar" .
	tar -C "$work/2" --owner 0 --group 0 -cf "$work/two.tar" .
	one=$(sha256sum <"$work/one.tar" | cut -d' ' -f1)
	two=$(sha256sum <"$work/two.tar" | cut -d' ' -f1)
	cat >"$work/config.json" <<-END
		{"os": "linux", "architecture": "amd64", "created": "2026-01-02T03:04:05Z", "config": {"Cmd": ["cat", "/etc/word"]},
		 "rootfs": {"type": "layers", "diff_ids": ["sha256:$one", "sha256:$two"]}}
	END
	printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["one.tar","two.tar"]}]' "$2" >"$work/manifest.json"
	tar -C "$work" -cf "$1" manifest.json two.tar config.json one.tar
}

names() {
	stack image ls --format '{{.Repository}}:{{.Tag}}'
}

@test "an archive loads from a file, a pipe and compressed" {
	archive a.tar store/a:1 new
	run stack image load -i a.tar
	[ "$status" -eq 0 ]
	has "Loaded image: docker.io/store/a:1"
	CLEANUP='stack image rm -f store/a:1'
	stack image rm store/a:1
	stack image load -q <a.tar
	stack image rm store/a:1
	gzip -c a.tar | stack image load -q
	output=$(names)
	has store/a:1
}

@test "what is saved is the same every time and loads again" {
	archive a.tar store/b:1 saved
	stack image load -q -i a.tar
	CLEANUP='stack image rm -f store/b:1'
	stack image save -o one.tar store/b:1
	stack image save store/b:1 >two.tar
	cmp one.tar two.tar
	stack image save --oci -o oci.tar store/b:1
	[ "$(skopeo inspect --format '{{len .Layers}}' oci-archive:oci.tar)" = 2 ]
	[ "$(skopeo inspect --format '{{len .Layers}}' docker-archive:one.tar)" = 2 ]
	stack image rm store/b:1
	stack image load -q -i oci.tar
	stack image rm store/b:1
	stack image load -q -i one.tar
	output=$(names)
	has store/b:1
}

@test "a loaded image runs, its layers merged" {
	archive a.tar store/c:1 merged
	stack image load -q -i a.tar
	CLEANUP='stack image rm -f store/c:1'
	compose <<-END
		services:
		  job:
		    image: store/c:1
		    pull_policy: never
		    command: [sh, -c, "cat /etc/word; ls /etc"]
	END
	stack up >out 2>&1
	output=$(cat out)
	has merged word
	lacks gone old
}

@test "an image that a container uses is not removed by its name" {
	archive a.tar store/d:1 used
	stack image load -q -i a.tar
	CLEANUP='stack image rm -f store/d:1'
	compose <<-END
		services:
		  job:
		    image: store/d:1
		    pull_policy: never
		    command: [sh, -c, "sleep 1000 || true"]
	END
	up
	run --separate-stderr stack image rm store/d:1
	[ "$status" -eq 1 ]
	output=$stderr
	has "used by a container"
	down=$(stack down -t 0 2>&1) || { echo "$down"; false; }
	stack image rm store/d:1
	CLEANUP=
}

@test "a tag is one more name" {
	archive a.tar store/e:1 tagged
	stack image load -q -i a.tar
	CLEANUP='stack image rm -f store/e:1; stack image rm -f store/e:2'
	stack image tag store/e:1 store/e:2
	stack image rm store/e:1
	output=$(names)
	has store/e:2
	lacks store/e:1
}

@test "hostile archives are refused in one line and leave nothing" {
	local generate=$STACK_BUILD/san/tests/images/k_hostile file before
	[ -x "$generate" ] || skip "the units are not built"
	mkdir hostile
	HOSTILE_OUT=hostile ASAN_OPTIONS=detect_leaks=0 "$generate"
	[ "$(find hostile -name '*.tar' | wc -l)" -ge 40 ]
	before=$(names; find "$STACK_ROOT/images" -type f | sort)
	for file in hostile/*.tar; do
		run --separate-stderr stack image load -i "$file"
		[ "$status" -ne 0 ] && [ "$status" -lt 126 ] || { echo "$file: status $status"; false; }
		[ "$(printf '%s\n' "$stderr" | wc -l)" -eq 1 ] || { echo "$file: $stderr"; false; }
	done
	[ "$before" = "$(names; find "$STACK_ROOT/images" -type f | sort)" ]
}

# full_disk: in STACK_ROOT, a small file system, a service runs; what does not fit is refused and it goes on.
full_disk() {
	local before after
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: [sleep, "1000"] }
	END
	up
	before=$(stat -f -c %a "$STACK_ROOT")
	# The sizes alone say that it cannot fit: nothing is fetched.
	run ! --separate-stderr stack image pull -q $REGISTRY/postgres:1
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	output=$stderr
	has "image $REGISTRY/postgres:1: no space: its layers need more than" "MiB are left on the file system of $STACK_ROOT"
	[ -z "$(ls -A "$STACK_ROOT/images/partial")$(ls -A "$STACK_ROOT/images/tmp")" ]
	# The sizes would fit, what is in them does not.
	run ! --separate-stderr stack image pull -q $REGISTRY/nginx:1
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
	output=$stderr
	has "image $REGISTRY/nginx:1: layer" "no space: " "layers of 42.7 MiB were to come, more when unpacked"
	[ -z "$(ls -A "$STACK_ROOT/images/tmp")$(ls -A "$STACK_ROOT/images/trash")" ]
	output=$(names)
	[ "$output" = "$REGISTRY/busybox:1" ]
	stack system check
	# Other images still run, beside the one that does.
	stack exec -T web true
	run -0 stack run --rm -T web echo still here
	has "still here"
	# What came before it was full stays for a later try where 64 MiB are left; prune takes it.
	stack image prune -f >/dev/null
	rm -f "$STACK_ROOT"/images/partial/*
	after=$(stat -f -c %a "$STACK_ROOT")
	[ "$after" -ge $((before - 256)) ] # blocks of 4 KiB: records and logs
	stack down -t 0
}

@test "a disk that is too small: refused with figures, the store stays whole, other images run (folders)" {
	export STACK_ROOT=$BATS_TEST_TMPDIR/lib STACK_CONFIG=$BATS_TEST_TMPDIR/config.json
	echo '{"images":{"min_free":1048576}}' >"$STACK_CONFIG"
	mkdir "$STACK_ROOT"
	mount -t tmpfs -o size=120m,mode=700 small "$STACK_ROOT"
	CLEANUP='umount -l "$BATS_TEST_TMPDIR/lib"'
	full_disk
}

@test "a disk that is too small: the same with an index over tars (EROFS)" {
	export STACK_ROOT=$BATS_TEST_TMPDIR/lib STACK_CONFIG=$BATS_TEST_TMPDIR/config.json
	echo '{"images":{"min_free":1048576,"snapshotter":"erofs"}}' >"$STACK_CONFIG"
	mkdir "$STACK_ROOT"
	truncate -s 120M disk
	mkfs.ext4 -q -m 0 disk
	mount -o loop disk "$STACK_ROOT"
	CLEANUP='umount -l "$BATS_TEST_TMPDIR/lib"'
	stack image ls -q >/dev/null 2>errors || { grep -q EROFS errors && skip "no EROFS over files here"; }
	full_disk
}
