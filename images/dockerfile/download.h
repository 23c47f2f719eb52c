/* images/dockerfile/download - one file over http or https: ADD URL, contexts by URL.
 *
 * Follows redirects (to http and https alone), takes proxies from the environment as other programs
 * do. Blocks (network). Any thread.
 */
#pragma once
#include <stdint.h>

#include "base/err.h"

struct df_download {
	long status;        /* 200; 304: as known_etag or known_modified say */
	char etag[256];     /* "" none */
	char modified[64];  /* Last-Modified as it came, "" none */
	int64_t modified_s; /* -1: none */
	uint64_t bytes;
};

/* The body goes to fd. known_etag, known_modified: what was seen before, "" or NULL none. Errors:
 * NOT_FOUND (404, no such host), DENIED, BUSY (5xx), NO_SPACE. */
int df_download(const char *url, int fd, const char *known_etag, const char *known_modified,
		struct df_download *out, struct err *err);
