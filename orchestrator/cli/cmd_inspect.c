/* orchestrator/cli/cmd_inspect - commands that look at the containers of a project: ps, port,
 * top.
 *
 * Owns: their flags, which rows they show. May not touch: anything: they only read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/row_size.h"
#include "orchestrator/cli/rows.h"
#include "orchestrator/cli/top.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/observe.h"

#define OPT_FORMAT(words) OPT_TEXT("format", 0, words, "Form of the output")

/* clang-format off */
const struct option_row ps_options[] = {
	OPT_FLAG("all", 'a', "Stopped and one-off containers, too"),
	OPT_FLAG("quiet", 'q', "Full IDs only"),
	OPT_FLAG("services", 0, "Names of services only"),
	OPT_FORMAT("table|json|TEMPLATE"),
	OPT_LIST("status", 0, "STATUS", "Only containers in this state (implies --all)"),
	OPT_LIST("filter", 0, "status=STATUS", "As --status"),
	OPT_FLAG("no-trunc", 0, "Full IDs and commands"),
	OPT_FLAG("orphans", 0, "Containers of services that the file does not know, too", .fallback = "true"),
	OPT_FLAG("size", 's', "Bytes of the writable layer and of the log"),
	OPT_END,
};
const struct option_row port_options[] = {
	OPT_CHOICE("protocol", 0, "tcp|udp|sctp", "Protocol", .fallback = "tcp"),
	OPT_NUMBER("index", 0, "N", "Replica", .min = 1, .max = 1000000),
	OPT_END,
};
/* clang-format on */

/* ---- ps ---- */

static const struct output_column ps_columns[] = {
	{"Name",          "NAME",          0           },
	{ "Image",        "IMAGE",         0           },
	{ "Command",      "COMMAND",       0           },
	{ "Service",      "SERVICE",       0           },
	{ "RunningFor",   "CREATED",       0           },
	{ "Status",       "STATUS",        0           },
	{ "Ports",        "PORTS",         0           },
	{ "ID",           "CONTAINER ID",  COLUMN_EXTRA},
	{ "State",        "STATE",         COLUMN_EXTRA},
	{ "Health",       "HEALTH",        COLUMN_EXTRA},
	{ "ExitCode",     "EXIT CODE",     COLUMN_EXTRA},
	{ "Names",        "NAMES",         COLUMN_EXTRA},
	{ "Project",      "PROJECT",       COLUMN_EXTRA},
	{ "Labels",       "LABELS",        COLUMN_EXTRA},
	{ "Mounts",       "MOUNTS",        COLUMN_EXTRA},
	{ "Networks",     "NETWORKS",      COLUMN_EXTRA},
	{ "LocalVolumes", "LOCAL VOLUMES", COLUMN_EXTRA},
	{ "Size",         "SIZE",          COLUMN_EXTRA},
	{ "CreatedAt",    "CREATED AT",    COLUMN_EXTRA},
	{ "Publishers",   "PUBLISHERS",    COLUMN_EXTRA},
	{ NULL,           NULL,            0           },
};

/* With --size: what it wrote, and its log. */
static const struct output_column sized_columns[] = {
	{"Name",        "NAME",    0},
        { "Image",      "IMAGE",   0},
        { "Command",    "COMMAND", 0},
	{ "Service",    "SERVICE", 0},
        { "RunningFor", "CREATED", 0},
        { "Status",     "STATUS",  0},
	{ "Ports",      "PORTS",   0},
        { "Size",       "SIZE",    0},
        { NULL,         NULL,      0},
};

static int wanted_states(const struct options *options, const char *const **out, struct err *err)
{
	static const char *const known[] = { "created",  "running", "paused", "restarting",
					     "removing", "exited",  "dead",   NULL };
	size_t status_count, filter_count;
	const char *const *status = options_list(options, "status", &status_count);
	const char *const *filter = options_list(options, "filter", &filter_count);
	const char **all = xcalloc(status_count + filter_count + 1, sizeof(char *));
	size_t n = 0;

	for (size_t i = 0; i < status_count; i++)
		all[n++] = status[i];
	for (size_t i = 0; i < filter_count; i++) {
		if (strncmp(filter[i], "status=", 7) != 0) {
			free(all);
			return err_set(err, ERR_INVALID, "unknown filter %s", filter[i]);
		}
		all[n++] = filter[i] + 7;
	}
	for (size_t i = 0; i < n; i++)
		if (!view_is_listed(known, all[i])) {
			err_set(err, ERR_INVALID, "--status: unknown state \"%s\"", all[i]);
			free(all);
			return -1;
		}
	*out = all;
	return 0;
}

static bool ps_shows(const struct options *options, const struct observed *observed,
		     const struct observed_container *container, const char *const *states)
{
	const struct record *record = container->record;
	bool all = options_flag(options, "all") || states[0];

	if (options_argument_count(options) &&
	    !view_is_listed(options_arguments(options), record->service))
		return false;
	if (states[0] && !view_is_listed(states, container->status))
		return false;
	if (!all && !observed_is_asleep(container) && strcmp(container->status, "running") != 0 &&
	    strcmp(container->status, "paused") != 0 &&
	    strcmp(container->status, "restarting") != 0)
		return false;
	if (!all && record->oneoff && !container->alive)
		return false;
	if (!options_flag(options, "orphans") && observed->model &&
	    !project_find_service(observed->model->project, record->service))
		return false;
	return true;
}

static int by_row_name(const void *a, const void *b)
{
	struct json_object *left = *(struct json_object *const *)a;
	struct json_object *right = *(struct json_object *const *)b;

	return strcmp(json_text_or(left, "Name", ""), json_text_or(right, "Name", ""));
}

static void print_words(const char *text, struct json_object *seen)
{
	if (json_object_object_get_ex(seen, text, NULL))
		return;
	json_add_bool(seen, text, true);
	puts(text);
}

static struct json_object *ps_row(const struct options *options, const struct project_dirs *dirs,
				  const struct observed_container *container)
{
	struct json_object *row =
		row_container(dirs->name, container, options_flag(options, "no-trunc"));

	if (options_flag(options, "size"))
		row_add_size(row, dirs, container->record);
	return row;
}

int ps_command(struct cli *cli, const struct options *options, struct err *err)
{
	bool size = options_flag(options, "size");
	struct output_view view = { .columns = size ? sized_columns : ps_columns };
	AUTO(json) struct json_object *rows = json_object_new_array();
	AUTO(json) struct json_object *seen = json_object_new_object();
	AUTO(observed) struct observed *observed = NULL;
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	const char *const *states = NULL;
	AUTO(free) void *owned = NULL;
	bool quiet = options_flag(options, "quiet"), services = options_flag(options, "services");

	if (wanted_states(options, &states, err) < 0)
		return -1;
	owned = (void *)(uintptr_t)states;
	if (cli_project_dirs(cli, false, &found, err) < 0)
		return -1;
	dirs = found;
	if (!dirs && options_argument_count(options))
		return err_set(err, ERR_NOT_FOUND, "no such service: %s",
			       options_argument(options, 0));
	if (dirs && cli_check_services(cli, dirs, options_arguments(options), err) < 0)
		return -1;
	observed = dirs ? observe_project(dirs, err) : NULL;
	if (dirs && !observed)
		return -1;
	for (size_t i = 0; observed && i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];

		if (!ps_shows(options, observed, container, states))
			continue;
		if (quiet)
			puts(container->record->id);
		else if (services)
			print_words(container->record->service, seen);
		else
			json_object_array_add(rows, ps_row(options, dirs, container));
	}
	if (quiet || services)
		return 0;
	json_object_array_sort(rows, by_row_name);
	return output_rows(stdout, &view, options_text(options, "format"), rows, err);
}

/* ---- port, top ---- */

/* What is published instead, so that nobody has to ask again. */
static int tell_published(const char *port, const char *protocol, const char *container,
			  struct json_object *ports, struct err *err)
{
	AUTO(free) char *list = xstrdup("");

	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *one = json_object_array_get_idx(ports, i);
		char *longer = xformat("%s%s%d/%s", list, i ? ", " : "",
				       (int)json_int_or(one, "target", 0),
				       json_text_or(one, "protocol", ""));

		free(list);
		list = longer;
	}
	return err_set(err, ERR_NOT_FOUND, "no port %s/%s is published for container %s%s%s", port,
		       protocol, container, *list ? ": published are " : "", list);
}

int port_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *service = options_argument(options, 0), *port = options_argument(options, 1);
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	AUTO(observed) struct observed *observed = NULL;
	const struct observed_container *container;
	struct json_object *ports;
	uint64_t wanted;

	if (num_parse_u64("port", port, strlen(port), 1, 65535, &wanted, err) < 0 ||
	    cli_project_dirs(cli, true, &found, err) < 0)
		return -1;
	dirs = found;
	observed = observe_project(dirs, err);
	if (!observed)
		return -1;
	container = observed_find(observed, service, (unsigned)options_number(options, "index"));
	if (!container)
		return err_set(err, ERR_NOT_FOUND, "no such service: %s", service);
	ports = json_array_at(container->info, "ports");
	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *one = json_object_array_get_idx(ports, i);
		const char *ip = json_text_or(one, "host_ip", "");

		if ((uint64_t)json_int_or(one, "target", 0) != wanted ||
		    strcmp(json_text_or(one, "protocol", ""), options_text(options, "protocol")) !=
			    0)
			continue;
		printf(strchr(ip, ':') ? "[%s]:%d\n" : "%s:%d\n", ip,
		       (int)json_int_or(one, "host_port", 0));
		return 0;
	}
	return tell_published(port, options_text(options, "protocol"), container->record->name,
			      ports, err);
}

int top_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	AUTO(observed) struct observed *observed = NULL;
	AUTO(table) struct table *table = table_new(TABLE_MIN_WIDE);

	if (cli_project_dirs(cli, false, &found, err) < 0)
		return -1;
	dirs = found;
	observed = dirs ? observe_project(dirs, err) : NULL;
	if (dirs && !observed)
		return -1;
	table_row(table, (const char *const[]){ "SERVICE", "#", "UID", "PID", "PPID", "C", "STIME",
						"TTY", "TIME", "CMD", NULL });
	for (size_t i = 0; observed && i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];

		if (!container->alive ||
		    (options_argument_count(options) &&
		     !view_is_listed(options_arguments(options), container->record->service)))
			continue;
		top_rows(table, container->record);
	}
	table_print(table, stdout);
	return 0;
}
