/* tests/base/damage - a JSON document hurt in every way that a disk, a crash or another version
 *can.
 *
 *	damage_each(text, 300, read_it, &room);
 *
 * calls back for every truncation, for every value in it removed or replaced by one of each type,
 * and for so many documents with one to four random bytes changed (fixed seed).
 */
#pragma once
#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum damage {
	DAMAGE_CUT,   /* it ends early: no valid document */
	DAMAGE_VALUE, /* valid JSON, one value is another or gone */
	DAMAGE_BYTES  /* anything */
};

typedef void damage_reader(void *ctx, enum damage kind, const char *text, size_t len);

/* What stands in for a value; NULL: the member goes. */
static const char *const damage_values[] = {
	NULL,       "null", "true",      "-1", "99999999999999999999", "1.5", "\"\"",
	"\"../x\"", "[]",   "[null,{}]", "{}", "{\"a\":null}",
};
#define DAMAGE_VALUES (sizeof(damage_values) / sizeof(*damage_values))

/* A document under work: `root` with the value at one place replaced in turn. */
struct damage_walk {
	struct json_object *root;
	damage_reader *read;
	void *ctx;
	size_t documents;
};

static inline void damage_tell(struct damage_walk *walk)
{
	size_t len;
	const char *text =
		json_object_to_json_string_length(walk->root, JSON_C_TO_STRING_PLAIN, &len);

	walk->documents++;
	walk->read(walk->ctx, DAMAGE_VALUE, text, len);
}

static inline void damage_walk(struct damage_walk *walk, struct json_object *at);

static inline void damage_member(struct damage_walk *walk, struct json_object *parent,
				 const char *key)
{
	struct json_object *kept = json_object_get(json_object_object_get(parent, key));

	for (size_t i = 0; i < DAMAGE_VALUES; i++) {
		if (damage_values[i])
			json_object_object_add(parent, key, json_tokener_parse(damage_values[i]));
		else
			json_object_object_del(parent, key);
		damage_tell(walk);
	}
	json_object_object_add(parent, key, kept);
	damage_walk(walk, kept);
}

static inline void damage_entry(struct damage_walk *walk, struct json_object *array, size_t at)
{
	struct json_object *kept = json_object_get(json_object_array_get_idx(array, at));

	for (size_t i = 1; i < DAMAGE_VALUES; i++) {
		json_object_array_put_idx(array, at, json_tokener_parse(damage_values[i]));
		damage_tell(walk);
	}
	json_object_array_put_idx(array, at, kept);
	damage_walk(walk, kept);
}

static inline void damage_walk(struct damage_walk *walk, struct json_object *at)
{
	if (json_object_is_type(at, json_type_array))
		for (size_t i = 0; i < json_object_array_length(at); i++)
			damage_entry(walk, at, i);
	if (json_object_is_type(at, json_type_object)) {
		size_t count = 0;
		char *keys[256];

		/* A copy: members come and go on the way. */
		json_object_object_foreach(at, key, value)
		{
			(void)value;
			if (count < 256)
				keys[count++] = strdup(key);
		}
		for (size_t i = 0; i < count; i++) {
			damage_member(walk, at, keys[i]);
			free(keys[i]);
		}
	}
}

static inline uint32_t damage_dice(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static inline void damage_bytes(const char *text, size_t len, size_t count, damage_reader *read,
				void *ctx)
{
	uint32_t seed = 20117;
	static const char likely[] = "{}[]\",:0-e\\nt\x01\xff ";
	char *copy = malloc(len + 1);

	for (size_t i = 0; i < count; i++) {
		memcpy(copy, text, len + 1);
		for (uint32_t n = damage_dice(&seed) % 4 + 1; n > 0; n--)
			copy[damage_dice(&seed) % len] =
				likely[damage_dice(&seed) % (sizeof(likely) - 1)];
		read(ctx, DAMAGE_BYTES, copy, len);
	}
	free(copy);
}

/* How many documents there were. text: one object; white space at its end does not count. */
static inline size_t damage_each(const char *text, size_t random_count, damage_reader *read,
				 void *ctx)
{
	struct damage_walk walk = { .root = json_tokener_parse(text), .read = read, .ctx = ctx };
	size_t len = strlen(text), step;

	while (len && strchr(" \n", text[len - 1]))
		len--;
	if (!walk.root)
		abort();
	step = len > 2000 ? len / 1000 : 1;
	for (size_t cut = 0; cut < len; cut += step)
		read(ctx, DAMAGE_CUT, text, cut);
	damage_walk(&walk, walk.root);
	damage_bytes(text, len, random_count, read, ctx);
	json_object_put(walk.root);
	return walk.documents;
}
