/* runtime/monitor_spec - what a monitor is told: monitor.json as a struct.
 *
 * Owns: names and defaults of the keys. May not touch: files other than the descriptor handed in.
 */
#include "runtime/monitor_spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#define WHAT             "monitor.json"
#define DEFAULT_MAX_SIZE 10000000
#define DEFAULT_MAX_FILE 3
#define MAX_FILES        1000
#define DEFAULT_BUFFER   (1 << 20)
#define MAX_BUFFER       (1 << 30)

static const char *const socket_names[] = {
	[MONITOR_SOCKET_ROUTE] = "route",
	[MONITOR_SOCKET_NETFILTER] = "netfilter",
	[MONITOR_SOCKET_DNS] = "dns",
	[MONITOR_SOCKET_DNS_TCP] = "dns-tcp",
};
_Static_assert(sizeof(socket_names) / sizeof(socket_names[0]) == MONITOR_SOCKET_COUNT,
	       "a socket has no name");

static const char *const driver_names[] = {
	[LOG_DRIVER_JSON_FILE] = "json-file",
	[LOG_DRIVER_LOCAL] = "local",
	[LOG_DRIVER_NONE] = "none",
	[LOG_DRIVER_JOURNALD] = "journald",
};

static int name_index(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

int monitor_socket_from_name(const char *name)
{
	return name_index(socket_names, MONITOR_SOCKET_COUNT, name);
}

/* A copy of a path member that must be absolute; absent: NULL. */
static int read_path(const struct json_object *object, const char *key, char **out, struct err *err)
{
	const char *text = json_text_or(object, key, NULL);

	if (text && text[0] != '/')
		return err_set(err, ERR_INVALID, WHAT ": %s: must be an absolute path", key);
	*out = xstrdup(text);
	return 0;
}

static int need_path(const struct json_object *object, const char *key, char **out, struct err *err)
{
	if (read_path(object, key, out, err) < 0)
		return -1;
	return *out ? 0 : err_set(err, ERR_INVALID, WHAT ": %s: is missing", key);
}

static int read_number(const struct json_object *object, const char *key, int64_t fallback,
		       int64_t min, int64_t max, int64_t *out, struct err *err)
{
	*out = json_int_or(object, key, fallback);
	if (*out < min || *out > max)
		return err_set(err, ERR_INVALID, WHAT ": log.%s: must be %lld to %lld", key,
			       (long long)min, (long long)max);
	return 0;
}

static int read_log(const struct json_object *object, struct log_spec *log, struct err *err)
{
	const char *driver = json_text_or(object, "driver", "json-file");
	const char *mode = json_text_or(object, "mode", "blocking");
	struct json_object *attrs = json_object_at(object, "attrs");
	int64_t size, files, buffer;
	int found =
		name_index(driver_names, sizeof(driver_names) / sizeof(driver_names[0]), driver);

	if (found < 0)
		return err_set(err, ERR_UNSUPPORTED, WHAT ": log.driver: \"%s\" is unknown",
			       driver);
	log->driver = (enum log_driver)found;
	log->non_blocking = strcmp(mode, "non-blocking") == 0;
	if (!log->non_blocking && strcmp(mode, "blocking") != 0)
		return err_set(err, ERR_INVALID,
			       WHAT ": log.mode: must be blocking or non-blocking");
	if (read_number(object, "max_size", DEFAULT_MAX_SIZE, -1, INT64_MAX, &size, err) < 0 ||
	    read_number(object, "max_file", DEFAULT_MAX_FILE, 1, MAX_FILES, &files, err) < 0 ||
	    read_number(object, "max_buffer", DEFAULT_BUFFER, 0, MAX_BUFFER, &buffer, err) < 0)
		return -1;
	log->max_size_bytes = size < 0 ? 0 : (uint64_t)size;
	log->max_file_count = (unsigned)files;
	log->max_buffer_bytes = (uint64_t)buffer;
	log->compress = json_bool_or(object, "compress", true);
	log->tag = xstrdup(json_text_or(object, "tag", NULL));
	log->image = xstrdup(json_text_or(object, "image", NULL));
	if (attrs && json_object_object_length(attrs) > 0)
		log->attrs_json = xstrdup(json_object_to_json_string_ext(
			attrs, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

static int read_rootfs(const struct json_object *object, struct monitor_spec *spec, struct err *err)
{
	struct json_object *lowers = json_array_at(object, "lowers");
	size_t count = json_array_count(lowers);

	if (!object)
		return 0;
	if (count == 0)
		return err_set(err, ERR_INVALID, WHAT ": rootfs.lowers: is missing or empty");
	spec->lowers = xcalloc(count, sizeof(*spec->lowers));
	for (size_t i = 0; i < count; i++) {
		struct json_object *lower = json_object_array_get_idx(lowers, i);
		const char *path = json_object_is_type(lower, json_type_string)
					   ? json_object_get_string(lower)
					   : "";

		if (path[0] != '/')
			return err_set(err, ERR_INVALID,
				       WHAT ": rootfs.lowers[%zu]: must be an absolute path", i);
		spec->lowers[spec->lower_count++] = xstrdup(path);
	}
	spec->rootfs_readonly = json_bool_or(object, "readonly", false);
	spec->rootfs_volatile = json_bool_or(object, "volatile", false);
	if (read_path(object, "upper", &spec->upper, err) < 0 ||
	    read_path(object, "work", &spec->work, err) < 0)
		return -1;
	if (!spec->upper != !spec->work)
		return err_set(err, ERR_INVALID, WHAT ": rootfs: upper and work go together");
	return 0;
}

static int read_sockets(const struct json_object *object, struct monitor_spec *spec,
			struct err *err)
{
	struct json_object *list = json_array_at(object, "sockets");
	size_t count = json_array_count(list);

	if (count > MONITOR_SOCKET_COUNT)
		return err_set(err, ERR_INVALID, WHAT ": sockets: too many");
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		int kind = json_object_is_type(item, json_type_string)
				   ? monitor_socket_from_name(json_object_get_string(item))
				   : -1;

		if (kind < 0)
			return err_set(err, ERR_UNSUPPORTED, WHAT ": sockets[%zu]: is unknown", i);
		spec->sockets[spec->socket_count++] = (enum monitor_socket)kind;
	}
	if (count && !spec->netns_path)
		return err_set(err, ERR_INVALID, WHAT ": sockets: need netns");
	return 0;
}

/* run_dir is ROOT/ID: the runtime is told the two parts. */
static int check_run_dir(const struct monitor_spec *spec, struct err *err)
{
	const char *last = strrchr(spec->run_dir, '/');

	if (strcmp(last + 1, spec->id) != 0 || last == spec->run_dir)
		return err_set(err, ERR_INVALID, WHAT ": run_dir: must end in /%s", spec->id);
	return 0;
}

static int read_all(const struct json_object *object, struct monitor_spec *spec, struct err *err)
{
	const struct json_object *netns = json_object_at(object, "netns");
	int64_t version;
	const char *id;

	if (json_need_int(object, WHAT, "version", &version, err) < 0)
		return -1;
	if (version > MONITOR_SPEC_VERSION || version < 1)
		return err_set(err, ERR_UNSUPPORTED,
			       WHAT ": version %lld: this program understands version %d",
			       (long long)version, MONITOR_SPEC_VERSION);
	if (json_need_text(object, WHAT, "id", &id, err) < 0)
		return -1;
	spec->id = xstrdup(id);
	spec->name = xstrdup(json_text_or(object, "name", NULL));
	spec->project = xstrdup(json_text_or(object, "project", NULL));
	spec->service = xstrdup(json_text_or(object, "service", NULL));
	spec->life = json_int_or(object, "life", 1);
	spec->stdin_open = json_bool_or(object, "stdin_open", false);
	spec->cgroup_oom = json_bool_or(object, "cgroup_oom", true);
	if (need_path(object, "run_dir", &spec->run_dir, err) < 0 ||
	    need_path(object, "container_dir", &spec->container_dir, err) < 0 ||
	    read_path(object, "slot_dir", &spec->slot_dir, err) < 0 ||
	    read_path(object, "bundle", &spec->bundle, err) < 0 ||
	    read_path(object, "runtime", &spec->runtime, err) < 0 || check_run_dir(spec, err) < 0)
		return -1;
	if (!spec->bundle)
		spec->bundle = xformat("%s/bundle", spec->container_dir);
	if (netns && need_path(netns, "path", &spec->netns_path, err) < 0)
		return err_wrap(err, "netns");
	spec->netns_make = json_bool_or(netns, "make", false);
	if (read_rootfs(json_object_at(object, "rootfs"), spec, err) < 0 ||
	    read_sockets(object, spec, err) < 0)
		return -1;
	return read_log(json_object_at(object, "log"), &spec->log, err);
}

struct monitor_spec *monitor_spec_parse(const char *text, size_t len, struct err *err)
{
	AUTO(json) struct json_object *object = json_parse(WHAT, text, len, err);
	AUTO(monitor_spec) struct monitor_spec *spec = xcalloc(1, sizeof(*spec));

	if (!object || read_all(object, spec, err) < 0)
		return NULL;
	return TAKE(spec);
}

struct monitor_spec *monitor_spec_read(int fd, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len;

	if (file_read_fd(fd, WHAT, MONITOR_SPEC_MAX_BYTES, &text, &len, err) < 0)
		return NULL;
	return monitor_spec_parse(text, len, err);
}

void monitor_spec_free(struct monitor_spec *spec)
{
	char *const texts[] = { spec->id,
				spec->name,
				spec->project,
				spec->service,
				spec->run_dir,
				spec->slot_dir,
				spec->bundle,
				spec->container_dir,
				spec->upper,
				spec->work,
				spec->runtime,
				spec->netns_path,
				spec->log.attrs_json,
				spec->log.tag,
				spec->log.image };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	for (size_t i = 0; i < spec->lower_count; i++)
		free(spec->lowers[i]);
	free(spec->lowers);
	free(spec);
}
