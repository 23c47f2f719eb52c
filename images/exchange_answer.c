/* images/exchange_answer - answers of a registry: header lines, and errors in one line for people.
 *
 * Owns: which headers count, the words for a status. May not touch: what is done about it (proto).
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "images/exchange_state.h"

#define SERVER_TEXT_MAX 100

void answer_clear(struct exchange *exchange)
{
	free(exchange->head.location);
	memset(&exchange->head, 0, sizeof(exchange->head));
	exchange->body_len = 0;
	exchange->range_is_bad = false;
	exchange->stop_err = ERR_NONE;
	exchange->skip = 0;
}

static struct rate *rate_of(struct session *session, const char *host)
{
	struct rate *rate;

	for (size_t i = 0; i < session->rate_count; i++)
		if (strcmp(session->rates[i].host, host) == 0)
			return &session->rates[i];
	rate = xgrow(&session->rates, &session->rate_count, sizeof(*session->rates));
	rate->host = xstrdup(host);
	return rate;
}

/* "100;w=21600" */
static void note_rate(struct exchange *exchange, struct slice value, bool is_remaining)
{
	struct rate *rate = rate_of(exchange->session, exchange_endpoint(exchange)->host);
	struct slice number, window, name;
	struct err ignored = ERR_NONE;
	uint64_t count;

	slice_split(value, ';', &number, &window);
	if (num_parse_u64("limit", number.at, number.len, 0, UINT32_MAX, &count, &ignored) < 0)
		return;
	if (is_remaining) {
		rate->remaining = count;
		rate->has_remaining = true;
	} else {
		rate->limit = count;
	}
	if (slice_split(window, '=', &name, &window))
		num_parse_u64("window", window.at, window.len, 1, UINT32_MAX, &rate->window_s,
			      &ignored);
}

static void copy_text(char *out, size_t size, struct slice value)
{
	snprintf(out, size, "%.*s", (int)(value.len < size ? value.len : size - 1), value.at);
	text_plain(out);
}

static bool name_is(struct slice name, const char *wanted)
{
	return name.len == strlen(wanted) && strncasecmp(name.at, wanted, name.len) == 0;
}

void answer_take_header(struct exchange *exchange, const char *line, size_t len)
{
	struct head *head = &exchange->head;
	const struct {
		const char *name;
		char *field;
		size_t size;
	} fields[] = {
		{"content-type",           head->content_type,  sizeof(head->content_type) },
		{ "docker-content-digest", head->digest,        sizeof(head->digest)       },
		{ "content-range",         head->content_range, sizeof(head->content_range)},
		{ "range",                 head->range,         sizeof(head->range)        },
		{ "retry-after",           head->retry_after,   sizeof(head->retry_after)  },
	};
	struct err ignored = ERR_NONE;
	struct slice name, value;

	if (!slice_split((struct slice){ line, len }, ':', &name, &value))
		return;
	value = slice_trim(value);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (name_is(name, fields[i].name))
			copy_text(fields[i].field, fields[i].size, value);
	if (name_is(name, "www-authenticate"))
		auth_challenge_add(&head->challenge, value.at, value.len);
	else if (name_is(name, "location") && value.len < EXCHANGE_URL_MAX) {
		free(head->location);
		head->location = xstrndup(value.at, value.len);
	} else if (name_is(name, "oci-chunk-min-length"))
		num_parse_u64("length", value.at, value.len, 0, UINT32_MAX, &head->chunk_min_bytes,
			      &ignored);
	else if (name_is(name, "ratelimit-limit"))
		note_rate(exchange, value, false);
	else if (name_is(name, "ratelimit-remaining"))
		note_rate(exchange, value, true);
}

int answer_take_error_body(struct exchange *exchange, const char *bytes, size_t len)
{
	size_t room = EXCHANGE_ERROR_MAX - exchange->body_len;

	if (len > room)
		len = room;
	exchange->body = xrealloc(exchange->body, exchange->body_len + len + 1, 1);
	memcpy(exchange->body + exchange->body_len, bytes, len);
	exchange->body_len += len;
	exchange->body[exchange->body_len] = '\0';
	return room == 0 ? FETCH_STOP : 0;
}

/* " (CODE: message)" of {"errors":[{code,message}]}, or "". */
static void server_text(const struct exchange *exchange, char *out, size_t size)
{
	struct err ignored = ERR_NONE;
	AUTO(json) struct json_object *root = NULL;
	struct json_object *first;
	const char *code, *message;

	out[0] = '\0';
	if (exchange->body_len == 0)
		return;
	root = json_parse("error", exchange->body, exchange->body_len, &ignored);
	first = json_array_at(root, "errors");
	first = json_array_count(first) ? json_object_array_get_idx(first, 0) : NULL;
	code = json_text_or(first, "code", "");
	message = json_text_or(first, "message", "");
	if (*code || *message)
		snprintf(out, size, " (%.40s%s%.80s)", code, *code && *message ? ": " : "",
			 message);
	text_plain(out);
}

static void window_text(uint64_t seconds, char *out, size_t size)
{
	if (seconds >= 3600)
		snprintf(out, size, "%llu h", (unsigned long long)seconds / 3600);
	else
		snprintf(out, size, "%llu min", (unsigned long long)(seconds + 59) / 60);
}

bool session_rate_limit(const struct session *session, const char *host, char *out, size_t size)
{
	char window[32];

	for (size_t i = 0; i < session->rate_count; i++) {
		const struct rate *rate = &session->rates[i];

		if (strcmp(rate->host, host) != 0 || !rate->has_remaining)
			continue;
		window_text(rate->window_s, window, sizeof(window));
		snprintf(out, size, "%llu of %llu pulls left in %s",
			 (unsigned long long)rate->remaining, (unsigned long long)rate->limit,
			 window);
		return true;
	}
	return false;
}

static int rate_error(struct exchange *exchange, struct err *err)
{
	const char *host = exchange_endpoint(exchange)->host;
	char limit[64] = "", window[32];

	for (size_t i = 0; i < exchange->session->rate_count; i++) {
		const struct rate *rate = &exchange->session->rates[i];

		if (strcmp(rate->host, host) != 0 || !rate->limit)
			continue;
		window_text(rate->window_s, window, sizeof(window));
		snprintf(limit, sizeof(limit), " (%llu pulls per %s)",
			 (unsigned long long)rate->limit, window);
	}
	if (exchange->head.retry_after[0])
		return err_set(
			err, ERR_BUSY,
			"rate limit of %s reached%s; log in, use a mirror, or try again after "
			"%.40s%s",
			host, limit, exchange->head.retry_after,
			strchr(exchange->head.retry_after, ':') ? "" : " s");
	return err_set(err, ERR_BUSY, "rate limit of %s reached%s; log in or use a mirror", host,
		       limit);
}

static int denied_error(struct exchange *exchange, const char *server, struct err *err)
{
	const char *host = exchange_endpoint(exchange)->host;
	const char *domain = exchange->spec.domain;

	if (exchange->is_at_target)
		return err_set(err, ERR_DENIED, "the storage behind registry %s denies access%s",
			       host, server);
	if (strcmp(domain, "docker.io") == 0 && exchange->spec.path)
		return err_set(err, ERR_DENIED, "not found, or access denied (try: stack login)");
	if (session_has_credential(exchange->session, host, exchange->spec.path))
		return err_set(
			err, ERR_DENIED,
			"registry %s: access denied: wrong user name or password, or no right "
			"to this repository%s",
			host, server);
	return err_set(err, ERR_DENIED, "registry %s: access denied (try: stack login %s)%s", host,
		       domain, server);
}

int answer_error(struct exchange *exchange, long status, struct err *err)
{
	char server[SERVER_TEXT_MAX * 2], host[REF_NAME_MAX + 1];

	server_text(exchange, server, sizeof(server));
	exchange_host(exchange, host, sizeof(host));
	if (status == 429)
		return rate_error(exchange, err);
	if (status == 401 || status == 403)
		return denied_error(exchange, server, err);
	if (status == 404 && strcmp(exchange->spec.domain, "docker.io") == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "not found, or access denied (try: stack login)");
	if (status == 404)
		return err_set(err, ERR_NOT_FOUND, "not found in registry %s%s", host, server);
	if (status >= 300 && status < 400)
		return err_set(err, ERR_INVALID, "registry %s: too many or unusable redirects",
			       host);
	return err_set(err, status >= 500 ? ERR_BUSY : ERR_INVALID,
		       "registry %s: answers with status %ld%s", host, status, server);
}

int answer_failure(struct exchange *exchange, const struct fetch_result *result, struct err *err)
{
	/* clang-format off */
	static const struct {
		enum err_code code;
		const char *text;
	} words[] = {
		[FETCH_CUT] = { ERR_BUSY, "connection lost" },
		[FETCH_CONNECT] = { ERR_BUSY, "cannot connect" },
		[FETCH_RESOLVE] = { ERR_BUSY, "no address" },
		[FETCH_TLS] = { ERR_DENIED, "TLS" },
		[FETCH_PROTOCOL] = { ERR_INVALID, "no proper HTTP" },
		[FETCH_STOPPED] = { ERR_CANCELLED, "stopped" },
	};
	/* clang-format on */
	char host[REF_NAME_MAX + 1];

	exchange_host(exchange, host, sizeof(host));
	if (result->failure == FETCH_NOT_TLS)
		return err_set(
			err, ERR_DENIED,
			"registry %s speaks plain HTTP; list it under insecure-registries in "
			"the settings to allow that",
			host);
	return err_set(err, words[result->failure].code, "registry %s: %s: %.120s", host,
		       words[result->failure].text, result->text);
}
