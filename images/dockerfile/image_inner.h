/* images/dockerfile/image_inner - the inside of an image that is being built. For images/dockerfile
 * only. */
#pragma once
#include <json-c/json.h>

#include "base/arena.h"
#include "base/stamp.h"
#include "images/dockerfile/image.h"

struct df_image {
	struct arena *arena;      /* of texts that were handed out */
	struct json_object *json; /* the whole config document */
	struct platform platform;
};

/* The time as it stands in a config: "2020-01-02T03:04:05.6Z". Returns out. */
char *df_image_time(uint64_t unix_ns, char out[STAMP_TEXT_LEN]);
/* The object "config" in it. */
struct json_object *df_image_config(struct df_image *image);
/* config[key] = items. */
void df_image_set_list(struct df_image *image, const char *key, const char *const *items,
		       size_t count);
/* config[key][item] = {}: ports, volumes. */
void df_image_add_key(struct df_image *image, const char *key, const char *item);
/* item at the end of config[key]. */
void df_image_add_text(struct df_image *image, const char *key, const char *item);
