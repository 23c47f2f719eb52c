#!/usr/bin/env bats
# Binds, configs and secrets in services.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

in_service() { # SERVICE COMMAND...
	stack exec -T "$@"
}

teardown_mounts() {
	umount -l shared/sub 2>/dev/null || true
	umount -l "$BATS_TEST_TMPDIR/mem" 2>/dev/null || true
}

@test "binds: files, folders, submounts read-only too, missing ones made when asked for" {
	CLEANUP=teardown_mounts
	mkdir -p shared/sub
	mount -t tmpfs -o size=1m tmpfs shared/sub
	echo one >file
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes:
		      - ./file:/etc/file:ro
		      - ./made:/made
		      - { type: bind, source: ./also, target: /also, bind: { create_host_path: true } }
		      - { type: bind, source: ./shared, target: /all, read_only: true }
		      - { type: bind, source: ./shared, target: /top, read_only: true, bind: { recursive: disabled } }
		      - ./shared:/z:z
	END
	run up
	[ "$status" -eq 0 ]
	has "made is not there: the directory is created" "also is not there" "labels of files are left"
	[ "$(in_service c cat /etc/file)" = one ]
	run in_service c touch /all/sub/no
	has "Read-only"
	run in_service c ls /top/sub
	[ "$status" -eq 0 ]
	in_service c touch /z/sub/yes
	mount -t tmpfs -o size=1m tmpfs "$PWD/made" # what the host mounts later does not show
	[ "$(in_service c stat -f -c %T /made)" != tmpfs ]
	umount made
}

@test "binds: a file that an editor replaced is told by why, and bound anew by restart" {
	echo one >file
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: ["./file:/file"]
	END
	up
	echo two >file
	[ "$(in_service c cat /file)" = two ]
	echo three >file.new
	mv file.new file
	[ "$(in_service c cat /file)" = two ]
	run stack why c
	has "$PWD/file" restart
	stack restart c
	[ "$(in_service c cat /file)" = three ]
}

@test "binds: propagation that the host does not share, and a file on a folder, are errors that say so" {
	mkdir folder
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    volumes:
		      - { type: bind, source: ./folder, target: /x, bind: { propagation: rshared } }
	END
	run up
	[ "$status" -eq 1 ]
	has folder shared
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", command: "true", volumes: ["./folder:/etc/passwd"] } }
	END
	run up
	[ "$status" -eq 1 ]
	has folder /etc/passwd
}

@test "idmap: what root or another user of the container writes belongs to the user outside, and the reverse" {
	CLEANUP=teardown_mounts
	mkdir -p disk mem
	mount -t tmpfs -o size=1m tmpfs mem
	[ "$(stat -f -c %T disk)" = ext2/ext3 ] || echo "# the disk is $(stat -f -c %T disk)" >&3
	for place in disk mem; do
		mkdir -p "$place/r" "$place/u"
		echo mine >"$place/r/mine"
		echo mine >"$place/u/mine"
		chown -R 1234:1235 "$place/r" "$place/u"
	done
	compose <<-END
		x-c: &c
		  image: $REGISTRY/busybox:1
		  command: sleep 1000
		  stop_signal: SIGKILL
		services:
		  root:
		    <<: *c
		    volumes:
		      - { type: bind, source: ./disk/r, target: /disk, x-stack: { idmap: "1234:1235" } }
		      - { type: bind, source: ./mem/r, target: /mem, x-stack: { idmap: "1234:1235" } }
		  user:
		    <<: *c
		    user: "999:998"
		    volumes:
		      - { type: bind, source: ./disk/u, target: /disk, x-stack: { idmap: "1234:1235" } }
		      - { type: bind, source: ./mem/u, target: /mem, x-stack: { idmap: "1234:1235" } }
	END
	up
	for place in disk mem; do
		[ "$(in_service root stat -c %u:%g "/$place/mine")" = 0:0 ]
		[ "$(in_service user stat -c %u:%g "/$place/mine")" = 999:998 ]
		in_service root touch "/$place/new"
		in_service user touch "/$place/new"
		[ "$(stat -c %u:%g "$place/r/new")" = 1234:1235 ]
		[ "$(stat -c %u:%g "$place/u/new")" = 1234:1235 ]
		in_service user sh -c "echo more >>/$place/mine"
	done
}

@test "configs and secrets: every source, owner, mode and target; a change recreates" {
	echo from-file >conf
	echo -n hush-file >hush
	export HUSH_ENV=hush-env
	printf hush-store | stack secret create "$P-store" -
	CLEANUP="stack secret rm $P-store"
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    user: "1000:1000"
		    command: sleep 1000
		    stop_signal: SIGKILL
		    configs:
		      - conf
		      - { source: text, target: /etc/text, uid: "1000", gid: "7", mode: 0o440 }
		    secrets:
		      - hush
		      - { source: env, target: env-here, uid: "1000", gid: "1000", mode: 0o400 }
		      - { source: store, target: /opt/store, mode: 0o444 }
		configs:
		  conf: { file: ./conf }
		  text: { content: "project \${COMPOSE_PROJECT_NAME}" }
		secrets:
		  hush: { file: ./hush }
		  env: { environment: HUSH_ENV }
		  store: { external: true, name: $P-store }
	END
	up
	[ "$(in_service c cat /conf)" = from-file ]
	[ "$(in_service c cat /etc/text)" = "project $P" ]
	[ "$(in_service c stat -c '%u:%g %a' /etc/text)" = "1000:7 440" ]
	[ "$(in_service c cat /run/secrets/hush)" = hush-file ]
	[ "$(in_service c cat /run/secrets/env-here)" = hush-env ]
	[ "$(in_service c stat -c '%u:%g %a' /run/secrets/env-here)" = "1000:1000 400" ]
	[ "$(in_service c cat /opt/store)" = hush-store ]
	run in_service c sh -c 'echo x >/run/secrets/hush'
	[ "$status" -ne 0 ]

	# Nowhere else: not on disk, not in what is printed, not in our processes.
	secret_is_nowhere() { # VALUE
		! grep -rlsF "$1" "$STACK_RUNTIME_ROOT" &&
			! grep -rlsF --exclude-dir=secrets "$1" "$STACK_ROOT" &&
			! { stack ps -a --format json; stack inspect "$P-c-1"; stack config; stack logs; stack events --since 1h --until 0s --json; stack why c; stack history; } 2>&1 | grep -F "$1"
	}
	secret_is_nowhere hush-file
	secret_is_nowhere hush-store
	secret_is_nowhere hush-env
	supervisor=$(stack ls --format json | jq -r '.[0].SupervisorPid // empty')
	[ -n "$supervisor" ]
	[ -z "$(tr '\0' '\n' <"/proc/$supervisor/environ" | grep -F hush-env)" ]

	first=$(pid_of "$P-c-1")
	up
	[ "$(pid_of "$P-c-1")" = "$first" ]
	echo -n hush-changed >hush
	run stack plan
	has "the content of a config or secret changed"
	lacks hush-changed
	up
	[ "$(pid_of "$P-c-1")" != "$first" ]
	[ "$(in_service c cat /run/secrets/hush)" = hush-changed ]
	stack stop
	[ -z "$(grep -F secrets /proc/mounts)" ]
	secret_is_nowhere hush-changed
	stack down
}

@test "configs and secrets that cannot be are errors before anything starts" {
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", secrets: [s] } }
		secrets: { s: { file: ./nowhere } }
	END
	run up
	[ "$status" -eq 1 ]
	has nowhere
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", secrets: [s] } }
		secrets: { s: { environment: NOT_SET_AT_ALL } }
	END
	run up
	[ "$status" -eq 1 ]
	has NOT_SET_AT_ALL
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", secrets: [s] } }
		secrets: { s: { external: true, name: $P-none } }
	END
	run up
	[ "$status" -eq 1 ]
	has "stack secret create"
	mkdir folder
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", secrets: [s] } }
		secrets: { s: { file: ./folder } }
	END
	run up
	[ "$status" -eq 1 ]
	has folder
	[ -z "$(stack ps -a -q)" ]
}
