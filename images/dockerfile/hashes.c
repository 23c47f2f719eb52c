/* images/dockerfile/hashes - digests of files by what stat says of them, kept between builds.
 *
 * Owns: the file of one context: a head, rows, a sha256 over the rows.
 * May not touch: the files that were hashed.
 */
#include "images/dockerfile/hashes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "images/digest.h"

#define MAGIC      "stkhash1"
#define FIRST_SIZE 1024u
#define ROWS_MAX   (4u << 20)
#define NS_PER_S   1000000000ll

struct row {
	uint64_t device, inode, size;
	int64_t mtime_ns, ctime_ns;
	uint8_t digest[HASHES_BYTES];
	uint32_t has_xattrs;
	uint32_t unused; /* builds since it was asked for */
};

struct head {
	char magic[8];
	uint64_t count;
	char digest[DIGEST_TEXT_MAX]; /* of the rows */
};

struct df_hashes {
	char *folder, *name; /* NULL folder: nothing is kept */
	pthread_mutex_t mutex;
	struct row *rows; /* open hash by device and inode; digest of a free row: inode 0 */
	bool *is_used;    /* asked for in this build */
	size_t size, count;
	size_t known, hashed;
};

static size_t place(const struct df_hashes *hashes, uint64_t device, uint64_t inode)
{
	size_t i =
		(size_t)((inode ^ device << 20) * 0x9e3779b97f4a7c15ull >> 20) & (hashes->size - 1);

	while (hashes->rows[i].inode &&
	       (hashes->rows[i].inode != inode || hashes->rows[i].device != device))
		i = (i + 1) & (hashes->size - 1);
	return i;
}

static void grow(struct df_hashes *hashes, size_t wanted)
{
	struct row *old = hashes->rows;
	bool *old_used = hashes->is_used;
	size_t old_size = hashes->size;

	if (2 * wanted < hashes->size)
		return;
	while (2 * wanted >= hashes->size)
		hashes->size = hashes->size ? 2 * hashes->size : FIRST_SIZE;
	hashes->rows = xcalloc(hashes->size, sizeof(*hashes->rows));
	hashes->is_used = xcalloc(hashes->size, sizeof(*hashes->is_used));
	for (size_t i = 0; i < old_size; i++) {
		size_t to;

		if (!old[i].inode)
			continue;
		to = place(hashes, old[i].device, old[i].inode);
		hashes->rows[to] = old[i];
		hashes->is_used[to] = old_used[i];
	}
	free(old);
	free(old_used);
}

static void put(struct df_hashes *hashes, const struct row *row, bool is_used)
{
	size_t at;

	if (!row->inode || hashes->count >= ROWS_MAX)
		return;
	grow(hashes, hashes->count + 1);
	at = place(hashes, row->device, row->inode);
	if (!hashes->rows[at].inode)
		hashes->count++;
	hashes->rows[at] = *row;
	hashes->is_used[at] = is_used;
}

static void load(struct df_hashes *hashes)
{
	AUTO(free) char *path = xformat("%s/%s", hashes->folder, hashes->name);
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	struct head head;
	char digest[DIGEST_TEXT_MAX];
	size_t len;

	if (file_read(AT_FDCWD, path, ROWS_MAX * sizeof(struct row) + sizeof(head), &text, &len,
		      &ignored) < 0 ||
	    len < sizeof(head))
		return;
	memcpy(&head, text, sizeof(head));
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 || head.count > ROWS_MAX ||
	    len != sizeof(head) + head.count * sizeof(struct row))
		return;
	digest_of(text + sizeof(head), len - sizeof(head), digest);
	head.digest[sizeof(head.digest) - 1] = '\0';
	if (strcmp(digest, head.digest) != 0)
		return;
	grow(hashes, head.count + 1);
	for (size_t i = 0; i < head.count; i++) {
		struct row row;

		memcpy(&row, text + sizeof(head) + i * sizeof(row), sizeof(row));
		put(hashes, &row, false);
	}
}

struct df_hashes *df_hashes_open(const char *folder, const char *name)
{
	struct df_hashes *hashes = xcalloc(1, sizeof(*hashes));
	struct err ignored = ERR_NONE;
	char digest[DIGEST_TEXT_MAX];

	pthread_mutex_init(&hashes->mutex, NULL);
	grow(hashes, 1);
	digest_of(name, strlen(name), digest);
	hashes->name = xstrdup(digest_hex(digest));
	if (folder && file_make_dirs(AT_FDCWD, folder, 0700, &ignored) == 0) {
		hashes->folder = xstrdup(folder);
		load(hashes);
	}
	return hashes;
}

/* Rows that still count, one after the other; those that nobody asked for get older. */
static size_t collect(struct df_hashes *hashes, struct row *out)
{
	size_t count = 0;

	for (size_t i = 0; i < hashes->size; i++) {
		struct row *row = &hashes->rows[i];

		if (!row->inode)
			continue;
		row->unused = hashes->is_used[i] ? 0 : row->unused + 1;
		if (row->unused <= HASHES_UNUSED)
			out[count++] = *row;
	}
	return count;
}

static void save(struct df_hashes *hashes)
{
	size_t room = sizeof(struct head) + hashes->count * sizeof(struct row);
	AUTO(free) char *text = xcalloc(1, room + 1);
	struct head head = { .magic = MAGIC };
	struct row *rows = xcalloc(hashes->count + 1, sizeof(*rows));
	struct err ignored = ERR_NONE;
	AUTO(fd) int dir = file_open_dir(AT_FDCWD, hashes->folder, false, &ignored);

	head.count = collect(hashes, rows);
	memcpy(text + sizeof(head), rows, head.count * sizeof(*rows));
	free(rows);
	digest_of(text + sizeof(head), head.count * sizeof(struct row), head.digest);
	memcpy(text, &head, sizeof(head));
	if (dir >= 0)
		file_replace(dir, hashes->name, text,
			     sizeof(head) + head.count * sizeof(struct row), &ignored);
}

void df_hashes_close(struct df_hashes *hashes)
{
	if (!hashes)
		return;
	if (hashes->folder && hashes->hashed)
		save(hashes);
	pthread_mutex_destroy(&hashes->mutex);
	free(hashes->folder);
	free(hashes->name);
	free(hashes->rows);
	free(hashes->is_used);
	free(hashes);
}

static int64_t in_ns(const struct timespec *time)
{
	return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static bool is_same(const struct row *row, const struct stat *st)
{
	return row->size == (uint64_t)st->st_size && row->mtime_ns == in_ns(&st->st_mtim) &&
	       row->ctime_ns == in_ns(&st->st_ctim);
}

bool df_hashes_find(struct df_hashes *hashes, const struct stat *st, uint8_t out[HASHES_BYTES],
		    bool *out_has_xattrs)
{
	bool found;
	size_t at;

	pthread_mutex_lock(&hashes->mutex);
	at = place(hashes, st->st_dev, st->st_ino);
	found = hashes->rows[at].inode && is_same(&hashes->rows[at], st);
	if (found) {
		hashes->is_used[at] = true;
		hashes->known++;
		memcpy(out, hashes->rows[at].digest, HASHES_BYTES);
		if (out_has_xattrs)
			*out_has_xattrs = hashes->rows[at].has_xattrs;
	}
	pthread_mutex_unlock(&hashes->mutex);
	return found;
}

void df_hashes_add(struct df_hashes *hashes, const struct stat *st, uint64_t now_unix_ns,
		   const uint8_t digest[HASHES_BYTES], bool has_xattrs)
{
	struct row row = { .device = st->st_dev,
			   .inode = st->st_ino,
			   .size = (uint64_t)st->st_size,
			   .mtime_ns = in_ns(&st->st_mtim),
			   .ctime_ns = in_ns(&st->st_ctim),
			   .has_xattrs = has_xattrs };

	memcpy(row.digest, digest, HASHES_BYTES);
	pthread_mutex_lock(&hashes->mutex);
	hashes->hashed++;
	if (row.ctime_ns + (int64_t)HASHES_RACE_NS <= (int64_t)now_unix_ns)
		put(hashes, &row, true);
	pthread_mutex_unlock(&hashes->mutex);
}
