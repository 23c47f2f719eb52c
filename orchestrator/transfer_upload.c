/* orchestrator/transfer_upload - one blob's way to a registry.
 *
 * Owns: the upload session, its resumption. May not touch: manifests, which blobs there are.
 * Source: distribution-spec 1.1, "Pushing blobs".
 */
#include "orchestrator/transfer_upload.h"

#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/stamp.h"
#include "base/text.h"

#define ATTEMPTS_MAX    6
#define WAIT_UNIT_MS    500
#define REPORT_EVERY_US 100000

struct upload {
	struct upload_spec spec;
	char digest[DIGEST_TEXT_MAX];
	uint64_t size_bytes;
	const char *media_type; /* of a blob made anew, else NULL */
	int fd;                 /* the blob, -1: spec.bytes */
	bool is_open;
	char *url; /* of the upload session */
	uint64_t sent_base, reported_us;
	unsigned attempts;
	char *content_range;
	uv_work_t work; /* fd, digest, size_bytes, media_type, work_err */
	struct err work_err;
};

static void begin_session(struct upload *upload);
static void ask_status(void *ctx);

static void finish(struct upload *upload, const struct err *err)
{
	const struct upload_spec spec = upload->spec;

	spec.done(spec.ctx, upload->digest, upload->size_bytes, upload->media_type, err);
	if (upload->fd >= 0)
		close(upload->fd);
	free(upload->url);
	free(upload->content_range);
	free(upload);
}

static void report(struct upload *upload, enum transfer_status status, uint64_t current)
{
	upload->spec.progress(upload->spec.ctx, status, current, upload->size_bytes);
}

static void succeed(struct upload *upload, enum transfer_status status)
{
	report(upload, status, upload->size_bytes);
	finish(upload, &ERR_NONE);
}

static void ask(struct upload *upload, struct exchange_spec *spec)
{
	struct err err = ERR_NONE;

	spec->domain = upload->spec.domain;
	spec->path = upload->spec.path;
	spec->mount_from = upload->spec.mount_from;
	spec->flags |= EXCHANGE_PUSH;
	spec->ctx = upload;
	spec->body_max_bytes = 65536;
	if (!spec->has_body || spec->body)
		spec->body_fd = -1;
	if (!exchange_start(upload->spec.session, spec, &err))
		finish(upload, &err);
}

static bool take_location(struct upload *upload, const struct exchange_answer *answer)
{
	struct fetch *fetch = transfer_loop_fetch(upload->spec.loop);
	char *url =
		answer->location[0] ? fetch_url_join(fetch, answer->url, answer->location) : NULL;

	if (!url)
		return false;
	free(upload->url);
	upload->url = url;
	return true;
}

/* ---- the bytes ---- */

static void sent(void *ctx, uint64_t bytes)
{
	struct upload *upload = ctx;
	uint64_t now = stamp_monotonic_us();

	if (now < upload->reported_us + REPORT_EVERY_US)
		return;
	upload->reported_us = now;
	report(upload, TRANSFER_UPLOADING, upload->sent_base + bytes);
}

static void retry(struct upload *upload, const struct err *err)
{
	if ((err->code != ERR_BUSY && err->code != ERR_TIMEOUT) ||
	    ++upload->attempts >= ATTEMPTS_MAX) {
		finish(upload, err);
		return;
	}
	fetch_after(transfer_loop_fetch(upload->spec.loop),
		    (uint64_t)WAIT_UNIT_MS << (upload->attempts - 1), ask_status, upload);
}

static void put_done(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct upload *upload = ctx;

	(void)answer;
	if (err->code)
		retry(upload, err);
	else
		succeed(upload, TRANSFER_DONE);
}

static void fill_body(struct upload *upload, struct exchange_spec *spec, uint64_t from)
{
	spec->has_body = true;
	spec->body_len = upload->size_bytes - from;
	spec->body_fd = upload->fd;
	spec->body_offset = from;
	spec->body = upload->fd >= 0 ? NULL : (const char *)upload->spec.bytes + from;
	spec->content_type = "application/octet-stream";
	spec->on_sent = sent;
	upload->sent_base = from;
}

/* PUT with the bytes from `from` on: all of them, or none when PATCH has brought them. */
static void put(struct upload *upload, uint64_t from)
{
	AUTO(free)
	char *url = xformat("%s%cdigest=%s", upload->url, strchr(upload->url, '?') ? '&' : '?',
			    upload->digest);
	struct exchange_spec spec = {
		.method = "PUT",
		.url = url,
		.flags = EXCHANGE_ONCE,
		.done = put_done,
	};

	fill_body(upload, &spec, from);
	if (spec.body_len == 0)
		spec.body = "";
	ask(upload, &spec);
}

static void patch_done(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct upload *upload = ctx;

	if (err->code) {
		retry(upload, err);
		return;
	}
	take_location(upload, answer);
	put(upload, upload->size_bytes);
}

static void patch(struct upload *upload, uint64_t from)
{
	struct exchange_spec spec = {
		.method = "PATCH",
		.url = upload->url,
		.flags = EXCHANGE_ONCE,
		.done = patch_done,
	};

	free(upload->content_range);
	upload->content_range = xformat("Content-Range: %llu-%llu", (unsigned long long)from,
					(unsigned long long)upload->size_bytes - 1);
	spec.header = upload->content_range;
	fill_body(upload, &spec, from);
	ask(upload, &spec);
}

/* "0-99" (some write "bytes=0-99") is 100 bytes; "0-0" is how registries say none. */
static uint64_t bytes_there(const char *range)
{
	struct slice first, last;
	struct err ignored = ERR_NONE;
	uint64_t end = 0;

	if (!slice_split(SLICE(range), '-', &first, &last) ||
	    num_parse_u64("range", last.at, last.len, 0, INT64_MAX, &end, &ignored) < 0)
		return 0;
	return end ? end + 1 : 0;
}

static void status_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct upload *upload = ctx;
	uint64_t there;

	if (err->code == ERR_NOT_FOUND || err->code == ERR_INVALID) { /* the session is gone */
		begin_session(upload);
		return;
	}
	if (err->code) {
		retry(upload, err);
		return;
	}
	take_location(upload, answer);
	there = bytes_there(answer->range);
	if (there >= upload->size_bytes)
		put(upload, upload->size_bytes);
	else
		patch(upload, there);
}

static void ask_status(void *ctx)
{
	struct upload *upload = ctx;
	struct exchange_spec spec = { .method = "GET",
				      .url = upload->url,
				      .done = status_answered };

	if (upload->url)
		ask(upload, &spec);
	else
		begin_session(upload);
}

static void session_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct upload *upload = ctx;
	struct err why = *err;

	if (!err->code && !take_location(upload, answer))
		err_set(&why, ERR_INVALID, "registry %s: begins an upload without an address",
			answer->host);
	if (why.code)
		finish(upload, &why);
	else if (answer->chunk_min_bytes)
		patch(upload, 0);
	else
		put(upload, 0);
}

static void begin_session(struct upload *upload)
{
	struct exchange_spec spec = {
		.method = "POST",
		.what = "blobs/uploads/",
		.has_body = true,
		.body = "",
		.done = session_answered,
	};

	free(upload->url);
	upload->url = NULL;
	report(upload, TRANSFER_UPLOADING, 0);
	ask(upload, &spec);
}

/* ---- is it there? ---- */

static void begin_open(struct upload *upload);

static void head_answered(void *ctx, const struct exchange_answer *answer, const struct err *err);

static void ask_head(struct upload *upload)
{
	AUTO(free) char *what = xformat("blobs/%s", upload->digest);
	struct exchange_spec spec = { .method = "HEAD", .what = what, .done = head_answered };

	ask(upload, &spec);
}

static void mount_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct upload *upload = ctx;

	if (!err->code && answer->status == 201)
		succeed(upload, TRANSFER_EXISTS);
	else if (err->code && err->code != ERR_NOT_FOUND && err->code != ERR_INVALID &&
		 err->code != ERR_DENIED)
		finish(upload, err);
	else
		begin_open(upload);
}

static void ask_mount(struct upload *upload)
{
	AUTO(free)
	char *what =
		xformat("blobs/uploads/?mount=%s&from=%s", upload->digest, upload->spec.mount_from);
	struct exchange_spec spec = {
		.method = "POST",
		.what = what,
		.has_body = true,
		.body = "",
		.done = mount_answered,
	};

	ask(upload, &spec);
}

static void head_answered(void *ctx, const struct exchange_answer *answer, const struct err *err)
{
	struct upload *upload = ctx;

	(void)answer;
	if (!err->code)
		succeed(upload, TRANSFER_EXISTS);
	else if (err->code != ERR_NOT_FOUND)
		finish(upload, err);
	else if (!upload->is_open && upload->spec.mount_from)
		ask_mount(upload);
	else if (!upload->is_open)
		begin_open(upload);
	else
		begin_session(upload);
}

static void open_work(uv_work_t *work)
{
	struct upload *upload = work->data;
	char made[DIGEST_TEXT_MAX];
	const char *media_type;

	upload->fd =
		layer_open_blob(upload->spec.store, upload->spec.diff_id, upload->spec.compression,
				upload->digest[0] ? upload->digest : NULL, made,
				&upload->size_bytes, &media_type, &upload->work_err);
	if (upload->fd < 0)
		return;
	if (strcmp(made, upload->digest) != 0)
		upload->media_type = media_type;
	strcpy(upload->digest, made);
}

static void open_done(uv_work_t *work, int status)
{
	struct upload *upload = work->data;

	(void)status;
	upload->is_open = true;
	if (upload->work_err.code)
		finish(upload, &upload->work_err);
	else if (upload->media_type) /* another blob than the manifest's: is that one there? */
		ask_head(upload);
	else
		begin_session(upload);
}

static void begin_open(struct upload *upload)
{
	if (!upload->spec.diff_id) {
		upload->is_open = true;
		begin_session(upload);
		return;
	}
	upload->work.data = upload;
	uv_queue_work(transfer_loop_uv(upload->spec.loop), &upload->work, open_work, open_done);
}

void upload_start(const struct upload_spec *spec)
{
	struct upload *upload = xcalloc(1, sizeof(*upload));

	upload->spec = *spec;
	upload->fd = -1;
	upload->size_bytes = spec->size_bytes;
	snprintf(upload->digest, sizeof(upload->digest), "%s", spec->digest);
	if (upload->digest[0])
		ask_head(upload);
	else
		begin_open(upload);
}
