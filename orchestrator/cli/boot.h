/* orchestrator/cli/boot - a project's link into systemd's boot: files alone, no manager is asked.
 * Blocks (disk). */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "orchestrator/roots.h"

/* Where the manager looks for units, first to last, and where the machine's own links stand. */
struct boot_dirs {
	const char *const *units; /* NULL-terminated */
	const char *own;          /* /etc/systemd/system */
};
extern const struct boot_dirs boot_dirs_system;

/* Links OWN/multi-user.target.wants/stack@PROJECT.service to the template unit; roots other than
 * the usual ones go into a drop-in file. ERR_NOT_FOUND when the template is not installed.
 * *out_new: it was not linked before. */
int boot_enable(const struct boot_dirs *dirs, const struct roots *roots, const char *project,
		bool *out_new, struct err *err);
/* Takes link and drop-in away; *out_was: there was a link. */
int boot_disable(const struct boot_dirs *dirs, const char *project, bool *out_was, struct err *err);
