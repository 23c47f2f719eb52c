/* images/exchange - carries out what proto decides, on fetch.
 *
 * Owns: the life of one request, the count of delivered bytes, where Authorization may go.
 * May not touch: what the bytes mean, files.
 */
#include "images/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "base/text.h"
#include "images/exchange_state.h"
#include "images/ref.h"

static void send_request(struct exchange *exchange, bool to_target);

/* ---- session ---- */

struct session *session_new(struct fetch *fetch, struct registry_settings *settings)
{
	struct session *session = xcalloc(1, sizeof(*session));

	session->fetch = fetch;
	session->settings = settings;
	session->tokens = auth_cache_new();
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	for (size_t i = 0; i < session->credential_count; i++) {
		free(session->credentials[i].host);
		free(session->credentials[i].path);
		credential_clear(&session->credentials[i].credential);
	}
	for (size_t i = 0; i < session->rate_count; i++)
		free(session->rates[i].host);
	free(session->credentials);
	free(session->rates);
	auth_cache_free(session->tokens);
	free(session);
}

struct registry_endpoint *exchange_endpoint(const struct exchange *exchange)
{
	return exchange->endpoints[exchange->at];
}

void exchange_host(const struct exchange *exchange, char *out, size_t size)
{
	bool is_tls;

	if (!exchange->is_at_target || !registry_url_host(exchange->target, &is_tls, out, size))
		snprintf(out, size, "%s", exchange_endpoint(exchange)->host);
}

/* ---- end ---- */

static void free_exchange(struct exchange *exchange)
{
	struct exchange_spec *spec = &exchange->spec;
	const char *const texts[] = { spec->domain,       spec->path,      spec->method,
				      spec->what,         spec->url,       spec->header,
				      spec->content_type, spec->mount_from };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free((void *)(uintptr_t)texts[i]);
	free(exchange->endpoints);
	free(exchange->url);
	free(exchange->target);
	auth_forget(exchange->sent_auth);
	auth_forget(exchange->token_text);
	auth_forget(exchange->token_form);
	free(exchange->head.location);
	free(exchange->body);
	free(exchange);
}

static void finish(struct exchange *exchange, long status, const struct err *err)
{
	const struct head *head = &exchange->head;
	struct exchange_answer answer = {
		.status = status,
		.host = exchange_endpoint(exchange)->host,
		.is_from_mirror = exchange_endpoint(exchange)->is_mirror,
		.content_type = head->content_type,
		.digest = head->digest,
		.location = head->location ? head->location : "",
		.range = head->range,
		.body = exchange->body ? exchange->body : "",
		.body_len = exchange->body_len,
		.chunk_min_bytes = head->chunk_min_bytes,
		.url = exchange->url,
	};

	exchange->spec.done(exchange->spec.ctx, &answer, err);
	free_exchange(exchange);
}

void exchange_cancel(struct exchange *exchange)
{
	if (exchange->request)
		fetch_cancel(exchange->request);
	if (exchange->timer)
		fetch_after_cancel(exchange->session->fetch, exchange->timer);
	free_exchange(exchange);
}

void exchange_resume(struct exchange *exchange)
{
	if (exchange->request)
		fetch_resume(exchange->request);
}

/* ---- one answer ---- */

static void take_header(void *ctx, long status, const char *line, size_t len)
{
	(void)status;
	answer_take_header(ctx, line, len);
}

static int refuse(struct exchange *exchange, enum err_code code, const char *text, uint64_t got,
		  uint64_t wanted)
{
	err_set(&exchange->stop_err, code, "%s: %llu bytes, wanted %llu", text,
		(unsigned long long)got, (unsigned long long)wanted);
	return FETCH_STOP;
}

/* The body is about to come: does it continue where we are, and is it as long as it should be? */
static int headers_end(void *ctx, long status, int64_t content_length)
{
	struct exchange *exchange = ctx;
	const struct exchange_spec *spec = &exchange->spec;
	uint64_t first = 0, last = 0, total = 0, rest = spec->size_bytes;

	exchange->status = status;
	if (!spec->on_data || (status != 200 && status != 206))
		return 0;
	if (status == 206) {
		if (!proto_content_range(exchange->head.content_range, &first, &last, &total) ||
		    first != exchange->received ||
		    (total != UINT64_MAX && spec->size_bytes != UINT64_MAX &&
		     total != spec->size_bytes)) {
			exchange->range_is_bad = true;
			return FETCH_STOP;
		}
		rest = rest == UINT64_MAX ? rest : rest - first;
	} else {
		exchange->skip = exchange->received;
	}
	if (content_length >= 0 && rest != UINT64_MAX && (uint64_t)content_length != rest &&
	    strcmp(spec->method, "HEAD") != 0)
		return refuse(exchange, ERR_INVALID, "the registry announces another size",
			      (uint64_t)content_length, rest);
	return 0;
}

static int collect_body(struct exchange *exchange, const char *bytes, size_t len)
{
	if (exchange->body_len + len > exchange->spec.body_max_bytes)
		return refuse(exchange, ERR_INVALID, "the answer is too large",
			      exchange->body_len + len, exchange->spec.body_max_bytes);
	exchange->body = xrealloc(exchange->body, exchange->body_len + len + 1, 1);
	memcpy(exchange->body + exchange->body_len, bytes, len);
	exchange->body_len += len;
	exchange->body[exchange->body_len] = '\0';
	return 0;
}

static int deliver(struct exchange *exchange, const char *bytes, size_t len)
{
	const struct exchange_spec *spec = &exchange->spec;
	size_t known = exchange->skip < len ? (size_t)exchange->skip : len;
	int verdict;

	if (spec->size_bytes != UINT64_MAX && len - known > spec->size_bytes - exchange->received)
		return refuse(exchange, ERR_INVALID, "the registry sends more than it should",
			      exchange->received + len - known, spec->size_bytes);
	if (len > known) {
		verdict = spec->on_data(spec->ctx, bytes + known, len - known);
		if (verdict == FETCH_STOP)
			exchange->was_stopped = true;
		if (verdict != 0)
			return verdict;
	}
	exchange->skip -= known;
	exchange->received += len - known;
	return 0;
}

static void body_sent(void *ctx, uint64_t bytes)
{
	struct exchange *exchange = ctx;

	if (exchange->spec.on_sent)
		exchange->spec.on_sent(exchange->spec.ctx, bytes);
}

static int take_data(void *ctx, const char *bytes, size_t len)
{
	struct exchange *exchange = ctx;
	enum proto_event event = proto_event_of_status(exchange->status);

	if (event == PROTO_REDIRECT)
		return 0;
	if (event != PROTO_DONE)
		return answer_take_error_body(exchange, bytes, len);
	return exchange->spec.on_data ? deliver(exchange, bytes, len)
				      : collect_body(exchange, bytes, len);
}

/* ---- from an outcome to the next step ---- */

static bool lacks_bytes(const struct exchange *exchange)
{
	const struct exchange_spec *spec = &exchange->spec;

	return spec->on_data && spec->size_bytes != UINT64_MAX &&
	       exchange->received < spec->size_bytes;
}

static enum proto_event judge(struct exchange *exchange, const struct fetch_result *result,
			      struct err *err)
{
	enum proto_event event;

	if (exchange->range_is_bad) {
		err_set(err, ERR_INVALID, "registry %s: answers with another range than asked for",
			exchange_endpoint(exchange)->host);
		return PROTO_BAD_RANGE;
	}
	if (exchange->stop_err.code) {
		*err = exchange->stop_err;
		return PROTO_REFUSED;
	}
	event = proto_event_of_status(result->status);
	/* An unhappy answer counts by its status, even where its body was cut off. */
	if (result->failure != FETCH_OK && !(result->status && event != PROTO_DONE)) {
		answer_failure(exchange, result, err);
		return proto_event_of_failure(result->failure);
	}
	if (event == PROTO_DONE && lacks_bytes(exchange)) {
		err_set(err, ERR_BUSY, "registry %s: sends %llu bytes of %llu",
			exchange_endpoint(exchange)->host, (unsigned long long)exchange->received,
			(unsigned long long)exchange->spec.size_bytes);
		return PROTO_CUT;
	}
	if (event != PROTO_DONE)
		answer_error(exchange, result->status, err);
	return event;
}

/* Where a redirect leads, checked. */
static int take_target(struct exchange *exchange, struct err *err)
{
	char *target = exchange->head.location
			       ? fetch_url_join(exchange->url, exchange->head.location)
			       : NULL;
	char host[REF_NAME_MAX + 1];
	bool is_tls, was_tls = strncasecmp(exchange->url, "https:", 6) == 0;

	if (!target || !registry_url_host(target, &is_tls, host, sizeof(host))) {
		free(target);
		return err_set(err, ERR_INVALID, "registry %s: redirects to no usable address",
			       exchange_endpoint(exchange)->host);
	}
	free(exchange->target);
	exchange->target = target;
	if (was_tls && !is_tls && !registry_is_insecure(exchange->session->settings, host))
		return err_set(err, ERR_DENIED,
			       "registry %s: redirects from https to plain http at %s",
			       exchange_endpoint(exchange)->host, host);
	return 0;
}

static void request_done(void *ctx, const struct fetch_result *result)
{
	struct exchange *exchange = ctx;
	struct registry_endpoint *endpoint = exchange_endpoint(exchange);
	struct err err = ERR_NONE;
	enum proto_event event;

	exchange->request = NULL;
	if (exchange->was_stopped) {
		err_set(&err, ERR_CANCELLED, "cancelled");
		finish(exchange, result->status, &err);
		return;
	}
	/* Several may ask at once before the first knows better. */
	if (result->failure == FETCH_NOT_TLS && !exchange->is_at_target && endpoint->allows_http &&
	    (!endpoint->has_answered || endpoint->is_http)) {
		endpoint->is_http = true;
		send_request(exchange, false);
		return;
	}
	if (result->status && !exchange->is_at_target)
		endpoint->has_answered = true;
	event = judge(exchange, result, &err);
	if (event == PROTO_REDIRECT && exchange->proto.may_redirect &&
	    take_target(exchange, &err) < 0)
		event = PROTO_REFUSED;
	if (event == PROTO_UNAUTHORIZED && !exchange->is_at_target)
		exchange->challenge = exchange->head.challenge;
	if (event == PROTO_DONE)
		finish(exchange, result->status, &err);
	else
		exchange_event(exchange, event, &err);
}

static void wait_over(void *ctx)
{
	struct exchange *exchange = ctx;

	exchange->timer = 0;
	exchange_event(exchange, PROTO_READY, NULL);
}

static void fail_for_rate(struct exchange *exchange, const struct err *err)
{
	struct err told = *err;

	answer_error(exchange, 429, &told);
	finish(exchange, 429, &told);
}

static void forget_endpoint(struct exchange *exchange)
{
	exchange->at++;
	free(exchange->target);
	exchange->target = NULL;
	exchange->auth_is_fresh = false;
}

void exchange_event(struct exchange *exchange, enum proto_event event, const struct err *err)
{
	struct err why = err ? *err : ERR_NONE;
	const char *retry_after = exchange->head.retry_after;
	struct proto_news news = {
		.retry_after_ms =
			event == PROTO_LATER && retry_after[0]
				? proto_retry_after_ms(retry_after, stamp_now_us() / 1000000)
				: -1,
		.progress_bytes = exchange->received,
		.dice = (uint32_t)random(),
		.token_was_refused = exchange->sent_auth != NULL,
		.token_is_stale = !exchange->auth_is_fresh ||
				  strcmp(exchange->challenge.error, "invalid_token") == 0,
		.refused_connection = strstr(why.msg, "cannot connect") != NULL,
	};

	if (exchange->spec.flags & EXCHANGE_ONCE && (event == PROTO_CUT || event == PROTO_LATER) &&
	    exchange->proto.state == PROTO_AT_ORIGIN) {
		finish(exchange, exchange->status, &why);
		return;
	}
	switch (proto_next(&exchange->proto, event, &news)) {
	case PROTO_SEND_ORIGIN:
		send_request(exchange, false);
		return;
	case PROTO_SEND_TARGET:
		send_request(exchange, true);
		return;
	case PROTO_AUTHORIZE:
		exchange_authorize(exchange);
		return;
	case PROTO_WAIT:
		if (exchange->spec.on_wait)
			exchange->spec.on_wait(exchange->spec.ctx, &why, exchange->proto.wait_ms);
		exchange->timer = fetch_after(exchange->session->fetch, exchange->proto.wait_ms,
					      wait_over, exchange);
		return;
	case PROTO_NEXT_ENDPOINT:
		forget_endpoint(exchange);
		send_request(exchange, false);
		return;
	case PROTO_RESTART:
		if (exchange->spec.on_restart &&
		    exchange->spec.on_restart(exchange->spec.ctx) == 0) {
			exchange->received = 0;
			send_request(exchange, false);
			return;
		}
		break;
	case PROTO_FAIL_RATE:
		fail_for_rate(exchange, &why);
		return;
	case PROTO_SUCCEED:
	case PROTO_FAIL:
		break;
	}
	if (!why.code)
		err_set(&why, ERR_INTERNAL, "no reason given");
	finish(exchange, exchange->status, &why);
}

/* ---- asking ---- */

static char *origin_url(const struct exchange *exchange)
{
	const struct exchange_spec *spec = &exchange->spec;
	const struct registry_endpoint *endpoint = exchange_endpoint(exchange);
	const char *scheme = endpoint->is_http ? "http" : "https";

	if (spec->url)
		return xstrdup(spec->url);
	if (!spec->path)
		return xformat("%s://%s%s/v2/", scheme, endpoint->host, endpoint->prefix);
	return xformat("%s://%s%s/v2/%s/%s", scheme, endpoint->host, endpoint->prefix, spec->path,
		       spec->what);
}

/* Authorization goes to the scheme, host and port that it was meant for and nowhere else. */
static bool may_authorize(const struct exchange *exchange)
{
	const struct registry_endpoint *endpoint = exchange_endpoint(exchange);
	char host[REF_NAME_MAX + 1];
	bool is_tls;

	return registry_url_host(exchange->url, &is_tls, host, sizeof(host)) &&
	       strcasecmp(host, endpoint->host) == 0 && is_tls == !endpoint->is_http;
}

static struct registry_endpoint *tls_of_url(struct exchange *exchange, struct err *err)
{
	char host[REF_NAME_MAX + 1] = "";
	bool is_tls;

	registry_url_host(exchange->url, &is_tls, host, sizeof(host));
	if (strcasecmp(host, exchange_endpoint(exchange)->host) == 0)
		return exchange_endpoint(exchange);
	return registry_endpoint_of(exchange->session->settings, host, err);
}

/* Sends exchange->url; -1: it could not even be started. */
static int start_request(struct exchange *exchange, struct err *err)
{
	const struct exchange_spec *spec = &exchange->spec;
	const struct registry_settings *settings = exchange->session->settings;
	bool is_tls = strncasecmp(exchange->url, "https:", 6) == 0;
	struct registry_endpoint *server = tls_of_url(exchange, err);
	const char *headers[4], *auth = may_authorize(exchange) ? auth_header_for(exchange) : NULL;
	char range[64];
	AUTO(free) char *type = NULL;
	struct fetch_spec request = {
		.method = spec->method,
		.url = exchange->url,
		.headers = headers,
		.proxy = registry_proxy(settings, is_tls),
		.no_proxy = registry_no_proxy(settings),
		.body = spec->body,
		.body_len = spec->body_len,
		.body_fd = spec->body_fd,
		.body_offset = spec->body_offset,
		.has_body = spec->has_body,
		.ctx = exchange,
		.on_header = take_header,
		.on_headers_end = headers_end,
		.on_data = take_data,
		.on_sent = body_sent,
		.done = request_done,
	};

	if (!server)
		return -1;
	request.tls = &server->tls;
	auth_forget(exchange->sent_auth);
	exchange->sent_auth = xstrdup(auth);
	if (auth)
		headers[request.header_count++] = auth;
	if (spec->header)
		headers[request.header_count++] = spec->header;
	if (spec->has_body || spec->content_type) {
		type = xformat("Content-Type:%s%s", spec->content_type ? " " : "",
			       spec->content_type ? spec->content_type : "");
		headers[request.header_count++] = type;
	}
	if (spec->on_data && exchange->received) {
		snprintf(range, sizeof(range), "Range: bytes=%llu-",
			 (unsigned long long)exchange->received);
		headers[request.header_count++] = range;
	}
	exchange->request = fetch_start(exchange->session->fetch, &request, err);
	return exchange->request ? 0 : -1;
}

static int begin_request(struct exchange *exchange, bool to_target, struct err *err)
{
	char *url = to_target ? xstrdup(exchange->target) : origin_url(exchange);

	free(exchange->url);
	exchange->url = url;
	exchange->is_at_target = to_target;
	exchange->status = 0;
	answer_clear(exchange);
	return start_request(exchange, err);
}

static void send_request(struct exchange *exchange, bool to_target)
{
	struct err err = ERR_NONE;

	if (begin_request(exchange, to_target, &err) < 0)
		finish(exchange, 0, &err);
}

struct exchange *exchange_start(struct session *session, const struct exchange_spec *spec,
				struct err *err)
{
	struct exchange *exchange = xcalloc(1, sizeof(*exchange));
	struct exchange_spec *copy = &exchange->spec;
	bool is_read = strcmp(spec->method, "GET") == 0 || strcmp(spec->method, "HEAD") == 0;
	unsigned flags =
		(spec->flags & (EXCHANGE_PUSH | EXCHANGE_ORIGIN_ONLY) ? REGISTRY_ORIGIN_ONLY : 0) |
		(spec->flags & EXCHANGE_BY_TAG ? REGISTRY_BY_TAG : 0);

	exchange->session = session;
	*copy = *spec;
	copy->domain = xstrdup(spec->domain);
	copy->path = xstrdup(spec->path);
	copy->method = xstrdup(spec->method);
	copy->what = xstrdup(spec->what);
	copy->url = xstrdup(spec->url);
	copy->header = xstrdup(spec->header);
	copy->content_type = xstrdup(spec->content_type);
	copy->mount_from = xstrdup(spec->mount_from);
	exchange->received = spec->on_data ? spec->offset_bytes : 0;
	if (registry_endpoints(session->settings, spec->domain, flags, &exchange->endpoints,
			       &exchange->endpoint_count, err) < 0 ||
	    (proto_begin(&exchange->proto, exchange->endpoint_count, is_read),
	     begin_request(exchange, false, err)) < 0) {
		free_exchange(exchange);
		return NULL;
	}
	return exchange;
}
