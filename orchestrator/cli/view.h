/* orchestrator/cli/view - a project as commands that only look see it: its folders and what is
 * observed in them. Blocks (disk). */
#pragma once
#include "base/cleanup.h"
#include "base/err.h"
#include "orchestrator/cli/cli.h"
#include "orchestrator/observe.h"

struct view {
	struct project_dirs *dirs; /* NULL: the project has no folder */
	struct observed *observed; /* never NULL; empty without a folder */
};

/* The project that the command line means. must_exist: ERR_NOT_FOUND when it has no folder. */
struct view *view_open(struct cli *cli, bool must_exist, struct err *err);
/* Any project by its name. */
struct view *view_open_project(struct cli *cli, const char *name, struct err *err);
void view_free(struct view *view);
AUTO_TYPE(view, view_free);

/* ERR_NOT_FOUND "no such service: X" for the first name that neither model nor container knows. */
int view_check_services(const struct view *view, const char *const *services, struct err *err);
/* Whether the name stands in a NULL-terminated list. */
bool view_is_listed(const char *const *names, const char *name);
/* As above, and an empty list means everything. */
bool view_is_meant(const char *const *services, const char *service);

/* Every project of the machine that can be read, sorted by name; each returns -1 to stop. */
int view_each(struct cli *cli, int (*each)(void *ctx, const struct view *view, struct err *err),
	      void *ctx, struct err *err);
/* The container called so (name, or at least 4 digits of its ID) in any project; its project in
 * *out_view, the caller's. ERR_NOT_FOUND "no such container: X", ERR_INVALID when an ID is short of
 * one meaning. */
const struct observed_container *view_find_container(struct cli *cli, const char *text,
						     struct view **out_view, struct err *err);
