/* images/fetch - one curl multi handle on somebody else's loop.
 *
 * Owns: the life of requests, how curl's errors are told apart.
 * May not touch: what a status means, retries, redirects, credentials (images/proto, images/auth).
 */
#include "images/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "base/text.h"
#include "images/fetch_state.h"

/* clang-format off */
static const struct {
	CURLcode code;
	enum fetch_failure failure;
} failures[] = {
	{ CURLE_OK, FETCH_OK },
	{ CURLE_COULDNT_RESOLVE_HOST, FETCH_RESOLVE },  { CURLE_COULDNT_RESOLVE_PROXY, FETCH_RESOLVE },
	{ CURLE_COULDNT_CONNECT, FETCH_CONNECT },       { CURLE_INTERFACE_FAILED, FETCH_CONNECT },
	{ CURLE_PARTIAL_FILE, FETCH_CUT },              { CURLE_RECV_ERROR, FETCH_CUT },
	{ CURLE_SEND_ERROR, FETCH_CUT },                { CURLE_GOT_NOTHING, FETCH_CUT },
	{ CURLE_HTTP2, FETCH_CUT },                     { CURLE_HTTP2_STREAM, FETCH_CUT },
	{ CURLE_SSL_CONNECT_ERROR, FETCH_TLS },         { CURLE_PEER_FAILED_VERIFICATION, FETCH_TLS },
	{ CURLE_SSL_CERTPROBLEM, FETCH_TLS },           { CURLE_SSL_CIPHER, FETCH_TLS },
	{ CURLE_SSL_CACERT_BADFILE, FETCH_TLS },        { CURLE_SSL_ISSUER_ERROR, FETCH_TLS },
	{ CURLE_WRITE_ERROR, FETCH_STOPPED },           { CURLE_ABORTED_BY_CALLBACK, FETCH_STOPPED },
};
/* clang-format on */

static int curl_wants_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct fetch *fetch = ctx;
	unsigned watch = 0;

	(void)easy;
	(void)socket_ctx;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		watch |= FETCH_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		watch |= FETCH_WRITE;
	fetch->loop.watch(fetch->loop.ctx, fd, watch);
	return 0;
}

/* ---- requests ---- */

static void free_request(struct fetch_request *request)
{
	const struct curl_lib *curl = &request->fetch->curl;

	LIST_REMOVE(request, link);
	if (request->late)
		fetch_after_cancel(request->fetch, request->late);
	curl->multi_remove_handle(request->fetch->multi, request->easy);
	curl->easy_cleanup(request->easy);
	curl->slist_free_all(request->headers);
	free(request);
}

static enum fetch_failure failure_of(const struct fetch_request *request, CURLcode code)
{
	const struct curl_lib *curl = &request->fetch->curl;
	curl_off_t connected_us = 0;
	const char *text = request->error;

	if (request->stopped)
		return FETCH_STOPPED;
	if (request->too_large)
		return FETCH_PROTOCOL;
	if (code == CURLE_OPERATION_TIMEDOUT) {
		curl->easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
		return connected_us ? FETCH_CUT : FETCH_CONNECT;
	}
	if (code == CURLE_SSL_CONNECT_ERROR &&
	    (strstr(text, "wrong version number") || strstr(text, "packet length too long") ||
	     strstr(text, "http request")))
		return FETCH_NOT_TLS;
	if (code == CURLE_SSL_CONNECT_ERROR &&
	    (strstr(text, "SYSCALL") || strstr(text, "reset by peer") ||
	     strstr(text, "unexpected eof")))
		return FETCH_CONNECT;
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].code == code)
			return failures[i].failure;
	return FETCH_PROTOCOL;
}

static void finish(struct fetch_request *request, CURLcode code)
{
	struct fetch_result result = {
		.failure = failure_of(request, code),
		.status = request->status,
		.body_bytes = request->body_bytes,
		.content_length = request->content_length,
	};
	const struct curl_lib *curl = &request->fetch->curl;
	struct fetch_spec spec = request->spec;
	long os_error = 0;

	curl->easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &os_error);
	if (request->too_large)
		snprintf(result.text, sizeof(result.text), "headers above %d bytes",
			 FETCH_HEADERS_MAX_BYTES);
	else if (code == CURLE_COULDNT_CONNECT && os_error > 0)
		snprintf(result.text, sizeof(result.text), "%s", strerrordesc_np((int)os_error));
	else if (result.failure != FETCH_OK)
		snprintf(result.text, sizeof(result.text), "%.190s",
			 request->error[0] ? request->error : curl->easy_strerror(code));
	text_plain(result.text);
	free_request(request);
	spec.done(spec.ctx, &result);
}

static void collect(struct fetch *fetch)
{
	const struct curl_lib *curl = &fetch->curl;
	struct fetch_request *request = NULL;
	CURLMsg *message;
	int left;

	while ((message = curl->multi_info_read(fetch->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		finish(request, code);
	}
}

static void act(struct fetch *fetch, curl_socket_t fd, int what)
{
	int running;

	fetch->curl.multi_socket_action(fetch->multi, fd, what, &running);
	collect(fetch);
}

void fetch_socket_ready(struct fetch *fetch, int socket_fd, unsigned what)
{
	act(fetch, socket_fd,
	    (what & FETCH_READ ? CURL_CSELECT_IN : 0) |
		    (what & FETCH_WRITE ? CURL_CSELECT_OUT : 0));
}

void fetch_timer_due(struct fetch *fetch)
{
	uint64_t now = stamp_monotonic_us();

	fetch_timers_run(fetch, now);
	if (fetch->curl_due_us && fetch->curl_due_us <= now) {
		fetch->curl_due_us = 0;
		act(fetch, CURL_SOCKET_TIMEOUT, 0);
	}
	collect(fetch);
	fetch_timers_arm(fetch);
}

struct fetch_request *fetch_start(struct fetch *fetch, const struct fetch_spec *spec,
				  struct err *err)
{
	struct fetch_request *request = xcalloc(1, sizeof(*request));
	const struct curl_lib *curl = &fetch->curl;
	CURLMcode code;

	request->fetch = fetch;
	request->spec = *spec;
	request->content_length = -1;
	request->easy = curl->easy_init();
	LIST_INSERT_HEAD(&fetch->requests, request, link);
	request->headers = curl->slist_append(NULL, "Expect:");
	for (size_t i = 0; i < spec->header_count; i++)
		request->headers = curl->slist_append(request->headers, spec->headers[i]);
	if (!request->easy) {
		free_request(request);
		return err_set(err, ERR_SYSTEM, "curl has no handle left"), NULL;
	}
	fetch_request_set(request);
	code = curl->multi_add_handle(fetch->multi, request->easy);
	if (code != CURLM_OK) {
		free_request(request);
		return err_set(err, ERR_INTERNAL, "curl: %s", curl->multi_strerror(code)), NULL;
	}
	return request;
}

static void finish_late(void *ctx)
{
	struct fetch_request *request = ctx;

	request->late = 0;
	finish(request, CURLE_WRITE_ERROR);
}

/* Curl hands over what it kept at once; when that is refused, it tells only us. */
void fetch_resume(struct fetch_request *request)
{
	if (request->fetch->curl.easy_pause(request->easy, CURLPAUSE_CONT) != CURLE_OK &&
	    !request->late)
		request->late = fetch_after(request->fetch, 0, finish_late, request);
}

void fetch_cancel(struct fetch_request *request)
{
	free_request(request);
}

char *fetch_url_join(struct fetch *fetch, const char *base_url, const char *location)
{
	const struct curl_lib *curl = &fetch->curl;
	CURLU *url = curl->url();
	char *text = NULL, *copy = NULL;

	if (curl->url_set(url, CURLUPART_URL, base_url, 0) == CURLUE_OK &&
	    curl->url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
	    curl->url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
		copy = xstrdup(text);
	curl->free(text);
	curl->url_cleanup(url);
	return copy;
}

struct fetch *fetch_new(const struct fetch_loop *loop, unsigned max_host_connections,
			struct err *err)
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));
	const struct curl_lib *curl = &fetch->curl;

	if (curl_lib_load(&fetch->curl, err) < 0) {
		free(fetch);
		return NULL;
	}
	fetch->loop = *loop;
	fetch->multi = curl->multi_init();
	LIST_INIT(&fetch->requests);
	LIST_INIT(&fetch->timers);
	curl->multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
	curl->multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
	curl->multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, fetch_curl_wants_timer);
	curl->multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
	curl->multi_setopt(fetch->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_host_connections);
	return fetch;
}

void fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	while (!LIST_EMPTY(&fetch->requests))
		/* analyzer: it leaves the list before it is freed */
		free_request(LIST_FIRST(&fetch->requests));
	fetch_timers_free(fetch);
	fetch->curl.multi_cleanup(fetch->multi);
	free(fetch);
}
