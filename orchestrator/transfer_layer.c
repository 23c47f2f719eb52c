/* orchestrator/transfer_layer - one layer from the registry into the store.
 *
 * Owns: the queue of layers, who waits for which, the way QUEUED → OPENING → FETCHING → FINISHING →
 * OVER. May not touch: manifests, the rest of an image. images/layer unpacks in threads of its own;
 * opening and finishing go through the pool.
 */
#include <string.h>

#include "base/alloc.h"
#include "orchestrator/transfer_state.h"

static void begin_open(struct layer_pull *layer, unsigned flags);

static void leave_queue(struct layer_pull *layer)
{
	layer->state = LAYER_OVER;
}

void layer_pull_free(struct layer_pull *layer)
{
	free(layer->waiters);
	free(layer->domain);
	free(layer->path);
	free(layer->diff_id);
	free(layer);
}

static void succeed(struct layer_pull *layer)
{
	leave_queue(layer);
	transfer_report_layer(layer, layer->exists ? TRANSFER_EXISTS : TRANSFER_DONE,
			      layer->descriptor->size_bytes);
	for (size_t i = 0; i < layer->waiter_count; i++)
		image_pull_layer_done(layer->waiters[i]);
	layer_pull_schedule(layer->pull);
}

static bool has_same_source(const struct layer_pull *layer, const struct image_pull *image)
{
	return strcmp(layer->domain, image->ref.domain) == 0 &&
	       strcmp(layer->path, image->ref.path) == 0;
}

/* Images of the repository that failed us fail; others get the layer from theirs. image_pull_fail
 * takes an image out of the list of waiters. */
static void fail(struct layer_pull *layer, const struct err *err)
{
	size_t i = 0;

	leave_queue(layer);
	while (i < layer->waiter_count)
		if (has_same_source(layer, layer->waiters[i]))
			image_pull_fail(layer->waiters[i], err);
		else
			i++;
	if (layer->waiter_count) {
		free(layer->domain);
		free(layer->path);
		layer->domain = xstrdup(layer->waiters[0]->ref.domain);
		layer->path = xstrdup(layer->waiters[0]->ref.path);
		layer->is_fresh = layer->origin_only = false;
		layer->state = LAYER_QUEUED;
	}
	layer_pull_schedule(layer->pull);
}

/* ---- FINISHING ---- */

static void finish_work(uv_work_t *work)
{
	struct layer_pull *layer = work->data;

	layer_finish(layer->layer, &layer->result, &layer->work_err);
}

static void finish_done(uv_work_t *work, int status)
{
	struct layer_pull *layer = work->data;

	(void)status;
	layer->pull->pool_jobs--;
	layer->layer = NULL;
	if (layer->work_err.code == ERR_OK) {
		succeed(layer);
	} else if (layer->work_err.code == ERR_INVALID && layer->from_mirror &&
		   layer->waiter_count) {
		layer->origin_only =
			true; /* a mirror's bytes were bad: once more from the source */
		begin_open(layer, LAYER_FRESH);
	} else {
		layer->pull->was_refused |= layer->work_err.code == ERR_INVALID;
		fail(layer, &layer->work_err);
	}
}

static void begin_finish(struct layer_pull *layer)
{
	layer->state = LAYER_FINISHING;
	layer->work_err = ERR_NONE;
	layer->pull->pool_jobs++;
	uv_queue_work(transfer_loop_uv(layer->pull->loop), &layer->work, finish_work, finish_done);
}

/* ---- FETCHING ---- */

static int take_bytes(void *ctx, const char *bytes, size_t len)
{
	struct layer_pull *layer = ctx;
	ssize_t taken;

	taken = layer_try_write(layer->layer, bytes, len, &layer->write_err);
	layer->is_paused = taken == 0;
	if (taken == 0)
		return FETCH_PAUSE;
	if (taken < 0)
		return FETCH_STOP;
	layer->received += len;
	transfer_report_layer(layer, TRANSFER_DOWNLOADING, layer->received);
	return 0;
}

static int ask_restart(void *ctx)
{
	struct layer_pull *layer = ctx;

	layer->wants_restart = !layer->is_fresh;
	return -1;
}

static void drop_writer(struct layer_pull *layer)
{
	layer_abort(layer->layer);
	layer->layer = NULL;
}

static void fetched(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct layer_pull *layer = ctx;
	struct err told = *err;

	layer->exchange = NULL;
	layer->is_paused = false;
	layer->from_mirror = answer->is_from_mirror;
	if (err->code == ERR_OK) {
		layer->has_ended = true;
		transfer_report_layer(layer, TRANSFER_EXTRACTING, layer->received);
		layer_end(layer->layer);
		if (layer_is_done(layer->layer))
			begin_finish(layer);
		return;
	}
	if (layer->write_err.code) { /* the writer knows best what is wrong with the bytes */
		begin_finish(layer);
		return;
	}
	drop_writer(layer);
	err_wrap(&told, "layer %u of %u", layer->number, layer->total);
	layer->pull->was_refused |= err->code == ERR_INVALID;
	if (layer->wants_restart && layer->waiter_count)
		begin_open(layer, LAYER_FRESH);
	else
		fail(layer, &told);
}

static void waits(void *ctx, const struct err *why, uint64_t ms)
{
	struct layer_pull *layer = ctx;

	for (size_t i = 0; i < layer->waiter_count; i++)
		transfer_report_wait(layer->waiters[i], layer->descriptor->digest, why, ms);
}

static void begin_fetch(struct layer_pull *layer)
{
	const struct descriptor *descriptor = layer->descriptor;
	AUTO(free) char *what = xformat("blobs/%s", descriptor->digest);
	struct err err = ERR_NONE;
	const struct exchange_spec spec = {
		.domain = layer->domain,
		.path = layer->path,
		.method = "GET",
		.what = what,
		.flags = layer->origin_only ? EXCHANGE_ORIGIN_ONLY : 0,
		.body_fd = -1,
		.offset_bytes = layer_offset(layer->layer),
		.size_bytes = descriptor->size_bytes,
		.ctx = layer,
		.on_data = take_bytes,
		.on_restart = ask_restart,
		.on_wait = waits,
		.done = fetched,
	};

	layer->state = LAYER_FETCHING;
	layer->has_ended = layer->wants_restart = false;
	layer->write_err = ERR_NONE;
	layer->received = spec.offset_bytes;
	if (spec.offset_bytes >= descriptor->size_bytes) { /* an earlier try had all of it */
		const struct exchange_answer none = { .status = 0 };

		fetched(layer, &none, &ERR_NONE);
		return;
	}
	layer->exchange = exchange_start(layer->pull->session, &spec, &err);
	if (!layer->exchange) {
		drop_writer(layer);
		fail(layer, &err);
		return;
	}
	transfer_report_layer(layer, TRANSFER_DOWNLOADING, 0);
}

/* Called by any worker thread. */
static void wake_loop(void *ctx)
{
	struct pull *pull = ctx;

	uv_async_send(&pull->wake);
}

void layer_pull_wake(struct pull *pull)
{
	struct layer_pull *layer, *next;

	for (layer = TAILQ_FIRST(&pull->layers); layer; layer = next) {
		next = TAILQ_NEXT(layer, link);
		if (layer->state != LAYER_FETCHING)
			continue;
		if (layer->has_ended && layer_is_done(layer->layer)) {
			begin_finish(layer);
		} else if (layer->is_paused && layer->exchange) {
			layer->is_paused = false;
			exchange_resume(layer->exchange);
		}
	}
}

/* ---- OPENING ---- */

static void open_work(uv_work_t *work)
{
	struct layer_pull *layer = work->data;
	const struct layer_spec spec = {
		.digest = layer->descriptor->digest,
		.size_bytes = (int64_t)layer->descriptor->size_bytes,
		.diff_id = layer->diff_id,
		.media_type = layer->descriptor->media_type,
		.number = layer->number,
		.total = layer->total,
		.wake = wake_loop,
		.wake_ctx = layer->pull,
		.flags = layer->open_flags,
	};

	layer_open(layer->pull->lease, &spec, &layer->layer, &layer->work_err);
}

static void open_done(uv_work_t *work, int status)
{
	struct layer_pull *layer = work->data;

	(void)status;
	layer->pull->pool_jobs--;
	if (layer->work_err.code == ERR_BUSY && layer->open_flags & LAYER_NO_WAIT) {
		transfer_report_layer(layer, TRANSFER_LOCKED, 0);
		begin_open(layer, layer->open_flags & ~LAYER_NO_WAIT);
	} else if (layer->work_err.code) {
		fail(layer, &layer->work_err);
	} else if (!layer->layer) {
		layer->exists = true;
		succeed(layer);
	} else if (!layer->waiter_count) {
		drop_writer(layer);
		fail(layer, &ERR_NONE);
	} else {
		begin_fetch(layer);
	}
}

static void begin_open(struct layer_pull *layer, unsigned flags)
{
	layer->state = LAYER_OPENING;
	layer->open_flags = flags;
	layer->is_fresh |= (flags & LAYER_FRESH) != 0;
	layer->layer = NULL;
	layer->work_err = ERR_NONE;
	layer->pull->pool_jobs++;
	uv_queue_work(transfer_loop_uv(layer->pull->loop), &layer->work, open_work, open_done);
}

/* ---- QUEUED ---- */

static struct layer_pull *find_layer(struct pull *pull, const struct descriptor *wanted,
				     const char *diff_id)
{
	struct layer_pull *layer;

	TAILQ_FOREACH(layer, &pull->layers, link)
	{
		if (layer->state != LAYER_OVER &&
		    strcmp(layer->descriptor->digest, wanted->digest) == 0 &&
		    layer->descriptor->size_bytes == wanted->size_bytes &&
		    strcmp(layer->diff_id, diff_id) == 0)
			return layer;
	}
	return NULL;
}

void layer_pull_want(struct image_pull *image, size_t number)
{
	struct pull *pull = image->pull;
	const struct descriptor *descriptor = &image->manifest->layers[number];
	struct layer_pull *layer = find_layer(pull, descriptor, image->config->diff_ids[number]);

	if (!layer) {
		layer = xcalloc(1, sizeof(*layer));
		layer->pull = pull;
		layer->work.data = layer;
		layer->descriptor = descriptor;
		layer->domain = xstrdup(image->ref.domain);
		layer->path = xstrdup(image->ref.path);
		layer->diff_id = xstrdup(image->config->diff_ids[number]);
		layer->number = (unsigned)number + 1;
		layer->total = (unsigned)image->manifest->layer_count;
		TAILQ_INSERT_TAIL(&pull->layers, layer, link);
	}
	*(struct image_pull **)xgrow(&layer->waiters, &layer->waiter_count,
				     sizeof(*layer->waiters)) = image;
	if (layer->state == LAYER_QUEUED)
		transfer_report_layer(layer, TRANSFER_WAITING, 0);
}

static void drop_waiter(struct layer_pull *layer, const struct image_pull *image)
{
	size_t kept = 0;

	for (size_t i = 0; i < layer->waiter_count; i++)
		if (layer->waiters[i] != image)
			layer->waiters[kept++] = layer->waiters[i];
	layer->waiter_count = kept;
	if (kept)
		return;
	if (layer->state == LAYER_QUEUED) {
		leave_queue(layer);
	} else if (layer->state == LAYER_FETCHING) {
		if (layer->exchange)
			exchange_cancel(layer->exchange);
		layer->exchange = NULL;
		drop_writer(layer);
		leave_queue(layer);
	}
}

void layer_pull_forget(struct image_pull *image)
{
	struct layer_pull *layer;

	TAILQ_FOREACH(layer, &image->pull->layers, link)
	{
		drop_waiter(layer, image);
	}
}

static bool is_running(const struct layer_pull *layer)
{
	return layer->state != LAYER_QUEUED && layer->state != LAYER_OVER;
}

/* The biggest queued layer whose host has a place left. */
static struct layer_pull *next_layer(struct pull *pull)
{
	struct layer_pull *best = NULL, *layer, *other;
	unsigned host_max = registry_max_downloads(pull->settings);

	TAILQ_FOREACH(layer, &pull->layers, link)
	{
		unsigned running = 0;

		if (layer->state != LAYER_QUEUED ||
		    (best && layer->descriptor->size_bytes <= best->descriptor->size_bytes))
			continue;
		TAILQ_FOREACH(other, &pull->layers, link)
		{
			running += is_running(other) && strcmp(other->domain, layer->domain) == 0;
		}
		if (running < host_max)
			best = layer;
	}
	return best;
}

/* An image is there when its largest layer is: that one does not share with much smaller ones. */
static unsigned rank(const struct layer_pull *layer)
{
	struct layer_pull *other;

	TAILQ_FOREACH(other, &layer->pull->layers, link)
	{
		if (is_running(other) &&
		    other->descriptor->size_bytes / 2 > layer->descriptor->size_bytes)
			return LAYER_AFTER_OTHERS;
	}
	return 0;
}

void layer_pull_schedule(struct pull *pull)
{
	struct layer_pull *layer;
	unsigned running = 0;

	TAILQ_FOREACH(layer, &pull->layers, link)
	{
		running += is_running(layer);
	}
	while (running < TRANSFER_LAYERS_MAX && (layer = next_layer(pull))) {
		begin_open(layer, LAYER_NO_WAIT | rank(layer));
		running++;
	}
}
