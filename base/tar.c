/* base/tar - a tar stream as entries.
 *
 * Owns: the state of the stream (headers, long names, sparse maps, content, end marker). May not
 * touch: files; what a name means is the caller's.
 */
#include "base/tar.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/tar_header.h"
#include "base/text.h"

enum state {
	ST_HEADER,
	ST_META,  /* the content of x, L, K entries is gathered */
	ST_EXTRA, /* old GNU sparse: more blocks of the map */
	ST_MAP,   /* pax sparse 1.0: the map in front of the data */
	ST_DATA,
	ST_SKIP, /* content that nobody wants, padding */
	ST_END,  /* the end marker was seen */
};

struct tar {
	struct tar_events events;
	void *ctx;
	enum state state;
	uint64_t offset; /* of the next byte in the stream */
	uint64_t entry_count;
	uint8_t block[TAR_BLOCK_BYTES];
	size_t block_len;
	struct tar_header header;
	struct tar_pax pax;
	char *long_path, *long_link; /* GNU */
	char meta_type;
	char *meta;
	size_t meta_len, meta_size;
	uint64_t left; /* bytes of content, map included, that are still to come */
	uint64_t padding;
	struct tar_region *regions;
	size_t region_count, region_at;
	uint64_t region_done; /* bytes of regions[region_at] that went out */
	bool is_sparse;
	uint64_t real_size;
	uint64_t file_offset;
	uint64_t map_left; /* 1.0: numbers still to come; */
	bool map_counted;
	uint64_t map_pending; /* an offset whose length follows */
	bool map_has_pending;
	char number[24];
	size_t number_len;
};

static const char *entry_path(const struct tar *tar)
{
	if (tar->pax.sparse_name)
		return tar->pax.sparse_name;
	if (tar->pax.path)
		return tar->pax.path;
	return tar->long_path ? tar->long_path : tar->header.path;
}

/* Puts the entry's name, made printable, in front of the message. */
static int wrap(const struct tar *tar, struct err *err)
{
	char name[81];

	snprintf(name, sizeof(name), "%.80s", entry_path(tar));
	return err_wrap(err, "entry \"%s\"", text_plain(name));
}

static void next_entry(struct tar *tar)
{
	tar_pax_clear(&tar->pax);
	free(TAKE(tar->long_path));
	free(TAKE(tar->long_link));
	free(TAKE(tar->regions));
	tar->region_count = tar->region_at = 0;
	tar->region_done = tar->file_offset = 0;
	tar->is_sparse = false;
	tar->block_len = 0;
	tar->state = ST_HEADER;
}

static uint64_t padding_of(uint64_t size)
{
	return (TAR_BLOCK_BYTES - size % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
}

static int finish_file(struct tar *tar, struct err *err)
{
	if (tar->events.done && tar->events.done(tar->ctx, err) < 0)
		return wrap(tar, err);
	tar->left = tar->padding;
	tar->padding = 0;
	next_entry(tar);
	if (tar->left)
		tar->state = ST_SKIP;
	return 0;
}

/* Gives every region its place in the tar and checks that the map fits the content. */
static int place_regions(struct tar *tar, struct err *err)
{
	uint64_t at = tar->offset;
	size_t kept = 0;

	for (size_t i = 0; i < tar->region_count; i++) {
		struct tar_region region = tar->regions[i];

		if (region.len == 0)
			continue;
		if (region.len > tar->real_size || region.offset > tar->real_size - region.len)
			return err_set(err, ERR_INVALID,
				       "sparse map reaches behind the file's end");
		region.data_offset = at;
		at += region.len;
		tar->regions[kept++] = region;
	}
	tar->region_count = kept;
	if (at - tar->offset != tar->left)
		return err_set(err, ERR_INVALID, "sparse map does not fit the stored size");
	return 0;
}

static const enum tar_type types[] = {
	['0'] = TAR_FILE, ['1'] = TAR_HARDLINK, ['2'] = TAR_SYMLINK,
	['3'] = TAR_CHAR, ['4'] = TAR_BLOCK,    ['5'] = TAR_DIR,
	['6'] = TAR_FIFO, ['7'] = TAR_FILE,     ['S'] = TAR_FILE,
};

static enum tar_type type_of(const struct tar *tar)
{
	const char *path = entry_path(tar);
	size_t len = strlen(path);
	enum tar_type type = tar->header.type ? types[(unsigned char)tar->header.type] : TAR_FILE;

	return type == TAR_FILE && len && path[len - 1] == '/' ? TAR_DIR : type;
}

/* All that describes the entry is known: announce it. */
static int announce(struct tar *tar, struct err *err)
{
	const struct tar_header *header = &tar->header;
	const struct tar_pax *pax = &tar->pax;
	const char *link = pax->link ? pax->link : tar->long_link ? tar->long_link : header->link;
	struct tar_entry entry = {
		.type = type_of(tar),
		.path = entry_path(tar),
		.mode = header->mode,
		.uid = pax->has_uid ? pax->uid : header->uid,
		.gid = pax->has_gid ? pax->gid : header->gid,
		.major = header->major,
		.minor = header->minor,
		.mtime_s = pax->has_mtime ? pax->mtime_s : header->mtime_s,
		.mtime_ns = pax->has_mtime ? pax->mtime_ns : 0,
		.xattrs = pax->xattrs,
		.xattr_count = pax->xattr_count,
	};

	entry.link = entry.type == TAR_SYMLINK || entry.type == TAR_HARDLINK ? link : "";
	if (entry.type == TAR_FILE) {
		if (tar->is_sparse && place_regions(tar, err) < 0)
			return wrap(tar, err);
		entry.size = tar->is_sparse ? tar->real_size : tar->left;
		entry.data_offset = tar->offset;
		entry.data_size = tar->left;
		entry.regions = tar->regions;
		entry.region_count = tar->region_count;
		entry.is_sparse = tar->is_sparse;
	}
	tar->entry_count++;
	if (tar->events.entry(tar->ctx, &entry, err) < 0)
		return wrap(tar, err);
	if (entry.type != TAR_FILE) {
		next_entry(tar);
		return 0;
	}
	if (tar->left == 0)
		return finish_file(tar, err);
	tar->state = ST_DATA;
	return 0;
}

static int old_sparse_map(struct tar *tar, const uint8_t *at, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++, at += 24) {
		uint64_t offset, len;

		if (at[0] == 0)
			break;
		if (tar_number("sparse offset", at, 12, INT64_MAX, &offset, err) < 0 ||
		    tar_number("sparse length", at + 12, 12, INT64_MAX, &len, err) < 0 ||
		    tar_region_add(&tar->regions, &tar->region_count, offset, len, err) < 0)
			return wrap(tar, err);
	}
	return 0;
}

/* A header of something that has its own place in the tree. */
static int begin_entry(struct tar *tar, const uint8_t *block, struct err *err)
{
	uint64_t size = tar->pax.has_size ? tar->pax.size : tar->header.size;

	tar->left = size;
	tar->padding = padding_of(size);
	if (type_of(tar) != TAR_FILE) { /* a size on these says nothing: no data follows */
		tar->left = tar->padding = 0;
		return announce(tar, err);
	}
	if (tar->header.type == 'S') {
		tar->is_sparse = true;
		if (tar_number("real size", block + 483, 12, INT64_MAX, &tar->real_size, err) < 0 ||
		    old_sparse_map(tar, block + 386, 4, err) < 0)
			return -1;
		if (block[482]) {
			tar->state = ST_EXTRA;
			return 0;
		}
		return announce(tar, err);
	}
	if (!tar->pax.is_sparse)
		return announce(tar, err);
	tar->is_sparse = true;
	tar->real_size = tar->pax.has_real_size ? tar->pax.real_size : size;
	if (tar->pax.sparse_major == 0) {
		tar->regions = TAKE(tar->pax.regions);
		tar->region_count = tar->pax.region_count;
		return announce(tar, err);
	}
	tar->map_left = tar->number_len = 0;
	tar->map_counted = tar->map_has_pending = false;
	tar->state = ST_MAP;
	return 0;
}

static int begin_meta(struct tar *tar, struct err *err)
{
	uint64_t size = tar->header.size;

	if (size > TAR_META_MAX)
		return err_set(err, ERR_INVALID,
			       "tar header at %llu: extended header is larger than %u bytes",
			       (unsigned long long)tar->offset, TAR_META_MAX);
	tar->left = size + padding_of(size);
	tar->meta_type = tar->header.type;
	free(tar->meta);
	tar->meta = xcalloc(1, size + 1);
	tar->meta_len = 0;
	tar->meta_size = size;
	tar->state = ST_META;
	return 0;
}

static int read_header(struct tar *tar, const uint8_t *block, struct err *err)
{
	char type;

	if (tar_block_is_zero(block)) {
		if (tar->long_path || tar->long_link || tar->meta_type)
			return err_set(err, ERR_INVALID, "extended header without an entry");
		tar->state = ST_END;
		return 0;
	}
	if (tar_header_read(block, &tar->header, err) < 0)
		return err_wrap(err, "at byte %llu",
				(unsigned long long)(tar->offset - TAR_BLOCK_BYTES));
	type = tar->header.type;
	if (type == 'x' || type == 'L' || type == 'K' || type == 'g')
		return begin_meta(tar, err);
	tar->meta_type = 0;
	if (type == '\0' || (type >= '0' && type <= '7') || type == 'S')
		return begin_entry(tar, block, err);
	err_set(err, ERR_UNSUPPORTED, "type '%c' (0x%02x) is not supported",
		type > ' ' && type < 127 ? type : '?', (unsigned char)type);
	return wrap(tar, err);
}

static int finish_meta(struct tar *tar, struct err *err)
{
	size_t len = tar->meta_len;

	tar->state = ST_HEADER;
	switch (tar->meta_type) {
	case 'x':
		if (tar_pax_read(&tar->pax, tar->meta, len, err) < 0)
			return wrap(tar, err);
		break;
	case 'L':
		free(tar->long_path);
		tar->long_path = xstrndup(tar->meta, strnlen(tar->meta, len));
		break;
	case 'K':
		free(tar->long_link);
		tar->long_link = xstrndup(tar->meta, strnlen(tar->meta, len));
		break;
	default: /* 'g' says nothing that applies here, and stands for itself */
		tar->meta_type = 0;
		break;
	}
	free(TAKE(tar->meta));
	return 0;
}

/* One number of the 1.0 map: how many pairs, then offset, length, ... */
static int map_number(struct tar *tar, struct err *err)
{
	uint64_t value;

	if (num_parse_u64("sparse map", tar->number, tar->number_len, 0, INT64_MAX, &value, err) <
	    0)
		return -1;
	tar->number_len = 0;
	if (!tar->map_counted) {
		if (value > TAR_REGION_MAX)
			return err_set(err, ERR_INVALID, "sparse map has more than %u regions",
				       TAR_REGION_MAX);
		tar->map_counted = true;
		tar->map_left = 2 * value;
		return 0;
	}
	tar->map_left--;
	if (!tar->map_has_pending) {
		tar->map_pending = value;
		tar->map_has_pending = true;
		return 0;
	}
	tar->map_has_pending = false;
	return tar_region_add(&tar->regions, &tar->region_count, tar->map_pending, value, err);
}

/* A block of the 1.0 map; the data begins at the next block behind the last number. */
static int map_block(struct tar *tar, const uint8_t *block, struct err *err)
{
	if (tar->left < TAR_BLOCK_BYTES) {
		err_set(err, ERR_INVALID, "sparse map is cut off");
		return wrap(tar, err);
	}
	tar->left -= TAR_BLOCK_BYTES;
	for (size_t i = 0; i < TAR_BLOCK_BYTES; i++) {
		if (tar->map_counted && tar->map_left == 0)
			break;
		if (block[i] == '\n') {
			if (map_number(tar, err) < 0)
				return wrap(tar, err);
		} else if (tar->number_len < sizeof(tar->number) - 1) {
			tar->number[tar->number_len++] = (char)block[i];
		} else {
			err_set(err, ERR_INVALID, "sparse map: number is too long");
			return wrap(tar, err);
		}
	}
	return tar->map_counted && tar->map_left == 0 ? announce(tar, err) : 0;
}

static int full_block(struct tar *tar, struct err *err)
{
	tar->block_len = 0;
	if (tar->state == ST_HEADER)
		return read_header(tar, tar->block, err);
	if (tar->state == ST_MAP)
		return map_block(tar, tar->block, err);
	if (old_sparse_map(tar, tar->block, 21, err) < 0)
		return -1;
	return tar->block[504] ? 0 : announce(tar, err);
}

static void advance(struct tar *tar, size_t n)
{
	tar->left -= n;
	if (!tar->is_sparse) {
		tar->file_offset += n;
		return;
	}
	tar->region_done += n;
	if (tar->region_done == tar->regions[tar->region_at].len) {
		tar->region_at++;
		tar->region_done = 0;
	}
}

/* How much of `len` bytes belongs together in the file, and where. */
static size_t piece(const struct tar *tar, size_t len, uint64_t *file_offset)
{
	const struct tar_region *region;

	if (len > tar->left)
		len = (size_t)tar->left;
	*file_offset = tar->file_offset;
	if (!tar->is_sparse)
		return len;
	region = &tar->regions[tar->region_at];
	*file_offset = region->offset + tar->region_done;
	return len > region->len - tar->region_done ? (size_t)(region->len - tar->region_done)
						    : len;
}

/* Takes what it can of the bytes and returns how many; at least one. */
static size_t take(struct tar *tar, const uint8_t *at, size_t len, struct err *err, int *rc)
{
	uint64_t file_offset;
	size_t n;

	switch (tar->state) {
	case ST_DATA:
		n = piece(tar, len, &file_offset);
		if (tar->events.data && tar->events.data(tar->ctx, file_offset, at, n, err) < 0)
			*rc = wrap(tar, err);
		tar->offset += n;
		advance(tar, n);
		if (*rc == 0 && tar->left == 0)
			*rc = finish_file(tar, err);
		return n;
	case ST_META:
	case ST_SKIP:
		n = len > tar->left ? (size_t)tar->left : len;
		if (tar->state == ST_META && tar->meta_len < tar->meta_size) {
			size_t room = tar->meta_size - tar->meta_len;

			memcpy(tar->meta + tar->meta_len, at, n < room ? n : room);
			tar->meta_len += n < room ? n : room;
		}
		tar->offset += n;
		tar->left -= n;
		if (tar->left == 0 && tar->state == ST_SKIP)
			tar->state = ST_HEADER;
		else if (tar->left == 0)
			*rc = finish_meta(tar, err);
		return n;
	case ST_END:
		if (*at || memcmp(at, at + 1, len - 1) != 0)
			*rc = err_set(err, ERR_INVALID, "tar: garbage behind the end marker");
		tar->offset += len;
		return len;
	default:
		n = TAR_BLOCK_BYTES - tar->block_len;
		n = n > len ? len : n;
		memcpy(tar->block + tar->block_len, at, n);
		tar->block_len += n;
		tar->offset += n;
		if (tar->block_len == TAR_BLOCK_BYTES)
			*rc = full_block(tar, err);
		return n;
	}
}

struct tar *tar_new(const struct tar_events *events, void *ctx)
{
	struct tar *tar = xcalloc(1, sizeof(*tar));

	tar->events = *events;
	tar->ctx = ctx;
	return tar;
}

void tar_free(struct tar *tar)
{
	if (!tar)
		return;
	next_entry(tar);
	free(tar->meta);
	free(tar);
}

int tar_write(struct tar *tar, const void *data, size_t len, struct err *err)
{
	const uint8_t *at = data;
	int rc = 0;

	while (len > 0 && rc == 0) {
		size_t n;

		/* An empty extended header has nothing to wait for. */
		n = take(tar, at, len, err, &rc);
		if (rc == 0 && tar->state == ST_META && tar->left == 0)
			rc = finish_meta(tar, err);
		at += n;
		len -= n;
	}
	return rc;
}

int tar_end(struct tar *tar, struct err *err)
{
	bool between = tar->state == ST_HEADER && tar->block_len == 0 && !tar->meta_type;

	if (tar->state == ST_END || between)
		return 0;
	return err_set(err, ERR_INVALID, "tar: ends in the middle of an entry (byte %llu)",
		       (unsigned long long)tar->offset);
}

uint64_t tar_skippable(const struct tar *tar)
{
	return tar->state == ST_DATA || tar->state == ST_SKIP ? tar->left : 0;
}

void tar_skip(struct tar *tar, uint64_t len)
{
	tar->offset += len;
	tar->left -= len;
	if (tar->left > 0)
		return;
	if (tar->state == ST_DATA) {
		struct err ignored = ERR_NONE;
		struct tar_events events = tar->events;

		tar->events.done = NULL; /* nothing was read */
		finish_file(tar, &ignored);
		tar->events = events;
	} else {
		tar->state = ST_HEADER;
	}
}

uint64_t tar_entry_count(const struct tar *tar)
{
	return tar->entry_count;
}
