/* base/tar_out - entries to a tar.
 *
 * Owns: the form of headers and pax records. May not touch: anything but the descriptor.
 */
#include "base/tar_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

#define BLOCK     512u
#define OUT_BYTES (256u << 10)
#define OCTAL_MAX 077777777777ull /* eleven digits */
#define ID_OCTAL  07777777u       /* seven */
#define MODE_BITS 07777u

struct tar_out {
	int fd; /* -1: the sink */
	tar_out_sink sink;
	void *ctx;
	uint8_t *buffer;
	size_t len;
	uint64_t content; /* bytes since the last header */
};

/* Text that grows, for pax records and sparse maps. */
struct records {
	char *text;
	size_t len;
	FILE *stream;
};

/* clang-format off */
static const char type_chars[] = {
	[TAR_FILE] = '0', [TAR_HARDLINK] = '1', [TAR_SYMLINK] = '2', [TAR_CHAR] = '3',
	[TAR_BLOCK] = '4', [TAR_DIR] = '5', [TAR_FIFO] = '6',
};
/* clang-format on */

static int flush(struct tar_out *out, struct err *err)
{
	size_t len = out->len;

	out->len = 0;
	if (out->sink)
		return len ? out->sink(out->ctx, out->buffer, len, err) : 0;
	return file_write_all(out->fd, out->buffer, len) < 0 ? err_sys(err, errno, "write tar") : 0;
}

int tar_out_data(struct tar_out *out, const void *data, size_t len, struct err *err)
{
	const uint8_t *at = data;

	out->content += len;
	while (len > 0) {
		size_t n = OUT_BYTES - out->len;

		n = n > len ? len : n;
		memcpy(out->buffer + out->len, at, n);
		out->len += n;
		at += n;
		len -= n;
		if (out->len == OUT_BYTES && flush(out, err) < 0)
			return -1;
	}
	return 0;
}

int tar_out_copy(struct tar_out *out, int fd, uint64_t offset, uint64_t len, struct err *err)
{
	while (len > 0) {
		size_t room = OUT_BYTES - out->len;
		size_t want = len < room ? (size_t)len : room;
		ssize_t n = pread(fd, out->buffer + out->len, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read file");
		if (n == 0) { /* it shrank meanwhile */
			memset(out->buffer + out->len, 0, want);
			n = (ssize_t)want;
		}
		out->len += (size_t)n;
		out->content += (uint64_t)n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
		if (out->len == OUT_BYTES && flush(out, err) < 0)
			return -1;
	}
	return 0;
}

int tar_out_done(struct tar_out *out, struct err *err)
{
	static const uint8_t zeros[BLOCK];
	size_t pad = (size_t)((BLOCK - out->content % BLOCK) % BLOCK);

	return tar_out_data(out, zeros, pad, err);
}

/* "LEN KEY=VALUE\n", LEN counting itself. */
static void add_record(struct records *records, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, total = rest + 1;
	char number[24];

	while ((size_t)snprintf(number, sizeof(number), "%zu", total) + rest != total)
		total = rest + strlen(number);
	fprintf(records->stream, "%zu %s=", total, key);
	fwrite(value, 1, len, records->stream);
	fputc('\n', records->stream);
}

static void add_number(struct records *records, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	add_record(records, key, text, strlen(text));
}

static void add_time(struct records *records, int64_t seconds, uint32_t ns)
{
	char text[48];
	const char *sign = "";
	uint64_t whole;
	size_t len;

	if (seconds < 0) { /* -13 s + 0.5 s is written -12.5 */
		sign = "-";
		whole = (uint64_t)(-(seconds + 1)) + (ns ? 0 : 1);
		ns = ns ? 1000000000u - ns : 0;
	} else {
		whole = (uint64_t)seconds;
	}
	len = (size_t)snprintf(text, sizeof(text), "%s%llu.%09u", sign, (unsigned long long)whole,
			       ns);
	while (text[len - 1] == '0')
		len--;
	len -= text[len - 1] == '.';
	add_record(records, "mtime", text, len);
}

static void collect(struct records *records, const struct tar_entry *entry, const char *name)
{
	if (strlen(name) > 100)
		add_record(records, entry->is_sparse ? "GNU.sparse.name" : "path", name,
			   strlen(name));
	if (strlen(entry->link) > 100)
		add_record(records, "linkpath", entry->link, strlen(entry->link));
	if (entry->uid > ID_OCTAL)
		add_number(records, "uid", entry->uid);
	if (entry->gid > ID_OCTAL)
		add_number(records, "gid", entry->gid);
	if (entry->mtime_ns || entry->mtime_s < 0 || (uint64_t)entry->mtime_s > OCTAL_MAX)
		add_time(records, entry->mtime_s, entry->mtime_ns);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		AUTO(free) char *key = xformat("SCHILY.xattr.%s", entry->xattrs[i].name);

		add_record(records, key, entry->xattrs[i].value, entry->xattrs[i].value_len);
	}
	if (!entry->is_sparse)
		return;
	add_number(records, "GNU.sparse.major", 1);
	add_number(records, "GNU.sparse.minor", 0);
	if (strlen(name) <= 100)
		add_record(records, "GNU.sparse.name", name, strlen(name));
	add_number(records, "GNU.sparse.realsize", entry->size);
}

static void octal(uint8_t *field, size_t digits, uint64_t value)
{
	for (size_t i = digits; i-- > 0; value >>= 3)
		field[i] = (uint8_t)('0' + (value & 7));
}

static int write_header(struct tar_out *out, const char *name, char type,
			const struct tar_entry *entry, uint64_t size, struct err *err)
{
	uint8_t block[BLOCK] = { 0 };
	unsigned sum = 0;

	memcpy(block, name, strnlen(name, 100));
	octal(block + 100, 7, entry->mode & MODE_BITS);
	octal(block + 108, 7, entry->uid > ID_OCTAL ? 0 : entry->uid);
	octal(block + 116, 7, entry->gid > ID_OCTAL ? 0 : entry->gid);
	octal(block + 124, 11, size > OCTAL_MAX ? 0 : size);
	octal(block + 136, 11,
	      entry->mtime_s < 0 || (uint64_t)entry->mtime_s > OCTAL_MAX
		      ? 0
		      : (uint64_t)entry->mtime_s);
	memset(block + 148, ' ', 8);
	block[156] = (uint8_t)type;
	memcpy(block + 157, entry->link, strnlen(entry->link, 100));
	memcpy(block + 257, "ustar\00000", 8);
	octal(block + 329, 7, entry->major);
	octal(block + 337, 7, entry->minor);
	for (size_t i = 0; i < BLOCK; i++)
		sum += block[i];
	octal(block + 148, 6, sum);
	block[154] = '\0';
	if (tar_out_data(out, block, BLOCK, err) < 0)
		return -1;
	out->content = 0;
	return 0;
}

static int write_pax(struct tar_out *out, const struct records *records, struct err *err)
{
	static const struct tar_entry plain = { .link = "", .mode = 0644 };

	if (write_header(out, "./PaxHeaders/entry", 'x', &plain, records->len, err) < 0 ||
	    tar_out_data(out, records->text, records->len, err) < 0)
		return -1;
	return tar_out_done(out, err);
}

/* The map of a sparse file, padded to a block. */
static void sparse_map(struct records *map, const struct tar_entry *entry)
{
	map->stream = open_memstream(&map->text, &map->len);
	fprintf(map->stream, "%zu\n", entry->region_count);
	for (size_t i = 0; i < entry->region_count; i++)
		fprintf(map->stream, "%llu\n%llu\n", (unsigned long long)entry->regions[i].offset,
			(unsigned long long)entry->regions[i].len);
	fflush(map->stream);
	for (size_t n = (BLOCK - map->len % BLOCK) % BLOCK; n > 0; n--)
		fputc('\0', map->stream);
	fclose(map->stream);
}

/* Whether ustar alone does not reach: the same questions as collect's. */
static bool needs_records(const struct tar_entry *entry, uint64_t size)
{
	return strlen(entry->path) > 100 || strlen(entry->link) > 100 || entry->uid > ID_OCTAL ||
	       entry->gid > ID_OCTAL || entry->mtime_ns || entry->mtime_s < 0 ||
	       (uint64_t)entry->mtime_s > OCTAL_MAX || entry->xattr_count || entry->is_sparse ||
	       size > OCTAL_MAX;
}

int tar_out_entry(struct tar_out *out, const struct tar_entry *entry, struct err *err)
{
	struct records records = { 0 }, map = { 0 };
	uint64_t size = entry->type == TAR_FILE ? entry->size : 0;
	int rc = 0;

	if (entry->is_sparse) {
		sparse_map(&map, entry);
		size = map.len;
		for (size_t i = 0; i < entry->region_count; i++)
			size += entry->regions[i].len;
	}
	if (needs_records(entry, size)) {
		records.stream = open_memstream(&records.text, &records.len);
		collect(&records, entry, entry->path);
		if (size > OCTAL_MAX)
			add_number(&records, "size", size);
		fclose(records.stream);
	}
	if (records.len)
		rc = write_pax(out, &records, err);
	if (rc == 0)
		rc = write_header(out, entry->path, type_chars[entry->type], entry, size, err);
	if (rc == 0 && map.len)
		rc = tar_out_data(out, map.text, map.len, err);
	free(records.text);
	free(map.text);
	return rc;
}

int tar_out_file(struct tar_out *out, const char *name, const void *data, size_t len,
		 struct err *err)
{
	struct tar_entry entry = {
		.type = TAR_FILE, .path = name, .link = "", .mode = 0644, .size = len
	};

	if (tar_out_entry(out, &entry, err) < 0 || tar_out_data(out, data, len, err) < 0)
		return -1;
	return tar_out_done(out, err);
}

int tar_out_end(struct tar_out *out, struct err *err)
{
	static const uint8_t zeros[2 * BLOCK];

	return tar_out_data(out, zeros, sizeof(zeros), err) < 0 ? -1 : flush(out, err);
}

struct tar_out *tar_out_new(int fd)
{
	struct tar_out *out = xcalloc(1, sizeof(*out));

	out->fd = fd;
	out->buffer = xcalloc(1, OUT_BYTES);
	return out;
}

struct tar_out *tar_out_new_to(tar_out_sink sink, void *ctx)
{
	struct tar_out *out = tar_out_new(-1);

	out->sink = sink;
	out->ctx = ctx;
	return out;
}

void tar_out_free(struct tar_out *out)
{
	if (!out)
		return;
	free(out->buffer);
	free(out);
}
