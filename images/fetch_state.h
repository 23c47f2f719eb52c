/* images/fetch_state - what the files of fetch share; nobody else includes it. */
#pragma once
#include <sys/queue.h>

#include "images/curl_lib.h"
#include "images/fetch.h"

struct fetch_timer;

struct fetch_request {
	LIST_ENTRY(fetch_request) link;
	struct fetch *fetch;
	struct fetch_spec spec; /* callbacks, body; url and headers are not used after the start */
	CURL *easy;
	struct curl_slist *headers;
	struct curl_blob ca_blob;
	char error[CURL_ERROR_SIZE];
	size_t header_bytes, sent;
	long status;
	int64_t content_length;
	uint64_t body_bytes;
	uint64_t late; /* timer that ends a request which was stopped while it was resumed */
	bool headers_over, stopped, too_large;
};

struct fetch {
	struct fetch_loop loop;
	struct curl_lib curl;
	CURLM *multi;
	LIST_HEAD(, fetch_request) requests;
	LIST_HEAD(, fetch_timer) timers;
	uint64_t next_number, curl_due_us; /* 0: curl waits for nothing */
};

#define FETCH_HEADERS_MAX_BYTES 65536

/* fetch_timer.c: one timer of the caller's loop for curl and for all of fetch_after. */
int fetch_curl_wants_timer(CURLM *multi, long ms, void *ctx);
void fetch_timers_arm(struct fetch *fetch);
void fetch_timers_run(struct fetch *fetch, uint64_t now_us);
void fetch_timers_free(struct fetch *fetch);

/* fetch_request.c: every option of a new request, its callbacks included. */
void fetch_request_set(struct fetch_request *request);
