/* orchestrator/cli/cmd_container_look - what looks at or enters single containers: logs, top, port,
 * wait, diff, exec, attach, cp.
 *
 * Owns: their flags. May not touch: containers.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/cmd_enter.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/container_diff.h"
#include "orchestrator/cli/logs.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/top.h"
#include "orchestrator/cli/view.h"

/* clang-format off */
const struct option_row container_logs_options[] = {
	OPT_FLAG("follow", 'f', "Go on with what comes"),
	OPT_TEXT("tail", 'n', "N|all", "Only the last N lines", .fallback = "all"),
	OPT_FLAG("timestamps", 't', "Show the time of each line"),
	OPT_TEXT("since", 0, "TIME", "Not before this time (RFC 3339, unix seconds, or an age: 42m)"),
	OPT_TEXT("until", 0, "TIME", "Not after this time"),
	OPT_TEXT("grep", 0, "REGEX", "Only lines that match"),
	OPT_END,
};
const struct option_row container_exec_options[] = {
	OPT_FLAG("detach", 'd', "Leave it running in the background"),
	OPT_FLAG("interactive", 'i', "Pass stdin on"),
	OPT_FLAG("tty", 't', "A terminal"),
	OPT_LIST("env", 'e', "NAME[=VALUE]", "Set a variable"),
	OPT_TEXT("user", 'u', "USER[:GROUP]", "Run as this user"),
	OPT_TEXT("workdir", 'w', "DIR", "Working directory"),
	OPT_FLAG("privileged", 0, "With all capabilities"),
	OPT_END,
};
const struct option_row container_attach_options[] = {
	OPT_FLAG("no-stdin", 0, "Do not pass stdin on"),
	OPT_FLAG("sig-proxy", 0, "Pass signals on", .fallback = "true"),
	OPT_TEXT("detach-keys", 0, "KEYS", "Keys that leave it running (default ctrl-p,ctrl-q)"),
	OPT_END,
};
/* clang-format on */

static const struct observed_container *first(struct cli *cli, const struct options *options,
					      struct view **out_view, struct err *err)
{
	return view_find_container(cli, options_argument(options, 0), out_view, err);
}

static int not_running(const struct observed_container *container, struct err *err)
{
	return err_set(err, ERR_INVALID, "container %s does not run", container->record->name);
}

int container_logs_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = first(cli, options, &view, err);
	struct logs_view logs = { .grep = options_text(options, "grep"),
				  .timestamps = options_flag(options, "timestamps"),
				  .no_prefix = true,
				  .split_streams = true };
	bool interrupted;

	if (!container || logs_read_options(options, &logs.log, err) < 0)
		return -1;
	logs.container = container->record->id;
	if (logs_show(cli, view->dirs, &logs, &interrupted, err) < 0)
		return -1;
	return interrupted ? 130 : 0;
}

int container_top_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = first(cli, options, &view, err);
	AUTO(table) struct table *table = table_new(TABLE_MIN_WIDE);

	if (!container)
		return -1;
	if (!container->alive)
		return not_running(container, err);
	table_row(table, (const char *const[]){ "SERVICE", "#", "UID", "PID", "PPID", "C", "STIME",
						"TTY", "TIME", "CMD", NULL });
	top_rows(table, container->record);
	table_print(table, stdout);
	return 0;
}

/* "80" or "80/udp". */
static int read_port(const char *text, uint64_t *out_port, const char **out_protocol,
		     struct err *err)
{
	const char *slash = strchr(text, '/');

	*out_protocol = slash ? slash + 1 : "tcp";
	return num_parse_u64("port", text, slash ? (size_t)(slash - text) : strlen(text), 1, 65535,
			     out_port, err);
}

int container_port_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = first(cli, options, &view, err);
	const char *wanted = options_argument(options, 1), *protocol = NULL;
	struct json_object *ports = container ? json_array_at(container->info, "ports") : NULL;
	uint64_t port = 0;
	bool any = false;

	if (!container || (wanted && read_port(wanted, &port, &protocol, err) < 0))
		return -1;
	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *one = json_object_array_get_idx(ports, i);
		const char *ip = json_text_or(one, "host_ip", "");
		int64_t target = json_int_or(one, "target", 0);

		if (wanted && ((uint64_t)target != port ||
			       strcmp(json_text_or(one, "protocol", ""), protocol) != 0))
			continue;
		any = true;
		if (!wanted)
			printf("%lld/%s -> ", (long long)target, json_text_or(one, "protocol", ""));
		printf(strchr(ip, ':') ? "[%s]:%d\n" : "%s:%d\n", ip,
		       (int)json_int_or(one, "host_port", 0));
	}
	return any || !wanted
		       ? 0
		       : err_set(err, ERR_NOT_FOUND, "no port %s is published for container %s",
				 wanted, container->record->name);
}

int container_wait_command(struct cli *cli, const struct options *options, struct err *err)
{
	for (const char *const *name = options_arguments(options); *name; name++) {
		AUTO(view) struct view *view = NULL;
		const struct observed_container *container =
			view_find_container(cli, *name, &view, err);
		int code;

		if (!container)
			return -1;
		code = container->alive ? wait_for_record(view, container->record, err)
					: container->record->last_exit.code;
		if (code < 0)
			return -1;
		printf("%d\n", code);
		fflush(stdout);
	}
	return 0;
}

int container_diff_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = first(cli, options, &view, err);

	return container ? container_diff_print(cli, view->dirs, container->record, stdout, err)
			 : -1;
}

int container_exec_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = first(cli, options, &view, err);
	unsigned flags = (options_flag(options, "tty") ? ENTER_TTY : 0) |
			 (options_flag(options, "interactive") ? 0 : ENTER_NO_STDIN) |
			 (options_flag(options, "detach") ? ENTER_DETACH : 0);

	if (!container)
		return -1;
	if (!container->alive)
		return not_running(container, err);
	return enter_exec(cli, options, container->record, options_arguments(options) + 1, flags,
			  err);
}

int container_attach_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container = first(cli, options, &view, err);

	if (!container)
		return -1;
	return container->alive ? enter_attach(cli, options, container, err)
				: not_running(container, err);
}
