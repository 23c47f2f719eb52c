/* orchestrator/cli/cmd_logs - commands that read what was written: logs, events.
 *
 * Owns: their flags. May not touch: anything: they only read.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/stamp.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/events_view.h"
#include "orchestrator/cli/logs.h"
#include "orchestrator/cli/output.h"

/* clang-format off */
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
const struct option_row events_options[] = {
	OPT_FLAG("json", 0, "One object a line"),
	OPT_TEXT("since", 0, "TIME", "Not before this time"),
	OPT_TEXT("until", 0, "TIME", "Not after this time, then end"),
	OPT_END,
};
/* clang-format on */

int logs_read_options(const struct options *options, struct log_options *out, struct err *err)
{
	const char *tail = options_text(options, "tail"), *text;
	uint64_t now = stamp_now_ns();

	out->follow = options_flag(options, "follow");
	out->tail = LOG_TAIL_ALL;
	if (tail && strcmp(tail, "all") != 0) {
		bool below_zero = tail[0] == '-'; /* docker takes it for all */
		const char *digits = tail + below_zero;

		if (num_parse_u64("--tail", digits, strlen(digits), 0, LOG_TAIL_ALL - 1, &out->tail,
				  err) < 0)
			return err_set(err, ERR_INVALID,
				       "--tail: \"%s\" must be a number or \"all\"", tail);
		if (below_zero)
			out->tail = LOG_TAIL_ALL;
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

	if (logs_read_options(options, &view.log, err) < 0 ||
	    cli_project_dirs(cli, false, &found, err) < 0)
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

static void print_event(struct json_object *event, bool as_json)
{
	if (as_json) {
		struct json_object *out = json_object_new_object(), *attributes;

		json_add_text(out, "action", json_text_or(event, "event", ""));
		attributes = json_add_object(out, "attributes");
		json_add_text(attributes, "image", json_text_or(event, "image", NULL));
		json_add_text(attributes, "name", json_text_or(event, "name", NULL));
		json_add_text(attributes, "project", json_text_or(event, "project", NULL));
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
	if (!options_argument_count(options) && !cli_has_project(cli))
		return cli_roots(cli, err) < 0
			       ? -1
			       : events_show_all(cli->roots, &view, print_event,
						 options_flag(options, "json"), err);
	if (cli_project_dirs(cli, true, &found, err) < 0)
		return -1;
	dirs = found;
	return events_show(dirs, &view, print_event, options_flag(options, "json"), err);
}
