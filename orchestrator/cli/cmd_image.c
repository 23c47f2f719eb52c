/* orchestrator/cli/cmd_image - images of this machine: ls, pull, rm, tag, inspect, load, save; and
 * pull of a project.
 *
 * Owns: their flags and rows. May not touch: the store's files (images/).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/archive.h"
#include "images/maintain.h"
#include "images/ref.h"
#include "images/store.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/image_filter.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/transfer.h"

/* clang-format off */
const struct option_row image_ls_options[] = {
	OPT_FLAG("all", 'a', "Images without a name, too"),
	OPT_FLAG("quiet", 'q', "IDs only"),
	OPT_FLAG("digests", 0, "Show digests"),
	OPT_FLAG("no-trunc", 0, "Full IDs"),
	OPT_LIST("filter", 0, "KEY=VALUE", "dangling=true, label=KEY[=VALUE], reference=PATTERN, before=REF, since=REF"),
	OPT_TEXT("format", 'f', "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
const struct option_row image_rm_options[] = { OPT_FLAG("force", 'f', "All names, also of an image by ID"), OPT_END };
const struct option_row image_load_options[] = {
	OPT_TEXT("input", 'i', "FILE", "Archive to read (default: stdin)"),
	OPT_FLAG("quiet", 'q', "No output"),
	OPT_END,
};
const struct option_row image_save_options[] = {
	OPT_TEXT("output", 'o', "FILE", "Archive to write (default: stdout)"),
	OPT_FLAG("oci", 0, "An OCI image layout"),
	OPT_END,
};
const struct option_row image_inspect_options[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_END,
};
/* clang-format on */

static struct store *open_store(struct cli *cli, struct err *err)
{
	return cli_roots(cli, err) < 0
		       ? NULL
		       : transfer_store_open(cli->roots->state, cli->roots->run,
					     options_text(options_globals(cli->options), "config"),
					     err);
}

/* ---- ls ---- */

static const struct output_column ls_columns[] = {
	{"Repository",    "REPOSITORY", 0           },
        { "Tag",          "TAG",        0           },
        { "ID",           "IMAGE ID",   0           },
	{ "CreatedSince", "CREATED",    0           },
        { "Size",         "SIZE",       0           },
        { "CreatedAt",    "",           COLUMN_EXTRA},
	{ "Digest",       "",           COLUMN_EXTRA},
        { NULL,           NULL,         0           },
};

static void add_image(struct json_object *rows, const struct image_record *image, const char *name,
		      bool no_trunc)
{
	struct json_object *row = json_object_new_object();
	char text[HUMAN_LEN], repository[REF_TEXT_MAX + 1] = "<none>";
	struct err err = ERR_NONE;
	struct ref ref = { .tag = "<none>" };

	if (name && ref_parse(name, &ref, &err) == 0)
		ref_familiar_repository(&ref, repository, sizeof(repository));
	json_add_text(row, "Repository", repository);
	json_add_text(row, "Tag", ref.tag[0] ? ref.tag : "<none>");
	json_add_text(row, "ID", no_trunc ? image->id : human_short_id(image->id, text));
	json_add_text(row, "Digest", image->repo_digest_count ? image->repo_digests[0] : "<none>");
	json_add_text(row, "CreatedSince",
		      human_age(image->created_unix_ns / 1000, stamp_now_us(), text));
	json_add_text(row, "CreatedAt", human_time(image->created_unix_ns / 1000, text));
	json_add_text(row, "Size", human_size(image->size_bytes, text));
	json_object_array_add(rows, row);
}

static bool name_matches(const struct options *options, const char *name)
{
	const char *text, *tail;
	struct err err = ERR_NONE;
	struct ref wanted, have;

	if (!options_argument_count(options))
		return true;
	text = options_argument(options, 0);
	tail = strrchr(text, '/'); /* a ':' before it is a port's */
	if (!name || ref_parse(text, &wanted, &err) < 0 || ref_parse(name, &have, &err) < 0)
		return false;
	return strcmp(wanted.path, have.path) == 0 && strcmp(wanted.domain, have.domain) == 0 &&
	       (!strchr(tail ? tail : text, ':') || strcmp(wanted.tag, have.tag) == 0);
}

int image_ls_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view view = { .columns = ls_columns, .flags = OUTPUT_WIDE };
	AUTO(store) struct store *store = open_store(cli, err);
	AUTO(json) struct json_object *rows = json_object_new_array();
	struct image_record **images;
	struct image_filter filter;
	bool quiet = options_flag(options, "quiet"), no_trunc = options_flag(options, "no-trunc");
	size_t count;

	if (!store ||
	    image_filter_read(store, options_list(options, "filter", NULL), cli->arena, &filter,
			      err) < 0 ||
	    store_list(store, &images, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		char text[HUMAN_LEN];
		bool shown = false;

		for (size_t n = 0; n < images[i]->name_count; n++)
			if (name_matches(options, images[i]->names[n]) &&
			    image_filter_passes(&filter, images[i], images[i]->names[n])) {
				shown = true;
				add_image(rows, images[i], images[i]->names[n], no_trunc);
			}
		if (!images[i]->name_count &&
		    (options_flag(options, "all") || image_filter_wants_nameless(&filter)) &&
		    name_matches(options, NULL) && image_filter_passes(&filter, images[i], NULL)) {
			shown = true;
			add_image(rows, images[i], NULL, no_trunc);
		}
		if (quiet && shown)
			puts(no_trunc ? images[i]->id : human_short_id(images[i]->id, text));
	}
	image_records_free(images, count);
	return quiet ? 0 : output_rows(stdout, &view, options_text(options, "format"), rows, err);
}

/* ---- rm, tag ---- */

int image_rm_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = open_store(cli, err);
	int status = 0;

	if (!store)
		return -1;
	for (const char *const *ref = options_arguments(options); *ref; ref++) {
		struct removal removal = { 0 };
		struct err one = ERR_NONE;

		if (maintain_remove(store, *ref, options_flag(options, "force") ? REMOVE_FORCE : 0,
				    &removal, &one) < 0) {
			*err = one;
			status = -1;
		}
		for (size_t i = 0; i < removal.count; i++)
			printf("%s: %s\n", removal.items[i].untagged ? "Untagged" : "Deleted",
			       removal.items[i].text);
		removal_free(&removal);
	}
	return status;
}

int image_tag_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = open_store(cli, err);
	char id[DIGEST_TEXT_MAX], name[REF_TEXT_MAX + 1];
	struct ref ref;

	if (!store || store_resolve(store, options_argument(options, 0), id, err) < 0 ||
	    ref_parse(options_argument(options, 1), &ref, err) < 0)
		return -1;
	return store_tag(store, ref_canonical(&ref, name, sizeof(name)), id, NULL, err);
}

/* ---- inspect ---- */

static struct json_object *texts(char *const *items, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_push_text(array, items[i]);
	return array;
}

static struct json_object *inspect(struct store *store, const char *text, struct err *err)
{
	char id[DIGEST_TEXT_MAX], created[STAMP_TEXT_LEN];
	AUTO(image_record) struct image_record *image = NULL;
	AUTO(free) char *config_text = NULL;
	AUTO(json) struct json_object *config = NULL;
	struct json_object *row, *layers, *content = NULL;
	size_t len;

	if (store_resolve(store, text, id, err) < 0)
		return NULL;
	image = store_image(store, id, err);
	if (!image || store_image_config(store, id, &config_text, &len, err) < 0)
		return NULL;
	config = json_parse("image config", config_text, len, err);
	if (!config)
		return NULL;
	row = json_object_new_object();
	json_add_text(row, "Id", image->id);
	json_object_object_add(row, "RepoTags", texts(image->names, image->name_count));
	json_object_object_add(row, "RepoDigests",
			       texts(image->repo_digests, image->repo_digest_count));
	json_add_text(row, "Created", stamp_rfc3339(image->created_unix_ns, created));
	json_add_text(row, "Architecture", image->architecture);
	json_add_text(row, "Os", image->os);
	if (json_object_object_get_ex(config, "config", &content))
		json_object_object_add(row, "Config", json_object_get(content));
	layers = json_add_array(json_add_object(row, "RootFS"), "Layers");
	for (size_t i = 0; i < image->layer_count; i++)
		json_push_text(layers, image->layers[i].diff_id);
	json_add_int(row, "Size", (int64_t)image->size_bytes);
	return row;
}

int image_inspect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = open_store(cli, err);
	AUTO(json) struct json_object *array = json_object_new_array();

	if (!store)
		return -1;
	for (const char *const *ref = options_arguments(options); *ref; ref++) {
		struct json_object *row = inspect(store, *ref, err);

		if (!row)
			return -1;
		json_object_array_add(array, row);
	}
	return output_inspect(stdout, options_text(options, "format"), array, err);
}

/* ---- load, save ---- */

int image_load_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = open_store(cli, err);
	const char *path = options_text(options, "input");
	AUTO(fd) int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	struct archive_loaded *loaded;
	size_t count;

	if (!store)
		return -1;
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (!path && isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID,
			       "an archive is needed: -i FILE, or through a pipe");
	if (archive_load(store, fd, &loaded, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count && !options_flag(options, "quiet"); i++)
		printf("Loaded image%s: %s\n", loaded[i].name ? "" : " ID",
		       loaded[i].name ? loaded[i].name : loaded[i].id);
	archive_loaded_free(loaded, count);
	return 0;
}

int image_save_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = open_store(cli, err);
	const char *path = options_text(options, "output");
	size_t count = options_argument_count(options);
	AUTO(free) struct archive_item *items = xcalloc(count + 1, sizeof(*items));
	AUTO(fd) int fd = -1;

	if (!store)
		return -1;
	for (size_t i = 0; i < count; i++) {
		char *id = arena_alloc(cli->arena, DIGEST_TEXT_MAX), *name;
		struct err ignored = ERR_NONE;
		struct ref ref;

		if (store_resolve(store, options_argument(options, i), id, err) < 0)
			return -1;
		items[i].id = id;
		if (ref_may_be_short_id(options_argument(options, i)) ||
		    ref_parse(options_argument(options, i), &ref, &ignored) < 0)
			continue;
		name = arena_alloc(cli->arena, REF_TEXT_MAX + 1);
		items[i].name = ref_canonical(&ref, name, REF_TEXT_MAX + 1);
	}
	if (!path && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "an archive is not for a terminal: -o FILE, or a pipe");
	fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : dup(STDOUT_FILENO);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	return archive_save(store, items, count, options_flag(options, "oci") ? ARCHIVE_OCI : 0, fd,
			    err);
}
