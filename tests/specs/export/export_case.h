/* tests/specs/export/export_case - a stack file exported, and values of the result by path. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/num.h"
#include "specs/export/export.h"
#include "tests/specs/load_text.h"

struct export_case {
	struct arena *arena;
	struct export_result result;
};

/* What the tests' machine holds: a file, a folder, one that is too large, one that is no text. */
static enum export_file case_read(void *ctx, const char *path, size_t max, const char **out_text,
				  size_t *out_len)
{
	static const struct {
		const char *path;
		enum export_file kind;
		const char *text;
		size_t len;
	} files[] = {
		{"/project/web.conf",     EXPORT_FILE_PLAIN,  "listen 80;\n",    11},
		{ "/project/password",    EXPORT_FILE_PLAIN,  "hunter2",         7 },
		{ "/project/logo.png",    EXPORT_FILE_PLAIN,  "\x89PNG\x00\xff", 6 },
		{ "/project/bom.conf",    EXPORT_FILE_PLAIN,
                 "\xef\xbb\xbf"
		  "a",							   4 },
		{ "/project/site",        EXPORT_FILE_FOLDER, NULL,              0 },
		{ "/project/huge",        EXPORT_FILE_PLAIN,  NULL,              0 },
		{ "/var/run/docker.sock", EXPORT_FILE_OTHER,  NULL,              0 },
	};

	(void)ctx, (void)max;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (strcmp(files[i].path, path) != 0)
			continue;
		*out_text = files[i].text;
		*out_len = files[i].len;
		return files[i].kind;
	}
	return EXPORT_FILE_MISSING;
}

typedef void case_translate(struct arena *arena, const struct project *project,
			    const struct export_options *options, struct export_result *out);

static inline struct export_case case_of(case_translate *translate, const char *text,
					 const struct export_options *options)
{
	struct export_options own = options ? *options : (struct export_options){ 0 };
	struct export_case c = { .arena = arena_new() };

	own.read = case_read;
	translate(c.arena, load_good(c.arena, text), &own, &c.result);
	return c;
}

static inline void case_end(struct export_case *c)
{
	export_result_free(&c->result);
	arena_free(c->arena);
}

static inline struct json_object *case_document(const struct export_case *c, const char *file)
{
	for (size_t i = 0; i < c->result.document_count; i++)
		if (strcmp(c->result.documents[i].file, file) == 0)
			return c->result.documents[i].object;
	return NULL;
}

/* The value at "spec/ports/0/port" as JSON text; "absent" when a part of the path is not there.
 * Names with a slash are given with a | in its place. */
static inline const char *case_value(const struct export_case *c, const char *file,
				     const char *path)
{
	struct json_object *at = case_document(c, file);
	char *copy = arena_strdup(c->arena, path), *rest = copy, *part;

	if (!at)
		return "no document";
	while (at && (part = strsep(&rest, "/")) && *part) {
		for (char *bar = part; *bar; bar++)
			if (*bar == '|')
				*bar = '/';
		if (json_object_is_type(at, json_type_array)) {
			struct err err = ERR_NONE;
			uint64_t i = UINT32_MAX;

			num_parse_u64("index", part, strlen(part), 0, UINT32_MAX, &i, &err);
			at = json_object_array_get_idx(at, (size_t)i);
		} else {
			json_object_object_get_ex(at, part, &at);
		}
	}
	return at ? json_object_to_json_string_ext(at, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE)
		  : "absent";
}

/* "approximated: the note", lines of one path joined by "; "; "" when nothing was said. */
static inline const char *case_saying(const struct export_case *c, const char *path)
{
	const char *out = "";

	for (size_t i = 0; i < c->result.line_count; i++)
		if (strcmp(c->result.lines[i].path, path) == 0)
			out = arena_format(c->arena, "%s%s%s: %s", out, *out ? "; " : "",
					   export_verdict_name(c->result.lines[i].verdict),
					   c->result.lines[i].note);
	return out;
}

/* One row of a table: a file, a document and a path in it, what stands there. */
struct value_row {
	const char *text, *file, *path, *value;
};

static inline void check_values(case_translate *translate, const struct value_row *rows,
				size_t count, const struct export_options *options)
{
	for (size_t i = 0; i < count; i++) {
		struct export_case c = case_of(translate, rows[i].text, options);
		const char *found = case_value(&c, rows[i].file, rows[i].path);

		if (strcmp(found, rows[i].value) != 0)
			print_error("row %zu, %s %s: %s\n", i, rows[i].file, rows[i].path, found);
		assert_string_equal(found, rows[i].value);
		case_end(&c);
	}
}

/* One row of a table: a file, a key, the start of what is said of it. */
struct saying_row {
	const char *text, *path, *saying;
};

static inline void check_sayings(case_translate *translate, const struct saying_row *rows,
				 size_t count, const struct export_options *options)
{
	for (size_t i = 0; i < count; i++) {
		struct export_case c = case_of(translate, rows[i].text, options);
		const char *found = case_saying(&c, rows[i].path);

		if (strncmp(found, rows[i].saying, strlen(rows[i].saying)) != 0 ||
		    (!*rows[i].saying && *found)) {
			print_error("row %zu, %s: %s\n", i, rows[i].path, found);
			fail();
		}
		case_end(&c);
	}
}

#define ROWS(rows) rows, sizeof(rows) / sizeof(*(rows))
