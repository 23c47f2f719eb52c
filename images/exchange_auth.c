/* images/exchange_auth - the answer to a 401: a password header, or a token from the token server.
 *
 * Owns: which credential goes where. May not touch: retries (proto), credential files.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "base/text.h"
#include "images/exchange_state.h"
#include "images/ref.h"

static char *cache_key(const struct exchange *exchange)
{
	const struct exchange_spec *spec = &exchange->spec;

	return xformat("%s\n%s\n%s\n%s", exchange_endpoint(exchange)->host,
		       spec->path ? spec->path : "", spec->flags & EXCHANGE_PUSH ? "push" : "pull",
		       spec->mount_from ? spec->mount_from : "");
}

const char *auth_header_for(struct exchange *exchange)
{
	AUTO(free) char *key = cache_key(exchange);

	return auth_cache_get(exchange->session->tokens, key, stamp_monotonic_us());
}

static void keep_header(struct exchange *exchange, char *header, uint64_t life_s)
{
	AUTO(free) char *key = cache_key(exchange);

	auth_cache_put(exchange->session->tokens, key, header, stamp_monotonic_us(), life_s);
	auth_forget(header);
	exchange->auth_is_fresh = true;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static const struct credential *credential_for(const struct session *session, const char *host,
					       const char *path)
{
	const struct credential *whole_host = NULL;

	for (size_t i = 0; i < session->credential_count; i++) {
		const struct known_credential *known = &session->credentials[i];

		if (strcasecmp(known->host, host) != 0)
			continue;
		if (same_text(known->path, path))
			return &known->credential;
		if (!known->path)
			whole_host = &known->credential;
	}
	return whole_host;
}

bool session_has_credential(const struct session *session, const char *host, const char *path)
{
	const struct credential *found = credential_for(session, host, path);

	return found && !credential_is_empty(found);
}

void session_add_credential(struct session *session, const char *host, const char *path,
			    const struct credential *credential)
{
	struct known_credential *known = xgrow(&session->credentials, &session->credential_count,
					       sizeof(*session->credentials));

	known->host = xstrdup(host);
	known->path = xstrdup(path);
	known->credential =
		(struct credential){ xstrdup(credential->user), xstrdup(credential->secret),
				     xstrdup(credential->identity_token),
				     xstrdup(credential->registry_token) };
}

static void fail(struct exchange *exchange, enum proto_event event, struct err *err)
{
	exchange_event(exchange, event, err);
}

static void send_token_request(struct exchange *exchange);

/* ---- the token server's answer ---- */

static int token_data(void *ctx, const char *bytes, size_t len)
{
	struct exchange *exchange = ctx;

	if (exchange->token_len + len > AUTH_TOKEN_MAX)
		return FETCH_STOP;
	exchange->token_text = xrealloc(exchange->token_text, exchange->token_len + len + 1, 1);
	memcpy(exchange->token_text + exchange->token_len, bytes, len);
	exchange->token_len += len;
	exchange->token_text[exchange->token_len] = '\0';
	return 0;
}

static void token_header(void *ctx, long status, const char *line, size_t len)
{
	struct slice name, value;
	struct exchange *exchange = ctx;

	(void)status;
	if (slice_split((struct slice){ line, len }, ':', &name, &value) &&
	    name.len == strlen("retry-after") && strncasecmp(name.at, "retry-after", name.len) == 0)
		snprintf(exchange->head.retry_after, sizeof(exchange->head.retry_after), "%.*s",
			 (int)(value.len < 60 ? value.len : 60), value.at);
}

static void token_denied(struct exchange *exchange, long status, const char *host)
{
	struct err err = ERR_NONE;
	enum proto_event event = proto_event_of_status(status);

	if (status == 401 || status == 403) {
		answer_error(exchange, status, &err);
	} else if (status == 429) {
		answer_error(exchange, status, &err);
	} else {
		err_set(&err, status >= 500 ? ERR_BUSY : ERR_INVALID,
			"token server %s: answers with status %ld", host, status);
		if (event == PROTO_REDIRECT || event == PROTO_BAD_RANGE)
			event = PROTO_REFUSED;
	}
	fail(exchange, event, &err);
}

static void token_done(void *ctx, const struct fetch_result *result)
{
	struct exchange *exchange = ctx;
	char host[REF_NAME_MAX + 1] = "";
	char *token = NULL;
	uint64_t life_s = 0;
	struct err err = ERR_NONE;
	bool is_tls, was_post = exchange->token_form != NULL;

	exchange->request = NULL;
	registry_url_host(exchange->challenge.realm, &is_tls, host, sizeof(host));
	auth_forget(exchange->token_form);
	exchange->token_form = NULL;
	if (result->failure != FETCH_OK) {
		err_set(&err, ERR_BUSY, "token server %s: %.150s", host, result->text);
		fail(exchange, proto_event_of_failure(result->failure), &err);
	} else if (was_post &&
		   (result->status == 404 || result->status == 405 || result->status == 501)) {
		exchange->no_token_post = true;
		send_token_request(exchange);
	} else if (result->status != 200) {
		token_denied(exchange, result->status, host);
	} else if (auth_token_parse(exchange->token_text ? exchange->token_text : "",
				    exchange->token_len, &token, &life_s, &err) < 0) {
		err_wrap(&err, "token server %s", host);
		fail(exchange, PROTO_REFUSED, &err);
	} else {
		keep_header(exchange, auth_bearer_header(token), life_s);
		auth_forget(token);
		exchange_event(exchange, PROTO_READY, NULL);
	}
}

/* ---- the request to it ---- */

/* A token server without TLS hears nothing of us unless both ends are allowed to be insecure. */
static int check_realm(struct exchange *exchange, struct registry_endpoint **out_server,
		       struct err *err)
{
	struct registry_settings *settings = exchange->session->settings;
	char host[REF_NAME_MAX + 1];
	bool is_tls;

	if (!registry_url_host(exchange->challenge.realm, &is_tls, host, sizeof(host)))
		return err_set(err, ERR_INVALID,
			       "registry %s: names a token server whose address is no http(s) URL",
			       exchange_endpoint(exchange)->host);
	if (!is_tls &&
	    !(exchange_endpoint(exchange)->allows_http && registry_is_insecure(settings, host)))
		return err_set(err, ERR_DENIED,
			       "registry %s: its token server %s speaks plain HTTP; no password is "
			       "sent there",
			       exchange_endpoint(exchange)->host, host);
	*out_server = registry_endpoint_of(settings, host, err);
	return *out_server ? 0 : -1;
}

static void list_scopes(const struct exchange *exchange, char *scopes[3])
{
	const struct exchange_spec *spec = &exchange->spec;
	size_t count = 0;

	memset(scopes, 0, 3 * sizeof(*scopes));
	if (spec->path)
		scopes[count++] = xformat("repository:%s:%s", spec->path,
					  spec->flags & EXCHANGE_PUSH ? "pull,push" : "pull");
	if (spec->mount_from)
		scopes[count++] = xformat("repository:%s:pull", spec->mount_from);
}

static void send_token_request(struct exchange *exchange)
{
	const struct registry_settings *settings = exchange->session->settings;
	const struct credential *known = credential_for(
		exchange->session, exchange_endpoint(exchange)->host, exchange->spec.path);
	const char *identity = known ? known->identity_token : NULL;
	bool is_post = identity && !exchange->no_token_post;
	struct registry_endpoint *server = NULL;
	AUTO(free) char *url = NULL;
	AUTO(secret) char *basic = NULL;
	struct err err = ERR_NONE;
	char *scopes[3];
	const char *headers[1];

	list_scopes(exchange, scopes);
	if (check_realm(exchange, &server, &err) == 0 &&
	    auth_token_url(&exchange->challenge, (const char *const *)scopes, &url, &err) == 0) {
		struct fetch_spec spec = {
			.method = is_post ? "POST" : "GET",
			.url = is_post ? exchange->challenge.realm : url,
			.headers = headers,
			.tls = &server->tls,
			.proxy = registry_proxy(settings, url[4] == 's'),
			.no_proxy = registry_no_proxy(settings),
			.body_fd = -1,
			.ctx = exchange,
			.on_header = token_header,
			.on_data = token_data,
			.done = token_done,
		};

		if (is_post) {
			exchange->token_form = auth_token_form(
				&exchange->challenge, (const char *const *)scopes, identity);
			spec.body = exchange->token_form;
			spec.body_len = strlen(exchange->token_form);
			spec.has_body = true;
			headers[spec.header_count++] =
				"Content-Type: application/x-www-form-urlencoded";
		} else if (identity || (known && known->user)) {
			basic = auth_basic_header(known->user ? known->user : "<token>",
						  identity ? identity : known->secret);
			headers[spec.header_count++] = basic;
		}
		exchange->token_len = 0;
		exchange->request = fetch_start(exchange->session->fetch, &spec, &err);
	}
	free(scopes[0]);
	free(scopes[1]);
	if (!exchange->request)
		fail(exchange, PROTO_REFUSED, &err);
}

static void authorize_basic(struct exchange *exchange)
{
	const struct credential *known = credential_for(
		exchange->session, exchange_endpoint(exchange)->host, exchange->spec.path);
	struct err err = ERR_NONE;

	if (!known || !known->user || !known->secret) {
		answer_error(exchange, 401, &err);
		fail(exchange, PROTO_REFUSED, &err);
		return;
	}
	keep_header(exchange, auth_basic_header(known->user, known->secret), 0);
	exchange_event(exchange, PROTO_READY, NULL);
}

void exchange_authorize(struct exchange *exchange)
{
	const char *host = exchange_endpoint(exchange)->host;
	const struct credential *known =
		credential_for(exchange->session, host, exchange->spec.path);
	const char *cached = auth_header_for(exchange);
	struct err err = ERR_NONE;

	/* Somebody else of this run has fetched a newer one in the meantime. */
	if (cached && !same_text(cached, exchange->sent_auth)) {
		exchange_event(exchange, PROTO_READY, NULL);
		return;
	}
	switch (exchange->challenge.scheme) {
	case AUTH_BASIC:
		authorize_basic(exchange);
		return;
	case AUTH_BEARER:
		if (known && known->registry_token) {
			keep_header(exchange, auth_bearer_header(known->registry_token), 0);
			exchange_event(exchange, PROTO_READY, NULL);
			return;
		}
		send_token_request(exchange);
		return;
	case AUTH_OTHER:
		err_set(&err, ERR_UNSUPPORTED, "registry %s: wants authentication by \"%.30s\"",
			host, text_plain(exchange->challenge.name));
		break;
	case AUTH_NONE:
		answer_error(exchange, 401, &err);
		break;
	}
	fail(exchange, PROTO_REFUSED, &err);
}
