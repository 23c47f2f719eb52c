/* images/fetch - one curl multi handle on somebody else's loop.
 *
 * Owns: every option that is set on curl, how its errors are told apart, the one timer.
 * May not touch: what a status means, retries, redirects, credentials (images/proto, images/auth).
 */
#include "images/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/stamp.h"
#include "base/text.h"

#define HEADERS_MAX_BYTES 65536
#define CONNECT_TIMEOUT_S 10
#define STALL_S           30
#define RECEIVE_BYTES     (128 * 1024L)

struct timer {
	LIST_ENTRY(timer) link;
	uint64_t number, due_us;
	void (*call)(void *ctx);
	void *ctx;
};

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
	CURLM *multi;
	LIST_HEAD(, fetch_request) requests;
	LIST_HEAD(, timer) timers;
	uint64_t next_number, curl_due_us; /* 0: curl waits for nothing */
};

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

/* ---- timers ---- */

static void arm_timer(struct fetch *fetch)
{
	uint64_t now = stamp_monotonic_us(), due = fetch->curl_due_us;
	struct timer *timer;

	for (timer = LIST_FIRST(&fetch->timers); timer; timer = LIST_NEXT(timer, link))
		if (!due || timer->due_us < due)
			due = timer->due_us;
	if (!due)
		fetch->loop.timer(fetch->loop.ctx, -1);
	else
		fetch->loop.timer(fetch->loop.ctx,
				  due <= now ? 0 : (long)((due - now + 999) / 1000));
}

static int curl_wants_timer(CURLM *multi, long ms, void *ctx)
{
	struct fetch *fetch = ctx;

	(void)multi;
	fetch->curl_due_us = ms < 0 ? 0 : stamp_monotonic_us() + (uint64_t)ms * 1000;
	arm_timer(fetch);
	return 0;
}

uint64_t fetch_after(struct fetch *fetch, uint64_t ms, void (*call)(void *ctx), void *ctx)
{
	struct timer *timer = xcalloc(1, sizeof(*timer));

	timer->number = ++fetch->next_number;
	timer->due_us = stamp_monotonic_us() + ms * 1000;
	timer->call = call;
	timer->ctx = ctx;
	LIST_INSERT_HEAD(&fetch->timers, timer, link);
	arm_timer(fetch);
	return timer->number;
}

void fetch_after_cancel(struct fetch *fetch, uint64_t number)
{
	struct timer *timer;

	for (timer = LIST_FIRST(&fetch->timers); timer; timer = LIST_NEXT(timer, link))
		if (timer->number == number) {
			LIST_REMOVE(timer, link);
			free(timer);
			return;
		}
}

/* One due timer after the other: a call may add and cancel others. */
static bool run_due_timer(struct fetch *fetch, uint64_t now)
{
	struct timer *timer, due;

	for (timer = LIST_FIRST(&fetch->timers); timer; timer = LIST_NEXT(timer, link))
		if (timer->due_us <= now) {
			due = *timer;
			LIST_REMOVE(timer, link);
			free(timer);
			due.call(due.ctx);
			return true;
		}
	return false;
}

/* ---- callbacks of curl ---- */

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

static long status_of_line(struct slice line)
{
	struct slice version, rest, status, reason;
	struct err ignored = ERR_NONE;
	uint64_t value = 0;

	slice_split(line, ' ', &version, &rest);
	slice_split(rest, ' ', &status, &reason);
	num_parse_u64("status", status.at, status.len, 100, 599, &value, &ignored);
	return (long)value;
}

static void note_content_length(struct fetch_request *request, struct slice line)
{
	struct slice name, value;
	struct err ignored = ERR_NONE;
	uint64_t length;

	if (!slice_split(line, ':', &name, &value) || name.len != strlen("content-length") ||
	    strncasecmp(name.at, "content-length", name.len) != 0)
		return;
	value = slice_trim(value);
	if (num_parse_u64("length", value.at, value.len, 0, INT64_MAX, &length, &ignored) == 0)
		request->content_length = (int64_t)length;
}

static size_t take_header(char *text, size_t size, size_t count, void *ctx)
{
	struct fetch_request *request = ctx;
	struct slice line = slice_trim((struct slice){ text, size * count });

	request->header_bytes += size * count;
	if (request->header_bytes > HEADERS_MAX_BYTES) {
		request->too_large = true;
		return 0;
	}
	if (line.len > 5 && memcmp(line.at, "HTTP/", 5) == 0) {
		request->status = status_of_line(line);
		request->content_length = -1;
		return size * count;
	}
	if (request->status < 200 || request->headers_over) /* interim answers, trailers */
		return size * count;
	if (line.len == 0) {
		request->headers_over = true;
		if (request->spec.on_headers_end &&
		    request->spec.on_headers_end(request->spec.ctx, request->status,
						 request->content_length) == FETCH_STOP) {
			request->stopped = true;
			return 0;
		}
		return size * count;
	}
	note_content_length(request, line);
	if (request->spec.on_header)
		request->spec.on_header(request->spec.ctx, request->status, line.at, line.len);
	return size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct fetch_request *request = ctx;
	int verdict = 0;

	if (request->spec.on_data)
		verdict = request->spec.on_data(request->spec.ctx, bytes, size * count);
	if (verdict == FETCH_PAUSE)
		return CURL_WRITEFUNC_PAUSE;
	if (verdict == FETCH_STOP) {
		request->stopped = true;
		return CURL_WRITEFUNC_ERROR;
	}
	request->body_bytes += size * count;
	return size * count;
}

static size_t give_body(char *out, size_t size, size_t count, void *ctx)
{
	struct fetch_request *request = ctx;
	size_t left = request->spec.body_len - request->sent, want = size * count;
	ssize_t n = 0;

	if (want > left)
		want = left;
	if (request->spec.body) {
		memcpy(out, (const char *)request->spec.body + request->sent, want);
		n = (ssize_t)want;
	} else if (want) {
		n = pread(request->spec.body_fd, out, want,
			  (off_t)(request->spec.body_offset + request->sent));
		if (n <= 0)
			return CURL_READFUNC_ABORT;
	}
	request->sent += (size_t)n;
	if (request->spec.on_sent)
		request->spec.on_sent(request->spec.ctx, request->sent);
	return (size_t)n;
}

static int seek_body(void *ctx, curl_off_t offset, int origin)
{
	struct fetch_request *request = ctx;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > request->spec.body_len)
		return CURL_SEEKFUNC_FAIL;
	request->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- requests ---- */

static void free_request(struct fetch_request *request)
{
	LIST_REMOVE(request, link);
	if (request->late)
		fetch_after_cancel(request->fetch, request->late);
	curl_multi_remove_handle(request->fetch->multi, request->easy);
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	free(request);
}

static enum fetch_failure failure_of(const struct fetch_request *request, CURLcode code)
{
	curl_off_t connected_us = 0;
	const char *text = request->error;

	if (request->stopped)
		return FETCH_STOPPED;
	if (request->too_large)
		return FETCH_PROTOCOL;
	if (code == CURLE_OPERATION_TIMEDOUT) {
		curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
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
	struct fetch_spec spec = request->spec;
	long os_error = 0;

	curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &os_error);
	if (request->too_large)
		snprintf(result.text, sizeof(result.text), "headers above %d bytes",
			 HEADERS_MAX_BYTES);
	else if (code == CURLE_COULDNT_CONNECT && os_error > 0)
		snprintf(result.text, sizeof(result.text), "%s", strerrordesc_np((int)os_error));
	else if (result.failure != FETCH_OK)
		snprintf(result.text, sizeof(result.text), "%.190s",
			 request->error[0] ? request->error : curl_easy_strerror(code));
	text_plain(result.text);
	free_request(request);
	spec.done(spec.ctx, &result);
}

static void collect(struct fetch *fetch)
{
	struct fetch_request *request = NULL;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetch->multi, &left))) {
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		finish(request, code);
	}
}

static void act(struct fetch *fetch, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(fetch->multi, fd, what, &running);
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

	while (run_due_timer(fetch, now))
		;
	if (fetch->curl_due_us && fetch->curl_due_us <= now) {
		fetch->curl_due_us = 0;
		act(fetch, CURL_SOCKET_TIMEOUT, 0);
	}
	collect(fetch);
	arm_timer(fetch);
}

static void set_security(struct fetch_request *request, CURL *easy)
{
	const struct fetch_tls *tls = request->spec.tls;
	const char *system_file = getenv("SSL_CERT_FILE"), *system_dir = getenv("SSL_CERT_DIR");

	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (system_file && *system_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, system_file);
	if (system_dir && *system_dir)
		curl_easy_setopt(easy, CURLOPT_CAPATH, system_dir);
	if (!tls)
		return;
	if (tls->ca_bundle) {
		request->ca_blob = (struct curl_blob){ (void *)(uintptr_t)tls->ca_bundle,
						       tls->ca_bundle_len, CURL_BLOB_NOCOPY };
		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &request->ca_blob);
	}
	if (tls->cert_path) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_path);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_path);
	}
	if (tls->no_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_method(struct fetch_request *request, CURL *easy)
{
	const struct fetch_spec *spec = &request->spec;

	if (strcmp(spec->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (spec->has_body) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)spec->body_len);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(easy, CURLOPT_READDATA, request);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, request);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, RECEIVE_BYTES);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
	} else if (strcmp(spec->method, "GET") != 0) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
	}
}

static void set_transfer(struct fetch_request *request, CURL *easy)
{
	const struct fetch_spec *spec = &request->spec;

	curl_easy_setopt(easy, CURLOPT_URL, spec->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
			 (long)(spec->stall_s ? spec->stall_s : STALL_S));
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	/* A paused HTTP/2 stream is buffered by curl up to its window (docs/decisions/0301). */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, spec->proxy ? spec->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, spec->no_proxy ? spec->no_proxy : "");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "stack/" STACK_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
}

struct fetch_request *fetch_start(struct fetch *fetch, const struct fetch_spec *spec,
				  struct err *err)
{
	struct fetch_request *request = xcalloc(1, sizeof(*request));
	CURLMcode code;

	request->fetch = fetch;
	request->spec = *spec;
	request->content_length = -1;
	request->easy = curl_easy_init();
	LIST_INSERT_HEAD(&fetch->requests, request, link);
	request->headers = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; i < spec->header_count; i++)
		request->headers = curl_slist_append(request->headers, spec->headers[i]);
	if (!request->easy) {
		free_request(request);
		return err_set(err, ERR_SYSTEM, "curl has no handle left"), NULL;
	}
	set_transfer(request, request->easy);
	set_security(request, request->easy);
	set_method(request, request->easy);
	code = curl_multi_add_handle(fetch->multi, request->easy);
	if (code != CURLM_OK) {
		free_request(request);
		return err_set(err, ERR_INTERNAL, "curl: %s", curl_multi_strerror(code)), NULL;
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
	if (curl_easy_pause(request->easy, CURLPAUSE_CONT) != CURLE_OK && !request->late)
		request->late = fetch_after(request->fetch, 0, finish_late, request);
}

void fetch_cancel(struct fetch_request *request)
{
	free_request(request);
}

char *fetch_url_join(const char *base_url, const char *location)
{
	CURLU *url = curl_url();
	char *text = NULL, *copy = NULL;

	if (curl_url_set(url, CURLUPART_URL, base_url, 0) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK)
		copy = xstrdup(text);
	curl_free(text);
	curl_url_cleanup(url);
	return copy;
}

struct fetch *fetch_new(const struct fetch_loop *loop, unsigned max_host_connections)
{
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	fetch->loop = *loop;
	fetch->multi = curl_multi_init();
	LIST_INIT(&fetch->requests);
	LIST_INIT(&fetch->timers);
	curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, curl_wants_socket);
	curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
	curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, curl_wants_timer);
	curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
	curl_multi_setopt(fetch->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)max_host_connections);
	return fetch;
}

void fetch_free(struct fetch *fetch)
{
	struct timer *timer;

	if (!fetch)
		return;
	while (!LIST_EMPTY(&fetch->requests))
		free_request(LIST_FIRST(&fetch->requests));
	while ((timer = LIST_FIRST(&fetch->timers))) {
		LIST_REMOVE(timer, link);
		free(timer);
	}
	curl_multi_cleanup(fetch->multi);
	free(fetch);
}
