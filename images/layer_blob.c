/* images/layer_blob - a stored layer as bytes: its exact tar, its compressed form.
 *
 * Owns: which kept bytes serve, and how they are made anew. Declared in images/layer.h. May not
 * touch: the layer's folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "images/layer.h"
#include "images/layer_dir.h"

#define OUT_BYTES       (256u << 10)
#define GZIP_LEVEL      6
#define GZIP_WINDOW     (15 + 16) /* zlib: with a gzip header */
#define GZIP_OS_UNKNOWN 255
#define ZSTD_LEVEL      3

static const char *const media_types[] = {
	[LAYER_TAR] = "application/vnd.oci.image.layer.v1.tar",
	[LAYER_GZIP] = "application/vnd.oci.image.layer.v1.tar+gzip",
	[LAYER_ZSTD] = "application/vnd.oci.image.layer.v1.tar+zstd",
};

/* ---- the tar ---- */

struct copy {
	int fd;
	struct digest *digest;
};

static int copy_bytes(void *ctx, const void *data, size_t len, struct err *err)
{
	struct copy *copy = ctx;

	digest_update(copy->digest, data, len);
	if (copy->fd >= 0 && file_write_all(copy->fd, data, len) < 0)
		return err_sys(err, errno, "write layer");
	return 0;
}

int layer_copy_tar(struct store *store, const char *diff_id, int fd, struct err *err)
{
	AUTO(digest) struct digest *digest = digest_new(diff_id);
	struct copy copy = { fd, digest };
	char got[DIGEST_TEXT_MAX];

	if (layer_read_tar(store, diff_id, copy_bytes, &copy, err) < 0)
		return -1;
	digest_text(digest, got);
	if (strcmp(got, diff_id) != 0)
		return err_set(err, ERR_INVALID,
			       "stored layer %.19s is damaged: its tar hashes to %.19s", diff_id,
			       got);
	return 0;
}

/* ---- compressed forms ---- */

struct squeeze {
	int fd;
	struct digest *digest;
	uint64_t size;
	z_stream gzip;
	ZSTD_CStream *zstd;
	enum layer_compression compression;
	unsigned char *out;
};

static int put(struct squeeze *squeeze, size_t len, struct err *err)
{
	digest_update(squeeze->digest, squeeze->out, len);
	squeeze->size += len;
	if (file_write_all(squeeze->fd, squeeze->out, len) < 0)
		return err_sys(err, errno, "write compressed layer");
	return 0;
}

static int squeeze_gzip(struct squeeze *squeeze, const void *data, size_t len, int flush,
			struct err *err)
{
	z_stream *stream = &squeeze->gzip;
	int rc;

	stream->next_in = (unsigned char *)(uintptr_t)data;
	stream->avail_in = (unsigned)len;
	do {
		stream->next_out = squeeze->out;
		stream->avail_out = OUT_BYTES;
		rc = deflate(stream, flush);
		if (put(squeeze, OUT_BYTES - stream->avail_out, err) < 0)
			return -1;
	} while (flush == Z_FINISH ? rc == Z_OK : stream->avail_in > 0 || stream->avail_out == 0);
	return 0;
}

static int squeeze_zstd(struct squeeze *squeeze, const void *data, size_t len,
			ZSTD_EndDirective end, struct err *err)
{
	ZSTD_inBuffer in = { data, len, 0 };

	for (;;) {
		ZSTD_outBuffer out = { squeeze->out, OUT_BYTES, 0 };
		size_t rc = ZSTD_compressStream2(squeeze->zstd, &out, &in, end);

		if (ZSTD_isError(rc))
			return err_set(err, ERR_SYSTEM, "zstd: %s", ZSTD_getErrorName(rc));
		if (put(squeeze, out.pos, err) < 0)
			return -1;
		if (end == ZSTD_e_end ? rc == 0 : in.pos == in.size)
			return 0;
	}
}

static int squeeze_bytes(void *ctx, const void *data, size_t len, struct err *err)
{
	struct squeeze *squeeze = ctx;

	switch (squeeze->compression) {
	case LAYER_GZIP:
		return squeeze_gzip(squeeze, data, len, Z_NO_FLUSH, err);
	case LAYER_ZSTD:
		return squeeze_zstd(squeeze, data, len, ZSTD_e_continue, err);
	default:
		if (file_write_all(squeeze->fd, data, len) < 0)
			return err_sys(err, errno, "write layer");
		digest_update(squeeze->digest, data, len);
		squeeze->size += len;
		return 0;
	}
}

static int squeeze_end(struct squeeze *squeeze, struct err *err)
{
	if (squeeze->compression == LAYER_GZIP)
		return squeeze_gzip(squeeze, NULL, 0, Z_FINISH, err);
	if (squeeze->compression == LAYER_ZSTD)
		return squeeze_zstd(squeeze, NULL, 0, ZSTD_e_end, err);
	return 0;
}

static void squeeze_start(struct squeeze *squeeze)
{
	gz_header header = { .os = GZIP_OS_UNKNOWN };

	squeeze->out = xcalloc(1, OUT_BYTES);
	squeeze->digest = digest_new(NULL);
	if (squeeze->compression == LAYER_GZIP) {
		deflateInit2(&squeeze->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8,
			     Z_DEFAULT_STRATEGY);
		deflateSetHeader(&squeeze->gzip, &header);
		deflate(&squeeze->gzip, Z_NO_FLUSH);
	} else if (squeeze->compression == LAYER_ZSTD) {
		squeeze->zstd = ZSTD_createCStream();
		ZSTD_CCtx_setParameter(squeeze->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(squeeze->zstd, ZSTD_c_checksumFlag, 1);
	}
}

static void squeeze_free(struct squeeze *squeeze)
{
	if (squeeze->compression == LAYER_GZIP)
		deflateEnd(&squeeze->gzip);
	ZSTD_freeCStream(squeeze->zstd);
	digest_free(squeeze->digest);
	free(squeeze->out);
}

static int make_blob(struct store *store, const char *diff_id, struct squeeze *squeeze,
		     struct err *err)
{
	AUTO(fd) int fd = openat(store->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "make compressed layer");
	squeeze->fd = fd;
	squeeze_start(squeeze);
	if (layer_read_tar(store, diff_id, squeeze_bytes, squeeze, err) < 0 ||
	    squeeze_end(squeeze, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "compressed layer");
	return TAKE_FD(fd);
}

/* ---- kept ones ---- */

static enum layer_compression form_of(int fd)
{
	unsigned char magic[4] = { 0 };

	if (pread(fd, magic, sizeof(magic), 0) < (ssize_t)sizeof(magic))
		return LAYER_TAR;
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return LAYER_GZIP;
	if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0 ||
	    ((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, "\x2a\x4d\x18", 3) == 0))
		return LAYER_ZSTD;
	return LAYER_TAR;
}

/* The bytes as they came, when they are still there: in the layer's folder or among the blobs. */
static int open_kept(struct store *store, const char *diff_id, const struct layer_meta *meta)
{
	char key[STORE_KEY_MAX];
	AUTO(free) char *path = xformat("%s/blob", store_key(diff_id, key));
	int fd = openat(store->layers_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && digest_is_valid(meta->digest))
		fd = openat(store->blobs_fd, store_key(meta->digest, key),
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

static int open_data_tar(struct store *store, const char *diff_id)
{
	char key[STORE_KEY_MAX];
	AUTO(free) char *path = xformat("%s/data.tar", store_key(diff_id, key));

	return openat(store->layers_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

int layer_open_blob(struct store *store, const char *diff_id, enum layer_compression compression,
		    const char *wanted, char out_digest[DIGEST_TEXT_MAX], uint64_t *out_size,
		    const char **out_media_type, struct err *err)
{
	struct squeeze squeeze = { .compression = compression };
	struct layer_meta meta;
	char key[STORE_KEY_MAX];
	AUTO(fd) int fd = -1;
	int made;

	if (layer_meta_read(store, store->layers_fd, store_key(diff_id, key), &meta, err) < 0)
		return -1;
	fd = open_kept(store, diff_id, &meta);
	if (fd >= 0 && (wanted ? strcmp(wanted, meta.digest) == 0 : form_of(fd) == compression)) {
		snprintf(out_digest, DIGEST_TEXT_MAX, "%s", meta.digest);
		*out_size = meta.blob_bytes;
		*out_media_type = media_types[form_of(fd)];
		return TAKE_FD(fd);
	}
	*out_media_type = media_types[compression];
	if (compression == LAYER_TAR && meta.backend == STORE_EROFS) {
		snprintf(out_digest, DIGEST_TEXT_MAX, "%s", diff_id);
		*out_size = meta.tar_bytes;
		made = open_data_tar(store, diff_id);
		return made < 0 ? err_sys(err, errno, "layer %.19s", diff_id) : made;
	}
	made = make_blob(store, diff_id, &squeeze, err);
	if (made >= 0) {
		digest_text(squeeze.digest, out_digest);
		*out_size = squeeze.size;
	}
	squeeze_free(&squeeze);
	return made;
}
