/* images/dockerfile/context_fetch - contexts that come as a stream: an archive, a Dockerfile, a
 * URL.
 *
 * Owns: telling them apart. An archive becomes a layer of the store, by the rules of images/apply:
 * what it names cannot lead out of it, and what was looked at once is known by its digest.
 * May not touch: what is copied from them.
 */
#include "images/dockerfile/context_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "images/dockerfile/codec.h"
#include "images/dockerfile/context_inner.h"
#include "images/dockerfile/copy_inner.h"
#include "images/dockerfile/download.h"
#include "images/dockerfile/fetched.h"
#include "images/layer.h"
#include "images/store_internal.h"

#define READ_BYTES (256u << 10)
#define SPOOL      "spool"
#define EMPTY      "empty"

struct df_fetched *df_fetched_new(struct store *store, struct err *err)
{
	struct df_fetched *fetched = xcalloc(1, sizeof(*fetched));

	fetched->store = store;
	fetched->lock_fd = store_tmp_dir(store, fetched->name, err);
	if (fetched->lock_fd >= 0)
		return fetched;
	free(fetched);
	return NULL;
}

void df_fetched_free(struct df_fetched *fetched)
{
	struct err ignored = ERR_NONE;

	if (!fetched)
		return;
	df_context_free(fetched->context);
	lease_end(fetched->lease, 0);
	store_trash(fetched->store, fetched->store->tmp_fd, fetched->name, &ignored);
	close(fetched->lock_fd);
	free(fetched->dockerfile);
	free(fetched);
}

/* ---- what a text means ---- */

static bool is_git(const char *text)
{
	static const char *const prefixes[] = { "git@",        "git://",     "ssh://",
						"github.com/", "git+ssh://", "file://" };
	size_t len = strcspn(text, "#");

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (text_starts(text, prefixes[i]))
			return true;
	return (text_starts(text, "https://") || text_starts(text, "http://")) && len > 4 &&
	       strncmp(text + len - 4, ".git", 4) == 0;
}

enum df_context_kind df_context_kind(const char *text)
{
	if (strcmp(text, "-") == 0)
		return DF_CONTEXT_STDIN;
	if (is_git(text))
		return DF_CONTEXT_GIT;
	if (text_starts(text, "http://") || text_starts(text, "https://"))
		return DF_CONTEXT_URL;
	return DF_CONTEXT_FOLDER;
}

/* ---- a stream ---- */

static int spool(int from, int to, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, READ_BYTES);

	for (;;) {
		ssize_t n = read(from, buffer, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read");
		if (n == 0)
			return 0;
		if (file_write_all(to, buffer, (size_t)n) < 0)
			return err_sys(err, errno, "write temporary file");
	}
}

static int to_layer(void *ctx, const void *data, size_t len, struct err *err)
{
	return layer_write(ctx, data, len, err);
}

/* xz and bzip2 are unpacked here, the rest is the layer writer's to tell. */
static int feed(struct layer *layer, int fd, struct err *err)
{
	AUTO(free) char *buffer = xcalloc(1, READ_BYTES);
	AUTO(df_codec) struct df_codec *codec = NULL;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, READ_BYTES, at)) > 0) {
		if (at == 0 && df_codec_is(buffer, (size_t)n)) {
			codec = df_codec_new(buffer, (size_t)n, to_layer, layer, err);
			if (!codec)
				return -1;
		}
		if ((codec ? df_codec_write(codec, buffer, (size_t)n, err)
			   : layer_write(layer, buffer, (size_t)n, err)) < 0)
			return -1;
		at += n;
	}
	if (n < 0)
		return err_sys(err, errno, "read temporary file");
	return codec ? df_codec_end(codec, err) : 0;
}

static int make_layer(struct df_fetched *fetched, int fd, const char *name, struct err *err)
{
	struct layer_spec spec = { .size_bytes = -1, .media_type = "" };
	struct layer_result result;
	struct layer *layer;
	const char *diff_id = result.diff_id;

	fetched->lease = lease_begin(fetched->store, err);
	if (!fetched->lease || layer_open(fetched->lease, &spec, &layer, err) < 0)
		return -1;
	if (feed(layer, fd, err) < 0) {
		layer_abort(layer);
		return -1;
	}
	if (layer_finish(layer, &result, err) < 0)
		return -1;
	fetched->context = df_context_open_layers(fetched->lease, &diff_id, 1, name);
	fetched->context->drops_owners = true;
	return df_context_root(fetched->context, err) < 0 ? -1 : 0;
}

/* A plain Dockerfile: its context is empty. */
static int make_text(struct df_fetched *fetched, int fd, struct err *err)
{
	int empty;

	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    file_read_fd(fd, "Dockerfile", DF_DOCKERFILE_MAX, &fetched->dockerfile, NULL, err) < 0)
		return err->code ? -1 : err_sys(err, errno, "read temporary file");
	if (mkdirat(fetched->lock_fd, EMPTY, 0700) < 0)
		return err_sys(err, errno, "make an empty context");
	empty = openat(fetched->lock_fd, EMPTY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (empty < 0)
		return err_sys(err, errno, "open an empty context");
	fetched->context = df_context_open_tree(empty, "the (empty) context");
	return 0;
}

static int open_spool(struct df_fetched *fetched, struct err *err)
{
	int fd = openat(fetched->lock_fd, SPOOL, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	unlinkat(fetched->lock_fd, SPOOL, 0);
	return fd < 0 ? err_sys(err, errno, "make a temporary file") : fd;
}

static int tell_apart(struct df_fetched *fetched, int fd, const char *name, struct err *err)
{
	int rc = df_copy_is_archive(fd, err);

	if (rc < 0)
		return -1;
	return rc ? make_layer(fetched, fd, name, err) : make_text(fetched, fd, err);
}

struct df_fetched *df_context_from_stream(struct store *store, int fd, const char *name,
					  struct err *err)
{
	AUTO(df_fetched) struct df_fetched *fetched = df_fetched_new(store, err);
	AUTO(fd) int file = fetched ? open_spool(fetched, err) : -1;

	if (file < 0)
		return NULL;
	if (spool(fd, file, err) < 0 || tell_apart(fetched, file, name, err) < 0) {
		err_wrap(err, "%s", name);
		return NULL;
	}
	return TAKE(fetched);
}

struct df_fetched *df_context_from_url(struct store *store, const char *url, struct err *err)
{
	AUTO(df_fetched) struct df_fetched *fetched = df_fetched_new(store, err);
	AUTO(fd) int file = fetched ? open_spool(fetched, err) : -1;
	struct df_download got;

	if (file < 0 || df_download(url, file, NULL, NULL, &got, err) < 0)
		return NULL;
	if (tell_apart(fetched, file, "the context", err) < 0) {
		err_wrap(err, "%.120s", url);
		return NULL;
	}
	return TAKE(fetched);
}
