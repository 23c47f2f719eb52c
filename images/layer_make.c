/* images/layer_make - second worker of a layer writer: plain bytes in, a layer's folder out.
 *
 * Owns: the hash of the tar, the tree, its index or the extracted folder, the moment of becoming
 * visible, the helper that writes data.tar (images/layer_write). May not touch: the compressed
 * bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "images/erofs.h"
#include "images/layer_writer.h"

#define PIECE_BYTES (256u << 10) /* room is given back that often */
#define SPACE_STEP  (16u << 20)  /* look at the free space that often */

static int take_bytes(struct layer *layer, const uint8_t *data, size_t len, struct err *err)
{
	if (layer->tar_bytes - layer->checked_at >= SPACE_STEP || layer->tar_bytes == 0) {
		layer->checked_at = layer->tar_bytes;
		if (store_check_space(layer->store, err) < 0)
			return -1;
	}
	digest_update(layer->tar_hash, data, len);
	layer->tar_bytes += len;
	return tar_write(layer->tar, data, len, err);
}

static int finish_erofs(struct layer *layer, struct layer_meta *meta, struct err *err)
{
	AUTO(fd)
	int index =
		openat(layer->tmp_fd, "index.erofs", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	AUTO(fd)
	int extra =
		openat(layer->tmp_fd, "extra.data", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct erofs_devices devices = { .tar_fd = layer->tar_fd,
					 .tar_bytes = layer->tar_bytes,
					 .extra_fd = extra };

	if (index < 0 || extra < 0)
		return err_sys(err, errno, "make index");
	if (erofs_write(apply_tree(layer->apply), index, &devices, err) < 0)
		return -1;
	meta->has_extra = devices.extra_bytes > 0;
	if (!meta->has_extra)
		unlinkat(layer->tmp_fd, "extra.data", 0);
	return 0;
}

static int note_digest(struct layer *layer, struct err *err)
{
	char key[STORE_KEY_MAX];
	const char *text = layer->result.diff_id;

	return file_replace(layer->store->digests_fd, store_key(layer->result.digest, key), text,
			    strlen(text), err);
}

static int publish(struct layer *layer, struct layer_meta *meta, struct err *err)
{
	char key[STORE_KEY_MAX];
	const char *missing = apply_missing_link(layer->apply);

	meta->backend = layer->unpack ? STORE_DIR : STORE_EROFS;
	memcpy(meta->diff_id, layer->result.diff_id, sizeof(meta->diff_id));
	memcpy(meta->digest, layer->result.digest, sizeof(meta->digest));
	memcpy(meta->media_type, layer->media_type, sizeof(meta->media_type));
	meta->blob_bytes = layer->result.size_bytes;
	meta->tar_bytes = layer->result.tar_bytes;
	meta->entry_count = layer->result.entry_count;
	meta->needs_lower = apply_needs_lower(layer->apply);
	snprintf(meta->missing_link, sizeof(meta->missing_link), "%s", missing ? missing : "");
	/* Noted first: a note without its layer means nothing, a layer that nobody noted would stay
	 * so.
	 */
	if (lease_add(layer->lease, meta->diff_id, err) < 0 ||
	    layer_meta_write(layer->tmp_fd, meta, layer->store, err) < 0 ||
	    layer_keep_blob(layer, err) < 0 || note_digest(layer, err) < 0)
		return -1;
	crash_point("layer", "noted");
	return layer_publish(layer->store, layer->tmp_name, layer->store->layers_fd,
			     store_key(meta->diff_id, key), err);
}

static int take_all(struct layer *layer, struct err *err)
{
	const uint8_t *piece;
	size_t len;

	while ((len = ring_peek(layer->out, LAYER_MAKER, PIECE_BYTES, &piece)) > 0) {
		len = len < PIECE_BYTES ? len : PIECE_BYTES;
		if (take_bytes(layer, piece, len, err) < 0)
			return -1;
		ring_take(layer->out, LAYER_MAKER, len);
	}
	return ring_is_whole(layer->out) ? 0 : err_set(err, ERR_CANCELLED, "given up");
}

/* A tar that is kept is written by a helper. It ends in every case: at the end of the bytes, or as
 * somebody has given up. */
static int take_and_write(struct layer *layer, struct err *err)
{
	pthread_t writer;
	int rc;

	if (layer->tar_fd < 0)
		return take_all(layer, err);
	rc = pthread_create(&writer, NULL, layer_write_tar, layer);
	if (rc != 0)
		return err_sys(err, rc, "start a thread");
	rc = take_all(layer, err);
	if (rc < 0) {
		layer_fail(layer, err); /* before anybody can see that it is over */
		ring_give_up(layer->out);
	}
	pthread_join(writer, NULL);
	if (rc == 0 && !layer->is_written)
		rc = err_set(err, ERR_CANCELLED, "given up");
	return rc;
}

static int make(struct layer *layer, struct err *err)
{
	struct layer_meta meta = { 0 };

	if (take_and_write(layer, err) < 0)
		return -1;
	if (tar_end(layer->tar, err) < 0)
		return -1;
	digest_text(layer->tar_hash, layer->result.diff_id);
	layer->result.tar_bytes = layer->tar_bytes;
	layer->result.entry_count = tar_entry_count(layer->tar);
	if (layer->is_plain) {
		memcpy(layer->result.digest, layer->result.diff_id, sizeof(layer->result.digest));
		layer->result.size_bytes = layer->tar_bytes;
	}
	if (*layer->diff_id && strcmp(layer->result.diff_id, layer->diff_id) != 0)
		return err_set(err, ERR_INVALID, "diff-id is %.71s, wanted %.71s",
			       layer->result.diff_id, layer->diff_id);
	crash_point("layer", "verified");
	layer_meta_of_tree(&meta, apply_tree(layer->apply));
	if ((layer->unpack ? unpack_finish(layer->unpack, apply_tree(layer->apply), err)
			   : finish_erofs(layer, &meta, err)) < 0)
		return -1;
	return publish(layer, &meta, err);
}

void *layer_make(void *ctx)
{
	struct layer *layer = ctx;
	struct err err = ERR_NONE;

	layer_set_priority(layer);
	if (make(layer, &err) < 0) {
		layer_fail(layer, &err);
		ring_give_up(layer->out);
		ring_give_up(layer->in);
	}
	layer->done = true;
	if (layer->wake)
		layer->wake(layer->wake_ctx);
	return NULL;
}
