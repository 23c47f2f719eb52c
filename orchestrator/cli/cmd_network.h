/* orchestrator/cli/cmd_network - the group `network`: what `system prune` takes from it, and the
 * commands of cmd_network_connect. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/cli/cli.h"

/* Removes networks without members whose project is down, names on stdout; what cannot be removed
 * is told as a warning. filters: label= words, NULL-terminated. */
int network_prune(struct cli *cli, const char *const *filters, struct err *err);

/* The name of the network called so, or whose ID begins so; in the arena. ERR_NOT_FOUND. */
int network_real_name(struct cli *cli, const char *text, const char **out_name, struct err *err);

/* As `network inspect` shows it; NULL with *err: ERR_NOT_FOUND. */
struct json_object *network_inspect_named(struct cli *cli, const char *name, struct err *err);

/* The name of every network of the machine. */
int network_each_name(struct cli *cli, void (*each)(void *ctx, const char *name), void *ctx,
		      struct err *err);

/* `network connect` and `network disconnect`. */
extern const struct option_row connect_options[], disconnect_options[];
int network_connect_command(struct cli *cli, const struct options *options, struct err *err);
int network_disconnect_command(struct cli *cli, const struct options *options, struct err *err);
