/* images/dockerfile/lex - bytes to logical lines.
 *
 * Owns: comments, continuations, words, and which byte stands where.
 * May not touch: what instructions mean (parse), variables (expand), files.
 */
#include "images/dockerfile/lex.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "images/dockerfile/lexer.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool lexer_next_raw(struct lexer *lexer, struct slice *out_raw)
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

struct slice lexer_without_line_end(struct slice raw)
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
	while (lexer_next_raw(lexer, &raw)) {
		struct slice trimmed;

		line = lexer_without_line_end(raw);
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
	return *out_found ? lexer_read_heredocs(lexer, out, err) : 0;
}

static int read_lines(struct lexer *lexer, struct err *err)
{
	struct df_source *source = lexer->source;

	if (lexer_read_directives(lexer, err) < 0)
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
