/* orchestrator/build_work - the folder of one running builder, and what dead ones left behind.
 *
 * STATE/build/work/ID/ holds everything that a build makes on its way: upper folders, bundles,
 * files for RUN. `lock` in it is flock'ed while the builder lives. The builder has a mount
 * namespace of its own: whatever happens to it, its mounts go with it. Blocks (disk, processes).
 */
#pragma once
#include "base/cleanup.h"
#include "base/err.h"
#include "images/store.h"
#include "orchestrator/roots.h"

#define BUILD_ID_LEN 12

struct build_work {
	const struct roots *roots; /* borrowed */
	char id[BUILD_ID_LEN + 1];
	char project[BUILD_ID_LEN + 8]; /* "_build-ID": owner of its network and cgroups; no name of
					   a file's project begins with '_' */
	char *path;                     /* STATE/build/work/ID */
	char *memory_path;              /* PATH/memory, a tmpfs: bundles and secrets */
	char *run_path;                 /* RUN/containers: root of stack-runtime */
	int fd, memory_fd, lock_fd;
};

/* Sweeps (build_work_sweep), makes the folder and leaves for a mount namespace of its own: the
 * process must have one thread. Errors: DENIED without the right to do so. */
struct build_work *build_work_open(const struct roots *roots, int runtime_fd, struct err *err);
/* Removes the folder. */
void build_work_close(struct build_work *work);
AUTO_TYPE(build_work, build_work_close);

/* Name of a container of this builder for stack-runtime: "build-ID-NUMBER"; a sweep finds it by it.
 */
#define BUILD_CONTAINER_MAX 48
char *build_work_container(const struct build_work *work, unsigned number,
			   char out[BUILD_CONTAINER_MAX]);
/* A folder PATH/name, made; name may have parts ("memory/x"). Its path is to be freed. */
char *build_work_folder(const struct build_work *work, const char *name, struct err *err);

/* Containers, networks and folders of builders that live no more. runtime_fd: stack-runtime.
 * Nothing there: cheap. */
int build_work_sweep(const struct roots *roots, int runtime_fd, struct err *err);
/* Whether a name like project above is one of a builder that lives. */
bool build_work_is_alive(const struct roots *roots, const char *project);
