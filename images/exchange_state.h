/* images/exchange_state - what the files of exchange share; nobody else includes it. */
#pragma once
#include "images/auth.h"
#include "images/exchange.h"
#include "images/proto.h"
#include "images/ref.h"

#define EXCHANGE_URL_MAX   8192
#define EXCHANGE_ERROR_MAX 65536 /* bytes read of an error's body */

struct known_credential {
	char *host, *path; /* path NULL: the whole host */
	struct credential credential;
};

struct rate {
	char *host;
	uint64_t limit, window_s, remaining;
	bool has_remaining;
};

struct session {
	struct fetch *fetch;
	struct registry_settings *settings;
	struct auth_cache *tokens;
	struct known_credential *credentials;
	size_t credential_count;
	struct rate *rates;
	size_t rate_count;
};

/* The headers of one answer. */
struct head {
	char content_type[256], digest[160], range[96], content_range[96], retry_after[64];
	char *location;
	uint64_t chunk_min_bytes;
	struct auth_challenge challenge;
};

struct exchange {
	struct session *session;
	struct exchange_spec spec; /* texts are copies */
	struct proto proto;
	struct registry_endpoint **endpoints;
	size_t endpoint_count, at;

	struct fetch_request *request; /* in flight, or NULL */
	uint64_t timer;                /* fetch_after's number, 0: none */
	char *url;                     /* asked last */
	char *target;                  /* where a redirect led, or NULL */
	bool is_at_target;
	char *sent_auth;    /* the header that went along, or NULL */
	bool auth_is_fresh; /* it was fetched by this exchange */

	long status; /* of the answer whose body is coming in */
	struct head head;
	struct auth_challenge challenge; /* of the last 401 */
	char *token_text;                /* body of the token server's answer */
	size_t token_len;
	char *token_form; /* posted to it, or NULL */
	bool no_token_post;

	char *body; /* collected, or of an error */
	size_t body_len;
	uint64_t received; /* bytes delivered, the offset included */
	uint64_t skip;     /* bytes of a 200 that were delivered before */
	bool range_is_bad, was_stopped;
	struct err stop_err; /* why a callback of ours said FETCH_STOP */
};

struct registry_endpoint *exchange_endpoint(const struct exchange *exchange);
/* The name of the host that was asked last: the endpoint's, or the target's. */
void exchange_host(const struct exchange *exchange, char *out, size_t size);

/* exchange_answer.c: header lines, and what an unhappy status means in words. */
void answer_clear(struct exchange *exchange);
void answer_take_header(struct exchange *exchange, const char *line, size_t len);
int answer_take_error_body(struct exchange *exchange, const char *bytes, size_t len);
int answer_error(struct exchange *exchange, long status, struct err *err);
int answer_failure(struct exchange *exchange, const struct fetch_result *result, struct err *err);

/* exchange_auth.c: answers the challenge; exchange_event is called with PROTO_READY or a failure.
 */
const char *auth_header_for(struct exchange *exchange);
void exchange_authorize(struct exchange *exchange);

/* exchange.c: goes on with what happened; err says why for all but DONE, REDIRECT and READY. */
void exchange_event(struct exchange *exchange, enum proto_event event, const struct err *err);
void exchange_request_done(void *ctx, const struct fetch_result *result);

/* exchange_send.c: asks the endpoint (or the redirect's target); -1: it could not be started. */
int exchange_send(struct exchange *exchange, bool to_target, struct err *err);

/* exchange_body.c: callbacks of a request; ctx is the exchange. */
void exchange_take_header(void *ctx, long status, const char *line, size_t len);
int exchange_headers_end(void *ctx, long status, int64_t content_length);
int exchange_take_data(void *ctx, const char *bytes, size_t len);
void exchange_body_sent(void *ctx, uint64_t bytes);
