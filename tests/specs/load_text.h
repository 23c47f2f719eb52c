/* tests/specs/load_text - a project from a text, for tests alone. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "specs/load.h"

/* Loads the text as standard input; options may be NULL. */
static inline int load_text(struct arena *arena, const char *text,
			    const struct load_options *options, struct load_result *out)
{
	struct load_options load = options ? *options : (struct load_options){ 0 };
	static const char *const file = "-";
	int fd = memfd_create("stack-file", MFD_CLOEXEC), status;

	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	if (!load.working_dir)
		load.working_dir = "/project";
	load.files = &file;
	load.file_count = 1;
	load.stdin_fd = fd;
	status = project_load(arena, &load, out);
	close(fd);
	return status;
}

/* As load_text for texts that must load. */
static inline struct project *load_good(struct arena *arena, const char *text)
{
	struct load_result result;

	if (load_text(arena, text, NULL, &result) < 0) {
		fprintf(stderr, "%s\n", problem_text(arena, &result.problems.errors[0]));
		abort();
	}
	return result.project;
}
