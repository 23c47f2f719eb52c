/* orchestrator/cli/cmd_network - networks of this machine: ls, inspect, create, rm, prune.
 *
 * Owns: their flags and rows. May not touch: records, links and rules but through netplug and
 * orchestrator/network.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "netplug/link.h"
#include "netplug/naming.h"
#include "netplug/nat.h"
#include "netplug/network.h"
#include "netplug/rtnl.h"
#include "orchestrator/cli/cmd_network.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/rows_network.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/cli/words.h"
#include "orchestrator/desired.h"
#include "orchestrator/network.h"
#include "orchestrator/network_spec.h"

#define PREFIX_MIN 4

/* clang-format off */
static const struct option_row ls_rows[] = {
	OPT_FLAG("quiet", 'q', "IDs only"),
	OPT_FLAG("no-trunc", 0, "Full IDs"),
	OPT_LIST("filter", 'f', "KEY=VALUE", "name=, id=, driver=, label=, dangling=true|false"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
static const struct option_row inspect_rows[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_END,
};
static const struct option_row create_rows[] = {
	OPT_TEXT("driver", 'd', "DRIVER", "bridge, macvlan or ipvlan", .fallback = "bridge"),
	OPT_LIST("subnet", 0, "ADDRESS/LEN", "Subnet (default: a free one of the pools)"),
	OPT_LIST("gateway", 0, "ADDRESS", "Gateway within a subnet"),
	OPT_LIST("ip-range", 0, "ADDRESS/LEN", "Part of a subnet that addresses are given from"),
	OPT_FLAG("internal", 0, "No way to the outside"),
	OPT_FLAG("attachable", 0, "Kept for other tools"),
	OPT_FLAG("ipv6", 0, "IPv6, too"),
	OPT_LIST("opt", 'o', "KEY=VALUE", "Option of the driver"),
	OPT_LIST("label", 0, "KEY[=VALUE]", "Label"),
	OPT_END,
};
static const struct option_row rm_rows[] = { OPT_FLAG("force", 'f', "Absent ones are no error"), OPT_END };
static const struct option_row prune_rows[] = {
	OPT_FLAG("force", 'f', "No question"),
	OPT_LIST("filter", 0, "label=KEY[=VALUE]", "Only networks with this label"),
	OPT_END,
};
/* clang-format on */

/* What netplug's books need, from the roots of the command. */
struct books {
	struct netplug np;
	char machine_id[64];
};

static int open_books(struct cli *cli, struct books *out, struct err *err)
{
	if (cli_roots(cli, err) < 0 || cli_settings(cli, err) < 0)
		return -1;
	naming_machine_id(out->machine_id);
	out->np = network_books(cli->roots, cli->settings, out->machine_id);
	return 0;
}

/* By name, else by the beginning of its ID. */
static int find(struct cli *cli, const struct books *books, const char *text,
		struct network_record **out, struct err *err)
{
	struct network_record **all;
	size_t count, len = strlen(text);

	*out = NULL;
	if (network_list(&books->np, cli->arena, NULL, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i]->name, text) == 0 ||
		    (!*out && len >= PREFIX_MIN && strncmp(all[i]->id, text, len) == 0))
			*out = all[i];
	return *out ? 0 : err_set(err, ERR_NOT_FOUND, "network %s does not exist", text);
}

int network_real_name(struct cli *cli, const char *text, const char **out_name, struct err *err)
{
	struct network_record *network;
	struct books books;

	if (open_books(cli, &books, err) < 0 || find(cli, &books, text, &network, err) < 0)
		return -1;
	*out_name = network->name;
	return 0;
}

/* ---- ls, inspect ---- */

static const struct output_column ls_columns[] = {
	{"ID",         "NETWORK ID", 0           },
	{ "Name",      "NAME",       0           },
	{ "Driver",    "DRIVER",     0           },
	{ "Scope",     "SCOPE",      0           },
	{ "CreatedAt", "CREATED AT", COLUMN_EXTRA},
	{ "IPv4",      "IPV4",       COLUMN_EXTRA},
	{ "IPv6",      "IPV6",       COLUMN_EXTRA},
	{ "Internal",  "INTERNAL",   COLUMN_EXTRA},
	{ "Labels",    "LABELS",     COLUMN_EXTRA},
	{ NULL,        NULL,         0           },
};

static bool passes(const char *const *filters, const struct network_record *network)
{
	AUTO(json) struct json_object *labels = network_labels(network);

	return filter_passes(filters, "name", filter_holds_text, network->name) &&
	       filter_passes(filters, "id", filter_holds_text, network->id) &&
	       filter_passes(filters, "driver", filter_is_text,
			     network_driver_name(network->driver)) &&
	       filter_passes(filters, "label", filter_has_label, labels) &&
	       filter_passes(filters, "dangling", filter_is_text,
			     network->lease_count ? "false" : "true");
}

static int network_ls_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const known[] = { "name", "id", "driver", "label", "dangling", NULL };
	const char *const *filters = options_list(options, "filter", NULL);
	struct output_view form = { .columns = ls_columns };
	AUTO(json) struct json_object *rows = json_object_new_array();
	struct network_record **all;
	struct books books;
	size_t count;

	if (filter_check(filters, known, err) < 0 || open_books(cli, &books, err) < 0 ||
	    network_list(&books.np, cli->arena, NULL, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *row;

		if (!passes(filters, all[i]))
			continue;
		row = row_network(all[i], options_flag(options, "no-trunc"));
		if (options_flag(options, "quiet"))
			puts(json_text_or(row, "ID", ""));
		json_object_array_add(rows, row);
	}
	return options_flag(options, "quiet")
		       ? 0
		       : output_rows(stdout, &form, options_text(options, "format"), rows, err);
}

static int network_inspect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(json) struct json_object *array = json_object_new_array();
	struct network_record *network;
	struct books books;

	if (open_books(cli, &books, err) < 0)
		return -1;
	for (const char *const *name = options_arguments(options); *name; name++) {
		if (find(cli, &books, *name, &network, err) < 0)
			return -1;
		json_object_array_add(array, inspect_network(cli, network));
	}
	return output_inspect(stdout, options_text(options, "format"), array, err);
}

int network_each_name(struct cli *cli, void (*each)(void *ctx, const char *name), void *ctx,
		      struct err *err)
{
	struct network_record **all;
	struct books books;
	size_t count;

	if (open_books(cli, &books, err) < 0 ||
	    network_list(&books.np, cli->arena, NULL, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		each(ctx, all[i]->name);
	return 0;
}

struct json_object *network_inspect_named(struct cli *cli, const char *name, struct err *err)
{
	struct network_record *network;
	struct books books;

	return open_books(cli, &books, err) < 0 || find(cli, &books, name, &network, err) < 0
		       ? NULL
		       : inspect_network(cli, network);
}

/* ---- one goes ---- */

/* Record, bridge, rules; the group of a network made by hand goes with it. */
static int remove_one(struct cli *cli, const struct books *books,
		      const struct network_record *network, struct err *err)
{
	const char *owner = network_group_owner(cli->arena, network);
	bool by_hand = owner != network->project;
	struct project_net *net;
	unsigned group;
	int status;

	if (network->lease_count)
		return err_set(err, ERR_BUSY, "network %s is in use by %s%s", network->name,
			       network->leases[0].slot,
			       network->lease_count > 1 ? " and others" : "");
	if (link_group_find(&books->np, owner, &group, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		*err = ERR_NONE;
		return network_remove(&books->np, network->name, err);
	}
	net = net_open(cli->roots, owner, cli->settings, err);
	status = net ? net_remove(net, network->name, err) : -1;
	net_close(net);
	if (status == 0 && by_hand) {
		AUTO(nft) struct nft *nft = NULL;

		/* The second takes the table along when nothing of anybody is left in it. */
		status = link_group_drop(&books->np, owner, err) < 0 || nft_open(&nft, err) < 0
				 ? -1
				 : nat_remove_owner(nft, owner, err);
	}
	return status;
}

/* ---- create ---- */

static int read_pairs(struct cli *cli, const struct options *options, const char *flag,
		      unsigned flags, struct network_pairs *out, struct err *err)
{
	const char *const *words = options_list(options, flag, &out->count);

	out->items = arena_alloc(cli->arena, (out->count + 1) * sizeof(*out->items));
	for (size_t i = 0; i < out->count; i++)
		if (word_split(cli->arena, flag, words[i], flags, &out->items[i].key,
			       &out->items[i].value, err) < 0)
			return -1;
	return 0;
}

/* The first subnet that holds the address and has nothing of that kind yet. */
static int place_in_subnet(struct network_spec *spec, const char *flag, const char *word,
			   size_t offset, struct err *err)
{
	struct prefix wanted, subnet;

	if (prefix_parse(flag, word, &wanted, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->subnet_count; i++) {
		const char **place = (const char **)((char *)&spec->subnets[i] + offset);

		if (prefix_parse("subnet", spec->subnets[i].subnet, &subnet, err) < 0)
			return -1;
		if (*place || !prefix_within(&subnet, &wanted))
			continue;
		*place = word;
		return 0;
	}
	return err_set(err, ERR_INVALID, "--%s %s: no --subnet holds it", flag, word);
}

static int read_subnets(struct cli *cli, const struct options *options, struct network_spec *spec,
			struct err *err)
{
	static const struct {
		const char *flag;
		size_t offset;
	} parts[] = {
		{"gateway",   offsetof(struct network_subnet_spec, gateway) },
		{ "ip-range", offsetof(struct network_subnet_spec, ip_range)},
	};
	const char *const *words = options_list(options, "subnet", &spec->subnet_count);

	spec->subnets = arena_alloc(cli->arena, (spec->subnet_count + 1) * sizeof(*spec->subnets));
	for (size_t i = 0; i < spec->subnet_count; i++)
		spec->subnets[i].subnet = words[i];
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (words = options_list(options, parts[i].flag, NULL); *words; words++)
			if (place_in_subnet(spec, parts[i].flag, *words, parts[i].offset, err) < 0)
				return -1;
	return 0;
}

static int make_bridge(struct cli *cli, const struct books *books,
		       const struct network_record *network, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	struct bridge_want bridge = { .name = NULL };
	unsigned group;

	if (network->driver != NETWORK_BRIDGE)
		return 0;
	if (link_group_take(&books->np, network_group_owner(cli->arena, network), &group, err) <
		    0 ||
	    rtnl_open(&rtnl, err) < 0)
		return -1;
	link_bridge_of(network, cli->arena, group, &bridge);
	return link_ensure_bridges(rtnl, &bridge, 1, err);
}

/* The record goes to the disk beside the making of the bridge: both together take as long as the
 * longer one. */
struct sync_job {
	const struct netplug *np;
	const char *name;
	struct err err;
};

static void *sync_record(void *data)
{
	struct sync_job *job = data;

	network_sync(job->np, job->name, &job->err);
	return NULL;
}

static int make_durable(struct cli *cli, const struct books *books,
			const struct network_record *network, struct err *err)
{
	struct sync_job job = { .np = &books->np, .name = network->name };
	pthread_t thread;
	bool is_beside = pthread_create(&thread, NULL, sync_record, &job) == 0;
	int status = make_bridge(cli, books, network, err);

	if (is_beside)
		pthread_join(thread, NULL);
	else
		sync_record(&job);
	if (status == 0 && job.err.code) {
		*err = job.err;
		status = -1;
	}
	return status;
}

static int network_create_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct network_spec spec = { .name = options_argument(options, 0),
				     .driver = options_text(options, "driver"),
				     .internal = options_flag(options, "internal"),
				     .attachable = options_flag(options, "attachable"),
				     .ipv6 = options_flag(options, "ipv6") };
	struct network_record *network;
	struct network_options known;
	struct err ignored = ERR_NONE;
	enum network_outcome outcome;
	const char *warning = NULL;
	struct books books;
	char why[240];

	if (view_is_listed((const char *const[]){ "host", "none", "bridge", "default", NULL },
			   spec.name))
		return err_set(err, ERR_INVALID, "network name \"%s\" has a meaning of its own",
			       spec.name);
	if (read_subnets(cli, options, &spec, err) < 0 ||
	    read_pairs(cli, options, "opt", 0, &spec.options, err) < 0 ||
	    read_pairs(cli, options, "label", WORD_MAY_BE_BARE, &spec.labels, err) < 0 ||
	    open_books(cli, &books, err) < 0 ||
	    network_ensure(&books.np, cli->arena, &spec, &network, &outcome, why, err) < 0)
		return -1;
	if (outcome != NETWORK_MADE)
		return err_set(err, ERR_EXISTS, "network %s exists already", spec.name);
	if (network_options_read(cli->arena, &spec.options, &known, &warning, &ignored) == 0 &&
	    warning)
		cli_warn("%s", warning);
	if (make_durable(cli, &books, network, err) < 0) {
		ignored = (struct err)ERR_NONE;
		remove_one(cli, &books, network, &ignored);
		return -1;
	}
	puts(network->id);
	return 0;
}

/* ---- rm, prune ---- */

static int network_rm_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct network_record *network;
	struct books books;
	int status = 0;

	if (open_books(cli, &books, err) < 0)
		return -1;
	for (const char *const *name = options_arguments(options); *name; name++) {
		struct err one = ERR_NONE;

		if (find(cli, &books, *name, &network, &one) == 0 &&
		    remove_one(cli, &books, network, &one) == 0) {
			puts(network->name);
		} else if (one.code != ERR_NOT_FOUND || !options_flag(options, "force")) {
			if (status < 0)
				cli_warn("%s", err->msg);
			*err = one;
			status = -1;
		}
	}
	return status;
}

/* A project that is not down makes its networks anew at its next start. */
static bool is_wanted(struct cli *cli, const char *project)
{
	struct err err = ERR_NONE;
	AUTO(project_dirs) struct project_dirs *dirs = NULL;
	struct texts stopped;
	const char *state;

	if (!project || !*project)
		return false;
	dirs = project_dirs_open(cli->roots, project, false, &err);
	return dirs && (desired_read(dirs, cli->arena, &state, &stopped, &err) < 0 ||
			strcmp(state, "down") != 0);
}

int network_prune(struct cli *cli, const char *const *filters, struct err *err)
{
	struct network_record **all;
	struct books books;
	size_t count;

	if (open_books(cli, &books, err) < 0 ||
	    network_list(&books.np, cli->arena, NULL, &all, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct err one = ERR_NONE;
		AUTO(json) struct json_object *labels = network_labels(all[i]);

		if (all[i]->lease_count || is_wanted(cli, all[i]->project) ||
		    !filter_passes(filters, "label", filter_has_label, labels))
			continue;
		if (remove_one(cli, &books, all[i], &one) == 0)
			puts(all[i]->name);
		else
			cli_warn("%s", one.msg);
	}
	return 0;
}

static int network_prune_command(struct cli *cli, const struct options *options, struct err *err)
{
	static const char *const known[] = { "label", NULL };
	const char *const *filters = options_list(options, "filter", NULL);

	if (filter_check(filters, known, err) < 0)
		return -1;
	if (!options_flag(options, "force") &&
	    !cli_ask("Remove all networks that no container uses?"))
		return 0;
	return network_prune(cli, filters, err);
}

/* clang-format off */
const struct command network_commands[] = {
	{ "ls", "list", "", "List networks", NULL, EXAMPLES("stack network ls", "of all projects, and those made by hand"), NULL,
	  ls_rows, NULL, network_ls_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "inspect", NULL, "NETWORK...", "Show networks in detail", NULL, EXAMPLES("stack network inspect shop_default", "with the addresses of its members"), NULL,
	  inspect_rows, NULL, network_inspect_command, 1, ARGUMENTS_ANY, ARGUMENT_NETWORK, 0 },
	{ "create", NULL, "NETWORK", "Make a network", NULL,
	  EXAMPLES("stack network create shared", "for `external: true`", "stack network create --subnet 10.9.0.0/24 --gateway 10.9.0.254 lab", "with addresses of your choice"), NULL,
	  create_rows, NULL, network_create_command, 1, 1, ARGUMENT_OTHER, 0 },
	{ "connect", NULL, "NETWORK CONTAINER", "Connect a container to a network", "It holds until the container is made anew by `up`, also over restarts. A running one gets the link at once.",
	  EXAMPLES("stack network connect --alias db shared shop-postgres-1", "db is a name of it on shared"), NULL,
	  connect_options, NULL, network_connect_command, 2, 2, ARGUMENT_NETWORK, 0 },
	{ "disconnect", NULL, "NETWORK CONTAINER", "Disconnect a container from a network", NULL,
	  EXAMPLES("stack network disconnect shared shop-postgres-1", "the link goes while it runs"), NULL,
	  disconnect_options, NULL, network_disconnect_command, 2, 2, ARGUMENT_NETWORK, 0 },
	{ "rm", "remove", "NETWORK...", "Remove networks", NULL, EXAMPLES("stack network rm shared", "refused while a container has an address of it"), NULL,
	  rm_rows, NULL, network_rm_command, 1, ARGUMENTS_ANY, ARGUMENT_NETWORK, 0 },
	{ "prune", NULL, "", "Remove networks that nothing uses", "Networks of a project that is up or stopped stay.",
	  EXAMPLES("stack network prune -f", "no question"), NULL,
	  prune_rows, NULL, network_prune_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};
/* clang-format on */
