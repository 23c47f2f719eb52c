# orchestrator/cli/ - program stack: one command, then exit.
SRCS_orchestrator/cli :=
USES_orchestrator/cli := orchestrator $(USES_orchestrator)
