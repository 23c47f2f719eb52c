/* orchestrator/cli/output - what commands print on stdout: tables, JSON lines, templates over rows.
 *
 * Owns: how a view becomes text. May not touch: where rows come from.
 */
#include "orchestrator/cli/output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/template.h"

#define JSON_LINE      (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define JSON_INDENT    (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
#define INDENT_OF_LIB  2 /* json-c's blanks a level */
#define INDENT_OF_OURS 4
#define TABLE_PREFIX   "table"

struct row {
	char **cells;
	size_t count;
};

struct table {
	struct arena *arena;
	size_t min_width;
	struct row *rows;
	size_t row_count;
	struct row open; /* the row being filled */
};

struct table *table_new(size_t min_width)
{
	struct arena *arena = arena_new();
	struct table *table = arena_alloc(arena, sizeof(*table));

	table->arena = arena;
	table->min_width = min_width;
	return table;
}

void table_free(struct table *table)
{
	if (table)
		arena_free(table->arena);
}

static void table_cell(struct table *table, const char *text)
{
	char **cell =
		arena_grow(table->arena, &table->open.cells, &table->open.count, sizeof(*cell));

	*cell = arena_strdup(table->arena, text ? text : "");
	for (char *c = *cell; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
}

static void table_end_row(struct table *table)
{
	struct row *row = arena_grow(table->arena, &table->rows, &table->row_count, sizeof(*row));

	*row = table->open;
	table->open = (struct row){ NULL, 0 };
}

void table_row(struct table *table, const char *const *cells)
{
	for (; *cells; cells++)
		table_cell(table, *cells);
	table_end_row(table);
}

/* The last cell of a row belongs to no column: it may be as long as it likes. */
static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = 0; i < table->row_count; i++) {
		size_t cell;

		if (column + 1 >= table->rows[i].count)
			continue;
		cell = human_columns(table->rows[i].cells[column]) + TABLE_GAP;
		if (cell > width)
			width = cell;
	}
	return width < table->min_width ? table->min_width : width;
}

void table_print(const struct table *table, FILE *out)
{
	AUTO(free) size_t *widths = NULL;
	size_t columns = 0;

	for (size_t i = 0; i < table->row_count; i++)
		if (table->rows[i].count > columns)
			columns = table->rows[i].count;
	widths = xcalloc(columns + 1, sizeof(*widths));
	for (size_t c = 0; c < columns; c++)
		widths[c] = column_width(table, c);
	for (size_t i = 0; i < table->row_count; i++) {
		const struct row *row = &table->rows[i];

		for (size_t c = 0; c < row->count; c++) {
			size_t used = human_columns(row->cells[c]);

			fputs(row->cells[c], out);
			if (c + 1 < row->count)
				fprintf(out, "%*s", (int)(widths[c] - used), "");
		}
		fputc('\n', out);
	}
}

void output_json_line(FILE *out, struct json_object *value)
{
	fprintf(out, "%s\n", json_object_to_json_string_ext(value, JSON_LINE));
}

/* json-c indents by two; docker, and what compares with it, by four. */
void output_json_pretty(FILE *out, struct json_object *value)
{
	struct slice rest = SLICE(json_object_to_json_string_ext(value, JSON_INDENT)), line;

	while (slice_next(&rest, '\n', &line)) {
		size_t blanks = 0;

		while (blanks < line.len && line.at[blanks] == ' ')
			blanks++;
		fprintf(out, "%*s%.*s\n", (int)(blanks * INDENT_OF_OURS / INDENT_OF_LIB), "",
			(int)(line.len - blanks), line.at + blanks);
	}
}

static char *field_text(const struct output_view *view, const char *field, struct json_object *row)
{
	struct json_object *value = NULL;
	char *text = view->cell ? view->cell(field, row) : NULL;

	if (text)
		return text;
	if (!json_object_object_get_ex(row, field, &value) || !value)
		return xstrdup("");
	return xstrdup(json_object_is_type(value, json_type_string)
			       ? json_object_get_string(value)
			       : json_object_to_json_string_ext(value, JSON_LINE));
}

static void print_table(FILE *out, const struct output_view *view, struct json_object *rows)
{
	bool wide = view->flags & OUTPUT_WIDE;
	AUTO(table) struct table *table = table_new(wide ? TABLE_MIN_WIDE : TABLE_MIN_WIDTH);

	if (!(view->flags & OUTPUT_NO_HEADER)) {
		for (const struct output_column *c = view->columns; c->field; c++)
			if (!(c->flags & COLUMN_EXTRA))
				table_cell(table, c->header);
		table_end_row(table);
	}
	for (size_t i = 0; i < json_array_count(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		for (const struct output_column *c = view->columns; c->field; c++) {
			AUTO(free) char *text = NULL;

			if (c->flags & COLUMN_EXTRA)
				continue;
			text = field_text(view, c->field, row);
			table_cell(table, text);
		}
		table_end_row(table);
	}
	table_print(table, out);
}

static void print_json(FILE *out, const struct output_view *view, struct json_object *rows)
{
	if (view->flags & OUTPUT_JSON_ARRAY) {
		output_json_line(out, rows);
		return;
	}
	for (size_t i = 0; i < json_array_count(rows); i++)
		output_json_line(out, json_object_array_get_idx(rows, i));
}

/* The row's own fields, and "" for those that the view knows and this row has not. */
static struct json_object *complete_row(const struct output_view *view, struct json_object *row)
{
	struct json_object *whole = json_object_new_object();

	for (const struct output_column *c = view->columns; c->field; c++)
		json_add_text(whole, c->field, "");
	json_each(row, key, value)
		json_object_object_add(whole, key, json_object_get(value));
	return whole;
}

static struct json_object *header_row(const struct output_view *view)
{
	struct json_object *header = json_object_new_object();

	for (const struct output_column *c = view->columns; c->field; c++)
		json_add_text(header, c->field, c->header);
	return header;
}

static int template_line(const struct template *template, struct json_object *row, char **out_line,
			 struct err *err)
{
	size_t size = 0;
	FILE *stream = open_memstream(out_line, &size);
	int result = template_print(template, stream, row, err);

	fclose(stream);
	return result;
}

/* One text per row, with the header's first when `header` is set; ends with NULL. */
static int template_lines(const struct output_view *view, const struct template *template,
			  struct json_object *rows, bool header, char ***out_lines, struct err *err)
{
	size_t count = json_array_count(rows), next = 0;

	*out_lines = xcalloc(count + 2, sizeof(char *));
	if (header) {
		AUTO(json) struct json_object *row = header_row(view);

		if (template_line(template, row, &(*out_lines)[next++], err) < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++) {
		AUTO(json)
		struct json_object *row = complete_row(view, json_object_array_get_idx(rows, i));

		if (template_line(template, row, &(*out_lines)[next++], err) < 0)
			return -1;
	}
	return 0;
}

static void print_lines(FILE *out, char *const *lines, const struct output_view *view, bool aligned)
{
	bool wide = view->flags & OUTPUT_WIDE;
	AUTO(table) struct table *table = table_new(wide ? TABLE_MIN_WIDE : TABLE_MIN_WIDTH);

	for (; *lines; lines++) {
		struct slice rest = SLICE(*lines), part;

		if (!aligned) {
			fprintf(out, "%s\n", *lines);
			continue;
		}
		while (slice_next(&rest, '\t', &part)) {
			AUTO(free) char *cell = xstrndup(part.at, part.len);

			table_cell(table, cell);
		}
		table_end_row(table);
	}
	table_print(table, out);
}

int output_rows(FILE *out, const struct output_view *view, const char *format,
		struct json_object *rows, struct err *err)
{
	bool aligned = format && text_starts(format, TABLE_PREFIX " ");
	struct template *template;
	char **lines = NULL;
	int result;

	if (!format || !*format || strcmp(format, TABLE_PREFIX) == 0) {
		print_table(out, view, rows);
		return 0;
	}
	if (strcmp(format, "json") == 0) {
		print_json(out, view, rows);
		return 0;
	}
	template = template_parse(aligned ? format + strlen(TABLE_PREFIX " ") : format, err);
	if (!template)
		return -1;
	result = template_lines(view, template, rows, aligned, &lines, err);
	if (result == 0)
		print_lines(out, lines, view, aligned);
	for (char **line = lines; *line; line++)
		free(*line);
	free(lines);
	template_free(template);
	return result;
}

int output_inspect(FILE *out, const char *format, struct json_object *array, struct err *err)
{
	struct template *template;
	int result = 0;

	if (!format || !*format || strcmp(format, "json") == 0) {
		output_json_pretty(out, array);
		return 0;
	}
	template = template_parse(format, err);
	if (!template)
		return -1;
	for (size_t i = 0; i < json_array_count(array) && result == 0; i++) {
		AUTO(free) char *line = NULL;

		result = template_line(template, json_object_array_get_idx(array, i), &line, err);
		if (result == 0)
			fprintf(out, "%s\n", line);
	}
	template_free(template);
	return result;
}

bool output_may_use_ansi(FILE *stream, const char *ansi)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (ansi && strcmp(ansi, "never") == 0)
		return false;
	if (ansi && strcmp(ansi, "always") == 0)
		return true;
	return !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0) &&
	       isatty(fileno(stream));
}

const char *output_colour(size_t n)
{
	static const char *const colours[] = {
		"\033[36m",   "\033[33m",   "\033[32m",   "\033[35m",   "\033[34m",
		"\033[1;36m", "\033[1;33m", "\033[1;32m", "\033[1;35m", "\033[1;34m",
	};

	return colours[n % (sizeof(colours) / sizeof(colours[0]))];
}

void output_terminal_size(FILE *stream, unsigned *out_columns, unsigned *out_lines)
{
	struct winsize size = { 0 };

	*out_columns = 80;
	*out_lines = 24;
	if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		*out_columns = size.ws_col;
		*out_lines = size.ws_row;
	}
}
