/* runtime/rootpath - paths of the container, resolved below its root and nowhere else.
 *
 * Owns: openat2, the walk that makes what is missing. May not touch: anything outside of the root.
 */
#include "runtime/rootpath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"

#define LINKS_MAX 40

static int open_how(int dir_fd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
				.resolve = resolve };
	int fd;

	do /* EAGAIN: a rename raced with the look-up of ".." */
		fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd;
}

int rootpath_open(int root_fd, const char *path, int flags)
{
	return open_how(root_fd, path[0] ? path : "/", flags,
			RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int rootpath_open_plain(int root_fd, const char *path, int flags)
{
	return open_how(root_fd, path[0] ? path : "/", flags,
			RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
}

char *rootpath_clean(const char *path)
{
	struct slice rest = SLICE(path), part;
	char *out = xcalloc(1, strlen(path) + 2);
	size_t len = 0;

	while (slice_next(&rest, '/', &part)) {
		if (!part.len || slice_is(part, "."))
			continue;
		if (slice_is(part, "..")) {
			while (len && out[--len] != '/')
				;
		} else {
			out[len++] = '/';
			memcpy(out + len, part.at, part.len);
			len += part.len;
		}
		out[len] = '\0';
	}
	if (!len)
		out[0] = '/';
	return out;
}

/* Puts the target of a dangling link in the place of the link: PREFIX/link/rest to TARGET/rest. To
 * be freed. */
static char *follow(int parent_fd, const char *prefix, const char *name, const char *rest)
{
	char target[4096];
	ssize_t n = readlinkat(parent_fd, name, target, sizeof(target) - 1);
	AUTO(free) char *joined = NULL;

	if (n < 0)
		return NULL;
	target[n] = '\0';
	joined = target[0] == '/' ? xformat("%s/%s", target, rest)
				  : xformat("%s/%s/%s", prefix, target, rest);
	return rootpath_clean(joined);
}

/* Makes one folder on a descriptor and opens it; ELOOP when a link is in the way. */
static int make_one(int parent_fd, const char *name, bool *made)
{
	*made = mkdirat(parent_fd, name, 0755) == 0;
	if (!*made && errno != EEXIST)
		return -1;
	return open_how(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW,
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* -1 when the folder above is missing, too, or a link stands at the name: the walk knows. */
static int make_last(int root_fd, char *path, bool *made)
{
	char *slash = strrchr(path, '/');
	AUTO(fd) int parent_fd = -1;

	*slash = '\0';
	parent_fd = rootpath_open(root_fd, path, O_PATH | O_DIRECTORY);
	*slash = '/';
	return parent_fd < 0 ? -1 : make_one(parent_fd, slash + 1, made);
}

/* One walk over a clean path: 0 done (*out_fd), 1 start again with *again, -1 with errno. */
static int walk(int root_fd, const char *path, int *out_fd, bool *out_made, char **again)
{
	AUTO(free) char *copy = xstrdup(path);
	AUTO(fd) int at_fd = rootpath_open(root_fd, "/", O_PATH | O_DIRECTORY);
	bool missing = false;

	for (char *name = copy + 1, *next; at_fd >= 0 && name && *name; name = next) {
		int fd = -1;

		next = strchr(name, '/');
		if (next)
			*next++ = '\0';
		*out_made = false;
		if (!missing) {
			/* From the root each time: links of the image may lead anywhere inside. */
			AUTO(free)
			char *prefix = xstrndup(path, (size_t)(name - copy) + strlen(name));

			fd = rootpath_open(root_fd, prefix, O_PATH | O_DIRECTORY);
			if (fd < 0 && errno != ENOENT)
				return -1;
			missing = fd < 0;
		}
		if (fd < 0) {
			fd = make_one(at_fd, name, out_made);
			if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
				AUTO(free) char *prefix = xstrndup(path, (size_t)(name - copy));

				*again = follow(at_fd, prefix, name, next ? next : "");
				if (!*again)
					errno = ENOTDIR;
				return *again ? 1 : -1;
			}
			if (fd < 0)
				return -1;
		}
		close(at_fd);
		at_fd = fd;
	}
	if (at_fd < 0)
		return -1;
	*out_fd = TAKE_FD(at_fd);
	return 0;
}

int rootpath_make_dir(int root_fd, const char *path, bool *out_made, struct err *err)
{
	AUTO(free) char *clean = rootpath_clean(path);
	bool made = false;
	int fd = rootpath_open(root_fd, clean, O_PATH | O_DIRECTORY), status = 1;

	if (out_made)
		*out_made = false;
	if (fd >= 0)
		return fd;
	if (errno == ENOENT) { /* mostly the last folder alone is missing */
		fd = make_last(root_fd, clean, &made);
		status = fd < 0;
	}
	for (int i = 0; i < LINKS_MAX && status == 1; i++) {
		char *again = NULL;

		status = walk(root_fd, clean, &fd, &made, &again);
		if (status == 1 && again) {
			free(clean);
			clean = again;
		}
	}
	if (status)
		return err_sys(err, status == 1 ? ELOOP : errno, "make folder %s in the root",
			       path);
	if (out_made)
		*out_made = made;
	return fd;
}

int rootpath_make_parent(int root_fd, const char *path, char **out_name, struct err *err)
{
	AUTO(free) char *clean = rootpath_clean(path);
	char *slash = strrchr(clean, '/');

	if (!slash[1])
		return err_set(err, ERR_INVALID, "%s is the root itself", path);
	*out_name = xstrdup(slash + 1);
	*slash = '\0';
	return rootpath_make_dir(root_fd, clean, NULL, err);
}

/* A file on a descriptor; a link in the way gives *again. 0 or 1 as walk. */
static int make_file(int root_fd, const char *path, int *out_fd, char **again, struct err *err)
{
	AUTO(free) char *name = NULL, *prefix = NULL;
	AUTO(fd) int parent_fd = rootpath_make_parent(root_fd, path, &name, err);
	struct stat st;
	int fd;

	if (parent_fd < 0 || !name)
		return -1;
	fd = openat(parent_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return err_sys(err, errno, "make file %s in the root", path);
	*out_fd = open_how(parent_fd, name, O_PATH | O_NOFOLLOW,
			   RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (*out_fd >= 0 && fstat(*out_fd, &st) == 0 && !S_ISLNK(st.st_mode))
		return 0;
	auto_fd(out_fd); /* a link, and it dangles: O_PATH opened the link itself */
	prefix = xstrndup(path, strlen(path) - strlen(name));
	*again = follow(parent_fd, prefix, name, "");
	return *again ? 1 : err_sys(err, ELOOP, "make file %s in the root", path);
}

int rootpath_make_file(int root_fd, const char *path, struct err *err)
{
	AUTO(free) char *clean = rootpath_clean(path);
	int fd = rootpath_open(root_fd, clean, O_PATH), status = 1;

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : err_sys(err, errno, "open %s in the root", path);
	for (int i = 0; i < LINKS_MAX && status == 1; i++) {
		char *again = NULL;

		fd = rootpath_open(root_fd, clean, O_PATH);
		if (fd >= 0)
			return fd;
		status = make_file(root_fd, clean, &fd, &again, err);
		if (status == 1 && again) {
			free(clean);
			clean = again;
		}
	}
	return status == 0  ? fd
	       : status < 0 ? -1
			    : err_sys(err, ELOOP, "make file %s in the root", path);
}
