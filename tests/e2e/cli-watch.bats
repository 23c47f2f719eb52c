#!/usr/bin/env bats
# watch and up --watch: files go into running containers, services restart.
load lib

in_web() { # PATH TEXT
	[ "$(stack exec -T web cat "$1")" = "$2" ]
}

lacks_file() {
	stack exec -T web test ! -e "$1"
}

@test "watch: first sync before the start, then sync, sync+restart, sync+exec; ignored files stay out" {
	mkdir -p src/sub conf hook
	echo one >src/a
	echo two >src/sub/b
	echo tmp >src/c.tmp
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'cat /app/a >/at-start; exec sleep 1000'
		    stop_signal: SIGKILL
		    develop:
		      watch:
		      - { path: ./src, action: sync, target: /app, initial_sync: true, ignore: ["*.tmp", skipped/] }
		      - { path: ./conf, action: sync+restart, target: /conf }
		      - { path: ./hook, action: sync+exec, target: /hook, exec: { command: [sh, -c, "cat /hook/f >>/hook.log"] } }
	END
	stack watch >out 2>&1 &
	job=$!
	CLEANUP="kill -INT $job 2>/dev/null || true"
	eventually 60 grep -q 'Watch enabled' out
	in_web /at-start one
	in_web /app/sub/b two
	lacks_file /app/c.tmp
	mkdir -p src/skipped src/deep
	echo no >src/skipped/file
	echo deep >src/deep/file
	echo changed >src/a
	rm src/sub/b
	eventually 30 in_web /app/deep/file deep
	eventually 30 in_web /app/a changed
	eventually 30 lacks_file /app/sub/b
	lacks_file /app/skipped/file
	before=$(started_at "$P-web-1")
	echo setting >conf/c
	eventually 60 restarted_since "$P-web-1" "$before"
	eventually 30 in_web /conf/c setting
	before=$(started_at "$P-web-1")
	echo hooked >hook/f
	eventually 30 in_web /hook.log hooked
	[ "$(started_at "$P-web-1")" = "$before" ]
	kill -INT $job
	wait $job || true
	[ "$(state_of "$P-web-1")" = running ]
}

@test "up --watch shows the logs and watches; without rules watch ends with 1 after the start" {
	mkdir src
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo begun; exec sleep 1000'
		    stop_signal: SIGKILL
		    develop: { watch: [{ path: ./src, action: restart }] }
		  plain:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	stack up --watch >out 2>&1 &
	job=$!
	eventually 60 grep -q 'Watch enabled' out
	echo x >src/file
	eventually 60 sh -c '[ "$(grep -c "| begun" out)" = 2 ]'
	kill -INT $job
	wait $job || true
	grep -q 'Gracefully Stopping' out
	eventually 20 is exited "$P-web-1"
	run stack watch plain
	[ "$status" -eq 1 ]
	has develop
	is running "$P-plain-1"
	run stack up -d --watch
	[ "$status" -eq 1 ]
	has "exclude each other"
}

@test "a rebuild makes the image and the container anew; .dockerignore holds for it" {
	mkdir -p app/dist
	printf 'FROM %s/busybox:1\nCOPY text /text\nCMD ["sleep", "1000"]\nSTOPSIGNAL SIGKILL\n' "$REGISTRY" >app/Dockerfile
	echo first >app/text
	echo dist >app/.dockerignore
	compose <<-END
		services:
		  web:
		    build: ./app
		    develop: { watch: [{ path: ./app, action: rebuild }] }
	END
	stack --dry-run up -d --build 2>out
	grep -q "DRY-RUN MODE -  Image $P-web  Built" out
	[ -z "$(stack image ls -q "$P-web")" ]
	stack watch --quiet >out 2>&1 &
	job=$!
	CLEANUP="kill -INT $job 2>/dev/null || true; stack image prune -a -f >/dev/null 2>&1 || true"
	eventually 60 grep -q 'Watch enabled' out
	in_web /text first
	echo ignored >app/dist/file
	echo second >app/text
	eventually 60 in_web /text second
	kill -INT $job
	wait $job || true
	[ "$(grep -c 'Rebuilding service "web"' out)" = 1 ]
}
