/* specs/words - a command text to its words, as a shell would split it, without expanding anything.
 *
 * Blanks split; '...' is literal; a backslash takes the next character as it is, also inside "...";
 * $(...) and backquotes stay whole. An unquoted ; & | < > ends the command. Thread-safe; never
 * blocks.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "specs/model_values.h"

/* *out_rest is where an operator ended the command (in text), NULL when all of it was taken.
 * Errors: ERR_INVALID for an open quote or a parenthesis outside of $( ). */
int words_split(struct arena *arena, const char *text, struct texts *out_words,
		const char **out_rest, struct err *err);
