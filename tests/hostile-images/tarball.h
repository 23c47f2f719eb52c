/* tests/hostile-images/tarball - tars built by hand, right or wrong on purpose.
 *
 * A struct tarball grows; every function appends. Nothing here uses images/, so what it makes is no
 * echo of what the reader believes.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tarball {
	uint8_t *bytes;
	size_t len, room;
};

/* Fields of one header; what is 0 gets a sensible value. */
struct tar_head {
	const char *name, *link;
	char type;
	unsigned mode, uid, gid, major, minor;
	unsigned long long mtime;
	const void *data;
	size_t size;
	const char *size_text; /* written into the size field as it is */
	const char *magic;     /* NULL: ustar */
};

static inline void tarball_put(struct tarball *tar, const void *data, size_t len)
{
	if (tar->len + len > tar->room) {
		tar->room = 2 * (tar->len + len) + 4096;
		tar->bytes = realloc(tar->bytes, tar->room);
		if (!tar->bytes)
			abort();
	}
	if (len)
		memcpy(tar->bytes + tar->len, data, len);
	tar->len += len;
}

static inline void tarball_zeros(struct tarball *tar, size_t len)
{
	static const uint8_t zeros[4096];

	for (; len > sizeof(zeros); len -= sizeof(zeros))
		tarball_put(tar, zeros, sizeof(zeros));
	tarball_put(tar, zeros, len);
}

static inline void tarball_pad(struct tarball *tar)
{
	tarball_zeros(tar, (512 - tar->len % 512) % 512);
}

static inline void tarball_sum(uint8_t *block)
{
	unsigned sum = 0;
	char text[8];

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += block[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(block + 148, text, 7);
}

static inline void tarball_octal(uint8_t *field, size_t digits, unsigned long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%0*llo", (int)digits, value);
	memcpy(field, text, digits);
}

/* Header, content, padding. */
static inline void tarball_add(struct tarball *tar, const struct tar_head *head)
{
	uint8_t block[512] = { 0 };

	memcpy(block, head->name, strnlen(head->name, 100));
	tarball_octal(block + 100, 7, head->mode ? head->mode : head->type == '5' ? 0755 : 0644);
	tarball_octal(block + 108, 7, head->uid);
	tarball_octal(block + 116, 7, head->gid);
	tarball_octal(block + 124, 11, head->size);
	if (head->size_text)
		memcpy(block + 124, head->size_text, 12);
	tarball_octal(block + 136, 11, head->mtime ? head->mtime : 1600000000);
	block[156] = (uint8_t)(head->type ? head->type : '0');
	if (head->link)
		memcpy(block + 157, head->link, strnlen(head->link, 100));
	memcpy(block + 257, head->magic ? head->magic : "ustar\00000", 8);
	tarball_octal(block + 329, 7, head->major);
	tarball_octal(block + 337, 7, head->minor);
	tarball_sum(block);
	tarball_put(tar, block, 512);
	tarball_put(tar, head->data, head->data ? head->size : 0);
	tarball_pad(tar);
}

static inline void tarball_file(struct tarball *tar, const char *name, const char *text)
{
	tarball_add(tar, &(struct tar_head){ .name = name, .data = text, .size = strlen(text) });
}

static inline void tarball_dir(struct tarball *tar, const char *name)
{
	tarball_add(tar, &(struct tar_head){ .name = name, .type = '5' });
}

static inline void tarball_link(struct tarball *tar, const char *name, char type, const char *to)
{
	tarball_add(tar, &(struct tar_head){ .name = name, .type = type, .link = to });
}

/* An extended header ('x', 'g', 'L', 'K') with that content. */
static inline void tarball_meta(struct tarball *tar, char type, const void *data, size_t len)
{
	tarball_add(tar, &(struct tar_head){
				 .name = "././@Meta", .type = type, .data = data, .size = len });
}

/* One pax record, its length right. */
static inline void tarball_record(struct tarball *out, const char *key, const void *value,
				  size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char text[32];

	while ((size_t)snprintf(text, sizeof(text), "%zu", total) + rest != total)
		total = rest + strlen(text);
	tarball_put(out, text, strlen(text));
	tarball_put(out, " ", 1);
	tarball_put(out, key, strlen(key));
	tarball_put(out, "=", 1);
	tarball_put(out, value, len);
	tarball_put(out, "\n", 1);
}

/* A pax header of one record. */
static inline void tarball_pax(struct tarball *tar, const char *key, const char *value)
{
	struct tarball records = { 0 };

	tarball_record(&records, key, value, strlen(value));
	tarball_meta(tar, 'x', records.bytes, records.len);
	free(records.bytes);
}

static inline void tarball_end(struct tarball *tar)
{
	tarball_zeros(tar, 1024);
}
