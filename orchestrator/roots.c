/* orchestrator/roots - where state lives.
 *
 * Owns: the names of the folders. May not touch: what is in them.
 */
#include "orchestrator/roots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

static const char *const state_folders[] = { "projects", "networks", "volumes", "images",
					     "secrets" };
static const char *const run_folders[] = { "projects", "containers", "netns", "images" };

/* By flag, by environment, else by who we are: the machine's folder or the user's. */
static char *choose(const char *given, const char *variable, const char *system_path,
		    const char *user_variable, const char *user_fallback)
{
	const char *base;

	if (given && *given)
		return given[0] == '/' ? xstrdup(given) : realpath(given, NULL);
	if ((base = getenv(variable)) != NULL && *base)
		return xstrdup(base);
	if (geteuid() == 0)
		return xstrdup(system_path);
	if ((base = getenv(user_variable)) != NULL && *base)
		return xformat("%s/stack", base);
	base = getenv("HOME");
	return xformat("%s/%s", base ? base : "/tmp", user_fallback);
}

static int open_root(const char *path, const char *const *folders, size_t count, struct err *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	if (file_make_dirs(AT_FDCWD, path, 0711, err) < 0)
		return -1;
	fd = file_open_dir(AT_FDCWD, path, false, err);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_uid != geteuid())
		return err_set(err, ERR_DENIED, "%s belongs to user %u: run as that user (sudo)",
			       path, (unsigned)st.st_uid);
	for (size_t i = 0; i < count; i++)
		if (mkdirat(fd, folders[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "make folder %s/%s", path, folders[i]);
	return TAKE_FD(fd);
}

struct roots *roots_open(const char *state, const char *run, struct err *err)
{
	AUTO(roots) struct roots *roots = xcalloc(1, sizeof(*roots));

	roots->state_fd = roots->run_fd = -1;
	roots->state = choose(state, "STACK_ROOT", "/var/lib/stack", "XDG_DATA_HOME",
			      ".local/share/stack");
	roots->run = choose(run, "STACK_RUNTIME_ROOT", "/run/stack", "XDG_RUNTIME_DIR",
			    ".local/share/stack-run");
	if (!roots->state || !roots->run) {
		err_set(err, ERR_NOT_FOUND, "the folder given for state does not exist");
		return NULL;
	}
	roots->state_fd = open_root(roots->state, state_folders,
				    sizeof(state_folders) / sizeof(*state_folders), err);
	if (roots->state_fd < 0)
		return NULL;
	roots->run_fd =
		open_root(roots->run, run_folders, sizeof(run_folders) / sizeof(*run_folders), err);
	return roots->run_fd < 0 ? NULL : TAKE(roots);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void roots_close(struct roots *roots)
{
	close_fd(roots->state_fd);
	close_fd(roots->run_fd);
	free(roots->state);
	free(roots->run);
	free(roots);
}

struct project_dirs *project_dirs_open(const struct roots *roots, const char *name, bool make,
				       struct err *err)
{
	AUTO(project_dirs) struct project_dirs *dirs = xcalloc(1, sizeof(*dirs));
	AUTO(free) char *path = xformat("projects/%s", name);

	dirs->state_fd = dirs->run_fd = dirs->containers_fd = dirs->slots_fd = -1;
	dirs->roots = roots;
	dirs->name = xstrdup(name);
	dirs->state = xformat("%s/%s", roots->state, path);
	dirs->run = xformat("%s/%s", roots->run, path);
	dirs->state_fd = file_open_dir(roots->state_fd, path, make, err);
	if (dirs->state_fd < 0) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_NOT_FOUND, "no such project: %s", name);
		return NULL;
	}
	dirs->containers_fd = file_open_dir(dirs->state_fd, "containers", true, err);
	if (dirs->containers_fd < 0)
		return NULL;
	dirs->slots_fd = file_open_dir(dirs->state_fd, "slots", true, err);
	if (dirs->slots_fd < 0)
		return NULL;
	dirs->run_fd = file_open_dir(roots->run_fd, path, make, err);
	if (dirs->run_fd < 0 && (make || err->code != ERR_NOT_FOUND))
		return NULL;
	*err = ERR_NONE;
	return TAKE(dirs);
}

void project_dirs_drop_empty(const struct project_dirs *dirs)
{
	unlinkat(dirs->state_fd, "containers", AT_REMOVEDIR);
	unlinkat(dirs->state_fd, "slots", AT_REMOVEDIR);
	unlinkat(dirs->roots->state_fd, dirs->state + strlen(dirs->roots->state) + 1, AT_REMOVEDIR);
	unlinkat(dirs->roots->run_fd, dirs->run + strlen(dirs->roots->run) + 1, AT_REMOVEDIR);
}

void project_dirs_close(struct project_dirs *dirs)
{
	close_fd(dirs->state_fd);
	close_fd(dirs->run_fd);
	close_fd(dirs->containers_fd);
	close_fd(dirs->slots_fd);
	free(dirs->name);
	free(dirs->state);
	free(dirs->run);
	free(dirs);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **project_names(const struct roots *roots, struct err *err)
{
	int fd = openat(roots->state_fd, "projects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char **names = NULL;
	size_t count = 0;
	struct dirent *entry;

	if (!dir) {
		err_sys(err, errno, "read %s/projects", roots->state);
		close_fd(fd);
		return NULL;
	}
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			*(char **)xgrow(&names, &count, sizeof(char *)) = xstrdup(entry->d_name);
	closedir(dir);
	if (count)
		qsort(names, count, sizeof(char *), by_name);
	xgrow(&names, &count, sizeof(char *)); /* the NULL at the end */
	return names;
}

void names_free(char **names)
{
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}
