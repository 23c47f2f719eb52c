/* runtime/options - flags of the command line by tables. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum option_type {
	OPTION_BOOL,  /* bool; --flag, --flag=true, --flag=false */
	OPTION_TEXT,  /* const char * */
	OPTION_TEXTS, /* struct option_texts, each use adds one */
	OPTION_COUNT  /* unsigned */
};

struct option_texts {
	const char *at[64];
	size_t count;
};

struct option_row {
	const char *name;
	char letter; /* 0: none */
	enum option_type type;
	size_t offset;
	const char *help; /* "DIR  where ..." */
};

/* Parses argv[*index ...] into target until the first positional (stop_early) or the end;
 * positionals are collected in out_rest (room for argc), everything behind "--" too. out_rest NULL:
 * parsing ends at the first positional, where *index is left. ERR_INVALID names the flag. */
int options_parse(const struct option_row *table, void *target, int argc, char **argv, int *index,
		  bool stop_early, const char **out_rest, size_t *out_rest_count, struct err *err);
