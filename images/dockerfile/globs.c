/* images/dockerfile/globs - which names of a context a source of COPY means.
 *
 * Owns: the walk along a pattern. May not touch: the files.
 */
#include "images/dockerfile/globs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/dockerfile/ignore.h"
#include "images/dockerfile/resolve.h"

static inline void auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

struct part {
	const char *text;
	struct df_ignore *pattern; /* NULL: a plain name */
	bool is_deep;
};

struct search {
	int root_fd;
	struct arena *arena;
	struct part *parts;
	size_t part_count;
	char **found; /* owned */
	size_t count;
	unsigned depth;
};

bool df_globs_is_pattern(const char *text)
{
	return strpbrk(text, "*?[\\") != NULL;
}

static int parse_part(struct search *search, const char *text, unsigned flags, struct err *err)
{
	struct part *part =
		arena_grow(search->arena, &search->parts, &search->part_count, sizeof(*part));
	/* '#' and '!' mean something at the head of a line of .dockerignore alone. */
	const char *head = *text == '#' || *text == '!' ? "\\" : "";
	const char *line = arena_format(search->arena, "%s%s", head, text);

	part->text = text;
	part->is_deep = flags & GLOBS_DEEP && strcmp(text, "**") == 0;
	if (part->is_deep || !df_globs_is_pattern(text))
		return 0;
	if (df_ignore_parse(search->arena, "pattern", SLICE(line), &part->pattern, err) < 0)
		return err_set(err, ERR_INVALID, "\"%.120s\" is no pattern", text);
	return 0;
}

static int parse(struct search *search, const char *pattern, unsigned flags, struct err *err)
{
	struct slice rest = SLICE(pattern), part;

	while (slice_next(&rest, '/', &part))
		if (parse_part(search, arena_strndup(search->arena, part.at, part.len), flags,
			       err) < 0)
			return -1;
	return 0;
}

static int take(struct search *search, size_t i, const char *path, struct err *err);

static int found(struct search *search, const char *path, struct err *err)
{
	if (search->count >= GLOBS_MAX)
		return err_set(err, ERR_INVALID, "more than %u names match", GLOBS_MAX);
	*(char **)xgrow(&search->found, &search->count, sizeof(char *)) = xstrdup(path);
	return 0;
}

/* One entry of a folder at part i. */
static int take_entry(struct search *search, size_t i, const char *path, const char *name,
		      struct err *err)
{
	const struct part *part = &search->parts[i];
	AUTO(free) char *below = xformat("%s%s%s", path, *path ? "/" : "", name);
	AUTO(fd) int fd = -1;
	struct stat st;

	if (part->is_deep) {
		fd = df_open_plain(search->root_fd, below, O_PATH);
		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
			return 0;
		return take(search, i, below, err);
	}
	if (!df_ignore_excludes(part->pattern, name, NULL))
		return 0;
	return take(search, i + 1, below, err);
}

static int list(struct search *search, size_t i, const char *path, struct err *err)
{
	AUTO(fd) int fd = df_open_plain(search->root_fd, path, O_RDONLY | O_DIRECTORY);
	AUTO(dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) /* no folder, a link, or gone */
		return fd < 0 && errno != EACCES ? 0 : err_sys(err, errno, "read \"%.120s\"", path);
	TAKE_FD(fd);
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    take_entry(search, i, path, entry->d_name, err) < 0)
			return -1;
	return 0;
}

/* What matches from part i on below path. */
static int take(struct search *search, size_t i, const char *path, struct err *err)
{
	const struct part *part = &search->parts[i];
	int rc;

	if (i == search->part_count)
		return found(search, path, err);
	if (search->depth >= GLOBS_DEPTH)
		return err_set(err, ERR_INVALID, "folders are nested more than %u deep",
			       GLOBS_DEPTH);
	search->depth++;
	if (part->pattern || part->is_deep) {
		rc = part->is_deep ? take(search, i + 1, path, err) : 0;
		if (rc == 0)
			rc = list(search, i, path, err);
	} else {
		AUTO(free)
		char *below = xformat("%s%s%s", path, *path ? "/" : "", part->text);
		AUTO(fd) int fd = df_open_plain(search->root_fd, below, O_PATH);

		rc = fd < 0 ? 0 : take(search, i + 1, below, err);
	}
	search->depth--;
	return rc;
}

static int by_bytes(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

int df_globs_find(int root_fd, struct arena *arena, const char *pattern, unsigned flags,
		  const char ***out, size_t *out_count, struct err *err)
{
	struct search search = { .root_fd = root_fd, .arena = arena };
	int rc = parse(&search, pattern, flags, err);

	if (rc == 0)
		rc = take(&search, 0, "", err);
	*out = arena_alloc(arena, (search.count + 1) * sizeof(**out));
	*out_count = 0;
	if (search.count)
		qsort(search.found, search.count, sizeof(*search.found), by_bytes);
	for (size_t i = 0; i < search.count; i++) {
		if (rc == 0 &&
		    (!*out_count || strcmp((*out)[*out_count - 1], search.found[i]) != 0))
			(*out)[(*out_count)++] = arena_strdup(arena, search.found[i]);
		free(search.found[i]);
	}
	free(search.found);
	return rc;
}
