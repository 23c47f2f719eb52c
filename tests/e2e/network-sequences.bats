#!/usr/bin/env bats
# A handful of random sequences of commands and deaths; `make sequences` runs a hundred, with deaths at named stages.
load lib

@test "after random commands and deaths of our processes, down leaves links, routes, rules, leases and ports as before" {
	run "$ROOT/tests/sequences/run" --count "${SEQUENCES:-3}" --seed "${SEED:-1}"
	echo "$output"
	[ "$status" -eq 0 ]
}
