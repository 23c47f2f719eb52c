/* orchestrator/cli/image_filter - `image ls --filter`, with docker's keys. Blocks (disk). */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "images/store.h"

struct image_filter {
	struct store *store;
	const char *const *words;     /* "KEY=VALUE" */
	uint64_t before_ns, since_ns; /* of the images that before= and since= name; 0: none */
};

/* ERR_INVALID for keys and values that are none, ERR_NOT_FOUND for an image of before= or since=.
 */
int image_filter_read(struct store *store, const char *const *words, struct arena *arena,
		      struct image_filter *out, struct err *err);
/* name: one of the image's, or NULL for an image without. */
bool image_filter_passes(const struct image_filter *filter, const struct image_record *image,
			 const char *name);
/* dangling=true is asked for: images without a name count. */
bool image_filter_wants_nameless(const struct image_filter *filter);
