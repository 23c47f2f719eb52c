/* orchestrator/skeleton - the empty layer below every image.
 *
 * Owns: what is in it. May not touch: how layers are mounted (the monitor).
 */
#include "orchestrator/skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/stamp.h"
#include "base/tree.h"

#define FOLDER "images/.skeleton"

/* A name with a slash at its end is a folder. Files are empty: they are only mounted upon. */
static const char *const entries[] = { "proc/",       "sys/",      "dev/",
				       "etc/",        "etc/hosts", "etc/resolv.conf",
				       "etc/hostname" };

static int make_entry(int dir_fd, const char *name, struct err *err)
{
	size_t len = strlen(name);
	AUTO(free) char *plain = xstrndup(name, name[len - 1] == '/' ? len - 1 : len);
	AUTO(fd) int fd = -1;

	if (name[len - 1] == '/')
		return mkdirat(dir_fd, plain, 0755) < 0 || fchmodat(dir_fd, plain, 0755, 0) < 0
			       ? err_sys(err, errno, "make %s", plain)
			       : 0;
	fd = openat(dir_fd, plain, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 || fchmod(fd, 0644) < 0 ? err_sys(err, errno, "make %s", plain) : 0;
}

/* Beside, then renamed: what is there is whole. Two that make it at once leave one. */
static int make(const struct roots *roots, struct err *err)
{
	char id[13];
	AUTO(free) char *fresh = NULL;
	AUTO(fd) int dir_fd = -1;
	struct err ignored = ERR_NONE;
	int status = 0;

	stamp_id(id, 12);
	fresh = xformat(FOLDER ".%s", id);
	dir_fd = file_open_dir(roots->run_fd, fresh, true, err);
	if (dir_fd < 0 || fchmod(dir_fd, 0755) < 0)
		return -1;
	for (size_t i = 0; status == 0 && i < sizeof(entries) / sizeof(*entries); i++)
		status = make_entry(dir_fd, entries[i], err);
	if (status == 0 &&
	    renameat2(roots->run_fd, fresh, roots->run_fd, FOLDER, RENAME_NOREPLACE) == 0)
		return 0;
	if (status == 0 && errno != EEXIST)
		status = err_sys(err, errno, "make the lowest layer");
	tree_remove(roots->run_fd, fresh, &ignored);
	return status;
}

const char *skeleton_ensure(struct arena *arena, const struct roots *roots, struct err *err)
{
	if (faccessat(roots->run_fd, FOLDER, F_OK, 0) < 0 && make(roots, err) < 0) {
		err_wrap(err, "skeleton");
		return NULL;
	}
	return arena_format(arena, "%s/" FOLDER, roots->run);
}
