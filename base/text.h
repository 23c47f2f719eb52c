/* base/text - slices of text, splitting, quoting, near misses. Thread-safe, never blocks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* A piece of somebody else's text; not NUL-terminated. */
struct slice {
	const char *at;
	size_t len;
};

#define SLICE(text) ((struct slice){ (text), strlen(text) })
/* For printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(slice) (int)(slice).len, (slice).at

/* Cuts the text before the first `separator` off the front of *rest into *out_part; false when
 * *rest was at its end (at == NULL). "a,,b" gives a, "", b; "" gives one empty part. */
bool slice_next(struct slice *rest, char separator, struct slice *out_part);
struct slice slice_trim(struct slice text); /* blanks and tabs, line ends too, from both ends */
bool slice_is(struct slice text, const char *other);
/* Splits at the first separator: true and both parts, or false and *out_left = whole, *out_right =
 * "". */
bool slice_split(struct slice text, char separator, struct slice *out_left,
		 struct slice *out_right);

/* By bytes. Every text starts and ends with "". */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);

/* The candidate nearest to `word` when it is near enough to be a typing slip (edit distance with
 * transpositions, at most a third of the length), else NULL. candidate(ctx, i): NULL ends the list.
 */
const char *text_near(const char *word, const char *(*candidate)(const void *ctx, size_t i),
		      const void *ctx);
/* As text_near over a NULL-terminated array. */
const char *text_near_in(const char *word, const char *const *candidates);

/* In place: bytes that a terminal could take for a command (C0, DEL) become '?'. Returns text. */
char *text_plain(char *text);
