#!/usr/bin/env bats
# run with its flags, down --rmi, --dry-run, --parallel, commit, push.
load lib

pair() {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    ports: ["18080:80"]
		    volumes: [data:/data]
		    depends_on: [db]
		  db:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		volumes: { data: {} }
	END
}

@test "run: mounts, labels, capabilities, an entrypoint of words, variables of a file" {
	pair
	mkdir here
	echo content >here/file
	printf 'FROM_FILE=1\nBOTH=file\n' >vars
	[ "$(stack run --rm -T --no-deps -v ./here:/mnt:ro -v /anon web sh -c 'cat /mnt/file; touch /mnt/x 2>/dev/null || echo ro; ls -d /anon')" = \
		"content
ro
/anon" ]
	[ "$(stack run --rm -T --no-deps --env-from-file vars -e BOTH=flag web sh -c 'echo $FROM_FILE$BOTH')" = 1flag ]
	[ "$(stack run --rm -T --no-deps --entrypoint "sh -c" web 'echo words')" = words ]
	[ "$(stack run --rm -T --no-deps --cap-drop ALL web grep CapEff /proc/self/status | tr -d '\t')" = CapEff:0000000000000000 ]
	[ "$(stack run --rm -T --no-deps -u 12:34 -w /tmp web sh -c 'id -u; id -g; pwd' | tr '\n' ' ')" = "12 34 /tmp " ]
	stack run -d --no-deps --name one -l tier=front web sleep 1000
	[ "$(field one '{{index .Config.Labels "tier"}}')" = front ]
	[ -z "$(stack ps -a --format '{{.Ports}}' | tr -d ' \n')" ]
	run stack run --rm --no-deps -v a:b web true
	[ "$status" -eq 1 ]
	has --volume
	run stack run --rm nope true
	[ "$status" -eq 1 ]
	has "no such service: nope"
}

@test "run: published ports and the service's names, also after another supervisor took over" {
	pair
	stack run -d --no-deps -p 127.0.0.1:18099:80 --use-aliases --name one web sh -c 'while :; do printf "HTTP/1.0 200 OK\r\n\r\n" | nc -l -p 80; done'
	[ "$(stack ps --format '{{.Ports}}')" = "127.0.0.1:18099->80/tcp" ]
	stack run --rm -T --no-deps db nslookup web | grep -q 'Address: 1'
	stack supervisor stop
	stack run --rm -T --no-deps db nslookup web | grep -q 'Address: 1'
	eventually 20 answers http://127.0.0.1:18099/
	stack run --rm -T -P --no-deps web true
}

@test "--dry-run tells what would be done and leaves everything as it is" {
	pair
	stack --dry-run up -d 2>out
	grep -q 'DRY-RUN MODE -  Network .*_default  Created' out
	grep -q "DRY-RUN MODE -  Container $P-web-1  Started" out
	[ -z "$(stack ps -a -q)" ]
	up
	before=$(started_at "$P-web-1")
	for command in "stop" "restart" "kill" "pause" "down -v --rmi all" "rm -fsv" "scale db=3" "up -d --force-recreate" \
		"exec -T web touch /x" "run -T web true" "image rm $REGISTRY/busybox:1" "container rm -f $P-web-1"; do
		# shellcheck disable=SC2086 # several words are meant
		stack --dry-run $command 2>out
		grep -q 'DRY-RUN MODE' out
	done
	[ "$(started_at "$P-web-1")" = "$before" ]
	[ "$(names)" = "$P-db-1 $P-web-1 " ]
	stack exec -T web test ! -e /x
	stack --dry-run --progress json stop 2>out
	jq -e 'select(.id == "Container '"$P"'-web-1") | .["dry-run"]' out
}

@test "down --rmi takes the images of the services, --parallel 1 does one thing after another" {
	pair
	stack --parallel 1 up -d --wait
	[ "$(names)" = "$P-db-1 $P-web-1 " ]
	run stack --parallel many up -d
	[ "$status" -eq 1 ]
	stack down --rmi local -t 0
	[ -n "$(stack image ls -q busybox; stack image ls -q "$REGISTRY/busybox:1")" ]
	up
	stack down -v --rmi all -t 0 2>out
	grep -q "Image $REGISTRY/busybox:1  Removed" out
	[ -z "$(stack image ls -q "$REGISTRY/busybox:1")" ]
}

# The order in which images begin and end: "b" and "e" in turn.
order_of_images() { # FILE
	sed -n 's/^ Image .*  resolving.*/b/p; s/^ Image .*  pulled.*/e/p' "$1" | tr -d '\n'
}

@test "--parallel bounds what is pulled at once, by pull and by up" {
	compose <<-END
		services:
		  a: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		  b: { image: "$REGISTRY/nginx:1", stop_signal: SIGKILL }
		  c: { image: "$REGISTRY/redis:1", stop_signal: SIGKILL }
	END
	stack image rm -f "$REGISTRY/busybox:1" "$REGISTRY/nginx:1" "$REGISTRY/redis:1" >/dev/null 2>&1 || true
	stack --parallel 1 --progress plain up -d 2>out
	[ "$(order_of_images out)" = bebebe ]
	stack down -v --rmi all -t 0
	COMPOSE_PARALLEL_LIMIT=1 stack --progress plain image pull "$REGISTRY/busybox:1" "$REGISTRY/nginx:1" "$REGISTRY/redis:1" 2>out
	[ "$(order_of_images out)" = bebebe ]
	stack image rm -f "$REGISTRY/busybox:1" "$REGISTRY/nginx:1" "$REGISTRY/redis:1" >/dev/null
	stack --progress plain image pull "$REGISTRY/busybox:1" "$REGISTRY/nginx:1" "$REGISTRY/redis:1" 2>out
	[ "$(order_of_images out | cut -c 1-3)" = bbb ]
}

@test "commit: what was changed, and nothing that the runtime made, is a layer of a new image" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
		    volumes: ["data:/data", "./app.yml:/mounted/app.yml:ro"]
		volumes: { data: {} }
	END
	up
	stack exec -T web sh -c 'echo new >/made; rm /etc/passwd; echo secret >/data/kept-out; mkdir /empty'
	id=$(stack commit -m 'with a file' -a somebody -c 'CMD ["cat", "/made"]' -c 'ENV A=b C=d' -c 'LABEL tier=front' web made:1)
	[ "$(state_of "$P-web-1")" = running ]
	[ "$(stack image inspect -f '{{.Id}}' made:1)" = "$id" ]
	[ "$(stack image inspect -f '{{json .Config.Cmd}}' made:1)" = '["cat","/made"]' ]
	[ "$(stack image inspect -f '{{index .Config.Labels "tier"}}' made:1)" = front ]
	stack image history made:1 | grep -q 'with a file'
	stack image export -o tree.tar made:1
	tar -tf tree.tar | sed "s,^\.\?/,," >list; grep -v "bin/" list | head -40
	grep -qx 'made' list
	grep -qx 'empty/' list
	run ! grep -q 'etc/passwd$\|kept-out\|mounted/app.yml\|resolv.conf' list
	cat >next.yml <<-END
		services: { next: { image: "made:1" } }
	END
	[ "$(stack -f next.yml -p "${P}n" run --rm -T next)" = new ]
	[ "$(stack -f next.yml -p "${P}n" run --rm -T next sh -c 'echo $A$C')" = bd ]
	stack stop
	stack container commit "$P-web-1" made:2
	run stack commit -c 'RUN echo' web
	[ "$status" -eq 1 ]
	has "changes no setting"
	run stack commit -c 'NONSENSE x' web
	[ "$status" -eq 1 ]
	run stack commit nope
	[ "$status" -eq 1 ]
	stack -p "${P}n" down -v
	stack image rm made:1 made:2
}

@test "push: services that are built and have a name; others are skipped" {
	compose <<-END
		services:
		  plain: { image: "$REGISTRY/busybox:1" }
		  built: { image: "$REGISTRY/pushed-$P:1", build: . }
		  nameless: { build: . }
	END
	stack pull plain 2>/dev/null
	stack image tag "$REGISTRY/busybox:1" "$REGISTRY/pushed-$P:1"
	stack push 2>out
	grep -q 'Service plain  Skipped' out
	grep -q 'Service nameless  Skipped' out
	stack image rm "$REGISTRY/pushed-$P:1"
	stack image pull -q "$REGISTRY/pushed-$P:1"
	stack image rm "$REGISTRY/pushed-$P:1"
	run stack push built
	[ "$status" -eq 1 ]
	stack push --ignore-push-failures built
	run stack push nope
	[ "$status" -eq 1 ]
}
