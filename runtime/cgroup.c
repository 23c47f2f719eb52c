/* runtime/cgroup - which hierarchies there are; make, join, count, remove.
 *
 * Owns: the handle, folders, membership. May not touch: limits (cgroup_v1, cgroup_v2), freezing and
 * killing (cgroup_control), numbers (cgroup_stats).
 */
#include "runtime/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

void cgroup_warn(const struct cgroup *cgroup, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (!cgroup->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cgroup->warn(cgroup->warn_context, text);
}

static bool is_type(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == magic;
}

/* "/a/./b/../c" to "/a/c"; never above the root. To be freed. */
static char *clean_path(const char *path)
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
			out[len] = '\0';
			continue;
		}
		out[len++] = '/';
		memcpy(out + len, part.at, part.len);
		len += part.len;
		out[len] = '\0';
	}
	return out;
}

static void add_hierarchy(struct cgroup *cgroup, const char *name, const char *mount, bool is_v2,
			  const char *own)
{
	struct hierarchy *hierarchy;
	AUTO(free) char *joined = NULL, *path = NULL;

	if (cgroup->count == HIERARCHY_MAX)
		return;
	hierarchy = &cgroup->at[cgroup->count++];
	joined = cgroup->path[0] == '/' ? xstrdup(cgroup->path)
					: xformat("%s/%s", own, cgroup->path);
	path = clean_path(joined);
	*hierarchy = (struct hierarchy){ .name = xstrdup(name),
					 .mount = xstrdup(mount),
					 .folder = xformat("%s%s", mount, path),
					 .is_v2 = is_v2 };
}

/* One line of /proc/self/cgroup: "4:memory:/x", "9:name=systemd:/", "0::/". */
static void add_line(struct cgroup *cgroup, char *line)
{
	char *names = strchr(line, ':'), *own = names ? strchr(names + 1, ':') : NULL;
	char mount[300];

	if (!own)
		return;
	*own++ = '\0';
	names++;
	if (!names[0]) {
		const char *at = cgroup->layout == CGROUP_V2 ? CGROUP_ROOT : CGROUP_ROOT "/unified";

		if (is_type(at, CGROUP2_SUPER_MAGIC))
			add_hierarchy(cgroup, "", at, true, own);
		return;
	}
	if (cgroup->layout == CGROUP_V2)
		return;
	if (text_starts(names, "name="))
		names += 5;
	snprintf(mount, sizeof(mount), "%s/%.200s", CGROUP_ROOT, names);
	if (!is_type(mount, CGROUP_SUPER_MAGIC)) { /* mounted under one of its names only */
		size_t first = strcspn(names, ",");

		snprintf(mount, sizeof(mount), "%s/%.*s", CGROUP_ROOT, (int)first, names);
		if (!is_type(mount, CGROUP_SUPER_MAGIC))
			return;
	}
	add_hierarchy(cgroup, names, mount, false, own);
}

static int find_hierarchies(struct cgroup *cgroup, struct err *err)
{
	AUTO(free) char *text = NULL;
	char *line, *save = NULL;
	size_t len;

	cgroup->layout = is_type(CGROUP_ROOT, CGROUP2_SUPER_MAGIC) ? CGROUP_V2 : CGROUP_V1;
	if (file_read(AT_FDCWD, "/proc/self/cgroup", 65536, &text, &len, err) < 0)
		return -1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_line(cgroup, line);
	if (!cgroup->count)
		return err_set(err, ERR_UNSUPPORTED, "no cgroup is mounted below " CGROUP_ROOT);
	if (cgroup->layout == CGROUP_V1 && cgroup->at[cgroup->count - 1].is_v2)
		cgroup->layout = CGROUP_HYBRID;
	return 0;
}

static struct cgroup *cgroup_new(void)
{
	struct cgroup *cgroup = xcalloc(1, sizeof(*cgroup));

	cgroup->clone_fd = -1;
	return cgroup;
}

struct cgroup *cgroup_plan(const struct cgroup_spec *spec, struct err *err)
{
	AUTO(cgroup) struct cgroup *cgroup = cgroup_new();

	cgroup->systemd = spec->systemd;
	cgroup->rootless = spec->rootless;
	cgroup->warn = spec->warn;
	cgroup->warn_context = spec->warn_context;
	if (spec->annotations)
		cgroup->properties = *spec->annotations;
	if (spec->systemd) {
		if (cgroup_systemd_plan(cgroup, spec->path, spec->id, err) < 0)
			return NULL;
	} else {
		cgroup->path = spec->path && spec->path[0]
				       ? (spec->path[0] == '/' ? clean_path(spec->path)
							       : xstrdup(spec->path))
				       : xformat("/%s", spec->id);
	}
	if (!cgroup->path[0]) {
		err_set(err, ERR_INVALID, "linux.cgroupsPath: must not be the root");
		return NULL;
	}
	return find_hierarchies(cgroup, err) < 0 ? NULL : TAKE(cgroup);
}

struct cgroup *cgroup_open(const char *path, struct err *err)
{
	struct cgroup_spec spec = { .path = path, .id = "none" };

	return cgroup_plan(&spec, err);
}

void cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return;
	for (size_t i = 0; i < cgroup->count; i++) {
		free(cgroup->at[i].name);
		free(cgroup->at[i].mount);
		free(cgroup->at[i].folder);
	}
	if (cgroup->clone_fd >= 0)
		close(cgroup->clone_fd);
	free(cgroup->path);
	free(cgroup->slice);
	free(cgroup->scope);
	free(cgroup);
}

struct json_object *cgroup_to_json(const struct cgroup *cgroup)
{
	struct json_object *value = json_object_new_object(), *list;

	json_add_int(value, "layout", cgroup->layout);
	json_add_text(value, "path", cgroup->path);
	json_add_bool(value, "systemd", cgroup->systemd);
	json_add_bool(value, "rootless", cgroup->rootless);
	json_add_text(value, "slice", cgroup->slice);
	json_add_text(value, "scope", cgroup->scope);
	list = json_add_array(value, "folders");
	for (size_t i = 0; i < cgroup->count; i++) {
		struct json_object *item = json_object_new_object();

		json_add_text(item, "name", cgroup->at[i].name);
		json_add_text(item, "mount", cgroup->at[i].mount);
		json_add_text(item, "folder", cgroup->at[i].folder);
		json_object_array_add(list, item);
	}
	return value;
}

struct cgroup *cgroup_from_json(const struct json_object *value, struct err *err)
{
	AUTO(cgroup) struct cgroup *cgroup = cgroup_new();
	struct json_object *list = json_array_at(value, "folders");
	int64_t layout = json_int_or(value, "layout", -1);

	cgroup->layout = (enum cgroup_layout)layout;
	cgroup->path = xstrdup(json_text_or(value, "path", ""));
	cgroup->systemd = json_bool_or(value, "systemd", false);
	cgroup->rootless = json_bool_or(value, "rootless", false);
	cgroup->slice = xstrdup(json_text_or(value, "slice", NULL));
	cgroup->scope = xstrdup(json_text_or(value, "scope", NULL));
	for (size_t i = 0; i < json_array_count(list) && i < HIERARCHY_MAX; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		struct hierarchy *hierarchy = &cgroup->at[cgroup->count++];

		hierarchy->name = xstrdup(json_text_or(item, "name", ""));
		hierarchy->mount = xstrdup(json_text_or(item, "mount", ""));
		hierarchy->folder = xstrdup(json_text_or(item, "folder", ""));
		hierarchy->is_v2 = !hierarchy->name[0];
		if (!text_starts(hierarchy->folder, CGROUP_ROOT) ||
		    strcmp(hierarchy->folder, hierarchy->mount) == 0) {
			err_set(err, ERR_INVALID, "state.json: cgroup.folders[%zu] is no cgroup",
				i);
			return NULL;
		}
	}
	if (layout < CGROUP_V1 || layout > CGROUP_V2 || !cgroup->count) {
		err_set(err, ERR_INVALID, "state.json: cgroup is not complete");
		return NULL;
	}
	return TAKE(cgroup);
}

struct hierarchy *cgroup_hierarchy(const struct cgroup *cgroup, const char *controller)
{
	for (size_t i = 0; i < cgroup->count; i++) {
		struct slice rest = SLICE(cgroup->at[i].name), part;

		if (cgroup->layout == CGROUP_V2)
			return (struct hierarchy *)(uintptr_t)&cgroup->at[i];
		while (slice_next(&rest, ',', &part))
			if (slice_is(part, controller))
				return (struct hierarchy *)(uintptr_t)&cgroup->at[i];
	}
	return NULL;
}

enum cgroup_layout cgroup_layout(const struct cgroup *cgroup)
{
	return cgroup->layout;
}

const char *cgroup_folder(const struct cgroup *cgroup, const char *controller)
{
	struct hierarchy *hierarchy = cgroup_hierarchy(cgroup, controller);

	return hierarchy ? hierarchy->folder : NULL;
}

const char *cgroup_path(const struct cgroup *cgroup)
{
	return cgroup->path;
}

bool cgroup_exists(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++)
		if (access(cgroup->at[i].folder, F_OK) == 0)
			return true;
	return false;
}

/* Copies cpus and mems from above where they are empty: else no process may join (ENOSPC). */
static int fill_cpuset(const char *parent, const char *folder)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (size_t i = 0; i < 2; i++) {
		char value[4096];

		if (cgroup_file_read(folder, files[i], value, sizeof(value)) && value[0])
			continue;
		if (cgroup_file_read(parent, files[i], value, sizeof(value)) && value[0] &&
		    cgroup_file_write(folder, files[i], value) < 0)
			return -1;
	}
	return 0;
}

static int make_folders(const struct hierarchy *hierarchy, bool *made)
{
	bool is_cpuset = strcmp(hierarchy->name, "cpuset") == 0;
	AUTO(free) char *path = NULL, *parent = NULL;
	size_t start = strlen(hierarchy->mount);

	*made = mkdir(hierarchy->folder, 0755) == 0;
	if (!*made && errno != ENOENT && errno != EEXIST)
		return -1;
	if ((*made || errno == EEXIST) && !is_cpuset)
		return 0;
	path = xstrdup(hierarchy->folder);
	parent = xstrdup(hierarchy->mount);
	for (char *slash = strchr(path + start + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0755) == 0)
			*made |= !slash;
		else if (errno != EEXIST)
			return -1;
		if (is_cpuset && fill_cpuset(parent, path) < 0)
			return -1;
		free(parent);
		parent = xstrdup(path);
		if (!slash)
			return 0;
		*slash = '/';
	}
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

int cgroup_make(struct cgroup *cgroup, const struct config_resources *resources, bool must_be_new,
		struct err *err)
{
	if (make_all(cgroup, must_be_new, err) < 0 ||
	    (resources && cgroup_set(cgroup, resources, false, err) < 0)) {
		remove_made(cgroup);
		return -1;
	}
	return 0;
}

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
	AUTO(free) char *clean = clean_path(sub ? sub : "");
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
		while (count)
			close(fds[--count]);
		return -1;
	}
	return (int)count;
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

int cgroup_set(struct cgroup *cgroup, const struct config_resources *resources, bool update,
	       struct err *err)
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
