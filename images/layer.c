/* images/layer - bytes to a checked layer: the writer's life.
 *
 * Owns: part files and their locks, the workers' start and end. May not touch: what the bytes mean
 * (images/layer_feed, images/layer_make).
 */
#include "images/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "images/layer_writer.h"

#define RING_BYTES        (1u << 20)
#define OUT_RING_BYTES    (2u << 20)
#define NICE_AFTER_OTHERS 5 /* a third of the time, where there is not enough for all */

/* A failure to be nice hurts nobody. */
void layer_set_priority(const struct layer *layer)
{
	if (layer->is_after_others)
		setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_AFTER_OTHERS);
}

void layer_fail(struct layer *layer, const struct err *err)
{
	pthread_mutex_lock(&layer->mutex);
	/* "given up" is only what the other worker's failure looks like from here. */
	if (layer->err.code == ERR_OK || layer->err.code == ERR_CANCELLED)
		layer->err = *err;
	pthread_mutex_unlock(&layer->mutex);
}

static int failed(struct layer *layer, struct err *err)
{
	pthread_mutex_lock(&layer->mutex);
	*err = layer->err;
	pthread_mutex_unlock(&layer->mutex);
	if (err->code == ERR_OK)
		return err_set(err, ERR_INTERNAL, "%s: the writer has ended", layer->label);
	if (err->code == ERR_NO_SPACE && !strstr(err->msg, layer->store->path))
		store_no_space(layer->store, err);
	return err_wrap(err, "%s", layer->label);
}

static void free_layer(struct layer *layer)
{
	if (!layer->is_plain)
		ring_free(layer->in);
	ring_free(layer->out);
	digest_free(layer->blob_hash);
	digest_free(layer->tar_hash);
	tar_free(layer->tar);
	apply_free(layer->apply);
	unpack_free(layer->unpack);
	if (layer->blob_fd >= 0)
		close(layer->blob_fd);
	if (layer->tar_fd >= 0)
		close(layer->tar_fd);
	if (layer->fs_fd >= 0)
		close(layer->fs_fd);
	if (layer->tmp_fd >= 0)
		close(layer->tmp_fd);
	pthread_mutex_destroy(&layer->mutex);
	free(layer);
}

/* ---- opening ---- */

static bool is_there(struct layer *layer)
{
	char diff_id[DIGEST_TEXT_MAX];

	if (*layer->diff_id)
		return store_has_layer(layer->store, layer->diff_id);
	return *layer->digest && store_diff_id_of(layer->store, layer->digest, diff_id) &&
	       store_has_layer(layer->store, diff_id);
}

/* True when the name still leads to what fd holds. */
static bool is_named(struct layer *layer, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(layer->store->partial_fd, layer->part_name, &named, AT_SYMLINK_NOFOLLOW) ==
		       0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

/* Locks the part file. One that its last holder has taken away is not it, one that does not fit is
 * made anew. */
static int lock_part(struct layer *layer, unsigned flags, struct err *err)
{
	bool fresh = flags & LAYER_FRESH;

	for (;;) {
		AUTO(fd)
		int fd = openat(layer->store->partial_fd, layer->part_name,
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat st;

		if (fd < 0)
			return err_sys(err, errno, "open part file");
		while (flock(fd, LOCK_EX | (flags & LAYER_NO_WAIT ? LOCK_NB : 0)) < 0) {
			if (errno == EWOULDBLOCK)
				return err_set(err, ERR_BUSY, "another process loads it");
			if (errno != EINTR)
				return err_sys(err, errno, "lock part file");
		}
		if (!is_named(layer, fd))
			continue;
		if (fstat(fd, &st) < 0)
			return err_sys(err, errno, "part file");
		if (fresh || (layer->size_bytes >= 0 &&
			      (uint64_t)st.st_size > (uint64_t)layer->size_bytes)) {
			unlinkat(layer->store->partial_fd, layer->part_name, 0);
			fresh = false;
			continue;
		}
		layer->offset = (uint64_t)st.st_size;
		layer->blob_fd = TAKE_FD(fd);
		return 0;
	}
}

static void name_part(struct layer *layer)
{
	char key[STORE_KEY_MAX];

	snprintf(layer->part_name, sizeof(layer->part_name), "%s.part",
		 store_key(layer->digest, key));
}

static int open_part(struct layer *layer, unsigned flags, struct err *err)
{
	if (!*layer->digest)
		return 0;
	name_part(layer);
	return lock_part(layer, flags, err);
}

/* Of a process that died between the layer's appearance and the end of its part file. */
static void drop_old_part(struct layer *layer)
{
	AUTO(fd) int fd = -1;

	if (!*layer->digest)
		return;
	name_part(layer);
	fd = openat(layer->store->partial_fd, layer->part_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(layer->store->partial_fd, layer->part_name, 0);
}

static int open_target(struct layer *layer, struct err *err)
{
	struct apply_sink sink;

	layer->tmp_fd = store_tmp_dir(layer->store, layer->tmp_name, err);
	if (layer->tmp_fd < 0)
		return -1;
	if (!*layer->part_name &&
	    (layer->store->backend == STORE_DIR || layer->store->flags & STORE_KEEP_BLOBS)) {
		layer->blob_fd =
			openat(layer->tmp_fd, "blob", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (layer->blob_fd < 0)
			return err_sys(err, errno, "make blob");
	}
	if (layer->store->backend == STORE_EROFS) {
		layer->tar_fd = openat(layer->tmp_fd, "data.tar",
				       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		layer->apply = apply_new(NULL, NULL, layer->store->max_layer_bytes);
		return layer->tar_fd < 0 ? err_sys(err, errno, "make data.tar") : 0;
	}
	if (mkdirat(layer->tmp_fd, "fs", 0755) < 0)
		return err_sys(err, errno, "make folder");
	layer->fs_fd = openat(layer->tmp_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layer->fs_fd < 0)
		return err_sys(err, errno, "open folder");
	layer->unpack = unpack_new(layer->fs_fd);
	sink = unpack_sink(layer->unpack);
	layer->apply = apply_new(&sink, NULL, layer->store->max_layer_bytes);
	return 0;
}

static int start_threads(struct layer *layer, unsigned flags, struct err *err)
{
	sigset_t all, old;
	int rc;

	layer->is_after_others = flags & LAYER_AFTER_OTHERS;
	layer->is_plain = flags & LAYER_PLAIN && layer->blob_fd < 0 && !*layer->digest;
	layer->out = ring_new(OUT_RING_BYTES, layer->tar_fd < 0 ? 1 : LAYER_OUT_READERS);
	layer->in = layer->is_plain ? layer->out : ring_new(RING_BYTES, LAYER_IN_READERS);
	layer->blob_hash = digest_new(*layer->digest ? layer->digest : NULL);
	layer->tar_hash = digest_new(*layer->diff_id ? layer->diff_id : NULL);
	layer->tar = tar_new(&apply_events, layer->apply);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&layer->maker, NULL, layer_make, layer);
	if (rc == 0 && !layer->is_plain) {
		rc = pthread_create(&layer->feeder, NULL, layer_feed, layer);
		if (rc != 0) {
			ring_close(layer->out, false);
			pthread_join(layer->maker, NULL);
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	layer->threads = rc == 0;
	return rc ? err_sys(err, rc, "start a thread") : 0;
}

static void set_label(struct layer *layer, const struct layer_spec *spec)
{
	const char *digest = *layer->digest ? layer->digest : layer->diff_id;
	char number[40] = "";

	if (spec->number)
		snprintf(number, sizeof(number), " %u of %u", spec->number, spec->total);
	snprintf(layer->label, sizeof(layer->label), *digest ? "layer%s (%.19s)" : "layer%s",
		 number, digest);
}

static struct layer *new_layer(struct lease *lease, const struct layer_spec *spec)
{
	struct layer *layer = xcalloc(1, sizeof(*layer));

	layer->store = lease_store(lease);
	layer->lease = lease;
	layer->size_bytes = spec->size_bytes;
	layer->wake = spec->wake;
	layer->wake_ctx = spec->wake_ctx;
	layer->blob_fd = layer->tar_fd = layer->fs_fd = layer->tmp_fd = -1;
	pthread_mutex_init(&layer->mutex, NULL);
	snprintf(layer->digest, sizeof(layer->digest), "%s", spec->digest ? spec->digest : "");
	snprintf(layer->diff_id, sizeof(layer->diff_id), "%s", spec->diff_id ? spec->diff_id : "");
	snprintf(layer->media_type, sizeof(layer->media_type), "%s",
		 spec->media_type ? spec->media_type : "");
	set_label(layer, spec);
	return layer;
}

static int check_spec(const struct layer_spec *spec, struct err *err)
{
	if (spec->digest && *spec->digest && !digest_is_valid(spec->digest))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no digest", spec->digest);
	if (spec->diff_id && *spec->diff_id && !digest_is_valid(spec->diff_id))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no diff-id", spec->diff_id);
	return 0;
}

int layer_open(struct lease *lease, const struct layer_spec *spec, struct layer **out,
	       struct err *err)
{
	struct layer *layer;
	int rc = 0;

	*out = NULL;
	if (check_spec(spec, err) < 0)
		return -1;
	layer = new_layer(lease, spec);
	if (*layer->diff_id)
		rc = lease_add(lease, layer->diff_id, err);
	if (rc == 0 && *layer->digest)
		rc = lease_add(lease, layer->digest, err);
	if (rc == 0 && is_there(layer)) {
		drop_old_part(layer);
		free_layer(layer);
		return 0;
	}
	if (rc == 0)
		rc = open_part(layer, spec->flags, err);
	if (rc == 0 && *layer->part_name && is_there(layer)) {
		unlinkat(layer->store->partial_fd, layer->part_name,
			 0); /* another process brought it */
		free_layer(layer);
		return 0;
	}
	if (rc == 0 && open_target(layer, err) == 0 &&
	    start_threads(layer, spec->flags, err) == 0) {
		crash_point("layer", "opened");
		*out = layer;
		return 0;
	}
	err_wrap(err, "%s", layer->label);
	layer_abort(layer);
	return -1;
}

/* ---- feeding ---- */

uint64_t layer_offset(const struct layer *layer)
{
	return layer->offset;
}

int layer_write(struct layer *layer, const void *data, size_t len, struct err *err)
{
	return ring_put(layer->in, data, len) ? 0 : failed(layer, err);
}

ssize_t layer_try_write(struct layer *layer, const void *data, size_t len, struct err *err)
{
	int rc = ring_try_put(layer->in, data, len);

	if (rc < 0)
		return failed(layer, err);
	return rc ? (ssize_t)len : 0;
}

void layer_end(struct layer *layer)
{
	ring_close(layer->in, true);
}

bool layer_is_done(struct layer *layer)
{
	return layer->done;
}

/* ---- the end ---- */

/* Called by the maker when all is verified: the bytes as they came get the place where they stay,
 * or go. */
int layer_keep_blob(struct layer *layer, struct err *err)
{
	struct store *store = layer->store;
	char key[STORE_KEY_MAX];
	bool stays = store->backend == STORE_DIR;

	if (layer->blob_fd < 0)
		return 0;
	store_key(layer->result.digest, key);
	if (store->flags & STORE_KEEP_BLOBS) {
		int rc = *layer->part_name ? linkat(store->partial_fd, layer->part_name,
						    store->blobs_fd, key, 0)
					   : linkat(layer->tmp_fd, "blob", store->blobs_fd, key, 0);

		if (rc < 0 && errno != EEXIST)
			return err_sys(err, errno, "keep blob");
	}
	if (stays && *layer->part_name &&
	    linkat(store->partial_fd, layer->part_name, layer->tmp_fd, "blob", 0) < 0)
		return err_sys(err, errno, "keep blob");
	if (!stays && !*layer->part_name)
		unlinkat(layer->tmp_fd, "blob", 0);
	return 0;
}

static void join(struct layer *layer)
{
	if (!layer->threads)
		return;
	if (!layer->is_plain)
		pthread_join(layer->feeder, NULL);
	pthread_join(layer->maker, NULL);
	layer->threads = false;
}

static bool keeps_part(struct layer *layer, enum err_code code)
{
	if (code == ERR_INVALID || code == ERR_UNSUPPORTED)
		return false;
	return code != ERR_NO_SPACE || store_may_keep_leftovers(layer->store);
}

/* Takes back what is not a layer. */
static void clean_up(struct layer *layer, enum err_code code)
{
	struct err ignored = ERR_NONE;
	struct stat st;

	if (layer->tmp_fd >= 0)
		store_trash(layer->store, layer->store->tmp_fd, layer->tmp_name, &ignored);
	if (!*layer->part_name || layer->blob_fd < 0)
		return;
	if (!keeps_part(layer, code) || (fstat(layer->blob_fd, &st) == 0 && st.st_size == 0))
		unlinkat(layer->store->partial_fd, layer->part_name, 0);
}

int layer_finish(struct layer *layer, struct layer_result *out, struct err *err)
{
	int rc = 0;

	layer_end(layer);
	join(layer);
	if (layer->err.code != ERR_OK) {
		rc = failed(layer, err);
		clean_up(layer, err->code);
	} else {
		crash_point("layer", "finished");
		if (*layer->part_name)
			unlinkat(layer->store->partial_fd, layer->part_name, 0);
		store_empty_trash(layer->store);
		if (out)
			*out = layer->result;
	}
	free_layer(layer);
	return rc;
}

void layer_abort(struct layer *layer)
{
	if (!layer)
		return;
	if (layer->threads) {
		ring_close(layer->in, false);
		join(layer);
	}
	clean_up(layer, layer->err.code == ERR_OK ? ERR_CANCELLED : layer->err.code);
	free_layer(layer);
}
