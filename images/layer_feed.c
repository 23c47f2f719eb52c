/* images/layer_feed - first worker of a layer writer: compressed bytes in, plain bytes out.
 *
 * Owns: the decoder, the size and digest that the bytes must have, the helper that hashes and keeps
 * them (images/layer_keep). May not touch: the tar, the layer's folder.
 */
#include <string.h>

#include "base/alloc.h"
#include "images/layer_writer.h"

#define LEAST_BYTES (64u << 10)  /* wait for that much, not for every packet */
#define PIECE_BYTES (256u << 10) /* room is given back that often, so that the network goes on */

static void *plain_room(void *ctx, size_t *out_size, struct err *err)
{
	struct layer *layer = ctx;

	*out_size = ring_room(layer->out, &layer->plain_at);
	if (*out_size)
		return layer->plain_at;
	err_set(err, ERR_CANCELLED, "the unpacking has failed");
	return NULL;
}

static int put_plain(void *ctx, const void *data, size_t len, struct err *err)
{
	struct layer *layer = ctx;

	if (len > layer->store->max_layer_bytes - layer->decoded_bytes)
		return err_set(err, ERR_INVALID, "layer is larger than the limit of %llu bytes",
			       (unsigned long long)layer->store->max_layer_bytes);
	layer->decoded_bytes += len;
	if (data == layer->plain_at) { /* made where it belongs */
		layer->plain_at = NULL;
		ring_add(layer->out, len);
		return 0;
	}
	if (!ring_put(layer->out, data, len))
		return err_set(err, ERR_CANCELLED, "the unpacking has failed");
	return 0;
}

static int take_bytes(struct layer *layer, const void *data, size_t len, struct err *err)
{
	if (layer->size_bytes >= 0 && len > (uint64_t)layer->size_bytes - layer->fed_bytes)
		return err_set(err, ERR_INVALID, "blob is larger than its %lld bytes",
			       (long long)layer->size_bytes);
	layer->fed_bytes += len;
	return decode_write(layer->decode, data, len, err);
}

static int verify(struct layer *layer, struct err *err)
{
	layer->result.size_bytes = layer->fed_bytes;
	if (layer->size_bytes >= 0 && layer->fed_bytes != (uint64_t)layer->size_bytes)
		return err_set(err, ERR_INVALID, "blob has %llu bytes, wanted %lld",
			       (unsigned long long)layer->fed_bytes, (long long)layer->size_bytes);
	if (*layer->digest && strcmp(layer->result.digest, layer->digest) != 0)
		return err_set(err, ERR_INVALID, "digest is %.71s, wanted %.71s",
			       layer->result.digest, layer->digest);
	return decode_end(layer->decode, err);
}

static int feed(struct layer *layer, struct err *err)
{
	const uint8_t *piece;
	size_t len;

	while ((len = ring_peek(layer->in, LAYER_FEEDER, LEAST_BYTES, &piece)) > 0) {
		len = len < PIECE_BYTES ? len : PIECE_BYTES;
		if (take_bytes(layer, piece, len, err) < 0)
			return -1;
		if (ring_take(layer->in, LAYER_FEEDER, len) && layer->wake)
			layer->wake(layer->wake_ctx);
	}
	return ring_is_whole(layer->in) ? 0 : err_set(err, ERR_CANCELLED, "given up");
}

/* The keeper ends in every case: at the end of the bytes, or as somebody (the maker, before its
 * failure becomes our ERR_CANCELLED) has given up. */
static int feed_and_keep(struct layer *layer, struct err *err)
{
	pthread_t keeper;
	int rc = pthread_create(&keeper, NULL, layer_keep, layer);

	if (rc != 0)
		return err_sys(err, rc, "start a thread");
	layer->decode = decode_new(0, put_plain, layer);
	decode_make_in(layer->decode, plain_room);
	rc = layer_read_part(layer, take_bytes, err);
	if (rc == 0)
		rc = feed(layer, err);
	/* Cut off by the putter is not given up: the keeper still keeps what is there. */
	if (rc < 0 && err->code != ERR_CANCELLED) {
		layer_fail(layer, err); /* before anybody can see that it is over */
		ring_give_up(layer->in);
	}
	pthread_join(keeper, NULL);
	if (rc == 0 && !layer->is_kept)
		rc = err_set(err, ERR_CANCELLED, "given up");
	if (rc == 0)
		rc = verify(layer, err);
	decode_free(layer->decode);
	layer->decode = NULL;
	return rc;
}

void *layer_feed(void *ctx)
{
	struct layer *layer = ctx;
	struct err err = ERR_NONE;

	layer_set_priority(layer);
	if (feed_and_keep(layer, &err) < 0) {
		layer_fail(layer, &err);
		ring_give_up(layer->in);
		ring_close(layer->out, false);
		if (layer->wake)
			layer->wake(layer->wake_ctx);
		return NULL;
	}
	ring_close(layer->out, true);
	return NULL;
}
