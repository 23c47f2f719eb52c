/* runtime/config_decode - JSON objects to structs by key tables.
 *
 * Owns: types of JSON values, the path in messages. May not touch: what a field means.
 */
#include "runtime/config_decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "runtime/config.h"

static void place_text(const struct place *at, char *out, size_t size)
{
	size_t used;

	if (!at) {
		out[0] = '\0';
		return;
	}
	place_text(at->up, out, size);
	used = strlen(out);
	if (at->key)
		snprintf(out + used, size - used, "%s%.60s", used ? "." : "", at->key);
	else
		snprintf(out + used, size - used, "[%zu]", at->index);
}

int decode_fail(const struct reader *reader, const struct place *at, const char *fmt, ...)
{
	char where[160], what[120];
	va_list ap;

	place_text(at, where, sizeof(where));
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!where[0])
		return err_set(reader->err, ERR_INVALID, "config.json: %s", what);
	return err_set(reader->err, ERR_INVALID, "config.json: %s: %s", where, what);
}

const char *decode_text(struct reader *reader, struct json_object *value, const struct place *at)
{
	const char *text;
	size_t len;

	if (!json_object_is_type(value, json_type_string)) {
		decode_fail(reader, at, "must be a text");
		return NULL;
	}
	text = json_object_get_string(value);
	len = (size_t)json_object_get_string_len(value);
	if (strlen(text) != len) {
		decode_fail(reader, at, "must not hold a NUL byte");
		return NULL;
	}
	return arena_strndup(reader->arena, text, len);
}

int decode_word(struct reader *reader, struct json_object *value, const struct place *at,
		const struct word *words, long *out)
{
	const char *text = decode_text(reader, value, at);

	if (!text)
		return -1;
	for (const struct word *word = words; word->text; word++)
		if (strcmp(word->text, text) == 0) {
			*out = word->value;
			return 0;
		}
	return decode_fail(reader, at, "unknown value \"%.60s\"", text);
}

static int decode_int(struct reader *reader, struct json_object *value, const struct place *at,
		      const struct field *row, void *target)
{
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return decode_fail(reader, at, "must be a whole number");
	number = json_object_get_int64(value);
	if (row->kind != FIELD_INT && number < 0)
		return decode_fail(reader, at, "must not be negative");
	switch (row->kind) {
	case FIELD_U32:
		if (number > UINT32_MAX)
			return decode_fail(reader, at, "is above %u", UINT32_MAX);
		*(uint32_t *)target = (uint32_t)number;
		return 0;
	case FIELD_U64:
		*(uint64_t *)target = json_object_get_uint64(value);
		return 0;
	default:
		*(struct config_int *)target = (struct config_int){ true, number };
		return 0;
	}
}

static int decode_bool(struct reader *reader, struct json_object *value, const struct place *at,
		       const struct field *row, void *target)
{
	bool yes;

	if (!json_object_is_type(value, json_type_boolean))
		return decode_fail(reader, at, "must be true or false");
	yes = json_object_get_boolean(value);
	if (row->kind == FIELD_FLAG)
		*(struct config_int *)target = (struct config_int){ true, yes };
	else
		*(bool *)target = yes;
	return 0;
}

static int decode_texts(struct reader *reader, struct json_object *value, const struct place *at,
			void *target)
{
	struct config_texts *texts = target;
	size_t count;

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list of texts");
	count = json_object_array_length(value);
	texts->at = arena_alloc(reader->arena, (count + 1) * sizeof(*texts->at));
	texts->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct place item = { at, NULL, i };
		const char *text = decode_text(reader, json_object_array_get_idx(value, i), &item);

		if (!text)
			return -1;
		texts->at[texts->count++] = text;
	}
	return 0;
}

static int decode_pairs(struct reader *reader, struct json_object *value, const struct place *at,
			void *target)
{
	struct config_pairs *pairs = target;

	if (!json_object_is_type(value, json_type_object))
		return decode_fail(reader, at, "must be an object");
	pairs->at = arena_alloc(reader->arena, ((size_t)json_object_object_length(value) + 1) *
						       sizeof(*pairs->at));
	pairs->count = 0;
	json_each(value, key, member) {
		struct place item = { at, key, 0 };
		const char *text = decode_text(reader, member, &item);

		if (!text)
			return -1;
		pairs->at[pairs->count++] =
			(struct config_pair){ arena_strdup(reader->arena, key), text };
	}
	return 0;
}

/* As every {pointer, count} of the config structs lies in memory. */
struct array {
	void *at;
	size_t count;
};

static int decode_objects(struct reader *reader, struct json_object *value, const struct place *at,
			  const struct field *row, void *target)
{
	struct array array = { NULL, 0 };

	if (!json_object_is_type(value, json_type_array))
		return decode_fail(reader, at, "must be a list");
	array.count = json_object_array_length(value);
	array.at = arena_alloc(reader->arena, (array.count + 1) * row->item_size);
	for (size_t i = 0; i < array.count; i++) {
		struct place item = { at, NULL, i };

		if (decode_object(reader, json_object_array_get_idx(value, i), &item, row->sub,
				  (char *)array.at + i * row->item_size) < 0)
			return -1;
	}
	memcpy(target, &array, sizeof(array));
	return 0;
}

static int decode_field(struct reader *reader, struct json_object *value, const struct place *at,
			const struct field *row, void *target)
{
	const char *text;

	switch (row->kind) {
	case FIELD_TEXT:
		text = decode_text(reader, value, at);
		if (!text)
			return -1;
		memcpy(target, &text, sizeof(text));
		return 0;
	case FIELD_BOOL:
	case FIELD_FLAG:
		return decode_bool(reader, value, at, row, target);
	case FIELD_U32:
	case FIELD_U64:
	case FIELD_INT:
	case FIELD_UINT:
		return decode_int(reader, value, at, row, target);
	case FIELD_TEXTS:
		return decode_texts(reader, value, at, target);
	case FIELD_PAIRS:
		return decode_pairs(reader, value, at, target);
	case FIELD_OBJECT:
		return decode_object(reader, value, at, row->sub, target);
	case FIELD_OBJECTS:
		return decode_objects(reader, value, at, row, target);
	case FIELD_CUSTOM:
		return row->custom(reader, value, at, target);
	}
	return -1;
}

int decode_object(struct reader *reader, struct json_object *value, const struct place *at,
		  const struct field *table, void *target)
{
	if (!json_object_is_type(value, json_type_object))
		return decode_fail(reader, at, "must be an object");
	for (const struct field *row = table; row->key; row++) {
		struct place here = { at, row->key, 0 };
		struct json_object *member = NULL;

		if (!json_object_object_get_ex(value, row->key, &member) || !member) {
			if (row->required)
				return decode_fail(reader, &here, "is missing");
			continue;
		}
		if (decode_field(reader, member, &here, row, (char *)target + row->offset) < 0)
			return -1;
	}
	return 0;
}
