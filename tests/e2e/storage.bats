#!/usr/bin/env bats
# Volumes, binds and secrets.
load lib

@test "a named volume starts with the image's content, outlives down, and goes with down -v" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/nginx:1
		    volumes: ["pages:/usr/share/nginx/html"]
		volumes:
		  pages:
	END
	up
	[ "$(stack exec -T web cat /usr/share/nginx/html/index.html)" = "<h1>nginx runs</h1>" ]
	stack exec -T web sh -c 'echo changed >/usr/share/nginx/html/index.html'
	stack down
	[ -d "$STACK_ROOT/volumes/${P}_pages" ]
	up
	[ "$(stack exec -T web cat /usr/share/nginx/html/index.html)" = changed ]
	stack down -v
	[ ! -e "$STACK_ROOT/volumes/${P}_pages" ]
}

@test "the volume of an image that runs as a user belongs to that user" {
	compose <<-END
		services:
		  redis: { image: "$REGISTRY/redis:1", volumes: ["data:/data"] }
		volumes: { data: }
	END
	up --wait
	[ "$(stack exec -T redis redis-cli set k v)" = OK ]
	[ "$(stack exec -T redis redis-cli save)" = OK ]
	stack down -t 5
	up --wait
	[ "$(stack exec -T redis redis-cli get k)" = v ]
}

@test "binds, read-only too" {
	mkdir shared
	echo from-host >shared/f
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: ["./shared:/rw", "./shared:/ro:ro"]
	END
	up
	[ "$(stack exec -T c cat /ro/f)" = from-host ]
	stack exec -T c sh -c 'echo from-inside >/rw/g'
	[ "$(cat shared/g)" = from-inside ]
	run stack exec -T c touch /ro/h
	[ "$status" -ne 0 ]
}

@test "a missing bind source is an error that names it" {
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    volumes:
		      - { type: bind, source: ./nowhere, target: /x }
	END
	run up
	[ "$status" -eq 1 ]
	has nowhere
}

@test "a secret is a file in memory, and nowhere else" {
	echo -n tell-nobody >password.txt
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    secrets: [password]
		secrets:
		  password: { file: ./password.txt }
	END
	up
	[ "$(stack exec -T c cat /run/secrets/password)" = tell-nobody ]
	[ -z "$(grep -rls tell-nobody "$STACK_ROOT" "$STACK_RUNTIME_ROOT")" ]
}

@test "PostgreSQL keeps its rows over down and up" {
	compose <<-END
		services:
		  db:
		    image: $REGISTRY/postgres:1
		    environment: { POSTGRES_PASSWORD: x, POSTGRES_DB: shop }
		    volumes: ["rows:/var/lib/postgresql/data"]
		    healthcheck: { test: "pg_isready -q -h 127.0.0.1 -U postgres", interval: 300ms, retries: 60 }
		volumes: { rows: }
	END
	up --wait
	sql() { stack exec -T -e PGPASSWORD=x db psql -h 127.0.0.1 -U postgres -d shop -AtqX -c "$1"; }
	sql "CREATE TABLE t (n int); INSERT INTO t VALUES (42)"
	stack down
	up --wait
	[ "$(sql 'SELECT n FROM t')" = 42 ]
}
