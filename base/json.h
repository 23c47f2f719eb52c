/* base/json - typed reads over json-c; errors name the key path. json-c's own functions may be used
 * beside these. `what` is the text in front of the path in messages ("config.json"). */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

static inline void auto_json(struct json_object **object)
{
	json_object_put(*object);
}

/* One whole JSON value other than null; trailing bytes other than white space, NUL inside a key,
 * nesting above 64 and invalid text are ERR_INVALID with the byte offset. The caller puts the
 * result. */
struct json_object *json_parse(const char *what, const char *text, size_t len, struct err *err);
/* The file dir_fd/name as JSON; max_bytes as in file_read. */
struct json_object *json_read_file(int dir_fd, const char *name, size_t max_bytes, struct err *err);

#define JSON_SYNC   1u /* on disk before it returns (file_write_atomic) */
#define JSON_PRETTY 2u
int json_write_file(int dir_fd, const char *name, struct json_object *value, unsigned flags,
		    struct err *err);

/* Reads of a member; absent or null gives the default, another type too. */
const char *json_text_or(const struct json_object *object, const char *key, const char *fallback);
int64_t json_int_or(const struct json_object *object, const char *key, int64_t fallback);
bool json_bool_or(const struct json_object *object, const char *key, bool fallback);
/* Sub-object or array; NULL when absent or of another type. Borrowed. */
struct json_object *json_object_at(const struct json_object *object, const char *key);
struct json_object *json_array_at(const struct json_object *object, const char *key);
size_t json_array_count(const struct json_object *array); /* NULL or no array: 0 */
/* A string of an array, never NULL: no array, no such entry or another type give "". Borrowed. */
const char *json_array_text(const struct json_object *array, size_t at);

/* Reads of a member that must be there with that type: else ERR_INVALID "what: key: ...". */
int json_need_text(const struct json_object *object, const char *what, const char *key,
		   const char **out, struct err *err);
int json_need_int(const struct json_object *object, const char *what, const char *key, int64_t *out,
		  struct err *err);

/* Adders that read well: a NULL text adds nothing. */
void json_add_text(struct json_object *object, const char *key, const char *text);
void json_add_int(struct json_object *object, const char *key, int64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
/* Makes, adds and returns a new member. */
struct json_object *json_add_object(struct json_object *object, const char *key);
struct json_object *json_add_array(struct json_object *object, const char *key);
void json_push_text(struct json_object *array, const char *text);

/* for (each member): key and value are declared by it. */
#define json_each(object, key, value) json_object_object_foreach(object, key, value)
