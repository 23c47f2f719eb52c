/* runtime/state - ROOT/ID/state.json, and the status asked of the kernel.
 *
 * Owns: the folder of one container, its record, its status. May not touch: cgroup files but
 * through runtime/cgroup, processes.
 */
#include "runtime/state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/features.h"

#define STATE_MAX_BYTES (4u << 20)

static const char *const status_names[] = {
	[STATUS_CREATING] = "creating", [STATUS_CREATED] = "created", [STATUS_RUNNING] = "running",
	[STATUS_PAUSED] = "paused",     [STATUS_STOPPED] = "stopped",
};

_Static_assert(sizeof(status_names) / sizeof(status_names[0]) == STATUS_COUNT,
	       "a status has no name");

const char *status_name(enum status status)
{
	return status_names[status];
}

int state_check_id(const char *id, struct err *err)
{
	size_t len = strlen(id);

	if (!len || len > 1024)
		return err_set(err, ERR_INVALID,
			       "invalid container ID: must be 1..1024 characters");
	for (const char *c = id; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_+.-", *c))
			return err_set(
				err, ERR_INVALID,
				"invalid container ID format: %.80s: may hold A-Z a-z 0-9 _ + - .",
				id);
	if (strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return err_set(err, ERR_INVALID, "invalid container ID format: %s", id);
	return 0;
}

int state_make_folder(const char *root, const char *id, struct err *err)
{
	AUTO(fd) int root_fd = -1;
	int fd;

	if (state_check_id(id, err) < 0)
		return -1;
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		root_fd = file_open_dir(AT_FDCWD, root, true, err);
	if (root_fd < 0)
		return -1;
	if (mkdirat(root_fd, id, 0711) < 0)
		return errno == EEXIST
			       ? err_set(err, ERR_EXISTS, "container with given ID already exists")
			       : err_sys(err, errno, "make %s/%s", root, id);
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open %s/%s", root, id) : fd;
}

struct state *state_read_torn(const char *root, const char *id, struct err *err)
{
	AUTO(state) struct state *state = xcalloc(1, sizeof(*state));
	AUTO(free) char *path = NULL;

	state->dir_fd = -1;
	if (state_check_id(id, err) < 0)
		return NULL;
	path = xformat("%s/%s", root, id);
	state->root = xstrdup(root);
	state->id = xstrdup(id);
	state->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (state->dir_fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
			err_set(err, ERR_NOT_FOUND, "container does not exist");
		else
			err_sys(err, errno, "open %s", path);
		return NULL;
	}
	return TAKE(state);
}

struct state *state_read(const char *root, const char *id, struct err *err)
{
	AUTO(state) struct state *state = state_read_torn(root, id, err);
	AUTO(json) struct json_object *json = NULL;
	struct json_object *part;

	if (!state)
		return NULL;
	if (faccessat(state->dir_fd, "state.json", F_OK, 0) < 0 && errno == ENOENT) {
		err_set(err, ERR_NOT_FOUND,
			"container does not exist: its create has not come far enough");
		return NULL;
	}
	json = json_read_file(state->dir_fd, "state.json", STATE_MAX_BYTES, err);
	if (!json)
		return NULL;
	state->init.pid = (pid_t)json_int_or(json, "pid", 0);
	state->init.start_ticks = (uint64_t)json_int_or(json, "start_ticks", 0);
	state->bundle = xstrdup(json_text_or(json, "bundle", ""));
	state->rootfs = xstrdup(json_text_or(json, "rootfs", ""));
	state->owner = xstrdup(json_text_or(json, "owner", ""));
	state->created_unix_ns = (uint64_t)json_int_or(json, "created_unix_ns", 0);
	state->shares_pid_namespace = json_bool_or(json, "shares_pid_namespace", false);
	state->annotations = json_object_get(json_object_at(json, "annotations"));
	part = json_object_at(json, "cgroup");
	if (part) {
		state->cgroup_json = json_object_get(part);
		state->cgroup = cgroup_from_json(part, err);
		if (!state->cgroup)
			return NULL;
	}
	return TAKE(state);
}

int state_write(const struct state *state, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	const char *text;
	char created[STAMP_TEXT_LEN];

	json_add_int(json, "version", 1);
	json_add_text(json, "id", state->id);
	json_add_int(json, "pid", state->init.pid);
	json_add_int(json, "start_ticks", (int64_t)state->init.start_ticks);
	json_add_text(json, "bundle", state->bundle);
	json_add_text(json, "rootfs", state->rootfs);
	json_add_int(json, "created_unix_ns", (int64_t)state->created_unix_ns);
	json_add_text(json, "created", stamp_rfc3339(state->created_unix_ns, created));
	json_add_text(json, "owner", state->owner);
	json_add_bool(json, "shares_pid_namespace", state->shares_pid_namespace);
	if (state->annotations)
		json_object_object_add(json, "annotations", json_object_get(state->annotations));
	if (state->cgroup_json)
		json_object_object_add(json, "cgroup", json_object_get(state->cgroup_json));
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	return file_replace(state->dir_fd, "state.json", text, strlen(text), err);
}

int state_remove(const char *root, const char *id, struct err *err)
{
	static const char *const files[] = { "exec.fifo", "start.sock", "config.json", "lock",
					     "state.json" };
	AUTO(fd) int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int fd = -1;

	if (root_fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", root);
	fd = openat(root_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(fd, files[i], 0);
	if (unlinkat(root_fd, id, AT_REMOVEDIR) == 0)
		return 0;
	return tree_remove(root_fd, id, err);
}

void state_free(struct state *state)
{
	if (!state)
		return;
	if (state->dir_fd >= 0)
		close(state->dir_fd);
	free(state->root);
	free(state->id);
	free(state->bundle);
	free(state->rootfs);
	free(state->owner);
	json_object_put(state->annotations);
	json_object_put(state->cgroup_json);
	cgroup_free(state->cgroup);
	free(state);
}

/* create holds the lock as long as it works. */
static bool is_locked(const struct state *state)
{
	AUTO(fd) int fd = openat(state->dir_fd, "lock", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

enum status state_status(struct state *state)
{
	if (!state->init.pid)
		return is_locked(state) ? STATUS_CREATING : STATUS_STOPPED;
	if (!process_is_alive(state->init))
		return STATUS_STOPPED;
	if (faccessat(state->dir_fd, "exec.fifo", F_OK, 0) == 0)
		return is_locked(state) ? STATUS_CREATING : STATUS_CREATED;
	if (state->cgroup && cgroup_is_frozen(state->cgroup))
		return STATUS_PAUSED;
	return STATUS_RUNNING;
}

struct config *state_config(const struct state *state, struct err *err)
{
	AUTO(free) char *text = NULL;
	struct config *config;
	size_t len;

	if (file_read(state->dir_fd, "config.json", CONFIG_MAX_BYTES, &text, &len, err) < 0)
		return NULL;
	config = config_parse(text, len, err);
	return config;
}

struct json_object *state_to_oci(const struct state *state, enum status status)
{
	struct json_object *json = json_object_new_object();
	char created[STAMP_TEXT_LEN];

	json_add_text(json, "ociVersion", OCI_VERSION);
	json_add_text(json, "id", state->id);
	json_add_int(json, "pid", status == STATUS_STOPPED ? 0 : state->init.pid);
	json_add_text(json, "status", status_name(status));
	json_add_text(json, "bundle", state->bundle);
	json_add_text(json, "rootfs", state->rootfs);
	json_add_text(json, "created", stamp_rfc3339(state->created_unix_ns, created));
	if (state->annotations)
		json_object_object_add(json, "annotations", json_object_get(state->annotations));
	json_add_text(json, "owner", state->owner ? state->owner : "");
	return json;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

int state_list(const char *root, char ***out, size_t *out_count, struct err *err)
{
	DIR *dir = opendir(root);
	struct dirent *entry;
	struct err bad = ERR_NONE;

	*out = NULL;
	*out_count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", root);
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    state_check_id(entry->d_name, &bad) == 0)
			*(char **)xgrow(out, out_count, sizeof(char *)) = xstrdup(entry->d_name);
	closedir(dir);
	if (*out_count)
		qsort(*out, *out_count, sizeof(char *), compare_names);
	return 0;
}
