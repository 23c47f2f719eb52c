/* images/steps - the build cache: which layer a step made, by the step's key.
 *
 * Folder: ROOT/build beside ROOT/images: steps/KEY.json, trees/KEY (digests of files of layers),
 * locks/, cache/ (RUN --mount=type=cache), hashes/. A record keeps its layer from gc; records go
 * with steps_prune, least recently used first. All functions block (disk). Several processes and
 * threads may use them.
 *
 *	steps_lock(key) -> steps_find -> hit: go on, else make the layer -> steps_save -> unlock
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/store.h"

#define STEPS_KEY_LEN 64u /* lower-case hex digits */

/* Who has a step's lock makes it; the others wait and then find it. Descriptor (close = unlock), or
 * -1. wait false: ERR_BUSY. Different keys may rarely share a lock: hold one at a time, and do not
 * wait in a pool whose threads the holder needs. */
int steps_lock(struct store *store, const char *key, bool wait, struct err *err);

struct step {
	char diff_id[DIGEST_TEXT_MAX]; /* "": the step made no layer */
	uint64_t created_unix_ns;
	uint64_t used_unix_ns; /* last steps_find or steps_save */
	uint64_t tar_bytes;
};

/* 1 and *out when the record and its layer are there (the layer joins the lease), 0 when not, -1. A
 * record whose layer is gone or damaged counts as none. */
int steps_find(struct lease *lease, const char *key, struct step *out, struct err *err);
/* The layer must be in the store. used_unix_ns is set by it. Crash point build:record. */
int steps_save(struct lease *lease, const char *key, const struct step *step, struct err *err);

/* Small texts by key beside them, e.g. the digest of files in layers: 1, 0, -1. */
int steps_note_find(struct store *store, const char *key, char *out, size_t room, struct err *err);
int steps_note_save(struct store *store, const char *key, const char *text, struct err *err);

/* ---- RUN --mount=type=cache ---- */

enum steps_sharing { STEPS_SHARED, STEPS_PRIVATE, STEPS_LOCKED };
struct steps_folder {
	char *path;  /* absolute, to be freed */
	int lock_fd; /* held while it is in use; close it at the end of the step */
};
/* The folder of a cache id, made with mode, uid and gid when absent. LOCKED waits for the other
 * user (wait false: ERR_BUSY); PRIVATE gives a folder that nobody else has: the first free one of
 * the id. Errors: from errno. */
int steps_cache_open(struct store *store, const char *id, enum steps_sharing sharing, bool wait,
		     unsigned mode, unsigned uid, unsigned gid, struct steps_folder *out,
		     struct err *err);

/* ---- looking after it ---- */

#define STEPS_PRUNE_ALL     1u /* everything that no build uses now */
#define STEPS_PRUNE_DRY_RUN 2u
struct steps_prune {
	unsigned flags;
	uint64_t
		max_bytes; /* keep so much at most; 0: the default, 10 GiB or a tenth of the disk */
	uint64_t until_unix_ns; /* only what was used last before; 0: whatever */
};
struct steps_use {
	size_t step_count, folder_count; /* records, cache folders */
	uint64_t bytes;                  /* of layers that no image has, cache folders and notes */
};
/* What goes: in *out (counts and bytes freed). Layers that images use stay on disk, their records
 * go. Under the store's lock; then the same sweep as maintain_gc. */
int steps_prune(struct store *store, const struct steps_prune *options, struct steps_use *out,
		struct err *err);
/* What is there: for df. */
int steps_df(struct store *store, struct steps_use *out, struct err *err);
