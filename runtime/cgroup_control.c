/* runtime/cgroup_control - freeze, thaw, list, kill and remove what is in a cgroup.
 *
 * Owns: everything done to the processes of a subtree. May not touch: limits, folders of others.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "base/stamp.h"
#include "runtime/cgroup_internal.h"

#define FREEZE_MS 1000
#define REMOVE_MS 2000

static void pause_us(long us)
{
	struct timespec time = { 0, us * 1000 };

	nanosleep(&time, NULL);
}

/* The hierarchy whose members we believe: one where nobody moves things about. */
static const struct hierarchy *members(const struct cgroup *cgroup)
{
	static const char *const order[] = { "freezer", "pids", "devices", "memory" };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct hierarchy *hierarchy = cgroup_hierarchy(cgroup, order[i]);

		if (hierarchy)
			return hierarchy;
	}
	return &cgroup->at[0];
}

struct pid_list {
	pid_t *at;
	size_t count;
};

static void add_pids(const char *folder, struct pid_list *list)
{
	AUTO(free) char *text = NULL, *path = xformat("%s/cgroup.procs", folder);
	struct err err = ERR_NONE;
	size_t len;
	char *save = NULL;

	if (file_read(AT_FDCWD, path, 16u << 20, &text, &len, &err) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t pid;

		if (num_parse_u64("pid", line, strlen(line), 1, INT32_MAX, &pid, &err) == 0)
			*(pid_t *)xgrow(&list->at, &list->count, sizeof(pid_t)) = (pid_t)pid;
	}
}

/* Calls visit on every folder of the subtree, children first. */
static void walk(const char *folder, void (*visit)(const char *folder, void *context),
		 void *context)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		AUTO(free) char *path = NULL;

		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		path = xformat("%s/%s", folder, entry->d_name);
		walk(path, visit, context);
	}
	closedir(dir);
	visit(folder, context);
}

static void visit_pids(const char *folder, void *context)
{
	add_pids(folder, context);
}

int cgroup_pids(struct cgroup *cgroup, pid_t **out, size_t *out_count, struct err *err)
{
	struct pid_list list = { NULL, 0 };

	(void)err;
	walk(members(cgroup)->folder, visit_pids, &list);
	*out = list.at;
	*out_count = list.count;
	return 0;
}

bool cgroup_is_populated(struct cgroup *cgroup)
{
	AUTO(free) pid_t *pids = NULL;
	struct err err = ERR_NONE;
	size_t count = 0;
	char text[256];

	if (cgroup->layout == CGROUP_V2 &&
	    cgroup_file_read(cgroup->at[0].folder, "cgroup.events", text, sizeof(text)))
		return cgroup_key_u64(text, "populated", 0) == 1;
	return cgroup_pids(cgroup, &pids, &count, &err) == 0 && count > 0;
}

static int freeze_v2(const char *folder, bool frozen, struct err *err)
{
	uint64_t end_us = stamp_monotonic_us() + FREEZE_MS * 1000;
	AUTO(free) char *path = xformat("%s/cgroup.events", folder);
	AUTO(fd) int fd = -1;

	if (cgroup_file_write(folder, "cgroup.freeze", frozen ? "1" : "0") < 0)
		return err_sys(err, errno, "write %s/cgroup.freeze", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };
		char text[256];

		if (cgroup_file_read(folder, "cgroup.events", text, sizeof(text)) &&
		    cgroup_key_u64(text, "frozen", frozen) == (uint64_t)frozen)
			return 0;
		if (stamp_monotonic_us() > end_us)
			break;
		if (pread(fd, text, sizeof(text), 0) < 0 || poll(&poll_fd, 1, 50) < 0)
			break;
	}
	return err_set(err, ERR_TIMEOUT, "cgroup %s is not %s after %d ms", folder,
		       frozen ? "frozen" : "thawed", FREEZE_MS);
}

/* FROZEN comes late, or never while a task sits in vfork: thaw and freeze again. */
static int freeze_v1(const char *folder, struct err *err)
{
	uint64_t end_us = stamp_monotonic_us() + FREEZE_MS * 1000;
	char text[64] = "";

	for (unsigned i = 0; stamp_monotonic_us() < end_us; i++) {
		if (i % 50 == 49) {
			cgroup_file_write(folder, "freezer.state", "THAWED");
			pause_us(1000);
		}
		if (cgroup_file_write(folder, "freezer.state", "FROZEN") < 0)
			return err_sys(err, errno, "write %s/freezer.state", folder);
		if (cgroup_file_read(folder, "freezer.state", text, sizeof(text)) &&
		    strcmp(text, "FROZEN") == 0)
			return 0;
		pause_us(i < 10 ? 50 : 2000);
	}
	cgroup_file_write(folder, "freezer.state", "THAWED");
	return err_set(err, ERR_TIMEOUT, "cgroup %s is still %s after %d ms", folder, text,
		       FREEZE_MS);
}

static const char *freezer(struct cgroup *cgroup, struct err *err)
{
	const char *folder = cgroup_folder(cgroup, "freezer");

	if (!folder)
		err_set(err, ERR_UNSUPPORTED, "the freezer controller is not mounted");
	return folder;
}

int cgroup_freeze(struct cgroup *cgroup, struct err *err)
{
	const char *folder = freezer(cgroup, err);

	if (!folder)
		return -1;
	return cgroup->layout == CGROUP_V2 ? freeze_v2(folder, true, err) : freeze_v1(folder, err);
}

int cgroup_thaw(struct cgroup *cgroup, struct err *err)
{
	const char *folder = freezer(cgroup, err);

	if (!folder)
		return -1;
	if (cgroup->layout == CGROUP_V2)
		return freeze_v2(folder, false, err);
	if (cgroup_file_write(folder, "freezer.state", "THAWED") < 0)
		return err_sys(err, errno, "write %s/freezer.state", folder);
	return 0;
}

bool cgroup_is_frozen(struct cgroup *cgroup)
{
	const char *folder = cgroup_folder(cgroup, "freezer");
	char text[64];

	if (!folder)
		return false;
	if (cgroup->layout == CGROUP_V2)
		return cgroup_file_read(folder, "cgroup.freeze", text, sizeof(text)) &&
		       text[0] == '1';
	return cgroup_file_read(folder, "freezer.state", text, sizeof(text)) &&
	       strcmp(text, "THAWED") != 0 && text[0];
}

static size_t signal_all(struct cgroup *cgroup, int signal)
{
	AUTO(free) pid_t *pids = NULL;
	struct err err = ERR_NONE;
	size_t count = 0;

	cgroup_pids(cgroup, &pids, &count, &err);
	for (size_t i = 0; i < count; i++)
		kill(pids[i], signal);
	return count;
}

/* The kernel's own: every process of the subtree at once. Hybrid hosts have it in the unified
 * hierarchy. */
static bool kill_by_kernel(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++)
		if (cgroup->at[i].is_v2)
			return cgroup_file_write(cgroup->at[i].folder, "cgroup.kill", "1") == 0;
	return false;
}

int cgroup_kill(struct cgroup *cgroup, int signal, struct err *err)
{
	struct err ignored = ERR_NONE;
	bool was_frozen = cgroup_is_frozen(cgroup), frozen;

	(void)err;
	if (signal != SIGKILL) {
		signal_all(cgroup, signal);
		return 0;
	}
	kill_by_kernel(cgroup);
	if (cgroup->layout == CGROUP_V2)
		return 0;
	/* Frozen while we count, so that nobody forks away from under us. */
	if (was_frozen || cgroup_is_populated(cgroup)) {
		frozen = was_frozen || cgroup_freeze(cgroup, &ignored) == 0;
		signal_all(cgroup, SIGKILL);
		if (frozen)
			cgroup_thaw(cgroup, &ignored);
	}
	return 0;
}

static void visit_rmdir(const char *folder, void *context)
{
	(void)context;
	rmdir(folder);
}

static int remove_hierarchy(const struct hierarchy *hierarchy, uint64_t end_us, struct err *err)
{
	long wait_us = 200;

	while (rmdir(hierarchy->folder) < 0) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY && errno != ENOTEMPTY)
			return err_sys(err, errno, "remove cgroup %s", hierarchy->folder);
		walk(hierarchy->folder, visit_rmdir, NULL);
		if (access(hierarchy->folder, F_OK) < 0)
			return 0;
		if (stamp_monotonic_us() > end_us)
			return err_set(err, ERR_BUSY, "remove cgroup %s: still in use after %d ms",
				       hierarchy->folder, REMOVE_MS);
		pause_us(wait_us);
		wait_us = wait_us < 20000 ? wait_us * 2 : wait_us;
	}
	return 0;
}

int cgroup_remove(struct cgroup *cgroup, struct err *err)
{
	uint64_t end_us = stamp_monotonic_us() + REMOVE_MS * 1000;
	int status = 0;

	if (cgroup->systemd)
		cgroup_systemd_stop(cgroup);
	for (size_t i = 0; i < cgroup->count; i++) {
		struct err one = ERR_NONE;

		if (remove_hierarchy(&cgroup->at[i], end_us, &one) < 0 && status == 0 &&
		    !(cgroup->rootless && one.code == ERR_DENIED)) {
			*err = one;
			status = -1;
		}
	}
	return status;
}
