# orchestrator/cli/ - program stack: one command, then exit.
SRCS_orchestrator/cli :=
USES_orchestrator/cli := orchestrator $(USES_orchestrator)

# options, help, output
SRCS_orchestrator/cli += $(addprefix orchestrator/cli/,options.c options_table.c help.c \
	output.c human.c template.c template_call.c template_print.c progress.c complete.c manual.c)
TESTS += $(addprefix tests/orchestrator/cli/,test_options test_output test_template test_progress test_complete)
FUZZERS += tests/fuzz/fuzz_template
