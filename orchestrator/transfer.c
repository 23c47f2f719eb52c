/* orchestrator/transfer - the pull of several images at once.
 *
 * Owns: the loop of the worker, the list of images, the end.
 * May not touch: single images and layers (transfer_image, transfer_layer).
 */
#include "orchestrator/transfer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "images/credentials.h"
#include "orchestrator/transfer_state.h"

/* Waiting for another process's layer holds a thread, so there are more than layers. */
#define POOL_THREADS "16"

static void woken(uv_async_t *wake)
{
	layer_pull_wake(wake->data);
}

void pull_image_over(struct pull *pull)
{
	pull->images_left--;
}

/* A reference that cannot be read fails alone; one that is there twice is pulled once. */
static void add_image(struct pull *pull, const char *text, const struct platform *wanted,
		      bool is_explicit)
{
	struct image_pull *image = xcalloc(1, sizeof(*image));
	struct err err = ERR_NONE;

	image->pull = pull;
	image->wanted = *wanted;
	image->is_explicit = is_explicit;
	if (ref_parse(text, &image->ref, &err) == 0) {
		ref_canonical(&image->ref, image->canonical, sizeof(image->canonical));
		for (size_t i = 0; i < pull->image_count; i++) {
			struct image_pull *other = pull->images[i];

			if (strcmp(other->canonical, image->canonical) != 0)
				continue;
			free(image);
			*(const char **)xgrow(&other->texts, &other->text_count,
					      sizeof(*other->texts)) = text;
			return;
		}
	}
	image->arena = arena_new();
	*(const char **)xgrow(&image->texts, &image->text_count, sizeof(*image->texts)) = text;
	/* analyzer: a list of pointers */
	*(struct image_pull **)xgrow(&pull->images, &pull->image_count, sizeof(*pull->images)) =
		image;
	image->work_err = err;
	pull->images_left++;
}

/* Images of which no byte has been asked for. */
static size_t left_to_begin(const struct pull *pull)
{
	return pull->image_count - pull->begun;
}

/* As many as may be on their way. */
static void begin_some(struct pull *pull)
{
	size_t max = pull->options->images_max;

	while (left_to_begin(pull) && (!max || pull->images_left - left_to_begin(pull) < max)) {
		struct image_pull *image = pull->images[pull->begun++];
		struct err err = image->work_err;

		if (err.code)
			image_pull_fail(image, &err);
		else
			image_pull_begin(image);
	}
}

/* Pool jobs that nobody waits for any more still have to come home. */
static void run(struct pull *pull)
{
	begin_some(pull);
	while (pull->images_left || pull->pool_jobs) {
		uv_run(transfer_loop_uv(pull->loop), UV_RUN_ONCE);
		begin_some(pull);
	}
}

static void free_pull(struct pull *pull)
{
	struct layer_pull *layer;

	while ((layer = TAILQ_FIRST(&pull->layers))) {
		TAILQ_REMOVE(&pull->layers, layer, link);
		layer_pull_free(layer);
	}
	for (size_t i = 0; i < pull->image_count; i++)
		image_pull_free(pull->images[i]);
	free(pull->images);
}

static void prepare_process(void)
{
	setenv("UV_THREADPOOL_SIZE", POOL_THREADS, 0);
	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)(stamp_now_ns() ^ (uint64_t)getpid()));
}

/* What was refused goes at once, and what came in before the disk was full, if that is short. */
static unsigned leftovers(const struct pull *pull)
{
	bool is_full =
		pull->first_err.code == ERR_NO_SPACE && !store_may_keep_leftovers(pull->store);

	return pull->was_refused || is_full ? LEASE_DROP : 0;
}

static int pull_all(struct pull *pull, const char *const *refs, size_t ref_count,
		    const struct platform *wanted, bool is_explicit, struct err *err)
{
	AUTO(transfer_loop)
	struct transfer_loop *loop =
		transfer_loop_new(registry_max_downloads(pull->settings) + 1, err);
	AUTO(session) struct session *session = NULL;

	pull->lease = loop ? lease_begin(pull->store, err) : NULL;
	if (!pull->lease)
		return -1;
	session = session_new(transfer_loop_fetch(loop), pull->settings);
	pull->loop = loop;
	pull->session = session;
	uv_async_init(transfer_loop_uv(loop), &pull->wake, woken);
	pull->wake.data = pull;
	for (size_t i = 0; i < ref_count; i++)
		add_image(pull, refs[i], wanted, is_explicit);
	run(pull);
	uv_close((uv_handle_t *)&pull->wake, NULL);
	lease_end(pull->lease, leftovers(pull));
	*err = pull->first_err;
	return err->code ? -1 : 0;
}

/* Credential helpers are other people's programs with files of their own: with them files stay
 * open. */
static int give_up_rights(const struct transfer_options *options, struct store *store,
			  struct err *err)
{
	const char *const folders[] = { store_path(store), store_runtime_path(store) };

	if (!(options->flags & TRANSFER_CONFINED))
		return 0;
	return transfer_drop_rights(folders, credentials_have_helpers() ? 0 : 2, err);
}

int transfer_pull(const char *const *refs, size_t ref_count, const struct transfer_options *options,
		  struct err *err)
{
	AUTO(registry_settings) struct registry_settings *settings = NULL;
	AUTO(store) struct store *store = NULL;
	struct pull pull = { .options = options, .layers = TAILQ_HEAD_INITIALIZER(pull.layers) };
	struct platform wanted;
	bool is_explicit;
	int result;

	prepare_process();
	if (platform_wanted(options->platform, &wanted, &is_explicit, err) < 0)
		return -1;
	settings = registry_settings_load(options->config_path, err);
	if (!settings)
		return -1;
	store = transfer_store_open(options->root, options->runtime_root, options->config_path,
				    err);
	if (!store || give_up_rights(options, store, err) < 0)
		return -1;
	pull.settings = settings;
	pull.store = store;
	result = pull_all(&pull, refs, ref_count, &wanted, is_explicit, err);
	free_pull(&pull);
	return result;
}
