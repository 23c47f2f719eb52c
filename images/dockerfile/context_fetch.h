/* images/dockerfile/context_fetch - contexts that are no folder yet: an archive, git, a URL.
 *
 * All of it lands in a temporary folder of the store, which goes when the fetched thing is closed
 * (and, after a crash, when a store is opened next), an archive as a layer that gc takes later.
 * Foreign bytes: archives are read by the rules of layers, git runs without hooks, configuration
 * and terminal. Blocks (network, disk).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/dockerfile/context.h"

struct df_fetched {
	struct store *store; /* borrowed */
	char name[32];       /* of the temporary folder */
	int lock_fd;         /* holds it */
	struct lease *lease; /* of an archive's layer, or NULL */
	struct df_context *context;
	char *dockerfile; /* text, when the stream was a plain Dockerfile; then the context is empty
			   */
	char commit[65];  /* of git; else "" */
};
void df_fetched_free(struct df_fetched *fetched);
AUTO_TYPE(df_fetched, df_fetched_free);

/* What a context argument is. */
enum df_context_kind {
	DF_CONTEXT_FOLDER,
	DF_CONTEXT_STDIN, /* "-" */
	DF_CONTEXT_GIT,   /* git@..., git://, ssh://, URL.git[#ref[:subdir]], file://...git,
			     github.com/... */
	DF_CONTEXT_URL    /* http(s):// of an archive or a Dockerfile */
};
enum df_context_kind df_context_kind(const char *text);

/* A tar (raw, gzip, zstd) or a plain Dockerfile from fd, told apart by its bytes. NULL on error. */
struct df_fetched *df_context_from_stream(struct store *store, int fd, const char *name,
					  struct err *err);
/* keep_git: leave .git in the tree (BUILDKIT_CONTEXT_KEEP_GIT_DIR). Errors: INVALID for an URL or a
 * ref that could be read as an option; UNSUPPORTED without a git program; NOT_FOUND. */
struct df_fetched *df_context_from_git(struct store *store, const char *url, bool keep_git,
				       struct err *err);
struct df_fetched *df_context_from_url(struct store *store, const char *url, struct err *err);
