/* base/text - slices of text, splitting, quoting, near misses.
 *
 * Owns: what counts as near. May not touch: the heap, the locale.
 */
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define WORD_MAX 64 /* longer words are no typing slips of ours */

bool slice_next(struct slice *rest, char separator, struct slice *out_part)
{
	const char *end;

	if (!rest->at)
		return false;
	end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	if (!end) {
		*out_part = *rest;
		*rest = (struct slice){ NULL, 0 };
		return true;
	}
	*out_part = (struct slice){ rest->at, (size_t)(end - rest->at) };
	rest->len -= out_part->len + 1;
	rest->at = end + 1;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct slice slice_trim(struct slice text)
{
	while (text.len && is_blank(text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

bool slice_is(struct slice text, const char *other)
{
	return strlen(other) == text.len && memcmp(text.at, other, text.len) == 0;
}

bool slice_split(struct slice text, char separator, struct slice *out_left, struct slice *out_right)
{
	struct slice rest = text, left = { "", 0 };

	slice_next(&rest, separator, &left);
	*out_left = left;
	*out_right = rest.at ? rest : (struct slice){ "", 0 };
	return rest.at != NULL;
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && memcmp(text + len - tail, suffix, tail) == 0;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t low = a < b ? a : b;

	return low < c ? low : c;
}

/* Optimal string alignment: insert, delete, change, or swap two neighbours, each for 1. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *reuse = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			bool same = a[i - 1] == b[j - 1];

			now[j] = smallest(last[j] + 1, now[j - 1] + 1, last[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = reuse;
	}
	return last[b_len];
}

const char *text_near(const char *word, const char *(*candidate)(const void *ctx, size_t i),
		      const void *ctx)
{
	size_t len = strlen(word), best = len / 3 + 1;
	const char *nearest = NULL, *name;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; (name = candidate(ctx, i)) != NULL; i++) {
		size_t name_len = strlen(name), d;

		if (name_len > WORD_MAX)
			continue;
		if (strcasecmp(word, name) == 0)
			return name;
		d = distance(word, len, name, name_len);
		if (d < best || (d == best && !nearest && d <= len / 3)) {
			best = d;
			nearest = name;
		}
	}
	return nearest;
}

static const char *array_candidate(const void *ctx, size_t i)
{
	const char *const *names = ctx;

	return names[i];
}

const char *text_near_in(const char *word, const char *const *candidates)
{
	return text_near(word, array_candidate, candidates);
}

char *text_plain(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return text;
}
