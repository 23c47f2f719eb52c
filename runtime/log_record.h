/* runtime/log_record - bytes that a container printed as one line of docker's json-file form. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* What a record needs at most for n bytes of text: every byte may become six ("\u001b"). */
size_t log_record_bound(size_t n, size_t attrs_len);

/* Writes {"log":"…","stream":"…","attrs":…,"time":"…"} and a newline at out (room:
 * log_record_bound) and returns the length. attrs is JSON text or NULL. Control characters, <, >
 * and & are written as \u00XX, U+2028 and U+2029 as \u2028 and \u2029, every byte that belongs to
 * no UTF-8 sequence as \ufffd. */
size_t log_record_put(char *out, const char *text, size_t n, bool is_stderr, const char *attrs,
		      const char *time_text);

/* How many of the n bytes can be cut off without breaking a UTF-8 sequence that may still be
 * completed: n, or up to three fewer. */
size_t log_record_cut(const char *text, size_t n);

/* RFC 3339 in UTC with the fraction's trailing zeros left out, as Go prints it; out:
 * STAMP_TEXT_LEN. */
char *log_record_time(unsigned long long unix_ns, char *out);
