#!/usr/bin/env bats
# Every command of the first set, as docker's users know it.
load lib

sleeper() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'for i in 1 2 3; do echo "line \$\$i"; done; sleep 1000'
		    environment: { FROM_FILE: "yes" }
		    stop_signal: SIGKILL
	END
}

@test "every command has help with an example" {
	for command in up down ps logs exec run stop start restart kill rm pull config plan ls images version \
		"image load" "image ls" "image rm" "image pull" "image inspect"; do
		# shellcheck disable=SC2086 # two words are meant
		run --separate-stderr stack $command --help
		[ "$status" -eq 0 ]
		has "Usage:  stack $command" Examples:
	done
	run --separate-stderr stack
	[ "$status" -eq 0 ]
	has "Usage:  stack"
}

@test "ps: table, json, quiet, services, templates" {
	sleeper
	up
	[ "$(stack ps --format json | jq -r '[.Name, .Service, .State, .Project, .Publishers | tostring] | join(" ")')" = \
		"$P-web-1 web running $P []" ]
	stack ps --format json | jq -e '.ExitCode == 0 and (.Status | startswith("Up "))'
	[ "$(stack ps -q | tr -d '\n' | wc -c)" = 64 ]
	[ "$(stack ps --services)" = web ]
	[ "$(stack ps --format '{{.Service}}={{.State}}')" = web=running ]
	[ "$(stack ps --format 'table {{.Service}}\t{{.State}}' | head -1 | tr -s ' ')" = "SERVICE STATE" ]
	run stack ps
	[ "$(echo "${lines[0]}" | tr -s ' ')" = "NAME IMAGE COMMAND SERVICE CREATED STATUS PORTS" ]
	stack kill
	eventually 5 is exited "$P-web-1"
	[ -z "$(stack ps -q)" ]
	[ "$(stack ps --status exited -q | wc -l)" = 1 ]
}

@test "logs: tail, since, timestamps, prefix, follow" {
	sleeper
	up
	eventually 5 log_has web 'line 3'
	[ "$(stack logs --no-log-prefix --tail 2 web | tr '\n' ,)" = "line 2,line 3," ]
	run stack logs web
	[ "${lines[0]}" = "web-1  | line 1" ]
	stack logs -t --no-log-prefix web | grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+\.[0-9]{9}Z line 1$'
	[ -z "$(stack logs --since 2100-01-01T00:00:00Z web)" ]
	[ "$(stack logs --no-log-prefix --since 10m web | wc -l)" = 3 ]
	stack logs -f web >followed 2>&1 &
	job=$!
	eventually 5 grep -q 'line 3' followed
	stack kill
	wait $job
	grep -q 'exited with code 137' followed
}

@test "logs: megabytes, no line end, and both streams" {
	compose <<-END
		services:
		  big:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'head -c 3000000 /dev/zero | tr "\\\\0" x; echo; echo err >&2; printf unfinished'
	END
	up
	eventually 10 is exited "$P-big-1"
	[ "$(stack logs --no-log-prefix big | wc -c)" -ge 3000015 ]
	log_has big '^err$'
	log_has big '^unfinished$'
}

@test "exec: status, streams, environment, user, folder" {
	sleeper
	up
	run stack exec -T web sh -c 'exit 42'
	[ "$status" -eq 42 ]
	run --separate-stderr stack exec -T web sh -c 'echo out; echo err >&2'
	[ "$output" = out ]
	[ "$stderr" = err ]
	[ "$(echo through | stack exec -T web cat)" = through ]
	[ "$(stack exec -T -e EXTRA=1 web sh -c 'echo $FROM_FILE $EXTRA')" = "yes 1" ]
	[ "$(stack exec -T -u 1234:5678 web sh -c 'echo $(id -u):$(id -g)')" = 1234:5678 ]
	[ "$(stack exec -T -w /etc web pwd)" = /etc ]
	stack kill
	eventually 5 is exited "$P-web-1"
	run stack exec -T web true
	[ "$status" -eq 1 ]
	has 'service "web" is not running'
}

@test "run: a container of its own, its status, gone with --rm" {
	sleeper
	[ "$(stack run --rm -T web echo hello)" = hello ]
	[ -z "$(names)" ]
	run stack run --rm -T web sh -c 'exit 9'
	[ "$status" -eq 9 ]
	[ "$(echo piped | stack run --rm -T web cat)" = piped ]
	[ "$(stack run --rm -T -e A=b --entrypoint sh web -c 'echo $A')" = b ]
	stack run -T web true
	run names
	[[ $output =~ ^$P-web-run-[0-9a-f]{12}\ $ ]]
	stack down --remove-orphans
}

@test "config prints the resolved file, config --services the names" {
	sleeper
	[ "$(stack config --services)" = web ]
	stack config --format json | jq -e '.services.web.environment.FROM_FILE == "yes"'
	run stack config
	[ "$status" -eq 0 ]
	has "name: $P" "services:" "FROM_FILE"
	stack config -q
}

@test "plan tells the steps and the reasons, 2 when there are any" {
	sleeper
	run stack plan
	[ "$status" -eq 2 ]
	has web create
	stack plan --format json | jq -e . >/dev/null || true
	up
	run stack plan
	[ "$status" -eq 0 ]
}

@test "ls lists projects of the machine" {
	sleeper
	[ "$(stack ls --format json)" = "[]" ]
	up
	[ "$(stack ls -q)" = "$P" ]
	stack ls --format json | jq -e --arg name "$P" '.[0].Name == $name and .[0].Status == "running(1)"'
	stack stop
	[ -z "$(stack ls -q)" ]
	[ "$(stack ls -a -q)" = "$P" ]
}

@test "version, long and short" {
	run stack version --short
	[ "$status" -eq 0 ]
	[[ $output =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
	[ "$(stack version)" = "stack version $output" ]
	[ "$(stack version --format json)" = "{\"version\":\"$output\"}" ]
}

@test "image pull, ls, inspect, rm; in use it stays" {
	[ "$(stack image pull "$REGISTRY/busybox:1")" = "$REGISTRY/busybox:1" ]
	run stack image ls
	has REPOSITORY "$REGISTRY/busybox"
	stack image inspect "$REGISTRY/busybox:1" | jq -e '.[0].Os == "linux" and .[0].Config.Cmd == ["sh"]'
	sleeper
	up
	run stack image rm "$REGISTRY/busybox:1"
	[ "$status" -eq 1 ]
	stack down
	run stack image rm "$REGISTRY/busybox:1"
	[ "$status" -eq 0 ]
	run stack image inspect "$REGISTRY/busybox:1"
	[ "$status" -eq 1 ]
}

@test "image load takes docker's archive and an OCI one" {
	layouts=$("$ROOT/tests/images-build/build" --where)/oci
	skopeo copy --quiet "oci:$layouts:busybox-1" docker-archive:docker.tar:loaded/docker:1
	skopeo copy --quiet "oci:$layouts:busybox-1" oci-archive:oci.tar:loaded/oci:1
	run stack image load -i docker.tar
	[ "$status" -eq 0 ]
	has loaded/docker:1
	run stack image load -i oci.tar
	[ "$status" -eq 0 ]
	compose <<-END
		services:
		  a: { image: "loaded/docker:1", pull_policy: never }
	END
	[ "$(stack run --rm -T a echo from-archive)" = from-archive ]
}

@test "pull gets the images of all services, images lists what containers use" {
	sleeper
	run stack pull
	[ "$status" -eq 0 ]
	up
	run stack images
	[ "$status" -eq 0 ]
	has "$P-web-1" "$REGISTRY/busybox"
}

@test "commands find a project by name alone" {
	sleeper
	up
	cd /
	unset COMPOSE_FILE
	[ "$(stack -p "$P" ps -q | wc -l)" = 1 ]
	stack -p "$P" logs >/dev/null
	stack -p "$P" stop
	stack -p "$P" down
}

@test "profiles, env files and several files" {
	compose <<-END
		services:
		  always: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		  debug: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, profiles: [debug] }
	END
	cat >more.yml <<-'END'
		services:
		  always: { environment: { V: "${VALUE:-unset}" } }
	END
	echo VALUE=from-env-file >other.env
	stack -f app.yml -f more.yml --env-file other.env up -d
	[ "$(names)" = "$P-always-1 " ]
	[ "$(stack exec -T always sh -c 'echo $V')" = from-env-file ]
	stack --profile debug up -d
	[ "$(names)" = "$P-always-1 $P-debug-1 " ]
}
