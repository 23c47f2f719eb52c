/* images/fetch_request - what curl is told of one request, and what it tells.
 *
 * Owns: every option of an easy handle, the callbacks for headers and bodies.
 * May not touch: the multi handle, the end of a request (images/fetch).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "images/fetch_state.h"

#define CONNECT_TIMEOUT_S 10
#define STALL_S           30
#define RECEIVE_BYTES     (128 * 1024L)

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
	if (request->header_bytes > FETCH_HEADERS_MAX_BYTES) {
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

static void set_security(struct fetch_request *request, CURL *easy)
{
	const struct curl_lib *curl = &request->fetch->curl;
	const struct fetch_tls *tls = request->spec.tls;
	const char *system_file = getenv("SSL_CERT_FILE"), *system_dir = getenv("SSL_CERT_DIR");

	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (system_file && *system_file)
		curl->easy_setopt(easy, CURLOPT_CAINFO, system_file);
	if (system_dir && *system_dir)
		curl->easy_setopt(easy, CURLOPT_CAPATH, system_dir);
	if (!tls)
		return;
	if (tls->ca_bundle) {
		request->ca_blob = (struct curl_blob){ (void *)(uintptr_t)tls->ca_bundle,
						       tls->ca_bundle_len, CURL_BLOB_NOCOPY };
		curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &request->ca_blob);
	}
	if (tls->cert_path) {
		curl->easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_path);
		curl->easy_setopt(easy, CURLOPT_SSLKEY, tls->key_path);
	}
	if (tls->no_verify) {
		curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_method(struct fetch_request *request, CURL *easy)
{
	const struct curl_lib *curl = &request->fetch->curl;
	const struct fetch_spec *spec = &request->spec;

	if (strcmp(spec->method, "HEAD") == 0)
		curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (spec->has_body) {
		curl->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)spec->body_len);
		curl->easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
		curl->easy_setopt(easy, CURLOPT_READDATA, request);
		curl->easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
		curl->easy_setopt(easy, CURLOPT_SEEKDATA, request);
		curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, RECEIVE_BYTES);
		curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
		/* On a connection that was used before, curl would send a body that was cut off
		 * once more by itself, to a server that has kept the first part of it. */
		curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, spec->body ? 0L : 1L);
	} else if (strcmp(spec->method, "GET") != 0) {
		curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
	}
}

static void set_transfer(struct fetch_request *request, CURL *easy)
{
	const struct curl_lib *curl = &request->fetch->curl;
	const struct fetch_spec *spec = &request->spec;

	curl->easy_setopt(easy, CURLOPT_URL, spec->url);
	curl->easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl->easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
			  (long)(spec->stall_s ? spec->stall_s : STALL_S));
	curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	/* A paused HTTP/2 stream is buffered by curl up to its window (docs/decisions/0301). */
	curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl->easy_setopt(easy, CURLOPT_PROXY, spec->proxy ? spec->proxy : "");
	curl->easy_setopt(easy, CURLOPT_NOPROXY, spec->no_proxy ? spec->no_proxy : "");
	curl->easy_setopt(easy, CURLOPT_USERAGENT, "stack/" STACK_VERSION);
	curl->easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
	curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl->easy_setopt(easy, CURLOPT_HEADERDATA, request);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, request);
}

void fetch_request_set(struct fetch_request *request)
{
	set_transfer(request, request->easy);
	set_security(request, request->easy);
	set_method(request, request->easy);
}
