/* orchestrator/cli/cmd_volume - volumes of this machine: ls, inspect, create, rm, prune; and
 * volumes of a project.
 *
 * Owns: their flags and rows. May not touch: the folder of the volumes (volumes/).
 */
#include "orchestrator/cli/cmd_volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/cli/words.h"
#include "orchestrator/desired.h"
#include "volumes/transport.h"
#include "volumes/volume.h"

#define UNKNOWN "N/A"

/* clang-format off */
static const struct option_row volume_ls_options[] = {
	OPT_FLAG("quiet", 'q', "Names only"),
	OPT_FLAG("size", 's', "Measure what they take on disk"),
	OPT_LIST("filter", 'f', "KEY=VALUE", "name=, label=, driver=, dangling=true|false"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
static const struct option_row inspect_only[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_END,
};
static const struct option_row create_only[] = {
	OPT_TEXT("driver", 'd', "DRIVER", "Driver of the volume", .fallback = "local"),
	OPT_LIST("opt", 'o', "KEY=VALUE", "Option of the driver: type, device, o, size"),
	OPT_LIST("label", 0, "KEY[=VALUE]", "Label"),
	OPT_END,
};
static const struct option_row rm_only[] = { OPT_FLAG("force", 'f', "Absent ones are no error"), OPT_END };
static const struct option_row prune_only[] = {
	OPT_FLAG("all", 'a', "Named ones, too, not anonymous ones only"),
	OPT_FLAG("force", 'f', "No question"),
	OPT_LIST("filter", 0, "label=KEY[=VALUE]", "Only volumes with this label"),
	OPT_END,
};
const struct option_row volumes_options[] = {
	OPT_FLAG("quiet", 'q', "Names only"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
/* clang-format on */

struct volume_store *volume_command_store(struct cli *cli, struct err *err)
{
	return cli_roots(cli, err) < 0 ? NULL
				       : volume_store_open(cli->roots->state, cli->roots->run, err);
}

/* ---- rows ---- */

static const struct output_column ls_columns[] = {
	{"Driver",        "DRIVER",       0           },
	{ "Name",         "VOLUME NAME",  0           },
	{ "Size",         "SIZE",         COLUMN_EXTRA},
	{ "Labels",       "LABELS",       COLUMN_EXTRA},
	{ "Mountpoint",   "MOUNTPOINT",   COLUMN_EXTRA},
	{ "Scope",        "SCOPE",        COLUMN_EXTRA},
	{ "Links",        "LINKS",        COLUMN_EXTRA},
	{ "Availability", "AVAILABILITY", COLUMN_EXTRA},
	{ "Group",        "GROUP",        COLUMN_EXTRA},
	{ "Status",       "STATUS",       COLUMN_EXTRA},
	{ NULL,           NULL,           0           },
};
static const struct output_column sized_columns[] = {
	{"Driver",      "DRIVER",      0           },
	{ "Name",       "VOLUME NAME", 0           },
	{ "Links",      "LINKS",       0           },
	{ "Size",       "SIZE",        0           },
	{ "Labels",     "LABELS",      COLUMN_EXTRA},
	{ "Mountpoint", "MOUNTPOINT",  COLUMN_EXTRA},
	{ NULL,         NULL,          0           },
};

static char *labels_of(const struct json_object *labels)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *comma = "";

	json_each(labels, key, value) {
		fprintf(out, "%s%s=%s", comma, key, json_object_get_string(value));
		comma = ",";
	}
	fclose(out);
	return text;
}

static struct json_object *volume_row(const struct volume_store *store, struct json_object *volume,
				      bool with_size)
{
	static const char *const unknown[] = { "Availability", "Group", "Status" };
	struct json_object *row = json_object_new_object();
	AUTO(free) char *labels = labels_of(json_object_at(volume, "Labels"));
	const char *name = json_text_or(volume, "Name", "");
	char size[HUMAN_LEN] = UNKNOWN, links[24] = UNKNOWN;
	struct err ignored = ERR_NONE;
	uint64_t bytes;

	if (with_size) {
		snprintf(links, sizeof(links), "%zu",
			 json_array_count(json_array_at(volume, "UsedBy")));
		if (volume_size(store, name, &bytes, &ignored) == 0)
			human_size(bytes, size);
	}
	json_add_text(row, "Driver", json_text_or(volume, "Driver", ""));
	json_add_text(row, "Labels", labels);
	json_add_text(row, "Links", links);
	json_add_text(row, "Mountpoint", json_text_or(volume, "Mountpoint", ""));
	json_add_text(row, "Name", name);
	json_add_text(row, "Scope", "local");
	json_add_text(row, "Size", size);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		json_add_text(row, unknown[i], UNKNOWN);
	return row;
}

static int print_rows(const struct options *options, struct json_object *rows, bool with_size,
		      struct err *err)
{
	struct output_view form = { .columns = with_size ? sized_columns : ls_columns };

	if (!options_flag(options, "quiet"))
		return output_rows(stdout, &form, options_text(options, "format"), rows, err);
	for (size_t i = 0; i < json_array_count(rows); i++)
		puts(json_text_or(json_object_array_get_idx(rows, i), "Name", ""));
	return 0;
}

/* Every volume that can be read, as inspect shows it. To be put. */
static struct json_object *all_volumes(const struct volume_store *store, struct err *err)
{
	struct json_object *array = json_object_new_array();
	char **names;
	size_t count;

	if (volume_names(store, &names, &count, err) < 0) {
		json_object_put(array);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct err gone = ERR_NONE;
		struct json_object *volume = volume_inspect(store, names[i], &gone);

		if (volume)
			json_object_array_add(array, volume);
	}
	volume_names_free(names, count);
	return array;
}

/* ---- ls, volumes ---- */

static bool passes(const char *const *filters, struct json_object *volume)
{
	bool dangling = json_array_count(json_array_at(volume, "UsedBy")) == 0;

	return filter_passes(filters, "name", filter_holds_text,
			     json_text_or(volume, "Name", "")) &&
	       filter_passes(filters, "driver", filter_is_text,
			     json_text_or(volume, "Driver", "")) &&
	       filter_passes(filters, "label", filter_has_label,
			     json_object_at(volume, "Labels")) &&
	       filter_passes(filters, "dangling", filter_is_text, dangling ? "true" : "false");
}

static int volume_ls_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const known[] = { "name", "label", "driver", "dangling", NULL };
	const char *const *filters = options_list(options, "filter", NULL);
	bool with_size = options_flag(options, "size");
	AUTO(volume_store) struct volume_store *store = NULL;
	AUTO(json) struct json_object *volumes = NULL;
	AUTO(json) struct json_object *rows = json_object_new_array();

	if (filter_check(filters, known, err) < 0)
		return -1;
	store = volume_command_store(cli, err);
	volumes = store ? all_volumes(store, err) : NULL;
	if (!volumes)
		return -1;
	for (size_t i = 0; i < json_array_count(volumes); i++) {
		struct json_object *volume = json_object_array_get_idx(volumes, i);

		if (passes(filters, volume))
			json_object_array_add(rows, volume_row(store, volume, with_size));
	}
	return print_rows(options, rows, with_size, err);
}

/* A volume belongs to a project by its label, or because a container of it (of the named services)
 * uses it. */
static bool is_of_project(const struct view *view, const char *const *services,
			  struct json_object *volume)
{
	struct json_object *users = json_array_at(volume, "UsedBy");
	const char *owner =
		json_text_or(json_object_at(volume, "Labels"), "com.docker.compose.project", "");

	if (!services[0] && view->dirs && strcmp(owner, view->dirs->name) == 0)
		return true;
	for (size_t i = 0; i < json_array_count(users); i++) {
		const char *id = json_text_or(json_object_array_get_idx(users, i), "Id", "");

		for (size_t c = 0; c < view->observed->count; c++)
			if (strcmp(view->observed->containers[c].record->id, id) == 0 &&
			    view_is_meant(services, view->observed->containers[c].record->service))
				return true;
	}
	return false;
}

int volumes_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	AUTO(volume_store)
	struct volume_store *store = view ? volume_command_store(cli, err) : NULL;
	AUTO(json) struct json_object *volumes = store ? all_volumes(store, err) : NULL;
	AUTO(json) struct json_object *rows = json_object_new_array();

	if (!volumes || view_check_services(view, options_arguments(options), err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_count(volumes); i++) {
		struct json_object *volume = json_object_array_get_idx(volumes, i);

		if (is_of_project(view, options_arguments(options), volume))
			json_object_array_add(rows, volume_row(store, volume, false));
	}
	return print_rows(options, rows, false, err);
}

/* ---- inspect, create, rm ---- */

static int volume_inspect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	AUTO(json) struct json_object *array = json_object_new_array();

	for (const char *const *name = options_arguments(options); store && *name; name++) {
		struct json_object *volume = volume_inspect(store, *name, err);

		if (!volume)
			return -1;
		json_object_array_add(array, volume);
	}
	return store ? output_inspect(stdout, options_text(options, "format"), array, err) : -1;
}

static int read_pairs(struct cli *cli, const struct options *options, const char *flag,
		      unsigned flags, const struct volume_pair **out, size_t *out_count,
		      struct err *err)
{
	const char *const *words = options_list(options, flag, out_count);
	struct volume_pair *pairs = arena_alloc(cli->arena, (*out_count + 1) * sizeof(*pairs));

	for (size_t i = 0; i < *out_count; i++)
		if (word_split(cli->arena, flag, words[i], flags, &pairs[i].key, &pairs[i].value,
			       err) < 0)
			return -1;
	*out = pairs;
	return 0;
}

/* A volume that is there keeps its labels, whatever the command line says. */
static void keep_labels(struct cli *cli, const struct volume_store *store, struct volume_def *def)
{
	struct err absent = ERR_NONE;
	AUTO(json) struct json_object *volume = volume_find(store, def->name, 0, &absent);
	struct json_object *labels = json_object_at(volume, "labels");
	struct volume_pair *pairs;
	size_t count = 0;

	if (!volume)
		return;
	pairs = arena_alloc(cli->arena,
			    ((size_t)json_object_object_length(labels) + 1) * sizeof(*pairs));
	json_each(labels, key, value) {
		pairs[count].key = arena_strdup(cli->arena, key);
		pairs[count++].value = arena_strdup(cli->arena, json_object_get_string(value));
	}
	def->labels = pairs;
	def->label_count = count;
}

static int volume_create_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = NULL;
	struct volume_def def = { .driver = options_text(options, "driver"),
				  .name = options_argument(options, 0) };
	enum volume_outcome outcome;
	char id[STAMP_ID_LEN + 1];

	if (!def.name) {
		stamp_id(id, STAMP_ID_LEN);
		def.name = id;
		def.anonymous = true;
	}
	if (read_pairs(cli, options, "opt", 0, &def.options, &def.option_count, err) < 0 ||
	    read_pairs(cli, options, "label", WORD_MAY_BE_BARE, &def.labels, &def.label_count,
		       err) < 0)
		return -1;
	store = volume_command_store(cli, err);
	if (!store)
		return -1;
	keep_labels(cli, store, &def);
	if (volume_ensure(store, &def, 0, &outcome, err) < 0)
		return -1;
	puts(def.name);
	return 0;
}

static int volume_rm_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	int status = 0;

	if (!store)
		return -1;
	for (const char *const *name = options_arguments(options); *name; name++) {
		struct err one = ERR_NONE;

		if (volume_remove(store, *name, &one) == 0) {
			puts(*name);
		} else if (one.code != ERR_NOT_FOUND || !options_flag(options, "force")) {
			if (status < 0)
				cli_warn("%s", err->msg);
			*err = one;
			status = -1;
		}
	}
	return status;
}

/* ---- prune ---- */

static bool is_wanted(void *ctx, const char *project)
{
	struct cli *cli = ctx;
	struct err err = ERR_NONE;
	AUTO(project_dirs)
	struct project_dirs *dirs = project_dirs_open(cli->roots, project, false, &err);
	struct texts stopped;
	const char *state;

	if (!dirs)
		return false;
	return desired_read(dirs, cli->arena, &state, &stopped, &err) < 0 ||
	       strcmp(state, "down") != 0;
}

int volume_prune(struct cli *cli, const struct volume_store *store, bool all,
		 const char *const *filters, uint64_t *out_bytes, struct err *err)
{
	char **names;
	size_t count;
	int status = 0;

	if (transport_prune_list(store, all ? PRUNE_NAMED : 0, is_wanted, cli, &names, &count,
				 err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct err one = ERR_NONE;
		uint64_t bytes = 0;
		AUTO(json) struct json_object *volume = volume_inspect(store, names[i], &one);

		if (!volume || !filter_passes(filters, "label", filter_has_label,
					      json_object_at(volume, "Labels")))
			continue;
		volume_size(store, names[i], &bytes, &one);
		one = ERR_NONE;
		if (volume_remove(store, names[i], &one) == 0) {
			*out_bytes += bytes;
			puts(names[i]);
		} else if (one.code != ERR_NOT_FOUND &&
			   one.code != ERR_BUSY) { /* taken meanwhile */
			*err = one;
			status = -1;
		}
	}
	volume_names_free(names, count);
	return status;
}

static int volume_prune_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const known[] = { "label", NULL };
	const char *const *filters = options_list(options, "filter", NULL);
	bool all = options_flag(options, "all");
	AUTO(volume_store) struct volume_store *store = NULL;
	char text[HUMAN_LEN];
	uint64_t bytes = 0;
	int status;

	if (filter_check(filters, known, err) < 0)
		return -1;
	store = volume_command_store(cli, err);
	if (!store)
		return -1;
	if (!options_flag(options, "force") &&
	    !cli_ask(all ? "Remove all volumes that no container uses?"
			 : "Remove all anonymous volumes that no container uses?"))
		return 0;
	status = volume_prune(cli, store, all, filters, &bytes, err);
	printf("Total reclaimed space: %s\n", human_size(bytes, text));
	return status;
}

/* clang-format off */
const struct command volume_commands[] = {
	{ "ls", "list", "", "List volumes", NULL, EXAMPLES("stack volume ls --filter dangling=true", "those that nothing uses"), NULL,
	  volume_ls_options, NULL, volume_ls_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "inspect", NULL, "VOLUME...", "Show volumes in detail", NULL, EXAMPLES("stack volume inspect shop_data", "with who uses it"), NULL,
	  inspect_only, NULL, volume_inspect_command, 1, ARGUMENTS_ANY, ARGUMENT_VOLUME, 0 },
	{ "create", NULL, "[VOLUME]", "Make a volume", NULL,
	  EXAMPLES("stack volume create data", "for `external: true`", "stack volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch", "in memory"), NULL,
	  create_only, NULL, volume_create_command, 0, 1, ARGUMENT_OTHER, 0 },
	{ "rm", "remove", "VOLUME...", "Remove volumes", NULL, EXAMPLES("stack volume rm shop_data", "refused while a container uses it"), NULL,
	  rm_only, NULL, volume_rm_command, 1, ARGUMENTS_ANY, ARGUMENT_VOLUME, 0 },
	{ "prune", NULL, "", "Remove volumes that nothing uses",
	  "Volumes of a project that is up or stopped stay, whatever the flags.", EXAMPLES("stack volume prune -f", "anonymous ones"), NULL,
	  prune_only, NULL, volume_prune_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "export", NULL, "VOLUME", "Write the content of a volume as a tar", NULL, EXAMPLES("stack volume export -o data.tar shop_data", "owners as numbers"), NULL,
	  volume_export_options, NULL, volume_export_command, 1, 1, ARGUMENT_VOLUME, 0 },
	{ "import", NULL, "VOLUME FILE|-", "Make a volume from a tar", NULL, EXAMPLES("stack volume import copy data.tar", "a new one"), NULL,
	  volume_import_options, NULL, volume_import_command, 2, 2, ARGUMENT_VOLUME, 0 },
	{ "clone", NULL, "FROM TO", "Copy a volume into a new one", NULL, EXAMPLES("stack volume clone shop_data test_data", "blocks are shared where the file system can"), NULL,
	  volume_hold_options, NULL, volume_clone_command, 2, 2, ARGUMENT_VOLUME, 0 },
	{ "snapshot", NULL, "VOLUME [TAG] | COMMAND", "Keep the present content of a volume", NULL, EXAMPLES("stack volume snapshot --pause shop_data before-update", "its users stand still meanwhile"), NULL,
	  volume_hold_options, volume_snapshot_commands, volume_snapshot_command, 1, 2, ARGUMENT_VOLUME, 0 },
	{ "restore", NULL, "VOLUME TAG", "Go back to a snapshot", NULL, EXAMPLES("stack volume restore shop_data before-update", "the present content is lost; no container may run with it"), NULL,
	  volume_restore_options, NULL, volume_restore_command, 2, 2, ARGUMENT_VOLUME, 0 },
	{ .name = NULL },
};
/* clang-format on */
