# orchestrator/cli/ - program stack: one command, then exit.
SRCS_orchestrator/cli :=
USES_orchestrator/cli := orchestrator $(USES_orchestrator)

# options, help, output
SRCS_orchestrator/cli += orchestrator/cli/options.c orchestrator/cli/options_table.c orchestrator/cli/help.c
TESTS += tests/orchestrator/cli/test_options
