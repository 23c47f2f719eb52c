/* images/maintain - the store looked after: remove, prune, df, check.
 *
 * All take the store's lock as only user where they remove things (waiting for short operations of
 * others, not for whole pulls: those hold leases). Block (disk, hashing).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/store.h"

struct removed {
	bool untagged; /* text is a name; else an image id */
	char *text;
};
struct removal {
	struct removed *items; /* in the order in which it happened */
	size_t count;
	uint64_t freed_bytes;
};
void removal_free(struct removal *removal);

#define REMOVE_FORCE 1u
/* By name: takes the name away, and the image when that was its last one. By id: refused with
 * several names or when a container uses it (ERR_BUSY), unless REMOVE_FORCE: then all names go, and
 * a used image stays as <none>. */
int maintain_remove(struct store *store, const char *text, unsigned flags, struct removal *out,
		    struct err *err);

#define PRUNE_ALL 1u /* every image that no root uses, not only those without a name */
struct prune_options {
	unsigned flags;
	uint64_t until_unix_ns; /* only images that were added before; 0: all */
	const char *label,
		*value; /* only images with that label (value NULL: any value); NULL: all */
	bool dry_run;
};
int maintain_prune(struct store *store, const struct prune_options *options, struct removal *out,
		   struct err *err);
/* Layers, blobs, parts (older than 7 days) and temporary files that nothing refers to. Part of both
 * above. Crash point gc:trash. */
int maintain_gc(struct store *store, uint64_t *out_freed_bytes, struct err *err);

struct image_use {
	char id[DIGEST_TEXT_MAX];
	uint64_t size_bytes, unique_bytes, shared_bytes; /* on disk */
	size_t user_count;                               /* roots */
};
struct store_use {
	struct image_use *images;
	size_t image_count, active_count;
	uint64_t total_bytes, reclaimable_bytes;
};
int maintain_df(struct store *store, struct store_use *out, struct err *err);
void store_use_free(struct store_use *use);

#define CHECK_FIX  1u /* drop what is torn, so that the next pull brings it anew */
#define CHECK_FAST 2u /* structure and sizes, no hashing */
/* One call of `found` per finding, a line for a person; fixed tells whether it was repaired.
 * Returns the number of findings that are left, or -1. image may be NULL (everything). */
int maintain_check(struct store *store, const char *image_id, unsigned flags,
		   void (*found)(void *ctx, const char *line, bool fixed), void *ctx,
		   struct err *err);
