/* runtime/log_file - log.json with its rotated and compressed forms.
 *
 * Owns: the names NAME, NAME.N, NAME.N.gz and .NAME.gz.tmp in one folder. May not touch: what
 * records say.
 */
#include "runtime/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"

#define NAME_BYTES  64
#define CHUNK_BYTES 65536

struct log_file {
	int dir_fd; /* borrowed */
	struct log_file_spec spec;
	int fd; /* -1: not open */
	uint64_t size_bytes;
	pid_t child;          /* compressing; 0: none */
	unsigned child_index; /* NAME.N that it reads; moves on with each rotation */
};

static const char *name_of(const struct log_file *file, unsigned index, const char *suffix,
			   char *out)
{
	if (index)
		snprintf(out, NAME_BYTES, "%.40s.%u%s", file->spec.name, index, suffix);
	else
		snprintf(out, NAME_BYTES, "%.40s", file->spec.name);
	return out;
}

static const char *temp_name(const struct log_file *file, char *out)
{
	snprintf(out, NAME_BYTES, ".%.40s.gz.tmp", file->spec.name);
	return out;
}

/* A life that ended in half a record (power cut) must not swallow our first one. */
static int end_half_record(struct log_file *file)
{
	char last = '\n';

	if (file->size_bytes == 0 || pread(file->fd, &last, 1, (off_t)file->size_bytes - 1) != 1 ||
	    last == '\n')
		return 0;
	if (write(file->fd, "\n", 1) != 1)
		return -1;
	file->size_bytes++;
	return 0;
}

static int open_current(struct log_file *file, struct err *err)
{
	struct stat st;

	file->fd = openat(file->dir_fd, file->spec.name,
			  O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0)
		return err_sys(err, errno, "open %s", file->spec.name);
	if (fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		file->size_bytes = (uint64_t)st.st_size;
		if (end_half_record(file) == 0)
			return 0;
	} else {
		errno = EINVAL;
	}
	err_sys(err, errno, "write to %s", file->spec.name);
	close(TAKE_FD(file->fd));
	return -1;
}

struct log_file *log_file_open(int dir_fd, const struct log_file_spec *spec, struct err *err)
{
	struct log_file *file = xcalloc(1, sizeof(*file));

	file->dir_fd = dir_fd;
	file->spec = *spec;
	open_current(file, err);
	return file;
}

/* In the child: gzip from one descriptor to the other, at low priority. */
static int compress_file(int in_fd, int out_fd)
{
	gzFile out = gzdopen(out_fd, "wb6");
	AUTO(free) char *chunk = malloc(CHUNK_BYTES);
	ssize_t n;

	setpriority(PRIO_PROCESS, 0, 10);
	if (!out || !chunk)
		return 1;
	while ((n = read(in_fd, chunk, CHUNK_BYTES)) > 0)
		if (gzwrite(out, chunk, (unsigned)n) != (int)n)
			return 1;
	return n < 0 || gzclose(out) != Z_OK;
}

/* The oldest file that is not compressed yet goes to a child. */
static void start_compression(struct log_file *file)
{
	char name[NAME_BYTES], temp[NAME_BYTES];
	AUTO(fd) int in_fd = -1;
	AUTO(fd) int out_fd = -1;
	unsigned index = file->spec.max_file_count - 1;

	if (!file->spec.compress || file->child)
		return;
	for (; index > 0 && in_fd < 0; index--) {
		in_fd = openat(file->dir_fd, name_of(file, index, "", name),
			       O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		file->child_index = index;
	}
	if (in_fd < 0)
		return;
	out_fd = openat(file->dir_fd, temp_name(file, temp),
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (out_fd < 0)
		return; /* it stays as it is; the next rotation tries again */
	file->child = fork();
	if (file->child == 0) {
		/* Everything else of the parent's (pipes, sockets of clients) must not live on
		 * here. */
		if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || close_range(3, ~0u, 0) < 0)
			_exit(1);
		_exit(compress_file(0, 1));
	}
	if (file->child < 0)
		file->child = 0;
}

bool log_file_reaped(struct log_file *file, pid_t pid, int wait_status)
{
	char plain[NAME_BYTES], packed[NAME_BYTES], temp[NAME_BYTES];
	bool good = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;

	if (pid != file->child || pid == 0)
		return false;
	file->child = 0;
	name_of(file, file->child_index, "", plain);
	name_of(file, file->child_index, ".gz", packed);
	if (good && file->child_index < file->spec.max_file_count &&
	    renameat(file->dir_fd, temp_name(file, temp), file->dir_fd, packed) == 0) {
		unlinkat(file->dir_fd, plain, 0);
		start_compression(file);
	} else {
		unlinkat(file->dir_fd, temp_name(file, temp), 0);
		if (good) /* rotated away meanwhile: the younger ones wait */
			start_compression(file);
	}
	return true;
}

pid_t log_file_child(const struct log_file *file)
{
	return file->child;
}

static void shift_files(struct log_file *file)
{
	static const char *const suffixes[] = { "", ".gz" };
	char from[NAME_BYTES], to[NAME_BYTES];

	for (size_t i = 0; i < 2; i++) {
		unlinkat(file->dir_fd,
			 name_of(file, file->spec.max_file_count - 1, suffixes[i], to), 0);
		for (unsigned n = file->spec.max_file_count - 1; n > 1; n--)
			renameat(file->dir_fd, name_of(file, n - 1, suffixes[i], from),
				 file->dir_fd, name_of(file, n, suffixes[i], to));
	}
	if (file->child)
		file->child_index++;
}

/* True when NAME is (still) the file that we write. */
static bool is_in_place(const struct log_file *file)
{
	struct stat ours, theirs;

	return fstat(file->fd, &ours) == 0 &&
	       fstatat(file->dir_fd, file->spec.name, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

void log_file_rotate(struct log_file *file)
{
	char to[NAME_BYTES];
	struct err err = ERR_NONE;

	if (file->fd >= 0 && is_in_place(file)) {
		if (file->spec.max_file_count > 1) {
			shift_files(file);
			if (renameat(file->dir_fd, file->spec.name, file->dir_fd,
				     name_of(file, 1, "", to)) < 0)
				return;
		} else if (unlinkat(file->dir_fd, file->spec.name, 0) < 0) {
			return;
		}
	}
	if (file->fd >= 0)
		close(TAKE_FD(file->fd));
	file->size_bytes = 0;
	open_current(file, &err); /* a failure shows at the next write */
	start_compression(file);
}

/* The longest run of whole records that may still go into the current file; 0: none. */
static size_t fitting(const struct log_file *file, const char *text, size_t len)
{
	uint64_t room = file->spec.max_size_bytes - file->size_bytes;
	const char *end;

	if (file->spec.max_size_bytes == 0)
		return len;
	if (file->size_bytes >= file->spec.max_size_bytes)
		return 0;
	if (len <= room)
		return len;
	end = memrchr(text, '\n', (size_t)room);
	return end ? (size_t)(end - text) + 1 : 0;
}

/* All of it, or what was there before. */
static bool write_whole(struct log_file *file, const char *text, size_t len)
{
	size_t done = 0;
	struct stat st;

	while (done < len) {
		ssize_t n = write(file->fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == len) {
		file->size_bytes += len;
		return true;
	}
	if (done && fstat(file->fd, &st) == 0 && st.st_size >= (off_t)done &&
	    ftruncate(file->fd, st.st_size - (off_t)done) < 0)
		file->size_bytes += done; /* half a record stays: nothing better can be done */
	return false;
}

size_t log_file_write(struct log_file *file, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct err err = ERR_NONE;
		size_t part;

		if (file->fd < 0 && open_current(file, &err) < 0)
			break;
		part = fitting(file, text + done, len - done);
		if (part == 0 && file->size_bytes > 0) {
			log_file_rotate(file);
			if (file->size_bytes > 0)
				break; /* it cannot be moved away, and must not grow for ever */
			continue;
		}
		if (part == 0) { /* one record above the limit: alone in its file */
			const char *end = memchr(text + done, '\n', len - done);

			part = end ? (size_t)(end - text) + 1 - done : len - done;
		}
		if (!write_whole(file, text + done, part)) {
			/* A later, shorter record may fit: but order and count are worth more. */
			break;
		}
		done += part;
	}
	return done;
}

void log_file_close(struct log_file *file)
{
	char temp[NAME_BYTES];

	if (file->child) {
		kill(file->child, SIGKILL);
		waitpid(file->child, NULL, 0);
		unlinkat(file->dir_fd, temp_name(file, temp), 0);
	}
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}
