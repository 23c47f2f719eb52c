/* images/dockerfile/expand - $NAME in all its forms, quotes and escapes taken off.
 *
 * Pure; one thread per arena. Source: Dockerfile reference, "Environment replacement". Forms:
 * $NAME ${NAME} ${NAME:-w} ${NAME-w} ${NAME:+w} ${NAME+w} ${NAME:?w} ${NAME?w} ${NAME#p} ${NAME##p}
 * ${NAME%p} ${NAME%%p} ${NAME/p/r} ${NAME//p/r}; w, p and r may hold forms again. p is a glob of
 * '*' and '?'
 * ('\' makes the next byte plain). Single quotes and an escape byte keep '$' as it is. As in a
 * shell $1 and $$, $@, $* and their like are names, too (and never set here).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define DF_EXPAND_DEPTH_MAX 32u        /* forms inside forms */
#define DF_EXPAND_BYTES_MAX (1u << 20) /* of one result */

#define DF_EXPAND_KEEP_QUOTES                                                                      \
	1u /* heredoc texts: quotes are plain, escapes only before $ and itself */

struct df_expansion {
	struct arena *arena;
	char escape; /* '\\' or '`' */
	unsigned flags;
	/* The value, or NULL when it is not set. */
	const char *(*lookup)(void *context, const char *name);
	/* Told each use of an unset name that has no default. May be NULL. */
	void (*unset)(void *context, const char *name);
	void *context;
};

/* One word or text as a whole. *out is NUL-terminated, in the arena. Errors: INVALID with the
 * reason alone (the caller puts the place in front); *out_offset (or NULL) is the byte of text
 * where the wrong form begins. */
int df_expand(const struct df_expansion *how, struct slice text, const char **out,
	      size_t *out_offset, struct err *err);

/* The same, and then split at blanks that stand outside of quotes, also blanks out of a value:
 * `EXPOSE $PORTS`. Empty words are dropped unless quoted. */
int df_expand_words(const struct df_expansion *how, struct slice text, const char ***out_words,
		    size_t *out_count, size_t *out_offset, struct err *err);
