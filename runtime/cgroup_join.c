/* runtime/cgroup_join - processes into a container's folders, also below them.
 *
 * Owns: descriptors to join by. May not touch: folders and limits (cgroup_make).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

int cgroup_clone_fd(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count && cgroup->clone_fd < 0; i++)
		if (cgroup->at[i].is_v2)
			cgroup->clone_fd =
				open(cgroup->at[i].folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return cgroup->clone_fd;
}

/* The sub path that an exec asked for in this hierarchy, or NULL. */
static const char *sub_path(const struct hierarchy *hierarchy, const char *const *subs)
{
	const char *everywhere = NULL;

	for (; subs && *subs; subs++) {
		const char *colon = strchr(*subs, ':');
		struct slice wanted = { *subs, colon ? (size_t)(colon - *subs) : 0 }, name;

		if (!colon) {
			everywhere = *subs;
			continue;
		}
		while (slice_next(&wanted, ',', &name)) {
			struct slice rest = SLICE(hierarchy->name), part;

			while (slice_next(&rest, ',', &part))
				if (part.len == name.len && !memcmp(part.at, name.at, name.len))
					return colon + 1;
		}
	}
	return everywhere;
}

static int open_join(const struct hierarchy *hierarchy, const char *const *subs, struct err *err)
{
	const char *sub = sub_path(hierarchy, subs);
	/* A single-threaded process that moves itself through "tasks" needs no lock over all
	 * processes. */
	const char *file = hierarchy->is_v2 ? "cgroup.procs" : "tasks";
	AUTO(free) char *clean = cgroup_clean_path(sub ? sub : "");
	AUTO(free) char *path = xformat("%s%s/%s", hierarchy->folder, clean, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "error adding pid to cgroup: %s", path) : fd;
}

/* "[CTRL[,CTRL]:]PATH": known controllers, and a path that stays below. */
static int check_subs(const struct cgroup *cgroup, const char *const *subs, struct err *err)
{
	for (; subs && *subs; subs++) {
		const char *colon = strchr(*subs, ':');
		struct slice names = { *subs, colon ? (size_t)(colon - *subs) : 0 };
		struct slice path = SLICE(colon ? colon + 1 : *subs), part;

		while (slice_next(&path, '/', &part))
			if (slice_is(part, ".."))
				return err_set(err, ERR_INVALID, "bad sub cgroup path: %.80s",
					       *subs);
		while (colon && slice_next(&names, ',', &part)) {
			AUTO(free) char *name = xstrndup(part.at, part.len);

			if (cgroup->layout == CGROUP_V2 || !cgroup_hierarchy(cgroup, name))
				return err_set(err, ERR_INVALID, "unknown controller %.40s", name);
		}
	}
	return 0;
}

int cgroup_join_fds(struct cgroup *cgroup, const char *const *subs, bool v2_too, int *fds,
		    size_t max, struct err *err)
{
	size_t count = 0;

	if (check_subs(cgroup, subs, err) < 0)
		return -1;
	for (size_t i = 0; i < cgroup->count && count < max; i++) {
		struct hierarchy *hierarchy = &cgroup->at[i];

		if (hierarchy->is_v2 && !v2_too)
			continue;
		fds[count] = open_join(hierarchy, subs, err);
		if (fds[count] >= 0) {
			count++;
			continue;
		}
		if (cgroup->rootless || (hierarchy->is_v2 && cgroup->layout == CGROUP_HYBRID)) {
			*err = ERR_NONE;
			continue;
		}
		cgroup_close_fds(fds, &count);
		return -1;
	}
	return (int)count;
}

void cgroup_close_fds(const int *fds, size_t *count)
{
	for (size_t i = 0, first = 0; i < *count; i++) {
		if (i + 1 < *count && fds[i + 1] == fds[i] + 1)
			continue;
		syscall(SYS_close_range, (unsigned)fds[first], (unsigned)fds[i], 0);
		first = i + 1;
	}
	*count = 0;
}

int cgroup_join_self(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (write(fds[i], "0", 1) < 0)
			return -1;
	return 0;
}

int cgroup_join(struct cgroup *cgroup, pid_t pid, struct err *err)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < cgroup->count; i++)
		if (cgroup_file_write(cgroup->at[i].folder, "cgroup.procs", text) < 0 &&
		    !cgroup->rootless)
			return err_sys(err, errno, "join cgroup %s", cgroup->at[i].folder);
	return 0;
}
