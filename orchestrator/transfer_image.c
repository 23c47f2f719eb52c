/* orchestrator/transfer_image - one image: from a reference to a record in the store.
 *
 * Owns: the way look up → manifest (through an index) → config → room for it → layers → commit.
 * May not touch: layers' bytes (transfer_layer), what a request does on its way (images/exchange).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "base/text.h"
#include "orchestrator/transfer_state.h"

#define INDEX_DEPTH_MAX 2

static void ask_manifest(struct image_pull *image, const char *target);

void image_pull_free(struct image_pull *image)
{
	transfer_login_done(&image->login, NULL);
	arena_free(image->arena);
	free(image->texts);
	free(image->manifest_text);
	free(image->config_text);
	free(image);
}

static void over(struct image_pull *image)
{
	image->is_over = true;
	pull_image_over(image->pull);
}

/* What the registry said of its limit, if it did. */
static void tell_rate(struct image_pull *image)
{
	char text[96];
	const struct transfer_progress progress = { .status = TRANSFER_RATE, .text = text };

	if (session_rate_limit(image->pull->session, ref_api_host(image->ref.domain), text,
			       sizeof(text)))
		transfer_report(image, &progress);
}

static void succeed(struct image_pull *image, const char *word)
{
	const struct transfer_progress progress = {
		.status = TRANSFER_IMAGE_DONE,
		.id = image->id,
		.digest = image->seen_count ? image->seen[0] : image->known.digest,
		.name = image->canonical,
		.text = word,
	};

	if (image->is_over)
		return;
	tell_rate(image);
	transfer_report(image, &progress);
	over(image);
}

/* A disk that is full on the way: how much was to come. */
static void add_sizes(const struct image_pull *image, struct err *told)
{
	AUTO(free) char *text = NULL;

	if (told->code != ERR_NO_SPACE || image->missing_bytes == 0)
		return;
	text = xformat("%s; layers of %.1f MiB were to come, more when unpacked", told->msg,
		       (double)image->missing_bytes / (1 << 20));
	err_set(told, ERR_NO_SPACE, "%s", text);
}

void image_pull_fail(struct image_pull *image, const struct err *err)
{
	struct err told = *err;
	const struct transfer_progress progress = {
		.status = TRANSFER_IMAGE_FAILED,
		.text = told.msg,
		.code = err_code_name(err->code),
	};

	layer_pull_forget(image);
	if (image->is_over)
		return;
	add_sizes(image, &told);
	err_wrap(&told, "image %s", image->texts[0]);
	text_plain(told.msg);
	if (image->pull->first_err.code == ERR_OK)
		image->pull->first_err = told;
	transfer_report(image, &progress);
	over(image);
}

static void warn(struct image_pull *image, const char *text)
{
	const struct transfer_progress progress = { .status = TRANSFER_WARNING, .text = text };

	transfer_report(image, &progress);
}

static void refuse(struct image_pull *image, const struct err *err)
{
	image->pull->was_refused = true;
	image_pull_fail(image, err);
}

/* ---- commit ---- */

/* The image's layers in the store's words; texts are the image's. */
static struct image_layer *list_layers(const struct image_pull *image)
{
	size_t count = image->manifest->layer_count;
	struct image_layer *layers = xcalloc(count + 1, sizeof(*layers));

	for (size_t i = 0; i < count; i++) {
		layers[i].diff_id = (char *)(uintptr_t)image->config->diff_ids[i];
		layers[i].digest = image->manifest->layers[i].digest;
		layers[i].size_bytes = image->manifest->layers[i].size_bytes;
		layers[i].media_type = (char *)(uintptr_t)image->manifest->layers[i].media_type;
	}
	return layers;
}

static void commit_work(uv_work_t *work)
{
	struct image_pull *image = work->data;
	AUTO(free) struct image_layer *layers = list_layers(image);
	AUTO(free) char *repo_digest = NULL;
	char repository[REF_TEXT_MAX + 1];
	struct image_commit commit = {
		.name = image->canonical,
		.name_digest = image->seen[0],
		.manifest = image->manifest_text,
		.manifest_len = image->manifest_len,
		.manifest_type = image->manifest->media_type,
		.config = image->config_text,
		.config_len = image->config_len,
		.layers = layers,
		.layer_count = image->manifest->layer_count,
	};

	repo_digest = xformat("%s@%s", ref_repository(&image->ref, repository, sizeof(repository)),
			      image->seen[0]);
	commit.repo_digest = repo_digest;
	store_commit_image(image->pull->lease, &commit, image->id, &image->work_err);
}

static void commit_done(uv_work_t *work, int status)
{
	struct image_pull *image = work->data;

	(void)status;
	image->pull->pool_jobs--;
	if (image->work_err.code == ERR_INVALID)
		refuse(image, &image->work_err);
	else if (image->work_err.code)
		image_pull_fail(image, &image->work_err);
	else
		succeed(image, strcmp(image->id, image->known.id) == 0 ? "exists" : "pulled");
}

static void in_pool(struct image_pull *image, uv_work_cb work, uv_after_work_cb done)
{
	image->work_err = ERR_NONE;
	image->work.data = image;
	image->pull->pool_jobs++;
	uv_queue_work(transfer_loop_uv(image->pull->loop), &image->work, work, done);
}

void image_pull_layer_done(struct image_pull *image)
{
	if (--image->layers_left == 0 && !image->is_over)
		in_pool(image, commit_work, commit_done);
}

/* ---- requests ---- */

static void waits(void *ctx, const struct err *why, uint64_t ms)
{
	transfer_report_wait(ctx, NULL, why, ms);
}

static struct exchange_spec image_request(struct image_pull *image, const char *what)
{
	return (struct exchange_spec){
		.domain = image->ref.domain,
		.path = image->ref.path,
		.method = "GET",
		.what = what,
		.flags = image->ref.digest[0] || image->seen_count ? 0 : EXCHANGE_BY_TAG,
		.body_fd = -1,
		.ctx = image,
		.on_wait = waits,
	};
}

static void ask(struct image_pull *image, const struct exchange_spec *spec)
{
	struct err err = ERR_NONE;

	image->exchange = exchange_start(image->pull->session, spec, &err);
	if (!image->exchange)
		image_pull_fail(image, &err);
}

/* True when the bytes hash to what was wanted ("" and tags: whatever the bytes hash to). */
static int check_digest(const char *what, const char *wanted, const struct exchange_answer *answer,
			char out[DIGEST_TEXT_MAX], struct err *err)
{
	const char *const others[] = { wanted, answer->digest };
	AUTO(digest) struct digest *state = NULL;

	state = digest_new(digest_is_valid(wanted) ? wanted : NULL);
	digest_update(state, answer->body, answer->body_len);
	digest_text(state, out);
	for (size_t i = 0; i < 2; i++)
		if (digest_is_valid(others[i]) && strncmp(others[i], out, 7) == 0 &&
		    strcmp(others[i], out) != 0)
			return err_set(err, ERR_INVALID, "%s: digest is %.19s…, wanted %.19s…",
				       what, out, others[i]);
	return 0;
}

/* ---- config ---- */

/* Another architecture than this machine's may still run (binfmt); asked for by name, it must fit.
 */
static int check_platform(struct image_pull *image, struct err *err)
{
	const struct platform *have = &image->config->platform;
	char have_text[PLATFORM_TEXT_MAX], wanted_text[PLATFORM_TEXT_MAX];
	AUTO(free) char *line = NULL;

	if (!have->arch[0] || strcmp(have->arch, image->wanted.arch) == 0)
		return 0;
	platform_text(have, have_text);
	platform_text(&image->wanted, wanted_text);
	if (image->is_explicit)
		return err_set(err, ERR_NOT_FOUND, "is an image for %s, not for %s", have_text,
			       wanted_text);
	line = xformat("is an image for %s, this machine is %s", have_text, wanted_text);
	warn(image, line);
	return 0;
}

static void fit_work(uv_work_t *work)
{
	struct image_pull *image = work->data;
	AUTO(free) struct image_layer *layers = list_layers(image);

	if (store_check_fit(image->pull->store, layers, image->manifest->layer_count,
			    &image->missing_bytes, &image->work_err) < 0)
		image->missing_bytes = 0; /* the text has it */
}

static void fit_done(uv_work_t *work, int status)
{
	struct image_pull *image = work->data;

	(void)status;
	image->pull->pool_jobs--;
	if (image->work_err.code) {
		image_pull_fail(image, &image->work_err);
		return;
	}
	image->layers_left = image->manifest->layer_count;
	if (image->layers_left == 0)
		in_pool(image, commit_work, commit_done);
	for (size_t i = 0; i < image->manifest->layer_count; i++)
		layer_pull_want(image, i);
	layer_pull_schedule(image->pull);
}

static void config_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct image_pull *image = ctx;
	const struct descriptor *wanted = &image->manifest->config;
	char digest[DIGEST_TEXT_MAX];
	struct err why = *err;

	image->exchange = NULL;
	if (err->code) {
		err_wrap(&why, "config");
		image_pull_fail(image, &why);
		return;
	}
	image->config_text = xstrndup(answer->body, answer->body_len);
	image->config_len = answer->body_len;
	if (answer->body_len != wanted->size_bytes)
		err_set(&why, ERR_INVALID, "config: has %zu bytes, wanted %llu", answer->body_len,
			(unsigned long long)wanted->size_bytes);
	if (why.code || check_digest("config", wanted->digest, answer, digest, &why) < 0 ||
	    config_parse(image->arena, answer->body, answer->body_len, image->manifest->layer_count,
			 &image->config, &why) < 0 ||
	    check_platform(image, &why) < 0) {
		refuse(image, &why);
		return;
	}
	in_pool(image, fit_work, fit_done);
}

static void ask_config(struct image_pull *image)
{
	AUTO(free) char *what = xformat("blobs/%s", image->manifest->config.digest);
	struct exchange_spec spec = image_request(image, what);

	spec.body_max_bytes = image->manifest->config.size_bytes;
	spec.done = config_answered;
	ask(image, &spec);
}

/* ---- manifest ---- */

static int take_manifest(struct image_pull *image, const struct exchange_answer *answer,
			 const char **out_next, struct err *err)
{
	char *digest = image->seen[image->seen_count];
	const char *wanted = image->seen_count ? digest : image->ref.digest;
	const struct index_entry *entry;
	struct index *index;

	*out_next = NULL;
	if (check_digest("manifest", wanted, answer, digest, err) < 0 ||
	    media_parse(image->arena, answer->body, answer->body_len, answer->content_type,
			image->expected_type, &image->manifest, &index, err) < 0)
		return -1;
	image->seen_count++;
	if (!index) {
		image->manifest_text = xstrndup(answer->body, answer->body_len);
		image->manifest_len = answer->body_len;
		return 0;
	}
	if (media_choose(index, &image->wanted, image->is_explicit, &entry, err) < 0)
		return -1;
	if (image->seen_count > INDEX_DEPTH_MAX)
		return err_set(err, ERR_INVALID, "index: deeper than %d", INDEX_DEPTH_MAX);
	for (unsigned i = 0; i < image->seen_count; i++)
		if (strcmp(image->seen[i], entry->descriptor.digest) == 0)
			return err_set(err, ERR_INVALID, "index: leads back to itself");
	if (entry->descriptor.size_bytes > MEDIA_MANIFEST_MAX)
		return err_set(err, ERR_INVALID, "index: names a manifest above %u bytes",
			       MEDIA_MANIFEST_MAX);
	strcpy(image->seen[image->seen_count], entry->descriptor.digest);
	image->expected_type = entry->descriptor.media_type;
	*out_next = entry->descriptor.digest;
	return 0;
}

static void manifest_answered(void *ctx, const struct exchange_answer *answer,
			      const struct err *err)
{
	struct image_pull *image = ctx;
	struct err why = *err;
	const char *next;

	image->exchange = NULL;
	if (err->code)
		image_pull_fail(image, err);
	else if (take_manifest(image, answer, &next, &why) < 0)
		refuse(image, &why);
	else if (next)
		ask_manifest(image, next);
	else
		ask_config(image);
}

static void ask_manifest(struct image_pull *image, const char *target)
{
	AUTO(free) char *what = xformat("manifests/%s", target);
	struct exchange_spec spec = image_request(image, what);

	spec.header = media_accept;
	spec.body_max_bytes = MEDIA_MANIFEST_MAX;
	spec.done = manifest_answered;
	ask(image, &spec);
}

/* ---- is it there already? ---- */

static void refresh_work(uv_work_t *work)
{
	struct image_pull *image = work->data;

	store_tag(image->pull->store, image->canonical, image->known.id, image->known.digest,
		  &image->work_err);
}

static void refresh_done(uv_work_t *work, int status)
{
	struct image_pull *image = work->data;

	(void)status;
	image->pull->pool_jobs--;
	strcpy(image->id, image->known.id);
	if (image->work_err.code)
		image_pull_fail(image, &image->work_err);
	else
		succeed(image, "exists");
}

static void head_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct image_pull *image = ctx;

	image->exchange = NULL;
	if (err->code == ERR_OK && strcmp(answer->digest, image->known.digest) == 0)
		in_pool(image, refresh_work, refresh_done);
	else if (err->code == ERR_OK || err->code == ERR_INVALID) /* 405: no HEAD there */
		ask_manifest(image, ref_target(&image->ref));
	else
		image_pull_fail(image, err);
}

static void ask_head(struct image_pull *image)
{
	AUTO(free) char *what = xformat("manifests/%s", ref_target(&image->ref));
	struct exchange_spec spec = image_request(image, what);

	spec.method = "HEAD";
	spec.header = media_accept;
	spec.done = head_answered;
	ask(image, &spec);
}

/* In the pool: the name in the store, if its image is for the platform; the passwords. */
static void look_up_work(uv_work_t *work)
{
	struct image_pull *image = work->data;
	AUTO(image_record) struct image_record *record = NULL;
	struct platform have = { .os = "linux" };
	struct err absent = ERR_NONE;

	if (store_name(image->pull->store, image->canonical, &image->known, &absent) < 0)
		image->known.id[0] = '\0';
	else
		record = store_image(image->pull->store, image->known.id, &absent);
	if (record) {
		snprintf(have.arch, sizeof(have.arch), "%s", record->architecture);
		snprintf(have.variant, sizeof(have.variant), "%s", record->variant);
		platform_normalise(&have);
	}
	if (!record || (image->is_explicit && have.arch[0] &&
			platform_score(&image->wanted, true, &have) == 0))
		image->known.id[0] = '\0';
	transfer_login_find(&image->login, &image->work_err);
}

static bool is_good_enough(const struct image_pull *image)
{
	const struct transfer_options *options = image->pull->options;
	uint64_t age_ns = stamp_now_ns() - image->known.pulled_unix_ns;

	if (!image->known.id[0])
		return false;
	if (image->ref.digest[0] || options->policy == TRANSFER_MISSING)
		return true;
	return options->policy == TRANSFER_AGED && age_ns / 1000000000 < options->max_age_s;
}

static void look_up_done(uv_work_t *work, int status)
{
	struct image_pull *image = work->data;

	(void)status;
	image->pull->pool_jobs--;
	if (image->login.warning)
		warn(image, image->login.warning);
	transfer_login_done(&image->login, image->pull->session);
	if (is_good_enough(image)) {
		strcpy(image->id, image->known.id);
		succeed(image, "exists");
	} else if (image->work_err.code) {
		image_pull_fail(image, &image->work_err);
	} else if (image->known.id[0] && image->known.digest[0]) {
		ask_head(image);
	} else {
		ask_manifest(image, ref_target(&image->ref));
	}
}

void image_pull_begin(struct image_pull *image)
{
	const struct transfer_progress progress = { .status = TRANSFER_RESOLVING };
	struct err err = ERR_NONE;

	if (transfer_login_prepare(&image->login, image->pull->settings, image->ref.domain,
				   image->ref.path, 0, &err) < 0) {
		image_pull_fail(image, &err);
		return;
	}
	transfer_report(image, &progress);
	in_pool(image, look_up_work, look_up_done);
}
