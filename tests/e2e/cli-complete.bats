#!/usr/bin/env bats
# Completion, as the shells ask for it; what `make install` puts where.
load lib

offered() { # WORD...: what stands on the command line, the last one unfinished
	stack __complete -- "$@" | cut -f1
}

@test "completion offers commands, flags, their words and the names of this machine" {
	compose <<-END
		services:
		  webserver: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL, volumes: ["data:/data"] }
		  database: { image: "$REGISTRY/busybox:1", command: sleep 1000, stop_signal: SIGKILL }
		volumes: { data: {} }
	END
	up webserver
	run offered pul
	[ "$output" = "pull
:none" ]
	run offered up --force
	has --force-recreate
	run offered up --pull ''
	has always missing never
	run offered logs ''
	has webserver database
	run offered --file other.yml logs ''
	lacks database
	run offered container stop ''
	has "$P-webserver-1"
	run offered image rm ''
	has "$REGISTRY/busybox:1"
	run offered volume rm ''
	has "${P}_data"
	run offered network rm ''
	has "${P}_default"
	run offered cp ''
	has :files
	run offered exec webserver l
	has :files
	run offered __comp
	lacks __complete
}

@test "bash asks the program and offers its answer" {
	compose <<-END
		services: { webserver: { image: "$REGISTRY/busybox:1" } }
	END
	stack completion bash >complete.bash
	bash -c 'source complete.bash; COMP_WORDS=(stack logs we); COMP_CWORD=2; _stack_complete; echo "${COMPREPLY[*]}"' >out
	[ "$(cat out)" = webserver ]
	for shell in zsh fish; do
		stack completion "$shell" | grep -q __complete
	done
	run stack completion tcsh
	[ "$status" -eq 1 ]
}

@test "the manual pages come from the tables, and roff reads them" {
	stack manual >stack.1
	stack manual file >stack-file.5
	grep -q '^.B services.NAME.healthcheck' stack-file.5
	grep -q 'stack container update' stack.1
	if command -v groff; then
		groff -man -Tutf8 stack.1 stack-file.5 >/dev/null
	fi
	run stack manual nothing
	[ "$status" -eq 1 ]
}
