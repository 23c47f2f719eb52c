/* orchestrator/cli/cmd_container - any object by its name: inspect.
 *
 * Owns: which kind of object a name means. May not touch: anything: it only reads.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/cmd_network.h"
#include "orchestrator/cli/cmd_volume.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/rows_inspect.h"
#include "orchestrator/observe.h"
#include "volumes/volume.h"

#define PREFIX_MIN 4 /* digits of an ID that may stand for it */

/* clang-format off */
const struct option_row inspect_options[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_CHOICE("type", 0, "container|image|volume|network", "Only objects of this kind"),
	OPT_END,
};
/* clang-format on */

static bool is_called(const struct record *record, const char *text)
{
	size_t len = strlen(text);

	return strcmp(record->name, text) == 0 ||
	       (len >= PREFIX_MIN && strncmp(record->id, text, len) == 0);
}

/* Adds every container of that name to the array; false: there is none. */
static bool find(struct cli *cli, const char *text, struct json_object *array, struct err *err)
{
	AUTO(names) char **names = project_names(cli->roots, err);
	bool found = false;

	for (char **name = names; names && *name; name++) {
		struct err gone = ERR_NONE;
		AUTO(project_dirs)
		struct project_dirs *dirs = project_dirs_open(cli->roots, *name, false, &gone);
		AUTO(observed)
		struct observed *observed = dirs ? observe_project(dirs, &gone) : NULL;

		for (size_t i = 0; observed && i < observed->count; i++)
			if (is_called(observed->containers[i].record, text)) {
				json_object_array_add(
					array, inspect_container(dirs, &observed->containers[i]));
				found = true;
			}
	}
	return found;
}

static bool add(struct json_object *array, struct json_object *object)
{
	if (object)
		json_object_array_add(array, object);
	return object != NULL;
}

static bool find_volume(struct cli *cli, const char *name, struct json_object *array,
			struct err *err)
{
	struct volume_store *store = volume_command_store(cli, err);
	bool found = store && add(array, volume_inspect(store, name, err));

	if (store)
		volume_store_close(store);
	return found;
}

static bool find_network(struct cli *cli, const char *name, struct json_object *array,
			 struct err *err)
{
	return add(array, network_inspect_named(cli, name, err));
}

static const struct {
	const char *type;
	bool (*find)(struct cli *cli, const char *name, struct json_object *array, struct err *err);
} kinds[] = {
	{"container", find        },
	{ "volume",   find_volume },
	{ "network",  find_network},
};

static bool find_any(struct cli *cli, const char *type, const char *name, struct json_object *array)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct err absent = ERR_NONE;

		if ((!type || strcmp(type, kinds[i].type) == 0) &&
		    kinds[i].find(cli, name, array, &absent))
			return true;
	}
	return false;
}

int inspect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(json) struct json_object *array = json_object_new_array();
	const char *type = options_text(options, "type");

	if (type && strcmp(type, "image") == 0)
		return image_inspect_command(cli, options, err);
	if (cli_roots(cli, err) < 0)
		return -1;
	for (const char *const *name = options_arguments(options); *name; name++)
		if (!find_any(cli, type, *name, array)) {
			if (!type && options_argument_count(options) == 1)
				return image_inspect_command(cli, options, err) == 0 ? 0
				       : err->code == ERR_NOT_FOUND
					       ? err_set(err, ERR_NOT_FOUND, "no such object: %s",
							 *name)
					       : -1;
			return err_set(err, ERR_NOT_FOUND, "no such %s: %s", type ? type : "object",
				       *name);
		}
	return output_inspect(stdout, options_text(options, "format"), array, err);
}
