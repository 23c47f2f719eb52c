/* runtime/program - what is executed, with which environment, from which folder.
 *
 * Owns: PATH, HOME, cwd. May not touch: rights.
 */
#include "runtime/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"
#include "runtime/rootpath.h"

#define PASSWD_MAX   (1u << 20)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *variable(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* A filter that is in force already may know only older calls, or none (docker's profiles of some
 * years ago have no faccessat2). What cannot be asked is left to exec. */
static int check_rights(const char *path)
{
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
		return 0;
	if (errno != EPERM && errno != ENOSYS)
		return errno;
	return access(path, X_OK) == 0 || errno == EPERM || errno == ENOSYS ? 0 : errno;
}

/* 0 executable by us, else an errno. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return check_rights(path);
}

static char *fail(const char *name, int errno_value, int *out_exit_code, struct err *err)
{
	switch (errno_value) {
	case ENOENT:
	case ENOTDIR:
		*out_exit_code = 127;
		err_set(err, ERR_NOT_FOUND,
			"exec: \"%.120s\": stat %.80s: no such file or directory", name, name);
		return NULL;
	case EISDIR:
		*out_exit_code = 126;
		err_set(err, ERR_DENIED, "exec: \"%.120s\": is a directory: permission denied",
			name);
		return NULL;
	case EACCES:
	case EPERM:
		*out_exit_code = 126;
		err_set(err, ERR_DENIED, "exec: \"%.120s\": permission denied", name);
		return NULL;
	default:
		*out_exit_code = 126;
		err_sys(err, errno_value, "exec: \"%.120s\"", name);
		return NULL;
	}
}

char *program_find(const char *name, char *const *env, int *out_exit_code, struct err *err)
{
	const char *path = variable(env, "PATH");
	struct slice rest, part;
	int worst = ENOENT;

	if (strchr(name, '/')) {
		int failed = check_program(name);

		return failed ? fail(name, failed, out_exit_code, err) : xstrdup(name);
	}
	rest = SLICE(path ? path : DEFAULT_PATH);
	while (slice_next(&rest, ':', &part)) {
		AUTO(free)
		char *candidate = part.len ? xformat("%.*s/%s", SLICE_ARG(part), name)
					   : xformat("./%s", name);
		int failed = check_program(candidate);

		if (!failed)
			return TAKE(candidate);
		if (failed == EACCES)
			worst = EACCES;
	}
	if (worst == EACCES)
		return fail(name, EACCES, out_exit_code, err);
	*out_exit_code = 127;
	err_set(err, ERR_NOT_FOUND, "exec: \"%.100s\": executable file not found in $PATH", name);
	return NULL;
}

/* The home folder in /etc/passwd of the root that we are in; "/" when there is none. To be freed.
 */
static char *home_of(uint32_t uid)
{
	AUTO(fd) int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int fd = rootpath_open(root_fd, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	AUTO(free) char *text = NULL;
	struct err ignored = ERR_NONE;
	struct stat st;
	size_t len;
	char *save = NULL;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    file_read_fd(fd, "passwd", PASSWD_MAX, &text, &len, &ignored) < 0)
		return xstrdup("/");
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct slice rest = SLICE(line), part;
		uint64_t number;

		for (int field = 0; field < 6 && slice_next(&rest, ':', &part); field++) {
			if (field == 2 && (num_parse_u64("uid", part.at, part.len, 0, UINT32_MAX,
							 &number, &ignored) < 0 ||
					   number != uid))
				break;
			if (field == 5 && part.len)
				return xstrndup(part.at, part.len);
		}
	}
	return xstrdup("/");
}

char **program_environment(const struct config_process *process, unsigned listen_fds)
{
	char **env = xcalloc(process->env.count + 4, sizeof(char *));
	size_t count = 0;
	const char *home;

	for (size_t i = 0; i < process->env.count; i++) {
		const char *text = process->env.at[i];
		size_t name_len = (size_t)(strchr(text, '=') - text) + 1, at = 0;

		if (listen_fds &&
		    (text_starts(text, "LISTEN_PID=") || text_starts(text, "LISTEN_FDS=")))
			continue;
		while (at < count && strncmp(env[at], text, name_len) != 0)
			at++;
		env[at] = (char *)(uintptr_t)text;
		count += at == count;
	}
	home = variable(env, "HOME");
	if (!home || !home[0]) {
		AUTO(free) char *folder = home_of(process->uid);
		size_t at = 0;

		while (at < count && !text_starts(env[at], "HOME="))
			at++;
		env[at] = xformat("HOME=%s", folder);
		count += at == count;
	}
	if (listen_fds) {
		env[count++] = xformat("LISTEN_FDS=%u", listen_fds);
		env[count++] = xstrdup("LISTEN_PID=1");
	}
	return env;
}

/* The kernel says "(unreachable)" of a folder that no path from our root leads to. */
static int check_inside(struct err *err)
{
	char path[4096];
	long n;

	n = getcwd(path, sizeof(path)) ? 0 : -1;
	if ((n < 0 && errno == ENOENT) || (n == 0 && path[0] != '/'))
		return err_set(err, ERR_DENIED,
			       "process.cwd: current working directory is outside of container "
			       "mount namespace root");
	return n < 0 ? err_sys(err, errno, "process.cwd: getcwd") : 0;
}

int program_enter(const char *cwd, bool make, struct err *err)
{
	if (chdir(cwd) < 0) {
		AUTO(fd) int root_fd = -1;
		AUTO(fd) int fd = -1;

		if (errno != ENOENT || !make)
			return err_sys(err, errno, "process.cwd: chdir to cwd (\"%s\")", cwd);
		root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd = rootpath_make_dir(root_fd, cwd, NULL, err);
		if (fd < 0)
			return err_wrap(err, "process.cwd");
		if (fchdir(fd) < 0)
			return err_sys(err, errno, "process.cwd: chdir to cwd (\"%s\")", cwd);
	}
	return check_inside(err);
}
