/* images/dockerfile/expand - $NAME in all its forms.
 *
 * Owns: the grammar of forms, quotes and escapes; the globs of # % and /.
 * May not touch: where values come from (scope), files, the environment.
 */
#include "images/dockerfile/expand.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Text that grows, and words beside it when words are wanted. */
struct out {
	char *bytes; /* on the heap */
	size_t len, capacity;
	bool splits, in_word;
	const char **words; /* in the arena */
	size_t word_count;
};

struct walk {
	const struct df_expansion *how;
	const char *text;
	size_t len, at;
	struct out *out;
	unsigned depth;
	bool raw_escapes; /* inside a pattern: '\' stays for the glob */
	struct err *err;
	size_t fault;
};

/* What ends a part: 0 is the end of the text. */
static int expand_until(struct walk *walk, char stop);

static int fail(struct walk *walk, size_t at, const char *message)
{
	walk->fault = at;
	return err_set(walk->err, ERR_INVALID, "%s", message);
}

static void put(struct out *out, char c)
{
	if (out->len + 1 >= out->capacity) {
		out->capacity = out->capacity ? out->capacity * 2 : 64;
		out->bytes = xrealloc(out->bytes, out->capacity, 1);
	}
	out->bytes[out->len++] = c;
	out->in_word = true;
}

static void end_word(struct walk *walk)
{
	struct out *out = walk->out;
	const char **slot;

	if (!out->in_word)
		return;
	slot = arena_grow(walk->how->arena, &out->words, &out->word_count, sizeof(*slot));
	*slot = arena_strndup(walk->how->arena, out->bytes ? out->bytes : "", out->len);
	out->len = 0;
	out->in_word = false;
}

/* A value's bytes; outside of quotes its blanks part words. */
static void put_text(struct walk *walk, const char *text, size_t len, bool is_quoted)
{
	for (size_t i = 0; i < len; i++) {
		bool is_blank = text[i] == ' ' || text[i] == '\t' || text[i] == '\n';

		if (walk->out->splits && !is_quoted && is_blank)
			end_word(walk);
		else
			put(walk->out, text[i]);
	}
}

/* -- globs ---------------------------------------------------------------------------------------
 */

/* Whether pattern matches exactly text: '*', '?', '\' before a plain byte. Linear but for the last
 * star, which alone is ever tried again. */
static bool glob_is(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, star_text = 0;

	while (t < text.len) {
		size_t plain = p + (p + 1 < pattern.len && pattern.at[p] == '\\');

		if (p < pattern.len && pattern.at[p] == '*') {
			star = p++;
			star_text = t;
		} else if (p < pattern.len &&
			   (pattern.at[p] == '?' || pattern.at[plain] == text.at[t])) {
			p = pattern.at[p] == '?' ? p + 1 : plain + 1;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++star_text;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.at[p] == '*')
		p++;
	return p == pattern.len;
}

/* Bytes at the front (or the back) of value that pattern matches, the fewest or the most; SIZE_MAX:
 * none. */
static size_t glob_part(struct slice pattern, struct slice value, bool at_end, bool greedy)
{
	for (size_t i = 0; i <= value.len; i++) {
		size_t n = greedy ? value.len - i : i;
		struct slice part = { at_end ? value.at + value.len - n : value.at, n };

		if (glob_is(pattern, part))
			return n;
	}
	return SIZE_MAX;
}

static void put_replaced(struct walk *walk, struct slice value, struct slice pattern,
			 struct slice by, bool all, bool is_quoted)
{
	bool done = false;

	while (value.len) {
		size_t n = done && !all ? SIZE_MAX : glob_part(pattern, value, false, true);

		if (n == SIZE_MAX || n == 0) {
			put_text(walk, value.at, 1, is_quoted);
			n = 1;
		} else {
			put_text(walk, by.at, by.len, is_quoted);
			done = true;
		}
		value.at += n;
		value.len -= n;
	}
}

/* -- forms ---------------------------------------------------------------------------------------
 */

static bool is_name_byte(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!is_first && c >= '0' && c <= '9');
}

/* A name, digits alone, or one of the shell's special parameters. */
static const char *take_name(struct walk *walk)
{
	size_t start = walk->at;

	if (start < walk->len && walk->text[start] >= '0' && walk->text[start] <= '9') {
		walk->at += 1;
		while (walk->at < walk->len && walk->text[walk->at] >= '0' &&
		       walk->text[walk->at] <= '9')
			walk->at++;
	} else if (start < walk->len && memchr("@*#?-$!", walk->text[start], 7)) {
		walk->at++;
	} else {
		while (walk->at < walk->len &&
		       is_name_byte(walk->text[walk->at], walk->at == start))
			walk->at++;
	}
	return arena_strndup(walk->how->arena, walk->text + start, walk->at - start);
}

/* A word inside a form up to stop, as a text of its own; the stop byte is taken. */
static int take_word(struct walk *walk, char stop, bool raw_escapes, struct slice *out_word)
{
	struct out *outer = walk->out;
	struct out inner = { 0 };
	bool outer_raw = walk->raw_escapes;
	int result;

	walk->out = &inner;
	walk->raw_escapes = raw_escapes;
	result = expand_until(walk, stop);
	walk->out = outer;
	walk->raw_escapes = outer_raw;
	if (result == 0)
		*out_word =
			(struct slice){ arena_strndup(walk->how->arena,
						      inner.bytes ? inner.bytes : "", inner.len),
					inner.len };
	free(inner.bytes);
	return result;
}

static void put_value(struct walk *walk, const char *name, const char *value, bool is_quoted)
{
	if (value)
		put_text(walk, value, strlen(value), is_quoted);
	else if (walk->how->unset)
		walk->how->unset(walk->how->context, name);
}

static int expand_modifier(struct walk *walk, const char *name, const char *value, size_t start,
			   bool is_quoted)
{
	char modifier = walk->text[walk->at++];
	bool colon = modifier == ':', greedy = false, is_set;
	struct slice word = { "", 0 }, by = { "", 0 };
	struct slice whole = { value ? value : "", value ? strlen(value) : 0 };
	size_t n;

	if (colon)
		modifier = walk->at < walk->len ? walk->text[walk->at++] : '\0';
	if (!modifier || !strchr(colon ? "-+?" : "-+?#%/", modifier))
		return fail(walk, start,
			    "this is no form of a variable (want ${NAME}, ${NAME:-default}, ...)");
	is_set = value && (*value || !colon);
	if (strchr("#%/", modifier) && walk->at < walk->len && walk->text[walk->at] == modifier) {
		greedy = true;
		walk->at++;
	}
	if (take_word(walk, modifier == '/' ? '/' : '}', strchr("#%/", modifier) != NULL, &word) <
		    0 ||
	    (modifier == '/' && take_word(walk, '}', false, &by) < 0)) {
		walk->fault = start;
		return -1;
	}
	switch (modifier) {
	case '-':
		is_set ? put_text(walk, value, strlen(value), is_quoted)
		       : put_text(walk, word.at, word.len, is_quoted);
		return 0;
	case '+':
		if (is_set)
			put_text(walk, word.at, word.len, is_quoted);
		return 0;
	case '?':
		if (is_set) {
			put_text(walk, value, strlen(value), is_quoted);
			return 0;
		}
		walk->fault = start;
		return err_set(walk->err, ERR_INVALID, "%.60s: %.120s", name,
			       word.len ? word.at
			       : value  ? "is not allowed to be empty"
					: "is not allowed to be unset");
	case '/':
		put_replaced(walk, whole, word, by, greedy, is_quoted);
		return 0;
	default:
		n = glob_part(word, whole, modifier == '%', greedy);
		n = n == SIZE_MAX ? 0 : n;
		put_text(walk, whole.at + (modifier == '#' ? n : 0), whole.len - n, is_quoted);
		return 0;
	}
}

/* Behind a '$'. */
static int expand_dollar(struct walk *walk, bool is_quoted)
{
	size_t start = walk->at - 1;
	const char *name, *value;

	if (walk->at == walk->len || walk->text[walk->at] != '{') {
		name = take_name(walk);
		if (!*name)
			put(walk->out, '$');
		else
			put_value(walk, name, walk->how->lookup(walk->how->context, name),
				  is_quoted);
		return 0;
	}
	walk->at++;
	name = take_name(walk);
	if (walk->at == walk->len)
		return fail(walk, start, "the variable has no closing }");
	if (!*name)
		return fail(walk, start, "this is no form of a variable: a name is missing");
	value = walk->how->lookup(walk->how->context, name);
	if (walk->text[walk->at] == '}') {
		walk->at++;
		put_value(walk, name, value, is_quoted);
		return 0;
	}
	return expand_modifier(walk, name, value, start, is_quoted);
}

/* -- quotes --------------------------------------------------------------------------------------
 */

static int expand_single(struct walk *walk, size_t start)
{
	walk->out->in_word = true;
	for (; walk->at < walk->len; walk->at++) {
		if (walk->text[walk->at] == '\'') {
			walk->at++;
			return 0;
		}
		put(walk->out, walk->text[walk->at]);
	}
	return fail(walk, start, "a single quote has no end");
}

static int expand_double(struct walk *walk, size_t start)
{
	walk->out->in_word = true;
	while (walk->at < walk->len) {
		char c = walk->text[walk->at++];

		if (c == '"')
			return 0;
		if (c == '$') {
			if (expand_dollar(walk, true) < 0)
				return -1;
			continue;
		}
		if (c == walk->how->escape && walk->at < walk->len) {
			char next = walk->text[walk->at++];

			if (next != '"' && next != '$' && next != walk->how->escape)
				put(walk->out, c);
			c = next;
		}
		put(walk->out, c);
	}
	return fail(walk, start, "a double quote has no end");
}

static void expand_escape(struct walk *walk)
{
	char next;

	if (walk->at == walk->len) {
		if (walk->how->flags & DF_EXPAND_KEEP_QUOTES)
			put(walk->out, walk->how->escape);
		return;
	}
	next = walk->text[walk->at++];
	if (walk->raw_escapes)
		put(walk->out, '\\');
	else if ((walk->how->flags & DF_EXPAND_KEEP_QUOTES) && next != '$' &&
		 next != walk->how->escape)
		put(walk->out, walk->how->escape);
	put(walk->out, next);
}

static int expand_byte(struct walk *walk)
{
	bool keeps_quotes = walk->how->flags & DF_EXPAND_KEEP_QUOTES;
	size_t start = walk->at;
	char c = walk->text[walk->at++];

	if (c == '$')
		return expand_dollar(walk, false);
	if (c == walk->how->escape)
		expand_escape(walk);
	else if (c == '\'' && !keeps_quotes)
		return expand_single(walk, start);
	else if (c == '"' && !keeps_quotes)
		return expand_double(walk, start);
	else
		put_text(walk, &c, 1, false);
	return 0;
}

static int expand_until(struct walk *walk, char stop)
{
	size_t start = walk->at;

	if (walk->depth >= DF_EXPAND_DEPTH_MAX)
		return fail(walk, start, "variables nest too deep");
	walk->depth++;
	while (walk->at < walk->len) {
		if (stop && walk->text[walk->at] == stop) {
			walk->at++;
			walk->depth--;
			return 0;
		}
		if (expand_byte(walk) < 0)
			return -1;
		if (walk->out->len > DF_EXPAND_BYTES_MAX)
			return fail(walk, start, "the variables make it too large");
	}
	walk->depth--;
	return stop ? fail(walk, start,
			   stop == '}' ? "the variable has no closing }"
				       : "the pattern has no closing /")
		    : 0;
}

static int run(const struct df_expansion *how, struct slice text, struct out *out,
	       size_t *out_offset, struct walk *walk, struct err *err)
{
	int result;

	*walk = (struct walk){
		.how = how, .text = text.at, .len = text.len, .out = out, .err = err
	};
	result = expand_until(walk, '\0');
	if (out_offset)
		*out_offset = walk->fault;
	return result;
}

int df_expand(const struct df_expansion *how, struct slice text, const char **out,
	      size_t *out_offset, struct err *err)
{
	struct out whole = { 0 };
	struct walk walk;
	int result = run(how, text, &whole, out_offset, &walk, err);

	if (result == 0)
		*out = arena_strndup(how->arena, whole.bytes ? whole.bytes : "", whole.len);
	free(whole.bytes);
	return result;
}

int df_expand_words(const struct df_expansion *how, struct slice text, const char ***out_words,
		    size_t *out_count, size_t *out_offset, struct err *err)
{
	struct out words = { .splits = true };
	struct walk walk;
	int result = run(how, text, &words, out_offset, &walk, err);

	if (result == 0) {
		end_word(&walk);
		*out_words = words.words;
		*out_count = words.word_count;
	}
	free(words.bytes);
	return result;
}
