/* images/dockerfile/context - where COPY takes its files from: a folder, seen by its descriptor.
 *
 * The build context, a named context (--build-context), or the layers of another stage or image.
 * Nothing is copied beforehand: files are looked at when a step names them. All access is below one
 * descriptor by openat2 without following links, so links, ".." and whoever changes the tree
 * meanwhile lead nowhere else; fifos, sockets and devices are never opened. What .dockerignore
 * excludes does not exist for COPY. A context may be used by several threads (steps of parallel
 * stages). Blocks (disk).
 *
 *	df_context_open_dir / _open_tree / _open_layers        one call each, see context_fetch for
 *	df_context_read_file                                   archives, git and URLs
 *	df_copy_plan(... context ...) as often as needed
 *	df_context_free
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "images/dockerfile/hashes.h"
#include "images/dockerfile/ignore.h"
#include "images/store.h"

#define DF_DOCKERFILE_MAX (4u << 20)

struct df_context;

/* path: a folder of the caller's machine. hashes_folder: where digests are kept between builds,
 * e.g. ROOT/build/hashes; NULL: nowhere. Errors: from errno. NULL on error. */
struct df_context *df_context_open_dir(const char *path, const char *hashes_folder,
				       struct err *err);
/* A folder that was made for this build alone (an unpacked archive, a clone): root_fd goes over to
 * the context in every case. name: for messages. */
struct df_context *df_context_open_tree(int root_fd, const char *name);
/* The files of layers (diff_ids[0] is the bottom): COPY --from, RUN --mount from=. They are held by
 * the lease, and mounted when a step looks at them, which it does not when the answer is known
 * already from an earlier build. Owners count. name: for messages ("stage build"). Never NULL. */
struct df_context *df_context_open_layers(struct lease *lease, const char *const *diff_ids,
					  size_t count, const char *name);
void df_context_free(struct df_context *context);
AUTO_TYPE(df_context, df_context_free);

/* True for layers: entries keep their owners. */
bool df_context_has_owners(const struct df_context *context);

/* Reads the Dockerfile, and the ignore list that goes with it: FILE.dockerignore beside it, else
 * .dockerignore of the context. file NULL: "Dockerfile", then "dockerfile" in the context. A path
 * with a leading '/' is one of the caller's machine (-f, resolved by the caller; may lie outside);
 * any other is below the context. inline_text: that text is the Dockerfile (dockerfile_inline, -f
 * -), file is not looked at. *out_text is NUL-terminated, to be freed; *out_name is for messages,
 * in the context's memory. Errors: NOT_FOUND "no Dockerfile in ...", INVALID (the ignore list, at
 * its line; too large). Once per context, before the first plan. */
int df_context_read_file(struct df_context *context, const char *file, const char *inline_text,
			 char **out_text, size_t *out_len, const char **out_name, struct err *err);
/* The list alone, for contexts without a Dockerfile (--build-context): .dockerignore, if any. */
int df_context_read_ignore(struct df_context *context, struct err *err);

/* The merged tree or the folder: borrowed, O_PATH or readable; -1 with err. For user look-ups. */
int df_context_root(struct df_context *context, struct err *err);
