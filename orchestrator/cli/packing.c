/* orchestrator/cli/packing - an archive on its way through gzip or zstd, by a thread and a pipe.
 *
 * Owns: the thread, the pipe. May not touch: archives, the names of files but for their ending.
 */
#include "orchestrator/cli/packing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "images/decode.h"

#define BLOCK      (128 << 10)
#define ZSTD_LEVEL 3

struct packing {
	int plain_fd;  /* the caller's end of the pipe */
	int inner_fd;  /* the thread's */
	int packed_fd; /* the file */
	int (*run)(struct packing *packing, struct err *err);
	pthread_t thread;
	int status;
	struct err err;
};

static int write_all(int fd, const void *data, size_t len, struct err *err)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write the archive");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static ssize_t read_some(int fd, void *block, struct err *err)
{
	ssize_t n;

	do
		n = read(fd, block, BLOCK);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, errno, "read the archive") : n;
}

static int run_gzip(struct packing *packing, struct err *err)
{
	AUTO(free) unsigned char *in = xcalloc(1, BLOCK), *out = xcalloc(1, BLOCK);
	z_stream stream = { 0 };
	int status = 0;
	ssize_t n;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(err, ERR_INTERNAL, "gzip does not begin");
	do {
		n = read_some(packing->inner_fd, in, err);
		stream.next_in = in;
		stream.avail_in = n > 0 ? (unsigned)n : 0;
		do {
			stream.next_out = out;
			stream.avail_out = BLOCK;
			deflate(&stream, n > 0 ? Z_NO_FLUSH : Z_FINISH);
			status = write_all(packing->packed_fd, out, BLOCK - stream.avail_out, err);
		} while (status == 0 && stream.avail_out == 0);
	} while (n > 0 && status == 0);
	deflateEnd(&stream);
	return n < 0 ? -1 : status;
}

static int run_zstd(struct packing *packing, struct err *err)
{
	AUTO(free) char *in = xcalloc(1, BLOCK), *out = xcalloc(1, BLOCK);
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t left = 0;
	int status = 0;
	ssize_t n;

	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
	do {
		ZSTD_inBuffer from;
		bool more;

		n = read_some(packing->inner_fd, in, err);
		from = (ZSTD_inBuffer){ in, n > 0 ? (size_t)n : 0, 0 };
		do {
			ZSTD_outBuffer to = { out, BLOCK, 0 };

			left = ZSTD_compressStream2(context, &to, &from,
						    n > 0 ? ZSTD_e_continue : ZSTD_e_end);
			status = ZSTD_isError(left)
					 ? err_set(err, ERR_INTERNAL, "zstd: %s",
						   ZSTD_getErrorName(left))
					 : write_all(packing->packed_fd, out, to.pos, err);
			more = n > 0 ? from.pos < from.size : left > 0;
		} while (status == 0 && more);
	} while (n > 0 && status == 0);
	ZSTD_freeCCtx(context);
	return n < 0 ? -1 : status;
}

static int give(void *ctx, const void *data, size_t len, struct err *err)
{
	return write_all(((struct packing *)ctx)->inner_fd, data, len, err);
}

static int run_unpack(struct packing *packing, struct err *err)
{
	AUTO(decode) struct decode *decode = decode_new(0, give, packing);
	AUTO(free) char *block = xcalloc(1, BLOCK);
	ssize_t n;

	while ((n = read_some(packing->packed_fd, block, err)) > 0)
		if (decode_write(decode, block, (size_t)n, err) < 0)
			return -1;
	return n < 0 ? -1 : decode_end(decode, err);
}

static void *run_thread(void *ctx)
{
	struct packing *packing = ctx;

	packing->status = packing->run(packing, &packing->err);
	close(packing->inner_fd); /* the other end sees the end, or that nobody reads */
	return NULL;
}

static struct packing *begin(int packed_fd, bool is_reader,
			     int (*run)(struct packing *packing, struct err *err), struct err *err)
{
	struct packing *packing;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		err_sys(err, errno, "pipe");
		return NULL;
	}
	/* Whoever stops early makes the other's write fail, with an error instead of a signal. */
	signal(SIGPIPE, SIG_IGN);
	packing = xcalloc(1, sizeof(*packing));
	packing->plain_fd = ends[is_reader ? 0 : 1];
	packing->inner_fd = ends[is_reader ? 1 : 0];
	packing->packed_fd = packed_fd;
	packing->run = run;
	rc = pthread_create(&packing->thread, NULL, run_thread, packing);
	if (rc == 0)
		return packing;
	err_sys(err, rc, "start a thread");
	close(ends[0]);
	close(ends[1]);
	free(packing);
	return NULL;
}

/* clang-format off */
static const struct kind {
	const char *ending;
	int (*run)(struct packing *packing, struct err *err);
} kinds[] = {
	{ ".gz", run_gzip },
	{ ".tgz", run_gzip },
	{ ".zst", run_zstd },
};
/* clang-format on */

static const struct kind *kind_of(const char *path)
{
	for (size_t i = 0; path && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (text_ends(path, kinds[i].ending))
			return &kinds[i];
	return NULL;
}

bool packing_is_asked(const char *path)
{
	return kind_of(path) != NULL;
}

struct packing *packing_write(int out_fd, const char *path, struct err *err)
{
	return begin(out_fd, false, kind_of(path)->run, err);
}

struct packing *packing_read(int in_fd, struct err *err)
{
	return begin(in_fd, true, run_unpack, err);
}

int packing_fd(const struct packing *packing)
{
	return packing->plain_fd;
}

int packing_end(struct packing *packing, bool failed, struct err *err)
{
	int status;

	close(packing->plain_fd);
	pthread_join(packing->thread, NULL);
	status = packing->status;
	if (status < 0 && !failed)
		*err = packing->err;
	free(packing);
	return failed ? -1 : status;
}
