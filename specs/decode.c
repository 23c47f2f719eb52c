/* specs/decode - a finished document as structs, field by field of the key tables.
 *
 * Owns: writing through the offsets of the tables. A list field is a pointer with its count right
 * behind it. May not touch: what values mean.
 */
#include "specs/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "specs/model_parts.h"
#include "specs/scalar.h"
#include "specs/units.h"

/* Field of a type at an offset of a struct. */
#define FIELD(type, base, offset) ((type *)(void *)((char *)(base) + (offset)))

static void put_pointer(void *base, size_t offset, const void *pointer)
{
	memcpy((char *)base + offset, &pointer, sizeof(pointer));
}

static void put_list(void *base, size_t offset, const void *items, size_t count)
{
	put_pointer(base, offset, items);
	memcpy((char *)base + offset + sizeof(void *), &count, sizeof(count));
}

static int compare_texts(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* The first field of every named struct, and of a pair, is its name. */
static int compare_named(const void *left, const void *right)
{
	return compare_texts(left, right);
}

static struct texts decode_texts(struct arena *arena, const struct node *list)
{
	struct texts texts = { .count = list->count };

	if (list->kind != NODE_LIST || list->count == 0)
		return (struct texts){ 0 };
	texts.items = arena_alloc(arena, list->count * sizeof(*texts.items));
	for (size_t i = 0; i < list->count; i++)
		texts.items[i] = list->members[i].value->text ?: "";
	return texts;
}

static struct pairs decode_pairs(struct arena *arena, const struct node *map)
{
	struct pairs pairs = { .count = map->count };

	if (map->kind != NODE_MAP || map->count == 0)
		return (struct pairs){ 0 };
	pairs.items = arena_alloc(arena, map->count * sizeof(*pairs.items));
	for (size_t i = 0; i < map->count; i++) {
		const struct node *value = map->members[i].value;

		pairs.items[i].name = map->members[i].key;
		pairs.items[i].value = value->kind == NODE_NULL ? NULL : value->text;
	}
	qsort(pairs.items, pairs.count, sizeof(*pairs.items), compare_named);
	return pairs;
}

static void decode_command(struct arena *arena, const struct node *node, struct command_words *out)
{
	struct texts words = decode_texts(arena, node);

	*out = (struct command_words){ words.items, words.count, node->kind == NODE_LIST };
}

static void decode_ulimits(struct arena *arena, const struct key *key, const struct node *map,
			   void *out)
{
	struct ulimit *items = arena_alloc(arena, (map->count + 1) * sizeof(*items));

	for (size_t i = 0; i < map->count; i++) {
		const struct node *value = map->members[i].value;
		int64_t number = 0;

		if (value->kind == NODE_MAP)
			decode_map(arena, key->table, value, &items[i]);
		items[i].name = map->members[i].key;
		if (value->kind == NODE_MAP && value->count > 0)
			continue;
		if (value->kind != NODE_MAP)
			scalar_int(value->text, &number);
		items[i].both = items[i].soft = items[i].hard = (struct opt_int){ number, true };
	}
	qsort(items, map->count, sizeof(*items), compare_named);
	put_list(out, key->offset, items, map->count);
}

static void decode_provider_options(struct arena *arena, const struct key *key,
				    const struct node *map, void *out)
{
	struct provider_option *items = arena_alloc(arena, (map->count + 1) * sizeof(*items));

	for (size_t i = 0; i < map->count; i++) {
		items[i].name = map->members[i].key;
		items[i].values = decode_texts(arena, map->members[i].value);
	}
	qsort(items, map->count, sizeof(*items), compare_named);
	put_list(out, key->offset, items, map->count);
}

void decode_named(struct arena *arena, const struct table *table, const struct node *map,
		  void *out_items, size_t *out_count)
{
	char *items = arena_alloc(arena, (map->count + 1) * table->size);

	for (size_t i = 0; i < map->count; i++) {
		const struct member *member = &map->members[i];
		char *item = items + i * table->size;

		if (member->value->kind == NODE_MAP)
			decode_map(arena, table, member->value, item);
		else if (table->null_offset != NO_FIELD)
			*FIELD(bool, item, table->null_offset) = true;
		put_pointer(item, 0, member->key);
		if (table->place_offset != NO_FIELD)
			*FIELD(struct place, item, table->place_offset) = member->key_place;
	}
	qsort(items, map->count, table->size, compare_named);
	put_pointer(out_items, 0, map->count ? items : NULL);
	*out_count = map->count;
}

static void decode_objects(struct arena *arena, const struct key *key, const struct node *list,
			   void *out)
{
	size_t size = key->table->size;
	char *items = arena_alloc(arena, (list->count + 1) * size);

	for (size_t i = 0; i < list->count; i++)
		decode_map(arena, key->table, list->members[i].value, items + i * size);
	put_list(out, key->offset, list->count ? items : NULL, list->count);
}

static void decode_object(struct arena *arena, const struct key *key, const struct node *map,
			  void *out)
{
	void *object = arena_alloc(arena, key->table->size);

	decode_map(arena, key->table, map, object);
	put_pointer(out, key->offset, object);
}

static void decode_status(const struct node *node, void *field)
{
	struct slice low, high;
	uint64_t first = 0, last = 0;
	unsigned range[2];
	struct err err;

	slice_split(SLICE(node->text), '-', &low, &high);
	num_parse_u64("status", low.at, low.len, 0, 999, &first, &err);
	num_parse_u64("status", high.at, high.len, 0, 999, &last, &err);
	range[0] = (unsigned)first;
	range[1] = (unsigned)last;
	memcpy(field, range, sizeof(range));
}

static struct opt_int decode_mode(const char *text)
{
	struct opt_int mode = { 0, true };

	for (; *text >= '0' && *text <= '7'; text++)
		mode.value = mode.value * 8 + (*text - '0');
	return mode;
}

static void decode_bytes(const struct key *key, const struct node *node, void *field)
{
	struct err err;
	uint64_t bytes = 0;
	struct opt_bytes value = { 0, true };

	if (strcmp(node->text, "-1") == 0)
		value.bytes = -1;
	else if (units_parse_bytes(node->text, &bytes, &err) == 0)
		value.bytes = (int64_t)bytes;
	if (value.bytes == 0 && (key->flags & KEY_ZERO_UNSET))
		value.is_set = false;
	memcpy(field, &value, sizeof(value));
}

static void decode_scalar(const struct key *key, const struct node *node, void *out)
{
	void *field = (char *)out + key->offset;
	bool flag = strcmp(node->text, "true") == 0;
	struct opt_number number = { 0, true };
	struct opt_int whole = { 0, true };
	struct err err;
	uint64_t us = 0;

	switch (key->kind) {
	case KEY_TEXT:
	case KEY_LOOSE:
		if (*node->text || (key->flags & KEY_EMPTY_OK))
			put_pointer(out, key->offset, node->text);
		return;
	case KEY_BOOL:
	case KEY_EXTERNAL:
		*(bool *)field = flag;
		return;
	case KEY_OPT_BOOL:
		*(struct opt_bool *)field = (struct opt_bool){ flag, true };
		return;
	case KEY_INT:
	case KEY_INT_TEXT:
		scalar_int(node->text, &whole.value);
		whole.is_set = whole.value != 0 || !(key->flags & KEY_ZERO_UNSET);
		*(struct opt_int *)field = whole;
		return;
	case KEY_MODE:
		*(struct opt_int *)field = decode_mode(node->text);
		return;
	case KEY_NUMBER:
		scalar_number(node->text, &number.value);
		number.is_set = number.value != 0 || !(key->flags & KEY_ZERO_UNSET);
		*(struct opt_number *)field = number;
		return;
	case KEY_PORT:
		scalar_int(node->text, &whole.value);
		*(unsigned *)field = (unsigned)whole.value;
		return;
	case KEY_BYTES:
		decode_bytes(key, node, field);
		return;
	case KEY_DURATION:
		units_parse_duration(node->text, &us, &err);
		*(struct opt_time *)field = (struct opt_time){ (int64_t)us, true };
		return;
	case KEY_STATUS:
		decode_status(node, field);
		return;
	default:
		return;
	}
}

static void decode_value(struct arena *arena, const struct key *key, const struct node *node,
			 void *out)
{
	struct texts texts;

	switch (key->kind) {
	case KEY_TEXTS:
	case KEY_LOOSE_TEXTS:
	case KEY_TEXT_OR_LIST:
	case KEY_HOSTS:
		texts = decode_texts(arena, node);
		if (key->kind == KEY_HOSTS && texts.count)
			qsort(texts.items, texts.count, sizeof(*texts.items), compare_texts);
		*FIELD(struct texts, out, key->offset) = texts;
		return;
	case KEY_COMMAND:
	case KEY_TEST:
		decode_command(arena, node, FIELD(struct command_words, out, key->offset));
		return;
	case KEY_PAIRS:
	case KEY_OPTIONS:
	case KEY_SSH:
		*FIELD(struct pairs, out, key->offset) = decode_pairs(arena, node);
		return;
	case KEY_ULIMITS:
		decode_ulimits(arena, key, node, out);
		return;
	case KEY_PROVIDER_OPTIONS:
		decode_provider_options(arena, key, node, out);
		return;
	case KEY_OBJECT:
		decode_object(arena, key, node, out);
		return;
	case KEY_INLINE:
		decode_map(arena, key->table, node, out);
		return;
	case KEY_OBJECTS:
		decode_objects(arena, key, node, out);
		return;
	case KEY_NAMED:
	case KEY_NAMES:
		decode_named(arena, key->table, node, (char *)out + key->offset,
			     FIELD(size_t, out, key->offset + sizeof(void *)));
		return;
	default:
		decode_scalar(key, node, out);
	}
}

static void keep_extension(struct arena *arena, const struct table *table,
			   const struct member *member, void *out)
{
	struct pairs_json *extensions;
	struct pair *pair;

	if (table->extensions_offset == NO_FIELD)
		return;
	extensions = FIELD(struct pairs_json, out, table->extensions_offset);
	pair = arena_grow(arena, &extensions->items, &extensions->count, sizeof(*pair));
	*pair = (struct pair){ member->key, node_json(arena, member->value) };
}

void decode_map(struct arena *arena, const struct table *table, const struct node *map, void *out)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct member *member = &map->members[i];
		const struct key *key = table_find(table, member->key);

		if (!key)
			keep_extension(arena, table, member, out);
		else if (key->offset != NO_FIELD && member->value->kind != NODE_NULL)
			decode_value(arena, key, member->value, out);
	}
}
