/* images/proto - what to do next with one registry request: a state table.
 *
 * Pure: an event in, a step out; clock and dice are handed in. One request is one struct proto.
 * Source: distribution-spec 1.1; RFC 9110 (Retry-After, ranges). The table has a cell for every
 * pair.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/fetch.h"

enum proto_state {
	PROTO_AT_ORIGIN, /* a request to the endpoint is in flight */
	PROTO_AT_TARGET, /* one to where a redirect led */
	PROTO_AT_AUTH,   /* a token is being fetched */
	PROTO_WAITING,   /* before a further attempt */
	PROTO_OVER,
	PROTO_STATE_COUNT
};

enum proto_event {
	PROTO_DONE,         /* 2xx, the whole body */
	PROTO_REDIRECT,     /* 301 302 303 307 308 */
	PROTO_UNAUTHORIZED, /* 401 */
	PROTO_FORBIDDEN,    /* 403 */
	PROTO_MISSING,      /* 404 */
	PROTO_LATER,        /* 408 425 429 500 502 503 504 */
	PROTO_CUT,          /* connection lost, refused, timed out, short body */
	PROTO_BAD_RANGE,    /* 416, or a range that was not asked for */
	PROTO_REFUSED,      /* everything else: final */
	PROTO_READY,        /* the token is there (AT_AUTH), the wait is over (WAITING) */
	PROTO_EVENT_COUNT
};

enum proto_step {
	PROTO_SEND_ORIGIN,   /* the current endpoint, from the bytes received so far */
	PROTO_SEND_TARGET,   /* where the redirect leads */
	PROTO_AUTHORIZE,     /* answer the challenge, then PROTO_READY */
	PROTO_WAIT,          /* wait_ms, then PROTO_READY */
	PROTO_NEXT_ENDPOINT, /* drop what is known of this one, then SEND_ORIGIN at the next */
	PROTO_RESTART,       /* forget the bytes received, then SEND_ORIGIN */
	PROTO_SUCCEED,
	PROTO_FAIL,      /* with the error of this event */
	PROTO_FAIL_RATE, /* Retry-After asks for more than we are willing to wait */
};

/* What happened, beside the event itself. */
struct proto_news {
	int64_t retry_after_ms;  /* -1: not told */
	uint64_t progress_bytes; /* received since the request began, all attempts together */
	uint32_t dice;           /* any random number */
	bool token_was_refused;  /* 401 although a token or password went along */
	bool token_is_stale; /* ... and error="invalid_token", or a token older than this request */
	bool refused_connection; /* nobody listens: fewer attempts */
};

struct proto {
	enum proto_state state;
	size_t endpoints_left; /* further ones behind the current */
	bool may_redirect;     /* GET and HEAD */
	/* The table's own. */
	enum proto_state wait_for;
	unsigned attempts, total_attempts, redirects, refreshes, target_losses, restarts;
	uint64_t progress_mark, refresh_mark;
	uint64_t wait_ms; /* with PROTO_WAIT */
};

/* A new request, before anything was sent. */
void proto_begin(struct proto *proto, size_t endpoint_count, bool may_redirect);
/* What to do after the event; changes the state. Not to be called after SUCCEED and FAIL*. */
enum proto_step proto_next(struct proto *proto, enum proto_event event,
			   const struct proto_news *news);

/* The event of an answer's status, and of a failure of the transport. */
enum proto_event proto_event_of_status(long status);
enum proto_event proto_event_of_failure(enum fetch_failure failure);
/* "120" or an HTTP date to ms from now (0 when it is past); -1: neither. */
int64_t proto_retry_after_ms(const char *value, uint64_t now_unix_s);
/* "bytes 100-199/200": true and all three (total UINT64_MAX for '*'). */
bool proto_content_range(const char *value, uint64_t *out_first, uint64_t *out_last,
			 uint64_t *out_total);
