/* orchestrator/build_mount - RUN --mount: bind, cache, tmpfs, secret, ssh; the script of a heredoc.
 *
 * Owns: what each type becomes in the bundle, and what is made for it. May not touch: the bundle's
 * other mounts, keys.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "images/snapshot.h"
#include "orchestrator/build_step.h"
#include "volumes/copy_tree.h"

#define LOCK_POLL_US 50000

/* ---- the plan ---- */

static const struct build_secret *find_secret(const struct build_stage *stage, const char *id)
{
	const struct build_spec *spec = stage->job->spec;

	for (size_t i = 0; i < spec->secret_count; i++)
		if (strcmp(spec->secrets[i].id, id) == 0)
			return &spec->secrets[i];
	return NULL;
}

static const struct build_ssh *find_ssh(const struct build_stage *stage, const char *id)
{
	const struct build_spec *spec = stage->job->spec;

	for (size_t i = 0; i < spec->ssh_count; i++)
		if (strcmp(spec->ssh[i].id, id) == 0)
			return &spec->ssh[i];
	return NULL;
}

static int plan_bind(struct build_stage *stage, const struct df_instr *instr,
		     struct df_run_mount *mount, size_t at, struct build_mounts *out,
		     struct err *err)
{
	const char **source = arena_alloc(out->arena, sizeof(*source));
	struct df_copy_spec spec = { .kind = DF_COPY,
				     .sources = source,
				     .source_count = 1,
				     .destination = "/",
				     .cwd = "/",
				     .lease = stage->job->build->lease };
	char *key = arena_alloc(out->arena, DF_KEY_SIZE);
	struct stat st;
	int root;

	*source = mount->mount.source ? mount->mount.source : ".";
	if (build_source_open(stage, instr, mount->mount.from, &spec.context, err) < 0 ||
	    df_copy_plan(&spec, &out->copies[at], err) < 0)
		return -1;
	df_copy_tree_key(out->copies[at], key);
	mount->content = key;
	root = df_context_root(spec.context, err);
	if (root < 0)
		return -1;
	{
		AUTO(fd) int fd = file_open_in_root(root, *source, O_PATH, 0);

		out->copies_file[at] = fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
	}
	return 0;
}

static int plan_one(struct build_stage *stage, const struct df_instr *instr, struct df_run *run,
		    size_t i, struct build_mounts *out, struct err *err)
{
	const struct df_mount *mount = &run->mounts[i].mount;

	switch (mount->type) {
	case DF_MOUNT_BIND:
		return plan_bind(stage, instr, &run->mounts[i], i, out, err);
	case DF_MOUNT_CACHE: /* from=: what it begins with */
		return mount->from ? plan_bind(stage, instr, &run->mounts[i], i, out, err) : 0;
	case DF_MOUNT_SECRET:
		return mount->required && !find_secret(stage, mount->id)
			       ? err_set(err, ERR_NOT_FOUND,
					 "secret %s is required and was not given (--secret id=%s)",
					 mount->id, mount->id)
			       : 0;
	case DF_MOUNT_SSH:
		return mount->required && !find_ssh(stage, mount->id)
			       ? err_set(err, ERR_NOT_FOUND,
					 "ssh agent %s is required and was not given (--ssh %s)",
					 mount->id, mount->id)
			       : 0;
	default:
		return 0;
	}
}

int build_mounts_plan(struct build_stage *stage, const struct df_instr *instr, struct df_run *run,
		      struct build_mounts *out, struct err *err)
{
	out->copy_count = run->mount_count;
	out->copies = xcalloc(run->mount_count + 1, sizeof(struct df_copy *));
	out->copies_file = xcalloc(run->mount_count + 1, sizeof(bool));
	for (size_t i = 0; i < run->mount_count; i++)
		if (plan_one(stage, instr, run, i, out, err) < 0)
			return -1;
	return 0;
}

/* ---- made for the run ---- */

static void add(struct build_mounts *mounts, const char *target, const char *type,
		const char *source, const char *options, bool is_file)
{
	size_t count = mounts->count;

	*(bool *)arena_grow(mounts->arena, &mounts->is_file, &count, sizeof(bool)) = is_file;
	*(struct bundle_mount *)arena_grow(mounts->arena, &mounts->items, &mounts->count,
					   sizeof(*mounts->items)) = (struct bundle_mount){
		.destination = target, .type = type, .source = source, .options = options
	};
	*(const char **)arena_grow(mounts->arena, &mounts->points, &mounts->point_count,
				   sizeof(char *)) = target;
}

static void add_env(struct build_mounts *mounts, const char *name, const char *value)
{
	*(const char **)arena_grow(mounts->arena, &mounts->env, &mounts->env_count,
				   sizeof(char *)) =
		arena_format(mounts->arena, "%s=%s", name, value);
}

/* A file of the work folder's memory; its path in the arena. */
static const char *write_file(struct build_stage *stage, struct build_mounts *mounts,
			      unsigned number, const char *text, size_t len, unsigned mode,
			      unsigned uid, unsigned gid, struct err *err)
{
	const struct build_work *work = stage->job->build->work;
	AUTO(free) char *folder = NULL;
	const char *name = arena_format(mounts->arena, "memory/run-%u", number), *path;
	AUTO(fd) int fd = -1;

	folder = build_work_folder(work, name, err);
	if (!folder)
		return NULL;
	path = arena_format(mounts->arena, "%s/file-%zu", folder, mounts->count);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || file_write_all(fd, text, len) < 0 || fchown(fd, uid, gid) < 0 ||
	    fchmod(fd, mode) < 0) {
		err_sys(err, errno, "write a file for the run");
		return NULL;
	}
	return path;
}

static int make_secret(struct build_stage *stage, const struct df_run_mount *mount, unsigned number,
		       struct build_mounts *mounts, struct err *err)
{
	const struct df_mount *how = &mount->mount;
	const struct build_secret *secret = find_secret(stage, how->id);
	AUTO(free) char *read = NULL;
	const char *text, *path;
	size_t len;

	if (!secret)
		return 0;
	text = secret->value;
	len = secret->len;
	if (secret->file) {
		if (file_read(AT_FDCWD, secret->file, 1u << 20, &read, &len, err) < 0)
			return err_wrap(err, "secret %s", how->id);
		text = read;
	}
	if (how->env)
		add_env(mounts, how->env, arena_strndup(mounts->arena, text, len));
	if (!mount->target)
		return 0;
	path = write_file(stage, mounts, number, text, len, how->mode, how->uid, how->gid, err);
	if (!path)
		return -1;
	add(mounts, mount->target, "bind", path, "bind,ro,nosuid,nodev,noexec", true);
	return 0;
}

static int make_ssh(struct build_stage *stage, const struct df_run_mount *mount,
		    struct build_mounts *mounts, struct err *err)
{
	const struct build_ssh *ssh = find_ssh(stage, mount->mount.id);
	const char *target = mount->target;
	struct stat st;

	if (!ssh)
		return 0;
	if (stat(ssh->socket, &st) < 0)
		return err_sys(err, errno, "ssh agent %s: %s", ssh->id, ssh->socket);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED,
			       "ssh %s: %s is no socket of an agent (keys: ssh-add them to one)",
			       ssh->id, ssh->socket);
	if (!target)
		target = arena_format(mounts->arena, "/run/buildkit/ssh_agent.%zu", mounts->count);
	add(mounts, target, "bind", ssh->socket, "bind,nosuid,nodev,noexec", true);
	add_env(mounts, "SSH_AUTH_SOCK", target);
	return 0;
}

static bool is_empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool empty = dir != NULL;
	struct dirent *entry;

	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir)
		closedir(dir);
	return empty;
}

/* A new folder begins with what from= shows. */
static int fill_cache(struct build_stage *stage, struct df_copy *copy, const char *path,
		      struct err *err)
{
	AUTO(fd) int to = file_open_dir(AT_FDCWD, path, false, err);
	AUTO(fd) int tree = -1;
	AUTO(fd) int from = -1;
	AUTO(snapshot) struct snapshot *snapshot = NULL;
	struct copy_tree_result result;
	struct df_layer_spec layer;
	struct df_layer made = { 0 };
	const char *const diff_ids[] = { made.diff_id };

	if (to < 0 || !is_empty(to))
		return to < 0 ? -1 : 0;
	build_step_layer(stage, &layer);
	if (df_copy_mount_source(copy, &layer, &made, err) < 0)
		return -1;
	if (!made.diff_id[0])
		return 0;
	snapshot = snapshot_open_layers(stage->job->build->lease, diff_ids, 1, err);
	tree = snapshot ? snapshot_mount(snapshot, err) : -1;
	from = tree < 0 ? -1 : file_open_dir(tree, ".", false, err);
	return from < 0 ? -1 : copy_tree(from, to, &result, err);
}

static int make_cache(struct build_stage *stage, const struct df_run_mount *mount, size_t at,
		      struct build_mounts *mounts, struct err *err)
{
	static const enum steps_sharing sharing[] = { [DF_SHARING_SHARED] = STEPS_SHARED,
						      [DF_SHARING_PRIVATE] = STEPS_PRIVATE,
						      [DF_SHARING_LOCKED] = STEPS_LOCKED };
	struct build_worker *build = stage->job->build;
	const struct df_mount *how = &mount->mount;
	struct steps_folder folder = { NULL, -1 };

	while (steps_cache_open(build->store, how->id ? how->id : mount->target,
				sharing[how->sharing], false, how->mode, how->uid, how->gid,
				&folder, err) < 0) {
		if (err->code != ERR_BUSY)
			return -1;
		*err = ERR_NONE;
		if (build_control_is_cancelled(build->control))
			return err_set(err, ERR_CANCELLED, "cancelled");
		usleep(LOCK_POLL_US);
	}
	*(struct steps_folder *)arena_grow(mounts->arena, &mounts->folders, &mounts->folder_count,
					   sizeof(folder)) = folder;
	if (mounts->copies[at] && fill_cache(stage, mounts->copies[at], folder.path, err) < 0)
		return -1;
	add(mounts, mount->target, "bind", folder.path, how->read_only ? "bind,ro" : "bind", false);
	return 0;
}

/* Over the source's one layer: as it is, or with an upper folder that is dropped afterwards. */
static int mount_source(struct build_stage *stage, const char *diff_id, bool writable,
			const char *folder, struct err *err)
{
	const char *const diff_ids[] = { diff_id };
	AUTO(snapshot)
	struct snapshot *snapshot =
		snapshot_open_layers(stage->job->build->lease, diff_ids, *diff_id ? 1 : 0, err);
	AUTO(fd) int lower = snapshot ? snapshot_mount(snapshot, err) : -1;
	AUTO(fd) int dir = -1;
	AUTO(fd) int upper = -1;
	AUTO(fd) int work = -1;
	AUTO(fd) int over = -1;

	dir = lower < 0 ? -1 : file_open_dir(AT_FDCWD, folder, true, err);
	if (dir < 0 || file_make_dirs(dir, "tree", 0755, err) < 0)
		return -1;
	if (!writable)
		return mount_attach_at(lower, dir, "tree", err);
	upper = file_open_dir(dir, "upper", true, err);
	work = upper < 0 ? -1 : file_open_dir(dir, "work", true, err);
	if (work < 0 || fchmod(upper, snapshot->root_mode & 07777) < 0)
		return err->code ? -1 : err_sys(err, errno, "a writable bind");
	over = mount_overlay(&lower, 1, upper, work, MOUNT_VOLATILE, 0, err);
	return over < 0 ? -1 : mount_attach_at(over, dir, "tree", err);
}

static int make_bind(struct build_stage *stage, const struct df_run_mount *mount, size_t at,
		     unsigned number, struct build_mounts *mounts, struct err *err)
{
	const struct df_mount *how = &mount->mount;
	const char *name = arena_format(mounts->arena, "bind-%u-%zu", number, at), *path;
	AUTO(free) char *folder = build_work_folder(stage->job->build->work, name, err);
	struct df_layer_spec layer;
	struct df_layer made = { 0 };

	build_step_layer(stage, &layer);
	if (!folder || df_copy_mount_source(mounts->copies[at], &layer, &made, err) < 0 ||
	    mount_source(stage, made.diff_id, !how->read_only, folder, err) < 0)
		return -1;
	path = arena_format(mounts->arena, "%s/tree", folder);
	*(const char **)arena_grow(mounts->arena, &mounts->attached, &mounts->attached_count,
				   sizeof(char *)) = path;
	if (mounts->copies_file[at]) {
		const char *slash = strrchr(how->source, '/');

		path = arena_format(mounts->arena, "%s/%s", path, slash ? slash + 1 : how->source);
	}
	add(mounts, mount->target, "bind", path, how->read_only ? "bind,ro" : "bind",
	    mounts->copies_file[at]);
	return 0;
}

static int make_one(struct build_stage *stage, const struct df_run *run, size_t i, unsigned number,
		    struct build_mounts *mounts, struct err *err)
{
	const struct df_run_mount *mount = &run->mounts[i];

	switch (mount->mount.type) {
	case DF_MOUNT_BIND:
		return make_bind(stage, mount, i, number, mounts, err);
	case DF_MOUNT_CACHE:
		return make_cache(stage, mount, i, mounts, err);
	case DF_MOUNT_SECRET:
		return make_secret(stage, mount, number, mounts, err);
	case DF_MOUNT_SSH:
		return make_ssh(stage, mount, mounts, err);
	default:
		add(mounts, mount->target, "tmpfs", "tmpfs",
		    mount->mount.size_bytes
			    ? arena_format(mounts->arena, "nosuid,nodev,size=%llu",
					   (unsigned long long)mount->mount.size_bytes)
			    : "nosuid,nodev",
		    false);
		return 0;
	}
}

static const char *const own_points[] = { "/etc/hosts",    "/etc/resolv.conf",
					  "/etc/hostname", "/proc",
					  "/sys",          "/dev" };

int build_mounts_make(struct build_stage *stage, const struct df_run *run, unsigned number,
		      struct build_mounts *mounts, struct err *err)
{
	for (size_t i = 0; i < sizeof(own_points) / sizeof(*own_points); i++)
		*(const char **)arena_grow(mounts->arena, &mounts->points, &mounts->point_count,
					   sizeof(char *)) = own_points[i];
	for (size_t i = 0; i < run->mount_count; i++)
		if (make_one(stage, run, i, number, mounts, err) < 0)
			return -1;
	if (run->script) {
		const char *path = write_file(stage, mounts, number, run->script, run->script_len,
					      0755, 0, 0, err);

		if (!path)
			return -1;
		add(mounts, run->script_path, "bind", path, "bind,ro", true);
	}
	return 0;
}

void build_mounts_end(struct build_mounts *mounts)
{
	for (size_t i = 0; i < mounts->attached_count; i++)
		umount2(mounts->attached[i], MNT_DETACH | UMOUNT_NOFOLLOW);
	for (size_t i = 0; i < mounts->folder_count; i++) {
		free(mounts->folders[i].path);
		if (mounts->folders[i].lock_fd >= 0)
			close(mounts->folders[i].lock_fd);
	}
	mounts->attached_count = mounts->folder_count = 0;
}

void build_mounts_free(struct build_mounts *mounts)
{
	for (size_t i = 0; i < mounts->copy_count; i++)
		if (mounts->copies[i])
			df_copy_free(mounts->copies[i]);
	free(mounts->copies);
	free(mounts->copies_file);
}
