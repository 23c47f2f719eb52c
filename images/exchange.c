/* images/exchange - carries out what proto decides, on fetch.
 *
 * Owns: the life of one request, from outcome to next step.
 * May not touch: what the bytes mean, files. Its other halves: exchange_send, exchange_body.
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

static void send_request(struct exchange *exchange, bool to_target)
{
	struct err err = ERR_NONE;

	if (exchange_send(exchange, to_target, &err) < 0)
		finish(exchange, 0, &err);
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
			       ? fetch_url_join(exchange->session->fetch, exchange->url,
						exchange->head.location)
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

void exchange_request_done(void *ctx, const struct fetch_result *result)
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
	     exchange_send(exchange, false, err)) < 0) {
		free_exchange(exchange);
		return NULL;
	}
	return exchange;
}
