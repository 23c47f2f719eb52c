/* orchestrator/transfer_store - the image store with the settings of config.json.
 *
 * Owns: the keys of the object "images" that concern the store. May not touch: registries' keys.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/roots.h"
#include "orchestrator/transfer.h"

#define CONFIG_MAX_BYTES (1u << 20)

static int choice(struct json_object *images, const char *file, const char *key,
		  const char *const *names, unsigned *out, struct err *err)
{
	const char *text = json_text_or(images, key, names[0]);

	for (*out = 0; names[*out]; (*out)++)
		if (strcmp(names[*out], text) == 0)
			return 0;
	return err_set(err, ERR_INVALID, "%s: images.%s: \"%.40s\" is not known", file, key, text);
}

static int read_images(struct json_object *images, const char *file, struct store_options *out,
		       struct err *err)
{
	static const char *const snapshotters[] = { "auto", "erofs", "dir", NULL };
	static const char *const durabilities[] = { "full", "none", NULL };
	unsigned backend, durability;

	if (choice(images, file, "snapshotter", snapshotters, &backend, err) < 0 ||
	    choice(images, file, "durability", durabilities, &durability, err) < 0)
		return -1;
	out->backend = (enum store_backend)backend;
	if (durability == 1)
		out->flags |= STORE_NO_SYNC;
	if (json_bool_or(images, "keep_blobs", false))
		out->flags |= STORE_KEEP_BLOBS;
	out->min_free_bytes = (uint64_t)json_int_or(images, "min_free", 0);
	out->max_layer_bytes = (uint64_t)json_int_or(images, "max_layer", 0);
	return 0;
}

struct store *transfer_store_open(const char *root, const char *runtime_root,
				  const char *config_path, struct err *err)
{
	struct store_options options = { 0 };
	AUTO(json) struct json_object *config = NULL;
	AUTO(roots) struct roots *roots = NULL;

	if (!config_path || !*config_path)
		config_path = getenv("STACK_CONFIG");
	if (!config_path || !*config_path)
		config_path = "/etc/stack/config.json";
	config = json_read_file(AT_FDCWD, config_path, CONFIG_MAX_BYTES, err);
	if (!config && err->code != ERR_NOT_FOUND)
		return NULL;
	*err = ERR_NONE;
	if (read_images(json_object_at(config, "images"), config_path, &options, err) < 0)
		return NULL;
	roots = roots_open(root, runtime_root, err);
	if (!roots)
		return NULL;
	options.root = roots->state;
	options.runtime_root = roots->run;
	return store_open(&options, err);
}
