/* orchestrator/image_cache - what a start needs of an image, looked up once: lower folders, config,
 * the user's numbers.
 *
 * Images are named by their content, so what was read once stays true. Entries live as long as the
 * cache. Blocks (disk) the first time; guarded by its own mutex: for the pool.
 */
#pragma once
#include "base/cleanup.h"
#include "base/err.h"
#include "images/config.h"
#include "images/snapshot.h"
#include "images/user.h"
#include "specs/model_values.h"

struct image_cache;

/* One image as one user runs it. Shared: not to be changed, not to be freed. */
struct image_facts {
	const struct snapshot *snapshot;
	const struct image_config *config;
	struct image_user user;
};

/* Empty; store: borrowed. It lives as long as its supervisor. */
struct image_cache *image_cache_new(struct store *store);

/* user NULL or "": the image's own. Errors: as snapshot_open, config_parse, user_resolve. */
const struct image_facts *image_cache_get(struct image_cache *cache, const char *image_id,
					  const char *user, const struct texts *groups,
					  struct err *err);
/* The image is claimed for the owner (store_root_add) and its layers are mounted. */
int image_cache_claim(struct image_cache *cache, const char *image_id, const char *owner,
		      const struct snapshot **out, struct err *err);
/* The layers of an image that the owner has claimed are mounted (they are not after a reboot). */
int image_cache_mount(struct image_cache *cache, const char *image_id, const char *owner,
		      struct err *err);
