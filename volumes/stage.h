/* volumes/stage - how a descriptor becomes a source in config.json.
 *
 * A runtime reads sources as paths, and a descriptor cannot cross processes as a path. So what must
 *not be looked up again (a subpath, an idmapped clone, files of secrets) is mounted by descriptor
 *(move_mount) at RUNTIME_ROOT/stage/CONTAINER-ID/N and that path goes into config.json.
 *RUNTIME_ROOT/stage is a mount point of its own, private, so nothing of it shows up in other mount
 *namespaces; it is mode 0700, and
 * gone when no stage is left.
 *
 * When the runtime has created the container (its word "created"), the orchestrator calls
 *stage_drop: the container's own binds keep the mounts alive, and what was only there (a tmpfs with
 *secrets) goes with the container, whatever happens to us. A stage is made anew at every start.
 *Recovery: stage_drop for every container, or stage_sweep. Blocks (kernel).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

struct volume_stage {
	int dir_fd; /* RUNTIME_ROOT/stage/ID */
	char *path; /* absolute */
	unsigned next;
};

/* Makes and opens the container's stage; an older one of that id is dropped first. runtime_path:
 * absolute. */
struct volume_stage *stage_open(const char *runtime_path, const char *container_id,
				struct err *err);
void stage_close(struct volume_stage *stage); /* closes the descriptors, mounts stay */
AUTO_TYPE(volume_stage, stage_close);

/* Mounts a detached mount (base/mount) as the next number; is_dir says what its root is. Returns
 * the absolute path, to be freed. mount_fd stays the caller's. */
char *stage_attach(struct volume_stage *stage, int mount_fd, bool is_dir, struct err *err);
/* A folder or file inside a detached mount: subpath is resolved inside it alone (links too). For
 * image volumes with a subpath. ERR_NOT_FOUND. */
char *stage_attach_below(struct volume_stage *stage, int mount_fd, const char *subpath,
			 struct err *err);
/* Clones what fd shows (O_PATH is fine; recursive: with mounts below it) and attaches that. */
char *stage_clone(struct volume_stage *stage, int fd, bool recursive, struct err *err);

/* Unmounts and removes the container's stage. Not there: fine. */
int stage_drop(const char *runtime_path, const char *container_id, struct err *err);
