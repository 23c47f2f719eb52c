/* orchestrator/transfer_resolve - what registries have under names, without fetching it.
 *
 * Owns: the question HEAD manifest, and GET where a registry answers no HEAD or no digest.
 * May not touch: the store.
 */
#include "orchestrator/transfer_resolve.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "orchestrator/transfer_state.h"

struct question {
	struct answers *all;
	const char *text;
	struct ref ref;
	char digest[DIGEST_TEXT_MAX];
	bool is_over;
};

struct answers {
	struct transfer_loop *loop;
	struct session *session;
	struct question *questions;
	size_t count, left;
	struct err first_err;
};

static void over(struct question *question, const struct err *err)
{
	struct answers *all = question->all;

	question->is_over = true;
	all->left--;
	if (err && all->first_err.code == ERR_OK) {
		all->first_err = *err;
		err_wrap(&all->first_err, "image %s", question->text);
	}
}

static void ask(struct question *question, const char *method);

static void answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct question *question = ctx;

	if (err->code == ERR_OK && digest_is_valid(answer->digest)) {
		snprintf(question->digest, sizeof(question->digest), "%s", answer->digest);
		over(question, NULL);
	} else if (err->code == ERR_OK && answer->body_len) {
		digest_of(answer->body, answer->body_len, question->digest);
		over(question, NULL);
	} else if (err->code == ERR_OK || err->code == ERR_INVALID) { /* 405: no HEAD there */
		ask(question, "GET");
	} else {
		over(question, err);
	}
}

/* The bytes decide: what a registry says of them is checked. */
static void body_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct exchange_answer bytes = *answer;

	if (err->code) {
		over(ctx, err);
		return;
	}
	bytes.digest = "";
	if (bytes.body_len) {
		answered(ctx, &bytes, err);
	} else {
		struct err empty = ERR_NONE;

		err_set(&empty, ERR_INVALID, "the registry answers with an empty manifest");
		over(ctx, &empty);
	}
}

static void ask(struct question *question, const char *method)
{
	bool is_head = strcmp(method, "HEAD") == 0;
	AUTO(free) char *what = xformat("manifests/%s", ref_target(&question->ref));
	const struct exchange_spec spec = {
		.domain = question->ref.domain,
		.path = question->ref.path,
		.method = method,
		.what = what,
		.header = media_accept,
		.flags = EXCHANGE_BY_TAG,
		.body_fd = -1,
		.body_max_bytes = is_head ? 0 : MEDIA_MANIFEST_MAX,
		.ctx = question,
		.done = is_head ? answered : body_answered,
	};
	struct err err = ERR_NONE;

	if (!exchange_start(question->all->session, &spec, &err))
		over(question, &err);
}

static int find_password(struct question *question, struct registry_settings *settings,
			 struct err *err)
{
	struct transfer_login_job job;
	int result;

	if (transfer_login_prepare(&job, settings, question->ref.domain, question->ref.path, 0,
				   err) < 0)
		return -1;
	result = transfer_login_find(&job, err);
	transfer_login_done(&job, question->all->session);
	return result;
}

static int read_refs(struct answers *all, const char *const *refs, struct err *err)
{
	for (size_t i = 0; i < all->count; i++) {
		struct question *question = &all->questions[i];

		question->all = all;
		question->text = refs[i];
		if (ref_parse(refs[i], &question->ref, err) < 0)
			return err_wrap(err, "image %s", refs[i]);
		question->is_over = question->ref.digest[0] != '\0';
		all->left += !question->is_over;
	}
	return 0;
}

static int ask_all(struct answers *all, struct registry_settings *settings, struct err *err)
{
	for (size_t i = 0; i < all->count; i++)
		if (!all->questions[i].is_over &&
		    find_password(&all->questions[i], settings, err) < 0)
			return -1;
	for (size_t i = 0; i < all->count; i++)
		if (!all->questions[i].is_over)
			ask(&all->questions[i], "HEAD");
	while (all->left)
		uv_run(transfer_loop_uv(all->loop), UV_RUN_ONCE);
	*err = all->first_err;
	return err->code ? -1 : 0;
}

static char *pinned(const struct question *question)
{
	char name[REF_TEXT_MAX + 1];

	ref_canonical(&question->ref, name, sizeof(name));
	return question->digest[0] ? xformat("%s@%s", name, question->digest) : xstrdup(name);
}

int transfer_resolve(const char *const *refs, size_t count, const struct transfer_options *options,
		     char **out_pinned, struct err *err)
{
	AUTO(registry_settings)
	struct registry_settings *settings = registry_settings_load(options->config_path, err);
	AUTO(free) struct question *questions = xcalloc(count + 1, sizeof(*questions));
	AUTO(transfer_loop) struct transfer_loop *loop = NULL;
	AUTO(session) struct session *session = NULL;
	struct answers all = { .questions = questions, .count = count };

	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)(stamp_now_ns() ^ (uint64_t)getpid()));
	if (!settings || read_refs(&all, refs, err) < 0)
		return -1;
	loop = transfer_loop_new(registry_max_downloads(settings) + 1, err);
	if (!loop)
		return -1;
	session = session_new(transfer_loop_fetch(loop), settings);
	all.loop = loop;
	all.session = session;
	if (ask_all(&all, settings, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		out_pinned[i] = pinned(&questions[i]);
	return 0;
}
