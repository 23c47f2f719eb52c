/* images/dockerfile/image - the image that a stage is becoming: config, history, layers.
 *
 * Owns: the config's JSON while it grows. May not touch: what instructions mean (configure), the
 * store but through image_commit.
 */
#include "images/dockerfile/image_inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/digest.h"

#define SCRATCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What old dockers wrote beside the config, and what describes one build alone. */
static const char *const dropped[] = { "container",      "container_config",
				       "docker_version", "id",
				       "parent",         "Size",
				       "throwaway",      "moby.buildkit.cache.v0" };

static struct df_image *new_image(void)
{
	struct df_image *image = xcalloc(1, sizeof(*image));

	image->arena = arena_new();
	return image;
}

struct df_image *df_image_scratch(const struct platform *platform)
{
	struct df_image *image = new_image();
	struct json_object *rootfs, *config;

	image->platform = *platform;
	image->json = json_object_new_object();
	json_add_text(image->json, "architecture", platform->arch);
	if (*platform->variant)
		json_add_text(image->json, "variant", platform->variant);
	json_add_text(image->json, "os", platform->os);
	config = json_add_object(image->json, "config");
	/* As docker's builder: what runs without a shell still looks its programs up. */
	json_push_text(json_add_array(config, "Env"), "PATH=" SCRATCH_PATH);
	rootfs = json_add_object(image->json, "rootfs");
	json_add_text(rootfs, "type", "layers");
	json_add_array(rootfs, "diff_ids");
	json_add_array(image->json, "history");
	return image;
}

/* A member of the wanted type, made when it is absent or null. */
static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *there = NULL;

	if (json_object_object_get_ex(object, key, &there) && json_object_is_type(there, type))
		return there;
	return type == json_type_array ? json_add_array(object, key) : json_add_object(object, key);
}

static void set_platform(struct df_image *image)
{
	snprintf(image->platform.os, sizeof(image->platform.os), "%s",
		 json_text_or(image->json, "os", "linux"));
	snprintf(image->platform.arch, sizeof(image->platform.arch), "%s",
		 json_text_or(image->json, "architecture", "amd64"));
	snprintf(image->platform.variant, sizeof(image->platform.variant), "%s",
		 json_text_or(image->json, "variant", ""));
}

static int check_layers(const struct df_image *image, struct err *err)
{
	struct json_object *ids = json_array_at(json_object_at(image->json, "rootfs"), "diff_ids");

	for (size_t i = 0; i < json_array_count(ids); i++)
		if (!digest_is_valid(json_array_text(ids, i)))
			return err_set(err, ERR_INVALID,
				       "image config: rootfs.diff_ids[%zu] is no digest", i);
	return 0;
}

struct df_image *df_image_parse(const char *config, size_t len, struct err *err)
{
	AUTO(df_image) struct df_image *image = new_image();

	image->json = json_parse("image config", config, len, err);
	if (!image->json)
		return NULL;
	if (!json_object_is_type(image->json, json_type_object)) {
		err_set(err, ERR_INVALID, "image config: no object");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		json_object_object_del(image->json, dropped[i]);
	df_image_config(image);
	member(member(image->json, "rootfs", json_type_object), "diff_ids", json_type_array);
	member(image->json, "history", json_type_array);
	set_platform(image);
	return check_layers(image, err) < 0 ? NULL : TAKE(image);
}

struct df_image *df_image_copy(const struct df_image *base)
{
	struct df_image *image = new_image();

	image->platform = base->platform;
	json_object_deep_copy(base->json, &image->json, NULL);
	return image;
}

void df_image_free(struct df_image *image)
{
	if (!image)
		return;
	json_object_put(image->json);
	arena_free(image->arena);
	free(image);
}

/* ---- what it says ---- */

struct json_object *df_image_config(struct df_image *image)
{
	return member(image->json, "config", json_type_object);
}

static const struct json_object *config_of(const struct df_image *image)
{
	return json_object_at(image->json, "config");
}

const char *df_image_user(const struct df_image *image)
{
	return json_text_or(config_of(image), "User", "");
}

const char *df_image_working_dir(const struct df_image *image)
{
	const char *text = json_text_or(config_of(image), "WorkingDir", "/");

	return *text ? text : "/";
}

const struct platform *df_image_platform(const struct df_image *image)
{
	return &image->platform;
}

void df_image_each_env(const struct df_image *image,
		       void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	struct json_object *list = json_array_at(config_of(image), "Env");

	for (size_t i = 0; i < json_array_count(list); i++) {
		const char *pair = json_object_get_string(json_object_array_get_idx(list, i));
		const char *equals = pair ? strchr(pair, '=') : NULL;

		if (equals)
			each(ctx, arena_strndup(image->arena, pair, (size_t)(equals - pair)),
			     arena_strdup(image->arena, equals + 1));
	}
}

/* Strings of an array, in the image's arena. */
static const char *const *texts_of(const struct df_image *image, struct json_object *array,
				   size_t *out_count)
{
	size_t count = json_array_count(array);
	const char **list = arena_alloc(image->arena, (count + 1) * sizeof(*list));

	*out_count = 0;
	for (size_t i = 0; i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));

		if (text)
			list[(*out_count)++] = arena_strdup(image->arena, text);
	}
	return list;
}

const char *const *df_image_shell(const struct df_image *image, size_t *out_count)
{
	static const char *const fallback[] = { "/bin/sh", "-c", NULL };
	struct json_object *shell = json_array_at(config_of(image), "Shell");

	if (json_array_count(shell))
		return texts_of(image, shell, out_count);
	*out_count = 2;
	return fallback;
}

const char *const *df_image_layers(const struct df_image *image, size_t *out_count)
{
	return texts_of(image, json_array_at(json_object_at(image->json, "rootfs"), "diff_ids"),
			out_count);
}

const char *const *df_image_take_triggers(struct df_image *image, size_t *out_count)
{
	struct json_object *config = df_image_config(image);
	const char *const *list = texts_of(image, json_array_at(config, "OnBuild"), out_count);

	json_object_object_del(config, "OnBuild");
	return list;
}

uint64_t df_image_created(const struct df_image *image)
{
	struct json_object *history = json_array_at(image->json, "history");
	size_t count = json_array_count(history);
	uint64_t created = 0;

	if (count) {
		const char *text =
			json_text_or(json_object_array_get_idx(history, count - 1), "created", "");

		stamp_parse_rfc3339(text, strlen(text), &created);
	}
	return created;
}

/* ---- changes ---- */

void df_image_set_env(struct df_image *image, const char *name, const char *value)
{
	struct json_object *list = member(df_image_config(image), "Env", json_type_array);
	AUTO(free) char *pair = xformat("%s=%s", name, value);
	size_t len = strlen(name);

	for (size_t i = 0; i < json_array_count(list); i++) {
		const char *there = json_object_get_string(json_object_array_get_idx(list, i));

		if (there && strncmp(there, name, len) == 0 && there[len] == '=') {
			json_object_array_put_idx(list, i, json_object_new_string(pair));
			return;
		}
	}
	json_push_text(list, pair);
}

void df_image_set_label(struct df_image *image, const char *name, const char *value)
{
	json_object_object_add(member(df_image_config(image), "Labels", json_type_object), name,
			       json_object_new_string(value));
}

void df_image_set_list(struct df_image *image, const char *key, const char *const *items,
		       size_t count)
{
	struct json_object *list;

	json_object_object_del(df_image_config(image), key);
	list = json_add_array(df_image_config(image), key);
	for (size_t i = 0; i < count; i++)
		json_push_text(list, items[i]);
}

void df_image_add_key(struct df_image *image, const char *key, const char *item)
{
	struct json_object *set = member(df_image_config(image), key, json_type_object);

	json_object_object_add(set, item, json_object_new_object());
}

void df_image_add_text(struct df_image *image, const char *key, const char *item)
{
	json_push_text(member(df_image_config(image), key, json_type_array), item);
}

/* ---- history ---- */

/* Without a fraction that says nothing, as Go writes times. */
char *df_image_time(uint64_t unix_ns, char out[STAMP_TEXT_LEN])
{
	char *end;

	stamp_rfc3339(unix_ns, out);
	end = out + strlen(out) - 1;
	while (end[-1] == '0')
		end--;
	end -= end[-1] == '.';
	strcpy(end, "Z");
	return out;
}

void df_image_add_step(struct df_image *image, const struct df_image_step *step)
{
	struct json_object *history = member(image->json, "history", json_type_array);
	struct json_object *entry = json_object_new_object();
	uint64_t created = step->created_unix_ns ? step->created_unix_ns : df_image_created(image);
	bool has_layer = step->diff_id && *step->diff_id;
	char text[STAMP_TEXT_LEN];

	json_add_text(entry, "created", df_image_time(created, text));
	json_add_text(entry, "created_by", step->created_by);
	if (has_layer)
		json_push_text(member(member(image->json, "rootfs", json_type_object), "diff_ids",
				      json_type_array),
			       step->diff_id);
	else
		json_add_bool(entry, "empty_layer", true);
	json_object_array_add(history, entry);
}
