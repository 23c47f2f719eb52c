#!/usr/bin/env bats
# What users do with images: pull a whole file, pin digests, ask again by age, see progress, look after the store.
# shellcheck disable=SC2086,SC2154 # REGISTRY holds no blanks; stderr is set by bats
load lib

setup_file() {
	"$LIB/netns" --check
	"$LIB/registry" start
}

setup() {
	PATH=${STACK_BUILD:?}:$PATH
	cd "$BATS_TEST_TMPDIR" || return 1
	export STACK_ROOT=$BATS_TEST_TMPDIR/lib COMPOSE_FILE=app.yml COMPOSE_PROJECT_NAME=p$BATS_TEST_NUMBER
}

teardown() {
	stack down -t 0 >/dev/null 2>&1 || true
}

digest_of() { # NAME:TAG
	curl -sI -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
		"http://$REGISTRY/v2/${1%:*}/manifests/${1#*:}" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //ip'
}

two_services() {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:1" }
		  cache: { image: "$REGISTRY/redis:1" }
	END
}

@test "pull fetches the images of a file, and each shared layer once" {
	two_services
	run -0 --separate-stderr stack --progress json pull
	[ "$(jq -r 'select(.status == "pulled") | .image' <<<"$output" | sort | tr '\n' ' ')" = "$REGISTRY/nginx:1 $REGISTRY/redis:1 " ]
	# debian's layer belongs to both: it travels once, and both are told
	shared=$(comm -12 <(jq -r "select(.image == \"$REGISTRY/nginx:1\") | .layer // empty" <<<"$output" | sort -u) \
		<(jq -r "select(.image == \"$REGISTRY/redis:1\") | .layer // empty" <<<"$output" | sort -u))
	[ "$(wc -w <<<"$shared")" -eq 1 ]
	[ "$(jq -r "select(.layer == \"$shared\" and (.status == \"done\" or .status == \"exists\")) | .image" <<<"$output" | sort -u | wc -l)" -eq 2 ]
	[ "$(find "$STACK_ROOT/images/layers" -mindepth 1 -maxdepth 1 | wc -l)" -eq "$(jq -r '.layer // empty' <<<"$output" | sort -u | wc -l)" ]
	run -0 stack image ls --format '{{.Repository}}'
	has nginx redis
}

@test "pull takes one service, or all that it depends on" {
	two_services
	stack pull -q cache
	run -0 stack image ls --format '{{.Repository}}'
	has redis
	lacks nginx
}

@test "progress: plain is a line a change, quiet is nothing, json is objects" {
	run -0 --separate-stderr stack --progress plain image pull $REGISTRY/busybox:1
	[ "$output" = "$REGISTRY/busybox:1" ]
	printf '%s\n' "$stderr" | sed 's/^ *//' >plain
	diff plain - <<-END
		Image $REGISTRY/busybox:1  resolving
		Image $REGISTRY/busybox:1  pulled  $(digest_of busybox:1)
	END
	run -0 --separate-stderr stack --progress quiet image pull $REGISTRY/busybox:1
	[ "$output" = "$REGISTRY/busybox:1" ]
	[ -z "$stderr" ]
	run -0 --separate-stderr stack --progress json image pull $REGISTRY/busybox:1
	[ "$(tail -n 1 <<<"$output" | jq -r '.status + " " + .digest')" = "exists $(digest_of busybox:1)" ]
	run -0 --separate-stderr stack --progress tty --ansi always image pull $REGISTRY/redis:1
	output=$stderr
	has "$REGISTRY/redis:1" pulled
}

@test "all tags of a repository are pulled and pushed" {
	local tag
	stack --progress quiet image pull $REGISTRY/busybox:1
	for tag in c a b; do stack image tag $REGISTRY/busybox:1 $REGISTRY/many:$tag; done
	run -0 --separate-stderr stack --progress plain image push -a $REGISTRY/many
	[ "$(sort <<<"$output")" = "$(printf "$REGISTRY/many:%s\n" a b c)" ]
	stack image rm $REGISTRY/many:a $REGISTRY/many:b $REGISTRY/many:c
	run -0 --separate-stderr stack --progress quiet image pull --all-tags $REGISTRY/many
	[ "$(sort <<<"$output")" = "$(printf "$REGISTRY/many:%s\n" a b c)" ]
	run -0 stack image ls $REGISTRY/many --format '{{.Tag}}'
	[ "$(sort <<<"$output" | xargs)" = "a b c" ]
}

@test "all tags goes with a repository alone" {
	run -1 --separate-stderr stack image pull -a $REGISTRY/busybox:1
	[[ $stderr == *"image $REGISTRY/busybox:1: a tag or a digest does not go with --all-tags"* ]]
	run -1 --separate-stderr stack image push -a $REGISTRY/nobody
	[[ $stderr == *"image $REGISTRY/nobody: no tag of it is here"* ]]
	run -1 --separate-stderr stack image pull -a $REGISTRY/nobody
	[[ $stderr == *"image $REGISTRY/nobody: "*"not found"* ]]
	[ -z "$(stack image ls -q)" ]
}

@test "config pins images to what their registries have" {
	two_services
	run -0 stack config --resolve-image-digests
	has "image: $REGISTRY/nginx:1@$(digest_of nginx:1)" "image: $REGISTRY/redis:1@$(digest_of redis:1)"
	[ ! -e "$STACK_ROOT/images/layers" ] || [ -z "$(ls "$STACK_ROOT/images/layers")" ]
	stack config --lock-image-digests >lock.yml
	[ "$(grep -vc -e '^services:$' -e '^  [a-z]*:$' -e '^    image: ' lock.yml)" -eq 0 ]
	stack -f app.yml -f lock.yml pull -q
	run -0 stack image ls --digests --format '{{.Digest}}'
	has "$(digest_of nginx:1)" "$(digest_of redis:1)"
}

@test "config says which image has no digest to pin" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:none" }
	END
	run --separate-stderr stack config --resolve-image-digests
	[ "$status" -ne 0 ]
	output=$stderr
	has "image $REGISTRY/nginx:none" "not found"
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}

with_policy() { # WORD
	compose <<-END
		services:
		  job: { image: "$REGISTRY/moving:1", pull_policy: $1, command: [cat, /etc/which] }
	END
}

pushed() { # WORD: the image moving:1 with that word in it
	mkdir -p root/etc root/bin
	cp /bin/busybox root/bin/busybox
	ln -sf busybox root/bin/cat
	echo "$1" >root/etc/which
	tar -C root --owner 0 --group 0 -cf root.tar .
	STACK_ROOT=$BATS_TEST_TMPDIR/other stack image import root.tar $REGISTRY/moving:1 >/dev/null
	STACK_ROOT=$BATS_TEST_TMPDIR/other stack image push -q $REGISTRY/moving:1 >/dev/null
}

@test "pull_policy by age: a young image stays, an old one is asked for again" {
	pushed first
	with_policy daily
	run -0 stack up
	has first
	pushed second
	run -0 stack up --force-recreate
	has first
	lacks second
	with_policy every_1ms
	run -0 stack up
	has second
	pushed third
	with_policy "refresh, pull_refresh_after: 1h"
	run -0 stack up --force-recreate
	has second
	lacks third "no effect"
	run -0 stack pull -q
	run -0 stack up --force-recreate
	has second
	with_policy "refresh, pull_refresh_after: 1ms"
	run -0 stack up
	has third
	run ! stack config -q -f /dev/stdin <<<'services: {a: {image: b, pull_policy: every_x}}'
}

@test "system df counts shared layers once, check finds and repairs" {
	two_services
	stack pull -q
	run -0 stack system df
	has Images 2
	run -0 stack system check
	layer=$(find "$STACK_ROOT/images/layers" -name data.tar -size +1M | head -n 1)
	[ -n "$layer" ] || skip "layers are unpacked here"
	printf x | dd of="$layer" bs=1 seek=4096 conv=notrunc status=none
	run --separate-stderr stack system check
	[ "$status" -ne 0 ]
	run -0 stack system check --fix
	stack pull -q
	run -0 stack system check
	run -0 stack image verify
}

@test "import, export, history, prune" {
	mkdir -p root/etc
	echo hello >root/etc/word
	tar -C root --owner 0 --group 0 -cf root.tar .
	stack image import -c 'CMD ["cat","/etc/word"]' -c 'ENV A=b' root.tar flat/one:1
	run -0 stack image history flat/one:1
	run -0 stack image inspect --format '{{json .Config.Cmd}}{{json .Config.Env}}' flat/one:1
	[ "$output" = '["cat","/etc/word"]["A=b"]' ]
	stack image export flat/one:1 -o out.tar
	[ "$(tar -xOf out.tar ./etc/word)" = hello ]
	stack image tag flat/one:1 flat/two:1
	stack image rm flat/one:1
	stack image rm flat/two:1
	run -0 stack image prune -f
	run -0 stack image ls -aq
	[ -z "$output" ]
	[ -z "$(ls "$STACK_ROOT/images/layers")" ]
}

@test "pull leaves out what never pulls, up takes the platform that a service names" {
	compose <<-END
		services:
		  web: { image: "$REGISTRY/nginx:none", pull_policy: never }
		  box: { image: "$REGISTRY/busybox:1", platform: linux/amd64 }
		  too: { image: "$REGISTRY/redis:1", pull_policy: missing }
	END
	stack pull -q
	run -0 stack image ls --format '{{.Repository}}'
	has busybox redis
	lacks nginx
	compose <<-END
		services:
		  box: { image: "$REGISTRY/busybox:1", platform: linux/s390x, command: ["true"] }
	END
	run --separate-stderr stack up
	[ "$status" -ne 0 ]
	output=$stderr
	has "busybox:1" "is an image for linux/amd64, not for linux/s390x"
}
