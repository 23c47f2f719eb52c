/* orchestrator/cli/cmd_maintenance - images looked after: prune, history, verify, import, export.
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
#include "orchestrator/build.h"
#include "orchestrator/cli/cmd_maintenance.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/words.h"
#include "orchestrator/image_change.h"
#include "orchestrator/log_reader.h"
#include "orchestrator/transfer.h"

#define CREATED_BY_MAX 45 /* columns without --no-trunc */

/* clang-format off */
const struct option_row image_prune_options[] = {
	OPT_FLAG("all", 'a', "Every image that no container uses, not only those without a name"),
	OPT_FLAG("force", 'f', "No question"),
	OPT_FLAG("build-cache", 0, "The cache of builds, too"),
	OPT_LIST("filter", 0, "KEY=VALUE", "until=24h, label=KEY[=VALUE]"),
	OPT_END,
};
const struct option_row image_history_options[] = {
	OPT_FLAG("quiet", 'q', "IDs only"),
	OPT_FLAG("no-trunc", 0, "Whole commands"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
const struct option_row image_verify_options[] = {
	OPT_FLAG("fix", 0, "Drop what is torn, so that the next pull brings it anew"),
	OPT_FLAG("fast", 0, "Structure and sizes only, no hashing"),
	OPT_END,
};
const struct option_row image_import_options[] = {
	OPT_LIST("change", 'c', "INSTRUCTION", "What the image says of itself, in a Dockerfile's words"),
	OPT_TEXT("message", 'm', "TEXT", "Comment in the image's history"),
	OPT_END,
};
const struct option_row image_export_options[] = {
	OPT_TEXT("output", 'o', "FILE", "Archive to write (default: stdout)"),
	OPT_END,
};
/* clang-format on */

struct store *image_command_store(struct cli *cli, struct err *err)
{
	return cli_roots(cli, err) < 0
		       ? NULL
		       : transfer_store_open(cli->roots->state, cli->roots->run,
					     options_text(options_globals(cli->options), "config"),
					     err);
}

/* ---- prune, verify ---- */

int image_prune(struct cli *cli, const struct prune_options *how, uint64_t *out_bytes,
		struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	struct removal removal = { 0 };
	int status = store ? maintain_prune(store, how, &removal, err) : -1;

	for (size_t i = 0; i < removal.count; i++)
		printf("%s: %s\n", removal.items[i].untagged ? "Untagged" : "Deleted",
		       removal.items[i].text);
	*out_bytes += removal.freed_bytes;
	removal_free(&removal);
	return status;
}

static int read_prune(struct cli *cli, const struct options *options, struct prune_options *out,
		      struct err *err)
{
	static const char *const known[] = { "until", "label", NULL };
	const char *const *filters = options_list(options, "filter", NULL);
	const char *key, *value;

	out->flags = options_flag(options, "all") ? PRUNE_ALL : 0;
	if (filter_check(filters, known, err) < 0)
		return -1;
	for (; *filters; filters++) {
		word_split(cli->arena, "filter", *filters, 0, &key, &value, err);
		if (strcmp(key, "until") == 0) {
			if (log_time_parse(value, stamp_now_ns(), &out->until_unix_ns, err) < 0)
				return err_wrap(err, "--filter until");
			continue;
		}
		out->value = NULL;
		if (word_split(cli->arena, "filter", value, WORD_MAY_BE_BARE, &out->label,
			       &out->value, err) < 0)
			return -1;
		if (!strchr(value, '='))
			out->value = NULL;
	}
	return 0;
}

int image_prune_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct prune_options how = { 0 };
	char text[HUMAN_LEN];
	uint64_t bytes = 0;
	int status;

	if (read_prune(cli, options, &how, err) < 0)
		return -1;
	if (!options_flag(options, "force") &&
	    !cli_ask(how.flags & PRUNE_ALL ? "Remove all images that no container uses?"
					   : "Remove all images without a name?"))
		return 0;
	status = image_prune(cli, &how, &bytes, err);
	if (status == 0 && options_flag(options, "build-cache"))
		status = build_cache_prune(cli->roots,
					   options_text(options_globals(cli->options), "config"),
					   cli->runtime, how.until_unix_ns, &bytes, err);
	printf("Total reclaimed space: %s\n", human_size(bytes, text));
	return status;
}

static void print_finding(void *ctx, const char *line, bool fixed)
{
	(void)ctx;
	printf("%s%s\n", line, fixed ? " (fixed)" : "");
}

static int verify_one(struct store *store, const char *ref, unsigned flags, struct err *err)
{
	char id[DIGEST_TEXT_MAX];

	if (ref && store_resolve(store, ref, id, err) < 0)
		return -1;
	return maintain_check(store, ref ? id : NULL, flags, print_finding, NULL, err);
}

int image_verify_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	unsigned flags = (options_flag(options, "fix") ? CHECK_FIX : 0) |
			 (options_flag(options, "fast") ? CHECK_FAST : 0);
	const char *const *ref = options_arguments(options);
	int left = 0, found;

	if (!store)
		return -1;
	do {
		found = verify_one(store, *ref, flags, err);
		if (found < 0)
			return -1;
		left += found;
	} while (*ref && *++ref);
	if (left)
		return err_set(err, ERR_INVALID, "%d things are wrong%s", left,
			       flags & CHECK_FIX ? ""
						 : " (--fix drops them, a pull brings them anew)");
	puts("everything is as it should be");
	return 0;
}

/* ---- history ---- */

static const struct output_column history_columns[] = {
	{"ID",            "IMAGE",      0           },
	{ "CreatedSince", "CREATED",    0           },
	{ "CreatedBy",    "CREATED BY", 0           },
	{ "Size",         "SIZE",       0           },
	{ "Comment",      "COMMENT",    0           },
	{ "CreatedAt",    "CREATED AT", COLUMN_EXTRA},
	{ NULL,           NULL,         0           },
};

static struct json_object *history_row(const struct json_object *step, const char *id,
				       uint64_t bytes, bool no_trunc)
{
	struct json_object *row = json_object_new_object();
	const char *created = json_text_or(step, "created", ""),
		   *by = json_text_or(step, "created_by", "");
	AUTO(free) char *cut = no_trunc ? xstrdup(by) : human_cut(by, CREATED_BY_MAX);
	char text[HUMAN_LEN];
	uint64_t at_ns = 0;

	stamp_parse_rfc3339(created, strlen(created), &at_ns);
	json_add_text(row, "Comment", json_text_or(step, "comment", ""));
	json_add_text(row, "CreatedAt", created);
	json_add_text(row, "CreatedBy", cut);
	json_add_text(row, "CreatedSince",
		      at_ns ? human_age(at_ns / 1000, stamp_now_us(), text) : "N/A");
	json_add_text(row, "ID", id);
	json_add_text(row, "Size", human_size(bytes, text));
	return row;
}

/* Rows of the config's history, the newest first; layers belong to the steps that are not empty. */
static void add_history(struct store *store, const struct json_object *config, const char *id,
			bool no_trunc, struct json_object *rows)
{
	struct json_object *steps = json_array_at(config, "history");
	struct json_object *layers = json_array_at(json_object_at(config, "rootfs"), "diff_ids");
	size_t layer = json_array_count(layers);

	for (size_t i = json_array_count(steps); i > 0; i--) {
		const struct json_object *step = json_object_array_get_idx(steps, i - 1);
		bool is_top = i == json_array_count(steps);
		struct err ignored = ERR_NONE;
		char text[HUMAN_LEN];
		uint64_t bytes = 0;

		if (!json_bool_or(step, "empty_layer", false) && layer)
			store_layer_bytes(
				store,
				json_object_get_string(json_object_array_get_idx(layers, --layer)),
				&bytes, &ignored);
		json_object_array_add(rows, history_row(step,
							!is_top    ? "<missing>"
							: no_trunc ? id
								   : human_short_id(id, text),
							bytes, no_trunc));
	}
}

int image_history_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view form = { .columns = history_columns };
	AUTO(store) struct store *store = image_command_store(cli, err);
	AUTO(json) struct json_object *rows = json_object_new_array();
	AUTO(json) struct json_object *config = NULL;
	AUTO(free) char *text = NULL;
	char id[DIGEST_TEXT_MAX];
	size_t len;

	if (!store || store_resolve(store, options_argument(options, 0), id, err) < 0 ||
	    store_image_config(store, id, &text, &len, err) < 0)
		return -1;
	config = json_parse("image config", text, len, err);
	if (!config)
		return -1;
	add_history(store, config, id, options_flag(options, "no-trunc"), rows);
	if (!options_flag(options, "quiet"))
		return output_rows(stdout, &form, options_text(options, "format"), rows, err);
	for (size_t i = 0; i < json_array_count(rows); i++)
		puts(json_text_or(json_object_array_get_idx(rows, i), "ID", ""));
	return 0;
}

/* ---- import, export ---- */

int image_import_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	const char *path = options_argument(options, 0), *name = options_argument(options, 1);
	struct archive_import how = { .message = options_text(options, "message") };
	char canonical[REF_TEXT_MAX + 1], id[DIGEST_TEXT_MAX];
	AUTO(fd) int fd = -1;
	size_t count;
	const char *const *changes = options_list(options, "change", &count);
	struct ref ref;

	if (!store || (name && ref_parse(name, &ref, err) < 0) ||
	    (count && image_change(cli->arena, changes, count, &how.config, err) < 0))
		return -1;
	if (name)
		how.name = ref_canonical(&ref, canonical, sizeof(canonical));
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (archive_import(store, fd, &how, id, err) < 0)
		return -1;
	puts(id);
	return 0;
}

int image_export_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	const char *path = options_text(options, "output");
	char id[DIGEST_TEXT_MAX];
	AUTO(fd) int fd = -1;

	if (!store || store_resolve(store, options_argument(options, 0), id, err) < 0)
		return -1;
	if (!path && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "an archive is not for a terminal: -o FILE, or a pipe");
	fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : dup(STDOUT_FILENO);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	return archive_export(store, id, fd, err);
}
