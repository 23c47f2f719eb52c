/* images/store_internal - what the rooms of the store share. Not for callers of images/. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "images/store.h"

#define STORE_FORMAT    1
#define STORE_META_MAX  (16u << 20) /* a record, a name, a layer's meta.json */
#define STORE_MAX_LAYER (64ull << 30)
#define STORE_MAX_IMAGE (256ull << 30)
#define STORE_KEY_MAX   160 /* "layers/sha512-HEX" */

struct store {
	char *path, *runtime_path;
	int root_fd;
	int tmp_fd, layers_fd, chains_fd, partial_fd, blobs_fd, records_fd, names_fd, roots_fd,
		leases_fd, digests_fd, trash_fd;
	enum store_backend backend;
	unsigned flags;
	uint64_t max_layer_bytes, max_image_bytes, min_free_bytes;
	char boot_id[40];
};

/* The store's lock, shared or as the only one. Returns the fd (close = unlock); wait=false:
 * ERR_BUSY. */
int store_lock(struct store *store, bool exclusive, bool wait, struct err *err);

/* "HEX" of a sha256 digest, "sha512-HEX" of another. Returns out. */
char *store_key(const char *digest, char out[STORE_KEY_MAX]);
/* Back to a digest; false when it is none. */
bool store_key_digest(const char *key, char out[DIGEST_TEXT_MAX]);

/* A new folder in tmp/, held by a flock on the returned fd. name gets its name. */
int store_tmp_dir(struct store *store, char name[32], struct err *err);
/* Moves dir_fd/name into trash/ (absent: fine) and removes it there; what cannot be removed stays
 * for the next sweep. */
int store_trash(struct store *store, int dir_fd, const char *name, struct err *err);
/* Moves only: for use under the exclusive lock; store_empty_trash later. */
int store_trash_move(struct store *store, int dir_fd, const char *name, struct err *err);
void store_empty_trash(struct store *store);
/* Removes tmp folders and leases of dead processes. Under the exclusive lock. */
void store_sweep(struct store *store);
/* images/space */
/* ERR_NO_SPACE with the file system's name when less than min_free is left. */
int store_check_space(struct store *store, struct err *err);
/* The text of an ENOSPC that was met: the file system's name and what is free of it. */
int store_no_space(struct store *store, struct err *err);
/* images/store */
/* All that is in memory of the store's file system to disk, unless STORE_NO_SYNC. */
int store_sync(struct store *store, struct err *err);

/* For each entry of a folder (not those with a leading dot); -1 of `each` ends it. */
int store_each(int dir_fd, int (*each)(void *ctx, const char *name, struct err *err), void *ctx,
	       struct err *err);
/* Bytes on disk (st_blocks) of everything below. */
uint64_t store_disk_bytes(int dir_fd, const char *name);

/* Calls each for every digest that a living lease names. Under the exclusive lock. */
int lease_each(struct store *store, int (*each)(void *ctx, const char *digest, struct err *err),
	       void *ctx, struct err *err);
/* images/record */
/* As store_image, without its names: one small file. */
struct image_record *image_record_read(struct store *store, const char *id, struct err *err);
struct staged;
/* Written, without its name yet (images/staged). */
int image_record_stage(struct store *store, const struct image_record *record, struct staged *out,
		       struct err *err);
bool image_record_exists(struct store *store, const char *id);
/* Removes a record; names and layers are not looked at. */
int image_record_remove(struct store *store, const char *id, struct err *err);

/* images/name */
/* As image_record_stage, for a name; id need not be there yet. */
int image_name_stage(struct store *store, const char *canonical, const char *id, const char *digest,
		     struct staged *out, struct err *err);
struct image_names_row {
	char *name;
	struct image_name target;
};
/* All names, sorted. Broken files are left out; `check` tells of them. */
struct image_names {
	struct store *store;
	struct image_names_row *rows;
	size_t count;
};
int image_names_read(struct store *store, struct image_names *out, struct err *err);
void image_names_clear(struct image_names *names);

/* Whether the EROFS back-end works here: really mounts a small image, once per boot and runtime
 * root. */
bool erofs_probe(struct store *store);
