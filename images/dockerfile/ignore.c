/* images/dockerfile/ignore - .dockerignore patterns.
 *
 * Owns: their grammar and the match, one pass over the path for each pattern whatever it holds.
 * May not touch: files.
 */
#include "images/dockerfile/ignore.h"

#include <stdlib.h>
#include <string.h>

enum token_kind {
	TOKEN_BYTE,
	TOKEN_ANY,   /* ? */
	TOKEN_STAR,  /* * */
	TOKEN_DEEP,  /* two stars, a '/' behind them taken: nothing, or anything up to a '/' */
	TOKEN_ALL,   /* two stars at the end */
	TOKEN_CLASS, /* [a-z] */
};

struct token {
	enum token_kind kind;
	char byte;
	bool set[256]; /* TOKEN_CLASS; never '/' */
};

struct pattern {
	struct token **tokens;
	size_t count;
	bool takes_back;
	unsigned line;
};

struct df_ignore {
	struct pattern *patterns;
	size_t count;
};

/* Where a match may stand: at a token, or inside of the ** that it is. */
#define AT     1u
#define INSIDE 2u

/* -- parsing -------------------------------------------------------------------------------------
 */

/* [abc], [a-z], [^a]; *at stands behind '['. -1 without its end. */
static int parse_class(struct slice text, size_t *at, struct token *token)
{
	bool negated = *at < text.len && (text.at[*at] == '^' || text.at[*at] == '!');
	size_t i = *at + negated, first = i;

	for (; i < text.len && (text.at[i] != ']' || i == first); i++) {
		unsigned low = (unsigned char)text.at[i], high;

		if (low == '\\' && i + 1 < text.len)
			low = (unsigned char)text.at[++i];
		high = low;
		if (i + 2 < text.len && text.at[i + 1] == '-' && text.at[i + 2] != ']') {
			i += 2;
			if (text.at[i] == '\\' && i + 1 < text.len)
				i++;
			high = (unsigned char)text.at[i];
		}
		for (unsigned c = low; c <= high; c++)
			token->set[c] = true;
	}
	if (i >= text.len)
		return -1;
	for (size_t c = 0; negated && c < 256; c++)
		token->set[c] = !token->set[c];
	token->set['/'] = false;
	*at = i + 1;
	return 0;
}

static void parse_star(struct slice text, size_t *at, struct token *token)
{
	if (*at >= text.len || text.at[*at] != '*') {
		token->kind = TOKEN_STAR;
		return;
	}
	while (*at < text.len && text.at[*at] == '*')
		(*at)++;
	if (*at < text.len && text.at[*at] == '/')
		(*at)++;
	token->kind = *at < text.len ? TOKEN_DEEP : TOKEN_ALL;
}

static int parse_pattern(struct arena *arena, struct slice text, struct pattern *out)
{
	for (size_t at = 0; at < text.len;) {
		struct token *token = arena_alloc(arena, sizeof(*token)), **slot;
		char c = text.at[at++];

		token->byte = c;
		if (c == '?') {
			token->kind = TOKEN_ANY;
		} else if (c == '*') {
			parse_star(text, &at, token);
		} else if (c == '[') {
			token->kind = TOKEN_CLASS;
			if (parse_class(text, &at, token) < 0)
				return -1;
		} else if (c == '\\') {
			if (at == text.len)
				return -1;
			token->byte = text.at[at++];
		}
		slot = arena_grow(arena, &out->tokens, &out->count, sizeof(*slot));
		*slot = token;
	}
	return 0;
}

/* "a//b/./c/../d/" to "a/b/d", the leading '/' dropped. Returns a text in the arena. */
static struct slice clean_path(struct arena *arena, struct slice path)
{
	char *out = arena_alloc(arena, path.len + 1);
	struct slice part;
	size_t n = 0;

	while (slice_next(&path, '/', &part)) {
		if (!part.len || slice_is(part, "."))
			continue;
		if (slice_is(part, "..")) {
			while (n && out[n - 1] != '/')
				n--;
			n -= n > 0;
			continue;
		}
		if (n)
			out[n++] = '/';
		memcpy(out + n, part.at, part.len);
		n += part.len;
	}
	return (struct slice){ out, n };
}

static int parse_line(struct arena *arena, const char *name, struct slice line, unsigned number,
		      struct df_ignore *ignore, struct err *err)
{
	struct pattern pattern = { .line = number };
	struct slice path;

	if (line.len && line.at[0] == '#')
		return 0;
	line = slice_trim(line);
	if (!line.len)
		return 0;
	if (line.at[0] == '!') {
		pattern.takes_back = true;
		line = slice_trim((struct slice){ line.at + 1, line.len - 1 });
		if (!line.len)
			return err_set(err, ERR_INVALID, "%s:%u: \"!\" without a pattern", name,
				       number);
	}
	if (line.len > DF_IGNORE_PATTERN_MAX || ignore->count >= DF_IGNORE_COUNT_MAX)
		return err_set(err, ERR_INVALID, "%s:%u: a pattern too long, or too many", name,
			       number);
	path = clean_path(arena, line);
	if (!path.len)
		return 0; /* "/" or ".": nothing is named */
	if (parse_pattern(arena, path, &pattern) < 0)
		return err_set(err, ERR_INVALID,
			       "%s:%u: \"%.*s\" is no pattern: [ or \\ has no end", name, number,
			       line.len > 80 ? 80 : (int)line.len, line.at);
	*(struct pattern *)arena_grow(arena, &ignore->patterns, &ignore->count, sizeof(pattern)) =
		pattern;
	return 0;
}

int df_ignore_parse(struct arena *arena, const char *name, struct slice text,
		    struct df_ignore **out, struct err *err)
{
	struct df_ignore *ignore = arena_alloc(arena, sizeof(*ignore));
	struct slice line;
	unsigned number = 0;

	if (text.len >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
		text = (struct slice){ text.at + 3, text.len - 3 };
	while (slice_next(&text, '\n', &line))
		if (parse_line(arena, name, line, ++number, ignore, err) < 0)
			return -1;
	*out = ignore;
	return 0;
}

/* -- matching ------------------------------------------------------------------------------------
 */

/* Tokens that may match nothing let the next one begin, too. */
static void spread(const struct pattern *pattern, unsigned char *places)
{
	for (size_t i = 0; i < pattern->count; i++)
		if ((places[i] & AT) && (pattern->tokens[i]->kind == TOKEN_STAR ||
					 pattern->tokens[i]->kind == TOKEN_DEEP ||
					 pattern->tokens[i]->kind == TOKEN_ALL))
			places[i + 1] |= AT;
}

static void step_token(const struct token *token, char c, unsigned char *next)
{
	switch (token->kind) {
	case TOKEN_BYTE:
		next[1] |= token->byte == c ? AT : 0;
		break;
	case TOKEN_ANY:
		next[1] |= c != '/' ? AT : 0;
		break;
	case TOKEN_CLASS:
		next[1] |= token->set[(unsigned char)c] ? AT : 0;
		break;
	case TOKEN_STAR:
		next[0] |= c != '/' ? AT : 0;
		break;
	case TOKEN_ALL:
		next[0] |= AT;
		break;
	case TOKEN_DEEP:
		next[0] |= INSIDE;
		next[1] |= c == '/' ? AT : 0;
		break;
	}
}

enum match_result { MATCH_NONE, MATCH_MAYBE_INSIDE, MATCH_YES };

/* YES: the path or one of its parents; MAYBE_INSIDE: something below the path could. */
static enum match_result match(const struct pattern *pattern, const char *path)
{
	unsigned char rows[2][DF_IGNORE_PATTERN_MAX + 2] = { { AT } };
	unsigned char *now = rows[0], *next = rows[1];
	size_t n = pattern->count;

	spread(pattern, now);
	for (const char *at = path;; at++) {
		char c = *at ? *at : '/';
		bool is_alive = false;
		unsigned char *reuse = now;

		if (c == '/' && at != path && (now[n] & AT))
			return MATCH_YES;
		memset(next, 0, n + 1);
		for (size_t i = 0; i < n; i++)
			if (now[i])
				step_token(pattern->tokens[i], c, next + i);
		spread(pattern, next);
		for (size_t i = 0; i <= n; i++)
			is_alive = is_alive || next[i];
		if (!is_alive)
			return MATCH_NONE;
		if (!*at)
			return MATCH_MAYBE_INSIDE;
		now = next;
		next = reuse;
	}
}

/* The last pattern that matches, or NULL. */
static const struct pattern *decider(const struct df_ignore *ignore, const char *path)
{
	for (size_t i = ignore ? ignore->count : 0; i-- > 0;)
		if (match(&ignore->patterns[i], path) == MATCH_YES)
			return &ignore->patterns[i];
	return NULL;
}

bool df_ignore_excludes(const struct df_ignore *ignore, const char *path, unsigned *out_line)
{
	const struct pattern *pattern = decider(ignore, path);

	if (out_line)
		*out_line = pattern ? pattern->line : 0;
	return pattern && !pattern->takes_back;
}

bool df_ignore_excludes_tree(const struct df_ignore *ignore, const char *path)
{
	const struct pattern *pattern = decider(ignore, path);

	if (!pattern || pattern->takes_back)
		return false;
	for (pattern++; pattern < ignore->patterns + ignore->count; pattern++)
		if (pattern->takes_back && match(pattern, path) != MATCH_NONE)
			return false;
	return true;
}
