/* orchestrator/cli/template_call - the functions that templates may call.
 *
 * Owns: their table and how a value becomes text. May not touch: the tree of a template.
 */
#include "orchestrator/cli/template_call.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"

#define JSON_PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define PAD_MAX    1000
#define TAKES_MANY 64

typedef struct json_object *function(struct json_object **arguments, size_t count);

bool template_is_true(struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return false;
	case json_type_array:
		return json_object_array_length(value) > 0;
	case json_type_object:
		return json_object_object_length(value) > 0;
	case json_type_string:
		return json_object_get_string_len(value) > 0;
	case json_type_boolean:
	case json_type_double:
	case json_type_int:
		break;
	}
	return json_object_get_boolean(value);
}

static void write_value(FILE *out, struct json_object *value)
{
	const char *gap = "";

	switch (json_object_get_type(value)) {
	case json_type_null:
		fputs("<no value>", out);
		return;
	case json_type_array:
		fputc('[', out);
		for (size_t i = 0; i < json_object_array_length(value); i++, gap = " ") {
			fputs(gap, out);
			write_value(out, json_object_array_get_idx(value, i));
		}
		fputc(']', out);
		return;
	case json_type_object:
		fputs("map[", out);
		json_each(value, key, member) {
			fprintf(out, "%s%s:", gap, key);
			write_value(out, member);
			gap = " ";
		}
		fputc(']', out);
		return;
	case json_type_boolean:
	case json_type_double:
	case json_type_int:
	case json_type_string:
		break;
	}
	fputs(json_object_get_string(value), out);
}

char *template_text_of(struct json_object *value)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	write_value(out, value);
	fclose(out);
	return text;
}

static struct json_object *own_text(char *text)
{
	struct json_object *value = json_object_new_string(text);

	free(text);
	return value;
}

static struct json_object *call_json(struct json_object **arguments, size_t count)
{
	(void)count;
	return json_object_new_string(json_object_to_json_string_ext(arguments[0], JSON_PLAIN));
}

static struct json_object *change_case(struct json_object *value, int (*change)(int))
{
	char *text = template_text_of(value);

	for (char *c = text; *c; c++)
		*c = (char)change((unsigned char)*c);
	return own_text(text);
}

static struct json_object *call_upper(struct json_object **arguments, size_t count)
{
	(void)count;
	return change_case(arguments[0], toupper);
}

static struct json_object *call_lower(struct json_object **arguments, size_t count)
{
	(void)count;
	return change_case(arguments[0], tolower);
}

static struct json_object *call_title(struct json_object **arguments, size_t count)
{
	char *text = template_text_of(arguments[0]);

	(void)count;
	for (char *c = text; *c; c++)
		if (c == text || isspace((unsigned char)c[-1]))
			*c = (char)toupper((unsigned char)*c);
	return own_text(text);
}

static struct json_object *call_join(struct json_object **arguments, size_t count)
{
	size_t items = json_array_count(arguments[0]);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)count;
	for (size_t i = 0; i < items; i++) {
		if (i)
			write_value(out, arguments[1]);
		write_value(out, json_object_array_get_idx(arguments[0], i));
	}
	fclose(out);
	return own_text(text);
}

static struct json_object *call_split(struct json_object **arguments, size_t count)
{
	struct json_object *array = json_object_new_array();
	const char *text = json_object_get_string(arguments[0]);
	const char *separator = json_object_get_string(arguments[1]);
	struct slice rest = SLICE(text ? text : ""), part;

	(void)count;
	while (slice_next(&rest, separator && *separator ? *separator : ',', &part))
		json_object_array_add(array, json_object_new_string_len(part.at, (int)part.len));
	return array;
}

static struct json_object *call_truncate(struct json_object **arguments, size_t count)
{
	char *text = template_text_of(arguments[0]);
	int64_t max = json_object_get_int64(arguments[1]);

	(void)count;
	if (max >= 0 && (size_t)max < strlen(text))
		text[max] = '\0';
	return own_text(text);
}

/* pad TEXT BEFORE AFTER: blanks around what is not empty */
static struct json_object *call_pad(struct json_object **arguments, size_t count)
{
	AUTO(free) char *text = template_text_of(arguments[0]);
	int64_t before = json_object_get_int64(arguments[1]);
	int64_t after = json_object_get_int64(arguments[2]);

	(void)count;
	if (!*text || before < 0 || after < 0 || before > PAD_MAX || after > PAD_MAX)
		return json_object_new_string(text);
	return own_text(xformat("%*s%s%*s", (int)before, "", text, (int)after, ""));
}

static struct json_object *call_len(struct json_object **arguments, size_t count)
{
	struct json_object *value = arguments[0];

	(void)count;
	if (json_object_is_type(value, json_type_array))
		return json_object_new_int64((int64_t)json_object_array_length(value));
	if (json_object_is_type(value, json_type_object))
		return json_object_new_int64(json_object_object_length(value));
	return json_object_new_int64(value ? json_object_get_string_len(value) : 0);
}

/* index VALUE KEY...: members and elements, one after the other */
static struct json_object *call_index(struct json_object **arguments, size_t count)
{
	struct json_object *value = arguments[0];

	for (size_t i = 1; i < count && value; i++) {
		struct json_object *member = NULL;

		if (json_object_is_type(value, json_type_object) && arguments[i])
			json_object_object_get_ex(value, json_object_get_string(arguments[i]),
						  &member);
		else if (json_object_is_type(value, json_type_array))
			member = json_object_array_get_idx(
				value, (size_t)json_object_get_int64(arguments[i]));
		value = member;
	}
	return json_object_get(value);
}

static struct json_object *call_eq(struct json_object **arguments, size_t count)
{
	AUTO(free) char *first = template_text_of(arguments[0]);

	for (size_t i = 1; i < count; i++) {
		AUTO(free) char *other = template_text_of(arguments[i]);

		if (strcmp(first, other) == 0)
			return json_object_new_boolean(true);
	}
	return json_object_new_boolean(false);
}

static struct json_object *call_ne(struct json_object **arguments, size_t count)
{
	struct json_object *equal = call_eq(arguments, count);
	bool differs = !json_object_get_boolean(equal);

	json_object_put(equal);
	return json_object_new_boolean(differs);
}

static struct json_object *call_not(struct json_object **arguments, size_t count)
{
	(void)count;
	return json_object_new_boolean(!template_is_true(arguments[0]));
}

static struct json_object *call_and(struct json_object **arguments, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!template_is_true(arguments[i]))
			return json_object_get(arguments[i]);
	return json_object_get(arguments[count - 1]);
}

static struct json_object *call_or(struct json_object **arguments, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (template_is_true(arguments[i]))
			return json_object_get(arguments[i]);
	return json_object_get(arguments[count - 1]);
}

static struct json_object *print_all(struct json_object **arguments, size_t count, const char *gap,
				     const char *end)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < count; i++) {
		fputs(i ? gap : "", out);
		write_value(out, arguments[i]);
	}
	fputs(end, out);
	fclose(out);
	return own_text(text);
}

static struct json_object *call_print(struct json_object **arguments, size_t count)
{
	return print_all(arguments, count, "", "");
}

static struct json_object *call_println(struct json_object **arguments, size_t count)
{
	return print_all(arguments, count, " ", "\n");
}

static struct json_object *call_printf(struct json_object **arguments, size_t count)
{
	const char *format = json_object_get_string(arguments[0]);
	size_t next = 1, size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	for (const char *c = format ? format : ""; *c; c++) {
		if (*c != '%' || !c[1]) {
			fputc(*c, out);
			continue;
		}
		c++;
		if (*c == '%')
			fputc('%', out);
		else if (next >= count)
			fprintf(out, "%%!%c(MISSING)", *c);
		else if (*c == 'q')
			fputs(json_object_to_json_string_ext(arguments[next++], JSON_PLAIN), out);
		else
			write_value(out, arguments[next++]);
	}
	fclose(out);
	return own_text(text);
}

/* clang-format off */
static const struct {
	const char *name;
	function *call;
	size_t least, most;
} functions[] = {
	{ "and",      call_and,      1, TAKES_MANY },
	{ "eq",       call_eq,       2, TAKES_MANY },
	{ "index",    call_index,    1, TAKES_MANY },
	{ "join",     call_join,     2, 2 },
	{ "json",     call_json,     1, 1 },
	{ "len",      call_len,      1, 1 },
	{ "lower",    call_lower,    1, 1 },
	{ "ne",       call_ne,       2, 2 },
	{ "not",      call_not,      1, 1 },
	{ "or",       call_or,       1, TAKES_MANY },
	{ "pad",      call_pad,      3, 3 },
	{ "print",    call_print,    0, TAKES_MANY },
	{ "printf",   call_printf,   1, TAKES_MANY },
	{ "println",  call_println,  0, TAKES_MANY },
	{ "split",    call_split,    2, 2 },
	{ "title",    call_title,    1, 1 },
	{ "truncate", call_truncate, 2, 2 },
	{ "upper",    call_upper,    1, 1 },
};
/* clang-format on */

#define FUNCTION_COUNT (sizeof(functions) / sizeof(functions[0]))

static const char *function_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < FUNCTION_COUNT ? functions[i].name : NULL;
}

int template_call(const char *name, struct json_object **arguments, size_t count,
		  struct json_object **out, struct err *err)
{
	const char *near;

	for (size_t i = 0; i < FUNCTION_COUNT; i++) {
		if (strcmp(functions[i].name, name) != 0)
			continue;
		if (count < functions[i].least || count > functions[i].most)
			return err_set(err, ERR_INVALID, "template: %s: %zu arguments do not fit",
				       name, count);
		*out = functions[i].call(arguments, count);
		return 0;
	}
	near = text_near(name, function_name, NULL);
	return err_set(err, ERR_INVALID, "template: function \"%.40s\" is not known%s%s%s", name,
		       near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}
