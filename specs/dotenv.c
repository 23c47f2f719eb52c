/* specs/dotenv - env files: .env, --env-file, env_file, label_file.
 *
 * Owns: the grammar of statements, quotes and comments. May not touch: files, the process
 * environment.
 */
#include "specs/dotenv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "specs/interpolate.h"

#define KEY_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-[]"
#define BOM       "\xef\xbb\xbf"

struct parser {
	struct problems *problems;
	const char *file, *path;
	const char *at; /* NUL-terminated, lines end with \n */
	unsigned line;
	const struct vars *first;
	struct vars *into;
};

static int fail(const struct parser *parser, enum problem_kind kind, const char *message)
{
	return problem_error(parser->problems, kind,
			     (struct place){ parser->file, parser->line, 1 }, parser->path,
			     "line %u: %s", parser->line, message);
}

static void skip_blanks(struct parser *parser)
{
	while (*parser->at == ' ' || *parser->at == '\t')
		parser->at++;
}

static void skip_line(struct parser *parser)
{
	while (*parser->at && *parser->at != '\n')
		parser->at++;
}

static const char *lookup_below(void *context, const char *name)
{
	const struct parser *parser = context;

	return vars_get(parser->first, name);
}

static void warn_unset(void *context, const char *name)
{
	const struct parser *parser = context;

	problem_warn(parser->problems, (struct place){ parser->file, parser->line, 1 }, "",
		     "variable %s is not set: an empty text takes its place", name);
}

/* Replaces variables and sets the name. */
static int set_value(struct parser *parser, const char *name, const char *text, bool is_literal)
{
	struct interpolation how = {
		.arena = parser->problems->arena,
		.vars = parser->into,
		.lookup = lookup_below,
		.context = parser,
		.unset = warn_unset,
	};
	const char *value = text, *message = NULL;
	enum interpolate_result result = INTERPOLATE_OK;

	if (!is_literal)
		result = interpolate_text(&how, text, &value, &message);
	if (result != INTERPOLATE_OK)
		return fail(parser, result == INTERPOLATE_MISSING ? PROBLEM_MISSING : PROBLEM_VALUE,
			    message);
	vars_set(parser->into, name, value);
	return 0;
}

/* What stands for a backslash and the character at *at; moves *at behind it. */
static void put_escape(FILE *out, const char **at)
{
	static const char letters[] = "nrtabfv\\\"", values[] = "\n\r\t\a\b\f\v\\\"";
	const char *found = strchr(letters, **at);
	unsigned code = 0;

	if (**at == '0' && (*at)[1] >= '0' && (*at)[1] <= '7') {
		const char *digit = *at + 1;

		for (; digit < *at + 4 && *digit >= '0' && *digit <= '7'; digit++)
			code = code * 8 + (unsigned)(*digit - '0');
		if (code > 0 && code < 256)
			fputc((int)code, out);
		*at = digit;
		return;
	}
	if (**at == '$')
		fputs("$$", out);
	else if (found)
		fputc(values[found - letters], out);
	else
		fprintf(out, "\\%c", **at);
	(*at)++;
}

static int take_quoted(struct parser *parser, const char *name)
{
	char quote = *parser->at, *text = NULL;
	const char *at = parser->at + 1, *kept;
	unsigned lines = 0;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return fail(parser, PROBLEM_LIMIT, "out of memory");
	while (*at && *at != quote) {
		lines += *at == '\n';
		if (*at == '\\' && quote == '"' && at[1]) {
			at++;
			put_escape(out, &at);
		} else {
			at += quote == '\'' && at[0] == '\\' && at[1] == '\'';
			fputc(*at++, out);
		}
	}
	fclose(out);
	kept = arena_strndup(parser->problems->arena, text, len);
	free(text);
	if (*at != quote)
		return fail(parser, PROBLEM_VALUE, "the quote is never closed");
	parser->at = at + 1;
	if (set_value(parser, name, kept, quote == '\'') < 0)
		return -1;
	parser->line += lines;
	return 0;
}

static int take_unquoted(struct parser *parser, const char *name)
{
	const char *start = parser->at, *end;

	skip_line(parser);
	end = parser->at;
	for (const char *c = start + 1; c < end; c++)
		if (*c == '#' && (c[-1] == ' ' || c[-1] == '\t')) {
			end = c - 1;
			break;
		}
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return set_value(parser, name,
			 arena_strndup(parser->problems->arena, start, (size_t)(end - start)),
			 false);
}

static int take_bare(struct parser *parser, const char *name, bool after_quote)
{
	const char *value = vars_get(parser->first, name);

	if (value)
		vars_set(parser->into, name, value);
	else if (after_quote)
		problem_warn(parser->problems, (struct place){ parser->file, parser->line, 1 },
			     parser->path, "line %u: \"%s\" behind the quote is dropped",
			     parser->line, name);
	return 0;
}

static int refuse_name(struct parser *parser, bool has_name)
{
	unsigned char bad = (unsigned char)*parser->at;
	const char *message = "a blank inside the name";

	if (!has_name && (bad == '=' || bad == ':'))
		message = "no name before the =";
	else if (!strchr(KEY_CHARS, bad))
		message = arena_format(parser->problems->arena,
				       bad < 0x80 ? "\"%c\" has no place in a name"
						  : "a byte that has no place in a name",
				       bad);
	return fail(parser, PROBLEM_VALUE, message);
}

static int take_statement(struct parser *parser, bool after_quote, bool *out_quoted)
{
	const char *name;
	size_t len;

	*out_quoted = false;
	if (strncmp(parser->at, "export", 6) == 0 &&
	    (parser->at[6] == ' ' || parser->at[6] == '\t')) {
		parser->at += 6;
		skip_blanks(parser);
	}
	len = strspn(parser->at, KEY_CHARS);
	name = arena_strndup(parser->problems->arena, parser->at, len);
	parser->at += len;
	skip_blanks(parser);
	if (len > 0 && (!*parser->at || *parser->at == '\n'))
		return take_bare(parser, name, after_quote);
	if (len == 0 || (*parser->at != '=' && *parser->at != ':'))
		return refuse_name(parser, len > 0);
	parser->at++;
	skip_blanks(parser);
	*out_quoted = *parser->at == '"' || *parser->at == '\'';
	return *out_quoted ? take_quoted(parser, name) : take_unquoted(parser, name);
}

/* One NAME=VALUE to a line, taken as it is. */
static int take_raw(struct parser *parser)
{
	const char *start = parser->at, *equals;

	skip_line(parser);
	equals = memchr(start, '=', (size_t)(parser->at - start));
	if (!equals)
		return take_bare(
			parser,
			arena_strndup(parser->problems->arena, start, (size_t)(parser->at - start)),
			false);
	return set_value(parser,
			 arena_strndup(parser->problems->arena, start, (size_t)(equals - start)),
			 arena_strndup(parser->problems->arena, equals + 1,
				       (size_t)(parser->at - equals - 1)),
			 true);
}

/* A copy without a byte order mark, with \n alone for line ends. */
static const char *plain_lines(struct arena *arena, const char *text, size_t len)
{
	char *out = arena_alloc(arena, len + 1), *to = out;

	for (size_t i = 0; i < len; i++)
		if (text[i] != '\r' || i + 1 == len || text[i + 1] != '\n')
			*to++ = text[i];
	*to = '\0';
	return strncmp(out, BOM, 3) == 0 ? out + 3 : out;
}

int dotenv_parse(struct problems *problems, const char *file, const char *path, const char *text,
		 size_t len, unsigned flags, const struct vars *first, struct vars *into)
{
	struct parser parser = { problems, file, path, NULL, 1, first, into };
	bool after_quote = false;

	if (memchr(text, '\0', len))
		return fail(&parser, PROBLEM_VALUE, "a NUL character");
	parser.at = plain_lines(problems->arena, text, len);
	while (*parser.at) {
		if (*parser.at == '\n') {
			parser.line++;
			parser.at++;
			after_quote = false;
		} else if (*parser.at == ' ' || *parser.at == '\t' || *parser.at == '\r') {
			parser.at++;
		} else if (*parser.at == '#') {
			skip_line(&parser);
		} else if (flags & DOTENV_RAW) {
			take_raw(&parser);
		} else if (take_statement(&parser, after_quote, &after_quote) < 0) {
			return -1;
		}
	}
	return 0;
}
