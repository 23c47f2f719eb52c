/* specs/hash - the configuration hash of a service: same text on every machine for the same
 * configuration.
 *
 * Owns: what is left out, the canonical text. May not touch: files.
 */
#include "specs/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "specs/encode.h"
#include "specs/model_json.h"

static const char *const left_out[] = { "build",   "pull_policy", "pull_refresh_after",
					"scale",   "depends_on",  "profiles",
					"develop", "attach" };

static int compare_keys(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static void hash_value(EVP_MD_CTX *digest, const struct json_object *json);

/* Length before the text, so that no two values can be taken for each other. */
static void hash_text(EVP_MD_CTX *digest, char kind, const char *text)
{
	AUTO(free) char *head = xformat("%c%zu:", kind, strlen(text));

	EVP_DigestUpdate(digest, head, strlen(head));
	EVP_DigestUpdate(digest, text, strlen(text));
}

static void hash_object(EVP_MD_CTX *digest, const struct json_object *json)
{
	size_t count = (size_t)json_object_object_length(json), i = 0;
	AUTO(free) const char **keys = xcalloc(count + 1, sizeof(*keys));

	json_object_object_foreach(json, key, value)
	{
		(void)value;
		keys[i++] = key;
	}
	qsort(keys, count, sizeof(*keys), compare_keys);
	EVP_DigestUpdate(digest, "{", 1);
	for (i = 0; i < count; i++) {
		hash_text(digest, 'k', keys[i]);
		hash_value(digest, json_object_object_get(json, keys[i]));
	}
	EVP_DigestUpdate(digest, "}", 1);
}

static void hash_value(EVP_MD_CTX *digest, const struct json_object *json)
{
	struct json_object *value;

	memcpy(&value, &json, sizeof(value));
	switch (json_object_get_type(json)) {
	case json_type_null:
		EVP_DigestUpdate(digest, "n", 1);
		return;
	case json_type_object:
		hash_object(digest, json);
		return;
	case json_type_array:
		EVP_DigestUpdate(digest, "[", 1);
		for (size_t i = 0; i < json_object_array_length(json); i++)
			hash_value(digest, json_object_array_get_idx(json, i));
		EVP_DigestUpdate(digest, "]", 1);
		return;
	default:
		hash_text(digest, json_object_is_type(json, json_type_string) ? 's' : 'v',
			  json_object_get_string(value));
	}
}

static void finish(struct json_object *json, char *out)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned len = 0;

	if (!digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
		abort();
	hash_value(digest, json);
	EVP_DigestFinal_ex(digest, bytes, &len);
	EVP_MD_CTX_free(digest);
	for (unsigned i = 0; i < len; i++) {
		out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	out[2 * len] = '\0';
	json_object_put(json);
}

void service_hash(const struct service *service, char out[SERVICE_HASH_LEN + 1])
{
	struct json_object *json = model_json_service(service, MODEL_JSON_STATE);
	struct json_object *deploy = json_object_at(json, "deploy");

	for (size_t i = 0; i < sizeof(left_out) / sizeof(*left_out); i++)
		json_object_object_del(json, left_out[i]);
	if (deploy) {
		json_object_object_del(deploy, "replicas");
		if (json_object_object_length(deploy) == 0)
			json_object_object_del(json, "deploy");
	}
	finish(json, out);
}

void network_hash(const struct network *network, char out[SERVICE_HASH_LEN + 1])
{
	finish(encode_map(&network_table, network, MODEL_JSON_STATE | MODEL_JSON_NESTED_X), out);
}

void volume_hash(const struct volume *volume, char out[SERVICE_HASH_LEN + 1])
{
	finish(encode_map(&volume_table, volume, MODEL_JSON_STATE | MODEL_JSON_NESTED_X), out);
}
