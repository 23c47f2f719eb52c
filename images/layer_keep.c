/* images/layer_keep - beside the first worker of a layer writer: the bytes as they came.
 *
 * Owns: their hash, the part file. May not touch: what they mean (images/layer_feed).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/layer_writer.h"

#define LEAST_BYTES (64u << 10)  /* wait for that much, not for every packet */
#define PIECE_BYTES (256u << 10) /* room is given back that often */

static int keep_bytes(struct layer *layer, const uint8_t *data, size_t len, struct err *err)
{
	while (layer->blob_fd >= 0 && len > 0) {
		ssize_t n = pwrite(layer->blob_fd, data, len, (off_t)layer->kept_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write part of a layer");
		data += n;
		layer->kept_bytes += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int layer_read_part(struct layer *layer,
		    int (*take)(struct layer *layer, const void *data, size_t len, struct err *err),
		    struct err *err)
{
	AUTO(free) uint8_t *buffer = layer->offset ? xcalloc(1, PIECE_BYTES) : NULL;
	uint64_t at = 0;

	while (at < layer->offset) {
		uint64_t left = layer->offset - at;
		ssize_t n = pread(layer->blob_fd, buffer,
				  left < PIECE_BYTES ? (size_t)left : PIECE_BYTES, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EIO, "read part of a layer");
		if (take(layer, buffer, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

static int hash(struct layer *layer, const void *data, size_t len, struct err *err)
{
	(void)err;
	digest_update(layer->blob_hash, data, len);
	return 0;
}

static int keep(struct layer *layer, struct err *err)
{
	const uint8_t *piece;
	size_t len;

	if (layer_read_part(layer, hash, err) < 0)
		return -1;
	layer->kept_bytes = layer->offset;
	while ((len = ring_peek(layer->in, LAYER_KEEPER, LEAST_BYTES, &piece)) > 0) {
		len = len < PIECE_BYTES ? len : PIECE_BYTES;
		if (keep_bytes(layer, piece, len, err) < 0)
			return -1;
		digest_update(layer->blob_hash, piece, len);
		if (ring_take(layer->in, LAYER_KEEPER, len) && layer->wake)
			layer->wake(layer->wake_ctx);
	}
	if (!ring_is_whole(layer->in))
		return err_set(err, ERR_CANCELLED, "given up");
	digest_text(layer->blob_hash, layer->result.digest);
	return 0;
}

void *layer_keep(void *ctx)
{
	struct layer *layer = ctx;
	struct err err = ERR_NONE;

	if (keep(layer, &err) < 0) {
		layer_fail(layer, &err);
		ring_give_up(layer->in);
		return NULL;
	}
	layer->is_kept = true;
	return NULL;
}
