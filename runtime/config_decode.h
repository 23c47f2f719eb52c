/* runtime/config_decode - JSON objects to structs by key tables; errors name the field.
 *
 * A table row is one key. Arrays are stored as {pointer, size_t count}, in this order. Absent keys
 * and null leave the target as it is. Internal to the config rooms. Never blocks.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* Where we are in the document, for messages. */
struct place {
	const struct place *up;
	const char *key; /* NULL: an index */
	size_t index;
};

struct reader {
	struct arena *arena;
	struct err *err;
};

enum field_kind {
	FIELD_TEXT,    /* const char * */
	FIELD_BOOL,    /* bool */
	FIELD_U32,     /* uint32_t, 0..UINT32_MAX */
	FIELD_U64,     /* uint64_t */
	FIELD_INT,     /* struct config_int, any int64 (a larger one is INT64_MAX) */
	FIELD_UINT,    /* struct config_int, not negative */
	FIELD_FLAG,    /* struct config_int of a JSON boolean */
	FIELD_TEXTS,   /* struct config_texts */
	FIELD_PAIRS,   /* struct config_pairs from an object of texts */
	FIELD_OBJECT,  /* struct, decoded by sub */
	FIELD_OBJECTS, /* {T *at; size_t count}, each decoded by sub */
	FIELD_CUSTOM   /* custom(reader, value, place, target) */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	const struct field *sub;
	size_t item_size;
	int (*custom)(struct reader *reader, struct json_object *value, const struct place *at,
		      void *target);
	bool required;
};

/* `value` must be an object; decodes by the table (ended by a NULL key) into target. */
int decode_object(struct reader *reader, struct json_object *value, const struct place *at,
		  const struct field *table, void *target);
/* ERR_INVALID "config.json: a.b[2].c: TEXT". */
int decode_fail(const struct reader *reader, const struct place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The text of a JSON string without NUL inside, or NULL with the error set. */
const char *decode_text(struct reader *reader, struct json_object *value, const struct place *at);
/* Word to number by a table ended by NULL; the message lists nothing but the wrong word. */
struct word {
	const char *text;
	long value;
};
int decode_word(struct reader *reader, struct json_object *value, const struct place *at,
		const struct word *words, long *out);
