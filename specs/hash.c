/* specs/hash - the configuration hash of a service: same text on every machine for the same
 * configuration.
 *
 * Owns: what is left out, the canonical text. May not touch: files.
 */
#include "specs/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/sha.h"
#include "specs/encode.h"
#include "specs/model_json.h"

static const char *const left_out[] = { "build",   "pull_policy", "pull_refresh_after",
					"scale",   "depends_on",  "profiles",
					"develop", "attach" };

static const char *const in_place[] = { "restart",   "stop_signal", "stop_grace_period",
					"pre_stop",  "mem_limit",   "cpus",
					"cpu_quota", "cpu_period",  "cpu_shares",
					"pids_limit" };

static int compare_keys(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static void hash_value(struct sha *digest, const struct json_object *json);

/* Length before the text, so that no two values can be taken for each other. */
static void hash_text(struct sha *digest, char kind, const char *text)
{
	AUTO(free) char *head = xformat("%c%zu:", kind, strlen(text));

	sha_update(digest, head, strlen(head));
	sha_update(digest, text, strlen(text));
}

static void hash_object(struct sha *digest, const struct json_object *json)
{
	size_t count = (size_t)json_object_object_length(json), i = 0;
	AUTO(free) const char **keys = xcalloc(count + 1, sizeof(*keys));

	json_object_object_foreach(json, key, value)
	{
		(void)value;
		keys[i++] = key;
	}
	qsort(keys, count, sizeof(*keys), compare_keys);
	sha_update(digest, "{", 1);
	for (i = 0; i < count; i++) {
		hash_text(digest, 'k', keys[i]);
		hash_value(digest, json_object_object_get(json, keys[i]));
	}
	sha_update(digest, "}", 1);
}

static void hash_value(struct sha *digest, const struct json_object *json)
{
	struct json_object *value;

	memcpy(&value, &json, sizeof(value));
	switch (json_object_get_type(json)) {
	case json_type_null:
		sha_update(digest, "n", 1);
		return;
	case json_type_object:
		hash_object(digest, json);
		return;
	case json_type_array:
		sha_update(digest, "[", 1);
		for (size_t i = 0; i < json_object_array_length(json); i++)
			hash_value(digest, json_object_array_get_idx(json, i));
		sha_update(digest, "]", 1);
		return;
	default:
		hash_text(digest, json_object_is_type(json, json_type_string) ? 's' : 'v',
			  json_object_get_string(value));
	}
}

static void finish(struct json_object *json, char *out)
{
	unsigned char bytes[SHA_256_BYTES];
	AUTO(sha) struct sha *digest = sha_new(SHA_256);

	hash_value(digest, json);
	sha_get(digest, bytes);
	sha_hex(bytes, sizeof(bytes), out);
	json_object_put(json);
}

static void delete_keys(struct json_object *json, const char *const *keys, size_t count)
{
	for (size_t i = 0; json && i < count; i++)
		json_object_object_del(json, keys[i]);
}

/* An object that has become empty counts as absent. */
static void delete_empty(struct json_object *json, const char *key)
{
	struct json_object *inner = json_object_at(json, key);

	if (inner && json_object_object_length(inner) == 0)
		json_object_object_del(json, key);
}

static struct json_object *hashed_part(const struct service *service)
{
	static const char *const of_deploy[] = { "replicas" };
	struct json_object *json = model_json_service(service, MODEL_JSON_STATE);

	delete_keys(json, left_out, sizeof(left_out) / sizeof(*left_out));
	delete_keys(json_object_at(json, "deploy"), of_deploy, 1);
	delete_empty(json, "deploy");
	return json;
}

void service_hash(const struct service *service, char out[SERVICE_HASH_LEN + 1])
{
	finish(hashed_part(service), out);
}

void service_fixed_hash(const struct service *service, char out[SERVICE_HASH_LEN + 1])
{
	static const char *const of_deploy[] = { "update_config", "rollback_config",
						 "restart_policy" };
	static const char *const of_stack[] = { "on_unhealthy", "idle" };
	static const char *const of_limits[] = { "cpus", "memory", "pids" };
	struct json_object *json = hashed_part(service), *resources;

	delete_keys(json, in_place, sizeof(in_place) / sizeof(*in_place));
	resources = json_object_at(json_object_at(json, "deploy"), "resources");
	delete_keys(json_object_at(resources, "limits"), of_limits, 3);
	delete_empty(resources, "limits");
	delete_empty(json_object_at(json, "deploy"), "resources");
	delete_empty(json_object_at(json, "deploy"), "placement");
	delete_keys(json_object_at(json, "deploy"), of_deploy, 3);
	delete_empty(json, "deploy");
	delete_keys(json_object_at(json, "x-stack"), of_stack, 2);
	delete_empty(json, "x-stack");
	finish(json, out);
}
