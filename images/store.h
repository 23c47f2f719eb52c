/* images/store - images on disk: blobs, layers, records, names, roots, leases.
 *
 * Folder: ROOT/images (spec: OCI image-spec for what the blobs are; the layout is ours,
 *docs/decisions/0310). All functions block (disk, flock). A store may be used by several threads at
 *once; processes share it by flocks: a lease names what an operation uses while it runs, so that gc
 *leaves it alone; roots name the images that containers use and outlive processes.
 *
 * How something gets in:
 *	store_open -> lease_begin -> [layer_open .. layer_finish]* -> store_commit_image ->
 *lease_end Nothing is visible in store_list before store_commit_image has returned 0.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/digest.h"

struct store;
struct lease;

enum store_backend {
	STORE_AUTO =
		0, /* EROFS where root and kernel can do it (probed once per boot), else folders */
	STORE_EROFS, /* ERR_UNSUPPORTED at open when it cannot be */
	STORE_DIR,
};

#define STORE_KEEP_BLOBS 1u /* keep compressed layers as they came */
#define STORE_NO_SYNC    2u /* no sync before an image becomes visible (durability "none") */

struct store_options {
	const char *root;         /* STACK_ROOT, e.g. /var/lib/stack; made when absent */
	const char *runtime_root; /* STACK_RUNTIME_ROOT, e.g. /run/stack */
	enum store_backend backend;
	unsigned flags;
	uint64_t max_layer_bytes; /* one layer uncompressed; 0: STACK_IMAGE_MAX_LAYER's default, 64
				     GiB */
	uint64_t max_image_bytes; /* all layers uncompressed; 0: 256 GiB */
	uint64_t min_free_bytes;  /* stop writing below that; 0: 1 GiB or 2 %, the smaller */
};

/* Errors: ERR_UNSUPPORTED (a newer format, no EROFS), from errno. Sweeps what dead processes left
 * in tmp/. */
struct store *store_open(const struct store_options *options, struct err *err);
void store_close(struct store *store);
AUTO_TYPE(store, store_close);
/* STORE_EROFS or STORE_DIR: what new layers are made with. */
enum store_backend store_backend(const struct store *store);
/* ROOT/images, RUNTIME_ROOT/images. Borrowed. */
const char *store_path(const struct store *store);
const char *store_runtime_path(const struct store *store);

/* ---- leases: one per running operation ---- */

struct lease *lease_begin(struct store *store, struct err *err);
#define LEASE_DROP                                                                                 \
	1u /* refused content: layers and blobs that came in under it and that nothing uses go     \
	      away */
/* Ends it; layers that were finished stay for a later try unless LEASE_DROP. NULL is fine. */
void lease_end(struct lease *lease, unsigned flags);
struct store *lease_store(const struct lease *lease);
/* Keeps one digest (blob, diff-id) from gc until the end. */
int lease_add(struct lease *lease, const char *digest, struct err *err);

/* ---- blobs: manifests, indexes, configs, kept layers ---- */

/* Puts bytes that hash to digest (checked; ERR_INVALID). Visible at once, kept by the lease until
 * an image refers to it. */
int store_put_blob(struct lease *lease, const char *digest, const void *data, size_t len,
		   struct err *err);
/* The bytes, NUL-terminated, to be freed; checked against the digest. ERR_NOT_FOUND. */
int store_read_blob(struct store *store, const char *digest, size_t max_bytes, char **out_text,
		    size_t *out_len, struct err *err);
/* A read-only descriptor and the size; -1 ERR_NOT_FOUND. Not checked. */
int store_open_blob(struct store *store, const char *digest, uint64_t *out_size, struct err *err);

/* ---- images ---- */

struct image_layer {
	char *diff_id;
	char *digest; /* of the compressed form in the manifest; "" when unknown */
	uint64_t size_bytes;
	char *media_type;
};

struct image_record {
	char *id;              /* digest of the config */
	char *manifest_digest; /* its bytes are a blob */
	char *manifest_type;
	char **names; /* canonical references, sorted; may be none */
	size_t name_count;
	char **repo_digests; /* "docker.io/library/nginx@sha256:..." */
	size_t repo_digest_count;
	struct image_layer *layers; /* bottom first */
	size_t layer_count;
	char *os, *architecture, *variant; /* from the config; "" when absent */
	uint64_t created_unix_ns;          /* the config's "created"; 0 when absent */
	uint64_t added_unix_ns;
	uint64_t size_bytes; /* sum of the uncompressed layers */
};

/* What a pull, load, import or build hands in. Strings are copied. */
struct image_commit {
	const char *name;        /* canonical reference to point at it, or NULL */
	const char *name_digest; /* what the registry's answer for that name hashed to (index or
				  * manifest), or NULL: kept with the name for "newer?" checks */
	const char *repo_digest; /* or NULL */
	const char *manifest;    /* exact bytes; NULL: one is made over the layers */
	size_t manifest_len;
	const char *manifest_type;
	const char *config; /* exact bytes; its rootfs.diff_ids decide which layers */
	size_t config_len;
	const struct image_layer
		*layers; /* bottom first, as many as diff_ids; digest may be "" or NULL */
	size_t layer_count;
};

/* Checks that every layer is there, resolves what layers leave to those below them, makes all of it
 * durable, then writes record and name. out_id gets the image's id. ERR_INVALID refuses the image:
 * end the lease with LEASE_DROP. Crash points pull:layers, staged, sync, record, name. */
int store_commit_image(struct lease *lease, const struct image_commit *commit,
		       char out_id[DIGEST_TEXT_MAX], struct err *err);

/* id is "sha256:HEX". ERR_NOT_FOUND. Free with image_record_free. */
struct image_record *store_image(struct store *store, const char *id, struct err *err);
void image_record_free(struct image_record *record);
AUTO_TYPE(image_record, image_record_free);
/* The exact config JSON / manifest JSON of an image, to be freed. */
int store_image_config(struct store *store, const char *id, char **out_text, size_t *out_len,
		       struct err *err);
int store_image_manifest(struct store *store, const char *id, char **out_text, size_t *out_len,
			 struct err *err);

/* "nginx:1.27", "docker.io/library/nginx", "nginx@sha256:...", an id, or an id prefix (>= 4 hex
 * digits) to the id. A name wins over a prefix; ERR_NOT_FOUND; an ambiguous prefix is ERR_INVALID
 * and lists candidates. */
int store_resolve(struct store *store, const char *text, char out_id[DIGEST_TEXT_MAX],
		  struct err *err);

/* All images, newest first; free with image_records_free. */
int store_list(struct store *store, struct image_record ***out, size_t *out_count, struct err *err);
void image_records_free(struct image_record **records, size_t count);

/* A name as it stands: which image, which digest the registry gave, when. ERR_NOT_FOUND. */
struct image_name {
	char id[DIGEST_TEXT_MAX];
	char digest[DIGEST_TEXT_MAX]; /* "" when it did not come from a registry */
	uint64_t pulled_unix_ns;
};
int store_name(struct store *store, const char *canonical, struct image_name *out, struct err *err);
/* Points a canonical name at an image (atomic; an image that loses its name stays as <none>).
 * digest may be NULL. Also used to say "checked again now": same id, new time. */
int store_tag(struct store *store, const char *canonical, const char *id, const char *digest,
	      struct err *err);
/* Takes one name away; the image stays until prune, or until store_remove. ERR_NOT_FOUND. */
int store_untag(struct store *store, const char *canonical, struct err *err);

/* ---- layers ---- */

/* Before anything is fetched: the layers that are not here must fit, as far as their sizes tell
 * (what travels compressed is not smaller as it is kept). ERR_NO_SPACE with the sum of the sizes
 * and what is free. *out_bytes: that sum; may be NULL. */
int store_check_fit(struct store *store, const struct image_layer *layers, size_t count,
		    uint64_t *out_bytes, struct err *err);
/* After ERR_NO_SPACE: whether enough is free (64 MiB) that parts and layers may stay for a later
 * try. */
bool store_may_keep_leftovers(struct store *store);
/* True when the layer of that diff-id is there and whole. */
bool store_has_layer(struct store *store, const char *diff_id);
/* Bytes of the layer's tar, for `history` and `ls`. ERR_NOT_FOUND. */
int store_layer_bytes(struct store *store, const char *diff_id, uint64_t *out_bytes,
		      struct err *err);
/* The diff-id that a compressed digest was seen to have; false when unknown. */
bool store_diff_id_of(struct store *store, const char *digest, char out[DIGEST_TEXT_MAX]);

/* ---- roots: who uses which image, across processes and reboots ---- */

/* owner: [A-Za-z0-9._-]{1,128}, e.g. a container's id; one image per owner, the last call counts.
 * snapshot_open does this for you. */
int store_root_add(struct store *store, const char *owner, const char *id, struct err *err);
/* Absent is fine. */
int store_root_remove(struct store *store, const char *owner, struct err *err);
/* For each root; each returns -1 to stop. */
int store_root_each(struct store *store, int (*each)(void *ctx, const char *owner, const char *id),
		    void *ctx, struct err *err);
bool store_is_used(struct store *store, const char *id);
