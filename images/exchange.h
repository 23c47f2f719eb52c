/* images/exchange - one request to a registry from beginning to end: mirrors, tokens, redirects,
 * retries, resumption.
 *
 * proto decides, fetch carries, auth speaks. One thread (that of fetch's loop), never blocks. A
 * request that succeeds has had every byte delivered exactly once and in order, whatever happened
 * on the way. Source: distribution-spec 1.1.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/credentials.h"
#include "images/fetch.h"
#include "images/registry.h"

struct session;  /* tokens, credentials, limits seen: shared by all exchanges of a run */
struct exchange; /* one request */

struct session *session_new(struct fetch *fetch, struct registry_settings *settings);
void session_free(struct session *session); /* all exchanges must be over */
AUTO_TYPE(session, session_free);

/* What credentials_find gave for host (an endpoint's) and path; copied. Nothing added: anonymous.
 */
void session_add_credential(struct session *session, const char *host, const char *path,
			    const struct credential *credential);
bool session_has_credential(const struct session *session, const char *host, const char *path);

/* "99 of 100 pulls left in 6 h" as the host said last; false when it never did. */
bool session_rate_limit(const struct session *session, const char *host, char *out, size_t size);

#define EXCHANGE_PUSH        1u /* scope pull,push; the origin alone */
#define EXCHANGE_ORIGIN_ONLY 2u
#define EXCHANGE_BY_TAG      4u
#define EXCHANGE_ONCE                                                                              \
	8u /* a lost connection or a 5xx is told at once: the body must not be sent again */

struct exchange_answer {
	long status;
	const char *host; /* of the endpoint that served it */
	bool is_from_mirror;
	const char *content_type, *digest, *location, *range; /* "" when absent */
	const char *body; /* collected when no on_data was given; NUL-terminated */
	size_t body_len;
	uint64_t chunk_min_bytes; /* OCI-Chunk-Min-Length, 0: none */
	const char *url;          /* that was asked last, for a relative location */
};

struct exchange_spec {
	const char *domain, *path; /* path NULL: the root /v2/ */
	const char *method;
	const char *what;   /* behind /v2/PATH/: "manifests/latest" */
	const char *url;    /* instead of `what`: an absolute address at the same registry */
	const char *header; /* one further header line (Accept, Content-Range), or NULL */
	const char *content_type;
	const char *mount_from; /* a repository that the token must cover, too; or NULL */
	unsigned flags;

	const void *body; /* as in fetch_spec */
	size_t body_len;
	int body_fd;
	uint64_t body_offset;
	bool has_body;

	/* GET of a blob: bytes [offset, size) go to on_data, whole, once, in order. size
	 * UINT64_MAX: not known. Without on_data the body is collected up to body_max bytes. */
	uint64_t offset_bytes, size_bytes;
	size_t body_max_bytes;

	void *ctx;
	int (*on_data)(void *ctx, const char *bytes, size_t len); /* 0, FETCH_PAUSE, FETCH_STOP */
	/* A failure will be tried again after ms. May be NULL. */
	void (*on_wait)(void *ctx, const struct err *why, uint64_t ms);
	void (*on_sent)(void *ctx, uint64_t bytes); /* of the body, so far. May be NULL */
	int (*on_restart)(
		void *ctx); /* all so far is void, begin at 0: 0, or -1: cannot. May be NULL */
	/* err->code ERR_OK: answer has the last status (2xx). Else answer may hold a status, too.
	 * The exchange is gone after it. ERR_CANCELLED: on_data said FETCH_STOP. */
	void (*done)(void *ctx, const struct exchange_answer *answer, const struct err *err);
};

/* Strings are copied, bodies are not. done() may come before this returns only through the loop,
 * never at once. NULL with *err: broken settings of that host. */
struct exchange *exchange_start(struct session *session, const struct exchange_spec *spec,
				struct err *err);
void exchange_resume(struct exchange *exchange); /* after FETCH_PAUSE */
void exchange_cancel(
	struct exchange *exchange); /* done() is not called; not from its own callbacks */
