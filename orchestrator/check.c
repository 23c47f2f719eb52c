/* orchestrator/check - can this machine do it, and do records and kernel agree.
 *
 * Owns: the list of what is needed, the look for what no record knows. May not touch: what a record
 * knows.
 */
#include "orchestrator/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "images/maintain.h"
#include "netplug/leftovers.h"
#include "netplug/naming.h"
#include "orchestrator/build_work.h"

#define KERNEL_MIN     512 /* 5.12: mount_setattr */
#define FREE_MIN_BYTES (1ull << 30)
#define PATH_BYTES     4600

struct checker {
	const struct roots *roots;
	check_found found;
	void *ctx;
	bool fix;
	size_t left;
	char text[256];
};

static void tell(struct checker *c, enum check_result result, const char *line)
{
	c->left += result == CHECK_WRONG;
	c->found(c->ctx, result, line);
}

/* ---- the machine: each fills c->text with what was seen ---- */

static enum check_result kernel(struct checker *c)
{
	struct utsname name;
	struct err err = ERR_NONE;
	uint64_t major = 0, minor = 0;
	const char *dot;

	uname(&name);
	dot = strchr(name.release, '.');
	num_parse_u64("kernel", name.release, num_digits(name.release, strlen(name.release)), 0, 99,
		      &major, &err);
	if (dot)
		num_parse_u64("kernel", dot + 1, num_digits(dot + 1, strlen(dot + 1)), 0, 99,
			      &minor, &err);
	snprintf(c->text, sizeof(c->text), "%.100s", name.release);
	return major * 100 + minor >= KERNEL_MIN ? CHECK_GOOD : CHECK_WRONG;
}

static bool has_line(const char *path, const char *word)
{
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;

	return file_read(AT_FDCWD, path, 1u << 20, &text, NULL, &err) == 0 &&
	       strstr(text, word) != NULL;
}

static enum check_result overlay(struct checker *c)
{
	snprintf(c->text, sizeof(c->text), "layers of containers");
	return has_line("/proc/filesystems", "\toverlay\n") ? CHECK_GOOD : CHECK_WRONG;
}

static enum check_result erofs(struct checker *c)
{
	snprintf(c->text, sizeof(c->text), "images without unpacking; folders serve as well");
	return has_line("/proc/filesystems", "\terofs\n") ? CHECK_GOOD : CHECK_NOTE;
}

static enum check_result packet_filter(struct checker *c)
{
	struct err err = ERR_NONE;
	AUTO(nft) struct nft *nft = NULL;
	int status = nft_open(&nft, &err);

	snprintf(c->text, sizeof(c->text), "%.200s",
		 status < 0 ? err.msg : "published ports, isolation");
	return status < 0 ? CHECK_WRONG : CHECK_GOOD;
}

static enum check_result controllers(struct checker *c)
{
	static const char *const needed[] = { "memory", "cpu", "pids", "freezer" };
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
	enum check_result result = CHECK_GOOD;
	char lacking[100] = "";

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		char path[64];
		bool there;

		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", needed[i]);
		there = v2 ? strcmp(needed[i], "freezer") == 0 ||
					has_line("/sys/fs/cgroup/cgroup.controllers", needed[i])
			   : access(path, F_OK) == 0;
		if (there)
			continue;
		strncat(lacking, " ", sizeof(lacking) - strlen(lacking) - 1);
		strncat(lacking, needed[i], sizeof(lacking) - strlen(lacking) - 1);
		result = CHECK_NOTE;
	}
	snprintf(c->text, sizeof(c->text), "version %s%s%s", v2 ? "2" : "1",
		 *lacking ? ", limits lack:" : "", lacking);
	return result;
}

static enum check_result namespaces(struct checker *c)
{
	static const char *const needed[] = { "mnt", "pid", "net", "ipc", "uts", "cgroup" };

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		char path[48];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", needed[i]);
		if (access(path, F_OK) == 0)
			continue;
		snprintf(c->text, sizeof(c->text), "this kernel has no %s namespaces", needed[i]);
		return CHECK_WRONG;
	}
	snprintf(c->text, sizeof(c->text), "mnt pid net ipc uts cgroup");
	return CHECK_GOOD;
}

static enum check_result disk(struct checker *c)
{
	struct statvfs fs;
	unsigned long long bytes;

	if (statvfs(c->roots->state, &fs) < 0)
		return CHECK_WRONG;
	bytes = (unsigned long long)fs.f_bavail * fs.f_frsize;
	snprintf(c->text, sizeof(c->text), "%llu MB free in %.180s", bytes >> 20, c->roots->state);
	return bytes < FREE_MIN_BYTES ? CHECK_NOTE : CHECK_GOOD;
}

static const struct {
	const char *name;
	enum check_result (*look)(struct checker *c);
} machine[] = {
	{"kernel",      kernel       },
        { "overlay",    overlay      },
	{ "erofs",      erofs        },
        { "nf_tables",  packet_filter},
	{ "cgroups",    controllers  },
        { "namespaces", namespaces   },
	{ "disk",       disk         },
};

size_t check_machine(const struct roots *roots, check_found found, void *ctx)
{
	struct checker c = { .roots = roots, .found = found, .ctx = ctx };

	for (size_t i = 0; i < sizeof(machine) / sizeof(*machine); i++) {
		enum check_result result = machine[i].look(&c);
		char line[320];

		snprintf(line, sizeof(line), "%s: %s", machine[i].name, c.text);
		tell(&c, result, line);
	}
	return c.left;
}

/* ---- records and kernel ---- */

static bool exists(const struct checker *c, const char *path)
{
	return faccessat(c->roots->state_fd, path, F_OK, 0) == 0;
}

/* A builder is its own project while it lives. */
static bool has_project(void *ctx, const char *project)
{
	const struct checker *c = ctx;
	char path[PATH_BYTES];

	if (build_work_is_alive(c->roots, project))
		return true;
	snprintf(path, sizeof(path), "projects/%s", project);
	return exists(ctx, path);
}

/* "PROJECT/SERVICE/N" */
static bool has_slot(void *ctx, const char *slot)
{
	const char *first = strchr(slot, '/'), *second = first ? strchr(first + 1, '/') : NULL;
	char path[PATH_BYTES];

	if (!second)
		return false;
	snprintf(path, sizeof(path), "%.*s", (int)(first - slot), slot);
	if (build_work_is_alive(((const struct checker *)ctx)->roots, path))
		return true;
	snprintf(path, sizeof(path), "projects/%.*s/slots/%.*s.%s", (int)(first - slot), slot,
		 (int)(second - first - 1), first + 1, second + 1);
	return exists(ctx, path);
}

static int look_at_network(struct checker *c, struct err *err)
{
	struct arena *arena = arena_new();
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(nft) struct nft *nft = NULL;
	char machine_id[64];
	struct netplug np = { .state_fd = c->roots->state_fd,
			      .runtime_fd = c->roots->run_fd,
			      .machine_id = naming_machine_id(machine_id) };
	struct leftover_judge judge = { has_slot, has_project, c };
	struct leftover *rows = NULL;
	size_t count = 0;
	int status = rtnl_open(&rtnl, err);

	if (status == 0)
		status = nft_open(&nft, err);
	if (status == 0)
		status = leftovers_find(&np, rtnl, nft, NULL, &judge, arena, &rows, &count, err);
	if (status == 0 && c->fix && count)
		status = leftovers_clear(&np, rtnl, nft, rows, count, err);
	for (size_t i = 0; status == 0 && i < count; i++)
		tell(c,
		     rows[i].kind == LEFTOVER_OVERLAP ? CHECK_NOTE
		     : c->fix                         ? CHECK_FIXED
						      : CHECK_WRONG,
		     rows[i].text);
	arena_free(arena);
	return status;
}

/* Calls look(name) for what is in RUN/folder. */
static void each_entry(struct checker *c, const char *folder,
		       void (*look)(struct checker *c, int dir_fd, const char *name))
{
	int fd = openat(c->roots->run_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			look(c, dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
}

/* RUN/netns/PROJECT.SERVICE.N (no project's name holds a dot). */
static void look_at_namespace(struct checker *c, int dir_fd, const char *name)
{
	const char *dot = strchr(name, '.');
	char path[PATH_BYTES], line[400];

	if (!dot)
		return;
	snprintf(path, sizeof(path), "%.*s", (int)(dot - name), name);
	if (build_work_is_alive(c->roots, path))
		return;
	snprintf(path, sizeof(path), "projects/%.*s/slots/%s", (int)(dot - name), name, dot + 1);
	if (exists(c, path))
		return;
	snprintf(line, sizeof(line), "network namespace %.200s belongs to no container", name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
	if (c->fix && (umount2(path, MNT_DETACH) == 0 || errno == EINVAL) &&
	    unlinkat(dir_fd, name, 0) == 0)
		tell(c, CHECK_FIXED, line);
	else
		tell(c, CHECK_WRONG, line);
}

static void image_found(void *ctx, const char *line, bool fixed)
{
	tell(ctx, fixed ? CHECK_FIXED : CHECK_WRONG, line);
}

int check_records(const struct roots *roots, struct store *images, bool fix, check_found found,
		  void *ctx, struct err *err)
{
	struct checker c = { .roots = roots, .found = found, .ctx = ctx, .fix = fix };

	if (look_at_network(&c, err) < 0)
		return -1;
	each_entry(&c, "netns", look_at_namespace);
	if (maintain_check(images, NULL, fix ? CHECK_FIX : 0, image_found, &c, err) < 0)
		return -1;
	return (int)c.left;
}
