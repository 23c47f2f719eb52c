/* orchestrator/cli/cmd_ls - commands about no single project: ls, version.
 *
 * Owns: their flags, the rows of ls. May not touch: anything: they only read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/observe.h"

#define OPT_FORMAT(words) OPT_TEXT("format", 0, words, "Form of the output")

/* clang-format off */
const struct option_row ls_options[] = {
	OPT_FLAG("all", 'a', "Projects without running containers, too"),
	OPT_FLAG("quiet", 'q', "Names only"),
	OPT_LIST("filter", 0, "name=TEXT", "Only projects whose name holds the text"),
	OPT_FORMAT("table|json"),
	OPT_END,
};
const struct option_row version_options[] = {
	OPT_FLAG("short", 0, "The number only"),
	OPT_CHOICE("format", 'f', "pretty|json", "Form of the output", .fallback = "pretty"),
	OPT_END,
};
/* clang-format on */

#define ASLEEP "asleep" /* x-stack.idle */

static const struct output_column ls_columns[] = {
	{"Name",           "NAME",         0           },
	{ "Status",        "STATUS",       0           },
	{ "ConfigFiles",   "CONFIG FILES", 0           },
	{ "SupervisorPid", "",             COLUMN_EXTRA},
	{ NULL,            NULL,           0           },
};

static const char *word_of(const struct observed_container *container)
{
	return observed_is_asleep(container) ? ASLEEP : container->status;
}

/* "exited(1), running(3)", sorted by word; to be freed. */
static char *project_status(const struct observed *observed, bool *out_runs)
{
	static const char *const words[] = { ASLEEP,     "created",    "exited", "paused",
					     "removing", "restarting", "running" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool first = true;

	*out_runs = false;
	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
		size_t count = 0;

		for (size_t i = 0; i < observed->count; i++)
			count += strcmp(word_of(&observed->containers[i]), words[w]) == 0;
		if (!count)
			continue;
		fprintf(out, "%s%s(%zu)", first ? "" : ", ", words[w], count);
		first = false;
		*out_runs |= strcmp(words[w], ASLEEP) == 0 || strcmp(words[w], "running") == 0 ||
			     strcmp(words[w], "paused") == 0 || strcmp(words[w], "restarting") == 0;
	}
	fclose(out);
	return text;
}

static void add_project(struct json_object *rows, const struct project_dirs *dirs,
			const struct observed *observed, bool all)
{
	struct json_object *row;
	AUTO(free) char *files = NULL;
	bool runs;
	AUTO(free) char *status = project_status(observed, &runs);
	size_t size;
	FILE *out;

	/* As docker: what has no container is no project; `down` may still be clearing up its
	 * folder. */
	if (observed->count == 0 || (!all && !runs))
		return;
	out = open_memstream(&files, &size);
	for (size_t i = 0; observed->model && i < observed->model->project->files.count; i++)
		fprintf(out, "%s%s", i ? "," : "", observed->model->project->files.items[i]);
	fclose(out);
	row = json_object_new_object();
	json_add_text(row, "Name", dirs->name);
	json_add_text(row, "Status", status);
	json_add_text(row, "ConfigFiles", files);
	json_add_int(row, "SupervisorPid", observe_supervisor(dirs));
	json_object_array_add(rows, row);
}

static int name_filter(const struct options *options, const char **out, struct err *err)
{
	const char *const *filter = options_list(options, "filter", NULL);

	*out = "";
	for (; *filter; filter++) {
		if (strncmp(*filter, "name=", 5) != 0)
			return err_set(err, ERR_INVALID, "unknown filter %s", *filter);
		*out = *filter + 5;
	}
	return 0;
}

int ls_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view view = { .columns = ls_columns,
				    .flags = OUTPUT_JSON_ARRAY | OUTPUT_WIDE };
	AUTO(json) struct json_object *rows = json_object_new_array();
	AUTO(names) char **names = NULL;
	const char *filter, *format = options_text(options, "format");

	if (format && !strstr(format, "{{") && strcmp(format, "json") != 0 &&
	    strncmp(format, "table", 5) != 0)
		return err_set(err, ERR_INVALID, "--format: \"%s\" is neither table nor json",
			       format);
	if (name_filter(options, &filter, err) < 0 || cli_roots(cli, err) < 0)
		return -1;
	names = project_names(cli->roots, err);
	if (!names)
		return -1;
	for (char **name = names; *name; name++) {
		struct err gone = ERR_NONE;
		AUTO(project_dirs) struct project_dirs *dirs = NULL;
		AUTO(observed) struct observed *observed = NULL;

		if (!strstr(*name, filter))
			continue;
		dirs = project_dirs_open(cli->roots, *name, false, &gone);
		observed = dirs ? observe_project(dirs, &gone) : NULL;
		if (observed)
			add_project(rows, dirs, observed, options_flag(options, "all"));
	}
	if (!options_flag(options, "quiet"))
		return output_rows(stdout, &view, options_text(options, "format"), rows, err);
	for (size_t i = 0; i < json_array_count(rows); i++)
		puts(json_text_or(json_object_array_get_idx(rows, i), "Name", ""));
	return 0;
}

int version_command(struct cli *cli, const struct options *options, struct err *err)
{
	(void)cli;
	(void)err;
	if (strcmp(options_text(options, "format"), "json") == 0)
		puts("{\"version\":\"" STACK_VERSION "\"}");
	else if (options_flag(options, "short"))
		puts(STACK_VERSION);
	else
		puts("stack version " STACK_VERSION);
	return 0;
}
