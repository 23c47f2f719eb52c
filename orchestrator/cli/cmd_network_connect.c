/* orchestrator/cli/cmd_network_connect - containers join and leave networks while they run.
 *
 * Owns: the request to the supervisor of the container's project. May not touch: books, links.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_network.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/cli/words.h"

/* clang-format off */
const struct option_row connect_options[] = {
	OPT_LIST("alias", 0, "NAME", "Further name of the container on this network"),
	OPT_TEXT("ip", 0, "ADDRESS", "IPv4 address (default: a free one)"),
	OPT_TEXT("ip6", 0, "ADDRESS", "IPv6 address (default: a free one)"),
	OPT_LIST("link-local-ip", 0, "ADDRESS", "Further address of the link alone"),
	OPT_LIST("driver-opt", 0, "KEY=VALUE", "Option of the endpoint"),
	OPT_NUMBER("gw-priority", 0, "N", "The network with the highest one gives the default route", .min = -1000000, .max = 1000000),
	OPT_END,
};
const struct option_row disconnect_options[] = {
	OPT_FLAG("force", 'f', "A container that is not there is no error"),
	OPT_END,
};
/* clang-format on */

static struct json_object *request_of(const char *container, const char *network)
{
	struct json_object *request = json_object_new_object();

	json_add_text(request, "container", container);
	json_add_text(request, "network", network);
	return request;
}

static int ask(struct cli *cli, const char *op, const struct view *view,
	       struct json_object *request, struct err *err)
{
	AUTO(client) struct client *client = client_open(cli, view->dirs->name, true, err);

	if (!client) {
		json_object_put(request);
		return -1;
	}
	return client_request(client, op, request, NULL, NULL, NULL, err);
}

static void add_list(struct json_object *request, const char *key, const char *const *words)
{
	struct json_object *array = *words ? json_add_array(request, key) : NULL;

	for (; *words; words++)
		json_push_text(array, *words);
}

static int add_driver_opts(struct cli *cli, struct json_object *request, const char *const *words,
			   struct err *err)
{
	struct json_object *object = *words ? json_add_object(request, "driver_opts") : NULL;

	for (; *words; words++) {
		const char *key, *value;

		if (word_split(cli->arena, "driver-opt", *words, 0, &key, &value, err) < 0)
			return -1;
		json_add_text(object, key, value);
	}
	return 0;
}

int network_connect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container;
	struct json_object *request;
	const char *network;

	if (network_real_name(cli, options_argument(options, 0), &network, err) < 0)
		return -1;
	container = view_find_container(cli, options_argument(options, 1), &view, err);
	if (!container)
		return -1;
	request = request_of(container->record->id, network);
	json_add_text(request, "ip4", options_text(options, "ip"));
	json_add_text(request, "ip6", options_text(options, "ip6"));
	json_add_int(request, "gw_priority", options_number(options, "gw-priority"));
	add_list(request, "aliases", options_list(options, "alias", NULL));
	add_list(request, "link_local", options_list(options, "link-local-ip", NULL));
	if (add_driver_opts(cli, request, options_list(options, "driver-opt", NULL), err) < 0) {
		json_object_put(request);
		return -1;
	}
	return ask(cli, "connect", view, request, err);
}

int network_disconnect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	const struct observed_container *container;
	const char *network;

	if (network_real_name(cli, options_argument(options, 0), &network, err) < 0)
		return -1;
	container = view_find_container(cli, options_argument(options, 1), &view, err);
	if (!container && err->code == ERR_NOT_FOUND && options_flag(options, "force")) {
		*err = ERR_NONE;
		return 0;
	}
	if (!container)
		return -1;
	return ask(cli, "disconnect", view, request_of(container->record->id, network), err);
}
