/* orchestrator/cli/options - option tables to values.
 *
 * A program is a tree of struct command: the root carries the global flags, groups (image, volume
 *...) have children, leaves have a function. Parsing, help (cli/help), completion (cli/complete)
 *and man pages (cli/manual) walk the same tables. One thread, never blocks, knows nothing of what
 *the options mean.
 *
 *	struct options *options = options_new(&root);
 *	if (options_parse(options, argc, argv, &err) < 0) ...     ERR_NOT_FOUND: unknown command
 *	if (options_wants_help(options)) help_print(stdout, options);
 *	options_apply_env(options, lookup, NULL, &err);
 *	options_command(options)->run(cli, options, &err);
 *
 * Words: --flag=v, --flag v, -fv, -f v, -f=v, joined short booleans -dT, --flag=false, "--" ends
 *flags. Flags of the command stand anywhere behind its name; global ones are taken there too where
 *the command has none of that name. COMMAND_STOPS: from the first argument on everything is
 *argument (exec, run).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

enum option_kind {
	OPTION_FLAG, /* true, false, or not given: options_is_given tells the third state */
	OPTION_TEXT,
	OPTION_LIST,   /* may be repeated */
	OPTION_NUMBER, /* whole, signed */
	OPTION_CHOICE, /* one of the words in `value` */
	OPTION_KIND_COUNT
};

#define OPTION_HIDDEN 1u /* works, but is not shown */
#define OPTION_PATHS                                                                               \
	2u /* the variable of a LIST is split at COMPOSE_PATH_SEPARATOR (or ':'), else at ',' */

struct option_row {
	const char *name; /* long name without its dashes; NULL ends a table */
	char letter;      /* 0: none */
	enum option_kind kind;
	const char *value; /* what help calls the value ("FILE"); CHOICE: "always|missing|never" */
	const char *help;  /* one phrase, no full stop */
	const char *fallback; /* value when nothing sets it, as text; FLAG: "true" or NULL */
	const char *env;      /* variable that sets it, NULL: none */
	const char *alias;    /* a second long name, not shown */
	unsigned flags;
	int64_t min, max; /* NUMBER; both 0: any */
};

/* Rows that read well; further fields follow as designators:
 *	OPT_TEXT("project-name", 'p', "NAME", "Name of the project", .env = "COMPOSE_PROJECT_NAME")
 */
#define OPT_FLAG(name_, letter_, help_, ...)                                                       \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = OPTION_FLAG, .help = (help_),        \
		__VA_ARGS__                                                                        \
	}
#define OPT_TEXT(name_, letter_, value_, help_, ...)                                               \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = OPTION_TEXT, .value = (value_),      \
		.help = (help_), __VA_ARGS__                                                       \
	}
#define OPT_LIST(name_, letter_, value_, help_, ...)                                               \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = OPTION_LIST, .value = (value_),      \
		.help = (help_), __VA_ARGS__                                                       \
	}
#define OPT_NUMBER(name_, letter_, value_, help_, ...)                                             \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = OPTION_NUMBER, .value = (value_),    \
		.help = (help_), __VA_ARGS__                                                       \
	}
#define OPT_CHOICE(name_, letter_, words_, help_, ...)                                             \
	{                                                                                          \
		.name = (name_), .letter = (letter_), .kind = OPTION_CHOICE, .value = (words_),    \
		.help = (help_), __VA_ARGS__                                                       \
	}
#define OPT_END                                                                                    \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* What stands in the places of the arguments: for completion. */
enum argument_kind {
	ARGUMENT_OTHER,
	ARGUMENT_SERVICE,
	ARGUMENT_CONTAINER,
	ARGUMENT_IMAGE,
	ARGUMENT_VOLUME,
	ARGUMENT_NETWORK,
	ARGUMENT_PROJECT,
	ARGUMENT_FILE,
	ARGUMENT_KIND_COUNT
};

struct cli;     /* the program's context; main knows it */
struct options; /* the parsed command line; opaque */

/* A command. Returns its exit status (>= 0), or -1 with *err. */
typedef int command_run(struct cli *cli, const struct options *options, struct err *err);

#define COMMAND_STOPS  1u /* from the first argument on everything is argument */
#define COMMAND_HIDDEN 2u
#define ARGUMENTS_ANY  UINT32_MAX

struct command {
	const char *name;            /* NULL ends a table */
	const char *alias;           /* further names, '|' between them */
	const char *arguments;       /* behind the flags in the usage line: "[SERVICE...]" */
	const char *summary;         /* one sentence */
	const char *details;         /* paragraphs for the help and the manual; may be NULL */
	const char *const *examples; /* command line, what it does, command line, ... NULL */
	const char *heading; /* the part of the parent's help that lists it; NULL: "Commands" */
	const struct option_row *options; /* NULL: none */
	const struct command *children;   /* NULL: a leaf */
	command_run *run; /* NULL: a group; both: what is no child's name is an argument */
	uint32_t arguments_min, arguments_max;
	enum argument_kind argument_kind;
	unsigned flags;
};

/* Nothing parsed yet; the tables are borrowed. Never NULL. */
struct options *options_new(const struct command *root);
void options_free(struct options *options);
AUTO_TYPE(options, options_free);

/* Parses argv[1..]; its texts are copied, argv may be overwritten later. ERR_INVALID: a wrong flag,
 * value or number of arguments, with the nearest name and the command whose help says more.
 * ERR_NOT_FOUND: no such command; then options_command is the group that was searched. Without a
 * command: as --help. */
int options_parse(struct options *options, int argc, char **argv, struct err *err);
/* Sets from variables what the command line did not set, nor an earlier call (the environment
 * first, then the .env file). lookup: NULL when there is none; empty counts as none. Texts are
 * copied. */
int options_apply_env(struct options *options, const char *(*lookup)(void *ctx, const char *name),
		      void *ctx, struct err *err);

/* After ERR_NOT_FOUND of options_parse: the word that is no command; else NULL. */
const char *options_unknown(const struct options *options);
bool options_wants_help(const struct options *options);
/* The command that was named last, at least the root. */
const struct command *options_command(const struct options *options);
/* "stack image ls". Borrowed. */
const char *options_path(const struct options *options);

/* Arguments: NULL-terminated, borrowed. */
size_t options_argument_count(const struct options *options);
const char *const *options_arguments(const struct options *options);
const char *options_argument(const struct options *options, size_t i); /* NULL behind the last */

/* Values by long name, of the command, its groups, then the root. A name that no table has, or
 * another kind's, is our own fault and ends the process. */
bool options_flag(const struct options *options, const char *name);
const char *options_text(const struct options *options,
			 const char *name); /* TEXT, CHOICE; NULL: not set */
int64_t options_number(const struct options *options,
		       const char *name); /* not set, no default: 0 */
/* NULL-terminated, never NULL; *out_count may be NULL. */
const char *const *options_list(const struct options *options, const char *name, size_t *out_count);
/* On the command line (given), or there or in a variable (set). */
bool options_is_given(const struct options *options, const char *name);
bool options_is_set(const struct options *options, const char *name);
/* The same look-ups for the root's flags alone, where a command has one of the same name. */
const struct options *options_globals(const struct options *options);

/* For those who walk the tables. Levels: 0 is the root. The whole tree is checked by
 * options_check: doubled names or letters, rows without help, choices without words, a default that
 * does not parse; *err names the first. */
size_t options_level_count(const struct options *options);
const struct command *options_level(const struct options *options, size_t level);
/* The child called so (alias too), or NULL. */
const struct command *command_child(const struct command *parent, const char *name);
const struct option_row *option_row_named(const struct option_row *table, const char *name,
					  size_t len);
const struct option_row *option_row_lettered(const struct option_row *table, char letter);
int options_check(const struct command *root, struct err *err);
