/* images/layer_feed - first worker of a layer writer: compressed bytes in, plain bytes out.
 *
 * Owns: the hash of what came, the part file, the decoder. May not touch: the tar, the layer's
 * folder.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/layer_writer.h"

#define READ_BYTES  (256u << 10)
#define LEAST_BYTES (64u << 10) /* wait for that much, not for every packet */

static int put_plain(void *ctx, const void *data, size_t len, struct err *err)
{
	struct layer *layer = ctx;

	if (len > layer->store->max_layer_bytes - layer->decoded_bytes)
		return err_set(err, ERR_INVALID, "layer is larger than the limit of %llu bytes",
			       (unsigned long long)layer->store->max_layer_bytes);
	layer->decoded_bytes += len;
	if (!ring_put(layer->out, data, len))
		return err_set(err, ERR_CANCELLED, "the unpacking has failed");
	return 0;
}

static int take_bytes(struct layer *layer, struct decode *decode, const void *data, size_t len,
		      struct err *err)
{
	if (layer->size_bytes >= 0 && len > (uint64_t)layer->size_bytes - layer->fed_bytes)
		return err_set(err, ERR_INVALID, "blob is larger than its %lld bytes",
			       (long long)layer->size_bytes);
	digest_update(layer->blob_hash, data, len);
	layer->fed_bytes += len;
	return decode_write(decode, data, len, err);
}

static int keep_bytes(struct layer *layer, const uint8_t *data, size_t len, struct err *err)
{
	uint64_t at = layer->fed_bytes;

	while (layer->blob_fd >= 0 && len > 0) {
		ssize_t n = pwrite(layer->blob_fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write part of a layer");
		data += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* What an earlier try left comes first. */
static int read_part(struct layer *layer, struct decode *decode, struct err *err)
{
	AUTO(free) uint8_t *buffer = xcalloc(1, READ_BYTES);

	while (layer->fed_bytes < layer->offset) {
		uint64_t left = layer->offset - layer->fed_bytes;
		ssize_t n =
			pread(layer->blob_fd, buffer, left < READ_BYTES ? (size_t)left : READ_BYTES,
			      (off_t)layer->fed_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EIO, "read part of a layer");
		if (take_bytes(layer, decode, buffer, (size_t)n, err) < 0)
			return -1;
	}
	return 0;
}

static int verify(struct layer *layer, struct decode *decode, struct err *err)
{
	digest_text(layer->blob_hash, layer->result.digest);
	layer->result.size_bytes = layer->fed_bytes;
	if (layer->size_bytes >= 0 && layer->fed_bytes != (uint64_t)layer->size_bytes)
		return err_set(err, ERR_INVALID, "blob has %llu bytes, wanted %lld",
			       (unsigned long long)layer->fed_bytes, (long long)layer->size_bytes);
	if (*layer->digest && strcmp(layer->result.digest, layer->digest) != 0)
		return err_set(err, ERR_INVALID, "digest is %.71s, wanted %.71s",
			       layer->result.digest, layer->digest);
	return decode_end(decode, err);
}

static int feed(struct layer *layer, struct err *err)
{
	AUTO(decode) struct decode *decode = decode_new(0, put_plain, layer);
	const uint8_t *piece;
	size_t len;

	if (read_part(layer, decode, err) < 0)
		return -1;
	while ((len = ring_peek(layer->in, LEAST_BYTES, &piece)) > 0) {
		if (keep_bytes(layer, piece, len, err) < 0 ||
		    take_bytes(layer, decode, piece, len, err) < 0)
			return -1;
		if (ring_take(layer->in, len) && layer->wake)
			layer->wake(layer->wake_ctx);
	}
	if (!ring_is_whole(layer->in))
		return err_set(err, ERR_CANCELLED, "given up");
	return verify(layer, decode, err);
}

void *layer_feed(void *ctx)
{
	struct layer *layer = ctx;
	struct err err = ERR_NONE;

	if (feed(layer, &err) < 0) {
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
