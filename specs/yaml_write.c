/* specs/yaml_write - JSON values as YAML text: indent 2, quotes only where a reader would need
 * them.
 *
 * Owns: the choice of quotes. May not touch: the order of keys.
 */
#include "specs/yaml_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "specs/scalar.h"

static void write_value(FILE *out, struct arena *arena, struct json_object *json, unsigned indent);

static void write_indent(FILE *out, unsigned indent)
{
	for (unsigned i = 0; i < indent; i++)
		fputs("  ", out);
}

/* Would a reader, of YAML 1.1 or 1.2, take the plain text for something else than text? */
static bool is_ambiguous(struct arena *arena, const char *text)
{
	static const char *const dates = "0123456789-";
	const char *resolved;
	bool value;

	if (scalar_resolve(arena, text, strlen(text), &resolved) != NODE_TEXT ||
	    scalar_bool(text, &value) > 0 || strcmp(text, "<<") == 0 || strcmp(text, "=") == 0)
		return true;
	if (strlen(text) >= 8 && strspn(text, dates) >= 8 && strchr(text, '-') != text)
		return true;
	/* base 60 of YAML 1.1 */
	return strchr("-+0123456789", text[0]) && strchr(text, ':') &&
	       strspn(text, "-+0123456789:._") == strlen(text);
}

static bool is_plain(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || strchr("!&*#|>@`\"'%{}[], \t", text[0]) || strchr(" \t:", text[len - 1]))
		return false;
	if (strchr("-?:", text[0]) && (!text[1] || text[1] == ' '))
		return false;
	if (strncmp(text, "---", 3) == 0 || strncmp(text, "...", 3) == 0)
		return false;
	return !strstr(text, ": ") && !strstr(text, " #");
}

/* A C1 control character in UTF-8. */
static bool is_c1(const unsigned char *c)
{
	return c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
}

static bool has_control(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if ((*c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7f || is_c1(c))
			return true;
	return false;
}

/* Would a block (|) keep it as it is? */
static bool fits_block(const char *text)
{
	return strchr(text, '\n') && !has_control(text) && !strchr("\n\t ", text[0]);
}

static void write_double(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c == '\n')
			fputs("\\n", out);
		else if (*c == '\t')
			fputs("\\t", out);
		else if (is_c1(c))
			fprintf(out, "\\x%02x", *++c);
		else if (*c < 0x20 || *c == 0x7f)
			fprintf(out, "\\x%02x", *c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static void write_single(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputc('\'', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

static void write_block(FILE *out, const char *text, unsigned indent)
{
	size_t len = strlen(text), ends = 0;

	while (ends < len && text[len - 1 - ends] == '\n')
		ends++;
	fputs(ends == 0 ? "|-" : ends == 1 ? "|" : "|+", out);
	for (const char *line = text; *line;) {
		size_t line_len = strcspn(line, "\n");

		fputc('\n', out);
		if (line_len)
			write_indent(out, indent);
		fwrite(line, 1, line_len, out);
		line += line_len;
		if (*line == '\n')
			line++;
	}
}

static void write_text(FILE *out, struct arena *arena, const char *text, unsigned indent)
{
	if (*text == '\0' || is_ambiguous(arena, text))
		write_double(out, text);
	else if (fits_block(text))
		write_block(out, text, indent);
	else if (has_control(text) || strchr(text, '\n') || strchr(text, '\t'))
		write_double(out, text);
	else if (is_plain(text))
		fputs(text, out);
	else
		write_single(out, text);
}

static void write_key(FILE *out, struct arena *arena, const char *key)
{
	if (strchr(key, '\n') || has_control(key) || is_ambiguous(arena, key) || !*key)
		write_double(out, key);
	else if (is_plain(key) && !strstr(key, ": "))
		fputs(key, out);
	else
		write_single(out, key);
}

static bool is_filled(struct json_object *json)
{
	return (json_object_is_type(json, json_type_object) &&
		json_object_object_length(json) > 0) ||
	       (json_object_is_type(json, json_type_array) && json_object_array_length(json) > 0);
}

static void write_map(FILE *out, struct arena *arena, struct json_object *json, unsigned indent,
		      bool first_inline)
{
	json_object_object_foreach(json, key, value)
	{
		if (!first_inline)
			write_indent(out, indent);
		first_inline = false;
		write_key(out, arena, key);
		fputc(':', out);
		if (is_filled(value)) {
			fputc('\n', out);
			write_value(out, arena, value, indent + 1);
		} else {
			fputc(' ', out);
			write_value(out, arena, value, indent + 1);
			fputc('\n', out);
		}
	}
}

static void write_list(FILE *out, struct arena *arena, struct json_object *json, unsigned indent)
{
	for (size_t i = 0; i < json_object_array_length(json); i++) {
		struct json_object *item = json_object_array_get_idx(json, i);

		write_indent(out, indent);
		fputs("- ", out);
		if (is_filled(item) && json_object_is_type(item, json_type_object)) {
			write_map(out, arena, item, indent + 1, true);
		} else if (is_filled(item)) {
			fputc('\n', out);
			write_value(out, arena, item, indent + 1);
		} else {
			write_value(out, arena, item, indent + 1);
			fputc('\n', out);
		}
	}
}

/* Filled maps and lists write whole lines; all else writes what stands on one. */
static void write_value(FILE *out, struct arena *arena, struct json_object *json, unsigned indent)
{
	switch (json_object_get_type(json)) {
	case json_type_null:
		fputs("null", out);
		return;
	case json_type_string:
		write_text(out, arena, json_object_get_string(json), indent);
		return;
	case json_type_object:
		if (json_object_object_length(json) == 0)
			fputs("{}", out);
		else
			write_map(out, arena, json, indent, false);
		return;
	case json_type_array:
		if (json_object_array_length(json) == 0)
			fputs("[]", out);
		else
			write_list(out, arena, json, indent);
		return;
	default:
		fputs(json_object_get_string(json), out);
	}
}

static void write_yaml_member(FILE *out, struct arena *arena, const char *key,
			      struct json_object *value, unsigned indent)
{
	write_indent(out, indent);
	write_key(out, arena, key);
	fputc(':', out);
	fputc(is_filled(value) ? '\n' : ' ', out);
	write_value(out, arena, value, indent + 1);
	if (!is_filled(value))
		fputc('\n', out);
}

static void write_json_text(FILE *out, const char *text)
{
	struct json_object *json = json_object_new_string(text);

	fputs(json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE), out);
	json_object_put(json);
}

static void write_json(FILE *out, struct json_object *json, unsigned indent)
{
	const char *separator = "\n";

	if (!is_filled(json)) {
		fputs(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE),
		      out);
		return;
	}
	if (json_object_is_type(json, json_type_array)) {
		fputc('[', out);
		for (size_t i = 0; i < json_object_array_length(json); i++, separator = ",\n") {
			fputs(separator, out);
			write_indent(out, indent + 1);
			write_json(out, json_object_array_get_idx(json, i), indent + 1);
		}
	} else {
		fputc('{', out);
		json_object_object_foreach(json, key, value)
		{
			fputs(separator, out);
			write_indent(out, indent + 1);
			write_json_text(out, key);
			fputs(": ", out);
			write_json(out, value, indent + 1);
			separator = ",\n";
		}
	}
	fputc('\n', out);
	write_indent(out, indent);
	fputc(json_object_is_type(json, json_type_array) ? ']' : '}', out);
}

static void begin_json_member(struct text_writer *writer, const char *key)
{
	fputs(writer->is_first ? "\n" : ",\n", writer->out);
	write_indent(writer->out, writer->indent);
	write_json_text(writer->out, key);
	fputs(": ", writer->out);
	writer->is_first = false;
}

void text_begin(struct text_writer *writer, const char *key)
{
	if (writer->is_json) {
		if (key)
			begin_json_member(writer, key);
		fputc('{', writer->out);
	} else if (key) {
		write_indent(writer->out, writer->indent);
		write_key(writer->out, writer->arena, key);
		fputs(":\n", writer->out);
	}
	writer->indent += writer->is_json || key ? 1 : 0;
	writer->is_first = true;
}

void text_member(struct text_writer *writer, const char *key, struct json_object *value)
{
	if (writer->is_json) {
		begin_json_member(writer, key);
		write_json(writer->out, value, writer->indent);
		return;
	}
	write_yaml_member(writer->out, writer->arena, key, value, writer->indent);
	writer->is_first = false;
}

void text_end(struct text_writer *writer)
{
	if (writer->indent > 0)
		writer->indent--;
	if (!writer->is_json)
		return;
	if (!writer->is_first) {
		fputc('\n', writer->out);
		write_indent(writer->out, writer->indent);
	}
	fputc('}', writer->out);
	writer->is_first = false;
}
