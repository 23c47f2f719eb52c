# tests/e2e/build-lib - what the tests of builds share, after lib: dockerfile <<END, build [FLAGS], look-ups.

# shellcheck shell=bash disable=SC2034,SC2154 # CLEANUP and output are of bats and lib

dockerfile() { # text on stdin
	cat >"${1:-Dockerfile}"
}

# The image $P:1 of this folder; output is in $output.
build() {
	run stack --progress plain image build -t "$P:1" "$@" .
}

built() { # as build; it must go well
	build "$@"
	[ "$status" -eq 0 ] || {
		printf '%s\n' "$output" >&2
		return 1
	}
}

config() { # FILTER of jq: of the image's config
	stack image inspect "${2:-$P:1}" | jq -cS ".[0].Config$1"
}

# The files of the image, unpacked below tree/.
tree() {
	rm -rf tree
	mkdir tree
	stack image export "${1:-$P:1}" | tar -C tree -xf - --numeric-owner
}

owner_mode() { # PATH
	stat -c '%u:%g %a' "tree/$1"
}

cached_count() {
	grep -c ' CACHED$' <<<"$output" || true
}

layers() { # how many
	stack image inspect "$P:1" | jq '.[0].RootFS.Layers | length'
}

# Everything that a test built goes, with the cache.
forget() {
	stack image prune -af --build-cache >/dev/null
}
