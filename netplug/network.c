/* netplug/network - networks/NAME.json: the records of networks.
 *
 * Owns: finding, comparing, keeping and removing them.
 * May not touch: links (netplug/link makes the bridge of a record), leases (netplug/lease), what a
 * new one gets (netplug/network_make). Blocks: disk, flock.
 */
#include "netplug/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/text.h"
#include "netplug/network_file.h"
#include "netplug/network_make.h"

#define WHY 240

/* ---- comparing */

static void tell_difference(char *why, const char *key, struct json_object *was,
			    struct json_object *is)
{
	const char *a = was ? json_object_to_json_string_ext(was, JSON_C_TO_STRING_PLAIN) : "none";
	const char *b = is ? json_object_to_json_string_ext(is, JSON_C_TO_STRING_PLAIN) : "none";

	if (why)
		snprintf(why, WHY, "%s: %.100s -> %.100s", key, a, b);
}

bool network_differs(const struct network_record *network, const struct network_spec *spec,
		     char *why)
{
	AUTO(json) struct json_object *wish = network_file_spec(spec);
	struct err ignored = ERR_NONE;
	AUTO(json)
	struct json_object *known =
		json_parse("definition", network->spec_text, strlen(network->spec_text), &ignored);

	if (why)
		*why = '\0';
	json_each(wish, key, value) {
		struct json_object *was = NULL;

		json_object_object_get_ex(known, key, &was);
		if (json_object_equal(was, value))
			continue;
		tell_difference(why, key, was, value);
		return true;
	}
	return false;
}

/* ---- reading */

int network_load(const struct netplug *np, struct arena *arena, const char *name,
		 struct network_record **out, struct err *err)
{
	struct err local = ERR_NONE;
	AUTO(fd) int dir = network_file_dir(np, &local);

	if (dir < 0 && local.code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "no network %s", name);
	if (dir < 0) {
		*err = local;
		return -1;
	}
	return network_file_read(dir, arena, name, out, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct network_record *const *)a)->name,
		      (*(struct network_record *const *)b)->name);
}

/* "shop_default.json" -> true and the name; temporary and hidden files are none. */
static bool record_name(const char *file, char *out, size_t size)
{
	size_t len = strlen(file);

	if (file[0] == '.' || len <= 5 || len - 5 >= size || !text_ends(file, ".json"))
		return false;
	memcpy(out, file, len - 5);
	out[len - 5] = '\0';
	return true;
}

static int list_folder(int dir_fd, struct arena *arena, const char *project,
		       struct network_record ***out, size_t *out_count, struct err *err)
{
	DIR *dir = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
	const struct dirent *entry;
	int result = 0;

	if (!dir)
		return err_set(err, ERR_SYSTEM, "networks: cannot be listed");
	rewinddir(dir);
	while (result == 0 && (entry = readdir(dir))) {
		struct network_record *network;
		struct err one = ERR_NONE;
		char name[256];

		if (!record_name(entry->d_name, name, sizeof(name)))
			continue;
		result = network_file_read(dir_fd, arena, name, &network, &one);
		if (result < 0 && one.code == ERR_NOT_FOUND) { /* its project has just gone */
			result = 0;
			continue;
		}
		if (result < 0)
			*err = one;
		if (result == 0 && (!project || strcmp(network->project, project) == 0))
			*(struct network_record **)arena_grow(arena, out, out_count,
							      sizeof(void *)) = network;
	}
	closedir(dir);
	return result;
}

int network_list(const struct netplug *np, struct arena *arena, const char *project,
		 struct network_record ***out, size_t *out_count, struct err *err)
{
	struct err local = ERR_NONE;
	AUTO(fd) int dir = network_file_dir(np, &local);

	*out = NULL;
	*out_count = 0;
	if (dir < 0 && local.code == ERR_NOT_FOUND)
		return 0;
	if (dir < 0) {
		*err = local;
		return -1;
	}
	if (list_folder(dir, arena, project, out, out_count, err) < 0)
		return -1;
	if (*out_count)
		qsort(*out, *out_count, sizeof(void *), by_name);
	return 0;
}

int network_ensure(const struct netplug *np, struct arena *arena, const struct network_spec *spec,
		   struct network_record **out, enum network_outcome *out_outcome, char *why,
		   struct err *err)
{
	AUTO(fd) int lock = -1;
	AUTO(fd) int dir = -1;
	struct err local = ERR_NONE;
	const char *project = spec->project ? spec->project : "";

	if (network_file_check_name(spec->name, err) < 0 ||
	    network_file_lock(np, &dir, &lock, err) < 0)
		return -1;
	if (network_file_read(dir, arena, spec->name, out, &local) == 0) {
		if (strcmp((*out)->project, project) != 0)
			return err_set(err, ERR_EXISTS,
				       "network %s is there already and belongs to %s%s; to use it "
				       "say external: true",
				       spec->name, *(*out)->project ? "project " : "no project",
				       (*out)->project);
		*out_outcome = network_differs(*out, spec, why) ? NETWORK_DIFFERS : NETWORK_FOUND;
		return 0;
	}
	if (local.code != ERR_NOT_FOUND) {
		*err = local;
		return -1;
	}
	if (network_make(np, arena, spec, out, err) < 0 ||
	    network_file_write(dir, *out, false, err) < 0)
		return err_wrap(err, "network %s", spec->name);
	crash_point("netplug", "network-recorded");
	*out_outcome = NETWORK_MADE;
	return 0;
}

int network_sync(const struct netplug *np, const char *name, struct err *err)
{
	AUTO(fd) int dir = network_file_dir(np, err);
	AUTO(fd) int fd = -1;
	char file[256];

	snprintf(file, sizeof(file), "%s.json", name);
	if (dir < 0)
		return -1;
	fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0 || fsync(dir) < 0)
		return err_sys(err, errno, "write network %s to disk", name);
	return 0;
}

int network_remove(const struct netplug *np, const char *name, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(fd) int lock = -1;
	AUTO(fd) int dir = -1;
	struct network_record *network;
	struct err local = ERR_NONE;
	char file[256];

	if (network_file_check_name(name, err) < 0 || network_file_lock(np, &dir, &lock, err) < 0)
		return -1;
	if (network_file_read(dir, arena, name, &network, &local) < 0) {
		if (local.code == ERR_NOT_FOUND)
			return 0;
		*err = local;
		return -1;
	}
	if (network->lease_count)
		return err_set(err, ERR_BUSY, "network %s is in use by %s%s", name,
			       network->leases[0].slot,
			       network->lease_count > 1 ? " and others" : "");
	snprintf(file, sizeof(file), "%s.json", name);
	if (unlinkat(dir, file, 0) < 0)
		return err_sys(err, errno, "remove network %s", name);
	return 0;
}
