/* orchestrator/roots - where state lives: the two roots and the folders of one project.
 *
 * /var/lib/stack (STACK_ROOT) survives a reboot, /run/stack (STACK_RUNTIME_ROOT) does not. Both
 * belong to one user, 0700 below the top. Blocks (a few system calls).
 */
#pragma once
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"

struct roots {
	char *state, *run; /* absolute paths */
	int state_fd, run_fd;
};

/* NULL: the environment's, else the default. Folders are made when absent. ERR_DENIED says who owns
 * them. */
struct roots *roots_open(const char *state, const char *run, struct err *err);
void roots_close(struct roots *roots);
AUTO_TYPE(roots, roots_close);

struct project_dirs {
	const struct roots *roots; /* borrowed */
	char *name;
	char *state, *run;    /* STATE/projects/NAME, RUN/projects/NAME */
	int state_fd, run_fd; /* run_fd may be -1 when not made */
	int containers_fd, slots_fd;
};

/* make=false: ERR_NOT_FOUND when the project has no folder. */
struct project_dirs *project_dirs_open(const struct roots *roots, const char *name, bool make,
				       struct err *err);
void project_dirs_close(struct project_dirs *dirs);
/* Removes the folders of a project that has nothing in them; what is not empty stays. */
void project_dirs_drop_empty(const struct project_dirs *dirs);
AUTO_TYPE(project_dirs, project_dirs_close);

/* Names of all projects that have a folder, sorted, NULL-terminated; free each and the array. */
char **project_names(const struct roots *roots, struct err *err);
void names_free(char **names);
static inline void auto_names(char ***names)
{
	if (*names)
		names_free(*names);
}
