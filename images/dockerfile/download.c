/* images/dockerfile/download - one file over http or https.
 *
 * Owns: the request. May not touch: what the bytes are.
 */
#include "images/dockerfile/download.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "images/curl_lib.h"

#define REDIRECTS_MAX 10L
#define CONNECT_S     30L
#define STALL_S       60L

struct transfer {
	const struct curl_lib *curl;
	struct df_download *out;
	int fd, failed_errno;
	char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;

	if (file_write_all(transfer->fd, data, size * count) < 0) {
		transfer->failed_errno = errno;
		return 0;
	}
	transfer->out->bytes += size * count;
	return size * count;
}

static void keep(struct slice line, const char *name, char *out, size_t room)
{
	size_t len = strlen(name);
	struct slice value;

	if (line.len <= len || strncasecmp(line.at, name, len) != 0)
		return;
	value = slice_trim((struct slice){ line.at + len, line.len - len });
	snprintf(out, room, "%.*s", value.len < room ? (int)value.len : 0, value.at);
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
	struct transfer *transfer = ctx;
	struct slice line = { data, size * count };

	if (line.len > 5 && strncmp(data, "HTTP/", 5) == 0) /* of the last answer alone */
		*transfer->out->etag = *transfer->out->modified = '\0';
	keep(line, "ETag:", transfer->out->etag, sizeof(transfer->out->etag));
	keep(line, "Last-Modified:", transfer->out->modified, sizeof(transfer->out->modified));
	return line.len;
}

static void add_header(struct transfer *transfer, struct curl_slist **list, const char *name,
		       const char *value)
{
	AUTO(free) char *line = NULL;

	if (!value || !*value)
		return;
	line = xformat("%s: %s", name, value);
	*list = transfer->curl->slist_append(*list, line);
}

static void set_up(struct transfer *transfer, CURL *easy, const char *url,
		   struct curl_slist *headers)
{
	const struct curl_lib *curl = transfer->curl;
	const char *file = getenv("SSL_CERT_FILE");

	curl->easy_setopt(easy, CURLOPT_URL, url);
	curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl->easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(easy, CURLOPT_FILETIME, 1L);
	curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, STALL_S);
	curl->easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl->easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl->easy_setopt(easy, CURLOPT_USERAGENT, "stack/" STACK_VERSION);
	curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
	curl->easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl->easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl->easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	if (file && *file)
		curl->easy_setopt(easy, CURLOPT_CAINFO, file);
}

static enum err_code code_of(long status)
{
	if (status == 404 || status == 410)
		return ERR_NOT_FOUND;
	if (status == 401 || status == 403)
		return ERR_DENIED;
	return status >= 500 || status == 429 ? ERR_BUSY : ERR_SYSTEM;
}

static int judge(struct transfer *transfer, CURLcode rc, struct err *err)
{
	long status = transfer->out->status;

	if (transfer->failed_errno)
		return err_sys(err, transfer->failed_errno, "write");
	if (rc == CURLE_COULDNT_RESOLVE_HOST)
		return err_set(err, ERR_NOT_FOUND, "%s", transfer->error);
	if (rc != CURLE_OK)
		return err_set(err, ERR_SYSTEM, "%s",
			       *transfer->error ? transfer->error
						: transfer->curl->easy_strerror(rc));
	if (status != 200 && status != 304)
		return err_set(err, code_of(status), "the server says %ld", status);
	return 0;
}

int df_download(const char *url, int fd, const char *known_etag, const char *known_modified,
		struct df_download *out, struct err *err)
{
	struct curl_lib curl;
	struct transfer transfer = { .curl = &curl, .out = out, .fd = fd };
	struct curl_slist *headers = NULL;
	curl_off_t modified = -1;
	CURL *easy;
	CURLcode rc;

	*out = (struct df_download){ .modified_s = -1 };
	if (curl_lib_load(&curl, err) < 0)
		return -1;
	easy = curl.easy_init();
	if (!easy)
		return err_set(err, ERR_SYSTEM, "libcurl: no memory");
	add_header(&transfer, &headers, "If-None-Match", known_etag);
	if (!known_etag || !*known_etag)
		add_header(&transfer, &headers, "If-Modified-Since", known_modified);
	set_up(&transfer, easy, url, headers);
	rc = curl.easy_perform(easy);
	curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &out->status);
	curl.easy_getinfo(easy, CURLINFO_FILETIME_T, &modified);
	out->modified_s = modified;
	curl.easy_cleanup(easy);
	curl.slist_free_all(headers);
	return judge(&transfer, rc, err) < 0 ? err_wrap(err, "%.120s", url) : 0;
}
