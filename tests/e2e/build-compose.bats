#!/usr/bin/env bats
# Services with `build`: the command build, up that builds, every key of the section.
# shellcheck disable=SC2034,SC2016 # CLEANUP is for lib; texts for other shells
load lib
load build-lib

@test "up builds what is missing, --build builds anew, --no-build does not" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nCOPY word /word\nCMD ["sh", "-c", "cat /word; sleep 1000"]\n' >Dockerfile
	echo first >word
	compose <<-'END'
		services:
		  web: { build: . }
	END
	run stack up -d --no-build
	[ "$status" -ne 0 ]
	has "is not built"
	up
	eventually 10 log_has web first
	id=$(field "$P-web-1" '{{.Image}}')
	echo second >word
	up
	[ "$(field "$P-web-1" '{{.Image}}')" = "$id" ]
	up --build
	eventually 10 log_has web second
	[ "$(field "$P-web-1" '{{.Image}}')" != "$id" ]
	# Nothing has changed: the same image, the same container.
	started=$(started_at "$P-web-1")
	up --build
	[ "$(started_at "$P-web-1")" = "$started" ]
}

@test "keys of build" {
	mkdir ctx extra
	echo extra >extra/file
	echo value-of-secret >token
	cat >ctx/Other <<-'END'
		FROM 127.0.0.1:5000/busybox:1 AS wanted
		ARG ONE
		ARG TWO
		COPY --from=more file /extra
		RUN --mount=type=secret,id=token wc -c </run/secrets/token >/token
		RUN --mount=type=secret,id=word wc -c </run/secrets/word >/word
		RUN echo $ONE $TWO >/args; grep 9.8.7.6 /etc/hosts | cut -f2 >/host; df -k /dev/shm | tail -1 >/shm; ulimit -n >/files
		CMD ["sleep", "1000"]
		FROM wanted
		RUN exit 1
	END
	compose <<-'END'
		services:
		  web:
		    image: named:1
		    build:
		      context: ctx
		      dockerfile: Other
		      target: wanted
		      args: { ONE: one }
		      labels: { made.by: test }
		      tags: ["named:2", "other:1"]
		      additional_contexts: { more: ./extra }
		      secrets: [token, word]
		      extra_hosts: ["there=9.8.7.6"]
		      shm_size: 16m
		      ulimits: { nofile: 77 }
		      network: none
		secrets:
		  token: { file: token }
		  word: { environment: WORD }
	END
	WORD=abc run stack --progress plain build --build-arg TWO=two
	[ "$status" -eq 0 ]
	tree named:1
	[ "$(cat tree/extra)" = extra ]
	[ "$(cat tree/token)" = 16 ]
	[ "$(cat tree/word)" = 3 ]
	[ "$(cat tree/args)" = "one two" ]
	[ "$(cat tree/host)" = there ]
	[ "$(cat tree/files)" = 77 ]
	grep -q ' 16384 ' tree/shm
	[ "$(config '.Labels."made.by"' other:1)" = '"test"' ]
	[ "$(config .Cmd named:2)" = '["sleep","1000"]' ]
	run ! grep -rq value-of-secret "$STACK_ROOT"
}

@test "services built from each other, in one graph" {
	mkdir base app
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo shared >/shared\n' >base/Dockerfile
	printf 'FROM base\nRUN cat /shared >/copy\nCMD ["sh", "-c", "cat /copy"]\n' >app/Dockerfile
	compose <<-'END'
		services:
		  base: { build: base, command: "true" }
		  app:
		    build: { context: app, additional_contexts: { base: "service:base" } }
		  inline:
		    build:
		      dockerfile_inline: |
		        FROM 127.0.0.1:5000/busybox:1
		        RUN echo inline >/inline
		        CMD cat /inline
	END
	run stack --progress plain build app inline
	[ "$status" -eq 0 ]
	has "[base" "[app" "[inline" "Image $P-base  Built"
	stack up >out 2>&1
	output=$(cat out)
	has shared inline
}

@test "run builds, create builds, config errors are told" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo ran >/ran\n' >Dockerfile
	compose <<-'END'
		services:
		  job: { build: ., command: cat /ran }
	END
	run stack run --rm job
	has ran
	stack create --build
	compose <<-'END'
		services:
		  job: { build: { context: ., secrets: [x] }, command: "true" }
		secrets: { x: { external: true } }
	END
	run stack build
	[ "$status" -ne 0 ]
	has "service job" external
	compose <<-'END'
		services:
		  job: { build: { context: ., network: strange }, command: "true" }
	END
	run stack build --no-cache
	[ "$status" -ne 0 ]
	has 'network "strange"'
	compose <<-'END'
		services:
		  job: { build: { context: ., platforms: [linux/s390x] }, command: "true" }
	END
	run stack build
	[ "$status" -ne 0 ]
	has binfmt
}

@test "an image that was built is pushed, and its cache serves another store" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN cat /proc/uptime >/when\n' >Dockerfile
	compose <<-'END'
		services:
		  web:
		    image: 127.0.0.1:5000/pushed:1
		    build:
		      context: .
		      cache_to: ["type=registry,ref=127.0.0.1:5000/cache:1", "type=local,dest=local"]
		      cache_from: ["127.0.0.1:5000/cache:1"]
	END
	run stack --progress plain build --push
	[ "$status" -eq 0 ]
	id=$(stack image inspect 127.0.0.1:5000/pushed:1 | jq -r '.[0].RootFS.Layers[1]')
	mkdir else else.run
	export STACK_ROOT=$PWD/else STACK_RUNTIME_ROOT=$PWD/else.run
	CLEANUP="grep -o '$PWD/else[^ ]*' /proc/self/mountinfo | xargs -r umount -l"
	run stack --progress plain build
	[ "$status" -eq 0 ]
	[ "$(cached_count)" -eq 1 ]
	[ "$(stack image inspect 127.0.0.1:5000/pushed:1 | jq -r '.[0].RootFS.Layers[1]')" = "$id" ]
	rm -rf else/build else/images/steps
	sed -i 's|"127.0.0.1:5000/cache:1"\]|"type=local,src=local"]|' app.yml
	run stack --progress plain build
	[ "$(cached_count)" -eq 1 ]
}

@test "the build cache is pruned, images stay" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo cached >/x\nRUN --mount=type=cache,target=/c echo 1 >/c/f\n' >Dockerfile
	built
	built
	[ "$(cached_count)" -eq 2 ]
	output=$(stack image prune -f --build-cache)
	has "Total reclaimed space"
	built
	[ "$(cached_count)" -eq 0 ]
	tree
	[ "$(cat tree/x)" = cached ]
}

@test "the cache is kept below its limit" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo limited >/x\n' >Dockerfile
	built
	built
	[ "$(cached_count)" -eq 1 ]
	stack image rm -f "$P:1"
	echo '{"build":{"cache_max":1}}' >config.json
	rm "$STACK_ROOT/build/pruned"
	printf 'FROM 127.0.0.1:5000/busybox:1\nRUN echo other >/x\n' >Other
	stack --config "$PWD/config.json" image build -q -f Other -t other:1 . >/dev/null
	built
	[ "$(cached_count)" -eq 0 ]
}

@test "watch builds a service again when its files change" {
	printf 'FROM 127.0.0.1:5000/busybox:1\nCOPY word /word\nCMD ["sh", "-c", "cat /word; sleep 1000"]\n' >Dockerfile
	echo before >word
	compose <<-'END'
		services:
		  web:
		    build: .
		    stop_signal: SIGKILL
		    develop: { watch: [ { action: rebuild, path: word } ] }
	END
	stack watch >out 2>&1 3>&- &
	pid=$!
	CLEANUP="kill $pid 2>/dev/null"
	eventually 20 log_has web before
	eventually 20 grep -qi watch out
	echo after >word
	eventually 30 log_has web after
	kill -INT "$pid"
	wait "$pid" || true
}
