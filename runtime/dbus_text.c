/* runtime/dbus_text - values in D-Bus's wire form.
 *
 * Owns: sizes, alignment, bounds. May not touch: sockets, messages (dbus).
 */
#include "runtime/dbus_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "messages are written little-endian");

void dbus_body_free(struct dbus_body *body)
{
	free(body->at);
	*body = (struct dbus_body){ 0 };
}

static void put(struct dbus_body *body, const void *bytes, size_t len)
{
	body->at = xrealloc(body->at, body->len + len + 1, 1);
	memcpy(body->at + body->len, bytes, len);
	body->len += len;
}

void dbus_pad(struct dbus_body *body, size_t align)
{
	static const unsigned char zeroes[8];

	put(body, zeroes, (align - body->len % align) % align);
}

void dbus_put_u8(struct dbus_body *body, uint8_t value)
{
	put(body, &value, sizeof(value));
}

void dbus_put_u32(struct dbus_body *body, uint32_t value)
{
	dbus_pad(body, sizeof(value));
	put(body, &value, sizeof(value));
}

void dbus_put_u64(struct dbus_body *body, uint64_t value)
{
	dbus_pad(body, sizeof(value));
	put(body, &value, sizeof(value));
}

void dbus_put_text(struct dbus_body *body, const char *text)
{
	dbus_put_u32(body, (uint32_t)strlen(text));
	put(body, text, strlen(text) + 1);
}

void dbus_put_signature(struct dbus_body *body, const char *text)
{
	dbus_put_u8(body, (uint8_t)strlen(text));
	put(body, text, strlen(text) + 1);
}

size_t dbus_array_begin(struct dbus_body *body, size_t align)
{
	size_t mark;

	dbus_put_u32(body, 0);
	mark = body->len;
	dbus_pad(body, align);
	return mark;
}

/* The length does not count the padding before the first element. */
void dbus_array_end(struct dbus_body *body, size_t mark, size_t align)
{
	size_t first = mark + (align - mark % align) % align;
	uint32_t len = (uint32_t)(body->len - first);

	memcpy(body->at + mark - sizeof(len), &len, sizeof(len));
}

void dbus_skip_pad(struct dbus_reader *reader, size_t align)
{
	reader->pos += (align - reader->pos % align) % align;
}

static const unsigned char *take(struct dbus_reader *reader, size_t len)
{
	const unsigned char *at = reader->at + reader->pos;

	if (reader->bad || reader->pos > reader->len || len > reader->len - reader->pos) {
		reader->bad = true;
		return NULL;
	}
	reader->pos += len;
	return at;
}

uint8_t dbus_get_u8(struct dbus_reader *reader)
{
	const unsigned char *at = take(reader, 1);

	return at ? *at : 0;
}

uint32_t dbus_get_u32(struct dbus_reader *reader)
{
	const unsigned char *at;
	uint32_t value = 0;

	dbus_skip_pad(reader, sizeof(value));
	at = take(reader, sizeof(value));
	if (at)
		memcpy(&value, at, sizeof(value));
	return value;
}

uint64_t dbus_get_u64(struct dbus_reader *reader)
{
	const unsigned char *at;
	uint64_t value = 0;

	dbus_skip_pad(reader, sizeof(value));
	at = take(reader, sizeof(value));
	if (at)
		memcpy(&value, at, sizeof(value));
	return value;
}

static const char *get_counted(struct dbus_reader *reader, size_t len)
{
	const unsigned char *at = take(reader, len);
	const unsigned char *end = take(reader, 1);

	if (!at || !end || *end != '\0' || memchr(at, '\0', len)) {
		reader->bad = true;
		return "";
	}
	return (const char *)at;
}

const char *dbus_get_text(struct dbus_reader *reader)
{
	return get_counted(reader, dbus_get_u32(reader));
}

const char *dbus_get_signature(struct dbus_reader *reader)
{
	return get_counted(reader, dbus_get_u8(reader));
}
