/* images/dockerfile/lex - bytes to logical lines.
 *
 * Owns: directives, comments, continuations, heredocs, and which byte stands where.
 * May not touch: what instructions mean (parse), variables (expand), files.
 */
#include "images/dockerfile/lex.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"

struct lexer {
	struct df_report *report;
	struct df_source *source;
	struct slice rest;    /* at == NULL: the end */
	unsigned line;        /* of the raw line last read */
	struct slice *pieces; /* of the logical line, on the heap */
	size_t piece_count;
	struct df_piece *places;
	size_t place_count;
	bool has_escape_directive, has_check_directive;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim_blanks(struct slice text)
{
	while (text.len && is_blank(text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

/* A raw line with its line end. */
static bool next_raw(struct lexer *lexer, struct slice *out_raw)
{
	const char *end;

	if (!lexer->rest.len)
		return false;
	end = memchr(lexer->rest.at, '\n', lexer->rest.len);
	*out_raw = lexer->rest;
	if (end)
		out_raw->len = (size_t)(end - lexer->rest.at) + 1;
	lexer->rest.at += out_raw->len;
	lexer->rest.len -= out_raw->len;
	lexer->line++;
	return true;
}

static struct slice without_line_end(struct slice raw)
{
	if (raw.len && raw.at[raw.len - 1] == '\n')
		raw.len--;
	if (raw.len && raw.at[raw.len - 1] == '\r')
		raw.len--;
	return raw;
}

/* Cuts the escape byte and the blanks after it; an escaped escape byte is none. */
static bool cut_continuation(struct slice *line, char escape)
{
	size_t len = line->len;

	while (len && is_blank(line->at[len - 1]))
		len--;
	if (!len || line->at[len - 1] != escape || (len > 1 && line->at[len - 2] == escape))
		return false;
	line->len = len - 1;
	return true;
}

struct df_place df_line_place(const struct df_line *line, size_t offset)
{
	size_t low = 0, high = line->piece_count;
	struct df_place place;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (line->pieces[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	place = line->pieces[low].place;
	place.column += (unsigned)(offset - line->pieces[low].offset);
	return place;
}

bool df_next_word(const char *text, size_t len, char escape, size_t *offset, struct slice *out_word,
		  bool *out_open)
{
	size_t at = *offset, start;
	char quote = 0;

	while (at < len && (is_blank(text[at]) || text[at] == '\n' || text[at] == '\r'))
		at++;
	if (at >= len) {
		*offset = len;
		return false;
	}
	for (start = at; at < len; at++) {
		if (!quote && (is_blank(text[at]) || text[at] == '\n' || text[at] == '\r'))
			break;
		if (text[at] == escape && quote != '\'' && at + 1 < len)
			at++;
		else if (quote && text[at] == quote)
			quote = 0;
		else if (!quote && (text[at] == '"' || text[at] == '\''))
			quote = text[at];
	}
	if (at > len)
		at = len;
	*out_word = (struct slice){ text + start, at - start };
	*offset = at;
	if (out_open)
		*out_open = quote != 0;
	return true;
}

/* -- directives ----------------------------------------------------------------------------------
 */

static int set_syntax(struct lexer *lexer, struct slice value, struct df_place place,
		      struct err *err)
{
	static const char *const known[] = { "docker/dockerfile", "docker.io/docker/dockerfile" };

	if (lexer->source->syntax)
		return df_report_fail(lexer->report, ERR_INVALID, place, err,
				      "the syntax directive stands here a second time");
	lexer->source->syntax = arena_strndup(lexer->report->arena, value.at, value.len);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t len = strlen(known[i]);

		if (value.len >= len && memcmp(value.at, known[i], len) == 0 &&
		    (value.len == len || strchr(":@-", value.at[len])))
			return 0;
	}
	return df_report_fail(lexer->report, ERR_UNSUPPORTED, place, err,
			      "syntax %.80s is not supported: only docker/dockerfile is built in",
			      lexer->source->syntax);
}

static int set_escape(struct lexer *lexer, struct slice value, struct df_place place,
		      struct err *err)
{
	if (lexer->has_escape_directive)
		return df_report_fail(lexer->report, ERR_INVALID, place, err,
				      "the escape directive stands here a second time");
	lexer->has_escape_directive = true;
	if (value.len != 1 || (value.at[0] != '\\' && value.at[0] != '`'))
		return df_report_fail(lexer->report, ERR_INVALID, place, err,
				      "escape is \"%.*s\": it can be \\ or ` only",
				      value.len > 20 ? 20 : (int)value.len, value.at);
	lexer->source->escape = value.at[0];
	return 0;
}

static int set_check(struct lexer *lexer, struct slice value, struct df_place place,
		     struct err *err)
{
	struct slice bad;

	if (lexer->has_check_directive)
		return df_report_fail(lexer->report, ERR_INVALID, place, err,
				      "the check directive stands here a second time");
	lexer->has_check_directive = true;
	if (df_report_checks(lexer->report, value, &bad) < 0)
		return df_report_fail(lexer->report, ERR_INVALID, place, err,
				      "check: \"%.*s\" is neither skip=NAMES nor error=true",
				      bad.len > 60 ? 60 : (int)bad.len, bad.at);
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct lexer *lexer, struct slice value, struct df_place place, struct err *err);
} directives[] = {
	{"syntax",  set_syntax},
	{ "escape", set_escape},
	{ "check",  set_check },
};

static bool is_directive_key(struct slice key)
{
	for (size_t i = 0; i < key.len; i++)
		if (!((key.at[i] | 0x20) >= 'a' && (key.at[i] | 0x20) <= 'z') &&
		    (i == 0 || key.at[i] < '0' || key.at[i] > '9'))
			return false;
	return key.len > 0;
}

/* 1: it was a directive or looks like one; 0: directives are over; -1: wrong. */
static int read_directive(struct lexer *lexer, struct slice line, size_t mark_len, struct err *err)
{
	struct slice key, value, body = { line.at + mark_len, line.len - mark_len };

	if (!slice_split(body, '=', &key, &value))
		return 0;
	key = trim_blanks(key);
	value = trim_blanks(value);
	if (!is_directive_key(key) || !value.len)
		return 0;
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++)
		if (strlen(directives[i].key) == key.len &&
		    strncasecmp(directives[i].key, key.at, key.len) == 0) {
			struct df_place place = { lexer->line, (unsigned)(value.at - line.at) + 1 };

			return directives[i].set(lexer, value, place, err) < 0 ? -1 : 1;
		}
	return mark_len == 1; /* "//" is no comment otherwise */
}

/* {"syntax": "docker/dockerfile:1"} as the first line; only that key is looked for. */
static int read_json_directive(struct lexer *lexer, struct slice line, struct err *err)
{
	static const char key[] = "\"syntax\"";
	const char *at = memmem(line.at, line.len, key, strlen(key));
	struct slice left, rest, value;

	if (!at)
		return 0;
	rest = (struct slice){ at + strlen(key), line.len - (size_t)(at - line.at) - strlen(key) };
	if (!slice_split(rest, '"', &left, &rest) || !slice_is(slice_trim(left), ":") ||
	    !slice_split(rest, '"', &value, &left))
		return 0;
	return set_syntax(lexer, value,
			  (struct df_place){ lexer->line, (unsigned)(value.at - line.at) + 1 },
			  err) < 0
		       ? -1
		       : 1;
}

/* Reads the directives at the top and leaves the rest at the first other line. */
static int read_directives(struct lexer *lexer, struct err *err)
{
	for (;;) {
		struct lexer before = *lexer;
		struct slice raw, line;
		int result = 0;

		if (!next_raw(lexer, &raw))
			return 0;
		line = without_line_end(raw);
		if (lexer->line == 1 && line.len > 1 && memcmp(line.at, "#!", 2) == 0)
			continue;
		if (line.len && line.at[0] == '#')
			result = read_directive(lexer, line, 1, err);
		else if (lexer->line == 1 && line.len > 1 && memcmp(line.at, "//", 2) == 0)
			result = read_directive(lexer, line, 2, err);
		else if (lexer->line == 1 && line.len && line.at[0] == '{')
			result = read_json_directive(lexer, line, err);
		if (result < 0)
			return -1;
		if (result == 0) {
			lexer->rest = before.rest;
			lexer->line = before.line;
			return 0;
		}
	}
}

/* -- heredocs ------------------------------------------------------------------------------------
 */

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
		if (!next_raw(lexer, &raw))
			return df_report_fail(lexer->report, ERR_INVALID, place, err,
					      "the heredoc has no end: no line is \"%.60s\" alone",
					      heredoc->name);
		if (heredoc->cuts_tabs)
			raw = cut_tabs(raw);
		if (slice_is(without_line_end(raw), heredoc->name))
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

static int read_heredocs(struct lexer *lexer, struct df_line *line, struct err *err)
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

/* -- logical lines -------------------------------------------------------------------------------
 */

static void add_piece(struct lexer *lexer, struct slice piece, size_t offset, unsigned column)
{
	struct slice *slot = xgrow(&lexer->pieces, &lexer->piece_count, sizeof(*slot));
	struct df_piece *place = xgrow(&lexer->places, &lexer->place_count, sizeof(*place));

	*slot = piece;
	*place = (struct df_piece){
		offset, {lexer->line, column}
	};
}

/* The pieces as one text, blanks cut at both ends. False when nothing is left. */
static bool join_pieces(struct lexer *lexer, size_t total, struct df_line *out)
{
	struct arena *arena = lexer->report->arena;
	char *text = arena_alloc(arena, total + 1);
	struct slice kept;
	size_t front, n = 0;

	for (size_t i = 0; i < lexer->piece_count; i++) {
		memcpy(text + n, lexer->pieces[i].at, lexer->pieces[i].len);
		n += lexer->pieces[i].len;
	}
	kept = slice_trim((struct slice){ text, n });
	if (!kept.len)
		return false;
	front = (size_t)(kept.at - text);
	text[front + kept.len] = '\0';
	out->text = kept.at;
	out->len = kept.len;
	out->pieces = arena_alloc(arena, lexer->place_count * sizeof(*out->pieces));
	for (size_t i = 0; i < lexer->place_count; i++) {
		struct df_piece piece = lexer->places[i];

		if (i + 1 < lexer->place_count && lexer->places[i + 1].offset <= front)
			continue; /* nothing of it was kept */
		if (piece.offset < front)
			piece.place.column += (unsigned)(front - piece.offset);
		piece.offset = piece.offset < front ? 0 : piece.offset - front;
		out->pieces[out->piece_count++] = piece;
	}
	out->first_line = out->pieces[0].place.line;
	out->last_line = lexer->line;
	return true;
}

/* One logical line from `line` on; *out_found is false for blanks and comments alone. */
static int read_logical(struct lexer *lexer, struct df_line *out, bool *out_found, struct err *err)
{
	struct slice raw, line;
	size_t total = 0;
	bool goes_on = false, is_warned = false;

	lexer->piece_count = lexer->place_count = 0;
	*out_found = false;
	while (next_raw(lexer, &raw)) {
		struct slice trimmed;

		line = without_line_end(raw);
		trimmed = slice_trim(line);
		if (trimmed.len && trimmed.at[0] == '#') {
			if (goes_on)
				continue;
			return 0;
		}
		if (!trimmed.len) {
			if (!goes_on)
				return 0;
			if (!is_warned)
				df_report_warn(lexer->report, DF_CHECK_NO_EMPTY_CONTINUATION,
					       (struct df_place){ lexer->line, 1 },
					       "an empty line inside a continued instruction");
			is_warned = true;
			continue;
		}
		goes_on = cut_continuation(&line, lexer->source->escape);
		add_piece(lexer, line, total, 1);
		total += line.len;
		if (total > DF_LINE_MAX)
			return df_report_fail(
				lexer->report, ERR_INVALID, (struct df_place){ lexer->line, 1 },
				err, "the instruction is longer than %u bytes", DF_LINE_MAX);
		if (!goes_on)
			break;
	}
	*out_found = lexer->piece_count > 0 && join_pieces(lexer, total, out);
	return *out_found ? read_heredocs(lexer, out, err) : 0;
}

static int read_lines(struct lexer *lexer, struct err *err)
{
	struct df_source *source = lexer->source;

	if (read_directives(lexer, err) < 0)
		return -1;
	while (lexer->rest.len) {
		struct df_line line = { 0 };
		bool found;

		if (read_logical(lexer, &line, &found, err) < 0)
			return -1;
		if (found)
			*(struct df_line *)arena_grow(lexer->report->arena, &source->lines,
						      &source->line_count, sizeof(line)) = line;
	}
	return 0;
}

int df_lex(struct df_report *report, const char *text, size_t len, struct df_source *out,
	   struct err *err)
{
	struct lexer lexer = { .report = report, .source = out };
	const char *nul;
	int result;

	*out = (struct df_source){ .escape = '\\' };
	if (len > DF_FILE_MAX)
		return df_report_fail(report, ERR_INVALID, (struct df_place){ 0, 0 }, err,
				      "the file is larger than %u bytes", DF_FILE_MAX);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	report->text = (struct slice){ arena_strndup(report->arena, "", 0), 0 };
	if (len) {
		char *copy = arena_alloc(report->arena, len + 1);

		memcpy(copy, text, len);
		report->text = (struct slice){ copy, len };
	}
	nul = len ? memchr(text, '\0', len) : NULL;
	if (nul) {
		struct df_place place = { 1, 1 };

		for (const char *at = text; at < nul; at++)
			place = *at == '\n' ? (struct df_place){ place.line + 1, 1 }
					    : (struct df_place){ place.line, place.column + 1 };
		return df_report_fail(report, ERR_INVALID, place, err, "a NUL byte in the file");
	}
	lexer.rest = report->text;
	result = read_lines(&lexer, err);
	free(lexer.pieces);
	free(lexer.places);
	return result;
}
