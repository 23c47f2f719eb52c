/* images/layer_writer - the inside of a layer writer: its workers. For images/layer only. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "images/apply.h"
#include "images/decode.h"
#include "images/layer.h"
#include "images/layer_dir.h"
#include "images/ring.h"
#include "images/unpack.h"

struct layer {
	struct store *store;
	struct lease *lease;
	char digest[DIGEST_TEXT_MAX], diff_id[DIGEST_TEXT_MAX]; /* wanted; "" any */
	char media_type[128];
	int64_t size_bytes;
	char label[64]; /* for messages */
	void (*wake)(void *ctx);
	void *wake_ctx;

	struct ring *in, *out;
	pthread_t feeder, maker;
	bool threads;
	bool is_after_others;              /* its workers are nicer */
	bool is_plain;                     /* no feeder: in and out are one queue */
	int blob_fd;                       /* the part file, or tmp/blob, or -1 */
	char part_name[STORE_KEY_MAX + 8]; /* "" when the bytes have no known digest */
	uint64_t offset;
	int tmp_fd;
	char tmp_name[32];

	/* keeper alone, the feeder's once that has ended */
	struct digest *blob_hash;
	uint64_t kept_bytes;
	bool is_kept; /* all of it; result.digest is set */

	/* feeder alone */
	struct decode *decode;
	uint64_t fed_bytes, decoded_bytes;
	uint8_t *plain_at; /* room in `out` that the decoder fills */

	/* maker alone */
	struct digest *tar_hash;
	int tar_fd; /* -1: no tar is kept */
	struct tar *tar;
	struct apply *apply;
	struct unpack *unpack;
	int fs_fd;
	uint64_t checked_at; /* tar bytes at the last look at the free space */
	struct layer_result result;

	/* writer alone, the maker's once that has ended */
	uint64_t written_bytes;
	uint64_t flushed_to; /* that are on their way to disk */
	uint64_t sized_to;   /* data.tar is that large meanwhile */
	bool is_direct, never_direct;
	bool is_written; /* all of it */

	_Atomic uint64_t tar_bytes;
	_Atomic bool done;
	pthread_mutex_t mutex;
	struct err err; /* the first failure of either; under the mutex */
};

enum { LAYER_FEEDER, LAYER_KEEPER, LAYER_IN_READERS };
enum { LAYER_MAKER, LAYER_WRITER, LAYER_OUT_READERS };

/* Thread bodies. */
void *layer_feed(void *layer);
void *layer_keep(void *layer); /* the feeder's helper */
void *layer_make(void *layer);
void *layer_write_tar(void *layer); /* the maker's helper */
/* What an earlier try left, in pieces. Any of the feeder's threads. */
int layer_read_part(struct layer *layer,
		    int (*take)(struct layer *layer, const void *data, size_t len, struct err *err),
		    struct err *err);
/* First of all in a worker; its helper inherits it. */
void layer_set_priority(const struct layer *layer);
/* Keeps the first error. */
void layer_fail(struct layer *layer, const struct err *err);
/* The layer's blob or part under its last name; images/layer_make calls it when all is verified. */
int layer_keep_blob(struct layer *layer, struct err *err);
