#!/usr/bin/env bats
# logs over what was rotated and packed, over restarts and recreations; completion and manual pages.
load lib

@test "logs read rotated and packed files: tail, grep, since and until" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'i=0; while [ \$\$i -lt 1200 ]; do echo "line \$\$i of many, with words behind it"; i=\$\$((i+1)); done; sleep 2; echo late; exec sleep 1000'
		    stop_signal: SIGKILL
		    logging: { driver: json-file, options: { max-size: 30k, max-file: "5", compress: "true" } }
	END
	up
	eventually 30 log_has web '^late$'
	ls "$STACK_ROOT/projects/$P/slots/web.1" >files
	grep -q 'log.json.*gz' files
	[ "$(stack logs --no-log-prefix web | tail -1)" = late ]
	[ "$(stack logs --no-log-prefix --tail 2 web | head -1)" = "line 1199 of many, with words behind it" ]
	[ "$(stack logs --no-log-prefix --tail 700 web | wc -l)" = 700 ]
	[ "$(stack logs --no-log-prefix --grep '^line 9[0-9]5 ' web | wc -l)" = 10 ]
	# In order, none twice, none left out.
	stack logs --no-log-prefix web | sed -n 's/^line \([0-9]*\) .*/\1/p' >numbers
	[ "$(sort -n numbers | uniq | wc -l)" = "$(wc -l <numbers)" ]
	[ "$(tail -1 numbers)" = 1199 ]
	[ $((1199 - $(head -1 numbers) + 1)) = "$(wc -l <numbers)" ]
	# The time of the last of the first lines parts both.
	between=$(stack logs -t --no-log-prefix --grep '^line 1199 ' web | cut -d' ' -f1)
	[ "$(stack logs --no-log-prefix --until "$between" web | tail -1)" = "line 1199 of many, with words behind it" ]
	[ "$(stack logs --no-log-prefix --since "$between" web | tail -1)" = late ]
	[ "$(stack logs --no-log-prefix --since "$between" web | wc -l)" -le 300 ]
	run stack logs --since nonsense web
	[ "$status" -eq 1 ]
	run stack logs --grep '(' web
	[ "$status" -eq 1 ]
}

@test "logs -f goes on over restarts, recreations and new replicas, and ends when nothing is left" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sh -c 'echo life \$\$LIFE; exec sleep 1000'
		    environment: { LIFE: "\${LIFE}" }
		    stop_signal: SIGKILL
		    scale: 1
		  other:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	export LIFE=one
	up
	stack logs -f >followed 2>&1 &
	job=$!
	CLEANUP="kill $job 2>/dev/null || true"
	eventually 30 grep -q 'web-1 .*life one' followed
	stack restart -t 0 web
	eventually 30 sh -c '[ "$(grep -c "life one" followed)" = 2 ]'
	LIFE=two up
	eventually 30 grep -q 'web-1 .*life two' followed
	LIFE=two up --scale web=2
	eventually 30 grep -q 'web-2 .*life two' followed
	stack stop -t 0
	eventually 30 is_gone $job
	wait $job
	grep -q 'web-2 exited with code 137' followed
}

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
