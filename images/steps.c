/* images/steps - the build cache: which layer a step made, by the step's key.
 *
 * Owns: ROOT/build: records, notes, locks. May not touch: layers, but to ask whether they are
 * there; what a key means. Cache folders are steps_cache's, the end of records steps_prune's.
 */
#include "images/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/steps_inner.h"

#define NOTE_MAX    4096u
#define LOCK_DIGITS 3 /* of the key: 4096 locks at most, which stay */

bool steps_key_is_valid(const char *key)
{
	return strlen(key) == STEPS_KEY_LEN && strspn(key, "0123456789abcdef") == STEPS_KEY_LEN;
}

static int check_key(const char *key, struct err *err)
{
	return steps_key_is_valid(key) ? 0 : err_set(err, ERR_INTERNAL, "\"%.80s\" is no key", key);
}

int steps_open(struct store *store, const char *name, struct err *err)
{
	AUTO(free) char *path = xformat("../" STEPS_FOLDER "/%s", name);
	int fd = openat(store->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (mkdirat(store->root_fd, "../" STEPS_FOLDER, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make the build cache");
	return file_open_dir(store->root_fd, path, true, err);
}

int steps_lock(struct store *store, const char *key, bool wait, struct err *err)
{
	AUTO(fd) int dir = -1;
	char name[LOCK_DIGITS + 1];

	if (check_key(key, err) < 0)
		return -1;
	dir = steps_open(store, STEPS_LOCKS, err);
	snprintf(name, sizeof(name), "%.*s", LOCK_DIGITS, key);
	return dir < 0 ? -1 : file_lock(dir, name, wait, err);
}

/* ---- records ---- */

static void record_name(const char *key, char out[STEPS_NAME_MAX])
{
	snprintf(out, STEPS_NAME_MAX, "%.*s" STEPS_SUFFIX, (int)STEPS_KEY_LEN, key);
}

int steps_read(int dir_fd, const char *name, struct step *out, struct err *err)
{
	AUTO(json) struct json_object *json = json_read_file(dir_fd, name, STEPS_RECORD_MAX, err);
	struct stat st;
	const char *diff_id;

	memset(out, 0, sizeof(*out));
	if (!json || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err->code ? -1 : err_sys(err, errno, "read step record");
	diff_id = json_text_or(json, "diff_id", "");
	if (json_int_or(json, "version", 0) != STEPS_VERSION ||
	    (*diff_id && !digest_is_valid(diff_id)))
		return err_set(err, ERR_INVALID, "step record of another form");
	snprintf(out->diff_id, sizeof(out->diff_id), "%s", diff_id);
	out->created_unix_ns = (uint64_t)json_int_or(json, "created", 0);
	out->tar_bytes = (uint64_t)json_int_or(json, "tar_bytes", 0);
	out->used_unix_ns =
		(uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return 0;
}

/* The layer first joins the lease, and is then looked for: between the two gc cannot take it. */
static int hold_layer(struct lease *lease, const struct step *step, struct err *err)
{
	if (!*step->diff_id)
		return 1;
	if (lease_add(lease, step->diff_id, err) < 0)
		return -1;
	return store_has_layer(lease_store(lease), step->diff_id);
}

int steps_find(struct lease *lease, const char *key, struct step *out, struct err *err)
{
	AUTO(fd) int dir = -1;
	char name[STEPS_NAME_MAX];
	struct err ignored = ERR_NONE;
	int rc;

	if (check_key(key, err) < 0)
		return -1;
	record_name(key, name);
	dir = steps_open(lease_store(lease), STEPS_RECORDS, err);
	if (dir < 0)
		return -1;
	if (faccessat(dir, name, F_OK, 0) < 0 || steps_read(dir, name, out, &ignored) < 0)
		return 0;
	rc = hold_layer(lease, out, err);
	if (rc == 1)
		utimensat(dir, name, NULL, 0); /* used now */
	return rc;
}

int steps_save(struct lease *lease, const char *key, const struct step *step, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	AUTO(fd) int dir = -1;
	char name[STEPS_NAME_MAX];
	int rc;

	if (check_key(key, err) < 0)
		return -1;
	rc = hold_layer(lease, step, err);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "layer %.19s of a step is not there",
			       step->diff_id);
	record_name(key, name);
	dir = steps_open(lease_store(lease), STEPS_RECORDS, err);
	json_add_int(json, "version", STEPS_VERSION);
	json_add_text(json, "diff_id", *step->diff_id ? step->diff_id : NULL);
	json_add_int(json, "created", (int64_t)step->created_unix_ns);
	json_add_int(json, "tar_bytes", (int64_t)step->tar_bytes);
	if (dir < 0 || json_write_file(dir, name, json, 0, err) < 0)
		return -1;
	crash_point("build", "record");
	return 0;
}

/* ---- notes ---- */

int steps_note_find(struct store *store, const char *key, char *out, size_t room, struct err *err)
{
	AUTO(fd) int dir = -1;
	AUTO(fd) int fd = -1;
	AUTO(free) char *text = NULL;
	size_t len;

	if (check_key(key, err) < 0)
		return -1;
	dir = steps_open(store, STEPS_NOTES, err);
	if (dir < 0)
		return -1;
	fd = openat(dir, key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read a note of the build cache");
	if (file_read_fd(fd, "note", NOTE_MAX, &text, &len, err) < 0)
		return -1;
	if (len == 0 || len >= room)
		return 0;
	memcpy(out, text, len + 1);
	futimens(fd, NULL);
	return 1;
}

int steps_note_save(struct store *store, const char *key, const char *text, struct err *err)
{
	AUTO(fd) int dir = -1;

	if (check_key(key, err) < 0)
		return -1;
	dir = steps_open(store, STEPS_NOTES, err);
	return dir < 0 ? -1 : file_replace(dir, key, text, strlen(text), err);
}
