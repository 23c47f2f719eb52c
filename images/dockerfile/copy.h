/* images/dockerfile/copy - COPY and ADD: from a context straight to a layer.
 *
 * Two halves. The plan finds the sources and their digests, which is all that the cache key needs;
 * the run writes them as a layer. No upper folder and no writable mount is involved: the layer is
 * made from the sources and a look at the stage's tree (where the destination leads, what stands
 * there already). Source: Dockerfile reference, "COPY" and "ADD".
 *
 *	df_copy_plan -> df_copy_key -> (cache asked) -> df_copy_run -> df_copy_free
 *
 * Blocks (disk; ADD of a URL or a repository: network, in the plan). A plan belongs to one thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/dockerfile/capture.h"
#include "images/dockerfile/context.h"
#include "images/dockerfile/key.h"
#include "images/dockerfile/table.h"

struct df_copy;

/* A heredoc of COPY or ADD. */
struct df_copy_file {
	const char *name, *text;
	size_t len;
};

#define DF_COPY_LINK         1u  /* --link */
#define DF_COPY_PARENTS      2u  /* --parents */
#define DF_COPY_KEEP_GIT_DIR 4u  /* --keep-git-dir */
#define DF_COPY_UNPACK       8u  /* --unpack or --unpack=true: of a URL, too */
#define DF_COPY_NO_UNPACK    16u /* --unpack=false: archives stay files */

/* All texts are expanded and outlive the plan. */
struct df_copy_spec {
	enum df_kind kind;          /* DF_COPY or DF_ADD */
	struct df_context *context; /* of the sources; may be NULL for heredocs alone */
	const char *const *sources; /* without the destination, without heredocs */
	size_t source_count;
	const struct df_copy_file *files;
	size_t file_count;
	const char *destination; /* with its last '/' */
	const char *cwd;         /* WORKDIR, absolute; relative destinations are below it */
	const char *chown, *chmod, *checksum; /* or NULL */
	const char *const *excludes;
	size_t exclude_count;
	unsigned flags;
	struct lease *lease; /* of the build: temporary files are made in its store */
};

/* Errors: NOT_FOUND "\"x\": not found in the context", with "(excluded by .dockerignore line N)";
 * INVALID: no match for a pattern, several sources for a destination without '/', a device or
 * socket among the sources, --chmod, --checksum; the caller puts the place in front. */
int df_copy_plan(const struct df_copy_spec *spec, struct df_copy **out, struct err *err);
void df_copy_free(struct df_copy *copy);
AUTO_TYPE(df_copy, df_copy_free);

/* parent: key of the step before. */
void df_copy_key(struct df_copy *copy, const char *parent, char out[DF_KEY_SIZE]);
/* Digest of the sources alone: the content of a RUN mount. */
void df_copy_tree_key(struct df_copy *copy, char out[DF_KEY_SIZE]);

/* Writes the layer. root_fd: the stage's tree so far, merged and read-only (df_context_root of
 * df_context_open_layers, or snapshot_mount); -1 for scratch without layers; with --link it serves
 * for the names of --chown alone. Errors: INVALID (a folder in a file's way or the reverse, an
 * unknown name in --chown, a hostile archive); BUSY: a source changed since it was planned: plan
 * again; NO_SPACE. Nothing of a failed run stays. Crash points build:copy-planned,
 * build:copy-written. */
int df_copy_run(struct df_copy *copy, int root_fd, const struct df_layer_spec *layer,
		struct df_layer *out, struct err *err);

/* WORKDIR: the folder, and those above it that are missing, as a layer. out->diff_id is "" when
 * there is nothing to make. path is absolute. user: the image's USER, whom new folders belong to
 * (as with docker), "" or NULL: root. INVALID: something else is in the way. */
int df_copy_workdir(struct lease *lease, int root_fd, const char *path, const char *user,
		    const struct df_layer_spec *layer, struct df_layer *out, struct err *err);

/* The sources as a layer of their own, from its root on: what RUN --mount=type=bind shows (mounted
 * through snapshot_open_layers over that one layer). The spec has one source (or ".") and no
 * destination; a file stands under its own name. */
int df_copy_mount_source(struct df_copy *copy, const struct df_layer_spec *layer,
			 struct df_layer *out, struct err *err);
