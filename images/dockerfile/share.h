/* images/dockerfile/share - cache_to and cache_from: step records that travel with an image.
 *
 * cache_to makes an image whose manifest carries the annotation "stack.build.keys": a JSON list of
 * [key, position of the layer or -1, created, diff-id]. The orchestrator pushes it under the
 * reference (type=registry), or it is written as an OCI layout (type=local); type=inline puts the
 * annotation into the image's own manifest. cache_from reads such a manifest; a layer comes only
 * when a step hits. BuildKit's own manifests are not understood (ERR_UNSUPPORTED: warn, go on).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "images/dockerfile/image.h"
#include "images/dockerfile/key.h"
#include "images/steps.h"

/* A step of this build, for cache_to. */
struct df_share_step {
	char key[DF_KEY_SIZE];
	struct step step;
};

/* The annotations object for df_image_commit.annotations over the image's own layers: to be freed.
 * Steps whose layer the image does not have are left out. */
char *df_share_annotations(const struct df_image *image, const struct df_share_step *steps,
			   size_t count);
/* An image of all the layers of the steps, in their order, without a name: to be pushed or saved.
 * out_id: its id. */
int df_share_export(struct lease *lease, const struct df_share_step *steps, size_t count,
		    char out_id[DIGEST_TEXT_MAX], struct err *err);

struct df_shared;
/* manifest: the exact bytes. ERR_UNSUPPORTED when it carries no keys. */
struct df_shared *df_shared_parse(const char *manifest, size_t len, struct err *err);
/* From a folder with an OCI layout (type=local,src=). */
struct df_shared *df_shared_open_dir(const char *path, struct err *err);
void df_shared_free(struct df_shared *shared);
AUTO_TYPE(df_shared, df_shared_free);

struct df_shared_step {
	uint64_t created_unix_ns;
	const char *digest; /* of the compressed layer; NULL: the step made no layer */
	uint64_t size_bytes;
	const char *media_type, *diff_id;
};
/* 1 and *out (borrowed), or 0. Then bring the layer (registry: as a pull does; local:
 * df_shared_load) and steps_save. */
int df_shared_find(const struct df_shared *shared, const char *key, struct df_shared_step *out);
/* From the folder of df_shared_open_dir into the store. */
int df_shared_load(const struct df_shared *shared, struct lease *lease,
		   const struct df_shared_step *step, struct err *err);
