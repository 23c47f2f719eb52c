#!/usr/bin/env bats
# Pulls, pushes and logins against Debian's docker-registry: plain, with TLS of an own CA, with passwords, with tokens,
# as a mirror. What is wrong is one clear line.
# shellcheck disable=SC2086,SC2154 # REGISTRY holds no blanks; stderr is set by bats
load lib

SERVE=$LIB/../registry/serve

setup_file() {
	"$LIB/netns" --check
	"$LIB/registry" start
	"$SERVE" start secure 5443 tls auth
	"$SERVE" start expired 5444 tls expired
	"$SERVE" start token 5445 token
	"$SERVE" start mirror 5448 mirror=http://localhost:5000
}

teardown_file() {
	local name
	for name in secure expired token mirror; do "$SERVE" stop "$name"; done
	"$LIB/registry" stop
}

setup() {
	PATH=${STACK_BUILD:?}:$PATH
	cd "$BATS_TEST_TMPDIR" || return 1
	export DOCKER_CONFIG=$BATS_TEST_TMPDIR/docker STACK_ROOT=$BATS_TEST_TMPDIR/lib
	export STACK_CERTS_DIR=$BATS_TEST_TMPDIR/certs.d STACK_CONFIG=$BATS_TEST_TMPDIR/config.json
	for port in 5443 5444; do "$SERVE" ca "$STACK_CERTS_DIR/localhost:$port"; done
}

teardown() { :; }

# Fails, with one line on stderr that holds the words.
refused() { # WORD...
	[ "$status" -ne 0 ]
	[ "$status" -lt 126 ]
	output=$stderr
	[ "$(printf '%s\n' "$output" | grep -c .)" -eq 1 ]
	has "$@"
}

login() { # REGISTRY [PASSWORD]
	printf '%s' "${2:-pass}" | stack login -u user --password-stdin "$1"
}

@test "an image is pulled, and again at the price of one request" {
	run -0 stack image pull -q $REGISTRY/nginx:1
	has "$REGISTRY/nginx:1"
	run -0 stack image ls
	has nginx
	run -0 stack image pull -q $REGISTRY/nginx:1
}

@test "progress as JSON ends with id and digest" {
	run -0 --separate-stderr stack image pull --progress json $REGISTRY/busybox:1
	[ "$(tail -n 1 <<<"$output" | jq -r .status)" = pulled ]
	[ "$(tail -n 1 <<<"$output" | jq -r .id | cut -c1-7)" = sha256: ]
	jq -e . <<<"$output" >/dev/null
}

@test "TLS of an own CA with a password: login, push, pull, logout" {
	stack image pull -q $REGISTRY/nginx:1
	run --separate-stderr stack image push -q $REGISTRY/nginx:1 # no right is needed there
	[ "$status" -eq 0 ]
	stack image tag $REGISTRY/nginx:1 localhost:5443/team/nginx:2
	run --separate-stderr stack image push -q localhost:5443/team/nginx:2
	refused "stack login localhost:5443"
	run -0 login localhost:5443
	stack image push -q localhost:5443/team/nginx:2
	rm -rf "$STACK_ROOT"
	run -0 stack image pull -q localhost:5443/team/nginx:2
	run -0 stack logout localhost:5443
	rm -rf "$STACK_ROOT"
	run --separate-stderr stack image pull -q localhost:5443/team/nginx:2
	refused "access denied" "stack login"
}

@test "a wrong password is one line and is not kept" {
	run --separate-stderr login localhost:5443 wrong
	refused "localhost:5443" "wrong user name or password"
	[ ! -e "$DOCKER_CONFIG/config.json" ]
}

@test "an unknown image is one line" {
	run --separate-stderr stack image pull -q $REGISTRY/nginx:none
	refused "$REGISTRY/nginx:none" "not found"
}

@test "an expired certificate is one line" {
	run --separate-stderr stack image pull -q localhost:5444/a:1
	refused "localhost:5444" "certificate has expired"
}

@test "an unknown CA is refused unless the registry is configured insecure" {
	echo '{"insecure-registries":[]}' >"$STACK_CONFIG"
	mkdir -p "$STACK_CERTS_DIR/localhost:5443"
	openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=other -keyout /dev/null \
		-out "$STACK_CERTS_DIR/localhost:5443/ca.crt" 2>/dev/null
	run --separate-stderr stack image pull -q localhost:5443/a:1
	refused "localhost:5443" certificate
	rm "$STACK_CERTS_DIR/localhost:5443/ca.crt" # loopback without a CA: TLS without proof
	run --separate-stderr stack image pull -q localhost:5443/a:1
	refused "access denied"
}

@test "plain HTTP is refused unless it is allowed" {
	ip addr add 198.51.100.7/32 dev lo
	"$SERVE" start open 5449 at=198.51.100.7
	run --separate-stderr stack image pull -q 198.51.100.7:5449/busybox:1
	refused "plain HTTP" insecure-registries
	echo '{"insecure-registries":["198.51.100.0/24"]}' >"$STACK_CONFIG"
	run --separate-stderr stack image pull -q 198.51.100.7:5449/busybox:1
	refused "not found in registry 198.51.100.7:5449"
	"$SERVE" stop open
	ip addr del 198.51.100.7/32 dev lo
}

@test "nobody at home is one line" {
	run --separate-stderr stack image pull -q localhost:5999/a:1
	refused "localhost:5999" "Connection refused"
}

@test "tokens: anonymous for what is public, a login for the rest" {
	stack image pull -q $REGISTRY/busybox:1
	for name in public/busybox private/busybox; do
		stack image tag $REGISTRY/busybox:1 localhost:5445/$name:1
	done
	run -0 login localhost:5445
	stack image push -q localhost:5445/public/busybox:1
	stack image push -q localhost:5445/private/busybox:1
	stack logout localhost:5445
	rm -rf "$STACK_ROOT"
	run -0 stack image pull -q localhost:5445/public/busybox:1
	run --separate-stderr stack image pull -q localhost:5445/private/busybox:1
	refused "access denied"
	login localhost:5445
	run -0 stack image pull -q localhost:5445/private/busybox:1
}

@test "a mirror is asked first, and the origin when it fails" {
	echo '{"registries":{"127.0.0.1:5000":{"mirrors":["http://127.0.0.1:5448"]}}}' >registries.json
	run -0 stack image pull -q $REGISTRY/busybox:1
	[ -d "$STACK_TEST_DIR/serve/mirror/docker/registry/v2/repositories/busybox" ]
	rm -rf "$STACK_ROOT"
	echo '{"registries":{"127.0.0.1:5000":{"mirrors":["http://127.0.0.1:5999"]}}}' >registries.json
	run -0 stack image pull -q $REGISTRY/busybox:1
}

@test "what we push, others pull; what others push, we pull" {
	stack image pull -q $REGISTRY/nginx:1
	stack image tag $REGISTRY/nginx:1 $REGISTRY/copy/nginx:9
	stack image push -q $REGISTRY/copy/nginx:9
	skopeo copy -q --src-tls-verify=false docker://$REGISTRY/copy/nginx:9 "oci:$BATS_TEST_TMPDIR/oci:9"
	for format in v2s2 oci; do
		skopeo copy -q -f $format --dest-tls-verify=false "oci:$BATS_TEST_TMPDIR/oci:9" docker://$REGISTRY/back/nginx:$format
		run -0 stack image pull -q $REGISTRY/back/nginx:$format
	done
	# Into an empty registry: in one that has the gzip blobs skopeo would use those.
	skopeo copy -q --dest-decompress "oci:$BATS_TEST_TMPDIR/oci:9" "dir:$BATS_TEST_TMPDIR/plain"
	"$SERVE" start empty 5450
	skopeo copy -q -f oci --dest-compress-format zstd --dest-tls-verify=false \
		"dir:$BATS_TEST_TMPDIR/plain" docker://localhost:5450/nginx:zstd
	skopeo inspect --raw --tls-verify=false docker://localhost:5450/nginx:zstd | grep -q tar+zstd
	rm -rf "$STACK_ROOT"
	run -0 stack image pull -q localhost:5450/nginx:zstd
	"$SERVE" stop empty
}

@test "a second push of the same image sends no layer" {
	stack image pull -q $REGISTRY/nginx:1
	stack image tag $REGISTRY/nginx:1 $REGISTRY/mounted/nginx:1
	run -0 --separate-stderr stack image push --progress json $REGISTRY/mounted/nginx:1
	lacks '"uploading"'
	has '"exists"'
}

@test "two pulls at once load each layer once" {
	stack image ls -q
	stack image pull -q $REGISTRY/postgres:1 &
	first=$!
	stack image pull -q $REGISTRY/postgres:1
	wait $first
	run -0 stack image ls -q
	[ "$(printf '%s\n' "$output" | grep -c .)" -eq 1 ]
}
