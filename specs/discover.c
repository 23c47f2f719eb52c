/* specs/discover - which files make the project, which environment, which name.
 *
 * Owns: the search for files, the order of env files, the rules of names. May not touch: what is in
 * the files. Source: docker compose, "compose file path", "environment variables precedence".
 */
#include "specs/discover.h"

#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "specs/interpolate.h"
#include "specs/pathname.h"
#include "specs/scalar.h"

#define NAME_FIRST "abcdefghijklmnopqrstuvwxyz0123456789"
#define NAME_CHARS NAME_FIRST "_-"

static const char *const main_names[] = { "compose.yaml", "compose.yml", "docker-compose.yml",
					  "docker-compose.yaml", NULL };
static const char *const override_names[] = { "compose.override.yml", "compose.override.yaml",
					      "docker-compose.override.yml",
					      "docker-compose.override.yaml", NULL };

static void add_text(struct arena *arena, struct texts *texts, const char *text)
{
	const char **slot = arena_grow(arena, &texts->items, &texts->count, sizeof(const char *));

	*slot = text;
}

static bool is_file(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

static const char *absolute(const struct loader *loader, const char *path)
{
	return pathname_join(loader->arena, loader->options->working_dir, path, NULL);
}

/* The first of the names in a folder; NULL when none is there. */
static const char *find_name(struct loader *loader, const char *folder, const char *const *names,
			     bool warn_of_others)
{
	const char *found = NULL;

	for (; *names; names++) {
		const char *path = pathname_join(loader->arena, folder, *names, NULL);

		if (!is_file(path))
			continue;
		if (found && warn_of_others)
			problem_warn(loader->problems, (struct place){ 0 }, "",
				     "%s is used; %s lies beside it and is not read",
				     pathname_base(found), *names);
		if (!found)
			found = path;
	}
	return found;
}

static int search(struct loader *loader, struct texts *out_paths)
{
	const struct load_options *options = loader->options;
	const char *start = options->project_directory
				    ? absolute(loader, options->project_directory)
				    : options->working_dir;
	const char *folder = start;

	for (;;) {
		const char *found = find_name(loader, folder, main_names, true), *override;

		if (found) {
			add_text(loader->arena, out_paths, found);
			override = find_name(loader, folder, override_names, false);
			if (override)
				add_text(loader->arena, out_paths, override);
			return 0;
		}
		if (strcmp(folder, "/") == 0)
			break;
		folder = pathname_folder(loader->arena, folder);
	}
	return problem_error(loader->problems, PROBLEM_MISSING, (struct place){ 0 }, "",
			     "no stack file: looked for compose.yaml, compose.yml, "
			     "docker-compose.yml and docker-compose.yaml in %s and above; name one "
			     "with -f FILE",
			     start);
}

static void add_listed(struct loader *loader, const char *list, const char *separator,
		       struct texts *out)
{
	size_t len = strlen(separator);

	while (len && *list) {
		const char *end = strstr(list, separator) ?: list + strlen(list);

		if (end > list)
			add_text(loader->arena, out,
				 arena_strndup(loader->arena, list, (size_t)(end - list)));
		list = *end ? end + len : end;
	}
}

static int choose_files(struct loader *loader, struct texts *out_paths)
{
	const struct load_options *options = loader->options;
	const char *listed = vars_get(&loader->env, "COMPOSE_FILE");
	const char *separator = vars_get(&loader->env, "COMPOSE_PATH_SEPARATOR");
	struct texts named = { 0 };

	for (size_t i = 0; i < options->file_count; i++)
		add_text(loader->arena, &named, options->files[i]);
	if (named.count == 0 && listed && *listed)
		add_listed(loader, listed, separator && *separator ? separator : ":", &named);
	if (named.count == 0)
		return search(loader, out_paths);
	for (size_t i = 0; i < named.count; i++) {
		bool is_stdin = strcmp(named.items[i], "-") == 0;

		if (!is_stdin &&
		    (strstr(named.items[i], "://") || text_starts(named.items[i], "git@")))
			return problem_error(loader->problems, PROBLEM_VALUE, (struct place){ 0 },
					     "", "%s: files from elsewhere are not supported yet",
					     named.items[i]);
		add_text(loader->arena, out_paths,
			 is_stdin ? "-" : absolute(loader, named.items[i]));
	}
	return 0;
}

static const char *first_folder(const struct loader *loader, const char *first_path)
{
	const struct load_options *options = loader->options;

	if (options->project_directory)
		return absolute(loader, options->project_directory);
	if (!first_path || strcmp(first_path, "-") == 0)
		return options->working_dir;
	return pathname_folder(loader->arena, absolute(loader, first_path));
}

/* Reads env files into a layer of their own and puts it below the environment. */
static int add_env_files(struct loader *loader, const struct texts *paths, bool missing_ok)
{
	struct vars layer = { .arena = loader->arena, .below = &loader->built_in };
	int result = 0;

	for (size_t i = 0; i < paths->count && result == 0; i++) {
		const char *path = absolute(loader, paths->items[i]);

		if (missing_ok && !is_file(path))
			continue;
		result = loader_read_env(loader, path, (struct place){ 0 }, "", 0, false,
					 &loader->env, &layer);
		if (result == 0)
			add_text(loader->arena, &loader->env_files, path);
	}
	for (size_t i = 0; i < layer.pairs.count; i++)
		vars_set_default(&loader->env, layer.pairs.items[i].name,
				 layer.pairs.items[i].value);
	return result;
}

static bool is_true(const char *text)
{
	bool value = false;

	if (text && strcmp(text, "1") == 0)
		return true;
	return text && scalar_bool(text, &value) > 0 && value;
}

int discover_files(struct loader *loader, struct texts *out_paths)
{
	const struct load_options *options = loader->options;
	const char *listed = vars_get(&loader->env, "COMPOSE_ENV_FILES");
	bool disabled = is_true(vars_get(&loader->env, "COMPOSE_DISABLE_ENV_FILE"));
	struct texts named = { 0 }, implied = { 0 };
	const char *folder;

	for (size_t i = 0; i < options->env_file_count; i++)
		add_text(loader->arena, &named, options->env_files[i]);
	if (named.count == 0 && listed)
		add_listed(loader, listed, ",", &named);
	folder = first_folder(loader, options->file_count ? options->files[0] : NULL);
	add_text(loader->arena, &implied, pathname_join(loader->arena, folder, ".env", NULL));
	if (named.count > 0 || !disabled) {
		bool is_named = named.count > 0;

		if (add_env_files(loader, is_named ? &named : &implied, !is_named) < 0)
			return -1;
	}
	if (choose_files(loader, out_paths) < 0)
		return -1;
	loader->project_directory = first_folder(loader, out_paths->items[0]);
	if (named.count > 0 || disabled || strcmp(folder, loader->project_directory) == 0)
		return 0;
	implied.items[0] = pathname_join(loader->arena, loader->project_directory, ".env", NULL);
	return add_env_files(loader, &implied, true);
}

static bool is_legal(const char *name)
{
	return *name && strchr(NAME_FIRST, *name) && strspn(name, NAME_CHARS) == strlen(name);
}

static const char *normalise(struct arena *arena, const char *name)
{
	char *out = arena_alloc(arena, strlen(name) + 1), *to = out;

	for (; *name; name++) {
		char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;

		if (strchr(NAME_CHARS, c) && (to > out || strchr(NAME_FIRST, c)))
			*to++ = c;
	}
	return out;
}

/* The last non-empty name: of the files, interpolated; *out_node is where it stands. */
static const char *name_in_files(struct loader *loader, const struct sources *sources,
				 const struct node **out_node)
{
	struct interpolation how = { .arena = loader->arena, .vars = &loader->env };
	const char *name = NULL, *message;

	for (size_t i = 0; i < sources->count; i++)
		for (size_t k = 0; k < sources->items[i].documents.count; k++) {
			const struct node *node =
				node_get(sources->items[i].documents.items[k], "name");
			const char *text;

			if (!node || node->kind != NODE_TEXT ||
			    interpolate_text(&how, node->text, &text, &message) != INTERPOLATE_OK ||
			    !*text)
				continue;
			name = text;
			*out_node = node;
		}
	return name;
}

const char *discover_name(struct loader *loader, const struct sources *sources)
{
	const char *flag = loader->options->project_name;
	const char *variable = vars_get(&loader->env, "COMPOSE_PROJECT_NAME");
	const char *given = flag && *flag ? flag : variable && *variable ? variable : NULL;
	const struct node *node = NULL;
	const char *raw, *name;

	if (given && !is_legal(given)) {
		problem_error(loader->problems, PROBLEM_VALUE, (struct place){ 0 }, "",
			      "\"%s\" is no project name (%s): want a-z 0-9 _ -, the first a "
			      "letter or digit",
			      given, flag && *flag ? "-p" : "COMPOSE_PROJECT_NAME");
		return NULL;
	}
	raw = given ? NULL : name_in_files(loader, sources, &node);
	if (!given && !raw)
		raw = pathname_base(loader->project_directory);
	name = given ? given : normalise(loader->arena, raw);
	if (!*name) {
		problem_error(loader->problems, PROBLEM_VALUE,
			      node ? node->place : (struct place){ 0 }, node ? "name" : "",
			      "the project name \"%s\" has no letter or digit that a name may "
			      "have; set name: or -p",
			      raw);
		return NULL;
	}
	vars_set(&loader->env, "COMPOSE_PROJECT_NAME", name);
	return name;
}
