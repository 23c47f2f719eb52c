#!/usr/bin/env bats
# up in the foreground with its flags, what a .env sets, and the commands that need no project.
load lib

three() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo from web; exec sleep 1000'
		    stop_signal: SIGKILL
		    depends_on: [db]
		  db:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo from db; exec sleep 1000'
		    stop_signal: SIGKILL
		  silent:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo from silent; exec sleep 1000'
		    stop_signal: SIGKILL
		    attach: false
	END
}

# Runs up with these flags until its logs hold the text, then Ctrl-C.
shown() { # TEXT FLAG...
	local text=$1 job
	shift
	: >out
	stack up "$@" >out 2>err &
	job=$!
	eventually 60 grep -q "$text" out
	kill -INT $job
	wait $job || [ $? -eq 130 ]
}

@test "up shows the logs of the named services, of those that are attached, with or without prefix and time" {
	three
	shown 'from web' web
	run ! grep -q 'from db' out
	grep -q '^Attaching to web-1$' out
	shown 'from db' --attach-dependencies web
	grep -q 'from web' out
	shown 'from web' --no-attach db
	run ! grep -q 'from silent\|from db' out
	shown 'from silent' --attach silent
	run ! grep -q 'from web' out
	shown 'from web' --no-log-prefix --timestamps web
	grep -qE '^[0-9]{4}-[0-9-]+T[0-9:.]+Z from web$' out
	eventually 20 is exited "$P-web-1"
}

@test "up ends with the status that is asked for" {
	compose <<-END
		services:
		  good: { image: "$REGISTRY/busybox:1", command: "true" }
		  bad: { image: "$REGISTRY/busybox:1", command: sh -c 'sleep 1; exit 4' }
		  long: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
	END
	run stack up --abort-on-container-exit good long
	[ "$status" -eq 0 ]
	is exited "$P-long-1"
	run stack up --abort-on-container-failure
	[ "$status" -eq 4 ]
	run stack up --exit-code-from long good long
	[ "$status" -eq 137 ]
	run stack up --exit-code-from nope
	[ "$status" -eq 1 ]
	has "no such service: nope"
	run stack up -d --attach good
	[ "$status" -eq 1 ]
}

@test "a policy that starts it again is told where it ends" {
	compose <<-END
		services:
		  again:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'sleep 0.3; exit 3'
		    restart: on-failure:2
	END
	stack up >out 2>err || true
	grep -q 'again-1 exited with code 3' err
	grep -q 'code 3 (restarting)' err
	eventually 30 is exited "$P-again-1"
	[ "$(field "$P-again-1" '{{.RestartCount}}')" = 2 ]
}

@test "COMPOSE_* of the .env set flags; the environment and the command line win" {
	three
	up
	sed -i '/^  silent:/,$d' app.yml
	printf 'COMPOSE_REMOVE_ORPHANS=1\nCOMPOSE_PROGRESS=json\nCOMPOSE_PARALLEL_LIMIT=1\n' >.env
	COMPOSE_REMOVE_ORPHANS=false COMPOSE_IGNORE_ORPHANS=true stack up -d 2>out
	run ! grep -q silent out
	is running "$P-silent-1"
	stack up -d 2>out
	jq -e 'select(.id == "Container '"$P"'-silent-1" and .status == "Removed")' out
	[ "$(names)" = "$P-db-1 $P-web-1 " ]
	stack --progress plain up -d 2>out
	grep -q "^ Container $P-web-1  Running" out
	echo COMPOSE_PARALLEL_LIMIT=many >.env
	run stack up -d
	[ "$status" -eq 1 ]
	has .env many
}

@test "ps --size, inspect of every kind, stats and events without a project" {
	three
	up
	stack exec -T web sh -c 'head -c 100000 /dev/zero >/big'
	stack ps --size web | grep -qE '[0-9.]+kB \(log [0-9.]+k?B\)$'
	[ "$(stack inspect -f '{{.Name}}' "${P}_default")" = "${P}_default" ]
	[ "$(stack inspect --type network -f '{{.Scope}}' "${P}_default")" = local ]
	stack volume create "v$P"
	[ "$(stack inspect -f '{{.Driver}}' "v$P")" = local ]
	stack volume rm "v$P"
	run stack inspect --type volume "v$P"
	[ "$status" -eq 1 ]
	has "no such volume"
	stack images --format json | jq -e '.[0] | .Size > 0 and .Platform != "" and .LastTagTime != ""'
	[ "$(stack images -q | wc -l)" = 1 ]
	cd /
	unset COMPOSE_FILE COMPOSE_PROJECT_NAME
	stack stats --no-stream | grep -q "$P-web-1"
	stack events --json --since 10m --until 0s | jq -e --arg name "$P" 'select(.attributes.project == $name and .action == "start")'
}

@test "who is not root is told what to do" {
	three
	mkdir bin
	cp "$STACK_BUILD"/stack* bin/ 2>/dev/null || true
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	for command in "up -d" ps "image ls" "volume ls" "system check"; do
		# shellcheck disable=SC2086 # several words are meant
		run setpriv --reuid=65534 --regid=65534 --clear-groups bin/stack $command
		[ "$status" -eq 1 ]
		has "needs root" sudo
	done
	setpriv --reuid=65534 --regid=65534 --clear-groups bin/stack config -q
}

@test "up, run and start of some services leave the others as they were" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		  db: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, volumes: ["data:/data"] }
		volumes: { data: {} }
	END
	up
	stack stop db
	up web
	stack start db
	is running "$P-db-1"
	stack run --rm -T --no-deps web true
	stack restart -t 0 db
	is running "$P-db-1"
	[ "$(stack ps --services | sort | tr '\n' ' ')" = "db web " ]
	run stack logs --index 9 web
	[ "$status" -eq 1 ]
	run stack ls --format nonsense
	[ "$status" -eq 1 ]
	stack down -v
	[ -z "$(stack volume ls -q)" ]
}
