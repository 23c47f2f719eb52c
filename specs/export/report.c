/* specs/export/report - what became of every key: sayings of a translator over a table of defaults.
 *
 * Owns: the walk over the document, which row speaks for a key. May not touch: what the sayings
 * are.
 */
#include "specs/export/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"

#define NOTE_LEN 512

struct report {
	struct arena *arena;
	const struct export_table *table;
	struct json_object *said; /* path -> [[verdict, note, is of a part], ...] */
	struct export_result *result;
};

static const char *const verdict_names[] = {
	[EXPORT_EXACT] = "exact",
	[EXPORT_APPROXIMATED] = "approximated",
	[EXPORT_DROPPED] = "dropped",
	[EXPORT_REFUSED] = "refused",
};
_Static_assert(sizeof(verdict_names) / sizeof(*verdict_names) == EXPORT_VERDICT_COUNT,
	       "a verdict has no name");

const char *export_verdict_name(enum export_verdict verdict)
{
	return verdict_names[verdict];
}

struct report *report_new(struct arena *arena, const struct export_table *table)
{
	struct report *report = xcalloc(1, sizeof(*report));

	report->arena = arena;
	report->table = table;
	report->said = json_object_new_object();
	return report;
}

void report_free(struct report *report)
{
	json_object_put(report->said);
	free(report);
}

static bool is_said(struct json_object *sayings, enum export_verdict verdict, const char *note)
{
	for (size_t i = 0; i < json_array_count(sayings); i++) {
		struct json_object *saying = json_object_array_get_idx(sayings, i);
		const char *text = json_object_get_string(json_object_array_get_idx(saying, 1));

		if (json_object_get_int(json_object_array_get_idx(saying, 0)) == (int)verdict &&
		    (!note || strcmp(text, note) == 0))
			return true;
	}
	return false;
}

static void say(struct report *report, enum export_verdict verdict, const char *path, bool is_part,
		const char *fmt, va_list ap)
{
	struct json_object *sayings = json_array_at(report->said, path), *saying;
	char note[NOTE_LEN];

	vsnprintf(note, sizeof(note), fmt, ap);
	text_plain(note);
	if (!sayings)
		sayings = json_add_array(report->said, path);
	if (is_said(sayings, verdict, note))
		return;
	saying = json_object_new_array();
	json_object_array_add(saying, json_object_new_int((int)verdict));
	json_push_text(saying, note);
	json_object_array_add(saying, json_object_new_boolean(is_part));
	json_object_array_add(sayings, saying);
}

void report_say(struct report *report, enum export_verdict verdict, const char *path,
		const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(report, verdict, path, false, fmt, ap);
	va_end(ap);
}

void report_say_part(struct report *report, enum export_verdict verdict, const char *path,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(report, verdict, path, true, fmt, ap);
	va_end(ap);
}

static void add_line(struct report *report, enum export_verdict verdict, const char *path,
		     const char *note)
{
	struct export_result *result = report->result;
	struct export_line *line = arena_grow(report->arena, &result->lines, &result->line_count,
					      sizeof(*result->lines));

	*line = (struct export_line){ verdict, text_plain(arena_strdup(report->arena, path)),
				      arena_strdup(report->arena, note) };
	result->counts[verdict]++;
}

/* Do the sayings speak of parts alone? */
static bool are_parts(struct json_object *sayings)
{
	for (size_t i = 0; i < json_array_count(sayings); i++)
		if (!json_object_get_boolean(
			    json_object_array_get_idx(json_object_array_get_idx(sayings, i), 2)))
			return false;
	return true;
}

static void add_said(struct report *report, const char *path)
{
	struct json_object *sayings = json_array_at(report->said, path);

	for (size_t i = 0; i < json_array_count(sayings); i++) {
		struct json_object *saying = json_object_array_get_idx(sayings, i);

		add_line(report,
			 (enum export_verdict)json_object_get_int(
				 json_object_array_get_idx(saying, 0)),
			 path, json_object_get_string(json_object_array_get_idx(saying, 1)));
	}
	json_object_object_del(report->said, path);
}

static const struct export_row *row_of(const struct export_table *table, const char *pattern)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].pattern, pattern) == 0)
			return &table->rows[i];
	return NULL;
}

/* Rows at the pattern or below it? */
static bool has_rows(const struct export_table *table, const char *pattern, bool only_below)
{
	size_t len = strlen(pattern);

	for (size_t i = 0; i < table->count; i++) {
		const char *row = table->rows[i].pattern;

		if (strncmp(row, pattern, len) == 0 &&
		    (row[len] == '.' || row[len] == '[' || (!only_below && !row[len])))
			return true;
	}
	return false;
}

const struct export_row *export_table_find(const struct export_table *table, const char *pattern)
{
	char *above = xstrdup(pattern);
	const struct export_row *row = row_of(table, above);

	while (!row && *above) {
		size_t len = strlen(above);

		while (len > 0 && above[len - 1] != '.' && above[len - 1] != '[')
			len--;
		above[len ? len - 1 : 0] = '\0';
		/* rows below, and none for this one: nobody speaks for it */
		row = *above ? row_of(table, above) : NULL;
		if (row && has_rows(table, above, true))
			break;
	}
	free(above);
	return row;
}

static bool is_empty(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return true;
	case json_type_object:
		return json_object_object_length(value) == 0;
	case json_type_array:
		return json_object_array_length(value) == 0;
	default:
		return false;
	}
}

static void walk(struct report *report, struct json_object *value, const char *path,
		 const char *pattern);

static void walk_map(struct report *report, struct json_object *map, const char *path,
		     const char *pattern)
{
	const char *dot = *pattern ? "." : "";

	json_each(map, key, value) {
		const char *own = arena_format(report->arena, "%s%s%s", pattern, dot, key);
		const char *any = arena_format(report->arena, "%s%s*", pattern, dot);
		const char *below = arena_format(report->arena, "%s%s%s", path, dot, key);

		if (has_rows(report->table, own, false))
			walk(report, value, below, own);
		else if (has_rows(report->table, any, false))
			walk(report, value, below, any);
		else if (!text_starts(key, "x-") && !is_empty(value))
			walk(report, value, below, own);
	}
}

static void walk(struct report *report, struct json_object *value, const char *path,
		 const char *pattern)
{
	const struct export_row *row = row_of(report->table, pattern);
	bool is_below = has_rows(report->table, pattern, true);
	struct json_object *sayings;

	if (is_empty(value) && !text_ends(pattern, "*"))
		return;
	sayings = json_array_at(report->said, path);
	if (row && are_parts(sayings))
		add_line(report, row->verdict, path, row->note);
	else if (!row && !sayings && !is_below)
		add_line(report, EXPORT_DROPPED, path, "has no counterpart");
	add_said(report, path);
	if (!is_below)
		return;
	if (json_object_is_type(value, json_type_object))
		walk_map(report, value, path, pattern);
	for (size_t i = 0; i < json_array_count(value); i++)
		walk(report, json_object_array_get_idx(value, i),
		     arena_format(report->arena, "%s[%zu]", path, i),
		     arena_format(report->arena, "%s[]", pattern));
}

void report_finish(struct report *report, struct json_object *document,
		   struct export_result *result)
{
	AUTO(json) struct json_object *left = NULL;

	report->result = result;
	walk_map(report, document, "", "");
	/* what was said of a path that the document does not show */
	left = json_object_new_object();
	json_each(report->said, said, sayings) {
		(void)sayings;
		json_object_object_add(left, said, NULL);
	}
	json_each(left, path, nothing) {
		(void)nothing;
		add_said(report, path);
	}
}
