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
