/* volumes/bind - binds of host files and folders: checks, creation of what is missing, options.
 *
 * Owns: what a bind entry means. May not touch: mounts (the runtime's), ids (idmap).
 */
#include "volumes/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"

#define MOUNTINFO_MAX (16u << 20)

static const char *const propagations[] = { "rprivate", "private", "rshared", "shared",
					    "rslave",   "slave",   NULL };

/* Binds of these (or, with below, of what is in them) give a container power over the host. */
static const struct {
	const char *path;
	bool below;
} exposed[] = {
  /* clang-format off */
	{ "/", false },
	{ "/proc", true }, { "/sys", true }, { "/dev", true }, { "/boot", true }, { "/etc", false },
	{ "/run", false }, { "/run/stack", true }, { "/var/lib/stack", true },
	{ "/run/docker.sock", false }, { "/run/containerd", true }, { "/run/podman", true },
	{ "/run/crio", true }, { "/var/lib/docker", true }, { "/var/lib/containers", true },
  /* clang-format on */
};

static bool is_exposed(int fd)
{
	char link[40], path[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return true;
	path[len] = '\0';
	for (size_t i = 0; i < sizeof(exposed) / sizeof(*exposed); i++) {
		size_t n = strlen(exposed[i].path);

		if (strcmp(path, exposed[i].path) == 0 ||
		    (exposed[i].below && strncmp(path, exposed[i].path, n) == 0 && path[n] == '/'))
			return true;
	}
	return false;
}

static bool has_file_name(const char *path)
{
	const char *name = strrchr(path, '/');
	const char *dot = strrchr(name ? name : path, '.');

	return dot && dot > (name ? name + 1 : path) && dot[1];
}

/* 1: shared, 0: not, -1: cannot be told. */
static int is_on_shared_mount(int fd)
{
	AUTO(free) char *text = NULL;
	struct slice rest, line;
	struct err err = ERR_NONE;
	struct statx stx;
	size_t len;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 ||
	    file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &len, &err) < 0)
		return -1;
	rest = (struct slice){ text, len };
	while (slice_next(&rest, '\n', &line)) {
		struct slice id, others, fields, type;
		uint64_t number;

		slice_split(line, ' ', &id, &others);
		if (num_parse_u64("mount", id.at, id.len, 0, UINT64_MAX, &number, &err) < 0 ||
		    number != stx.stx_mnt_id)
			continue;
		slice_split(others, '-', &fields, &type);
		return memmem(others.at, others.len, " shared:", 8) != NULL;
	}
	return -1;
}

static int check_propagation(const struct bind_spec *spec, int fd, struct err *err)
{
	const char *word = spec->propagation;

	if (!word || strstr(word, "private"))
		return 0;
	if (is_on_shared_mount(fd) != 0)
		return 0;
	return err_set(err, ERR_INVALID,
		       "bind propagation %s: %s is not on a shared mount (mount --make-shared)",
		       word, spec->source);
}

static int make_folder(const char *path, struct err *err)
{
	if (file_make_dirs(AT_FDCWD, path, 0755, err) < 0)
		return err_wrap(err, "bind source %s", path);
	return 0;
}

static int missing(const char *source, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "bind source path does not exist: %s", source);
}

int bind_foresee(const char *source, bool create_host_path, struct bind_outlook *out,
		 struct err *err)
{
	AUTO(fd) int fd = open(source, O_PATH | O_CLOEXEC);

	*out = (struct bind_outlook){ 0 };
	if (fd >= 0) {
		out->exposes_host = is_exposed(fd);
		return 0;
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return err_sys(err, errno, "bind source %s", source);
	if (errno == ENOTDIR || !create_host_path)
		return missing(source, err);
	out->will_create = true;
	out->looks_like_file = has_file_name(source);
	return 0;
}

int bind_open(const struct bind_spec *spec, struct bind_source *out, struct err *err)
{
	AUTO(fd) int fd = -1;
	struct stat st;

	*out = (struct bind_source){ .fd = -1 };
	if (spec->source[0] != '/')
		return err_set(err, ERR_INVALID, "bind source %s is no absolute path",
			       spec->source);
	fd = open(spec->source, O_PATH | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && spec->create_host_path) {
		if (make_folder(spec->source, err) < 0)
			return -1;
		out->created = true;
		out->looks_like_file = has_file_name(spec->source);
		fd = open(spec->source, O_PATH | O_CLOEXEC);
	}
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return missing(spec->source, err);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "bind source %s", spec->source);
	if (check_propagation(spec, fd, err) < 0)
		return -1;
	out->is_dir = S_ISDIR(st.st_mode);
	out->exposes_host = is_exposed(fd);
	out->fd = TAKE_FD(fd);
	return 0;
}

char *bind_options(const struct bind_spec *spec, struct err *err)
{
	const char *propagation = spec->propagation ? spec->propagation : "rprivate";
	bool is_recursive = spec->recursive != BIND_RECURSIVE_DISABLED;
	const char *near, *access = "";
	size_t i = 0;

	while (propagations[i] && strcmp(propagations[i], propagation) != 0)
		i++;
	if (!propagations[i]) {
		near = text_near_in(propagation, propagations);
		err_set(err, ERR_INVALID, "bind propagation \"%.40s\" is not known%s%s%s",
			propagation, near ? " (did you mean \"" : "", near ? near : "",
			near ? "\"?)" : "");
		return NULL;
	}
	if (spec->read_only)
		access =
			is_recursive && spec->recursive != BIND_RECURSIVE_WRITABLE ? ",rro" : ",ro";
	return xformat("%s%s,%s%s", is_recursive ? "rbind" : "bind", access, propagation,
		       spec->idmap ? ",idmap" : "");
}
