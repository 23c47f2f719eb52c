/* images/archive_source - the members of an image archive by name.
 *
 * Owns: the index of a tar, the copy of a pipe. May not touch: what the members mean.
 */
#include "images/archive_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tar.h"
#include "images/apply_path.h"
#include "images/decode.h"
#include "images/store_internal.h"

#define MEMBERS_MAX 100000u
#define LINKS_MAX   8u
#define READ_BYTES  (256u << 10)
#define SPACE_STEP  (16u << 20)

struct member {
	char *name, *link; /* link: clean path of the target, or NULL */
	uint64_t offset, size;
	size_t number; /* later ones win */
};

struct archive_source {
	int fd;
	struct member *members;
	size_t count;
};

/* ---- spooling ---- */

struct spool {
	struct store *store;
	int fd;
	uint64_t bytes, checked_at;
};

static int spool_bytes(void *ctx, const void *data, size_t len, struct err *err)
{
	struct spool *spool = ctx;

	if (len > spool->store->max_image_bytes - spool->bytes)
		return err_set(err, ERR_INVALID, "archive is larger than the limit of %llu bytes",
			       (unsigned long long)spool->store->max_image_bytes);
	if (spool->bytes == 0 || spool->bytes - spool->checked_at > SPACE_STEP) {
		spool->checked_at = spool->bytes;
		if (store_check_space(spool->store, err) < 0)
			return -1;
	}
	spool->bytes += len;
	return file_write_all(spool->fd, data, len) < 0 ? err_sys(err, errno, "spool archive") : 0;
}

static bool is_plain_file(int fd)
{
	unsigned char magic[6] = { 0 };
	struct stat st;
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (at != 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (pread(fd, magic, sizeof(magic), 0) < 2)
		return true;
	return !(magic[0] == 0x1f && magic[1] == 0x8b) &&
	       memcmp(magic, "\x28\xb5\x2f\xfd", 4) != 0 && memcmp(magic, "BZh", 3) != 0 &&
	       memcmp(magic,
		      "\xfd"
		      "7zXZ",
		      5) != 0 &&
	       !((magic[0] & 0xf0) == 0x50 && memcmp(magic + 1, "\x2a\x4d\x18", 3) == 0);
}

/* A tar of any compression as a seekable file of plain bytes: a duplicate of fd where that will do,
 * else a copy in the store's tmp/. */
static int archive_spool(struct store *store, int fd, struct err *err)
{
	struct spool spool = { .store = store };
	AUTO(decode) struct decode *decode = NULL;
	AUTO(free) char *buffer = NULL;
	AUTO(fd) int copy = -1;

	if (is_plain_file(fd)) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return copy < 0 ? err_sys(err, errno, "archive") : TAKE_FD(copy);
	}
	copy = openat(store->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (copy < 0)
		return err_sys(err, errno, "spool archive");
	spool.fd = copy;
	buffer = xcalloc(1, READ_BYTES);
	decode = decode_new(0, spool_bytes, &spool);
	for (;;) {
		ssize_t n = read(fd, buffer, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read archive");
		if (n == 0)
			return decode_end(decode, err) < 0 ? -1 : TAKE_FD(copy);
		if (decode_write(decode, buffer, (size_t)n, err) < 0)
			return -1;
	}
}

/* ---- the index ---- */

/* A symlink's target counts from its own folder, a hard link's from the archive's root. */
static char *link_path(const char *name, const struct tar_entry *entry)
{
	const char *slash = strrchr(name, '/');
	AUTO(free) char *joined = NULL;
	char *clean, *at, *part;

	if (entry->type == TAR_HARDLINK || entry->link[0] == '/' || !slash)
		joined = xstrdup(entry->link);
	else
		joined = xformat("%.*s/%s", (int)(slash - name), name, entry->link);
	clean = at = xcalloc(1, strlen(joined) + 2);
	for (char *rest = joined; (part = strsep(&rest, "/")) != NULL;) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) { /* clamped at the root */
			while (at > clean && *--at != '/')
				;
			*at = '\0';
			continue;
		}
		at += sprintf(at, "%s%s", at > clean ? "/" : "", part);
	}
	return clean;
}

static int add_member(void *ctx, const struct tar_entry *entry, struct err *err)
{
	struct archive_source *source = ctx;
	AUTO(free) char *name = NULL;
	struct member *member;

	if (source->count >= MEMBERS_MAX)
		return err_set(err, ERR_INVALID, "archive has more than %u members", MEMBERS_MAX);
	if (apply_clean(entry->path, &name, err) < 0)
		return -1;
	if (entry->type == TAR_DIR)
		return 0;
	if ((entry->type != TAR_FILE || entry->is_sparse) && entry->type != TAR_SYMLINK &&
	    entry->type != TAR_HARDLINK)
		return err_set(err, ERR_INVALID, "neither file nor link in an image archive");
	member = xgrow(&source->members, &source->count, sizeof(*member));
	member->number = source->count;
	member->offset = entry->data_offset;
	member->size = entry->size;
	if (entry->type != TAR_FILE)
		member->link = link_path(name, entry);
	member->name = TAKE(name);
	return 0;
}

static int by_name(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->number < b->number ? -1 : 1;
}

static int build_index(struct archive_source *source, struct err *err)
{
	static const struct tar_events events = { add_member, NULL, NULL };
	AUTO(tar) struct tar *tar = tar_new(&events, source);
	uint64_t at = 0;
	char block[4096];

	for (;;) {
		uint64_t skip = tar_skippable(tar);
		ssize_t n;

		if (skip) {
			tar_skip(tar, skip);
			at += skip;
			continue;
		}
		n = pread(source->fd, block, 512, (off_t)at);
		if (n < 0)
			return err_sys(err, errno, "read archive");
		if (n == 0)
			break;
		if (tar_write(tar, block, (size_t)n, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	if (tar_end(tar, err) < 0)
		return -1;
	if (source->count)
		qsort(source->members, source->count, sizeof(*source->members), by_name);
	return 0;
}

static const struct member *search(const struct archive_source *source, const char *name)
{
	size_t low = 0, high = source->count;

	while (low < high) { /* the first behind all of that name */
		size_t middle = (low + high) / 2;

		if (strcmp(source->members[middle].name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || strcmp(source->members[low - 1].name, name) != 0)
		return NULL;
	return &source->members[low - 1];
}

static const struct member *find(const struct archive_source *source, const char *name)
{
	AUTO(free) char *clean = NULL;
	struct err ignored = ERR_NONE;
	const struct member *member;

	if (apply_clean(name, &clean, &ignored) < 0)
		return NULL;
	member = search(source, clean);
	for (unsigned i = 0; member && member->link; i++)
		member = i < LINKS_MAX ? search(source, member->link) : NULL;
	return member;
}

struct archive_source *archive_source_open(struct store *store, int fd, struct err *err)
{
	AUTO(archive_source) struct archive_source *source = xcalloc(1, sizeof(*source));

	source->fd = archive_spool(store, fd, err);
	if (source->fd < 0 || build_index(source, err) < 0)
		return NULL;
	return TAKE(source);
}

void archive_source_close(struct archive_source *source)
{
	if (!source)
		return;
	for (size_t i = 0; i < source->count; i++) {
		free(source->members[i].name);
		free(source->members[i].link);
	}
	free(source->members);
	if (source->fd >= 0)
		close(source->fd);
	free(source);
}

int archive_source_find(struct archive_source *source, const char *name, uint64_t *out_offset,
			uint64_t *out_size, struct err *err)
{
	const struct member *member = find(source, name);
	int fd;

	if (!member)
		return err_set(err, ERR_NOT_FOUND, "the archive has no %.200s", name);
	*out_offset = member->offset;
	*out_size = member->size;
	fd = fcntl(source->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_sys(err, errno, "archive") : fd;
}

bool archive_source_has(struct archive_source *source, const char *name)
{
	struct err ignored = ERR_NONE;
	uint64_t offset, size;
	AUTO(fd) int fd = archive_source_find(source, name, &offset, &size, &ignored);

	return fd >= 0;
}

int archive_source_read(struct archive_source *source, const char *name, size_t max_bytes,
			char **out_text, size_t *out_len, struct err *err)
{
	uint64_t offset, size, done = 0;
	AUTO(fd) int fd = archive_source_find(source, name, &offset, &size, err);
	AUTO(free) char *text = NULL;

	if (fd < 0)
		return -1;
	if (size > max_bytes)
		return err_set(err, ERR_INVALID, "%.200s is larger than %zu bytes", name,
			       max_bytes);
	text = xcalloc(1, size + 1);
	while (done < size) {
		ssize_t n = pread(fd, text + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EIO, "read %.200s", name);
		done += (uint64_t)n;
	}
	*out_text = TAKE(text);
	*out_len = size;
	return 0;
}
