# orchestrator/ - many containers, one project. The only folder that knows libuv.
SRCS_orchestrator := 
USES_orchestrator := specs images images/dockerfile netplug volumes base
PKGS_orchestrator := libuv
