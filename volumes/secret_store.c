/* volumes/secret_store - the machine's own secrets, and digests under its key.
 *
 * Owns: STATE_ROOT/secrets and STATE_ROOT/key. May not touch: containers.
 */
#include "volumes/secret_store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
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

static bool update_from(EVP_MAC_CTX *mac, int fd)
{
	unsigned char buffer[16384];
	ssize_t n;
	bool is_well = true;

	while (is_well && (n = read(fd, buffer, sizeof(buffer))) != 0)
		is_well = n > 0 && EVP_MAC_update(mac, buffer, (size_t)n) == 1;
	explicit_bzero(buffer, sizeof(buffer));
	return is_well;
}

static bool digest(const unsigned char *key, int fd, const struct secret_grant *grant,
		   unsigned char out[32])
{
	char name[] = "SHA256";
	const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", name, 0),
				      OSSL_PARAM_construct_end() };
	EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = algorithm ? EVP_MAC_CTX_new(algorithm) : NULL;
	size_t len = 0;
	bool is_well = mac && EVP_MAC_init(mac, key, KEY_BYTES, params) == 1;

	if (is_well && fd >= 0)
		is_well = update_from(mac, fd);
	else if (is_well && grant->value_len)
		is_well = EVP_MAC_update(mac, grant->value, grant->value_len) == 1;
	is_well = is_well && EVP_MAC_final(mac, out, &len, 32) == 1 && len == 32;
	EVP_MAC_CTX_free(mac);
	EVP_MAC_free(algorithm);
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
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}
