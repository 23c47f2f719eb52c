/* images/dockerfile/lex_directive - the "# key=value" lines at the top of a Dockerfile.
 *
 * Owns: syntax, escape and check; which line ends them.
 * May not touch: the other lines (lex).
 */
#include <string.h>
#include <strings.h>

#include "images/dockerfile/lexer.h"

static struct slice trim_blanks(struct slice text)
{
	while (text.len && strchr(" \t", text.at[0])) {
		text.at++;
		text.len--;
	}
	while (text.len && strchr(" \t", text.at[text.len - 1]))
		text.len--;
	return text;
}

/* "docker/dockerfile:1", also behind the name of a registry that mirrors it. */
static bool is_built_in(const char *name)
{
	static const char known[] = "docker/dockerfile";
	const char *at = strstr(name, known);

	return at && (at == name || at[-1] == '/') &&
	       (!at[strlen(known)] || strchr(":@-", at[strlen(known)]));
}

static int set_syntax(struct lexer *lexer, struct slice value, struct df_place place,
		      struct err *err)
{
	if (lexer->source->syntax)
		return df_report_fail(lexer->report, ERR_INVALID, place, err,
				      "the syntax directive stands here a second time");
	lexer->source->syntax = arena_strndup(lexer->report->arena, value.at, value.len);
	if (is_built_in(lexer->source->syntax))
		return 0;
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

int lexer_read_directives(struct lexer *lexer, struct err *err)
{
	for (;;) {
		struct lexer before = *lexer;
		struct slice raw, line;
		int result = 0;

		if (!lexer_next_raw(lexer, &raw))
			return 0;
		line = lexer_without_line_end(raw);
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
