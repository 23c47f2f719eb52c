/* images/store - images on disk: the folder, its lock, its blobs.
 *
 * Owns: ROOT/images and its sub-folders, tmp/ and trash/. May not touch: records and names
 * (images/record), layers (images/layer), what blobs mean.
 */
#include "images/store.h"

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
#include "base/num.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "images/staged.h"

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct folder {
	const char *name;
	size_t field;
};

/* clang-format off */
static const struct folder folders[] = {
	{ "tmp",          offsetof(struct store, tmp_fd) },
	{ "layers",       offsetof(struct store, layers_fd) },
	{ "chains",       offsetof(struct store, chains_fd) },
	{ "partial",      offsetof(struct store, partial_fd) },
	{ "blobs/sha256", offsetof(struct store, blobs_fd) },
	{ "records",      offsetof(struct store, records_fd) },
	{ "names",        offsetof(struct store, names_fd) },
	{ "roots",        offsetof(struct store, roots_fd) },
	{ "leases",       offsetof(struct store, leases_fd) },
	{ "digests",      offsetof(struct store, digests_fd) },
	{ "trash",        offsetof(struct store, trash_fd) },
};
/* clang-format on */

#define FOLDER_COUNT (sizeof(folders) / sizeof(folders[0]))

static int *folder_fd(struct store *store, size_t i)
{
	return (int *)(void *)((char *)store + folders[i].field);
}

/* ---- locks, folders ---- */

int store_lock(struct store *store, bool exclusive, bool wait, struct err *err)
{
	AUTO(fd) int fd = openat(store->root_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "open lock of the image store");
	while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno == EWOULDBLOCK)
			return err_set(err, ERR_BUSY, "the image store is in use");
		return err_sys(err, errno, "lock the image store");
	}
	return TAKE_FD(fd);
}

char *store_key(const char *digest, char out[STORE_KEY_MAX])
{
	bool is_sha256 = strncmp(digest, "sha256:", 7) == 0;

	snprintf(out, STORE_KEY_MAX, "%s%.128s", is_sha256 ? "" : "sha512-", digest_hex(digest));
	return out;
}

bool store_key_digest(const char *key, char out[DIGEST_TEXT_MAX])
{
	if (strncmp(key, "sha512-", 7) == 0)
		snprintf(out, DIGEST_TEXT_MAX, "sha512:%.128s", key + 7);
	else
		snprintf(out, DIGEST_TEXT_MAX, "sha256:%.128s", key);
	return digest_is_valid(out);
}

int store_tmp_dir(struct store *store, char name[32], struct err *err)
{
	AUTO(fd) int lock = store_lock(store, false, true, err);
	AUTO(fd) int fd = -1;

	if (lock < 0)
		return -1;
	stamp_id(name, 16);
	if (mkdirat(store->tmp_fd, name, 0700) < 0)
		return err_sys(err, errno, "make temporary folder");
	fd = openat(store->tmp_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(err, errno, "lock temporary folder");
	return TAKE_FD(fd);
}

int store_trash_move(struct store *store, int dir_fd, const char *name, struct err *err)
{
	char to[32];

	stamp_id(to, 16);
	if (renameat(dir_fd, name, store->trash_fd, to) < 0 && errno != ENOENT)
		return err_sys(err, errno, "move %s to the trash", name);
	return 0;
}

int store_trash(struct store *store, int dir_fd, const char *name, struct err *err)
{
	if (store_trash_move(store, dir_fd, name, err) < 0)
		return -1;
	store_empty_trash(store);
	return 0;
}

int store_each(int dir_fd, int (*each)(void *ctx, const char *name, struct err *err), void *ctx,
	       struct err *err)
{
	AUTO(fd) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(err, errno, "read folder of the image store");
	TAKE_FD(fd);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && each(ctx, entry->d_name, err) < 0)
			return -1;
	return 0;
}

static int remove_entry(void *ctx, const char *name, struct err *err)
{
	struct err ignored = ERR_NONE; /* it stays for the next sweep */

	(void)err;
	tree_remove(*(int *)ctx, name, &ignored);
	return 0;
}

void store_empty_trash(struct store *store)
{
	struct err ignored = ERR_NONE;

	store_each(store->trash_fd, remove_entry, &store->trash_fd, &ignored);
}

/* A folder or file that nobody holds a flock on goes. */
static int sweep_entry(void *ctx, const char *name, struct err *err)
{
	int dir_fd = *(int *)ctx;
	AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		remove_entry(ctx, name, err);
	return 0;
}

void store_sweep(struct store *store)
{
	struct err ignored = ERR_NONE;

	store_each(store->tmp_fd, sweep_entry, &store->tmp_fd, &ignored);
	store_each(store->leases_fd, sweep_entry, &store->leases_fd, &ignored);
}

uint64_t store_disk_bytes(int dir_fd, const char *name)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	AUTO(dir) DIR *dir = NULL;
	uint64_t bytes = 0;
	struct dirent *entry;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		bytes = (uint64_t)st.st_blocks * 512 / (S_ISDIR(st.st_mode) ? 1 : st.st_nlink);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return bytes;
	TAKE_FD(fd);
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			bytes += store_disk_bytes(dirfd(dir), entry->d_name);
	return bytes;
}

/* ---- sync ---- */

int store_sync(struct store *store, struct err *err)
{
	if (store->flags & STORE_NO_SYNC)
		return 0;
	return syncfs(store->root_fd) < 0 ? err_sys(err, errno, "sync the image store") : 0;
}

/* ---- blobs ---- */

static int blob_name(const char *digest, char out[STORE_KEY_MAX], struct err *err)
{
	if (!digest_is_valid(digest))
		return err_set(err, ERR_INVALID, "\"%.80s\" is no digest", digest ? digest : "");
	store_key(digest, out);
	return 0;
}

int store_put_blob(struct lease *lease, const char *digest, const void *data, size_t len,
		   struct err *err)
{
	struct store *store = lease_store(lease);
	char key[STORE_KEY_MAX];

	if (blob_name(digest, key, err) < 0 || digest_check("blob", data, len, digest, err) < 0 ||
	    lease_add(lease, digest, err) < 0)
		return -1;
	if (faccessat(store->blobs_fd, key, F_OK, 0) == 0)
		return 0;
	return staged_put(store, store->blobs_fd, key, data, len, 0, err);
}

int store_open_blob(struct store *store, const char *digest, uint64_t *out_size, struct err *err)
{
	char key[STORE_KEY_MAX];
	AUTO(fd) int fd = -1;
	struct stat st;

	if (blob_name(digest, key, err) < 0)
		return -1;
	fd = openat(store->blobs_fd, key, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "blob %.19s", digest);
	if (out_size)
		*out_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}

int store_read_blob(struct store *store, const char *digest, size_t max_bytes, char **out_text,
		    size_t *out_len, struct err *err)
{
	AUTO(fd) int fd = store_open_blob(store, digest, NULL, err);
	AUTO(free) char *text = NULL;
	size_t len;

	if (fd < 0 || file_read_fd(fd, "blob", max_bytes, &text, &len, err) < 0)
		return -1;
	if (digest_check("stored blob", text, len, digest, err) < 0)
		return -1;
	*out_text = TAKE(text);
	if (out_len)
		*out_len = len;
	return 0;
}

/* ---- open and close ---- */

/* Of two processes that find no store one makes it. An empty file is what a power cut left of one
 * that had no image yet: the first commit syncs it with the rest. */
static int make_format(struct store *store, struct err *err)
{
	AUTO(fd) int lock = store_lock(store, true, true, err);
	static const char mine[] = "1\n";
	struct stat st;

	if (lock < 0)
		return -1;
	if (fstatat(store->root_fd, "format", &st, 0) == 0 && st.st_size > 0)
		return 0;
	return file_replace(store->root_fd, "format", mine, strlen(mine), err);
}

static int check_format(struct store *store, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len;
	uint64_t format;
	struct stat st;

	if ((fstatat(store->root_fd, "format", &st, 0) < 0 || st.st_size == 0) &&
	    make_format(store, err) < 0)
		return -1;
	if (file_read(store->root_fd, "format", 64, &text, &len, err) < 0)
		return -1;
	while (len && text[len - 1] == '\n')
		len--;
	if (num_parse_u64("format of the image store", text, len, 1, UINT32_MAX, &format, err) < 0)
		return -1;
	if (format > STORE_FORMAT)
		return err_set(err, ERR_UNSUPPORTED,
			       "the image store %s has format %llu, this version knows %u",
			       store->path, (unsigned long long)format, STORE_FORMAT);
	return 0;
}

static uint64_t max_layer(const struct store_options *options)
{
	const char *text = getenv("STACK_IMAGE_MAX_LAYER");
	struct err ignored = ERR_NONE;
	uint64_t bytes;

	if (options->max_layer_bytes)
		return options->max_layer_bytes;
	if (text && num_parse_u64("", text, strlen(text), 1, INT64_MAX, &bytes, &ignored) == 0)
		return bytes;
	return STORE_MAX_LAYER;
}

static int choose_backend(struct store *store, enum store_backend wanted, struct err *err)
{
	store->backend = STORE_DIR;
	if (wanted == STORE_DIR)
		return 0;
	if (erofs_probe(store)) {
		store->backend = STORE_EROFS;
		return 0;
	}
	if (wanted == STORE_EROFS)
		return err_set(
			err, ERR_UNSUPPORTED,
			"EROFS images over files do not work here (root and Linux 6.12 needed)");
	return 0;
}

struct store *store_open(const struct store_options *options, struct err *err)
{
	AUTO(store) struct store *store = xcalloc(1, sizeof(*store));
	struct err ignored = ERR_NONE;
	AUTO(fd) int lock = -1;

	store->root_fd = -1;
	for (size_t i = 0; i < FOLDER_COUNT; i++)
		*folder_fd(store, i) = -1;
	store->path = xformat("%s/images", options->root);
	store->runtime_path = xformat("%s/images", options->runtime_root);
	store->flags = options->flags;
	store->max_layer_bytes = max_layer(options);
	store->max_image_bytes =
		options->max_image_bytes ? options->max_image_bytes : STORE_MAX_IMAGE;
	store->min_free_bytes = options->min_free_bytes;
	stamp_boot_id(store->boot_id);
	store->root_fd = file_open_dir(AT_FDCWD, store->path, true, err);
	if (store->root_fd < 0 || check_format(store, err) < 0)
		return NULL;
	for (size_t i = 0; i < FOLDER_COUNT; i++) {
		*folder_fd(store, i) = file_open_dir(store->root_fd, folders[i].name, true, err);
		if (*folder_fd(store, i) < 0)
			return NULL;
	}
	if (choose_backend(store, options->backend, err) < 0)
		return NULL;
	lock = store_lock(store, true, false, &ignored);
	if (lock >= 0)
		store_sweep(store);
	store_empty_trash(store);
	return TAKE(store);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < FOLDER_COUNT; i++)
		if (*folder_fd(store, i) >= 0)
			close(*folder_fd(store, i));
	if (store->root_fd >= 0)
		close(store->root_fd);
	free(store->path);
	free(store->runtime_path);
	free(store);
}

enum store_backend store_backend(const struct store *store)
{
	return store->backend;
}

const char *store_path(const struct store *store)
{
	return store->path;
}

const char *store_runtime_path(const struct store *store)
{
	return store->runtime_path;
}
