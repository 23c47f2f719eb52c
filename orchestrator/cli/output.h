/* orchestrator/cli/output - what commands print on stdout: tables, JSON lines, templates over rows.
 *
 * A view is a table of columns and an array of JSON objects with docker's field names; --format
 * chooses the form. Beside it: human texts (cli/human), templates (cli/template), progress on
 * stderr (cli/progress). One thread; blocks as the stream does.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Columns aligned as docker does: cells at least min_width wide with the gap, three blanks between
 * them, nothing behind the last. Wide characters count as one, escape sequences as none. */
#define TABLE_GAP       3
#define TABLE_MIN_WIDTH 10 /* ps, image ls, volume ls ... */
#define TABLE_MIN_WIDE  20 /* ls, images, top, volumes */

struct table;

struct table *table_new(size_t min_width);
void table_free(struct table *table);
AUTO_TYPE(table, table_free);
/* A whole row: cells end with NULL. */
void table_row(struct table *table, const char *const *cells);
void table_print(const struct table *table, FILE *out);

/* One column of a view. */
struct output_column {
	const char *field;  /* key in the rows' objects: "Name"; NULL ends the table */
	const char *header; /* "NAME" */
	unsigned flags;
};
#define COLUMN_EXTRA 1u /* for templates and json only; not in the default table */

#define OUTPUT_JSON_ARRAY 1u /* json: one array, not one object a line */
#define OUTPUT_WIDE       2u /* TABLE_MIN_WIDE */
#define OUTPUT_NO_HEADER  4u

struct output_view {
	const struct output_column *columns;
	/* Cell for the default table where it differs from the field's text; NULL or returning
	 * NULL: the field. To be freed. Numbers, booleans and arrays are printed as JSON, null as
	 * nothing. */
	char *(*cell)(const char *field, struct json_object *row);
	unsigned flags;
};

/* Prints rows (an array of objects) in the format: NULL, "" or "table", "json", "TEMPLATE", "table
 * TEMPLATE". ERR_INVALID: the template is wrong (nothing was printed). */
int output_rows(FILE *out, const struct output_view *view, const char *format,
		struct json_object *rows, struct err *err);
/* One object on one line, slashes not escaped. */
void output_json_line(FILE *out, struct json_object *value);
/* The same, indented by four blanks, for inspect. */
void output_json_pretty(FILE *out, struct json_object *value);
/* An array of objects as inspect prints it: format NULL or "json" is the array, else the template
 * once a row. */
int output_inspect(FILE *out, const char *format, struct json_object *array, struct err *err);

/* Whether colours and cursor movement may be used on a stream: --ansi (NULL is "auto"), NO_COLOR,
 * TERM=dumb, terminal. */
bool output_may_use_ansi(FILE *stream, const char *ansi);

/* Escape sequence of the n-th container's colour (cyan, yellow, green, magenta, blue, then the
 * bright ones, then from the start); OUTPUT_RESET ends it. */
const char *output_colour(size_t n);
#define OUTPUT_RESET "\033[0m"
/* Columns and lines of the terminal behind the stream; 80 and 24 when it is none. */
void output_terminal_size(FILE *stream, unsigned *out_columns, unsigned *out_lines);
