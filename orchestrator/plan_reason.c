/* orchestrator/plan_reason - why a container must be recreated, in words.
 *
 * Owns: the comparison of two services by their canonical JSON. May not touch: what the keys mean.
 */
#include "orchestrator/plan_reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "specs/model_json.h"

#define REASON_MAX 400 /* longer reasons say how it goes on by "..." */
#define VALUE_MAX  48

struct text {
	char at[REASON_MAX + 8];
	size_t len;
};

static void add(struct text *text, const char *part)
{
	size_t len = strlen(part);

	if (text->len + len > REASON_MAX) {
		if (text->len && text->at[text->len - 1] != '.') {
			memcpy(text->at + text->len, " ...", 5);
			text->len = REASON_MAX;
		}
		return;
	}
	memcpy(text->at + text->len, part, len + 1);
	text->len += len;
}

static bool same(struct json_object *a, struct json_object *b)
{
	return json_object_equal(a, b);
}

static void add_names(struct text *text, struct json_object *before, struct json_object *after)
{
	json_each(after, key, value) {
		struct json_object *old = NULL;
		bool was = json_object_object_get_ex(before, key, &old);

		if (was && same(old, value))
			continue;
		add(text, was ? " ~" : " +");
		add(text, key);
	}
	json_each(before, old_key, old_value) {
		(void)old_value;
		if (json_object_object_get_ex(after, old_key, NULL))
			continue;
		add(text, " -");
		add(text, old_key);
	}
}

static bool is_scalar(struct json_object *value)
{
	return !value || (!json_object_is_type(value, json_type_object) &&
			  !json_object_is_type(value, json_type_array));
}

static void add_scalar(struct text *text, struct json_object *value)
{
	char shown[VALUE_MAX + 4];
	const char *whole = value ? json_object_get_string(value) : "(unset)";

	snprintf(shown, sizeof(shown), "%.*s%s", VALUE_MAX, whole,
		 strlen(whole) > VALUE_MAX ? "..." : "");
	add(text, shown);
}

static void add_key(struct text *text, const char *key, struct json_object *before,
		    struct json_object *after)
{
	if (text->len)
		add(text, "; ");
	add(text, key);
	add(text, ":");
	if (before && after && json_object_is_type(before, json_type_object) &&
	    json_object_is_type(after, json_type_object)) {
		add_names(text, before, after);
	} else if (is_scalar(before) && is_scalar(after)) {
		add(text, " ");
		add_scalar(text, before);
		add(text, " -> ");
		add_scalar(text, after);
	} else {
		add(text, !before ? " added" : !after ? " removed" : " changed");
	}
}

const char *plan_reason(struct arena *arena, const struct service *before,
			const struct service *after)
{
	AUTO(json)
	struct json_object *old = before ? model_json_service(before, MODEL_JSON_STATE) : NULL;
	AUTO(json) struct json_object *new = model_json_service(after, MODEL_JSON_STATE);
	struct text text = { .len = 0 };

	if (!old)
		return "the configuration changed";
	json_each(new, key, value) {
		struct json_object *was = NULL;

		json_object_object_get_ex(old, key, &was);
		if (!same(was, value))
			add_key(&text, key, was, value);
	}
	json_each(old, old_key, old_value) {
		if (!json_object_object_get_ex(new, old_key, NULL))
			add_key(&text, old_key, old_value, NULL);
	}
	return text.len ? arena_strdup(arena, text.at) : "the configuration changed";
}
