/* orchestrator/log_line - one line of a json-file log as a record.
 *
 * Owns: the reading of that one form of JSON, in place, as logs are long. May not touch: files.
 */
#include "orchestrator/log_line.h"

#include <stdint.h>
#include <string.h>

#include "base/stamp.h"

struct scan {
	char *at, *end;
};

struct text {
	char *at;
	size_t len;
};

static void skip_blanks(struct scan *scan)
{
	while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r'))
		scan->at++;
}

static bool take(struct scan *scan, char wanted)
{
	skip_blanks(scan);
	if (scan->at >= scan->end || *scan->at != wanted)
		return false;
	scan->at++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at `at`; -1 when there are none. */
static int32_t take_hex(const char *at, const char *end)
{
	int32_t value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static char *put_utf8(char *to, uint32_t code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* \uXXXX behind the u, a surrogate pair as one character. The text it becomes is never longer. */
static bool take_unicode(struct scan *scan, char **to)
{
	int32_t code = take_hex(scan->at, scan->end), low;

	if (code < 0)
		return false;
	scan->at += 4;
	if (code >= 0xd800 && code < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
	    scan->at[1] == 'u') {
		low = take_hex(scan->at + 2, scan->end);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			scan->at += 6;
		}
	}
	if (code >= 0xd800 && code < 0xe000)
		code = 0xfffd;
	*to = put_utf8(*to, (uint32_t)code);
	return true;
}

static bool take_escape(struct scan *scan, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *known;

	if (scan->at >= scan->end)
		return false;
	if (*scan->at == 'u') {
		scan->at++;
		return take_unicode(scan, to);
	}
	known = memchr(from, *scan->at, sizeof(from) - 1);
	if (!known)
		return false;
	scan->at++;
	*(*to)++ = into[known - from];
	return true;
}

static bool take_text(struct scan *scan, struct text *out)
{
	char *to;

	if (!take(scan, '"'))
		return false;
	out->at = to = scan->at;
	while (scan->at < scan->end && *scan->at != '"') {
		char *from = scan->at;

		while (scan->at < scan->end && *scan->at != '"' && *scan->at != '\\')
			scan->at++;
		if (to != from)
			memmove(to, from, (size_t)(scan->at - from));
		to += scan->at - from;
		if (scan->at < scan->end && *scan->at == '\\') {
			scan->at++;
			if (!take_escape(scan, &to))
				return false;
		}
	}
	out->len = (size_t)(to - out->at);
	return take(scan, '"');
}

/* Any other value: up to the comma or brace that ends it. */
static bool skip_value(struct scan *scan)
{
	int depth = 0;
	bool quoted = false;

	skip_blanks(scan);
	for (; scan->at < scan->end; scan->at++) {
		char c = *scan->at;

		if (quoted) {
			if (c == '\\')
				scan->at++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth && (c == '}' || c == ']')) {
			depth--;
		} else if (!depth && (c == ',' || c == '}')) {
			return true;
		}
	}
	return false;
}

static bool is(const struct text *text, const char *word)
{
	return text->len == strlen(word) && memcmp(text->at, word, text->len) == 0;
}

bool log_line_decode(char *line, size_t len, struct log_record *out)
{
	struct scan scan = { line, line + len };
	struct text log = { 0 }, stream = { 0 }, time = { 0 };

	if (!take(&scan, '{'))
		return false;
	do {
		struct text key;
		struct text *value;

		if (!take_text(&scan, &key) || !take(&scan, ':'))
			return false;
		value = is(&key, "log")      ? &log
			: is(&key, "stream") ? &stream
			: is(&key, "time")   ? &time
					     : NULL;
		if (value ? !take_text(&scan, value) : !skip_value(&scan))
			return false;
	} while (take(&scan, ','));
	if (!take(&scan, '}') || !log.at || !time.at ||
	    stamp_parse_rfc3339(time.at, time.len, &out->time_ns) < 0)
		return false;
	out->text = log.at;
	out->text_len = log.len;
	out->is_stderr = stream.at && is(&stream, "stderr");
	out->is_partial = log.len == 0 || log.at[log.len - 1] != '\n';
	return true;
}

bool log_line_is_whole(const char *line, size_t len)
{
	static const char mark[] = "\",\"stream\":\"";
	/* Inside a text every quote has a backslash, so this is found only behind one. */
	const char *end = memmem(line, len, mark, sizeof(mark) - 1);
	size_t slashes = 0;

	if (!end)
		return true; /* of another form: a line of its own */
	if (end - line < 2 || end[-1] != 'n')
		return false;
	for (const char *at = end - 2; at >= line && *at == '\\'; at--)
		slashes++;
	return slashes % 2 == 1;
}
