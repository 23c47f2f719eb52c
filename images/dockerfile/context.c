/* images/dockerfile/context - where COPY takes its files from.
 *
 * Owns: the root's descriptor, the Dockerfile and the ignore list beside it.
 * May not touch: what is copied (sources, copy).
 */
#include "images/dockerfile/context_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "images/dockerfile/resolve.h"
#include "images/snapshot.h"

#define IGNORE_NAME ".dockerignore"
#define IGNORE_MAX  (1u << 20)

static struct df_context *new_context(const char *name)
{
	struct df_context *context = xcalloc(1, sizeof(*context));

	context->name = xstrdup(name);
	context->root_fd = -1;
	context->arena = arena_new();
	pthread_mutex_init(&context->mutex, NULL);
	return context;
}

/* ---- opening ---- */

struct df_context *df_context_open_dir(const char *path, const char *hashes_folder, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(free) char *real = realpath(path, NULL);
	struct df_context *context;

	if (fd < 0 || !real) {
		err_sys(err, errno, "build context %s", path);
		return NULL;
	}
	context = new_context("the context");
	context->root_fd = TAKE_FD(fd);
	context->hashes = df_hashes_open(hashes_folder, real);
	return context;
}

struct df_context *df_context_open_tree(int root_fd, const char *name)
{
	struct df_context *context = new_context(name);

	context->root_fd = root_fd;
	context->hashes = df_hashes_open(NULL, "");
	return context;
}

struct df_context *df_context_open_layers(struct lease *lease, const char *const *diff_ids,
					  size_t count, const char *name)
{
	struct df_context *context = new_context(name);

	context->lease = lease;
	context->diff_ids = xcalloc(count + 1, sizeof(*context->diff_ids));
	context->layer_count = count;
	for (size_t i = 0; i < count; i++)
		context->diff_ids[i] = xstrdup(diff_ids[i]);
	return context;
}

void df_context_free(struct df_context *context)
{
	if (!context)
		return;
	df_hashes_close(context->hashes);
	if (context->root_fd >= 0)
		close(context->root_fd);
	for (size_t i = 0; i < context->layer_count; i++)
		free(context->diff_ids[i]);
	free(context->diff_ids);
	arena_free(context->arena);
	pthread_mutex_destroy(&context->mutex);
	free(context->name);
	free(context);
}

bool df_context_has_owners(const struct df_context *context)
{
	return context->lease && !context->drops_owners;
}

static int open_layers(struct df_context *context, struct err *err)
{
	AUTO(snapshot)
	struct snapshot *snapshot = snapshot_open_layers(
		context->lease, (const char *const *)context->diff_ids, context->layer_count, err);

	if (snapshot)
		context->root_fd = snapshot_mount(snapshot, err);
	return context->root_fd < 0 ? err_wrap(err, "%s", context->name) : 0;
}

int df_context_root(struct df_context *context, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&context->mutex);
	if (context->root_fd < 0)
		rc = open_layers(context, err);
	pthread_mutex_unlock(&context->mutex);
	return rc < 0 ? -1 : context->root_fd;
}

void df_context_layers_key(const struct df_context *context, char out[DF_KEY_SIZE])
{
	struct df_key_list list = { (const char *const *)context->diff_ids, context->layer_count };

	df_key_config(NULL, DF_FROM, context->drops_owners, &list, out);
}

/* ---- the Dockerfile and the ignore list ---- */

/* A regular file's text. 1, 0: not there, -1. outside: a path of the caller's machine. */
static int read_text(struct df_context *context, const char *path, bool outside, size_t max,
		     char **out, size_t *out_len, struct err *err)
{
	AUTO(fd) int fd = -1;
	const char *real;
	struct stat st;
	int rc = 1;

	if (outside) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	} else {
		rc = df_resolve(context->root_fd, context->arena, path, true, &real, &st, err);
		if (rc <= 0)
			return rc;
		fd = S_ISREG(st.st_mode)
			     ? df_open_plain(context->root_fd, real, O_RDONLY | O_NONBLOCK)
			     : -1;
	}
	if (fd < 0 && outside && errno == ENOENT)
		return 0;
	if (fd < 0 && outside)
		return err_sys(err, errno, "open %s", path);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "%s is no file", path);
	return file_read_fd(fd, path, max, out, out_len, err) < 0 ? -1 : 1;
}

static int read_ignore(struct df_context *context, const char *name, bool outside, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t len;
	int rc = read_text(context, name, outside, IGNORE_MAX, &text, &len, err);

	if (rc <= 0)
		return rc;
	context->ignore_name = arena_strdup(context->arena, name);
	return df_ignore_parse(context->arena, context->ignore_name, (struct slice){ text, len },
			       &context->ignore, err) < 0
		       ? -1
		       : 1;
}

int df_context_read_ignore(struct df_context *context, struct err *err)
{
	return read_ignore(context, IGNORE_NAME, false, err) < 0 ? -1 : 0;
}

static int read_ignore_of(struct df_context *context, const char *file, struct err *err)
{
	int rc = 0;

	if (file) {
		AUTO(free) char *beside = xformat("%s%s", file, IGNORE_NAME);

		rc = read_ignore(context, beside, *file == '/', err);
	}
	if (rc == 0)
		rc = read_ignore(context, IGNORE_NAME, false, err);
	return rc < 0 ? -1 : 0;
}

static int find_dockerfile(struct df_context *context, const char *file, char **out_text,
			   size_t *out_len, const char **out_name, struct err *err)
{
	static const char *const defaults[] = { "Dockerfile", "dockerfile", NULL };
	const char *const given[] = { file, NULL };

	for (const char *const *name = file ? given : defaults; *name; name++) {
		int rc = read_text(context, *name, file && *file == '/', DF_DOCKERFILE_MAX,
				   out_text, out_len, err);

		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		*out_name = arena_strdup(context->arena, *name);
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no file %s in %s", file ? file : defaults[0],
		       context->name);
}

int df_context_read_file(struct df_context *context, const char *file, const char *inline_text,
			 char **out_text, size_t *out_len, const char **out_name, struct err *err)
{
	if (inline_text) {
		*out_text = xstrdup(inline_text);
		*out_len = strlen(inline_text);
		*out_name = "Dockerfile";
		return read_ignore_of(context, NULL, err);
	}
	if (find_dockerfile(context, file, out_text, out_len, out_name, err) < 0)
		return -1;
	if (read_ignore_of(context, *out_name, err) == 0)
		return 0;
	free(TAKE(*out_text));
	return -1;
}
