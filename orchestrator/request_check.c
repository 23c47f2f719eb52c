/* orchestrator/request_check - whether the members of a request have the types that they should.
 *
 * Owns: the table of members. May not touch: what they mean (ops and the rooms of the operations).
 */
#include "orchestrator/request_check.h"

#include <string.h>

#include "base/json.h"

enum shape { A_TEXT, A_NUMBER, A_BOOL, AN_OBJECT, TEXTS, TEXTS_OR_BOOL, NUMBERS };

struct member {
	const char *key;
	enum shape shape;
};

static const struct member of_request[] = {
	{"services", TEXTS },
        { "model",         AN_OBJECT },
        { "values",AN_OBJECT },
	{ "run",  AN_OBJECT },
        { "options",         AN_OBJECT },
        { NULL},
};

static const struct member of_options[] = {
	{"timeout_us",            A_NUMBER },
	{ "wait_timeout_us",                      A_NUMBER },
	{ "parallel",A_NUMBER },
	{ "pull",             A_TEXT },
	{ "signal",		      A_TEXT },
	{ "trace",     A_TEXT },
	{ "scale",               NUMBERS },
	{ "containers",                      TEXTS_OR_BOOL }, /* of `end`: whether they are stopped */
	{ "wait",             A_BOOL },
	{ "force_recreate",                A_BOOL },
	{ "no_recreate",                      A_BOOL },
	{ "no_deps",A_BOOL },
	{ "always_recreate_deps",                 A_BOOL },
	{ "renew_anon_volumes",                      A_BOOL },
	{ "remove_orphans",  A_BOOL },
	{ "volumes",          A_BOOL },
	{ "stop_first",                      A_BOOL },
	{ "quiet_pull",			     A_BOOL },
	{ "ignore_orphans", A_BOOL },
	{ "dry_run",		      A_BOOL },
	{ NULL},
};

static const char *const shape_names[] = {
	[A_TEXT] = "a text",
	[A_NUMBER] = "a whole number",
	[A_BOOL] = "true or false",
	[AN_OBJECT] = "an object",
	[TEXTS] = "an array of texts",
	[TEXTS_OR_BOOL] = "an array of texts",
	[NUMBERS] = "an object of whole numbers",
};

static bool are_texts(const struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array))
		return false;
	for (size_t i = 0; i < json_array_count(value); i++)
		if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_string))
			return false;
	return true;
}

static bool are_numbers(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_object))
		return false;
	json_each(value, name, number) {
		(void)name;
		if (!json_object_is_type(number, json_type_int))
			return false;
	}
	return true;
}

static bool has_shape(struct json_object *value, enum shape shape)
{
	switch (shape) {
	case A_TEXT:
		return json_object_is_type(value, json_type_string);
	case A_NUMBER:
		return json_object_is_type(value, json_type_int);
	case A_BOOL:
		return json_object_is_type(value, json_type_boolean);
	case AN_OBJECT:
		return json_object_is_type(value, json_type_object);
	case TEXTS:
		return are_texts(value);
	case TEXTS_OR_BOOL:
		return are_texts(value) || json_object_is_type(value, json_type_boolean);
	case NUMBERS:
		return are_numbers(value);
	}
	return false;
}

static int check(const struct json_object *object, const char *where, const struct member *members,
		 struct err *err)
{
	for (const struct member *member = members; member->key; member++) {
		struct json_object *value;

		if (!json_object_object_get_ex(object, member->key, &value) || !value ||
		    has_shape(value, member->shape))
			continue;
		return err_set(err, ERR_INVALID, "%s%s: %s is wanted", where, member->key,
			       shape_names[member->shape]);
	}
	return 0;
}

int request_check(const struct json_object *message, struct err *err)
{
	struct json_object *options;

	if (check(message, "", of_request, err) < 0)
		return -1;
	options = json_object_at(message, "options");
	return options ? check(options, "options.", of_options, err) : 0;
}
