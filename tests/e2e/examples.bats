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

@test "jobs: one is done before the other begins, one is begun by the clock" {
	start jobs
	[ "$(curl -s --max-time 5 http://127.0.0.1:8080/schema)" = v2 ]
	[ "$(stack logs --no-log-prefix web)" = "web: schema is v2" ]
	[ "$(exit_code_of jobs-migrate-1)" = 0 ]
	eventually 30 log_has report 'report: schema v2'
	run stack why report
	has "its schedule"
	stack down -v
}

@test "update: a new version, the way back and a version that is not well cost no request" {
	cp "$ROOT/examples/update/app.yml" app.yml
	unset COMPOSE_PROJECT_NAME
	export COMPOSE_FILE=app.yml
	P=$(basename "$PWD" | tr A-Z a-z)
	stack -p update up -d --wait
	export COMPOSE_PROJECT_NAME=update
	answer() { curl -s -f --max-time 5 http://127.0.0.1:8080/; }
	[ "$(answer)" = "version one" ]
	asks() { until [ -e stop ]; do answer || echo bad; done; }
	asks >answers &
	asker=$!
	VERSION=two stack up -d --wait
	[ "$(answer)" = "version two" ]
	stack rollback
	[ "$(answer)" = "version one" ]
	sed -i 's,:80/",:80/no",; s,timeout: 10s,timeout: 2s,' app.yml
	VERSION=three run stack up -d --wait
	[ "$status" -eq 1 ]
	has "is rolled back"
	[ "$(answer)" = "version one" ]
	[ "$(stack ps -q | wc -l)" = 1 ]
	touch stop
	wait "$asker"
	uniq -c answers
	[ "$(uniq answers | tr '\n' ' ')" = "version one version two version one " ]
	stack down
}

@test "secrets: files for one user, not in the environment, not in inspect" {
	export TOKEN=abc
	start secrets
	eventually 10 log_has app 'password has 29 bytes, token has 3'
	log_has app 'the environment does not have them'
	run stack inspect secrets-app-1
	lacks "correct horse" "TOKEN=abc"
	run stack config
	lacks "correct horse"
	stack down
}

@test "watch: pages are synced, a configuration restarts, a Dockerfile is built anew" {
	cp -r "$ROOT/examples/watch" watch
	cd watch
	unset COMPOSE_PROJECT_NAME
	export COMPOSE_FILE=app.yml
	P=watch
	stack watch >watch.log 2>&1 &
	watcher=$!
	shows() { curl -s -i --max-time 5 http://127.0.0.1:8080/ | grep -q "$1"; }
	eventually 60 grep -q 'Watch enabled' watch.log
	eventually 20 shows 'Written while it runs'
	echo changed >page/index.html
	eventually 20 shows changed
	sed -i 's/X-Site one/X-Site two/' site.conf
	eventually 20 shows 'X-Site: two'
	former=$(stack ps -q web)
	echo 'LABEL more=1' >>Dockerfile
	rebuilt() { [ -n "$(stack ps -q web)" ] && [ "$(stack ps -q web)" != "$former" ]; }
	eventually 60 rebuilt
	stack image inspect watch-web | grep -q '"more":"1"'
	kill -INT "$watcher"
	wait "$watcher" || true
	stack down --rmi local
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
