/* orchestrator/cli/container_diff - what a container changed in its file system.
 *
 * Owns: the reading of an overlay's upper folder against the image's layers. May not touch: either.
 */
#include "orchestrator/cli/container_diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/snapshot.h"
#include "orchestrator/transfer.h"

struct diff {
	int upper_fd;
	int *lowers; /* top first */
	size_t lower_count;
	char **lines; /* "A /path" */
	size_t count;
};

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* The first layer that knows the path decides. */
static bool is_in_image(const struct diff *diff, const char *path)
{
	struct stat st;

	for (size_t i = 0; i < diff->lower_count; i++)
		if (fstatat(diff->lowers[i], path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return !is_whiteout(&st);
	return false;
}

static void add(struct diff *diff, char kind, const char *path)
{
	*(char **)xgrow(&diff->lines, &diff->count, sizeof(char *)) = xformat("%c /%s", kind, path);
}

static void walk(struct diff *diff, const char *folder)
{
	int fd = openat(diff->upper_fd, *folder ? folder : ".",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		AUTO(free) char *path = NULL;
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		path = xformat("%s%s%s", folder, *folder ? "/" : "", entry->d_name);
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_whiteout(&st))
			add(diff, 'D', path);
		else
			add(diff, is_in_image(diff, path) ? 'C' : 'A', path);
		if (S_ISDIR(st.st_mode))
			walk(diff, path);
	}
	if (dir)
		closedir(dir);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a + 2, *(char *const *)b + 2);
}

static int open_lowers(struct diff *diff, const struct snapshot *snapshot, struct err *err)
{
	diff->lowers = xcalloc(snapshot->lower_count + 1, sizeof(int));
	for (; diff->lower_count < snapshot->lower_count; diff->lower_count++) {
		const char *path = snapshot->lowers[diff->lower_count];

		diff->lowers[diff->lower_count] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (diff->lowers[diff->lower_count] < 0)
			return err_sys(err, errno, "open %s", path);
	}
	return 0;
}

static void diff_free(struct diff *diff)
{
	while (diff->lower_count)
		close(diff->lowers[--diff->lower_count]);
	free(diff->lowers);
	for (size_t i = 0; i < diff->count; i++)
		free(diff->lines[i]);
	free(diff->lines);
}

int container_diff_print(struct cli *cli, const struct project_dirs *dirs,
			 const struct record *record, FILE *out, struct err *err)
{
	AUTO(store)
	struct store *store =
		transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(cli->options), "config"), err);
	AUTO(snapshot)
	struct snapshot *snapshot =
		store ? snapshot_open(store, record->image_id, NULL, err) : NULL;
	AUTO(free) char *upper = xformat("%s/upper", record->id);
	AUTO(fd)
	int upper_fd = openat(dirs->containers_fd, upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct diff diff = { .upper_fd = upper_fd };
	int status;

	if (!snapshot)
		return -1;
	if (upper_fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open %s", upper);
	status = open_lowers(&diff, snapshot, err);
	if (status == 0)
		walk(&diff, "");
	if (diff.count)
		qsort(diff.lines, diff.count, sizeof(char *), by_path);
	for (size_t i = 0; i < diff.count; i++)
		fprintf(out, "%s\n", diff.lines[i]);
	diff_free(&diff);
	return status;
}
