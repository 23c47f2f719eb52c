/* specs/load - stack files in, a project out.
 *
 * Owns: the order of the steps after the last file, the result. May not touch: what the steps do.
 * Blocks (disk). Source: Compose Specification; where it is silent, docker compose 2.40.
 */
#include "specs/load.h"

#include <stdlib.h>
#include <string.h>

#include "specs/decode.h"
#include "specs/discover.h"
#include "specs/finish.h"
#include "specs/paths.h"
#include "specs/steps.h"

static bool has(const struct loader *loader, enum load_flag flag)
{
	return loader->options->flags & flag;
}

static void start(struct loader *loader, struct arena *arena, const struct load_options *options,
		  struct load_result *result)
{
	*loader = (struct loader){
		.arena = arena,
		.options = options,
		.result = result,
		.problems = &result->problems,
		.env = { .arena = arena },
		.built_in = { .arena = arena },
		.variables = { .arena = arena },
		.bytes_before = arena_bytes(arena),
	};
	loader->env.below = &loader->built_in;
	result->problems.arena = arena;
	vars_add_env(&loader->env, options->env);
	vars_set_default(&loader->env, "PWD", options->working_dir);
	vars_set(&loader->built_in, "UID", arena_format(arena, "%u", options->uid));
	vars_set(&loader->built_in, "GID", arena_format(arena, "%u", options->gid));
	loader->home = vars_get(&loader->env, "HOME");
	if (loader->home && loader->home[0] != '/')
		loader->home = NULL;
}

static int read_sources(struct loader *loader, const struct texts *paths, struct sources *out)
{
	int result = 0;

	out->items = arena_alloc(loader->arena, (paths->count + 1) * sizeof(*out->items));
	out->count = paths->count;
	for (size_t i = 0; i < paths->count; i++)
		result |= loader_read(loader, paths->items[i], (struct place){ 0 }, "",
				      &out->items[i]);
	return result;
}

/* Links in the paths of watch rules: events come with the real path. Absent ones stay. */
static void follow_links(struct loader *loader, const struct node *root)
{
	const struct node *services = node_get(root, "services");

	for (size_t i = 0; services && i < services->count; i++) {
		const struct node *rules =
			node_get(node_get(services->members[i].value, "develop"), "watch");

		for (size_t k = 0; rules && rules->kind == NODE_LIST && k < rules->count; k++) {
			struct node *path = node_get(rules->members[k].value, "path");
			AUTO(free)
			char *real =
				path && path->kind == NODE_TEXT ? realpath(path->text, NULL) : NULL;

			if (real)
				path->text = arena_strdup(loader->arena, real);
		}
	}
}

/* Finish, paths, environment, names: the tree as a whole. */
static int complete(struct loader *loader, struct node *root)
{
	struct shape shape = {
		.arena = loader->arena,
		.problems = loader->problems,
		.is_raw = has(loader, LOAD_NO_INTERPOLATE),
	};
	const struct path_base base = {
		.arena = loader->arena,
		.problems = loader->problems,
		.directory = loader->project_directory,
		.home = loader->home,
	};

	const struct node *services = node_get(root, "services");

	if (services && services->count > LOADER_SERVICES_MAX)
		return problem_error(loader->problems, PROBLEM_LIMIT, services->place, "services",
				     "more than %u services", LOADER_SERVICES_MAX);
	if (finish_document(&shape, root) < 0)
		return -1;
	if (!has(loader, LOAD_NO_PATHS)) {
		if (paths_resolve(&base, root) < 0)
			return -1;
		follow_links(loader, root);
	}
	if (!shape.is_raw)
		environment_resolve(loader, root);
	node_set_text(loader->arena, root, "name", (struct place){ 0 }, loader->result->name);
	return 0;
}

/* Which services, and what they bring. */
static int choose(struct loader *loader, struct node *root, struct selection *out_selection)
{
	if (profiles_apply(loader, root, out_selection) < 0)
		return -1;
	if (!has(loader, LOAD_NO_NORMALIZE))
		normalise_services(loader, root);
	if (profiles_select(loader, root, out_selection) < 0)
		return -1;
	if (!has(loader, LOAD_NO_ENV_FILES) && !has(loader, LOAD_NO_INTERPOLATE) &&
	    environment_read_files(loader, root) < 0)
		return -1;
	if (!has(loader, LOAD_NO_NORMALIZE))
		normalise_names(loader, root);
	return 0;
}

/* Values of secrets and contents of configs that come from the environment. */
static void fill_sources(struct loader *loader, struct project *project)
{
	for (size_t i = 0; i < project->secret_count; i++)
		if (project->secrets[i].environment)
			project->secrets[i].value =
				vars_get(&loader->env, project->secrets[i].environment);
	for (size_t i = 0; i < project->config_count; i++) {
		struct file_source *config = &project->configs[i];

		if (config->environment && !config->content)
			config->content = vars_get(&loader->env, config->environment);
	}
}

static struct project *decode(struct loader *loader, const struct node *root,
			      const struct selection *selection, const struct texts *files)
{
	struct project *project = arena_alloc(loader->arena, sizeof(*project));

	decode_map(loader->arena, &project_table, root, project);
	decode_named(loader->arena, &service_table, selection->disabled,
		     &project->disabled_services, &project->disabled_service_count);
	project->working_dir = loader->project_directory;
	project->files = *files;
	project->env_files = loader->env_files;
	project->profiles = selection->active;
	fill_sources(loader, project);
	return project;
}

static int load_tree(struct loader *loader, const struct texts *files,
		     const struct sources *sources)
{
	struct file_chain chain = { NULL, files->items[0] };
	const struct model_load load = {
		.loader = loader,
		.vars = &loader->env,
		.directory = loader->project_directory,
		.chain = &chain,
	};
	struct node *root = loader_build(&load, sources);
	struct selection selection;
	struct project *project;

	if (!root || complete(loader, root) < 0 || choose(loader, root, &selection) < 0)
		return -1;
	loader->result->tree = root;
	if (!has(loader, LOAD_ALL_RESOURCES))
		profiles_drop_unused(loader, root);
	if (has(loader, LOAD_NO_INTERPOLATE))
		return 0;
	project = decode(loader, root, &selection, files);
	if (!has(loader, LOAD_NO_CONSISTENCY) && check_project(loader, root, project) < 0)
		return -1;
	loader->result->project = project;
	return 0;
}

static int load(struct loader *loader)
{
	struct load_result *result = loader->result;
	const char *flag = loader->options->project_name;
	struct texts files = { 0 };
	struct sources sources = { 0 };

	if (has(loader, LOAD_NAME_ONLY) && flag && *flag) {
		loader->project_directory = loader->options->working_dir;
		result->name = discover_name(loader, &sources);
		return result->name ? 0 : -1;
	}
	if (discover_files(loader, &files) < 0)
		return -1;
	if (read_sources(loader, &files, &sources) < 0)
		return -1;
	result->name = discover_name(loader, &sources);
	if (!result->name)
		return -1;
	if (has(loader, LOAD_NAME_ONLY))
		return 0;
	return load_tree(loader, &files, &sources);
}

int project_load(struct arena *arena, const struct load_options *options,
		 struct load_result *out_result)
{
	struct loader loader;
	int result;

	*out_result = (struct load_result){ 0 };
	start(&loader, arena, options, out_result);
	result = load(&loader);
	out_result->environment = vars_sorted(&loader.env);
	interpolate_sort(&loader.variables);
	out_result->variables = loader.variables.items;
	out_result->variable_count = loader.variables.count;
	if (result == 0 && out_result->problems.error_count == 0)
		return 0;
	out_result->project = NULL;
	if (out_result->problems.error_count == 0)
		problem_error(&out_result->problems, PROBLEM_VALUE, (struct place){ 0 }, "",
			      "the project cannot be loaded");
	return -1;
}

int load_result_error(const struct load_result *result, struct err *err)
{
	const struct problem *first = &result->problems.errors[0];
	enum err_code code =
		first->kind == PROBLEM_MISSING && !first->place.line ? ERR_NOT_FOUND : ERR_INVALID;

	if (result->problems.error_count == 0)
		return 0;
	if (first->place.file && first->place.line)
		return err_set(err, code, "%s:%u:%u: %s%s%s", first->place.file, first->place.line,
			       first->place.column, first->path, *first->path ? ": " : "",
			       first->message);
	return err_set(err, code, "%s%s%s%s%s", first->place.file ? first->place.file : "",
		       first->place.file ? ": " : "", first->path, *first->path ? ": " : "",
		       first->message);
}
