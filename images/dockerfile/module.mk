# images/dockerfile/ - the Dockerfile language and the build cache. Pure rooms: bytes in, values out.
SRCS_images/dockerfile := $(addprefix images/dockerfile/,expand.c graph.c ignore.c key.c lex.c \
	lex_directive.c lex_heredoc.c lint.c mount.c \
	parse.c report.c scope.c table.c)
USES_images/dockerfile := images base
TESTS += $(addprefix tests/images/dockerfile/,test_expand test_graph test_ignore test_key test_lex \
	test_lint test_parse test_scope)
FUZZERS += tests/fuzz/fuzz_dockerfile
