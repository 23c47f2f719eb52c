/* runtime/dbus_text - values in D-Bus's wire form: written for calls, read from answers. Pure.
 *
 * Source: D-Bus specification, "Marshaling". Little-endian hosts and peers only. A body starts at
 * a multiple of eight, so that alignment can be counted from its own start.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct dbus_body {
	unsigned char *at; /* owned */
	size_t len;
};

/* Frees what was put; the struct is an empty body again. */
void dbus_body_free(struct dbus_body *body);
static inline void auto_dbus_body(struct dbus_body *body)
{
	dbus_body_free(body);
}

/* Zeroes up to a multiple of align. */
void dbus_pad(struct dbus_body *body, size_t align);
void dbus_put_u8(struct dbus_body *body, uint8_t value);
void dbus_put_u32(struct dbus_body *body, uint32_t value);         /* u, i, b */
void dbus_put_u64(struct dbus_body *body, uint64_t value);         /* t, x */
void dbus_put_text(struct dbus_body *body, const char *text);      /* s, o */
void dbus_put_signature(struct dbus_body *body, const char *text); /* g, and before a variant */
/* An array whose elements are aligned to `align`: begin, put elements, end with what begin gave. */
size_t dbus_array_begin(struct dbus_body *body, size_t align);
void dbus_array_end(struct dbus_body *body, size_t mark, size_t align);

/* Reading: every step checks the end; after the first one beyond it all give zero and `bad` stays
 * set. */
struct dbus_reader {
	const unsigned char *at;
	size_t len, pos;
	bool bad;
};

void dbus_skip_pad(struct dbus_reader *reader, size_t align);
uint8_t dbus_get_u8(struct dbus_reader *reader);
uint32_t dbus_get_u32(struct dbus_reader *reader);
uint64_t dbus_get_u64(struct dbus_reader *reader);
/* Borrowed from the reader's bytes; "" when bad. */
const char *dbus_get_text(struct dbus_reader *reader);
const char *dbus_get_signature(struct dbus_reader *reader);
