/* images/dockerfile/ignore - .dockerignore: which paths of a context do not exist for COPY.
 *
 * Pure; a parsed list is read-only and may be shared. Source: docker's ".dockerignore file": one
 * pattern a line, '#' comments, '!' takes back, the last match wins, a pattern matches all below
 * it. '*' and '?' and [a-z] stop at '/', '**' does not, '\' makes the next byte plain. Also used
 * for --exclude.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define DF_IGNORE_PATTERN_MAX 4096u  /* bytes of a pattern */
#define DF_IGNORE_COUNT_MAX   16384u /* patterns of a list */

struct df_ignore;

/* name is for errors (".dockerignore"): INVALID "NAME:LINE: ...". Nothing of text is kept. */
int df_ignore_parse(struct arena *arena, const char *name, struct slice text,
		    struct df_ignore **out, struct err *err);

/* Whether the path (relative to the context, "a/b", no "." or ".." in it) is excluded. *out_line
 * (or NULL) is the line of the pattern that decided, 0 when none matched. NULL list: never. */
bool df_ignore_excludes(const struct df_ignore *ignore, const char *path, unsigned *out_line);
/* Whether a folder and all that may be in it is excluded, so that nobody need walk it: it is
 * excluded and no later '!' pattern can match inside. */
bool df_ignore_excludes_tree(const struct df_ignore *ignore, const char *path);
