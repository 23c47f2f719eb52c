/* volumes/secret - configs and secrets as files of a container, never on a disk.
 *
 * Owns: the tmpfs of a container's files while it is made. May not touch: the local store
 * (secret_store), config.json.
 */
#include "volumes/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "volumes/secret_store.h"

#define SEAL_TRIES   400
#define SEAL_WAIT_US 5000

/* Opens what the grant names; for values -1 with ERR_OK. */
static int open_source(const struct volume_store *store, const struct secret_grant *grant,
		       struct stat *out, struct err *err)
{
	AUTO(fd) int fd = -1;
	off_t max = grant->kind == SECRET_FILE ? SECRET_FILE_MAX : SECRET_CONTENT_MAX;

	*out = (struct stat){ .st_size = (off_t)grant->value_len };
	if (grant->kind == SECRET_EXTERNAL) {
		fd = secret_open(store, grant->source, err);
		if (fd < 0)
			return err_wrap(err, "%s", grant->name);
	} else if (grant->kind == SECRET_FILE) {
		fd = open(grant->source, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, errno, "%s: file %s", grant->name, grant->source);
	}
	if (fd >= 0 && fstat(fd, out) < 0)
		return err_sys(err, errno, "%s", grant->name);
	if (fd >= 0 && !S_ISREG(out->st_mode))
		return err_set(err, ERR_INVALID, "%s: %s is %s, not a file", grant->name,
			       grant->source, S_ISDIR(out->st_mode) ? "a folder" : "a device");
	if (out->st_size > max)
		return err_set(err, ERR_INVALID, "%s is larger than %lld bytes", grant->name,
			       (long long)max);
	return TAKE_FD(fd);
}

int secret_check(const struct volume_store *store, const struct secret_grant *grant,
		 struct err *err)
{
	struct err failed = ERR_NONE;
	struct stat st;
	AUTO(fd) int fd = open_source(store, grant, &st, &failed);

	if (failed.code == ERR_OK)
		return 0;
	*err = failed;
	return -1;
}

/* The bytes go from file to file in the kernel, not through our memory. */
static int copy_source(int from, int to, const char *name, struct err *err)
{
	size_t left = SECRET_FILE_MAX;

	for (;;) {
		ssize_t n = sendfile(to, from, NULL, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "%s", name);
		if (n == 0)
			return 0;
		left -= (size_t)n;
		if (left == 0)
			return err_set(err, ERR_INVALID, "%s is larger than %u bytes", name,
				       SECRET_FILE_MAX);
	}
}

static int write_one(const struct volume_store *store, int mount_fd, size_t number,
		     const struct secret_grant *grant, struct err *err)
{
	struct err failed = ERR_NONE;
	struct stat st;
	AUTO(fd) int from = open_source(store, grant, &st, &failed);
	AUTO(fd) int to = -1;
	char name[24];

	if (failed.code != ERR_OK) {
		*err = failed;
		return -1;
	}
	snprintf(name, sizeof(name), "%zu", number);
	to = openat(mount_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, errno, "%s", grant->name);
	if (from >= 0 && copy_source(from, to, grant->name, err) < 0)
		return -1;
	if (from < 0 && file_write_all(to, grant->value, grant->value_len) < 0)
		return err_sys(err, errno, "%s", grant->name);
	if (fchown(to, grant->uid, grant->gid) < 0 || fchmod(to, grant->mode & 07777) < 0)
		return err_sys(err, errno, "%s: owner and mode", grant->name);
	return 0;
}

static int make_tmpfs(struct err *err)
{
	const struct mount_option options[] = {
		{"mode",    "0755"},
                { "noswap", NULL  }
	};
	const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	struct err first = ERR_NONE;
	int fd = mount_new("tmpfs", "stack-secrets", options, 2, attrs, &first);

	/* noswap is of Linux 6.4, and not for user namespaces */
	return fd >= 0 ? fd : mount_new("tmpfs", "stack-secrets", options, 1, attrs, err);
}

/* Read-only from now on. Busy: a process that another thread spawns at this moment still has our
 * closed files, until it executes its program. */
static int seal(int mount_fd, struct err *err)
{
	for (int i = 0;; i++) {
		*err = ERR_NONE;
		if (mount_set(mount_fd, MOUNT_ATTR_RDONLY, 0, 0, -1, false, err) == 0)
			return 0;
		if (err->code != ERR_BUSY || i == SEAL_TRIES)
			return -1;
		usleep(SEAL_WAIT_US);
	}
}

int secret_deliver(const struct volume_store *store, struct volume_stage *stage,
		   struct secret_grant *grants, size_t count, struct err *err)
{
	AUTO(fd) int mount_fd = -1;
	AUTO(free) char *path = NULL;

	if (count == 0)
		return 0;
	mount_fd = make_tmpfs(err);
	if (mount_fd < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (write_one(store, mount_fd, i, &grants[i], err) < 0)
			return -1;
	if (seal(mount_fd, err) < 0)
		return -1;
	path = stage_attach(stage, mount_fd, true, err);
	if (!path)
		return -1;
	for (size_t i = 0; i < count; i++)
		grants[i].out_source = xformat("%s/%zu", path, i);
	return 0;
}

char *secret_target(bool is_config, const char *name, const char *target)
{
	const char *text = target && *target ? target : name;

	if (text[0] == '/')
		return xstrdup(text);
	return xformat("%s/%s", is_config ? "" : "/run/secrets", text);
}
