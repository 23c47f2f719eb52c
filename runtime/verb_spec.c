/* runtime/verb_spec - spec: an example config.json.
 *
 * Owns: the example. May not touch: a file that exists.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/features.h"
#include "runtime/verbs.h"

static void push_all(struct json_object *array, const char *const *texts)
{
	for (; *texts; texts++)
		json_push_text(array, *texts);
}

static void add_list(struct json_object *parent, const char *key, const char *const *texts)
{
	push_all(json_add_array(parent, key), texts);
}

static void add_process(struct json_object *json)
{
	static const char *const caps[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE",
					    NULL };
	static const char *const sets[] = { "bounding", "effective", "permitted", NULL };
	struct json_object *process = json_add_object(json, "process"), *part;

	json_add_bool(process, "terminal", true);
	part = json_add_object(process, "user");
	json_add_int(part, "uid", 0);
	json_add_int(part, "gid", 0);
	add_list(process, "args", (const char *const[]){ "sh", NULL });
	add_list(process, "env",
		 (const char *const[]){
			 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			 "TERM=xterm", NULL });
	json_add_text(process, "cwd", "/");
	part = json_add_object(process, "capabilities");
	for (size_t i = 0; sets[i]; i++)
		add_list(part, sets[i], caps);
	part = json_object_new_object();
	json_add_text(part, "type", "RLIMIT_NOFILE");
	json_add_int(part, "hard", 1024);
	json_add_int(part, "soft", 1024);
	json_object_array_add(json_add_array(process, "rlimits"), part);
	json_add_bool(process, "noNewPrivileges", true);
}

/* clang-format off */
static const struct mount_row {
	const char *destination, *type, *source;
	const char *options[8];
} mounts[] = {
	{ "/proc", "proc", "proc", { "nosuid", "noexec", "nodev" } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
	{ "/dev/pts", "devpts", "devpts", { "nosuid", "noexec", "newinstance", "ptmxmode=0666",
	  "mode=0620", "gid=5" } },
	{ "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" }},
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" } },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" } },
};
/* clang-format on */

static void add_mounts(struct json_object *json, bool rootless)
{
	struct json_object *array = json_add_array(json, "mounts");

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		struct json_object *row = json_object_new_object(), *options;

		json_add_text(row, "destination", mounts[i].destination);
		if (rootless && strcmp(mounts[i].type, "sysfs") == 0) {
			json_add_text(row, "type", "none");
			json_add_text(row, "source", "/sys");
			options = json_add_array(row, "options");
			json_push_text(options, "rbind");
		} else {
			json_add_text(row, "type", mounts[i].type);
			json_add_text(row, "source", mounts[i].source);
			options = json_add_array(row, "options");
		}
		for (size_t j = 0; j < 8 && mounts[i].options[j]; j++)
			if (!rootless || strcmp(mounts[i].options[j], "gid=5") != 0)
				json_push_text(options, mounts[i].options[j]);
		json_object_array_add(array, row);
	}
}

static void add_map(struct json_object *section, const char *key, unsigned host)
{
	struct json_object *row = json_object_new_object();

	json_add_int(row, "containerID", 0);
	json_add_int(row, "hostID", host);
	json_add_int(row, "size", 1);
	json_object_array_add(json_add_array(section, key), row);
}

static void add_linux(struct json_object *json, bool rootless)
{
	static const char *const masked[] = { "/proc/acpi",
					      "/proc/asound",
					      "/proc/kcore",
					      "/proc/keys",
					      "/proc/latency_stats",
					      "/proc/timer_list",
					      "/proc/timer_stats",
					      "/proc/sched_debug",
					      "/sys/firmware",
					      "/proc/scsi",
					      NULL };
	static const char *const readonly[] = { "/proc/bus",           "/proc/fs",
						"/proc/irq",           "/proc/sys",
						"/proc/sysrq-trigger", NULL };
	static const char *const namespaces[] = {
		"pid", "network", "ipc", "uts", "mount", "cgroup"
	};
	struct json_object *section = json_add_object(json, "linux"), *row, *array;
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;

	if (rootless) {
		add_map(section, "uidMappings", geteuid());
		add_map(section, "gidMappings", getegid());
	} else {
		row = json_object_new_object();
		json_add_bool(row, "allow", false);
		json_add_text(row, "access", "rwm");
		json_object_array_add(
			json_add_array(json_add_object(section, "resources"), "devices"), row);
	}
	array = json_add_array(section, "namespaces");
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if ((rootless && strcmp(namespaces[i], "network") == 0) ||
		    (!v2 && strcmp(namespaces[i], "cgroup") == 0))
			continue;
		row = json_object_new_object();
		json_add_text(row, "type", namespaces[i]);
		json_object_array_add(array, row);
	}
	if (rootless) {
		row = json_object_new_object();
		json_add_text(row, "type", "user");
		json_object_array_add(array, row);
	}
	add_list(section, "maskedPaths", masked);
	add_list(section, "readonlyPaths", readonly);
}

int verb_spec(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	      struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	AUTO(fd)
	int dir_fd = open(flags->bundle ? flags->bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int fd = -1;
	struct json_object *root;
	const char *text;

	(void)runtime;
	(void)args;
	(void)count;
	if (dir_fd < 0)
		return err_sys(err, errno, "bundle %s", flags->bundle);
	json_add_text(json, "ociVersion", OCI_VERSION);
	add_process(json);
	root = json_add_object(json, "root");
	json_add_text(root, "path", "rootfs");
	json_add_bool(root, "readonly", true);
	json_add_text(json, "hostname", "container");
	add_mounts(json, flags->rootless);
	add_linux(json, flags->rootless);
	fd = openat(dir_fd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno == EEXIST ? err_set(err, ERR_EXISTS,
						 "File config.json exists. Remove it first")
				       : err_sys(err, errno, "config.json");
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	return file_write_all(fd, text, strlen(text)) < 0 ? err_sys(err, errno, "config.json") : 0;
}
