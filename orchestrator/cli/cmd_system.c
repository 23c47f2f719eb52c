/* orchestrator/cli/cmd_system - the process behind a project.
 *
 * Owns: what `supervisor` prints. May not touch: containers.
 */
#include <stdio.h>

#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"

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
	const char *name;

	(void)options;
	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	client = client_open(cli, name, false, err);
	return client ? client_request(client, "end", NULL, NULL, NULL, NULL, err) : -1;
}
