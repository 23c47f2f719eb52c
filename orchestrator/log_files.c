/* orchestrator/log_files - the files of one slot's log as one row.
 *
 * Owns: the names of rotated files, the search for a line from the end. May not touch: what records
 * say.
 */
#include "orchestrator/log_files.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "orchestrator/log_line.h"

#define NAME        "log.json"
#define BLOCK_BYTES (64u << 10)
#define INDEX_MAX   1000
#define GAP_MAX     2 /* names that a rotation under way may leave out */

static bool add_part(int dir_fd, const char *name, bool is_packed, struct log_files *files)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	struct log_part *part;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	/* A rotation between two opens shows us the same file twice. */
	for (size_t i = 0; i < files->count; i++)
		if (files->parts[i].inode == st.st_ino && files->parts[i].device == st.st_dev) {
			close(fd);
			return true;
		}
	part = xgrow(&files->parts, &files->count, sizeof(*part));
	*part = (struct log_part){ .fd = fd,
				   .is_packed = is_packed,
				   .inode = st.st_ino,
				   .device = st.st_dev,
				   .changed_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
						 (uint64_t)st.st_mtim.tv_nsec };
	return true;
}

static bool add_number(int dir_fd, unsigned number, struct log_files *files)
{
	char name[32];

	if (number == 0)
		return add_part(dir_fd, NAME, false, files);
	snprintf(name, sizeof(name), NAME ".%u", number);
	if (add_part(dir_fd, name, false, files))
		return true;
	snprintf(name, sizeof(name), NAME ".%u.gz", number);
	return add_part(dir_fd, name, true, files);
}

static void reverse(struct log_files *files)
{
	for (size_t i = 0; i < files->count / 2; i++) {
		struct log_part part = files->parts[i];

		files->parts[i] = files->parts[files->count - 1 - i];
		files->parts[files->count - 1 - i] = part;
	}
}

void log_files_open(int dir_fd, struct log_files *out)
{
	unsigned gap = 0;

	*out = (struct log_files){ 0 };
	for (unsigned number = 0; number < INDEX_MAX && gap <= GAP_MAX; number++)
		gap = add_number(dir_fd, number, out) ? 0 : gap + 1;
	reverse(out);
}

void log_files_close(struct log_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->parts[i].fd >= 0)
			close(files->parts[i].fd);
	free(files->parts);
	*files = (struct log_files){ 0 };
}

/* The plain size that gzip notes in its last four bytes. */
static bool packs_size(int fd, uint64_t size)
{
	struct stat st;
	uint32_t le_size;

	return fstat(fd, &st) == 0 && st.st_size > 4 &&
	       pread(fd, &le_size, sizeof(le_size), st.st_size - 4) == sizeof(le_size) &&
	       le32toh(le_size) == (uint32_t)size;
}

static bool is_same(const struct log_part *part, const struct stat *known)
{
	if (part->is_packed)
		return packs_size(part->fd, (uint64_t)known->st_size);
	return part->inode == known->st_ino && part->device == known->st_dev;
}

void log_files_open_after(int dir_fd, int fd, struct log_files *out, bool *out_known)
{
	struct stat known;
	size_t older = 0;

	log_files_open(dir_fd, out);
	*out_known = false;
	if (fstat(fd, &known) < 0)
		return;
	for (size_t i = out->count; i > 0 && !*out_known; i--)
		if (is_same(&out->parts[i - 1], &known)) {
			*out_known = true;
			older = i;
		}
	/* Deleted, with nothing rotated beside it: the log keeps one file, what is there is newer.
	 */
	if (!*out_known && known.st_nlink == 0 && out->count <= 1)
		*out_known = true;
	for (size_t i = 0; i < older; i++)
		close(out->parts[i].fd);
	if (older)
		memmove(out->parts, out->parts + older, (out->count - older) * sizeof(*out->parts));
	out->count -= older;
}

int log_part_unpack(struct log_part *part, struct err *err)
{
	AUTO(free) char *block = NULL;
	AUTO(fd) int plain = -1;
	gzFile packed;
	int n;

	if (!part->is_packed)
		return 0;
	block = xrealloc(NULL, BLOCK_BYTES, 1);
	plain = memfd_create("log", MFD_CLOEXEC);
	packed = gzdopen(part->fd, "rb");
	if (plain < 0 || !packed)
		return err_sys(err, errno, "unpack a rotated log");
	part->fd = -1; /* closed with packed */
	while ((n = gzread(packed, block, BLOCK_BYTES)) > 0)
		if (file_write_all(plain, block, (size_t)n) < 0) {
			gzclose(packed);
			return err_sys(err, errno, "unpack a rotated log");
		}
	gzclose(packed); /* a damaged end: what came before it is still worth reading */
	lseek(plain, 0, SEEK_SET);
	part->fd = TAKE_FD(plain);
	part->is_packed = false;
	return 0;
}

/* Walks back over one plain part. bytes[0..len) is what was read: from offset `from` to the end of
 * what is still to be looked at. */
struct backwards {
	int fd;
	off_t from;
	char *bytes;
	size_t len;
};

static int read_block_before(struct backwards *back, struct err *err)
{
	size_t n = back->from < (off_t)BLOCK_BYTES ? (size_t)back->from : BLOCK_BYTES;
	size_t done = 0;

	back->bytes = xrealloc(back->bytes, back->len + n + 1, 1);
	memmove(back->bytes + n, back->bytes, back->len);
	while (done < n) {
		ssize_t part = pread(back->fd, back->bytes + done, n - done,
				     back->from - (off_t)n + (off_t)done);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return err_sys(err, part < 0 ? errno : EIO, "read the log");
		done += (size_t)part;
	}
	back->from -= (off_t)n;
	back->len += n;
	return 0;
}

/* Cuts the last record off: its text begins at bytes + len afterwards. 1: one was there (*out_len
 * without the newline), 0: none. What stands behind the last newline is no record yet. */
static int previous_record(struct backwards *back, size_t *out_len, struct err *err)
{
	char *end, *start;

	while ((end = memrchr(back->bytes, '\n', back->len)) == NULL) {
		if (back->from == 0)
			return 0;
		if (read_block_before(back, err) < 0)
			return -1;
	}
	back->len = (size_t)(end - back->bytes);
	while ((start = memrchr(back->bytes, '\n', back->len)) == NULL && back->from > 0)
		if (read_block_before(back, err) < 0)
			return -1;
	start = start ? start + 1 : back->bytes;
	*out_len = (size_t)(back->bytes + back->len - start);
	back->len = (size_t)(start - back->bytes);
	return 1;
}

/* *lines counts down; true and *out_offset when the wanted line begins in this part. */
static int tail_part(struct log_part *part, uint64_t *lines, bool *has_record, bool *out_found,
		     off_t *out_offset, struct err *err)
{
	struct backwards back = { .fd = part->fd, .bytes = xrealloc(NULL, 1, 1) };
	off_t size = lseek(part->fd, 0, SEEK_END);
	size_t len;
	int more;

	back.from = size;
	*out_found = false;
	while ((more = previous_record(&back, &len, err)) > 0) {
		bool starts_line = log_line_is_whole(back.bytes + back.len, len) || !*has_record;

		*has_record = true;
		if (starts_line && (*lines)-- == 0) {
			*out_found = true;
			/* The line that begins behind this record is the first one wanted. */
			*out_offset = back.from + (off_t)(back.len + len + 1);
			break;
		}
	}
	free(back.bytes);
	return more < 0 ? -1 : 0;
}

int log_files_tail(struct log_files *files, uint64_t lines, size_t *out_index, off_t *out_offset,
		   struct err *err)
{
	bool has_record = false, found;

	*out_index = 0;
	*out_offset = 0;
	for (size_t i = files->count; i > 0; i--) {
		struct log_part *part = &files->parts[i - 1];

		if (log_part_unpack(part, err) < 0 ||
		    tail_part(part, &lines, &has_record, &found, out_offset, err) < 0)
			return -1;
		lseek(part->fd, 0, SEEK_SET);
		if (found) {
			*out_index = i - 1;
			return 0;
		}
	}
	*out_offset = 0;
	return 0;
}

bool log_files_is_current(int dir_fd, int fd)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && fstatat(dir_fd, NAME, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}
