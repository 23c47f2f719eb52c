/* orchestrator/cli/run_definition - a service as the flags of `run` change it.
 *
 * Owns: the flags of `run`, what each does to a service. May not touch: the request (cmd_run).
 */
#include "orchestrator/cli/run_definition.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "specs/dotenv.h"
#include "specs/pathname.h"
#include "specs/short_forms.h"
#include "specs/words.h"

extern char **environ;

/* clang-format off */
const struct option_row run_options[] = {
	OPT_FLAG("detach", 'd', "Leave it running in the background and print its ID"),
	OPT_FLAG("no-tty", 'T', "No terminal (default: one when stdin and stdout are one)", .alias = "no-TTY"),
	OPT_FLAG("interactive", 'i', "Keep stdin open", .fallback = "true"),
	OPT_FLAG("tty", 't', "A terminal", .flags = OPTION_HIDDEN),
	OPT_FLAG("rm", 0, "Remove the container when it ends, with its anonymous volumes"),
	OPT_LIST("env", 'e', "NAME[=VALUE]", "Set a variable"),
	OPT_LIST("env-from-file", 0, "FILE", "Set the variables of a file"),
	OPT_TEXT("user", 'u', "USER[:GROUP]", "Run as this user"),
	OPT_TEXT("workdir", 'w', "DIR", "Working directory"),
	OPT_TEXT("entrypoint", 0, "COMMAND", "Over the entrypoint of service and image"),
	OPT_TEXT("name", 0, "NAME", "Name of the container"),
	OPT_LIST("label", 'l', "KEY=VALUE", "Add a label"),
	OPT_LIST("volume", 'v', "[SOURCE:]TARGET[:OPTIONS]", "Mount a folder or a volume, too"),
	OPT_LIST("publish", 'p', "[HOST:]PORT", "Publish a port"),
	OPT_FLAG("service-ports", 'P', "Publish the ports of the service"),
	OPT_FLAG("use-aliases", 0, "Take the service's names in its networks"),
	OPT_LIST("cap-add", 0, "NAME", "Give a capability"),
	OPT_LIST("cap-drop", 0, "NAME", "Take a capability away"),
	OPT_FLAG("no-deps", 0, "Do not start what the service depends on"),
	OPT_FLAG("build", 0, "Build the image first"),
	OPT_CHOICE("pull", 0, "always|missing|never", "When to pull, over pull_policy"),
	OPT_FLAG("remove-orphans", 0, "Remove containers of services that the file does not know", .env = "COMPOSE_REMOVE_ORPHANS"),
	OPT_FLAG("quiet-build", 0, "Build without progress"),
	OPT_FLAG("quiet-pull", 0, "Pull without progress"),
	OPT_FLAG("quiet", 'q', "No progress"),
	OPT_END,
};
/* clang-format on */

static void put_pair(struct arena *arena, struct pairs *pairs, const char *name, const char *value)
{
	struct pairs out = { NULL, 0 };
	bool done = false;

	for (size_t i = 0; i <= pairs->count; i++) {
		int order = i < pairs->count ? strcmp(pairs->items[i].name, name) : 1;

		if (order >= 0 && !done) {
			*(struct pair *)arena_grow(arena, &out.items, &out.count,
						   sizeof(struct pair)) =
				(struct pair){ name, value };
			done = true;
		}
		if (order != 0 && i < pairs->count)
			*(struct pair *)arena_grow(arena, &out.items, &out.count,
						   sizeof(struct pair)) = pairs->items[i];
	}
	*pairs = out;
}

static void add_texts(struct arena *arena, struct texts *texts, const char *const *words)
{
	struct texts all = { NULL, 0 };

	for (size_t i = 0; i < texts->count; i++)
		*(const char **)arena_grow(arena, &all.items, &all.count, sizeof(char *)) =
			texts->items[i];
	for (; *words; words++)
		if (!texts_has(&all, *words))
			*(const char **)arena_grow(arena, &all.items, &all.count, sizeof(char *)) =
				*words;
	*texts = all;
}

/* ---- environment, labels ---- */

static int read_env_file(struct arena *arena, const char *path, struct service *service,
			 struct err *err)
{
	struct problems *problems = arena_alloc(arena, sizeof(*problems));
	struct vars first = { .arena = arena }, into = { .arena = arena };
	char *text = NULL;
	size_t len = 0;
	int status;

	if (file_read(AT_FDCWD, path, DOTENV_BYTES_MAX, &text, &len, err) < 0)
		return err_wrap(err, "--env-from-file");
	problems->arena = arena;
	vars_add_env(&first, (const char *const *)environ);
	status = dotenv_parse(problems, path, "", text, len, 0, &first, &into);
	free(text);
	if (status < 0)
		return err_set(err, ERR_INVALID, "--env-from-file: %s",
			       problem_text(arena, &problems->errors[0]));
	for (size_t i = 0; i < into.pairs.count; i++)
		put_pair(arena, &service->environment, into.pairs.items[i].name,
			 into.pairs.items[i].value);
	return 0;
}

static int put_environment(struct arena *arena, const struct options *options,
			   struct service *service, struct err *err)
{
	const char *const *file = options_list(options, "env-from-file", NULL);
	const char *const *env = options_list(options, "env", NULL);

	for (; *file; file++)
		if (read_env_file(arena, *file, service, err) < 0)
			return -1;
	for (; *env; env++) {
		const char *sign = strchr(*env, '='), *value = sign ? sign + 1 : getenv(*env);

		if (value)
			put_pair(arena, &service->environment,
				 sign ? arena_strndup(arena, *env, (size_t)(sign - *env)) : *env,
				 value);
	}
	return 0;
}

static void put_labels(struct arena *arena, const struct options *options, struct service *service)
{
	for (const char *const *word = options_list(options, "label", NULL); *word; word++) {
		const char *sign = strchr(*word, '=');

		put_pair(arena, &service->labels,
			 sign ? arena_strndup(arena, *word, (size_t)(sign - *word)) : *word,
			 sign ? sign + 1 : "");
	}
}

/* ---- mounts, ports ---- */

static const char *absolute_source(struct arena *arena, const char *source)
{
	char *here = getcwd(NULL, 0);
	const char *path = pathname_join(arena, here ? here : "/", source, getenv("HOME"));

	free(here);
	return path;
}

/* Over a mount of the same target, else beside the others. */
static void put_mount(struct arena *arena, struct service *service, const struct mount *mount)
{
	struct mount *list = arena_alloc(arena, (service->volume_count + 1) * sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < service->volume_count; i++)
		if (strcmp(service->volumes[i].target, mount->target) != 0)
			list[count++] = service->volumes[i];
	list[count++] = *mount;
	service->volumes = list;
	service->volume_count = count;
}

static int put_mounts(struct arena *arena, const struct options *options, struct service *service,
		      struct err *err)
{
	for (const char *const *word = options_list(options, "volume", NULL); *word; word++) {
		const char *unknown;
		struct mount mount;

		if (short_mount(arena, *word, &mount, &unknown, err) < 0)
			return err_wrap(err, "--volume");
		if (unknown)
			return err_set(err, ERR_INVALID, "--volume: \"%s\": unknown option %s",
				       *word, unknown);
		if (strcmp(mount.type, "bind") == 0)
			mount.source = absolute_source(arena, mount.source);
		put_mount(arena, service, &mount);
	}
	return 0;
}

static int put_ports(struct arena *arena, const struct options *options, struct service *service,
		     struct err *err)
{
	struct port *list = NULL;
	size_t count = 0;

	for (size_t i = 0; options_flag(options, "service-ports") && i < service->port_count; i++)
		*(struct port *)arena_grow(arena, &list, &count, sizeof(*list)) = service->ports[i];
	for (const char *const *word = options_list(options, "publish", NULL); *word; word++) {
		struct port *more;
		size_t more_count;

		if (short_port(arena, *word, &more, &more_count, err) < 0)
			return err_wrap(err, "--publish");
		for (size_t i = 0; i < more_count; i++)
			*(struct port *)arena_grow(arena, &list, &count, sizeof(*list)) = more[i];
	}
	service->ports = list;
	service->port_count = count;
	return 0;
}

/* ---- command ---- */

static int put_entrypoint(struct arena *arena, const char *text, struct service *service,
			  struct err *err)
{
	struct texts words;
	const char *rest;

	if (!text)
		return 0;
	if (words_split(arena, text, &words, &rest, err) < 0)
		return err_wrap(err, "--entrypoint");
	if (rest)
		return err_set(err, ERR_INVALID, "--entrypoint: \"%s\" is no plain command", rest);
	service->entrypoint = (struct command_words){ words.items, words.count, true };
	service->command = (struct command_words){ NULL, 0, false };
	return 0;
}

static void put_command(struct arena *arena, const char *const *words, struct service *service)
{
	struct texts list = { NULL, 0 };

	for (; *words; words++)
		*(const char **)arena_grow(arena, &list.items, &list.count, sizeof(char *)) =
			*words;
	if (list.count)
		service->command = (struct command_words){ list.items, list.count, true };
}

int run_define(struct cli *cli, const struct options *options, struct service *service,
	       struct err *err)
{
	struct arena *arena = cli->arena;
	const char *text;

	if (put_entrypoint(arena, options_text(options, "entrypoint"), service, err) < 0 ||
	    put_environment(arena, options, service, err) < 0 ||
	    put_mounts(arena, options, service, err) < 0 ||
	    put_ports(arena, options, service, err) < 0)
		return -1;
	put_command(arena, options_arguments(options) + 1, service);
	put_labels(arena, options, service);
	add_texts(arena, &service->cap_add, options_list(options, "cap-add", NULL));
	add_texts(arena, &service->cap_drop, options_list(options, "cap-drop", NULL));
	if ((text = options_text(options, "user")) != NULL)
		service->user = text;
	if ((text = options_text(options, "workdir")) != NULL)
		service->working_dir = text;
	return 0;
}
