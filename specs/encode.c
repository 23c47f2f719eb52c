/* specs/encode - structs of the model as JSON, field by field of the key tables.
 *
 * Owns: reading through the offsets of the tables, what is left out when empty. May not touch: the
 * model's envelope (specs/model_json).
 */
#include "specs/encode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "specs/model_json.h"
#include "specs/scalar.h"
#include "specs/units.h"

#define FIELD(type, base, offset) ((const type *)(const void *)((const char *)(base) + (offset)))

/* A text with every $ doubled, to be freed; NULL when there is none to double. */
static char *double_dollars(const char *text)
{
	size_t count = 0;
	char *out, *at;

	for (const char *c = text; *c; c++)
		count += *c == '$';
	if (count == 0)
		return NULL;
	out = at = xcalloc(strlen(text) + count + 1, 1);
	for (; *text; text++) {
		if (*text == '$')
			*at++ = '$';
		*at++ = *text;
	}
	return out;
}

static struct json_object *new_text(const char *text, unsigned flags)
{
	AUTO(free) char *doubled = flags & MODEL_JSON_DOLLARS ? double_dollars(text) : NULL;

	return json_object_new_string(doubled ? doubled : text);
}

static void add(struct json_object *map, const char *name, struct json_object *value,
		unsigned flags)
{
	AUTO(free) char *doubled = flags & MODEL_JSON_DOLLARS ? double_dollars(name) : NULL;

	json_object_object_add(map, doubled ? doubled : name, value);
}

static const void *pointer_at(const void *base, size_t offset)
{
	const void *pointer;

	memcpy(&pointer, (const char *)base + offset, sizeof(pointer));
	return pointer;
}

static struct json_object *encode_texts(const char *const *items, size_t count, unsigned flags)
{
	struct json_object *list = json_object_new_array_ext((int)count);

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, new_text(items[i], flags));
	return list;
}

static struct json_object *encode_pairs(const struct pairs *pairs, unsigned flags)
{
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < pairs->count; i++)
		add(map, pairs->items[i].name,
		    pairs->items[i].value ? new_text(pairs->items[i].value, flags) : NULL, flags);
	return map;
}

static struct json_object *encode_ssh(const struct pairs *pairs, unsigned flags)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < pairs->count; i++) {
		const struct pair *pair = &pairs->items[i];
		AUTO(free)
		char *text = xformat("%s%s%s", pair->name, pair->value ? "=" : "",
				     pair->value ? pair->value : "");

		json_object_array_add(list, new_text(text, flags));
	}
	return list;
}

/* A limit of 0 is an empty map in the reference's JSON, and its two halves in its YAML. */
static struct json_object *encode_no_limit(unsigned flags)
{
	struct json_object *value = json_object_new_object();

	if (flags & MODEL_JSON_NO_NULLS) {
		json_object_object_add(value, "soft", json_object_new_int(0));
		json_object_object_add(value, "hard", json_object_new_int(0));
	}
	return value;
}

static struct json_object *encode_ulimits(const struct key *key, const struct ulimit *items,
					  size_t count, unsigned flags)
{
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < count; i++) {
		struct json_object *value;

		if (items[i].both.is_set && items[i].both.value == 0 && !(flags & MODEL_JSON_STATE))
			value = encode_no_limit(flags);
		else if (items[i].both.is_set)
			value = json_object_new_int64(items[i].both.value);
		else
			value = encode_map(key->table, &items[i], flags);
		add(map, items[i].name, value, flags);
	}
	return map;
}

static struct json_object *encode_provider_options(const struct provider_option *items,
						   size_t count, unsigned flags)
{
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < count; i++)
		add(map, items[i].name,
		    encode_texts(items[i].values.items, items[i].values.count, flags), flags);
	return map;
}

struct json_object *encode_named(const struct table *table, const void *items, size_t count,
				 unsigned flags)
{
	struct json_object *map = json_object_new_object();

	for (size_t i = 0; i < count; i++) {
		const char *item = (const char *)items + i * table->size;
		bool is_null =
			table->null_offset != NO_FIELD && *FIELD(bool, item, table->null_offset);

		add(map, pointer_at(item, 0), is_null ? NULL : encode_map(table, item, flags),
		    flags);
	}
	return map;
}

static struct json_object *encode_objects(const struct table *table, const void *items,
					  size_t count, unsigned flags)
{
	struct json_object *list = json_object_new_array_ext((int)count);

	for (size_t i = 0; i < count; i++)
		json_object_array_add(
			list, encode_map(table, (const char *)items + i * table->size, flags));
	return list;
}

/* Absent objects that JSON shows as {}. */
static struct json_object *encode_absent(const struct key *key, unsigned flags)
{
	AUTO(free) void *empty = NULL;

	if (!(key->flags & KEY_JSON_EMPTY) || (flags & (MODEL_JSON_STATE | MODEL_JSON_NO_NULLS)))
		return NULL;
	empty = xcalloc(1, key->table->size);
	return encode_map(key->table, empty, flags);
}

static struct json_object *encode_number(double value)
{
	char text[SCALAR_NUMBER_MAX];

	scalar_number_text(value, text);
	return scalar_json_number(text);
}

static struct json_object *encode_format(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
static struct json_object *encode_format(const char *fmt, ...)
{
	char text[UNITS_DURATION_LEN];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return json_object_new_string(text);
}

static struct json_object *encode_time(const struct opt_time *time)
{
	char text[UNITS_DURATION_LEN];

	if (!time->is_set)
		return NULL;
	units_print_duration((uint64_t)time->us, text);
	return json_object_new_string(text);
}

static struct json_object *encode_opt_int(const struct key *key, const struct opt_int *whole)
{
	if (!whole->is_set)
		return NULL;
	if (key->kind == KEY_MODE)
		return encode_format("0%03o", (unsigned)whole->value);
	if (key->kind == KEY_INT_TEXT)
		return encode_format("%jd", (intmax_t)whole->value);
	return json_object_new_int64(whole->value);
}

/* NULL: nothing to show. */
static struct json_object *encode_scalar(const struct key *key, const void *base, unsigned flags)
{
	const void *field = (const char *)base + key->offset;
	const struct opt_number *number = field;
	const struct opt_bytes *bytes = field;
	const struct opt_bool *choice = field;
	const unsigned *range = field;
	const char *text;

	switch (key->kind) {
	case KEY_TEXT:
	case KEY_LOOSE:
		text = pointer_at(base, key->offset);
		return text ? new_text(text, flags) : NULL;
	case KEY_BOOL:
	case KEY_EXTERNAL:
		return *(const bool *)field || (key->flags & KEY_SHOWN)
			       ? json_object_new_boolean(*(const bool *)field)
			       : NULL;
	case KEY_OPT_BOOL:
		return choice->is_set ? json_object_new_boolean(choice->value) : NULL;
	case KEY_INT:
	case KEY_INT_TEXT:
	case KEY_MODE:
		return encode_opt_int(key, field);
	case KEY_NUMBER:
		return number->is_set ? encode_number(number->value) : NULL;
	case KEY_PORT:
		return *range ? json_object_new_int64(*range) : NULL;
	case KEY_BYTES:
		return bytes->is_set ? encode_format("%jd", (intmax_t)bytes->bytes) : NULL;
	case KEY_DURATION:
		return encode_time(field);
	case KEY_STATUS:
		return range[0] ? encode_format("%u-%u", range[0], range[1]) : NULL;
	default:
		return NULL;
	}
}

/* Lists and maps of texts; NULL: nothing to show. */
static struct json_object *encode_texts_of(const struct key *key, const void *base, unsigned flags)
{
	const struct texts *texts = FIELD(struct texts, base, key->offset);
	const struct command_words *command = FIELD(struct command_words, base, key->offset);
	const struct pairs *pairs = FIELD(struct pairs, base, key->offset);

	switch (key->kind) {
	case KEY_TEST:
		return command->count ? encode_texts(command->items, command->count, flags) : NULL;
	case KEY_COMMAND:
		return command->is_set ? encode_texts(command->items, command->count, flags) : NULL;
	case KEY_PAIRS:
	case KEY_OPTIONS:
		return pairs->count ? encode_pairs(pairs, flags) : NULL;
	case KEY_SSH:
		return pairs->count ? encode_ssh(pairs, flags) : NULL;
	default:
		return texts->count ? encode_texts(texts->items, texts->count, flags) : NULL;
	}
}

static struct json_object *encode_inline(const struct table *table, const void *base,
					 unsigned flags)
{
	struct json_object *map = encode_map(table, base, flags);

	if (json_object_object_length(map) > 0)
		return map;
	json_object_put(map);
	return NULL;
}

static struct json_object *encode_value(const struct key *key, const void *base, unsigned flags)
{
	const void *pointer;
	size_t count;

	switch (key->kind) {
	case KEY_TEXTS:
	case KEY_LOOSE_TEXTS:
	case KEY_TEXT_OR_LIST:
	case KEY_COMMAND:
	case KEY_TEST:
	case KEY_HOSTS:
	case KEY_PAIRS:
	case KEY_OPTIONS:
	case KEY_SSH:
		return encode_texts_of(key, base, flags);
	case KEY_INLINE:
		return encode_inline(key->table, base, flags);
	case KEY_OBJECT:
		pointer = pointer_at(base, key->offset);
		return pointer ? encode_map(key->table, pointer, flags) : encode_absent(key, flags);
	case KEY_OBJECTS:
	case KEY_NAMED:
	case KEY_NAMES:
	case KEY_ULIMITS:
	case KEY_PROVIDER_OPTIONS:
		break;
	default:
		return encode_scalar(key, base, flags);
	}
	pointer = pointer_at(base, key->offset);
	count = *FIELD(size_t, base, key->offset + sizeof(void *));
	if (count == 0)
		return NULL;
	if (key->kind == KEY_OBJECTS)
		return encode_objects(key->table, pointer, count, flags);
	if (key->kind == KEY_ULIMITS)
		return encode_ulimits(key, pointer, count, flags);
	if (key->kind == KEY_PROVIDER_OPTIONS)
		return encode_provider_options(pointer, count, flags);
	return encode_named(key->table, pointer, count, flags);
}

static void add_extension(struct json_object *map, const struct pair *extension, unsigned flags)
{
	AUTO(free)
	char *doubled = flags & MODEL_JSON_DOLLARS ? double_dollars(extension->value) : NULL;

	add(map, extension->name, json_tokener_parse(doubled ? doubled : extension->value), flags);
}

struct json_object *encode_map(const struct table *table, const void *base, unsigned flags)
{
	struct json_object *map = json_object_new_object();
	bool is_top = table == &project_table;

	for (size_t i = 0; i < table->count; i++) {
		const struct key *key = &table->keys[i];
		struct json_object *value;

		if (key->offset == NO_FIELD ||
		    ((key->flags & KEY_EXTENSION) && !is_top && !(flags & MODEL_JSON_NESTED_X)))
			continue;
		value = encode_value(key, base, flags);
		if (value || (key->kind == KEY_COMMAND && !(flags & MODEL_JSON_NO_NULLS)))
			json_object_object_add(map, key->name, value);
		else if (is_top && strcmp(key->name, "services") == 0)
			json_object_object_add(map, key->name, json_object_new_object());
	}
	if (table->extensions_offset != NO_FIELD && (is_top || (flags & MODEL_JSON_NESTED_X))) {
		const struct pairs_json *extensions =
			FIELD(struct pairs_json, base, table->extensions_offset);

		for (size_t i = 0; i < extensions->count; i++)
			add_extension(map, &extensions->items[i], flags);
	}
	return map;
}
