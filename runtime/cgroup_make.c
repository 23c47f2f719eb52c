/* runtime/cgroup_make - a container's folders: made, filled, limited, delegated.
 *
 * Owns: which folders this handle made. May not touch: which files a limit goes to (cgroup_v1,
 * cgroup_v2), who is in the folders (cgroup_join).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "runtime/cgroup_internal.h"

/* Copies cpus and mems from above where they are empty: else no process may join (ENOSPC).
 * ENODATA: the folder above has none itself. */
static int fill_cpuset(const char *parent, const char *folder)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < 2; i++) {
		char value[4096];

		if (cgroup_file_read(folder, files[i], value, sizeof(value)) && value[0])
			continue;
		if (!cgroup_file_read(parent, files[i], value, sizeof(value)) || !value[0]) {
			errno = ENODATA;
			return -1;
		}
		if (cgroup_file_write(folder, files[i], value) < 0)
			return -1;
	}
	return 0;
}

static int fill_from_parent(const char *folder)
{
	AUTO(free) char *parent = xstrdup(folder);

	*strrchr(parent, '/') = '\0';
	return fill_cpuset(parent, folder);
}

/* Every folder from the mount down to the container's. */
static int make_path(const struct hierarchy *hierarchy, bool is_cpuset, bool *made)
{
	AUTO(free) char *path = xstrdup(hierarchy->folder);
	size_t start = strlen(hierarchy->mount);

	for (char *slash = strchr(path + start + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0755) == 0)
			*made |= !slash;
		else if (errno != EEXIST)
			return -1;
		if (is_cpuset && fill_from_parent(path) < 0 && errno != ENODATA)
			return -1;
		if (!slash)
			return 0;
		*slash = '/';
	}
}

/* Mostly all but the last folder are there and filled: one mkdir, one look at the parent. */
static int make_folders(const struct hierarchy *hierarchy, bool *made)
{
	bool is_cpuset = strcmp(hierarchy->name, "cpuset") == 0;

	*made = mkdir(hierarchy->folder, 0755) == 0;
	if (!*made && errno != ENOENT && errno != EEXIST)
		return -1;
	if (*made || errno == EEXIST) {
		if (!is_cpuset || fill_from_parent(hierarchy->folder) == 0)
			return 0;
		if (errno != ENODATA)
			return -1;
	}
	return make_path(hierarchy, is_cpuset, made);
}

static int check_is_new(const struct cgroup *cgroup, const struct hierarchy *hierarchy,
			struct err *err)
{
	char text[64];

	if (hierarchy->made)
		return 0;
	if (cgroup_file_read(hierarchy->folder, "cgroup.procs", text, sizeof(text)) && text[0])
		return err_set(err, ERR_BUSY, "container's cgroup is not empty: %s holds a process",
			       hierarchy->folder);
	if ((cgroup_file_read(hierarchy->folder, "freezer.state", text, sizeof(text)) &&
	     strcmp(text, "THAWED") != 0) ||
	    (cgroup->layout == CGROUP_V2 &&
	     cgroup_file_read(hierarchy->folder, "cgroup.freeze", text, sizeof(text)) &&
	     text[0] == '1'))
		return err_set(err, ERR_BUSY, "container's cgroup unexpectedly frozen: %s",
			       hierarchy->folder);
	return 0;
}

static int make_all(struct cgroup *cgroup, bool must_be_new, struct err *err)
{
	for (size_t i = 0; i < cgroup->count; i++) {
		struct hierarchy *hierarchy = &cgroup->at[i];

		if (cgroup->layout == CGROUP_V2) {
			if (cgroup_v2_make(cgroup, hierarchy, err) < 0)
				return -1;
		} else if (make_folders(hierarchy, &hierarchy->made) < 0) {
			int saved = errno;

			if (!cgroup->rootless ||
			    (saved != EACCES && saved != EPERM && saved != EROFS))
				return err_sys(err, saved, "make cgroup %s", hierarchy->folder);
			if (i == 0)
				cgroup_warn(cgroup,
					    "cgroup %s cannot be made: limits have no effect",
					    hierarchy->folder);
			continue;
		}
		if (must_be_new && check_is_new(cgroup, hierarchy, err) < 0)
			return -1;
	}
	return 0;
}

static void remove_made(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++)
		if (cgroup->at[i].made && rmdir(cgroup->at[i].folder) < 0 && errno == EBUSY)
			cgroup_warn(cgroup, "cgroup %s stays: it is in use", cgroup->at[i].folder);
}

static int write_limits(struct cgroup *cgroup, const struct config_resources *resources,
			bool update, struct err *err)
{
	struct limit_writer writer = { .cgroup = cgroup, .update = update, .err = err };
	int status = cgroup->layout == CGROUP_V2 ? cgroup_v2_set(&writer, resources)
						 : cgroup_v1_set(&writer, resources);

	while (writer.count) {
		struct limit_change *change = &writer.changes[--writer.count];

		if (status < 0 && change->old[0])
			cgroup_file_write(change->folder, change->file, change->old);
		free(change->folder);
		free(change->file);
		free(change->old);
	}
	free(writer.changes);
	return status;
}

static int set_with_holder(struct cgroup *cgroup, const struct config_resources *resources,
			   struct err *err)
{
	struct config_resources more = *resources;

	if (cgroup->holder_pidfd >= 0 && more.pids_limit.value > 0)
		more.pids_limit.value++;
	return write_limits(cgroup, &more, false, err);
}

int cgroup_make(struct cgroup *cgroup, const struct config_resources *resources, bool must_be_new,
		struct err *err)
{
	/* systemd refuses a scope that there is; the holder in it is one process more. */
	if (cgroup->systemd && cgroup_systemd_start(cgroup, resources, err) < 0)
		return -1;
	if (make_all(cgroup, must_be_new && !cgroup->systemd, err) == 0 &&
	    (!resources || set_with_holder(cgroup, resources, err) == 0))
		return 0;
	remove_made(cgroup);
	if (cgroup->systemd)
		cgroup_systemd_stop(cgroup);
	return -1;
}

int cgroup_settle(struct cgroup *cgroup, const struct config_resources *resources, struct err *err)
{
	const char *folder = cgroup_folder(cgroup, "pids");
	char limit[24];

	if (cgroup->holder_pidfd < 0)
		return 0;
	cgroup_systemd_release(cgroup);
	if (!folder || !resources || resources->pids_limit.value <= 0)
		return 0;
	snprintf(limit, sizeof(limit), "%lld", (long long)resources->pids_limit.value);
	return cgroup_file_write(folder, "pids.max", limit) < 0
		       ? err_sys(err, errno, "write %s to pids.max of %s", limit, folder)
		       : 0;
}

int cgroup_set(struct cgroup *cgroup, const struct config_resources *resources, bool update,
	       struct err *err)
{
	if (write_limits(cgroup, resources, update, err) < 0)
		return -1;
	return update && cgroup->systemd ? cgroup_systemd_update(cgroup, resources, err) : 0;
}

static int chown_file(const char *folder, const char *file, uid_t uid, gid_t gid)
{
	AUTO(free) char *path = xformat("%s/%s", folder, file);

	return chown(path, uid, gid) < 0 && errno != ENOENT ? -1 : 0;
}

int cgroup_delegate(struct cgroup *cgroup, uid_t uid, gid_t gid, struct err *err)
{
	AUTO(free) char *list = NULL;
	struct err ignored = ERR_NONE;
	char *save = NULL;
	size_t len;

	for (size_t i = 0; i < cgroup->count; i++) {
		struct hierarchy *hierarchy = &cgroup->at[i];

		if (!hierarchy->is_v2)
			continue;
		if (chown(hierarchy->folder, uid, gid) < 0)
			return err_sys(err, errno, "delegate cgroup %s", hierarchy->folder);
		if (file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, &list, &len,
			      &ignored) < 0)
			list = xstrdup("cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n");
		for (char *file = strtok_r(list, "\n", &save); file;
		     file = strtok_r(NULL, "\n", &save))
			if (chown_file(hierarchy->folder, file, uid, gid) < 0)
				return err_sys(err, errno, "delegate %s/%s", hierarchy->folder,
					       file);
	}
	return 0;
}
