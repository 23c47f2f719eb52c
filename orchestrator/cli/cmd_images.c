/* orchestrator/cli/cmd_images - the images of a project's containers: images.
 *
 * Owns: its rows. May not touch: anything: it only reads.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/ref.h"
#include "images/store.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/transfer.h"

/* clang-format off */
const struct option_row images_options[] = {
	OPT_FLAG("quiet", 'q', "IDs only"),
	OPT_TEXT("format", 0, "table|json", "Form of the output"),
	OPT_END,
};
static const struct output_column columns[] = {
	{ "ContainerName", "CONTAINER",  0 },
	{ "Repository",    "REPOSITORY", 0 },
	{ "Tag",           "TAG",        0 },
	{ "Platform",      "PLATFORM",   0 },
	{ "ID",            "IMAGE ID",   0 },
	{ "Size",          "SIZE",       0 },
	{ "LastTagTime",   "CREATED",    0 },
	{ NULL,            NULL,         0 },
};
/* clang-format on */

/* People read short IDs, sizes with a unit and ages. */
static char *cell(const char *field, struct json_object *row)
{
	char text[HUMAN_LEN];
	const char *time = json_text_or(row, "LastTagTime", "");
	uint64_t at_ns = 0;

	if (strcmp(field, "ID") == 0)
		return xstrdup(human_short_id(json_text_or(row, "ID", ""), text));
	if (strcmp(field, "Size") == 0)
		return xstrdup(human_size((uint64_t)json_int_or(row, "Size", 0), text));
	if (strcmp(field, "LastTagTime") == 0 && stamp_parse_rfc3339(time, strlen(time), &at_ns))
		return xstrdup(human_age(at_ns / 1000, stamp_now_us(), text));
	return NULL;
}

static void add_stored(struct json_object *row, struct store *store, const char *id)
{
	struct err gone = ERR_NONE;
	AUTO(image_record) struct image_record *image = store_image(store, id, &gone);
	AUTO(free) char *platform = NULL;
	char time[STAMP_TEXT_LEN];

	if (!image) {
		json_add_text(row, "Platform", "");
		json_add_int(row, "Size", 0);
		json_add_text(row, "LastTagTime", "");
		return;
	}
	platform = xformat("%s/%s%s%s", image->os, image->architecture, *image->variant ? "/" : "",
			   image->variant);
	json_add_text(row, "Platform", platform);
	json_add_int(row, "Size", (int64_t)image->size_bytes);
	json_add_text(row, "LastTagTime", stamp_rfc3339(image->added_unix_ns, time));
}

static struct json_object *row_of(struct store *store, const struct record *record)
{
	struct json_object *row = json_object_new_object();
	const char *slash = strrchr(record->image_ref, '/');
	const char *colon = strrchr(slash ? slash : record->image_ref, ':');
	AUTO(free)
	char *repository = colon ? xstrndup(record->image_ref, (size_t)(colon - record->image_ref))
				 : xstrdup(record->image_ref);

	json_add_text(row, "ID", record->image_id);
	json_add_text(row, "ContainerName", record->name);
	json_add_text(row, "Repository", repository);
	json_add_text(row, "Tag", colon ? colon + 1 : "latest");
	add_stored(row, store, record->image_id);
	return row;
}

/* Each ID once. */
static void print_id(const char *id, struct json_object *seen)
{
	if (json_object_object_get_ex(seen, id, NULL))
		return;
	json_add_bool(seen, id, true);
	puts(strncmp(id, "sha256:", 7) == 0 ? id + 7 : id);
}

int images_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view form = { .columns = columns,
				    .cell = cell,
				    .flags = OUTPUT_JSON_ARRAY | OUTPUT_WIDE };
	AUTO(json) struct json_object *rows = json_object_new_array();
	AUTO(json) struct json_object *seen = json_object_new_object();
	AUTO(view) struct view *view = view_open(cli, false, err);
	bool quiet = options_flag(options, "quiet");
	AUTO(store) struct store *store = NULL;

	if (!view)
		return -1;
	store = transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(cli->options), "config"), err);
	if (!store)
		return -1;
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct record *record = view->observed->containers[i].record;

		if (!view_is_meant(options_arguments(options), record->service))
			continue;
		if (quiet)
			print_id(record->image_id, seen);
		else
			json_object_array_add(rows, row_of(store, record));
	}
	return quiet ? 0 : output_rows(stdout, &form, options_text(options, "format"), rows, err);
}
