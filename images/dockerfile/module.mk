# images/dockerfile/ - the Dockerfile language (pure rooms: bytes in, values out), contexts, COPY and ADD, layers
# and images of a build.
SRCS_images/dockerfile := $(addprefix images/dockerfile/,expand.c graph.c ignore.c key.c lex.c \
	lex_directive.c lex_heredoc.c lint.c mount.c \
	parse.c report.c scope.c table.c)
SRCS_images/dockerfile += $(addprefix images/dockerfile/,capture.c chmod.c codec.c context.c context_fetch.c \
	context_git.c copy.c copy_archive.c copy_run.c copy_url.c download.c globs.c hash_file.c hashes.c placing.c \
	configure.c duration.c image.c image_commit.c run.c state.c \
	resolve.c share.c sources.c sources_key.c tree_out.c)
USES_images/dockerfile := images base
TESTS += $(addprefix tests/images/dockerfile/,test_configure test_expand test_graph test_hashes test_ignore test_key test_lex \
	test_lint test_parse test_scope)
KTESTS += $(addprefix tests/images/dockerfile/,k_cache k_capture k_context k_copy k_fetch k_share)
FUZZERS += tests/fuzz/fuzz_dockerfile tests/fuzz/fuzz_dockerfile_cache
