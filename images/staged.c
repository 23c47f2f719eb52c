/* images/staged - a file of the store that is whole before it gets its name.
 *
 * Owns: files directly in tmp/. May not touch: what is in them, folders in tmp/ (images/store).
 */
#include "images/staged.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/stamp.h"

/* Under the store's lock: a sweep between creation and flock would take it. */
static int create(struct staged *staged, struct err *err)
{
	struct store *store = staged->store;
	AUTO(fd) int lock = store_lock(store, false, true, err);

	if (lock < 0)
		return -1;
	stamp_id(staged->temp, 16);
	staged->fd =
		openat(store->tmp_fd, staged->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (staged->fd < 0 || flock(staged->fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(err, errno, "create %.100s", staged->name);
	return 0;
}

static int staged_write(struct store *store, int dir_fd, const char *name, const void *data,
			size_t len, struct staged *out, struct err *err)
{
	*out = (struct staged){ .store = store, .dir_fd = dir_fd, .fd = -1 };
	snprintf(out->name, sizeof(out->name), "%s", name);
	if (create(out, err) == 0 && file_write_all(out->fd, data, len) == 0)
		return 0;
	if (err->code == ERR_OK)
		err_sys(err, errno, "write %.100s", name);
	staged_drop(out);
	return -1;
}

int staged_write_json(struct store *store, int dir_fd, const char *name, struct json_object *value,
		      struct staged *out, struct err *err)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

	return staged_write(store, dir_fd, name, text, strlen(text), out, err);
}

int staged_place(struct staged *staged, struct err *err)
{
	if (renameat(staged->store->tmp_fd, staged->temp, staged->dir_fd, staged->name) < 0)
		return err_sys(err, errno, "write %.100s", staged->name);
	staged->temp[0] = '\0';
	return 0;
}

void staged_drop(struct staged *staged)
{
	if (!staged->store)
		return;
	if (staged->temp[0])
		unlinkat(staged->store->tmp_fd, staged->temp, 0);
	if (staged->fd >= 0)
		close(staged->fd);
	*staged = (struct staged){ .fd = -1 };
}

int staged_put(struct store *store, int dir_fd, const char *name, const void *data, size_t len,
	       unsigned flags, struct err *err)
{
	bool sync = flags & STAGED_SYNC && !(store->flags & STORE_NO_SYNC);
	AUTO(staged) struct staged staged = { .fd = -1 };

	if (staged_write(store, dir_fd, name, data, len, &staged, err) < 0)
		return -1;
	if (sync && fsync(staged.fd) < 0)
		return err_sys(err, errno, "write %.100s", name);
	if (staged_place(&staged, err) < 0)
		return -1;
	return sync && fsync(dir_fd) < 0 ? err_sys(err, errno, "write %.100s", name) : 0;
}

int staged_put_json(struct store *store, int dir_fd, const char *name, struct json_object *value,
		    unsigned flags, struct err *err)
{
	const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

	return staged_put(store, dir_fd, name, text, strlen(text), flags, err);
}
