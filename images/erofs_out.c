/* images/erofs_out - one place of the index that is written front to back through a buffer.
 *
 * Owns: the buffer. May not touch: the descriptor's own offset.
 */
#include "images/erofs_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static int write_at(int fd, const uint8_t *data, size_t len, uint64_t at, struct err *err)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write");
		data += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int flush(struct erofs_out *out, struct err *err)
{
	size_t len = out->len;

	out->len = 0;
	return write_at(out->fd, out->buffer, len, out->at - len, err);
}

void erofs_out_open(struct erofs_out *out, int fd, uint64_t at)
{
	out->fd = fd;
	out->at = at;
	out->len = 0;
	out->buffer = xcalloc(1, EROFS_OUT_BYTES);
}

int erofs_out_put(struct erofs_out *out, const void *data, size_t len, struct err *err)
{
	const uint8_t *at = data;

	while (len > 0) {
		size_t n = EROFS_OUT_BYTES - out->len;

		n = n > len ? len : n;
		memcpy(out->buffer + out->len, at, n);
		out->len += n;
		out->at += n;
		at += n;
		len -= n;
		if (out->len == EROFS_OUT_BYTES && flush(out, err) < 0)
			return -1;
	}
	return 0;
}

int erofs_out_pad_to(struct erofs_out *out, uint64_t at, struct err *err)
{
	static const uint8_t zeros[512];

	while (out->at < at) {
		uint64_t n = at - out->at;

		if (erofs_out_put(out, zeros, n > sizeof(zeros) ? sizeof(zeros) : (size_t)n, err) <
		    0)
			return -1;
	}
	return 0;
}

int erofs_out_pad(struct erofs_out *out, uint64_t multiple, struct err *err)
{
	return erofs_out_pad_to(out, (out->at + multiple - 1) / multiple * multiple, err);
}

int erofs_out_close(struct erofs_out *out, struct err *err)
{
	int rc = err && out->buffer ? flush(out, err) : 0;

	free(TAKE(out->buffer));
	return rc;
}

int erofs_copy(int from_fd, uint64_t from, int to_fd, uint64_t to, uint64_t len, struct err *err)
{
	AUTO(free) uint8_t *buffer = xcalloc(1, EROFS_OUT_BYTES);

	while (len > 0) {
		size_t want = len > EROFS_OUT_BYTES ? EROFS_OUT_BYTES : (size_t)len;
		ssize_t n = pread(from_fd, buffer, want, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(err, errno, "read")
				     : err_set(err, ERR_INVALID, "file is shorter than it says");
		if (write_at(to_fd, buffer, (size_t)n, to, err) < 0)
			return -1;
		from += (uint64_t)n;
		to += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}
