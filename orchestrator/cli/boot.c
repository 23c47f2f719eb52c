/* orchestrator/cli/boot - a project's link into systemd's boot.
 *
 * Owns: the link and the drop-in of stack@PROJECT.service. May not touch: the template (make
 * install), the manager. Source: systemd.unit(5), "Unit File Load Path"; what `systemctl enable`
 * does to files.
 */
#include "orchestrator/cli/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

#define TEMPLATE "stack@.service"
#define WANTS    "multi-user.target.wants"
#define DROP_IN  "stack.conf"

static const char *const unit_dirs[] = { "/etc/systemd/system",           "/run/systemd/system",
					 "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
					 "/lib/systemd/system",           NULL };
const struct boot_dirs boot_dirs_system = { unit_dirs, "/etc/systemd/system" };

static char *find_template(const struct boot_dirs *dirs, struct err *err)
{
	for (size_t i = 0; dirs->units[i]; i++) {
		char *path = xformat("%s/%s", dirs->units[i], TEMPLATE);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	err_set(err, ERR_NOT_FOUND,
		TEMPLATE " is not installed: `make install` puts it into lib/systemd/system");
	return NULL;
}

static bool is_usual(const struct roots *roots)
{
	return strcmp(roots->state, "/var/lib/stack") == 0 && strcmp(roots->run, "/run/stack") == 0;
}

static int write_drop_in(const struct boot_dirs *dirs, const struct roots *roots,
			 const char *project, struct err *err)
{
	AUTO(free) char *path = xformat("%s/stack@%s.service.d", dirs->own, project);
	AUTO(free)
	char *text = xformat("[Service]\nEnvironment=\"STACK_ROOT=%s\" \"STACK_RUNTIME_ROOT=%s\"\n",
			     roots->state, roots->run);
	AUTO(fd) int fd = -1;

	if (is_usual(roots))
		return 0;
	if (file_make_dirs(AT_FDCWD, path, 0755, err) < 0)
		return -1;
	fd = file_open_dir(AT_FDCWD, path, false, err);
	return fd < 0 ? -1 : file_write_atomic(fd, DROP_IN, text, strlen(text), err);
}

int boot_enable(const struct boot_dirs *dirs, const struct roots *roots, const char *project,
		bool *out_new, struct err *err)
{
	AUTO(free) char *template = find_template(dirs, err);
	AUTO(free) char *folder = xformat("%s/" WANTS, dirs->own);
	AUTO(free) char *name = xformat("stack@%s.service", project);
	AUTO(fd) int fd = -1;

	*out_new = false;
	if (!template || file_make_dirs(AT_FDCWD, folder, 0755, err) < 0)
		return -1;
	fd = file_open_dir(AT_FDCWD, folder, false, err);
	if (fd < 0 || write_drop_in(dirs, roots, project, err) < 0)
		return -1;
	*out_new = symlinkat(template, fd, name) == 0;
	if (!*out_new && errno != EEXIST)
		return err_sys(err, errno, "link %s/%s", folder, name);
	return fsync(fd) < 0 ? err_sys(err, errno, "sync %s", folder) : 0;
}

int boot_disable(const struct boot_dirs *dirs, const char *project, bool *out_was, struct err *err)
{
	AUTO(free) char *link = xformat("%s/" WANTS "/stack@%s.service", dirs->own, project);
	AUTO(free) char *folder = xformat("%s/stack@%s.service.d", dirs->own, project);
	AUTO(free) char *file = xformat("%s/" DROP_IN, folder);

	*out_was = unlink(link) == 0;
	if (!*out_was && errno != ENOENT)
		return err_sys(err, errno, "remove %s", link);
	if (unlink(file) == 0 && rmdir(folder) < 0 && errno != ENOTEMPTY)
		return err_sys(err, errno, "remove %s", folder);
	return 0;
}
