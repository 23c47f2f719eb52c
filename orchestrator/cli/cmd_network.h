/* orchestrator/cli/cmd_network - the group `network`: what `system prune` takes from it. */
#pragma once
#include "orchestrator/cli/cli.h"

/* Removes networks without members whose project is down, names on stdout; what cannot be removed
 * is told as a warning. filters: label= words, NULL-terminated. */
int network_prune(struct cli *cli, const char *const *filters, struct err *err);
