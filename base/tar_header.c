/* base/tar_header - one 512-byte tar header.
 *
 * Owns: the layout of v7, ustar and GNU headers, their numbers. May not touch: streams, files.
 */
#include "base/tar_header.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* clang-format off */
enum {
	NAME_AT = 0,      NAME_LEN = 100,
	MODE_AT = 100,    MODE_LEN = 8,
	UID_AT = 108,     GID_AT = 116,     ID_LEN = 8,
	SIZE_AT = 124,    SIZE_LEN = 12,
	MTIME_AT = 136,   MTIME_LEN = 12,
	SUM_AT = 148,     SUM_LEN = 8,
	TYPE_AT = 156,
	LINK_AT = 157,    LINK_LEN = 100,
	MAGIC_AT = 257,
	MAJOR_AT = 329,   MINOR_AT = 337,   DEVICE_LEN = 8,
	PREFIX_AT = 345,  PREFIX_LEN = 155,
};
/* clang-format on */

#define MODE_BITS  07777u
#define ID_MAX     0xfffffffeu /* (uid_t)-1 means "leave it" to chown */
#define DEVICE_MAX 0xffffffffu

static int octal(const char *what, const uint8_t *field, size_t len, uint64_t *out, struct err *err)
{
	uint64_t value = 0;
	size_t i = 0;

	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
		if (value >> 61)
			return err_set(err, ERR_INVALID, "tar header: %s is too large", what);
		value = value << 3 | (uint64_t)(field[i] - '0');
	}
	if (i < len && field[i] != ' ' && field[i] != '\0')
		return err_set(err, ERR_INVALID, "tar header: %s is no octal number", what);
	*out = value;
	return 0;
}

/* Base-256: big endian, two's complement behind the marker bit. */
static int base256(const char *what, const uint8_t *field, size_t len, int64_t *out,
		   struct err *err)
{
	bool negative = field[0] == 0xff;
	uint64_t value = negative ? UINT64_MAX : field[0] & 0x3fu;

	if (!negative && field[0] & 0x40)
		return err_set(err, ERR_INVALID, "tar header: %s is out of range", what);
	for (size_t i = 1; i < len; i++) {
		uint64_t top = value >> 55; /* nine bits: what is shifted out, and the new sign */

		if (top != (negative ? 0x1ffu : 0))
			return err_set(err, ERR_INVALID, "tar header: %s is out of range", what);
		value = value << 8 | field[i];
	}
	*out = (int64_t)value;
	return 0;
}

static int number(const char *what, const uint8_t *field, size_t len, int64_t *out, struct err *err)
{
	uint64_t value = 0;

	if (field[0] & 0x80)
		return base256(what, field, len, out, err);
	if (octal(what, field, len, &value, err) < 0)
		return -1;
	*out = (int64_t)value;
	return 0;
}

int tar_number(const char *what, const uint8_t *field, size_t len, uint64_t max, uint64_t *out,
	       struct err *err)
{
	int64_t value = 0;

	if (number(what, field, len, &value, err) < 0)
		return -1;
	if (value < 0 || (uint64_t)value > max)
		return err_set(err, ERR_INVALID, "tar header: %s is out of range", what);
	*out = (uint64_t)value;
	return 0;
}

static int number32(const char *what, const uint8_t *field, size_t len, uint64_t max, uint32_t *out,
		    struct err *err)
{
	uint64_t value = 0;

	if (tar_number(what, field, len, max, &value, err) < 0)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

bool tar_block_is_zero(const uint8_t *block)
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK_BYTES - 1) == 0;
}

static int check_sum(const uint8_t *block, struct err *err)
{
	uint64_t wanted, plain = 0;
	int64_t sign = 0;

	if (octal("checksum", block + SUM_AT, SUM_LEN, &wanted, err) < 0)
		return -1;
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
		uint8_t byte = i >= SUM_AT && i < SUM_AT + SUM_LEN ? ' ' : block[i];

		plain += byte;
		sign += (int8_t)byte;
	}
	if (wanted != plain && (int64_t)wanted != sign)
		return err_set(err, ERR_INVALID, "tar header: wrong checksum (no tar, or damaged)");
	return 0;
}

static size_t field_text(char *out, const uint8_t *field, size_t len)
{
	size_t n = strnlen((const char *)field, len);

	memcpy(out, field, n);
	out[n] = '\0';
	return n;
}

int tar_header_read(const uint8_t *block, struct tar_header *out, struct err *err)
{
	bool ustar = memcmp(block + MAGIC_AT, "ustar\0", 6) == 0;
	size_t n = 0;
	uint64_t mode = 0;

	memset(out, 0, sizeof(*out));
	if (check_sum(block, err) < 0)
		return -1;
	out->is_gnu = memcmp(block + MAGIC_AT, "ustar  ", 8) == 0;
	out->type = (char)block[TYPE_AT];
	if (ustar && block[PREFIX_AT]) {
		n = field_text(out->path, block + PREFIX_AT, PREFIX_LEN);
		out->path[n++] = '/';
	}
	field_text(out->path + n, block + NAME_AT, NAME_LEN);
	field_text(out->link, block + LINK_AT, LINK_LEN);
	if (tar_number("mode", block + MODE_AT, MODE_LEN, INT64_MAX, &mode, err) < 0 ||
	    tar_number("size", block + SIZE_AT, SIZE_LEN, INT64_MAX >> 1, &out->size, err) < 0 ||
	    number("mtime", block + MTIME_AT, MTIME_LEN, &out->mtime_s, err) < 0 ||
	    number32("uid", block + UID_AT, ID_LEN, ID_MAX, &out->uid, err) < 0 ||
	    number32("gid", block + GID_AT, ID_LEN, ID_MAX, &out->gid, err) < 0)
		return -1;
	out->mode = (uint32_t)mode & MODE_BITS;
	if (out->type != '3' && out->type != '4')
		return 0;
	if (number32("devmajor", block + MAJOR_AT, DEVICE_LEN, DEVICE_MAX, &out->major, err) < 0 ||
	    number32("devminor", block + MINOR_AT, DEVICE_LEN, DEVICE_MAX, &out->minor, err) < 0)
		return -1;
	return 0;
}

int tar_region_add(struct tar_region **regions, size_t *count, uint64_t offset, uint64_t len,
		   struct err *err)
{
	const struct tar_region *last = *count ? &(*regions)[*count - 1] : NULL;
	struct tar_region *region;
	uint64_t end;

	if (__builtin_add_overflow(offset, len, &end) || end > INT64_MAX)
		return err_set(err, ERR_INVALID, "sparse map is out of range");
	if (last && offset < last->offset + last->len)
		return err_set(err, ERR_INVALID, "sparse map is not in order");
	if (*count >= TAR_REGION_MAX)
		return err_set(err, ERR_INVALID, "sparse map has more than %u regions",
			       TAR_REGION_MAX);
	region = xgrow(regions, count, sizeof(*region));
	region->offset = offset;
	region->len = len;
	return 0;
}
