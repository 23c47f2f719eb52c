/* specs/words - a command text to its words, as a shell would split it, without expanding anything.
 *
 * Owns: quotes, escapes, operators. May not touch: variables (specs/interpolate has been there).
 */
#include "specs/words.h"

#include <string.h>

struct splitter {
	struct arena *arena;
	const char *at;
	char *word; /* as long as the text at most */
	size_t len;
	bool open; /* a word has begun, maybe empty */
	struct texts *out;
};

static void put(struct splitter *splitter, char c)
{
	splitter->word[splitter->len++] = c;
	splitter->open = true;
}

static void end_word(struct splitter *splitter)
{
	const char **slot;

	if (!splitter->open)
		return;
	slot = arena_grow(splitter->arena, &splitter->out->items, &splitter->out->count,
			  sizeof(const char *));
	*slot = arena_strndup(splitter->arena, splitter->word, splitter->len);
	splitter->len = 0;
	splitter->open = false;
}

static int take_quoted(struct splitter *splitter, struct err *err)
{
	char quote = *splitter->at++;

	splitter->open = true;
	for (; *splitter->at && *splitter->at != quote; splitter->at++) {
		if (*splitter->at == '\\' && quote == '"' && splitter->at[1])
			splitter->at++;
		put(splitter, *splitter->at);
	}
	if (!*splitter->at)
		return err_set(err, ERR_INVALID, "an open quote (%c) in the command text", quote);
	splitter->at++;
	return 0;
}

/* $( ... ) or ` ... `, kept as it is. */
static int take_substitution(struct splitter *splitter, struct err *err)
{
	bool back = *splitter->at == '`';
	unsigned depth = 0;

	do {
		if (!*splitter->at)
			return err_set(err, ERR_INVALID, "an open %s in the command text",
				       back ? "backquote" : "$(");
		if (!back && *splitter->at == '(')
			depth++;
		if (!back && *splitter->at == ')')
			depth--;
		put(splitter, *splitter->at++);
	} while (back ? *splitter->at != '`' : depth > 0 || splitter->at[-1] == '$');
	if (back)
		put(splitter, *splitter->at++);
	return 0;
}

/* A number right before > belongs to the operator. */
static void drop_number(struct splitter *splitter)
{
	if (*splitter->at != '>' || !splitter->open)
		return;
	for (size_t i = 0; i < splitter->len; i++)
		if (splitter->word[i] < '0' || splitter->word[i] > '9')
			return;
	splitter->len = 0;
	splitter->open = false;
}

int words_split(struct arena *arena, const char *text, struct texts *out_words,
		const char **out_rest, struct err *err)
{
	struct splitter splitter = { .arena = arena, .at = text, .out = out_words };

	splitter.word = arena_alloc(arena, strlen(text) + 1);
	*out_words = (struct texts){ 0 };
	*out_rest = NULL;
	while (*splitter.at) {
		char c = *splitter.at;

		if (strchr(" \t\r\n", c)) {
			end_word(&splitter);
			splitter.at++;
		} else if (c == '\'' || c == '"') {
			if (take_quoted(&splitter, err) < 0)
				return -1;
		} else if (c == '`' || (c == '$' && splitter.at[1] == '(')) {
			if (take_substitution(&splitter, err) < 0)
				return -1;
		} else if (strchr("();&|<>", c)) {
			if (c == '(' || c == ')')
				return err_set(err, ERR_INVALID,
					       "a parenthesis in the command text; put it in "
					       "quotes, or run a shell: [sh, -c, ...]");
			drop_number(&splitter);
			*out_rest = splitter.at;
			break;
		} else {
			splitter.at += c == '\\' && splitter.at[1];
			put(&splitter, *splitter.at++);
		}
	}
	end_word(&splitter);
	return 0;
}
