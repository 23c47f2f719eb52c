/* tests/fuzz/fuzz_images_manifest - foreign bytes as manifest, index and image config. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/config.h"
#include "images/media.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const struct manifest *manifest)
{
	if (manifest->layer_count > MEDIA_LAYERS_MAX || !ref_is_digest(manifest->config.digest))
		abort();
	for (size_t i = 0; i < manifest->layer_count; i++)
		if (!ref_is_digest(manifest->layers[i].digest) || !manifest->layers[i].media_type)
			abort();
}

static void check_index(const struct index *index)
{
	const struct platform wanted = { "linux", "amd64", "v2" };
	const struct index_entry *entry;
	struct err err = ERR_NONE;

	if (media_choose(index, &wanted, false, &entry, &err) == 0 && !entry->is_runnable)
		abort();
}

static void check_config(struct arena *arena, struct image_config *config)
{
	const struct config_env_spec spec = { .home = "/", .has_tty = true };
	struct config_list list;
	struct err err = ERR_NONE;

	config_environment(arena, config, &spec, &list);
	for (size_t i = 0; i < list.count; i++)
		if (!strchr(list.items[i], '='))
			abort();
	config_argv(arena, config, NULL, NULL, &list, &err);
	config_working_dir(arena, config);
	config_label(config, "a");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct image_config *config;
	struct manifest *manifest;
	struct index *index;
	struct err err = ERR_NONE;

	if (media_parse(arena, (const char *)data, size, NULL, NULL, &manifest, &index, &err) ==
	    0) {
		if (manifest)
			check_manifest(manifest);
		else
			check_index(index);
	} else if (!err.code || strpbrk(err.msg, "\n\x1b")) {
		abort();
	}
	err = ERR_NONE;
	if (config_parse(arena, (const char *)data, size, SIZE_MAX, &config, &err) == 0)
		check_config(arena, config);
	else if (!err.code || strpbrk(err.msg, "\n\x1b"))
		abort();
	arena_free(arena);
	return 0;
}
