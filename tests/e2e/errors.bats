#!/usr/bin/env bats
# What is wrong is told in a line or two, with a status, and leaves nothing behind.
load lib

# Fails with 1 (or STATUS), on stderr, in at most three lines, with all the words.
refused() { # WORD...
	[ "$status" -eq "${STATUS:-1}" ]
	[ -z "$output" ] || echo "stdout: $output"
	output=$stderr
	[ "$(printf '%s\n' "$output" | grep -c .)" -le "${LINES_MAX:-3}" ]
	has "$@"
}

@test "no file" {
	run --separate-stderr stack -f nowhere.yml up -d
	refused nowhere.yml
	unset COMPOSE_FILE
	run --separate-stderr stack up -d
	refused compose.yaml
}

@test "YAML that is none is told with line and column" {
	printf 'services:\n  web: [unclosed\n' >app.yml
	run --separate-stderr up
	refused app.yml:
}

@test "an unknown key is told with its place and its neighbour" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    enviroment: { A: 1 }
	END
	run --separate-stderr up
	refused app.yml:4: enviroment environment
}

@test "a wrong type is told with its place" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    ports: 8080
	END
	run --separate-stderr up
	refused app.yml:4: ports
}

@test "a circle of dependencies is named" {
	compose <<-END
		services:
		  a: { image: x, depends_on: [b] }
		  b: { image: x, depends_on: [c] }
		  c: { image: x, depends_on: [a] }
	END
	run --separate-stderr up
	refused a b c circle
}

@test "what is not declared is named" {
	compose <<-END
		services:
		  a: { image: x, depends_on: [ghost] }
	END
	run --separate-stderr up
	refused ghost
	compose <<-END
		services:
		  a: { image: x, volumes: ["ghost:/x"] }
	END
	run --separate-stderr up
	refused ghost
	compose <<-END
		services:
		  a: { image: x, networks: [ghost] }
	END
	run --separate-stderr up
	refused ghost
}

@test "a variable that must be set says its own message" {
	compose <<-'END'
		services:
		  a: { image: "x:${TAG:?set TAG to a version}" }
	END
	run --separate-stderr up
	refused "set TAG to a version"
}

@test "an image that is not there" {
	compose <<-END
		services:
		  a: { image: "$REGISTRY/nobody/nothing:9" }
	END
	LINES_MAX=6
	run --separate-stderr up
	refused nobody/nothing
	[ -z "$(names)" ]
}

@test "a registry that does not answer" {
	compose <<-END
		services:
		  a: { image: "127.0.0.1:5999/x:1" }
	END
	LINES_MAX=6
	run --separate-stderr up
	refused 127.0.0.1:5999
	[ -z "$(names)" ]
}

@test "a layer whose bytes are not what the digest says" {
	# A store of its own: in that of the other tests the layer may be there, and is not fetched then.
	export STACK_ROOT=$BATS_TEST_TMPDIR/root
	mkdir -m 700 "$STACK_ROOT"
	export STACK_TEST_REGISTRY_PORT=5001
	cp -a "$("$ROOT/tests/images-build/build" --where)/registry" "$BATS_TEST_TMPDIR/bad"
	layer=$(jq -r '.layers[0].digest' "$BATS_TEST_TMPDIR"/bad/docker/registry/v2/blobs/sha256/*/"$(
		sed 's/sha256://' "$BATS_TEST_TMPDIR"/bad/docker/registry/v2/repositories/busybox/_manifests/tags/1/current/link
	)"/data)
	layer=${layer#sha256:}
	blob=$BATS_TEST_TMPDIR/bad/docker/registry/v2/blobs/sha256/${layer:0:2}/$layer/data
	printf 'X' | dd of="$blob" bs=1 seek=9 conv=notrunc status=none # gzip's own note: inflates as before
	STACK_TEST_REGISTRY_STORE=$BATS_TEST_TMPDIR/bad "$LIB/registry" start
	CLEANUP="STACK_TEST_REGISTRY_PORT=5001 $LIB/registry stop"
	compose <<-END
		services:
		  a: { image: "127.0.0.1:5001/busybox:1" }
	END
	LINES_MAX=8
	run --separate-stderr up
	refused digest
	[ -z "$(names)" ]
	run stack image ls -q
	[ "$(find "$STACK_ROOT/images" -name "*${layer:0:20}*" | wc -l)" -eq 0 ]
}

@test "a program that is not in the image: 127; one that cannot be executed: 126" {
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		  bad: { image: "$REGISTRY/busybox:1", command: /no/such/program, profiles: [bad] }
	END
	run stack run --rm -T a /no/such/program
	[ "$status" -eq 127 ]
	run stack run --rm -T a /etc/passwd
	[ "$status" -eq 126 ]
	up
	run stack exec -T a /no/such/program
	[ "$status" -eq 127 ]
	run stack exec -T a /etc/passwd
	[ "$status" -eq 126 ]
	LINES_MAX=6
	run --separate-stderr up bad
	refused /no/such/program
}

@test "an unknown service, command or flag" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000 }
	END
	run --separate-stderr up nope
	refused nope
	run --separate-stderr stack up --detahc
	refused --detahc --detach
	run --separate-stderr stack pss
	[ "$status" -eq 1 ]
	case $stderr in *pss*) ;; *) false ;; esac
	run --separate-stderr stack logs nope
	refused nope
}

@test "without root it says so" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000 }
	END
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$STACK_TEST_DIR"
	cp "$STACK_BUILD"/stack* /tmp/ 2>/dev/null || true
	run --separate-stderr setpriv --reuid 65534 --regid 65534 --clear-groups /tmp/stack up -d
	rm -f /tmp/stack /tmp/stack-runtime /tmp/stack-netd
	[ "$status" -ne 0 ]
	output=$stderr
	has root
}

@test "a failed up leaves nothing that down would not know" {
	compose <<-END
		services:
		  good: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		  bad: { image: "$REGISTRY/busybox:1", command: /no/such/program }
	END
	run up
	[ "$status" -ne 0 ]
	stack down
	[ -z "$(names)" ]
}
