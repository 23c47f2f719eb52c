/* volumes/secret_store - the machine's own secrets, and digests under its key.
 *
 * Owns: STATE_ROOT/secrets and STATE_ROOT/key. May not touch: containers.
 */
#include "volumes/secret_store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha.h"
#include "volumes/volume.h"

#define SECRETS   "secrets"
#define KEY       "key"
#define KEY_BYTES 32

static int check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("_.-", name[i])))
			len = 0;
	if (len == 0 || len > 255)
		return err_set(
			err, ERR_INVALID,
			"secret name \"%.60s\" may hold letters, digits, and behind the first "
			"also _ . -",
			name);
	return 0;
}

static int open_folder(const struct volume_store *store, struct err *err)
{
	return file_open_dir(store->state_fd, SECRETS, true, err);
}

int secret_open(const struct volume_store *store, const char *name, struct err *err)
{
	AUTO(fd) int dir = -1;
	int fd;

	if (check_name(name, err) < 0)
		return -1;
	dir = open_folder(store, err);
	if (dir < 0)
		return -1;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND,
			       "secret %s is not in the local store; make it with: stack secret "
			       "create %s FILE",
			       name, name);
	return fd < 0 ? err_sys(err, errno, "secret %s", name) : fd;
}

int secret_create(const struct volume_store *store, const char *name, const void *value, size_t len,
		  struct err *err)
{
	AUTO(fd) int dir = -1;
	AUTO(fd) int lock = -1;

	if (check_name(name, err) < 0)
		return -1;
	if (len > SECRET_CONTENT_MAX)
		return err_set(err, ERR_INVALID, "secret %s is larger than %u bytes", name,
			       SECRET_CONTENT_MAX);
	dir = open_folder(store, err);
	if (dir < 0)
		return -1;
	lock = file_lock(dir, ".lock", true, err);
	if (lock < 0)
		return -1;
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ERR_EXISTS, "secret %s exists already", name);
	return file_write_atomic(dir, name, value, len, err);
}

int secret_remove(const struct volume_store *store, const char *name, struct err *err)
{
	AUTO(fd) int dir = -1;

	if (check_name(name, err) < 0)
		return -1;
	dir = open_folder(store, err);
	if (dir < 0)
		return -1;
	if (unlinkat(dir, name, 0) < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "secret %s is not in the local store", name);
	return 0;
}

int secret_names(const struct volume_store *store, char ***out_names, size_t *out_count,
		 struct err *err)
{
	return volume_names_in(store->state_fd, SECRETS, out_names, out_count, err);
}

static int read_key(const struct volume_store *store, unsigned char key[KEY_BYTES])
{
	AUTO(fd) int fd = openat(store->state_fd, KEY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && read(fd, key, KEY_BYTES) == KEY_BYTES ? 0 : -1;
}

/* The machine's key, made at its first use. */
static int get_key(const struct volume_store *store, unsigned char key[KEY_BYTES], struct err *err)
{
	AUTO(fd) int lock = -1;

	if (read_key(store, key) == 0)
		return 0;
	lock = file_lock(store->state_fd, ".key.lock", true, err);
	if (lock < 0)
		return -1;
	if (read_key(store, key) == 0)
		return 0;
	if (getrandom(key, KEY_BYTES, 0) != KEY_BYTES)
		return err_sys(err, errno, "random numbers");
	return file_write_atomic(store->state_fd, KEY, (const char *)key, KEY_BYTES, err);
}

static bool update_from(struct sha *mac, int fd)
{
	unsigned char buffer[16384];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		sha_update(mac, buffer, (size_t)n);
	explicit_bzero(buffer, sizeof(buffer));
	return n == 0;
}

static bool digest(const unsigned char *key, int fd, const struct secret_grant *grant,
		   unsigned char out[32])
{
	AUTO(sha) struct sha *mac = sha_hmac_begin(key, KEY_BYTES);
	bool is_well = true;

	if (fd >= 0)
		is_well = update_from(mac, fd);
	else if (grant->value_len)
		sha_update(mac, grant->value, grant->value_len);
	if (is_well)
		sha_hmac_end(mac, key, KEY_BYTES, out);
	return is_well;
}

int secret_digest(const struct volume_store *store, const struct secret_grant *grant, char out[65],
		  struct err *err)
{
	unsigned char key[KEY_BYTES], bytes[32];
	AUTO(fd) int fd = -1;
	bool is_well;

	if (secret_check(store, grant, err) < 0 || get_key(store, key, err) < 0)
		return -1;
	if (grant->kind == SECRET_EXTERNAL)
		fd = secret_open(store, grant->source, err);
	else if (grant->kind == SECRET_FILE)
		fd = open(grant->source, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && grant->kind != SECRET_VALUE)
		return err_sys(err, errno, "%s", grant->name);
	is_well = digest(key, fd, grant, bytes);
	explicit_bzero(key, sizeof(key));
	if (!is_well)
		return err_set(err, ERR_SYSTEM, "digest of %s", grant->name);
	sha_hex(bytes, sizeof(bytes), out);
	return 0;
}
