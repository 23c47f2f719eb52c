/* orchestrator/cli/commit_image - an image out of a container's writable layer. Blocks (disk,
 * hashing). */
#pragma once
#include "orchestrator/cli/cli.h"
#include "orchestrator/observe.h"

struct commit_wish {
	const char *name;           /* as people write it, or NULL */
	const char *message;        /* history's comment, or NULL */
	const char *author;         /* or NULL */
	const char *const *changes; /* instructions of a Dockerfile, NULL-terminated */
};

/* What the container changed becomes a layer above its image; volumes and what the runtime made are
 * not in it. The container must not write meanwhile. out_id: DIGEST_TEXT_MAX bytes. ERR_INVALID: a
 * change that is none. */
int commit_image(struct cli *cli, const struct project_dirs *dirs,
		 const struct observed_container *container, const struct commit_wish *wish,
		 char *out_id, struct err *err);
