/* tests/images/dockerfile/build_cases - folders out of one line, and layers as text. */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "images/dockerfile/context.h"
#include "images/dockerfile/copy.h"
#include "images/snapshot.h"
#include "tests/images/layer_cases.h"

#define CASE_NOW 1700000000000000000ull

struct build_case {
	struct test_store test;
	struct lease *lease;
	char folder[96]; /* the context */
};

static inline void build_case_open(struct build_case *it, enum store_backend backend)
{
	struct err err = ERR_NONE;

	test_store_open(&it->test, backend);
	it->lease = lease_begin(it->test.store, &err);
	assert_non_null(it->lease);
	snprintf(it->folder, sizeof(it->folder), "%s/context", it->test.dir);
	assert_int_equal(mkdir(it->folder, 0755), 0);
}

/* An empty context for the next row of a table; store and lease stay. */
static inline void build_case_again(struct build_case *it)
{
	AUTO(fd) int dir = open(it->test.dir, O_RDONLY | O_DIRECTORY);
	struct err err = ERR_NONE;

	if (tree_remove(dir, "context", &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(mkdir(it->folder, 0755), 0);
}

static inline void build_case_close(struct build_case *it)
{
	struct err err = ERR_NONE;

	lease_end(it->lease, 0);
	if (snapshot_sweep(it->test.store, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	test_store_close(&it->test);
}

/* One thing: "d/" folder, "f=text" file, "l->to" link, "p|" fifo, "h&f" hard link to f; "@750" at
 * the end is its mode. Folders above are made. */
static inline void build_thing(int dir_fd, const char *word)
{
	AUTO(free) char *text = xstrdup(word);
	char *mode_at = strrchr(text, '@'), *arrow, *equals, *slash;
	unsigned mode = mode_at ? (unsigned)strtoul(mode_at + 1, NULL, 8) : 0;
	struct err err = ERR_NONE;

	if (mode_at)
		*mode_at = '\0';
	arrow = strstr(text, "->");
	equals = strpbrk(text, "=|&");
	if (arrow && (!equals || arrow < equals))
		*arrow = '\0';
	else
		arrow = NULL;
	slash = arrow || !equals ? strrchr(text, '/') : memrchr(text, '/', (size_t)(equals - text));
	if (slash && slash != text) {
		AUTO(free) char *folder = xstrndup(text, (size_t)(slash - text));

		assert_int_equal(file_make_dirs(dir_fd, folder, 0755, &err), 0);
	}
	if (arrow) {
		assert_int_equal(symlinkat(arrow + 2, dir_fd, text), 0);
	} else if (equals) {
		char kind = *equals;

		*equals = '\0';
		if (kind == '|') {
			assert_int_equal(mkfifoat(dir_fd, text, 0644), 0);
		} else if (kind == '&') {
			assert_int_equal(linkat(dir_fd, equals + 1, dir_fd, text, 0), 0);
		} else {
			AUTO(fd)
			int fd = openat(dir_fd, text, O_WRONLY | O_CREAT | O_TRUNC, 0644);

			assert_true(fd >= 0);
			assert_int_equal(file_write_all(fd, equals + 1, strlen(equals + 1)), 0);
			assert_int_equal(fchmod(fd, mode ? mode : 0644), 0);
		}
	}
	if (mode && !arrow && !equals) {
		text[strlen(text) - (text[strlen(text) - 1] == '/')] = '\0';
		assert_int_equal(fchmodat(dir_fd, text, mode, 0), 0);
	}
}

/* Things parted by blanks. */
static inline void build_things(const char *path, const char *things)
{
	AUTO(fd) int dir = open(path, O_RDONLY | O_DIRECTORY);
	AUTO(free) char *copy = xstrdup(things ? things : "");
	char *rest = copy, *word;

	assert_true(dir >= 0);
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word)
			build_thing(dir, word);
}

static inline int build_by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

static inline void build_describe(FILE *out, int dir_fd, const char *name, const char *path)
{
	struct stat st;
	char text[4096];
	ssize_t n;

	assert_int_equal(fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		fprintf(out, "%s deleted\n", path);
		return;
	}
	fprintf(out, "%s%s %o %u:%u", path, S_ISDIR(st.st_mode) ? "/" : "", st.st_mode & 07777,
		st.st_uid, st.st_gid);
	if (S_ISFIFO(st.st_mode))
		fprintf(out, " fifo");
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		fprintf(out, " %u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		fprintf(out, " x%lu", (unsigned long)st.st_nlink);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir_fd, name, text, sizeof(text));
		fprintf(out, " ->%.*s", (int)n, text);
	}
	if (S_ISREG(st.st_mode)) {
		AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW);

		n = read(fd, text, 60);
		assert_true(n >= 0);
		fprintf(out, " =%.*s", (int)n, text);
	}
	fputc('\n', out);
}

static inline void build_list(FILE *out, int dir_fd, const char *path)
{
	struct dirent **entries;
	int count = scandirat(dir_fd, ".", &entries, NULL, build_by_name);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			AUTO(free) char *full = xformat("%s%s%s", path, *path ? "/" : "", name);
			AUTO(fd) int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			build_describe(out, dir_fd, name, full);
			if (fd >= 0)
				build_list(out, fd, full);
		}
		free(entries[i]);
	}
	free(entries);
}

/* What layers show together; "" for none. To be freed. */
static inline char *build_show(struct build_case *it, const char *const *diff_ids, size_t count)
{
	AUTO(df_context)
	struct df_context *context = df_context_open_layers(it->lease, diff_ids, count, "layers");
	struct err err = ERR_NONE;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int root = df_context_root(context, &err);

	if (root < 0)
		fail_msg("%s", err.msg);
	{
		AUTO(fd) int fd = openat(root, ".", O_RDONLY | O_DIRECTORY);

		build_list(out, fd, "");
	}
	fclose(out);
	return text;
}

/* The things as a layer, over nothing. */
static inline void build_layer(struct build_case *it, const char *things,
			       char diff_id[DIGEST_TEXT_MAX])
{
	AUTO(free) char *path = xformat("%s/base.XXXXXX", it->test.dir);
	const char *const all[] = { "." };
	struct df_copy_spec spec = { .kind = DF_COPY,
				     .sources = all,
				     .source_count = 1,
				     .destination = "/",
				     .cwd = "/",
				     .lease = it->lease };
	struct df_layer_spec how = { .lease = it->lease, .now_unix_ns = CASE_NOW, .lower_fd = -1 };
	struct err err = ERR_NONE;
	struct df_layer layer;
	struct df_copy *copy;

	assert_non_null(mkdtemp(path));
	build_things(path, things);
	spec.context = df_context_open_dir(path, NULL, &err);
	if (df_copy_plan(&spec, &copy, &err) < 0 || df_copy_run(copy, -1, &how, &layer, &err) < 0)
		fail_msg("%s", err.msg);
	memcpy(diff_id, layer.diff_id, DIGEST_TEXT_MAX);
	df_copy_free(copy);
	df_context_free(spec.context);
}
