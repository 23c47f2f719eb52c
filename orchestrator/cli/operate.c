/* orchestrator/cli/operate - a request about what exists of a project.
 *
 * Owns: the checks before it. May not touch: how it is done (the supervisor).
 */
#include "orchestrator/cli/operate.h"

#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/request.h"

int operate(struct cli *cli, const struct options *options, const char *op, const char *title,
	    const char *const *flags, bool has_timeout, struct json_object **out, struct err *err)
{
	struct project_dirs *found = NULL;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	AUTO(client) struct client *client = NULL;
	struct json_object *wishes, *request;

	if (cli_project_dirs(cli, false, &found, err) < 0)
		return -1;
	dirs = found;
	if (!dirs) {
		if (options_argument_count(options))
			return err_set(err, ERR_NOT_FOUND, "no such service: %s",
				       options_argument(options, 0));
		if (strcmp(op, "start") == 0)
			return err_set(
				err, ERR_NOT_FOUND,
				"the project has no container to start (stack up makes them)");
		if (strcmp(op, "down") == 0)
			cli_warn("no resource found to remove");
		return 0;
	}
	if (cli_check_services(cli, dirs, options_arguments(options), err) < 0)
		return -1;
	client = client_open(cli, dirs->name, true, err);
	if (!client)
		return -1;
	request = request_new(options_arguments(options), &wishes);
	request_add_flags(wishes, options, flags);
	if (has_timeout)
		request_add_timeout(wishes, options, "timeout", "timeout_us");
	if (strcmp(op, "rm") == 0) /* they have been stopped, unless it is a dry run */
		json_add_bool(wishes, "stop_first", options_flag(options, "stop"));
	if (strcmp(op, "kill") == 0)
		json_add_text(wishes, "signal", options_text(options, "signal"));
	return client_follow(cli, client, op, request, title, out, err);
}
