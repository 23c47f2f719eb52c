/* specs/problem - what is wrong with the user's files: where, at which key, and what would be
 * right.
 *
 * A list takes up to PROBLEMS_MAX errors (more are counted) and any number of warnings, each text
 * once. Texts live in the arena. Plain data; one thread; never blocks.
 */
#pragma once
#include "base/arena.h"
#include "specs/model_values.h"

#define PROBLEMS_MAX 20

enum problem_kind {
	PROBLEM_UNKNOWN_KEY, /* a key that no table has; message holds the near miss, when there is
				one */
	PROBLEM_TYPE,        /* a map where a list is wanted, a number where text is wanted ... */
	PROBLEM_VALUE,       /* right type, outside its grammar or range */
	PROBLEM_MISSING,     /* a file, a variable, a key that must be there */
	PROBLEM_REFERENCE,   /* a name that nobody declares */
	PROBLEM_CONFLICT,    /* two things that exclude each other */
	PROBLEM_DUPLICATE,
	PROBLEM_CYCLE,
	PROBLEM_SYNTAX, /* YAML, interpolation, command text */
	PROBLEM_EMPTY,
	PROBLEM_LIMIT, /* too deep, too large, too many */
	PROBLEM_KIND_COUNT
};

struct problem {
	enum problem_kind kind;
	struct place place;  /* file NULL: no place (a flag, a missing file) */
	const char *path;    /* "services.web.ports[0]", "" when no key is at fault */
	const char *message; /* one line */
	const char *source;  /* the line of the file, NULL when there is none */
};

/* A file that was read: its lines are shown below messages. */
struct source_text {
	const char *file;
	const char *text;
	size_t len;
};

struct problems {
	struct arena *arena;
	struct source_text *sources;
	size_t source_count;
	struct problem errors[PROBLEMS_MAX];
	size_t error_count; /* all, also those beyond PROBLEMS_MAX */
	struct problem *warnings;
	size_t warning_count;
};

/* Adds an error and returns -1, so that `return problem_error(...)` reads as one sentence. An error
 * that is there already (same place, path and message) is not added again. */
int problem_error(struct problems *problems, enum problem_kind kind, struct place place,
		  const char *path, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Adds a warning, unless its message is there already, or 200 others are. */
void problem_warn(struct problems *problems, struct place place, const char *path, const char *fmt,
		  ...) __attribute__((format(printf, 4, 5)));

/* Hands the text of a file over for the lines below messages; borrowed, must live as long as the
 * arena. */
void problem_add_source(struct problems *problems, const char *file, const char *text, size_t len);

/* "file:line:col: path: message" and, when the source line is known, the line and a caret below it;
 * no final newline. In the arena. Control characters are replaced. */
const char *problem_text(struct arena *arena, const struct problem *problem);
/* "unknown-key", "type" ...: stable names for JSON and tests. */
const char *problem_kind_name(enum problem_kind kind);
