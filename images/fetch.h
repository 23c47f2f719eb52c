/* images/fetch - HTTP: one curl multi handle, driven by the caller's loop through callbacks.
 *
 * fetch, fetch_request and fetch_timer alone know libcurl (images/curl_lib). One thread: every
 * function here belongs to the thread that runs the loop, and every callback is called on it.
 * Nothing blocks but name resolution threads of curl's own. Redirects are not followed, nothing is
 * decoded, no cookie, no netrc: proto decides.
 *
 * The caller's loop gives two things (struct fetch_loop): "tell me when this socket is ready" and
 * "call me after so many ms". It calls fetch_socket_ready and fetch_timer_due back.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

#define FETCH_READ  1u
#define FETCH_WRITE 2u

struct fetch_loop {
	void *ctx;
	/* Watch socket_fd for `what` (FETCH_READ|FETCH_WRITE); 0: forget it, it is about to close.
	 */
	void (*watch)(void *ctx, int socket_fd, unsigned what);
	/* One timer: call fetch_timer_due once after ms; a new call replaces the old; -1: none. */
	void (*timer)(void *ctx, long ms);
};

struct fetch;         /* the multi handle, its connections and timers */
struct fetch_request; /* one request in flight */

/* ERR_NOT_FOUND when this machine has no libcurl. */
struct fetch *fetch_new(const struct fetch_loop *loop, unsigned max_host_connections,
			struct err *err);
void fetch_free(struct fetch *fetch); /* cancels what is in flight, without calling done */
AUTO_TYPE(fetch, fetch_free);

void fetch_socket_ready(struct fetch *fetch, int socket_fd, unsigned what);
void fetch_timer_due(struct fetch *fetch);

/* A callback after ms, once. Returns a number for fetch_after_cancel. */
uint64_t fetch_after(struct fetch *fetch, uint64_t ms, void (*call)(void *ctx), void *ctx);
void fetch_after_cancel(struct fetch *fetch, uint64_t number);

/* How the TLS side of a host is to be judged. Borrowed until the request is done. */
struct fetch_tls {
	const char *ca_bundle; /* PEM text of further CAs beside the system's; NULL: none */
	size_t ca_bundle_len;
	const char *cert_path, *key_path; /* client pair; or NULL */
	bool no_verify;
};

enum fetch_failure {
	FETCH_OK,
	FETCH_CUT,      /* reset, short body, stalled: may be tried again */
	FETCH_CONNECT,  /* refused, unreachable, timed out: may be tried again */
	FETCH_RESOLVE,  /* the name has no address: may be tried again */
	FETCH_TLS,      /* certificate or handshake: final */
	FETCH_NOT_TLS,  /* the port speaks something else than TLS */
	FETCH_PROTOCOL, /* no HTTP, headers too large, other: final */
	FETCH_STOPPED,  /* a callback said stop */
};

/* What came back. Texts live until done() returns. */
struct fetch_result {
	enum fetch_failure failure;
	char text[200]; /* one line for failure != FETCH_OK, without the URL */
	long status;    /* 0 when no answer came */
	uint64_t body_bytes;
	int64_t content_length; /* -1: not told */
};

#define FETCH_PAUSE (-1) /* on_data: keep it, ask again after fetch_resume */
#define FETCH_STOP  (-2) /* on_data, on_headers: end this request (FETCH_STOPPED) */

struct fetch_spec {
	const char *method; /* "GET" "HEAD" "POST" "PUT" "PATCH" "DELETE" */
	const char *url;
	const char *const *headers; /* "Name: value", count below */
	size_t header_count;
	const struct fetch_tls *tls; /* NULL: system CAs */
	const char *proxy;           /* NULL: none */
	const char *no_proxy; /* hosts, .suffixes, addresses and CIDRs that go direct; or NULL */

	const void *body; /* sent as it is; or */
	size_t body_len;
	int body_fd; /* read by pread from body_offset, body_len bytes, when body is NULL; -1: none.
			Borrowed */
	uint64_t body_offset;
	bool has_body;

	unsigned stall_s; /* no byte for so long: a cut; 0: 30 */

	void *ctx;
	/* One header line without its end, and the status it belongs to (interim 1xx not shown).
	 * May be NULL. */
	void (*on_header)(void *ctx, long status, const char *line, size_t len);
	/* Once, before the first byte of the body (or before done when there is none): 0 or
	 * FETCH_STOP. May be NULL. */
	int (*on_headers_end)(void *ctx, long status, int64_t content_length);
	/* 0, FETCH_PAUSE or FETCH_STOP. NULL: the body is dropped. */
	int (*on_data)(void *ctx, const char *bytes, size_t len);
	void (*on_sent)(void *ctx, uint64_t bytes); /* of the body, so far. May be NULL */
	/* Last call; the request is gone after it. May start further requests. */
	void (*done)(void *ctx, const struct fetch_result *result);
};

/* Copies what it needs of the spec but tls, body and fds. NULL with *err when it cannot start. */
struct fetch_request *fetch_start(struct fetch *fetch, const struct fetch_spec *spec,
				  struct err *err);
void fetch_resume(struct fetch_request *request); /* after FETCH_PAUSE */
/* done() is not called any more. Not from within a callback of the same request: FETCH_STOP there.
 */
void fetch_cancel(struct fetch_request *request);

/* The absolute form of a Location seen at base_url; NULL when it is no URL. To be freed. */
char *fetch_url_join(struct fetch *fetch, const char *base_url, const char *location);
