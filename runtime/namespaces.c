/* runtime/namespaces - clone3, joining by path, id maps, time offsets.
 *
 * Owns: the calls and their order. May not touch: what is done inside of a namespace.
 */
#include "runtime/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

const struct namespace_row namespace_table[NAMESPACE_COUNT] = {
	{CLONE_NEWUSER,    "user"  },
        { CLONE_NEWCGROUP, "cgroup"},
        { CLONE_NEWIPC,    "ipc"   },
	{ CLONE_NEWUTS,    "uts"   },
        { CLONE_NEWNET,    "net"   },
        { CLONE_NEWNS,     "mnt"   },
	{ CLONE_NEWPID,    "pid"   },
        { CLONE_NEWTIME,   "time"  },
};

static int open_one(const struct config_namespace *namespace, int flag, struct err *err)
{
	AUTO(fd) int fd = open(namespace->path, O_RDONLY | O_CLOEXEC);
	int type;

	if (fd < 0)
		return err_sys(err, errno, "linux.namespaces: %s namespace %s", namespace->type,
			       namespace->path);
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type != flag)
		return err_set(err, ERR_INVALID, "linux.namespaces: %s is no %s namespace",
			       namespace->path, namespace->type);
	return TAKE_FD(fd);
}

int namespaces_open(const struct config *config, int netns_fd, int out_fds[NAMESPACE_COUNT],
		    struct err *err)
{
	for (int i = 0; i < NAMESPACE_COUNT; i++)
		out_fds[i] = -1;
	for (int i = 0; i < NAMESPACE_COUNT; i++) {
		int flag = namespace_table[i].flag;
		const struct config_namespace *namespace = config_namespace(config, flag);

		if (flag == CLONE_NEWNET && netns_fd >= 0) {
			out_fds[i] = fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
			continue;
		}
		if (!namespace || !namespace->path)
			continue;
		out_fds[i] = open_one(namespace, flag, err);
		if (out_fds[i] < 0)
			return -1;
	}
	return 0;
}

unsigned long namespaces_clone_flags(const struct config *config)
{
	unsigned long flags = 0;

	for (int i = 0; i < NAMESPACE_COUNT; i++)
		if (namespace_table[i].flag != CLONE_NEWCGROUP &&
		    namespace_table[i].flag != CLONE_NEWTIME &&
		    config_is_new(config, namespace_table[i].flag))
			flags |= (unsigned long)namespace_table[i].flag;
	return flags;
}

pid_t namespaces_clone(unsigned long flags, int into_cgroup_fd, int *out_pidfd)
{
	struct clone_args args = { .flags = flags,
				   .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };

	if (out_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uintptr_t)out_pidfd;
	}
	if (into_cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)into_cgroup_fd;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int join_one(int fd, int row, struct err *err)
{
	if (setns(fd, namespace_table[row].flag) < 0)
		return err_sys(err, errno, "join the %s namespace", namespace_table[row].file);
	return 0;
}

int namespaces_join(const int fds[NAMESPACE_COUNT], bool with_pid, struct err *err)
{
	bool done[NAMESPACE_COUNT] = { false };
	bool has_user = fds[0] >= 0;

	/* What the host's rights reach, before the user namespace takes them away; the rest after
	 * it. */
	for (int i = 1; i < NAMESPACE_COUNT && has_user; i++)
		if (fds[i] >= 0 && (with_pid || namespace_table[i].flag != CLONE_NEWPID) &&
		    namespace_table[i].flag != CLONE_NEWNS)
			done[i] = setns(fds[i], namespace_table[i].flag) == 0;
	if (has_user && join_one(fds[0], 0, err) < 0)
		return -1;
	for (int i = 1; i < NAMESPACE_COUNT; i++)
		if (fds[i] >= 0 && !done[i] &&
		    (with_pid || namespace_table[i].flag != CLONE_NEWPID) &&
		    join_one(fds[i], i, err) < 0)
			return -1;
	return 0;
}

static char *map_text(const struct config_id_maps *maps)
{
	char *text = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&text, &len);

	for (size_t i = 0; i < maps->count; i++)
		fprintf(stream, "%u %u %u\n", maps->at[i].inside, maps->at[i].outside,
			maps->at[i].size);
	fclose(stream);
	return text;
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
	char path[64];
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* newuidmap PID INSIDE OUTSIDE SIZE ...: set-user-id tools that know /etc/subuid. */
static int run_tool(const char *tool, pid_t pid, const struct config_id_maps *maps, struct err *err)
{
	char path_text[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = { path_text, NULL };
	char **argv = xcalloc(maps->count * 3 + 3, sizeof(char *));
	size_t count = 0;
	pid_t child;
	int status = -1, failed;

	argv[count++] = xstrdup(tool);
	argv[count++] = xformat("%d", (int)pid);
	for (size_t i = 0; i < maps->count; i++) {
		argv[count++] = xformat("%u", maps->at[i].inside);
		argv[count++] = xformat("%u", maps->at[i].outside);
		argv[count++] = xformat("%u", maps->at[i].size);
	}
	failed = posix_spawnp(&child, tool, NULL, NULL, argv, env);
	if (!failed)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	for (size_t i = 0; i < count; i++)
		free(argv[i]);
	free(argv);
	if (failed)
		return err_sys(err, failed, "%s", tool);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? 0
		       : err_set(err, ERR_DENIED, "%s refuses the mappings", tool);
}

int namespaces_write_maps(pid_t pid, const struct config_id_maps *uids,
			  const struct config_id_maps *gids, bool rootless, struct err *err)
{
	AUTO(free) char *uid_text = map_text(uids);
	AUTO(free) char *gid_text = map_text(gids);

	if (rootless && gids->count == 1)
		write_proc(pid, "setgroups", "deny");
	if (write_proc(pid, "gid_map", gid_text) < 0) {
		if (errno != EPERM || !rootless)
			return err_sys(err, errno, "linux.gidMappings");
		if (run_tool("newgidmap", pid, gids, err) < 0)
			return err_wrap(err, "linux.gidMappings");
	}
	if (write_proc(pid, "uid_map", uid_text) < 0) {
		if (errno != EPERM || !rootless)
			return err_sys(err, errno, "linux.uidMappings");
		if (run_tool("newuidmap", pid, uids, err) < 0)
			return err_wrap(err, "linux.uidMappings");
	}
	return 0;
}

int namespaces_time(const struct config *config, int proc_fd, struct err *err)
{
	char text[160];
	int len = 0;
	AUTO(fd) int offsets_fd = -1;
	AUTO(fd) int ns_fd = -1;

	if (!config_is_new(config, CLONE_NEWTIME))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(err, errno, "new time namespace");
	if (config->monotonic.set)
		len += snprintf(text, sizeof(text), "monotonic %lld %u\n",
				(long long)config->monotonic.secs, config->monotonic.nanosecs);
	if (config->boottime.set)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "boottime %lld %u\n",
				(long long)config->boottime.secs, config->boottime.nanosecs);
	/* Our own files in /proc are root's while we cannot be dumped, and root of a user namespace
	 * is another. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	offsets_fd = openat(proc_fd, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (offsets_fd < 0 || (len && write(offsets_fd, text, (size_t)len) < 0))
		return err_sys(err, errno, "linux.timeOffsets");
	/* unshare counts for children; joining what they would get moves this process too, without
	 * a fork. */
	ns_fd = openat(proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (ns_fd < 0 || setns(ns_fd, CLONE_NEWTIME) < 0)
		return err_sys(err, errno, "enter the time namespace");
	return 0;
}

int namespaces_make_user(const struct config_id_maps *uids, const struct config_id_maps *gids,
			 struct err *err)
{
	int pidfd = -1, status = 0, fd = -1;
	char path[64];
	pid_t child = namespaces_clone(CLONE_NEWUSER, -1, &pidfd);
	AUTO(fd) int owned_pidfd = pidfd;

	if (child < 0)
		return err_sys(err, errno, "make a user namespace");
	if (child == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
	if (namespaces_write_maps(child, uids, gids, false, err) == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			err_sys(err, errno, "open the user namespace");
	}
	syscall(SYS_pidfd_send_signal, owned_pidfd, SIGKILL, NULL, 0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return fd;
}
