#!/usr/bin/env bats
# Volumes in services: what is in them, whose it is, how long it stays.
# shellcheck disable=SC2034,SC2154 # CLEANUP is for the teardown of lib; output and status are of bats
load lib

teardown_volumes() {
	local name
	for name in $(stack volume ls -q); do stack volume rm "$name" >/dev/null || true; done
}

in_service() { # SERVICE COMMAND...
	stack exec -T "$@"
}

@test "PostgreSQL and redis keep their data over a recreate and another image" {
	write() { # TAG
		compose <<-END
			services:
			  db:
			    image: $REGISTRY/postgres:$1
			    pull_policy: missing
			    environment: { POSTGRES_PASSWORD: x, POSTGRES_DB: shop }
			    volumes: ["rows:/var/lib/postgresql/data"]
			    healthcheck: { test: "pg_isready -q -h 127.0.0.1 -U postgres", interval: 300ms, retries: 200 }
			  cache: { image: "$REGISTRY/redis:$1", pull_policy: missing, volumes: ["keys:/data"] }
			volumes: { rows: , keys: }
		END
	}
	sql() { in_service -e PGPASSWORD=x db psql -h 127.0.0.1 -U postgres -d shop -AtqX -c "$1"; }
	write 1
	up --wait
	stack image tag "$REGISTRY/postgres:1" "$REGISTRY/postgres:$P"
	stack image tag "$REGISTRY/redis:1" "$REGISTRY/redis:$P"
	sql "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 1000)"
	in_service cache redis-cli set k v
	in_service cache redis-cli save
	before=$(pid_of "$P-db-1")
	up --force-recreate --wait
	[ "$(pid_of "$P-db-1")" != "$before" ]
	[ "$(sql 'SELECT count(*) FROM t')" = 1000 ]
	write "$P"
	up --wait
	[ "$(field "$P-db-1" '{{.Config.Image}}')" = "$REGISTRY/postgres:$P" ]
	[ "$(sql 'SELECT sum(n) FROM t')" = 500500 ]
	[ "$(in_service cache redis-cli get k)" = v ]
	stack down -v
	stack image rm "$REGISTRY/postgres:$P" "$REGISTRY/redis:$P"
}

@test "down -v removes the project's own volumes, and no other" {
	CLEANUP=teardown_volumes
	stack volume create "$P-outside"
	stack volume create "$P-foreign"
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: ["own:/own", "named:/named", "outside:/outside", /anonymous]
		volumes:
		  own:
		  named: { name: $P-by-name }
		  outside: { name: $P-outside, external: true }
	END
	up
	[ "$(stack volume ls -q | wc -l)" = 5 ]
	stack down
	[ "$(stack volume ls -q | wc -l)" = 5 ]
	up
	run stack down -v
	has "${P}_own" "$P-by-name"
	lacks "$P-outside" "$P-foreign"
	[ "$(stack volume ls -q | grep -vx '[0-9a-f]\{64\}' | sort | tr '\n' ' ')" = "$P-foreign $P-outside " ]
}

@test "two containers write into one volume; anonymous ones stay over a recreate until -V" {
	compose <<-END
		services:
		  w:
		    image: $REGISTRY/busybox:1
		    scale: 2
		    command: sh -c 'hostname >>/data/who; touch /anon/of-the-first; sleep 1000'
		    stop_signal: SIGKILL
		    volumes: ["data:/data", /anon]
		volumes: { data: }
	END
	up
	path=$(stack volume inspect --format '{{.Mountpoint}}' "${P}_data")
	eventually 10 sh -c "[ \$(sort -u $path/who | wc -l) = 2 ]"
	anon() { field "$P-w-1" '{{range .Mounts}}{{if eq .Destination "/anon"}}{{.Name}}{{end}}{{end}}'; }
	first=$(anon)
	[ "${#first}" = 64 ]
	up --force-recreate
	[ "$(anon)" = "$first" ]
	up --force-recreate -V
	[ "$(anon)" != "$first" ]
	[ ! -e "$STACK_ROOT/volumes/$first" ]
	stack run --rm -T w true
	[ "$(stack volume ls -q | grep -cx '[0-9a-f]\{64\}')" = 2 ]
	stack down -v
	[ -z "$(stack volume ls -q)" ]
}

@test "nocopy, subpath, volumes_from, and the volumes that are a tmpfs or a bind" {
	CLEANUP=teardown_volumes
	mkdir elsewhere
	echo outside >elsewhere/file
	compose <<-END
		services:
		  seed:
		    image: $REGISTRY/nginx:1
		    entrypoint: sleep
		    command: ["1000"]
		    stop_signal: SIGKILL
		    volumes:
		      - pages:/usr/share/nginx/html
		      - { type: volume, source: empty, target: /etc/nginx, volume: { nocopy: true } }
		      - memory:/memory
		      - bound:/bound
		  sharer:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    depends_on: [seed]
		    volumes_from: ["seed:ro"]
		volumes:
		  pages:
		  empty:
		  memory: { driver_opts: { type: tmpfs, device: tmpfs, o: "size=1m,uid=7,mode=0700" } }
		  bound: { driver_opts: { type: none, device: "$PWD/elsewhere", o: bind } }
	END
	up
	[ "$(in_service sharer cat /usr/share/nginx/html/index.html)" = "<h1>nginx runs</h1>" ]
	[ -z "$(in_service seed ls /etc/nginx)" ]
	[ "$(in_service seed stat -c '%u %a' /memory)" = "7 700" ]
	[ "$(in_service seed stat -f -c %T /memory)" = tmpfs ]
	[ "$(in_service seed cat /bound/file)" = outside ]
	run in_service sharer touch /bound/no
	[ "$status" -ne 0 ]
	has "Read-only"
	in_service seed sh -c 'mkdir -p /usr/share/nginx/html/sub/deep; echo deep >/usr/share/nginx/html/sub/deep/f'
	stack down
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes:
		      - { type: volume, source: pages, target: /p, volume: { subpath: sub/deep } }
		volumes: { pages: }
	END
	up
	[ "$(in_service c cat /p/f)" = deep ]
	[ -z "$(in_service c ls /p/..  | grep index.html)" ]
	ln -s ../../../../.. "$STACK_ROOT/volumes/${P}_pages/_data/out"
	sed -i 's,sub/deep,out/etc,' app.yml
	run up
	[ "$status" -eq 1 ]
	has "out/etc" "${P}_pages"
	stack down -v
	[ -e elsewhere/file ]
}

@test "tmpfs with size, mode and owner; the volume of an image" {
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    tmpfs: ["/short:size=2m,mode=1770,uid=5,exec"]
		    volumes:
		      - { type: tmpfs, target: /long, tmpfs: { size: 1m, mode: 0o750 } }
		      - { type: image, source: "$REGISTRY/nginx:1", target: /img, image: { subpath: usr/share/nginx } }
	END
	up
	[ "$(in_service c stat -c '%u %a' /short)" = "5 1770" ]
	[ "$(in_service c df -k /short | awk 'END { print $2 }')" = 2048 ]
	in_service c grep -q ' /long tmpfs rw,nosuid,nodev,noexec' /proc/mounts
	[ "$(in_service c stat -c %a /long)" = 750 ]
	[ "$(in_service c cat /img/html/index.html)" = "<h1>nginx runs</h1>" ]
	run in_service c touch /img/no
	has "Read-only"
	run stack image rm "$REGISTRY/nginx:1"
	[ "$status" -eq 1 ]
	has "used by a container"
}

@test "drivers and definitions that cannot be are told, and nothing is made" {
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", volumes: ["v:/v"] } }
		volumes: { v: { driver: netapp } }
	END
	run up
	[ "$status" -eq 1 ]
	has netapp v
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", volumes: ["v:/v"] } }
		volumes: { v: { driver_opts: { typ: tmpfs } } }
	END
	run up
	[ "$status" -eq 1 ]
	has typ type
	compose <<-END
		services: { c: { image: "$REGISTRY/busybox:1", volumes: ["v:/v"] } }
		volumes: { v: { external: true, name: $P-nowhere } }
	END
	run up
	[ "$status" -eq 1 ]
	has "stack volume create" "$P-nowhere"
	[ -z "$(stack volume ls -q)" ]
}

@test "an archive packs by its ending; restore and import --stop stop who has the volume" {
	CLEANUP=teardown_volumes
	compose <<-END
		services:
		  c:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: ["data:/data"]
		volumes: { data: }
	END
	up
	in_service c sh -c 'echo first >/data/file'
	stack volume export --pause -o out.tar.gz "${P}_data"
	stack volume export --pause -o out.tar.zst "${P}_data"
	gzip -t out.tar.gz
	tar -xzOf out.tar.gz ./file | grep -q first
	[ "$(head -c 4 out.tar.zst | od -An -tx1 | tr -d ' ')" = 28b52ffd ]
	stack volume snapshot --pause "${P}_data" before
	in_service c sh -c 'echo second >/data/file'
	begun=$(started_at "$P-c-1")
	stack volume restore --stop "${P}_data" before
	is running "$P-c-1"
	[ "$(started_at "$P-c-1")" != "$begun" ]
	[ "$(in_service c cat /data/file)" = first ]
	in_service c sh -c 'echo third >/data/file'
	run stack volume import --replace "${P}_data" out.tar.zst
	[ "$status" -eq 1 ]
	has "in use"
	stack volume import --replace --stop "${P}_data" out.tar.zst
	[ "$(in_service c cat /data/file)" = first ]
	[ "$(stack volume import "$P-gz" out.tar.gz)" = "$P-gz" ]
	head -c 60 out.tar.zst >cut.zst
	run stack volume import "$P-cut" cut.zst
	[ "$status" -eq 1 ]
	[ ! -e "$STACK_ROOT/volumes/$P-cut" ]
}
