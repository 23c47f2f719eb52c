/* images/dockerfile/globs - which names of a context a source of COPY means. For images/dockerfile
 * only.
 *
 * Patterns are those of Go's filepath.Match, folder by folder: '*' '?' '[a-z]' '\'; with
 * GLOBS_DEEP "**" is any depth. Links are not followed while a pattern is matched. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define GLOBS_DEEP  1u
#define GLOBS_MAX   (1u << 20) /* matches */
#define GLOBS_DEPTH 512u

bool df_globs_is_pattern(const char *text);
/* The names that match, sorted, NULL-terminated, in the arena; none is no error. pattern is clean
 * ("a/b*"). INVALID: a pattern without an end. */
int df_globs_find(int root_fd, struct arena *arena, const char *pattern, unsigned flags,
		  const char ***out, size_t *out_count, struct err *err);
