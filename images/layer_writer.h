/* images/layer_writer - the inside of a layer writer: its two workers. For images/layer only. */
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
	bool is_plain; /* no feeder: in and out are one queue */
	int blob_fd;                       /* the part file, or tmp/blob, or -1 */
	char part_name[STORE_KEY_MAX + 8]; /* "" when the bytes have no known digest */
	uint64_t offset;
	int tmp_fd;
	char tmp_name[32];

	/* feeder alone */
	struct digest *blob_hash;
	uint64_t fed_bytes, decoded_bytes;

	/* maker alone */
	struct digest *tar_hash;
	int tar_fd;
	struct tar *tar;
	struct apply *apply;
	struct unpack *unpack;
	int fs_fd;
	uint64_t checked_at; /* tar bytes at the last look at the free space */
	uint64_t flushed_to; /* tar bytes that are on their way to disk */
	struct layer_result result;

	_Atomic uint64_t tar_bytes;
	_Atomic bool done;
	pthread_mutex_t mutex;
	struct err err; /* the first failure of either; under the mutex */
};

/* Thread bodies. */
void *layer_feed(void *layer);
void *layer_make(void *layer);
/* Keeps the first error. */
void layer_fail(struct layer *layer, const struct err *err);
/* The layer's blob or part under its last name; images/layer_make calls it when all is verified. */
int layer_keep_blob(struct layer *layer, struct err *err);
