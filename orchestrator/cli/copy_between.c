/* orchestrator/cli/copy_between - a file or folder from one root to another.
 *
 * Owns: what becomes of the name, the process that writes while this one reads. May not touch: how
 * entries are read and placed (volumes/tree_out, tree_in).
 */
#include "orchestrator/cli/copy_between.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "volumes/tree_in.h"
#include "volumes/tree_out.h"

bool copy_word_split(const char *word, char **out_service, const char **out_path)
{
	const char *colon = strchr(word, ':');

	if (!colon || colon == word || word[0] == '/' || word[0] == '.' ||
	    memchr(word, '/', (size_t)(colon - word)))
		return false;
	*out_service = xstrndup(word, (size_t)(colon - word));
	*out_path = colon + 1;
	return true;
}

/* The folder and the last part of a path without trailing slashes; both to be freed. "." for no
 * name. */
static void split_path(const char *path, char **out_folder, char **out_name)
{
	size_t len = strlen(path);
	const char *slash;

	while (len > 1 && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	*out_name =
		slash ? xstrndup(slash + 1, len - (size_t)(slash + 1 - path)) : xstrndup(path, len);
	*out_folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup("/");
	if (!**out_name) {
		free(*out_name);
		*out_name = xstrdup(".");
	}
}

static bool is_content(const char *path)
{
	return strcmp(path, ".") == 0 || text_ends(path, "/.");
}

static int missing(const struct copy_end *end, struct err *err)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return err_set(err, ERR_NOT_FOUND, "%s does not exist %s %s", end->path,
			       strcmp(end->where, "this machine") == 0 ? "on" : "in", end->where);
	return err_sys(err, errno, "%s in %s", end->path, end->where);
}

static int look(const struct copy_end *end, int flags, struct stat *out)
{
	AUTO(fd) int fd = file_open_in_root(end->root_fd, end->path, O_PATH | flags, 0);

	return fd < 0 ? -1 : fstat(fd, out);
}

/* ---- the writer, a process of its own ---- */

static int write_followed_file(struct tar_out *out, int fd, const struct stat *st, const char *as,
			       struct err *err)
{
	struct tar_entry entry = { .type = TAR_FILE,
				   .path = as,
				   .link = "",
				   .mode = st->st_mode & 07777,
				   .uid = st->st_uid,
				   .gid = st->st_gid,
				   .mtime_s = st->st_mtim.tv_sec,
				   .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
				   .size = (uint64_t)st->st_size };

	if (tar_out_entry(out, &entry, err) < 0 || tar_out_copy(out, fd, 0, entry.size, err) < 0)
		return -1;
	return tar_out_done(out, err);
}

static int write_tree(const struct copy_end *from, unsigned flags, const char *as, int out_fd,
		      struct err *err)
{
	AUTO(tar_out) struct tar_out *out = tar_out_new(out_fd);
	bool follows = flags & COPY_BETWEEN_FOLLOW;
	AUTO(free) char *folder = NULL;
	AUTO(free) char *name = NULL;
	AUTO(fd) int fd = -1;
	struct stat st;

	if (look(from, follows ? 0 : O_NOFOLLOW, &st) < 0)
		return missing(from, err);
	split_path(from->path, &folder, &name);
	fd = file_open_in_root(from->root_fd, S_ISDIR(st.st_mode) || follows ? from->path : folder,
			       O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return missing(from, err);
	if (S_ISDIR(st.st_mode) ? tree_out(out, fd, ".", as, TREE_OUT_MOUNTS, err) < 0
	    : follows           ? write_followed_file(out, fd, &st, as, err) < 0
				: tree_out(out, fd, name, as, TREE_OUT_MOUNTS, err) < 0)
		return -1;
	return tar_out_end(out, err);
}

/* The child's pid; *out_tar_fd: its tar; *out_err_fd: a struct err when it fails. */
static pid_t start_writer(const struct copy_end *from, unsigned flags, const char *as,
			  int *out_tar_fd, int *out_err_fd, struct err *err)
{
	int data[2], fault[2];
	pid_t child;

	if (pipe2(data, O_CLOEXEC) < 0 || pipe2(fault, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	child = fork();
	if (child < 0)
		return err_sys(err, errno, "fork");
	if (child == 0) {
		struct err own = ERR_NONE;

		close(data[0]);
		if (write_tree(from, flags, as, data[1], &own) == 0)
			_exit(0);
		_exit(file_write_all(fault[1], &own, sizeof(own)) < 0 ? 2 : 1);
	}
	close(data[1]);
	close(fault[1]);
	*out_tar_fd = data[0];
	*out_err_fd = fault[0];
	return child;
}

/* ---- the target ---- */

struct target {
	char *folder; /* that is there */
	char *as;     /* the name in it; ".": its content */
};

static int find_target(const struct copy_end *from, const struct stat *source,
		       const struct copy_end *to, struct target *out, struct err *err)
{
	AUTO(free) char *source_folder = NULL;
	AUTO(free) char *source_name = NULL;
	bool is_dir = S_ISDIR(source->st_mode);
	struct stat st;

	split_path(from->path, &source_folder, &source_name);
	if (look(to, 0, &st) == 0 && S_ISDIR(st.st_mode)) {
		out->folder = xstrdup(to->path);
		out->as = xstrdup(is_content(from->path) ? "." : source_name);
		return 0;
	}
	if (errno != ENOENT && errno != ENOTDIR && look(to, 0, &st) < 0)
		return missing(to, err);
	split_path(to->path, &out->folder, &out->as);
	if (look(to, 0, &st) == 0 && is_dir)
		return err_set(err, ERR_INVALID, "a folder cannot replace the file %s in %s",
			       to->path, to->where);
	if (look(to, 0, &st) < 0 && !is_dir && text_ends(to->path, "/"))
		return missing(to, err);
	if (look(&(struct copy_end){ to->root_fd, out->folder, to->where }, 0, &st) < 0)
		return missing(&(struct copy_end){ to->root_fd, out->folder, to->where }, err);
	return 0;
}

int copy_between(const struct copy_end *from, const struct copy_end *to, unsigned flags,
		 struct err *err)
{
	struct target target = { NULL, NULL };
	AUTO(free) char *folder = NULL;
	AUTO(free) char *as = NULL;
	AUTO(fd) int tar_fd = -1;
	AUTO(fd) int err_fd = -1;
	struct err write_err = ERR_NONE;
	struct stat st;
	pid_t child;
	int status;

	if (look(from, flags & COPY_BETWEEN_FOLLOW ? 0 : O_NOFOLLOW, &st) < 0)
		return missing(from, err);
	status = find_target(from, &st, to, &target, err);
	folder = target.folder;
	as = target.as;
	if (status < 0)
		return -1;
	child = start_writer(from, flags, as, &tar_fd, &err_fd, err);
	if (child < 0)
		return -1;
	status = tree_in(to->root_fd, folder, flags & COPY_BETWEEN_OWNERS ? TREE_IN_OWNERS : 0,
			 tar_fd, err);
	close(TAKE_FD(tar_fd)); /* a writer that goes on would wait for ever */
	/* A writer that fails cuts the archive off: its reason says more than the reader's. */
	if (read(err_fd, &write_err, sizeof(write_err)) == (ssize_t)sizeof(write_err) &&
	    write_err.code != ERR_OK && (status == 0 || err->code == ERR_INVALID)) {
		*err = write_err;
		status = -1;
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return status;
}
