#!/usr/bin/env bats
# An application of eight services with real programs: nginx, a small program, two redis, PostgreSQL, a worker, a job and
# a tool of a profile. What happens to it in its life, and the order in which, asked of its events.
load lib

# The example of the README with four more services beside.
application() { # PROJECT PORT
	mkdir -p "$1"
	cp -r "$ROOT/examples/webapp/." "$1/"
	sed -i "s/127.0.0.1:8080:80/127.0.0.1:$2:80/" "$1/app.yml"
	cat >"$1/more.yml" <<-END
		services:
		  app:
		    depends_on:
		      migrate: { condition: service_completed_successfully }
		      sessions: { condition: service_healthy }
		  sessions:
		    image: \${REGISTRY}/redis:1
		    x-stack: { ready: { log: "Ready to accept connections" } }
		    healthcheck: { disable: true }
		    restart: always
		  redis:
		    healthcheck: { interval: 300ms, timeout: 1s, retries: 3 }
		  migrate:
		    image: \${REGISTRY}/postgres:1
		    entrypoint: [ bash, -c ]
		    command: [ 'PGPASSWORD=\$\$(cat /run/secrets/db_password) psql -h postgres -U shop shop -v ON_ERROR_STOP=1 -c "create table if not exists migrated (at timestamptz); insert into migrated values (now())"' ]
		    secrets: [ db_password ]
		    depends_on: { postgres: { condition: service_healthy } }
		  worker:
		    image: \${REGISTRY}/redis:1
		    command: [ bash, -c, 'trap "exit 0" TERM; while :; do redis-cli -h sessions incr ticks; sleep 0.2 & wait; done' ]
		    healthcheck: { disable: true }
		    environment: { GREETING: "\${GREETING:-hello}" }
		    secrets: [ token ]
		    configs: [ { source: motd, target: /etc/motd } ]
		    depends_on: [ sessions ]
		    restart: on-failure
		  tool:
		    image: tool:1
		    pull_policy: never
		    command: sleep 1000
		    stop_signal: SIGKILL
		    profiles: [ tools ]
		    depends_on: [ worker ]
		secrets: { token: { file: ./token.txt } }
		configs: { motd: { file: ./motd.txt } }
	END
	echo first >"$1/token.txt"
	echo good morning >"$1/motd.txt"
	cd "$1"
	export COMPOSE_FILE=app.yml:more.yml COMPOSE_PROJECT_NAME=$1
	P=$1
}

visit() { # PORT
	curl -s --max-time 5 "http://127.0.0.1:$1/"
}

rows_are_at_least() { # PORT N
	visit "$1" | jq -e ".rows >= $2" >/dev/null
}

# The first line number of an event of a service.
first() { # SERVICE EVENT
	jq -r '"\(.service) \(.event)"' "$STACK_ROOT/projects/$P/events.jsonl" | grep -n -m 1 -x "$1 $2" | cut -d : -f 1
}

last() {
	jq -r '"\(.service) \(.event)"' "$STACK_ROOT/projects/$P/events.jsonl" | grep -n -x "$1 $2" | tail -n 1 | cut -d : -f 1
}

ticks_are_more_than() {
	[ "$(stack exec -T sessions redis-cli get ticks)" -gt "$1" ]
}

@test "eight services: order, killed programs, a broken and mended service, edits, scale, profiles, order of the end" {
	application shop 8080
	stack up -d
	[ "$(names)" = "shop-app-1 shop-migrate-1 shop-postgres-1 shop-redis-1 shop-sessions-1 shop-web-1 shop-worker-1 " ]
	eventually 20 rows_are_at_least 8080 1

	# the order in which they came up
	[ "$(first postgres 'health_status: healthy')" -lt "$(first migrate start)" ]
	[ "$(first migrate die)" -lt "$(first app start)" ]
	[ "$(first sessions ready)" -lt "$(first app start)" ]
	[ "$(first app 'health_status: healthy')" -lt "$(first web start)" ]
	[ "$(exit_code_of shop-migrate-1)" = 0 ]

	# killed programs are back, and what was committed is there
	for service in app redis web; do
		begun=$(started_at "shop-$service-1")
		kill -KILL "$(pid_of "shop-$service-1")"
		eventually 30 restarted_since "shop-$service-1" "$begun"
	done
	eventually 30 rows_are_at_least 8080 2
	[ "$(first migrate start)" = "$(last migrate start)" ] # a job that is done is not done again

	# a failing healthcheck shows, and goes when the cause does
	stack pause postgres
	kill -STOP "$(pid_of shop-redis-1)"
	eventually 30 is_unhealthy shop-redis-1
	kill -CONT "$(pid_of shop-redis-1)"
	eventually 30 is_healthy shop-redis-1
	stack unpause postgres

	# an edited variable, secret and config file reach those that use them, and nobody else
	web=$(pid_of shop-web-1) sessions=$(pid_of shop-sessions-1)
	GREETING=ahoy stack up -d
	[ "$(stack exec -T worker bash -c 'echo $GREETING')" = ahoy ]
	[ "$(pid_of shop-web-1)" = "$web" ]
	unset GREETING
	stack up -d
	begun=$(started_at shop-worker-1)
	echo second >token.txt
	run stack plan
	[ "$status" -eq 2 ]
	has shop-worker-1 "content of a config or secret"
	stack up -d
	[ "$(started_at shop-worker-1)" != "$begun" ]
	[ "$(stack exec -T worker cat /run/secrets/token)" = second ]
	begun=$(started_at shop-worker-1)
	echo good evening >motd.txt
	stack up -d
	[ "$(started_at shop-worker-1)" != "$begun" ] # also where the file itself is mounted
	[ "$(stack exec -T worker cat /etc/motd)" = "good evening" ]
	[ "$(pid_of shop-web-1)" = "$web" ]
	app=$(pid_of shop-app-1)
	stack up -d # once more: nothing
	[ "$(pid_of shop-app-1)" = "$app" ]
	[ "$(pid_of shop-sessions-1)" = "$sessions" ]

	# scale and profiles
	stack up -d --scale worker=5 --no-recreate
	[ "$(stack ps -q worker | wc -l)" = 5 ]
	stack up -d --scale worker=2 --no-recreate
	[ "$(stack ps --format '{{.Name}}' worker | sort | tr '\n' ' ')" = "shop-worker-1 shop-worker-2 " ]
	[ -z "$(stack ps -a -q tool 2>/dev/null)" ]
	stack image pull -q "$REGISTRY/busybox:1"
	stack image tag "$REGISTRY/busybox:1" tool:1
	stack --profile tools up -d --no-recreate
	is running shop-tool-1
	run ! stack exec -T tool test -e /etc/debian_version

	# another image under the same name reaches its service, and nobody else
	stack image pull -q "$REGISTRY/debian:1"
	stack image tag "$REGISTRY/debian:1" tool:1
	app=$(pid_of shop-app-1)
	run stack --profile tools plan tool
	has shop-tool-1 image
	stack --profile tools up -d tool
	stack exec -T tool test -e /etc/debian_version
	[ "$(pid_of shop-app-1)" = "$app" ]

	# rows outlive down, and the end goes the other way
	rows=$(visit 8080 | jq .rows)
	stack stop
	[ "$(last web die)" -lt "$(last app die)" ]
	[ "$(last app die)" -lt "$(last postgres die)" ]
	stack down
	CLEANUP="stack volume prune -f >/dev/null" # anonymous ones of the images outlive a down without -v
	stack up -d app web
	eventually 20 rows_are_at_least 8080 $((rows + 1))
	stack down -v -t 5
}

is_unhealthy() {
	[ "$(health_of "$1")" = unhealthy ]
}

@test "two projects of the same file live side by side" {
	for P in one two; do
		compose <<-END
			name: $P
			services:
			  web: { image: $REGISTRY/busybox:1, command: httpd -f -p 80 -h /etc, stop_signal: SIGKILL, hostname: web-of-$P }
			  ask: { image: $REGISTRY/busybox:1, command: sleep 1000, stop_signal: SIGKILL, volumes: [ "data:/data" ] }
			volumes: { data: {} }
		END
		unset COMPOSE_PROJECT_NAME
		stack up -d
		stack exec -T ask sh -c "echo $P >/data/mine"
	done
	for P in one two; do
		[ "$(stack -p $P exec -T ask cat /data/mine)" = $P ]
		[ "$(stack -p $P exec -T web hostname)" = web-of-$P ]
		stack -p $P exec -T ask sh -c 'wget -q -O - http://web/hostname || nc -w 2 web 80 </dev/null'
	done
	other=$(stack -p two inspect --type container --format '{{.State.Pid}}' two-web-1)
	stack -p one down -v -t 0
	kill -0 "$other"
	stack -p two exec -T ask nslookup web >/dev/null
	stack -p two down -v -t 0
}
