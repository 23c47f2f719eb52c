#!/usr/bin/env bats
# The examples do what their comments say.
load lib

start() { # EXAMPLE
	unset COMPOSE_PROJECT_NAME
	export COMPOSE_FILE=$ROOT/examples/$1/app.yml
	P=$1
	stack up -d
}

@test "hello: the page is served, and a changed page too" {
	cp -r "$ROOT/examples/hello" hello
	cd hello
	unset COMPOSE_PROJECT_NAME
	P=hello
	stack up -d
	eventually 5 answers http://127.0.0.1:8080/
	[[ $(curl -s http://127.0.0.1:8080/) == *"Hello from stack"* ]]
	echo changed >page/index.html
	[ "$(curl -s http://127.0.0.1:8080/)" = changed ]
}

@test "webapp: a request reaches PostgreSQL and redis, and rows outlive down" {
	start webapp
	is_healthy webapp-app-1
	visit() { curl -s --max-time 5 http://127.0.0.1:8080/ | jq -e "$1" >/dev/null; }
	eventually 10 visit '.rows == 1 or .rows > 1'
	rows=$(curl -s http://127.0.0.1:8080/ | jq .rows)
	stack down
	stack up -d
	eventually 10 visit ".rows == $rows + 1"
	begun=$(started_at webapp-app-1)
	kill -KILL "$(pid_of webapp-app-1)"
	eventually 10 restarted_since webapp-app-1 "$begun"
	eventually 10 visit ".rows > $rows"
	stack down -v
}

@test "restart: each policy as told" {
	start restart
	gave_up() { [ "$(stack logs --no-log-prefix flaky | grep -c 'giving up')" = 4 ]; }
	eventually 15 gave_up
	eventually 5 is exited restart-flaky-1
	[ "$(exit_code_of restart-flaky-1)" = 1 ]
	eventually 15 log_has steady 'ends'
	[ "$(state_of restart-once-1)" = exited ]
	[ "$(stack logs --no-log-prefix once | grep -c done)" = 1 ]
}
