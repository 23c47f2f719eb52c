#!/usr/bin/env bats
# The control socket and clients that are not ours: every request gets one answer, whatever is in it.
load lib

# Sends requests with something else at each place, and lines that are none; prints how many were answered.
nonsense() {
	python3 - "$STACK_RUNTIME_ROOT/projects/$P" <<-'END'
		import copy, json, os, socket, sys

		os.chdir(sys.argv[1])
		VALUES = [None, True, -1, 1.5, 2**63, "", "../x", [], [None], [[]], {}, {"a": None}, "x" * 5000]
		OPTIONS = {"dry_run": True, "timeout_us": 0, "scale": {"web": 1}, "containers": ["x"], "signal": "SIGURG",
		           "parallel": 1, "pull": "missing"}
		REQUESTS = [
		    {"op": "up", "services": ["web"], "options": OPTIONS, "model": {"name": "x", "services": {"web": {}}}},
		    {"op": "start", "services": ["none"], "options": OPTIONS},
		    {"op": "kill", "services": ["none"], "options": {"signal": "SIGURG", "containers": ["none"]}},
		    {"op": "unpause", "services": ["none"], "options": {"containers": ["none"]}},
		    {"op": "rename", "container": "none", "name": "other"},
		    {"op": "connect", "container": "none", "network": "none", "aliases": ["a"], "options": {"driver_opts": {"a": "b"}}},
		    {"op": "disconnect", "container": "none", "network": "none"},
		    {"op": "run", "model": {"name": "x"}, "run": {"service": "none", "command": ["a"], "environment": {"A": "b"}},
		     "options": {"dry_run": True}},
		    {"op": "go", "container": "none"},
		    {"op": "status"},
		]

		def places(value, path=()):
		    if path:
		        yield path
		    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
		    for key, inner in items:
		        yield from places(inner, path + (key,))

		def changed(request, path, value):
		    out = copy.deepcopy(request)
		    at = out
		    for key in path[:-1]:
		        at = at[key]
		    at[path[-1]] = value
		    return out

		talk = socket.socket(socket.AF_UNIX)
		talk.settimeout(60)
		talk.connect("control.sock")
		lines = talk.makefile("r", encoding="utf-8")
		assert json.loads(lines.readline())["protocol"] == 1
		answered = 0
		for request in REQUESTS:
		    for path in list(places(request)):
		        for value in VALUES:
		            answered += 1
		            talk.sendall(json.dumps({"id": answered, **changed(request, path, value)}).encode() + b"\n")
		            while True:
		                line = lines.readline()
		                assert line, f"no answer: {request['op']} {path} {str(value)[:40]}"
		                answer = json.loads(line)
		                if "ok" in answer:
		                    break
		            assert answer["id"] == answered
		            assert answer["ok"] or (answer["error"]["code"] and answer["error"]["message"]), line
		print(answered)
	END
}

# What is no request at all ends the connection or is refused, and nothing else.
torn_lines() {
	python3 - "$STACK_RUNTIME_ROOT/projects/$P" <<-'END'
		import os, socket, sys

		os.chdir(sys.argv[1])
		for line in [b"\n", b"{\n", b"[]\n", b"null\n", b"\0\n", b"\xff\xfe\n", b'{"id":1}\n', b'{"op":"status"}\n',
		             b'{"id":"x","op":"status"}\n', b'{"id":1,"op":null}\n', b'{"id":1,"op":"nothing"}\n', b"[" * 5000 + b"\n",
		             b'{"id":1,"op":"status"', b"x" * 100000]:
		    talk = socket.socket(socket.AF_UNIX)
		    talk.settimeout(30)
		    talk.connect("control.sock")
		    talk.sendall(line)
		    talk.shutdown(socket.SHUT_WR)
		    while talk.recv(65536):
		        pass
		    talk.close()
	END
}

@test "a supervisor answers every request, whatever is in it, and lives on" {
	compose <<-END
		services:
		  web:
		    image: $REGISTRY/busybox:1
		    command: sleep 1000
		    stop_signal: SIGKILL
	END
	up
	web=$(pid_of "$P-web-1") supervisor=$(supervisor_pid)
	[ "$(nonsense)" -ge 500 ]
	torn_lines
	[ "$(supervisor_pid)" = "$supervisor" ]
	kill -0 "$supervisor"
	kill -0 "$web"
	run stack ps
	has "$P-web-1" Up
}
