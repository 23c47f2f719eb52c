#!/usr/bin/env bats
# Other tools' images are here what they are there, and ours there what they are here: trees are compared entry by
# entry (bytes, mode, owner, time, attributes, links). podman's mount of an image is the measure.
# shellcheck disable=SC2086,SC2154 # REGISTRY and PODMAN hold no odd blanks
load lib

INTEROP=$LIB/../registry/interop.py

setup_file() {
	"$LIB/netns" --check
	command -v podman skopeo zstd >/dev/null || skip "podman, skopeo or zstd is not installed"
	"$LIB/../registry/serve" start interop 5460
	export TREES=$BATS_FILE_TMPDIR
	python3 "$INTEROP" make "$TREES/layout"
	for tag in odd plain members zstd chunked attested deep; do
		skopeo copy -q --all --preserve-digests --dest-tls-verify=false "oci:$TREES/layout:$tag" docker://127.0.0.1:5460/i:$tag
	done
	skopeo copy -q -f v2s2 --dest-tls-verify=false "oci:$TREES/layout:odd" docker://127.0.0.1:5460/i:docker
	export PODMAN="podman --root $TREES/podman --runroot $TREES/podman.run --tmpdir $TREES/podman.tmp --storage-driver overlay
		--cgroup-manager cgroupfs --events-backend none --log-level error"
	tree_of_podman odd >"$TREES/odd"
	tree_of_podman deep >"$TREES/deep"
}

teardown_file() {
	[ -z "${PODMAN:-}" ] || $PODMAN rmi -a -f >/dev/null 2>&1 || true
	umount -l "$TREES/podman/overlay" 2>/dev/null || true
	"$LIB/../registry/serve" stop interop
}

setup() {
	PATH=${STACK_BUILD:?}:$PATH
	cd "$BATS_TEST_TMPDIR" || return 1
	R=127.0.0.1:5460
	export STACK_ROOT=$BATS_TEST_TMPDIR/lib STACK_CONFIG=$BATS_TEST_TMPDIR/config.json
}

teardown() { :; }

tree_of_podman() { # TAG or image
	local image=127.0.0.1:5460/i:$1 at
	case $1 in */*) image=$1 ;; esac
	$PODMAN image exists "$image" || $PODMAN pull -q --tls-verify=false "$image" >/dev/null
	at=$($PODMAN image mount "$image")
	python3 "$INTEROP" list "$at"
	$PODMAN image umount "$image" >/dev/null
}

tree_of_ours() { # IMAGE
	stack image export -o ours.tar "$1"
	python3 "$INTEROP" list ours.tar
	rm ours.tar
}

snapshotter() { # WORD
	echo "{\"images\":{\"snapshotter\":\"$1\"}}" >"$STACK_CONFIG"
}

same_tree() { # WANTED IMAGE
	tree_of_ours "$2" >have
	diff "$1" have
}

@test "every form of layers gives the tree that podman has" {
	for form in odd plain members zstd chunked docker attested odd/dir; do
		case $form in */dir) snapshotter dir ;; *) snapshotter auto ;; esac
		rm -rf "$STACK_ROOT"
		stack image pull -q $R/i:${form%/dir}
		same_tree "$TREES/odd" $R/i:${form%/dir} || { echo "$form"; false; }
	done
}

@test "127 layers are one tree" {
	stack image pull -q $R/i:deep
	same_tree "$TREES/deep" $R/i:deep
	[ "$(stack image inspect --format '{{len .RootFS.Layers}}' $R/i:deep)" = 127 ]
}

@test "what umoci and buildah make is here what podman says" {
	command -v umoci buildah >/dev/null || skip "umoci or buildah is not installed"
	umoci unpack --image "$TREES/layout:odd" bundle >/dev/null 2>&1
	echo more >bundle/rootfs/etc/more
	rm bundle/rootfs/setuid
	umoci repack --image "$TREES/layout:umoci" bundle >/dev/null 2>&1
	skopeo copy -q --dest-tls-verify=false "oci:$TREES/layout:umoci" docker://$R/i:umoci
	tree_of_podman umoci >wanted
	stack image pull -q $R/i:umoci
	same_tree wanted $R/i:umoci
	B="buildah --root $TREES/podman --runroot $TREES/podman.run --storage-driver overlay"
	container=$($B from --pull-never $R/i:odd)
	echo copied >copied
	$B copy -q --chown 3:4 "$container" copied /etc/copied
	$B commit -q --tls-verify=false --rm "$container" docker://$R/i:buildah >/dev/null
	tree_of_podman buildah >wanted
	stack image pull -q $R/i:buildah
	same_tree wanted $R/i:buildah
}

@test "what we push, podman has as it was" {
	for snapshotter in auto dir; do
		snapshotter $snapshotter
		rm -rf "$STACK_ROOT"
		stack image pull -q $R/i:zstd
		stack image tag $R/i:zstd $R/ours/$snapshotter:1
		stack image push -q $R/ours/$snapshotter:1
		tree_of_podman $R/ours/$snapshotter:1 >have
		diff "$TREES/odd" have
		skopeo inspect --tls-verify=false docker://$R/ours/$snapshotter:1 >/dev/null
	done
}

@test "what we save, podman loads" {
	stack image pull -q $R/i:odd
	for form in '' --oci; do
		stack image tag $R/i:odd $R/saved/as$form:1
		stack image save $form -o saved.tar $R/saved/as$form:1
		$PODMAN load -q -i saved.tar >/dev/null
		tree_of_podman $R/saved/as$form:1 >have
		diff "$TREES/odd" have
	done
}

@test "what podman and skopeo save, we load" {
	$PODMAN save -q -o docker.tar $R/i:odd
	$PODMAN save -q --format oci-archive -o oci.tar $R/i:odd
	skopeo copy -q "oci:$TREES/layout:odd" docker-archive:skopeo.tar:$R/i:odd
	skopeo copy -q "oci:$TREES/layout:odd" oci-archive:skopeo-oci.tar:$R/i:odd
	for file in docker oci skopeo skopeo-oci; do
		rm -rf "$STACK_ROOT"
		image=$(stack image load -i $file.tar | sed 's/^Loaded image[^:]*: //')
		same_tree "$TREES/odd" "$image" || { echo "$file"; false; }
	done
}
