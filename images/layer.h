/* images/layer - bytes to a checked layer: digest, decode, diff-id, unpack, in threads of its own.
 *
 * A writer is fed the compressed bytes in order by one thread at a time. Behind bounded queues (1
 * and 2 MiB) one worker thread inflates them, one hashes them and keeps them in a part file, so a
 * later process resumes; one hashes and reads the tar, one writes it. Nothing is visible in the
 * store before digest, size and diff-id are right; then the layer appears whole. Concurrent
 * processes: the first holds the part file's lock, the others wait in layer_open and then find the
 * layer.
 *
 *	layer_open(...) -> *out == NULL: there already, nothing to fetch
 *	ask for bytes from layer_offset() on -> layer_write ... -> layer_finish   (or layer_abort)
 *
 * On an event loop: layer_try_write never blocks; 0 means "full": pause until `wake` was called.
 * Then layer_end, and when wake says so and layer_is_done is true, layer_finish returns without a
 * wait.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "images/store.h"

struct layer;

#define LAYER_NO_WAIT 1u /* layer_open: ERR_BUSY instead of waiting for another process */
#define LAYER_FRESH   2u /* layer_open: forget the part file of an earlier try */
#define LAYER_PLAIN                                                                                \
	4u /* the bytes are a plain tar that we make ourselves, no digest is wanted: one worker    \
	      less, hashed once where no blob is kept */

#define LAYER_AFTER_OTHERS                                                                         \
	8u /* a much larger one is on its way: its workers come first, as all wait for it */

struct layer_spec {
	const char *digest;      /* of the compressed bytes; NULL: not known (archives, builds) */
	int64_t size_bytes;      /* compressed; -1: not known */
	const char *diff_id;     /* wanted digest of the tar; NULL: whatever comes */
	const char *media_type;  /* a hint for the record; magic bytes decide. May be NULL */
	unsigned number, total;  /* "layer 3 of 7" in messages; 0: not shown */
	void (*wake)(void *ctx); /* called by a worker thread: room again, failed, or done. May be
				    NULL */
	void *wake_ctx;
	unsigned flags;
};

struct layer_result {
	char diff_id[DIGEST_TEXT_MAX];
	char digest[DIGEST_TEXT_MAX]; /* of the bytes fed */
	uint64_t size_bytes;          /* bytes fed */
	uint64_t tar_bytes;
	uint64_t entry_count;
};

/* Starts a writer; the layer's diff-id and digest join the lease. *out NULL: the store has it.
 * Blocks while another process loads the same layer. Errors: ERR_BUSY (LAYER_NO_WAIT),
 * ERR_NO_SPACE, from errno. */
int layer_open(struct lease *lease, const struct layer_spec *spec, struct layer **out,
	       struct err *err);
/* How many bytes an earlier try left: fetch from there. Constant for the life of the writer. */
uint64_t layer_offset(const struct layer *layer);

/* Blocks while the queue is full. -1: the worker has failed (bad archive, disk); *err says why, the
 * writer still has to be aborted. */
int layer_write(struct layer *layer, const void *data, size_t len, struct err *err);
/* len, or 0 when there is no room for all of it (len must be <= 512 KiB), or -1 as layer_write. */
ssize_t layer_try_write(struct layer *layer, const void *data, size_t len, struct err *err);
/* No more bytes will come. Does not block. */
void layer_end(struct layer *layer);
/* True when layer_finish would not block (verified, or failed). */
bool layer_is_done(struct layer *layer);

/* Ends the stream if layer_end did not, waits for the workers, verifies, makes the layer visible
 * and frees the writer in every case. ERR_INVALID: digest, size, diff-id, archive or limit; the
 * part file is gone. ERR_NO_SPACE: the part stays when there is room. Crash points layer:opened,
 * verified, noted, renamed, finished. out may be NULL. */
int layer_finish(struct layer *layer, struct layer_result *out, struct err *err);
/* Gives up and frees; the part file stays for a later try unless the bytes were found bad. NULL is
 * fine. */
void layer_abort(struct layer *layer);
static inline void auto_layer(struct layer **layer)
{
	layer_abort(*layer);
}

/* ---- the other way: a stored layer as bytes ---- */

/* The exact tar to fd (any kind of descriptor), checked against diff_id while it goes out. */
int layer_copy_tar(struct store *store, const char *diff_id, int fd, struct err *err);

enum layer_compression { LAYER_TAR, LAYER_GZIP, LAYER_ZSTD };

/* A blob of the layer for a push: the kept one whose digest is `wanted` (may be NULL: any kept one
 * of that compression), else made anew, the same bytes every time (gzip level 6, no name, no time).
 * Returns a read-only descriptor at offset 0; out_digest, out_size and *out_media_type (static
 * text, OCI) describe it. */
int layer_open_blob(struct store *store, const char *diff_id, enum layer_compression compression,
		    const char *wanted, char out_digest[DIGEST_TEXT_MAX], uint64_t *out_size,
		    const char **out_media_type, struct err *err);
