#!/usr/bin/env bats
# commit: an image out of a container; push: images of services that are built.
load lib

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
	! grep -q 'etc/passwd$\|kept-out\|mounted/app.yml\|resolv.conf' list
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
