/* images/dockerfile/lex_heredoc - the texts behind <<WORD.
 *
 * Owns: which words open a heredoc, where it ends, what is cut from it.
 * May not touch: what RUN and COPY do with the texts.
 */
#include <string.h>
#include <strings.h>

#include "images/dockerfile/lexer.h"

/* "RUN", "COPY", "ADD" open heredocs; ONBUILD in front of them changes nothing. Offset of what
 * stands behind the instruction word, 0 when it opens none. */
static size_t heredoc_start(const struct df_line *line)
{
	static const char *const openers[] = { "run", "copy", "add" };
	size_t offset = 0;
	struct slice word;

	while (df_next_word(line->text, line->len, '\0', &offset, &word, NULL)) {
		for (size_t i = 0; i < sizeof(openers) / sizeof(*openers); i++)
			if (word.len == strlen(openers[i]) &&
			    strncasecmp(word.at, openers[i], word.len) == 0)
				return offset;
		if (word.len != 7 || strncasecmp(word.at, "onbuild", 7) != 0)
			return 0;
	}
	return 0;
}

/* [DIGITS]<<[-]NAME with quotes or escapes in NAME. False when the word is no such thing. */
static bool parse_heredoc_word(struct arena *arena, struct slice word, char escape,
			       struct df_heredoc *out)
{
	size_t digits = 0, at, n = 0;
	char *name, quote = 0;

	while (digits < word.len && word.at[digits] >= '0' && word.at[digits] <= '9')
		digits++;
	at = digits;
	if (word.len < at + 3 || memcmp(word.at + at, "<<", 2) != 0)
		return false;
	at += 2;
	out->cuts_tabs = word.at[at] == '-';
	at += out->cuts_tabs;
	if (memchr(word.at + at, '<', word.len - at))
		return false;
	name = arena_alloc(arena, word.len + 1);
	for (; at < word.len; at++) {
		char c = word.at[at];

		if ((quote && c == quote) || (!quote && (c == '"' || c == '\''))) {
			quote = quote ? 0 : c;
			out->is_quoted = true;
			continue;
		}
		if (c == escape && quote != '\'' && at + 1 < word.len) {
			c = word.at[++at];
			out->is_quoted = true;
		}
		name[n++] = c;
	}
	out->name = name;
	out->descriptor = arena_strndup(arena, word.at, digits);
	return n > 0 && quote == 0;
}

static struct slice cut_tabs(struct slice raw)
{
	while (raw.len && raw.at[0] == '\t') {
		raw.at++;
		raw.len--;
	}
	return raw;
}

/* Reads lines until the ending word, which is taken, too. */
static int read_heredoc(struct lexer *lexer, struct df_heredoc *heredoc, struct df_place place,
			struct err *err)
{
	struct slice raw, start = lexer->rest;
	size_t len = 0;
	char *text;

	heredoc->first_line = lexer->line + 1;
	for (;;) {
		if (!lexer_next_raw(lexer, &raw))
			return df_report_fail(lexer->report, ERR_INVALID, place, err,
					      "the heredoc has no end: no line is \"%.60s\" alone",
					      heredoc->name);
		if (heredoc->cuts_tabs)
			raw = cut_tabs(raw);
		if (slice_is(lexer_without_line_end(raw), heredoc->name))
			break;
		len += raw.len;
		if (len > DF_HEREDOC_MAX)
			return df_report_fail(lexer->report, ERR_INVALID, place, err,
					      "the heredoc is longer than %u bytes",
					      DF_HEREDOC_MAX);
	}
	text = arena_alloc(lexer->report->arena, len + 1);
	heredoc->text = (struct slice){ text, len };
	while (len) {
		const char *end = memchr(start.at, '\n', start.len);

		raw = (struct slice){ start.at, (size_t)(end - start.at) + 1 };
		start.at += raw.len;
		start.len -= raw.len;
		if (heredoc->cuts_tabs)
			raw = cut_tabs(raw);
		memcpy(text, raw.at, raw.len);
		text += raw.len;
		len -= raw.len;
	}
	return 0;
}

int lexer_read_heredocs(struct lexer *lexer, struct df_line *line, struct err *err)
{
	size_t offset = heredoc_start(line);
	struct slice word;
	bool open = false;

	while (offset &&
	       df_next_word(line->text, line->len, lexer->source->escape, &offset, &word, &open)) {
		struct df_heredoc heredoc = { .offset = (size_t)(word.at - line->text),
					      .word_len = word.len };

		if (open || !memmem(word.at, word.len, "<<", 2) ||
		    !parse_heredoc_word(lexer->report->arena, word, lexer->source->escape,
					&heredoc))
			continue;
		if (read_heredoc(lexer, &heredoc, df_line_place(line, heredoc.offset), err) < 0)
			return -1;
		*(struct df_heredoc *)arena_grow(lexer->report->arena, &line->heredocs,
						 &line->heredoc_count, sizeof(heredoc)) = heredoc;
	}
	line->last_line = lexer->line;
	return 0;
}
