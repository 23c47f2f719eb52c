/* images/exchange_send - one request of an exchange: its address, its headers, its password.
 *
 * Owns: where Authorization may go. May not touch: the answer, the next step (images/exchange).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/text.h"
#include "images/exchange_state.h"

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
		.on_header = exchange_take_header,
		.on_headers_end = exchange_headers_end,
		.on_data = exchange_take_data,
		.on_sent = exchange_body_sent,
		.done = exchange_request_done,
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

int exchange_send(struct exchange *exchange, bool to_target, struct err *err)
{
	char *url = to_target ? xstrdup(exchange->target) : origin_url(exchange);

	free(exchange->url);
	exchange->url = url;
	exchange->is_at_target = to_target;
	exchange->status = 0;
	answer_clear(exchange);
	return start_request(exchange, err);
}
