/* base/tar_pax - the extended records of a pax archive.
 *
 * Owns: the key table. May not touch: headers, streams, files. Declared in base/tar_header.h.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/tar_header.h"

#define ID_MAX        0xfffffffeu
#define XATTR_PREFIX  "SCHILY.xattr."
#define NS_DIGITS     9
#define VALUE_PRINTED 40

struct key {
	const char *name;
	int (*read)(struct tar_pax *pax, const char *value, size_t len, struct err *err);
};

static int read_u64(const char *what, const char *value, size_t len, uint64_t max, uint64_t *out,
		    struct err *err)
{
	return num_parse_u64(what, value, len, 0, max, out, err);
}

static int set_text(char **field, const char *what, const char *value, size_t len, struct err *err)
{
	if (memchr(value, '\0', len))
		return err_set(err, ERR_INVALID, "pax record %s holds a NUL byte", what);
	free(*field);
	*field = len ? xstrndup(value, len) : NULL;
	return 0;
}

static int read_path(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	return set_text(&pax->path, "path", value, len, err);
}

static int read_link(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	return set_text(&pax->link, "linkpath", value, len, err);
}

static int read_size(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	pax->has_size = len > 0;
	return len ? read_u64("pax record size", value, len, INT64_MAX >> 1, &pax->size, err) : 0;
}

static int read_id(const char *what, const char *value, size_t len, bool *has, uint32_t *out,
		   struct err *err)
{
	uint64_t id = 0;

	*has = len > 0;
	if (len && read_u64(what, value, len, ID_MAX, &id, err) < 0)
		return -1;
	*out = (uint32_t)id;
	return 0;
}

static int read_uid(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	return read_id("pax record uid", value, len, &pax->has_uid, &pax->uid, err);
}

static int read_gid(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	return read_id("pax record gid", value, len, &pax->has_gid, &pax->gid, err);
}

/* "-12.5" is 12.5 s before 1970: seconds -13, nanoseconds 500000000. Digits behind the ninth are
 * dropped. */
static int read_mtime(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	bool negative = len && value[0] == '-';
	const char *at = value + negative, *end = value + len;
	size_t digits = num_digits(at, (size_t)(end - at));
	uint64_t seconds, ns = 0;

	pax->has_mtime = len > 0;
	if (!len)
		return 0;
	if (read_u64("pax record mtime", at, digits, INT64_MAX / 2, &seconds, err) < 0)
		return -1;
	at += digits;
	if (at < end && *at++ != '.')
		return err_set(err, ERR_INVALID, "pax record mtime: not a number");
	if (num_digits(at, (size_t)(end - at)) != (size_t)(end - at))
		return err_set(err, ERR_INVALID, "pax record mtime: not a number");
	for (int i = 0; i < NS_DIGITS; i++)
		ns = ns * 10 + (at < end ? (uint64_t)(*at++ - '0') : 0);
	pax->mtime_s = negative ? -(int64_t)seconds : (int64_t)seconds;
	pax->mtime_ns = (uint32_t)ns;
	if (negative && ns) {
		pax->mtime_s--;
		pax->mtime_ns = (uint32_t)(1000000000u - ns);
	}
	return 0;
}

static int read_sparse_major(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	uint64_t major;

	if (read_u64("pax record GNU.sparse.major", value, len, 1, &major, err) < 0)
		return -1;
	pax->sparse_major = (unsigned)major;
	pax->is_sparse = true;
	return 0;
}

static int read_sparse_minor(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	uint64_t minor;

	(void)pax;
	return read_u64("pax record GNU.sparse.minor", value, len, 1, &minor, err);
}

static int read_sparse_name(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	return set_text(&pax->sparse_name, "GNU.sparse.name", value, len, err);
}

static int read_real_size(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	pax->has_real_size = true;
	pax->is_sparse = true;
	return read_u64("pax record GNU.sparse.size", value, len, INT64_MAX, &pax->real_size, err);
}

static int read_sparse_offset(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	uint64_t offset;

	if (pax->region_open)
		return err_set(err, ERR_INVALID, "pax record GNU.sparse.offset without a length");
	if (read_u64("pax record GNU.sparse.offset", value, len, INT64_MAX, &offset, err) < 0)
		return -1;
	pax->is_sparse = pax->region_open = true;
	return tar_region_add(&pax->regions, &pax->region_count, offset, 0, err);
}

static int read_sparse_length(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	struct tar_region *last = pax->region_count ? &pax->regions[pax->region_count - 1] : NULL;

	if (!pax->region_open || !last)
		return err_set(err, ERR_INVALID,
			       "pax record GNU.sparse.numbytes without an offset");
	pax->region_open = false;
	return read_u64("pax record GNU.sparse.numbytes", value, len,
			(uint64_t)INT64_MAX - last->offset, &last->len, err);
}

/* "offset,length,offset,length" */
static int read_sparse_map(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	const char *at = value, *end = value + len;
	uint64_t pair[2];

	free(TAKE(pax->regions));
	pax->region_count = 0;
	pax->is_sparse = true;
	while (at < end) {
		for (int i = 0; i < 2; i++) {
			size_t digits = num_digits(at, (size_t)(end - at));

			if (read_u64("pax record GNU.sparse.map", at, digits, INT64_MAX, &pair[i],
				     err) < 0)
				return -1;
			at += digits;
			if (at < end && *at++ != ',')
				return err_set(err, ERR_INVALID,
					       "pax record GNU.sparse.map: broken");
		}
		if (tar_region_add(&pax->regions, &pax->region_count, pair[0], pair[1], err) < 0)
			return -1;
	}
	return 0;
}

static int read_ignored(struct tar_pax *pax, const char *value, size_t len, struct err *err)
{
	(void)value;
	(void)len;
	(void)err;
	pax->is_sparse = true;
	return 0;
}

/* clang-format off */
static const struct key keys[] = {
	{ "path",                 read_path },
	{ "linkpath",             read_link },
	{ "size",                 read_size },
	{ "uid",                  read_uid },
	{ "gid",                  read_gid },
	{ "mtime",                read_mtime },
	{ "GNU.sparse.major",     read_sparse_major },
	{ "GNU.sparse.minor",     read_sparse_minor },
	{ "GNU.sparse.name",      read_sparse_name },
	{ "GNU.sparse.size",      read_real_size },
	{ "GNU.sparse.realsize",  read_real_size },
	{ "GNU.sparse.numblocks", read_ignored },
	{ "GNU.sparse.offset",    read_sparse_offset },
	{ "GNU.sparse.numbytes",  read_sparse_length },
	{ "GNU.sparse.map",       read_sparse_map },
};
/* clang-format on */

static void drop_xattr(struct tar_pax *pax, size_t i)
{
	free((void *)(uintptr_t)pax->xattrs[i].name);
	free((void *)(uintptr_t)pax->xattrs[i].value);
	pax->xattrs[i] = pax->xattrs[--pax->xattr_count];
}

static int set_xattr(struct tar_pax *pax, const char *name, const char *value, size_t len,
		     struct err *err)
{
	struct tar_xattr *xattr;

	if (!*name || strlen(name) > 255)
		return err_set(err, ERR_INVALID, "extended attribute with a bad name");
	for (size_t i = 0; i < pax->xattr_count; i++)
		if (strcmp(pax->xattrs[i].name, name) == 0)
			drop_xattr(pax, i--);
	if (len > TAR_XATTR_BYTES_MAX)
		return err_set(err, ERR_INVALID, "extended attribute %.60s is larger than %u bytes",
			       name, TAR_XATTR_BYTES_MAX);
	if (pax->xattr_count >= TAR_XATTR_MAX)
		return err_set(err, ERR_INVALID, "more than %u extended attributes", TAR_XATTR_MAX);
	pax->xattrs = xrealloc(pax->xattrs, TAR_XATTR_MAX, sizeof(*pax->xattrs));
	xattr = &pax->xattrs[pax->xattr_count++];
	xattr->name = xstrdup(name);
	xattr->value = len ? memcpy(xcalloc(1, len), value, len) : xcalloc(1, 1);
	xattr->value_len = len;
	return 0;
}

static int read_record(struct tar_pax *pax, const char *name, const char *value, size_t len,
		       struct err *err)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(name, keys[i].name) == 0)
			return keys[i].read(pax, value, len, err);
	if (strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) == 0)
		return set_xattr(pax, name + strlen(XATTR_PREFIX), value, len, err);
	return 0;
}

void tar_pax_clear(struct tar_pax *pax)
{
	while (pax->xattr_count > 0)
		drop_xattr(pax, pax->xattr_count - 1);
	free(pax->xattrs);
	free(pax->regions);
	free(pax->path);
	free(pax->link);
	free(pax->sparse_name);
	memset(pax, 0, sizeof(*pax));
}

int tar_pax_read(struct tar_pax *pax, const char *text, size_t len, struct err *err)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		size_t digits = num_digits(at, (size_t)(end - at));
		const char *record = at, *equals;
		AUTO(free) char *name = NULL;
		uint64_t size;

		if (num_parse_u64("pax record length", at, digits, digits + 3, len, &size, err) < 0)
			return -1;
		if (size > (size_t)(end - at) || at[digits] != ' ' || at[size - 1] != '\n')
			return err_set(err, ERR_INVALID, "pax record of wrong length");
		at += size;
		record += digits + 1;
		equals = memchr(record, '=', (size_t)(at - 1 - record));
		if (!equals || equals == record || memchr(record, '\0', (size_t)(equals - record)))
			return err_set(err, ERR_INVALID, "pax record \"%.*s\" without a key",
				       VALUE_PRINTED, record);
		name = xstrndup(record, (size_t)(equals - record));
		if (read_record(pax, name, equals + 1, (size_t)(at - 1 - (equals + 1)), err) < 0)
			return -1;
	}
	if (pax->region_open)
		return err_set(err, ERR_INVALID, "pax record GNU.sparse.offset without a length");
	return 0;
}
