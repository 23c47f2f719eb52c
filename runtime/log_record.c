/* runtime/log_record - bytes that a container printed as one JSON line.
 *
 * Owns: the escaping, the repair of UTF-8. May not touch: files, clocks.
 */
#include "runtime/log_record.h"

#include <string.h>

#include "base/stamp.h"

#define FRAME_MAX 128 /* member names, stream, time, braces, newline */

/* Length of the well-formed UTF-8 sequence at text, 0 when there is none. *out_short: the n bytes
 * are the beginning of one. */
static size_t sequence_len(const unsigned char *text, size_t n, bool *out_short)
{
	unsigned char first = text[0];
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t len;

	*out_short = false;
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xe0)
		low = 0xa0; /* overlong */
	else if (first == 0xed)
		high = 0x9f; /* surrogates */
	else if (first == 0xf0)
		low = 0x90; /* overlong */
	else if (first == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	for (size_t i = 1; i < len; i++) {
		if (i == n) {
			*out_short = true;
			return 0;
		}
		if (text[i] < low || text[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return len;
}

size_t log_record_bound(size_t n, size_t attrs_len)
{
	return 6 * n + attrs_len + FRAME_MAX;
}

size_t log_record_cut(const char *text, size_t n)
{
	const unsigned char *bytes = (const unsigned char *)text;

	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char byte = bytes[n - back];
		bool is_short;

		if (byte < 0x80)
			return n;
		if (byte < 0xc0)
			continue; /* in the middle of a sequence */
		sequence_len(bytes + n - back, back, &is_short);
		return is_short ? n - back : n;
	}
	return n;
}

static char *put(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

static char *put_control(char *at, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";

	if (byte == '\n' || byte == '\r' || byte == '"' || byte == '\\') {
		*at++ = '\\';
		*at++ = (char)(byte == '\n' ? 'n' : byte == '\r' ? 'r' : byte);
		return at;
	}
	at = put(at, "\\u00");
	*at++ = hex[byte >> 4];
	*at++ = hex[byte & 15];
	return at;
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '<' &&
	       byte != '>' && byte != '&';
}

static char *put_text(char *at, const unsigned char *text, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t start = i, len;
		bool is_short;

		while (i < n && is_plain(text[i]))
			i++;
		memcpy(at, text + start, i - start);
		at += i - start;
		if (i == n)
			break;
		if (text[i] < 0x80) {
			at = put_control(at, text[i++]);
			continue;
		}
		len = sequence_len(text + i, n - i, &is_short);
		if (len == 0) {
			at = put(at, "\\ufffd");
			i++;
		} else if (len == 3 && text[i] == 0xe2 && text[i + 1] == 0x80 &&
			   (text[i + 2] == 0xa8 || text[i + 2] == 0xa9)) {
			at = put(at, text[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
			i += len;
		} else {
			memcpy(at, text + i, len);
			at += len;
			i += len;
		}
	}
	return at;
}

size_t log_record_put(char *out, const char *text, size_t n, bool is_stderr, const char *attrs,
		      const char *time_text)
{
	char *at = put(out, "{\"log\":\"");

	at = put_text(at, (const unsigned char *)text, n);
	at = put(at, is_stderr ? "\",\"stream\":\"stderr\"" : "\",\"stream\":\"stdout\"");
	if (attrs)
		at = put(put(at, ",\"attrs\":"), attrs);
	at = put(put(put(at, ",\"time\":\""), time_text), "\"}\n");
	return (size_t)(at - out);
}

char *log_record_time(unsigned long long unix_ns, char *out)
{
	size_t len;

	stamp_rfc3339(unix_ns, out);
	len = strlen(out) - 1; /* the Z */
	while (out[len - 1] == '0')
		len--;
	if (out[len - 1] == '.')
		len--;
	out[len] = 'Z';
	out[len + 1] = '\0';
	return out;
}
