/* volumes/store - the folder of all volumes and its locks, and who uses which volume.
 *
 * Owns: names, locks, use records. May not touch: what is in a volume.
 */
#include "volumes/store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "volumes/folder.h"

#define LOCK        "lock"
#define RECORD_MAX  512
#define RUNTIME_DIR "volumes"

/* Is somebody at work on a volume that is not whole yet? */
static bool is_being_made(const struct volume_store *store, const char *name)
{
	struct err err = ERR_NONE;
	AUTO(fd) int dir = openat(store->volumes_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int lock = dir < 0 ? -1 : file_lock(dir, LOCK, false, &err);

	return lock < 0;
}

/* What a deletion or a creation that was cut off left. */
static void sweep(const struct volume_store *store)
{
	struct err err = ERR_NONE;
	AUTO(fd) int lock = file_lock(store->volumes_fd, LOCK, false, &err);
	AUTO(folder) DIR *dir = lock < 0 ? NULL : folder_open(store->volumes_fd, ".");
	const char *name;

	while (dir && (name = folder_next(dir)) != NULL)
		if (text_starts(name, ".trash-") ||
		    (text_starts(name, ".new-") && !is_being_made(store, name)))
			tree_remove(store->volumes_fd, name, &err);
}

struct volume_store *volume_store_open(const char *state_root, const char *runtime_root,
				       struct err *err)
{
	AUTO(volume_store) struct volume_store *store = xcalloc(1, sizeof(*store));
	AUTO(free) char *absolute = NULL;

	store->state_fd = store->runtime_fd = store->volumes_fd = -1;
	store->state_fd = file_open_dir(AT_FDCWD, state_root, true, err);
	if (store->state_fd < 0)
		return NULL;
	store->runtime_fd = file_open_dir(AT_FDCWD, runtime_root, true, err);
	if (store->runtime_fd < 0)
		return NULL;
	store->volumes_fd = file_open_dir(store->state_fd, "volumes", true, err);
	if (store->volumes_fd < 0)
		return NULL;
	absolute = realpath(state_root, NULL);
	if (!absolute) {
		err_sys(err, errno, "%s", state_root);
		return NULL;
	}
	store->path = xformat("%s/volumes", absolute);
	sweep(store);
	return TAKE(store);
}

void volume_store_close(struct volume_store *store)
{
	const int fds[] = { store->state_fd, store->runtime_fd, store->volumes_fd };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(store->path);
	free(store);
}

int volume_store_lock(const struct volume_store *store, struct err *err)
{
	return file_lock(store->volumes_fd, LOCK, true, err);
}

int volume_store_check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);

	if (len < 2 || len > VOLUME_NAME_MAX)
		return err_set(err, ERR_INVALID,
			       "volume name \"%.60s\" must have 2 to %d characters", name,
			       VOLUME_NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("_.-", name[i])))
			return err_set(err, ERR_INVALID,
				       "volume name \"%.60s\" may hold letters, digits, and behind "
				       "the first also _ . -",
				       name);
	return 0;
}

int volume_store_open_volume(const struct volume_store *store, const char *name, struct err *err)
{
	int fd;

	if (volume_store_check_name(name, err) < 0)
		return -1;
	fd = openat(store->volumes_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "volume %s does not exist", name);
	return fd < 0 ? err_sys(err, errno, "volume %s", name) : fd;
}

/* The lock file of the volume, held as `operation` says (flock). */
static int take_lock(int volume_fd, const char *name, int operation, struct err *err)
{
	AUTO(fd) int fd = openat(volume_fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(err, errno, "volume %s: lock", name);
	while (flock(fd, operation) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_BUSY, "volume %s is being worked on", name);
		if (errno != EINTR)
			return err_sys(err, errno, "volume %s: lock", name);
	}
	return TAKE_FD(fd);
}

int volume_store_lock_volume(const struct volume_store *store, const char *name,
			     enum volume_lock how, int *out_fd, struct err *err)
{
	static const int operations[] = { [VOLUME_LOCK_ALONE] = LOCK_EX,
					  [VOLUME_LOCK_TRY] = LOCK_EX | LOCK_NB,
					  [VOLUME_LOCK_SHARED] = LOCK_SH };

	for (;;) {
		AUTO(fd) int volume_fd = volume_store_open_volume(store, name, err);
		AUTO(fd) int lock = -1;
		struct stat held, now;

		if (volume_fd < 0)
			return -1;
		lock = take_lock(volume_fd, name, operations[how], err);
		if (lock < 0)
			return -1;
		/* While we waited the volume may have been removed and made anew. */
		if (fstat(volume_fd, &held) == 0 &&
		    fstatat(store->volumes_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    held.st_ino == now.st_ino && held.st_dev == now.st_dev) {
			if (out_fd)
				*out_fd = TAKE_FD(volume_fd);
			return TAKE_FD(lock);
		}
	}
}

static int check_id(const char *id, struct err *err)
{
	size_t len = strlen(id);

	if (len == 0 || len >= sizeof(((struct volume_user *)0)->id) || strchr(id, '/') ||
	    id[0] == '.')
		return err_set(err, ERR_INVALID, "container id \"%.80s\"", id);
	return 0;
}

int volume_store_use(const struct volume_store *store, const char *volume,
		     const struct volume_user *user, struct err *err)
{
	AUTO(fd) int volume_fd = volume_store_open_volume(store, volume, err);
	AUTO(free) char *path = NULL;
	AUTO(free) char *text = NULL;
	AUTO(fd) int users = -1;
	AUTO(fd) int running = -1;

	if (volume_fd < 0 || check_id(user->id, err) < 0)
		return -1;
	users = file_open_dir(volume_fd, "users", true, err);
	if (users < 0)
		return -1;
	text = xformat("%s %s\n", user->project, user->container);
	if (file_replace(users, user->id, text, strlen(text), err) < 0)
		return err_wrap(err, "volume %s", volume);
	if (!user->running)
		return 0;
	path = xformat(RUNTIME_DIR "/%s", volume);
	running = file_open_dir(store->runtime_fd, path, true, err);
	return running < 0 ? -1 : file_replace(running, user->id, "", 0, err);
}

/* Drops the records of one container with one volume. */
static void forget(const struct volume_store *store, const char *volume, const char *id,
		   bool only_running)
{
	AUTO(free) char *path = xformat("%s/users/%s", volume, id);
	AUTO(free) char *running = xformat(RUNTIME_DIR "/%s/%s", volume, id);

	if (!only_running)
		unlinkat(store->volumes_fd, path, 0);
	unlinkat(store->runtime_fd, running, 0);
	running[strlen(running) - strlen(id) - 1] = '\0';
	unlinkat(store->runtime_fd, running, AT_REMOVEDIR); /* stays while others run */
}

int volume_store_stop_use(const struct volume_store *store, const char *volume,
			  const char *container_id, size_t *out_running, struct err *err)
{
	AUTO(free) char *path = xformat(RUNTIME_DIR "/%s", volume);

	if (volume_store_check_name(volume, err) < 0 || check_id(container_id, err) < 0)
		return -1;
	forget(store, volume, container_id, true);
	*out_running = folder_count(store->runtime_fd, path);
	return 0;
}

int volume_store_unuse_all(const struct volume_store *store, const char *container_id,
			   struct err *err)
{
	AUTO(folder) DIR *dir = folder_open(store->volumes_fd, ".");
	const char *name;

	if (check_id(container_id, err) < 0)
		return -1;
	if (!dir)
		return err_sys(err, errno, "read %s", store->path);
	while ((name = folder_next(dir)) != NULL)
		if (name[0] != '.' && strcmp(name, LOCK) != 0)
			forget(store, name, container_id, false);
	return 0;
}

/* Reads the record; false when its container is gone (the record too, then). */
static bool read_user(const struct volume_store *store, const char *volume, const char *id,
		      struct volume_user *out)
{
	AUTO(free) char *path = xformat("%s/users/%s", volume, id);
	AUTO(free) char *running = xformat(RUNTIME_DIR "/%s/%s", volume, id);
	AUTO(free) char *text = NULL, *container = NULL;
	struct slice project, name;
	struct err err = ERR_NONE;
	size_t len;

	if (file_read(store->volumes_fd, path, RECORD_MAX, &text, &len, &err) < 0)
		return false;
	*out = (struct volume_user){ 0 };
	snprintf(out->id, sizeof(out->id), "%s", id);
	if (len && text[len - 1] == '\n')
		len--;
	slice_split((struct slice){ text, len }, ' ', &project, &name); /* a project may be "" */
	snprintf(out->project, sizeof(out->project), "%.*s", SLICE_ARG(project));
	snprintf(out->container, sizeof(out->container), "%.*s", SLICE_ARG(name));
	out->running = faccessat(store->runtime_fd, running, F_OK, 0) == 0;
	if (!out->project[0] || strchr(out->project, '/'))
		return true;
	container = xformat("projects/%s/containers/%s", out->project, id);
	if (faccessat(store->state_fd, container, F_OK, 0) == 0 || errno != ENOENT)
		return true;
	forget(store, volume, id, false);
	return false;
}

int volume_store_users(const struct volume_store *store, const char *volume,
		       struct volume_user **out_users, size_t *out_count, struct err *err)
{
	AUTO(fd) int volume_fd = volume_store_open_volume(store, volume, err);
	AUTO(folder) DIR *dir = volume_fd < 0 ? NULL : folder_open(volume_fd, "users");
	AUTO(free) struct volume_user *users = NULL;
	size_t count = 0;
	const char *id;

	if (volume_fd < 0)
		return -1;
	while (dir && (id = folder_next(dir)) != NULL) {
		struct volume_user user;

		if (id[0] != '.' && read_user(store, volume, id, &user))
			*(struct volume_user *)xgrow(&users, &count, sizeof(user)) = user;
	}
	*out_users = TAKE(users);
	*out_count = count;
	return 0;
}

static int refuse(const struct volume_store *store, const char *volume, bool running_only,
		  struct err *err)
{
	AUTO(free) struct volume_user *users = NULL;
	char text[160] = "";
	size_t count = 0, len = 0, hits = 0;

	if (volume_store_users(store, volume, &users, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (users[i].running || !running_only)
			users[hits++] = users[i];
	if (!hits)
		return 0;
	for (size_t i = 0; i < hits && len < sizeof(text) - 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s (%s)", i ? ", " : "",
					users[i].container[0] ? users[i].container : users[i].id,
					users[i].running ? "running" : "stopped");
	return err_set(err, ERR_BUSY, "volume %s is in use by %s", volume, text);
}

int volume_store_refuse_used(const struct volume_store *store, const char *volume, struct err *err)
{
	return refuse(store, volume, false, err);
}

int volume_store_refuse_running(const struct volume_store *store, const char *volume,
				struct err *err)
{
	return refuse(store, volume, true, err);
}
