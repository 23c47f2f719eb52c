/* images/curl_lib - libcurl, loaded when a transfer begins and not before.
 *
 * libcurl brings some thirty libraries; linked, they would cost every command about four
 * milliseconds of start (docs/decisions/0305). Any thread.
 */
#pragma once
#include <curl/curl.h>

#include "base/err.h"

/* The functions that are used, by libcurl's own names without "curl_". */
#define CURL_LIB_FUNCTIONS(each)                                                                   \
	each(global_init) each(free) each(easy_perform) each(easy_init) each(easy_setopt)          \
		each(easy_getinfo) each(easy_pause) each(easy_strerror) each(easy_cleanup) each(   \
			slist_append) each(slist_free_all) each(multi_init) each(multi_setopt)     \
			each(multi_add_handle) each(multi_remove_handle) each(multi_socket_action) \
				each(multi_info_read) each(multi_strerror) each(multi_cleanup)     \
					each(url) each(url_set) each(url_get) each(url_cleanup)

struct curl_lib {
#define CURL_LIB_FIELD(name) __typeof__(&curl_##name) name;
	CURL_LIB_FUNCTIONS(CURL_LIB_FIELD)
#undef CURL_LIB_FIELD
};

/* Fills the table; the library stays for the life of the process. ERR_NOT_FOUND "libcurl: …" when
 * it is not there or too old. */
int curl_lib_load(struct curl_lib *out, struct err *err);
