/* orchestrator/transfer_tags - which tags a repository has, at its registry and in the store.
 *
 * Owns: the question tags/list and its pages. May not touch: the images behind the tags.
 */
#include "orchestrator/transfer_tags.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/ref.h"
#include "images/store.h"
#include "orchestrator/transfer_state.h"

#define PAGE_TAGS 1000
#define PAGES_MAX (TRANSFER_TAGS_MAX / PAGE_TAGS + 1)
#define PAGE_MAX  (4u << 20)

struct listing {
	const char *repository;
	char **tags;
	size_t count;
	int added; /* by the page that came last; -1: failed */
	bool is_over;
	struct err err;
};

void transfer_tags_free(char **tags, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(tags[i]);
	free(tags);
}

static int repository_of(const char *text, struct ref *ref, struct err *err)
{
	AUTO(free) char *untagged = xformat("%s:latest", text);
	const char *tail = strrchr(text, '/');

	if (strchr(text, '@') || strchr(tail ? tail : text, ':')) {
		if (ref_parse(text, ref, err) < 0)
			return err_wrap(err, "image %s", text);
		return err_set(err, ERR_INVALID,
			       "image %s: a tag or a digest does not go with --all-tags", text);
	}
	return ref_parse(untagged, ref, err) < 0 ? err_wrap(err, "image %s", text) : 0;
}

static bool is_listed(char *const *tags, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(tags[i], name) == 0)
			return true;
	return false;
}

static void add(char ***tags, size_t *count, char *name)
{
	*tags = xrealloc(*tags, *count + 1, sizeof(**tags));
	(*tags)[(*count)++] = name;
}

/* A page that repeats what is there comes from a registry that knows no pages: the names that are
 * there end at `before`, and only they have to be looked through. */
int transfer_tags_read(const char *body, size_t len, const char *repository, char ***tags,
		       size_t *count, struct err *err)
{
	AUTO(json) struct json_object *page = json_parse("tags/list", body, len, err);
	struct json_object *list = NULL;
	size_t before = *count;

	if (!page)
		return -1;
	if (json_object_object_get_ex(page, "tags", &list) && list &&
	    !json_object_is_type(list, json_type_array))
		return err_set(err, ERR_INVALID, "tags/list: tags: is no list");
	for (size_t i = 0; i < json_array_count(list); i++) {
		AUTO(free) char *name = xformat("%s:%s", repository, json_array_text(list, i));
		struct err ignored = ERR_NONE;
		struct ref ref;

		if (ref_parse(name, &ref, &ignored) < 0 || is_listed(*tags, before, name))
			continue;
		if (*count == TRANSFER_TAGS_MAX)
			return err_set(err, ERR_INVALID, "more than %d tags", TRANSFER_TAGS_MAX);
		add(tags, count, TAKE(name));
	}
	return (int)(*count - before);
}

static void answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct listing *listing = ctx;

	listing->is_over = true;
	listing->err = *err;
	listing->added =
		err->code ? -1
			  : transfer_tags_read(answer->body, answer->body_len, listing->repository,
					       &listing->tags, &listing->count, &listing->err);
}

/* Pages are asked for by the last tag that came, until one brings nothing new. */
static int ask_pages(struct listing *listing, const struct ref *ref, struct transfer_loop *loop,
		     struct session *session, struct err *err)
{
	for (int page = 0; page < PAGES_MAX; page++) {
		const char *last =
			listing->count ? strrchr(listing->tags[listing->count - 1], ':') + 1 : NULL;
		AUTO(free)
		char *what = last ? xformat("tags/list?n=%d&last=%s", PAGE_TAGS, last)
				  : xformat("tags/list?n=%d", PAGE_TAGS);
		const struct exchange_spec spec = { .domain = ref->domain,
						    .path = ref->path,
						    .method = "GET",
						    .what = what,
						    .flags = EXCHANGE_ORIGIN_ONLY,
						    .body_fd = -1,
						    .size_bytes = UINT64_MAX,
						    .body_max_bytes = PAGE_MAX,
						    .ctx = listing,
						    .done = answered };

		listing->is_over = false;
		if (!exchange_start(session, &spec, err))
			return -1;
		while (!listing->is_over)
			uv_run(transfer_loop_uv(loop), UV_RUN_ONCE);
		*err = listing->err;
		if (listing->added < 0)
			return -1;
		if (listing->added == 0)
			break;
	}
	return 0;
}

static int list_remote(struct listing *listing, const struct ref *ref,
		       const struct transfer_options *options, struct err *err)
{
	AUTO(registry_settings)
	struct registry_settings *settings = registry_settings_load(options->config_path, err);
	AUTO(transfer_loop) struct transfer_loop *loop = NULL;
	AUTO(session) struct session *session = NULL;
	struct transfer_login_job job;
	int found;

	if (!settings)
		return -1;
	loop = transfer_loop_new(1, err);
	if (!loop)
		return -1;
	session = session_new(transfer_loop_fetch(loop), settings);
	if (transfer_login_prepare(&job, settings, ref->domain, ref->path, REGISTRY_ORIGIN_ONLY,
				   err) < 0)
		return -1;
	found = transfer_login_find(&job, err);
	transfer_login_done(&job, session);
	return found < 0 ? -1 : ask_pages(listing, ref, loop, session, err);
}

int transfer_tags_remote(const char *repository, const struct transfer_options *options,
			 char ***out, size_t *out_count, struct err *err)
{
	struct listing listing = { .repository = repository };
	struct ref ref;

	if (repository_of(repository, &ref, err) < 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)(stamp_now_ns() ^ (uint64_t)getpid()));
	if (list_remote(&listing, &ref, options, err) < 0)
		err_wrap(err, "image %s", repository);
	else if (!listing.count)
		err_set(err, ERR_NOT_FOUND, "image %s: its registry lists no tags", repository);
	if (err->code) {
		transfer_tags_free(listing.tags, listing.count);
		return -1;
	}
	*out = listing.tags;
	*out_count = listing.count;
	return 0;
}

int transfer_tags_local(const char *repository, const struct transfer_options *options, char ***out,
			size_t *out_count, struct err *err)
{
	AUTO(store) struct store *store = NULL;
	struct image_record **images;
	struct ref wanted, have;
	struct err ignored = ERR_NONE;
	size_t count;

	*out = NULL;
	*out_count = 0;
	if (repository_of(repository, &wanted, err) < 0)
		return -1;
	store = transfer_store_open(options->root, options->runtime_root, options->config_path,
				    err);
	if (!store || store_list(store, &images, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < images[i]->name_count; n++)
			if (ref_parse(images[i]->names[n], &have, &ignored) == 0 && have.tag[0] &&
			    strcmp(have.domain, wanted.domain) == 0 &&
			    strcmp(have.path, wanted.path) == 0)
				add(out, out_count, xformat("%s:%s", repository, have.tag));
	image_records_free(images, count);
	return *out_count
		       ? 0
		       : err_set(err, ERR_NOT_FOUND, "image %s: no tag of it is here", repository);
}
