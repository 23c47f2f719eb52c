/* orchestrator/cli/build_project - which services of a project are built, and all of them at once.
 *
 * Owns: the choice. May not touch: the worker (build_follow), the keys of `build`
 * (orchestrator/build_service).
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "images/store.h"
#include "orchestrator/cli/build_follow.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/plan.h"
#include "orchestrator/transfer.h"

static bool is_policy(const struct service *service, const char *word)
{
	return service->pull_policy && strcmp(service->pull_policy, word) == 0;
}

/* Without --build: those that say so, and those whose image is nowhere. An `image:` with a policy
 * that pulls is left to the pull. */
static bool must_build(struct store *store, struct arena *arena, const struct project *project,
		       const struct service *service)
{
	char id[DIGEST_TEXT_MAX];
	struct err absent = ERR_NONE;

	if (is_policy(service, "build"))
		return true;
	if (service->image && service->pull_policy && !is_policy(service, "never"))
		return false;
	return store_resolve(store, service_image_name(arena, project, service), id, &absent) < 0;
}

/* Services that a context "service:NAME" of a chosen one names. */
static void choose_contexts(const struct project *project, bool *chosen)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < project->service_count; i++) {
			const struct build *build = project->services[i].build;

			for (size_t n = 0; chosen[i] && n < build->additional_contexts.count; n++) {
				const char *value = build->additional_contexts.items[n].value;
				const struct service *other =
					value && text_starts(value, "service:")
						? project_find_service(project, value + 8)
						: NULL;
				size_t at = other ? (size_t)(other - project->services) : 0;

				if (!other || !other->build || chosen[at])
					continue;
				chosen[at] = again = true;
			}
		}
	}
}

static int choose(struct cli *cli, const struct project *project, const char *const *services,
		  unsigned which, bool **out, struct err *err)
{
	struct plan_options plan = { .op = PLAN_UP,
				     .flags = which & BUILD_WITH_DEPENDENCIES ? 0 : PLAN_NO_DEPS,
				     .services = services };
	AUTO(store) struct store *store = NULL;

	while (services && services[plan.service_count])
		plan.service_count++;
	if (plan_select(cli->arena, project, &plan, out, err) < 0)
		return -1;
	if (!(which & BUILD_ALL)) {
		store = transfer_store_open(cli->roots->state, cli->roots->run,
					    options_text(options_globals(cli->options), "config"),
					    err);
		if (!store)
			return -1;
	}
	for (size_t i = 0; i < project->service_count; i++)
		(*out)[i] = (*out)[i] && project->services[i].build &&
			    (which & BUILD_ALL ||
			     must_build(store, cli->arena, project, &project->services[i]));
	choose_contexts(project, *out);
	return 0;
}

int build_services(struct cli *cli, const struct project *project, const char *const *services,
		   unsigned which, const struct build_service_options *how, enum progress_form form,
		   struct json_object **out_images, struct err *err)
{
	struct build_spec *specs =
		arena_alloc(cli->arena, (project->service_count + 1) * sizeof(*specs));
	size_t count = 0;
	bool *chosen;

	if (choose(cli, project, services, which, &chosen, err) < 0)
		return -1;
	for (size_t i = 0; i < project->service_count; i++) {
		const char *notice;

		if (!chosen[i])
			continue;
		if (build_service_spec(cli->arena, project, &project->services[i], how,
				       &specs[count++], &notice, err) < 0)
			return -1;
		if (notice)
			cli_warn("%s", notice);
	}
	if (cli->dry_run) {
		for (size_t i = 0; i < count; i++)
			fprintf(stderr, " DRY-RUN MODE -  Image %s  Build\n",
				specs[i].tags.items[0]);
		return 0;
	}
	return count ? build_follow(cli, specs, count, form, 0, out_images, err) : 0;
}

/* Not every command has every flag. */
static bool has_flag(const struct options *options, const char *name)
{
	return option_row_named(options_command(options)->options, name, strlen(name)) &&
	       options_flag(options, name);
}

/* --dry-run: what --build would build; what is built because it lacks is not looked for. */
static void tell_builds(struct cli *cli, const struct options *options,
			const struct project *project, const char *const *services)
{
	AUTO(progress)
	struct progress *progress =
		progress_new(stderr, cli->progress, "Building", PROGRESS_DRY_RUN);

	for (size_t i = 0; has_flag(options, "build") && i < project->service_count; i++)
		if (project->services[i].build &&
		    view_is_meant(services, project->services[i].name))
			progress_event(progress,
				       &(struct progress_event){
					       .kind = "Image",
					       .name = service_image_name(cli->arena, project,
									  &project->services[i]),
					       .verb = "Built",
					       .state = PROGRESS_DONE });
}

int build_before(struct cli *cli, const struct options *options, const struct project *project,
		 const char *const *services, bool with_dependencies, struct err *err)
{
	struct build_service_options how = { .lookup = build_lookup,
					     .ssh_auth_sock = getenv("SSH_AUTH_SOCK") };
	bool any = false;

	for (size_t i = 0; i < project->service_count && !any; i++)
		any = project->services[i].build != NULL;
	if (!any || has_flag(options, "no-build"))
		return 0;
	if (cli->dry_run) {
		tell_builds(cli, options, project, services);
		return 0;
	}
	return build_services(
		cli, project, services,
		(has_flag(options, "build") ? BUILD_ALL : 0) |
			(with_dependencies ? BUILD_WITH_DEPENDENCIES : 0),
		&how, has_flag(options, "quiet-build") ? PROGRESS_QUIET : cli->progress, NULL, err);
}
