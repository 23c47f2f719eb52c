/* images/credentials - what docker's and podman's files and helpers know about a registry.
 *
 * Owns: the order of the files, the forms of their keys. Runs helpers through credential_helper.
 * May not touch: the network; other keys of those files are kept as they are.
 */
#include "images/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "images/auth.h"
#include "images/credential_helper.h"
#include "images/ref.h"

#define FILE_MAX_BYTES (1u << 20)
#define FILES_MAX      4
#define DOCKER_KEY     "https://index.docker.io/v1/" /* docker.io's name in all such files */

void credential_clear(struct credential *credential)
{
	auth_forget(credential->user);
	auth_forget(credential->secret);
	auth_forget(credential->identity_token);
	auth_forget(credential->registry_token);
	memset(credential, 0, sizeof(*credential));
}

bool credential_is_empty(const struct credential *credential)
{
	return !credential->user && !credential->identity_token && !credential->registry_token;
}

/* ---- which files ---- */

static const char *set_variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static char *docker_file(void)
{
	const char *dir = set_variable("DOCKER_CONFIG"), *home = set_variable("HOME");

	if (dir)
		return xformat("%s/config.json", dir);
	return xformat("%s/.docker/config.json", home ? home : geteuid() == 0 ? "/root" : "");
}

static size_t list_files(char *files[FILES_MAX])
{
	const char *first = set_variable("REGISTRY_AUTH_FILE"), *home = set_variable("HOME");
	const char *run = set_variable("XDG_RUNTIME_DIR");
	size_t count = 0;

	if (first)
		files[count++] = xstrdup(first);
	files[count++] = docker_file();
	if (run)
		files[count++] = xformat("%s/containers/auth.json", run);
	else if (geteuid() == 0)
		files[count++] = xstrdup("/run/containers/0/auth.json");
	if (home)
		files[count++] = xformat("%s/.config/containers/auth.json", home);
	return count;
}

/* NULL and ERR_OK: not there. */
static struct json_object *read_auth_file(const char *path, struct err *err)
{
	struct json_object *root = json_read_file(AT_FDCWD, path, FILE_MAX_BYTES, err);

	if (!root && (err->code == ERR_NOT_FOUND || err->code == ERR_DENIED))
		*err = ERR_NONE;
	if (root && !json_object_is_type(root, json_type_object)) {
		json_object_put(root);
		err_set(err, ERR_INVALID, "%s: must be a JSON object", path);
		return NULL;
	}
	return root;
}

/* ---- keys ---- */

/* "https://host/v1/" and "host" to host; docker.io's historic key to docker.io. The rest behind the
 * host (podman's namespaces) goes to *out_path. */
static struct slice host_of_key(const char *key, struct slice *out_path)
{
	const char *scheme = strstr(key, "://");
	struct slice text = SLICE(scheme ? scheme + 3 : key), host;

	slice_split(text, '/', &host, out_path);
	if (scheme) /* what docker writes behind a scheme is no namespace */
		*out_path = (struct slice){ "", 0 };
	if (slice_is(host, "index.docker.io"))
		host = SLICE("docker.io");
	return host;
}

/* How well a key serves: 0 not at all, 1 the host, more the longer its namespace. */
static size_t key_score(const char *key, const char *domain, const char *path)
{
	struct slice rest, host = host_of_key(key, &rest);

	if (host.len != strlen(domain) || strncasecmp(host.at, domain, host.len) != 0)
		return 0;
	if (rest.len == 0)
		return 1;
	if (!path || strlen(path) < rest.len || memcmp(path, rest.at, rest.len) != 0 ||
	    (path[rest.len] && path[rest.len] != '/'))
		return 0;
	return 1 + rest.len;
}

static const char *best_key(struct json_object *from, const char *domain, const char *path)
{
	const char *best = NULL;
	size_t best_score = 0;

	if (!from)
		return NULL;
	json_each(from, key, value) {
		size_t score = key_score(key, domain, path);

		(void)value;
		if (score > best_score) {
			best = key;
			best_score = score;
		}
	}
	return best;
}

/* What a helper knows the registry by. */
static const char *helper_key(const char *domain)
{
	return strcmp(domain, "docker.io") == 0 ? DOCKER_KEY : domain;
}

/* The helper for a domain: credHelpers, then credsStore. Borrowed from root. */
static const char *helper_of(struct json_object *root, const char *domain)
{
	struct json_object *helpers = json_object_at(root, "credHelpers");
	const char *key = best_key(helpers, domain, NULL);
	const char *name = key ? json_text_or(helpers, key, NULL) : NULL;

	if (!name || !*name)
		name = json_text_or(root, "credsStore", NULL);
	return name && *name ? name : NULL;
}

/* ---- auths ---- */

static int decode_pair(const char *text, struct credential *out)
{
	size_t len = strlen(text);
	AUTO(secret) char *pair = xcalloc(len + 4, 1);
	char *colon;

	if (len == 0 || base64_decode(text, len, pair) < 0)
		return -1;
	colon = strchr(pair, ':');
	if (!colon)
		return -1;
	out->user = xstrndup(pair, (size_t)(colon - pair));
	out->secret = xstrdup(colon + 1);
	return 0;
}

static int take_auth(struct json_object *entry, struct credential *out)
{
	const char *pair = json_text_or(entry, "auth", "");
	const char *identity = json_text_or(entry, "identitytoken", "");
	const char *registry = json_text_or(entry, "registrytoken", "");

	if (*pair && decode_pair(pair, out) < 0)
		return -1;
	if (*identity)
		out->identity_token = xstrdup(identity);
	if (*registry)
		out->registry_token = xstrdup(registry);
	return 0;
}

static int find_in_file(const char *file, const char *domain, const char *path,
			struct credential *out, struct err *err)
{
	AUTO(json) struct json_object *root = read_auth_file(file, err);
	struct json_object *auths = json_object_at(root, "auths");
	const char *helper, *key;

	if (!root)
		return err->code ? -1 : 0;
	helper = helper_of(root, domain);
	if (helper && (credential_helper_get(helper, helper_key(domain), out, err) < 0 ||
		       !credential_is_empty(out)))
		return err->code ? -1 : 0;
	key = best_key(auths, domain, path);
	if (key && take_auth(json_object_at(auths, key), out) < 0)
		return err_set(err, ERR_INVALID, "%s: auths: %.60s: is not base64 of user:secret",
			       file, key);
	return 0;
}

int credentials_find(const char *domain, const char *path, struct credential *out,
		     void (*warn)(void *ctx, const char *line), void *ctx, struct err *err)
{
	char *files[FILES_MAX];
	size_t count = list_files(files);
	int result = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < count; i++) {
		struct err broken = ERR_NONE;

		if (result == 0 && credential_is_empty(out) &&
		    find_in_file(files[i], domain, path, out, &broken) < 0) {
			if (broken.code != ERR_INVALID) {
				*err = broken;
				result = -1;
			} else if (warn) {
				warn(ctx, broken.msg);
			}
		}
		free(files[i]);
	}
	return result;
}

bool credentials_have_helpers(void)
{
	char *files[FILES_MAX];
	size_t count = list_files(files);
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		struct err ignored = ERR_NONE;
		AUTO(json) struct json_object *root = read_auth_file(files[i], &ignored);

		found = found || *json_text_or(root, "credsStore", "") ||
			json_object_at(root, "credHelpers");
		free(files[i]);
	}
	return found;
}

/* ---- keeping ---- */

/* Opens the folder of a path, made when absent; *out_name borrowed from path. */
static int open_folder_of(const char *path, const char **out_name, struct err *err)
{
	const char *slash = strrchr(path, '/');
	AUTO(free) char *dir = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup(".");

	*out_name = slash ? slash + 1 : path;
	return file_open_dir(AT_FDCWD, *dir ? dir : "/", true, err);
}

static int write_auth_file(const char *path, struct json_object *root, struct err *err)
{
	const char *name;
	AUTO(fd) int dir_fd = open_folder_of(path, &name, err);

	if (dir_fd < 0)
		return -1;
	return json_write_file(dir_fd, name, root, JSON_SYNC | JSON_PRETTY, err);
}

static char *encode_pair(const char *user, const char *secret)
{
	char *header = auth_basic_header(user, secret);
	char *pair = xstrdup(header + strlen("Authorization: Basic "));

	auth_forget(header);
	return pair;
}

static char *target_file(void)
{
	const char *first = set_variable("REGISTRY_AUTH_FILE");

	return first ? xstrdup(first) : docker_file();
}

static int store_in_file(const char *file, struct json_object *root, const char *domain,
			 const char *user, const char *secret, struct err *err)
{
	struct json_object *auths = json_object_at(root, "auths"), *entry;
	AUTO(secret) char *pair = encode_pair(user, secret);
	struct err err_write = ERR_NONE;

	if (!auths)
		auths = json_add_object(root, "auths");
	entry = json_object_new_object();
	json_add_text(entry, "auth", pair);
	json_object_object_add(auths, helper_key(domain), entry);
	if (write_auth_file(file, root, &err_write) < 0) {
		*err = err_write;
		return err_wrap(err, "keep the login in %s", file);
	}
	return 0;
}

int credentials_store(const char *domain, const char *user, const char *secret, char **out_where,
		      struct err *err)
{
	AUTO(free) char *file = target_file();
	AUTO(json) struct json_object *root = read_auth_file(file, err);
	const char *helper = helper_of(root, domain);

	*out_where = NULL;
	if (err->code)
		return -1;
	if (helper) {
		if (credential_helper_store(helper, helper_key(domain), user, secret, err) < 0)
			return -1;
		*out_where = xformat("docker-credential-%s", helper);
		return 0;
	}
	if (!root)
		root = json_object_new_object();
	if (store_in_file(file, root, domain, user, secret, err) < 0)
		return -1;
	*out_where = TAKE(file);
	return 0;
}

int credentials_erase(const char *domain, bool *out_had, struct err *err)
{
	AUTO(free) char *file = target_file();
	AUTO(json) struct json_object *root = read_auth_file(file, err);
	struct json_object *auths = json_object_at(root, "auths");
	const char *helper = helper_of(root, domain), *key;
	bool was_in_file = false;

	*out_had = false;
	if (err->code ||
	    (helper && credential_helper_erase(helper, helper_key(domain), out_had, err) < 0))
		return -1;
	while ((key = best_key(auths, domain, NULL))) {
		json_object_object_del(auths, key);
		was_in_file = true;
	}
	*out_had |= was_in_file;
	return was_in_file ? write_auth_file(file, root, err) : 0;
}
