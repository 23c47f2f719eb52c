/* orchestrator/cli/view - a project as commands that only look see it.
 *
 * Owns: opening, the walk over all projects, containers by name. May not touch: anything: it only
 * reads.
 */
#include "orchestrator/cli/view.h"

#include <string.h>

#include "base/alloc.h"

#define PREFIX_MIN 4 /* digits of an ID that may stand for it */

static struct view *view_of(struct project_dirs *dirs, struct err *err)
{
	AUTO(view) struct view *view = xcalloc(1, sizeof(*view));

	view->dirs = dirs;
	view->observed = dirs ? observe_project(dirs, err) : xcalloc(1, sizeof(struct observed));
	return view->observed ? TAKE(view) : NULL;
}

struct view *view_open(struct cli *cli, bool must_exist, struct err *err)
{
	struct project_dirs *dirs = NULL;

	return cli_project_dirs(cli, must_exist, &dirs, err) < 0 ? NULL : view_of(dirs, err);
}

struct view *view_open_project(struct cli *cli, const char *name, struct err *err)
{
	struct project_dirs *dirs;

	if (cli_roots(cli, err) < 0)
		return NULL;
	dirs = project_dirs_open(cli->roots, name, false, err);
	return dirs ? view_of(dirs, err) : NULL;
}

void view_free(struct view *view)
{
	if (view->observed)
		observed_free(view->observed);
	if (view->dirs)
		project_dirs_close(view->dirs);
	free(view);
}

int view_check_services(const struct view *view, const char *const *services, struct err *err)
{
	for (; services && *services; services++)
		if (!observed_has_service(view->observed, *services))
			return err_set(err, ERR_NOT_FOUND, "no such service: %s", *services);
	return 0;
}

bool view_is_listed(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool view_is_meant(const char *const *services, const char *service)
{
	return !services || !services[0] || view_is_listed(services, service);
}

int view_each(struct cli *cli, int (*each)(void *ctx, const struct view *view, struct err *err),
	      void *ctx, struct err *err)
{
	AUTO(names) char **names = NULL;

	if (cli_roots(cli, err) < 0)
		return -1;
	names = project_names(cli->roots, err);
	if (!names)
		return -1;
	for (char **name = names; *name; name++) {
		struct err gone = ERR_NONE;
		AUTO(view) struct view *view = view_open_project(cli, *name, &gone);

		if (view && each(ctx, view, err) < 0)
			return -1;
	}
	return 0;
}

struct search {
	const char *text;
	struct cli *cli;
	char *project, *id;
	bool by_name, doubtful;
};

static int look(void *ctx, const struct view *view, struct err *err)
{
	struct search *search = ctx;
	size_t len = strlen(search->text);

	(void)err;
	for (size_t i = 0; i < view->observed->count && !search->by_name; i++) {
		const struct record *record = view->observed->containers[i].record;

		search->by_name = strcmp(record->name, search->text) == 0;
		if (!search->by_name &&
		    (len < PREFIX_MIN || strncmp(record->id, search->text, len) != 0))
			continue;
		search->doubtful = !search->by_name && search->id;
		search->id = arena_strdup(search->cli->arena, record->id);
		search->project = arena_strdup(search->cli->arena, view->dirs->name);
	}
	return 0;
}

const struct observed_container *view_find_container(struct cli *cli, const char *text,
						     struct view **out_view, struct err *err)
{
	struct search search = { .text = text, .cli = cli };
	AUTO(view) struct view *view = NULL;

	if (view_each(cli, look, &search, err) < 0)
		return NULL;
	if (search.doubtful) {
		err_set(err, ERR_INVALID, "%s: several containers have an ID that begins so", text);
		return NULL;
	}
	view = search.id ? view_open_project(cli, search.project, err) : NULL;
	for (size_t i = 0; view && i < view->observed->count; i++)
		if (strcmp(view->observed->containers[i].record->id, search.id) == 0) {
			const struct observed_container *found = &view->observed->containers[i];

			*out_view = TAKE(view);
			return found;
		}
	*err = ERR_NONE;
	err_set(err, ERR_NOT_FOUND, "no such container: %s", text);
	return NULL;
}
