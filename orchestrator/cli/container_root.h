/* orchestrator/cli/container_root - the file system of a container, running or not, as a
 * descriptor. Blocks. */
#pragma once
#include "base/err.h"
#include "orchestrator/cli/cli.h"
#include "orchestrator/observe.h"

/* O_DIRECTORY of its root: what the running processes see, or, of one that does not run, image and
 * writable layer as a detached mount without its volumes; that one must be closed before the
 * container starts. -1 with *err. */
int container_root_open(struct cli *cli, const struct project_dirs *dirs,
			const struct observed_container *container, struct err *err);
/* What lies at target in that root is a file, and another one than source of the host: a bind that
 * an editor's rename has left behind. */
bool container_root_lost(int root_fd, const char *target, const char *source);
