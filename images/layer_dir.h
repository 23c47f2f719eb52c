/* images/layer_dir - what stands in the folder of one layer. Not for callers of images/.
 *
 *	layers/KEY/ or chains/KEY/
 *		meta.json          written last, before the folder gets its name
 *		synced             made when all of it is known to be on disk
 *		data.tar, index.erofs, extra.data     EROFS (a chain's tar stays with its layer)
 *		fs/, blob                             folders; blob: the bytes as they came
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "images/apply.h"
#include "images/store_internal.h"

struct layer_meta {
	enum store_backend backend;
	char diff_id[DIGEST_TEXT_MAX];
	char digest[DIGEST_TEXT_MAX]; /* of blob, or what it came from */
	uint64_t blob_bytes, tar_bytes, entry_count;
	char media_type[128];
	bool needs_lower; /* its place in an image changes it: see chains/ */
	bool has_extra;
	bool opaque_root; /* nothing below it shows */
	bool has_root;    /* an entry describes "/" */
	uint32_t root_mode, root_uid, root_gid, root_mtime_ns;
	int64_t root_mtime_s;
	char missing_link[220]; /* "" or which entry waits for a lower file */
};

void layer_meta_of_tree(struct layer_meta *meta, const struct layer_tree *tree);
int layer_meta_write(int dir_fd, const struct layer_meta *meta, struct store *store,
		     struct err *err);
/* From layers_fd/key or chains_fd/key. ERR_NOT_FOUND also when it was not synced before a reboot.
 */
int layer_meta_read(struct store *store, int parent_fd, const char *key, struct layer_meta *out,
		    struct err *err);
/* Notes that the folder is on disk. */
int layer_mark_synced(int parent_fd, const char *key, struct err *err);

/* Makes tmp_name (in tmp/) parent_fd/key; what is there and whole stays, ours goes. */
int layer_publish(struct store *store, const char *tmp_name, int parent_fd, const char *key,
		  struct err *err);

/* The bytes of the tar, in order, from data.tar or out of the blob, to `sink`. */
int layer_read_tar(struct store *store, const char *diff_id,
		   int (*sink)(void *ctx, const void *data, size_t len, struct err *err), void *ctx,
		   struct err *err);

/* Layers of an image as keys, top first: what an overlay stacks. */
struct layer_place {
	bool is_chain;
	char key[STORE_KEY_MAX];
	struct layer_meta meta;
};
/* The places of diff_ids[0] (bottom) .. [count-1]; each diff-id once (its topmost), nothing below
 * an opaque root. To be freed; *out_count may be 0. */
int layer_places(struct store *store, const char *const *diff_ids, size_t count,
		 struct layer_place **out, size_t *out_count, struct err *err);
/* chain ids: of the first n diff-ids, n = 1..count; out[n-1]. */
void layer_chain_id(const char *below, const char *diff_id, char out[DIGEST_TEXT_MAX]);

/* The folder or a detached EROFS mount of one place: an O_PATH fd. */
int layer_open_place(struct store *store, const struct layer_place *place, struct err *err);
/* All of them merged, read-only: a descriptor of "/". count must not be 0. */
int layer_open_merged(struct store *store, const struct layer_place *places, size_t count,
		      struct err *err);

/* images/chain: makes chains/ entries for those layers of the image that lean on lower ones. */
int chain_make(struct lease *lease, const char *const *diff_ids, size_t count, struct err *err);
