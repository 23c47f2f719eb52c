/* runtime/namespaces - clone3, joining by path, id maps, time offsets. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/config.h"

#define NAMESPACE_COUNT 8

/* In the order in which they are joined when nothing asks for another. */
extern const struct namespace_row {
	int flag;
	const char *file; /* below /proc/PID/ns */
} namespace_table[NAMESPACE_COUNT];

/* Opens the namespaces that config names by path, each verified to be of its kind; -1 in out_fds
 * elsewhere. */
int namespaces_open(const struct config *config, int netns_fd, int out_fds[NAMESPACE_COUNT],
		    struct err *err);
/* CLONE_NEW* of what clone3 makes: without cgroup (joined first) and time (offsets first). */
unsigned long namespaces_clone_flags(const struct config *config);
/* As fork, with flags; into_cgroup_fd -1 or a v2 folder. *out_pidfd (may be NULL). -1 with errno.
 */
pid_t namespaces_clone(unsigned long flags, int into_cgroup_fd, int *out_pidfd);
/* setns of all that are given; a user namespace in the middle, since joins before and after it need
 * different rights. The pid namespace counts for children. */
int namespaces_join(const int fds[NAMESPACE_COUNT], bool with_pid, struct err *err);
/* Writes uid_map and gid_map of a process, by newuidmap and newgidmap without the right to. */
int namespaces_write_maps(pid_t pid, const struct config_id_maps *uids,
			  const struct config_id_maps *gids, bool rootless, struct err *err);
/* New time namespace with offsets, for the calling process itself. proc_fd: the host's /proc. */
int namespaces_time(const struct config *config, int proc_fd, struct err *err);
/* A user namespace with these maps, held by its descriptor alone. */
int namespaces_make_user(const struct config_id_maps *uids, const struct config_id_maps *gids,
			 struct err *err);
