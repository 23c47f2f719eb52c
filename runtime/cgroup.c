/* runtime/cgroup - which hierarchies there are, and where a container's folders are in them.
 *
 * Owns: the handle, its form in state.json. May not touch: folders (cgroup_make), membership
 * (cgroup_join), freezing and killing (cgroup_control), numbers (cgroup_stats).
 */
#include "runtime/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

char *cgroup_clean_path(const char *path)
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
	path = cgroup_clean_path(joined);
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

	cgroup->clone_fd = cgroup->holder_pidfd = -1;
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
				       ? (spec->path[0] == '/' ? cgroup_clean_path(spec->path)
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
	cgroup_systemd_release(cgroup);
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

bool cgroup_exists(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++)
		if (access(cgroup->at[i].folder, F_OK) == 0)
			return true;
	return false;
}
