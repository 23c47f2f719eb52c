/* orchestrator/cli/cmd_system - the process behind a project.
 *
 * Owns: what `supervisor` prints. May not touch: containers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/request.h"

/* clang-format off */
const struct option_row supervisor_stop_options[] = {
	OPT_FLAG("containers", 0, "Stop the containers first, as the end of the machine would"),
	OPT_END,
};
/* clang-format on */

int supervisor_status_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(client) struct client *client = NULL;
	AUTO(json) struct json_object *status = NULL;
	const char *name;

	(void)options;
	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	client = client_open(cli, name, false, err);
	if (!client || client_request(client, "status", NULL, NULL, NULL, &status, err) < 0)
		return -1;
	output_json_pretty(stdout, status);
	return 0;
}

int supervisor_stop_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(client) struct client *client = NULL;
	bool containers = options_flag(options, "containers");
	struct json_object *request, *inner;
	const char *name;

	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	client = client_open(cli, name, containers, err);
	if (!client)
		return -1;
	request = request_new(NULL, &inner);
	if (containers)
		json_add_bool(inner, "containers", true);
	if ((containers ? client_follow(cli, client, "end", request, "Stopping", NULL, err)
			: client_request(client, "end", request, NULL, NULL, NULL, err)) < 0)
		return -1;
	client_await_end(client);
	return 0;
}

/* The older half of a rotated log first. */
int supervisor_logs_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const names[] = { "supervisor.log.1", "supervisor.log" };
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	char part[4096];

	(void)options;
	if (cli_project_dirs(cli, true, &found, err) < 0)
		return -1;
	dirs = found;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int fd = openat(dirs->state_fd, names[i], O_RDONLY | O_CLOEXEC);
		AUTO(file) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
		size_t n;

		if (!file && errno != ENOENT)
			return err_sys(err, errno, "open %s/%s", dirs->state, names[i]);
		while (file && (n = fread(part, 1, sizeof(part), file)) > 0)
			fwrite(part, 1, n, stdout);
	}
	return 0;
}
