/* base/json - typed reads over json-c.
 *
 * Owns: what we accept as JSON. May not touch: what members mean.
 */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define DEPTH_MAX   64
#define WHITE_SPACE " \t\r\n"

/* What json-c takes and we do not: 'x' for "x", and NUL in a key, which would cut it short. Returns
 * the offset, or len when all is well. */
static size_t find_unwanted(const char *text, size_t len)
{
	bool in_string = false, has_nul = false;

	for (size_t i = 0; i < len; i++) {
		if (!in_string && text[i] == '\'')
			return i;
		if (in_string && text[i] == '\\') {
			has_nul |= len - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0;
			i++;
		} else if (text[i] == '"') {
			in_string = !in_string;
			if (in_string) {
				has_nul = false;
				continue;
			}
			size_t next = i + 1;

			while (next < len && memchr(WHITE_SPACE, text[next], strlen(WHITE_SPACE)))
				next++;
			if (has_nul && next < len && text[next] == ':')
				return i;
		}
	}
	return len;
}

/* One value from the front of the text; NULL with *out_status, which is success for null. *out_end:
 * bytes read. */
static struct json_object *parse_value(const char *text, size_t len, size_t *out_end,
				       enum json_tokener_error *out_status)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *value;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	value = json_tokener_parse_ex(tokener, text, (int)len);
	*out_status = json_tokener_get_error(tokener);
	*out_end = json_tokener_get_parse_end(tokener);
	if (*out_status ==
	    json_tokener_continue) { /* a bare number or word ends only with the text */
		value = json_tokener_parse_ex(tokener, "", 1);
		*out_status = json_tokener_get_error(tokener);
		*out_end = len;
	}
	json_tokener_free(tokener);
	return value;
}

struct json_object *json_parse(const char *what, const char *text, size_t len, struct err *err)
{
	enum json_tokener_error status;
	const char *why = "something follows the value";
	struct json_object *value;
	size_t end = 0;

	if (len > INT32_MAX - 1) {
		err_set(err, ERR_INVALID, "%s: too large", what);
		return NULL;
	}
	end = find_unwanted(text, len);
	if (end < len) {
		err_set(err, ERR_INVALID, "%s: not JSON at byte %zu: %s", what, end,
			text[end] == '"' ? "NUL in a key" : "quotes must be double");
		return NULL;
	}
	value = parse_value(text, len, &end, &status);
	if (status == json_tokener_success)
		while (end < len && memchr(WHITE_SPACE, text[end], strlen(WHITE_SPACE)))
			end++;
	if (value && status == json_tokener_success && end >= len)
		return value;
	json_object_put(value);
	if (status != json_tokener_success)
		why = json_tokener_error_desc(status);
	else if (end >= len)
		why = "null is no value here";
	err_set(err, ERR_INVALID, "%s: not JSON at byte %zu: %s", what, end, why);
	return NULL;
}

struct json_object *json_read_file(int dir_fd, const char *name, size_t max_bytes, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len = 0;

	if (file_read(dir_fd, name, max_bytes, &text, &len, err) < 0)
		return NULL;
	return json_parse(name, text, len, err);
}

int json_write_file(int dir_fd, const char *name, struct json_object *value, unsigned flags,
		    struct err *err)
{
	int style = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (flags & JSON_PRETTY ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN);
	size_t len;
	const char *text = json_object_to_json_string_length(value, style, &len);

	return flags & JSON_SYNC ? file_write_atomic(dir_fd, name, text, len, err)
				 : file_replace(dir_fd, name, text, len, err);
}

static struct json_object *member(const struct json_object *object, const char *key,
				  enum json_type type)
{
	struct json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value))
		return NULL;
	return json_object_is_type(value, type) ? value : NULL;
}

const char *json_text_or(const struct json_object *object, const char *key, const char *fallback)
{
	struct json_object *value = member(object, key, json_type_string);

	return value ? json_object_get_string(value) : fallback;
}

int64_t json_int_or(const struct json_object *object, const char *key, int64_t fallback)
{
	struct json_object *value = member(object, key, json_type_int);

	return value ? json_object_get_int64(value) : fallback;
}

bool json_bool_or(const struct json_object *object, const char *key, bool fallback)
{
	struct json_object *value = member(object, key, json_type_boolean);

	return value ? json_object_get_boolean(value) : fallback;
}

struct json_object *json_object_at(const struct json_object *object, const char *key)
{
	return member(object, key, json_type_object);
}

struct json_object *json_array_at(const struct json_object *object, const char *key)
{
	return member(object, key, json_type_array);
}

size_t json_array_count(const struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

const char *json_array_text(const struct json_object *array, size_t at)
{
	struct json_object *entry =
		at < json_array_count(array) ? json_object_array_get_idx(array, at) : NULL;

	return json_object_is_type(entry, json_type_string) ? json_object_get_string(entry) : "";
}

static int need(const struct json_object *object, const char *what, const char *key,
		enum json_type type, struct json_object **out, struct err *err)
{
	struct json_object *value = NULL;

	*out = member(object, key, type);
	if (*out)
		return 0;
	if (json_object_is_type(object, json_type_object) &&
	    json_object_object_get_ex(object, key, &value))
		return err_set(err, ERR_INVALID, "%s: %s: must be a %s", what, key,
			       json_type_to_name(type));
	return err_set(err, ERR_INVALID, "%s: %s: is missing", what, key);
}

int json_need_text(const struct json_object *object, const char *what, const char *key,
		   const char **out, struct err *err)
{
	struct json_object *value;

	if (need(object, what, key, json_type_string, &value, err) < 0)
		return -1;
	*out = json_object_get_string(value);
	return 0;
}

int json_need_int(const struct json_object *object, const char *what, const char *key, int64_t *out,
		  struct err *err)
{
	struct json_object *value;

	if (need(object, what, key, json_type_int, &value, err) < 0)
		return -1;
	*out = json_object_get_int64(value);
	return 0;
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_object_object_add(object, key, json_object_new_string(text));
}

void json_add_int(struct json_object *object, const char *key, int64_t value)
{
	json_object_object_add(object, key, json_object_new_int64(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

struct json_object *json_add_object(struct json_object *object, const char *key)
{
	struct json_object *value = json_object_new_object();

	json_object_object_add(object, key, value);
	return value;
}

struct json_object *json_add_array(struct json_object *object, const char *key)
{
	struct json_object *value = json_object_new_array();

	json_object_object_add(object, key, value);
	return value;
}

void json_push_text(struct json_object *array, const char *text)
{
	json_object_array_add(array, json_object_new_string(text));
}
