#!/usr/bin/env bats
# Wide tables: a command line, the status it ends with, words of what it says on stderr. Each says what, where and what
# would be right; none begins anything.
load lib

# Rows "STATUS | COMMAND LINE | WORDS; each must be in the message".
table() {
	local row want line words word status out bad=0
	while IFS= read -r row; do
		[ -n "$row" ] || continue
		want=${row%% |*}
		row=${row#*| }
		line=${row%% | *}
		words=${row#* | }
		status=0
		out=$(eval "timeout 30 $line" 2>&1 >stdout </dev/null) || status=$?
		if [ "$status" != "$want" ]; then
			printf '%s\n  ended with %s, not %s: %s\n' "$line" "$status" "$want" "$out" >&2
			bad=$((bad + 1))
		fi
		while [ -n "$words" ]; do
			word=${words%%; *}
			[ "$word" = "$words" ] && words='' || words=${words#*; }
			case $out in
			*"$word"*) ;;
			*)
				printf '%s\n  lacks "%s" in: %s\n' "$line" "$word" "$out" >&2
				bad=$((bad + 1))
				;;
			esac
		done
		if [ "$(printf '%s\n' "$out" | grep -c .)" -gt 12 ]; then
			printf '%s\n  says too much: %s\n' "$line" "$out" >&2
			bad=$((bad + 1))
		fi
	done
	[ "$bad" = 0 ]
}

web() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    ports: ["127.0.0.1:8080:80"]
		  other:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    profiles: [extra]
	END
}

@test "flags and values that are none (28)" {
	web
	table <<-'END'
		1 | stack nope | unknown command: stack nope
		1 | stack upp | unknown command: stack upp (did you mean "stack up"?)
		1 | stack image lss | did you mean "stack image ls"
		1 | stack up --nope | unknown flag: --nope; see 'stack up --help'
		1 | stack up --detahc | --detach
		1 | stack up -Q | unknown flag: -Q
		1 | stack up -d --attach web | --detach and --attach exclude each other
		1 | stack up --build --no-build | --build and --no-build exclude each other
		1 | stack up --force-recreate --no-recreate | exclude each other
		1 | stack up --abort-on-container-exit -d | exclude each other
		1 | stack up --abort-on-container-exit --abort-on-container-failure | exclude each other
		1 | stack up --exit-code-from ghost | stack: no such service: ghost
		1 | stack up --scale web | "web": must be SERVICE=NUMBER
		1 | stack up --scale web=many | "many" is not a whole number
		1 | stack up --scale ghost=2 | stack: no such service: ghost
		1 | stack up --pull sometimes | "sometimes" is none of always|missing|never
		1 | stack up -t soon -d | --timeout: "soon" is no whole number
		1 | stack up -d ghost | stack: no such service: ghost
		1 | stack --parallel many ps | --parallel: "many" is no whole number
		1 | stack --ansi rainbow ps | --ansi: "rainbow" is none of auto|always|never
		1 | stack --progress loud ps | --progress: "loud" is none of
		1 | stack --env-file nowhere.env up -d | nowhere.env
		1 | stack -p 'Bad Name' ps | "Bad Name" is no project name
		1 | stack -f nowhere.yml config | stack: no such file: nowhere.yml
		1 | stack config --format toml | "toml" is none of yaml|json
		1 | stack graph --format png | "png" is none of dot|mermaid
		1 | stack completion tcsh | bash, zsh or fish
		1 | stack ls --filter nope=1 | unknown filter nope=1
	END
	table <<-'END'
		1 | stack publish x | stack publish is not supported: push the images
		1 | stack bridge convert | not supported
		1 | stack alpha viz | not supported; stack graph
	END
	[ -z "$(stack ls -a -q)" ]
}

@test "files with mistakes: file, line, column, key and what would be right (24)" {
	printf 'services:\n  a: { image: "Foo Bar" }\n' >image.yml
	printf 'services:\n  a: { image: x, ports: ["99999:80"] }\n' >port.yml
	printf 'services:\n  a: { image: x, restart: sometimes }\n' >restart.yml
	printf 'services:\n  a: { image: x, mem_limit: 3 cows }\n' >memory.yml
	printf 'services:\n  a: { image: x, env_file: nowhere.env }\n' >env.yml
	printf 'services:\n  a: { command: x }\n' >noimage.yml
	printf 'services:\n  a: { build: ./nowhere }\n' >build.yml
	printf 'services:\n  a: { image: x, extends: { service: b } }\n' >extends.yml
	printf 'include: [nowhere.yml]\n' >include.yml
	printf 'services:\n\ta: { image: x }\n' >tab.yml
	printf 'services:\n  a: { image: x }\n  a: { image: y }\n' >twice.yml
	printf 'services:\n  a: { image: x, cap_add: [SYS_COFFEE] }\n' >cap.yml
	printf 'services:\n  a: { image: x, x-stack: { schedule: "9 9 9" } }\n' >cron.yml
	printf 'services:\n  a: { image: x, x-stack: { raedy: {} } }\n' >xstack.yml
	printf 'services:\n  a: { image: x, healthcheck: { test: [FOO, x] } }\n' >health.yml
	printf 'services:\n  a: { image: x, deploy: { replicas: -1 } }\n' >replicas.yml
	printf 'services:\n  a: { image: "x:${V?please set V}" }\n' >variable.yml
	printf 'networks: { n: { ipam: { config: [{ subnet: 10.0.0.0/99 }] } } }\nservices: { a: { image: x, networks: [n] } }\n' >subnet.yml
	printf 'services:\n  a: { image: x, depends_on: { b: { condition: service_happy } } }\n  b: { image: x }\n' >condition.yml
	printf 'services:\n  a: { image: x, pre_start: [{ command: x }] }\n' >prestart.yml
	printf 'services:\n  a: { image: x, provider: { type: y } }\n' >provider.yml
	printf 'services:\n  a: { image: x, userns_mode: remap }\n' >userns.yml
	printf 'services:\n  a: { image: x, stop_signal: SIGNOPE }\n' >signal.yml
	printf 'services:\n  a: { image: x, volumes: ["relative"] }\n' >volume.yml
	table <<-'END'
		1 | stack -f image.yml up -d | image.yml:2:15: services.a.image: "Foo Bar" is no image reference
		1 | stack -f port.yml up -d | port.yml:2:26: services.a.ports[0]; 99999 is outside 0..65535
		1 | stack -f restart.yml up -d | restart.yml:2:27:; want no, always, on-failure[:N] or unless-stopped
		1 | stack -f memory.yml up -d | memory.yml:2:29: services.a.mem_limit; "cows" is no known unit
		1 | stack -f env.yml up -d | env.yml:2:28: services.a.env_file[0]: no such file: nowhere.env
		1 | stack -f noimage.yml up -d | noimage.yml:2:3:; neither image nor build
		1 | stack -f build.yml up -d | service a: build context; nowhere: No such file
		1 | stack -f extends.yml up -d | extends.yml:2:27:; no service "b" in this file
		1 | stack -f include.yml up -d | include.yml:1:11: include[0]: no such file: nowhere.yml
		1 | stack -f tab.yml up -d | tab.yml:2:1:; indented by blanks, not by a tab
		1 | stack -f twice.yml up -d | twice.yml:3:3:; key "a" stands already in line 2
		1 | stack -f cap.yml up -d | cap.yml:2:28:; "SYS_COFFEE" is no capability
		1 | stack -f cron.yml up -d | cron.yml:2:39:; want five fields; @daily
		1 | stack -f xstack.yml up -d | xstack.yml:2:29:; unknown key "raedy"; did you mean "ready"?
		1 | stack -f health.yml up -d | health.yml:2:33:; NONE, CMD or CMD-SHELL, not "FOO"
		1 | stack -f replicas.yml up -d | replicas.yml:2:38:; -1 is below 0
		1 | stack -f variable.yml up -d | variable.yml:2:15:; variable V is required: please set V
		1 | stack -f subnet.yml up -d | subnet.yml:1:45:; "10.0.0.0/99" is no subnet
		1 | stack -f condition.yml up -d | condition.yml:2:; service_happy
		1 | stack -f prestart.yml up -d | service a: pre_start: not supported yet; service_completed_successfully
		1 | stack -f provider.yml up -d | service a: provider
		1 | stack -f userns.yml up -d | service a: userns_mode
		1 | stack -f signal.yml up -d | signal.yml:2:; SIGNOPE
		1 | stack -f volume.yml up -d | volume.yml:2:; relative
	END
	[ -z "$(stack ls -a -q)" ]
}

@test "what the machine does not have or does not allow (15)" {
	web
	up
	image=$REGISTRY/busybox:1
	printf 'services:\n  a: { image: "%s", secrets: [s] }\nsecrets: { s: { file: ./nowhere } }\n' "$image" >secret.yml
	printf 'services:\n  a: { image: "%s", networks: [n] }\nnetworks: { n: { external: true } }\n' "$image" >network.yml
	printf 'services:\n  a: { image: "%s", volumes: ["vv:/x"] }\nvolumes: { vv: { external: true } }\n' "$image" >volume.yml
	printf 'services:\n  a: { image: "%s", platform: linux/riscv64 }\n' "$image" >platform.yml
	printf 'services:\n  a: { image: "%s", user: martian, command: sleep 9 }\n' "$image" >user.yml
	printf 'services:\n  a: { image: "%s", working_dir: /etc/passwd, command: sleep 9 }\n' "$image" >folder.yml
	printf 'services:\n  a: { image: "%s/ghost:1", pull_policy: never }\n' "$REGISTRY" >never.yml
	printf 'services:\n  a: { image: "%s", devices: [/dev/nowhere] }\n' "$image" >device.yml
	printf 'services:\n  a: { image: "%s", sysctls: { kernel.nope: 1 }, command: sleep 9 }\n' "$image" >sysctl.yml
	printf 'services:\n  a: { image: "%s", gpus: all, command: sleep 9 }\n' "$image" >gpu.yml
	printf 'services:\n  a: { image: "%s", runtime: /no/runtime, command: sleep 9 }\n' "$image" >runtime.yml
	printf 'services:\n  a: { image: "%s", ports: ["127.0.0.1:8080:80"], command: sleep 9 }\n' "$image" >taken.yml
	printf 'services:\n  a: { image: "%s", ports: ["8090:80"], scale: 2, command: sleep 9 }\n' "$image" >twins.yml
	printf 'services:\n  a: { image: "%s", container_name: %s-web-1, command: sleep 9 }\n' "$image" "$P" >name.yml
	printf 'services:\n  a: { image: "%s", command: /no/program }\n' "$image" >program.yml
	table <<-END
		1 | stack -p b1 -f secret.yml up -d | nowhere
		1 | stack -p b2 -f network.yml up -d | network n; external
		1 | stack -p b3 -f volume.yml up -d | volume vv
		1 | stack -p b4 -f platform.yml up -d | is an image for linux/; not for linux/riscv64
		1 | stack -p b5 -f user.yml up -d | container b5-a-1: unable to find user martian
		1 | stack -p b6 -f folder.yml up -d | container b6-a-1; cwd; /etc/passwd; Not a directory
		1 | stack -p b7 -f never.yml up -d | image $REGISTRY/ghost:1 is not on this machine (pull_policy: never)
		1 | stack -p b8 -f device.yml up -d | service a: devices: device /dev/nowhere does not exist
		1 | stack -p b9 -f sysctl.yml up -d | container b9-a-1; "kernel.nope" is not in a separate kernel namespace
		1 | stack -p c1 -f gpu.yml up -d | nvidia.com/gpu=all; no description (CDI)
		1 | stack -p c2 -f runtime.yml up -d | container c2-a-1; runtime /no/runtime: No such file
		1 | stack -p c3 -f taken.yml up -d | port 8080/tcp on 127.0.0.1 is taken by project $P, service web
		1 | stack -p c6 -f twins.yml up -d | port 8090/tcp on; of the same service: publish a range ("8090-8099:80")
		1 | stack -p c4 -f name.yml up -d | the name "$P-web-1" is in use by container; of project $P
		1 | stack -p c5 -f program.yml up -d | container c5-a-1; "/no/program"; no such file or directory
	END
	is running "$P-web-1"
}

@test "services and containers that are not there, not running, or cannot do that (47)" {
	web
	up
	table <<-END
		1 | stack ps ghost | stack: no such service: ghost
		1 | stack ps --status dancing | unknown state "dancing"
		1 | stack ps --filter name=x | unknown filter
		1 | stack ps --format '{{.Nope}}' | there is no field "Nope"
		1 | stack ps --format '{{.Name' | template
		1 | stack start ghost | stack: no such service: ghost
		1 | stack stop ghost | stack: no such service: ghost
		1 | stack restart ghost | stack: no such service: ghost
		1 | stack kill ghost | stack: no such service: ghost
		1 | stack kill -s SIGNOPE web | no such signal: SIGNOPE
		1 | stack down ghost | stack: no such service: ghost
		1 | stack pause ghost | stack: no such service: ghost
		1 | stack unpause web | container $P-web-1 is not paused
		1 | stack logs ghost | stack: no such service: ghost
		1 | stack logs --tail many | --tail: "many" must be a number or "all"
		1 | stack logs --since yesterdayish | give 2026-01-02T15:04:05Z, unix seconds or an age like 10m
		1 | stack logs --grep '(' | is no regular expression
		1 | stack exec ghost true | stack: no such service: ghost
		1 | stack exec web | needs at least 2 arguments; stack exec --help
		1 | stack exec --index 7 web true | service "web" is not running container #7
		127 | stack exec -T web /nope | "/nope"; no such file or directory
		126 | stack exec -T web /etc/passwd | "/etc/passwd"; permission denied
		1 | stack run ghost | stack: no such service: ghost
		127 | stack run --rm -T web /nope | "/nope"; no such file or directory
		1 | stack run --name $P-web-1 web true | the name "$P-web-1" is in use
		1 | stack run -p 70000:80 --rm -T web true | 70000 is outside
		1 | stack port web 9999 | no port 9999/tcp is published; published are 80/tcp
		1 | stack port web eighty | "eighty" is not a whole number
		1 | stack cp web:/nope . | /nope does not exist in container $P-web-1
		1 | stack cp nope web:/tmp | nope does not exist on this machine
		1 | stack cp a b | one of the two must be SERVICE:PATH
		1 | stack attach other | service "other" is not running
		1 | stack export ghost | stack: no such service: ghost
		1 | stack wait other | no container of these services runs
		1 | stack scale web | must be SERVICE=NUMBER
		1 | stack events --since never | --since: time "never"
		1 | stack why ghost | stack: no such service: ghost
		1 | stack rollback ghost | stack: no such service: ghost
		1 | stack inspect ghost | no such object: ghost
		1 | stack container rm $P-web-1 | runs; stop it first, or --force
		1 | stack container stop ghost | no such container: ghost
		1 | stack container rename $P-web-1 'bad name!' | is no name for a container
		1 | stack container update $P-web-1 | which limit?
		1 | stack container update -m lots $P-web-1 | "lots" is no known unit
		1 | stack supervisor status -p ghost | no such project: ghost
		1 | stack -p ghost supervisor logs | no such project: ghost
		1 | stack config --hash ghost | no such service: ghost
	END
	is running "$P-web-1"
}

@test "images, volumes, networks, secrets and registries (25)" {
	web
	up
	table <<-END
		1 | stack image inspect ghost:1 | no image ghost:1
		1 | stack image rm ghost:1 | no image ghost:1
		1 | stack image rm $REGISTRY/busybox:1 | is used by a container
		1 | stack image tag ghost:1 b:1 | no image ghost:1
		1 | stack image pull $REGISTRY/ghost:1 | not found in registry $REGISTRY
		1 | stack image pull 'Foo Bar' | repository names are lower case
		1 | stack image save -o f.tar ghost:1 | no image ghost:1
		1 | stack image load -i nowhere.tar | nowhere.tar: No such file
		1 | stack volume inspect ghost | volume ghost does not exist
		1 | stack volume rm ghost | volume ghost does not exist
		1 | stack volume create 'bad/name' | may hold letters, digits
		1 | stack volume create a | must have 2 to 255 characters
		1 | stack volume export ghost | volume ghost does not exist
		1 | stack network inspect ghost | network ghost does not exist
		1 | stack network rm ghost | network ghost does not exist
		1 | stack network rm ${P}_default | is in use by
		1 | stack network create --subnet 1.2.3 nn | "1.2.3" is no IP address
		1 | stack network create ${P}_default | is there already and belongs to project $P
		1 | stack network connect ghost $P-web-1 | network ghost does not exist
		1 | stack network connect ${P}_default ghost | no such container: ghost
		1 | stack secret rm ghost | secret ghost is not in the local store
		1 | stack secret inspect ghost | secret ghost is not in the local store
		1 | stack secret create s nowhere | nowhere: No such file
		1 | stack login -u me -p x 127.0.0.1:5999 | registry 127.0.0.1:5999: cannot connect: Connection refused; --password-stdin
		1 | stack system prune --nope | unknown flag: --nope
	END
	printf value | stack secret create known -
	[ "$(stack secret inspect known | jq -r '.[0].Spec.Name')" = known ]
	run stack secret inspect known
	lacks value
	stack secret rm known
}

@test "without root: every command that needs it says so, and what to do (22)" {
	web
	mkdir bin home
	cp "$STACK_BUILD"/stack* bin/ 2>/dev/null || true
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	chmod 777 home
	as_user() {
		setpriv --reuid=65534 --regid=65534 --clear-groups env -u STACK_ROOT -u STACK_RUNTIME_ROOT HOME="$PWD/home" bin/stack "$@"
	}
	for command in "up -d" up ps ls down stop "run web true" "exec web true" "logs" pull build "image ls" "image pull x" \
		"volume ls" "volume create aa" "network ls" "network create nn" "container ls" "system df" "system prune -f" plan restore; do
		# shellcheck disable=SC2086 # several words are meant
		run --separate-stderr as_user $command
		[ "$status" -eq 1 ] || { echo "$command: $status" >&2; return 1; }
		output=$stderr
		has "needs root" "sudo"
		[ "${#stderr_lines[@]}" -eq 1 ]
	done
	[ -z "$(ls -A home)" ]
	# what needs nothing of the machine works
	as_user config -q
	as_user version
	as_user --help >/dev/null
}
