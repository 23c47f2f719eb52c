/* images/layer_write - beside the second worker of a layer writer: the tar as it is kept.
 *
 * Owns: data.tar: its holes, when the disk begins with it, what of it stays in memory. May not
 * touch: what the bytes mean, the folder around it (images/layer_make).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "images/layer_writer.h"

#define PIECE_BYTES  (256u << 10) /* written at bounds of that: the page cache takes it as one */
#define DIRECT_BYTES (512u << 10) /* at once, past the page cache */
#define HOLE_BYTES   (64u << 10)
#define FLUSH_BYTES  (8u << 20) /* the disk begins with that much, while more is made */
#define AHEAD_BYTES  (64u << 20)
#define ALIGN_BYTES  4096u
/* Of a large layer the rest goes past the page cache (docs/decisions/0320). */
#define CACHED_BYTES (32u << 20)

static bool is_zero(const uint8_t *at, size_t len)
{
	return at[0] == 0 && memcmp(at, at + 1, len - 1) == 0;
}

static bool is_for_direct(const struct layer *layer, const uint8_t *data, size_t len, uint64_t at)
{
	return at >= CACHED_BYTES && !layer->never_direct && len > 0 &&
	       ((uintptr_t)data | len | at) % ALIGN_BYTES == 0;
}

/* A file that does not grow with every piece is written with less locking. */
static void size_ahead(struct layer *layer, uint64_t end)
{
	if (end <= layer->sized_to)
		return;
	layer->sized_to = end + AHEAD_BYTES;
	if (ftruncate(layer->tar_fd, (off_t)layer->sized_to) < 0)
		layer->sized_to = end; /* it grows then */
}

static void set_direct(struct layer *layer, bool on)
{
	int flags;

	if (layer->is_direct == on)
		return;
	flags = fcntl(layer->tar_fd, F_GETFL);
	if (fcntl(layer->tar_fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) < 0)
		layer->never_direct = true;
	else
		layer->is_direct = on;
}

static int write_at(struct layer *layer, const uint8_t *data, size_t len, uint64_t at,
		    struct err *err)
{
	while (len > 0) {
		bool direct = is_for_direct(layer, data, len, at);
		ssize_t n;

		if (direct)
			size_ahead(layer, at + len);
		set_direct(layer, direct);
		n = pwrite(layer->tar_fd, data, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL && layer->is_direct) {
			layer->never_direct = true; /* not on this file system */
			continue;
		}
		if (n < 0)
			return err_sys(err, errno, "write layer");
		data += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Runs of zeros become holes. */
static int write_piece(struct layer *layer, const uint8_t *data, size_t len, struct err *err)
{
	uint64_t at = layer->written_bytes;
	size_t from = 0, to = 0;

	while (to < len) {
		size_t n = HOLE_BYTES - (size_t)((at + to) % HOLE_BYTES);

		n = n > len - to ? len - to : n;
		if (n == HOLE_BYTES && is_zero(data + to, n)) {
			if (write_at(layer, data + from, to - from, at + from, err) < 0)
				return -1;
			from = to + n;
		}
		to += n;
	}
	layer->written_bytes += len;
	return write_at(layer, data + from, to - from, at + from, err);
}

/* What is on its way to disk now is not waited for by the sync at the end of the pull. */
static void begin_flush(struct layer *layer)
{
	uint64_t len = layer->written_bytes - layer->flushed_to;

	if (layer->store->flags & STORE_NO_SYNC || len < FLUSH_BYTES)
		return;
	sync_file_range(layer->tar_fd, (off_t)layer->flushed_to, (off_t)len, SYNC_FILE_RANGE_WRITE);
	layer->flushed_to = layer->written_bytes;
}

/* Whole pieces, but at the end. */
static size_t choose_len(const struct layer *layer, size_t len)
{
	size_t most = layer->written_bytes < CACHED_BYTES ? PIECE_BYTES : DIRECT_BYTES;

	if (len > most)
		return most;
	return len > PIECE_BYTES ? len - len % PIECE_BYTES : len;
}

static int write_all(struct layer *layer, struct err *err)
{
	const uint8_t *piece;
	size_t len;

	layer->never_direct = layer->store->flags & STORE_NO_SYNC;
	while ((len = ring_peek(layer->out, LAYER_WRITER, PIECE_BYTES, &piece)) > 0) {
		len = choose_len(layer, len);
		if (write_piece(layer, piece, len, err) < 0)
			return -1;
		ring_take(layer->out, LAYER_WRITER, len);
		begin_flush(layer);
	}
	if (!ring_is_whole(layer->out))
		return err_set(err, ERR_CANCELLED, "given up");
	set_direct(layer, false); /* others read and write it in small pieces */
	return ftruncate(layer->tar_fd, (off_t)layer->written_bytes) < 0
		       ? err_sys(err, errno, "size of the tar")
		       : 0;
}

void *layer_write_tar(void *ctx)
{
	struct layer *layer = ctx;
	struct err err = ERR_NONE;

	if (write_all(layer, &err) < 0) {
		layer_fail(layer, &err);
		ring_give_up(layer->out);
		ring_give_up(layer->in);
		return NULL;
	}
	layer->is_written = true;
	return NULL;
}
