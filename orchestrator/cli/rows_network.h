/* orchestrator/cli/rows_network - networks as rows and in docker's inspect shape. All results are
 * to be put. */
#pragma once
#include <json-c/json.h>

#include "netplug/network.h"
#include "orchestrator/cli/cli.h"

const char *network_driver_name(enum network_driver driver);
/* The labels as an object of texts; those that docker's tools expect are added for a project's
 * network. */
struct json_object *network_labels(const struct network_record *network);
struct json_object *row_network(const struct network_record *network, bool no_trunc);
/* Name Id Created Scope Driver EnableIPv4 EnableIPv6 IPAM Internal Attachable Containers Options
 * Labels. Reads records of the projects whose slots have an address (blocks). */
struct json_object *inspect_network(struct cli *cli, const struct network_record *network);
