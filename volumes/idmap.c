/* volumes/idmap - x-stack.idmap: which host user owns what a container writes on a bind.
 *
 * Owns: the map that exchanges two ids, and the question whether a file system can. May not touch:
 * ownership on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/num.h"
#include "base/text.h"
#include "volumes/bind.h"

#define LAST_ID UINT32_MAX /* (uid_t)-1 is no id */

size_t bind_idmap_ranges(uint32_t inside, uint32_t outside, struct id_range out[BIND_RANGES_MAX])
{
	uint32_t low = inside < outside ? inside : outside;
	uint32_t high = inside < outside ? outside : inside;
	size_t n = 0;

	if (low == high) {
		out[n++] = (struct id_range){ 0, 0, LAST_ID };
		return n;
	}
	if (low > 0)
		out[n++] = (struct id_range){ 0, 0, low };
	out[n++] = (struct id_range){ low, high, 1 };
	if (high - low > 1)
		out[n++] = (struct id_range){ low + 1, low + 1, high - low - 1 };
	out[n++] = (struct id_range){ high, low, 1 };
	if (high < LAST_ID - 1)
		out[n++] = (struct id_range){ high + 1, high + 1, LAST_ID - high - 1 };
	return n;
}

int bind_idmap_parse(const struct bind_spec *spec, uid_t *out_uid, gid_t *out_gid, struct err *err)
{
	struct slice uid, gid;
	uint64_t u, g;

	if (strcmp(spec->idmap, "caller") == 0) {
		*out_uid = spec->caller_uid;
		*out_gid = spec->caller_gid;
		return 0;
	}
	if (!slice_split(SLICE(spec->idmap), ':', &uid, &gid))
		return err_set(err, ERR_INVALID,
			       "x-stack.idmap: \"%.40s\" is neither caller nor UID:GID",
			       spec->idmap);
	if (num_parse_u64("x-stack.idmap: uid", uid.at, uid.len, 0, LAST_ID - 1, &u, err) < 0 ||
	    num_parse_u64("x-stack.idmap: gid", gid.at, gid.len, 0, LAST_ID - 1, &g, err) < 0)
		return -1;
	*out_uid = (uid_t)u;
	*out_gid = (gid_t)g;
	return 0;
}

static int write_map(pid_t pid, const char *name, struct err *err)
{
	static const char text[] = "0 1 1\n1 0 1\n2 2 4294967293\n";
	char path[64];
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		return err_sys(err, errno, "%s", name);
	return 0;
}

/* A user namespace with any map, for the trial alone. The child has its own copy of everything and
 * calls the kernel only: this process may have threads. */
static int open_userns(struct err *err)
{
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL,
			   NULL);
	char path[64];
	int fd = -1;

	if (pid < 0)
		return err_sys(err, errno, "user namespace");
	if (pid == 0)
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	snprintf(path, sizeof(path), "/proc/%ld/ns/user", pid);
	if (write_map((pid_t)pid, "uid_map", err) == 0 &&
	    write_map((pid_t)pid, "gid_map", err) == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			err_sys(err, errno, "user namespace");
	}
	kill((pid_t)pid, SIGKILL);
	waitpid((pid_t)pid, NULL, 0);
	return fd;
}

static const char *fs_name(int fd)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} known[] = {
  /* clang-format off */
		{ 0x6969, "nfs" },          { 0x65735546, "fuse" },     { 0xff534d42, "cifs" },
		{ 0xfe534d42, "smb2" },     { 0x01021997, "9p" },       { 0x794c7630, "overlay" },
		{ 0xef53, "ext4" },         { 0x58465342, "xfs" },      { 0x9123683e, "btrfs" },
		{ 0x01021994, "tmpfs" },    { 0x2fc12fc1, "zfs" },      { 0x9fa0, "proc" },
		{ 0x62656572, "sysfs" },    { 0xf2f52010, "f2fs" },     { 0x4d44, "vfat" },
		{ 0x858458f6, "ramfs" },    { 0x73717368, "squashfs" }, { 0xe0f5e1e2, "erofs" },
  /* clang-format on */
	};
	struct statfs st;

	if (fstatfs(fd, &st) == 0)
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if ((unsigned long)st.f_type == known[i].magic)
				return known[i].name;
	return "this file system";
}

int bind_idmap_check(const struct bind_source *source, struct err *err)
{
	AUTO(fd) int userns = open_userns(err);
	AUTO(fd) int clone = userns < 0 ? -1 : mount_clone(source->fd, false, err);
	struct err tried = ERR_NONE;

	if (clone < 0)
		return err_wrap(err, "x-stack.idmap");
	if (mount_set(clone, MOUNT_ATTR_IDMAP, 0, 0, userns, false, &tried) == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "x-stack.idmap: %s cannot map ids on this kernel (%s)",
		       fs_name(source->fd), tried.msg);
}
