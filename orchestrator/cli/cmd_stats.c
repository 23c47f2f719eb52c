/* orchestrator/cli/cmd_stats - what running containers use: stats.
 *
 * Owns: the table, how often it is drawn. May not touch: figures (usage).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/usage.h"
#include "orchestrator/cli/view.h"

#define SAMPLE_US 500000 /* between the two readings of a share of CPU */
#define CLEAR     "\033[H\033[J"

/* clang-format off */
const struct option_row stats_options[] = {
	OPT_FLAG("no-stream", 0, "Once, not again and again"),
	OPT_FLAG("all", 'a', "Those that do not run, too"),
	OPT_FLAG("no-trunc", 0, "Full IDs"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
/* clang-format on */

static const struct output_column columns[] = {
	{"ID",         "CONTAINER ID",      0           },
	{ "Name",      "NAME",              0           },
	{ "CPUPerc",   "CPU %",             0           },
	{ "MemUsage",  "MEM USAGE / LIMIT", 0           },
	{ "MemPerc",   "MEM %",             0           },
	{ "NetIO",     "NET I/O",           0           },
	{ "BlockIO",   "BLOCK I/O",         0           },
	{ "PIDs",      "PIDS",              0           },
	{ "Container", "CONTAINER",         COLUMN_EXTRA},
	{ NULL,        NULL,                0           },
};

/* One container that is watched. */
struct watched {
	char *id, *name;
	pid_t init; /* 0: it does not run */
	struct usage before, now;
};

struct watch {
	const struct options *options;
	struct watched *items;
	size_t count;
};

static void watch_add(struct watch *watch, const struct observed_container *container)
{
	struct watched *one;

	if (!container->alive && !options_flag(watch->options, "all"))
		return;
	one = xgrow(&watch->items, &watch->count, sizeof(*one));
	one->id = xstrdup(container->record->id);
	one->name = xstrdup(container->record->name);
	one->init = container->alive ? container->record->init.pid : 0;
}

static void watch_clear(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		free(watch->items[i].id);
		free(watch->items[i].name);
	}
	free(watch->items);
	watch->items = NULL;
	watch->count = 0;
}

static void sample(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		if (watch->items[i].init)
			usage_read(watch->items[i].init, &watch->items[i].before);
	usleep(SAMPLE_US);
	for (size_t i = 0; i < watch->count; i++)
		if (watch->items[i].init)
			usage_read(watch->items[i].init, &watch->items[i].now);
}

static void add_pair(struct json_object *row, const char *key, const char *left, const char *right)
{
	AUTO(free) char *text = xformat("%s / %s", left, right);

	json_add_text(row, key, text);
}

static struct json_object *row_of(const struct watched *one, bool no_trunc)
{
	struct json_object *row = json_object_new_object();
	const struct usage *now = &one->now;
	char a[HUMAN_LEN], b[HUMAN_LEN], text[32];

	add_pair(row, "BlockIO", human_size(now->read_bytes, a), human_size(now->write_bytes, b));
	snprintf(text, sizeof(text), "%.2f%%", usage_cpu_percent(&one->before, now));
	json_add_text(row, "CPUPerc", text);
	json_add_text(row, "Container", no_trunc ? one->id : human_short_id(one->id, a));
	json_add_text(row, "ID", no_trunc ? one->id : human_short_id(one->id, a));
	snprintf(text, sizeof(text), "%.2f%%",
		 now->memory_max_bytes
			 ? 100.0 * (double)now->memory_bytes / (double)now->memory_max_bytes
			 : 0.0);
	json_add_text(row, "MemPerc", text);
	add_pair(row, "MemUsage", human_size_binary(now->memory_bytes, a),
		 human_size_binary(now->memory_max_bytes, b));
	json_add_text(row, "Name", one->name);
	add_pair(row, "NetIO", human_size(now->received_bytes, a), human_size(now->sent_bytes, b));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)now->tasks);
	json_add_text(row, "PIDs", text);
	return row;
}

static int show(struct cli *cli, struct watch *watch, struct err *err)
{
	struct output_view form = { .columns = columns };
	AUTO(json) struct json_object *rows = json_object_new_array();
	const char *format = options_text(watch->options, "format");
	int status;

	sample(watch);
	for (size_t i = 0; i < watch->count; i++)
		json_object_array_add(
			rows, row_of(&watch->items[i], options_flag(watch->options, "no-trunc")));
	if (!options_flag(watch->options, "no-stream") && output_may_use_ansi(stdout, cli->ansi))
		fputs(CLEAR, stdout);
	status = output_rows(stdout, &form, format, rows, err);
	return fflush(stdout) == 0 ? status : -1; /* nobody reads on */
}

/* gather fills the watch anew for each drawing: containers come and go. */
static int run(struct cli *cli, const struct options *options,
	       int (*gather)(struct cli *cli, struct watch *watch, struct err *err),
	       struct err *err)
{
	int status;

	do {
		struct watch watch = { .options = options };

		status = gather(cli, &watch, err);
		if (status == 0)
			status = show(cli, &watch, err);
		watch_clear(&watch);
	} while (status == 0 && !options_flag(options, "no-stream"));
	return status;
}

static int gather_project(struct cli *cli, struct watch *watch, struct err *err)
{
	AUTO(view) struct view *view = view_open(cli, false, err);
	const char *const *services = options_arguments(watch->options);

	if (!view || view_check_services(view, services, err) < 0)
		return -1;
	for (size_t i = 0; i < view->observed->count; i++)
		if (view_is_meant(services, view->observed->containers[i].record->service))
			watch_add(watch, &view->observed->containers[i]);
	return 0;
}

static int add_all(void *ctx, const struct view *view, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < view->observed->count; i++)
		watch_add(ctx, &view->observed->containers[i]);
	return 0;
}

static int gather_all(struct cli *cli, struct watch *watch, struct err *err)
{
	return view_each(cli, add_all, watch, err);
}

/* Of the project; where there is none, of all. */
int stats_command(struct cli *cli, const struct options *options, struct err *err)
{
	bool all = !options_argument_count(options) && !cli_has_project(cli);

	return run(cli, options, all ? gather_all : gather_project, err);
}

static int gather_named(struct cli *cli, struct watch *watch, struct err *err)
{
	const char *const *names = options_arguments(watch->options);

	if (!names[0])
		return view_each(cli, add_all, watch, err);
	for (; *names; names++) {
		AUTO(view) struct view *view = NULL;
		const struct observed_container *container =
			view_find_container(cli, *names, &view, err);

		if (!container)
			return -1;
		watch_add(watch, container);
	}
	return 0;
}

int container_stats_command(struct cli *cli, const struct options *options, struct err *err)
{
	return run(cli, options, gather_named, err);
}
