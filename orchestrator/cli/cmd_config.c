/* orchestrator/cli/cmd_config - config: the resolved files, as the specification's long form.
 *
 * Owns: its flags. May not touch: what is printed (specs/config_view).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/transfer_resolve.h"
#include "specs/config_view.h"

/* clang-format off */
const struct option_row config_options_table[] = {
	OPT_CHOICE("format", 0, "yaml|json", "Form of the output"),
	OPT_FLAG("quiet", 'q', "Only check the files"),
	OPT_TEXT("output", 'o', "FILE", "Write to this file"),
	OPT_FLAG("services", 0, "Names of the services"),
	OPT_FLAG("volumes", 0, "Names of the volumes"),
	OPT_FLAG("networks", 0, "Names of the networks"),
	OPT_FLAG("models", 0, "Names of the models"),
	OPT_FLAG("images", 0, "Names of the images"),
	OPT_FLAG("profiles", 0, "Names of the profiles"),
	OPT_FLAG("environment", 0, "The environment used for interpolation"),
	OPT_FLAG("variables", 0, "The variables that the files name"),
	OPT_TEXT("hash", 0, "SERVICE,...|*", "Configuration hashes of services"),
	OPT_FLAG("explain", 0, "Every value with the file and line that it came from"),
	OPT_FLAG("no-interpolate", 0, "Leave variables as they are"),
	OPT_FLAG("no-normalize", 0, "Leave defaults out"),
	OPT_FLAG("no-path-resolution", 0, "Leave relative paths as they are"),
	OPT_FLAG("no-consistency", 0, "Do not check references"),
	OPT_FLAG("no-env-resolution", 0, "Do not read env_file"),
	OPT_FLAG("resolve-image-digests", 0, "Images with their digests"),
	OPT_FLAG("lock-image-digests", 0, "An override file with image digests"),
	OPT_END,
};
/* clang-format on */

static const struct {
	const char *flag;
	enum config_what what;
} views[] = {
	{"quiet",        CONFIG_QUIET      },
        { "services",    CONFIG_SERVICES   },
	{ "volumes",     CONFIG_VOLUMES    },
        { "networks",    CONFIG_NETWORKS   },
	{ "models",      CONFIG_MODELS     },
        { "images",      CONFIG_IMAGES     },
	{ "profiles",    CONFIG_PROFILES   },
        { "environment", CONFIG_ENVIRONMENT},
	{ "variables",   CONFIG_VARIABLES  },
        { "explain",     CONFIG_EXPLAIN    },
};

static const struct {
	const char *flag;
	unsigned load;
} load_flags[] = {
	{"no-interpolate",      LOAD_NO_INTERPOLATE},
	{ "no-normalize",       LOAD_NO_NORMALIZE  },
	{ "no-path-resolution", LOAD_NO_PATHS      },
	{ "no-consistency",     LOAD_NO_CONSISTENCY},
};

static int write_text(const char *path, const char *text, struct err *err)
{
	AUTO(fd) int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;

	if (!path) {
		fputs(text, stdout);
		return 0;
	}
	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		return err_set(err, ERR_SYSTEM, "write %s", path);
	return 0;
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct pair *)left)->name, ((const struct pair *)right)->name);
}

/* What the registries have for every image that the files name, those of inactive services apart.
 */
static int find_digests(struct cli *cli, const struct load_result *loaded, struct pairs *out,
			struct err *err)
{
	const struct project *project = loaded->project;
	size_t services = project ? project->service_count : 0, count = 0;
	const char **refs = arena_alloc(cli->arena, (services + 1) * sizeof(*refs));
	char **pinned = arena_alloc(cli->arena, (services + 1) * sizeof(*pinned));
	const struct transfer_options transfer = {
		.config_path = options_text(options_globals(cli->options), "config"),
	};

	if (!project)
		return err_set(err, ERR_INVALID,
			       "image digests need the resolved model: not with --no-interpolate");
	for (size_t i = 0; i < services; i++)
		if (project->services[i].image)
			refs[count++] = project->services[i].image;
	if (transfer_resolve(refs, count, &transfer, pinned, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		*(struct pair *)arena_grow(cli->arena, &out->items, &out->count,
					   sizeof(*out->items)) =
			(struct pair){ refs[i], arena_strdup(cli->arena, pinned[i]) };
		free(pinned[i]);
	}
	if (count)
		qsort(out->items, count, sizeof(*out->items), by_name); /* pairs_get searches */
	return 0;
}

int config_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct config_options view = { .what = CONFIG_MODEL,
				       .format = options_text(options, "format") };
	struct load_result loaded;
	unsigned flags = 0;
	const char *text = "";

	view.lock_only = options_flag(options, "lock-image-digests");
	for (size_t i = 0; i < sizeof(load_flags) / sizeof(*load_flags); i++)
		if (options_flag(options, load_flags[i].flag))
			flags |= load_flags[i].load;
	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++)
		if (options_flag(options, views[i].flag))
			view.what = views[i].what;
	if (options_flag(options_globals(options), "all-resources"))
		flags |= LOAD_ALL_RESOURCES;
	if (options_text(options, "hash")) {
		view.what = CONFIG_HASH;
		view.hash_services = options_text(options, "hash");
	}
	if (cli_load(cli, flags | config_load_flags(&view), options_arguments(options), &loaded,
		     err) < 0 ||
	    ((view.lock_only || options_flag(options, "resolve-image-digests")) &&
	     find_digests(cli, &loaded, &view.digests, err) < 0) ||
	    config_view(cli->arena, &loaded, &view, &text, err) < 0)
		return -1;
	return write_text(options_text(options, "output"), text, err);
}
