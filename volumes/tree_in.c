/* volumes/tree_in - a tar's entries placed below a folder.
 *
 * Owns: which place a name means. May not touch: the form of a tar (base/tar), what is outside the
 * root.
 */
#include "volumes/tree_in.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tar.h"
#include "base/text.h"
#include "volumes/attributes.h"

#define READ_BYTES (256u << 10)
#define BLOCK      512u

/* Times and modes of folders are set at the end: placing in them changes the one and may need the
 * other. */
struct later {
	char *path;
	struct stat st;
};

struct place {
	int root_fd;
	const char *base; /* the target folder below root_fd */
	unsigned flags;
	int file_fd; /* the file whose content comes */
	struct stat file_stat;
	uint64_t file_size;
	char *file_name;
	int dir_fd; /* the folder of the entry at work */
	struct later *later;
	size_t later_count;
	bool is_touched; /* an entry or its content came in the bytes just fed */
	bool has_end;    /* the last block was an end marker */
};

/* The name without what means nothing, checked; to be freed. "" is the target folder itself. */
static char *clean(const char *path, struct err *err)
{
	struct slice rest = SLICE(path), part;
	char *out = xcalloc(1, strlen(path) + 1), *end = out;

	while (slice_next(&rest, '/', &part)) {
		if (part.len == 0 || slice_is(part, "."))
			continue;
		if (slice_is(part, "..") || part.len > NAME_MAX) {
			err_set(err, ERR_INVALID, "archive: the name \"%.80s\" is not allowed",
				path);
			free(out);
			return NULL;
		}
		if (end > out)
			*end++ = '/';
		memcpy(end, part.at, part.len);
		end += part.len;
	}
	*end = '\0';
	if (end - out < PATH_MAX - 1)
		return out;
	err_set(err, ERR_INVALID, "archive: a name is longer than %d bytes", PATH_MAX);
	free(out);
	return NULL;
}

/* Opens the folder `path` (cleaned; its first len bytes) below the target; missing ones are made.
 */
static int open_folder(const struct place *place, const char *path, size_t len, struct err *err)
{
	AUTO(free) char *whole = xformat("%s/%.*s", place->base, (int)len, path);
	int fd = file_open_in_root(place->root_fd, whole, O_RDONLY | O_DIRECTORY, 0);
	const char *slash;
	AUTO(fd) int parent = -1;
	size_t up;
	char name[NAME_MAX + 1];

	if (fd >= 0 || errno != ENOENT || len == 0)
		return fd < 0 ? err_sys(err, errno, "archive: folder of \"%.80s\"", path) : fd;
	slash = memrchr(path, '/', len);
	up = slash ? (size_t)(slash - path) : 0;
	parent = open_folder(place, path, up, err);
	if (parent < 0)
		return -1;
	snprintf(name, sizeof(name), "%.*s", (int)(len - up - (slash != NULL)),
		 path + up + (slash != NULL));
	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "archive: make folder %s", name);
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "archive: folder %s", name) : fd;
}

/* Makes the place free for an entry; false in *out_keep unless a folder that is there is to be
 * kept. */
static int make_way(const struct place *place, const char *name, bool is_dir, bool *out_keep,
		    struct err *err)
{
	struct stat st;
	bool is_there = fstatat(place->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	*out_keep = is_there && is_dir && S_ISDIR(st.st_mode);
	if (!is_there || *out_keep)
		return 0;
	if (S_ISDIR(st.st_mode) != is_dir && place->flags & TREE_IN_NO_REPLACE)
		return err_set(err, ERR_EXISTS, "cannot put %s in the place of %s: %s",
			       is_dir ? "a folder" : "a file", is_dir ? "a file" : "a folder",
			       name);
	if (unlinkat(place->dir_fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return err_set(err, ERR_EXISTS, "%s is a folder that is not empty", name);
	return err_sys(err, errno, "replace %s", name);
}

static struct stat stat_of(const struct place *place, const struct tar_entry *entry)
{
	struct stat st = { .st_mode = entry->mode & 07777 };
	bool own = place->flags & TREE_IN_OWNERS;

	st.st_uid = own ? entry->uid : 0;
	st.st_gid = own ? entry->gid : 0;
	st.st_mtim.tv_sec = entry->mtime_s;
	st.st_mtim.tv_nsec = entry->mtime_ns;
	return st;
}

static int put_attributes(int dir_fd, const char *name, const struct tar_entry *entry,
			  struct err *err)
{
	for (size_t i = 0; i < entry->xattr_count; i++)
		if (attributes_put(dir_fd, name, entry->xattrs[i].name, entry->xattrs[i].value,
				   entry->xattrs[i].value_len, err) < 0)
			return -1;
	return 0;
}

static int place_dir(struct place *place, const char *path, const char *name, bool is_kept,
		     const struct tar_entry *entry, struct err *err)
{
	struct later *later = xgrow(&place->later, &place->later_count, sizeof(*later));

	later->path = xstrdup(path);
	later->st = stat_of(place, entry);
	later->st.st_mode |= S_IFDIR;
	if (*name && !is_kept && mkdirat(place->dir_fd, name, 0700) < 0)
		return err_sys(err, errno, "make folder %s", path);
	return put_attributes(place->dir_fd, *name ? name : ".", entry, err);
}

static int place_hardlink(struct place *place, const char *name, const struct tar_entry *entry,
			  struct err *err)
{
	AUTO(free) char *target = clean(entry->link, err);
	const char *slash = target ? strrchr(target, '/') : NULL;
	AUTO(fd) int dir = -1;

	if (!target)
		return -1;
	dir = open_folder(place, target, slash ? (size_t)(slash - target) : 0, err);
	if (dir < 0)
		return -1;
	if (linkat(dir, slash ? slash + 1 : target, place->dir_fd, name, 0) < 0)
		return err_sys(err, errno, "link %s to %.80s", name, target);
	return 0;
}

static int place_special(struct place *place, const char *name, const struct tar_entry *entry,
			 struct err *err)
{
	const struct stat st = stat_of(place, entry);
	mode_t kind = entry->type == TAR_CHAR ? S_IFCHR : S_IFBLK;
	int status;

	if (entry->type == TAR_SYMLINK)
		status = symlinkat(entry->link, place->dir_fd, name);
	else if (entry->type == TAR_FIFO)
		status = mknodat(place->dir_fd, name, S_IFIFO | 0600, 0);
	else
		status = mknodat(place->dir_fd, name, kind | 0600,
				 makedev(entry->major, entry->minor));
	if (status < 0)
		return err_sys(err, errno, "make %s", name);
	if (entry->type == TAR_SYMLINK) {
		struct stat link = st;

		link.st_mode = S_IFLNK | 0777;
		return attributes_set(place->dir_fd, name, &link, err);
	}
	if (attributes_set(place->dir_fd, name, &st, err) < 0)
		return -1;
	return put_attributes(place->dir_fd, name, entry, err);
}

static int place_file(struct place *place, const char *name, const struct tar_entry *entry,
		      struct err *err)
{
	place->file_fd = openat(place->dir_fd, name,
				O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (place->file_fd < 0)
		return err_sys(err, errno, "make %s", name);
	place->file_name = xstrdup(name);
	place->file_stat = stat_of(place, entry);
	place->file_size = entry->size;
	/* Owner first: attributes such as capabilities would be lost by it. */
	if (fchown(place->file_fd, place->file_stat.st_uid, place->file_stat.st_gid) < 0)
		return err_sys(err, errno, "owner of %s", name);
	return put_attributes(place->dir_fd, name, entry, err);
}

static int on_entry(void *ctx, const struct tar_entry *entry, struct err *err)
{
	struct place *place = ctx;
	AUTO(free) char *path = clean(entry->path, err);
	const char *slash = path ? strrchr(path, '/') : NULL, *name;
	bool is_dir = entry->type == TAR_DIR, is_kept = false;

	place->is_touched = true;
	if (!path)
		return -1;
	name = slash ? slash + 1 : path;
	if (!*path && !is_dir)
		return err_set(err, ERR_INVALID, "archive: an entry without a name");
	if (place->dir_fd >= 0)
		close(TAKE_FD(place->dir_fd));
	place->dir_fd = open_folder(place, path, slash ? (size_t)(slash - path) : 0, err);
	if (place->dir_fd < 0 || (*name && make_way(place, name, is_dir, &is_kept, err) < 0))
		return -1;
	switch (entry->type) {
	case TAR_DIR:
		return place_dir(place, path, name, is_kept, entry, err);
	case TAR_HARDLINK:
		return place_hardlink(place, name, entry, err);
	case TAR_FILE:
		return place_file(place, name, entry, err);
	case TAR_SYMLINK:
	case TAR_CHAR:
	case TAR_BLOCK:
	case TAR_FIFO:
		break;
	}
	return place_special(place, name, entry, err);
}

static int on_data(void *ctx, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct place *place = ctx;
	const char *at = data;

	place->is_touched = true;
	while (len > 0) {
		ssize_t n = pwrite(place->file_fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write %s", place->file_name);
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int on_done(void *ctx, struct err *err)
{
	struct place *place = ctx;
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, place->file_stat.st_mtim };
	int status = 0;

	place->is_touched = true;
	if (ftruncate(place->file_fd, (off_t)place->file_size) < 0 ||
	    fchmod(place->file_fd, place->file_stat.st_mode & 07777) < 0 ||
	    futimens(place->file_fd, times) < 0)
		status = err_sys(err, errno, "complete %s", place->file_name);
	close(TAKE_FD(place->file_fd));
	free(TAKE(place->file_name));
	return status;
}

/* The deepest were announced last. */
static int finish_folders(struct place *place, struct err *err)
{
	for (size_t i = place->later_count; i-- > 0;) {
		const struct later *later = &place->later[i];
		AUTO(fd) int fd = open_folder(place, later->path, strlen(later->path), err);

		if (fd < 0 || attributes_set(fd, ".", &later->st, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_zero(const char *block)
{
	return block[0] == '\0' && memcmp(block, block + 1, BLOCK - 1) == 0;
}

/* Feeds whole blocks; a block of zeros goes alone, and when it is no file's it is the end marker.
 */
static int feed_blocks(struct place *place, struct tar *tar, const char *at, size_t len,
		       struct err *err)
{
	while (len > 0) {
		size_t n = BLOCK;
		bool zero = is_zero(at);

		while (!zero && n < len && !is_zero(at + n))
			n += BLOCK;
		place->is_touched = false;
		if (tar_write(tar, at, n, err) < 0)
			return -1;
		place->has_end = zero && !place->is_touched;
		at += n;
		len -= n;
	}
	return 0;
}

/* A stream that was cut off between two entries looks whole to a reader of tars; its end marker
 * tells. */
static int feed(struct place *place, struct tar *tar, int in_fd, struct err *err)
{
	AUTO(free) char *buffer = xrealloc(NULL, READ_BYTES, 1);
	size_t len = 0;

	for (;;) {
		ssize_t n = read(in_fd, buffer + len, READ_BYTES - len);
		size_t whole;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read the archive");
		if (n == 0 && (len || !place->has_end))
			return err_set(err, ERR_INVALID, "the archive is not complete");
		if (n == 0)
			return tar_end(tar, err);
		len += (size_t)n;
		whole = len - len % BLOCK;
		if (feed_blocks(place, tar, buffer, whole, err) < 0)
			return -1;
		memmove(buffer, buffer + whole, len - whole);
		len -= whole;
	}
}

int tree_in(int root_fd, const char *path, unsigned flags, int in_fd, struct err *err)
{
	static const struct tar_events events = { on_entry, on_data, on_done };
	struct place place = {
		.root_fd = root_fd, .base = path, .flags = flags, .file_fd = -1, .dir_fd = -1
	};
	AUTO(tar) struct tar *tar = tar_new(&events, &place);
	AUTO(fd) int base = file_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY, 0);
	int status;

	if (base < 0)
		return err_sys(err, errno, "%s", path);
	status = feed(&place, tar, in_fd, err);
	if (status == 0)
		status = finish_folders(&place, err);
	for (size_t i = 0; i < place.later_count; i++)
		free(place.later[i].path);
	free(place.later);
	free(place.file_name);
	if (place.file_fd >= 0)
		close(place.file_fd);
	if (place.dir_fd >= 0)
		close(place.dir_fd);
	return status;
}
