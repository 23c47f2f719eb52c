/* orchestrator/cli/copy_between - a file or folder from one root to another, with cp's rules for
 * the target. Blocks.
 *
 * Both sides are a root and a path that is resolved inside it, links included; the host's side is
 * "/" and an absolute path. What goes between them is a tar (volumes/tree_out, tree_in), so neither
 * side's links lead out of its root.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"

struct copy_end {
	int root_fd; /* borrowed */
	const char *path;
	const char *where; /* for messages: "container shop-web-1", "this machine" */
};

#define COPY_BETWEEN_OWNERS 1u /* -a: owner and group stay; else root */
#define COPY_BETWEEN_FOLLOW 2u /* -L: a link at the source itself is followed */

/* docker's rules: a folder goes into a folder that exists, or becomes one that does not; "FOLDER/."
 * is its content; a file goes into a folder, onto a file, or becomes one. ERR_NOT_FOUND,
 * ERR_INVALID (a folder onto a file). */
int copy_between(const struct copy_end *from, const struct copy_end *to, unsigned flags,
		 struct err *err);

/* "web:/etc/hosts" in two; false for a path of this machine ("./a:b", "/a:b", "-", no colon).
 * Copies in *out_service, to be freed; *out_path points into word. */
bool copy_word_split(const char *word, char **out_service, const char **out_path);
