/* orchestrator/cli/cmd_inspect - commands that look: ps, logs, ls, images, port, top, events, version.
 *
 * Owns: their flags, which rows they show. May not touch: anything: they only read.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/events_view.h"
#include "orchestrator/cli/logs.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/rows.h"
#include "orchestrator/cli/top.h"
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
const struct option_row logs_options[] = {
	OPT_FLAG("follow", 'f', "Go on with what comes"),
	OPT_TEXT("tail", 'n', "N|all", "Only the last N lines of each container", .fallback = "all"),
	OPT_FLAG("timestamps", 't', "Show the time of each line"),
	OPT_TEXT("since", 0, "TIME", "Not before this time (RFC 3339, unix seconds, or an age: 42m)"),
	OPT_TEXT("until", 0, "TIME", "Not after this time"),
	OPT_FLAG("no-log-prefix", 0, "Without the container's name"),
	OPT_FLAG("no-color", 0, "Without colours"),
	OPT_NUMBER("index", 0, "N", "One replica only", .min = 1, .max = 1000000),
	OPT_TEXT("grep", 0, "REGEX", "Only lines that match"),
	OPT_END,
};
const struct option_row ls_options[] = {
	OPT_FLAG("all", 'a', "Projects without running containers, too"),
	OPT_FLAG("quiet", 'q', "Names only"),
	OPT_LIST("filter", 0, "name=TEXT", "Only projects whose name holds the text"),
	OPT_FORMAT("table|json"),
	OPT_END,
};
const struct option_row images_options[] = {
	OPT_FLAG("quiet", 'q', "IDs only"),
	OPT_FORMAT("table|json"),
	OPT_END,
};
const struct option_row port_options[] = {
	OPT_CHOICE("protocol", 0, "tcp|udp|sctp", "Protocol", .fallback = "tcp"),
	OPT_NUMBER("index", 0, "N", "Replica", .min = 1, .max = 1000000),
	OPT_END,
};
const struct option_row events_options[] = {
	OPT_FLAG("json", 0, "One object a line"),
	OPT_TEXT("since", 0, "TIME", "Not before this time"),
	OPT_TEXT("until", 0, "TIME", "Not after this time, then end"),
	OPT_END,
};
const struct option_row version_options[] = {
	OPT_FLAG("short", 0, "The number only"),
	OPT_CHOICE("format", 'f', "pretty|json", "Form of the output", .fallback = "pretty"),
	OPT_END,
};
/* clang-format on */

static bool is_listed(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* ---- ps ---- */

static const struct output_column ps_columns[] = {
	{ "Name", "NAME", 0 },	     { "Image", "IMAGE", 0 },	{ "Command", "COMMAND", 0 },
	{ "Service", "SERVICE", 0 }, { "RunningFor", "CREATED", 0 }, { "Status", "STATUS", 0 },
	{ "Ports", "PORTS", 0 },     { "ID", "CONTAINER ID", COLUMN_EXTRA },
	{ "State", "STATE", COLUMN_EXTRA }, { "Health", "HEALTH", COLUMN_EXTRA },
	{ "ExitCode", "EXIT CODE", COLUMN_EXTRA }, { "Names", "NAMES", COLUMN_EXTRA },
	{ "Project", "PROJECT", COLUMN_EXTRA }, { "Labels", "LABELS", COLUMN_EXTRA },
	{ "Mounts", "MOUNTS", COLUMN_EXTRA }, { "Networks", "NETWORKS", COLUMN_EXTRA },
	{ "LocalVolumes", "LOCAL VOLUMES", COLUMN_EXTRA }, { "Size", "SIZE", COLUMN_EXTRA },
	{ "CreatedAt", "CREATED AT", COLUMN_EXTRA }, { "Publishers", "PUBLISHERS", COLUMN_EXTRA },
	{ NULL, NULL, 0 },
};

static int wanted_states(const struct options *options, const char *const **out, struct err *err)
{
	static const char *const known[] = { "created", "running", "paused", "restarting",
					     "removing", "exited", "dead", NULL };
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
		if (!is_listed(known, all[i])) {
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

	if (options_argument_count(options) && !is_listed(options_arguments(options), record->service))
		return false;
	if (states[0] && !is_listed(states, container->status))
		return false;
	if (!all && strcmp(container->status, "running") != 0 && strcmp(container->status, "paused") != 0 &&
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

int ps_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view view = { .columns = ps_columns };
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
		return err_set(err, ERR_NOT_FOUND, "no such service: %s", options_argument(options, 0));
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
			json_object_array_add(rows, row_container(dirs->name, container,
								  options_flag(options, "no-trunc")));
	}
	if (quiet || services)
		return 0;
	json_object_array_sort(rows, by_row_name);
	return output_rows(stdout, &view, options_text(options, "format"), rows, err);
}

/* ---- logs ---- */

static int read_log_options(const struct options *options, struct log_options *out, struct err *err)
{
	const char *tail = options_text(options, "tail"), *text;
	uint64_t now = stamp_now_ns();

	out->follow = options_flag(options, "follow");
	out->tail = LOG_TAIL_ALL;
	if (tail && strcmp(tail, "all") != 0) {
		char *end;
		long value = strtol(tail, &end, 10);

		if (*end || !*tail)
			return err_set(err, ERR_INVALID, "--tail: \"%s\" must be a number or \"all\"", tail);
		out->tail = value < 0 ? LOG_TAIL_ALL : (uint64_t)value;
	}
	if ((text = options_text(options, "since")) != NULL &&
	    log_time_parse(text, now, &out->since_ns, err) < 0)
		return err_wrap(err, "--since");
	if ((text = options_text(options, "until")) != NULL &&
	    log_time_parse(text, now, &out->until_ns, err) < 0)
		return err_wrap(err, "--until");
	return 0;
}

int logs_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct logs_view view = { .services = options_arguments(options),
				  .index = (unsigned)options_number(options, "index"),
				  .grep = options_text(options, "grep"),
				  .timestamps = options_flag(options, "timestamps"),
				  .no_prefix = options_flag(options, "no-log-prefix"),
				  .colours = !options_flag(options, "no-color") &&
					     output_may_use_ansi(stdout, cli->ansi),
				  .announce = true };
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	bool interrupted;

	if (read_log_options(options, &view.log, err) < 0 || cli_project_dirs(cli, false, &found, err) < 0)
		return -1;
	dirs = found;
	if (!dirs)
		return options_argument_count(options)
			       ? err_set(err, ERR_NOT_FOUND, "no such service: %s",
					 options_argument(options, 0))
			       : 0;
	if (cli_check_services(cli, dirs, options_arguments(options), err) < 0 ||
	    logs_show(cli, dirs, &view, &interrupted, err) < 0)
		return -1;
	return interrupted ? 130 : 0;
}

/* ---- ls ---- */

static const struct output_column ls_columns[] = {
	{ "Name", "NAME", 0 }, { "Status", "STATUS", 0 }, { "ConfigFiles", "CONFIG FILES", 0 },
	{ "SupervisorPid", "", COLUMN_EXTRA }, { NULL, NULL, 0 },
};

/* "exited(1), running(3)", sorted by word; to be freed. */
static char *project_status(const struct observed *observed, bool *out_runs)
{
	static const char *const words[] = { "created", "exited", "paused", "removing", "restarting",
					     "running" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool first = true;

	*out_runs = false;
	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
		size_t count = 0;

		for (size_t i = 0; i < observed->count; i++)
			count += strcmp(observed->containers[i].status, words[w]) == 0;
		if (!count)
			continue;
		fprintf(out, "%s%s(%zu)", first ? "" : ", ", words[w], count);
		first = false;
		*out_runs |= strcmp(words[w], "running") == 0 || strcmp(words[w], "paused") == 0 ||
			     strcmp(words[w], "restarting") == 0;
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

	if (!all && !runs)
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
	struct output_view view = { .columns = ls_columns, .flags = OUTPUT_JSON_ARRAY | OUTPUT_WIDE };
	AUTO(json) struct json_object *rows = json_object_new_array();
	AUTO(names) char **names = NULL;
	const char *filter;

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

/* ---- images, port, top, events, version ---- */

static const struct output_column images_columns[] = {
	{ "ContainerName", "CONTAINER", 0 }, { "Repository", "REPOSITORY", 0 }, { "Tag", "TAG", 0 },
	{ "ID", "IMAGE ID", 0 },	     { NULL, NULL, 0 },
};

static char *images_cell(const char *field, struct json_object *row)
{
	char text[HUMAN_LEN];

	return strcmp(field, "ID") == 0 ? xstrdup(human_short_id(json_text_or(row, "ID", ""), text)) : NULL;
}

static struct json_object *image_row(const struct record *record)
{
	struct json_object *row = json_object_new_object();
	const char *slash = strrchr(record->image_ref, '/');
	const char *colon = strrchr(slash ? slash : record->image_ref, ':');
	AUTO(free) char *repository = colon ? xstrndup(record->image_ref, (size_t)(colon - record->image_ref))
					    : xstrdup(record->image_ref);

	json_add_text(row, "ID", record->image_id);
	json_add_text(row, "ContainerName", record->name);
	json_add_text(row, "Repository", repository);
	json_add_text(row, "Tag", colon ? colon + 1 : "latest");
	return row;
}

int images_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view view = { .columns = images_columns, .cell = images_cell,
				    .flags = OUTPUT_JSON_ARRAY | OUTPUT_WIDE };
	AUTO(json) struct json_object *rows = json_object_new_array();
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	AUTO(observed) struct observed *observed = NULL;

	if (cli_project_dirs(cli, false, &found, err) < 0)
		return -1;
	dirs = found;
	observed = dirs ? observe_project(dirs, err) : NULL;
	if (dirs && !observed)
		return -1;
	for (size_t i = 0; observed && i < observed->count; i++) {
		const struct record *record = observed->containers[i].record;

		if (options_argument_count(options) &&
		    !is_listed(options_arguments(options), record->service))
			continue;
		if (options_flag(options, "quiet"))
			puts(strncmp(record->image_id, "sha256:", 7) == 0 ? record->image_id + 7
									  : record->image_id);
		else
			json_object_array_add(rows, image_row(record));
	}
	return options_flag(options, "quiet")
		       ? 0
		       : output_rows(stdout, &view, options_text(options, "format"), rows, err);
}

int port_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *service = options_argument(options, 0), *port = options_argument(options, 1);
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	AUTO(observed) struct observed *observed = NULL;
	const struct observed_container *container;
	struct json_object *ports;
	long wanted = strtol(port, NULL, 10);

	if (cli_project_dirs(cli, true, &found, err) < 0)
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

		if (json_int_or(one, "target", 0) != wanted ||
		    strcmp(json_text_or(one, "protocol", ""), options_text(options, "protocol")) != 0)
			continue;
		printf(strchr(ip, ':') ? "[%s]:%d\n" : "%s:%d\n", ip, (int)json_int_or(one, "host_port", 0));
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no port %s/%s is published for container %s", port,
		       options_text(options, "protocol"), container->record->name);
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
	table_row(table, (const char *const[]){ "SERVICE", "#", "UID", "PID", "PPID", "C", "STIME", "TTY",
						"TIME", "CMD", NULL });
	for (size_t i = 0; observed && i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];

		if (!container->alive || (options_argument_count(options) &&
					  !is_listed(options_arguments(options), container->record->service)))
			continue;
		top_rows(table, container->record);
	}
	table_print(table, stdout);
	return 0;
}

static void print_event(struct json_object *event, bool as_json)
{
	if (as_json) {
		struct json_object *out = json_object_new_object(), *attributes;

		json_add_text(out, "action", json_text_or(event, "event", ""));
		attributes = json_add_object(out, "attributes");
		json_add_text(attributes, "image", json_text_or(event, "image", NULL));
		json_add_text(attributes, "name", json_text_or(event, "name", NULL));
		json_add_text(attributes, "reason", json_text_or(event, "reason", NULL));
		json_add_text(out, "id", json_text_or(event, "container", NULL));
		json_add_text(out, "service", json_text_or(event, "service", NULL));
		json_add_text(out, "time", json_text_or(event, "time", NULL));
		json_add_text(out, "type", "container");
		output_json_line(stdout, out);
		json_object_put(out);
		return;
	}
	printf("%s container %s %s (image=%s, name=%s)%s%s\n", json_text_or(event, "time", ""),
	       json_text_or(event, "event", ""), json_text_or(event, "container", ""),
	       json_text_or(event, "image", ""), json_text_or(event, "name", ""),
	       json_text_or(event, "reason", NULL) ? " " : "", json_text_or(event, "reason", ""));
}

int events_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	struct events_view view = { .services = options_arguments(options),
				    .follow = !options_text(options, "until") };
	const char *text;

	if ((text = options_text(options, "since")) != NULL &&
	    log_time_parse(text, stamp_now_ns(), &view.since_ns, err) < 0)
		return err_wrap(err, "--since");
	if ((text = options_text(options, "until")) != NULL &&
	    log_time_parse(text, stamp_now_ns(), &view.until_ns, err) < 0)
		return err_wrap(err, "--until");
	if (cli_project_dirs(cli, true, &found, err) < 0)
		return -1;
	dirs = found;
	return events_show(dirs, &view, print_event, options_flag(options, "json"), err);
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
