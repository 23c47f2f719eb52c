# tests/crash/flows - what is disturbed: the commands, what is there before each, and what the end is compared by.
# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # variables of tests/crash/run; templates

flows="up recreate update scale down stop start restart rm rollback run connect disconnect restore"

# The application: VERSION of what changes, order of its update.
write_app() { # VERSION
	cat >app.yml <<-END
		services:
		  db:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    environment: { VERSION: "$1" }
		    volumes: [ "data:/data" ]
		    secrets: [ token ]
		  web:
		    image: $REGISTRY/busybox:1
		    command: httpd -f -p 80 -h /etc
		    stop_signal: SIGKILL
		    environment: { VERSION: "$1" }
		    depends_on: [ db ]
		    ports: [ "127.0.0.1:8080:80" ]
		    deploy: { update_config: { order: start-first, monitor: 1ms } }
		    $web_more
		  steady:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    networks: [ other ]
		    restart: always
		volumes: { data: {} }
		networks: { other: {} }
		secrets: { token: { file: ./token } }
	END
}

command_of() { # FLOW
	case $1 in
	up | recreate | update) stack up -d ;;
	scale) stack up -d --scale steady=3 ;;
	down) stack down -v -t 0 ;;
	stop) stack stop -t 0 web ;;
	start) stack start web ;;
	restart) stack restart -t 0 web ;;
	rm) stack rm -f -s web ;;
	rollback) stack rollback ;;
	run) stack run --rm --no-deps -T web true ;;
	connect) stack network connect --alias shop crash_other crash-web-1 ;;
	disconnect) stack network disconnect crash_default crash-web-1 ;;
	restore) stack restore crash ;;
	esac
}

# The same command again. Only a rollback that was done would go forth again: its file says the same as a declaration.
# And who joins or leaves a network twice is told so: what the record says is wired by the successor's start.
again() { # FLOW
	case $1 in
	rollback)
		write_app 1
		stack up -d
		;;
	connect | disconnect) command_of "$1" 2>joined || grep -qE 'already|is not on network' joined ;;
	*) command_of "$1" ;;
	esac
}

# What must be there before the flow begins; the supervisor that does the flow starts with it.
before() { # FLOW
	web_more=
	case $1 in
	update) web_more='healthcheck: { test: "true", interval: 100ms }' ;;
	restore) web_more='restart: always' ;;
	esac
	write_app 1
	case $1 in
	up) ;;
	scale | down | stop | restart | rm | run | connect | disconnect | recreate | update) stack up -d ;;
	start) stack up -d && stack stop -t 0 web ;;
	rollback)
		stack up -d
		write_app 2
		stack up -d
		;;
	restore)
		stack up -d
		reboot_machine "$PWD"
		;;
	esac
	stack supervisor stop 2>/dev/null || true
	case $1 in recreate | update) write_app 2 ;; esac
	steady=$(steady_pid)
}

# Flows that have no business with the container of `steady`.
leaves_steady() { # FLOW
	case $1 in up | down | restore) return 1 ;; esac
}

steady_pid() {
	stack inspect --type container --format '{{.State.Pid}}' crash-steady-1 2>/dev/null || echo none
}

# Services, states, configurations and networks; which number a start-first update ended with is free.
state() {
	local name
	stack ps -a --format json | jq -r '"\(.Service) \(.State) \(.Name)"' | while read -r service state name; do
		printf '%s %s %s\n' "$service" "$state" "$(stack inspect --type container --format \
			'{{index .Config.Labels "com.docker.compose.config-hash"}} {{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}' "$name")"
	done | sort
	stack ps -a --format json | jq -r '.Publishers[]? | "port \(.PublishedPort) \(.TargetPort)"' | sort -u
	case $1 in
	connect | disconnect)
		echo "links: $(stack exec -T web ls /sys/class/net | wc -l)"
		echo "hosts: $(stack exec -T web cat /etc/hosts | wc -l)"
		;;
	esac
	find "$STACK_ROOT/volumes" -mindepth 1 -maxdepth 1 ! -name '*lock*' ! -name '.*' -printf '%f\n' 2>/dev/null | sort
	[ -z "$(stack ps -q web 2>/dev/null)" ] || [ "$1" = disconnect ] || {
		curl -s -o /dev/null --max-time 5 http://127.0.0.1:8080/hostname && echo "web answers"
		stack exec -T web nslookup db >/dev/null && echo "db has a name"
	}
}

clean() {
	stack down -v --remove-orphans -t 0 >/dev/null 2>&1 || true
	reboot_is_over
}
