/* orchestrator/cli/cmd_cp - files and whole file systems in and out of containers: cp, export.
 *
 * Owns: which containers are meant, the tar streams of "-". May not touch: files (copy_between,
 * volumes/copy).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/tar_out.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/container_root.h"
#include "orchestrator/cli/copy_between.h"
#include "orchestrator/cli/view.h"
#include "volumes/copy.h"
#include "volumes/tree_out.h"

/* clang-format off */
const struct option_row cp_options[] = {
	OPT_FLAG("archive", 'a', "Keep owners and groups"),
	OPT_FLAG("follow-link", 'L', "Follow a link at the source itself"),
	OPT_NUMBER("index", 0, "N", "Replica (default: the first; all when copying in)", .min = 1, .max = 1000000),
	OPT_FLAG("all", 0, "One-off containers, too"),
	OPT_END,
};
const struct option_row container_cp_options[] = {
	OPT_FLAG("archive", 'a', "Keep owners and groups"),
	OPT_FLAG("follow-link", 'L', "Follow a link at the source itself"),
	OPT_END,
};
const struct option_row export_options[] = {
	OPT_TEXT("output", 'o', "FILE", "Archive to write (default: stdout)"),
	OPT_NUMBER("index", 0, "N", "Replica", .min = 1, .max = 1000000),
	OPT_END,
};
const struct option_row container_export_options[] = {
	OPT_TEXT("output", 'o', "FILE", "Archive to write (default: stdout)"),
	OPT_END,
};
/* clang-format on */

/* ---- cp ---- */

struct copy_job {
	struct cli *cli;
	const struct options *options;
	const char *inside; /* path in the container */
	const char *host;   /* path here; "-": a tar stream */
	bool goes_in;
};

static char *absolute(const char *path, struct err *err)
{
	AUTO(free) char *folder = NULL;

	if (path[0] == '/')
		return xstrdup(path);
	folder = getcwd(NULL, 0);
	if (!folder) {
		err_sys(err, errno, "current folder");
		return NULL;
	}
	return xformat("%s/%s", folder, path);
}

static int copy_stream(const struct copy_job *job, int root_fd, struct err *err)
{
	bool owners = options_flag(job->options, "archive");
	bool follows = options_flag(job->options, "follow-link");

	if (job->goes_in)
		return copy_in(root_fd, job->inside, owners ? COPY_NUMERIC : 0, STDIN_FILENO, err);
	if (isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID, "a tar is not for a terminal: use a pipe");
	return copy_out(root_fd, job->inside, follows ? COPY_FOLLOW : 0, STDOUT_FILENO, err);
}

static int copy_one(const struct copy_job *job, const struct view *view,
		    const struct observed_container *container, struct err *err)
{
	AUTO(fd) int root_fd = container_root_open(job->cli, view->dirs, container, err);
	AUTO(fd) int host_fd = -1;
	AUTO(free) char *path = NULL;
	AUTO(free) char *where = xformat("container %s", container->record->name);
	struct copy_end inside = { root_fd, job->inside, where };
	struct copy_end host = { -1, NULL, "this machine" };
	unsigned flags = (options_flag(job->options, "archive") ? COPY_BETWEEN_OWNERS : 0) |
			 (options_flag(job->options, "follow-link") ? COPY_BETWEEN_FOLLOW : 0);

	if (root_fd < 0)
		return -1;
	if (strcmp(job->host, "-") == 0)
		return copy_stream(job, root_fd, err);
	host_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	path = absolute(job->host, err);
	if (!path || host_fd < 0)
		return path ? err_sys(err, errno, "open /") : -1;
	host.root_fd = host_fd;
	host.path = path;
	return job->goes_in ? copy_between(&host, &inside, flags, err)
			    : copy_between(&inside, &host, flags, err);
}

/* Into every replica; out of one. */
static int copy_service(const struct copy_job *job, const char *service, struct err *err)
{
	AUTO(view) struct view *view = view_open(job->cli, false, err);
	unsigned index = (unsigned)options_number(job->options, "index");
	bool one = !job->goes_in || index || strcmp(job->host, "-") == 0, any = false;

	if (!view || view_check_services(view, (const char *const[]){ service, NULL }, err) < 0)
		return -1;
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];
		const struct record *record = container->record;

		if (strcmp(record->service, service) != 0 ||
		    (record->oneoff && !options_flag(job->options, "all")) ||
		    (one && container != observed_find(view->observed, service, index)))
			continue;
		any = true;
		if (copy_one(job, view, container, err) < 0)
			return -1;
	}
	return any ? 0 : err_set(err, ERR_NOT_FOUND, "service \"%s\" has no container", service);
}

/* What the two words mean; *out_who is the service or container, to be freed. */
static int read_job(const struct options *options, const char *what, struct copy_job *job,
		    char **out_who, struct err *err)
{
	const char *from = options_argument(options, 0), *to = options_argument(options, 1);
	AUTO(free) char *source = NULL;
	AUTO(free) char *target = NULL;
	const char *source_path = from, *target_path = to;
	bool is_out = copy_word_split(from, &source, &source_path);
	bool is_in = copy_word_split(to, &target, &target_path);

	if (is_out && is_in)
		return err_set(err, ERR_INVALID, "copying between %ss is not supported", what);
	if (!is_out && !is_in)
		return err_set(err, ERR_INVALID, "one of the two must be %s:PATH",
			       strcmp(what, "service") == 0 ? "SERVICE" : "CONTAINER");
	job->goes_in = is_in;
	job->inside = is_in ? target_path : source_path;
	job->host = is_in ? from : to;
	if (!*job->inside)
		return err_set(err, ERR_INVALID, "%s: no path behind the colon", is_in ? to : from);
	*out_who = is_in ? TAKE(target) : TAKE(source);
	return 0;
}

int cp_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct copy_job job = { .cli = cli, .options = options };
	AUTO(free) char *service = NULL;

	return read_job(options, "service", &job, &service, err) < 0
		       ? -1
		       : copy_service(&job, service, err);
}

int container_cp_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct copy_job job = { .cli = cli, .options = options };
	AUTO(free) char *name = NULL;
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container;

	if (read_job(options, "container", &job, &name, err) < 0)
		return -1;
	container = view_find_container(cli, name, &view, err);
	return container ? copy_one(&job, view, container, err) : -1;
}

/* ---- export ---- */

static int export_to(struct cli *cli, const struct options *options, const struct view *view,
		     const struct observed_container *container, struct err *err)
{
	const char *path = options_text(options, "output");
	AUTO(tar_out) struct tar_out *tar = NULL;
	AUTO(fd) int root_fd = -1;
	AUTO(fd) int fd = -1;

	if (!path && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "an archive is not for a terminal: -o FILE, or a pipe");
	root_fd = container_root_open(cli, view->dirs, container, err);
	if (root_fd < 0)
		return -1;
	fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : dup(STDOUT_FILENO);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	tar = tar_out_new(fd); /* what is mounted in it stays out: volumes, proc */
	return tree_out(tar, root_fd, ".", ".", 0, err) < 0 ? -1 : tar_out_end(tar, err);
}

int export_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	const char *service = options_argument(options, 0);
	const struct observed_container *container;

	if (!view || view_check_services(view, options_arguments(options), err) < 0)
		return -1;
	container =
		observed_find(view->observed, service, (unsigned)options_number(options, "index"));
	if (!container)
		return err_set(err, ERR_NOT_FOUND, "service \"%s\" has no container", service);
	return export_to(cli, options, view, container, err);
}

int container_export_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container =
		view_find_container(cli, options_argument(options, 0), &view, err);

	return container ? export_to(cli, options, view, container, err) : -1;
}
