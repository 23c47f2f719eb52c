/* orchestrator/cli/cmd_container - containers of all projects: inspect by name or ID.
 *
 * Owns: the look-up of a name over all projects. May not touch: anything: it only reads.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/rows_inspect.h"
#include "orchestrator/observe.h"

#define PREFIX_MIN 4 /* digits of an ID that may stand for it */

/* clang-format off */
const struct option_row inspect_options[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_CHOICE("type", 0, "container|image", "Only objects of this kind"),
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

int inspect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(json) struct json_object *array = json_object_new_array();
	const char *type = options_text(options, "type");

	if (type && strcmp(type, "image") == 0)
		return image_inspect_command(cli, options, err);
	if (cli_roots(cli, err) < 0)
		return -1;
	for (const char *const *name = options_arguments(options); *name; name++)
		if (!find(cli, *name, array, err)) {
			if (!type && options_argument_count(options) == 1)
				return image_inspect_command(cli, options, err);
			return err_set(err, ERR_NOT_FOUND, "no such object: %s", *name);
		}
	return output_inspect(stdout, options_text(options, "format"), array, err);
}
