/* specs/problem - what is wrong with the user's files: where, at which key, and what would be
 * right.
 *
 * Owns: the two lists, the form of a message. May not touch: files, standard error.
 */
#include "specs/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define SOURCE_LINE_MAX 160
#define WARNINGS_MAX    200u /* later ones are dropped */

static const char *const kind_names[] = {
	[PROBLEM_UNKNOWN_KEY] = "unknown-key",
	[PROBLEM_TYPE] = "type",
	[PROBLEM_VALUE] = "value",
	[PROBLEM_MISSING] = "missing",
	[PROBLEM_REFERENCE] = "reference",
	[PROBLEM_CONFLICT] = "conflict",
	[PROBLEM_DUPLICATE] = "duplicate",
	[PROBLEM_CYCLE] = "cycle",
	[PROBLEM_SYNTAX] = "syntax",
	[PROBLEM_EMPTY] = "empty",
	[PROBLEM_LIMIT] = "limit",
};
_Static_assert(sizeof(kind_names) / sizeof(*kind_names) == PROBLEM_KIND_COUNT,
	       "a kind has no name");

static bool place_equal(struct place a, struct place b)
{
	return a.line == b.line && a.column == b.column &&
	       (a.file == b.file || (a.file && b.file && strcmp(a.file, b.file) == 0));
}

/* The line at place, without its end, cut to a width that fits a screen. */
static const char *source_line(const struct problems *problems, struct place place)
{
	for (size_t i = 0; place.file && i < problems->source_count; i++) {
		const struct source_text *source = &problems->sources[i];
		const char *at = source->text, *end = source->text + source->len;

		if (strcmp(source->file, place.file) != 0)
			continue;
		for (unsigned line = 1; at && line < place.line; line++) {
			at = memchr(at, '\n', (size_t)(end - at));
			at = at ? at + 1 : NULL;
		}
		if (!at || at >= end)
			return NULL;
		if (memchr(at, '\n', (size_t)(end - at)))
			end = memchr(at, '\n', (size_t)(end - at));
		if (end > at && end[-1] == '\r')
			end--;
		if (end - at > SOURCE_LINE_MAX)
			end = at + SOURCE_LINE_MAX;
		return arena_strndup(problems->arena, at, (size_t)(end - at));
	}
	return NULL;
}

static const char *format_args(struct arena *arena, const char *fmt, va_list args)
{
	char *text = NULL;
	const char *kept;

	if (vasprintf(&text, fmt, args) < 0)
		return "out of memory";
	kept = arena_strdup(arena, text_plain(text));
	free(text);
	return kept;
}

int problem_error(struct problems *problems, enum problem_kind kind, struct place place,
		  const char *path, const char *fmt, ...)
{
	const char *message;
	va_list args;

	if (problems->error_count >= PROBLEMS_MAX) {
		problems->error_count++;
		return -1;
	}
	va_start(args, fmt);
	message = format_args(problems->arena, fmt, args);
	va_end(args);
	for (size_t i = 0; i < problems->error_count; i++) {
		const struct problem *there = &problems->errors[i];

		if (place_equal(there->place, place) && strcmp(there->path, path) == 0 &&
		    strcmp(there->message, message) == 0)
			return -1;
	}
	problems->errors[problems->error_count++] = (struct problem){
		.kind = kind,
		.place = place,
		.path = arena_strdup(problems->arena, path),
		.message = message,
		.source = source_line(problems, place),
	};
	return -1;
}

void problem_warn(struct problems *problems, struct place place, const char *path, const char *fmt,
		  ...)
{
	const char *message;
	struct problem *warning;
	va_list args;

	if (problems->warning_count >= WARNINGS_MAX)
		return;
	va_start(args, fmt);
	message = format_args(problems->arena, fmt, args);
	va_end(args);
	for (size_t i = 0; i < problems->warning_count; i++)
		if (strcmp(problems->warnings[i].message, message) == 0)
			return;
	warning = arena_grow(problems->arena, &problems->warnings, &problems->warning_count,
			     sizeof(*problems->warnings));
	warning->kind = PROBLEM_VALUE;
	warning->place = place;
	warning->path = arena_strdup(problems->arena, path);
	warning->message = message;
}

void problem_add_source(struct problems *problems, const char *file, const char *text, size_t len)
{
	struct source_text *source = arena_grow(problems->arena, &problems->sources,
						&problems->source_count, sizeof(*source));

	*source = (struct source_text){ file, text, len };
}

/* A line of blanks (tabs kept as tabs) and a caret below column. */
static void write_caret(FILE *out, const char *source, unsigned column)
{
	size_t len = strlen(source);

	fputs("\n  ", out);
	for (size_t i = 0; i + 1 < column && i < len; i++)
		fputc(source[i] == '\t' ? '\t' : ' ', out);
	fputc('^', out);
}

const char *problem_text(struct arena *arena, const struct problem *problem)
{
	char *text = NULL;
	size_t len = 0;
	const char *kept;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return problem->message;
	if (problem->place.file && problem->place.line)
		fprintf(out, "%s:%u:%u: ", problem->place.file, problem->place.line,
			problem->place.column);
	else if (problem->place.file)
		fprintf(out, "%s: ", problem->place.file);
	if (problem->path && *problem->path)
		fprintf(out, "%s: ", problem->path);
	fputs(problem->message, out);
	if (problem->source && *problem->source) {
		char *line = arena_strdup(arena, problem->source);

		for (char *c = line; *c; c++)
			if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
				*c = '?';
		fprintf(out, "\n  %s", line);
		write_caret(out, line, problem->place.column);
	}
	fclose(out);
	kept = arena_strdup(arena, text);
	free(text);
	return kept;
}

const char *problem_kind_name(enum problem_kind kind)
{
	return kind_names[kind];
}
