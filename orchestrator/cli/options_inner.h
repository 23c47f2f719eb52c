/* orchestrator/cli/options_inner - what options and options_parse share: the command line as far as
 * it is read. For options*.c alone. */
#pragma once
#include "base/arena.h"
#include "orchestrator/cli/options.h"

#define LEVELS_MAX 4 /* root, group, command, and one to spare */

struct value {
	bool given; /* on the command line */
	bool set;   /* there, or by a variable */
	bool flag;
	int64_t number;
	const char *text;
	const char **list; /* NULL-terminated, in the arena */
	size_t list_count;
};

struct level {
	const struct command *command;
	struct value *values; /* one for each row of the command's table */
};

struct options {
	struct arena *arena;
	struct level levels[LEVELS_MAX];
	size_t level_count;
	const char *path;
	const char **arguments;
	size_t argument_count;
	bool wants_help;
	const char *unknown;     /* the word that is no command */
	struct options *globals; /* the root's level alone; the values are shared */
};

/* How many rows stand before the end of the table; NULL: none. */
size_t options_row_count(const struct option_row *table);
/* One command deeper. ERR_INTERNAL beyond LEVELS_MAX. */
int options_push_level(struct options *options, const struct command *command, struct err *err);
/* The row by its name, the innermost table first; *out_value is its place. NULL: none. */
const struct option_row *options_find(const struct options *options, const char *name, size_t len,
				      struct value **out_value);
